namespace Portico.Net.Tests.Ip;

public sealed class IcmpTests : IpHost
{
    private MibTable<IcmpCounter> Icmp4 => Stack.Icmp.Ipv4Counters;

    private MibTable<IcmpCounter> Icmp6 => Stack.Icmp.Ipv6Counters;

    [Fact]
    public void An_echo_request_is_answered_byte_for_byte()
    {
        Inject(IpBytes.V4(Peer4, Me4, 1, Echo4(56)));
        byte[] reply = Link.TakeOne();
        Assert.Equal(IpAddress.Parse(Me4), IpAddress.ReadIpv4(reply.AsSpan(12)));
        Assert.Equal(64, reply[8]);
        Assert.Equal(EchoReply4(56), reply[20..]);
        Inject(IpBytes.V6(Peer6, Me6, 58, Echo6(57)));
        Assert.Equal(EchoReply6(57), TakeIpv6Payload(Peer6));
    }

    [Fact]
    public void A_wrong_checksum_is_dropped_and_counted()
    {
        byte[] message = Echo4(8);
        message[9] ^= 1;
        Inject(IpBytes.V4(Peer4, Me4, 1, message));
        Assert.Empty(Link.Sent);
        Assert.Equal(1, Icmp4[IcmpCounter.InCsumErrors]);
    }

    [Theory]
    [InlineData("10.0.0.255")]
    [InlineData("255.255.255.255")]
    [InlineData("224.0.0.1")]
    public void An_echo_request_to_a_broadcast_or_group_is_not_answered(string destination)
    {
        Inject(IpBytes.V4(Peer4, destination, 1, Echo4(8)));
        Assert.Empty(Link.Sent);
        Assert.Equal(1, Icmp4[IcmpCounter.DropEchoIgnored]);
    }

    [Fact]
    public void An_ipv6_echo_request_to_all_nodes_is_answered_from_a_unicast_address_at_a_limited_rate()
    {
        byte[] request = IpBytes.Icmp6(Peer6, "ff02::1", 128, 0, 0x1234_0001, IpBytes.Pattern(8));
        Inject(IpBytes.V6(Peer6, "ff02::1", 58, request));
        Assert.Equal(EchoReply6(8), TakeIpv6Payload(Peer6));
        for (int i = 0; i < 200; i++)
        {
            Inject(IpBytes.V6(Peer6, "ff02::1", 58, request));
        }

        Assert.InRange(Link.TakeAll().Length, 1, 50);
    }

    [Theory]
    [InlineData("224.0.0.1", Peer4)]
    [InlineData("10.0.0.255", Peer4)]
    [InlineData("255.255.255.255", Peer4)]
    [InlineData(Me4, "0.0.0.0")]
    public void No_error_is_sent_about_a_packet_to_a_group_or_from_nobody(string destination, string source)
    {
        Inject(IpBytes.V4(source, destination, 99, [1, 2, 3]));
        Inject(IpBytes.V4(source, destination, 17, IpBytes.Udp(5, 6, [1])));
        Assert.Empty(Link.Sent);
    }

    [Theory]
    [InlineData(3, 3)]
    [InlineData(11, 0)]
    [InlineData(12, 0)]
    [InlineData(4, 0)]
    [InlineData(5, 1)]
    public void No_error_is_sent_about_an_error(int type, int code)
    {
        byte[] quote = IpBytes.V4(Me4, Peer4, 99, new byte[8]);
        Stack.Ip.Options.ip_forward = true;
        Inject(IpBytes.V4(Peer4, Far4, 1, IpBytes.Icmp4(type, code, 0, quote), ttl: 1));
        Assert.Empty(Link.Sent);
        Assert.Equal(1, Icmp4[IcmpCounter.OutNotAllowed]);
        Inject(IpBytes.V4("10.0.0.3", Far4, 1, Echo4(8), ttl: 1));
        Assert.Equal(11, TakeIpv4Payload("10.0.0.3")[0]);
    }

    [Fact]
    public void No_error_is_sent_about_a_fragment_that_is_not_the_first()
    {
        Stack.Ip.Options.ip_forward = true;
        Inject(IpBytes.V4(Peer4, Far4, 99, new byte[16], 7, 0x2001, ttl: 1));
        Assert.Empty(Link.Sent);
    }

    [Fact]
    public void An_ipv4_error_quotes_up_to_576_bytes_and_an_ipv6_error_up_to_1280()
    {
        byte[] packet = IpBytes.V4(Peer4, Me4, 99, IpBytes.Pattern(1400), tos: 0x48);
        Inject(packet);
        byte[] error = Link.TakeOne();
        Assert.Equal(576, error.Length);
        Assert.Equal(0xC8, error[1]);
        Assert.Equal(packet[..548], error[28..]);
        byte[] packet6 = IpBytes.V6(Peer6, Me6, 253, IpBytes.Pattern(1400));
        Inject(packet6);
        error = Link.TakeOne();
        Assert.Equal(1280, error.Length);
        Assert.Equal(packet6[..1232], error[48..]);
    }

    [Fact]
    public void Errors_to_one_destination_are_one_a_second_after_a_burst_of_six()
    {
        byte[] packet = IpBytes.V4(Peer4, Me4, 99, [1, 2, 3]);
        for (int i = 0; i < 2000; i++)
        {
            Inject(packet);
            if (i % 40 == 39)
            {
                Pass(Duration.FromMilliseconds(1));
            }
        }

        Assert.Equal(6, Link.TakeAll().Length);
        Assert.Equal(2000 - 6, Icmp4[IcmpCounter.OutRateLimitHost] + Icmp4[IcmpCounter.OutRateLimitGlobal]);
        Pass(Duration.FromSeconds(1));
        Inject(packet);
        Inject(packet);
        Assert.Single(Link.TakeAll());
    }

    [Fact]
    public void Errors_to_everybody_are_limited_by_an_amount_that_cannot_be_counted_from_outside()
    {
        HashSet<int> batches = [];
        int total = 0;
        int host = 0;
        for (int batch = 0; batch < 40; batch++)
        {
            for (int i = 0; i < 100; i++, host++)
            {
                Inject(IpBytes.V4($"198.51.{100 + (host >> 8)}.{host & 0xFF}".Replace(".255", ".254"), Me4, 99, [1]));
            }

            int sent = Link.TakeAll().Length;
            batches.Add(sent);
            total += sent;
            Pass(Duration.FromMilliseconds(100));
        }

        Assert.True(batches.Count > 3, $"only {batches.Count} different counts");
        Assert.InRange(total, 100, 40 * 50);
    }

    [Fact]
    public void Source_quench_and_redirect_change_nothing()
    {
        byte[] quote = IpBytes.V4(Me4, Far4, 17, IpBytes.Udp(5, 6, []));
        uint generation = Stack.Ip.RouteGeneration;
        Inject(IpBytes.V4("10.0.0.254", Me4, 1, IpBytes.Icmp4(4, 0, 0, quote)));
        Inject(IpBytes.V4("10.0.0.254", Me4, 1, IpBytes.Icmp4(5, 1, 0x0A00_0063, quote)));
        Assert.Empty(Link.Sent);
        Assert.Equal(generation, Stack.Ip.RouteGeneration);
        Assert.Equal(1, Icmp4[IcmpCounter.InSrcQuenchs]);
        Assert.Equal(1, Icmp4[IcmpCounter.InRedirects]);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(7)]
    [InlineData(20)]
    [InlineData(27)]
    public void An_error_with_a_quote_that_is_too_short_is_dropped(int quoted)
    {
        byte[] quote = IpBytes.V4(Me4, Far4, 17, IpBytes.Udp(5, 6, []));
        Inject(IpBytes.V4("10.0.0.254", Me4, 1, IpBytes.Icmp4(3, 3, 0, quote[..quoted])));
        Assert.Equal(1, Icmp4[IcmpCounter.DropQuoteInvalid]);
    }

    [Fact]
    public void An_error_about_a_packet_of_somebody_else_is_dropped()
    {
        byte[] quote = IpBytes.V4("10.0.0.9", Far4, 17, IpBytes.Udp(5, 6, []));
        Inject(IpBytes.V4("10.0.0.254", Me4, 1, IpBytes.Icmp4(3, 3, 0, quote)));
        Assert.Equal(1, Icmp4[IcmpCounter.DropQuoteInvalid]);
        Assert.Equal(1, Icmp4[IcmpCounter.InErrors]);
    }

    [Fact]
    public void Any_bytes_as_an_error_are_survived()
    {
        Random random = new(5);
        for (int i = 0; i < 20_000; i++)
        {
            byte[] junk = new byte[random.Next(0, 90)];
            random.NextBytes(junk);
            if (junk.Length > 0)
            {
                junk[0] = (byte)(i % 2 == 0 ? 0x45 : 0x60);
            }

            Inject(IpBytes.V4(Peer4, Me4, 1, IpBytes.Icmp4(random.Next(0, 20), random.Next(0, 20), random.NextUInt32(), junk)));
            byte[] error = IpBytes.Icmp6(Peer6, Me6, random.Next(0, 128), random.Next(0, 8), random.NextUInt32(), junk);
            Inject(IpBytes.V6(Peer6, Me6, 58, error));
        }

        Link.TakeAll();
        AssertStillServes();
    }
}

internal static class RandomExtensions
{
    public static uint NextUInt32(this Random random) => (uint)random.NextInt64(1L << 32);
}

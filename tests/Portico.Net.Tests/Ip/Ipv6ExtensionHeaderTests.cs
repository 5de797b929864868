namespace Portico.Net.Tests.Ip;

public sealed class Ipv6ExtensionHeaderTests : IpHost
{
    private static byte[] Options(int next, params byte[] options)
    {
        int length = 2 + options.Length;
        int padded = (length + 7) / 8 * 8;
        byte[] header = new byte[padded];
        header[0] = (byte)next;
        header[1] = (byte)((padded / 8) - 1);
        options.CopyTo(header, 2);
        int padding = padded - length;
        if (padding > 1)
        {
            header[length] = 1;
            header[length + 1] = (byte)(padding - 2);
        }

        return header;
    }

    private static byte[] Routing(int next, int type, int segmentsLeft) =>
        [(byte)next, 2, (byte)type, (byte)segmentsLeft, 0, 0, 0, 0, .. new byte[16]];

    private byte[] Problem(byte[] packet, int code, uint pointer) => IpBytes.Icmp6(Me6, Peer6, 4, code, pointer, packet);

    [Fact]
    public void Known_headers_are_passed_over()
    {
        byte[] chain = [.. Options(60, 5, 2, 0, 0), .. Options(43, 0x1E, 1, 9), .. Routing(58, 0, 0), .. Echo6(8)];
        Inject(IpBytes.V6(Peer6, Me6, 0, chain));
        Assert.Equal(EchoReply6(8), TakeIpv6Payload(Peer6));
    }

    [Theory]
    [InlineData(0x5E, false)]
    [InlineData(0x9E, true)]
    [InlineData(0xDE, true)]
    public void An_unknown_option_is_treated_as_its_first_two_bits_say(int option, bool isReported)
    {
        byte[] packet = IpBytes.V6(Peer6, Me6, 60, [.. Options(58, (byte)option, 2, 0, 0), .. Echo6(8)]);
        Inject(packet);
        if (isReported)
        {
            Assert.Equal(Problem(packet, 2, 42), TakeIpv6Payload(Peer6));
        }

        Assert.Empty(Link.Sent);
    }

    [Fact]
    public void Hop_by_hop_options_that_are_not_first_are_an_unrecognised_next_header()
    {
        byte[] packet = IpBytes.V6(Peer6, Me6, 60, [.. Options(0), .. Options(58), .. Echo6(8)]);
        Inject(packet);
        Assert.Equal(Problem(packet, 1, 40), TakeIpv6Payload(Peer6));
    }

    [Fact]
    public void A_type_0_routing_header_with_segments_left_is_a_parameter_problem()
    {
        byte[] packet = IpBytes.V6(Peer6, Me6, 43, [.. Routing(58, 0, 1), .. Echo6(8)]);
        Inject(packet);
        Assert.Equal(Problem(packet, 0, 42), TakeIpv6Payload(Peer6));
    }

    [Fact]
    public void An_unknown_transport_behind_headers_points_at_the_field_that_names_it()
    {
        byte[] packet = IpBytes.V6(Peer6, Me6, 60, [.. Options(253), 1, 2, 3]);
        Inject(packet);
        Assert.Equal(Problem(packet, 1, 40), TakeIpv6Payload(Peer6));
    }

    [Theory]
    [InlineData(9)]
    [InlineData(100)]
    public void More_headers_than_allowed_are_dropped_silently(int count)
    {
        byte[] chain = [.. Enumerable.Range(0, count).SelectMany(i => Options(i == count - 1 ? 58 : 60)), .. Echo6(8)];
        Inject(IpBytes.V6(Peer6, Me6, 60, chain));
        Assert.Empty(Link.Sent);
        Assert.Equal(1, Mib6[IpCounter.InHdrErrors]);
        AssertStillServes();
    }

    [Fact]
    public void More_options_than_allowed_are_dropped_silently()
    {
        byte[] many = [.. Enumerable.Range(0, 40).SelectMany(_ => new byte[] { 0x1E, 0 })];
        Inject(IpBytes.V6(Peer6, Me6, 60, [.. Options(58, many), .. Echo6(8)]));
        Assert.Empty(Link.Sent);
    }

    [Fact]
    public void A_chain_that_runs_past_the_end_is_dropped()
    {
        byte[] packet = IpBytes.V6(Peer6, Me6, 60, [58, 200, 1, 4, 0, 0, 0, 0]);
        Inject(packet);
        Inject(IpBytes.V6(Peer6, Me6, 60, [58]));
        Assert.Empty(Link.Sent);
        Assert.Equal(2, Mib6[IpCounter.DropBadHeader]);
    }

    [Fact]
    public void No_error_goes_out_about_a_packet_to_a_group_except_for_option_action_2()
    {
        Inject(IpBytes.V6(Peer6, "ff02::1", 253, [1]));
        Inject(IpBytes.V6(Peer6, "ff02::1", 60, [.. Options(58, 0xDE, 2, 0, 0), .. Echo6(8)]));
        Assert.Empty(Link.Sent);
        Inject(IpBytes.V6(Peer6, "ff02::1", 60, [.. Options(58, 0x9E, 2, 0, 0), .. Echo6(8)]));
        byte[] error = TakeIpv6Payload(Peer6);
        Assert.Equal((4, 2), (error[0], error[1]));
    }

    [Fact]
    public void Every_order_of_headers_up_to_depth_5_is_survived()
    {
        int[] kinds = [0, 43, 44, 60, 58, 59, 253];
        int[] chosen = new int[5];
        int total = (int)Math.Pow(kinds.Length, chosen.Length);
        Stack.Ip.Options.icmp_msgs_per_sec = 1_000_000;
        for (int n = 0; n < total; n++)
        {
            for (int i = 0, rest = n; i < chosen.Length; i++, rest /= kinds.Length)
            {
                chosen[i] = kinds[rest % kinds.Length];
            }

            List<byte> chain = [];
            for (int i = 0; i < chosen.Length; i++)
            {
                int next = i + 1 < chosen.Length ? chosen[i + 1] : 58;
                chain.AddRange(chosen[i] switch
                {
                    43 => Routing(next, 0, 0),
                    44 => IpBytes.FragmentHeader(next, 0, false, (uint)n),
                    58 => Echo6(8),
                    _ => Options(next),
                });
            }

            Inject(IpBytes.V6(Peer6, Me6, chosen[0], [.. chain, .. Echo6(8)]));
            Assert.True(Link.TakeAll().Length <= 1);
        }

        AssertStillServes();
    }
}

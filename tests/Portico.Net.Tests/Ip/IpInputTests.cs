namespace Portico.Net.Tests.Ip;

public sealed class IpInputTests : IpHost
{
    [Theory]
    [InlineData(0x44)] // header length 16
    [InlineData(0x40)] // header length 0
    [InlineData(0x4F)] // header length 60, longer than the packet
    [InlineData(0x55)] // version 5
    [InlineData(0x05)] // version 0
    public void A_packet_with_a_wrong_first_byte_is_dropped_and_counted(int first)
    {
        byte[] packet = IpBytes.V4(Peer4, Me4, 1, Echo4(8));
        packet[0] = (byte)first;
        Inject(packet);
        Assert.Empty(Link.Sent);
        Assert.Equal(1, Mib4[IpCounter.InHdrErrors]);
        AssertStillServes();
    }

    [Theory]
    [InlineData(0)]
    [InlineData(19)]
    [InlineData(37)]
    [InlineData(65535)]
    public void A_packet_that_lies_about_its_length_is_dropped(int length)
    {
        byte[] packet = IpBytes.V4(Peer4, Me4, 1, Echo4(8));
        packet[2] = (byte)(length >> 8);
        packet[3] = (byte)length;
        Inject(packet);
        Assert.Empty(Link.Sent);
        Assert.Equal(1, Mib4[IpCounter.InHdrErrors]);
    }

    [Fact]
    public void Bytes_behind_the_total_length_are_cut_off()
    {
        Inject([.. IpBytes.V4(Peer4, Me4, 1, Echo4(8)), 1, 2, 3, 4, 5, 6]);
        Assert.Equal(EchoReply4(8), TakeIpv4Payload(Peer4));
        Inject([.. IpBytes.V6(Peer6, Me6, 58, Echo6(8)), 1, 2, 3]);
        Assert.Equal(EchoReply6(8), TakeIpv6Payload(Peer6));
    }

    [Fact]
    public void Every_flipped_bit_of_an_ipv4_header_is_noticed()
    {
        byte[] good = IpBytes.V4(Peer4, Me4, 1, Echo4(8));
        for (int bit = 0; bit < 160; bit++)
        {
            byte[] bad = [.. good];
            bad[bit / 8] ^= (byte)(1 << (bit % 8));
            Inject(bad);
        }

        Assert.Empty(Link.Sent);
        Assert.Equal(160, Mib4[IpCounter.InHdrErrors] + Mib6[IpCounter.InHdrErrors]);
        AssertStillServes();
    }

    [Theory]
    [InlineData("10.0.0.1")] // LAND: the host's own address
    [InlineData("127.0.0.1")]
    [InlineData("0.0.0.0")]
    [InlineData("0.1.2.3")]
    [InlineData("224.0.0.1")]
    [InlineData("239.255.255.250")]
    [InlineData("240.0.0.1")]
    [InlineData("255.255.255.255")]
    [InlineData("10.0.0.255")]
    public void A_martian_source_is_dropped_whatever_it_carries(string source)
    {
        Inject(IpBytes.V4(source, Me4, 1, Echo4(8)));
        Inject(IpBytes.V4(source, Me4, 17, IpBytes.Udp(5, 6, [1])));
        Inject(IpBytes.V4(source, Me4, 6, IpBytes.Tcp4(source, Me4, 80, 80, 1, 0, 2, [])));
        Inject(IpBytes.V4(source, Me4, 99, [1, 2, 3]));
        Assert.Empty(Link.Sent);
        Assert.Equal(4, Mib4[IpCounter.InAddrErrors]);
        Assert.Equal(4, Mib4[IpCounter.DropMartianSource] + Mib4[IpCounter.DropOwnSource]);
        Assert.Equal(0, Mib4[IpCounter.InDelivers]);
    }

    [Theory]
    [InlineData("2001:db8::1")]
    [InlineData("::1")]
    [InlineData("ff02::1")]
    public void A_martian_ipv6_source_is_dropped(string source)
    {
        Inject(IpBytes.V6(source, Me6, 58, IpBytes.Icmp6(source, Me6, 128, 0, 1, [])));
        Inject(IpBytes.V6(source, Me6, 99, [1]));
        Assert.Empty(Link.Sent);
        Assert.Equal(2, Mib6[IpCounter.InAddrErrors]);
    }

    [Fact]
    public void Ipv4_mapped_addresses_on_the_wire_are_dropped()
    {
        AssertStillServes();
        foreach ((string Source, string Destination) pair in (ReadOnlySpan<(string, string)>)[(Peer4, Me4), (Peer4, Me6), (Peer6, Me4)])
        {
            Inject(IpBytes.V6(pair.Source, pair.Destination, 17, IpBytes.Udp(5, 6, [1])));
            Inject(IpBytes.V6(pair.Source, pair.Destination, 99, [1]));
        }

        Assert.Empty(Link.Sent);
        Assert.Equal(6, Mib6[IpCounter.InAddrErrors]);
    }

    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("0.0.0.0")]
    [InlineData("240.0.0.1")]
    [InlineData("10.0.0.9")]
    [InlineData("224.0.0.9")]
    [InlineData("198.51.100.1")]
    public void A_packet_that_is_not_for_this_host_is_dropped_silently(string destination)
    {
        Inject(IpBytes.V4(Peer4, destination, 1, Echo4(8)));
        Inject(IpBytes.V4(Peer4, destination, 6, IpBytes.Tcp4(Peer4, destination, 80, 80, 1, 0, 2, [])));
        Assert.Empty(Link.Sent);
        Assert.Equal(2, Mib4[IpCounter.InAddrErrors]);
    }

    [Theory]
    [InlineData("255.255.255.255")]
    [InlineData("10.0.0.255")]
    [InlineData("224.0.0.1")]
    public void Tcp_to_a_broadcast_or_group_address_is_dropped(string destination)
    {
        Inject(IpBytes.V4(Peer4, destination, 6, IpBytes.Tcp4(Peer4, destination, 80, 80, 1, 0, 2, [])));
        Assert.Empty(Link.Sent);
        Assert.Equal(1, Mib4[IpCounter.DropTcpToGroup]);
    }

    [Fact]
    public void A_unicast_packet_in_a_broadcast_frame_is_dropped()
    {
        AssertStillServes();
        Link.Inject(IpBytes.V4(Peer4, Me4, 1, Echo4(8)), isLinkBroadcast: true);
        Assert.Empty(Link.Sent);
    }

    [Fact]
    public void A_packet_for_any_address_is_taken_where_the_interface_accepts_all()
    {
        Interface.AcceptsAnyAddress = true;
        Inject(IpBytes.V4(Peer4, "93.184.216.34", 1, Echo4(8)));
        byte[] reply = Link.TakeOne();
        Assert.Equal(IpAddress.Parse("93.184.216.34"), IpAddress.ReadIpv4(reply.AsSpan(12)));
        Assert.Equal(EchoReply4(8), reply[20..]);
    }

    [Fact]
    public void An_interface_that_is_down_takes_nothing()
    {
        Interface.IsUp = false;
        Inject(IpBytes.V4(Peer4, Me4, 1, Echo4(8)));
        Assert.Empty(Link.Sent);
        Interface.IsUp = true;
        AssertStillServes();
    }

    [Fact]
    public void An_unknown_protocol_is_answered_with_protocol_unreachable()
    {
        byte[] packet = IpBytes.V4(Peer4, Me4, 99, [1, 2, 3, 4]);
        Inject(packet);
        Assert.Equal(IpBytes.Icmp4(3, 2, 0, packet), TakeIpv4Payload(Peer4));
        byte[] packet6 = IpBytes.V6(Peer6, Me6, 253, [1, 2, 3, 4]);
        Inject(packet6);
        Assert.Equal(IpBytes.Icmp6(Me6, Peer6, 4, 1, 6, packet6), TakeIpv6Payload(Peer6));
    }

    [Theory]
    [InlineData(4)]
    [InlineData(41)]
    [InlineData(47)]
    [InlineData(50)]
    [InlineData(51)]
    public void A_tunnelled_packet_is_never_taken_out_of_its_tunnel(int protocol)
    {
        byte[] inner = IpBytes.V4(Peer4, Me4, 1, Echo4(8));
        byte[] outer = IpBytes.V4(Peer4, Me4, protocol, inner);
        Inject(outer);
        byte[] error = TakeIpv4Payload(Peer4);
        Assert.Equal((3, 2), (error[0], error[1]));
        Assert.Equal(outer, error[8..]);
        Assert.Equal(0, Stack.Icmp.Ipv4Counters[IcmpCounter.InEchos]);
    }

    [Fact]
    public void Every_option_with_every_length_is_survived_and_source_routes_are_dropped()
    {
        int answered = 0;
        for (int kind = 0; kind < 256; kind++)
        {
            for (int length = 0; length <= 40; length++)
            {
                byte[] options = new byte[40];
                options[0] = (byte)kind;
                options[1] = (byte)length;
                options[2] = 4;
                Inject(IpBytes.V4(Peer4, Me4, 1, Echo4(8), options: options));
                int sent = Link.TakeAll().Length;
                Assert.False(sent > 0 && kind is 131 or 137, $"source route {kind} of length {length} was answered");
                Assert.False(sent > 0 && kind > 1 && length < 2, $"option {kind} of length {length} was answered");
                answered += sent;
            }
        }

        Assert.True(answered > 5_000);
        AssertStillServes();
    }

    [Fact]
    public void Ecn_bits_are_counted()
    {
        for (int ecn = 0; ecn < 4; ecn++)
        {
            Inject(IpBytes.V4(Peer4, Me4, 1, Echo4(8), tos: 0x20 | ecn));
            Assert.Equal(0x20 | ecn, Link.TakeOne()[1]);
        }

        Assert.Equal(1, Mib4[IpCounter.InNoECTPkts]);
        Assert.Equal(1, Mib4[IpCounter.InECT1Pkts]);
        Assert.Equal(1, Mib4[IpCounter.InECT0Pkts]);
        Assert.Equal(1, Mib4[IpCounter.InCEPkts]);
    }
}

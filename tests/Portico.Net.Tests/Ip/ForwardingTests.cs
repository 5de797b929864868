namespace Portico.Net.Tests.Ip;

public sealed class ForwardingTests : IpHost
{
    private readonly RecordingLink _second;
    private readonly NetworkInterface _secondInterface;

    public ForwardingTests()
    {
        _second = new RecordingLink(Engine, LinkKind.Ip, 1400);
        _secondInterface = Stack.AddInterface("eth1", _second);
        Assert.Equal(Errno.None, _secondInterface.AddAddress(IpPrefix.Parse("172.16.0.1/16")));
        Assert.Equal(Errno.None, _secondInterface.AddAddress(IpPrefix.Parse("2001:db8:2::1/64")));
        Stack.Ip.Options.ip_forward = true;
        Stack.Ip.Options.ip6_forward = true;
    }

    [Fact]
    public void A_packet_is_forwarded_with_its_ttl_decremented_and_its_checksum_updated()
    {
        Inject(IpBytes.V4(Peer4, "172.16.5.5", 17, IpBytes.Udp(1, 2, [9]), id: 77, ttl: 9));
        Assert.Equal(IpBytes.V4(Peer4, "172.16.5.5", 17, IpBytes.Udp(1, 2, [9]), id: 77, ttl: 8), _second.TakeOne());
        Inject(IpBytes.V6(Peer6, "2001:db8:2::9", 17, IpBytes.Udp(1, 2, [9]), hopLimit: 9));
        Assert.Equal(IpBytes.V6(Peer6, "2001:db8:2::9", 17, IpBytes.Udp(1, 2, [9]), hopLimit: 8), _second.TakeOne());
        Assert.Empty(Link.Sent);
        Assert.Equal(1, Mib4[IpCounter.OutForwDatagrams]);
    }

    [Fact]
    public void Every_ttl_keeps_the_header_checksum_right()
    {
        for (int ttl = 2; ttl < 256; ttl++)
        {
            Inject(IpBytes.V4(Peer4, "172.16.5.5", 17, IpBytes.Udp(1, 2, [9]), id: ttl * 251, ttl: ttl));
            Assert.Equal(0, IpBytes.Checksum(_second.TakeOne().AsSpan(0, 20)));
        }
    }

    [Fact]
    public void With_forwarding_off_nothing_passes()
    {
        Stack.Ip.Options.ip_forward = false;
        Inject(IpBytes.V4(Peer4, "172.16.5.5", 17, IpBytes.Udp(1, 2, [9])));
        Assert.Empty(_second.Sent);
        Assert.Equal(1, Mib4[IpCounter.DropNotForUs]);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void A_ttl_that_runs_out_is_reported(int ttl)
    {
        byte[] packet = IpBytes.V4(Peer4, "172.16.5.5", 17, IpBytes.Udp(1, 2, [9]), ttl: ttl);
        Inject(packet);
        Assert.Empty(_second.Sent);
        Assert.Equal(IpBytes.Icmp4(11, 0, 0, packet), TakeIpv4Payload(Peer4));
        byte[] packet6 = IpBytes.V6(Peer6, "2001:db8:2::9", 17, IpBytes.Udp(1, 2, [9]), hopLimit: ttl);
        Inject(packet6);
        Assert.Equal(IpBytes.Icmp6(Me6, Peer6, 3, 0, 0, packet6), TakeIpv6Payload(Peer6));
    }

    [Fact]
    public void A_packet_that_does_not_fit_is_fragmented_or_reported()
    {
        byte[] payload = IpBytes.Pattern(1480);
        Inject(IpBytes.V4(Peer4, "172.16.5.5", 99, payload, id: 5));
        byte[][] fragments = _second.TakeAll();
        Assert.Equal([1396, 124], fragments.Select(fragment => fragment.Length));
        Assert.Equal(payload, fragments.SelectMany(fragment => fragment[20..]));
        Assert.Equal((0x20, 0), (fragments[0][6], fragments[0][7]));
        Assert.Equal((1376 / 8) & 0xFF, fragments[1][7]);
        byte[] whole = IpBytes.V4(Peer4, "172.16.5.5", 99, payload, id: 5, flagsAndOffset: 0x4000);
        Inject(whole);
        Assert.Equal(IpBytes.Icmp4(3, 4, 1400, whole.AsSpan(0, 548)), TakeIpv4Payload(Peer4));
        byte[] whole6 = IpBytes.V6(Peer6, "2001:db8:2::9", 99, IpBytes.Pattern(1460));
        Inject(whole6);
        Assert.Equal(IpBytes.Icmp6(Me6, Peer6, 2, 0, 1400, whole6.AsSpan(0, 1232)), TakeIpv6Payload(Peer6));
        Assert.Empty(_second.Sent);
    }

    [Fact]
    public void A_fragment_that_does_not_fit_is_cut_again_and_keeps_its_place()
    {
        Inject(IpBytes.V4(Peer4, "172.16.5.5", 99, IpBytes.Pattern(1480), id: 5, flagsAndOffset: 0x2000 | 100));
        byte[][] fragments = _second.TakeAll();
        Assert.Equal(0x2000 | 100, (fragments[0][6] << 8) | fragments[0][7]);
        Assert.Equal(0x2000 | (100 + 172), (fragments[1][6] << 8) | fragments[1][7]);
    }

    [Fact]
    public void Options_without_the_copied_flag_stay_in_the_first_fragment()
    {
        byte[] options = [7, 7, 4, 0, 0, 0, 0, 148, 4, 0, 0, 0];
        Inject(IpBytes.V4(Peer4, "172.16.5.5", 99, IpBytes.Pattern(1460), id: 5, options: options));
        byte[][] fragments = _second.TakeAll();
        Assert.Equal(options, fragments[0][20..32]);
        Assert.Equal([1, 1, 1, 1, 1, 1, 1, 148, 4, 0, 0, 0], fragments[1][20..32]);
        Assert.Equal(0, IpBytes.Checksum(fragments[1].AsSpan(0, 32)));
    }

    [Fact]
    public void Unreachable_and_prohibited_networks_are_reported_and_black_holes_are_not()
    {
        RouteKind[] kinds = [RouteKind.Unreachable, RouteKind.Prohibit, RouteKind.Blackhole];
        foreach (RouteKind kind in kinds)
        {
            IpPrefix prefix = IpPrefix.Parse($"203.0.{(int)kind}.0/24");
            Assert.Equal(Errno.None, Stack.Ip.Routes.Add(new Route { Destination = prefix, Kind = kind }));
        }

        byte[] packet = IpBytes.V4(Peer4, "203.0.2.1", 99, [1]);
        Inject(packet);
        Assert.Equal(IpBytes.Icmp4(3, 1, 0, packet), TakeIpv4Payload(Peer4));
        packet = IpBytes.V4(Peer4, "203.0.3.1", 99, [1]);
        Inject(packet);
        Assert.Equal(IpBytes.Icmp4(3, 13, 0, packet), TakeIpv4Payload(Peer4));
        Inject(IpBytes.V4(Peer4, "203.0.1.1", 99, [1]));
        Assert.Empty(Link.Sent);
    }

    [Fact]
    public void Without_a_route_the_network_is_unreachable()
    {
        Stack.Ip.Routes.RemoveWhere(route => route.Destination.Length == 0);
        byte[] packet = IpBytes.V4(Peer4, "203.0.113.1", 99, [1]);
        Inject(packet);
        Assert.Equal(IpBytes.Icmp4(3, 0, 0, packet), TakeIpv4Payload(Peer4));
        byte[] packet6 = IpBytes.V6(Peer6, "2001:db8:99::1", 99, [1]);
        Inject(packet6);
        Assert.Equal(IpBytes.Icmp6(Me6, Peer6, 1, 0, 0, packet6), TakeIpv6Payload(Peer6));
    }

    [Theory]
    [InlineData(Peer4, "169.254.1.1")]
    [InlineData("169.254.1.1", "172.16.5.5")]
    [InlineData(Peer4, "172.16.255.255")]
    [InlineData("10.0.0.254", "198.51.100.1")] // its next hop is where it came from
    public void What_must_not_be_forwarded_is_dropped(string source, string destination)
    {
        Inject(IpBytes.V4(source, destination, 99, [1]));
        Assert.Empty(_second.Sent);
        Assert.Empty(Link.Sent);
    }

    [Fact]
    public void A_link_local_ipv6_source_is_beyond_its_scope()
    {
        Inject(IpBytes.V6("fe80::5", "2001:db8:2::9", 99, [1]));
        Assert.Empty(_second.Sent);
        Assert.Equal(1, Mib6[IpCounter.DropNotForwardable]);
        Link.TakeAll();
    }

    [Fact]
    public void A_packet_in_a_broadcast_frame_is_not_forwarded()
    {
        Link.Inject(IpBytes.V4(Peer4, "172.16.5.5", 99, [1]), isLinkBroadcast: true);
        Assert.Empty(_second.Sent);
    }
}

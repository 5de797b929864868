namespace Portico.Net.Tests.Ip;

/// <summary>Two hosts with a router between them, whose second cable has a smaller MTU.</summary>
public sealed class IpEndToEndTests : IDisposable
{
    private readonly Engine _engine = new();
    private readonly NetworkStack _left;
    private readonly NetworkStack _router;
    private readonly NetworkStack _right;

    public IpEndToEndTests()
    {
        _left = new NetworkStack(_engine);
        _router = new NetworkStack(_engine);
        _right = new NetworkStack(_engine);
    }

    public void Dispose()
    {
        Run(Duration.FromSeconds(700));
        Assert.Equal(0, _engine.Packets.Outstanding);
        _engine.Dispose();
    }

    private void Build(LinkKind kind, LinkFeatures features)
    {
        Cable first = new(_engine, new CableOptions { Kind = kind, Features = features, Mtu = 1500 });
        Cable second = new(_engine, new CableOptions { Kind = kind, Features = features, Mtu = 1400 });
        NetworkInterface left = _left.AddInterface("eth0", first.A);
        NetworkInterface near = _router.AddInterface("eth0", first.B);
        NetworkInterface far = _router.AddInterface("eth1", second.A);
        NetworkInterface right = _right.AddInterface("eth0", second.B);
        Add(left, "10.1.0.1/24", "2001:db8:1::1/64", "10.1.0.254", "2001:db8:1::fe");
        Add(near, "10.1.0.254/24", "2001:db8:1::fe/64", null, null);
        Add(far, "10.2.0.254/24", "2001:db8:2::fe/64", null, null);
        Add(right, "10.2.0.1/24", "2001:db8:2::1/64", "10.2.0.254", "2001:db8:2::fe");
        _router.Ip.Options.ip_forward = true;
        _router.Ip.Options.ip6_forward = true;
        Run(Duration.FromSeconds(10));
    }

    private static void Add(NetworkInterface to, string prefix4, string prefix6, string? gateway4, string? gateway6)
    {
        Assert.Equal(Errno.None, to.AddAddress(IpPrefix.Parse(prefix4)));
        Assert.Equal(Errno.None, to.AddAddress(IpPrefix.Parse(prefix6)));
        foreach ((string prefix, string? gateway) in (ReadOnlySpan<(string, string?)>)[("0.0.0.0/0", gateway4), ("::/0", gateway6)])
        {
            if (gateway != null)
            {
                to.Stack.Ip.Routes.Add(new Route
                {
                    Destination = IpPrefix.Parse(prefix), Gateway = IpAddress.Parse(gateway), InterfaceIndex = to.Index, Metric = 1,
                });
            }
        }
    }

    private void Run(Duration time)
    {
        MonoTime end = _engine.Now + time;
        for (int i = 0; i < 100_000 && _engine.NextDeadline <= end; i++)
        {
            _engine.Advance(_engine.NextDeadline);
        }

        _engine.Advance(end);
    }

    private Errno Ping(string destination, int bytes, bool dontFragment, out int received, byte hopLimit = 0)
    {
        IpAddress to = IpAddress.Parse(destination);
        IpAddress any = to.IsIpv4 ? IpAddress.AnyIpv4 : IpAddress.AnyIpv6;
        Assert.Equal(Errno.None, _left.Icmp.OpenEcho(any, 0, 0, null, out IcmpEchoHandle ping));
        byte[] payload = IpBytes.Pattern(bytes);
        Errno error = _left.Icmp.SendEcho(ping, to, 1, payload, hopLimit, dontFragment);
        Run(Duration.FromSeconds(5));
        byte[] answer = new byte[70_000];
        Errno receive = _left.Icmp.ReceiveEcho(ping, answer, out IcmpEchoReply reply);
        received = receive == Errno.None ? reply.PayloadBytes : -1;
        if (receive == Errno.None)
        {
            Assert.Equal(payload, answer[..reply.PayloadBytes]);
        }

        error = error == Errno.None ? _left.Icmp.TakeEchoError(ping) : error;
        _left.Icmp.CloseEcho(ping);
        return error;
    }

    public static TheoryData<LinkKind, LinkFeatures> Cables => new()
    {
        { LinkKind.Ip, LinkFeatures.None },
        { LinkKind.Ip, LinkFeatures.ChecksumOffload | LinkFeatures.Tso4 | LinkFeatures.Tso6 | LinkFeatures.ReceiveChecksumVerified },
        { LinkKind.Ethernet, LinkFeatures.None },
    };

    [Theory]
    [MemberData(nameof(Cables))]
    public void Pings_of_every_size_come_back_byte_for_byte(LinkKind kind, LinkFeatures features)
    {
        Build(kind, features);
        foreach (int bytes in (int[])[0, 1, 56, 1372, 1373, 1472, 1473, 5000, 20_001, 65_507])
        {
            Assert.Equal(Errno.None, Ping("10.2.0.1", bytes, false, out int received));
            Assert.Equal(bytes, received);
        }

        // A source fragments for the path that it knows of: the first packet too big teaches it.
        Assert.Equal(Errno.EMSGSIZE, Ping("2001:db8:2::1", 1400, false, out _));
        foreach (int bytes in (int[])[0, 1, 56, 1353, 1452, 1453, 5000, 20_001, 65_500])
        {
            Assert.Equal(Errno.None, Ping("2001:db8:2::1", bytes, false, out int received));
            Assert.Equal(bytes, received);
        }
    }

    [Theory]
    [MemberData(nameof(Cables))]
    public void The_path_mtu_is_learnt_from_the_router(LinkKind kind, LinkFeatures features)
    {
        Build(kind, features);
        Assert.Equal(Errno.EMSGSIZE, Ping("10.2.0.1", 1472, true, out int received));
        Assert.Equal(-1, received);
        _left.Ip.FindRoute(IpAddress.AnyIpv4, IpAddress.Parse("10.2.0.1"), 0, out RouteCache route);
        Assert.Equal(1400, route.PathMtu);
        Assert.Equal(Errno.EMSGSIZE, Ping("10.2.0.1", 1373, true, out _));
        Assert.Equal(Errno.None, Ping("10.2.0.1", 1372, true, out received));
        Assert.Equal(1372, received);
    }

    [Theory]
    [MemberData(nameof(Cables))]
    public void A_hop_limit_of_1_ends_at_the_router(LinkKind kind, LinkFeatures features)
    {
        Build(kind, features);
        Assert.Equal(Errno.EHOSTUNREACH, Ping("10.2.0.1", 8, false, out _, hopLimit: 1));
        Assert.Equal(Errno.EHOSTUNREACH, Ping("2001:db8:2::1", 8, false, out _, hopLimit: 1));
        Assert.Equal(Errno.None, Ping("10.2.0.1", 8, false, out int received, hopLimit: 2));
        Assert.Equal(8, received);
    }

    [Fact]
    public void A_neighbour_that_does_not_answer_is_host_unreachable()
    {
        Build(LinkKind.Ethernet, LinkFeatures.None);
        Assert.Equal(Errno.EHOSTUNREACH, Ping("10.1.0.77", 8, false, out _));
        Assert.Equal(Errno.EHOSTUNREACH, Ping("10.2.0.77", 8, false, out _));
        Assert.Equal(Errno.EHOSTUNREACH, Ping("2001:db8:2::77", 8, false, out _));
    }
}

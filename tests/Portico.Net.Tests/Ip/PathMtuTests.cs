namespace Portico.Net.Tests.Ip;

public sealed class PathMtuTests : IpHost
{
    private readonly IcmpEchoHandle _ping4;
    private readonly IcmpEchoHandle _ping6;

    public PathMtuTests()
    {
        Assert.Equal(Errno.None, Stack.Icmp.OpenEcho(IpAddress.AnyIpv4, 0x77, 0, null, out _ping4));
        Assert.Equal(Errno.None, Stack.Icmp.OpenEcho(IpAddress.AnyIpv6, 0x77, 0, null, out _ping6));
    }

    private int PathMtu(string destination)
    {
        Assert.Equal(Errno.None, Stack.Ip.FindRoute(IpAddress.AnyIpv4, IpAddress.Parse(destination), 0, out RouteCache route));
        return route.PathMtu;
    }

    private void ReportTooBig4(int mtu)
    {
        Assert.Equal(Errno.None, Stack.Icmp.SendEcho(_ping4, IpAddress.Parse(Far4), 1, IpBytes.Pattern(1000)));
        byte[] packet = Link.TakeAll()[0];
        Inject(IpBytes.V4("10.0.0.254", Me4, 1, IpBytes.Icmp4(3, 4, (uint)mtu, packet.AsSpan(0, 28))));
    }

    private void ReportTooBig6(uint mtu)
    {
        Assert.Equal(Errno.None, Stack.Icmp.SendEcho(_ping6, IpAddress.Parse(Far6), 1, IpBytes.Pattern(1000)));
        byte[] packet = Link.TakeOne();
        Inject(IpBytes.V6("2001:db8::fe", Me6, 58, IpBytes.Icmp6("2001:db8::fe", Me6, 2, 0, mtu, packet.AsSpan(0, 60))));
    }

    [Fact]
    public void A_report_lowers_the_path_mtu_for_10_minutes_and_bumps_the_route_generation()
    {
        uint generation = Stack.Ip.RouteGeneration;
        ReportTooBig4(1300);
        Assert.Equal(1300, PathMtu(Far4));
        Assert.Equal(1500, PathMtu(Peer4));
        Assert.NotEqual(generation, Stack.Ip.RouteGeneration);
        Assert.Equal(Errno.EMSGSIZE, Stack.Icmp.TakeEchoError(_ping4));
        Pass(Duration.FromSeconds(599));
        Assert.Equal(1300, PathMtu(Far4));
        generation = Stack.Ip.RouteGeneration;
        Pass(Duration.FromSeconds(1));
        Assert.Equal(1500, PathMtu(Far4));
        Assert.NotEqual(generation, Stack.Ip.RouteGeneration);
    }

    [Fact]
    public void A_report_never_raises_the_path_mtu()
    {
        ReportTooBig4(1000);
        ReportTooBig4(1400);
        Assert.Equal(1000, PathMtu(Far4));
    }

    [Fact]
    public void A_report_below_the_floor_brings_the_floor_and_clears_DF()
    {
        ReportTooBig4(68);
        Assert.Equal(552, PathMtu(Far4));
        Assert.Equal(Errno.None, Stack.Icmp.SendEcho(_ping4, IpAddress.Parse(Far4), 2, IpBytes.Pattern(400), dontFragment: true));
        Assert.Equal(0, Link.TakeOne()[6] & 0x40);
    }

    [Fact]
    public void A_router_that_does_not_say_brings_the_next_plateau()
    {
        ReportTooBig4(0);
        Assert.Equal(1006, PathMtu(Far4));
    }

    [Fact]
    public void An_ipv6_report_below_1280_is_discarded()
    {
        ReportTooBig6(1279);
        Assert.Equal(1500, PathMtu(Far6));
        ReportTooBig6(1300);
        Assert.Equal(1300, PathMtu(Far6));
    }

    [Fact]
    public void Packets_above_the_path_mtu_are_fragmented_or_refused()
    {
        ReportTooBig6(1280);
        Assert.Equal(Errno.None, Stack.Icmp.SendEcho(_ping6, IpAddress.Parse(Far6), 2, IpBytes.Pattern(1400)));
        byte[][] fragments = Link.TakeAll();
        Assert.Equal(2, fragments.Length);
        Assert.All(fragments, fragment => Assert.True(fragment.Length <= 1280));
        Assert.Equal(44, fragments[0][6]);
        Assert.Equal(
            Errno.EMSGSIZE, Stack.Icmp.SendEcho(_ping6, IpAddress.Parse(Far6), 2, IpBytes.Pattern(1400), dontFragment: true));
    }

    [Fact]
    public void The_table_is_bounded()
    {
        Stack.Ip.Options.path_mtu_max = 10;
        for (int i = 1; i < 100; i++)
        {
            IcmpErrorInfo error = new() { RemoteAddress = IpAddress.FromIpv4(192, 0, 2, (byte)i), Mtu = 1300 };
            Assert.True(Stack.Ip.LearnPathMtu(error));
            Pass(Duration.FromSeconds(1));
        }

        Assert.Equal(10, Stack.Ip.PathMtus.Count);
        Assert.Equal(1500, PathMtu("192.0.2.1"));
        Assert.Equal(1300, PathMtu("192.0.2.99"));
    }
}

namespace Portico.Net.Tests.Ip;

/// <summary>SO_DONTROUTE and MSG_DONTROUTE: to hosts on the link, and never through a gateway.</summary>
public sealed class DontRouteTests : IpHost
{
    [Theory]
    [InlineData(Peer4, Errno.None)]
    [InlineData(Me4, Errno.None)]
    [InlineData("127.0.0.1", Errno.None)]
    [InlineData("224.0.0.5", Errno.ENETUNREACH)]
    [InlineData(Far4, Errno.ENETUNREACH)]
    [InlineData(Far6, Errno.None)]
    public void Datagrams_go_to_hosts_on_the_link(string address, Errno outcome)
    {
        Endpoint to = new(IpAddress.Parse(address), 9);
        UdpHandle handle = Open();
        Assert.Equal(Errno.None, Stack.Udp.SendTo(handle, [1], to));
        bool isOnLink = to.Address.IsIpv4;
        Assert.Equal(outcome, Stack.Udp.SendTo(handle, [2], to, new UdpSendOptions { OnLink = isOnLink }));
        Assert.Equal(Errno.None, Stack.Udp.SendTo(handle, [3], to));
        Assert.Equal(Errno.None, Stack.Udp.SetOption(handle, UdpOption.SO_DONTROUTE, isOnLink ? 1 : 0));
        Assert.Equal(outcome, Stack.Udp.SendTo(handle, [4], to));
        Assert.Equal(outcome, Stack.Udp.Connect(handle, to));
        Stack.Udp.Close(handle);
        Run();
    }

    [Fact]
    public void A_way_without_a_gateway_is_taken_where_the_better_one_has_one()
    {
        AddRoute("192.0.2.0/24", "10.0.0.254");
        Assert.Equal(Errno.None, Stack.Ip.Routes.Add(new Route { Destination = IpPrefix.Parse("192.0.0.0/16"), InterfaceIndex = Interface.Index }));
        UdpHandle handle = Open();
        Assert.Equal(Errno.None, Stack.Udp.SendTo(handle, [1], new Endpoint(IpAddress.Parse(Far4), 9), new UdpSendOptions { OnLink = true }));
        Stack.Udp.Close(handle);
        Assert.Equal(Errno.None, Stack.Ip.FindRoute(IpAddress.AnyIpv4, IpAddress.Parse(Far4), 0, out RouteCache route, isOnLink: true));
        Assert.Equal(IpAddress.Parse(Far4), route.NextHop);
        Run();
    }

    [Theory]
    [InlineData(Peer4, Errno.None)]
    [InlineData(Far4, Errno.ENETUNREACH)]
    public void Connections_and_raw_packets_too(string address, Errno outcome)
    {
        TcpOpenRequest request = new() { Remote = new Endpoint(IpAddress.Parse(address), 80), DontRoute = true };
        Assert.Equal(outcome, Stack.Tcp.Prepare(request, null, out TcpHandle connection));
        if (outcome == Errno.None)
        {
            Stack.Tcp.Abort(connection);
        }

        Assert.Equal(Errno.None, Stack.Raw.Open(new RawOpenRequest { Protocol = 253 }, null, out RawHandle raw));
        Stack.Raw.SetOptions(raw, new RawOptions { DontRoute = true, ChecksumOffset = -1, HopLimit = -1, ReceiveMemoryMax = 10_000 });
        Assert.Equal(outcome, Stack.Raw.Send(raw, [1], IpAddress.Parse(address), 0, default));
        Stack.Raw.Close(raw);
        Run();
    }

    private UdpHandle Open()
    {
        Assert.Equal(Errno.None, Stack.Udp.Open(new UdpOpenRequest { IsIpv6 = true }, null, out UdpHandle handle));
        return handle;
    }

    private void Run() => Engine.RunPending(int.MaxValue);
}

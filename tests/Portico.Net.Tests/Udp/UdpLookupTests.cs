namespace Portico.Net.Tests.Udp;

public sealed class UdpLookupTests : UdpFixture
{
    [Fact]
    public void Connected_beats_bound_to_the_address_beats_wildcard()
    {
        UdpHandle wildcard = Bound("0.0.0.0:9", "r");
        UdpHandle specific = Bound("10.0.0.1:9", "r");
        UdpHandle connected = Bound("10.0.0.1:9", "r");
        Assert.Equal(Errno.None, Udp.Connect(connected, Endpoint.Parse("10.0.0.2:5")));
        Inject("10.0.0.2:5", "10.0.0.1:9", "x"u8);
        Assert.True(TryReceive(connected));
        Inject("10.0.0.2:6", "10.0.0.1:9", "x"u8);
        Assert.True(TryReceive(specific));
        Udp.Close(specific);
        Inject("10.0.0.2:6", "10.0.0.1:9", "x"u8);
        Assert.True(TryReceive(wildcard));
        Assert.False(TryReceive(connected));
    }

    [Fact]
    public void A_connected_socket_receives_from_its_peer_only()
    {
        UdpHandle socket = Bound("0.0.0.0:9");
        Udp.Connect(socket, Endpoint.Parse("10.0.0.2:5"));
        Inject("10.0.0.2:6", "10.0.0.1:9", "x"u8);
        Inject("10.0.0.3:5", "10.0.0.1:9", "x"u8);
        Assert.Equal(2, Udp.Ipv4Counters[UdpCounter.NoPorts]);
        Inject("10.0.0.2:5", "10.0.0.1:9", "x"u8);
        Assert.True(TryReceive(socket));
        Udp.Disconnect(socket);
        Inject("10.0.0.3:5", "10.0.0.1:9", "x"u8);
        Assert.True(TryReceive(socket));
        Link.TakeAll();
    }

    [Fact]
    public void The_ipv4_wildcard_beats_a_dual_stack_socket_and_V6ONLY_gets_no_ipv4()
    {
        UdpHandle dual = Bound("[::]:9", "6r");
        Inject("10.0.0.2:5", "10.0.0.1:9", "x"u8);
        Assert.True(TryReceive(dual));
        UdpHandle ipv4 = Bound("0.0.0.0:9", "r");
        Inject("10.0.0.2:5", "10.0.0.1:9", "x"u8);
        Assert.True(TryReceive(ipv4));
        Inject("[2001:db8::2]:5", "[2001:db8::1]:9", "x"u8);
        Assert.True(TryReceive(dual));
        UdpHandle only = Bound("[::]:10", "6o");
        Inject("10.0.0.2:5", "10.0.0.1:10", "x"u8);
        Assert.False(TryReceive(only));
        Assert.Equal(1, Udp.Ipv4Counters[UdpCounter.NoPorts]);
        Link.TakeAll();
    }

    [Fact]
    public void A_socket_bound_to_the_interface_beats_one_that_is_not()
    {
        UdpHandle bound = Bound("0.0.0.0:9", "2r");
        UdpHandle other = Bound("0.0.0.0:9", "r");
        Inject("10.0.0.2:5", "10.0.0.1:9", "x"u8);
        Assert.True(TryReceive(bound));
        Udp.SendTo(other, "x"u8, Endpoint.Parse("127.0.0.1:9"));
        Engine.RunPending(int.MaxValue);
        Assert.True(TryReceive(other));
        Assert.False(TryReceive(bound));
    }

    [Fact]
    public void Of_sockets_that_share_by_reuse_address_the_newest_receives()
    {
        UdpHandle older = Bound("0.0.0.0:9", "r");
        UdpHandle newer = Bound("0.0.0.0:9", "r");
        Inject("10.0.0.2:5", "10.0.0.1:9", "x"u8);
        Assert.True(TryReceive(newer));
        Assert.False(TryReceive(older));
    }

    [Fact]
    public void A_reuse_port_group_shares_flows_evenly_and_each_flow_stays_with_one_socket()
    {
        UdpHandle[] group = [Bound("0.0.0.0:9", "p"), Bound("0.0.0.0:9", "p"), Bound("0.0.0.0:9", "p"), Bound("0.0.0.0:9", "p")];
        int[] counts = new int[4];
        for (int port = 1; port <= 2000; port++)
        {
            Inject($"10.0.0.2:{port}", "10.0.0.1:9", "x"u8);
            Inject($"10.0.0.2:{port}", "10.0.0.1:9", "x"u8);
            int taker = Array.FindIndex(group, TryReceive);
            Assert.True(TryReceive(group[taker]));
            counts[taker]++;
        }

        Assert.All(counts, count => Assert.InRange(count, 400, 600));
    }

    [Fact]
    public void A_broadcast_reaches_every_socket_of_the_port_that_is_bound_to_it_or_to_all()
    {
        UdpHandle wildcard = Bound("0.0.0.0:9", "r");
        UdpHandle dual = Bound("[::]:9", "6r");
        UdpHandle broadcast = Bound("10.0.0.255:9", "r");
        UdpHandle unicast = Bound("10.0.0.1:9", "r");
        UdpHandle port = Bound("0.0.0.0:10");
        Inject("10.0.0.2:5", "10.0.0.255:9", new byte[1000]);
        Assert.Equal(1000, ReceiveOne(wildcard, out UdpReceiveInfo info).Length);
        Assert.Equal(Endpoint.Parse("10.0.0.255:9"), info.Destination);
        Assert.Equal(1000, ReceiveOne(dual, out _).Length);
        Assert.Equal(1000, ReceiveOne(broadcast, out _).Length);
        Assert.False(TryReceive(unicast));
        Assert.False(TryReceive(port));
    }

    [Fact]
    public void A_group_is_received_by_members_by_their_source_filters()
    {
        IpAddress group = IpAddress.Parse("239.1.2.3");
        UdpHandle all = Bound("0.0.0.0:9", "r");
        UdpHandle some = Bound("0.0.0.0:9", "r");
        UdpHandle none = Bound("0.0.0.0:9", "r");
        Udp.SetOption(none, UdpOption.IP_MULTICAST_ALL, 0);
        Inject("10.0.0.2:5", "239.1.2.3:9", "x"u8);
        Assert.False(TryReceive(all));
        Assert.Equal(Errno.None, Udp.JoinGroup(all, group, Interface.Index));
        Assert.Equal(Errno.EADDRINUSE, Udp.JoinGroup(all, group, Interface.Index));
        Assert.Equal(Errno.None, Udp.JoinSource(some, group, IpAddress.Parse("10.0.0.3"), Interface.Index));
        Inject("10.0.0.2:5", "239.1.2.3:9", "x"u8);
        Assert.True(TryReceive(all));
        Assert.False(TryReceive(some));
        Inject("10.0.0.3:5", "239.1.2.3:9", "x"u8);
        Assert.True(TryReceive(all));
        Assert.True(TryReceive(some));
        Assert.False(TryReceive(none));
        Assert.Equal(Errno.None, Udp.BlockSource(all, group, IpAddress.Parse("10.0.0.3"), Interface.Index));
        Inject("10.0.0.3:5", "239.1.2.3:9", "x"u8);
        Assert.False(TryReceive(all));
        Assert.True(TryReceive(some));
        Assert.Equal(Errno.None, Udp.LeaveGroup(all, group, Interface.Index));
        Assert.Equal(Errno.EADDRNOTAVAIL, Udp.LeaveGroup(all, group, Interface.Index));
        Assert.Equal(Errno.None, Udp.LeaveSource(some, group, IpAddress.Parse("10.0.0.3"), Interface.Index));
        Inject("10.0.0.3:5", "239.1.2.3:9", "x"u8);
        Assert.False(TryReceive(some));
        Assert.False(Interface.Multicast.IsMember(group));
        Link.TakeAll();
    }

    [Fact]
    public void Memberships_and_sources_are_limited_and_their_errors_are_those_of_Linux()
    {
        UdpHandle socket = Open();
        for (int i = 1; i <= 20; i++)
        {
            Assert.Equal(Errno.None, Udp.JoinGroup(socket, IpAddress.FromIpv4(0xEF000000u + (uint)i), 2));
        }

        Assert.Equal(Errno.ENOBUFS, Udp.JoinGroup(socket, IpAddress.Parse("239.9.9.9"), 2));
        IpAddress group = IpAddress.Parse("239.0.0.1");
        Assert.Equal(Errno.EINVAL, Udp.JoinGroup(socket, IpAddress.Parse("10.0.0.2"), 2));
        Assert.Equal(Errno.EINVAL, Udp.JoinGroup(socket, IpAddress.Parse("ff02::5"), 2));
        Assert.Equal(Errno.ENODEV, Udp.JoinGroup(socket, group, 99));
        Assert.Equal(Errno.EINVAL, Udp.JoinSource(socket, group, IpAddress.Parse("10.0.0.2"), 2));
        Assert.Equal(Errno.EADDRNOTAVAIL, Udp.UnblockSource(socket, group, IpAddress.Parse("10.0.0.2"), 2));
        for (int i = 1; i <= 10; i++)
        {
            Assert.Equal(Errno.None, Udp.BlockSource(socket, group, IpAddress.FromIpv4((uint)i), 2));
        }

        Assert.Equal(Errno.EADDRNOTAVAIL, Udp.BlockSource(socket, group, IpAddress.FromIpv4(1), 2));
        Assert.Equal(Errno.ENOBUFS, Udp.BlockSource(socket, group, IpAddress.FromIpv4(11), 2));
        Assert.Equal(Errno.ENOBUFS, Udp.SetSourceFilter(socket, group, 2, MulticastFilterMode.Include, new IpAddress[11]));
        Link.TakeAll();
    }

    [Fact]
    public void Errors_of_binding_are_those_of_Linux()
    {
        Assert.Equal(Errno.EADDRNOTAVAIL, Udp.Bind(Open(), Endpoint.Parse("10.0.0.9:1")));
        Assert.Equal(Errno.EAFNOSUPPORT, Udp.Bind(Open(), Endpoint.Parse("[2001:db8::1]:1")));
        Assert.Equal(Errno.EINVAL, Udp.Bind(Open("6o"), Endpoint.Parse("10.0.0.1:1")));
        UdpHandle bound = Bound("10.0.0.1:1");
        Assert.Equal(Errno.EINVAL, Udp.Bind(bound, Endpoint.Parse("10.0.0.1:2")));
        Assert.Equal(Errno.EADDRINUSE, Udp.Bind(Open(), Endpoint.Parse("0.0.0.0:1")));
        Assert.Equal(Errno.None, Udp.Bind(Open(), Endpoint.Parse("239.1.1.1:1")));
        Assert.Equal(Errno.ENODEV, Udp.Open(new UdpOpenRequest { InterfaceIndex = 9 }, null, out _));
    }

    [Fact]
    public void Sockets_are_found_among_ten_thousand()
    {
        List<UdpHandle> sockets = [];
        for (int i = 0; i < 10_000; i++)
        {
            sockets.Add(Bound($"0.0.0.0:{10_000 + i}"));
        }

        for (int i = 0; i < 10_000; i += 777)
        {
            Inject("10.0.0.2:5", $"10.0.0.1:{10_000 + i}", "x"u8);
            Assert.True(TryReceive(sockets[i]));
        }
    }
}

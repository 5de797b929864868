namespace Portico.Net.Tests.Udp;

public sealed class UdpErrorTests : UdpFixture
{
    private static readonly Endpoint s_remote = Endpoint.Parse("10.0.0.2:53");

    private void Report(Endpoint local, Errno error, bool isHard, int mtu = -1, byte type = 3, byte code = 3)
    {
        byte[] quoted = new byte[8];
        UdpHeader.Write(quoted, local.Port, s_remote.Port, 20);
        IcmpErrorInfo info = new()
        {
            LocalAddress = IpAddress.Parse("10.0.0.1"),
            RemoteAddress = s_remote.Address,
            Protocol = IpProtocol.Udp,
            Error = error,
            IsHard = isHard,
            Mtu = mtu,
            Type = type,
            Code = code,
            Reporter = IpAddress.Parse("10.0.0.254"),
            Interface = Interface,
        };
        Udp.HandleIcmpError(info, quoted);
    }

    [Fact]
    public void A_connected_socket_gets_ECONNREFUSED_once_from_whatever_it_does_next()
    {
        Owner owner = new();
        UdpHandle socket = Open(owner: owner);
        Udp.Connect(socket, s_remote);
        Report(LocalOf(socket), Errno.ECONNREFUSED, true);
        Engine.DispatchReady();
        Assert.Equal(SocketEvents.Error, owner.Take());
        Assert.Equal(SocketEvents.Writable | SocketEvents.Error, Udp.Poll(socket));
        Assert.Equal(Errno.ECONNREFUSED, Udp.Receive(socket, new byte[1], out _, out _));
        Assert.Equal(Errno.EAGAIN, Udp.Receive(socket, new byte[1], out _, out _));

        Report(LocalOf(socket), Errno.ECONNREFUSED, true);
        Assert.Equal(Errno.ECONNREFUSED, Udp.Send(socket, "x"u8));
        Assert.Empty(Link.TakeAll());
        Assert.Equal(Errno.None, Udp.Send(socket, "x"u8));
        Link.TakeOne();

        Report(LocalOf(socket), Errno.ECONNREFUSED, true);
        Assert.Equal(Errno.ECONNREFUSED, Udp.TakeError(socket));
        Assert.Equal(Errno.None, Udp.TakeError(socket));
    }

    [Fact]
    public void A_soft_error_and_an_error_about_an_unconnected_socket_are_ignored()
    {
        UdpHandle connected = Open();
        Udp.Connect(connected, s_remote);
        Report(LocalOf(connected), Errno.EHOSTUNREACH, false);
        Assert.Equal(Errno.None, Udp.TakeError(connected));
        UdpHandle unconnected = Bound("0.0.0.0:9");
        Report(LocalOf(unconnected), Errno.ECONNREFUSED, true);
        Assert.Equal(Errno.None, Udp.TakeError(unconnected));
        Report(Endpoint.Parse("10.0.0.1:4"), Errno.ECONNREFUSED, true);
        Assert.Equal(1, Udp.Ipv4Counters[UdpCounter.IgnoredIcmp]);
    }

    [Fact]
    public void A_path_mtu_is_reported_unless_the_socket_lets_its_datagrams_be_fragmented()
    {
        UdpHandle socket = Open();
        Udp.Connect(socket, s_remote);
        Report(LocalOf(socket), Errno.EMSGSIZE, false, 1400, 3, 4);
        Assert.Equal(Errno.EMSGSIZE, Udp.TakeError(socket));
        Udp.SetOption(socket, UdpOption.IP_MTU_DISCOVER, UdpLayer.MtuDiscoverDont);
        Report(LocalOf(socket), Errno.EMSGSIZE, false, 1400, 3, 4);
        Assert.Equal(Errno.None, Udp.TakeError(socket));
    }

    [Fact]
    public void The_error_queue_takes_soft_errors_and_those_of_unconnected_sockets_and_is_bounded()
    {
        UdpHandle socket = Bound("0.0.0.0:9");
        Assert.Equal(Errno.None, Udp.SetOption(socket, UdpOption.SO_RCVBUF, 1500));
        Assert.Equal(Errno.None, Udp.SetOption(socket, UdpOption.IP_RECVERR, 1));
        Report(LocalOf(socket), Errno.EHOSTUNREACH, false, -1, 3, 1);
        for (int i = 0; i < 5; i++)
        {
            Report(LocalOf(socket), Errno.ECONNREFUSED, true);
        }

        Assert.Equal(3, Udp.Ipv4Counters[UdpCounter.ErrorQueueDrops]);
        Assert.Equal(Errno.None, Udp.ReceiveError(socket, out UdpErrorInfo first));
        UdpErrorInfo expected = new(Errno.EHOSTUNREACH, UdpErrorOrigin.Icmp, 3, 1, 0, s_remote, IpAddress.Parse("10.0.0.254")) { InterfaceIndex = first.InterfaceIndex, Payload = first.Payload, Timestamp = first.Timestamp };
        Assert.Equal(expected, first);
        Assert.Equal(Errno.None, Udp.ReceiveError(socket, out _));
        Assert.Equal(SocketEvents.Error, Udp.Poll(socket) & SocketEvents.Error);
        Assert.Equal(Errno.None, Udp.ReceiveError(socket, out _));
        Assert.Equal(Errno.EAGAIN, Udp.ReceiveError(socket, out _));
        Assert.Equal(SocketEvents.Writable, Udp.Poll(socket));
    }

    [Fact]
    public void Options_have_Linuxs_ranges()
    {
        UdpHandle ipv4 = Open();
        UdpHandle ipv6 = Open("6");
        (UdpOption Option, int Value, Errno Error)[] table =
        [
            (UdpOption.IP_TTL, 0, Errno.EINVAL), (UdpOption.IP_TTL, 256, Errno.EINVAL), (UdpOption.IP_TTL, -1, Errno.None),
            (UdpOption.IP_TTL, 255, Errno.None), (UdpOption.IP_MULTICAST_TTL, 0, Errno.None),
            (UdpOption.IP_MULTICAST_TTL, 256, Errno.EINVAL),
            (UdpOption.IP_MTU_DISCOVER, 6, Errno.EINVAL), (UdpOption.IP_MTU_DISCOVER, -1, Errno.EINVAL),
            (UdpOption.IP_MTU, 1, Errno.ENOPROTOOPT),
            (UdpOption.IPV6_V6ONLY, 1, Errno.ENOPROTOOPT), (UdpOption.SO_BINDTODEVICE, 9, Errno.ENODEV),
            (UdpOption.SO_RCVBUF, -1, Errno.None),
        ];
        foreach ((UdpOption option, int value, Errno error) in table)
        {
            Assert.Equal((option, value, error), (option, value, Udp.SetOption(ipv4, option, value)));
        }

        Udp.GetOption(ipv4, UdpOption.SO_RCVBUF, out int bytes);
        Assert.Equal(2 * 4_194_304, bytes);
        Assert.Equal(Errno.None, Udp.SetOption(ipv6, UdpOption.IPV6_UNICAST_HOPS, 0));
        Assert.Equal(Errno.EINVAL, Udp.SetOption(ipv6, UdpOption.IPV6_UNICAST_HOPS, 256));
        Assert.Equal(Errno.None, Udp.SetOption(ipv6, UdpOption.IPV6_V6ONLY, 1));
        Udp.Bind(ipv6, Endpoint.Parse("[::]:1"));
        Assert.Equal(Errno.EINVAL, Udp.SetOption(ipv6, UdpOption.IPV6_V6ONLY, 0));
    }
}

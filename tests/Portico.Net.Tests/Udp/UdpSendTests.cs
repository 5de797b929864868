namespace Portico.Net.Tests.Udp;

public sealed class UdpSendTests : UdpFixture
{
    [Fact]
    public void A_datagram_is_sent_byte_for_byte_over_ipv4()
    {
        UdpHandle socket = Bound("0.0.0.0:4660");
        Assert.Equal(Errno.None, Udp.SendTo(socket, "ab"u8, Endpoint.Parse("10.0.0.2:22136")));
        Assert.Equal("4500001E00004000401126CD0A0000010A000002" + "12345678000A21C9" + "6162", Convert.ToHexString(Link.TakeOne()));
        Assert.Equal(1, Udp.Ipv4Counters[UdpCounter.OutDatagrams]);
    }

    [Fact]
    public void A_datagram_is_sent_byte_for_byte_over_ipv6()
    {
        UdpHandle socket = Bound("[::]:4660", "6");
        Assert.Equal(Errno.None, Udp.SendTo(socket, "ab"u8, Endpoint.Parse("[2001:db8::2]:22136")));
        byte[] expected = Datagram(Endpoint.Parse("[2001:db8::1]:4660"), Endpoint.Parse("[2001:db8::2]:22136"), "ab"u8);
        Assert.Equal(Convert.ToHexString(expected), Convert.ToHexString(Link.TakeOne()));
        Assert.Equal(1, Udp.Ipv6Counters[UdpCounter.OutDatagrams]);
    }

    [Fact]
    public void A_checksum_that_comes_out_as_zero_is_sent_as_all_ones()
    {
        UdpHandle socket = Bound("0.0.0.0:1");
        byte[] payload = new byte[2];
        for (int value = 0; value < 65536; value++)
        {
            System.Buffers.Binary.BinaryPrimitives.WriteUInt16BigEndian(payload, (ushort)value);
            ulong sum = InternetChecksum.PseudoHeader(IpAddress.Parse("10.0.0.1"), IpAddress.Parse("10.0.0.2"), IpProtocol.Udp, 10);
            sum = InternetChecksum.Accumulate(sum, [0, 1, 0, 2, 0, 10, 0, 0, payload[0], payload[1]]);
            if (InternetChecksum.Finish(sum) == 0)
            {
                Assert.Equal(Errno.None, Udp.SendTo(socket, payload, Endpoint.Parse("10.0.0.2:2")));
                Assert.Equal([0xFF, 0xFF], Link.TakeOne()[26..28]);
                return;
            }
        }

        Assert.Fail("no payload makes the checksum zero");
    }

    [Fact]
    public void SO_NO_CHECK_sends_ipv4_without_a_checksum_and_ipv6_with_one()
    {
        UdpHandle socket = Bound("[::]:9", "6");
        Assert.Equal(Errno.None, Udp.SetOption(socket, UdpOption.SO_NO_CHECK, 1));
        Assert.Equal(Errno.None, Udp.SendTo(socket, "x"u8, Endpoint.Parse("10.0.0.2:2")));
        Assert.Equal([0, 0], Link.TakeOne()[26..28]);
        Assert.Equal(Errno.None, Udp.SendTo(socket, "x"u8, Endpoint.Parse("[2001:db8::2]:2")));
        Assert.NotEqual([0, 0], Link.TakeOne()[46..48]);
    }

    [Fact]
    public void Ttl_and_type_of_service_are_the_sockets_or_the_calls()
    {
        UdpHandle socket = Bound("0.0.0.0:9");
        Udp.SetOption(socket, UdpOption.IP_TTL, 7);
        Udp.SetOption(socket, UdpOption.IP_TOS, 0xB8);
        Endpoint to = Endpoint.Parse("10.0.0.2:2");
        Udp.SendTo(socket, "x"u8, to);
        byte[] sent = Link.TakeOne();
        Assert.Equal((0xB8, 7), (sent[1], sent[8]));
        Udp.SendTo(socket, "x"u8, to, new UdpSendOptions { HopLimit = 3, HasTrafficClass = true, TrafficClass = 4 });
        sent = Link.TakeOne();
        Assert.Equal((4, 3), (sent[1], sent[8]));
    }

    [Fact]
    public void Sizes_up_to_what_ip_can_carry_are_sent_and_one_more_is_EMSGSIZE()
    {
        UdpHandle socket = Bound("[::]:9", "6");
        Udp.SetOption(socket, UdpOption.SO_RCVBUF, 1 << 20);
        byte[] payload = new byte[65528];
        Assert.Equal(Errno.EMSGSIZE, Udp.SendTo(socket, payload.AsSpan(0, 65508), Endpoint.Parse("127.0.0.1:9")));
        Assert.Equal(Errno.EMSGSIZE, Udp.SendTo(socket, payload, Endpoint.Parse("[::1]:9")));
        Assert.Equal(Errno.None, Udp.SendTo(socket, payload.AsSpan(0, 65507), Endpoint.Parse("127.0.0.1:9")));
        Engine.RunPending(int.MaxValue);
        Assert.Equal(65507, ReceiveOne(socket, out UdpReceiveInfo info).Length);
        Assert.Equal(Endpoint.Parse("127.0.0.1:9"), info.Source);
        Assert.Equal(Errno.None, Udp.SendTo(socket, payload.AsSpan(0, 65487), Endpoint.Parse("[::1]:9")));
        Engine.RunPending(int.MaxValue);
        Assert.Equal(65487, ReceiveOne(socket, out _).Length);
    }

    [Fact]
    public void A_datagram_larger_than_the_mtu_is_EMSGSIZE_where_it_must_not_be_fragmented()
    {
        UdpHandle socket = Bound("0.0.0.0:9");
        Endpoint to = Endpoint.Parse("10.0.0.2:2");
        Assert.Equal(Errno.None, Udp.SetOption(socket, UdpOption.IP_MTU_DISCOVER, UdpLayer.MtuDiscoverDo));
        Assert.Equal(Errno.None, Udp.SetOption(socket, UdpOption.IP_RECVERR, 1));
        Assert.Equal(Errno.EMSGSIZE, Udp.SendTo(socket, new byte[1473], to));
        Assert.Equal(Errno.None, Udp.ReceiveError(socket, out UdpErrorInfo error));
        Assert.Equal(new UdpErrorInfo(Errno.EMSGSIZE, UdpErrorOrigin.Local, 0, 0, 1500, to with { Port = 0 }, default), error);
        Assert.Equal(Errno.None, Udp.SendTo(socket, new byte[1472], to));
        Assert.Equal(0x40, Link.TakeOne()[6]);
        Udp.SetOption(socket, UdpOption.IP_MTU_DISCOVER, UdpLayer.MtuDiscoverDont);
        Udp.SendTo(socket, new byte[10], to);
        Assert.Equal(0, Link.TakeOne()[6]);
    }

    [Fact]
    public void Errors_of_sending_are_those_of_Linux()
    {
        UdpHandle ipv4 = Open();
        UdpHandle only = Open("6o");
        Assert.Equal(Errno.EDESTADDRREQ, Udp.Send(ipv4, "x"u8));
        Assert.Equal(Errno.EINVAL, Udp.SendTo(ipv4, "x"u8, Endpoint.Parse("10.0.0.2:0")));
        Assert.Equal(Errno.EAFNOSUPPORT, Udp.SendTo(ipv4, "x"u8, Endpoint.Parse("[2001:db8::2]:1")));
        Assert.Equal(Errno.ENETUNREACH, Udp.SendTo(only, "x"u8, Endpoint.Parse("10.0.0.2:1")));
        Assert.Equal(Errno.ENETUNREACH, Udp.SendTo(ipv4, "x"u8, Endpoint.Parse("192.0.2.1:1")));
        Assert.Equal(Errno.EACCES, Udp.SendTo(ipv4, "x"u8, Endpoint.Parse("10.0.0.255:1")));
        Assert.Equal(Errno.EACCES, Udp.Connect(ipv4, Endpoint.Parse("10.0.0.255:1")));
        Assert.Equal(Errno.EMSGSIZE, Udp.SendTo(ipv4, new byte[65536], Endpoint.Parse("10.0.0.2:0")));
        UdpSendOptions foreign = new() { Source = IpAddress.Parse("10.9.9.9") };
        Assert.Equal(Errno.EINVAL, Udp.SendTo(ipv4, "x"u8, Endpoint.Parse("10.0.0.2:1"), foreign));
        Udp.Shutdown(ipv4, false, true);
        Assert.Equal(Errno.EPIPE, Udp.SendTo(ipv4, "x"u8, Endpoint.Parse("10.0.0.2:1")));
        Assert.Empty(Link.TakeAll());
    }

    [Fact]
    public void Broadcast_needs_SO_BROADCAST()
    {
        UdpHandle socket = Bound("0.0.0.0:68");
        Udp.SetOption(socket, UdpOption.SO_BROADCAST, 1);
        Assert.Equal(Errno.None, Udp.SendTo(socket, "x"u8, Endpoint.Parse("10.0.0.255:67")));
        UdpSendOptions here = new() { InterfaceIndex = Interface.Index };
        Assert.Equal(Errno.None, Udp.SendTo(socket, "x"u8, Endpoint.Parse("255.255.255.255:67"), here));
        Assert.Equal(2, Link.TakeAll().Length);
        Engine.RunPending(int.MaxValue);
    }

    [Fact]
    public void An_unbound_socket_gets_a_port_of_the_local_range_with_its_first_datagram()
    {
        UdpHandle socket = Open();
        Assert.Equal(0, LocalOf(socket).Port);
        Udp.SendTo(socket, "x"u8, Endpoint.Parse("10.0.0.2:1"));
        Link.TakeOne();
        Assert.InRange(LocalOf(socket).Port, 32768, 60999);
        Stack.LocalPorts.SetRange(7000, 7000);
        Udp.SendTo(Open(), "x"u8, Endpoint.Parse("10.0.0.2:1"));
        Link.TakeOne();
        Assert.Equal(Errno.EAGAIN, Udp.SendTo(Open(), "x"u8, Endpoint.Parse("10.0.0.2:1")));
    }

    [Fact]
    public void A_connected_socket_has_an_address_a_peer_and_a_path_mtu_until_it_is_disconnected()
    {
        UdpHandle socket = Open();
        Assert.Equal(Errno.ENOTCONN, Udp.GetOption(socket, UdpOption.IP_MTU, out _));
        Assert.Equal(Errno.None, Udp.Connect(socket, Endpoint.Parse("10.0.0.2:53")));
        Assert.Equal(Errno.None, Udp.GetEndpoints(socket, out Endpoint local, out Endpoint remote));
        Assert.Equal((IpAddress.Parse("10.0.0.1"), Endpoint.Parse("10.0.0.2:53")), (local.Address, remote));
        Assert.Equal(Errno.None, Udp.GetOption(socket, UdpOption.IP_MTU, out int mtu));
        Assert.Equal(1500, mtu);
        Assert.Equal(Errno.None, Udp.Send(socket, "x"u8));
        Link.TakeOne();
        Assert.Equal(Errno.None, Udp.Disconnect(socket));
        Assert.Equal(Errno.EDESTADDRREQ, Udp.Send(socket, "x"u8));
        Assert.Equal(new Endpoint(IpAddress.AnyIpv4, 0), LocalOf(socket));
    }

    [Fact]
    public void Sending_to_the_unspecified_address_reaches_this_host()
    {
        UdpHandle socket = Bound("0.0.0.0:9");
        Assert.Equal(Errno.None, Udp.SendTo(socket, "me"u8, Endpoint.Parse("0.0.0.0:9")));
        Engine.RunPending(int.MaxValue);
        Assert.Equal("me"u8.ToArray(), ReceiveOne(socket, out UdpReceiveInfo info));
        Assert.Equal(Endpoint.Parse("127.0.0.1:9"), info.Source);
    }

    [Fact]
    public void A_multicast_datagram_goes_out_of_the_chosen_interface_with_ttl_1()
    {
        UdpHandle socket = Bound("0.0.0.0:9");
        Assert.Equal(Errno.EADDRNOTAVAIL, Udp.SetOption(socket, UdpOption.IP_MULTICAST_IF, 77));
        Assert.Equal(Errno.None, Udp.SetOption(socket, UdpOption.IP_MULTICAST_IF, Interface.Index));
        Assert.Equal(Errno.None, Udp.SendTo(socket, "x"u8, Endpoint.Parse("239.1.2.3:9")));
        byte[] sent = Link.TakeOne();
        Assert.Equal((1, "0A000001EF010203"), (sent[8], Convert.ToHexString(sent[12..20])));
        Udp.SetOption(socket, UdpOption.IP_MULTICAST_TTL, 0);
        Assert.Equal(Errno.None, Udp.SendTo(socket, "x"u8, Endpoint.Parse("239.1.2.3:9")));
        Assert.Empty(Link.TakeAll());
    }

    [Fact]
    public void A_stale_handle_is_EBADF()
    {
        Udp.Open(default, null, out UdpHandle stale);
        Udp.Close(stale);
        Udp.Close(stale);
        UdpHandle current = Open();
        Assert.Equal(stale.Index, current.Index);
        Assert.Equal(Errno.EBADF, Udp.Bind(stale, Endpoint.Parse("0.0.0.0:1")));
        Assert.Equal(Errno.EBADF, Udp.SendTo(stale, "x"u8, Endpoint.Parse("10.0.0.2:1")));
        Assert.Equal(Errno.EBADF, Udp.Receive(stale, new byte[1], out _, out _));
        Assert.Equal(Errno.EBADF, Udp.SendTo(default, "x"u8, Endpoint.Parse("10.0.0.2:1")));
        Assert.Equal(SocketEvents.None, Udp.Poll(stale));
    }
}

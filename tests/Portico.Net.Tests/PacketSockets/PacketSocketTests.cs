namespace Portico.Net.Tests.PacketSockets;

/// <summary>Packet sockets on links that have frames of their own, and what taps cost.</summary>
public sealed class PacketSocketTests : IDisposable
{
    private static readonly MacAddress s_left = new(0x02_00_00_00_00_01);
    private static readonly MacAddress s_right = new(0x02_00_00_00_00_02);
    private readonly Engine _engine = new();
    private readonly NetworkStack _a;
    private readonly NetworkStack _b;
    private readonly NetworkInterface _left;
    private readonly NetworkInterface _right;

    public PacketSocketTests()
    {
        Cable cable = new(_engine, new CableOptions { Kind = LinkKind.Ethernet, Mtu = 1500, AddressA = s_left, AddressB = s_right });
        _a = new NetworkStack(_engine);
        _b = new NetworkStack(_engine);
        _left = _a.AddInterface("eth0", cable.A);
        _right = _b.AddInterface("eth0", cable.B);
        _left.AddAddress(new IpPrefix(IpAddress.Parse("192.0.2.1"), 24));
        _right.AddAddress(new IpPrefix(IpAddress.Parse("192.0.2.2"), 24));
        Run();
    }

    public void Dispose() => _engine.Dispose();

    [Fact]
    public void Shows_both_directions_of_an_Ethernet_link()
    {
        PacketSocketHandle socket = Open(_a, isCooked: false, PacketSocketLayer.AllProtocols, _left.Index);
        SendDatagram(_a, "192.0.2.2");

        // The neighbour is asked for first.
        Assert.Equal((PacketKind.PACKET_OUTGOING, EtherType.Arp, s_left), Next(_a, socket, out byte[] request));
        Assert.Equal([255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 0, 1, 8, 6], request[..14]);
        Assert.Equal((PacketKind.PACKET_HOST, EtherType.Arp, s_right), Next(_a, socket, out _));
        Assert.Equal((PacketKind.PACKET_OUTGOING, EtherType.Ipv4, s_left), Next(_a, socket, out byte[] datagram));
        Assert.Equal([2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0, 0x45], datagram[..15]);
    }

    [Fact]
    public void Shows_frames_for_others_that_the_link_lets_through()
    {
        PacketSocketHandle sender = Open(_a, isCooked: false, 0, 0);
        PacketSocketHandle receiver = Open(_b, isCooked: true, 0x1234, 0);
        byte[] frame = [2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 1, 0x12, 0x34, 1, 2, 3];
        Assert.Equal(Errno.None, Send(_a, sender, frame, new PacketAddress { InterfaceIndex = _left.Index }));
        Assert.Equal((PacketKind.PACKET_OTHERHOST, 0x1234, s_left), Next(_b, receiver, out byte[] payload));
        Assert.Equal([1, 2, 3], payload);
        frame[0] = 0xFF;
        frame.AsSpan(1, 5).Fill(0xFF);
        Send(_a, sender, frame, new PacketAddress { InterfaceIndex = _left.Index });
        Assert.Equal(PacketKind.PACKET_BROADCAST, Next(_b, receiver, out _).Kind);
    }

    [Fact]
    public void A_cooked_socket_is_given_its_header()
    {
        PacketSocketHandle sender = Open(_a, isCooked: true, 0x1234, _left.Index);
        PacketSocketHandle receiver = Open(_b, isCooked: false, 0x1234, 0);
        Assert.Equal(Errno.EINVAL, _a.PacketSockets.Send(sender, "nobody"u8, null));
        PacketAddress to = new() { InterfaceIndex = _left.Index, Protocol = 0x1234, Address = s_right, AddressLength = 6 };
        Assert.Equal(Errno.None, Send(_a, sender, "hello"u8, to));
        Assert.Equal((PacketKind.PACKET_HOST, 0x1234, s_left), Next(_b, receiver, out byte[] frame));
        Assert.Equal([2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x12, 0x34, .. "hello"u8], frame);
    }

    [Fact]
    public void A_frame_is_as_long_as_the_link_takes()
    {
        PacketSocketHandle sender = Open(_a, isCooked: false, 0x1234, _left.Index);
        Assert.Equal(Errno.None, Send(_a, sender, new byte[1514], null));
        Assert.Equal(Errno.EMSGSIZE, Send(_a, sender, new byte[1515], null));
        Assert.Equal(Errno.EINVAL, Send(_a, sender, new byte[13], null));
    }

    [Fact]
    public void An_interface_that_goes_down_is_told_to_those_who_are_bound_to_it()
    {
        PacketSocketHandle bound = Open(_a, isCooked: false, PacketSocketLayer.AllProtocols, _left.Index);
        PacketSocketHandle elsewhere = Open(_a, isCooked: false, PacketSocketLayer.AllProtocols, 0);
        _left.IsUp = false;
        Assert.Equal(Errno.ENETDOWN, _a.PacketSockets.TakeError(bound));
        Assert.Equal(Errno.None, _a.PacketSockets.TakeError(elsewhere));
        Assert.Equal(Errno.ENETDOWN, Send(_a, bound, new byte[20], null));
        _a.PacketSockets.Bind(bound, _left.Index, 0);
        Assert.Equal(Errno.ENETDOWN, _a.PacketSockets.TakeError(bound));
        _a.RemoveInterface(_left);
        Assert.Equal(Errno.ENXIO, Send(_a, bound, new byte[20], null));
        _a.PacketSockets.GetBinding(bound, out PacketAddress address);
        Assert.Equal(-1, address.InterfaceIndex);
    }

    [Fact]
    public void An_interface_is_tapped_only_while_somebody_listens_there()
    {
        Assert.False(_left.IsTapped);
        PacketSocketHandle mute = Open(_a, isCooked: false, 0, 0);
        Assert.False(_left.IsTapped);
        PacketSocketHandle onLoopback = Open(_a, isCooked: false, EtherType.Ipv4, _a.Loopback.Index);
        Assert.False(_left.IsTapped);
        Assert.True(_a.Loopback.IsTapped);
        PacketSocketHandle everywhere = Open(_a, isCooked: false, EtherType.Ipv4, 0);
        Assert.True(_left.IsTapped);
        _a.PacketSockets.Close(everywhere);
        Assert.False(_left.IsTapped);
        _a.PacketSockets.Close(onLoopback);
        _a.PacketSockets.Close(mute);
        Assert.False(_a.Loopback.IsTapped);
        Assert.Equal(0, _a.PacketSockets.SocketCount);
    }

    [Fact]
    public void Nothing_is_allocated_for_a_packet()
    {
        PacketSocketHandle socket = Open(_a, isCooked: false, PacketSocketLayer.AllProtocols, 0);
        byte[] buffer = new byte[100];
        UdpHandle sender = OpenUdp(_a);
        Endpoint to = new(IpAddress.LoopbackIpv4, 9);
        for (int i = 0; i < 100; i++)
        {
            Round(socket, sender, to, buffer);
        }

        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 1000; i++)
        {
            Round(socket, sender, to, buffer);
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        _a.PacketSockets.Close(socket);
    }

    private void Round(PacketSocketHandle socket, UdpHandle sender, in Endpoint to, byte[] buffer)
    {
        _a.Udp.SendTo(sender, "hello"u8, to);
        Run();
        while (_a.PacketSockets.Receive(socket, buffer, UdpReceiveFlags.None, out _, out _) == Errno.None)
        {
        }
    }

    private static PacketSocketHandle Open(NetworkStack stack, bool isCooked, ushort protocol, int interfaceIndex)
    {
        stack.PacketSockets.Open(new PacketOpenRequest { IsCooked = isCooked, Protocol = protocol }, null, out PacketSocketHandle socket);
        Assert.Equal(Errno.None, stack.PacketSockets.Bind(socket, interfaceIndex, 0));
        return socket;
    }

    private Errno Send(NetworkStack stack, PacketSocketHandle socket, ReadOnlySpan<byte> data, PacketAddress? to)
    {
        Errno error = stack.PacketSockets.Send(socket, data, to);
        Run();
        return error;
    }

    private static (PacketKind Kind, ushort Protocol, MacAddress Source) Next(NetworkStack stack, PacketSocketHandle socket, out byte[] packet)
    {
        byte[] buffer = new byte[2000];
        Assert.Equal(Errno.None, stack.PacketSockets.Receive(socket, buffer, UdpReceiveFlags.None, out PacketReceiveInfo info, out int length));
        packet = buffer[..length];
        return (info.Source.Kind, info.Source.Protocol, info.Source.Address);
    }

    private void SendDatagram(NetworkStack stack, string to)
    {
        stack.Udp.SendTo(OpenUdp(stack), "hello"u8, new Endpoint(IpAddress.Parse(to), 9));
        Run();
    }

    private static UdpHandle OpenUdp(NetworkStack stack)
    {
        stack.Udp.Open(new UdpOpenRequest(), null, out UdpHandle udp);
        return udp;
    }

    private void Run() => _engine.RunPending(int.MaxValue);
}

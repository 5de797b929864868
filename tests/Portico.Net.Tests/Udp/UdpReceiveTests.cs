namespace Portico.Net.Tests.Udp;

public sealed class UdpReceiveTests : UdpFixture
{
    [Fact]
    public void A_datagram_comes_with_its_addresses_interface_ttl_and_type_of_service()
    {
        Owner owner = new();
        UdpHandle socket = Bound("0.0.0.0:9", owner: owner);
        Engine.Advance(MonoTime.Zero + Duration.FromSeconds(5));
        Link.Inject(Datagram(Endpoint.Parse("10.0.0.2:5353"), Endpoint.Parse("10.0.0.1:9"), "hello"u8, 17, 0xB9));
        Engine.DispatchReady();
        Assert.Equal(SocketEvents.Readable, owner.Take());
        Assert.Equal(SocketEvents.Readable | SocketEvents.Writable, Udp.Poll(socket));
        byte[] four = new byte[4];
        Assert.Equal(Errno.None, Udp.Receive(socket, four, UdpReceiveFlags.Peek, out UdpReceiveInfo info, out int received));
        Assert.Equal((4, 5), (received, info.TotalLength));
        Assert.Equal(0, Udp.Ipv4Counters[UdpCounter.InDatagrams]);
        Assert.Equal("hello"u8.ToArray(), ReceiveOne(socket, out info));
        Assert.Equal(Endpoint.Parse("10.0.0.2:5353"), info.Source);
        Assert.Equal(Endpoint.Parse("10.0.0.1:9"), info.Destination);
        Assert.Equal((2, 17, 0xB9), (info.InterfaceIndex, info.HopLimit, info.TrafficClass));
        Assert.Equal(5, info.Timestamp.Nanoseconds / 1_000_000_000);
        Assert.Equal(1, Udp.Ipv4Counters[UdpCounter.InDatagrams]);
        Assert.Equal(Errno.EAGAIN, Udp.Receive(socket, four, out _, out _));
    }

    [Fact]
    public void An_empty_datagram_is_received()
    {
        UdpHandle socket = Bound("0.0.0.0:9");
        Inject("10.0.0.2:1", "10.0.0.1:9", []);
        Assert.Empty(ReceiveOne(socket, out UdpReceiveInfo info));
        Assert.Equal(0, info.TotalLength);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(7)]
    [InlineData(14)]
    [InlineData(65535)]
    public void A_length_field_below_8_or_past_the_end_is_dropped_and_counted(int length)
    {
        UdpHandle socket = Bound("0.0.0.0:9");
        byte[] packet = Datagram(Endpoint.Parse("10.0.0.2:1"), Endpoint.Parse("10.0.0.1:9"), "hello"u8);
        System.Buffers.Binary.BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(24), (ushort)length);
        Link.Inject(packet);
        Assert.False(TryReceive(socket));
        Assert.Equal(1, Udp.Ipv4Counters[UdpCounter.DropBadLength]);
        Assert.Equal(1, Udp.Ipv4Counters[UdpCounter.InErrors]);
        Assert.Empty(Link.TakeAll());
        Inject("10.0.0.2:1", "10.0.0.1:9", "good"u8);
        Assert.True(TryReceive(socket));
    }

    [Fact]
    public void A_header_that_is_cut_off_is_dropped_and_counted()
    {
        byte[] packet = Datagram(Endpoint.Parse("10.0.0.2:1"), Endpoint.Parse("10.0.0.1:9"), []);
        for (int length = 0; length < 8; length++)
        {
            Ipv4Header.Write(packet, 20 + length, 0, 0, 64, IpProtocol.Udp, IpAddress.Parse("10.0.0.2"), IpAddress.Parse("10.0.0.1"));
            Link.Inject(packet.AsSpan(0, 20 + length));
        }

        Assert.Equal(8, Udp.Ipv4Counters[UdpCounter.DropBadLength]);
    }

    [Fact]
    public void Bytes_behind_the_datagram_are_not_delivered()
    {
        UdpHandle socket = Bound("0.0.0.0:9");
        byte[] packet = Datagram(Endpoint.Parse("10.0.0.2:1"), Endpoint.Parse("10.0.0.1:9"), "hell"u8);
        byte[] longer = [.. packet, 1, 2, 3];
        Ipv4Header.Write(longer, longer.Length, 0, 0, 64, IpProtocol.Udp, IpAddress.Parse("10.0.0.2"), IpAddress.Parse("10.0.0.1"));
        Link.Inject(longer);
        Assert.Equal("hell"u8.ToArray(), ReceiveOne(socket, out _));
    }

    [Theory]
    [InlineData("10.0.0.2", "10.0.0.1")]
    [InlineData("2001:db8::2", "2001:db8::1")]
    public void Each_flipped_bit_of_a_datagram_keeps_it_from_the_socket(string source, string destination)
    {
        UdpHandle socket = Bound("[::]:9", "6");
        byte[] packet = Datagram(new Endpoint(IpAddress.Parse(source), 1), new Endpoint(IpAddress.Parse(destination), 9), "hello"u8);
        int start = packet.Length - 13;
        for (int bit = start * 8; bit < packet.Length * 8; bit++)
        {
            byte[] flipped = [.. packet];
            flipped[bit / 8] ^= (byte)(1 << (bit % 8));
            Link.Inject(flipped);
            Assert.False(TryReceive(socket));
        }

        MibTable<UdpCounter> mib = IpAddress.Parse(source).IsIpv4 ? Udp.Ipv4Counters : Udp.Ipv6Counters;
        Assert.Equal(13 * 8, mib[UdpCounter.InErrors]);
        Link.Inject(packet);
        Assert.True(TryReceive(socket));
    }

    [Fact]
    public void Without_a_checksum_ipv4_is_delivered_and_ipv6_dropped()
    {
        UdpHandle socket = Bound("[::]:9", "6");
        byte[] ipv4 = Datagram(Endpoint.Parse("10.0.0.2:1"), Endpoint.Parse("10.0.0.1:9"), "x"u8);
        ipv4.AsSpan(26, 2).Clear();
        Link.Inject(ipv4);
        Assert.True(TryReceive(socket));
        byte[] ipv6 = Datagram(Endpoint.Parse("[2001:db8::2]:1"), Endpoint.Parse("[2001:db8::1]:9"), "x"u8);
        ipv6.AsSpan(46, 2).Clear();
        Link.Inject(ipv6);
        Assert.False(TryReceive(socket));
        Assert.Equal(1, Udp.Ipv6Counters[UdpCounter.InCsumErrors]);
    }

    [Fact]
    public void A_datagram_nobody_waits_for_is_counted_and_a_broadcast_ignored()
    {
        Inject("10.0.0.2:1", "10.0.0.1:9", "x"u8);
        Assert.Equal(1, Udp.Ipv4Counters[UdpCounter.NoPorts]);
        Link.TakeAll();
        Inject("10.0.0.2:1", "10.0.0.255:9", "x"u8);
        Inject("10.0.0.2:1", "224.0.0.1:9", "x"u8);
        Assert.Equal(1, Udp.Ipv4Counters[UdpCounter.NoPorts]);
        Assert.Equal(2, Udp.Ipv4Counters[UdpCounter.IgnoredMulti]);
        Assert.Empty(Link.TakeAll());
    }

    [Fact]
    public void A_flood_is_dropped_at_the_tail_within_the_receive_buffer()
    {
        UdpHandle socket = Bound("0.0.0.0:9");
        Assert.Equal(Errno.None, Udp.SetOption(socket, UdpOption.SO_RCVBUF, 50_000));
        Udp.GetOption(socket, UdpOption.SO_RCVBUF, out int bytes);
        Assert.Equal(100_000, bytes);
        byte[] packet = Datagram(Endpoint.Parse("10.0.0.2:1"), Endpoint.Parse("10.0.0.1:9"), new byte[100]);
        for (int i = 0; i < 20_000; i++)
        {
            packet[28] = (byte)i;
            packet.AsSpan(26, 2).Clear();
            Link.Inject(packet);
            Assert.InRange(Udp.QueuedBytes, 0, 100_000);
        }

        int queued = Engine.Packets.Outstanding;
        Assert.Equal(100_000 / UdpMemory.PacketBytes, queued);
        Assert.Equal(20_000 - queued, Udp.Ipv4Counters[UdpCounter.RcvbufErrors]);
        Assert.Equal(20_000 - queued, Udp.Ipv4Counters[UdpCounter.InErrors]);
        for (int i = 0; i < queued; i++)
        {
            Assert.Equal((byte)i, ReceiveOne(socket, out _)[0]);
        }

        Assert.False(TryReceive(socket));
    }

    [Fact]
    public void The_memory_of_all_sockets_together_is_bounded()
    {
        Udp.Options.udp_mem = 3 * UdpMemory.PacketBytes;
        for (ushort port = 1; port <= 5; port++)
        {
            Bound($"0.0.0.0:{port}");
            Inject("10.0.0.2:1", $"10.0.0.1:{port}", "x"u8);
        }

        Assert.Equal(2, Udp.Ipv4Counters[UdpCounter.MemErrors]);
    }

    [Fact]
    public void A_small_datagram_does_not_keep_a_large_block()
    {
        UdpHandle socket = Bound("0.0.0.0:9");
        long before = Engine.Blocks.BytesInUse;
        Inject("10.0.0.2:1", "10.0.0.1:9", new byte[200]);
        Assert.Equal(before, Engine.Blocks.BytesInUse);
        Assert.Equal(UdpMemory.PacketBytes, Udp.QueuedBytes);
        Assert.Equal(200, ReceiveOne(socket, out _).Length);
    }

    [Fact]
    public void Echo_in_steady_state_allocates_nothing()
    {
        UdpHandle server = Bound("0.0.0.0:7");
        UdpHandle client = Open();
        Udp.Connect(client, Endpoint.Parse("127.0.0.1:7"));
        byte[] buffer = new byte[2000];
        Echo(server, client, buffer, 5000);
        long before = GC.GetAllocatedBytesForCurrentThread();
        Echo(server, client, buffer, 5000);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [Fact]
    public void After_shutdown_of_reading_the_queue_is_read_and_then_zero_bytes()
    {
        UdpHandle socket = Bound("0.0.0.0:9");
        Inject("10.0.0.2:1", "10.0.0.1:9", "x"u8);
        Assert.Equal(Errno.ENOTCONN, Udp.Shutdown(socket, true, false));
        Assert.Equal("x"u8.ToArray(), ReceiveOne(socket, out _));
        Assert.Empty(ReceiveOne(socket, out _));
    }

    private void Echo(UdpHandle server, UdpHandle client, byte[] buffer, int count)
    {
        for (int i = 0; i < count; i++)
        {
            Udp.Send(client, buffer.AsSpan(0, 1 + (i % 1400)));
            Engine.RunPending(int.MaxValue);
            Udp.Receive(server, buffer, out UdpReceiveInfo info, out int received);
            Udp.SendTo(server, buffer.AsSpan(0, received), info.Source);
            Engine.RunPending(int.MaxValue);
            Errno error = Udp.Receive(client, buffer, out _, out received);
            if (error != Errno.None || received != 1 + (i % 1400))
            {
                Assert.Fail($"{error} {received} at {i}");
            }
        }
    }
}

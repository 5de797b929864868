namespace Portico.Net.Tests.Raw;

/// <summary>Raw sockets: bounded queues, counters, and what a socket does not see.</summary>
public sealed class RawQueueTests : IDisposable
{
    private readonly Engine _engine = new();
    private readonly NetworkStack _stack;

    public RawQueueTests() => _stack = new NetworkStack(_engine);

    private RawLayer Raw => _stack.Raw;

    public void Dispose() => _engine.Dispose();

    [Fact]
    public void A_queue_that_is_full_drops_the_newest_and_counts()
    {
        RawHandle socket = Open(253, 4000);
        for (byte i = 0; i < 20; i++)
        {
            Assert.Equal(Errno.None, Raw.Send(socket, [i], IpAddress.LoopbackIpv4, 0, default));
        }

        _engine.RunPending(int.MaxValue);
        int received = 0;
        byte[] buffer = new byte[100];
        while (Raw.Receive(socket, buffer, UdpReceiveFlags.None, out UdpReceiveInfo info, out int length) == Errno.None)
        {
            Assert.Equal(21, length);
            Assert.Equal(received++, buffer[20]);
            Assert.Equal(0u, info.Drops);
        }

        Assert.InRange(received, 1, 19);
        Assert.Equal(20 - received, Raw.GetDrops(socket));
        Assert.Equal(20 - received, Raw.Counters[RawCounter.RcvbufErrors]);
        Assert.Equal(received, Raw.Counters[RawCounter.InPackets]);
        Assert.Equal(20, Raw.Counters[RawCounter.OutPackets]);
    }

    [Fact]
    public void The_next_packet_after_a_drop_tells_of_it()
    {
        RawHandle socket = Open(253, 1);
        for (int i = 0; i < 3; i++)
        {
            Raw.Send(socket, "x"u8, IpAddress.LoopbackIpv4, 0, default);
        }

        _engine.RunPending(int.MaxValue);
        Assert.Equal(Errno.None, Raw.Receive(socket, [], UdpReceiveFlags.None, out _, out _));
        Raw.Send(socket, "x"u8, IpAddress.LoopbackIpv4, 0, default);
        _engine.RunPending(int.MaxValue);
        Assert.Equal(Errno.None, Raw.Receive(socket, [], UdpReceiveFlags.None, out UdpReceiveInfo info, out _));
        Assert.Equal(2u, info.Drops);
        Assert.Equal(Errno.EAGAIN, Raw.Receive(socket, [], UdpReceiveFlags.None, out _, out _));
    }

    [Fact]
    public void Sockets_are_as_many_as_allowed_and_handles_go_stale()
    {
        Raw.SocketMax = 2;
        RawHandle first = Open(253, 1000);
        Open(254, 1000);
        Assert.Equal(Errno.ENFILE, Raw.Open(new RawOpenRequest { Protocol = 1 }, null, out _));
        Raw.Close(first);
        Assert.Equal(Errno.EBADF, Raw.Send(first, "x"u8, IpAddress.LoopbackIpv4, 0, default));
        Assert.Equal(Errno.EBADF, Raw.Receive(first, [], UdpReceiveFlags.None, out _, out _));
        Assert.NotEqual(first, Open(253, 1000));
    }

    private RawHandle Open(byte protocol, int memory)
    {
        Assert.Equal(Errno.None, Raw.Open(new RawOpenRequest { Protocol = protocol }, null, out RawHandle handle));
        Raw.SetOptions(handle, new RawOptions { HopLimit = -1, ChecksumOffset = -1, ReceiveMemoryMax = memory });
        return handle;
    }
}

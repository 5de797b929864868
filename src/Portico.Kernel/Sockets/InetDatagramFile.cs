using Portico.Net;

namespace Portico.Kernel;

/// <summary>An internet socket that sends and receives datagrams: of UDP, or below the transports.</summary>
internal abstract class InetDatagramFile(StackDriver driver, NetworkStack stack, AddressFamily family, SocketType type, int protocol)
    : InetSocketFile(driver, stack, family, type, protocol)
{
    protected bool IsConnected { get; set; }

    protected override bool IsEstablished => IsConnected;

    protected override int LocalNumber => GetLocal().Port;

    protected override IpAddress LocalAddress => GetLocal().Address;

    protected IpAddress RemoteAddress
    {
        get
        {
            GetEndpoints(out _, out Endpoint remote);
            return remote.Address;
        }
    }

    /// <summary>What the engine says of readiness.</summary>
    protected abstract SocketEvents Ready { get; }

    /// <summary>Whether MSG_TRUNC makes a receive return the length that the datagram has.</summary>
    protected virtual bool TellsWholeLength => true;

    protected abstract void GetEndpoints(out Endpoint local, out Endpoint remote);

    /// <summary>Takes the oldest datagram, or looks at it.</summary>
    protected abstract Errno Take(Span<byte> buffer, UdpReceiveFlags flags, out UdpReceiveInfo info, out int received);

    /// <summary>Takes the oldest error of the error queue.</summary>
    protected abstract Errno TakeQueuedError(out UdpErrorInfo error);

    public override SocketEvents Poll()
    {
        SocketEvents events = WithNormal(Ready);
        return (events & SocketEvents.Writable) != 0 ? events | SocketEvents.WriteBand : events;
    }

    public override Errno GetName(bool ofPeer, Span<byte> address, out int length)
    {
        GetEndpoints(out Endpoint local, out Endpoint remote);
        length = 0;
        if (ofPeer && (!IsConnected || remote.Port == 0))
        {
            return Errno.ENOTCONN;
        }

        length = SocketAddress.Write(address, Family, ofPeer ? remote : local);
        return Errno.None;
    }

    public override Errno Receive(ref IoCursor destination, ref SocketMessage message, out long count)
    {
        count = 0;
        if ((message.Flags & MessageFlags.MSG_ERRQUEUE) != 0)
        {
            Errno none = TakeQueuedError(out UdpErrorInfo queued);
            return none == Errno.None ? ReceiveError(ref destination, ref message, queued, out count) : none;
        }

        UdpReceiveFlags flags = (message.Flags & MessageFlags.MSG_PEEK) != 0 ? UdpReceiveFlags.Peek : UdpReceiveFlags.None;
        Span<byte> room = DatagramRoom.Begin(ref destination, out byte[]? gathered);
        Errno error = Take(room, flags, out UdpReceiveInfo info, out int received);
        DatagramRoom.Finish(ref destination, gathered, received);
        bool isEnd = error == Errno.None && info.InterfaceIndex == 0;
        if (isEnd && (message.Flags & MessageFlags.MSG_DONTWAIT) != 0)
        {
            // shutdown(2) ends reads only for those who would wait.
            error = Errno.EAGAIN;
        }

        if (error == Errno.None)
        {
            bool isTruncated = received < info.TotalLength;
            message.ReturnedFlags |= isTruncated ? MessageFlags.MSG_TRUNC : MessageFlags.None;
            count = isTruncated && TellsWholeLength && (message.Flags & MessageFlags.MSG_TRUNC) != 0 ? info.TotalLength : received;
            message.AddressLength = message.Address.IsEmpty || isEnd ? 0 : SocketAddress.Write(message.Address, Family, info.Source);
            if (!isEnd)
            {
                PutControl(ref message.ReceivedControl, info);
            }
        }

        return error;
    }

    protected Endpoint GetLocal()
    {
        GetEndpoints(out Endpoint local, out _);
        return local;
    }
}

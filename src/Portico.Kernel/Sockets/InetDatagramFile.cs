using Portico.Net;

namespace Portico.Kernel;

/// <summary>An internet socket that sends and receives datagrams: of UDP, or below the transports.</summary>
internal abstract class InetDatagramFile(StackDriver driver, NetworkStack stack, AddressFamily family, SocketType type, int protocol)
    : InetSocketFile(driver, stack, family, type, protocol)
{
    protected bool IsConnected { get; set; }

    protected override bool IsEstablished => IsConnected;

    protected override long LastArrival { get; set; } = NeverArrived;

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

    /// <summary>Looks at what is behind SO_PEEK_OFF.</summary>
    protected virtual Errno PeekFrom(Span<byte> buffer, ref int offset, out UdpReceiveInfo info, out int received) =>
        Take(buffer, UdpReceiveFlags.Peek, out info, out received);

    /// <summary>Takes the oldest error of the error queue.</summary>
    protected abstract Errno TakeQueuedError(out UdpErrorInfo error);

    /// <summary>A send never waits: EAGAIN says that there is no port for the socket.</summary>
    internal override TimeSpan TimeoutOf(SocketEvents interest) => interest == SocketEvents.Writable ? TimeSpan.Zero : base.TimeoutOf(interest);

    public override SocketEvents Poll()
    {
        SocketEvents events = WithNormal(Ready);
        events |= (events & SocketEvents.Error) != 0 && Generic.Has(GenericFlags.SelectErrorQueue) ? SocketEvents.Priority : SocketEvents.None;
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

        length = ofPeer ? WritePeer(address, remote) : SocketAddress.Write(address, Family, local);
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

        bool isPeek = (message.Flags & MessageFlags.MSG_PEEK) != 0;
        int offset = isPeek ? Generic.PeekOffset : -1;
        Span<byte> room = DatagramRoom.Begin(ref destination, out byte[]? gathered);
        int roomBytes = room.Length;
        Errno error = offset >= 0 ? PeekFrom(room, ref offset, out UdpReceiveInfo info, out int received)
            : Take(room, isPeek ? UdpReceiveFlags.Peek : UdpReceiveFlags.None, out info, out received);
        DatagramRoom.Finish(ref destination, gathered, received);
        bool isEnd = error == Errno.None && info.InterfaceIndex == 0;
        if (isEnd && (message.Flags & MessageFlags.MSG_DONTWAIT) != 0)
        {
            // shutdown(2) ends reads only for those who would wait.
            error = Errno.EAGAIN;
        }

        if (error == Errno.None)
        {
            // Bytes that were passed over are not missed where there was room for more than the rest.
            bool isTruncated = received < info.TotalLength && (offset <= 0 || roomBytes <= info.TotalLength - offset);
            message.ReturnedFlags |= isTruncated ? MessageFlags.MSG_TRUNC : MessageFlags.None;
            count = TellsWholeLength && (message.Flags & MessageFlags.MSG_TRUNC) != 0 ? info.TotalLength : received;
            MovePeekOffset((int)(isPeek ? count : -count));
            message.AddressLength = message.Address.IsEmpty || isEnd ? 0 : SocketAddress.Write(message.Address, Family, info.Source);
            if (!isEnd)
            {
                PutControl(ref message.ReceivedControl, info);
            }
        }

        return error;
    }

    /// <summary>What a send says before its control messages do: the flow label of its address, or of the peer's, and MSG_DONTROUTE.</summary>
    protected IpSendControl BeginControl(in SocketMessage message) => new()
    {
        FlowInfo = message.Address.IsEmpty ? Inet.FlowInfo : FlowInfoOf(message.Address),
        IsOnLink = !IsIpv6 && (message.Flags & MessageFlags.MSG_DONTROUTE) != 0,
        Timestamping = Generic.Timestamping & TimestampingFlags.SOF_TIMESTAMPING_TX_RECORD_MASK,
    };

    /// <summary>IPV6_DONTFRAG, of the message or else of the socket.</summary>
    protected bool MustFit(in IpSendControl control) => control.DontFragment < 0 ? IsIpv6 && Inet.Has(InetFlags.Ipv6DontFragment) : control.DontFragment == 1;

    protected Endpoint GetLocal()
    {
        GetEndpoints(out Endpoint local, out _);
        return local;
    }
}

using System.Buffers.Binary;

namespace Portico.Net;

// Packets that come in: each raw socket that wants one gets a copy, before the transports look at it.
public sealed partial class RawLayer
{
    /// <summary>
    /// Shows a packet for this host to the raw sockets; its linear part begins with the transport header. True where one of them is for the
    /// protocol: then an unknown protocol is no error.
    /// </summary>
    internal bool OnPacket(Packet packet, in IpInfo info) => _openCount > 0 && Show(packet, info);

    private bool Show(Packet packet, in IpInfo info)
    {
        bool isClaimed = false;
        for (int i = 0; i < _sockets.Count; i++)
        {
            RawSocket socket = _sockets[i];
            if (!socket.IsEcho && socket.Protocol == (byte)info.Protocol && socket.Wants(info))
            {
                isClaimed = true;
                Offer(socket, packet, info);
            }
        }

        return isClaimed;
    }

    /// <summary>
    /// Gives a packet that is under way to others, and asks routers to look at it, to the sockets that want such packets (IP_ROUTER_ALERT); its
    /// linear part begins with the transport header. False where there are none, and it goes on. The packet stays the caller's.
    /// </summary>
    internal bool OnRouterAlert(Packet packet, in IpInfo info)
    {
        bool isTaken = false;
        for (int i = 0; i < _sockets.Count && _openCount > 0; i++)
        {
            RawSocket socket = _sockets[i];
            bool isIts = (socket.Generation & 1) != 0 && socket.Options.RouterAlert && socket.Protocol == (byte)info.Protocol
                && (socket.Options.InterfaceIndex == 0 || socket.Options.InterfaceIndex == info.Interface.Index);
            if (isIts)
            {
                isTaken = true;
                Enqueue(socket, packet, info, packet.Start - packet.NetworkOffset);
            }
        }

        return isTaken;
    }

    /// <summary>Gives an echo reply to the socket whose identifier it has; false where there is none. The packet stays the caller's.</summary>
    internal bool OnEchoReply(Packet packet, in IpInfo info)
    {
        if (_echoCount == 0 || packet.LinearLength < IcmpHeader.Length)
        {
            return false;
        }

        ushort identifier = BinaryPrimitives.ReadUInt16BigEndian(packet.Linear[4..]);
        RawSocket? socket = FindEcho(!info.Destination.IsIpv4, identifier);
        if (socket == null || !socket.Wants(info))
        {
            return false;
        }

        Enqueue(socket, packet, info, headerBytes: 0);
        return true;
    }

    /// <summary>An ICMP error about a packet of this host: raw sockets of its protocol hear of it, and the echo socket that sent it.</summary>
    internal void HandleIcmpError(in IcmpErrorInfo error, ReadOnlySpan<byte> quoted)
    {
        if (_openCount == 0)
        {
            return;
        }

        byte request = error.LocalAddress.IsIpv4 ? IcmpType.EchoRequest : Icmpv6Type.EchoRequest;
        bool isOfEcho = error.Protocol is IpProtocol.Icmp or IpProtocol.Icmpv6 && quoted[0] == request;
        ushort identifier = isOfEcho ? BinaryPrimitives.ReadUInt16BigEndian(quoted[4..]) : (ushort)0;
        for (int i = 0; i < _sockets.Count; i++)
        {
            RawSocket socket = _sockets[i];
            bool isIts = socket.IsEcho ? isOfEcho && socket.Identifier == identifier : socket.Protocol == (byte)error.Protocol;
            bool isOpen = (socket.Generation & 1) != 0 && socket.IsIpv6 == !error.LocalAddress.IsIpv4;
            bool isFromIts = (socket.LocalAddress.IsUnspecified || socket.LocalAddress == error.LocalAddress)
                && (!socket.IsConnected || socket.Remote.Address == error.RemoteAddress);
            if (isIts && isOpen && isFromIts)
            {
                Report(socket, error, quoted);
            }
        }
    }

    private void Report(RawSocket socket, in IcmpErrorInfo error, ReadOnlySpan<byte> quoted)
    {
        bool isHard = error.IsHard || (error.Mtu >= 0 && socket.Options.MtuDiscover != UdpLayer.MtuDiscoverDont);
        if (socket.Options.ReceiveErrors)
        {
            UdpErrorOrigin origin = socket.IsIpv6 ? UdpErrorOrigin.Icmpv6 : UdpErrorOrigin.Icmp;
            Endpoint destination = new(error.RemoteAddress, 0);
            UdpErrorInfo info = new(error.Error, origin, error.Type, error.Code, Math.Max(error.Mtu, 0), destination, error.Reporter)
            {
                InterfaceIndex = error.Interface.Index,
                HopLimit = error.HopLimit,
                TrafficClass = error.TrafficClass,
                Timestamp = _engine.Now,
            };
            QueueError(socket, info, quoted);
        }
        else if (!socket.IsConnected || !isHard)
        {
            return;
        }

        if (socket.Options.ReceiveErrors || isHard)
        {
            socket.Errors.Pending = error.Error;
        }

        _engine.Notify(socket.OwnerSlot, SocketEvents.Error);
    }

    private void Offer(RawSocket socket, Packet packet, in IpInfo info)
    {
        bool isIcmp = info.Protocol == (socket.IsIpv6 ? IpProtocol.Icmpv6 : IpProtocol.Icmp);
        if (isIcmp && packet.LinearLength > 0 && socket.IsFiltered(packet.Linear[0]))
        {
            Counters[RawCounter.Filtered]++;
            return;
        }

        Enqueue(socket, packet, info, socket.IsIpv6 ? 0 : packet.Start - packet.NetworkOffset);
    }

    /// <summary>Queues a copy, with as many bytes of the IP header as the socket sees.</summary>
    private void Enqueue(RawSocket socket, Packet packet, in IpInfo info, int headerBytes)
    {
        ChecksumOffload.Show(packet);
        Packet? copy = _engine.Packets.RentLinear(headerBytes + packet.Length);
        if (copy == null)
        {
            Counters[RawCounter.MemErrors]++;
            return;
        }

        packet.NetworkHeader[..headerBytes].CopyTo(copy.Append(headerBytes));
        packet.CopyTo(copy.Append(packet.Length));
        Span<byte> payload = copy.Linear[headerBytes..];
        if (!CheckSum(socket, payload, packet.Checksum, info))
        {
            Counters[RawCounter.InCsumErrors]++;
            copy.Release();
            return;
        }

        if (socket.Program != null && !Filter(socket.Program, packet, copy, headerBytes, info))
        {
            Counters[RawCounter.Filtered]++;
            copy.Release();
            return;
        }

        int trueSize = UdpMemory.TrueSize(copy);
        copy = UdpMemory.Condense(copy, _engine.Packets, ref trueSize);
        if (socket.ReceiveCount > 0 && socket.ReceiveMemory + socket.Errors.Memory + trueSize > socket.Options.ReceiveMemoryMax)
        {
            socket.Drops++;
            Counters[RawCounter.RcvbufErrors]++;
            copy.Release();
            return;
        }

        int index = _packets.Rent();
        ref UdpDatagram record = ref _packets.At(index);
        record.Packet = copy;
        record.Source = new Endpoint(info.Source, 0);
        record.Destination = new Endpoint(info.Destination, 0);
        record.InterfaceIndex = info.Interface.Index;
        record.HopLimit = info.HopLimit;
        record.TrafficClass = info.TrafficClass;
        record.FlowLabel = info.FlowLabel;
        record.TrueSize = trueSize;
        record.Drops = (uint)socket.Drops;
        record.Next = 0;
        copy.Timestamp = _engine.Now;
        if (socket.ReceiveCount++ == 0)
        {
            socket.ReceiveHead = index;
        }
        else
        {
            _packets.At(socket.ReceiveTail).Next = index;
        }

        socket.ReceiveTail = index;
        socket.ReceiveMemory += trueSize;
        Counters[RawCounter.InPackets]++;
        _engine.Notify(socket.OwnerSlot, SocketEvents.Readable);
    }

    /// <summary>Cuts what the socket would get to what its filter leaves of it; false where that is nothing.</summary>
    private static bool Filter(SocketFilter filter, Packet packet, Packet copy, int headerBytes, in IpInfo info)
    {
        uint kept = filter.Run(FilterPacket.OfTransport(packet, headerBytes, info));
        if (kept < (uint)copy.Length)
        {
            copy.TrimTo((int)kept);
        }

        return kept > 0;
    }

    /// <summary>
    /// Fills in the checksum of a message of ICMP that never left this host, and verifies what came from elsewhere and the socket asks for.
    /// </summary>
    private static bool CheckSum(RawSocket socket, Span<byte> payload, ChecksumState state, in IpInfo info)
    {
        bool isIcmp = info.Protocol is IpProtocol.Icmp or IpProtocol.Icmpv6;
        int offset = info.Protocol == IpProtocol.Icmpv6 || (isIcmp && state == ChecksumState.Partial) ? 2 : socket.Options.ChecksumOffset;
        if (offset < 0)
        {
            return true;
        }

        if (payload.Length < offset + 2)
        {
            return !socket.IsIpv6;
        }

        ulong pseudo = socket.IsIpv6 ? InternetChecksum.PseudoHeader(info.Source, info.Destination, info.Protocol, payload.Length) : 0;
        if (state == ChecksumState.Partial)
        {
            BinaryPrimitives.WriteUInt16BigEndian(payload[offset..], 0);
            BinaryPrimitives.WriteUInt16BigEndian(payload[offset..], InternetChecksum.Finish(InternetChecksum.Accumulate(pseudo, payload)));
            return true;
        }

        return !socket.IsIpv6 || InternetChecksum.Finish(InternetChecksum.Accumulate(pseudo, payload)) == 0;
    }

    private Packet Dequeue(RawSocket socket)
    {
        int index = socket.ReceiveHead;
        ref UdpDatagram record = ref _packets.At(index);
        Packet packet = record.Packet;
        socket.ReceiveHead = record.Next;
        socket.ReceiveMemory -= record.TrueSize;
        socket.ReceiveCount--;
        _packets.Return(index);
        return packet;
    }

    /// <summary>Takes the oldest packet, as much of it as fits. Errors: EBADF, the pending error, EAGAIN when there is none.</summary>
    public Errno Receive(RawHandle handle, Span<byte> buffer, UdpReceiveFlags flags, out UdpReceiveInfo info, out int received)
    {
        info = default;
        received = 0;
        if (!TryGet(handle, out RawSocket? socket))
        {
            return Errno.EBADF;
        }

        if (socket.Errors.Pending != Errno.None)
        {
            return socket.Errors.Take();
        }

        if (socket.ReceiveCount == 0)
        {
            return socket.IsReceiveShut ? Errno.None : Errno.EAGAIN;
        }

        ref UdpDatagram record = ref _packets.At(socket.ReceiveHead);
        info = new UdpReceiveInfo
        {
            Source = record.Source,
            Destination = record.Destination,
            InterfaceIndex = record.InterfaceIndex,
            HopLimit = record.HopLimit,
            TrafficClass = record.TrafficClass,
            FlowLabel = record.FlowLabel,
            TotalLength = record.Packet.Length,
            Timestamp = record.Packet.Timestamp,
            Drops = record.Drops,
        };
        received = UdpMemory.CopyPrefix(record.Packet, buffer);
        if ((flags & UdpReceiveFlags.Peek) == 0)
        {
            Dequeue(socket).Release();
        }

        return Errno.None;
    }
}

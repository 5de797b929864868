namespace Portico.Net;

// What links show: each socket that wants a frame gets a copy of it.
public sealed partial class PacketSocketLayer
{
    /// <summary>What has come in on a link, as it came. It stays the caller's.</summary>
    internal void OnReceived(Packet packet, NetworkInterface input)
    {
        if (input.Link.Kind == LinkKind.Ip)
        {
            Offer(packet, LinkFrame.OfIp(packet, input, isOutgoing: false), sender: null);
        }
        else if (packet.EnsureLinear(EthernetHeader.Length))
        {
            Offer(packet, LinkFrame.OfEthernet(packet, input, isOutgoing: false), sender: null);
        }
    }

    /// <summary>A frame with a header of its own has come back on lo. It stays the caller's.</summary>
    internal void OnOwnFrame(Packet packet, NetworkInterface loopback) =>
        Offer(packet, LinkFrame.OfEthernet(packet, loopback, isOutgoing: false), sender: null);

    /// <summary>What is about to be sent on a link. It stays the caller's.</summary>
    internal void OnSent(Packet packet, NetworkInterface output)
    {
        LinkFrame frame = output.Link.Kind == LinkKind.Ip
            ? LinkFrame.OfIp(packet, output, isOutgoing: true)
            : LinkFrame.OfEthernet(packet, output, isOutgoing: true);
        frame.Protocol = _sender != null ? _sentProtocol : frame.Protocol;
        Offer(packet, frame, _sender);
    }

    private void Offer(Packet packet, in LinkFrame frame, PacketSocket? sender)
    {
        bool isPrepared = false;
        ChecksumState shown = default;
        bool isOutgoing = frame.Kind == PacketKind.PACKET_OUTGOING;
        for (int i = 0; i < _sockets.Places; i++)
        {
            PacketSocket socket = _sockets[i];
            bool isItsProtocol = socket.Protocol == AllProtocols || (!isOutgoing && socket.Protocol == frame.Protocol);
            if (!isItsProtocol || socket == sender || !socket.ListensOn(frame.Interface) || (isOutgoing && socket.Options.IgnoreOutgoing))
            {
                continue;
            }

            if (!isPrepared)
            {
                isPrepared = true;
                shown = PrepareChecksum(packet, frame.Interface);
            }

            Enqueue(socket, packet, frame, shown);
        }
    }

    /// <summary>
    /// What is still left to a link is shown as Linux leaves it: the sum of the pseudo header of TCP and UDP, and the whole sum of all else.
    /// What is said of the checksum; on lo nobody has verified any.
    /// </summary>
    private static ChecksumState PrepareChecksum(Packet packet, NetworkInterface at)
    {
        if (packet.Checksum != ChecksumState.Partial)
        {
            return at.IsLoopback ? ChecksumState.Unverified : packet.Checksum;
        }

        if (TransportOf(packet) is IpProtocol.Tcp or IpProtocol.Udp)
        {
            ChecksumOffload.TryPrepareForDevice(packet, out _, out _);
            return ChecksumState.Partial;
        }

        ChecksumOffload.Complete(packet);
        return ChecksumState.Unverified;
    }

    private static IpProtocol TransportOf(Packet packet)
    {
        ReadOnlySpan<byte> header = packet.NetworkHeader;
        return Ipv4Header.TryParse(header, out Ipv4Header ipv4) ? ipv4.Protocol
            : Ipv6Header.TryParse(header, out Ipv6Header ipv6) ? ipv6.NextHeader
            : default;
    }

    private void Enqueue(PacketSocket socket, Packet packet, in LinkFrame frame, ChecksumState checksum)
    {
        int skipped = socket.IsCooked ? frame.HeaderBytes : 0;
        int added = !socket.IsCooked && frame.LacksHeader ? EthernetHeader.Length : 0;
        int length = added + packet.Length - skipped;
        if (length == 0)
        {
            return;
        }

        // As in Linux one packet may be more than the limit.
        if (socket.Queue.Memory >= socket.Options.ReceiveMemoryMax)
        {
            Drop(socket, PacketCounter.RcvbufErrors);
            return;
        }

        Packet? copy = _engine.Packets.RentLinear(length);
        if (copy == null)
        {
            Drop(socket, PacketCounter.MemErrors);
            return;
        }

        Span<byte> bytes = copy.Append(length);
        if (added > 0)
        {
            EthernetHeader.Write(bytes, default, default, frame.Protocol);
        }

        packet.CopyTo(skipped, bytes[added..]);
        copy.Timestamp = _engine.Now;
        int trueSize = UdpMemory.TrueSize(copy);
        ref PacketReceiveInfo info = ref _packets.Add(ref socket.Queue, copy, trueSize, socket.Drops);
        info.Source = new PacketAddress
        {
            Protocol = frame.Protocol,
            InterfaceIndex = frame.Interface.Index,
            HardwareType = frame.Interface.HardwareType,
            Kind = frame.Kind,
            AddressLength = frame.Interface.AddressLength,
            Address = frame.Source,
        };
        info.TotalLength = info.OriginalLength = length;
        info.NetworkOffset = socket.IsCooked ? 0 : frame.ShownHeaderBytes;
        info.Checksum = checksum;
        info.IsTcpSegments = packet.GsoSize > 0 && TransportOf(packet) == IpProtocol.Tcp;
        info.Drops = (uint)socket.Drops;
        info.Timestamp = _engine.Now;
        socket.CountedPackets++;
        Counters[PacketCounter.InPackets]++;
        _engine.Notify(socket.OwnerSlot, SocketEvents.Readable);
    }

    private void Drop(PacketSocket socket, PacketCounter reason)
    {
        socket.Drops++;
        socket.CountedDrops++;
        Counters[reason]++;
    }

    /// <summary>Takes the oldest packet, as much of it as fits. Errors: EBADF, the pending error, EAGAIN when there is none.</summary>
    public Errno Receive(PacketSocketHandle handle, Span<byte> buffer, UdpReceiveFlags flags, out PacketReceiveInfo info, out int received)
    {
        info = default;
        received = 0;
        if (!TryGet(handle, out PacketSocket? socket))
        {
            return Errno.EBADF;
        }

        if (socket.Pending != Errno.None)
        {
            return TakeError(handle);
        }

        if (socket.Queue.Count == 0)
        {
            return Errno.EAGAIN;
        }

        ref QueuedDatagram<PacketReceiveInfo> first = ref _packets.First(socket.Queue);
        info = first.Info;
        received = UdpMemory.CopyPrefix(first.Packet, buffer);
        if ((flags & UdpReceiveFlags.Peek) == 0)
        {
            _packets.Take(ref socket.Queue).Release();
        }

        return Errno.None;
    }
}

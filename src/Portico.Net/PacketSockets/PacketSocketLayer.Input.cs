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

    /// <summary>Fills the checksum in as far as it is shown, and says what is told of it; on lo nobody has verified any.</summary>
    private static ChecksumState PrepareChecksum(Packet packet, NetworkInterface at)
    {
        if (packet.Checksum != ChecksumState.Partial)
        {
            return at.IsLoopback ? ChecksumState.Unverified : packet.Checksum;
        }

        ChecksumOffload.Show(packet);
        return packet.Checksum == ChecksumState.Partial ? ChecksumState.Partial : ChecksumState.Unverified;
    }

    private void Enqueue(PacketSocket socket, Packet packet, in LinkFrame frame, ChecksumState checksum)
    {
        int skipped = socket.IsCooked ? frame.HeaderBytes : 0;
        int added = !socket.IsCooked && frame.LacksHeader ? EthernetHeader.Length : 0;
        int length = added + packet.Length - skipped;
        int kept = length;
        if (socket.Filter == null ? length == 0 : !TryFilter(socket, packet, frame, skipped, ref kept))
        {
            return;
        }

        // As in Linux one packet may be more than the limit.
        if (socket.Queue.Memory >= socket.Options.ReceiveMemoryMax)
        {
            Drop(socket, PacketCounter.RcvbufErrors);
            return;
        }

        Packet? copy = _engine.Packets.RentLinear(kept);
        if (copy == null)
        {
            Drop(socket, PacketCounter.MemErrors);
            return;
        }

        Span<byte> bytes = copy.Append(kept);
        if (added > 0)
        {
            Span<byte> header = stackalloc byte[EthernetHeader.Length];
            EthernetHeader.Write(header, default, default, frame.Protocol);
            added = Math.Min(added, kept);
            header[..added].CopyTo(bytes);
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
        info.TotalLength = kept;
        info.OriginalLength = length;
        info.NetworkOffset = socket.IsCooked ? 0 : frame.ShownHeaderBytes;
        info.Checksum = checksum;
        info.IsTcpSegments = packet.GsoSize > 0 && ChecksumOffload.TransportOf(packet) == IpProtocol.Tcp;
        info.Drops = (uint)socket.Drops;
        info.Timestamp = _engine.Now;
        socket.CountedPackets++;
        Counters[PacketCounter.InPackets]++;
        _engine.Notify(socket.OwnerSlot, SocketEvents.Readable);
    }

    /// <summary>How many bytes the socket's filter leaves of a packet; false where it wants nothing of it.</summary>
    private static bool TryFilter(PacketSocket socket, Packet packet, in LinkFrame frame, int skipped, ref int length)
    {
        Span<byte> header = stackalloc byte[EthernetHeader.Length];
        if (frame.LacksHeader)
        {
            EthernetHeader.Write(header, default, default, frame.Protocol);
        }

        FilterPacket view = new()
        {
            Packet = packet,
            DataOffset = skipped,
            LinkHeader = frame.LacksHeader ? header : default,
            BeginsWithLinkHeader = frame.LacksHeader && !socket.IsCooked,
            BytesBefore = skipped,
            NetworkPosition = socket.IsCooked ? 0 : frame.ShownHeaderBytes,
            LinkBytes = frame.ShownHeaderBytes,
            Protocol = frame.Protocol,
            Kind = frame.Kind,
            Interface = frame.Interface,
            Random = frame.Interface.Stack.Engine.Random,
        };
        uint kept = socket.Filter!.Run(view);
        length = (int)Math.Min(kept, (uint)length);
        return kept > 0;
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

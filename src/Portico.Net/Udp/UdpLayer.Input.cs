namespace Portico.Net;

// Datagrams that come in (RFC 768, RFC 1122 4.1.3, RFC 8200 8.1).
public sealed partial class UdpLayer
{
    /// <summary>A datagram for this stack; its linear part begins with the UDP header. Takes ownership.</summary>
    internal void HandleDatagram(Packet packet, in IpInfo info)
    {
        MibTable<UdpCounter> mib = CountersOf(info.Destination);
        if (!packet.EnsureLinear(UdpHeader.Length) || !UdpHeader.TryParse(packet.Linear, out UdpHeader header)
            || header.DatagramLength > packet.Length)
        {
            Drop(packet, mib, UdpCounter.InErrors, UdpCounter.DropBadLength);
            return;
        }

        // RFC 768 leaves bytes behind the datagram undefined; they are not part of it.
        packet.TrimTo(header.DatagramLength);
        packet.TransportOffset = packet.Start;

        // Over IPv6 a datagram must have a checksum (RFC 8200 8.1), even where a link says that it verified what there was, unless its receiver
        // does without (RFC 6935).
        bool hasNone = header.Checksum == 0 && packet.Checksum != ChecksumState.Partial && !info.Destination.IsIpv4;
        if (!hasNone && !ChecksumOffload.Verify(packet, info))
        {
            Drop(packet, mib, UdpCounter.InErrors, UdpCounter.InCsumErrors);
            return;
        }

        Endpoint source = new(info.Source, header.SourcePort);
        Endpoint destination = new(info.Destination, header.DestinationPort);
        if (info.IsMulticastOrBroadcast && (info.Destination.IsMulticast || info.Destination.IsIpv4))
        {
            DeliverToGroup(packet, info, source, destination, mib, hasNone);
            return;
        }

        UdpSocket? socket = Lookup(destination, source, info.Interface.Index);
        if (hasNone && socket is not { TakesNoChecksum6: true })
        {
            Drop(packet, mib, UdpCounter.InErrors, UdpCounter.InCsumErrors);
            return;
        }

        if (socket != null)
        {
            packet.Pull(UdpHeader.Length);
            Deliver(socket, packet, packet, info, source, destination, mib);
            return;
        }

        if (info.Interface.AcceptsAnyAddress && TryForward(packet, source, destination, mib))
        {
            return;
        }

        mib[UdpCounter.NoPorts]++;
        _stack.NoteDrop(mib.NameOf(UdpCounter.NoPorts));
        if (!info.IsMulticastOrBroadcast)
        {
            _stack.Icmp.SendError(packet, info, IcmpErrorKind.PortUnreachable);
        }

        packet.Release();
    }

    /// <summary>Every socket that wants the datagram gets it (RFC 1122 4.1.3.6); nobody is told when none does.</summary>
    private void DeliverToGroup(
        Packet packet, in IpInfo info, in Endpoint source, in Endpoint destination, MibTable<UdpCounter> mib, bool hasNoChecksum)
    {
        packet.Pull(UdpHeader.Length);
        UdpSocket? previous = null;
        DeliverToBound(destination.Address, packet, info, source, destination, mib, hasNoChecksum, ref previous);
        if (destination.Address.IsIpv4)
        {
            DeliverToBound(IpAddress.AnyIpv4, packet, info, source, destination, mib, hasNoChecksum, ref previous);
        }

        DeliverToBound(IpAddress.AnyIpv6, packet, info, source, destination, mib, hasNoChecksum, ref previous);
        if (previous != null)
        {
            Deliver(previous, packet, packet, info, source, destination, mib);
            return;
        }

        Drop(packet, mib, UdpCounter.IgnoredMulti);
    }

    private void DeliverToBound(
        in IpAddress bound,
        Packet packet,
        in IpInfo info,
        in Endpoint source,
        in Endpoint destination,
        MibTable<UdpCounter> mib,
        bool hasNoChecksum,
        ref UdpSocket? previous)
    {
        ulong hash = HashBound(bound, destination.Port);
        for (UdpSocket? socket = _bound.First(hash); socket != null; socket = socket.HashNext)
        {
            if (socket.Hash != hash || Score(socket, bound, destination, source, info.Interface.Index) == 0
                || !socket.Wants(destination.Address, info.Interface, source.Address) || (hasNoChecksum && !socket.TakesNoChecksum6))
            {
                continue;
            }

            // The last one gets the packet itself, those before it the same bytes by reference.
            if (previous != null)
            {
                Packet? copy = UdpMemory.Share(packet, _engine.Packets);
                if (copy == null)
                {
                    mib[UdpCounter.RcvbufErrors]++;
                    mib[UdpCounter.InErrors]++;
                }
                else
                {
                    Deliver(previous, copy, packet, info, source, destination, mib);
                }
            }

            previous = socket;
        }
    }

    /// <summary>
    /// Queues a payload, or drops it where the socket's memory is used up (the newest goes: drop tail). <paramref name="whole"/> is the packet
    /// that has the headers still in front.
    /// </summary>
    private void Enqueue(
        UdpSocket socket, Packet packet, Packet whole, in IpInfo info, in Endpoint source, in Endpoint destination, MibTable<UdpCounter> mib)
    {
        if (socket.Filter != null && !Filter(socket.Filter, packet, whole, info))
        {
            socket.Drops++;
            Drop(packet, mib, UdpCounter.InErrors, UdpCounter.Filtered);
            return;
        }

        int trueSize = UdpMemory.TrueSize(packet);
        packet = UdpMemory.Condense(packet, _engine.Packets, ref trueSize);

        // One datagram is always taken, however small the buffer is, so that a socket never goes deaf.
        if (socket.ReceiveCount > 0 && socket.ReceiveMemory + socket.Errors.Memory + trueSize > socket.ReceiveMemoryMax)
        {
            socket.Drops++;
            Drop(packet, mib, UdpCounter.InErrors, UdpCounter.RcvbufErrors);
            return;
        }

        if (_queuedBytes + trueSize > Options.udp_mem)
        {
            socket.Drops++;
            Drop(packet, mib, UdpCounter.InErrors, UdpCounter.MemErrors);
            return;
        }

        int index = _datagrams.Rent();
        ref UdpDatagram datagram = ref _datagrams.At(index);
        datagram.Packet = packet;
        datagram.Source = source;
        datagram.Destination = destination;
        datagram.InterfaceIndex = info.Interface.Index;
        datagram.HopLimit = info.HopLimit;
        datagram.TrafficClass = info.TrafficClass;
        datagram.FlowLabel = info.FlowLabel;
        datagram.Drops = (uint)socket.Drops;
        datagram.TrueSize = trueSize;
        datagram.IsPeeked = false;
        datagram.Next = 0;
        packet.Timestamp = _engine.Now;
        if (socket.ReceiveCount++ == 0)
        {
            socket.ReceiveHead = index;
        }
        else
        {
            _datagrams.At(socket.ReceiveTail).Next = index;
        }

        socket.ReceiveTail = index;
        socket.ReceiveMemory += trueSize;
        _queuedBytes += trueSize;
        _engine.Notify(socket.OwnerSlot, SocketEvents.Readable);
    }

    /// <summary>Cuts a payload to what a filter leaves of it, which sees the header too; false where that is nothing.</summary>
    private static bool Filter(SocketFilter filter, Packet packet, Packet whole, in IpInfo info)
    {
        ChecksumOffload.Show(whole);
        uint kept = filter.Run(FilterPacket.OfTransport(whole, UdpHeader.Length, info));
        uint payload = kept - Math.Min(kept, UdpHeader.Length);
        if (payload < (uint)packet.Length)
        {
            packet.TrimTo((int)payload);
        }

        return kept > 0;
    }

    private Packet Dequeue(UdpSocket socket)
    {
        int index = socket.ReceiveHead;
        ref UdpDatagram datagram = ref _datagrams.At(index);
        Packet packet = datagram.Packet;
        socket.ReceiveHead = datagram.Next;
        socket.ReceiveMemory -= datagram.TrueSize;
        _queuedBytes -= datagram.TrueSize;
        socket.ReceiveCount--;
        _datagrams.Return(index);
        Invariant.Check(socket.ReceiveMemory >= 0);
        Invariant.Check(socket.ReceiveCount > 0 || socket.ReceiveMemory == 0);
        return packet;
    }

    private void Drop(Packet packet, MibTable<UdpCounter> mib, UdpCounter counter, UdpCounter reason)
    {
        mib[counter]++;
        Drop(packet, mib, reason);
    }

    private void Drop(Packet packet, MibTable<UdpCounter> mib, UdpCounter reason)
    {
        mib[reason]++;
        _stack.NoteDrop(mib.NameOf(reason));
        packet.Release();
    }
}

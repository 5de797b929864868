using System.Buffers.Binary;

namespace Portico.Net;

// Reassembly (RFC 791 3.2, RFC 815's task, RFC 8200 4.5, RFC 5722, RFC 6946, RFC 7112). A datagram whose fragments overlap is discarded
// whole, in IPv4 too; an exact repetition of a fragment is ignored.
public sealed unsafe partial class IpLayer
{
    private const int FragmentHeaderBytes = 8;

    /// <summary>RFC 3168 5.3: Not-ECT together with CE cannot come from an honest sender.</summary>
    private const int EcnNotEctSeen = 1;
    private const int EcnCeSeen = 8;

    internal FragmentTable Ipv4Fragments { get; }

    internal FragmentTable Ipv6Fragments { get; }

    /// <summary>Incomplete datagrams of both versions.</summary>
    public int IncompleteDatagrams => Ipv4Fragments.Count + Ipv6Fragments.Count;

    /// <summary>Memory that incomplete datagrams hold.</summary>
    public long IncompleteDatagramBytes => Ipv4Fragments.MemoryBytes + Ipv6Fragments.MemoryBytes;

    internal void ReportReassemblyTimeout(Packet first, in IpInfo info) =>
        _stack.Icmp.SendError(first, info, IcmpErrorKind.ReassemblyTimeExceeded);

    private void ReassembleIpv4(Packet packet, in IpInfo info, int headerLength)
    {
        MibTable<IpCounter> mib = Ipv4Counters;
        mib[IpCounter.ReasmReqds]++;
        Span<byte> header = packet.Linear;
        uint identification = BinaryPrimitives.ReadUInt16BigEndian(header[4..]);
        ushort field = BinaryPrimitives.ReadUInt16BigEndian(header[6..]);
        int start = (field & Ipv4Header.OffsetMask) * 8;
        bool moreFollow = (field & Ipv4Header.MoreFragmentsFlag) != 0;
        int length = packet.Length - headerLength;
        if (start + length + headerLength > PacketBytesMax)
        {
            Drop(packet, mib, IpCounter.ReasmFails, IpCounter.DropFragmentTooBig);
            return;
        }

        if (length == 0 || (moreFollow && (length & 7) != 0))
        {
            Drop(packet, mib, IpCounter.ReasmFails, IpCounter.DropFragmentBad);
            return;
        }

        if (!Compact(ref packet, mib))
        {
            return;
        }

        packet.Pull(headerLength);
        FragmentKey key = new(info.Source, info.Destination, identification, info.Protocol, 0);
        FragmentQueue queue = Ipv4Fragments.FindOrAdd(key);
        if (!TryAddFragment(Ipv4Fragments, queue, packet, info, start, start + length, moreFollow))
        {
            return;
        }

        // The first fragment's header becomes the datagram's.
        Packet first = queue.First!;
        headerLength = (first.NetworkHeader[0] & 0xF) * 4;
        Packet? whole = Assemble(Ipv4Fragments, queue, headerLength, out IpInfo wholeInfo);
        if (whole == null)
        {
            return;
        }

        header = whole.Linear;
        header[1] = wholeInfo.TrafficClass;
        BinaryPrimitives.WriteUInt16BigEndian(header[2..], (ushort)whole.Length);
        BinaryPrimitives.WriteUInt16BigEndian(header[6..], 0);
        Ipv4Header.WriteChecksum(header, headerLength);
        whole.Pull(headerLength);
        whole.TransportOffset = whole.Start;
        Deliver(whole, wholeInfo, mib);
    }

    private void ReassembleIpv6(Packet packet, in IpInfo info, in Ipv6Walk walk)
    {
        MibTable<IpCounter> mib = Ipv6Counters;
        mib[IpCounter.ReasmReqds]++;
        int headers = walk.Offset + FragmentHeaderBytes;
        int length = packet.Length - headers;
        Ipv6ExtensionHeaders.ReadFragment(packet.Linear[walk.Offset..], out int start, out bool moreFollow, out uint identification);
        if (start + length + walk.Offset - Ipv6HeaderBytes > PacketBytesMax)
        {
            RefuseFragment(packet, info, IcmpErrorKind.ParameterProblem, walk.Offset + 2, IpCounter.DropFragmentTooBig);
            return;
        }

        if (moreFollow && (length & 7) != 0)
        {
            // RFC 8200 4.5: points to the payload-length field.
            RefuseFragment(packet, info, IcmpErrorKind.ParameterProblem, 4, IpCounter.DropFragmentBad);
            return;
        }

        if (length == 0)
        {
            Drop(packet, mib, IpCounter.ReasmFails, IpCounter.DropFragmentBad);
            return;
        }

        IpProtocol next = (IpProtocol)packet.Linear[walk.Offset];
        if (start == 0)
        {
            packet.EnsureLinear(packet.Length);
            if (!Ipv6ExtensionHeaders.HasCompleteChain(packet.Linear[headers..], next, WalkLimits))
            {
                RefuseFragment(packet, info, IcmpErrorKind.IncompleteHeaderChain, 0, IpCounter.DropFragmentTiny);
                return;
            }
        }

        if (!Compact(ref packet, mib))
        {
            return;
        }

        packet.Pull(headers);
        FragmentKey key = new(info.Source, info.Destination, identification, default, info.Source.IsLinkLocal ? info.Interface.Index : 0);
        FragmentQueue queue = Ipv6Fragments.FindOrAdd(key);
        if (start == 0 && queue.First == null)
        {
            // RFC 8200 4.5: the headers in front, and what follows them, are those of the first fragment.
            queue.UnfragmentableBytes = walk.Offset;
            queue.NextHeaderOffset = walk.NextHeaderOffset;
            queue.NextHeader = next;
        }

        if (!TryAddFragment(Ipv6Fragments, queue, packet, info, start, start + length, moreFollow))
        {
            return;
        }

        int unfragmentable = queue.UnfragmentableBytes;
        int nextHeaderOffset = queue.NextHeaderOffset;
        next = queue.NextHeader;
        Packet? whole = Assemble(Ipv6Fragments, queue, unfragmentable, out IpInfo wholeInfo);
        if (whole == null)
        {
            return;
        }

        Span<byte> header = whole.Linear;
        header[1] = (byte)((header[1] & 0x0F) | (wholeInfo.TrafficClass << 4));
        BinaryPrimitives.WriteUInt16BigEndian(header[4..], (ushort)(whole.Length - Ipv6HeaderBytes));
        header[nextHeaderOffset] = (byte)next;
        HandleExtensionHeaders(whole, ref wholeInfo, true);
    }

    private void RefuseFragment(Packet packet, in IpInfo info, IcmpErrorKind kind, int pointer, IpCounter reason)
    {
        _stack.Icmp.SendError(packet, info, kind, pointer);
        Drop(packet, Ipv6Counters, IpCounter.ReasmFails, reason);
    }

    /// <summary>Adds a fragment to its datagram, whose packet it takes. True if that is now complete.</summary>
    private bool TryAddFragment(
        FragmentTable table, FragmentQueue queue, Packet packet, in IpInfo info, int start, int end, bool moreFollow)
    {
        MibTable<IpCounter> mib = CountersOf(info.Destination);
        if (queue.IsDead)
        {
            Drop(packet, mib, IpCounter.ReasmFails, IpCounter.DropFragmentBad);
            return false;
        }

        bool contradicts = moreFollow
            ? queue.TotalBytes >= 0 && end > queue.TotalBytes
            : queue.TotalBytes >= 0 ? queue.TotalBytes != end : queue.FurthestEnd > end;
        if (contradicts)
        {
            Drop(packet, mib, IpCounter.ReasmFails, IpCounter.DropFragmentBad);
            table.Kill(queue);
            return false;
        }

        int memory = FragmentTable.MemoryOf(packet);
        switch (queue.TryPlace(packet, start, end))
        {
            case FragmentQueue.Placement.Duplicate:
                packet.Release();
                return false;
            case FragmentQueue.Placement.Overlap:
                mib[IpCounter.ReasmOverlaps]++;
                mib[IpCounter.ReasmFails]++;
                packet.Release();
                table.Kill(queue);
                return false;
            default:
                break;
        }

        if (start == 0 || queue.Info.Interface == null)
        {
            queue.Info = info;
        }

        if (!moreFollow)
        {
            queue.TotalBytes = end;
        }

        queue.EcnSeen |= 1 << (info.TrafficClass & 3);
        queue.IsVerified &= packet.Checksum != ChecksumState.Unverified;
        return table.TryCharge(queue, memory) && queue.IsComplete;
    }

    /// <summary>Copies a complete datagram into one packet behind the first fragment's headers, and forgets it.</summary>
    private Packet? Assemble(FragmentTable table, FragmentQueue queue, int headerLength, out IpInfo info)
    {
        info = queue.Info;
        MibTable<IpCounter> mib = CountersOf(info.Destination);
        Packet first = queue.First!;
        bool isEcnValid = (queue.EcnSeen & (EcnNotEctSeen | EcnCeSeen)) != (EcnNotEctSeen | EcnCeSeen);
        Packet? whole = isEcnValid ? _stack.Engine.Packets.RentLinear(headerLength + queue.TotalBytes) : null;
        if (whole == null)
        {
            mib[IpCounter.ReasmFails]++;
            mib[isEcnValid ? IpCounter.DropNoMemory : IpCounter.DropFragmentBad]++;
            table.Remove(queue);
            return null;
        }

        if ((queue.EcnSeen & EcnCeSeen) != 0)
        {
            info.TrafficClass |= 3;
        }

        Span<byte> bytes = whole.Append(headerLength + queue.TotalBytes);
        first.NetworkHeader[..headerLength].CopyTo(bytes);
        queue.CopyPayloadTo(bytes[headerLength..]);
        whole.NetworkOffset = whole.Start;
        whole.Timestamp = first.Timestamp;
        whole.IsLinkBroadcast = first.IsLinkBroadcast;
        whole.Checksum = queue.IsVerified ? ChecksumState.Verified : ChecksumState.Unverified;
        table.Remove(queue);
        mib[IpCounter.ReasmOKs]++;
        return whole;
    }

    /// <summary>Moves a fragment that is small for the buffer that it came in to a smaller one, so that it can be kept.</summary>
    private bool Compact(ref Packet packet, MibTable<IpCounter> mib)
    {
        const int FreelyKept = 4096;
        int memory = FragmentTable.MemoryOf(packet);
        if (memory <= FreelyKept || memory <= 4 * packet.Length)
        {
            return true;
        }

        Packet? copy = _stack.Engine.Packets.Clone(packet);
        if (copy == null)
        {
            Drop(packet, mib, IpCounter.ReasmFails, IpCounter.DropNoMemory);
            return false;
        }

        packet.Release();
        packet = copy;
        return true;
    }
}

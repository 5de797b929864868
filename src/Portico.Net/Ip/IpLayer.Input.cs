using System.Buffers.Binary;

namespace Portico.Net;

/// <summary>Sees whole packets for the host, as raw sockets do (raw(7)).</summary>
public interface IRawPacketReceiver
{
    /// <summary>
    /// A packet, whose linear part begins with the transport header and whose IP header is at <see cref="Packet.NetworkOffset"/>. It
    /// stays the stack's and is to be copied where it is wanted. True if somebody wanted it: then an unknown protocol is no error.
    /// </summary>
    bool OnPacket(Packet packet, in IpInfo info);
}

// Packets that come in (RFC 1122 3.2.1, RFC 8200). The common case, a TCP segment or datagram to an own unicast address without
// options or fragments, takes one straight path; everything else leaves it for a method of its own.
public sealed unsafe partial class IpLayer
{
    /// <summary>Sees every packet for this host before the transports do: raw sockets; null where there are none.</summary>
    public IRawPacketReceiver? RawReceiver { get; set; }

    internal void HandleIpv4(Packet packet, NetworkInterface input, bool isOwn = false)
    {
        MibTable<IpCounter> mib = Ipv4Counters;
        mib[IpCounter.InReceives]++;
        if (!packet.EnsureLinear(Ipv4HeaderBytes))
        {
            DropBadHeader(packet, mib);
            return;
        }

        byte* header = packet.LinearPointer;
        int headerLength = (header[0] & 0xF) * 4;
        int totalLength = BinaryPrimitives.ReadUInt16BigEndian(new ReadOnlySpan<byte>(header + 2, 2));
        if (header[0] >> 4 != 4 || headerLength < Ipv4HeaderBytes || totalLength < headerLength)
        {
            DropBadHeader(packet, mib);
            return;
        }

        int length = packet.Length;
        if (totalLength != length)
        {
            if (totalLength > length)
            {
                mib[IpCounter.InTruncatedPkts]++;
                DropBadHeader(packet, mib);
                return;
            }

            packet.TrimTo(totalLength);
        }

        if (headerLength != Ipv4HeaderBytes)
        {
            if (!packet.EnsureLinear(headerLength))
            {
                DropBadHeader(packet, mib);
                return;
            }

            header = packet.LinearPointer;
        }

        if (packet.Checksum == ChecksumState.Unverified && !IsIpv4ChecksumRight(header, headerLength))
        {
            mib[IpCounter.InCsumErrors]++;
            mib[IpCounter.InHdrErrors]++;
            _stack.NoteDrop(mib.NameOf(IpCounter.InCsumErrors));
            packet.Release();
            return;
        }

        mib[IpCounter.InOctets] += totalLength;
        mib[IpCounter.InNoECTPkts + (header[1] & 3)]++;
        IpInfo info;
        info.Source = IpAddress.FromIpv4(BinaryPrimitives.ReverseEndianness(*(uint*)(header + 12)));
        info.Destination = IpAddress.FromIpv4(BinaryPrimitives.ReverseEndianness(*(uint*)(header + 16)));
        info.Interface = input;
        info.Protocol = (IpProtocol)header[9];
        info.HopLimit = header[8];
        info.TrafficClass = header[1];
        info.FlowLabel = 0;
        info.IsMulticastOrBroadcast = packet.IsLinkBroadcast;
        packet.NetworkOffset = packet.Start;
        if (headerLength != Ipv4HeaderBytes && !CheckIpv4Options(packet, headerLength, mib))
        {
            return;
        }

        uint generation = RouteGeneration;
        if (!input.IsGoodSource(info.Source, generation) && !isOwn && !CheckSource(packet, info, mib))
        {
            return;
        }

        if ((packet.IsLinkBroadcast || !input.IsGoodDestination(info.Destination, generation)) && !CheckDestination(packet, ref info, mib))
        {
            return;
        }

        if ((*(ushort*)(header + 6) & BinaryPrimitives.ReverseEndianness((ushort)0x3FFF)) != 0)
        {
            ReassembleIpv4(packet, info, headerLength);
            return;
        }

        packet.Pull(headerLength);
        packet.TransportOffset = packet.Start;
        Deliver(packet, info, mib);
    }

    internal void HandleIpv6(Packet packet, NetworkInterface input, bool isOwn = false)
    {
        MibTable<IpCounter> mib = Ipv6Counters;
        mib[IpCounter.InReceives]++;
        if (!packet.EnsureLinear(Ipv6HeaderBytes))
        {
            DropBadHeader(packet, mib);
            return;
        }

        byte* header = packet.LinearPointer;
        int totalLength = Ipv6HeaderBytes + BinaryPrimitives.ReadUInt16BigEndian(new ReadOnlySpan<byte>(header + 4, 2));
        if (header[0] >> 4 != 6)
        {
            DropBadHeader(packet, mib);
            return;
        }

        int length = packet.Length;
        if (totalLength != length)
        {
            if (totalLength > length)
            {
                mib[IpCounter.InTruncatedPkts]++;
                DropBadHeader(packet, mib);
                return;
            }

            packet.TrimTo(totalLength);
        }

        IpInfo info;
        uint flow = BinaryPrimitives.ReverseEndianness(*(uint*)header);
        info.TrafficClass = (byte)(flow >> 20);
        info.FlowLabel = flow & Ipv6Header.FlowLabelMask;
        mib[IpCounter.InOctets] += totalLength;
        mib[IpCounter.InNoECTPkts + (info.TrafficClass & 3)]++;
        info.Source = IpAddress.ReadIpv6(new ReadOnlySpan<byte>(header + 8, 16));
        info.Destination = IpAddress.ReadIpv6(new ReadOnlySpan<byte>(header + 24, 16));
        info.Interface = input;
        info.Protocol = (IpProtocol)header[6];
        info.HopLimit = header[7];
        info.IsMulticastOrBroadcast = packet.IsLinkBroadcast;
        packet.NetworkOffset = packet.Start;
        if (info.Source.IsIpv4 || info.Destination.IsIpv4)
        {
            // IPv4-mapped addresses name IPv4 hosts inside this one; on a wire they would slip past the checks of IPv4 (RFC 6890 2.2.3).
            Drop(packet, mib, IpCounter.InAddrErrors, IpCounter.DropMartianSource);
            return;
        }

        uint generation = RouteGeneration;
        if (!input.IsGoodSource(info.Source, generation) && !isOwn && !CheckSource(packet, info, mib))
        {
            return;
        }

        if ((packet.IsLinkBroadcast || !input.IsGoodDestination(info.Destination, generation)) && !CheckDestination(packet, ref info, mib))
        {
            return;
        }

        if (info.Protocol is IpProtocol.Tcp or IpProtocol.Udp or IpProtocol.Icmpv6)
        {
            packet.Pull(Ipv6HeaderBytes);
            packet.TransportOffset = packet.Start;
            Deliver(packet, info, mib);
            return;
        }

        HandleExtensionHeaders(packet, ref info);
    }

    /// <summary>Hands a whole packet, its IP headers pulled, to whoever handles the protocol.</summary>
    private void Deliver(Packet packet, in IpInfo info, MibTable<IpCounter> mib, int nextHeaderOffset = 6)
    {
        bool isClaimed = _stack.Raw.OnPacket(packet, info) | (RawReceiver != null && RawReceiver.OnPacket(packet, info));
        switch (info.Protocol)
        {
            case IpProtocol.Tcp:
                if (info.IsMulticastOrBroadcast)
                {
                    // RFC 9293 3.9.2.3 (MUST-57): a segment to a group or broadcast address is discarded silently.
                    Drop(packet, mib, IpCounter.InDiscards, IpCounter.DropTcpToGroup);
                    return;
                }

                mib[IpCounter.InDelivers]++;
                _stack.Tcp.HandleSegment(packet, info);
                return;
            case IpProtocol.Udp:
                mib[IpCounter.InDelivers]++;
                _stack.Udp.HandleDatagram(packet, info);
                return;
            default:
                DeliverOther(packet, info, mib, nextHeaderOffset, isClaimed);
                return;
        }
    }

    private void DeliverOther(Packet packet, in IpInfo info, MibTable<IpCounter> mib, int nextHeaderOffset, bool isClaimed)
    {
        bool isIpv4 = info.Destination.IsIpv4;
        if (info.Protocol == (isIpv4 ? IpProtocol.Icmp : IpProtocol.Icmpv6))
        {
            mib[IpCounter.InDelivers]++;
            _stack.Icmp.HandleMessage(packet, info);
            return;
        }

        if (isIpv4 && info.Protocol == IpProtocol.Igmp)
        {
            mib[IpCounter.InDelivers]++;
            MulticastMembership.HandleIgmp(packet, info);
            return;
        }

        if (isClaimed)
        {
            mib[IpCounter.InDelivers]++;
            packet.Release();
            return;
        }

        mib[IpCounter.InUnknownProtos]++;
        _stack.NoteDrop(mib.NameOf(IpCounter.InUnknownProtos));
        _stack.Icmp.SendError(packet, info, IcmpErrorKind.ProtocolUnreachable, nextHeaderOffset);
        packet.Release();
    }

    private static bool IsIpv4ChecksumRight(byte* header, int headerLength)
    {
        // The sum of 32-bit words in host order folds to the same answer as the sum of 16-bit words (RFC 1071 2).
        uint* words = (uint*)header;
        ulong sum = (ulong)words[0] + words[1] + words[2] + words[3] + words[4];
        for (int i = 5; i < headerLength / 4; i++)
        {
            sum += words[i];
        }

        sum = (sum & 0xFFFF_FFFF) + (sum >> 32);
        sum = (sum & 0xFFFF) + ((sum >> 16) & 0xFFFF) + (sum >> 32);
        sum = (sum & 0xFFFF) + (sum >> 16);
        return (sum & 0xFFFF) + (sum >> 16) == 0xFFFF;
    }

    internal void DropBadHeader(Packet packet, MibTable<IpCounter> mib) =>
        Drop(packet, mib, IpCounter.InHdrErrors, IpCounter.DropBadHeader);

    /// <summary>Drops a packet that came in.</summary>
    private void Drop(Packet packet, MibTable<IpCounter> mib, IpCounter counter, IpCounter reason)
    {
        _stack.NoteDrop(mib.NameOf(reason));
        Discard(packet, mib, counter, reason);
    }

    /// <summary>Drops a packet that was to go out, or has been reported by other means.</summary>
    internal static void Discard(Packet packet, MibTable<IpCounter> mib, IpCounter counter, IpCounter reason)
    {
        mib[counter]++;
        mib[reason]++;
        packet.Release();
    }
}

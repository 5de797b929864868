using System.Buffers.Binary;

namespace Portico.Net;

// Packets that go out: the header, then the link or the way back in.
public sealed unsafe partial class IpLayer
{
    private const ushort DontFragmentBit = 0x4000;

    /// <summary>
    /// Pushes the IP header in front of the packet (whose linear part begins with the transport header at
    /// <see cref="Packet.TransportOffset"/>) and sends it, fragmenting or segmenting where the link needs it. Takes ownership.
    /// The caller has checked that the route is current. Errors: EMSGSIZE where the packet does not fit and must not be fragmented,
    /// ENOBUFS, ENETDOWN.
    /// </summary>
    internal Errno Send(Packet packet, in RouteCache route, in IpSend send)
    {
        Invariant.Check(route.Generation != 0);
        return send.Destination.IsIpv4 ? SendIpv4(packet, route, send) : SendIpv6(packet, route, send);
    }

    /// <summary>
    /// Sends a packet that begins with an IP header of its sender's making (IP_HDRINCL): of IPv4 length and checksum are filled in, and source and
    /// identification where they are 0; of IPv6 it goes as it is. Takes ownership. Errors: EINVAL for a header that is longer than the packet, ENETDOWN.
    /// </summary>
    internal Errno SendWithHeader(Packet packet, in RouteCache route, in IpAddress source)
    {
        const int IdentificationOffset = 4;
        const int ChecksumOffset = 10;
        const int SourceOffset = 12;
        MibTable<IpCounter> mib = CountersOf(route.NextHop);
        mib[IpCounter.OutRequests]++;
        Span<byte> header = packet.Linear;
        bool isIpv4 = route.NextHop.IsIpv4;
        int length = isIpv4 ? (header[0] & 0xF) * 4 : Ipv6HeaderBytes;
        if (length > packet.Length)
        {
            return Refuse(packet, mib, Errno.EINVAL, IpCounter.DropBadHeader);
        }

        if (isIpv4 && length >= Ipv4HeaderBytes)
        {
            if (IpAddress.ReadIpv4(header[SourceOffset..]).IsUnspecified)
            {
                source.WriteIpv4(header[SourceOffset..]);
            }

            BinaryPrimitives.WriteUInt16BigEndian(header[2..], (ushort)packet.Length);
            if (BinaryPrimitives.ReadUInt16BigEndian(header[IdentificationOffset..]) == 0)
            {
                ushort identification = NextIpv4Identification(source, route.NextHop, (IpProtocol)header[9]);
                BinaryPrimitives.WriteUInt16BigEndian(header[IdentificationOffset..], identification);
            }

            BinaryPrimitives.WriteUInt16BigEndian(header[ChecksumOffset..], 0);
            BinaryPrimitives.WriteUInt16BigEndian(header[ChecksumOffset..], InternetChecksum.Compute(header[..length]));
        }

        packet.NetworkOffset = packet.Start;
        packet.TransportOffset = packet.Start + length;
        mib[IpCounter.OutTransmits]++;
        mib[IpCounter.OutOctets] += packet.Length;
        return Transmit(packet, route);
    }

    private Errno SendIpv4(Packet packet, in RouteCache route, in IpSend send)
    {
        MibTable<IpCounter> mib = Ipv4Counters;
        mib[IpCounter.OutRequests]++;
        int totalLength = packet.Length + Ipv4HeaderBytes;
        bool dontFragment = send.DontFragment && !route.IsMtuLocked;
        bool needsFragments = totalLength > route.PathMtu && packet.GsoSize == 0;
        if (totalLength > PacketBytesMax || (needsFragments && dontFragment))
        {
            return Refuse(packet, mib, Errno.EMSGSIZE, IpCounter.DropTooBig);
        }

        // RFC 6864 4.1: an atomic datagram needs no identification, and 0 gives nothing away.
        ushort identification = dontFragment ? (ushort)0 : NextIpv4Identification(send.Source, send.Destination, send.Protocol);
        Span<byte> header = packet.Push(Ipv4HeaderBytes);
        packet.NetworkOffset = packet.Start;
        fixed (byte* pointer = header)
        {
            WriteIpv4Header(
                pointer,
                totalLength,
                identification,
                dontFragment ? DontFragmentBit : (ushort)0,
                send.HopLimit == 0 ? Options.ip_default_ttl : send.HopLimit,
                send);
        }

        mib[IpCounter.OutTransmits]++;
        mib[IpCounter.OutOctets] += totalLength;
        if (route.IsMulticast || route.IsBroadcast)
        {
            LoopBackGroupPacket(packet, route, send);
        }

        return needsFragments ? SendIpv4Fragments(packet, route) : Transmit(packet, route);
    }

    private Errno SendIpv6(Packet packet, in RouteCache route, in IpSend send)
    {
        MibTable<IpCounter> mib = Ipv6Counters;
        mib[IpCounter.OutRequests]++;
        int payloadLength = packet.Length;
        bool needsFragments = payloadLength + Ipv6HeaderBytes > route.PathMtu && packet.GsoSize == 0;
        if (payloadLength > PacketBytesMax || (needsFragments && send.DontFragment))
        {
            return Refuse(packet, mib, Errno.EMSGSIZE, IpCounter.DropTooBig);
        }

        Span<byte> header = packet.Push(Ipv6HeaderBytes);
        packet.NetworkOffset = packet.Start;
        BinaryPrimitives.WriteUInt32BigEndian(header, 0x6000_0000 | ((uint)send.TrafficClass << 20) | (send.FlowLabel & Ipv6Header.FlowLabelMask));
        BinaryPrimitives.WriteUInt16BigEndian(header[4..], (ushort)payloadLength);
        header[6] = (byte)send.Protocol;
        header[7] = send.HopLimit == 0 ? DefaultHopLimit(route) : send.HopLimit;
        send.Source.WriteIpv6(header[8..]);
        send.Destination.WriteIpv6(header[24..]);
        mib[IpCounter.OutTransmits]++;
        mib[IpCounter.OutOctets] += payloadLength + Ipv6HeaderBytes;
        if (route.IsMulticast)
        {
            LoopBackGroupPacket(packet, route, send);
        }

        return needsFragments ? SendIpv6Fragments(packet, route, send.FragmentMtu) : Transmit(packet, route);
    }

    private byte DefaultHopLimit(in RouteCache route) => _interfaces[route.InterfaceIndex]?.Ipv6HopLimit ?? Options.ip_default_ttl;

    private Errno Refuse(Packet packet, MibTable<IpCounter> mib, Errno error, IpCounter reason)
    {
        mib[error == Errno.EMSGSIZE ? IpCounter.FragFails : IpCounter.OutDiscards]++;
        mib[reason]++;
        packet.Release();
        return error;
    }

    private Errno Transmit(Packet packet, in RouteCache route)
    {
        NetworkInterface? output = _interfaces[route.InterfaceIndex];
        if (output is not { IsUp: true })
        {
            return Refuse(packet, CountersOf(route.NextHop), Errno.ENETDOWN, IpCounter.DropInterfaceDown);
        }

        return TransmitOn(packet, output, route.NextHop);
    }

    /// <summary>Hands a complete packet to an interface, cut and with its checksum completed where the link does not do that.</summary>
    private Errno TransmitOn(Packet packet, NetworkInterface output, in IpAddress nextHop)
    {
        LinkFeatures features = output.Features;
        if (packet.GsoSize > 0)
        {
            if ((features & Segmentation.FeatureFor(packet)) == 0 || packet.Length + output.HeaderBytes >= Segmentation.BytesMax)
            {
                return Segmentation.Transmit(packet, output, nextHop);
            }
        }

        if (packet.Checksum == ChecksumState.Partial && (features & LinkFeatures.ChecksumOffload) == 0)
        {
            ChecksumOffload.Complete(packet);
        }

        output.TransmitTo(packet, nextHop);
        return Errno.None;
    }

    private MibTable<IpCounter> CountersOf(in IpAddress address) => address.IsIpv4 ? Ipv4Counters : Ipv6Counters;

    private static void WriteIpv4Header(
        byte* header, int totalLength, ushort identification, ushort flagsAndOffset, byte ttl, in IpSend send)
    {
        uint source = send.Source.Ipv4Value;
        uint destination = send.Destination.Ipv4Value;
        uint first = 0x4500u | send.TrafficClass;
        uint ttlAndProtocol = ((uint)ttl << 8) | (byte)send.Protocol;
        uint sum = first + (uint)totalLength + identification + flagsAndOffset + ttlAndProtocol
            + (source >> 16) + (source & 0xFFFF) + (destination >> 16) + (destination & 0xFFFF);
        sum = (sum & 0xFFFF) + (sum >> 16);
        sum += sum >> 16;
        uint* words = (uint*)header;
        words[0] = BinaryPrimitives.ReverseEndianness((first << 16) | (uint)totalLength);
        words[1] = BinaryPrimitives.ReverseEndianness(((uint)identification << 16) | flagsAndOffset);
        words[2] = BinaryPrimitives.ReverseEndianness((ttlAndProtocol << 16) | (ushort)~sum);
        words[3] = BinaryPrimitives.ReverseEndianness(source);
        words[4] = BinaryPrimitives.ReverseEndianness(destination);
    }
}

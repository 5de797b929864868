using System.Buffers.Binary;

namespace Portico.Net;

/// <summary>Completes and verifies the transport checksums of whole packets, fragments included.</summary>
public static class ChecksumOffload
{
    private const int ExtensionHeadersMax = 16;

    /// <summary>
    /// Fills in the transport checksum of a packet whose state is <see cref="ChecksumState.Partial"/>, from the headers at
    /// <see cref="Packet.NetworkOffset"/> and <see cref="Packet.TransportOffset"/>. Does nothing in any other state. A super-segment
    /// must be cut first.
    /// </summary>
    public static void Complete(Packet packet)
    {
        ArgumentNullException.ThrowIfNull(packet);
        if (packet.Checksum != ChecksumState.Partial)
        {
            return;
        }

        Invariant.Check(packet.GsoSize == 0);
        packet.Checksum = ChecksumState.Verified;
        if (!TryPseudoHeader(packet, out ulong sum, out IpProtocol protocol, out int offset))
        {
            return;
        }

        Span<byte> field = packet.TransportHeader.Slice(offset, 2);
        BinaryPrimitives.WriteUInt16BigEndian(field, 0);
        ushort checksum = InternetChecksum.Finish(Sum(packet, sum));
        if (checksum == 0 && protocol == IpProtocol.Udp)
        {
            // RFC 768: 0 means that there is no checksum, so the other form of zero is sent.
            checksum = 0xFFFF;
        }

        BinaryPrimitives.WriteUInt16BigEndian(field, checksum);
    }

    /// <summary>
    /// Leaves the sum to a device that adds up the bytes itself (virtio-net's NEEDS_CSUM): writes the pseudo header's sum into the
    /// checksum field and says where the bytes begin, counted from the packet's first byte, and where the field stands in them.
    /// </summary>
    public static bool TryPrepareForDevice(Packet packet, out int start, out int fieldOffset)
    {
        ArgumentNullException.ThrowIfNull(packet);
        start = packet.TransportOffset - packet.Start;
        if (packet.Checksum != ChecksumState.Partial || !TryPseudoHeader(packet, out ulong sum, out _, out fieldOffset))
        {
            fieldOffset = 0;
            return false;
        }

        BinaryPrimitives.WriteUInt16BigEndian(packet.TransportHeader[fieldOffset..], InternetChecksum.Fold(sum));
        return true;
    }

    /// <summary>
    /// Makes a packet fit to be shown to others than its receiver: what is still left to a link is as Linux leaves it, the sum of the pseudo
    /// header of TCP and UDP, and of all else the whole sum. For receivers it is the same packet as before.
    /// </summary>
    internal static void Show(Packet packet)
    {
        if (packet.Checksum != ChecksumState.Partial)
        {
            return;
        }

        if (TransportOf(packet) is IpProtocol.Tcp or IpProtocol.Udp)
        {
            TryPrepareForDevice(packet, out _, out _);
        }
        else
        {
            Complete(packet);
        }
    }

    /// <summary>What is behind the IP header at <see cref="Packet.NetworkOffset"/>; 0 where there is none.</summary>
    internal static IpProtocol TransportOf(Packet packet)
    {
        ReadOnlySpan<byte> header = packet.NetworkHeader;
        return Ipv4Header.TryParse(header, out Ipv4Header ipv4) ? ipv4.Protocol
            : Ipv6Header.TryParse(header, out Ipv6Header ipv6) ? ipv6.NextHeader
            : default;
    }

    /// <summary>
    /// Whether the transport checksum is right; trusts what the link has verified or never left the process. A UDP datagram without
    /// checksum is right over IPv4 (RFC 1122 4.1.3.4) and wrong over IPv6 (RFC 8200 8.1).
    /// </summary>
    public static bool Verify(Packet packet, in IpInfo info)
    {
        ArgumentNullException.ThrowIfNull(packet);
        return packet.Checksum != ChecksumState.Unverified || Verify(packet, info.Source, info.Destination, info.Protocol);
    }

    /// <summary>Whether the transport checksum is right, whatever the packet's state is.</summary>
    public static bool Verify(Packet packet, in IpAddress source, in IpAddress destination, IpProtocol protocol)
    {
        ArgumentNullException.ThrowIfNull(packet);
        if (protocol == IpProtocol.Udp)
        {
            ReadOnlySpan<byte> header = packet.TransportHeader;
            if (header.Length >= UdpHeader.Length && BinaryPrimitives.ReadUInt16BigEndian(header[UdpHeader.ChecksumOffset..]) == 0)
            {
                return source.IsIpv4;
            }
        }

        // ICMP for IPv4 has no pseudo header (RFC 792).
        ulong sum = protocol is IpProtocol.Icmp or IpProtocol.Igmp
            ? 0
            : InternetChecksum.PseudoHeader(source, destination, protocol, TransportLength(packet));
        return InternetChecksum.Fold(Sum(packet, sum)) == 0xFFFF;
    }

    private static int TransportLength(Packet packet) => packet.Length - (packet.TransportOffset - packet.Start);

    /// <summary>Adds all bytes from the transport header on.</summary>
    private static ulong Sum(Packet packet, ulong sum)
    {
        ReadOnlySpan<byte> linear = packet.TransportHeader;
        sum = InternetChecksum.Accumulate(sum, linear);
        bool odd = (linear.Length & 1) != 0;
        for (int i = 0; i < packet.FragmentCount; i++)
        {
            ReadOnlySpan<byte> fragment = packet.FragmentSpan(i);
            sum = InternetChecksum.Accumulate(sum, fragment, odd);
            odd ^= (fragment.Length & 1) != 0;
        }

        return sum;
    }

    private static bool TryPseudoHeader(Packet packet, out ulong sum, out IpProtocol protocol, out int fieldOffset)
    {
        Span<byte> network = packet.NetworkHeader;
        if (Ipv4Header.TryParse(network, out Ipv4Header ipv4))
        {
            protocol = ipv4.Protocol;
            sum = protocol is IpProtocol.Icmp or IpProtocol.Igmp
                ? 0
                : InternetChecksum.PseudoHeader(ipv4.Source, ipv4.Destination, protocol, TransportLength(packet));
        }
        else if (Ipv6Header.TryParse(network, out Ipv6Header ipv6))
        {
            protocol = TransportProtocol(network, ipv6.NextHeader, packet.TransportOffset - packet.NetworkOffset);
            sum = InternetChecksum.PseudoHeader(ipv6.Source, ipv6.Destination, protocol, TransportLength(packet));
        }
        else
        {
            protocol = default;
            sum = 0;
        }

        fieldOffset = protocol switch
        {
            IpProtocol.Tcp => TcpHeader.ChecksumOffset,
            IpProtocol.Udp => UdpHeader.ChecksumOffset,
            IpProtocol.Icmp or IpProtocol.Icmpv6 or IpProtocol.Igmp => 2,
            _ => -1,
        };
        return fieldOffset >= 0 && packet.TransportHeader.Length >= fieldOffset + 2;
    }

    /// <summary>The last of the extension headers that this host has written names the transport.</summary>
    private static IpProtocol TransportProtocol(ReadOnlySpan<byte> network, IpProtocol next, int transportOffset)
    {
        int position = Ipv6Header.Length;
        for (int i = 0; i < ExtensionHeadersMax && position < transportOffset && position + 8 <= network.Length; i++)
        {
            bool isFragment = next == IpProtocol.Ipv6Fragment;
            next = (IpProtocol)network[position];
            position += isFragment ? 8 : (network[position + 1] + 1) * 8;
        }

        return next;
    }
}

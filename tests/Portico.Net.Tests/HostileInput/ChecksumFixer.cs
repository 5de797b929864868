using System.Buffers.Binary;

namespace Portico.Net.Tests.HostileInput;

/// <summary>Makes the checksums of a damaged packet right as far as its headers still make sense.</summary>
public static class ChecksumFixer
{
    public static void Fix(HostileFrame frame)
    {
        if (frame.Length <= frame.NetworkOffset)
        {
            return;
        }

        Span<byte> packet = frame.Network;
        switch (packet[0] >> 4)
        {
            case 4 when packet.Length >= 20:
                FixIpv4(packet, frame.IsFragment);
                break;
            case 6 when packet.Length >= 40 && !frame.IsFragment:
                FixIpv6(packet);
                break;
        }
    }

    private static void FixIpv4(Span<byte> packet, bool isFragment)
    {
        int headerLength = (packet[0] & 15) * 4;
        if (headerLength < 20 || headerLength > packet.Length)
        {
            return;
        }

        Ipv4Header.WriteChecksum(packet, headerLength);
        int total = BinaryPrimitives.ReadUInt16BigEndian(packet[2..]);
        ushort fragment = BinaryPrimitives.ReadUInt16BigEndian(packet[6..]);
        if (isFragment || total > packet.Length || total < headerLength || (fragment & 0x3FFF) != 0)
        {
            return;
        }

        FixTransport(
            packet[headerLength..total], (IpProtocol)packet[9], IpAddress.ReadIpv4(packet[12..]), IpAddress.ReadIpv4(packet[16..]));
    }

    private static void FixIpv6(Span<byte> packet)
    {
        int end = 40 + BinaryPrimitives.ReadUInt16BigEndian(packet[4..]);
        IpProtocol next = (IpProtocol)packet[6];
        int position = 40;
        if (end > packet.Length)
        {
            return;
        }

        for (int i = 0; i < 12 && Ipv6ExtensionHeaders.IsExtensionHeader(next) && position + 8 <= end; i++)
        {
            bool isFragment = next == IpProtocol.Ipv6Fragment;
            if (isFragment && (BinaryPrimitives.ReadUInt16BigEndian(packet[(position + 2)..]) & 0xFFF9) != 0)
            {
                return;
            }

            next = (IpProtocol)packet[position];
            position += isFragment ? 8 : (packet[position + 1] + 1) * 8;
        }

        if (position < end)
        {
            FixTransport(packet[position..end], next, IpAddress.ReadIpv6(packet[8..]), IpAddress.ReadIpv6(packet[24..]));
        }
    }

    public static void FixTransport(Span<byte> transport, IpProtocol protocol, in IpAddress source, in IpAddress destination)
    {
        int field = protocol switch
        {
            IpProtocol.Tcp => TcpHeader.ChecksumOffset,
            IpProtocol.Udp => UdpHeader.ChecksumOffset,
            IpProtocol.Icmp or IpProtocol.Icmpv6 or IpProtocol.Igmp => 2,
            _ => -1,
        };
        if (field < 0 || transport.Length < field + 2)
        {
            return;
        }

        Span<byte> summed = transport;
        int length = transport.Length;
        if (protocol == IpProtocol.Udp)
        {
            int said = BinaryPrimitives.ReadUInt16BigEndian(transport[4..]);
            length = said >= 8 && said <= transport.Length ? said : transport.Length;
            summed = transport[..length];
        }

        BinaryPrimitives.WriteUInt16BigEndian(transport[field..], 0);
        ulong sum = protocol is IpProtocol.Icmp or IpProtocol.Igmp
            ? 0
            : InternetChecksum.PseudoHeader(source, destination, protocol, length);
        ushort checksum = InternetChecksum.Finish(InternetChecksum.Accumulate(sum, summed));
        BinaryPrimitives.WriteUInt16BigEndian(transport[field..], checksum == 0 && protocol == IpProtocol.Udp ? (ushort)0xFFFF : checksum);
    }
}

using System.Buffers.Binary;
using Portico.Net;

namespace Portico.Simulation.Scripts;

/// <summary>Takes packets apart that a stack has sent.</summary>
internal static class PacketReader
{
    /// <summary>Null, and what is wrong, for what is no whole IP packet with right checksums.</summary>
    public static ScriptPacket? TryRead(ReadOnlySpan<byte> bytes, out string problem)
    {
        problem = "";
        ScriptPacket packet = new();
        int headerLength = bytes.Length < 1 ? 0 : (bytes[0] >> 4) == 6 ? ScriptPacket.Ipv6HeaderLength : (bytes[0] & 15) * 4;
        if (headerLength < ScriptPacket.Ipv4HeaderLength || bytes.Length < headerLength)
        {
            problem = "the IP header is cut off";
            return null;
        }

        int length = (bytes[0] >> 4) == 6 ? ReadIpv6(packet, bytes) : ReadIpv4(packet, bytes);
        if (length != bytes.Length)
        {
            problem = $"the IP header says {length} bytes, and the packet has {bytes.Length}";
        }
        else if (!packet.IsIpv6 && InternetChecksum.Compute(bytes[..headerLength]) != 0)
        {
            problem = "the IP header's checksum is wrong";
        }

        ReadOnlySpan<byte> transport = bytes[headerLength..];
        bool isRead = problem.Length == 0 && packet.Protocol switch
        {
            IpProtocol.Tcp => TryReadTcp(packet, transport, out problem),
            IpProtocol.Udp => TryReadUdp(packet, transport, out problem),
            IpProtocol.Icmp or IpProtocol.Icmpv6 => TryReadIcmp(packet, transport, out problem),
            _ => true,
        };
        return isRead ? packet : null;
    }

    private static int ReadIpv4(ScriptPacket packet, ReadOnlySpan<byte> bytes)
    {
        packet.Tos = bytes[1];
        packet.Ttl = bytes[8];
        packet.Protocol = (IpProtocol)bytes[9];
        packet.Source = IpAddress.ReadIpv4(bytes[12..]);
        packet.Destination = IpAddress.ReadIpv4(bytes[16..]);
        return BinaryPrimitives.ReadUInt16BigEndian(bytes[2..]);
    }

    private static int ReadIpv6(ScriptPacket packet, ReadOnlySpan<byte> bytes)
    {
        uint first = BinaryPrimitives.ReadUInt32BigEndian(bytes);
        packet.Tos = (byte)(first >> 20);
        packet.FlowLabel = first & 0xFFFFF;
        packet.Protocol = (IpProtocol)bytes[6];
        packet.Ttl = bytes[7];
        packet.Source = IpAddress.ReadIpv6(bytes[8..]);
        packet.Destination = IpAddress.ReadIpv6(bytes[24..]);
        return ScriptPacket.Ipv6HeaderLength + BinaryPrimitives.ReadUInt16BigEndian(bytes[4..]);
    }

    private static bool HasRightChecksum(ScriptPacket packet, ReadOnlySpan<byte> transport)
    {
        ulong sum = packet.Protocol == IpProtocol.Icmp ? 0 : InternetChecksum.PseudoHeader(packet.Source, packet.Destination, packet.Protocol, transport.Length);
        return InternetChecksum.Finish(InternetChecksum.Accumulate(sum, transport)) == 0;
    }

    private static bool TryReadTcp(ScriptPacket packet, ReadOnlySpan<byte> bytes, out string problem)
    {
        int headerLength = bytes.Length < 20 ? 0 : (bytes[12] >> 4) * 4;
        problem = headerLength < 20 || headerLength > bytes.Length ? "the TCP header is cut off"
            : !HasRightChecksum(packet, bytes) ? "the TCP checksum is wrong"
            : "";
        if (problem.Length > 0)
        {
            return false;
        }

        packet.SourcePort = BinaryPrimitives.ReadUInt16BigEndian(bytes);
        packet.DestinationPort = BinaryPrimitives.ReadUInt16BigEndian(bytes[2..]);
        packet.Sequence = BinaryPrimitives.ReadUInt32BigEndian(bytes[4..]);
        packet.Acknowledgment = BinaryPrimitives.ReadUInt32BigEndian(bytes[8..]);
        packet.Flags = (TcpFlagBits)(BinaryPrimitives.ReadUInt16BigEndian(bytes[12..]) & 0xFFF);
        packet.Window = BinaryPrimitives.ReadUInt16BigEndian(bytes[14..]);
        packet.Urgent = BinaryPrimitives.ReadUInt16BigEndian(bytes[18..]);
        packet.Payload = bytes[headerLength..].ToArray();
        return TryReadOptions(packet, bytes[20..headerLength], out problem);
    }

    private static bool TryReadOptions(ScriptPacket packet, ReadOnlySpan<byte> bytes, out string problem)
    {
        problem = "";
        while (!bytes.IsEmpty)
        {
            if (bytes[0] is TcpOptionBytes.EndOfList or TcpOptionBytes.NoOperation)
            {
                packet.Options.Add(new TcpOptionBytes(bytes[0], []));
                bytes = bytes[1..];
                continue;
            }

            if (bytes.Length < 2 || bytes[1] < 2 || bytes[1] > bytes.Length)
            {
                problem = $"the TCP option of kind {bytes[0]} has a wrong length";
                return false;
            }

            packet.Options.Add(new TcpOptionBytes(bytes[0], bytes[2..bytes[1]].ToArray()));
            bytes = bytes[bytes[1]..];
        }

        return true;
    }

    private static bool TryReadUdp(ScriptPacket packet, ReadOnlySpan<byte> bytes, out string problem)
    {
        bool hasChecksum = bytes.Length >= 8 && BinaryPrimitives.ReadUInt16BigEndian(bytes[6..]) != 0;
        problem = bytes.Length < 8 || BinaryPrimitives.ReadUInt16BigEndian(bytes[4..]) != bytes.Length ? "the UDP header has a wrong length"
            : hasChecksum && !HasRightChecksum(packet, bytes) ? "the UDP checksum is wrong"
            : "";
        if (problem.Length > 0)
        {
            return false;
        }

        packet.SourcePort = BinaryPrimitives.ReadUInt16BigEndian(bytes);
        packet.DestinationPort = BinaryPrimitives.ReadUInt16BigEndian(bytes[2..]);
        packet.Payload = bytes[8..].ToArray();
        return true;
    }

    private static bool TryReadIcmp(ScriptPacket packet, ReadOnlySpan<byte> bytes, out string problem)
    {
        problem = bytes.Length < ScriptPacket.IcmpHeaderLength ? "the ICMP header is cut off"
            : !HasRightChecksum(packet, bytes) ? "the ICMP checksum is wrong"
            : "";
        if (problem.Length > 0)
        {
            return false;
        }

        packet.IcmpType = bytes[0];
        packet.IcmpCode = bytes[1];
        packet.IcmpRest = BinaryPrimitives.ReadUInt32BigEndian(bytes[4..]);
        packet.Payload = bytes[ScriptPacket.IcmpHeaderLength..].ToArray();
        return true;
    }
}

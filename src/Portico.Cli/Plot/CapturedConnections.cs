using Portico.Net;

namespace Portico.Cli;

/// <summary>Finds the TCP connections of a capture.</summary>
internal static class CapturedConnections
{
    private const int Ethernet = 1;
    private const int Raw = 101;
    private const int LinuxCooked = 113;
    private const int Null = 0;
    private const int LinuxCooked2 = 276;
    private const int RawBsd = 12;
    private const int Ipv4Only = 228;
    private const int Ipv6Only = 229;
    private const ushort Vlan = 0x8100;

    /// <summary>
    /// In the order in which they began. A connection that was recorded at several interfaces is one for each. What is no TCP, is cut off
    /// before its header ends, or is a fragment, is passed over.
    /// </summary>
    public static List<CapturedConnection> Find(CaptureFile capture)
    {
        List<CapturedConnection> connections = [];
        Dictionary<(int, Endpoint, Endpoint), CapturedConnection> open = [];
        long zero = capture.Packets.Count == 0 ? 0 : capture.Packets[0].Time;
        foreach (CapturedPacket packet in capture.Packets)
        {
            if (!TryFindTcp(packet, out Endpoint source, out Endpoint destination, out ReadOnlySpan<byte> segment, out int length)
                || !TcpHeader.TryParse(segment, out TcpHeader header))
            {
                continue;
            }

            source = source with { Port = header.SourcePort };
            destination = destination with { Port = header.DestinationPort };
            (int, Endpoint, Endpoint) key = (packet.Interface, source, destination);
            if (!open.TryGetValue(key, out CapturedConnection? connection) || connection.IsOver(source, header.Flags, header.Sequence))
            {
                connection = new CapturedConnection(connections.Count + 1, packet.Interface, source, destination, header.Flags);
                connections.Add(connection);
                open[key] = connection;
                open[(packet.Interface, destination, source)] = connection;
            }

            connection.Add(
                (packet.Time - zero) / 1e9, source, header, Math.Max(length - header.HeaderLength, 0), packet.Direction, packet.Comments);
        }

        return connections;
    }

    /// <summary>The segment as far as it was captured, and its length as the IP header has it. The ports are still 0.</summary>
    private static bool TryFindTcp(
        CapturedPacket packet, out Endpoint source, out Endpoint destination, out ReadOnlySpan<byte> segment, out int length)
    {
        (source, destination, length) = (default, default, 0);
        segment = default;
        ReadOnlySpan<byte> ip = WithoutLinkHeader(packet);
        if (ip.IsEmpty)
        {
            return false;
        }

        if (ip[0] >> 4 == 4 && ip.Length >= Ipv4Header.LengthMin)
        {
            // Not by Ipv4Header.TryParse: of a packet that was cut off only the first bytes are here.
            int headerLength = (ip[0] & 15) * 4;
            int total = (ip[2] << 8) | ip[3];
            bool isFragment = (((ip[6] << 8) | ip[7]) & (Ipv4Header.MoreFragmentsFlag | Ipv4Header.OffsetMask)) != 0;
            if (isFragment || ip[9] != (byte)IpProtocol.Tcp || headerLength < Ipv4Header.LengthMin || headerLength > ip.Length)
            {
                return false;
            }

            source = new Endpoint(IpAddress.ReadIpv4(ip[12..]), 0);
            destination = new Endpoint(IpAddress.ReadIpv4(ip[16..]), 0);
            segment = ip[headerLength..];
            length = (total == 0 ? ip.Length : total) - headerLength;
            return true;
        }

        if (ip[0] >> 4 != 6 || ip.Length < Ipv6Header.Length
            || !Ipv6ExtensionHeaders.TryWalk(ip, destinationIsMulticast: false, Ipv6WalkLimits.Default, out Ipv6Walk walk)
            || walk.Protocol != IpProtocol.Tcp)
        {
            return false;
        }

        int payload = (ip[4] << 8) | ip[5];
        source = new Endpoint(IpAddress.ReadIpv6(ip[8..]), 0);
        destination = new Endpoint(IpAddress.ReadIpv6(ip[24..]), 0);
        segment = ip[walk.Offset..];
        length = (payload == 0 ? ip.Length : payload + Ipv6Header.Length) - walk.Offset;
        return true;
    }

    private static ReadOnlySpan<byte> WithoutLinkHeader(CapturedPacket packet)
    {
        ReadOnlySpan<byte> bytes = packet.Bytes;
        int header = packet.LinkType switch
        {
            Raw or RawBsd or Ipv4Only or Ipv6Only => 0,
            Ethernet when bytes.Length > 14 => ((bytes[12] << 8) | bytes[13]) == Vlan ? 18 : 14,
            LinuxCooked => 16,
            LinuxCooked2 => 20,
            Null => 4,
            _ => int.MaxValue,
        };
        return header < bytes.Length ? bytes[header..] : default;
    }
}

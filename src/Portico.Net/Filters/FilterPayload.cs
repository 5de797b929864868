namespace Portico.Net;

/// <summary>SKF_AD_PAY_OFFSET: where the payload of the transport begins, in packets of IPv4 and IPv6.</summary>
internal static class FilterPayload
{
    private const int ExtensionHeadersMax = 8;
    private const int Gre = 47;

    /// <summary>The place; 0 where the packet is of another protocol, or too short.</summary>
    public static uint OffsetIn(scoped in FilterPacket packet)
    {
        int position = packet.NetworkPosition;
        bool isFound = packet.Protocol switch
        {
            EtherType.Ipv4 => TrySkipIpv4(packet, ref position, out uint protocol, out bool isWhole) && TrySkipTransport(packet, ref position, protocol, isWhole),
            EtherType.Ipv6 => TrySkipIpv6(packet, ref position, out uint protocol, out bool isWhole) && TrySkipTransport(packet, ref position, protocol, isWhole),
            _ => false,
        };
        return isFound ? (uint)position : 0;
    }

    private static bool TrySkipIpv4(scoped in FilterPacket packet, ref int position, out uint protocol, out bool isWhole)
    {
        isWhole = false;
        protocol = 0;
        if (!packet.TryReadAt(position, 1, out uint first) || !packet.TryReadAt(position + 6, 2, out uint fragment)
            || !packet.TryReadAt(position + 9, 1, out protocol) || (first & 0xF) < 5)
        {
            return false;
        }

        isWhole = (fragment & Ipv4Header.OffsetMask) == 0 && (fragment & Ipv4Header.MoreFragmentsFlag) == 0;
        position += (int)(first & 0xF) * 4;
        return true;
    }

    private static bool TrySkipIpv6(scoped in FilterPacket packet, ref int position, out uint protocol, out bool isWhole)
    {
        isWhole = true;
        bool isThere = packet.TryReadAt(position + 6, 1, out protocol);
        position += Ipv6Header.Length;
        for (int i = 0; isThere && i < ExtensionHeadersMax; i++)
        {
            bool isFragment = protocol == (uint)IpProtocol.Ipv6Fragment;
            if (!isFragment && protocol is not ((uint)IpProtocol.HopByHop or (uint)IpProtocol.Ipv6Routing or (uint)IpProtocol.Ipv6DestinationOptions))
            {
                return true;
            }

            isWhole &= !isFragment;
            isThere = packet.TryReadAt(position + 1, 1, out uint length) && packet.TryReadAt(position, 1, out protocol);
            position += isFragment ? 8 : ((int)length + 1) * 8;
        }

        return false;
    }

    private static bool TrySkipTransport(scoped in FilterPacket packet, ref int position, uint protocol, bool isWhole)
    {
        const int TcpBytesMin = 20;
        const int ShortHeaderBytes = 8;
        if (!isWhole)
        {
            return true;
        }

        switch ((IpProtocol)protocol)
        {
            case IpProtocol.Tcp:
                if (packet.TryReadAt(position + 12, 1, out uint offset))
                {
                    position += Math.Max(TcpBytesMin, (int)(offset & 0xF0) / 4);
                }

                return true;
            case IpProtocol.Udp or IpProtocol.Icmp or IpProtocol.Icmpv6 or IpProtocol.Igmp:
                position += ShortHeaderBytes;
                return true;
            default:
                return protocol != Gre;
        }
    }
}

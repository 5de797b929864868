namespace Portico.Net;

// Whether a packet's addresses may appear where they did (RFC 1122 3.2.1.3, RFC 6890), and whether it is for this host. Stricter than
// Linux, which answers sources in 240/4.
public sealed unsafe partial class IpLayer
{
    private bool CheckSource(Packet packet, in IpInfo info, MibTable<IpCounter> mib)
    {
        NetworkInterface input = info.Interface;
        if (input.IsLoopback)
        {
            return true;
        }

        IpCounter reason;
        if (IsMartianSource(info))
        {
            reason = IpCounter.DropMartianSource;
        }
        else if (IsOwnUnicast(info.Source) && !Options.accept_local)
        {
            reason = IpCounter.DropOwnSource;
        }
        else
        {
            if (!info.Source.IsUnspecified)
            {
                input.RememberGoodSource(info.Source, RouteGeneration);
            }

            return true;
        }

        Drop(packet, mib, IpCounter.InAddrErrors, reason);
        return false;
    }

    private bool IsMartianSource(in IpInfo info)
    {
        IpAddress source = info.Source;
        if (!source.IsIpv4)
        {
            // An unspecified source is how a host without an address speaks: ND and MLD only, which check the rest.
            bool isNeighbourDiscovery = info.Protocol is IpProtocol.Icmpv6 or IpProtocol.HopByHop;
            return source.IsMulticast || source.IsLoopback || (source.IsUnspecified && !isNeighbourDiscovery);
        }

        uint value = source.Ipv4Value;
        if (value == 0)
        {
            // 0.0.0.0 is a host that asks for its address (DHCP) or joins a group (IGMP): to groups and broadcast only.
            bool mayBeUnspecified = info.Protocol is IpProtocol.Udp or IpProtocol.Igmp;
            return !mayBeUnspecified || !(info.Destination.IsMulticast || info.Destination.IsLimitedBroadcast);
        }

        return value >> 24 is 0 or 127 or >= 224 || IsSubnetBroadcast(source);
    }

    private bool CheckDestination(Packet packet, ref IpInfo info, MibTable<IpCounter> mib)
    {
        NetworkInterface input = info.Interface;
        IpAddress destination = info.Destination;
        if (destination.IsLoopback && !input.IsLoopback)
        {
            Drop(packet, mib, IpCounter.InAddrErrors, IpCounter.DropMartianDestination);
            return false;
        }

        if (destination.IsMulticast)
        {
            info.IsMulticastOrBroadcast = true;
            mib[IpCounter.InMcastPkts]++;
            if (input.IsMemberOf(destination))
            {
                return true;
            }

            Drop(packet, mib, IpCounter.InAddrErrors, IpCounter.DropNotMember);
            return false;
        }

        if (IsOwnUnicast(destination))
        {
            if (!packet.IsLinkBroadcast)
            {
                input.RememberGoodDestination(destination, RouteGeneration);
            }
            else if (destination.IsIpv4)
            {
                // RFC 1122 3.3.6: a unicast packet in a broadcast frame is discarded.
                Drop(packet, mib, IpCounter.InDiscards, IpCounter.DropMartianDestination);
                return false;
            }

            return true;
        }

        if (destination.IsLimitedBroadcast || IsSubnetBroadcast(destination))
        {
            info.IsMulticastOrBroadcast = true;
            mib[IpCounter.InBcastPkts]++;
            return true;
        }

        if (destination.IsUnspecified || (destination.IsIpv4 && destination.Ipv4Value >> 24 is 0 or >= 240))
        {
            Drop(packet, mib, IpCounter.InAddrErrors, IpCounter.DropMartianDestination);
            return false;
        }

        if (input.AcceptsAnyAddress)
        {
            input.RememberGoodDestination(destination, RouteGeneration);
            return true;
        }

        Forward(packet, info, mib);
        return false;
    }
}

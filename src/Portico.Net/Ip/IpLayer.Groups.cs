namespace Portico.Net;

// Groups and broadcasts: who is a member, and the copy of what this host sends that its own members get.
public sealed unsafe partial class IpLayer
{
    private bool IsMember(in IpAddress group)
    {
        foreach (NetworkInterface candidate in _stack.InterfaceList)
        {
            if (candidate.IsMemberOf(group))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Hands a packet that this host sent to a group or broadcast address back in (IP_MULTICAST_LOOP, RFC 1112 6.1).</summary>
    private void LoopBackGroupPacket(Packet packet, in RouteCache route, in IpSend send)
    {
        MibTable<IpCounter> mib = CountersOf(send.Destination);
        mib[route.IsMulticast ? IpCounter.OutMcastPkts : IpCounter.OutBcastPkts]++;
        NetworkInterface? output = InterfaceAt(route.InterfaceIndex);
        bool isWanted = output is { IsLoopback: false, IsUp: true }
            && (route.IsBroadcast || (!send.NoMulticastLoop && output.IsMemberOf(send.Destination)));
        if (!isWanted)
        {
            return;
        }

        Packet? copy = _stack.Engine.Packets.Clone(packet);
        if (copy == null)
        {
            mib[IpCounter.DropNoMemory]++;
            return;
        }

        _stack.Engine.Post(output!.OwnPackets, copy);
    }

    /// <summary>The way in for packets that this host has sent itself: their source address is its own.</summary>
    internal void HandleOwnPacket(Packet packet, NetworkInterface output)
    {
        if (packet.Linear[0] >> 4 == 4)
        {
            HandleIpv4(packet, output, true);
        }
        else
        {
            HandleIpv6(packet, output, true);
        }
    }
}

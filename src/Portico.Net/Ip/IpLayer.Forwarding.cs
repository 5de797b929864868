using System.Buffers.Binary;

namespace Portico.Net;

// Packets for others (RFC 1812, RFC 8200 3), where net.ipv4.ip_forward or its IPv6 sister is on.
public sealed unsafe partial class IpLayer
{
    private void Forward(Packet packet, in IpInfo info, MibTable<IpCounter> mib)
    {
        bool isIpv4 = info.Destination.IsIpv4;
        if (!(isIpv4 ? Options.ip_forward : Options.ip6_forward))
        {
            Drop(packet, mib, IpCounter.InAddrErrors, IpCounter.DropNotForUs);
            return;
        }

        if (isIpv4 && AsksForAttention(packet) && TryShowRouter(packet, info))
        {
            packet.Release();
            return;
        }

        if (packet.IsLinkBroadcast || info.Destination.IsLinkLocal || info.Source.IsUnspecified
            || (isIpv4 && info.Source.IsLinkLocal) || info.Interface.IsLoopback)
        {
            Drop(packet, mib, IpCounter.InAddrErrors, IpCounter.DropNotForwardable);
            return;
        }

        if (info.Source.IsLinkLocal)
        {
            // RFC 4443 3.1: code 2.
            Refuse(packet, info, mib, IcmpErrorKind.BeyondScope, 0, IpCounter.InAddrErrors, IpCounter.DropNotForwardable);
            return;
        }

        if (info.HopLimit <= 1)
        {
            Refuse(packet, info, mib, IcmpErrorKind.HopLimitExceeded, 0, IpCounter.InHdrErrors, IpCounter.DropTtlExpired);
            return;
        }

        Errno error = FindRoute(IpAddress.AnyIpv6, info.Destination, 0, out RouteCache route);
        switch (error)
        {
            case Errno.None:
                break;
            case Errno.EINVAL:
                Drop(packet, mib, IpCounter.InNoRoutes, IpCounter.DropNotForwardable);
                return;
            default:
                IcmpErrorKind kind = error switch
                {
                    Errno.EHOSTUNREACH => IcmpErrorKind.HostUnreachable,
                    Errno.EACCES => IcmpErrorKind.Prohibited,
                    _ => IcmpErrorKind.NetworkUnreachable,
                };
                Refuse(packet, info, mib, kind, 0, IpCounter.InNoRoutes, IpCounter.OutNoRoutes);
                return;
        }

        if (route.NextHop == info.Source || route.IsBroadcast || route.IsLocal)
        {
            // Back to where it came from would only go round in circles; RFC 2644: no directed broadcasts.
            Drop(packet, mib, IpCounter.InAddrErrors, IpCounter.DropNotForwardable);
            return;
        }

        // Linux: ip_forward_use_pmtu is off, as anybody can forge reports about paths that are not this host's own.
        route.PathMtu = InterfaceAt(route.InterfaceIndex)!.Mtu;
        int segmentLength = packet.GsoSize == 0 ? packet.Length : Math.Min(packet.Length, packet.GsoSize + GsoHeaderBytes(packet, info));
        bool isTooBig = segmentLength > route.PathMtu;
        bool mayFragment = isIpv4 && packet.GsoSize == 0 && (packet.Linear[6] & 0x40) == 0;
        if (isTooBig && !mayFragment)
        {
            mib[IpCounter.FragFails]++;
            Refuse(packet, info, mib, IcmpErrorKind.PacketTooBig, route.PathMtu, IpCounter.InTooBigErrors, IpCounter.DropTooBig);
            return;
        }

        DecrementHopLimit(packet, isIpv4);
        packet.TransportOffset = packet.Start + (isIpv4 ? (packet.Linear[0] & 0xF) * 4 : Ipv6HeaderBytes);
        mib[IpCounter.OutForwDatagrams]++;
        mib[IpCounter.OutTransmits]++;
        mib[IpCounter.OutOctets] += packet.Length;
        if (isTooBig)
        {
            SendIpv4Fragments(packet, route);
        }
        else
        {
            Transmit(packet, route);
        }
    }

    /// <summary>Whether a packet has the Router Alert option (RFC 2113); what came with options has been checked.</summary>
    private static bool AsksForAttention(Packet packet)
    {
        int length = (packet.Linear[0] & 0xF) * 4;
        return length > Ipv4HeaderBytes && Ipv4Options.Parse(packet.Linear[Ipv4HeaderBytes..length], out Ipv4Options options) && options.HasRouterAlert;
    }

    /// <summary>Shows a packet to the sockets that want such packets. Fragments go on: only who has the whole can tell what it is.</summary>
    private bool TryShowRouter(Packet packet, in IpInfo info)
    {
        const int FragmentBits = 0x3FFF;
        int length = (packet.Linear[0] & 0xF) * 4;
        if ((BinaryPrimitives.ReadUInt16BigEndian(packet.Linear[6..]) & FragmentBits) != 0)
        {
            return false;
        }

        packet.Pull(length);
        packet.TransportOffset = packet.Start;
        bool isTaken = _stack.Raw.OnRouterAlert(packet, info);
        packet.Push(length);
        return isTaken;
    }

    private static void DecrementHopLimit(Packet packet, bool isIpv4)
    {
        if (isIpv4)
        {
            Ipv4Header.DecrementTtl(packet.Linear);
        }
        else
        {
            packet.Linear[7]--;
        }
    }

    private static int GsoHeaderBytes(Packet packet, in IpInfo info)
    {
        int network = info.Destination.IsIpv4 ? (packet.Linear[0] & 0xF) * 4 : Ipv6HeaderBytes;
        if (info.Protocol == IpProtocol.Udp)
        {
            return network + UdpHeader.Length;
        }

        return packet.EnsureLinear(network + TcpHeader.LengthMin) ? network + ((packet.Linear[network + 12] >> 4) * 4) : PacketBytesMax;
    }

    private void Refuse(
        Packet packet, in IpInfo info, MibTable<IpCounter> mib, IcmpErrorKind kind, int parameter, IpCounter counter, IpCounter reason)
    {
        _stack.Icmp.SendError(packet, info, kind, parameter);
        Drop(packet, mib, counter, reason);
    }
}

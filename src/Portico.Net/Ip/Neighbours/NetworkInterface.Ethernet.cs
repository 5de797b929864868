namespace Portico.Net;

// What an interface on an Ethernet link has in addition: frames, neighbours, address configuration.
public sealed partial class NetworkInterface
{
    /// <summary>Its neighbours; null where the link has no link-layer addresses.</summary>
    public NeighbourTable? Neighbours { get; private set; }

    /// <summary>How it gets its addresses, apart from those given by hand; null where the link has no link-layer addresses.</summary>
    public AddressConfiguration? Configuration { get; private set; }

    /// <summary>What a router said; 0 where none did.</summary>
    internal int AdvertisedMtu { get; private set; }

    /// <summary>What a router said; 0 where none did.</summary>
    internal byte AdvertisedHopLimit { get; private set; }

    /// <summary>The largest IPv6 packet: what routers on the link say, never above <see cref="Mtu"/>.</summary>
    public int Ipv6Mtu => AdvertisedMtu == 0 ? _mtu : Math.Min(AdvertisedMtu, _mtu);

    /// <summary>The hop limit of IPv6 packets whose sender does not care: what routers on the link say, or the stack's.</summary>
    internal byte Ipv6HopLimit => AdvertisedHopLimit == 0 ? Stack.Ip.Options.ip_default_ttl : AdvertisedHopLimit;

    /// <summary>What a router said (RFC 4861 6.3.4); 0 leaves it to the link and the stack.</summary>
    internal void SetAdvertised(int mtu, byte hopLimit)
    {
        if (mtu != AdvertisedMtu)
        {
            AdvertisedMtu = mtu;
            Stack.Ip.BumpRouteGeneration();
        }

        AdvertisedHopLimit = hopLimit;
    }

    private void InitializeEthernet()
    {
        if (Link.Kind == LinkKind.Ethernet)
        {
            Neighbours = new NeighbourTable(this);
            Configuration = new AddressConfiguration(this, Neighbours);
        }
    }

    private void HandleEthernetFrame(Packet packet)
    {
        if (!packet.EnsureLinear(EthernetHeader.Length) || !EthernetHeader.TryParse(packet.Linear, out EthernetHeader header))
        {
            DropFrame(packet, NeighbourCounter.FrameTooShort);
            return;
        }

        MacAddress destination = header.Destination;
        ushort type = header.EtherType;
        if (destination != Link.Address)
        {
            if (!destination.IsGroup)
            {
                DropFrame(packet, NeighbourCounter.FrameOtherHost);
                return;
            }

            packet.IsLinkBroadcast = true;
        }

        packet.Pull(EthernetHeader.Length);
        switch (type)
        {
            case EtherType.Ipv4:
                Stack.Ip.HandleIpv4(packet, this);
                break;
            case EtherType.Ipv6:
                Stack.Ip.HandleIpv6(packet, this);
                break;
            case EtherType.Arp when Neighbours != null:
                Neighbours.HandleArp(packet);
                break;
            default:
                DropFrame(packet, NeighbourCounter.FrameUnknownType);
                break;
        }
    }

    private void DropFrame(Packet packet, NeighbourCounter reason)
    {
        if (Neighbours != null)
        {
            Neighbours.Counters[reason]++;
        }

        packet.Release();
    }

    /// <summary>
    /// A frame that a packet socket has sent on lo, which carries IP packets only: it comes back in with its header. Takes ownership.
    /// </summary>
    internal void TransmitFrameToSelf(Packet packet)
    {
        SentPackets++;
        SentBytes += packet.Length;
        Stack.Engine.Post(_ownFrames, packet);
    }

    private void HandleOwnFrame(Packet packet)
    {
        ReceivedPackets++;
        ReceivedBytes += packet.Length;
        if (IsTapped)
        {
            Stack.PacketSockets.OnOwnFrame(packet, this);
        }

        ReadOnlySpan<byte> ip = packet.Linear[EthernetHeader.Length..];
        if (!IsUp || (Ipv4Header.TryParse(ip, out Ipv4Header header) && (header.Destination.IsLoopback || Stack.Ip.IsOwnUnicast(header.Source))))
        {
            // What comes from a link may have neither (martians, in Linux), and nobody knows that this has come from here.
            IpLayer.Discard(packet, Stack.Ip.Ipv4Counters, IpCounter.InAddrErrors, IpCounter.DropMartianDestination);
            return;
        }

        HandleEthernetFrame(packet);
    }

    private void TransmitEthernet(Packet packet, in IpAddress nextHop)
    {
        if (Neighbours!.TryResolve(nextHop, out MacAddress destination))
        {
            TransmitResolved(packet, destination);
        }
        else
        {
            Neighbours.ResolveAndSend(packet, nextHop);
        }
    }

    /// <summary>Sends a packet that begins with its IP header to a link-layer address. Takes ownership.</summary>
    internal void TransmitResolved(Packet packet, MacAddress destination)
    {
        if (packet.HeadroomLeft < EthernetHeader.Length && !TryMakeHeadroom(ref packet))
        {
            return;
        }

        ushort type = packet.Linear[0] >> 4 == 4 ? EtherType.Ipv4 : EtherType.Ipv6;
        EthernetHeader.Write(packet.Push(EthernetHeader.Length), destination, Link.Address, type);
        Transmit(packet);
    }

    /// <summary>
    /// A packet that came from a link without headers, and is forwarded to one with, may begin too close to its memory's start.
    /// </summary>
    private bool TryMakeHeadroom(ref Packet packet)
    {
        Packet? moved = Stack.Engine.Packets.Clone(packet);
        packet.Release();
        if (moved == null)
        {
            Neighbours!.Counters[NeighbourCounter.NoMemory]++;
            return false;
        }

        packet = moved;
        return true;
    }

    /// <summary>Whether packets to the address are this interface's, and it answers for it.</summary>
    internal bool IsOwnUsable(in IpAddress address) => FindAddress(address) is { IsUsable: true };

    /// <summary>Whether the address is on a network that the interface has an address on.</summary>
    internal bool IsOnLink(in IpAddress address)
    {
        foreach (InterfaceAddress own in _addresses)
        {
            if (own.IsUsable && own.Prefix.Contains(address))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Whether the address is the directed broadcast address of a network that the interface is on.</summary>
    internal bool IsBroadcast(in IpAddress address) => address.IsIpv4 && Stack.Ip.IsSubnetBroadcast(address);

    /// <summary>A Neighbor Discovery message with a right checksum, from its ICMPv6 header on. Takes ownership.</summary>
    internal void HandleNeighbourDiscovery(Packet packet, in IpInfo info)
    {
        if (Neighbours == null)
        {
            packet.Release();
            return;
        }

        Neighbours.HandleNeighbourDiscovery(packet, info);
    }

    /// <summary>
    /// Neighbours ask for an address in its solicited-node group, which must be joined even while it is tentative (RFC 4862 5.4.2).
    /// </summary>
    private void JoinSolicitedNode(in IpAddress address)
    {
        if (Neighbours != null && !address.IsIpv4)
        {
            Multicast.Join(NeighbourDiscovery.SolicitedNode(address));
        }
    }

    private void LeaveSolicitedNode(in IpAddress address)
    {
        if (Neighbours != null && !address.IsIpv4)
        {
            Multicast.Leave(NeighbourDiscovery.SolicitedNode(address));
        }
    }

    /// <summary>
    /// An own address to solicit from: of the target's network if there is one, for IPv6 else a link-local one, else any.
    /// </summary>
    internal bool TrySelectNeighbourSource(in IpAddress target, out IpAddress source)
    {
        InterfaceAddress? best = null;
        foreach (InterfaceAddress own in _addresses)
        {
            if (!own.IsUsable || own.Address.IsIpv4 != target.IsIpv4)
            {
                continue;
            }

            if (own.Prefix.Contains(target))
            {
                best = own;
                break;
            }

            if (best == null || (own.Address.IsLinkLocal && !best.Address.IsLinkLocal))
            {
                best = own;
            }
        }

        source = best?.Address ?? default;
        return best != null;
    }
}

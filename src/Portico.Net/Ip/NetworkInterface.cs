namespace Portico.Net;

/// <summary>A network interface of a stack: a link with addresses.</summary>
public sealed partial class NetworkInterface : ILinkClient
{
    private readonly List<InterfaceAddress> _addresses = [];
    private readonly bool _hasNoHeader;
    private LinkFeatures _features;
    private int _mtu;
    private bool _isUp = true;
    private bool _acceptsAnyAddress;
    private readonly ILinkClient _ownFrames;

    // The last destination and source that the full checks let through on this interface, valid for one route generation.
    private IpAddress _goodDestination;
    private IpAddress _goodSource;
    private uint _goodDestinationGeneration;
    private uint _goodSourceGeneration;

    internal NetworkInterface(NetworkStack stack, string name, int index, ILink link)
    {
        Stack = stack;
        Name = name;
        Index = index;
        Link = link;
        _mtu = Math.Max(link.Mtu, IpLayer.Ipv4MtuMin);
        _features = link.Features;
        _hasNoHeader = link.Kind == LinkKind.Ip;
        IsLoopback = index == 1;
        Multicast = new MulticastMembership(this);
        InitializeEthernet();
        OwnPackets = new OwnPacketInput(this);
        _ownFrames = new OwnFrameInput(this);
        link.Attach(this);
    }

    private sealed class OwnPacketInput(NetworkInterface owner) : ILinkClient
    {
        public void HandleFrame(Packet packet) => owner.Stack.Ip.HandleOwnPacket(packet, owner);
    }

    private sealed class OwnFrameInput(NetworkInterface owner) : ILinkClient
    {
        public void HandleFrame(Packet packet) => owner.HandleOwnFrame(packet);
    }

    /// <summary>The stack it belongs to.</summary>
    public NetworkStack Stack { get; }

    /// <summary>Its name, as in <c>ip link</c>.</summary>
    public string Name { get; }

    /// <summary>Its index; stays the same for its life and is not used again. lo has 1.</summary>
    public int Index { get; }

    /// <summary>What it sends through.</summary>
    public ILink Link { get; }

    /// <summary>Whether this is lo.</summary>
    public bool IsLoopback { get; }

    /// <summary>Whether a packet socket listens to its link.</summary>
    internal bool IsTapped { get; set; }

    /// <summary>The type of its link (ARPHRD_*): <see cref="Portico.Net.HardwareType"/>.</summary>
    public ushort HardwareType => IsLoopback ? Net.HardwareType.Loopback : Link.Kind == LinkKind.Ethernet ? Net.HardwareType.Ethernet : Net.HardwareType.None;

    /// <summary>Bytes of its link-layer address: 6, or 0 where the link has none. lo has one, which is 0.</summary>
    public byte AddressLength => HardwareType == Net.HardwareType.None ? (byte)0 : (byte)6;

    /// <summary>Bytes of the header that frames of its link have for packet sockets.</summary>
    internal int HeaderBytes => HardwareType == Net.HardwareType.None ? 0 : EthernetHeader.Length;

    /// <summary>Where copies of what this host sends to groups come back in.</summary>
    internal ILinkClient OwnPackets { get; }

    /// <summary>What its link does for it.</summary>
    internal LinkFeatures Features => _features;

    /// <summary>Packets that came in on its link, those that were dropped later included; a packet larger than the MTU is one.</summary>
    public long ReceivedPackets { get; private set; }

    /// <summary>Their bytes, with the link's header.</summary>
    public long ReceivedBytes { get; private set; }

    /// <summary>Packets that it has sent through its link.</summary>
    public long SentPackets { get; private set; }

    /// <summary>Their bytes, with the link's header.</summary>
    public long SentBytes { get; private set; }

    /// <summary>Asks the link again what it does for its sender, after it was told to do more or less.</summary>
    public void UpdateFeatures() => _features = Link.Features;

    /// <summary>The largest IP packet; never above the link's, at least 68.</summary>
    public int Mtu
    {
        get => _mtu;
        set
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(value, IpLayer.Ipv4MtuMin);
            _mtu = Math.Min(value, Link.Mtu);
            Stack.Ip.BumpRouteGeneration();
        }
    }

    /// <summary>Whether it sends and receives (IFF_UP).</summary>
    public bool IsUp
    {
        get => _isUp;
        set
        {
            bool comesUp = value && !_isUp;
            _isUp = value;
            if (!value)
            {
                Neighbours?.Clear();
                Stack.PacketSockets.OnDown(this);
            }

            Stack.Ip.BumpRouteGeneration();
            if (comesUp)
            {
                Multicast.ReportAgain();
            }
        }
    }

    /// <summary>
    /// Takes packets for any destination address as its own, and lets sockets send from any source, as a gateway's interface does
    /// that answers for the whole internet (<c>portico run</c>).
    /// </summary>
    public bool AcceptsAnyAddress
    {
        get => _acceptsAnyAddress;
        set
        {
            Stack.Ip.ChangeAcceptsAny(_acceptsAnyAddress, value);
            _acceptsAnyAddress = value;
        }
    }

    /// <summary>The groups that it is a member of.</summary>
    public MulticastMembership Multicast { get; }

    /// <summary>Its addresses, in the order in which they were added.</summary>
    public IReadOnlyList<InterfaceAddress> Addresses => _addresses;

    /// <summary>The same, to walk without allocating an enumerator.</summary>
    internal List<InterfaceAddress> AddressList => _addresses;

    /// <summary>
    /// Gives the interface an address, usable at once, and a route to the network of the prefix. Errors: EEXIST, EINVAL for an address
    /// that no host can have (multicast, unspecified, broadcast).
    /// </summary>
    public Errno AddAddress(IpPrefix prefix) => AddAddress(prefix, AddressState.Preferred, true, out _);

    internal Errno AddAddress(IpPrefix prefix, AddressState state, bool addPrefixRoute, out InterfaceAddress? added)
    {
        added = null;
        IpAddress address = prefix.Address;
        if (address.IsMulticast || address.IsUnspecified || address.IsLimitedBroadcast || prefix.Length < 0
            || prefix.Length > (address.IsIpv4 ? 32 : 128))
        {
            return Errno.EINVAL;
        }

        if (FindAddress(address) != null)
        {
            return Errno.EEXIST;
        }

        bool hasRoute = addPrefixRoute && !IsLoopback && prefix.Length < (address.IsIpv4 ? 32 : 128);
        added = new InterfaceAddress(this, prefix) { State = state, HasPrefixRoute = hasRoute };
        _addresses.Add(added);
        JoinSolicitedNode(address);
        if (hasRoute)
        {
            Stack.Ip.Routes.Add(ConnectedRoute(added));
        }

        Stack.Ip.RebuildLocalAddresses();
        return Errno.None;
    }

    /// <summary>Takes an address away, with its connected route unless another address needs that. Errors: EADDRNOTAVAIL.</summary>
    public Errno RemoveAddress(IpAddress address)
    {
        InterfaceAddress? removed = FindAddress(address);
        if (removed == null)
        {
            return Errno.EADDRNOTAVAIL;
        }

        _addresses.Remove(removed);
        LeaveSolicitedNode(address);
        if (removed.HasPrefixRoute && !HasPrefixRoute(removed.Prefix.Network))
        {
            Stack.Ip.Routes.Remove(ConnectedRoute(removed));
        }

        Stack.Ip.RebuildLocalAddresses();
        return Errno.None;
    }

    /// <summary>The interface's own record of an address; null if it does not have it.</summary>
    public InterfaceAddress? FindAddress(IpAddress address)
    {
        foreach (InterfaceAddress own in _addresses)
        {
            if (own.Address == address)
            {
                return own;
            }
        }

        return null;
    }

    internal void SetAddressState(InterfaceAddress address, AddressState state)
    {
        address.State = state;
        Stack.Ip.RebuildLocalAddresses();
    }

    /// <inheritdoc/>
    public void HandleFrame(Packet packet)
    {
        ArgumentNullException.ThrowIfNull(packet);
        ReceivedPackets++;
        ReceivedBytes += packet.Length;
        if (!_isUp)
        {
            Stack.Ip.Ipv4Counters[IpCounter.DropInterfaceDown]++;
            packet.Release();
            return;
        }

        if (IsTapped)
        {
            Stack.PacketSockets.OnReceived(packet, this);
        }

        if (_hasNoHeader)
        {
            HandleIpPacket(packet);
        }
        else
        {
            HandleEthernetFrame(packet);
        }
    }

    /// <summary>Sends a packet that begins with its IP header to a neighbour on the link. Takes ownership.</summary>
    internal void TransmitTo(Packet packet, in IpAddress nextHop)
    {
        if (_hasNoHeader)
        {
            Transmit(packet);
            return;
        }

        TransmitEthernet(packet, nextHop);
    }

    /// <summary>Sends what begins as the link wants it, and counts it. Takes ownership.</summary>
    internal void Transmit(Packet packet)
    {
        SentPackets++;
        SentBytes += packet.Length;
        if (IsTapped)
        {
            Stack.PacketSockets.OnSent(packet, this);
        }

        if (packet.Stamp.Client != null)
        {
            TransmitStamps.Tell(packet, this);
        }

        Link.Transmit(packet);
    }

    internal bool IsGoodDestination(in IpAddress destination, uint generation) =>
        _goodDestinationGeneration == generation && _goodDestination == destination;

    internal void RememberGoodDestination(in IpAddress destination, uint generation)
    {
        _goodDestination = destination;
        _goodDestinationGeneration = generation;
    }

    internal bool IsGoodSource(in IpAddress source, uint generation) => _goodSourceGeneration == generation && _goodSource == source;

    internal void RememberGoodSource(in IpAddress source, uint generation)
    {
        _goodSource = source;
        _goodSourceGeneration = generation;
    }

    internal void Dismantle()
    {
        _isUp = false;
        AcceptsAnyAddress = false;
        Configuration?.Stop();
        Neighbours?.Clear();
        _addresses.Clear();
        Stack.Ip.Routes.RemoveWhere(route => route.InterfaceIndex == Index);
    }

    private void HandleIpPacket(Packet packet)
    {
        if (!packet.EnsureLinear(1))
        {
            Stack.Ip.DropBadHeader(packet, Stack.Ip.Ipv4Counters);
            return;
        }

        int version = packet.Linear[0] >> 4;
        if (version == 4)
        {
            Stack.Ip.HandleIpv4(packet, this);
        }
        else if (version == 6)
        {
            Stack.Ip.HandleIpv6(packet, this);
        }
        else
        {
            Stack.Ip.DropBadHeader(packet, Stack.Ip.Ipv4Counters);
        }
    }

    /// <summary>
    /// Whether packets to the group are this interface's: all hosts, the solicited-node groups of its addresses, and what was joined.
    /// </summary>
    internal bool IsMemberOf(in IpAddress group)
    {
        if (Multicast.IsMember(group))
        {
            return true;
        }

        // RFC 4291 2.7.1: ff02::1:ffXX:XXXX; a tentative address listens too (RFC 4862 5.4.2).
        if (group.High == 0xFF02_0000_0000_0000 && group.Low >> 24 == 0x1FF)
        {
            foreach (InterfaceAddress own in _addresses)
            {
                if (!own.Address.IsIpv4 && ((own.Address.Low ^ group.Low) & 0xFF_FFFF) == 0)
                {
                    return true;
                }
            }
        }

        return false;
    }

    /// <summary>A message of IGMP or MLD; begins with its header. Takes ownership.</summary>
    internal static void HandleGroupMembership(Packet packet, in IpInfo info)
    {
        if (info.Destination.IsIpv4)
        {
            MulticastMembership.HandleIgmp(packet, info);
        }
        else
        {
            MulticastMembership.HandleMld(packet, info);
        }
    }

    private Route ConnectedRoute(InterfaceAddress address) => new()
    {
        Destination = address.Prefix.Network,
        InterfaceIndex = Index,
        Metric = address.Address.IsIpv4 ? 0 : 256,
        IsConnected = true,
    };

    private bool HasPrefixRoute(IpPrefix network)
    {
        foreach (InterfaceAddress own in _addresses)
        {
            if (own.HasPrefixRoute && own.Prefix.Network == network)
            {
                return true;
            }
        }

        return false;
    }
}

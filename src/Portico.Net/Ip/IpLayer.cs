namespace Portico.Net;

/// <summary>
/// IP of one stack, both versions (read first: RFC 791, 1122 3, 8200). This file holds its state and what the transports ask of it;
/// input, output, fragments and forwarding are in the other parts.
/// </summary>
public sealed partial class IpLayer
{
    internal const int Ipv4MtuMin = 68;
    internal const int Ipv6MtuMin = 1280;
    internal const int Ipv4HeaderBytes = 20;
    internal const int Ipv6HeaderBytes = 40;
    internal const int PacketBytesMax = 65_535;

    private readonly NetworkStack _stack;
    private readonly Dictionary<IpAddress, LocalAddress> _localAddresses = [];
    private NetworkInterface?[] _interfaces = new NetworkInterface?[8];
    private int _acceptsAnyCount;

    // The route that was found last, and for what; valid for its generation.
    private RouteCache _foundLast;
    private IpAddress _foundLastDestination;
    private IpAddress _foundLastSource;
    private (int InterfaceIndex, bool IsOnLink) _foundLastFor;

    internal IpLayer(NetworkStack stack)
    {
        _stack = stack;
        Routes = new RouteTable(this);
        PathMtus = new PathMtuTable(this, stack.Engine);
        Ipv4Fragments = new FragmentTable(this, stack.Engine, true);
        Ipv6Fragments = new FragmentTable(this, stack.Engine, false);
        _identificationKey = SipKey.From(stack.Engine.Random);
        for (int i = 0; i < _identifications.Length; i++)
        {
            _identifications[i] = (ushort)stack.Engine.Random.NextUInt32();
        }

    }

    /// <summary>What an address means to this host.</summary>
    private enum LocalKind : byte
    {
        None,
        Unicast,
        Broadcast,
    }

    private readonly record struct LocalAddress(LocalKind Kind, ushort InterfaceIndex);

    /// <summary>Settings, changeable at any time.</summary>
    public IpOptions Options { get; } = new();

    /// <summary>The routes.</summary>
    public RouteTable Routes { get; }

    internal PathMtuTable PathMtus { get; }

    /// <summary>Counters of IPv4 (Ip, IpExt).</summary>
    public MibTable<IpCounter> Ipv4Counters { get; } = new();

    /// <summary>Counters of IPv6 (Ip6).</summary>
    public MibTable<IpCounter> Ipv6Counters { get; } = new();

    /// <summary>Bumped whenever a cached route may be wrong. Never 0.</summary>
    internal uint RouteGeneration { get; private set; } = 1;

    internal int NextInterfaceIndex { get; private set; } = 1;

    internal void BumpRouteGeneration() => RouteGeneration = RouteGeneration == uint.MaxValue ? 1 : RouteGeneration + 1;

    /// <summary>The interface with that index; null if there is none (any more).</summary>
    internal NetworkInterface? InterfaceAt(int index) => (uint)index < (uint)_interfaces.Length ? _interfaces[index] : null;

    /// <summary>
    /// Finds the way to <paramref name="destination"/>: the longest matching prefix (through <paramref name="interfaceIndex"/> only,
    /// unless 0; <paramref name="isOnLink"/> through no gateway of IPv4). Errors: ENETUNREACH without a route, EINVAL where the source address is not the stack's, ENETDOWN.
    /// </summary>
    internal Errno FindRoute(in IpAddress source, in IpAddress destination, int interfaceIndex, out RouteCache route, bool isOnLink = false)
    {
        if (_foundLast.Generation == RouteGeneration && _foundLastDestination == destination && _foundLastSource == source
            && _foundLastFor == (interfaceIndex, isOnLink))
        {
            route = _foundLast;
            return Errno.None;
        }

        Errno error = LookUpRoute(source, destination, interfaceIndex, isOnLink, out route);
        if (error == Errno.None && !source.IsMulticast)
        {
            // A handshake asks twice: for the SYN-ACK and for the connection.
            _foundLast = route;
            _foundLastDestination = destination;
            _foundLastSource = source;
            _foundLastFor = (interfaceIndex, isOnLink);
        }

        return error;
    }

    private Errno LookUpRoute(in IpAddress source, in IpAddress destination, int interfaceIndex, bool isOnLink, out RouteCache route)
    {
        route = default;
        if (!source.IsUnspecified && !IsLocalAddress(source) && !(source.IsMulticast && IsMember(source)))
        {
            return Errno.EINVAL;
        }

        route.Generation = RouteGeneration;
        route.NextHop = destination;
        bool isKnown = _localAddresses.TryGetValue(destination, out LocalAddress own);
        if (isKnown ? own.Kind == LocalKind.Unicast : destination.IsLoopback)
        {
            NetworkInterface loopback = _stack.Loopback;
            route.IsLocal = true;
            route.InterfaceIndex = (ushort)loopback.Index;
            route.PathMtu = loopback.Mtu;
            return loopback.IsUp ? Errno.None : Errno.ENETUNREACH;
        }

        if (destination.IsUnspecified)
        {
            return Errno.ENETUNREACH;
        }

        NetworkInterface? bound = null;
        if (interfaceIndex != 0)
        {
            bound = InterfaceAt(interfaceIndex);
            if (bound is not { IsUp: true })
            {
                return bound == null ? Errno.ENODEV : Errno.ENETDOWN;
            }
        }

        route.IsMulticast = destination.IsMulticast;
        route.IsBroadcast = destination.IsLimitedBroadcast || (isKnown && own.Kind == LocalKind.Broadcast);
        bool isGroup = route.IsMulticast || destination.IsLimitedBroadcast;
        if (destination.IsLoopback)
        {
            // What is left of them is the broadcast address of lo, to which there is no route but lo itself.
            return Complete(ref route, _stack.Loopback, destination, 0);
        }

        if (isGroup && destination.IsIpv4 && bound == null)
        {
            // A source address says through which interface a group is meant, as in Linux and BSD.
            bound = InterfaceOf(source);
        }

        if (isGroup && bound is { IsLoopback: true } && !destination.IsIpv4)
        {
            // As in Linux, lo has no route to the groups of IPv6 unless somebody adds one.
            return Routes.Lookup(destination, bound.Index) == null ? Errno.ENETUNREACH : Complete(ref route, bound, destination, 0);
        }

        if (isGroup && bound != null)
        {
            return Complete(ref route, bound, destination, 0);
        }

        Route? found = Routes.Lookup(destination, interfaceIndex, isOnLink);
        if (found == null)
        {
            // Groups and link-local destinations need no route where only one link can be meant.
            NetworkInterface? fallback = bound ?? (isGroup || destination.IsLinkLocal ? FirstRealInterface(destination) : null);
            return fallback == null ? Errno.ENETUNREACH : Complete(ref route, fallback, destination, 0);
        }

        if (found.Kind != RouteKind.Unicast)
        {
            return found.Kind switch
            {
                RouteKind.Blackhole => Errno.EINVAL,
                RouteKind.Prohibit => Errno.EACCES,
                _ => Errno.EHOSTUNREACH,
            };
        }

        // A link-local destination is on the link, whatever the default route says.
        if (!isGroup && !found.Gateway.IsUnspecified && (destination.IsIpv4 || !destination.IsLinkLocal))
        {
            route.NextHop = found.Gateway;
        }

        return Complete(ref route, InterfaceAt(found.InterfaceIndex)!, destination, found.Mtu);
    }

    private Errno Complete(ref RouteCache route, NetworkInterface output, in IpAddress destination, int routeMtu)
    {
        int linkMtu = destination.IsIpv4 ? output.Mtu : output.Ipv6Mtu;
        int mtu = routeMtu > 0 ? Math.Min(routeMtu, linkMtu) : linkMtu;
        if (!destination.IsIpv4 && mtu < Ipv6MtuMin)
        {
            return Errno.ENETUNREACH;
        }

        route.InterfaceIndex = (ushort)output.Index;
        route.PathMtu = mtu;
        PathMtus.Limit(destination, ref route);
        return Errno.None;
    }

    /// <summary>
    /// Remembers the path MTU that an ICMP error reported. To be called by the transport once it has found the quoted packet to be one
    /// of its own (RFC 5927 7.2: for TCP, its sequence number in flight). The next <see cref="FindRoute"/> has the new PathMtu. True if
    /// that is news.
    /// </summary>
    internal bool LearnPathMtu(in IcmpErrorInfo error) =>
        error.Mtu >= 0 && !IsOwnUnicast(error.RemoteAddress) && PathMtus.Learn(error.RemoteAddress, error.Mtu);

    /// <summary>The interface that has the address; null where it is unspecified or no unicast address of the stack.</summary>
    private NetworkInterface? InterfaceOf(in IpAddress address) =>
        _localAddresses.TryGetValue(address, out LocalAddress local) && local.Kind == LocalKind.Unicast
            ? InterfaceAt(local.InterfaceIndex)
            : address.IsLoopback ? _stack.Loopback : null;

    private NetworkInterface? FirstRealInterface(in IpAddress destination)
    {
        foreach (NetworkInterface candidate in _stack.InterfaceList)
        {
            if (candidate is { IsLoopback: false, IsUp: true } && (destination.IsIpv4 ? !destination.IsMulticast : true))
            {
                return candidate;
            }
        }

        return null;
    }

    /// <summary>Whether the address is one of the stack's own (or loopback, or any address where an interface accepts all).</summary>
    public bool IsLocalAddress(in IpAddress address) =>
        IsOwnUnicast(address) || (_acceptsAnyCount > 0 && !address.IsMulticast && !address.IsLimitedBroadcast);

    /// <summary>Whether the address is the stack's own: assigned and usable, or loopback.</summary>
    internal bool IsOwnUnicast(in IpAddress address) =>
        _localAddresses.TryGetValue(address, out LocalAddress local) ? local.Kind == LocalKind.Unicast : address.IsLoopback;

    /// <summary>Whether the address is the directed broadcast address of a network that an interface is on.</summary>
    public bool IsSubnetBroadcast(in IpAddress address) =>
        _localAddresses.TryGetValue(address, out LocalAddress local) && local.Kind == LocalKind.Broadcast;

    internal void AddInterface(NetworkInterface added)
    {
        if (added.Index == _interfaces.Length)
        {
            Array.Resize(ref _interfaces, added.Index * 2);
        }

        _interfaces[added.Index] = added;
        NextInterfaceIndex++;
        BumpRouteGeneration();
    }

    internal void RemoveInterface(NetworkInterface removed)
    {
        _interfaces[removed.Index] = null;
        RebuildLocalAddresses();
    }

    internal void ChangeAcceptsAny(bool before, bool after)
    {
        _acceptsAnyCount += (after ? 1 : 0) - (before ? 1 : 0);
        BumpRouteGeneration();
    }

    /// <summary>
    /// Brings the table of own addresses up to date. Addresses change seldom, so it is made anew: an address on two interfaces, or one
    /// network's broadcast address that is another's host address, then needs no special care.
    /// </summary>
    internal void RebuildLocalAddresses()
    {
        _localAddresses.Clear();
        foreach (NetworkInterface owner in _stack.InterfaceList)
        {
            foreach (InterfaceAddress own in owner.AddressList)
            {
                if (own.IsUsable)
                {
                    _localAddresses[own.Address] = new LocalAddress(LocalKind.Unicast, (ushort)owner.Index);
                }
            }
        }

        foreach (NetworkInterface owner in _stack.InterfaceList)
        {
            foreach (InterfaceAddress own in owner.AddressList)
            {
                IpAddress broadcast = own.Prefix.Broadcast;
                if (own.IsUsable && own.Address.IsIpv4 && !broadcast.IsUnspecified)
                {
                    _localAddresses.TryAdd(broadcast, new LocalAddress(LocalKind.Broadcast, (ushort)owner.Index));
                }
            }
        }

        BumpRouteGeneration();
    }
}

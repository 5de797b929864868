using System.Numerics;

namespace Portico.Net;

/// <summary>What a route does with a packet (rtnetlink(7), rtm_type).</summary>
public enum RouteKind : byte
{
    /// <summary>Sends it on.</summary>
    Unicast,

    /// <summary>Drops it; the sender gets EINVAL, as from Linux.</summary>
    Blackhole,

    /// <summary>Refuses it with EHOSTUNREACH, or ICMP host unreachable where it was being forwarded.</summary>
    Unreachable,

    /// <summary>Refuses it with EACCES, or ICMP communication prohibited where it was being forwarded.</summary>
    Prohibit,
}

/// <summary>A way to a network.</summary>
public sealed record Route
{
    /// <summary>The network; length 0 makes it a default route.</summary>
    public required IpPrefix Destination { get; init; }

    /// <summary>The router; unspecified where the network is on the link.</summary>
    public IpAddress Gateway { get; init; }

    /// <summary>The outgoing interface.</summary>
    public int InterfaceIndex { get; init; }

    /// <summary>The smaller one wins among routes to the same network.</summary>
    public int Metric { get; init; }

    /// <summary>The source address for packets that have none; unspecified to leave it to RFC 6724.</summary>
    public IpAddress PreferredSource { get; init; }

    /// <summary>A limit on the path MTU; 0 for the interface's.</summary>
    public int Mtu { get; init; }

    /// <summary>The MSS that TCP announces; 0 for what the MTU leaves (advmss of ip-route(8)).</summary>
    public int AdvMss { get; init; }

    /// <summary>TCP's initial congestion window in segments; 0 for that of RFC 6928 (initcwnd).</summary>
    public int InitCwnd { get; init; }

    /// <summary>TCP's initial receive window in segments; 0 for what the buffer allows (initrwnd).</summary>
    public int InitRwnd { get; init; }

    /// <summary>What it does with a packet.</summary>
    public RouteKind Kind { get; init; }

    /// <summary>Whether it came with an address of the interface (proto kernel) and goes with it.</summary>
    public bool IsConnected { get; init; }

    /// <inheritdoc/>
    public override string ToString() =>
        $"{Destination}{(Gateway.IsUnspecified ? "" : $" via {Gateway}")} dev {InterfaceIndex} metric {Metric}";
}

/// <summary>
/// The routes of a stack. One hash table holds every network by prefix and length; a lookup tries the lengths that occur, longest
/// first, so its cost does not grow with the number of routes.
/// </summary>
public sealed class RouteTable
{
    private readonly List<Route> _routes = [];
    private readonly Dictionary<IpPrefix, Route[]> _byPrefix = [];
    private readonly int[] _ipv4LengthCounts = new int[33];
    private readonly int[] _ipv6LengthCounts = new int[129];
    private readonly IpLayer _ip;

    // Bit n says that there are routes of length n; IPv6 needs 129 bits.
    private ulong _ipv4Lengths;
    private UInt128 _ipv6Lengths;

    internal RouteTable(IpLayer ip) => _ip = ip;

    /// <summary>How many routes there may be; more are refused with ENOSPC (net.ipv6.route.max_size and its like).</summary>
    public int CountMax { get; set; } = 1 << 20;

    /// <summary>Routes that say something to TCP; where there are none nobody needs to look.</summary>
    private int _tcpRoutes;

    /// <summary>All routes, in the order in which they were added.</summary>
    public IReadOnlyList<Route> Routes => _routes;

    /// <summary>
    /// Adds a route. Errors: EEXIST for the same destination, metric, gateway and interface, EINVAL where the prefix has host bits
    /// set or the gateway is of the other family, ENODEV, ENOSPC.
    /// </summary>
    public Errno Add(Route route)
    {
        ArgumentNullException.ThrowIfNull(route);
        IpPrefix prefix = route.Destination;
        if (prefix.Length < 0 || prefix.Length > (prefix.Address.IsIpv4 ? 32 : 128) || prefix.Network != prefix
            || (!route.Gateway.IsUnspecified && route.Gateway.IsIpv4 != prefix.Address.IsIpv4))
        {
            return Errno.EINVAL;
        }

        if (route.Kind == RouteKind.Unicast && _ip.InterfaceAt(route.InterfaceIndex) == null)
        {
            return Errno.ENODEV;
        }

        if (_routes.Count >= CountMax)
        {
            return Errno.ENOSPC;
        }

        Route[] same = _byPrefix.GetValueOrDefault(prefix, []);
        int place = 0;
        foreach (Route other in same)
        {
            if (other.Metric == route.Metric && other.InterfaceIndex == route.InterfaceIndex && other.Gateway == route.Gateway)
            {
                return Errno.EEXIST;
            }

            place += other.Metric <= route.Metric ? 1 : 0;
        }

        _byPrefix[prefix] = [.. same.AsSpan(0, place), route, .. same.AsSpan(place)];
        _routes.Add(route);
        _tcpRoutes += SaysSomethingToTcp(route) ? 1 : 0;
        CountLength(prefix, 1);
        _ip.BumpRouteGeneration();
        return Errno.None;
    }

    /// <summary>Removes a route that <see cref="Routes"/> lists. Errors: ESRCH is reported as ENOENT.</summary>
    public Errno Remove(Route route)
    {
        ArgumentNullException.ThrowIfNull(route);
        int index = _routes.IndexOf(route);
        if (index < 0)
        {
            return Errno.ENOENT;
        }

        _routes.RemoveAt(index);
        Unhash(route);
        return Errno.None;
    }

    /// <summary>Removes every route that the predicate picks (through an interface, to a gateway that has gone, ...).</summary>
    public int RemoveWhere(Predicate<Route> predicate)
    {
        ArgumentNullException.ThrowIfNull(predicate);
        int kept = 0;
        int count = _routes.Count;
        for (int i = 0; i < count; i++)
        {
            if (predicate(_routes[i]))
            {
                Unhash(_routes[i]);
            }
            else
            {
                _routes[kept++] = _routes[i];
            }
        }

        _routes.RemoveRange(kept, count - kept);
        return count - kept;
    }

    /// <summary>
    /// The best route: the longest prefix, then the smallest metric, among those whose interface is up; of IPv4 among those without a gateway
    /// alone where <paramref name="isOnLink"/> (SO_DONTROUTE, RT_SCOPE_LINK).
    /// </summary>
    internal Route? Lookup(in IpAddress destination, int interfaceIndex, bool isOnLink = false) =>
        destination.IsIpv4 ? LookupIpv4(destination, interfaceIndex, isOnLink) : LookupIpv6(destination, interfaceIndex);

    /// <summary>The best route, if any route says something to TCP; else null.</summary>
    internal Route? LookupForTcp(in IpAddress destination, int interfaceIndex) => _tcpRoutes == 0 ? null : Lookup(destination, interfaceIndex);

    private static bool SaysSomethingToTcp(Route route) => (route.Mtu | route.AdvMss | route.InitCwnd | route.InitRwnd) != 0;

    private Route? LookupIpv4(in IpAddress destination, int interfaceIndex, bool isOnLink)
    {
        ulong lengths = _ipv4Lengths;
        while (lengths != 0)
        {
            int length = BitOperations.Log2(lengths);
            lengths &= ~(1UL << length);
            if (Pick(new IpPrefix(destination.Masked(length), length), interfaceIndex, isOnLink) is { } route)
            {
                return route;
            }
        }

        return null;
    }

    private Route? LookupIpv6(in IpAddress destination, int interfaceIndex)
    {
        if (_ipv6LengthCounts[128] > 0 && Pick(new IpPrefix(destination, 128), interfaceIndex) is { } host)
        {
            return host;
        }

        UInt128 lengths = _ipv6Lengths;
        while (lengths != UInt128.Zero)
        {
            int length = 127 - (int)UInt128.LeadingZeroCount(lengths);
            lengths &= ~(UInt128.One << length);
            if (Pick(new IpPrefix(destination.Masked(length), length), interfaceIndex) is { } route)
            {
                return route;
            }
        }

        return null;
    }

    private Route? Pick(in IpPrefix prefix, int interfaceIndex, bool isOnLink = false)
    {
        if (_byPrefix.TryGetValue(prefix, out Route[]? routes))
        {
            foreach (Route route in routes)
            {
                bool isUnicast = route.Kind == RouteKind.Unicast;
                bool usable = isUnicast ? _ip.InterfaceAt(route.InterfaceIndex) is { IsUp: true } && (!isOnLink || route.Gateway.IsUnspecified) : !isOnLink;
                if (usable && (interfaceIndex == 0 || interfaceIndex == route.InterfaceIndex || !isUnicast))
                {
                    return route;
                }
            }
        }

        return null;
    }

    private void Unhash(Route route)
    {
        Route[] same = _byPrefix[route.Destination];
        if (same.Length == 1)
        {
            _byPrefix.Remove(route.Destination);
        }
        else
        {
            int place = Array.IndexOf(same, route);
            _byPrefix[route.Destination] = [.. same.AsSpan(0, place), .. same.AsSpan(place + 1)];
        }

        _tcpRoutes -= SaysSomethingToTcp(route) ? 1 : 0;
        CountLength(route.Destination, -1);
        _ip.BumpRouteGeneration();
    }

    private void CountLength(in IpPrefix prefix, int change)
    {
        if (prefix.Address.IsIpv4)
        {
            ulong bit = 1UL << prefix.Length;
            _ipv4Lengths = (_ipv4LengthCounts[prefix.Length] += change) > 0 ? _ipv4Lengths | bit : _ipv4Lengths & ~bit;
        }
        else if ((_ipv6LengthCounts[prefix.Length] += change) >= 0 && prefix.Length < 128)
        {
            UInt128 bit = UInt128.One << prefix.Length;
            _ipv6Lengths = _ipv6LengthCounts[prefix.Length] > 0 ? _ipv6Lengths | bit : _ipv6Lengths & ~bit;
        }
    }
}

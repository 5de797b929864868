namespace Portico.Net;

/// <summary>STUB: owned by the ip helper.</summary>
public sealed class IpLayer
{
    private readonly NetworkStack _stack;

    internal IpLayer(NetworkStack stack) => _stack = stack;

    /// <summary>Bumped whenever a cached route may be wrong.</summary>
    internal uint RouteGeneration { get; private set; } = 1;

    /// <summary>
    /// Finds the way to <paramref name="destination"/>: the longest matching prefix (through <paramref name="interfaceIndex"/> only,
    /// unless 0). Errors: ENETUNREACH without a route, EINVAL where the source address is not the stack's, ENETDOWN.
    /// </summary>
    internal Errno FindRoute(in IpAddress source, in IpAddress destination, int interfaceIndex, out RouteCache route)
    {
        route = default;
        return Errno.ENETUNREACH;
    }

    /// <summary>Chooses a source address for a destination (RFC 6724 section 5), once the route is known.</summary>
    internal Errno SelectSource(in RouteCache route, in IpAddress destination, out IpAddress source)
    {
        source = default;
        return Errno.EADDRNOTAVAIL;
    }

    /// <summary>
    /// Pushes the IP header in front of the packet (whose linear part begins with the transport header at
    /// <see cref="Packet.TransportOffset"/>) and sends it, fragmenting or segmenting where the link needs it. Takes ownership.
    /// The caller has checked that the route is current.
    /// </summary>
    internal Errno Send(Packet packet, in RouteCache route, in IpSend send)
    {
        packet.Release();
        return Errno.ENETUNREACH;
    }

    /// <summary>Whether the address is one of the stack's own (or loopback, or any address where an interface accepts all).</summary>
    internal bool IsLocalAddress(in IpAddress address) => false;
}

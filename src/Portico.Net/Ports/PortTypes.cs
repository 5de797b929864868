namespace Portico.Net;

/// <summary>Which of Linux's bind-conflict rules a table follows.</summary>
internal enum PortRules
{
    /// <summary>SO_REUSEADDR shares a port with sockets that do not listen (inet_csk_bind_conflict).</summary>
    Tcp,

    /// <summary>SO_REUSEADDR on both sides shares a port without further condition (udp_lib_lport_inuse).</summary>
    Udp,
}

/// <summary>What bind(2) asks for.</summary>
internal struct PortBindRequest
{
    /// <summary>The address; unspecified for all of its family (:: also covers IPv4 unless <see cref="Ipv6Only"/>).</summary>
    public IpAddress Address;

    /// <summary>The port; 0 for one from net.ipv4.ip_local_port_range.</summary>
    public ushort Port;

    /// <summary>SO_REUSEADDR.</summary>
    public bool ReuseAddress;

    /// <summary>SO_REUSEPORT.</summary>
    public bool ReusePort;

    /// <summary>IPV6_V6ONLY.</summary>
    public bool Ipv6Only;

    /// <summary>SO_BINDTODEVICE; 0 for every interface.</summary>
    public int InterfaceIndex;

    /// <summary>IP_LOCAL_PORT_RANGE: the first port to pick from; 0 leaves it to net.ipv4.ip_local_port_range.</summary>
    public ushort RangeFirst;

    /// <summary>IP_LOCAL_PORT_RANGE: the last port to pick from; 0 leaves it to net.ipv4.ip_local_port_range.</summary>
    public ushort RangeLast;

    /// <summary>TCP: the binding is a listener from the start; see <see cref="PortTable.SetListening"/>.</summary>
    public bool IsListening;
}

/// <summary>A port that somebody holds; the default value stands for none.</summary>
internal readonly struct PortBinding
{
    internal PortBinding(int index, ushort port, ushort generation)
    {
        Index = index;
        Port = port;
        Generation = generation;
    }

    /// <summary>The port that was bound.</summary>
    public ushort Port { get; }

    /// <summary>Whether there is a binding at all.</summary>
    public bool IsBound => Index != 0;

    internal int Index { get; }

    internal ushort Generation { get; }
}

/// <summary>Tells whether a flow may use a port that other flows use too: that is, whether its 4-tuple is free.</summary>
internal interface IPortPredicate
{
    /// <summary>Whether the flow's 4-tuple with this local port is free.</summary>
    bool IsFree(ushort port);
}

/// <summary>
/// The ports that a stack picks by itself: net.ipv4.ip_local_port_range without net.ipv4.ip_local_reserved_ports.
/// </summary>
public sealed class LocalPortRange
{
    private readonly ulong[] _reserved = new ulong[65536 / 64];

    /// <summary>The first port of the range.</summary>
    public ushort First { get; private set; } = 32768;

    /// <summary>The last port of the range.</summary>
    public ushort Last { get; private set; } = 60999;

    internal int Count => Last - First + 1;

    internal ReadOnlySpan<ulong> ReservedBits => _reserved;

    /// <summary>Sets the range. Errors: EINVAL when it is empty or includes port 0.</summary>
    public Errno SetRange(ushort first, ushort last)
    {
        if (first == 0 || first > last)
        {
            return Errno.EINVAL;
        }

        First = first;
        Last = last;
        return Errno.None;
    }

    /// <summary>Keeps a port of the range from being picked (a bind that names it still succeeds), or allows it again.</summary>
    public void SetReserved(ushort port, bool reserved)
    {
        ulong bit = 1UL << (port & 63);
        _reserved[port >> 6] = reserved ? _reserved[port >> 6] | bit : _reserved[port >> 6] & ~bit;
    }

    /// <summary>Whether a port is kept from being picked.</summary>
    public bool IsReserved(ushort port) => (_reserved[port >> 6] & (1UL << (port & 63))) != 0;
}

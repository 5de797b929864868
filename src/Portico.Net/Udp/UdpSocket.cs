namespace Portico.Net;

/// <summary>A socket's membership of a group, with its own source filter.</summary>
internal sealed class UdpMembership
{
    public IpAddress Group;
    public NetworkInterface Interface = null!;
    public MulticastFilterMode Mode;
    public IpAddress[] Sources = [];

    /// <summary>Whether the socket wants datagrams of the group from this source (ip_mc_sf_allow).</summary>
    public bool Allows(in IpAddress source)
    {
        foreach (ref readonly IpAddress listed in Sources.AsSpan())
        {
            if (listed == source)
            {
                return Mode == MulticastFilterMode.Include;
            }
        }

        return Mode == MulticastFilterMode.Exclude;
    }
}

/// <summary>Options that a socket has once for each IP version.</summary>
internal struct UdpFamilyOptions
{
    /// <summary>-1 for the stack's default.</summary>
    public short HopLimit;
    public byte MulticastHopLimit;
    public byte TrafficClass;
    public bool MulticastLoop;
    public bool MulticastAll;
    public bool ReceiveErrors;
    public byte MtuDiscover;
    public int MulticastInterface;
    public int UnicastInterface;

    /// <summary>IPV6_MTU; 0 for the path's.</summary>
    public int FragmentMtu;

    public static UdpFamilyOptions Defaults => new()
    {
        HopLimit = -1,
        MulticastHopLimit = 1,
        MulticastLoop = true,
        MulticastAll = true,
        MtuDiscover = UdpLayer.MtuDiscoverWant,
    };
}

/// <summary>The state of one datagram socket. Objects are reused; the generation is odd while the socket is open.</summary>
internal sealed class UdpSocket(int index)
{
    public readonly int Index = index;
    public uint Generation;
    public int OwnerSlot;

    public bool IsIpv6;
    public bool Ipv6Only;
    public bool ReuseAddress;
    public bool ReusePort;
    public bool Broadcast;
    public bool NoChecksum;

    /// <summary>UDP_NO_CHECK6_TX and UDP_NO_CHECK6_RX.</summary>
    public bool SendsNoChecksum6;
    public bool TakesNoChecksum6;
    public bool TakesSegments;
    public bool DontRoute;

    /// <summary>IP_LOCAL_PORT_RANGE.</summary>
    public ushort RangeFirst;
    public ushort RangeLast;
    public bool IsReceiveShut;
    public bool IsSendShut;

    /// <summary>Named by bind, so that it survives a disconnect (SOCK_BINDADDR_LOCK and SOCK_BINDPORT_LOCK in Linux).</summary>
    public bool IsAddressBound;
    public bool IsPortBound;
    public bool IsConnected;
    public int InterfaceIndex;
    public UdpFamilyOptions Ipv4;
    public UdpFamilyOptions Ipv6;

    /// <summary>What it receives on; the source of what it sends is <see cref="SourceAddress"/>, which is never a group.</summary>
    public IpAddress LocalAddress;
    public IpAddress SourceAddress;
    public Endpoint Remote;
    public PortBinding Binding;

    // Place in the table of bound or of connected sockets.
    public bool IsHashed;
    public bool IsInFlowTable;
    public ulong Hash;
    public UdpSocket? HashNext;
    public UdpSocket? HashPrevious;

    /// <summary>The route of the last datagram, good for the same addresses and interface.</summary>
    public RouteCache Route;
    public IpAddress RouteDestination;
    public IpAddress RouteSource;
    public IpAddress RouteWantedSource;
    public int RouteInterface;
    public bool IsRouteOnLink;

    // Unread datagrams: indexes of UdpDatagramPool.
    public int ReceiveHead;
    public int ReceiveTail;
    public int ReceiveCount;
    public int ReceiveMemory;
    public int ReceiveMemoryMax;
    public int SendMemoryMax;
    public long Drops;

    public DatagramErrors Errors;

    /// <summary>SO_TIMESTAMPING, and the number that the next datagram gets whose time is told (Linux: sk_tskey).</summary>
    public TimestampingFlags Timestamping;
    public uint TimestampKey;
    public SocketFilter? Filter;

    public readonly List<UdpMembership> Memberships = [];

    public ref UdpFamilyOptions OptionsFor(in IpAddress address) => ref address.IsIpv4 ? ref Ipv4 : ref Ipv6;

    public ushort Port => Binding.Port;

    /// <summary>Back to what socket(2) gives; keeps the generation and what the collections have allocated.</summary>
    public void Reset(in UdpOpenRequest request, UdpOptions options)
    {
        IsIpv6 = request.IsIpv6;
        Ipv6Only = request.Ipv6Only;
        ReuseAddress = request.ReuseAddress;
        ReusePort = request.ReusePort;
        InterfaceIndex = request.InterfaceIndex;
        ReceiveMemoryMax = request.ReceiveBufferBytes > 0
            ? UdpLayer.BufferBytes(request.ReceiveBufferBytes, options.rmem_max)
            : options.rmem_default;
        SendMemoryMax = options.wmem_default;
        RangeFirst = RangeLast = 0;
        Broadcast = NoChecksum = SendsNoChecksum6 = TakesNoChecksum6 = TakesSegments = DontRoute = IsReceiveShut = IsSendShut = IsAddressBound = IsPortBound = IsConnected = false;
        Ipv4 = UdpFamilyOptions.Defaults;
        Ipv6 = UdpFamilyOptions.Defaults;
        LocalAddress = SourceAddress = Any;
        Remote = default;
        Binding = default;
        Route = default;
        Drops = 0;
        Errors = default;
        Timestamping = default;
        Filter = null;
    }

    public IpAddress Any => IsIpv6 ? IpAddress.AnyIpv6 : IpAddress.AnyIpv4;

    /// <summary>Whether the socket takes a group's datagram that came in on an interface.</summary>
    public bool Wants(in IpAddress group, NetworkInterface input, in IpAddress source)
    {
        if (!group.IsMulticast)
        {
            return true;
        }

        foreach (UdpMembership membership in Memberships)
        {
            if (membership.Group == group && membership.Interface == input)
            {
                return membership.Allows(source);
            }
        }

        return OptionsFor(group).MulticastAll;
    }
}

using Portico.Net;

namespace Portico.Kernel;

/// <summary>The options of the levels IPPROTO_IP and IPPROTO_IPV6 that are on or off.</summary>
[Flags]
internal enum InetFlags : ulong
{
    None = 0,
    PacketInfo = 1 << 0,
    ReceiveTtl = 1 << 1,
    ReceiveTos = 1 << 2,
    ReceiveOptions = 1 << 3,
    ReturnOptions = 1 << 4,
    PassSecurity = 1 << 5,
    ReceiveOriginalDestination = 1 << 6,
    ReceiveFragmentSize = 1 << 7,
    Checksum = 1 << 8,
    ReceiveErrors = 1 << 9,
    ReceiveErrorsRfc4884 = 1 << 10,
    FreeBind = 1 << 11,
    HeaderIncluded = 1 << 12,
    MulticastLoop = 1 << 13,
    MulticastAll = 1 << 14,
    Transparent = 1 << 15,
    NoDefragmentation = 1 << 16,
    BindAddressNoPort = 1 << 17,
    Ipv6MulticastLoop = 1 << 18,
    Ipv6MulticastAll = 1 << 19,
    Ipv6ReceiveErrors = 1 << 20,
    Ipv6ReceiveErrorsRfc4884 = 1 << 21,
    Ipv6AutoFlowLabel = 1 << 22,
    Ipv6DontFragment = 1 << 23,
    Ipv6RouterAlertIsolate = 1 << 24,
    Ipv6FlowInfoSend = 1 << 25,
    Ipv6PacketInfo = 1 << 26,
    Ipv6OldPacketInfo = 1 << 27,
    Ipv6ReceiveHopLimit = 1 << 28,
    Ipv6OldHopLimit = 1 << 29,
    Ipv6HopOptions = 1 << 30,
    Ipv6OldHopOptions = 1ul << 31,
    Ipv6DestinationOptions = 1ul << 32,
    Ipv6OldDestinationOptions = 1ul << 33,
    Ipv6ReceiveTrafficClass = 1ul << 34,
    Ipv6FlowInfo = 1ul << 35,
    Ipv6ReceivePathMtu = 1ul << 36,
    Ipv6ReceiveOriginalDestination = 1ul << 37,
    Ipv6ReceiveFragmentSize = 1ul << 38,
    Ipv6Only = 1ul << 39,
    Ipv6RoutingHeader = 1ul << 40,
    Ipv6OldRoutingHeader = 1ul << 41,
    RouterAlert = 1ul << 42,
}

/// <summary>What an internet socket keeps for the levels IPPROTO_IP and IPPROTO_IPV6 (struct inet_sock and ipv6_pinfo in Linux).</summary>
internal struct InetOptions
{
    /// <summary>A socket of IPv6 gets no datagrams of groups of IPv4 that it has not joined.</summary>
    public InetOptions(bool isIpv6) => Set(InetFlags.MulticastAll, !isIpv6);

    public InetFlags Flags { get; set; } = InetFlags.MulticastLoop | InetFlags.Ipv6MulticastLoop | InetFlags.Ipv6MulticastAll | InetFlags.Ipv6AutoFlowLabel;

    /// <summary>IP_TTL; -1 for net.ipv4.ip_default_ttl.</summary>
    public short Ttl { get; set; } = -1;

    /// <summary>IP_MINTTL.</summary>
    public byte MinTtl { get; set; }

    /// <summary>IP_TOS.</summary>
    public byte Tos { get; set; }

    /// <summary>IP_MTU_DISCOVER.</summary>
    public byte MtuDiscover { get; set; } = PathMtuDiscovery.Want;

    /// <summary>IP_MULTICAST_TTL.</summary>
    public byte MulticastTtl { get; set; } = 1;

    /// <summary>IP_MULTICAST_IF: the interface, and the address that it was named by.</summary>
    public (int Index, uint Address) MulticastInterface { get; set; }

    /// <summary>IP_UNICAST_IF.</summary>
    public int UnicastInterface { get; set; }

    /// <summary>IP_LOCAL_PORT_RANGE: the highest port above the lowest; 0 for none.</summary>
    public int LocalPortRange { get; set; }

    /// <summary>IPV6_UNICAST_HOPS; -1 for the interface's.</summary>
    public short HopLimit { get; set; } = -1;

    /// <summary>IPV6_MULTICAST_HOPS.</summary>
    public byte MulticastHops { get; set; } = 1;

    /// <summary>IPV6_MINHOPCOUNT.</summary>
    public byte MinHopCount { get; set; }

    /// <summary>IPV6_TCLASS.</summary>
    public byte TrafficClass { get; set; }

    /// <summary>IPV6_MTU_DISCOVER.</summary>
    public byte Ipv6MtuDiscover { get; set; } = PathMtuDiscovery.Want;

    /// <summary>IPV6_ADDR_PREFERENCES.</summary>
    public byte SourcePreferences { get; set; }

    /// <summary>IPV6_MTU: the largest fragment to send; 0 for the path's.</summary>
    public int FragmentMtu { get; set; }

    /// <summary>What connect was given with IPV6_FLOWINFO_SEND: traffic class and flow label.</summary>
    public uint FlowInfo { get; set; }

    /// <summary>IPV6_MULTICAST_IF.</summary>
    public int Ipv6MulticastInterface { get; set; }

    /// <summary>IPV6_UNICAST_IF.</summary>
    public int Ipv6UnicastInterface { get; set; }

    /// <summary>IPV6_PKTINFO.</summary>
    public (IpAddress Source, int InterfaceIndex) StickyPacketInfo { get; set; }

    public readonly bool Has(InetFlags flag) => (Flags & flag) != 0;

    public void Set(InetFlags flag, bool isOn) => Flags = isOn ? Flags | flag : Flags & ~flag;

    public static InetFlags FlagOf(IpOption option) => option switch
    {
        IpOption.IP_HDRINCL => InetFlags.HeaderIncluded,
        IpOption.IP_RECVOPTS => InetFlags.ReceiveOptions,
        IpOption.IP_RETOPTS => InetFlags.ReturnOptions,
        IpOption.IP_PKTINFO => InetFlags.PacketInfo,
        IpOption.IP_RECVERR => InetFlags.ReceiveErrors,
        IpOption.IP_RECVTTL => InetFlags.ReceiveTtl,
        IpOption.IP_RECVTOS => InetFlags.ReceiveTos,
        IpOption.IP_FREEBIND => InetFlags.FreeBind,
        IpOption.IP_PASSSEC => InetFlags.PassSecurity,
        IpOption.IP_TRANSPARENT => InetFlags.Transparent,
        IpOption.IP_RECVORIGDSTADDR => InetFlags.ReceiveOriginalDestination,
        IpOption.IP_NODEFRAG => InetFlags.NoDefragmentation,
        IpOption.IP_CHECKSUM => InetFlags.Checksum,
        IpOption.IP_BIND_ADDRESS_NO_PORT => InetFlags.BindAddressNoPort,
        IpOption.IP_RECVFRAGSIZE => InetFlags.ReceiveFragmentSize,
        IpOption.IP_RECVERR_RFC4884 => InetFlags.ReceiveErrorsRfc4884,
        IpOption.IP_MULTICAST_LOOP => InetFlags.MulticastLoop,
        IpOption.IP_MULTICAST_ALL => InetFlags.MulticastAll,
        _ => InetFlags.None,
    };

    public static InetFlags FlagOf(Ipv6Option option) => option switch
    {
        Ipv6Option.IPV6_2292PKTINFO => InetFlags.Ipv6OldPacketInfo,
        Ipv6Option.IPV6_2292HOPOPTS => InetFlags.Ipv6OldHopOptions,
        Ipv6Option.IPV6_2292DSTOPTS => InetFlags.Ipv6OldDestinationOptions,
        Ipv6Option.IPV6_2292RTHDR => InetFlags.Ipv6OldRoutingHeader,
        Ipv6Option.IPV6_RECVRTHDR => InetFlags.Ipv6RoutingHeader,
        Ipv6Option.IPV6_2292HOPLIMIT => InetFlags.Ipv6OldHopLimit,
        Ipv6Option.IPV6_FLOWINFO => InetFlags.Ipv6FlowInfo,
        Ipv6Option.IPV6_MULTICAST_LOOP => InetFlags.Ipv6MulticastLoop,
        Ipv6Option.IPV6_RECVERR => InetFlags.Ipv6ReceiveErrors,
        Ipv6Option.IPV6_V6ONLY => InetFlags.Ipv6Only,
        Ipv6Option.IPV6_MULTICAST_ALL => InetFlags.Ipv6MulticastAll,
        Ipv6Option.IPV6_ROUTER_ALERT_ISOLATE => InetFlags.Ipv6RouterAlertIsolate,
        Ipv6Option.IPV6_RECVERR_RFC4884 => InetFlags.Ipv6ReceiveErrorsRfc4884,
        Ipv6Option.IPV6_FLOWINFO_SEND => InetFlags.Ipv6FlowInfoSend,
        Ipv6Option.IPV6_RECVPKTINFO => InetFlags.Ipv6PacketInfo,
        Ipv6Option.IPV6_RECVHOPLIMIT => InetFlags.Ipv6ReceiveHopLimit,
        Ipv6Option.IPV6_RECVHOPOPTS => InetFlags.Ipv6HopOptions,
        Ipv6Option.IPV6_RECVDSTOPTS => InetFlags.Ipv6DestinationOptions,
        Ipv6Option.IPV6_RECVPATHMTU => InetFlags.Ipv6ReceivePathMtu,
        Ipv6Option.IPV6_DONTFRAG => InetFlags.Ipv6DontFragment,
        Ipv6Option.IPV6_RECVTCLASS => InetFlags.Ipv6ReceiveTrafficClass,
        Ipv6Option.IPV6_AUTOFLOWLABEL => InetFlags.Ipv6AutoFlowLabel,
        Ipv6Option.IPV6_RECVORIGDSTADDR => InetFlags.Ipv6ReceiveOriginalDestination,
        Ipv6Option.IPV6_RECVFRAGSIZE => InetFlags.Ipv6ReceiveFragmentSize,

        // IPv6 has no bits of its own for these two.
        Ipv6Option.IPV6_TRANSPARENT => InetFlags.Transparent,
        Ipv6Option.IPV6_FREEBIND => InetFlags.FreeBind,
        _ => InetFlags.None,
    };
}

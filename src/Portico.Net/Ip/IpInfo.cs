namespace Portico.Net;

/// <summary>What the IP header of a received packet said, handed to the transport with it.</summary>
public struct IpInfo
{
    /// <summary>Who sent it.</summary>
    public IpAddress Source;

    /// <summary>To whom.</summary>
    public IpAddress Destination;

    /// <summary>The interface that it came in on.</summary>
    public NetworkInterface Interface;

    /// <summary>The transport protocol's number.</summary>
    public IpProtocol Protocol;

    /// <summary>TTL or hop limit.</summary>
    public byte HopLimit;

    /// <summary>Type of service or traffic class: DSCP and the two ECN bits.</summary>
    public byte TrafficClass;

    /// <summary>The flow label of IPv6; 0 for none.</summary>
    public uint FlowLabel;

    /// <summary>
    /// Whether the destination is multicast or a broadcast address of the interface, or the frame was link-layer broadcast.
    /// </summary>
    public bool IsMulticastOrBroadcast;
}

/// <summary>Transport protocol numbers (IANA) that the engine knows.</summary>
public enum IpProtocol : byte
{
#pragma warning disable CS1591
    HopByHop = 0,
    Icmp = 1,
    Igmp = 2,
    Tcp = 6,
    Udp = 17,
    Ipv6Routing = 43,
    Ipv6Fragment = 44,
    Icmpv6 = 58,
    Ipv6NoNext = 59,
    Ipv6DestinationOptions = 60,
#pragma warning restore CS1591
}

/// <summary>
/// A flow's way out, kept by its sender so that the route table is asked once. Out of date when <see cref="Generation"/> is not the
/// stack's: routes, addresses and path MTUs bump that number.
/// </summary>
internal struct RouteCache
{
    /// <summary>The stack's route generation when this was looked up; 0 is never valid.</summary>
    public uint Generation;

    /// <summary>The path MTU to the destination, in bytes of IP packet; never above the interface's.</summary>
    public int PathMtu;

    /// <summary>Index of the outgoing interface.</summary>
    public ushort InterfaceIndex;

    /// <summary>Whether the destination is one of the stack's own addresses or a loopback address.</summary>
    public bool IsLocal;

    /// <summary>Whether the destination is the limited broadcast address or that of a network that the host is on (SO_BROADCAST).</summary>
    public bool IsBroadcast;

    /// <summary>The path's MTU is below what is believed of ICMP (min_pmtu): packets go without DF.</summary>
    public bool IsMtuLocked;

    /// <summary>Whether the destination is a group.</summary>
    public bool IsMulticast;

    /// <summary>The neighbour to hand packets to; equals the destination when it is on the link.</summary>
    public IpAddress NextHop;
}

/// <summary>How a transport wants its packet sent.</summary>
internal struct IpSend
{
    public IpAddress Source;
    public IpAddress Destination;
    public IpProtocol Protocol;

    /// <summary>0 means the stack's default (64).</summary>
    public byte HopLimit;

    public byte TrafficClass;

    /// <summary>RFC 1191: do not fragment. TCP always sets it while path-MTU discovery is on.</summary>
    public bool DontFragment;

    /// <summary>The flow label for IPv6; 0 for none.</summary>
    public uint FlowLabel;

    /// <summary>The largest fragment of IPv6 that it may be cut into, where it has to be cut (IPV6_MTU); 0 for the path's MTU.</summary>
    public int FragmentMtu;

    /// <summary>IP_MULTICAST_LOOP off: members on this host get no copy of a packet to a group.</summary>
    public bool NoMulticastLoop;
}

/// <summary>What an ICMP error said about a packet that this host sent, in terms that both families share.</summary>
internal struct IcmpErrorInfo
{
    /// <summary>The flow's own end: source address of the quoted packet.</summary>
    public IpAddress LocalAddress;

    /// <summary>The flow's other end: destination address of the quoted packet.</summary>
    public IpAddress RemoteAddress;

    public IpProtocol Protocol;

    /// <summary>What Linux reports for this type and code (icmp_err_convert): ECONNREFUSED, EHOSTUNREACH, EMSGSIZE, ...</summary>
    public Errno Error;

    /// <summary>
    /// Whether Linux treats it as fatal for a connection that is not yet established, and for a connected datagram socket.
    /// </summary>
    public bool IsHard;

    /// <summary>
    /// For "fragmentation needed" and "packet too big": the next hop's MTU as reported, or guessed as RFC 1191 7 does where the router did
    /// not say; else -1. A transport that finds the quote to be its own calls <see cref="IpLayer.LearnPathMtu"/>.
    /// </summary>
    public int Mtu;

    public byte Type;
    public byte Code;

    /// <summary>Who reported it.</summary>
    public IpAddress Reporter;

    /// <summary>TTL or hop limit of the report.</summary>
    public byte HopLimit;

    /// <summary>Type of service or traffic class of the report.</summary>
    public byte TrafficClass;

    /// <summary>The interface that it came in on.</summary>
    public NetworkInterface Interface;
}

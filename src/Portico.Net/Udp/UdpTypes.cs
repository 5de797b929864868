namespace Portico.Net;

/// <summary>
/// A datagram socket that an application holds: a place in the table, and its generation, so that a stale handle is noticed.
/// </summary>
public readonly record struct UdpHandle(uint Index, uint Generation);

/// <summary>How to open a datagram socket (socket(2)).</summary>
public struct UdpOpenRequest
{
    /// <summary>AF_INET6 instead of AF_INET. Such a socket carries IPv4 too, unless it is V6ONLY.</summary>
    public bool IsIpv6;

    /// <summary>IPV6_V6ONLY.</summary>
    public bool Ipv6Only;

    /// <summary>SO_REUSEADDR.</summary>
    public bool ReuseAddress;

    /// <summary>SO_REUSEPORT.</summary>
    public bool ReusePort;

    /// <summary>SO_BINDTODEVICE: index of the only interface to use; 0 for any.</summary>
    public int InterfaceIndex;

    /// <summary>SO_RCVBUF as setsockopt takes it; 0 for net.core.rmem_default.</summary>
    public int ReceiveBufferBytes;
}

/// <summary>
/// What is said about one outgoing datagram (the control messages of sendmsg(2)); 0 and the default mean "as the socket has it".
/// </summary>
public struct UdpSendOptions
{
    /// <summary>IP_PKTINFO: the source address.</summary>
    public IpAddress Source;

    /// <summary>IP_PKTINFO: the outgoing interface.</summary>
    public int InterfaceIndex;

    /// <summary>IP_TTL.</summary>
    public byte HopLimit;

    /// <summary>IP_TOS, where <see cref="HasTrafficClass"/>.</summary>
    public byte TrafficClass;

    /// <summary>Whether <see cref="TrafficClass"/> replaces the socket's.</summary>
    public bool HasTrafficClass;

    /// <summary>IPV6_DONTFRAG: EMSGSIZE where the datagram would have to be fragmented.</summary>
    public bool MustFit;

    /// <summary>MSG_DONTROUTE: to hosts on the link alone, through no gateway; of IPv4.</summary>
    public bool OnLink;

    /// <summary>IPV6_FLOWINFO: the flow label; 0 for none.</summary>
    public uint FlowLabel;

    /// <summary>UDP_SEGMENT: the bytes are sent as datagrams of so many each, the last one may have fewer; 0 for a single one.</summary>
    public int SegmentBytes;

    /// <summary>Which times of sending the error queue is to tell: SOF_TIMESTAMPING_TX_*.</summary>
    public TimestampingFlags Timestamping;

    /// <summary>SCM_TS_OPT_ID: the number that they have; null for the socket's next one.</summary>
    public uint? TimestampId;
}

/// <summary>What is known about a received datagram.</summary>
public struct UdpReceiveInfo
{
    /// <summary>Who sent it.</summary>
    public Endpoint Source;

    /// <summary>To which address and port (IP_PKTINFO).</summary>
    public Endpoint Destination;

    /// <summary>The interface that it came in on.</summary>
    public int InterfaceIndex;

    /// <summary>TTL or hop limit.</summary>
    public byte HopLimit;

    /// <summary>Type of service or traffic class.</summary>
    public byte TrafficClass;

    /// <summary>The flow label of IPv6; 0 for none.</summary>
    public uint FlowLabel;

    /// <summary>Bytes of payload; more than were received when the buffer was too small (MSG_TRUNC).</summary>
    public int TotalLength;

    /// <summary>UDP_GRO: these are several datagrams of so many bytes each, the last one may have fewer; 0 for a single one.</summary>
    public int SegmentBytes;

    /// <summary>Datagrams that the socket had dropped when this one came in (SO_RXQ_OVFL).</summary>
    public uint Drops;

    /// <summary>When it came in (SO_TIMESTAMP, on the engine's clock).</summary>
    public MonoTime Timestamp;
}

/// <summary>Flags of a receive (recv(2)).</summary>
[Flags]
public enum UdpReceiveFlags
{
    /// <summary>None.</summary>
    None = 0,

    /// <summary>MSG_PEEK: leave the datagram where it is.</summary>
    Peek = 2,
}

/// <summary>Integer options of a datagram socket, with Linux's names; booleans are 0 and 1.</summary>
public enum UdpOption
{
#pragma warning disable CS1591 // The names and meanings are those of socket(7), ip(7), ipv6(7) and udp(7).
    SO_BROADCAST,
    SO_REUSEADDR,
    SO_REUSEPORT,

    /// <summary>Capped by net.core.rmem_max, then doubled; reading shows the doubled value, which counts memory and not payload.</summary>
    SO_RCVBUF,

    /// <summary>As SO_RCVBUF. Kept for reading back: a datagram leaves within the call that sends it.</summary>
    SO_SNDBUF,
    SO_NO_CHECK,

    /// <summary>The index of the interface; 0 for any.</summary>
    SO_BINDTODEVICE,

    /// <summary>To hosts on the link alone, through no gateway; of IPv4.</summary>
    SO_DONTROUTE,

    /// <summary>What was sent as one by UDP_SEGMENT, and has not been cut on its way, is received as one.</summary>
    UDP_GRO,

    /// <summary>-1 for the stack's default.</summary>
    IP_TTL,
    IP_TOS,
    IP_MULTICAST_TTL,
    IP_MULTICAST_LOOP,

    /// <summary>The index of the interface; 0 to leave it to the routes.</summary>
    IP_MULTICAST_IF,
    IP_MULTICAST_ALL,
    IP_MTU_DISCOVER,
    IP_RECVERR,

    /// <summary>Read only: the path MTU of a connected socket.</summary>
    IP_MTU,
    IPV6_V6ONLY,

    /// <summary>-1 for the stack's default.</summary>
    IPV6_UNICAST_HOPS,
    IPV6_TCLASS,
    IPV6_MULTICAST_HOPS,
    IPV6_MULTICAST_LOOP,

    /// <summary>The index of the interface; 0 to leave it to the routes.</summary>
    IPV6_MULTICAST_IF,
    IPV6_MULTICAST_ALL,
    IPV6_MTU_DISCOVER,
    IPV6_RECVERR,

    /// <summary>The largest packet to send without fragments; 0 for the path's MTU.</summary>
    IPV6_MTU,
#pragma warning restore CS1591
}

/// <summary>Where an error of the error queue comes from (ee_origin).</summary>
public enum UdpErrorOrigin : byte
{
    /// <summary>This host: the datagram was too big.</summary>
    Local = 1,

    /// <summary>An ICMP message.</summary>
    Icmp = 2,

    /// <summary>An ICMPv6 message.</summary>
    Icmpv6 = 3,

    /// <summary>No error, but a time of sending (SO_TIMESTAMPING).</summary>
    Timestamping = 4,
}

/// <summary>
/// An entry of the error queue (struct sock_extended_err): an error about a datagram that the socket sent (IP_RECVERR), or a time of sending,
/// whose <paramref name="Mtu"/> says which (SCM_TSTAMP_*), and whose reporter is the source of the packet.
/// </summary>
public readonly record struct UdpErrorInfo(
    Errno Error, UdpErrorOrigin Origin, byte Type, byte Code, int Mtu, Endpoint Destination, IpAddress Reporter)
{
    /// <summary>
    /// What was quoted of the datagram's payload; of a time of sending the packet, or measurements. Good until the socket is used again.
    /// </summary>
    public ReadOnlyMemory<byte> Payload { get; init; }

    /// <summary>The number of the send (SOF_TIMESTAMPING_OPT_ID).</summary>
    public uint Id { get; init; }

    /// <summary>When it happened, on the engine's clock.</summary>
    public MonoTime Timestamp { get; init; }

    /// <summary>Whether the payload has measurements of the connection, as attributes of netlink (SCM_TIMESTAMPING_OPT_STATS).</summary>
    public bool HasStatistics { get; init; }

    /// <summary>The interface that the report came in on, or that the packet went out on; 0 for errors of this host.</summary>
    public int InterfaceIndex { get; init; }

    /// <summary>TTL or hop limit of the report.</summary>
    public byte HopLimit { get; init; }

    /// <summary>Type of service or traffic class of the report.</summary>
    public byte TrafficClass { get; init; }
}

/// <summary>Counters of UDP (Linux: Udp and Udp6 of /proc/net/snmp).</summary>
public enum UdpCounter
{
#pragma warning disable CS1591 // The names are Linux's (RFC 4113).
    InDatagrams,
    NoPorts,
    InErrors,
    OutDatagrams,
    RcvbufErrors,
    SndbufErrors,
    InCsumErrors,
    IgnoredMulti,
    MemErrors,
#pragma warning restore CS1591

    /// <summary>A length field that is below 8 or past the end of the packet.</summary>
    DropBadLength,

    /// <summary>An ICMP error about a datagram that no socket can have sent.</summary>
    IgnoredIcmp,

    /// <summary>An error that did not fit in a socket's error queue.</summary>
    ErrorQueueDrops,

    /// <summary>Datagrams that the forwarder took.</summary>
    Forwarded,

    /// <summary>Datagrams that a socket's filter wanted nothing of (SO_ATTACH_FILTER).</summary>
    Filtered,
}

/// <summary>Settings of UDP under Linux's sysctl names.</summary>
public sealed class UdpOptions
{
#pragma warning disable IDE1006, CA1707 // The names are the sysctls' own.

    /// <summary>net.core.rmem_default: memory that a socket's unread datagrams may take.</summary>
    public int rmem_default { get; set; } = 212_992;

    /// <summary>net.core.rmem_max: the most that SO_RCVBUF takes (which is then doubled).</summary>
    public int rmem_max { get; set; } = 4_194_304;

    /// <summary>net.core.wmem_default.</summary>
    public int wmem_default { get; set; } = 212_992;

    /// <summary>net.core.wmem_max.</summary>
    public int wmem_max { get; set; } = 4_194_304;

    /// <summary>net.ipv4.udp_mem, its third number, in bytes: memory of all unread datagrams of the stack.</summary>
    public long udp_mem { get; set; } = 512L << 20;

    /// <summary>net.ipv4.igmp_max_memberships: the most IPv4 groups of one socket.</summary>
    public int igmp_max_memberships { get; set; } = 20;

    /// <summary>The most IPv6 groups of one socket, which net.core.optmem_max bounds in Linux.</summary>
    public int mld_max_memberships { get; set; } = 256;

    /// <summary>net.ipv4.igmp_max_msf: the most sources in a filter.</summary>
    public int igmp_max_msf { get; set; } = 10;

    /// <summary>net.ipv6.mld_max_msf.</summary>
    public int mld_max_msf { get; set; } = 64;

    /// <summary>The most datagram sockets; socket(2) then fails with ENFILE.</summary>
    public int socket_max { get; set; } = 1 << 20;
#pragma warning restore IDE1006, CA1707
}

/// <summary>What the sender of a forwarded datagram is told when it could not be passed on.</summary>
public enum UdpForwardError
{
    /// <summary>ICMP port unreachable.</summary>
    PortUnreachable,

    /// <summary>ICMP host unreachable.</summary>
    HostUnreachable,

    /// <summary>ICMP network unreachable.</summary>
    NetworkUnreachable,

    /// <summary>ICMP communication administratively prohibited.</summary>
    Prohibited,
}

/// <summary>Takes datagrams to addresses and ports that no socket is bound to, as a transparent proxy does.</summary>
public interface IUdpForwarder
{
    /// <summary>
    /// A datagram has arrived on an interface that accepts any address. True to take it (the bytes are valid during the call only);
    /// false lets the stack answer with port unreachable.
    /// </summary>
    bool OnDatagram(in Endpoint source, in Endpoint destination, ReadOnlySpan<byte> payload);

    /// <summary>
    /// An ICMP error has arrived about a datagram that <see cref="UdpLayer.SendFrom"/> sent from <paramref name="source"/> to
    /// <paramref name="destination"/>, as the errno that Linux makes of it. Anybody could have forged it.
    /// </summary>
    void OnError(in Endpoint source, in Endpoint destination, Errno error);
}

namespace Portico.Net;

/// <summary>A raw socket or an echo socket that an application holds: a place in the table, and its generation.</summary>
public readonly record struct RawHandle(int Index, uint Generation);

/// <summary>How to open a socket below the transports (socket(2), raw(7), icmp(7)).</summary>
public struct RawOpenRequest
{
    /// <summary>AF_INET6 instead of AF_INET.</summary>
    public bool IsIpv6;

    /// <summary>The protocol whose packets it receives, and that what it sends is of.</summary>
    public byte Protocol;

    /// <summary>An echo socket (SOCK_DGRAM with IPPROTO_ICMP): it sends echo requests and receives what answers them.</summary>
    public bool IsEcho;
}

/// <summary>The options of a socket below the transports, with Linux's meanings; to be set as a whole.</summary>
public struct RawOptions
{
    /// <summary>IP_TTL or IPV6_UNICAST_HOPS; -1 for the stack's default.</summary>
    public short HopLimit;

    /// <summary>IP_MULTICAST_TTL or IPV6_MULTICAST_HOPS.</summary>
    public byte MulticastHopLimit;

    /// <summary>IP_TOS or IPV6_TCLASS.</summary>
    public byte TrafficClass;

    /// <summary>IP_MTU_DISCOVER or IPV6_MTU_DISCOVER.</summary>
    public byte MtuDiscover;

    /// <summary>IP_MULTICAST_LOOP or IPV6_MULTICAST_LOOP.</summary>
    public bool MulticastLoop;

    /// <summary>SO_BROADCAST.</summary>
    public bool Broadcast;

    /// <summary>SO_REUSEADDR, which is on to begin with: others may have the same identifier, and the newest receives.</summary>
    public bool ReuseAddress;

    /// <summary>IP_HDRINCL, IPV6_HDRINCL: what is sent begins with an IP header.</summary>
    public bool HeaderIncluded;

    /// <summary>IP_RECVERR or IPV6_RECVERR.</summary>
    public bool ReceiveErrors;

    /// <summary>IPV6_CHECKSUM: where in the payload the checksum is that the stack fills in and verifies; -1 for none.</summary>
    public int ChecksumOffset;

    /// <summary>SO_BINDTODEVICE; 0 for any.</summary>
    public int InterfaceIndex;

    /// <summary>IP_MULTICAST_IF or IPV6_MULTICAST_IF; 0 to leave it to the routes.</summary>
    public int MulticastInterface;

    /// <summary>IP_UNICAST_IF or IPV6_UNICAST_IF; 0 to leave it to the routes.</summary>
    public int UnicastInterface;

    /// <summary>IP_ROUTER_ALERT: takes packets of its protocol that are to be forwarded and ask routers to look at them (RFC 2113).</summary>
    public bool RouterAlert;

    /// <summary>SO_DONTROUTE: to hosts on the link alone, through no gateway; of IPv4.</summary>
    public bool DontRoute;

    /// <summary>IPV6_MTU: the largest packet to send without fragments; 0 for the path's MTU.</summary>
    public int FragmentMtu;

    /// <summary>SO_RCVBUF in bytes of memory, as it reads.</summary>
    public int ReceiveMemoryMax;
}

/// <summary>Counters of sockets below the transports.</summary>
public enum RawCounter
{
    /// <summary>Packets that were put into the queues of sockets.</summary>
    InPackets,

    /// <summary>Packets that sockets have sent.</summary>
    OutPackets,

    /// <summary>Packets that found the queue of a socket full.</summary>
    RcvbufErrors,

    /// <summary>Packets for which there was no memory.</summary>
    MemErrors,

    /// <summary>Packets that a socket's IPV6_CHECKSUM, or that of ICMPv6, found to be wrong.</summary>
    InCsumErrors,

    /// <summary>Packets that a filter of a socket kept out (ICMP_FILTER).</summary>
    Filtered,

    /// <summary>Errors that did not fit in a socket's error queue.</summary>
    ErrorQueueDrops,
}

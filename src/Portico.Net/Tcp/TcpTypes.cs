namespace Portico.Net;

/// <summary>The states of a connection (RFC 9293 3.3.2).</summary>
public enum TcpState : byte
{
#pragma warning disable CS1591 // The names are the RFC's.
    Closed,
    Listen,
    SynSent,
    SynReceived,
    Established,
    FinWait1,
    FinWait2,
    CloseWait,
    Closing,
    LastAck,
    TimeWait,
#pragma warning restore CS1591
}

/// <summary>A connection that an application holds: a place in the slab, and its generation, so that a stale handle is noticed.</summary>
public readonly record struct TcpHandle(uint Index, uint Generation);

/// <summary>A listening binding that an application holds.</summary>
public readonly record struct TcpListenerHandle(uint Index, uint Generation);

/// <summary>Which directions <see cref="TcpLayer.Shutdown"/> ends (shutdown(2)).</summary>
public enum TcpShutdown
{
    /// <summary>SHUT_RD: reads return 0 where there is nothing to read; what comes can be read, as in Linux.</summary>
    Receive = 0,

    /// <summary>SHUT_WR: a FIN follows the last byte.</summary>
    Send = 1,

    /// <summary>SHUT_RDWR.</summary>
    Both = 2,
}

/// <summary>Flags of a send (send(2)).</summary>
[Flags]
public enum TcpSendFlags
{
    /// <summary>None.</summary>
    None = 0,

    /// <summary>MSG_OOB: the last byte is urgent.</summary>
    OutOfBand = 1,

    /// <summary>MSG_EOR: what follows is not put into the same segment.</summary>
    EndOfRecord = 0x80,

    /// <summary>MSG_MORE: more will follow, a partial segment may wait.</summary>
    More = 0x8000,

    /// <summary>These bytes are part of one write, whose rest follows at once: nothing but full segments goes out before.</summary>
    Partial = 0x1000_0000,
}

/// <summary>Flags of a receive (recv(2)).</summary>
[Flags]
public enum TcpReceiveFlags
{
    /// <summary>None.</summary>
    None = 0,

    /// <summary>MSG_OOB: the urgent byte.</summary>
    OutOfBand = 1,

    /// <summary>MSG_PEEK: leave the bytes where they are.</summary>
    Peek = 2,
}

/// <summary>Integer options of a connection or listener, with Linux's names; booleans are 0 and 1.</summary>
public enum TcpOption
{
#pragma warning disable CS1591 // The names and meanings are those of tcp(7) and socket(7).
    TCP_NODELAY,
    TCP_CORK,
    TCP_QUICKACK,
    TCP_MAXSEG,
    TCP_KEEPIDLE,
    TCP_KEEPINTVL,
    TCP_KEEPCNT,
    TCP_SYNCNT,
    TCP_LINGER2,
    TCP_USER_TIMEOUT,
    TCP_WINDOW_CLAMP,

    /// <summary>Index of the algorithm: see <see cref="TcpCongestion"/>.</summary>
    TCP_CONGESTION,
    SO_KEEPALIVE,
    SO_SNDBUF,
    SO_RCVBUF,

    /// <summary>-1 off (the default), else the seconds that close lingers; 0 resets on close.</summary>
    SO_LINGER,
    SO_OOBINLINE,

    /// <summary>To a peer on the link alone, through no gateway; of IPv4.</summary>
    SO_DONTROUTE,
    IP_TTL,
    IP_TOS,

    /// <summary>IP_MINTTL or IPV6_MINHOPCOUNT: segments with less are dropped; 0 for none.</summary>
    IP_MINTTL,

    /// <summary>Bytes that may wait unsent before the connection takes no more; 0 for net.ipv4.tcp_notsent_lowat. Unsigned.</summary>
    TCP_NOTSENT_LOWAT,

    /// <summary>The longest retransmission timeout, in milliseconds.</summary>
    TCP_RTO_MAX_MS,

    /// <summary>The least retransmission timeout, in microseconds.</summary>
    TCP_RTO_MIN_US,

    /// <summary>The longest that an ACK is delayed, in microseconds.</summary>
    TCP_DELACK_MAX_US,
    TCP_THIN_LINEAR_TIMEOUTS,

    /// <summary>Of an opener: not 0 lets data carry the handshake's last ACK. Of a listener see <see cref="TcpListenRequest.DeferAcceptTimeouts"/>.</summary>
    TCP_DEFER_ACCEPT,

    /// <summary>Whether segments of IPv6 have a flow label by themselves; not set, net.ipv6.auto_flowlabels decides.</summary>
    IPV6_AUTOFLOWLABEL,

    /// <summary>Whether a timeout changes that flow label.</summary>
    SO_TXREHASH,
#pragma warning restore CS1591
}

/// <summary>Congestion-control algorithms.</summary>
public enum TcpCongestion : byte
{
    /// <summary>RFC 9438, the default.</summary>
    Cubic,

    /// <summary>RFC 5681 with RFC 6582.</summary>
    Reno,

    /// <summary>BBR, version 1: paces at the bandwidth that it measures.</summary>
    Bbr,
}

/// <summary>How to open a connection.</summary>
public struct TcpOpenRequest
{
    /// <summary>The own end; an unspecified address is chosen by route, port 0 by RFC 6056.</summary>
    public Endpoint Local;

    /// <summary>The other end.</summary>
    public Endpoint Remote;

    /// <summary>The local end where bind has taken it already; it stays the caller's.</summary>
    public TcpBinding Binding;

    /// <summary>SO_BINDTODEVICE: index of the only interface to use; 0 for any.</summary>
    public int InterfaceIndex;

    /// <summary>IP_LOCAL_PORT_RANGE: the first port to pick from; 0 leaves it to net.ipv4.ip_local_port_range.</summary>
    public ushort RangeFirst;

    /// <summary>IP_LOCAL_PORT_RANGE: the last port to pick from; 0 leaves it to net.ipv4.ip_local_port_range.</summary>
    public ushort RangeLast;

    /// <summary>SO_DONTROUTE: the peer has to be on the link; of IPv4.</summary>
    public bool DontRoute;

    /// <summary>The flow label of IPv6; 0 for none.</summary>
    public uint FlowLabel;

    /// <summary>SO_SNDBUF in bytes of payload; 0 for net.ipv4.tcp_wmem and auto-tuning.</summary>
    public int SendBufferBytes;

    /// <summary>SO_RCVBUF in bytes of payload; 0 for net.ipv4.tcp_rmem and auto-tuning.</summary>
    public int ReceiveBufferBytes;
}

/// <summary>How to listen.</summary>
public struct TcpListenRequest
{
    /// <summary>Where; the unspecified address means every address (:: also IPv4, unless <see cref="Ipv6Only"/>).</summary>
    public Endpoint Local;

    /// <summary>The local end where bind has taken it already; it stays the caller's.</summary>
    public TcpBinding Binding;

    /// <summary>listen(2)'s backlog; capped by net.core.somaxconn.</summary>
    public int Backlog;

    /// <summary>IPV6_V6ONLY.</summary>
    public bool Ipv6Only;

    /// <summary>SO_REUSEADDR.</summary>
    public bool ReuseAddress;

    /// <summary>SO_REUSEPORT.</summary>
    public bool ReusePort;

    /// <summary>SO_BINDTODEVICE.</summary>
    public int InterfaceIndex;

    /// <summary>TCP_MAXSEG, in the SYN-ACK and of the connections that are accepted; 0 for the link's.</summary>
    public int SegmentBytesMax;

    /// <summary>SO_SNDBUF that accepted connections inherit; 0 for the default.</summary>
    public int SendBufferBytes;

    /// <summary>SO_RCVBUF that accepted connections inherit; 0 for the default.</summary>
    public int ReceiveBufferBytes;

    /// <summary>
    /// TCP_DEFER_ACCEPT, counted in timeouts of the SYN-ACK: a connection is made by its first data, or by an ACK after so many; 0 by any ACK.
    /// </summary>
    public int DeferAcceptTimeouts;

    /// <summary>IPV6_AUTOFLOWLABEL: -1 off, 1 on, 0 as net.ipv6.auto_flowlabels says.</summary>
    public int AutoFlowLabel;

    /// <summary>IP_TOS of SYN-ACKs and of connections of IPv4, where net.ipv4.tcp_reflect_tos does not take the SYN's.</summary>
    public byte TypeOfService;

    /// <summary>IPV6_TCLASS, the same of IPv6.</summary>
    public byte TrafficClass;

    /// <summary>TCP_SAVE_SYN: 1 keeps the headers of each connection's SYN from IP's on, 2 from the link's on.</summary>
    public int SaveSyn;

    /// <summary>TCP_SYNCNT: how often a SYN-ACK is repeated; 0 for net.ipv4.tcp_synack_retries.</summary>
    public int SynRetriesMax;

    /// <summary>TCP_RTO_MAX_MS; 0 for net.ipv4.tcp_rto_max_ms.</summary>
    public int RtoMaxMillis;

    /// <summary>TCP_RTO_MIN_US; 0 for net.ipv4.tcp_rto_min_us.</summary>
    public int RtoMinMicros;

    /// <summary>TCP_DELACK_MAX_US; 0 for 200 ms.</summary>
    public int DelayedAckMaxMicros;
}

/// <summary>A SYN that nobody listens for, offered to a <see cref="ITcpForwarder"/>.</summary>
public readonly record struct TcpForwardRequest(long Id, Endpoint Source, Endpoint Destination);

/// <summary>What becomes of a forwarded SYN.</summary>
public enum TcpForwardVerdict
{
    /// <summary>Answer with SYN-ACK; the connection becomes the forwarder's.</summary>
    Accept,

    /// <summary>Answer with RST: connection refused.</summary>
    Reset,

    /// <summary>Answer with ICMP host unreachable.</summary>
    HostUnreachable,

    /// <summary>Answer with ICMP network unreachable.</summary>
    NetworkUnreachable,

    /// <summary>Answer with ICMP "communication administratively prohibited".</summary>
    Prohibited,

    /// <summary>No answer: the opener times out by itself.</summary>
    Drop,
}

/// <summary>Takes connections to addresses and ports that nobody listens on, as a transparent proxy does.</summary>
public interface ITcpForwarder
{
    /// <summary>
    /// A new SYN has arrived (its repetitions are absorbed). Return true to take it, and decide later by
    /// <see cref="TcpLayer.CompleteForward"/>; false lets the stack answer as usual.
    /// </summary>
    bool OnConnectionRequest(in TcpForwardRequest request);
}

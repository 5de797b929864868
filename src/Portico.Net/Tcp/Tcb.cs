using System.Runtime.CompilerServices;

namespace Portico.Net;

/// <summary>The congestion state of a sender, with Linux's names (tcp_ca_state); what RFC 5681 and 6675 call recovery is two of them.</summary>
internal enum CaState : byte
{
    /// <summary>Nothing suspicious.</summary>
    Open,

    /// <summary>Duplicate ACKs or SACKs have been seen: limited transmit (RFC 3042).</summary>
    Disorder,

    /// <summary>The window is being reduced without loss (ECN).</summary>
    Cwr,

    /// <summary>Fast recovery (RFC 6675, RFC 6582).</summary>
    Recovery,

    /// <summary>After a retransmission timeout.</summary>
    Loss,
}

/// <summary>Booleans of a connection.</summary>
[Flags]
internal enum TcbFlags : uint
{
    None = 0,

    /// <summary>Timestamps are in use (RFC 7323 3).</summary>
    Timestamps = 1 << 0,

    /// <summary>SACK is in use (RFC 2018).</summary>
    Sack = 1 << 1,

    /// <summary>Window scaling is in use (RFC 7323 2).</summary>
    WindowScale = 1 << 2,

    /// <summary>TCP_NODELAY.</summary>
    NoDelay = 1 << 3,

    /// <summary>TCP_CORK.</summary>
    Cork = 1 << 4,

    /// <summary>Nagle and cork have just been lifted: what is queued goes out whatever its size (TCP_NAGLE_PUSH).</summary>
    PushOnce = 1 << 5,

    /// <summary>The application has shut its sending direction: a FIN follows <see cref="Tcb.WriteSeq"/>.</summary>
    FinQueued = 1 << 6,

    /// <summary>The FIN has been sent at least once.</summary>
    FinSent = 1 << 7,

    /// <summary>The peer's FIN has been received in order.</summary>
    FinReceived = 1 << 8,

    /// <summary>SHUT_RD: a read that finds nothing returns 0; data that arrives once the sending direction is shut, too, is answered by a reset.</summary>
    ReceiveShutdown = 1 << 9,

    /// <summary>No application holds the connection any more.</summary>
    Orphan = 1 << 10,

    /// <summary>Waits in a listener's accept queue.</summary>
    InAcceptQueue = 1 << 11,

    /// <summary>An ACK is owed (Linux: ICSK_ACK_SCHED).</summary>
    AckScheduled = 1 << 12,

    /// <summary>The ACK that is owed may not wait (ICSK_ACK_NOW).</summary>
    AckNow = 1 << 13,

    /// <summary>The delayed-ACK timer runs.</summary>
    AckTimer = 1 << 14,

    /// <summary>A segment with PSH or a short one has arrived since the last ACK (ICSK_ACK_PUSHED).</summary>
    AckPushed = 1 << 15,

    /// <summary>A second one has.</summary>
    AckPushed2 = 1 << 16,

    /// <summary>SO_KEEPALIVE.</summary>
    KeepAlive = 1 << 17,

    /// <summary>SO_RCVBUF was set: no auto-tuning of the receive buffer.</summary>
    ReceiveBufferLocked = 1 << 18,

    /// <summary>SO_SNDBUF was set: no auto-tuning of the send buffer.</summary>
    SendBufferLocked = 1 << 19,

    /// <summary>A send found the buffer full: tell the owner when there is room (SOCK_NOSPACE).</summary>
    NoSpace = 1 << 20,

    /// <summary>The sender was held back by cwnd since the last ACK (RFC 7661's question).</summary>
    CwndLimited = 1 << 22,

    /// <summary>SO_OOBINLINE.</summary>
    OobInline = 1 << 23,

    /// <summary>What was appended last is a part of a write whose rest has not come.</summary>
    WriteContinues = 1 << 24,

    /// <summary>The owner is to be told of the next acknowledgment of data; see <see cref="TcpLayer.TellOfAcknowledgment"/>.</summary>
    TellsAcknowledgment = 1 << 29,

    /// <summary>Packets leave at the connection's pace.</summary>
    Paced = 1 << 25,

    /// <summary>An urgent pointer is to be sent.</summary>
    UrgentMode = 1 << 26,

    /// <summary>TCP_QUICKACK was set: the next ACKs are not delayed.</summary>
    QuickAckLocked = 1 << 27,

    /// <summary>The last rate sample was taken while the application did not fill the window.</summary>
    RateAppLimited = 1 << 21,

    /// <summary>A DSACK block is to be reported in the next ACK (RFC 2883).</summary>
    DsackPending = 1 << 28,

    /// <summary>TsRecent holds a value.</summary>
    TsRecentValid = 1 << 30,

    /// <summary>Will be freed at the end of this entry.</summary>
    InDoomedList = 1u << 31,
}

/// <summary>What keeps a sender busy (Linux: tcp_chrono); of several the last.</summary>
internal enum SenderActivity : byte
{
    None,

    /// <summary>Something is queued or in flight.</summary>
    Busy,

    /// <summary>The peer's window is too small for what is queued.</summary>
    WindowLimited,

    /// <summary>The application would write more than the send buffer takes.</summary>
    BufferLimited,
}

/// <summary>What the sender's timer stands for (Linux: icsk_pending); one at a time.</summary>
internal enum PendingTimer : byte
{
    None,

    /// <summary>RFC 6298's.</summary>
    Retransmit,

    /// <summary>RFC 9293 3.8.6.1's.</summary>
    Persist,

    /// <summary>RFC 8985 7's probe timeout.</summary>
    LossProbe,

    /// <summary>RFC 8985 6.3's reordering timer.</summary>
    Reorder,
}

/// <summary>A range of sequence numbers, from Left up to but not including Right.</summary>
internal struct SeqRange
{
    public uint Left;
    public uint Right;
}

/// <summary>The blocks of a SACK option.</summary>
[InlineArray(4)]
internal struct SackRanges
{
    private SeqRange _first;
}

/// <summary>
/// The transmission control block (RFC 9293 3.3.1): everything about one connection but its bytes. Lives in a slab, free of
/// references, so that a million of them cost the collector nothing. Read RFC 9293, 7323, 5681, 6298 and 6675 before this.
/// </summary>
internal unsafe struct Tcb
{
    /// <summary>What an idle connection may cost, in bytes.</summary>
    public const int SizeMax = 712;

    /// <summary>The one wheel node that stands for the three deadlines below; at offset 0, so that a node is its connection.</summary>
    public TimerNode Timer;

    // ---- Sequence spaces: what each segment touches.

    /// <summary>SND.UNA. Idle: equals SndNxt.</summary>
    public uint SndUna;

    /// <summary>SND.NXT. Idle: equals WriteSeq, or one more after the FIN.</summary>
    public uint SndNxt;

    /// <summary>The end of what the application has written.</summary>
    public uint WriteSeq;

    /// <summary>SND.WND, scaled, in bytes.</summary>
    public uint SndWnd;

    /// <summary>SND.WL1: the sequence number of the segment that last updated the window.</summary>
    public uint SndWl1;

    /// <summary>RCV.NXT.</summary>
    public uint RcvNxt;

    /// <summary>RCV.WND as last advertised, counted from <see cref="RcvWup"/>.</summary>
    public uint RcvWnd;

    /// <summary>RCV.NXT when the window was last advertised.</summary>
    public uint RcvWup;

    /// <summary>The next byte that the application reads.</summary>
    public uint CopiedSeq;

    public TcbFlags Flags;
    public TcpState State;
    public CaState CaState;
    public byte SndWindShift;
    public byte RcvWindShift;

    /// <summary>Payload bytes that a full segment carries with the options of now (Linux: mss_cache).</summary>
    public ushort Mss;

    /// <summary>The MSS that we announced; from ESTABLISHED on without what timestamps take of it.</summary>
    public ushort AdvMss;

    /// <summary>Our estimate of the peer's segment size, for delayed ACKs (Linux: rcv_mss).</summary>
    public ushort RcvMss;

    /// <summary>The MSS that the peer announced (536 or 1220 when it did not), or TCP_MAXSEG if lower.</summary>
    public ushort MssClamp;

    /// <summary>Segments in flight: sent and not cumulatively acknowledged, super-segments counted by what they stand for.</summary>
    public uint PacketsOut;

    /// <summary>cwnd, in segments of Mss.</summary>
    public uint Cwnd;

    /// <summary>ssthresh, in segments.</summary>
    public uint SsThresh;

    /// <summary>TS.Recent.</summary>
    public uint TsRecent;

    /// <summary>Last.ACK.sent is <see cref="RcvWup"/>; this is what is added to the clock to make TSval (RFC 7323 5.4).</summary>
    public uint TsOffset;

    /// <summary>Who is told of readiness; 0 for nobody.</summary>
    public int Owner;

    public uint Index;

    /// <summary>Sent and not acknowledged, oldest first.</summary>
    public SendSegment* TxHead;
    public SendSegment* TxTail;

    /// <summary>The bytes from SND.UNA to WriteSeq.</summary>
    public Block* SndBlockHead;
    public Block* SndBlockTail;

    /// <summary>Written and not sent, from SND.NXT on.</summary>
    public SendSegment* UnsentHead;
    public SendSegment* UnsentTail;

    /// <summary>Bytes in order that the application has not read.</summary>
    public RxSegment* RxHead;
    public RxSegment* RxTail;

    /// <summary>Bytes beyond a hole, by sequence number.</summary>
    public SegmentNode* OutOfOrderRoot;

    /// <summary>When the timer of <see cref="Pending"/> fires; 0 when it does not run.</summary>
    public long RetransmitDeadline;

    /// <summary>When the delayed ACK is due; 0 when none is.</summary>
    public long DelayedAckDeadline;

    /// <summary>When the keepalive, FIN-WAIT-2 or SYN-RECEIVED timer fires; 0 when it does not run.</summary>
    public long KeepDeadline;

    // ---- Identity.
    public IpAddress LocalAddress;
    public IpAddress RemoteAddress;
    public ushort LocalPort;
    public ushort RemotePort;
    public ushort BoundInterface;
    public byte HopLimit;

    /// <summary>IP_MINTTL; 0 for none.</summary>
    public byte HopLimitMin;
    public byte TrafficClass;
    public RouteCache Route;

    /// <summary>The port table's record that keeps the local port.</summary>
    public PortBinding Port;

    // ---- Sender, cold.
    public uint Iss;

    /// <summary>The largest window that the peer ever offered.</summary>
    public uint MaxWindow;

    /// <summary>SND.UP: the byte after the urgent one (RFC 6093).</summary>
    public uint SndUp;

    /// <summary>The last byte that was sent with PSH.</summary>
    public uint PushedSeq;

    /// <summary>The end of the last segment shorter than Mss (Minshall's variant of Nagle).</summary>
    public uint SndSml;

    public uint SackedOut;
    public uint LostOut;
    public uint RetransOut;

    /// <summary>How far apart in segments SACKs have shown the order to be mixed up, tcp_reordering at least.</summary>
    public uint Reordering;

    /// <summary>How often reordering was seen (tcpi_reord_seen).</summary>
    public uint ReorderSeen;

    /// <summary>RACK.rtt (RFC 8985 5.2): the round trip of the segment delivered last.</summary>
    public uint RackRttMicros;

    /// <summary>Duplicates that the peer has reported by DSACK (tcpi_dsack_dups).</summary>
    public uint DsackDuplicates;

    /// <summary>What is known only while something is in flight; null on a connection at rest.</summary>
    public Flight* Flight;
    public uint CwndCount;
    public uint CwndUsed;
    public uint CwndStampMillis;
    public uint MaxPacketsOut;

    /// <summary>SND.NXT when MaxPacketsOut was measured.</summary>
    public uint CwndUsageSeq;
    public uint TotalRetrans;

    /// <summary>Timeouts, recoveries that began with one, and the milliseconds that those took (tcpi_total_rto and following).</summary>
    public ushort TotalRto;
    public ushort TotalRtoRecoveries;
    public uint TotalRtoMillis;

    /// <summary>The last rate sample (tcpi_delivery_rate): segments in microseconds.</summary>
    public uint RateDelivered;
    public uint RateIntervalMicros;

    /// <summary>Segments that the peer has acknowledged or SACKed (tcpi_delivered), its SYN counted.</summary>
    public uint Delivered;
    public int SndBuf;

    /// <summary>Segments of the send queue, in flight or not: each counts for more than its bytes.</summary>
    public int SegmentCount;
    public byte Retransmits;
    public byte Backoff;

    /// <summary>What <see cref="RetransmitDeadline"/> is for.</summary>
    public PendingTimer Pending;

    /// <summary>RACK's window for reordering, in quarters of the least round trip; 0 stands for 1 (RFC 8985 7.2, reo_wnd_mult).</summary>
    public byte ReorderSteps;

    /// <summary>Recoveries for which a wider window is kept (RFC 8985, reo_wnd_persist).</summary>
    public byte ReorderPersist;
    public byte ProbesOut;
    public byte SynRetriesMax;
    public TcpCongestion Algorithm;
    public byte KeepCountMax;

    /// <summary>Immediate ACKs still to be sent before delaying begins again.</summary>
    public byte QuickAcks;

    /// <summary>How interactive the connection is: at 1 and more ACKs are delayed (Linux: pingpong).</summary>
    public byte PingPong;
    public byte SackCount;


    /// <summary>The urgent byte, while <see cref="UrgentState.Valid"/>.</summary>
    public byte UrgentByte;
    public UrgentState Urgent;
    public ushort UserMss;
    public ushort KeepIdleSeconds;
    public ushort KeepIntervalSeconds;

    /// <summary>FIN-WAIT-2 limit in seconds; 0 means net.ipv4.tcp_fin_timeout; -1 no waiting.</summary>
    public short Linger2Seconds;

    /// <summary>SO_LINGER: -1 off.</summary>
    public short LingerSeconds;
    public uint UserTimeoutMillis;
    public RttEstimator Rtt;
    public CongestionState Congestion;

    // ---- Receiver, cold.
    public uint Irs;

    /// <summary>RCV.UP, as the sequence number of the urgent byte itself (Linux: urg_seq).</summary>
    public uint RcvUp;
    public uint WindowClamp;
    public uint RcvSsThresh;
    public int RcvBuf;

    /// <summary>Memory that queued segments hold.</summary>
    public int RcvMemory;

    /// <summary>The application's reading rate per RTT, for auto-tuning (Linux: rcvq_space).</summary>
    public uint RcvSpace;
    public uint RcvSpaceSeq;
    public uint RcvSpaceTimeMicros;
    public uint RcvRttMicros;
    public uint RcvRttSeq;
    public uint RcvRttTimeMicros;
    public uint AtoMillis;

    /// <summary>What is to be reported by SACK; null while nothing is.</summary>
    public SackReport* Report;

    /// <summary>Milliseconds: when TS.Recent was taken, data last came in, was last sent, an ACK last came in, an invalid segment was last answered.</summary>
    public uint TsRecentMillis;
    public uint LastReceivedMillis;
    public uint LastSentMillis;
    public uint LastAckMillis;
    public uint LastInvalidMillis;

    /// <summary>When the first unanswered retransmission or probe was sent, for TCP_USER_TIMEOUT and the retry limit.</summary>
    public uint StalledSinceMillis;

    /// <summary>SO_ERROR.</summary>
    public short Error;

    /// <summary>The last soft error (ICMP), reported if the connection gives up.</summary>
    public short SoftError;

    /// <summary>Index + 1 of the listener that this connection belongs to until it is accepted.</summary>
    public uint Listener;

    /// <summary>The next connection in the accept queue, or in the list of connections to be freed.</summary>
    public uint NextInQueue;
    public TcbExtras Extras;

    /// <summary>The record beside this one (see <see cref="TcpSide"/>); 0 for none.</summary>
    public uint Side;

    public uint SegsIn;
    public uint SegsOut;
    public uint DataSegsOut;

    /// <summary>What the sender is busy with since when, and the milliseconds of each (tcpi_busy_time and following).</summary>
    public SenderActivity Activity;

    /// <summary>The timeout that the destination's earlier connections suggest, until a round trip of data is known; 0 for none.</summary>
    public ushort DestinationRtoMillis;
    public uint ActivitySinceMillis;
    public uint BusyMillis;
    public uint WindowLimitedMillis;
    public uint BufferLimitedMillis;
    public ulong BytesAcked;
    public ulong BytesReceived;
    public ulong BytesRetrans;
}

/// <summary>Where the urgent byte is (Linux: urg_data).</summary>
internal enum UrgentState : byte
{
    None,

    /// <summary>Announced and not received.</summary>
    NotYet,

    /// <summary>Received and not read.</summary>
    Valid,

    /// <summary>Read with MSG_OOB; the stream has not passed it.</summary>
    Read,
}

/// <summary>What has become of a sent segment (Linux: TCPCB_*).</summary>
[Flags]
internal enum SegmentMarks : byte
{
    None = 0,
    Sacked = 1,

    /// <summary>Sent again, and that is in flight.</summary>
    Retransmitted = 2,
    Lost = 4,
    EverRetransmitted = 8,

    /// <summary>In the flight's list by time of sending.</summary>
    Listed = 16,

    /// <summary>Taken from that list because a timeout marked it lost: undoing the timeout puts it back.</summary>
    TimedOut = 32,

    /// <summary>Sent while the application did not fill the window: says little about the path's rate.</summary>
    AppLimited = 64,

    /// <summary>MSG_EOR: nothing is appended to it.</summary>
    EndOfRecord = 128,

    Again = Retransmitted | EverRetransmitted,
}

/// <summary>A segment that is to be sent, or was and is not acknowledged; its bytes are in the connection's block chain.</summary>
internal unsafe struct SendSegment
{
    /// <summary>Sequence range (SYN and FIN counted) and place in the scoreboard's index, which exists only while there are SACKs.</summary>
    public SegmentNode Node;
    public SendSegment* Next;
    public SendSegment* Previous;

    /// <summary>The block that holds the first byte.</summary>
    public Block* Block;

    /// <summary>When it was last sent, in nanoseconds.</summary>
    public long SentTime;
    public uint Index;

    /// <summary>How many segments of Mss it stands for.</summary>
    public ushort PacketCount;
    public TcpFlags Flags;
    public SegmentMarks Marks;

    /// <summary>Neighbours in the flight's list by time of sending.</summary>
    public SendSegment* SentLater;
    public SendSegment* SentEarlier;

    /// <summary>When it was sent: the flight's <see cref="Flight.FirstSentTime"/> and <see cref="Flight.DeliveredTime"/> (0 once it is delivered), and what had been delivered.</summary>
    public long FirstSentTime;
    public long DeliveredTime;
    public uint Delivered;
}

/// <summary>A run of received bytes.</summary>
internal unsafe struct RxSegment
{
    public SegmentNode Node;
    public RxSegment* Next;
    public Slice Data;
    public uint Index;

    /// <summary>What it counts for in RcvMemory.</summary>
    public int TrueSize;

    /// <summary>A FIN follows the bytes (only out of order).</summary>
    public bool Fin;

    /// <summary>The block is private to this segment, so bytes may be appended to it.</summary>
    public bool CanAppend;
}

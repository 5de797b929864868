namespace Portico.Net;

/// <summary>
/// net.ipv4.tcp_* of one stack, with Linux's names and defaults (ip-sysctl); may be changed while the stack runs and apply from the
/// next use on.
/// </summary>
public sealed class TcpSettings
{
    internal const int FastOpenClient = 1;
    internal const int FastOpenServer = 2;
    internal const int FastOpenClientNoCookie = 4;
    internal const int FastOpenServerNoCookie = 0x200;
    internal const int FastOpenEveryListener = 0x400;
    internal const int EcnAsk = 1;

    /// <summary>The value of <see cref="hystart_detect"/> that Linux's module has by default: both means of its HyStart.</summary>
    public const int HystartOfLinux = CongestionContext.DetectByTrains | CongestionContext.DetectByDelay;

#pragma warning disable IDE1006 // The names are Linux's.
    /// <summary>Minimum, default and largest receive buffer, in bytes of memory (net.ipv4.tcp_rmem).</summary>
    public (int Min, int Default, int Max) tcp_rmem { get; set; } = (4096, 131072, 6291456);

    /// <summary>Minimum, default and largest send buffer, in bytes of memory (net.ipv4.tcp_wmem).</summary>
    public (int Min, int Default, int Max) tcp_wmem { get; set; } = (4096, 16384, 4194304);

    /// <summary>Whether the receive buffer follows the reading application (net.ipv4.tcp_moderate_rcvbuf).</summary>
    public bool tcp_moderate_rcvbuf { get; set; } = true;

    /// <summary>
    /// The part of a new connection's largest window that is kept for the application, as a power of a half, and a segment at least; 0 for
    /// none. It lasts until the buffer grows by itself.
    /// </summary>
    public int tcp_app_win { get; set; } = 31;

    /// <summary>
    /// Most bytes of memory that a receive buffer grows to by itself while a round trip takes less than 5 ms; no limit of its own by
    /// default, as in Linux. On a short path a larger buffer makes nothing faster: it only holds more bytes than the caches do.
    /// </summary>
    public int ShortPathReceiveBufferMax { get; set; } = int.MaxValue;

    /// <summary>Largest SO_RCVBUF, in bytes (net.core.rmem_max).</summary>
    public int rmem_max { get; set; } = 4_194_304;

    /// <summary>Largest SO_SNDBUF, in bytes (net.core.wmem_max).</summary>
    public int wmem_max { get; set; } = 4_194_304;

    /// <summary>Kept and shown only, as by Linux from 6.6 on: what a buffer holds of a window follows from the segments that arrive.</summary>
    public int tcp_adv_win_scale { get; set; } = 1;

    /// <summary>RFC 7323 timestamps.</summary>
    public bool tcp_timestamps { get; set; } = true;

    /// <summary>RFC 2018 selective acknowledgments.</summary>
    public bool tcp_sack { get; set; } = true;

    /// <summary>RFC 2883 duplicate SACKs.</summary>
    public bool tcp_dsack { get; set; } = true;

    /// <summary>
    /// Most nanoseconds that duplicate ACKs with SACK blocks wait to go out as one; it is never more than 5 percent of the round trip
    /// (net.ipv4.tcp_comp_sack_delay_ns). The first three that say the same RCV.NXT do not wait.
    /// </summary>
    public ulong tcp_comp_sack_delay_ns { get; set; } = 1_000_000;

    /// <summary>Nanoseconds that they may wait beyond that, as a timer of Linux's does where nothing else wakes the host.</summary>
    public ulong tcp_comp_sack_slack_ns { get; set; } = 100_000;

    /// <summary>Most of them that wait; 0 for none, so that each goes out at once, as RFC 5681 4.2 says.</summary>
    public byte tcp_comp_sack_nr { get; set; } = 44;

    /// <summary>RFC 7323 window scaling.</summary>
    public bool tcp_window_scaling { get; set; } = true;

    /// <summary>Whether a window that is scaled is taken back when memory does not last (RFC 7323 2.4); what it had offered beyond is dropped.</summary>
    public bool tcp_shrink_window { get; set; }

    /// <summary>Explicit congestion notification (RFC 3168): 0 never, 1 asked for and agreed to, 2 agreed to when the peer asks.</summary>
    public int tcp_ecn { get; set; } = 2;

    /// <summary>Whether a SYN that asked for ECN and got no answer is repeated without asking (RFC 3168 6.1.1.1).</summary>
    public bool tcp_ecn_fallback { get; set; } = true;

    /// <summary>Whether a SYN-ACK, and the connection, has the type of service or the traffic class of the SYN, and not the listener's.</summary>
    public bool tcp_reflect_tos { get; set; }

    /// <summary>
    /// TCP Fast Open (RFC 7413), by bits: 1 client, 2 server, 4 the client sends data without a cookie, 0x200 the server takes data without
    /// one, 0x400 every listener has it, without TCP_FASTOPEN.
    /// </summary>
    public int tcp_fastopen { get; set; } = FastOpenClient;

    /// <summary>Bytes that may wait unsent in a connection before poll(2) says no more that it is writable (TCP_NOTSENT_LOWAT).</summary>
    public uint tcp_notsent_lowat { get; set; } = uint.MaxValue;

    /// <summary>
    /// Seconds for which Fast Open pauses where a path seems to swallow it, doubled each time up to 64 times; 0 for never. Setting it ends the
    /// pause.
    /// </summary>
    public int tcp_fastopen_blackhole_timeout_sec
    {
        get;
        set
        {
            field = value;
            FastOpenPauses = 0;
        }
    }

    /// <summary>How often Fast Open has been paused since it last worked.</summary>
    internal int FastOpenPauses { get; set; }

    /// <summary>Most destinations of which something is remembered (Linux: tcp_metrics).</summary>
    public int DestinationsMax { get; init; } = 8192;

    /// <summary>How often a SYN is repeated, those of tcp_syn_linear_timeouts not counted.</summary>
    public int tcp_syn_retries { get; set; } = 6;

    /// <summary>How often a SYN-ACK is repeated.</summary>
    public int tcp_synack_retries { get; set; } = 5;

    /// <summary>Whether connections leave nothing of what they have learned to the next one to the same destination.</summary>
    public bool tcp_no_metrics_save { get; set; }

    /// <summary>Whether ssthresh is not a part of what they leave.</summary>
    public bool tcp_no_ssthresh_metrics_save { get; set; } = true;

    /// <summary>Whether small segments that follow each other are sent again as one (net.ipv4.tcp_retrans_collapse).</summary>
    public bool tcp_retrans_collapse { get; set; } = true;

    /// <summary>Path MTU discovery without ICMP (RFC 4821): 0 never, 1 where timeouts point to a black hole, 2 from the beginning.</summary>
    public int tcp_mtu_probing { get; set; }

    /// <summary>Payload that probing begins with (net.ipv4.tcp_base_mss).</summary>
    public int tcp_base_mss { get; set; } = 1024;

    /// <summary>Payload that probing does not go below (net.ipv4.tcp_mtu_probe_floor).</summary>
    public int tcp_mtu_probe_floor { get; set; } = 48;

    /// <summary>Bytes of packet that are too few to probe for (net.ipv4.tcp_probe_threshold).</summary>
    public int tcp_probe_threshold { get; set; } = 8;

    /// <summary>Seconds after which a finished search begins again (net.ipv4.tcp_probe_interval).</summary>
    public int tcp_probe_interval { get; set; } = 600;

    /// <summary>Timeouts after which the route is doubted (net.ipv4.tcp_retries1).</summary>
    public int tcp_retries1 { get; set; } = 3;

    /// <summary>Timeouts after which a connection gives up (net.ipv4.tcp_retries2).</summary>
    public int tcp_retries2 { get; set; } = 15;

    /// <summary>The same for a connection that no application holds; 0 means 8.</summary>
    public int tcp_orphan_retries { get; set; }

    /// <summary>Most connections that no application holds; more are reset.</summary>
    public int tcp_max_orphans { get; set; } = 131072;

    /// <summary>Most half-open connections a listener keeps (with its backlog as the other bound).</summary>
    public int tcp_max_syn_backlog { get; set; } = 4096;

    /// <summary>0 never, 1 when the SYN queue is full, 2 always.</summary>
    public int tcp_syncookies { get; set; } = 1;

    /// <summary>Reset, rather than keep silent, when the accept queue is full.</summary>
    public bool tcp_abort_on_overflow { get; set; }

    /// <summary>Largest backlog (net.core.somaxconn).</summary>
    public int somaxconn { get; set; } = 4096;

    /// <summary>Most TIME-WAIT records; beyond, connections close without one.</summary>
    public int tcp_max_tw_buckets { get; set; } = 131072;

    /// <summary>Whether a new connection may take a TIME-WAIT port: 0 no, 1 yes, 2 on loopback only (RFC 6191).</summary>
    public int tcp_tw_reuse { get; set; } = 2;

    /// <summary>How long after its last segment a connection in TIME-WAIT may be taken over, in milliseconds.</summary>
    public uint tcp_tw_reuse_delay { get; set; } = 1000;

    /// <summary>
    /// Challenge ACKs a second of the whole stack (RFC 5961 7); int.MaxValue for no limit: a shared one tells an attacker what others do
    /// (CVE-2016-5696).
    /// </summary>
    public int tcp_challenge_ack_limit { get; set; } = int.MaxValue;

    /// <summary>Answers within the time of a delayed ACK that make a dialogue, in which ACKs ride on answers.</summary>
    public byte tcp_pingpong_thresh { get; set; } = 1;

    /// <summary>Whether the urgent pointer is read as RFC 1122 4.2.2.4 says, as that of the urgent byte itself and not of the next one.</summary>
    public bool tcp_stdurg { get; set; }

    /// <summary>Whether the window stays below 32 KiB towards peers without window scaling, some of which take it for signed.</summary>
    public bool tcp_workaround_signed_windows { get; set; }

    /// <summary>RFC 1337: RST does not end TIME-WAIT. On by default, unlike Linux: see docs/tcp.md.</summary>
    public bool tcp_rfc1337 { get; set; } = true;

    /// <summary>Seconds that an abandoned connection stays in FIN-WAIT-2.</summary>
    public int tcp_fin_timeout { get; set; } = 60;

    /// <summary>Seconds of TIME-WAIT; fixed in Linux (TCP_TIMEWAIT_LEN).</summary>
    public int TimeWaitSeconds { get; set; } = 60;

    /// <summary>Seconds of silence before the first keepalive probe.</summary>
    public int tcp_keepalive_time { get; set; } = 7200;

    /// <summary>Seconds between keepalive probes.</summary>
    public int tcp_keepalive_intvl { get; set; } = 75;

    /// <summary>Unanswered keepalive probes after which a connection is dead.</summary>
    public int tcp_keepalive_probes { get; set; } = 9;

    /// <summary>Duplicate ACKs that mean loss, to begin with.</summary>
    public int tcp_reordering { get; set; } = 3;

    /// <summary>Upper limit of what reordering may be learned.</summary>
    public int tcp_max_reordering { get; set; } = 300;

    /// <summary>RACK (RFC 8985): 1 is always so; 2 keeps the reordering window as it is, 4 allows time for reordering in spite of DupThresh SACKs.</summary>
    public int tcp_recovery { get; set; } = 1;

    /// <summary>3 and 4: tail loss probes (RFC 8985 7); 0 none.</summary>
    public int tcp_early_retrans { get; set; } = 3;

    /// <summary>Not 0: F-RTO (RFC 5682) finds out whether a timeout was spurious.</summary>
    public int tcp_frto { get; set; } = 2;

    /// <summary>Seconds for which the least round-trip time is remembered.</summary>
    public int tcp_min_rtt_wlen { get; set; } = 300;

    /// <summary>Least retransmission timeout, in microseconds (RFC 6298 2.4 wants a second; Linux takes a fifth).</summary>
    public int tcp_rto_min_us { get; set; } = 200_000;

    /// <summary>Largest retransmission timeout, in milliseconds.</summary>
    public int tcp_rto_max_ms { get; set; } = 120_000;

    /// <summary>Repeat without back-off while fewer than four segments are in flight.</summary>
    public bool tcp_thin_linear_timeouts { get; set; }

    /// <summary>How many SYNs are repeated after the same time, before that doubles.</summary>
    public int tcp_syn_linear_timeouts { get; set; } = 4;

    /// <summary>Least segments that a large packet is made of, where as many may go.</summary>
    public int tcp_min_tso_segs { get; set; } = 2;

    /// <summary>The part of a window that is sent rather than waiting for a larger packet; 0 for three segments.</summary>
    public int tcp_tso_win_divisor { get; set; } = 3;

    /// <summary>Packets are larger on short paths: half as large for each 2^this microseconds of the least round trip.</summary>
    public int tcp_tso_rtt_log { get; set; } = 9;

    /// <summary>The pace in slow start, in percent of a window per round trip.</summary>
    public int tcp_pacing_ss_ratio { get; set; } = 200;

    /// <summary>The pace in congestion avoidance, in percent of a window per round trip.</summary>
    public int tcp_pacing_ca_ratio { get; set; } = 120;

    /// <summary>Whether new connections are paced, as the queueing discipline fq does it (tc-fq(8), net.core.default_qdisc).</summary>
    public bool fq { get; set; }

    /// <summary>
    /// How CUBIC finds the end of slow start (a parameter of Linux's module): by HyStart, 1 by trains of ACKs, 2 by delay, or 4, in place of
    /// both, by HyStart++ (RFC 9406), which Linux has not.
    /// </summary>
    public int hystart_detect { get; set; } = CongestionContext.DetectByRounds;

    /// <summary>Whether cwnd restarts after an idle RTO (RFC 5681 4.1).</summary>
    public bool tcp_slow_start_after_idle { get; set; } = true;

    /// <summary>Least milliseconds between answers to invalid segments of one connection.</summary>
    public int tcp_invalid_ratelimit { get; set; } = 500;

    /// <summary>Smallest segment that a peer can make us send (CVE-2019-11479).</summary>
    public int tcp_min_snd_mss { get; set; } = 48;

    /// <summary>The congestion control of new connections.</summary>
    public TcpCongestion tcp_congestion_control { get; set; } = TcpCongestion.Cubic;

    /// <summary>The algorithms that programs without privileges may choose (TCP_CONGESTION); a connection's own calls may choose any.</summary>
    public IReadOnlyList<TcpCongestion> tcp_allowed_congestion_control { get; set; } = [TcpCongestion.Reno, TcpCongestion.Cubic];

    /// <summary>Most connections of the stack, of any state but TIME-WAIT.</summary>
    public int ConnectionsMax { get; init; } = 4 << 20;

    /// <summary>Most half-open connections of the stack over all listeners.</summary>
    public int HalfOpenMax { get; init; } = 1 << 18;

    /// <summary>Memory in bytes that all receive queues may hold together (the high mark of net.ipv4.tcp_mem).</summary>
    public long tcp_mem_high { get; set; } = 1L << 30;
#pragma warning restore IDE1006
}

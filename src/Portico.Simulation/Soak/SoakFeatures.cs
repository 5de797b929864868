using Portico.Net;

namespace Portico.Simulation;

/// <summary>How a client opens its connection.</summary>
internal enum SoakOpening
{
    /// <summary>By a SYN at once.</summary>
    Plain,

    /// <summary>The same, with the options set before the SYN.</summary>
    Prepared,

    /// <summary>Data in the SYN where there is a cookie (MSG_FASTOPEN).</summary>
    FastOpen,

    /// <summary>The connect succeeds at once where there is a cookie, and the first data opens (TCP_FASTOPEN_CONNECT).</summary>
    Deferred,
}

/// <summary>What one end of a connection uses of TCP, besides reading and writing.</summary>
internal sealed record SoakFeatures
{
    /// <summary>Nothing of it.</summary>
    public static readonly SoakFeatures None = new();

    public SoakOpening Opening { get; init; }

    /// <summary>Options that are set when the connection is prepared, opened or accepted.</summary>
    public IReadOnlyList<(TcpOption Option, int Value)> Options { get; init; } = [];

    /// <summary>SO_MAX_PACING_RATE; 0 for none.</summary>
    public ulong PacingRateMax { get; init; }

    /// <summary>How often a write begins or ends TCP_CORK.</summary>
    public double CorkChance { get; init; }

    /// <summary>How often a write ends a record (MSG_EOR).</summary>
    public double EndOfRecordChance { get; init; }

    /// <summary>How often a write ends with an urgent byte (MSG_OOB), which the other end reads in line.</summary>
    public double UrgentChance { get; init; }

    /// <summary>How often bytes are written or read in the engine's own memory, without a copy between.</summary>
    public double LoanChance { get; init; }

    /// <summary>How often a write asks to be told of its acknowledgment, as MSG_ZEROCOPY does.</summary>
    public double NoticeChance { get; init; }

    /// <summary>How often a write asks for the times of its sending (SO_TIMESTAMPING).</summary>
    public double StampChance { get; init; }

    /// <summary>The keys by which segments are signed (TCP_MD5SIG), the same at both ends; null for none.</summary>
    public TcpSignatureKeys? SignatureKeys { get; init; }

    /// <summary>Whether the program may lose patience with its peer, in whatever state the path is.</summary>
    public bool HasUserTimeout => Options.Any(static option => option.Option == TcpOption.TCP_USER_TIMEOUT);

    /// <summary>Draws an end's features; <paramref name="hasUrgent"/> is drawn for both ends.</summary>
    public static SoakFeatures Draw(RandomSource random, bool hasUrgent)
    {
        List<(TcpOption, int)> options = [];
        void Maybe(double chance, TcpOption option, long value)
        {
            if (random.NextChance(chance))
            {
                options.Add((option, (int)value));
            }
        }

        Maybe(0.25, TcpOption.TCP_CONGESTION, random.Between(0, (int)TcpCongestion.Bbr));
        Maybe(0.1, TcpOption.TCP_USER_TIMEOUT, random.LogBetween(5_000, 120_000));
        Maybe(0.1, TcpOption.TCP_WINDOW_CLAMP, random.LogBetween(1152, 1 << 20));
        Maybe(0.1, TcpOption.TCP_NOTSENT_LOWAT, random.LogBetween(1, 1 << 18));
        Maybe(0.1, TcpOption.TCP_MAXSEG, random.LogBetween(88, 9000));
        Maybe(0.1, TcpOption.TCP_QUICKACK, random.Between(0, 1));
        Maybe(0.1, TcpOption.TCP_RTO_MAX_MS, random.LogBetween(2000, 120_000));
        Maybe(0.1, TcpOption.TCP_RTO_MIN_US, random.LogBetween(8000, 200_000));
        Maybe(0.1, TcpOption.TCP_DELACK_MAX_US, random.LogBetween(8000, 200_000));
        Maybe(0.1, TcpOption.TCP_THIN_LINEAR_TIMEOUTS, 1);
        Maybe(0.1, TcpOption.TCP_DEFER_ACCEPT, 3);
        Maybe(0.05, TcpOption.SO_SNDBUF, random.LogBetween(1000, 1 << 20));
        Maybe(0.05, TcpOption.SO_RCVBUF, random.LogBetween(1000, 1 << 20));
        Maybe(hasUrgent ? 1 : 0, TcpOption.SO_OOBINLINE, 1);
        return new SoakFeatures
        {
            Opening = random.NextChance(0.5) ? SoakOpening.Plain : (SoakOpening)random.Between(1, 3),
            Options = options,
            PacingRateMax = random.NextChance(0.15) ? (ulong)random.LogBetween(100_000, 1_000_000_000) : 0,
            CorkChance = DrawChance(random, 0.15, 0.2),
            EndOfRecordChance = DrawChance(random, 0.2, 0.3),
            UrgentChance = hasUrgent ? random.NextDouble() * 0.1 : 0,
            LoanChance = DrawChance(random, 0.3, 1),
            NoticeChance = DrawChance(random, 0.2, 0.5),
        };
    }

    /// <summary>The same with what came later: times of sending, and a key for all peers for a few that set their options before the SYN.</summary>
    public SoakFeatures WithLater(RandomSource random, IpAddress any)
    {
        TcpSignatureKeys? keys = null;
        if (random.NextChance(0.2) && Opening == SoakOpening.Prepared)
        {
            keys = new TcpSignatureKeys();
            byte[] key = new byte[random.Between(1, TcpSignatureKeys.KeyBytesMax)];
            key.AsSpan().Fill((byte)random.Between(1, 255));
            Errno error = keys.Add(new IpPrefix(any, 0), isOfDomain: false, key);
            Invariant.Check(error == Errno.None);
        }

        return this with { StampChance = DrawChance(random, 0.2, 0.5), SignatureKeys = keys };
    }

    /// <summary>What a listener does: Fast Open, TCP_DEFER_ACCEPT, TCP_SAVE_SYN, limits of timeouts.</summary>
    public static void DrawListener(RandomSource random, ref TcpListenRequest listen, out int fastOpenQueue, out bool fastOpenNoCookie)
    {
        listen.Backlog = random.Between(1, 8);
        listen.DeferAcceptTimeouts = random.NextChance(0.15) ? random.Between(1, 6) : 0;
        listen.SaveSyn = random.NextChance(0.15) ? random.Between(1, 2) : 0;
        listen.RtoMaxMillis = random.NextChance(0.1) ? (int)random.LogBetween(2000, 120_000) : 0;
        listen.RtoMinMicros = random.NextChance(0.1) ? (int)random.LogBetween(8000, 200_000) : 0;
        listen.DelayedAckMaxMicros = random.NextChance(0.1) ? (int)random.LogBetween(8000, 200_000) : 0;
        fastOpenQueue = random.NextChance(0.6) ? random.Between(1, 4) : 0;
        fastOpenNoCookie = random.NextChance(0.3);
    }

    /// <summary>The settings of a host that decide what its connections do.</summary>
    public static void DrawSettings(RandomSource random, TcpSettings tcp)
    {
        tcp.tcp_fastopen = random.OneOf<int>([0, 1, 3, 3, 3, 7, 0x203, 0x207, 0x403]);
        tcp.tcp_ecn = random.Between(0, 2);
        tcp.tcp_syncookies = random.OneOf<int>([0, 1, 1, 1, 2]);
        tcp.tcp_frto = random.OneOf<int>([0, 2, 2]);
        tcp.tcp_recovery = random.OneOf<int>([1, 1, 1, 3, 5]);
        tcp.tcp_early_retrans = random.OneOf<int>([0, 3, 3, 3]);
        tcp.tcp_reordering = random.OneOf<int>([3, 3, 3, 10]);
        tcp.tcp_slow_start_after_idle = random.NextChance(0.7);
        tcp.tcp_moderate_rcvbuf = random.NextChance(0.8);
        tcp.tcp_min_tso_segs = random.OneOf<int>([2, 2, 1, 10]);
        tcp.tcp_tso_win_divisor = random.OneOf<int>([3, 3, 0, 1, 100]);
        tcp.tcp_syn_linear_timeouts = random.OneOf<int>([4, 4, 0]);
        tcp.tcp_thin_linear_timeouts = random.NextChance(0.1);
        tcp.tcp_notsent_lowat = random.NextChance(0.1) ? (uint)random.LogBetween(1000, 1 << 20) : uint.MaxValue;
        if (random.NextChance(0.1))
        {
            tcp.tcp_rto_min_us = (int)random.LogBetween(8000, 200_000);
        }
    }

    /// <summary>Settings that came later.</summary>
    public static void DrawLaterSettings(RandomSource random, TcpSettings tcp)
    {
        tcp.tcp_retrans_collapse = random.NextChance(0.8);
        tcp.tcp_mtu_probing = random.OneOf<int>([0, 0, 1, 2]);
        tcp.tcp_base_mss = random.OneOf<int>([1024, 1024, 536, 128]);
        tcp.tcp_no_metrics_save = random.NextChance(0.3);
        tcp.tcp_no_ssthresh_metrics_save = random.NextChance(0.7);
        tcp.tcp_probe_interval = random.OneOf<int>([600, 600, 10]);
        tcp.hystart_detect = random.OneOf<int>([4, 4, 3, 2, 1, 0]);
        tcp.tcp_pingpong_thresh = random.NextChance(0.8) ? (byte)1 : (byte)random.Between(2, 5);
        tcp.tcp_workaround_signed_windows = random.NextChance(0.1);
        tcp.tcp_challenge_ack_limit = random.NextChance(0.9) ? int.MaxValue : random.Between(1, 100);
        tcp.tcp_comp_sack_nr = random.OneOf<byte>([44, 44, 44, 0, 1, byte.MaxValue]);
        tcp.tcp_comp_sack_delay_ns = random.OneOf<ulong>([1_000_000, 1_000_000, 0, ulong.MaxValue]);
        tcp.tcp_comp_sack_slack_ns = random.OneOf<ulong>([100_000, 100_000, 0, 10_000_000]);
    }

    private static double DrawChance(RandomSource random, double used, double most) => random.NextChance(used) ? random.NextDouble() * most : 0;
}

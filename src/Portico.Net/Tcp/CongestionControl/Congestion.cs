using System.Runtime.CompilerServices;

namespace Portico.Net;

/// <summary>What an algorithm is told besides acknowledgments.</summary>
internal enum CongestionEvent
{
    /// <summary>The first transmission when nothing was in flight.</summary>
    TransmitStart,

    /// <summary>The window was reduced after the connection had been idle (RFC 2861).</summary>
    WindowRestart,

    /// <summary>A window reduction has ended.</summary>
    CompleteCwr,

    /// <summary>The retransmission timer has fired.</summary>
    Loss,
}

/// <summary>What ended slow start before a loss did.</summary>
internal enum HystartExit : byte
{
    None,

    /// <summary>A train of acknowledgments as long as the path.</summary>
    Train,

    /// <summary>Round trips that grow.</summary>
    Delay,
}

/// <summary>What an algorithm remembers of a connection; the fields are <see cref="Cubic"/>'s (Reno needs none). In the TCB: 60 bytes.</summary>
internal struct CongestionState
{
    /// <summary>Acknowledged packets for each packet of growth.</summary>
    public uint GrowthInterval;

    /// <summary>The window before the last reduction (W_max), lowered by fast convergence.</summary>
    public uint WMax;

    public uint LastCwnd;

    /// <summary>When the growth was last computed; milliseconds, as are all times here unless named otherwise.</summary>
    public uint LastTime;

    /// <summary>The window at the plateau of the cubic function.</summary>
    public uint OriginPoint;

    /// <summary>Time from the start of the epoch to the plateau in 1/1024 s (K).</summary>
    public uint K;

    public uint DelayMinMicros;

    /// <summary>When this stage of congestion avoidance began (t_epoch); 0 before it does.</summary>
    public uint EpochStart;

    /// <summary>Packets acknowledged since <see cref="WEst"/> grew last.</summary>
    public uint AckCount;

    /// <summary>What Reno's window would be (W_est).</summary>
    public uint WEst;

    public uint RoundStartMicros;
    public uint RoundEndSeq;
    public uint LastAckMicros;
    public uint CurrentRttMicros;
    public byte SampleCount;

    /// <summary>Rounds of conservative slow start, the current one counted; 0 in the standard one (RFC 9406).</summary>
    public byte ConservativeRounds;

    /// <summary>Whether HyStart has found the end of this slow start.</summary>
    public bool ExitFound;

    /// <summary>HyStart++ has no trains to follow: the least round trips of the last round, and of that in which conservative slow start began.</summary>
    public uint LastRoundRttMicros
    {
        readonly get => RoundStartMicros;
        set => RoundStartMicros = value;
    }

    public uint BaselineRttMicros
    {
        readonly get => LastAckMicros;
        set => LastAckMicros = value;
    }

    /// <summary>BBR's state, which lies elsewhere: <see cref="TcpCongestion.Bbr"/> uses none of the other fields.</summary>
    public unsafe BbrState* Bbr
    {
        readonly get => (BbrState*)(((ulong)WMax << 32) | GrowthInterval);
        set => (WMax, GrowthInterval) = ((uint)((ulong)value >> 32), (uint)(ulong)value);
    }
}

/// <summary>What a connection tells its algorithm, and the windows that the algorithm sets. Windows count packets, as in Linux.</summary>
internal struct CongestionContext
{
    public const uint SsThreshInfinite = 0x7FFF_FFFF;
    public const int DetectByTrains = 1;
    public const int DetectByDelay = 2;
    public const int DetectByRounds = 4;

    public uint Cwnd;
    public uint SsThresh;

    /// <summary>Packets acknowledged towards the next packet of linear growth.</summary>
    public uint CwndCount;

    public uint CwndClamp;

    /// <summary>The window before the reduction that may be undone.</summary>
    public uint PriorCwnd;

    /// <summary>Packets that this acknowledgment newly acknowledges.</summary>
    public uint Acked;

    /// <summary>How CUBIC may find the end of slow start: <see cref="DetectByTrains"/> and the others.</summary>
    public int HystartDetect;

    public MonoTime Now;

    /// <summary>When data was last sent; for <see cref="CongestionEvent.TransmitStart"/>.</summary>
    public MonoTime LastSent;

    public uint SndNxt;

    public readonly bool InSlowStart => Cwnd < SsThresh;

    /// <summary>
    /// Exponential growth up to the threshold by what was acknowledged (RFC 3465 without its limit, as Linux does it). Returns what is
    /// left for congestion avoidance.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public uint SlowStart(uint acked)
    {
        uint cwnd = Math.Min(Cwnd + acked, SsThresh);
        uint left = acked - (cwnd - Cwnd);
        Cwnd = Math.Min(cwnd, CwndClamp);
        return left;
    }

    /// <summary>Linear growth: a packet for each <paramref name="interval"/> packets acknowledged.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void IncreaseAdditively(uint interval, uint acked)
    {
        // Credits that an earlier, larger interval let pile up count for one packet.
        if (CwndCount >= interval)
        {
            CwndCount = 0;
            Cwnd++;
        }

        CwndCount += acked;
        if (CwndCount >= interval)
        {
            uint growth = CwndCount / interval;
            CwndCount -= growth * interval;
            Cwnd += growth;
        }

        Cwnd = Math.Min(Cwnd, CwndClamp);
    }
}

/// <summary>A round trip that an acknowledgment in slow start has measured, and what the search for the end of slow start asks beside it.</summary>
internal struct RttSample
{
    /// <summary>The round trip of the segment delivered last; at least 1.</summary>
    public uint RttMicros;
    public uint Cwnd;
    public uint SsThresh;
    public uint SndUna;
    public uint SndNxt;
    public uint Mss;
    public int SrttMicros;

    /// <summary>How the end of slow start may be found: <see cref="CongestionContext.DetectByTrains"/> and the others.</summary>
    public int HystartDetect;
    public MonoTime Now;

    /// <summary>Whether segments are paced: an acknowledgment train then takes twice as long.</summary>
    public bool IsPaced;
}

/// <summary>A congestion-control algorithm, without any state of its own.</summary>
internal interface ICongestionControl
{
    static abstract void Initialize(ref CongestionState state, ref CongestionContext context);

    /// <summary>The threshold after a loss or a congestion mark.</summary>
    static abstract uint SsThresh(ref CongestionState state, ref CongestionContext context);

    /// <summary>Grows the window, which was what limited the sender, for <see cref="CongestionContext.Acked"/> packets.</summary>
    static abstract void CongestionAvoid(ref CongestionState state, ref CongestionContext context);

    /// <summary>An acknowledgment has measured a round trip; false where that says nothing (of the end of slow start either).</summary>
    static abstract bool TakeRtt(ref CongestionState state, MonoTime now, uint rttMicros);

    /// <summary>The same in slow start whose end has not been found; whether it has to end, at the window of now.</summary>
    static abstract HystartExit OnSlowStartSample(ref CongestionState state, in RttSample sample);

    /// <summary>The window to return to when a reduction turns out to have been unnecessary.</summary>
    static abstract uint UndoCwnd(ref CongestionState state, ref CongestionContext context);

    static abstract void OnCwndEvent(ref CongestionState state, ref CongestionContext context, CongestionEvent what);
}

/// <summary>Calls the algorithm that a connection uses.</summary>
internal static class Congestion
{
    public static void Initialize(TcpCongestion algorithm, ref CongestionState state, ref CongestionContext context)
    {
        switch (algorithm)
        {
            case TcpCongestion.Reno:
                Reno.Initialize(ref state, ref context);
                break;
            default:
                Cubic.Initialize(ref state, ref context);
                break;
        }
    }

    public static uint SsThresh(TcpCongestion algorithm, ref CongestionState state, ref CongestionContext context) => algorithm switch
    {
        TcpCongestion.Reno => Reno.SsThresh(ref state, ref context),
        _ => Cubic.SsThresh(ref state, ref context),
    };

    public static void CongestionAvoid(TcpCongestion algorithm, ref CongestionState state, ref CongestionContext context)
    {
        switch (algorithm)
        {
            case TcpCongestion.Reno:
                Reno.CongestionAvoid(ref state, ref context);
                break;
            default:
                Cubic.CongestionAvoid(ref state, ref context);
                break;
        }
    }

    public static bool TakeRtt(TcpCongestion algorithm, ref CongestionState state, MonoTime now, uint rttMicros) => algorithm switch
    {
        TcpCongestion.Reno => Reno.TakeRtt(ref state, now, rttMicros),
        _ => Cubic.TakeRtt(ref state, now, rttMicros),
    };

    public static HystartExit OnSlowStartSample(TcpCongestion algorithm, ref CongestionState state, in RttSample sample) => algorithm switch
    {
        TcpCongestion.Reno => Reno.OnSlowStartSample(ref state, in sample),
        _ => Cubic.OnSlowStartSample(ref state, in sample),
    };

    public static uint UndoCwnd(TcpCongestion algorithm, ref CongestionState state, ref CongestionContext context) => algorithm switch
    {
        TcpCongestion.Reno => Reno.UndoCwnd(ref state, ref context),
        _ => Cubic.UndoCwnd(ref state, ref context),
    };

    public static void OnCwndEvent(TcpCongestion algorithm, ref CongestionState state, ref CongestionContext context, CongestionEvent what)
    {
        switch (algorithm)
        {
            case TcpCongestion.Reno:
                Reno.OnCwndEvent(ref state, ref context, what);
                break;
            default:
                Cubic.OnCwndEvent(ref state, ref context, what);
                break;
        }
    }
}

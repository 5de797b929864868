namespace Portico.Net;

/// <summary>
/// CUBIC (RFC 9438) with Linux's integers. Slow start is left before it overflows the path by HyStart++ (RFC 9406), or by Linux's HyStart (Ha,
/// Rhee 2011) where that is set. Time is in 1/1024 s for the cubic function, so that its cube scales by shifts.
/// </summary>
internal readonly struct Cubic : ICongestionControl
{
    /// <summary>The multiplicative decrease, 0.7 in 1/1024.</summary>
    private const uint Beta = 717;
    private const uint BetaScale = 1024;

    /// <summary>C = 410/1024 = 0.4 packets per cubic second.</summary>
    private const ulong CubeScale = 410;

    /// <summary>2^10 for C and 2^30 for the cube of the time's unit.</summary>
    private const int CubeShift = 40;
    private const ulong CubeFactor = (1UL << CubeShift) / CubeScale;

    /// <summary>Eight times the packets acknowledged per packet of W_est's growth and packet of window: (1 + beta) / (3 (1 - beta)).</summary>
    private const uint FriendlyScale = 8 * (BetaScale + Beta) / 3 / (BetaScale - Beta);

    /// <summary>256 s from the plateau: beyond it the cube would not fit, and the window grows by half each round trip anyway.</summary>
    private const uint OffsetMax = 1 << 18;

    private const uint HystartLowWindow = 16;
    private const int HystartSamplesMin = 8;
    private const uint HystartAckDeltaMicros = 2_000;
    private const uint HystartDelayMinMicros = 4_000;
    private const uint HystartDelayMaxMicros = 16_000;

    public static void Initialize(ref CongestionState state, ref CongestionContext context)
    {
        state = default;
        state.CurrentRttMicros = uint.MaxValue;
        StartRound(ref state, context.HystartDetect, context.Now, context.SndNxt);
    }

    public static uint SsThresh(ref CongestionState state, ref CongestionContext context)
    {
        state.EpochStart = 0;

        // Fast convergence (RFC 9438 4.7): a flow whose window shrinks from loss to loss leaves room for newcomers.
        state.WMax = context.Cwnd < state.WMax
            ? (uint)((ulong)context.Cwnd * (BetaScale + Beta) / (2 * BetaScale))
            : context.Cwnd;
        return Math.Max((uint)((ulong)context.Cwnd * Beta / BetaScale), 2);
    }

    public static void CongestionAvoid(ref CongestionState state, ref CongestionContext context)
    {
        uint acked = context.Acked;
        if (context.InSlowStart)
        {
            acked = HyStartPlusPlus.Grow(ref state, ref context);
            if (acked == 0)
            {
                return;
            }
        }

        Update(ref state, in context, acked);
        context.IncreaseAdditively(state.GrowthInterval, acked);
    }

    public static bool TakeRtt(ref CongestionState state, MonoTime now, uint rttMicros)
    {
        // Samples from just after a reduction still show the full queue.
        if (state.EpochStart != 0 && Milliseconds(now) - state.EpochStart < 1_000)
        {
            return false;
        }

        if (state.DelayMinMicros == 0 || state.DelayMinMicros > rttMicros)
        {
            state.DelayMinMicros = rttMicros;
        }

        return true;
    }

    public static HystartExit OnSlowStartSample(ref CongestionState state, in RttSample sample)
    {
        if ((sample.HystartDetect & CongestionContext.DetectByRounds) != 0)
        {
            return HyStartPlusPlus.OnSample(ref state, in sample);
        }

        return sample.Cwnd >= HystartLowWindow ? LookForExit(ref state, in sample) : HystartExit.None;
    }

    public static uint UndoCwnd(ref CongestionState state, ref CongestionContext context) => Math.Max(context.Cwnd, context.PriorCwnd);

    public static void OnCwndEvent(ref CongestionState state, ref CongestionContext context, CongestionEvent what)
    {
        if (what == CongestionEvent.Loss)
        {
            Initialize(ref state, ref context);
            return;
        }

        // The window does not grow for time in which nothing was sent (RFC 9438 5.8): the epoch moves on by as much.
        if (what == CongestionEvent.TransmitStart && state.EpochStart != 0 && context.Now > context.LastSent)
        {
            uint now = Milliseconds(context.Now);
            state.EpochStart = Seq.Min(state.EpochStart + (now - Milliseconds(context.LastSent)), now);
        }
    }

    /// <summary>The cube root, rounded down.</summary>
    internal static uint CubeRoot(ulong value)
    {
        ulong root = 0;
        for (int shift = 63; shift >= 0; shift -= 3)
        {
            root <<= 1;
            ulong step = (3 * root * (root + 1)) + 1;
            if (value >> shift >= step)
            {
                value -= step << shift;
                root++;
            }
        }

        return (uint)root;
    }

    private static void Update(ref CongestionState state, in CongestionContext context, uint acked)
    {
        state.AckCount += acked;
        uint now = Milliseconds(context.Now);
        uint cwnd = context.Cwnd;
        if (state.LastCwnd == cwnd && now - state.LastTime <= 1_000 / 32)
        {
            return;
        }

        // The cubic function changes once per unit of time, W_est with every acknowledgment.
        if (state.EpochStart == 0 || now != state.LastTime)
        {
            state.LastCwnd = cwnd;
            state.LastTime = now;
            UpdateCubic(ref state, cwnd, acked, now);
        }

        uint interval = Math.Max(1, (cwnd * FriendlyScale) >> 3);
        while (state.AckCount > interval)
        {
            state.AckCount -= interval;
            state.WEst++;
        }

        if (state.WEst > cwnd)
        {
            state.GrowthInterval = Math.Min(state.GrowthInterval, cwnd / (state.WEst - cwnd));
        }

        state.GrowthInterval = Math.Max(state.GrowthInterval, 2);
    }

    private static void UpdateCubic(ref CongestionState state, uint cwnd, uint acked, uint now)
    {
        if (state.EpochStart == 0)
        {
            state.EpochStart = now;
            state.AckCount = acked;
            state.WEst = cwnd;
            state.OriginPoint = Math.Max(state.WMax, cwnd);
            state.K = CubeRoot(CubeFactor * (state.OriginPoint - cwnd));
        }

        // The window that is due one round trip from now (RFC 9438 4.4).
        ulong elapsed = (((ulong)(now - state.EpochStart) + (state.DelayMinMicros / 1_000)) << 10) / 1_000;
        bool concave = elapsed < state.K;
        ulong offset = Math.Min(concave ? state.K - elapsed : elapsed - state.K, OffsetMax);
        ulong delta = (CubeScale * offset * offset * offset) >> CubeShift;
        ulong target = concave ? state.OriginPoint - Math.Min(delta, state.OriginPoint) : state.OriginPoint + delta;
        state.GrowthInterval = target > cwnd ? (uint)(cwnd / (target - cwnd)) : 100 * cwnd;

        // Before the first loss nothing is known about the plateau: grow at least by 5 % per round trip.
        if (state.WMax == 0)
        {
            state.GrowthInterval = Math.Min(state.GrowthInterval, 20);
        }
    }

    private static void StartRound(ref CongestionState state, int detect, MonoTime now, uint sndNxt)
    {
        if ((detect & CongestionContext.DetectByRounds) != 0)
        {
            HyStartPlusPlus.StartRound(ref state, sndNxt);
            return;
        }

        state.RoundStartMicros = state.LastAckMicros = Micros(now);
        state.RoundEndSeq = sndNxt;
        state.CurrentRttMicros = uint.MaxValue;
        state.SampleCount = 0;
    }

    private static HystartExit LookForExit(ref CongestionState state, in RttSample sample)
    {
        if (Seq.Gt(sample.SndUna, state.RoundEndSeq))
        {
            StartRound(ref state, sample.HystartDetect, sample.Now, sample.SndNxt);
        }

        HystartExit exit = HystartExit.None;

        // A train of closely spaced acknowledgments that lasts as long as half a round trip fills the path.
        uint now = Micros(sample.Now);
        if ((sample.HystartDetect & CongestionContext.DetectByTrains) != 0 && now - state.LastAckMicros <= HystartAckDeltaMicros)
        {
            state.LastAckMicros = now;
            uint threshold = state.DelayMinMicros + AckAggregationMicros(in sample);
            if (now - state.RoundStartMicros > (sample.IsPaced ? threshold : threshold >> 1))
            {
                exit = HystartExit.Train;
            }
        }

        if ((sample.HystartDetect & CongestionContext.DetectByDelay) != 0)
        {
            // Round trips that grow by an eighth mean that a queue builds up.
            state.CurrentRttMicros = Math.Min(state.CurrentRttMicros, sample.RttMicros);
            if (state.SampleCount < HystartSamplesMin)
            {
                state.SampleCount++;
            }
            else if (state.CurrentRttMicros >
                state.DelayMinMicros + Math.Clamp(state.DelayMinMicros >> 3, HystartDelayMinMicros, HystartDelayMaxMicros))
            {
                exit = HystartExit.Delay;
            }
        }

        state.ExitFound |= exit != HystartExit.None;
        return exit;
    }

    /// <summary>How much super-segments may spread a train: the time of four at the current rate, at most 1 ms.</summary>
    private static uint AckAggregationMicros(in RttSample sample)
    {
        ulong bytesPerRound = 2UL * sample.Cwnd * sample.Mss;
        return bytesPerRound == 0 ? 0 : (uint)Math.Min(1_000, 4UL * 65_536 * (uint)Math.Max(0, sample.SrttMicros) / bytesPerRound);
    }

    /// <summary>Counts from 1, so that 0 stands for "not yet" at the origin of time too.</summary>
    private static uint Milliseconds(MonoTime time) => (uint)(time.Nanoseconds / 1_000_000) + 1;

    private static uint Micros(MonoTime time) => (uint)(time.Nanoseconds / 1_000);
}

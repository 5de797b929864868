namespace Portico.Net;

/// <summary>What BBR remembers of a connection; in a slab of its own, as only connections that chose it have one.</summary>
internal struct BbrState
{
    public uint Index;
    public BbrMode Mode;
    public CaState PriorCaState;
    public byte CycleIndex;
    public byte FullBandwidthCount;
    public byte ExtraAckedRounds;
    public byte ExtraAckedIndex;
    public byte LongTermRounds;
    public bool RoundStart;
    public bool PacketConservation;
    public bool IdleRestart;
    public bool ProbeRttRoundDone;
    public bool FullBandwidthReached;
    public bool HasSeenRtt;
    public bool UsesLongTermBandwidth;
    public bool IsSamplingLongTerm;

    /// <summary>Of the pace and of cwnd, in 1/256.</summary>
    public uint PacingGain;
    public uint CwndGain;

    /// <summary>Bytes a second.</summary>
    public ulong PacingRate;

    /// <summary>SO_MAX_PACING_RATE.</summary>
    public ulong PacingRateMax;

    /// <summary>The least round trip of ten seconds, uint.MaxValue before there is one, and when it was seen.</summary>
    public uint MinRttMicros;
    public uint MinRttMillis;
    public uint ProbeRttDoneMillis;

    /// <summary>The best of ten round trips; packets in a microsecond, in 1/2^24, as are all bandwidths here.</summary>
    public MaxFilter Bandwidth;
    public uint Rounds;
    public uint NextRoundDelivered;
    public long CycleStart;
    public uint PriorCwnd;
    public uint FullBandwidth;
    public uint LongTermBandwidth;
    public uint LongTermDelivered;
    public uint LongTermMillis;
    public uint LongTermLost;
    public uint LostTotal;
    public long AckEpochStart;
    public uint AckEpochAcked;
    public uint ExtraAcked0;
    public uint ExtraAcked1;
}

/// <summary>What BBR is about.</summary>
internal enum BbrMode : byte
{
    /// <summary>Doubling the pace each round trip until the bandwidth grows no more.</summary>
    Startup,

    /// <summary>Letting the queue that Startup has built drain.</summary>
    Drain,

    /// <summary>At the bandwidth, trying a quarter more in one of eight round trips and making up for it in the next.</summary>
    ProbeBandwidth,

    /// <summary>Next to nothing in flight for 200 ms, to see the round trip without a queue.</summary>
    ProbeRtt,
}

/// <summary>
/// The greatest value of the last <c>window</c> rounds from three samples (Nichols' windowed filter): the best, the best since that one, and
/// the best since the second.
/// </summary>
internal struct MaxFilter
{
    private uint _time0;
    private uint _time1;
    private uint _time2;
    private uint _value1;
    private uint _value2;

    public uint Value { get; private set; }

    public void Reset(uint time, uint value)
    {
        _time0 = _time1 = _time2 = time;
        Value = _value1 = _value2 = value;
    }

    public void Sample(uint window, uint time, uint value)
    {
        if (value >= Value || time - _time2 > window)
        {
            Reset(time, value);
            return;
        }

        if (value >= _value1)
        {
            (_time1, _value1) = (time, value);
            (_time2, _value2) = (time, value);
        }
        else if (value >= _value2)
        {
            (_time2, _value2) = (time, value);
        }

        uint age = time - _time0;
        if (age > window)
        {
            (_time0, Value, _time1, _value1) = (_time1, _value1, _time2, _value2);
            (_time2, _value2) = (time, value);
            if (time - _time0 > window)
            {
                (_time0, Value, _time1, _value1) = (_time1, _value1, _time2, _value2);
                (_time2, _value2) = (time, value);
            }
        }
        else if (_time1 == _time0 && age > window / 4)
        {
            (_time1, _value1) = (time, value);
            (_time2, _value2) = (time, value);
        }
        else if (_time2 == _time1 && age > window / 2)
        {
            (_time2, _value2) = (time, value);
        }
    }
}

/// <summary>What one ACK tells BBR of its connection; the windows are what it sets.</summary>
internal struct BbrContext
{
    public uint Cwnd;
    public uint SsThresh;
    public uint CwndClamp;
    public uint Mss;
    public int SrttMicros;
    public uint InFlight;
    public uint Delivered;

    /// <summary>When something was last delivered, and now; nanoseconds.</summary>
    public long DeliveredTime;
    public long Now;

    /// <summary>When the next packet may leave.</summary>
    public long NextSendTime;
    public uint NowMillis;
    public CaState CaState;

    /// <summary>Segments newly delivered and newly marked lost.</summary>
    public uint Acked;
    public uint Lost;
    public bool IsAckDelayed;

    /// <summary>What is sent from here on says little of the path.</summary>
    public bool MarkAppLimited;
}

/// <summary>
/// BBR (version 1, Cardwell et al. 2016, as Linux 6.18 has it): paces at the bandwidth that was measured, and keeps in flight about twice what
/// that makes in the least round trip. Losses do not reduce it; a steady rate with many losses is taken for a policer's.
/// </summary>
internal static class Bbr
{
    public const uint Unit = 256;
    private const int BandwidthShift = 24;
    private const ulong BandwidthUnit = 1UL << BandwidthShift;
    private const uint BandwidthRounds = 10;
    private const uint MinRttMillisMax = 10_000;
    private const uint ProbeRttMillis = 200;
    private const uint CwndMin = 4;
    private const uint InitialCwnd = 10;

    /// <summary>2/ln 2, and what undoes it.</summary>
    private const uint HighGain = (Unit * 2885 / 1000) + 1;
    private const uint DrainGain = Unit * 1000 / 2885;
    private const uint CwndGain = Unit * 2;
    private const int CycleLength = 8;

    private const byte LongTermRoundsMin = 4;
    private const uint LongTermLossMin = 50;
    private const byte LongTermRoundsMax = 48;
    private const uint LongTermDifference = 4000 / 8;
    private const uint ExtraAckedMicrosMax = 100_000;

    private static ReadOnlySpan<ushort> CycleGains => [(ushort)(Unit * 5 / 4), (ushort)(Unit * 3 / 4), (ushort)Unit, (ushort)Unit,
        (ushort)Unit, (ushort)Unit, (ushort)Unit, (ushort)Unit];

    public static void Initialize(ref BbrState s, ref BbrContext c, uint minRttMicros)
    {
        s = new BbrState { Index = s.Index, PacingRateMax = s.PacingRateMax };
        c.SsThresh = CongestionContext.SsThreshInfinite;
        s.NextRoundDelivered = c.Delivered;
        s.MinRttMicros = minRttMicros == 0 ? uint.MaxValue : minRttMicros;
        s.MinRttMillis = c.NowMillis;
        s.Bandwidth.Reset(0, 0);
        s.AckEpochStart = c.Now;
        InitializePace(ref s, c);
        ResetLongTerm(ref s, c);
        s.Mode = BbrMode.Startup;
        UpdateGains(ref s);
    }

    /// <summary>The ACK's consequences: the model first, then pace and cwnd.</summary>
    public static void OnAck(ref BbrState s, ref BbrContext c, in RateSample rate, RandomSource random)
    {
        s.LostTotal += c.Lost;
        UpdateBandwidth(ref s, ref c, rate, random);
        UpdateAggregation(ref s, c, rate);
        if (s.Mode == BbrMode.ProbeBandwidth && IsPhaseOver(s, c, rate))
        {
            NextPhase(ref s, c);
        }

        CheckFullBandwidth(ref s, rate);
        CheckDrain(ref s, ref c, random);
        UpdateMinRtt(ref s, ref c, rate, random);
        UpdateGains(ref s);
        SetPace(ref s, c, BandwidthOf(s), s.PacingGain);
        SetCwnd(ref s, ref c);
    }

    /// <summary>Data goes out after a pause: no burst, and no rate from before it.</summary>
    public static void OnTransmitStart(ref BbrState s, ref BbrContext c, bool isAppLimited, RandomSource random)
    {
        if (!isAppLimited)
        {
            return;
        }

        s.IdleRestart = true;
        s.AckEpochStart = c.Now;
        s.AckEpochAcked = 0;
        if (s.Mode == BbrMode.ProbeBandwidth)
        {
            SetPace(ref s, c, BandwidthOf(s), Unit);
        }
        else if (s.Mode == BbrMode.ProbeRtt)
        {
            CheckProbeRttDone(ref s, ref c, random);
        }
    }

    public static void OnTimeout(ref BbrState s, ref BbrContext c, RandomSource random)
    {
        s.PriorCaState = CaState.Loss;
        s.FullBandwidth = 0;
        s.RoundStart = true;
        c.Lost = 1;
        SampleLongTerm(ref s, ref c, false, random);
    }

    /// <summary>A reduction is about to begin: the window that it ends with.</summary>
    public static void SaveCwnd(ref BbrState s, uint cwnd) =>
        s.PriorCwnd = s.PriorCaState < CaState.Recovery && s.Mode != BbrMode.ProbeRtt ? cwnd : Math.Max(s.PriorCwnd, cwnd);

    public static void OnUndo(ref BbrState s, in BbrContext c)
    {
        s.FullBandwidth = 0;
        s.FullBandwidthCount = 0;
        ResetLongTerm(ref s, c);
    }

    /// <summary>Least segments of a packet: one below 1.2 Mbit/s.</summary>
    public static uint PacketSegmentsMin(in BbrState s) => s.PacingRate < 1_200_000 / 8 ? 1u : 2u;

    private static uint BandwidthOf(in BbrState s) => s.UsesLongTermBandwidth ? s.LongTermBandwidth : s.Bandwidth.Value;

    /// <summary>A hundredth below the bandwidth, so that no queue builds up.</summary>
    private static ulong BytesPerSecond(ulong bandwidth, uint mss, uint gain)
    {
        const ulong Margin = 990_000;
        ulong gained = (bandwidth * mss * gain) >> 8;
        return gained > ulong.MaxValue / Margin ? ulong.MaxValue >> BandwidthShift : (gained * Margin) >> BandwidthShift;
    }

    private static void InitializePace(ref BbrState s, in BbrContext c)
    {
        uint rtt = 1000;
        if (c.SrttMicros > 0)
        {
            rtt = (uint)c.SrttMicros;
            s.HasSeenRtt = true;
        }

        s.PacingRate = Math.Min(BytesPerSecond(c.Cwnd * BandwidthUnit / rtt, c.Mss, HighGain), s.PacingRateMax);
    }

    /// <summary>Nothing is faster from now on; ulong.MaxValue for no limit.</summary>
    public static void LimitPace(ref BbrState s, ulong rateMax)
    {
        s.PacingRateMax = rateMax;
        s.PacingRate = Math.Min(s.PacingRate, rateMax);
    }

    private static void SetPace(ref BbrState s, in BbrContext c, uint bandwidth, uint gain)
    {
        if (!s.HasSeenRtt && c.SrttMicros > 0)
        {
            InitializePace(ref s, c);
        }

        ulong rate = Math.Min(BytesPerSecond(bandwidth, c.Mss, gain), s.PacingRateMax);
        if (s.FullBandwidthReached || rate > s.PacingRate)
        {
            s.PacingRate = rate;
        }
    }

    private static uint PacketSegments(in BbrState s, uint mss) =>
        Math.Min(Math.Max((uint)(Math.Min(s.PacingRate >> 10, 65_000) / mss), PacketSegmentsMin(s)), 127);

    /// <summary>What is in flight when a pipe of this bandwidth is full, times the gain.</summary>
    private static uint BandwidthDelay(in BbrState s, uint bandwidth, uint gain) => s.MinRttMicros == uint.MaxValue
        ? InitialCwnd
        : (uint)(((((ulong)bandwidth * s.MinRttMicros * gain) >> 8) + BandwidthUnit - 1) >> BandwidthShift);

    /// <summary>Room for packets that are being put together, and an even number against peers that acknowledge every second.</summary>
    private static uint WithBudget(in BbrState s, uint cwnd, uint mss)
    {
        cwnd = (cwnd + (3 * PacketSegments(s, mss)) + 1) & ~1u;
        return s.Mode == BbrMode.ProbeBandwidth && s.CycleIndex == 0 ? cwnd + 2 : cwnd;
    }

    private static uint Inflight(in BbrState s, uint bandwidth, uint gain, uint mss) => WithBudget(s, BandwidthDelay(s, bandwidth, gain), mss);

    /// <summary>What will be in the network when the next packet leaves.</summary>
    private static uint InflightAtNextSend(in BbrState s, in BbrContext c, uint inFlight)
    {
        ulong wait = (ulong)Math.Max(c.NextSendTime - c.Now, 0) / 1000;
        uint delivered = (uint)Math.Min((BandwidthOf(s) * wait) >> BandwidthShift, uint.MaxValue);
        inFlight += s.PacingGain > Unit ? PacketSegments(s, c.Mss) : 0;
        return delivered >= inFlight ? 0 : inFlight - delivered;
    }

    private static void UpdateBandwidth(ref BbrState s, ref BbrContext c, in RateSample rate, RandomSource random)
    {
        s.RoundStart = false;
        if (rate.Delivered < 0 || rate.IntervalMicros <= 0)
        {
            return;
        }

        if (Seq.Geq(rate.PriorDelivered, s.NextRoundDelivered))
        {
            s.NextRoundDelivered = c.Delivered;
            s.Rounds++;
            s.RoundStart = true;
            s.PacketConservation = false;
        }

        SampleLongTerm(ref s, ref c, rate.IsAppLimited, random);
        uint bandwidth = (uint)Math.Min((ulong)rate.Delivered * BandwidthUnit / (ulong)rate.IntervalMicros, uint.MaxValue);

        // A sample of an application that sent little is a lower bound at best.
        if (!rate.IsAppLimited || bandwidth >= s.Bandwidth.Value)
        {
            s.Bandwidth.Sample(BandwidthRounds, s.Rounds, bandwidth);
        }
    }

    /// <summary>How much more than the bandwidth allows was acknowledged at once: links that gather ACKs need as much more in flight.</summary>
    private static void UpdateAggregation(ref BbrState s, in BbrContext c, in RateSample rate)
    {
        const uint RoundsMax = 5;
        const uint AckedMax = 1 << 20;
        if (c.Acked == 0 || rate.Delivered < 0 || rate.IntervalMicros <= 0)
        {
            return;
        }

        if (s.RoundStart && ++s.ExtraAckedRounds >= RoundsMax)
        {
            s.ExtraAckedRounds = 0;
            s.ExtraAckedIndex ^= 1;
            (s.ExtraAckedIndex == 0 ? ref s.ExtraAcked0 : ref s.ExtraAcked1) = 0;
        }

        ulong micros = (ulong)Math.Max(c.DeliveredTime - s.AckEpochStart, 0) / 1000;
        ulong expected = (BandwidthOf(s) * micros) >> BandwidthShift;
        if (s.AckEpochAcked <= expected || s.AckEpochAcked + c.Acked >= AckedMax)
        {
            s.AckEpochAcked = 0;
            s.AckEpochStart = c.DeliveredTime;
            expected = 0;
        }

        s.AckEpochAcked = Math.Min(AckedMax - 1, s.AckEpochAcked + c.Acked);
        uint extra = (uint)Math.Min(s.AckEpochAcked - expected, c.Cwnd);
        ref uint most = ref (s.ExtraAckedIndex == 0 ? ref s.ExtraAcked0 : ref s.ExtraAcked1);
        most = Math.Max(most, extra);
    }

    private static bool IsPhaseOver(in BbrState s, in BbrContext c, in RateSample rate)
    {
        bool isLong = (c.DeliveredTime - s.CycleStart) / 1000 > s.MinRttMicros;
        if (s.PacingGain == Unit)
        {
            return isLong;
        }

        uint inFlight = InflightAtNextSend(s, c, rate.PriorInFlight);
        return s.PacingGain > Unit
            ? isLong && (c.Lost > 0 || inFlight >= Inflight(s, s.Bandwidth.Value, s.PacingGain, c.Mss))
            : isLong || inFlight <= Inflight(s, s.Bandwidth.Value, Unit, c.Mss);
    }

    private static void NextPhase(ref BbrState s, in BbrContext c)
    {
        s.CycleIndex = (byte)((s.CycleIndex + 1) % CycleLength);
        s.CycleStart = c.DeliveredTime;
    }

    private static void EnterProbeBandwidth(ref BbrState s, in BbrContext c, RandomSource random)
    {
        s.Mode = BbrMode.ProbeBandwidth;
        s.CycleIndex = (byte)(CycleLength - 1 - (int)(random.NextUInt64() % (CycleLength - 1)));
        NextPhase(ref s, c);
    }

    /// <summary>Three round trips without a quarter more: the pipe is full.</summary>
    private static void CheckFullBandwidth(ref BbrState s, in RateSample rate)
    {
        const uint Growth = Unit * 5 / 4;
        if (s.FullBandwidthReached || !s.RoundStart || rate.IsAppLimited)
        {
            return;
        }

        if (s.Bandwidth.Value >= ((ulong)s.FullBandwidth * Growth) >> 8)
        {
            s.FullBandwidth = s.Bandwidth.Value;
            s.FullBandwidthCount = 0;
            return;
        }

        s.FullBandwidthReached = ++s.FullBandwidthCount >= 3;
    }

    private static void CheckDrain(ref BbrState s, ref BbrContext c, RandomSource random)
    {
        if (s.Mode == BbrMode.Startup && s.FullBandwidthReached)
        {
            s.Mode = BbrMode.Drain;
            c.SsThresh = Inflight(s, s.Bandwidth.Value, Unit, c.Mss);
        }

        if (s.Mode == BbrMode.Drain && InflightAtNextSend(s, c, c.InFlight) <= Inflight(s, s.Bandwidth.Value, Unit, c.Mss))
        {
            EnterProbeBandwidth(ref s, c, random);
        }
    }

    private static void UpdateMinRtt(ref BbrState s, ref BbrContext c, in RateSample rate, RandomSource random)
    {
        bool expired = c.NowMillis - s.MinRttMillis > MinRttMillisMax;
        if (rate.RttMicros >= 0 && ((uint)rate.RttMicros < s.MinRttMicros || (expired && !c.IsAckDelayed)))
        {
            s.MinRttMicros = (uint)rate.RttMicros;
            s.MinRttMillis = c.NowMillis;
        }

        if (expired && !s.IdleRestart && s.Mode != BbrMode.ProbeRtt)
        {
            s.Mode = BbrMode.ProbeRtt;
            SaveCwnd(ref s, c.Cwnd);
            s.ProbeRttDoneMillis = 0;
        }

        if (s.Mode == BbrMode.ProbeRtt)
        {
            c.MarkAppLimited = true;
            if (s.ProbeRttDoneMillis == 0 && c.InFlight <= CwndMin)
            {
                s.ProbeRttDoneMillis = Math.Max(c.NowMillis + ProbeRttMillis, 1);
                s.ProbeRttRoundDone = false;
                s.NextRoundDelivered = c.Delivered;
            }
            else if (s.ProbeRttDoneMillis != 0)
            {
                s.ProbeRttRoundDone |= s.RoundStart;
                if (s.ProbeRttRoundDone)
                {
                    CheckProbeRttDone(ref s, ref c, random);
                }
            }
        }

        if (rate.Delivered > 0)
        {
            s.IdleRestart = false;
        }
    }

    private static void CheckProbeRttDone(ref BbrState s, ref BbrContext c, RandomSource random)
    {
        if (s.ProbeRttDoneMillis == 0 || (int)(c.NowMillis - s.ProbeRttDoneMillis) <= 0)
        {
            return;
        }

        s.MinRttMillis = c.NowMillis;
        c.Cwnd = Math.Max(c.Cwnd, s.PriorCwnd);
        if (s.FullBandwidthReached)
        {
            EnterProbeBandwidth(ref s, c, random);
        }
        else
        {
            s.Mode = BbrMode.Startup;
        }
    }

    private static void UpdateGains(ref BbrState s) => (s.PacingGain, s.CwndGain) = s.Mode switch
    {
        BbrMode.Startup => (HighGain, HighGain),
        BbrMode.Drain => (DrainGain, HighGain),
        BbrMode.ProbeBandwidth => (s.UsesLongTermBandwidth ? Unit : CycleGains[s.CycleIndex], CwndGain),
        _ => (Unit, Unit),
    };

    private static void SetCwnd(ref BbrState s, ref BbrContext c)
    {
        if (c.Acked > 0 && !IsConserving(ref s, ref c))
        {
            uint target = BandwidthDelay(s, BandwidthOf(s), s.CwndGain);
            if (s.FullBandwidthReached)
            {
                ulong most = ((ulong)BandwidthOf(s) * ExtraAckedMicrosMax) >> BandwidthShift;
                target += (uint)Math.Min(Math.Max(s.ExtraAcked0, s.ExtraAcked1), most);
            }

            target = WithBudget(s, target, c.Mss);
            if (s.FullBandwidthReached)
            {
                c.Cwnd = Math.Min(c.Cwnd + c.Acked, target);
            }
            else if (c.Cwnd < target || c.Delivered < InitialCwnd)
            {
                c.Cwnd += c.Acked;
            }

            c.Cwnd = Math.Max(c.Cwnd, CwndMin);
        }

        c.Cwnd = Math.Min(c.Cwnd, c.CwndClamp);
        if (s.Mode == BbrMode.ProbeRtt)
        {
            c.Cwnd = Math.Min(c.Cwnd, CwndMin);
        }
    }

    /// <summary>In the first round trip of recovery as much goes out as arrives; after recovery the window from before it comes back.</summary>
    private static bool IsConserving(ref BbrState s, ref BbrContext c)
    {
        if (c.Lost > 0)
        {
            c.Cwnd = (uint)Math.Max((int)c.Cwnd - (int)c.Lost, 1);
        }

        if (c.CaState == CaState.Recovery && s.PriorCaState != CaState.Recovery)
        {
            s.PacketConservation = true;
            s.NextRoundDelivered = c.Delivered;
            c.Cwnd = c.InFlight + c.Acked;
        }
        else if (s.PriorCaState >= CaState.Recovery && c.CaState < CaState.Recovery)
        {
            c.Cwnd = Math.Max(c.Cwnd, s.PriorCwnd);
            s.PacketConservation = false;
        }

        s.PriorCaState = c.CaState;
        if (s.PacketConservation)
        {
            c.Cwnd = Math.Max(c.Cwnd, c.InFlight + c.Acked);
        }

        return s.PacketConservation;
    }

    // ---- A policer lets bursts through and then drops: two intervals with the same rate and many losses give it away.

    private static void ResetLongTermInterval(ref BbrState s, in BbrContext c)
    {
        s.LongTermMillis = (uint)(c.DeliveredTime / 1_000_000);
        s.LongTermDelivered = c.Delivered;
        s.LongTermLost = s.LostTotal;
        s.LongTermRounds = 0;
    }

    private static void ResetLongTerm(ref BbrState s, in BbrContext c)
    {
        s.LongTermBandwidth = 0;
        s.UsesLongTermBandwidth = false;
        s.IsSamplingLongTerm = false;
        ResetLongTermInterval(ref s, c);
    }

    private static void SampleLongTerm(ref BbrState s, ref BbrContext c, bool isAppLimited, RandomSource random)
    {
        if (s.UsesLongTermBandwidth)
        {
            if (s.Mode == BbrMode.ProbeBandwidth && s.RoundStart && ++s.LongTermRounds >= LongTermRoundsMax)
            {
                ResetLongTerm(ref s, c);
                EnterProbeBandwidth(ref s, c, random);
            }

            return;
        }

        if (!s.IsSamplingLongTerm)
        {
            // Only from the first loss on: before, there were bursts.
            if (c.Lost == 0)
            {
                return;
            }

            ResetLongTermInterval(ref s, c);
            s.IsSamplingLongTerm = true;
        }

        s.LongTermRounds += (byte)(s.RoundStart ? 1 : 0);
        if (isAppLimited || s.LongTermRounds > 4 * LongTermRoundsMin)
        {
            ResetLongTerm(ref s, c);
            return;
        }

        uint delivered = c.Delivered - s.LongTermDelivered;
        uint lost = s.LostTotal - s.LongTermLost;
        int millis = (int)((uint)(c.DeliveredTime / 1_000_000) - s.LongTermMillis);
        if (s.LongTermRounds < LongTermRoundsMin || c.Lost == 0 || delivered == 0 || ((ulong)lost << 8) < (ulong)LongTermLossMin * delivered || millis < 1)
        {
            return;
        }

        uint bandwidth = (uint)Math.Min(delivered * BandwidthUnit / ((ulong)millis * 1000), uint.MaxValue);
        uint difference = bandwidth > s.LongTermBandwidth ? bandwidth - s.LongTermBandwidth : s.LongTermBandwidth - bandwidth;
        if (s.LongTermBandwidth != 0 && ((ulong)difference * 8 <= s.LongTermBandwidth || BytesPerSecond(difference, c.Mss, Unit) <= LongTermDifference))
        {
            s.LongTermBandwidth = (uint)(((ulong)bandwidth + s.LongTermBandwidth) >> 1);
            s.UsesLongTermBandwidth = true;
            s.PacingGain = Unit;
            s.LongTermRounds = 0;
            return;
        }

        s.LongTermBandwidth = bandwidth;
        ResetLongTermInterval(ref s, c);
    }
}

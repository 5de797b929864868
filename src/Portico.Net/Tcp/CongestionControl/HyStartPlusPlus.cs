namespace Portico.Net;

/// <summary>
/// HyStart++ (RFC 9406): the first slow start goes over into a conservative one, a quarter as fast, when the round trips of a round have
/// become longer; back, if they become shorter again; and into congestion avoidance after five rounds of it.
/// </summary>
internal static class HyStartPlusPlus
{
    private const uint RttThresholdMinMicros = 4_000;
    private const uint RttThresholdMaxMicros = 16_000;
    private const int RttDivisorShift = 3;
    private const int SamplesMin = 8;
    private const uint GrowthDivisor = 4;
    private const byte ConservativeRoundsMax = 5;

    /// <summary>Whether it applies: only while nothing is known of the path (RFC 9406 4.2, last paragraph).</summary>
    private static bool Applies(in CongestionState state, in CongestionContext context) =>
        (context.HystartDetect & CongestionContext.DetectByRounds) != 0 && context.SsThresh >= CongestionContext.SsThreshInfinite && !state.ExitFound;

    /// <summary>Slow start's growth; what is left for congestion avoidance.</summary>
    public static uint Grow(ref CongestionState state, ref CongestionContext context)
    {
        if (state.ConservativeRounds == 0 || !Applies(state, context))
        {
            return context.SlowStart(context.Acked);
        }

        context.IncreaseAdditively(GrowthDivisor, context.Acked);
        return 0;
    }

    public static void StartRound(ref CongestionState state, uint sndNxt)
    {
        state.LastRoundRttMicros = state.CurrentRttMicros;
        state.CurrentRttMicros = uint.MaxValue;
        state.SampleCount = 0;
        state.RoundEndSeq = sndNxt;
    }

    public static HystartExit OnSample(ref CongestionState state, in RttSample sample)
    {
        if (sample.SsThresh < CongestionContext.SsThreshInfinite)
        {
            return HystartExit.None;
        }

        if (Seq.Gt(sample.SndUna, state.RoundEndSeq))
        {
            StartRound(ref state, sample.SndNxt);
            if (state.ConservativeRounds == ConservativeRoundsMax)
            {
                state.ExitFound = true;
                return HystartExit.Delay;
            }

            // A round counts that conservative slow start began in the middle of.
            state.ConservativeRounds += state.ConservativeRounds > 0 ? (byte)1 : (byte)0;
        }

        state.CurrentRttMicros = Math.Min(state.CurrentRttMicros, sample.RttMicros);
        state.SampleCount = (byte)Math.Min(state.SampleCount + 1, SamplesMin);
        if (state.SampleCount < SamplesMin)
        {
            return HystartExit.None;
        }

        if (state.ConservativeRounds > 0)
        {
            // Shorter again: what looked like a queue was none.
            if (state.CurrentRttMicros < state.BaselineRttMicros)
            {
                state.ConservativeRounds = 0;
            }
        }
        else if (state.LastRoundRttMicros != uint.MaxValue)
        {
            uint threshold = Math.Clamp(state.LastRoundRttMicros >> RttDivisorShift, RttThresholdMinMicros, RttThresholdMaxMicros);
            if (state.CurrentRttMicros >= state.LastRoundRttMicros + threshold)
            {
                state.BaselineRttMicros = state.CurrentRttMicros;
                state.ConservativeRounds = 1;
            }
        }

        return HystartExit.None;
    }
}

namespace Portico.Net;

/// <summary>Slow start and congestion avoidance of RFC 5681.</summary>
internal readonly struct Reno : ICongestionControl
{
    public static void Initialize(ref CongestionState state, ref CongestionContext context) => state = default;

    public static uint SsThresh(ref CongestionState state, ref CongestionContext context) => Math.Max(context.Cwnd >> 1, 2);

    public static void CongestionAvoid(ref CongestionState state, ref CongestionContext context)
    {
        uint acked = context.Acked;
        if (context.InSlowStart)
        {
            acked = context.SlowStart(acked);
            if (acked == 0)
            {
                return;
            }
        }

        context.IncreaseAdditively(context.Cwnd, acked);
    }

    public static bool TakeRtt(ref CongestionState state, MonoTime now, uint rttMicros) => false;

    public static HystartExit OnSlowStartSample(ref CongestionState state, in RttSample sample) => HystartExit.None;

    public static uint UndoCwnd(ref CongestionState state, ref CongestionContext context) => Math.Max(context.Cwnd, context.PriorCwnd);

    public static void OnCwndEvent(ref CongestionState state, ref CongestionContext context, CongestionEvent what)
    {
    }
}

using System.Runtime.CompilerServices;

namespace Portico.Net;

// What a connection has learned of the path is left to the next one to the same destination (net.ipv4.tcp_no_metrics_save; Linux:
// tcp_update_metrics, tcp_init_metrics).
public sealed unsafe partial class TcpLayer
{
    /// <summary>The connection has ended in order: its round trip, its reordering and, where that is wanted, its ssthresh are kept.</summary>
    private void SaveMetrics(Tcb* c)
    {
        if (Settings.tcp_no_metrics_save)
        {
            return;
        }

        if (c->Backoff != 0 || !c->Rtt.HasSample)
        {
            // Nothing came back in time, perhaps because of what is known.
            ref DestinationMetrics wrong = ref _destinations.Find(c->LocalAddress, c->RemoteAddress);
            if (!Unsafe.IsNullRef(ref wrong))
            {
                wrong.SrttTimes8 = 0;
            }

            return;
        }

        ref DestinationMetrics known = ref _destinations.Need(c->LocalAddress, c->RemoteAddress);
        int less = known.SrttTimes8 - c->Rtt.SrttTimes8;

        // Too long a timeout is better than too short a one.
        known.SrttTimes8 = less <= 0 ? c->Rtt.SrttTimes8 : known.SrttTimes8 - (less >> 3);
        bool savesSsThresh = !Settings.tcp_no_ssthresh_metrics_save;
        if (c->SsThresh >= InfiniteSsThresh)
        {
            // Slow start did not end: only a limit that was too low is known to be wrong.
            if (savesSsThresh && known.SsThresh != 0 && c->Cwnd >> 1 > known.SsThresh)
            {
                known.SsThresh = c->Cwnd >> 1;
            }
        }
        else if (c->Cwnd >= c->SsThresh && c->CaState == CaState.Open)
        {
            known.SsThresh = savesSsThresh ? Math.Max(c->Cwnd >> 1, c->SsThresh) : known.SsThresh;
        }
        else
        {
            if (savesSsThresh && known.SsThresh != 0 && c->SsThresh > known.SsThresh)
            {
                known.SsThresh = c->SsThresh;
            }

            if (known.Reordering < c->Reordering && c->Reordering != (uint)Settings.tcp_reordering)
            {
                known.Reordering = c->Reordering;
            }
        }
    }

    /// <summary>The connection is established: what is known of the destination takes the place of the defaults.</summary>
    private void InitializeFromMetrics(Tcb* c)
    {
        ref DestinationMetrics known = ref _destinations.Find(c->LocalAddress, c->RemoteAddress);
        if (Unsafe.IsNullRef(ref known))
        {
            return;
        }

        if (known.SsThresh != 0 && !Settings.tcp_no_ssthresh_metrics_save)
        {
            c->SsThresh = known.SsThresh;
        }

        c->Reordering = known.Reordering != 0 ? known.Reordering : c->Reordering;

        if (known.SrttTimes8 > c->Rtt.SrttTimes8)
        {
            // The handshake's packets are small: what data took before tells more.
            int srtt = known.SrttTimes8 >> 3;
            c->DestinationRtoMillis = (ushort)Math.Min((srtt + Math.Max(2 * srtt, RtoMinMicros(c)) + 999) / 1000, ushort.MaxValue);
        }
    }

    /// <summary>The timeout before back-off.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int RtoMicros(Tcb* c) => c->DestinationRtoMillis != 0 ? c->DestinationRtoMillis * 1000 : c->Rtt.RtoMicros;
}

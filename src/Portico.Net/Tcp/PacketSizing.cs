using System.Runtime.CompilerServices;

namespace Portico.Net;

// How large packets are: about a millisecond's worth at the pace of the connection (Linux: tcp_tso_autosize), and whether to wait for
// a larger one (tcp_tso_should_defer).
public sealed unsafe partial class TcpLayer
{
    /// <summary>1/1024 s of the pacing rate (Linux: sk_pacing_shift).</summary>
    private const int PacingShift = 10;

    /// <summary>
    /// Bytes a second at which a window would be spread over a round trip, with a margin: twice as fast in slow start, a fifth faster
    /// near its end and after it (Linux: tcp_update_pacing_rate).
    /// </summary>
    private ulong PacingRate(Tcb* c)
    {
        if (IsBbr(c))
        {
            return c->Congestion.Bbr->PacingRate;
        }

        uint ratio = (uint)(c->Cwnd < c->SsThresh / 2 ? Settings.tcp_pacing_ss_ratio : Settings.tcp_pacing_ca_ratio);
        ulong rate = (ulong)c->Mss * Math.Max(c->Cwnd, c->PacketsOut) * ratio * 10_000;
        int srtt = c->Rtt.SrttMicros;
        rate = srtt > 0 ? rate / (uint)srtt : rate;
        return Has(c, TcbExtras.PacingLimited) ? Math.Min(rate, PacingRateMax(c)) : rate;
    }

    /// <summary>How many segments one packet may stand for: more on fast and on short paths, tcp_min_tso_segs at least.</summary>
    private uint SegmentsPerPacket(Tcb* c, uint mss)
    {
        if (Has(c, TcbExtras.Signed))
        {
            // Each segment has a signature of its own, which cutting a packet would not make.
            return 1;
        }

        uint most = Math.Max(SuperSegmentBytes / mss, 1);
        int rtt = c->Rtt.MinRttMicros;
        int shift = rtt >> Settings.tcp_tso_rtt_log;
        if (rtt > 0 && shift == 0)
        {
            return most;
        }

        ulong bytes = PacingRate(c) >> PacingShift;
        if (rtt > 0 && shift < 32)
        {
            bytes += SuperSegmentBytes >> shift;
        }

        uint segments = (uint)(Math.Min(bytes, SuperSegmentBytes) / mss);
        uint least = IsBbr(c) ? Bbr.PacketSegmentsMin(*c->Congestion.Bbr) : (uint)Settings.tcp_min_tso_segs;
        return Math.Min(Math.Max(segments, least), most);
    }

    /// <summary>
    /// Whether to wait for the next ACK, which will allow a larger packet: not in recovery, not when the application has been silent for a
    /// millisecond, not when a good part of a window can go, and not when that ACK is far away.
    /// </summary>
    private bool ShouldDefer(Tcb* c, SendSegment* segment, uint most, ref bool cwndLimited, ref bool windowLimited)
    {
        const long RecentNanos = 1_000_000;
        if (c->CaState >= CaState.Recovery || c->TxHead == null || NowNanos - c->Flight->LastSendTime >= RecentNanos)
        {
            return false;
        }

        uint length = PayloadLength(segment);
        uint windowRoom = c->SndUna + c->SndWnd - segment->Node.Start;
        uint cwndRoom = (uint)Math.Min((ulong)(c->Cwnd - PacketsInFlight(c)) * c->Mss, uint.MaxValue);
        uint limit = Math.Min(windowRoom, cwndRoom);
        if (limit >= (ulong)most * c->Mss || (segment->Next != null && limit >= length))
        {
            return false;
        }

        if (Settings.tcp_tso_win_divisor > 0)
        {
            ulong chunk = Math.Min(c->SndWnd, (ulong)c->Cwnd * c->Mss) / (uint)Settings.tcp_tso_win_divisor;
            if (limit >= chunk)
            {
                return false;
            }
        }
        else if (limit > 3u * c->Mss)
        {
            return false;
        }

        // An ACK that is half a round trip away or more is not waited for.
        if (NowNanos - c->TxHead->SentTime < c->Rtt.SrttMicros * 500L)
        {
            return false;
        }

        if (cwndRoom < windowRoom)
        {
            if (cwndRoom <= length)
            {
                cwndLimited = true;
                return true;
            }
        }
        else if (windowRoom <= length)
        {
            windowLimited = true;
            return true;
        }

        // Nothing more will be appended to it.
        return (segment->Flags & TcpFlags.Fin) == 0 && (segment->Marks & SegmentMarks.EndOfRecord) == 0;
    }

    /// <summary>The sender is busy with this, unless it is with something that counts more.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void StartActivity(Tcb* c, SenderActivity activity)
    {
        if (activity > c->Activity)
        {
            ChangeActivity(c, activity);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void StopActivity(Tcb* c, SenderActivity activity)
    {
        if (c->TxHead == null && c->UnsentHead == null)
        {
            ChangeActivity(c, SenderActivity.None);
        }
        else if (activity == c->Activity)
        {
            ChangeActivity(c, SenderActivity.Busy);
        }
    }

    private void ChangeActivity(Tcb* c, SenderActivity activity)
    {
        if (activity == c->Activity)
        {
            return;
        }

        uint now = NowMillis;
        uint time = now - c->ActivitySinceMillis;
        switch (c->Activity)
        {
            case SenderActivity.Busy:
                c->BusyMillis += time;
                break;
            case SenderActivity.WindowLimited:
                c->WindowLimitedMillis += time;
                break;
            case SenderActivity.BufferLimited:
                c->BufferLimitedMillis += time;
                break;
        }

        c->Activity = activity;
        c->ActivitySinceMillis = now;
    }
}

using System.Runtime.CompilerServices;

namespace Portico.Net;

// Between the connection and its congestion-control algorithm: when the window may grow (RFC 5681 3.1), whether it was used
// (RFC 7661's question in Linux's form), and restarting after idleness (RFC 5681 4.1).
public sealed unsafe partial class TcpLayer
{
    private CongestionContext ContextOf(Tcb* c) => new()
    {
        Cwnd = c->Cwnd,
        SsThresh = c->SsThresh,
        CwndCount = c->CwndCount,
        CwndClamp = uint.MaxValue,
        PriorCwnd = c->Flight != null ? c->Flight->PriorCwnd : 0,
        HystartDetect = Settings.hystart_detect,
        Now = _engine.Now,
        LastSent = new MonoTime(NowNanos - ((long)(NowMillis - c->LastSentMillis) * 1_000_000)),
        SndNxt = c->SndNxt,
    };

    private static void Adopt(Tcb* c, in CongestionContext context)
    {
        c->Cwnd = Math.Max(context.Cwnd, 1);
        c->SsThresh = context.SsThresh;
        c->CwndCount = context.CwndCount;
    }

    private void CongestionInitialize(Tcb* c)
    {
        StopBbr(c);
        c->Congestion = default;
        c->CwndStampMillis = NowMillis;
        SetFlag(c, TcbFlags.Paced, Settings.fq || Has(c, TcbExtras.PacingNeeded));
        if (c->Algorithm == TcpCongestion.Bbr)
        {
            StartBbr(c);
        }

        if (!IsBbr(c))
        {
            CongestionContext context = ContextOf(c);
            Congestion.Initialize(c->Algorithm, ref c->Congestion, ref context);
            Adopt(c, context);
        }
    }

    private uint CongestionSsThresh(Tcb* c)
    {
        if (IsBbr(c))
        {
            Bbr.SaveCwnd(ref *c->Congestion.Bbr, c->Cwnd);
            return c->SsThresh;
        }

        CongestionContext context = ContextOf(c);
        return Math.Max(Congestion.SsThresh(c->Algorithm, ref c->Congestion, ref context), 2);
    }

    private uint CongestionUndoCwnd(Tcb* c)
    {
        if (IsBbr(c))
        {
            Bbr.OnUndo(ref *c->Congestion.Bbr, BbrContextOf(c));
            return c->Cwnd;
        }

        CongestionContext context = ContextOf(c);
        return Congestion.UndoCwnd(c->Algorithm, ref c->Congestion, ref context);
    }

    private void CongestionLossEvent(Tcb* c) => SendCongestionEvent(c, CongestionEvent.Loss);

    private void SendCongestionEvent(Tcb* c, CongestionEvent what)
    {
        if (IsBbr(c))
        {
            TellBbr(c, what);
            return;
        }

        CongestionContext context = ContextOf(c);
        Congestion.OnCwndEvent(c->Algorithm, ref c->Congestion, ref context, what);
        Adopt(c, context);
    }

    /// <summary>The algorithm hears of each round trip that an ACK has measured; negative if it has none.</summary>
    private void CongestionPacketsAcked(Tcb* c, int rttMicros)
    {
        if (rttMicros < 0 || IsBbr(c))
        {
            return;
        }

        uint rtt = (uint)Math.Max(1, rttMicros);
        if (!Congestion.TakeRtt(c->Algorithm, ref c->Congestion, _engine.Now, rtt) || !InSlowStart(c) || c->Congestion.ExitFound)
        {
            return;
        }

        // A window that is not used fills no path: what makes round trips longer then is something else (RFC 9406 leaves that open).
        if ((Settings.hystart_detect & CongestionContext.DetectByRounds) == 0 || IsCwndLimited(c))
        {
            LookForSlowStartEnd(c, rtt);
        }
    }

    private void LookForSlowStartEnd(Tcb* c, uint rttMicros)
    {
        RttSample sample = new()
        {
            RttMicros = rttMicros,
            Cwnd = c->Cwnd,
            SsThresh = c->SsThresh,
            SndUna = c->SndUna,
            SndNxt = c->SndNxt,
            Mss = c->Mss,
            SrttMicros = c->Rtt.SrttMicros,
            HystartDetect = Settings.hystart_detect,
            Now = _engine.Now,
            IsPaced = Has(c, TcbFlags.Paced),
        };
        HystartExit exit = Congestion.OnSlowStartSample(c->Algorithm, ref c->Congestion, in sample);
        if (exit != HystartExit.None)
        {
            c->SsThresh = c->Cwnd;
            bool isTrain = exit == HystartExit.Train;
            ++Mib[isTrain ? TcpCounter.TCPHystartTrainDetect : TcpCounter.TCPHystartDelayDetect];
            Mib[isTrain ? TcpCounter.TCPHystartTrainCwnd : TcpCounter.TCPHystartDelayCwnd] += c->Cwnd;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool InSlowStart(Tcb* c) => c->Cwnd < c->SsThresh;

    private static bool IsCwndLimited(Tcb* c) => Has(c, TcbFlags.CwndLimited) || (InSlowStart(c) && c->Cwnd < 2 * c->MaxPacketsOut);

    /// <summary>What the ACK means for the window: reduction in recovery, growth otherwise (Linux: tcp_cong_control).</summary>
    private void ControlCongestion(Tcb* c, ref AckState ack)
    {
        uint delivered = ack.Delivered;
        ReportDelivered(ref ack);
        if (IsBbr(c))
        {
            RunBbr(c, ref ack);
            return;
        }

        if (IsReducing(c))
        {
            // An ACK that reports congestion is no sign of good progress, either.
            bool isSafe = (ack.Facts & (AckFacts.UnaAdvanced | AckFacts.CongestionEcho)) == AckFacts.UnaAdvanced && ack.Lost == 0;
            bool isPartial = c->CaState == CaState.Recovery && !Has(c, TcbFlags.Sack) && (ack.Facts & AckFacts.UnaAdvanced) != 0
                && Seq.Lt(c->SndUna, c->Flight->HighSeq);
            ReduceCwnd(c, delivered, isSafe, isPartial);
            return;
        }

        // With much reordering SACKed data counts as progress; otherwise only what is cumulatively acknowledged does.
        AckFacts progress = c->Reordering > (uint)Settings.tcp_reordering ? AckFacts.Forward : AckFacts.DataAcked;
        if ((ack.Facts & progress) == 0)
        {
            return;
        }

        c->CwndStampMillis = NowMillis;
        if (!IsCwndLimited(c))
        {
            // RFC 7661's reason: a window that is not used does not grow.
            return;
        }

        CongestionContext context = ContextOf(c);
        context.Acked = delivered;
        Congestion.CongestionAvoid(c->Algorithm, ref c->Congestion, ref context);
        Adopt(c, context);
    }

    /// <summary>Remembers whether cwnd was what held the sender back in this window (Linux: tcp_cwnd_validate).</summary>
    private void ValidateCwnd(Tcb* c, bool limited)
    {
        if (Seq.Geq(c->SndUna, c->CwndUsageSeq) || limited || (!Has(c, TcbFlags.CwndLimited) && c->PacketsOut > c->MaxPacketsOut))
        {
            c->Flags = limited ? c->Flags | TcbFlags.CwndLimited : c->Flags & ~TcbFlags.CwndLimited;
            c->MaxPacketsOut = c->PacketsOut;
            c->CwndUsageSeq = c->SndNxt;
        }

        if (IsCwndLimited(c))
        {
            c->CwndUsed = 0;
            c->CwndStampMillis = NowMillis;
            return;
        }

        c->CwndUsed = Math.Max(c->CwndUsed, c->PacketsOut);
        // No timeout is shorter than a millisecond; it need not be worked out within the one of the last use.
        uint unused = NowMillis - c->CwndStampMillis;
        if (unused != 0 && Settings.tcp_slow_start_after_idle && !IsBbr(c) && unused >= (uint)(RtoNanos(c) / 1_000_000))
        {
            DecayUnusedWindow(c);
        }

        // Nothing more to send although the application has: the buffer is what is too small.
        if (c->UnsentHead == null && Has(c, TcbFlags.NoSpace) && c->State is TcpState.Established or TcpState.CloseWait)
        {
            StartActivity(c, SenderActivity.BufferLimited);
        }
    }

    /// <summary>RFC 2861: a window that the application does not fill says nothing about the path any more; half of the excess goes.</summary>
    private void DecayUnusedWindow(Tcb* c)
    {
        if (c->CaState == CaState.Open && !Has(c, TcbFlags.NoSpace))
        {
            uint used = Math.Max(c->CwndUsed, InitialWindow);
            if (used < c->Cwnd)
            {
                c->SsThresh = CurrentSsThresh(c);
                c->Cwnd = (c->Cwnd + used) >> 1;
            }

            c->CwndUsed = 0;
        }

        c->CwndStampMillis = NowMillis;
    }

    /// <summary>RFC 5681 4.1: after an RTO without sending, the window halves for each RTO of silence, down to the initial one.</summary>
    private void RestartAfterIdle(Tcb* c)
    {
        // No timeout is shorter than a millisecond; it need not be worked out then.
        uint idle = NowMillis - c->LastSentMillis;
        if (idle <= 1 || !Settings.tcp_slow_start_after_idle || c->PacketsOut > 0 || IsBbr(c))
        {
            return;
        }

        // Probing a window backs off without making the timeout longer.
        long timeout = c->Pending == PendingTimer.Persist ? RtoMicros(c) * 1000L : RtoNanos(c);
        uint rto = Math.Max((uint)(timeout / 1_000_000), 1);
        if (idle <= rto)
        {
            return;
        }

        SendCongestionEvent(c, CongestionEvent.WindowRestart);
        c->SsThresh = CurrentSsThresh(c);
        uint floor = Math.Min(c->Cwnd, InitialWindow);
        uint cwnd = c->Cwnd;
        for (idle -= rto; idle > 0 && cwnd > floor; idle = idle > rto ? idle - rto : 0)
        {
            cwnd >>= 1;
        }

        c->Cwnd = Math.Max(cwnd, floor);
        c->CwndStampMillis = NowMillis;
        c->CwndUsed = 0;
    }
}

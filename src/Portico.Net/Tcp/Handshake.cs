namespace Portico.Net;

// The opener's side of the handshake: RFC 9293 3.10.7.3, and what both sides do when it is complete.
public sealed unsafe partial class TcpLayer
{
    /// <summary>RFC 9293 3.10.7.3.</summary>
    private void ArriveInSynSent(Tcb* c, ref Arrival seg)
    {
        if (c->TxHead == null)
        {
            // Its SYN has not been sent: whatever comes is not for it.
            CountDrop(TcpCounter.SequenceDrops);
            return;
        }

        if (seg.Has(TcpFlags.Ack))
        {
            // First: an ACK of anything but our SYN is answered with a reset, unless it is one.
            if (Seq.Leq(seg.Ack, c->Iss) || Seq.Gt(seg.Ack, c->SndNxt))
            {
                CountDrop(TcpCounter.InvalidAcks);
                if (!seg.Has(TcpFlags.Rst))
                {
                    SendReset(ref seg);
                }

                return;
            }

            if (seg.Options.HasTimestamp && Has(c, TcbFlags.Timestamps) && seg.Options.TsEcr != 0
                && (int)(seg.Options.TsEcr - TsClock(c)) > 0)
            {
                CountDrop(TcpCounter.PAWSActive);
                SendReset(ref seg);
                return;
            }
        }

        // Second: a reset counts only when it acknowledges our SYN.
        if (seg.Has(TcpFlags.Rst))
        {
            if (seg.Has(TcpFlags.Ack))
            {
                ++Mib[TcpCounter.AttemptFails];
                Finish(c, Errno.ECONNREFUSED, TcpCause.ResetReceived);
            }
            else
            {
                CountDrop(TcpCounter.InvalidResets);
            }

            return;
        }

        if (!seg.Has(TcpFlags.Syn))
        {
            CountDrop(TcpCounter.SequenceDrops);
            return;
        }

        // Fourth: the peer's SYN.
        AdoptPeerSyn(c, ref seg);
        NoteLostSyn(c, ref seg);
        if (seg.Has(TcpFlags.Ack))
        {
            c->SndWnd = seg.Window;
            c->SndWl1 = seg.Seq;
            HandleAck(c, ref seg);
            BecomeEstablished(c, ref seg);
            bool leavesAckToData = Has(c, TcbExtras.WritePending | TcbExtras.DefersAck) || InPingPong(c);
            if (Has(c, TcbExtras.SynFastOpen | TcbExtras.SynData) && FinishFastOpen(c, ref seg))
            {
                SendPending(c);
                return;
            }

            if (seg.Length > 0 || seg.Has(TcpFlags.Fin) || seg.Has(TcpFlags.Urg))
            {
                // Data with the SYN-ACK: the rest of the processing sees it behind the SYN.
                seg.Seq++;
                seg.Flags &= ~TcpFlags.Syn;
                HandleUrgent(c, ref seg);
                QueueData(c, ref seg);
            }

            if (leavesAckToData)
            {
                // The data that the application is about to write carries the ACK.
                c->Extras &= ~TcbExtras.WritePending;
                EnterQuickAck(c, QuickAcksMax);
                c->Flags |= TcbFlags.AckScheduled | TcbFlags.AckTimer;
                c->DelayedAckDeadline = NowNanos + (DelayedAckMaxMicros * 1000L);
                ArmTimer(c);
                return;
            }

            c->Flags |= TcbFlags.AckScheduled | TcbFlags.AckNow;
            SendPending(c);
            AckAfterData(c);
        }
        else
        {
            // Simultaneous open (RFC 9293 3.5, figure 7): our SYN stays in flight, now with an ACK.
            SetState(c, TcpState.SynReceived, TcpCause.SynReceived);
            c->SndWnd = seg.Window;
            ResendSyn(c);
        }
    }

    /// <summary>Takes over what the peer's SYN agrees to: IRS, the options, and windows that follow from them.</summary>
    private void AdoptPeerSyn(Tcb* c, ref Arrival seg)
    {
        c->Irs = seg.Seq;
        c->RcvNxt = seg.Seq + 1;
        c->RcvWup = seg.Seq + 1;
        c->CopiedSeq = seg.Seq + 1;
        c->RcvUp = seg.Seq;
        c->SndWl1 = seg.Seq;
        AgreeOnEcn(c, seg.Flags);
        if (!seg.Options.HasTimestamp)
        {
            c->Flags &= ~TcbFlags.Timestamps;
        }
        else if (Has(c, TcbFlags.Timestamps))
        {
            StoreTsRecent(c, seg.Options.TsVal);
        }

        if (!seg.Options.SackPermitted)
        {
            c->Flags &= ~TcbFlags.Sack;
        }

        if (seg.Options.WindowScale < 0 || !Has(c, TcbFlags.WindowScale))
        {
            c->Flags &= ~TcbFlags.WindowScale;
            c->SndWindShift = 0;
            c->RcvWindShift = 0;
            c->WindowClamp = Math.Min(c->WindowClamp, 65535);
        }
        else
        {
            c->SndWindShift = (byte)Math.Min((int)seg.Options.WindowScale, 14);
        }

        // Half of the largest window bounds the segment: one larger than what the peer may offer by then would wait for its persist timer.
        c->MaxWindow = Math.Max(c->MaxWindow, seg.Window);
        SetMssClamp(c, seg.Options.Mss);
        UpdateMss(c);
        InitializeReceiveMss(c);
    }

    /// <summary>
    /// Whether our SYN was lost: its timer fired, and the answer is not by its timestamp one to the first, which was only late (Linux:
    /// tcp_try_undo_spurious_syn).
    /// </summary>
    private static void NoteLostSyn(Tcb* c, ref Arrival seg)
    {
        if (c->TotalRto != 0 && c->Flight != null && c->Flight->RetransStamp != 0)
        {
            SetExtra(c, TcbExtras.SynLost, !AnswersEarlier(Has(c, TcbFlags.Timestamps), ref seg, c->Flight->RetransStamp));
        }
    }

    /// <summary>Whether a segment answers what was sent before a time of our timestamp clock.</summary>
    private static bool AnswersEarlier(bool timestamps, ref Arrival seg, uint stamp) =>
        timestamps && seg.Options.HasTimestamp && seg.Options.TsEcr != 0 && (int)(seg.Options.TsEcr - stamp) < 0;

    /// <summary>What changes when a connection becomes ESTABLISHED, from either side.</summary>
    private void BecomeEstablished(Tcb* c, ref Arrival seg)
    {
        TcpCause cause = c->State == TcpState.SynSent ? TcpCause.SynAckReceived : TcpCause.AckReceived;
        SetState(c, TcpState.Established, cause);
        if (Has(c, TcbExtras.FastOpenPending))
        {
            CompleteFastOpen(c, ref seg);
        }
        else
        {
            InitializeBuffers(c);

            // RFC 5681 3.1: the path that lost the SYN is not to be filled at once.
            c->Cwnd = Has(c, TcbExtras.SynLost) ? 1 : InitialWindow;
            c->Rtt.BeginWithoutSample();
            if (c->Flight != null)
            {
                c->Flight->RetransStamp = 0;
                EndTimeoutRecovery(c);
            }

            InitializeMtuProbing(c);
            InitializeFromMetrics(c);
            InitializeFromRoute(c);
            CongestionInitialize(c);
        }

        c->LastReceivedMillis = c->LastAckMillis = NowMillis;
        if (Has(c, TcbFlags.KeepAlive))
        {
            ArmKeepAlive(c, KeepIdleMillis(c));
        }

        if (Has(c, TcbFlags.FinQueued))
        {
            // RFC 9293 3.10.4: a CLOSE in SYN-RECEIVED waits for this moment.
            SetState(c, TcpState.FinWait1, TcpCause.Close);
        }

        Notify(c, SocketEvents.Writable);
    }
}

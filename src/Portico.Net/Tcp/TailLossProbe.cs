namespace Portico.Net;

// Tail loss probe (RFC 8985 7): when ACKs stop, the last segment, or better a new one, goes out long before the retransmission timer
// would, so that a lost tail is found by SACK and not by a timeout.
public sealed unsafe partial class TcpLayer
{
    /// <summary>
    /// RFC 8985 7.2: runs the sender's timer as probe timer, where a probe is due before the retransmission timeout. False where none is
    /// to be sent. Something is in flight; <paramref name="restart"/> says that the retransmission timeout would be counted from now.
    /// </summary>
    private bool ScheduleLossProbe(Tcb* c, bool restart)
    {
        if (Settings.tcp_early_retrans is not (3 or 4) || !Has(c, TcbFlags.Sack)
            || c->CaState is not (CaState.Open or CaState.Cwr))
        {
            return false;
        }

        long timeout = RttEstimator.RtoInitialMicros * 1000L;
        if (c->Rtt.HasSample)
        {
            // Alone in flight, the segment may meet a delayed ACK.
            timeout = (c->Rtt.SrttMicros * 2000L) + (c->PacketsOut == 1 ? RtoMinMicros(c) * 1000L : TimeoutSlackNanos);
        }

        long retransmission = restart ? RtoNanos(c) : TimeToRetransmission(c);
        if (retransmission > 0)
        {
            timeout = Math.Min(timeout, retransmission);
        }

        ArmSender(c, PendingTimer.LossProbe, timeout);
        return true;
    }

    /// <summary>RFC 8985 7.3: a new segment if the peer's window has room for one, else the last one again.</summary>
    private void OnLossProbeTimer(Tcb* c)
    {
        if (c->PacketsOut == 0)
        {
            return;
        }

        Flight* f = c->Flight;
        if (!f->TlpOut && SendLossProbe(c))
        {
            f->TlpOut = true;
            f->TlpHighSeq = c->SndNxt;
            ++Mib[TcpCounter.TCPLossProbes];

            // The retransmission timer starts anew from here.
            c->Pending = PendingTimer.None;
        }

        RearmRetransmitTimer(c);
    }

    private bool SendLossProbe(Tcb* c)
    {
        c->Flight->TlpRetransmitted = false;
        if (c->UnsentHead != null && MaySendData(c) && WindowAllowsSegment(c))
        {
            uint before = c->PacketsOut;
            WriteOut(c, Nagle.Off, Burst.Probe);
            return c->PacketsOut > before;
        }

        SendSegment* last = c->TxTail;
        uint mss = CurrentMss(c);
        if (last->PacketCount > 1 && PayloadLength(last) > (last->PacketCount - 1u) * mss)
        {
            last = SplitSegment(c, last, last->Node.Start + ((last->PacketCount - 1u) * mss));
            if (last == null)
            {
                return false;
            }
        }

        if (!SendAgain(c, last, 1, PacketNotes.TailLossProbe))
        {
            return false;
        }

        c->Flight->TlpRetransmitted = true;
        return true;
    }

    /// <summary>RFC 8985 7.4: whether the probe has repaired a loss, for which the window has to be reduced.</summary>
    private void ProcessProbeAck(Tcb* c, uint acknowledged, ref AckState ack)
    {
        Flight* f = c->Flight;
        if (Seq.Lt(acknowledged, f->TlpHighSeq))
        {
            return;
        }

        if (!f->TlpRetransmitted || (ack.Facts & AckFacts.DsackOfProbe) != 0)
        {
            // It was new data, or both the original and the probe have arrived.
            f->TlpOut = false;
        }
        else if (Seq.Gt(acknowledged, f->TlpHighSeq))
        {
            // Something above was acknowledged and no duplicate was reported: only one of the two has arrived.
            BeginCwndReduction(c);
            c->CaState = CaState.Cwr;
            EndCwndReduction(c);
            TryKeepOpen(c);
            ++Mib[TcpCounter.TCPLossProbeRecovery];
        }
        else if ((ack.Facts & (AckFacts.UnaAdvanced | AckFacts.NotDuplicate | AckFacts.DataSacked)) == 0)
        {
            // A duplicate ACK for a probe that brought nothing new.
            f->TlpOut = false;
        }
    }
}

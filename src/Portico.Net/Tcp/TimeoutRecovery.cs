namespace Portico.Net;

// After a retransmission timeout: slow start from one segment (RFC 5681 3.1), and finding out whether the timeout was spurious, by
// timestamps (RFC 3522) or by what is acknowledged (F-RTO, RFC 5682, in Linux's form, which also looks at SACKs).
public sealed unsafe partial class TcpLayer
{
    private void EnterLoss(Tcb* c)
    {
        Flight* f = c->Flight;
        bool newRecovery = c->CaState < CaState.Recovery;
        MarkLostAtTimeout(c);
        if (c->CaState <= CaState.Disorder || Seq.Leq(f->HighSeq, c->SndUna) || (c->CaState == CaState.Loss && c->Retransmits == 0))
        {
            f->PriorSsThresh = CurrentSsThresh(c);
            f->PriorCwnd = c->Cwnd;
            c->SsThresh = CongestionSsThresh(c);
            CongestionLossEvent(c);
            InitializeUndo(c);
        }

        c->Cwnd = PacketsInFlight(c) + 1;
        c->CwndCount = 0;
        c->CwndStampMillis = NowMillis;

        // A timeout in spite of many SACKs: reordering is less than was thought.
        uint reordering = (uint)Settings.tcp_reordering;
        if (c->CaState <= CaState.Disorder && c->SackedOut >= reordering)
        {
            c->Reordering = Math.Min(c->Reordering, reordering);
        }

        c->CaState = CaState.Loss;
        f->HighSeq = c->SndNxt;
        f->TlpOut = false;
        QueueCwr(c);

        // What was ever sent again is told apart for good, so recoveries that follow each other do not confuse F-RTO.
        f->Frto = Settings.tcp_frto != 0 && (newRecovery || c->Retransmits > 0);
    }

    private Resend ProcessLoss(Tcb* c, ref AckState ack, uint duplicates)
    {
        Flight* f = c->Flight;
        bool recovered = Seq.Geq(c->SndUna, f->HighSeq);
        bool advanced = (ack.Facts & AckFacts.UnaAdvanced) != 0;
        if (advanced && TryUndoLoss(c, ref ack, false))
        {
            return Resend.Nothing;
        }

        if (f->Frto)
        {
            // Step 3b: something that was sent once and before the timeout has arrived, so not everything was lost.
            if ((ack.Facts & AckFacts.OriginalAcked) != 0 && TryUndoLoss(c, ref ack, true))
            {
                return Resend.Nothing;
            }

            if (Seq.Gt(c->SndNxt, f->HighSeq))
            {
                // Step 3a: new data was sent, and something is still missing below it.
                if ((ack.Facts & AckFacts.DataSacked) != 0 || duplicates > 0)
                {
                    f->Frto = false;
                }
            }
            else if (advanced && !recovered)
            {
                // Step 2b: try new data, if there is any and the peer has room.
                f->HighSeq = c->SndNxt;
                if (HasUnsent(c) && Seq.Gt(c->SndUna + c->SndWnd, c->SndNxt))
                {
                    return Resend.New;
                }

                f->Frto = false;
            }
        }

        if (recovered)
        {
            TryUndoRecovery(c, ref ack);
            return Resend.Nothing;
        }

        if (!Has(c, TcbFlags.Sack))
        {
            if (Seq.Gt(c->SndNxt, f->HighSeq) && duplicates > 0)
            {
                AddRenoSacks(c, duplicates, ref ack);
            }
            else if (advanced)
            {
                c->SackedOut = 0;
            }
        }

        return Resend.Lost;
    }

    private bool TryUndoLoss(Tcb* c, ref AckState ack, bool isSpurious)
    {
        if (!isSpurious && !MayUndo(c, ref ack))
        {
            return false;
        }

        UndoCwndReduction(c, true);
        ++Mib[TcpCounter.TCPLossUndo];
        if (isSpurious)
        {
            ++Mib[TcpCounter.TCPSpuriousRTOs];
        }

        c->Retransmits = 0;
        if (HoldsStateWithoutSack(c))
        {
            return true;
        }

        if (isSpurious || Has(c, TcbFlags.Sack))
        {
            c->CaState = CaState.Open;
            c->Flight->HasReneged = false;
        }

        return true;
    }

    /// <summary>Sends after an ACK what <see cref="AlertFastRetransmit"/> has asked for.</summary>
    private void SendInRecovery(Tcb* c, Resend resend)
    {
        if (resend == Resend.Nothing || c->State is TcpState.SynSent or TcpState.Closed)
        {
            return;
        }

        if (resend == Resend.New)
        {
            PushPending(c, Nagle.Off);
            if (c->Flight == null || Seq.Gt(c->SndNxt, c->Flight->HighSeq))
            {
                return;
            }

            c->Flight->Frto = false;
        }

        RetransmitQueue(c);
    }

    /// <summary>The timer has fired: tcpi_total_rto and its companions.</summary>
    private void CountTimeout(Tcb* c)
    {
        if (c->Retransmits == 0)
        {
            c->TotalRtoRecoveries++;
            c->Flight->RtoStampMillis = Math.Max(NowMillis, 1);
        }

        c->Retransmits = (byte)Math.Min(c->Retransmits + 1, 255);
        c->TotalRto++;
        Mib[TcpCounter.TcpTimeoutRehash] += Has(c, TcbExtras.KeepsHash) ? 0 : 1;
    }

    /// <summary>The state after a timeout is left.</summary>
    private void EndTimeoutRecovery(Tcb* c)
    {
        if (c->Flight->RtoStampMillis != 0)
        {
            c->TotalRtoMillis += NowMillis - c->Flight->RtoStampMillis;
            c->Flight->RtoStampMillis = 0;
        }
    }
}

namespace Portico.Net;

// Fast retransmit and recovery: RFC 5681 3.2, RFC 6582 (NewReno), RFC 6675 (SACK), proportional rate reduction of the window
// (RFC 6937), and undoing a reduction that turned out not to be deserved (RFC 3522 by timestamps, RFC 3708 by DSACK). The states and
// the order of decisions are Linux's (tcp_fastretrans_alert). Time-based loss detection (RFC 8985) has its place in IdentifyLoss.
public sealed unsafe partial class TcpLayer
{
    /// <summary>Something is unusual about this ACK, or we are not in the open state. True when retransmissions should follow.</summary>
    private bool AlertFastRetransmit(Tcb* c, ref AckState ack, uint duplicates)
    {
        bool sack = Has(c, TcbFlags.Sack);
        bool doLost = duplicates > 0 || ((ack.Facts & AckFacts.DataSacked) != 0 && ForcesFastRetransmit(c));
        if (c->PacketsOut == 0 && c->SackedOut > 0)
        {
            c->SackedOut = 0;
        }

        // The peer has SACKed what it now says it lacks: wait a little, then start over (RFC 2018 8).
        if ((ack.Facts & (AckFacts.SackReneging | AckFacts.UnaAdvanced)) == (AckFacts.SackReneging | AckFacts.UnaAdvanced))
        {
            ArmRetransmit(c, Math.Max(c->Rtt.SrttMicros / 2, 10_000) * 1000L);
            ack.Facts &= ~AckFacts.SetTransmitTimer;
            return false;
        }

        if (c->CaState == CaState.Open)
        {
            c->RetransStamp = 0;
        }
        else if (Seq.Geq(c->SndUna, c->HighSeq))
        {
            if (c->CaState == CaState.Cwr)
            {
                if (c->SndUna != c->HighSeq)
                {
                    EndCwndReduction(c);
                    c->CaState = CaState.Open;
                }
            }
            else if (c->CaState == CaState.Recovery)
            {
                if (!sack)
                {
                    c->SackedOut = 0;
                }

                if (TryUndoRecovery(c, ref ack))
                {
                    return false;
                }

                EndCwndReduction(c);
            }
        }

        bool fastRetransmit = false;
        switch (c->CaState)
        {
            case CaState.Recovery:
                if ((ack.Facts & AckFacts.UnaAdvanced) == 0)
                {
                    if (!sack)
                    {
                        AddRenoSacks(c, duplicates, ref ack);
                    }
                }
                else if (TryUndoPartial(c, ref ack, ref doLost))
                {
                    return false;
                }

                if (TryUndoDsack(c))
                {
                    TryToOpen(c);
                }

                IdentifyLoss(c, ref ack);
                if (c->CaState != CaState.Recovery)
                {
                    if (!IsTimeToRecover(c))
                    {
                        return false;
                    }

                    EnterRecovery(c);
                }

                break;
            case CaState.Loss:
                ProcessLoss(c, ref ack, duplicates);
                IdentifyLoss(c, ref ack);
                if (c->CaState != CaState.Open && (ack.Facts & AckFacts.LostRetransmit) == 0)
                {
                    return true;
                }

                goto default;
            default:
                if (!sack)
                {
                    if ((ack.Facts & AckFacts.UnaAdvanced) != 0)
                    {
                        c->SackedOut = 0;
                    }

                    AddRenoSacks(c, duplicates, ref ack);
                }

                if (c->CaState is CaState.Open or CaState.Disorder)
                {
                    TryUndoDsack(c);
                }

                IdentifyLoss(c, ref ack);
                if (!IsTimeToRecover(c))
                {
                    TryToOpen(c);
                    return false;
                }

                EnterRecovery(c);
                fastRetransmit = true;
                break;
        }

        if (doLost && sack)
        {
            UpdateScoreboard(c, fastRetransmit);
        }

        return true;
    }

    private static bool IsReducing(Tcb* c) => c->CaState is CaState.Cwr or CaState.Recovery;

    private void EnterRecovery(Tcb* c)
    {
        ++Mib[Has(c, TcbFlags.Sack) ? TcpCounter.TCPSackRecovery : TcpCounter.TCPRenoRecovery];
        c->PriorSsThresh = 0;
        InitializeUndo(c);
        if (!IsReducing(c))
        {
            c->PriorSsThresh = CurrentSsThresh(c);
            BeginCwndReduction(c);
        }

        c->CaState = CaState.Recovery;
    }

    private static void InitializeUndo(Tcb* c)
    {
        c->UndoMarker = c->SndUna == 0 ? 1 : c->SndUna;
        c->UndoRetrans = c->RetransOut > 0 ? (int)c->RetransOut : -1;
    }

    private void BeginCwndReduction(Tcb* c)
    {
        c->HighSeq = c->SndNxt;
        c->CwndCount = 0;
        c->PriorCwnd = c->Cwnd;
        c->PrrDelivered = 0;
        c->PrrOut = 0;
        c->SsThresh = CongestionSsThresh(c);
    }

    /// <summary>RFC 6937: what may be sent on each ACK so that the window arrives at ssthresh as the round ends.</summary>
    private static void ReduceCwnd(Tcb* c, uint delivered, bool newlyLost, bool unaAdvanced)
    {
        if (delivered == 0 || c->PriorCwnd == 0)
        {
            return;
        }

        uint inFlight = PacketsInFlight(c);
        int delta = (int)c->SsThresh - (int)inFlight;
        c->PrrDelivered += delivered;
        int send;
        if (delta < 0)
        {
            ulong dividend = ((ulong)c->SsThresh * c->PrrDelivered) + c->PriorCwnd - 1;
            send = (int)(dividend / c->PriorCwnd) - (int)c->PrrOut;
        }
        else
        {
            send = Math.Max((int)c->PrrDelivered - (int)c->PrrOut, (int)delivered);
            if (unaAdvanced && !newlyLost)
            {
                send++;
            }

            send = Math.Min(delta, send);
        }

        send = Math.Max(send, c->PrrOut > 0 ? 0 : 1);
        c->Cwnd = Math.Max(inFlight + (uint)send, 1);
    }

    private void EndCwndReduction(Tcb* c)
    {
        if (c->SsThresh < InfiniteSsThresh && (c->CaState == CaState.Cwr || c->UndoMarker != 0))
        {
            c->Cwnd = Math.Max(c->SsThresh, 1);
            c->CwndStampMillis = NowMillis;
        }
    }

    /// <summary>After a timeout: undo when the original was only late, end when all of that time is acknowledged.</summary>
    private void ProcessLoss(Tcb* c, ref AckState ack, uint duplicates)
    {
        if ((ack.Facts & AckFacts.UnaAdvanced) != 0 && MayUndo(c, ref ack))
        {
            UndoCwndReduction(c, true);
            ++Mib[TcpCounter.TCPLossUndo];
            c->Retransmits = 0;
            if (Has(c, TcbFlags.Sack))
            {
                c->CaState = CaState.Open;
            }

            return;
        }

        if (Seq.Geq(c->SndUna, c->HighSeq))
        {
            TryUndoRecovery(c, ref ack);
            return;
        }

        if (!Has(c, TcbFlags.Sack))
        {
            if (Seq.Gt(c->SndNxt, c->HighSeq) && duplicates > 0)
            {
                AddRenoSacks(c, duplicates, ref ack);
            }
            else if ((ack.Facts & AckFacts.UnaAdvanced) != 0)
            {
                c->SackedOut = 0;
            }
        }
    }

    /// <summary>A retransmission timeout: everything unSACKed is lost, and slow start begins (RFC 5681 3.1, RFC 6675 5.1).</summary>
    private void EnterLoss(Tcb* c)
    {
        AckState none = default;
        bool reneged = c->TxHead != null && (c->TxHead->Marks & SegmentMarks.Sacked) != 0;
        if (reneged)
        {
            ++Mib[TcpCounter.TCPSACKReneging];
        }
        else if (!Has(c, TcbFlags.Sack))
        {
            c->SackedOut = 0;
        }

        for (SendSegment* segment = c->TxHead; segment != null; segment = segment->Next)
        {
            if (reneged && (segment->Marks & SegmentMarks.Sacked) != 0)
            {
                segment->Marks &= ~SegmentMarks.Sacked;
                c->SackedOut -= segment->PacketCount;
            }

            MarkLost(c, segment, ref none);
        }

        c->LostHint = null;
        c->RetransmitHint = c->TxHead;
        if (c->CaState is CaState.Open or CaState.Disorder || Seq.Leq(c->HighSeq, c->SndUna)
            || (c->CaState == CaState.Loss && c->Retransmits == 0))
        {
            c->PriorSsThresh = CurrentSsThresh(c);
            c->PriorCwnd = c->Cwnd;
            c->SsThresh = CongestionSsThresh(c);
            CongestionLossEvent(c);
            InitializeUndo(c);
        }

        c->Cwnd = PacketsInFlight(c) + 1;
        c->CwndCount = 0;
        c->CwndStampMillis = NowMillis;
        if (c->CaState is CaState.Open or CaState.Disorder && c->SackedOut >= (uint)Settings.tcp_reordering)
        {
            c->Reordering = Math.Min(c->Reordering, (uint)Settings.tcp_reordering);
        }

        c->CaState = CaState.Loss;
        c->HighSeq = c->SndNxt;
    }

    private static uint CurrentSsThresh(Tcb* c) =>
        IsReducing(c) ? c->SsThresh : Math.Max(c->SsThresh, (c->Cwnd >> 1) + (c->Cwnd >> 2));
}

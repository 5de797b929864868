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

    /// <summary>More than the duplicate threshold has been SACKed beyond SND.UNA (RFC 6675's second condition, by bytes).</summary>
    private static bool ForcesFastRetransmit(Tcb* c) =>
        c->SackedOut > 0 && Seq.Gt(c->HighestSack, c->SndUna + (c->Reordering * c->Mss));

    private static bool IsTimeToRecover(Tcb* c) => c->LostOut > 0 || c->SackedOut + 1 > c->Reordering;

    private static bool IsReducing(Tcb* c) => c->CaState is CaState.Cwr or CaState.Recovery;

    /// <summary>Where time-based detection (RFC 8985) will look; without SACK, RFC 6582's rule for the first hole.</summary>
    private void IdentifyLoss(Tcb* c, ref AckState ack)
    {
        if (c->TxHead == null || Has(c, TcbFlags.Sack))
        {
            return;
        }

        bool lost = c->CaState is CaState.Open or CaState.Disorder
            ? c->SackedOut >= c->Reordering
            : c->CaState == CaState.Recovery && (ack.Facts & AckFacts.UnaAdvanced) != 0;
        SendSegment* head = c->TxHead;
        if (!lost || (head->Marks & SegmentMarks.Lost) != 0)
        {
            return;
        }

        if (head->PacketCount > 1)
        {
            SplitSegment(c, head, head->Node.Start + c->Mss);
        }

        MarkLost(c, head, ref ack);
    }

    /// <summary>RFC 6675's IsLost by counting: what has DupThresh SACKed segments above it is lost. Remembers where it stopped.</summary>
    private void UpdateScoreboard(Tcb* c, bool fastRetransmit)
    {
        AckState none = default;
        int packets = (int)c->SackedOut - (int)c->Reordering;
        if (packets >= 0)
        {
            MarkHeadLost(c, (uint)packets, false, ref none);
        }
        else if (fastRetransmit)
        {
            MarkHeadLost(c, 1, true, ref none);
        }
    }

    private void MarkHeadLost(Tcb* c, uint packets, bool onlyHead, ref AckState ack)
    {
        SendSegment* segment = c->LostHint;
        uint sacked = 0;
        if (segment == null)
        {
            segment = c->TxHead;
        }
        else
        {
            if (onlyHead && Seq.Gt(segment->Node.Start, c->SndUna))
            {
                return;
            }

            sacked = c->LostHintSacked;
        }

        for (; segment != null; segment = segment->Next)
        {
            c->LostHint = segment;
            c->LostHintSacked = sacked;
            if ((segment->Marks & SegmentMarks.Sacked) != 0)
            {
                sacked += segment->PacketCount;
            }

            if (sacked > packets)
            {
                break;
            }

            if (onlyHead && segment->PacketCount > 1)
            {
                SplitSegment(c, segment, segment->Node.Start + c->Mss);
            }

            if ((segment->Marks & SegmentMarks.Lost) == 0)
            {
                MarkLost(c, segment, ref ack);
            }

            if (onlyHead)
            {
                break;
            }
        }
    }

    private void MarkLost(Tcb* c, SendSegment* segment, ref AckState ack)
    {
        if ((segment->Marks & SegmentMarks.Sacked) != 0)
        {
            return;
        }

        if (c->RetransmitHint == null || Seq.Lt(segment->Node.Start, c->RetransmitHint->Node.Start))
        {
            c->RetransmitHint = segment;
        }

        if ((segment->Marks & SegmentMarks.Lost) != 0)
        {
            if ((segment->Marks & SegmentMarks.Retransmitted) != 0)
            {
                segment->Marks &= ~SegmentMarks.Retransmitted;
                c->RetransOut -= segment->PacketCount;
                ack.Facts |= AckFacts.LostRetransmit;
                Mib[TcpCounter.TCPLostRetransmit] += segment->PacketCount;
            }

            return;
        }

        if ((segment->Marks & SegmentMarks.Retransmitted) != 0)
        {
            segment->Marks &= ~SegmentMarks.Retransmitted;
            c->RetransOut -= segment->PacketCount;
        }

        c->LostOut += segment->PacketCount;
        segment->Marks |= SegmentMarks.Lost;
    }

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

    /// <summary>RFC 3522: an ACK that echoes a time before the first retransmission acknowledges the original.</summary>
    private static bool OriginalWasDelayed(Tcb* c, ref AckState ack) =>
        c->RetransStamp != 0 && ack.HasTsEcr && (int)(ack.TsEcr - c->RetransStamp) < 0;

    private static bool MayUndo(Tcb* c, ref AckState ack) => c->UndoMarker != 0 && (c->UndoRetrans == 0 || OriginalWasDelayed(c, ref ack));

    private void UndoCwndReduction(Tcb* c, bool unmarkLoss)
    {
        if (unmarkLoss)
        {
            for (SendSegment* segment = c->TxHead; segment != null; segment = segment->Next)
            {
                segment->Marks &= ~SegmentMarks.Lost;
            }

            c->LostOut = 0;
            c->LostHint = null;
            c->RetransmitHint = null;
        }

        if (c->PriorSsThresh != 0)
        {
            c->Cwnd = Math.Max(c->Cwnd, CongestionUndoCwnd(c));
            c->SsThresh = Math.Max(c->SsThresh, c->PriorSsThresh);
        }

        c->CwndStampMillis = NowMillis;
        c->UndoMarker = 0;
    }

    /// <summary>All of the recovery's window is acknowledged. True when the state is held until something above it is (RFC 6582).</summary>
    private bool TryUndoRecovery(Tcb* c, ref AckState ack)
    {
        if (MayUndo(c, ref ack))
        {
            ++Mib[c->CaState == CaState.Loss ? TcpCounter.TCPLossUndo : TcpCounter.TCPFullUndo];
            UndoCwndReduction(c, false);
        }

        if (c->SndUna == c->HighSeq && !Has(c, TcbFlags.Sack))
        {
            if (c->RetransOut == 0)
            {
                c->RetransStamp = 0;
            }

            return true;
        }

        // The window of the reduction still stands: it ends here, at ssthresh, unless it was undone.
        if (c->CaState == CaState.Recovery)
        {
            EndCwndReduction(c);
        }

        c->CaState = CaState.Open;
        return false;
    }

    private bool TryUndoPartial(Tcb* c, ref AckState ack, ref bool doLost)
    {
        if (c->UndoMarker != 0 && OriginalWasDelayed(c, ref ack))
        {
            // The hole was filled by the late original: there is more reordering than we thought.
            CheckSackReordering(c, ack.PriorUna, Seq.Max(c->HighestSack, ack.PriorUna));
            if (c->RetransOut > 0)
            {
                return true;
            }

            c->RetransStamp = 0;
            UndoCwndReduction(c, true);
            ++Mib[TcpCounter.TCPPartialUndo];
            TryKeepOpen(c);
            return false;
        }

        doLost = ForcesFastRetransmit(c);
        return false;
    }

    private bool TryUndoDsack(Tcb* c)
    {
        if (c->UndoMarker == 0 || c->UndoRetrans != 0)
        {
            return false;
        }

        UndoCwndReduction(c, false);
        ++Mib[TcpCounter.TCPDSACKUndo];
        return true;
    }

    private static void TryToOpen(Tcb* c)
    {
        if (c->RetransOut == 0)
        {
            c->RetransStamp = 0;
        }

        if (c->CaState != CaState.Cwr)
        {
            TryKeepOpen(c);
        }
    }

    private static void TryKeepOpen(Tcb* c)
    {
        CaState state = c->SackedOut + c->LostOut > 0 || c->RetransOut > 0 ? CaState.Disorder : CaState.Open;
        if (c->CaState != state)
        {
            c->CaState = state;
            c->HighSeq = c->SndNxt;
        }
    }

    /// <summary>Without SACK, each duplicate ACK stands for one segment that has left the network (RFC 6582).</summary>
    private static void AddRenoSacks(Tcb* c, uint duplicates, ref AckState ack)
    {
        if (duplicates == 0)
        {
            return;
        }

        uint before = c->SackedOut;
        uint most = c->PacketsOut > Math.Max(c->LostOut, 1) ? c->PacketsOut - Math.Max(c->LostOut, 1) : 0;
        c->SackedOut = Math.Min(c->SackedOut + duplicates, most);
        ack.Delivered += c->SackedOut > before ? c->SackedOut - before : 0;
    }

    /// <summary>A cumulative ACK covers emulated SACKs too: one for the hole, the rest for what came after it.</summary>
    private static void RemoveRenoSacks(Tcb* c, ref AckState ack)
    {
        uint acked = ack.AckedPackets;
        if (acked == 0)
        {
            return;
        }

        ack.Delivered += acked > c->SackedOut ? Math.Max(acked - c->SackedOut, 1) : 1;
        c->SackedOut = acked - 1 >= c->SackedOut ? 0 : c->SackedOut - (acked - 1);
        uint most = c->PacketsOut > c->LostOut ? c->PacketsOut - c->LostOut : 0;
        c->SackedOut = Math.Min(c->SackedOut, most);
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

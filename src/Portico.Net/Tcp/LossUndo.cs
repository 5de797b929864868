namespace Portico.Net;

// Taking a reduction of the window back when it turns out that nothing was lost: by timestamps (RFC 3522), by DSACKs (RFC 3708).
public sealed unsafe partial class TcpLayer
{
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
}

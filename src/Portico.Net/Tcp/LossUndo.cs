namespace Portico.Net;

// Taking a reduction of the window back when it turns out that nothing was lost: by timestamps (RFC 3522, RFC 4015), by DSACKs (RFC 3708).
public sealed unsafe partial class TcpLayer
{
    /// <summary>
    /// RFC 3522: an ACK that echoes a time before the first retransmission acknowledges the original; and nothing else can be
    /// acknowledged where nothing was sent again.
    /// </summary>
    private static bool OriginalWasDelayed(Tcb* c, ref AckState ack)
    {
        uint stamp = c->Flight->RetransStamp;
        return stamp == 0 ? c->State != TcpState.SynSent : ack.HasTsEcr && (int)(ack.TsEcr - stamp) < 0;
    }

    private static bool MayUndo(Tcb* c, ref AckState ack) =>
        c->Flight->UndoMarker != 0 && (c->Flight->UndoRetrans == 0 || OriginalWasDelayed(c, ref ack));

    private void UndoCwndReduction(Tcb* c, bool unmarkLoss)
    {
        Flight* f = c->Flight;
        if (unmarkLoss)
        {
            UnmarkLost(c);
        }

        if (f->PriorSsThresh != 0)
        {
            c->Cwnd = CongestionUndoCwnd(c);
            if (f->PriorSsThresh > c->SsThresh)
            {
                c->SsThresh = f->PriorSsThresh;
                c->Extras &= ~TcbExtras.EcnQueueCwr;
            }
        }

        c->CwndStampMillis = NowMillis;
        f->UndoMarker = 0;
        f->RackAdvanced = true;
    }

    /// <summary>RFC 6582: without SACK the state is held until something above the recovery's window is acknowledged.</summary>
    private static bool HoldsStateWithoutSack(Tcb* c)
    {
        if (c->SndUna != c->Flight->HighSeq || Has(c, TcbFlags.Sack))
        {
            return false;
        }

        ForgetRetransmissionTime(c);
        return true;
    }

    /// <summary>All of the recovery's window is acknowledged. True when the state is held all the same.</summary>
    private bool TryUndoRecovery(Tcb* c, ref AckState ack)
    {
        if (MayUndo(c, ref ack))
        {
            ++Mib[c->CaState == CaState.Loss ? TcpCounter.TCPLossUndo : TcpCounter.TCPFullUndo];
            UndoCwndReduction(c, false);
        }
        else if (c->ReorderPersist > 0)
        {
            c->ReorderPersist--;
        }

        if (HoldsStateWithoutSack(c))
        {
            return true;
        }

        c->CaState = CaState.Open;
        c->Flight->HasReneged = false;
        return false;
    }

    /// <summary>True when the hole was filled by the late original, but what was sent again has to be waited for.</summary>
    private bool TryUndoPartial(Tcb* c, ref AckState ack)
    {
        if (c->Flight->UndoMarker == 0 || !OriginalWasDelayed(c, ref ack))
        {
            return false;
        }

        // There is more reordering than we thought.
        CheckSackReordering(c, ack.PriorUna, TcpCounter.TCPTSReorder);
        if (c->RetransOut > 0)
        {
            return true;
        }

        ForgetRetransmissionTime(c);
        UndoCwndReduction(c, true);
        ++Mib[TcpCounter.TCPPartialUndo];
        TryKeepOpen(c);
        return false;
    }

    private bool TryUndoDsack(Tcb* c)
    {
        if (c->Flight->UndoMarker == 0 || c->Flight->UndoRetrans != 0)
        {
            return false;
        }

        c->ReorderPersist = (byte)Math.Min(c->ReorderPersist + 1, ReorderPersistMax);
        UndoCwndReduction(c, false);
        ++Mib[TcpCounter.TCPDSACKUndo];
        return true;
    }

    private void TryToOpen(Tcb* c, bool congestionEcho)
    {
        ForgetRetransmissionTime(c);
        if (congestionEcho)
        {
            EnterCwr(c);
        }

        if (c->CaState != CaState.Cwr)
        {
            TryKeepOpen(c);
        }
    }

    private static void TryKeepOpen(Tcb* c)
    {
        CaState state = c->SackedOut + c->LostOut > 0 || HasRetransmitted(c) ? CaState.Disorder : CaState.Open;
        if (c->CaState != state)
        {
            c->CaState = state;
            c->Flight->HighSeq = c->SndNxt;
        }
    }
}

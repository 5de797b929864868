namespace Portico.Net;

// Fast retransmit and recovery: RFC 5681 3.2, RFC 6582 (NewReno), RFC 6675 (SACK), and the proportional reduction of the window
// (RFC 9937). The states and the order of decisions are Linux's (tcp_fastretrans_alert).
public sealed unsafe partial class TcpLayer
{
    /// <summary>What is to be sent after an ACK (Linux: REXMIT_*).</summary>
    private enum Resend
    {
        Nothing,

        /// <summary>What is lost, as far as the window allows.</summary>
        Lost,

        /// <summary>New data first, to see whether the timeout was spurious (RFC 5682 2.1, step 2b).</summary>
        New,
    }

    /// <summary>Something is unusual about this ACK, or we are not in the open state. Says what should be sent.</summary>
    private Resend AlertFastRetransmit(Tcb* c, ref AckState ack, uint duplicates)
    {
        Flight* f = FlightOf(c);
        bool sack = Has(c, TcbFlags.Sack);
        if (c->PacketsOut == 0 && c->SackedOut > 0)
        {
            c->SackedOut = 0;
        }

        // Congestion was reported: that reduction is deserved whatever becomes of the segments.
        bool echo = (ack.Facts & AckFacts.CongestionEcho) != 0;
        if (echo)
        {
            f->PriorSsThresh = 0;
        }

        // The peer has SACKed what it now says it lacks: wait a little, then start over (RFC 2018 8).
        if ((ack.Facts & AckFacts.SackReneging) != 0 && (ack.Facts & AckFacts.UnaAdvanced) != 0)
        {
            ArmRetransmit(c, Math.Max(c->Rtt.SrttMicros / 2, 10_000) * 1000L);
            ack.Facts &= ~AckFacts.SetTransmitTimer;
            return Resend.Nothing;
        }

        if (c->CaState == CaState.Open)
        {
            f->RetransStamp = 0;
        }
        else if (Seq.Geq(c->SndUna, f->HighSeq))
        {
            if (c->CaState == CaState.Cwr)
            {
                // Held until something above it is acknowledged, so that the peer has seen CWR.
                if (c->SndUna != f->HighSeq)
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
                    return Resend.Nothing;
                }

                EndCwndReduction(c);
            }
        }

        Resend resend = Resend.Nothing;
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
                else if (TryUndoPartial(c, ref ack))
                {
                    return Resend.Nothing;
                }

                if (TryUndoDsack(c))
                {
                    TryToOpen(c, echo);
                }

                IdentifyLoss(c, ref ack);
                if (c->CaState != CaState.Recovery)
                {
                    if (c->LostOut == 0)
                    {
                        return Resend.Nothing;
                    }

                    EnterRecovery(c, echo);
                }

                break;
            case CaState.Loss:
                resend = ProcessLoss(c, ref ack, duplicates);
                if (c->CaState != CaState.Loss)
                {
                    EndTimeoutRecovery(c);
                }

                IdentifyLoss(c, ref ack);
                if (c->CaState != CaState.Open && (ack.Facts & AckFacts.LostRetransmit) == 0)
                {
                    return resend;
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

                if (c->CaState <= CaState.Disorder)
                {
                    TryUndoDsack(c);
                }

                IdentifyLoss(c, ref ack);
                if (c->LostOut == 0)
                {
                    TryToOpen(c, echo);
                    return resend;
                }

                if (TryFailMtuProbe(c))
                {
                    return Resend.Nothing;
                }

                EnterRecovery(c, echo);
                break;
        }

        return Resend.Lost;
    }

    private static bool IsReducing(Tcb* c) => c->CaState is CaState.Cwr or CaState.Recovery;

    /// <summary>Whether anything that is in flight was ever sent again.</summary>
    private static bool HasRetransmitted(Tcb* c) =>
        c->RetransOut > 0 || (c->TxHead != null && (c->TxHead->Marks & SegmentMarks.EverRetransmitted) != 0);

    private static void ForgetRetransmissionTime(Tcb* c)
    {
        if (!HasRetransmitted(c))
        {
            c->Flight->RetransStamp = 0;
        }
    }

    private void EnterRecovery(Tcb* c, bool congestionEcho)
    {
        ForgetRetransmissionTime(c);
        ++Mib[Has(c, TcbFlags.Sack) ? TcpCounter.TCPSackRecovery : TcpCounter.TCPRenoRecovery];
        c->Flight->PriorSsThresh = 0;
        InitializeUndo(c);
        if (!IsReducing(c))
        {
            if (!congestionEcho)
            {
                c->Flight->PriorSsThresh = CurrentSsThresh(c);
            }

            BeginCwndReduction(c);
        }

        c->CaState = CaState.Recovery;
    }

    /// <summary>Congestion without loss was reported, by ECN or by a full queue of our own: the window shrinks over a round trip.</summary>
    private void EnterCwr(Tcb* c)
    {
        Flight* f = FlightOf(c);
        f->PriorSsThresh = 0;
        if (c->CaState < CaState.Cwr)
        {
            f->UndoMarker = 0;
            BeginCwndReduction(c);
            c->CaState = CaState.Cwr;
        }
    }

    private static void InitializeUndo(Tcb* c)
    {
        Flight* f = c->Flight;
        f->UndoMarker = c->SndUna == 0 ? 1 : c->SndUna;

        // What is on its way twice already may bring DSACKs of its own; 0 would say that all has been shown to be unneeded.
        f->UndoRetrans = (int)c->RetransOut + (f->TlpOut && f->TlpRetransmitted ? 1 : 0);
        if (f->UndoRetrans == 0)
        {
            f->UndoRetrans = -1;
        }
    }

    private void BeginCwndReduction(Tcb* c)
    {
        Flight* f = c->Flight;
        f->HighSeq = c->SndNxt;
        f->TlpOut = false;
        c->CwndCount = 0;
        f->PriorCwnd = c->Cwnd;
        f->PrrDelivered = 0;
        f->PrrOut = 0;
        c->SsThresh = CongestionSsThresh(c);
        QueueCwr(c);
    }

    /// <summary>
    /// RFC 9937: what may be sent on each ACK so that the window arrives at ssthresh as the round ends: in proportion while there is
    /// more in flight than that, else as much as was delivered, and one more while an ACK moves forward without a new loss.
    /// </summary>
    private static void ReduceCwnd(Tcb* c, uint delivered, bool isSafe, bool isPartial = false)
    {
        Flight* f = c->Flight;
        if (delivered == 0 || f->PriorCwnd == 0)
        {
            return;
        }

        uint inFlight = PacketsInFlight(c);
        int delta = (int)c->SsThresh - (int)inFlight;
        f->PrrDelivered += delivered;
        int send;
        if (delta < 0)
        {
            ulong dividend = ((ulong)c->SsThresh * f->PrrDelivered) + f->PriorCwnd - 1;
            send = (int)(dividend / f->PriorCwnd) - (int)f->PrrOut;
        }
        else
        {
            send = Math.Max((int)f->PrrDelivered - (int)f->PrrOut, (int)delivered);
            if (isSafe)
            {
                send++;
            }

            send = Math.Min(delta, send);
        }

        // The first retransmission goes out in any case, and so does the next hole's, which without SACK only a partial ACK shows (RFC 6582
        // 3.2): nobody else would ask for it before the timeout.
        send = Math.Max(send, f->PrrOut > 0 && !isPartial ? 0 : 1);
        c->Cwnd = Math.Max(inFlight + (uint)send, 1);
    }

    private void EndCwndReduction(Tcb* c)
    {
        if (IsBbr(c))
        {
            return;
        }

        if (c->SsThresh < InfiniteSsThresh && (c->CaState == CaState.Cwr || c->Flight->UndoMarker != 0))
        {
            c->Cwnd = Math.Max(c->SsThresh, 1);
            c->CwndStampMillis = NowMillis;
        }

        SendCongestionEvent(c, CongestionEvent.CompleteCwr);
    }

    private static uint CurrentSsThresh(Tcb* c) =>
        IsReducing(c) ? c->SsThresh : Math.Max(c->SsThresh, (c->Cwnd >> 1) + (c->Cwnd >> 2));
}

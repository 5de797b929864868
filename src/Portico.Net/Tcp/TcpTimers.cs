using System.Runtime.CompilerServices;

namespace Portico.Net;

// Timers: retransmission (RFC 6298 5), persist (RFC 9293 3.8.6.1), delayed ACK, keepalive (RFC 9293 3.8.4), FIN-WAIT-2 and the user
// timeout (RFC 5482). A connection has one node in the wheel; moving a deadline later, as every ACK does, touches nothing but the
// TCB: the node fires early, looks again, and is armed for what is left.
public sealed unsafe partial class TcpLayer
{
    private const long RtoMaxNanos = 120_000_000_000;
    private const long RtoMinNanos = 200_000_000;

    /// <summary>Retry after a local failure (Linux: TCP_RESOURCE_PROBE_INTERVAL).</summary>
    private const long ResourceRetryNanos = 500_000_000;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void ArmTimer(Tcb* c)
    {
        long earliest = EarliestDeadline(c);
        if (earliest != long.MaxValue && (!c->Timer.IsArmed || c->Timer.Deadline > earliest))
        {
            _engine.Timers.Arm(&c->Timer, new MonoTime(earliest));
        }
    }

    private static long EarliestDeadline(Tcb* c)
    {
        long earliest = c->RetransmitDeadline != 0 ? c->RetransmitDeadline : long.MaxValue;
        if (c->DelayedAckDeadline != 0)
        {
            earliest = Math.Min(earliest, c->DelayedAckDeadline);
        }

        return c->KeepDeadline != 0 ? Math.Min(earliest, c->KeepDeadline) : earliest;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void ArmRetransmit(Tcb* c, long nanos)
    {
        c->Flags &= ~TcbFlags.Persist;
        c->RetransmitDeadline = NowNanos + LimitByUserTimeout(c, Math.Min(nanos, RtoMaxNanos));
        ArmTimer(c);
    }

    private static void CancelRetransmitTimer(Tcb* c)
    {
        c->Flags &= ~TcbFlags.Persist;
        c->RetransmitDeadline = 0;
    }

    /// <summary>RFC 6298 5.2 and 5.3: off when all is acknowledged, else started anew.</summary>
    private void RearmRetransmitTimer(Tcb* c)
    {
        if (c->PacketsOut == 0)
        {
            CancelRetransmitTimer(c);
        }
        else
        {
            ArmRetransmit(c, BackedOff(c->Rtt.RtoMicros * 1000L, c->Backoff));
        }
    }

    private static long BackedOff(long nanos, int backoff) => backoff >= 20 ? RtoMaxNanos : Math.Min(nanos << backoff, RtoMaxNanos);

    /// <summary>Unsent data and nothing in flight: the peer's window is closed (or the data is corked), and something must happen (SHLD-29).</summary>
    private void ArmPersist(Tcb* c)
    {
        if (c->PacketsOut > 0)
        {
            return;
        }

        long when = BackedOff(Math.Max(c->Rtt.RtoMicros * 1000L, RtoMinNanos), c->Backoff);
        c->Flags |= TcbFlags.Persist;
        c->RetransmitDeadline = NowNanos + LimitByUserTimeout(c, when);
        ArmTimer(c);
    }

    /// <summary>With a user timeout no timer sleeps beyond the point at which it has passed.</summary>
    private long LimitByUserTimeout(Tcb* c, long nanos)
    {
        if (c->UserTimeoutMillis == 0 || (c->Retransmits == 0 && c->ProbesOut == 0))
        {
            return nanos;
        }

        long left = (long)c->UserTimeoutMillis - (NowMillis - c->StalledSinceMillis);
        return Math.Min(nanos, Math.Max(left, 1) * 1_000_000);
    }

    private bool UserTimeoutPassed(Tcb* c) => c->UserTimeoutMillis != 0 && NowMillis - c->StalledSinceMillis >= c->UserTimeoutMillis;

    void ITimerHandler.OnTimer(TimerNode* node)
    {
        switch (node->Kind)
        {
            case RequestTimer:
                OnRequestTimer((SynRequest*)node);
                break;
            case TimeWaitTimer:
                ExpireTimeWaits();
                break;
            default:
                OnConnectionTimer((Tcb*)node);
                break;
        }

        Reap();
    }

    private void OnConnectionTimer(Tcb* c)
    {
        long now = NowNanos;
        if (c->DelayedAckDeadline != 0 && c->DelayedAckDeadline <= now)
        {
            c->DelayedAckDeadline = 0;
            OnDelayedAckTimer(c);
        }

        if (c->RetransmitDeadline != 0 && c->RetransmitDeadline <= now)
        {
            c->RetransmitDeadline = 0;
            if (Has(c, TcbFlags.Persist))
            {
                OnPersistTimer(c);
            }
            else
            {
                OnRetransmitTimer(c);
            }
        }

        if (c->State != TcpState.Closed && c->KeepDeadline != 0 && c->KeepDeadline <= now)
        {
            c->KeepDeadline = 0;
            OnKeepTimer(c);
        }

        if (c->State != TcpState.Closed)
        {
            ArmTimer(c);
        }
    }

    private void OnDelayedAckTimer(Tcb* c)
    {
        c->Flags &= ~TcbFlags.AckTimer;
        if (!Has(c, TcbFlags.AckScheduled))
        {
            return;
        }

        if (c->PingPong == 0)
        {
            c->AtoMillis = Math.Min(c->AtoMillis << 1, (uint)(c->Rtt.RtoMicros / 1000));
        }
        else
        {
            // The application did not answer in time: it is not a dialogue after all.
            c->PingPong = 0;
            c->AtoMillis = AtoMinMillis;
        }

        ++Mib[TcpCounter.DelayedACKs];
        SendAck(c);
    }

    private void OnRetransmitTimer(Tcb* c)
    {
        SendSegment* head = c->TxHead;
        if (head == null)
        {
            return;
        }

        if (c->Retransmits == 0)
        {
            c->StalledSinceMillis = NowMillis;
        }

        bool opening = c->State is TcpState.SynSent or TcpState.SynReceived;
        if (c->SndWnd == 0 && !opening)
        {
            // The peer took its window back: it must be probed for as long as it answers (RFC 9293 3.8.6).
            if (UserTimeoutPassed(c) || NowMillis - c->LastAckMillis > 120_000)
            {
                GiveUp(c);
                return;
            }

            EnterLoss(c);
            Retransmit(c, head, 1, PacketNotes.RetransmissionTimeout | PacketNotes.WindowProbe);
            BackOff(c);
            return;
        }

        if (HasTimedOut(c, opening))
        {
            GiveUp(c);
            return;
        }

        ++Mib[TcpCounter.TCPTimeouts];
        if (opening)
        {
            ++Mib[TcpCounter.TCPSynRetrans];
        }
        else if (c->Retransmits == 0)
        {
            ++Mib[c->CaState switch
            {
                CaState.Recovery => Has(c, TcbFlags.Sack) ? TcpCounter.TCPSackRecoveryFail : TcpCounter.TCPRenoRecoveryFail,
                CaState.Loss => TcpCounter.TCPLossFailures,
                _ => Has(c, TcbFlags.Sack) ? TcpCounter.TCPSackFailures : TcpCounter.TCPRenoFailures,
            }];
        }

        if (!opening)
        {
            EnterLoss(c);
        }

        c->Retransmits = (byte)Math.Min(c->Retransmits + 1, 255);
        if (!Retransmit(c, head, 1))
        {
            ArmRetransmit(c, Math.Min(c->Rtt.RtoMicros * 1000L, ResourceRetryNanos));
            return;
        }

        BackOff(c);
        if (c->Retransmits > Settings.tcp_retries1)
        {
            // RFC 9293 R1: the route itself is doubted from here on.
            c->Route.Generation = 0;
        }
    }

    private void BackOff(Tcb* c)
    {
        c->Backoff = (byte)Math.Min(c->Backoff + 1, 20);
        ArmRetransmit(c, BackedOff(c->Rtt.RtoMicros * 1000L, c->Backoff));
    }

    /// <summary>RFC 9293 3.8.3, R2: enough tries, in the time that they take with an RTO of 200 ms, or the user's own limit.</summary>
    private bool HasTimedOut(Tcb* c, bool opening)
    {
        if (c->Retransmits > 0 && UserTimeoutPassed(c))
        {
            return true;
        }

        if (opening)
        {
            int retries = c->State == TcpState.SynSent
                ? (c->SynRetriesMax != 0 ? c->SynRetriesMax : Settings.tcp_syn_retries)
                : Settings.tcp_synack_retries;
            return c->Retransmits >= retries;
        }

        if (c->UserTimeoutMillis != 0)
        {
            return false;
        }

        int boundary = Has(c, TcbFlags.Orphan) ? OrphanRetries(c) : Settings.tcp_retries2;
        return c->Retransmits > 0 && NowMillis - c->StalledSinceMillis >= RetryMillis(boundary);
    }

    /// <summary>
    /// How often an abandoned connection tries again (Linux: tcp_orphan_retries): an ICMP error counts against it only once its timer
    /// has backed off all the way, as until then the path may only have been slow.
    /// </summary>
    private int OrphanRetries(Tcb* c)
    {
        bool alive = BackedOff(c->Rtt.RtoMicros * 1000L, c->Backoff) < RtoMaxNanos;
        int retries = c->SoftError != 0 && !alive ? 0 : Settings.tcp_orphan_retries;
        return retries == 0 && alive ? 8 : retries;
    }

    /// <summary>How long this many retries take when each doubles from 200 ms up to 120 s (Linux: tcp_model_timeout).</summary>
    private static uint RetryMillis(int retries)
    {
        const int Doublings = 9;
        return retries <= Doublings
            ? ((2u << retries) - 1) * 200
            : (((2u << Doublings) - 1) * 200) + ((uint)(retries - Doublings) * 120_000);
    }

    private void GiveUp(Tcb* c, TcpCause cause = TcpCause.Timeout)
    {
        ++Mib[TcpCounter.TCPAbortOnTimeout];
        if (c->State is TcpState.SynSent or TcpState.SynReceived)
        {
            ++Mib[TcpCounter.AttemptFails];
        }

        Finish(c, c->SoftError != 0 ? (Errno)c->SoftError : Errno.ETIMEDOUT, cause);
    }

    /// <summary>Probes a closed window (or sends corked data), for ever while the peer answers; each answer clears the count.</summary>
    private void OnPersistTimer(Tcb* c)
    {
        c->Flags &= ~TcbFlags.Persist;
        if (c->PacketsOut > 0 || !HasUnsent(c))
        {
            c->ProbesOut = 0;
            return;
        }

        if (c->ProbesOut == 0)
        {
            c->StalledSinceMillis = NowMillis;
        }
        else if (UserTimeoutPassed(c))
        {
            GiveUp(c);
            return;
        }

        int most = Settings.tcp_retries2;
        if (Has(c, TcbFlags.Orphan))
        {
            // An abandoned connection is not held for ever by a peer that keeps its window closed (attack class C08).
            most = OrphanRetries(c);
            if (c->Backoff >= most)
            {
                GiveUp(c);
                return;
            }
        }

        if (c->ProbesOut >= most)
        {
            GiveUp(c);
            return;
        }

        ++Mib[TcpCounter.TCPWinProbe];
        SendWakeup(c);
        if (c->PacketsOut > 0 || !HasUnsent(c))
        {
            c->ProbesOut = 0;
            return;
        }

        c->ProbesOut++;
        c->Backoff = (byte)Math.Min(c->Backoff + 1, Settings.tcp_retries2);
        ArmPersist(c);
    }

    /// <summary>New data as far as the window allows, Nagle or cork notwithstanding; without any, an empty probe (tcp_write_wakeup).</summary>
    private void SendWakeup(Tcb* c)
    {
        uint windowEnd = c->SndUna + c->SndWnd;
        if (HasUnsent(c) && Seq.Lt(c->SndNxt, windowEnd))
        {
            uint mss = CurrentMss(c);
            CutAndSend(c, Math.Min(Math.Min(c->WriteSeq - c->SndNxt, windowEnd - c->SndNxt), mss), mss);
        }
        else
        {
            SendProbe(c, PacketNotes.WindowProbe);
        }
    }
}

using System.Runtime.CompilerServices;

namespace Portico.Net;

// Timers: retransmission (RFC 6298 5), persist (RFC 9293 3.8.6.1), delayed ACK, keepalive (RFC 9293 3.8.4), FIN-WAIT-2 and the user
// timeout (RFC 5482). A connection has one node in the wheel; moving a deadline later, as every ACK does, touches nothing but the
// TCB: the node fires early, looks again, and is armed for what is left.
public sealed unsafe partial class TcpLayer
{
    private const uint RtoMinMillis = 200;
    private const long RtoMinNanos = RtoMinMillis * 1_000_000L;

    /// <summary>The timeout of a SYN before there is any measurement (RFC 6298 2.1).</summary>
    private const uint SynTimeoutMillis = 1000;

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

        if (Has(c, TcbFlags.Paced) && c->Flight != null && c->Flight->PacingDeadline != 0)
        {
            earliest = Math.Min(earliest, c->Flight->PacingDeadline);
        }

        return c->KeepDeadline != 0 ? Math.Min(earliest, c->KeepDeadline) : earliest;
    }

    /// <summary>The retransmission timeout with its back-off.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private long RtoNanos(Tcb* c) => BackedOff(c, RtoMicros(c) * 1000L);

    /// <summary>Starts the sender's timer, which stands for one thing at a time.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void ArmSender(Tcb* c, PendingTimer what, long nanos)
    {
        if (Has(c, TcbExtras.FastOpenPending))
        {
            // Before the handshake's last ACK the timer is the SYN-ACK's.
            return;
        }

        c->Pending = what;
        long delay = Has(c, TcbFlags.Paced) ? PacingDelay(c) : 0;
        c->RetransmitDeadline = NowNanos + Math.Min(nanos + delay, RtoMaxNanos(c));
        ArmTimer(c);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void ArmRetransmit(Tcb* c, long nanos) => ArmSender(c, PendingTimer.Retransmit, nanos);

    private static void CancelSenderTimer(Tcb* c)
    {
        c->Pending = PendingTimer.None;
        c->RetransmitDeadline = 0;
    }

    /// <summary>After an ACK: a probe of the tail, else RFC 6298 5.2 and 5.3.</summary>
    private void SetTransmitTimer(Tcb* c)
    {
        if (c->PacketsOut == 0 || !ScheduleLossProbe(c, true))
        {
            RearmRetransmitTimer(c);
        }
    }

    /// <summary>RFC 6298 5.2 and 5.3: off when all is acknowledged, else started anew; behind a probe what has passed already counts.</summary>
    private void RearmRetransmitTimer(Tcb* c)
    {
        if (Has(c, TcbExtras.FastOpenPending))
        {
            return;
        }

        if (c->PacketsOut == 0)
        {
            CancelSenderTimer(c);
            return;
        }

        long rto = RtoNanos(c);
        if (c->Pending is PendingTimer.Reorder or PendingTimer.LossProbe)
        {
            rto = Math.Max(TimeToRetransmission(c), 1000);
        }

        ArmRetransmit(c, rto);
    }

    /// <summary>When the first segment's timeout is, counted from its last sending.</summary>
    private long TimeToRetransmission(Tcb* c) => c->TxHead->SentTime + RtoNanos(c) - NowNanos;

    private long BackedOff(Tcb* c, long nanos) => BackedOff(nanos, c->Backoff, RtoMaxNanos(c));

    private static long BackedOff(long nanos, int backoff, long most) => backoff >= 20 ? most : Math.Min(nanos << backoff, most);

    /// <summary>Unsent data and nothing in flight: the peer's window is closed (or the data is corked), and something must happen (SHLD-29).</summary>
    private void ArmPersist(Tcb* c)
    {
        if (c->PacketsOut > 0 || Has(c, TcbExtras.FastOpenPending))
        {
            return;
        }

        long when = BackedOff(c, Math.Max(RtoMicros(c) * 1000L, RtoMinNanos));
        ArmSender(c, PendingTimer.Persist, LimitByUserTimeout(c, when));
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

        if (c->Flight != null && c->Flight->PacingDeadline != 0 && c->Flight->PacingDeadline <= now)
        {
            c->Flight->PacingDeadline = 0;
            OnPacingTimer(c);
        }

        if (c->RetransmitDeadline != 0 && c->RetransmitDeadline <= now)
        {
            OnSenderTimer(c);
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

    private void OnSenderTimer(Tcb* c)
    {
        PendingTimer pending = c->Pending;
        c->RetransmitDeadline = 0;
        switch (pending)
        {
            case PendingTimer.Reorder:
                OnReorderTimer(c);
                break;
            case PendingTimer.LossProbe:
                OnLossProbeTimer(c);
                break;
            case PendingTimer.Retransmit:
                c->Pending = PendingTimer.None;
                OnRetransmitTimer(c);
                break;
            default:
                c->Pending = PendingTimer.None;
                OnPersistTimer(c);
                break;
        }
    }

    private void OnDelayedAckTimer(Tcb* c)
    {
        if (Has(c, TcbExtras.AckCompressed))
        {
            SendCompressedAck(c);
            return;
        }

        c->Flags &= ~TcbFlags.AckTimer;
        if (!Has(c, TcbFlags.AckScheduled))
        {
            return;
        }

        if (!InPingPong(c))
        {
            c->AtoMillis = Math.Min(c->AtoMillis << 1, (uint)(RtoMicros(c) / 1000));
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
        if (Has(c, TcbExtras.FastOpenPending))
        {
            OnFastOpenTimer(c);
            return;
        }

        SendSegment* head = c->TxHead;
        if (head == null)
        {
            return;
        }

        bool opening = c->State is TcpState.SynSent or TcpState.SynReceived;
        if (c->Retransmits == 0 && !opening)
        {
            c->StalledSinceMillis = NowMillis;
        }

        if (c->SndWnd == 0 && !opening && !Has(c, TcbFlags.Orphan))
        {
            // The peer took its window back: it must be probed for as long as it answers (RFC 9293 3.8.6).
            if (UserTimeoutPassed(c) || NowMillis - c->LastAckMillis > 120_000)
            {
                GiveUp(c);
                return;
            }

            EnterLoss(c);
            Retransmit(c, c->TxHead, 1, PacketNotes.RetransmissionTimeout | PacketNotes.WindowProbe);
            c->Route.Generation = 0;
            BackOff(c);
            return;
        }

        ++Mib[TcpCounter.TCPTimeouts];
        bool expired = HasTimedOut(c, opening);
        DetectFastOpenBlackhole(c, expired);
        if (expired)
        {
            GiveUp(c);
            return;
        }

        if (opening)
        {
            ++Mib[TcpCounter.TCPSynRetrans];
        }
        else
        {
            if (c->Retransmits == 0)
            {
                CountFailure(c);
            }
            else if (NowMillis - c->StalledSinceMillis >= RetryMillis(c, Settings.tcp_retries1, RtoMinMillis))
            {
                DetectMtuBlackHole(c);
            }

            EnterLoss(c);
        }

        CountTimeout(c);
        if (!Retransmit(c, c->TxHead, 1))
        {
            ArmRetransmit(c, LimitByUserTimeout(c, ResourceRetryNanos));
            return;
        }

        BackOff(c);
        if (c->Retransmits > Settings.tcp_retries1)
        {
            // RFC 9293 R1: the route itself is doubted from here on.
            c->Route.Generation = 0;
        }
    }

    /// <summary>What the timeout has interrupted.</summary>
    private void CountFailure(Tcb* c)
    {
        bool sack = Has(c, TcbFlags.Sack);
        if (c->CaState == CaState.Recovery)
        {
            ++Mib[sack ? TcpCounter.TCPSackRecoveryFail : TcpCounter.TCPRenoRecoveryFail];
        }
        else if (c->CaState == CaState.Loss)
        {
            ++Mib[TcpCounter.TCPLossFailures];
        }
        else if (c->CaState == CaState.Disorder || c->SackedOut > 0)
        {
            ++Mib[sack ? TcpCounter.TCPSackFailures : TcpCounter.TCPRenoFailures];
        }
    }

    /// <summary>
    /// RFC 6298 5.5. With tcp_thin_linear_timeouts, or TCP_THIN_LINEAR_TIMEOUTS, a stream with few segments in flight, which no other means of recovery helps, tries
    /// six times without; and the first SYNs are tcp_syn_linear_timeouts times apart equally.
    /// </summary>
    private void BackOff(Tcb* c)
    {
        const int ThinRetries = 6;
        bool isThin = (Settings.tcp_thin_linear_timeouts || Has(c, TcbExtras.ThinLinear)) && c->State == TcpState.Established && c->PacketsOut < 4
            && c->SsThresh < InfiniteSsThresh && c->Retransmits <= ThinRetries;
        if (isThin)
        {
            c->Backoff = 0;
        }
        else if (c->State != TcpState.SynSent || c->TotalRto > Settings.tcp_syn_linear_timeouts)
        {
            c->Backoff = (byte)Math.Min(c->Backoff + 1, 20);
        }

        ArmRetransmit(c, LimitByUserTimeout(c, RtoNanos(c)));
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
                ? (c->SynRetriesMax != 0 ? c->SynRetriesMax : Settings.tcp_syn_retries) + Settings.tcp_syn_linear_timeouts
                : Settings.tcp_synack_retries;
            int boundary = retries - (c->State == TcpState.SynSent ? Settings.tcp_syn_linear_timeouts : 0);
            return c->Retransmits >= retries || (c->Retransmits > 0 && NowMillis - c->StalledSinceMillis >= RetryMillis(c, boundary, SynTimeoutMillis));
        }

        if (c->UserTimeoutMillis != 0)
        {
            return false;
        }

        int most = Has(c, TcbFlags.Orphan) ? OrphanRetries(c) : Settings.tcp_retries2;
        return c->Retransmits > 0 && NowMillis - c->StalledSinceMillis >= RetryMillis(c, most, RtoMinMillis);
    }

    /// <summary>
    /// How often an abandoned connection tries again (Linux: tcp_orphan_retries): an ICMP error counts against it only once its timer
    /// has backed off all the way, as until then the path may only have been slow.
    /// </summary>
    private int OrphanRetries(Tcb* c)
    {
        bool alive = RtoNanos(c) < RtoMaxNanos(c);
        int retries = c->SoftError != 0 && !alive ? 0 : Settings.tcp_orphan_retries;
        return retries == 0 && alive ? 8 : retries;
    }

    /// <summary>How long this many retries take when each doubles from a first timeout up to the longest (Linux: tcp_model_timeout).</summary>
    private uint RetryMillis(Tcb* c, int retries, uint firstMillis)
    {
        uint most = RtoMaxMillis(c);
        int doublings = System.Numerics.BitOperations.Log2(Math.Max(most / firstMillis, 1));
        return retries <= doublings
            ? ((2u << retries) - 1) * firstMillis
            : (((2u << doublings) - 1) * firstMillis) + ((uint)(retries - doublings) * most);
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
        if (c->UnsentHead == null && !QueueFinSegment(c))
        {
            ArmPersist(c);
            return;
        }

        SendWakeup(c);
        if (c->PacketsOut > 0 || !HasUnsent(c))
        {
            c->ProbesOut = 0;
            return;
        }

        c->ProbesOut++;
        if (IsLinkFull(c))
        {
            // It never left: that says nothing of the path.
            ArmSender(c, PendingTimer.Persist, LimitByUserTimeout(c, ResourceRetryNanos));
            return;
        }

        c->Backoff = (byte)Math.Min(c->Backoff + 1, Settings.tcp_retries2);
        ArmPersist(c);
    }

    /// <summary>A segment of new data as far as the window allows, Nagle or cork notwithstanding; without any, an empty probe (tcp_write_wakeup).</summary>
    private void SendWakeup(Tcb* c)
    {
        uint windowEnd = c->SndUna + c->SndWnd;
        SendSegment* segment = c->UnsentHead;
        if (segment == null || Seq.Geq(segment->Node.Start, windowEnd))
        {
            SendProbe(c, PacketNotes.WindowProbe);
            return;
        }

        uint mss = CurrentMss(c);
        uint room = windowEnd - segment->Node.Start;
        c->PushedSeq = Seq.Max(c->PushedSeq, segment->Node.End);
        uint payload = PayloadLength(segment);
        uint length = LimitByFragments(segment->Block, segment->Node.Start, Math.Min(Math.Min(room, mss), payload), mss);
        if ((length < payload || room < segment->Node.End - segment->Node.Start) && !SplitUnsent(c, segment, length))
        {
            return;
        }

        segment->Flags |= TcpFlags.Psh;
        bool isFirst = c->PacketsOut == 0;
        if (SendNew(c, segment, mss))
        {
            StartTimer(c, isFirst, isProbe: true);
        }
    }
}

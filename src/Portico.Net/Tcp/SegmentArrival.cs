using System.Runtime.CompilerServices;

namespace Portico.Net;

// RFC 9293 3.10.7, "SEGMENT ARRIVES", in the order of its steps, with the checks of RFC 5961 and RFC 7323.
public sealed unsafe partial class TcpLayer
{
    /// <summary>A segment for this stack; its linear part begins with the TCP header. Takes ownership.</summary>
    internal void HandleSegment(Packet packet, in IpInfo info)
    {
        ++Mib[TcpCounter.InSegs];
        scoped Arrival seg = default;
        seg.Info = ref info;
        seg.Packet = packet;
        if (!TryParse(ref seg))
        {
            packet.Release();
            return;
        }

        ulong hash = FlowHash(info.Destination, info.Source, seg.DestinationPort, seg.SourcePort);
        uint value = FindFlow(hash, info.Destination, info.Source, seg.DestinationPort, seg.SourcePort);
        if (value != 0 && (value & KindMask) == KindConnection)
        {
            Tcb* c = _connections.At(value);
            c->SegsIn++;
            ArriveAtConnection(c, ref seg);
        }
        else if (value == 0)
        {
            ArriveAtListener(ref seg);
        }
        else if ((value & KindMask) == KindRequest)
        {
            ArriveAtRequest(_requests.At(value & ~KindMask), ref seg);
        }
        else
        {
            ArriveAtTimeWait(_timeWaits.At(value & ~KindMask), ref seg);
        }

        // Whatever wanted the payload has taken references to its blocks; the packet itself goes back here, always.
        packet.Release();
        Reap();
    }

    private bool TryParse(ref Arrival seg)
    {
        Packet packet = seg.Packet;
        if (!packet.EnsureLinear(TcpHeader.LengthMin) || !TcpHeader.TryParse(packet.Linear, out TcpHeader header))
        {
            // The data offset may reach into a fragment.
            int want = packet.LinearLength >= TcpHeader.LengthMin ? (packet.Linear[12] >> 4) * 4 : int.MaxValue;
            if (want > packet.Length || !packet.EnsureLinear(want) || !TcpHeader.TryParse(packet.Linear, out header))
            {
                ++Mib[TcpCounter.InErrs];
                ++Mib[TcpCounter.HeaderErrors];
                return false;
            }
        }

        if (packet.Checksum == ChecksumState.Unverified && !ChecksumOffload.Verify(packet, seg.Info))
        {
            ++Mib[TcpCounter.InErrs];
            ++Mib[TcpCounter.InCsumErrors];
            return false;
        }

        seg.Seq = header.Sequence;
        seg.Ack = header.Acknowledgment;
        seg.Window = header.Window;
        seg.UrgentPointer = header.UrgentPointer;
        seg.SourcePort = header.SourcePort;
        seg.DestinationPort = header.DestinationPort;
        seg.HeaderLength = header.HeaderLength;
        seg.Flags = header.Flags;
        seg.Length = packet.Length - header.HeaderLength;
        seg.EndSeq = seg.Seq + (uint)seg.Length + (seg.Has(TcpFlags.Syn) ? 1u : 0) + (seg.Has(TcpFlags.Fin) ? 1u : 0);
        if (header.HeaderLength > TcpHeader.LengthMin)
        {
            TcpOptions.Parse(header.OptionBytes, out seg.Options);
        }
        else
        {
            seg.Options.WindowScale = -1;
        }

        return true;
    }

    private void ArriveAtConnection(Tcb* c, ref Arrival seg)
    {
        if (c->State == TcpState.Established && TryFastPath(c, ref seg))
        {
            return;
        }

        if (c->State == TcpState.SynSent)
        {
            ArriveInSynSent(c, ref seg);
            return;
        }

        if (!Validate(c, ref seg))
        {
            return;
        }

        ArriveSynchronized(c, ref seg);
    }

    /// <summary>
    /// Header prediction (Van Jacobson): the next segment in order of an established connection, with nothing in it but data or
    /// an acknowledgment, and nothing unusual pending. Everything that it skips cannot apply.
    /// </summary>
    private bool TryFastPath(Tcb* c, ref Arrival seg)
    {
        const TcpFlags Significant = TcpFlags.Fin | TcpFlags.Syn | TcpFlags.Rst | TcpFlags.Ack | TcpFlags.Urg;
        if ((seg.Flags & Significant) != TcpFlags.Ack || seg.Seq != c->RcvNxt || seg.Options.SackCount != 0
            || c->OutOfOrderRoot != null || Seq.Gt(seg.Ack, c->SndNxt) || Seq.Lt(seg.Ack, c->SndUna)
            || Seq.Gt(seg.EndSeq, c->RcvWup + c->RcvWnd))
        {
            return false;
        }

        if (Has(c, TcbFlags.Timestamps))
        {
            if (!seg.Options.HasTimestamp || (int)(seg.Options.TsVal - c->TsRecent) < 0)
            {
                return false;
            }

            if (Seq.Leq(seg.Seq, c->RcvWup))
            {
                StoreTsRecent(c, seg.Options.TsVal);
            }
        }

        if ((c->Flags & (TcbFlags.ReceiveShutdown | TcbFlags.Orphan)) != 0 || c->Urgent != UrgentState.None)
        {
            return false;
        }

        if (seg.Length == 0)
        {
            ++Mib[TcpCounter.TCPHPAcks];
            HandleAck(c, ref seg);
            SendPending(c);
            return true;
        }

        if (c->RcvMemory > c->RcvBuf)
        {
            return false;
        }

        ++Mib[TcpCounter.TCPHPHits];
        if (seg.Ack != c->SndUna || c->SndWnd != seg.Window << c->SndWindShift)
        {
            HandleAck(c, ref seg);
            QueueInOrder(c, ref seg);
            SendPending(c);
        }
        else
        {
            c->LastAckMillis = NowMillis;
            QueueInOrder(c, ref seg);
        }

        AckAfterData(c);
        return true;
    }

    /// <summary>RFC 9293 3.10.7.3.</summary>
    private void ArriveInSynSent(Tcb* c, ref Arrival seg)
    {
        if (seg.Has(TcpFlags.Ack))
        {
            // First: an ACK of anything but our SYN is answered with a reset, unless it is one.
            if (Seq.Leq(seg.Ack, c->Iss) || Seq.Gt(seg.Ack, c->SndNxt))
            {
                ++Mib[TcpCounter.InvalidAcks];
                if (!seg.Has(TcpFlags.Rst))
                {
                    SendReset(ref seg);
                }

                return;
            }

            if (seg.Options.HasTimestamp && Has(c, TcbFlags.Timestamps) && seg.Options.TsEcr != 0
                && (int)(seg.Options.TsEcr - TsClock(c)) > 0)
            {
                ++Mib[TcpCounter.PAWSActive];
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
                Finish(c, Errno.ECONNREFUSED);
            }
            else
            {
                ++Mib[TcpCounter.InvalidResets];
            }

            return;
        }

        if (!seg.Has(TcpFlags.Syn))
        {
            ++Mib[TcpCounter.SequenceDrops];
            return;
        }

        // Fourth: the peer's SYN.
        AdoptPeerSyn(c, ref seg);
        if (seg.Has(TcpFlags.Ack))
        {
            c->SndWnd = seg.Window;
            c->SndWl1 = seg.Seq;
            c->MaxWindow = Math.Max(c->MaxWindow, c->SndWnd);
            HandleAck(c, ref seg);
            BecomeEstablished(c);
            if (seg.Length > 0 || seg.Has(TcpFlags.Fin) || seg.Has(TcpFlags.Urg))
            {
                // Data with the SYN-ACK: the rest of the processing sees it behind the SYN.
                seg.Seq++;
                seg.Flags &= ~TcpFlags.Syn;
                HandleUrgent(c, ref seg);
                QueueData(c, ref seg);
            }

            c->Flags |= TcbFlags.AckScheduled | TcbFlags.AckNow;
            SendPending(c);
            AckAfterData(c);
        }
        else
        {
            // Simultaneous open (RFC 9293 3.5, figure 7): our SYN stays in flight, now with an ACK.
            SetState(c, TcpState.SynReceived);
            c->SndWnd = seg.Window;
            c->MaxWindow = c->SndWnd;
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

        SetMssClamp(c, seg.Options.Mss);
        UpdateMss(c);
        InitializeReceiveMss(c);
    }

    /// <summary>What changes when a connection becomes ESTABLISHED, from either side.</summary>
    private void BecomeEstablished(Tcb* c)
    {
        SetState(c, TcpState.Established);
        InitializeBuffers(c);
        c->RetransStamp = 0;
        c->LastReceivedMillis = c->LastAckMillis = NowMillis;
        CongestionInitialize(c);
        if (Has(c, TcbFlags.KeepAlive))
        {
            ArmKeepAlive(c, KeepIdleMillis(c));
        }

        if (Has(c, TcbFlags.FinQueued))
        {
            // RFC 9293 3.10.4: a CLOSE in SYN-RECEIVED waits for this moment.
            SetState(c, TcpState.FinWait1);
        }

        Notify(c, SocketEvents.Writable);
    }

    /// <summary>
    /// The first checks of RFC 9293 3.10.7.4 with those of RFC 7323 5.3 and RFC 5961: PAWS, sequence number, RST, SYN. False when the
    /// segment has been dealt with.
    /// </summary>
    private bool Validate(Tcb* c, ref Arrival seg)
    {
        if (Has(c, TcbFlags.Timestamps) && seg.Options.HasTimestamp && FailsPaws(c, ref seg) && !seg.Has(TcpFlags.Rst))
        {
            ++Mib[TcpCounter.PAWSEstab];
            if (MayAnswerInvalid(c, seg.Length, seg.Has(TcpFlags.Syn), TcpCounter.TCPACKSkippedPAWS))
            {
                SendDuplicateAck(c, ref seg);
            }

            return false;
        }

        if (!IsInWindow(c, seg.Seq, seg.EndSeq))
        {
            if (seg.Has(TcpFlags.Rst))
            {
                ++Mib[TcpCounter.InvalidResets];
                return false;
            }

            if (seg.Has(TcpFlags.Syn))
            {
                return ChallengeSyn(c);
            }

            ++Mib[TcpCounter.SequenceDrops];
            if (Seq.Gt(seg.Seq, c->RcvNxt + ReceiveWindow(c)))
            {
                ++Mib[TcpCounter.BeyondWindow];
            }

            if (MayAnswerInvalid(c, seg.Length, false, TcpCounter.TCPACKSkippedSeq))
            {
                SendDuplicateAck(c, ref seg);
            }

            return false;
        }

        if (seg.Has(TcpFlags.Rst))
        {
            HandleReset(c, ref seg);
            return false;
        }

        // RFC 5961 4.2: a SYN in a synchronised state is challenged, never obeyed. In SYN-RECEIVED after a simultaneous open the
        // peer's SYN-ACK repeats its SYN one below the window and is acceptable (RFC 9293 3.5, figure 7).
        if (seg.Has(TcpFlags.Syn))
        {
            if (c->State == TcpState.SynReceived && seg.Has(TcpFlags.Ack) && seg.Seq + 1 == c->RcvNxt)
            {
                seg.Seq++;
                seg.Flags &= ~TcpFlags.Syn;
                return true;
            }

            return ChallengeSyn(c);
        }

        return true;
    }

    private bool ChallengeSyn(Tcb* c)
    {
        ++Mib[TcpCounter.TCPSYNChallenge];
        SendChallengeAck(c);
        return false;
    }

    /// <summary>RFC 9293 3.4's four cases, in Linux's form: the segment ends at or after what we have, and starts within the window.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool IsInWindow(Tcb* c, uint seq, uint endSeq) =>
        Seq.Geq(endSeq, c->RcvWup) && Seq.Leq(seq, c->RcvNxt + ReceiveWindow(c));

    /// <summary>RFC 5961 3.2: only a reset at exactly RCV.NXT resets; elsewhere in the window it is challenged.</summary>
    private void HandleReset(Tcb* c, ref Arrival seg)
    {
        bool exact = seg.Seq == c->RcvNxt;
        if (!exact && c->SackCount > 0 && Has(c, TcbFlags.Sack))
        {
            // Linux: the peer may have reset at the end of the last data that we hold out of order.
            uint highest = c->Sacks[0].Right;
            for (int i = 1; i < c->SackCount; i++)
            {
                highest = Seq.Max(highest, c->Sacks[i].Right);
            }

            exact = seg.Seq == highest;
        }

        if (!exact)
        {
            ++Mib[TcpCounter.InvalidResets];
            SendChallengeAck(c);
            return;
        }

        Errno error = c->State switch
        {
            TcpState.SynReceived => Errno.ECONNREFUSED,
            TcpState.CloseWait => Errno.EPIPE,
            _ => Errno.ECONNRESET,
        };
        if (c->State is TcpState.Established or TcpState.CloseWait)
        {
            ++Mib[TcpCounter.EstabResets];
        }
        else if (c->State == TcpState.SynReceived)
        {
            ++Mib[TcpCounter.AttemptFails];
        }

        Finish(c, error);
    }

    /// <summary>The fifth step onward: ACK, URG, data, FIN.</summary>
    private void ArriveSynchronized(Tcb* c, ref Arrival seg)
    {
        if (!seg.Has(TcpFlags.Ack))
        {
            ++Mib[TcpCounter.NoAckFlag];
            return;
        }

        // RFC 5961 5.2: SND.UNA - MAX.SND.WND <= SEG.ACK <= SND.NXT.
        if (Seq.Gt(seg.Ack, c->SndNxt))
        {
            ++Mib[TcpCounter.InvalidAcks];
            if (c->State == TcpState.SynReceived)
            {
                SendReset(ref seg);
            }
            else
            {
                SendChallengeAck(c);
            }

            return;
        }

        if (Seq.Lt(seg.Ack, c->SndUna) && Seq.Lt(seg.Ack, c->SndUna - c->MaxWindow))
        {
            ++Mib[TcpCounter.InvalidAcks];
            if (c->State == TcpState.SynReceived)
            {
                SendReset(ref seg);
            }
            else
            {
                SendChallengeAck(c);
            }

            return;
        }

        if (c->State == TcpState.SynReceived)
        {
            if (Seq.Leq(seg.Ack, c->Iss))
            {
                ++Mib[TcpCounter.InvalidAcks];
                SendReset(ref seg);
                return;
            }

            c->SndWnd = seg.Window << c->SndWindShift;
            c->SndWl1 = seg.Seq;
            c->MaxWindow = Math.Max(c->MaxWindow, c->SndWnd);
            HandleAck(c, ref seg);
            BecomeEstablished(c);
        }
        else
        {
            HandleAck(c, ref seg);
        }

        if (!AdvanceClosing(c))
        {
            return;
        }

        HandleUrgent(c, ref seg);
        if (seg.Length > 0 || seg.Has(TcpFlags.Fin))
        {
            if (RefusesData(c, ref seg))
            {
                return;
            }

            QueueData(c, ref seg);
            if (c->State == TcpState.Closed)
            {
                return;
            }
        }
        else if (c->State == TcpState.Established && seg.Length == 0)
        {
            ++Mib[TcpCounter.TCPPureAcks];
        }

        SendPending(c);
        if (c->State != TcpState.Closed)
        {
            AckAfterData(c);
        }
    }

    /// <summary>Our FIN may have been acknowledged: FIN-WAIT-1, CLOSING and LAST-ACK move on. False when the connection is over.</summary>
    private bool AdvanceClosing(Tcb* c)
    {
        bool finAcknowledged = Has(c, TcbFlags.FinSent) && c->SndUna == c->WriteSeq + 1;
        if (!finAcknowledged)
        {
            return true;
        }

        switch (c->State)
        {
            case TcpState.FinWait1:
                SetState(c, TcpState.FinWait2);
                Notify(c, SocketEvents.Writable);
                if (Has(c, TcbFlags.Orphan))
                {
                    EnterOrphanFinWait2(c);
                    return c->State != TcpState.Closed;
                }

                return true;
            case TcpState.Closing:
                EnterTimeWait(c);
                return false;
            case TcpState.LastAck:
                Finish(c, Errno.None);
                return false;
            default:
                return true;
        }
    }

    /// <summary>
    /// Data after close(2) cannot be delivered to anybody: the peer must hear of it (RFC 9293 3.6.1, RFC 2525 2.17).
    /// </summary>
    private bool RefusesData(Tcb* c, ref Arrival seg)
    {
        if (!Has(c, TcbFlags.ReceiveShutdown) || c->State is not (TcpState.FinWait1 or TcpState.FinWait2) || !Has(c, TcbFlags.Orphan))
        {
            return false;
        }

        if (seg.Length > 0 && Seq.Gt(seg.EndSeq - (seg.Has(TcpFlags.Fin) ? 1u : 0), c->RcvNxt))
        {
            ++Mib[TcpCounter.TCPAbortOnData];
            SendReset(ref seg);
            Finish(c, Errno.ECONNRESET);
            return true;
        }

        return false;
    }

    /// <summary>RFC 7323 5.3 R1, with the exception for a clock that has been idle for 24 days (5.5).</summary>
    private bool FailsPaws(Tcb* c, ref Arrival seg)
    {
        if (!Has(c, TcbFlags.TsRecentValid) || (int)(seg.Options.TsVal - c->TsRecent) >= 0)
        {
            return false;
        }

        return NowMillis - c->TsRecentMillis < 24u * 24 * 3600 * 1000;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void StoreTsRecent(Tcb* c, uint tsVal)
    {
        c->TsRecent = tsVal;
        c->TsRecentMillis = NowMillis;
        c->Flags |= TcbFlags.TsRecentValid;
    }

    /// <summary>RFC 7323 4.3: TS.Recent follows segments that begin at or before Last.ACK.sent, and only forward.</summary>
    private void UpdateTsRecent(Tcb* c, ref Arrival seg)
    {
        if (Has(c, TcbFlags.Timestamps) && seg.Options.HasTimestamp && Seq.Leq(seg.Seq, c->RcvWup) && !FailsPaws(c, ref seg))
        {
            StoreTsRecent(c, seg.Options.TsVal);
        }
    }

    /// <summary>RFC 5961 7 and Linux's tcp_invalid_ratelimit: bare invalid segments are answered at most every half second.</summary>
    private bool MayAnswerInvalid(Tcb* c, int payload, bool syn, TcpCounter skipped)
    {
        if (payload > 0 && !syn)
        {
            return true;
        }

        uint now = NowMillis;
        if (now - c->LastInvalidMillis < (uint)Settings.tcp_invalid_ratelimit)
        {
            ++Mib[skipped];
            return false;
        }

        c->LastInvalidMillis = now;
        return true;
    }

    /// <summary>RFC 5961's challenge ACK; limited per connection only, because a shared limit tells an attacker (CVE-2016-5696).</summary>
    private void SendChallengeAck(Tcb* c)
    {
        if (MayAnswerInvalid(c, 0, false, TcpCounter.TCPACKSkippedChallenge))
        {
            ++Mib[TcpCounter.TCPChallengeACK];
            SendAck(c);
        }
    }
}

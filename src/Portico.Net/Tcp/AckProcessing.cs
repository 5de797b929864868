using System.Runtime.CompilerServices;

namespace Portico.Net;

// What an acknowledgment does: RFC 9293 3.10.7.4 fifth step, RFC 5681, RFC 6298, RFC 6675.
public sealed unsafe partial class TcpLayer
{
    /// <summary>What has been learned from one ACK (Linux: the FLAG_* bits of tcp_ack).</summary>
    [Flags]
    private enum AckFacts
    {
        None = 0,
        Data = 1,
        WindowUpdate = 2,

        /// <summary>Never-retransmitted data was cumulatively acknowledged.</summary>
        DataAcked = 4,
        RetransmittedDataAcked = 8,
        SynAcked = 0x10,
        DataSacked = 0x20,

        /// <summary>ECE (RFC 3168).</summary>
        CongestionEcho = 0x40,
        LostRetransmit = 0x80,

        /// <summary>Never-retransmitted data from before recovery began was acknowledged or SACKed.</summary>
        OriginalAcked = 0x200,
        UnaAdvanced = 0x400,
        DsackingAck = 0x800,
        SackReneging = 0x2000,
        SetTransmitTimer = 0x4000,

        /// <summary>A DSACK reports the tail loss probe.</summary>
        DsackOfProbe = 0x8000,

        /// <summary>A lone short segment's ACK may have been delayed.</summary>
        MaybeDelayed = 0x10000,

        Acked = DataAcked | SynAcked,
        NotDuplicate = Data | WindowUpdate | Acked,
        CaAlert = DataSacked | CongestionEcho | DsackingAck,
        Forward = Acked | DataSacked,
    }

    /// <summary>What one ACK's processing carries along.</summary>
    private struct AckState
    {
        public AckFacts Facts;
        public uint PriorUna;
        public uint PriorPacketsOut;
        public uint PriorHighestSack;

        /// <summary>Segments newly acknowledged or SACKed by this ACK, and newly marked lost.</summary>
        public uint Delivered;
        public uint Lost;

        /// <summary>Segments newly acknowledged cumulatively.</summary>
        public uint AckedPackets;

        /// <summary>Send times in nanoseconds, for RTT, of the first and the last such segment; 0 when unknown.</summary>
        public long FirstAckedTime;
        public long LastAckedTime;
        public long FirstSackedTime;
        public long LastSackedTime;

        /// <summary>The lowest segment that was SACKed late.</summary>
        public uint ReorderSeq;

        public RateSample Rate;

        /// <summary>The echoed timestamp of this ACK (RFC 3522 compares it with the time of the first retransmission).</summary>
        public uint TsEcr;
        public bool HasTsEcr;
    }

    private const uint InfiniteSsThresh = 0x7FFF_FFFF;

    /// <summary>RFC 6928.</summary>
    private const uint InitialWindow = 10;

    /// <summary>Segments in flight by RFC 6675's pipe: what is out, less what has left the network, plus what was sent again.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint PacketsInFlight(Tcb* c) => c->PacketsOut - (c->SackedOut + c->LostOut) + c->RetransOut;

    // Out of line: one copy of it for all callers leaves more of the processor's first cache to the rest.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private void HandleAck(Tcb* c, ref Arrival seg)
    {
        AckState ack = default;
        ack.PriorUna = c->SndUna;
        ack.PriorPacketsOut = c->PacketsOut;
        ack.Rate.PriorInFlight = PacketsInFlight(c);
        ack.PriorHighestSack = c->SackedOut > 0 ? c->Flight->HighestSack : c->SndUna;
        ack.TsEcr = seg.Options.TsEcr;
        ack.HasTsEcr = seg.Options.HasTimestamp && seg.Options.TsEcr != 0 && Has(c, TcbFlags.Timestamps);
        UpdateTsRecent(c, ref seg);

        if (Seq.Lt(seg.Ack, c->SndUna))
        {
            // An old ACK: only its SACK blocks can be news.
            if (seg.Options.SackCount > 0 && Has(c, TcbFlags.Sack))
            {
                TagSacked(c, ref seg, ref ack);
                SendInRecovery(c, AlertFastRetransmit(c, ref ack, 0));
                ReportDelivered(ref ack);
                DropFlightAtRest(c);
            }

            return;
        }

        if (Seq.Gt(seg.Ack, c->SndUna))
        {
            ack.Facts |= AckFacts.UnaAdvanced;
            c->Retransmits = 0;
        }

        if (seg.Length > 0 || seg.Has(TcpFlags.Fin))
        {
            ack.Facts |= AckFacts.Data;
        }

        ack.Facts |= UpdateSendWindow(c, ref seg);
        if (IsCongestionEcho(c, seg.Flags))
        {
            ack.Facts |= AckFacts.CongestionEcho;
        }

        AcceptCwr(c, ref seg);
        c->BytesAcked += seg.Ack - c->SndUna;
        c->SndUna = seg.Ack;
        if (seg.Options.SackCount > 0 && Has(c, TcbFlags.Sack))
        {
            TagSacked(c, ref seg, ref ack);
        }

        c->SoftError = 0;
        c->ProbesOut = 0;
        c->LastAckMillis = NowMillis;
        if (ack.PriorPacketsOut == 0)
        {
            AfterAckOfNothing(c, ref seg, ref ack);
            return;
        }

        CleanRetransmitQueue(c, ref seg, ref ack);
        AdaptReorderWindow(c, ref ack);
        if (c->Flight->TlpOut)
        {
            ProcessProbeAck(c, seg.Ack, ref ack);
        }

        Resend resend = Resend.Nothing;
        if ((ack.Facts & AckFacts.NotDuplicate) == 0 || (ack.Facts & AckFacts.CaAlert) != 0 || c->CaState != CaState.Open)
        {
            bool duplicate = (ack.Facts & (AckFacts.UnaAdvanced | AckFacts.NotDuplicate | AckFacts.DsackingAck)) == 0;
            resend = AlertFastRetransmit(c, ref ack, duplicate ? 1u : 0);
        }

        if ((ack.Facts & AckFacts.SetTransmitTimer) != 0)
        {
            SetTransmitTimer(c);
        }

        if ((ack.Facts & AckFacts.Forward) != 0 || (ack.Facts & AckFacts.NotDuplicate) == 0)
        {
            // RFC 4861 7.3.1: forward progress shows that the first hop works (Linux: sk_dst_confirm).
            _stack.Ip.ConfirmReachability(c->Route);
        }

        FinishRateSample(c, ref ack);
        ControlCongestion(c, ref ack);
        SendInRecovery(c, resend);
        DropFlightAtRest(c);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void CountDelivered(Tcb* c, ref AckState ack, uint packets)
    {
        ack.Delivered += packets;
        c->Delivered += packets;
        if ((ack.Facts & AckFacts.CongestionEcho) != 0)
        {
            CountDeliveredMarked(c, packets);
        }
    }

    /// <summary>The stack's counters of what an ACK has delivered (tcp_newly_delivered).</summary>
    private void ReportDelivered(ref AckState ack)
    {
        Mib[TcpCounter.TCPDelivered] += ack.Delivered;
        if ((ack.Facts & AckFacts.CongestionEcho) != 0)
        {
            Mib[TcpCounter.TCPDeliveredCE] += ack.Delivered;
        }
    }

    /// <summary>
    /// RFC 9293 3.10.7.4: the window is updated by segments that are newer by sequence number, then by acknowledgment number; Linux
    /// also takes a larger window from an equal pair.
    /// </summary>
    private AckFacts UpdateSendWindow(Tcb* c, ref Arrival seg)
    {
        uint window = seg.Has(TcpFlags.Syn) ? seg.Window : seg.Window << c->SndWindShift;
        if (!(Seq.Gt(seg.Ack, c->SndUna) || Seq.Gt(seg.Seq, c->SndWl1) || (seg.Seq == c->SndWl1 && (window > c->SndWnd || window == 0))))
        {
            return AckFacts.None;
        }

        AckFacts facts = AckFacts.None;
        c->SndWl1 = seg.Seq;
        if (c->SndWnd != window)
        {
            facts = AckFacts.WindowUpdate;
            if (window == 0 || c->SndWnd == 0)
            {
                ReportWindow(c, window, isPeers: true);
            }

            c->SndWnd = window;
            if (c->UnsentHead != null)
            {
                RestartAfterIdle(c);
            }

            if (window > c->MaxWindow)
            {
                c->MaxWindow = window;
                UpdateMss(c);
            }
        }

        return facts;
    }

    /// <summary>Nothing was in flight: the ACK answers a window probe, or updates the window, or reports a duplicate.</summary>
    private void AfterAckOfNothing(Tcb* c, ref Arrival seg, ref AckState ack)
    {
        if (c->Flight != null)
        {
            if ((ack.Facts & AckFacts.DsackingAck) != 0)
            {
                AlertFastRetransmit(c, ref ack, 0);
            }

            if (c->Flight->TlpOut)
            {
                ProcessProbeAck(c, seg.Ack, ref ack);
            }

            DropFlightAtRest(c);
        }

        ReportDelivered(ref ack);
        if (!HasUnsent(c))
        {
            return;
        }

        if (WindowAllowsSegment(c))
        {
            c->Backoff = 0;
            CancelSenderTimer(c);
        }
        else
        {
            ArmPersist(c);
        }
    }

    /// <summary>Takes what is cumulatively acknowledged off the queue, splitting a super-segment that is acknowledged in part.</summary>
    private void CleanRetransmitQueue(Tcb* c, ref Arrival seg, ref AckState ack)
    {
        Flight* f = c->Flight;
        uint una = c->SndUna;
        uint reorder = una;
        bool sack = Has(c, TcbFlags.Sack);
        bool fullyAcked = true;
        uint told = ack.PriorUna;
        while (c->TxHead != null)
        {
            SendSegment* segment = c->TxHead;
            uint start = segment->Node.Start;
            uint packets;
            if (Seq.Gt(segment->Node.End, una))
            {
                if (Seq.Leq(una, start))
                {
                    break;
                }

                // Even less than one segment is taken off: the blocks that it was in are about to be given back.
                packets = TrimAcked(c, segment, una);
                if (packets == 0)
                {
                    break;
                }

                fullyAcked = false;
            }
            else
            {
                packets = segment->PacketCount;
            }

            SegmentMarks marks = segment->Marks;
            if ((marks & SegmentMarks.Again) != 0)
            {
                if ((marks & SegmentMarks.Retransmitted) != 0)
                {
                    c->RetransOut -= packets;
                }

                ack.Facts |= AckFacts.RetransmittedDataAcked;
            }
            else if ((marks & SegmentMarks.Sacked) == 0)
            {
                ack.LastAckedTime = segment->SentTime;
                if (ack.FirstAckedTime == 0)
                {
                    ack.FirstAckedTime = segment->SentTime;
                }

                reorder = Seq.Min(reorder, start);
                if (Seq.Leq(segment->Node.End, f->HighSeq))
                {
                    ack.Facts |= AckFacts.OriginalAcked;
                }
            }

            if ((marks & SegmentMarks.Sacked) != 0)
            {
                c->SackedOut -= packets;
            }
            else if (sack)
            {
                CountDelivered(c, ref ack, packets);
                if (!IsSpuriousRetransmission(c, segment, ref ack))
                {
                    AdvanceRack(c, marks, segment->Node.End, segment->SentTime);
                }
            }

            if ((marks & SegmentMarks.Lost) != 0)
            {
                c->LostOut -= packets;
            }

            c->PacketsOut -= packets;
            ack.AckedPackets += packets;
            SampleDelivery(f, segment, ref ack.Rate);
            if ((segment->Flags & TcpFlags.Syn) != 0)
            {
                ack.Facts |= AckFacts.SynAcked;
                f->RetransStamp = 0;
            }
            else
            {
                ack.Facts |= AckFacts.DataAcked;
            }

            if (!fullyAcked)
            {
                break;
            }

            if (Has(c, TcbExtras.Timestamped))
            {
                TellAcknowledged(c, segment, told, seg.Info.HopLimit);
                told = segment->Node.End;
            }

            UnlinkSegment(c, segment);
        }

        if (Has(c, TcbExtras.Timestamped))
        {
            if (c->TxHead != null)
            {
                TellAcknowledged(c, c->TxHead, told, seg.Info.HopLimit);
            }

            _timestamps[c->Index].Forget(una);
        }

        FreeAckedBlocks(c);
        if (c->TxHead == null)
        {
            f->Scoreboard = null;
            StopActivity(c, SenderActivity.Busy);
        }

        if (Has(c, TcbFlags.UrgentMode) && Seq.Geq(una, c->SndUp))
        {
            c->Flags &= ~TcbFlags.UrgentMode;
        }

        if (c->TxHead != null && (c->TxHead->Marks & SegmentMarks.Sacked) != 0)
        {
            ack.Facts |= AckFacts.SackReneging;
        }

        bool measured = MeasureRtt(c, ref seg, ref ack, fullyAcked);
        if ((ack.Facts & AckFacts.Acked) != 0)
        {
            ack.Facts |= AckFacts.SetTransmitTimer;
            if (!sack)
            {
                RemoveRenoSacks(c, ack.AckedPackets, ref ack);
                if ((ack.Facts & AckFacts.RetransmittedDataAcked) != 0)
                {
                    // Without SACK nobody knows which of the two it was.
                    ack.Facts &= ~AckFacts.OriginalAcked;
                }
            }
            else if (Seq.Lt(reorder, ack.PriorHighestSack))
            {
                CheckSackReordering(c, reorder, TcpCounter.TCPSACKReorder);
            }

            if (Has(c, TcbExtras.ProbesMtu))
            {
                NoteMtuProbeAcked(c);
            }

            NotifyAcknowledged(c);
        }
        else if (c->TxHead != null && measured && ack.FirstSackedTime != 0 && ack.FirstSackedTime < c->TxHead->SentTime)
        {
            // SACKed data went out before the first segment was last sent: the timeout is counted from now. Otherwise it would move on
            // and on in recovery.
            ack.Facts |= AckFacts.SetTransmitTimer;
        }

        CongestionPacketsAcked(c, ack.Rate.RttMicros);
        if (!sack)
        {
            // Segments may have become fewer, or lost, since the duplicates were counted.
            LimitRenoSacks(c);
        }

        Invariant.Check(c->SackedOut + c->LostOut <= c->PacketsOut + c->RetransOut);
        Invariant.Check((c->PacketsOut == 0) == (c->TxHead == null));
    }

    /// <summary>An ACK that echoes a time before the retransmission was caused by the original (Linux: tcp_skb_spurious_retrans).</summary>
    private static bool IsSpuriousRetransmission(Tcb* c, SendSegment* segment, ref AckState ack) =>
        (segment->Marks & SegmentMarks.Again) != 0 && ack.HasTsEcr
        && (int)(ack.TsEcr - (uint)(segment->SentTime / 1_000_000) - c->TsOffset) < 0;

    /// <summary>
    /// RFC 6298 3 (Karn) and RFC 7323 4: an RTT sample from segments sent once, or from the echoed timestamp. The sample for congestion
    /// control is that of the segment delivered last. True where there was one.
    /// </summary>
    private bool MeasureRtt(Tcb* c, ref Arrival seg, ref AckState ack, bool fullyAcked)
    {
        long now = NowNanos;
        long sample = -1;
        long last = -1;
        if (ack.FirstAckedTime != 0 && (ack.Facts & AckFacts.RetransmittedDataAcked) == 0)
        {
            sample = (now - ack.FirstAckedTime) / 1000;
            last = (now - ack.LastAckedTime) / 1000;
            if (ack.AckedPackets == 1 && fullyAcked && c->SndUna - ack.PriorUna < c->Mss && ack.Rate.PriorDelivered + 1 == c->Delivered
                && (ack.Facts & (AckFacts.CaAlert | AckFacts.SynAcked)) == 0)
            {
                ack.Facts |= AckFacts.MaybeDelayed;
            }
        }

        if (ack.FirstSackedTime != 0)
        {
            last = (now - ack.LastSackedTime) / 1000;
            sample = sample < 0 ? (now - ack.FirstSackedTime) / 1000 : sample;
        }

        if (sample < 0 && ack.HasTsEcr && (ack.Facts & AckFacts.Acked) != 0)
        {
            int deltaMillis = (int)(TsClock(c) - seg.Options.TsEcr);
            if (deltaMillis >= 0 && deltaMillis < 600_000)
            {
                sample = last = Math.Max(deltaMillis * 1000L, 1000);
            }
        }

        ack.Rate.RttMicros = (int)Math.Min(last, 600_000_000);
        if (sample < 0)
        {
            return false;
        }

        int rtt = (int)Math.Clamp(sample, 1, 600_000_000);
        int latest = Math.Max(ack.Rate.RttMicros, 1);
        ack.Rate.RttMicros = latest;
        if ((ack.Facts & AckFacts.MaybeDelayed) == 0 || latest <= c->Rtt.MinRttMicros || c->Rtt.MinRttMicros == 0)
        {
            c->Rtt.UpdateMin(latest, NowMillis, (uint)Settings.tcp_min_rtt_wlen * 1000);
        }

        c->Rtt.Sample(rtt, c->SndUna, c->SndNxt, RtoMinMicros(c));
        c->DestinationRtoMillis = 0;
        c->Backoff = 0;
        return true;
    }

    /// <summary>Who waits to hear that bytes have arrived, by their notices on the error queue, looks again.</summary>
    private void NotifyAcknowledged(Tcb* c)
    {
        if (Has(c, TcbFlags.TellsAcknowledgment))
        {
            c->Flags &= ~TcbFlags.TellsAcknowledgment;
            Notify(c, SocketEvents.Error);
        }
    }
}

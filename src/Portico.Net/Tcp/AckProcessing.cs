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
        LostRetransmit = 0x80,
        UnaAdvanced = 0x400,
        DsackingAck = 0x800,
        SackReneging = 0x2000,
        SetTransmitTimer = 0x4000,

        Acked = DataAcked | SynAcked,
        NotDuplicate = Data | WindowUpdate | Acked,
        CaAlert = DataSacked | DsackingAck,
    }

    /// <summary>What one ACK's processing carries along.</summary>
    private struct AckState
    {
        public AckFacts Facts;
        public uint PriorUna;
        public uint PriorPacketsOut;
        public uint PriorHighestSack;

        /// <summary>Segments newly acknowledged or SACKed by this ACK.</summary>
        public uint Delivered;

        /// <summary>Segments newly acknowledged cumulatively (with emulated SACKs for a peer without the option).</summary>
        public uint AckedPackets;

        /// <summary>Send times in nanoseconds, for RTT; 0 when unknown.</summary>
        public long FirstAckedTime;
        public long SackFirstTime;

        /// <summary>Segment order that the SACKs put in doubt: the lowest segment that came late (Linux: reord).</summary>
        public uint ReorderSeq;
        public bool HasReorder;

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

    private void HandleAck(Tcb* c, ref Arrival seg)
    {
        AckState ack = default;
        ack.PriorUna = c->SndUna;
        ack.PriorPacketsOut = c->PacketsOut;
        ack.PriorHighestSack = c->SackedOut > 0 ? c->HighestSack : c->SndUna;
        ack.TsEcr = seg.Options.TsEcr;
        ack.HasTsEcr = seg.Options.HasTimestamp && seg.Options.TsEcr != 0 && Has(c, TcbFlags.Timestamps);
        UpdateTsRecent(c, ref seg);

        if (Seq.Lt(seg.Ack, c->SndUna))
        {
            // An old ACK: only its SACK blocks can be news.
            if (seg.Options.SackCount > 0 && Has(c, TcbFlags.Sack) && c->PacketsOut > 0)
            {
                TagSacked(c, ref seg, ref ack);
                RespondToAck(c, ref ack, 0);
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
        c->BytesAcked += seg.Ack - c->SndUna;
        c->SndUna = seg.Ack;
        if (seg.Options.SackCount > 0 && Has(c, TcbFlags.Sack) && ack.PriorPacketsOut > 0)
        {
            TagSacked(c, ref seg, ref ack);
        }

        c->SoftError = 0;
        c->ProbesOut = 0;
        c->LastAckMillis = NowMillis;
        if (ack.PriorPacketsOut == 0)
        {
            if ((ack.Facts & AckFacts.DsackingAck) != 0)
            {
                RespondToAck(c, ref ack, 0);
            }

            AfterAckOfNothing(c);
            return;
        }

        CleanRetransmitQueue(c, ref seg, ref ack);
        if ((ack.Facts & AckFacts.Acked) != 0)
        {
            // RFC 4861 7.3.1: forward progress shows that the first hop works (Linux: sk_dst_confirm).
            _stack.Ip.ConfirmReachability(c->Route);
        }

        uint duplicates = 0;
        if ((ack.Facts & (AckFacts.UnaAdvanced | AckFacts.NotDuplicate | AckFacts.DsackingAck)) == 0)
        {
            duplicates = 1;
        }

        RespondToAck(c, ref ack, duplicates);
        if ((ack.Facts & AckFacts.SetTransmitTimer) != 0)
        {
            RearmRetransmitTimer(c);
        }
    }

    /// <summary>The ACK's consequences for loss recovery and congestion control, then retransmissions that it allows.</summary>
    private void RespondToAck(Tcb* c, ref AckState ack, uint duplicates)
    {
        // Quiet and moving forward: nothing but growth (the common case).
        bool dubious = (ack.Facts & AckFacts.NotDuplicate) == 0 || (ack.Facts & AckFacts.CaAlert) != 0 || c->CaState != CaState.Open;
        bool retransmit = false;
        if (dubious)
        {
            retransmit = AlertFastRetransmit(c, ref ack, duplicates);
        }

        ControlCongestion(c, ref ack, retransmit);
        if (retransmit)
        {
            RetransmitQueue(c);
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
            if (window > c->MaxWindow)
            {
                c->MaxWindow = window;
                UpdateMss(c);
            }
        }

        return facts;
    }

    /// <summary>Nothing was in flight: the ACK answers a window probe, or updates the window.</summary>
    private void AfterAckOfNothing(Tcb* c)
    {
        if (!HasUnsent(c))
        {
            return;
        }

        if (WindowAllowsSegment(c))
        {
            c->Backoff = 0;
            CancelRetransmitTimer(c);
        }
        else
        {
            ArmPersist(c);
        }
    }

    /// <summary>Takes what is cumulatively acknowledged off the queue, splitting a super-segment that is acknowledged in part.</summary>
    private void CleanRetransmitQueue(Tcb* c, ref Arrival seg, ref AckState ack)
    {
        uint una = c->SndUna;
        long now = NowNanos;
        bool fullyAcked = true;
        while (c->TxHead != null)
        {
            SendSegment* segment = c->TxHead;
            uint packets;
            if (Seq.Gt(segment->Node.End, una))
            {
                if (Seq.Leq(una, segment->Node.Start))
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
            if ((marks & SegmentMarks.Retransmitted) != 0)
            {
                c->RetransOut -= packets;
                ack.Facts |= AckFacts.RetransmittedDataAcked;
            }
            else if ((marks & (SegmentMarks.Sacked | SegmentMarks.EverRetransmitted)) == 0)
            {
                if (ack.FirstAckedTime == 0)
                {
                    ack.FirstAckedTime = segment->SentTime;
                }

                if (c->SackedOut > 0 && Seq.Lt(segment->Node.Start, ack.PriorHighestSack))
                {
                    NoteReorder(ref ack, segment->Node.Start);
                }
            }

            if ((marks & SegmentMarks.EverRetransmitted) != 0)
            {
                ack.Facts |= AckFacts.RetransmittedDataAcked;
            }

            if ((marks & SegmentMarks.Sacked) != 0)
            {
                c->SackedOut -= packets;
            }
            else if (Has(c, TcbFlags.Sack))
            {
                ack.Delivered += packets;
            }

            if ((marks & SegmentMarks.Lost) != 0)
            {
                c->LostOut -= packets;
            }

            c->PacketsOut -= packets;
            ack.AckedPackets += packets;
            if ((segment->Flags & TcpFlags.Syn) != 0)
            {
                ack.Facts |= AckFacts.SynAcked;
                c->RetransStamp = 0;
            }
            else
            {
                ack.Facts |= AckFacts.DataAcked;
            }

            if (!fullyAcked)
            {
                break;
            }

            UnlinkSegment(c, segment);
        }

        FreeAckedBlocks(c);
        if (c->TxHead == null)
        {
            DropScoreboard(c);
        }

        if (Has(c, TcbFlags.UrgentMode) && Seq.Geq(una, c->SndUp))
        {
            c->Flags &= ~TcbFlags.UrgentMode;
        }

        if (c->TxHead != null && (c->TxHead->Marks & SegmentMarks.Sacked) != 0)
        {
            ack.Facts |= AckFacts.SackReneging;
        }

        int rtt = MeasureRtt(c, ref seg, ref ack, now);
        if ((ack.Facts & AckFacts.Acked) != 0)
        {
            ack.Facts |= AckFacts.SetTransmitTimer;
            c->Backoff = 0;
            if (!Has(c, TcbFlags.Sack))
            {
                RemoveRenoSacks(c, ref ack);
            }
            else if (ack.HasReorder && Seq.Lt(ack.ReorderSeq, ack.PriorHighestSack))
            {
                CheckSackReordering(c, ack.ReorderSeq, ack.PriorHighestSack);
            }

            CongestionPacketsAcked(c, ack.AckedPackets, rtt);
            WakeWriter(c);
        }

        Invariant.Check(c->SackedOut + c->LostOut <= c->PacketsOut + c->RetransOut);
        Invariant.Check((c->PacketsOut == 0) == (c->TxHead == null));
    }

    /// <summary>RFC 6298 3 (Karn) and RFC 7323 4: an RTT sample from segments sent once, or from the echoed timestamp.</summary>
    private int MeasureRtt(Tcb* c, ref Arrival seg, ref AckState ack, long now)
    {
        long sampleMicros = -1;
        if (ack.FirstAckedTime != 0 && (ack.Facts & AckFacts.RetransmittedDataAcked) == 0)
        {
            sampleMicros = (now - ack.FirstAckedTime) / 1000;
        }
        else if (ack.SackFirstTime != 0)
        {
            sampleMicros = (now - ack.SackFirstTime) / 1000;
        }
        else if (Has(c, TcbFlags.Timestamps) && seg.Options.HasTimestamp && seg.Options.TsEcr != 0 && (ack.Facts & AckFacts.Acked) != 0)
        {
            int deltaMillis = (int)(TsClock(c) - seg.Options.TsEcr);
            if (deltaMillis >= 0 && deltaMillis < 600_000)
            {
                sampleMicros = Math.Max(deltaMillis * 1000L, 1000);
            }
        }

        if (sampleMicros < 0)
        {
            return -1;
        }

        int rtt = (int)Math.Clamp(sampleMicros, 1, 600_000_000);
        c->Rtt.Sample(rtt, c->SndUna, c->SndNxt);
        c->Rtt.UpdateMin(rtt, NowMillis);
        return rtt;
    }

    /// <summary>There may be room in the send buffer again; with auto-tuning there may be more of it.</summary>
    private void WakeWriter(Tcb* c)
    {
        if (!Has(c, TcbFlags.SendBufferLocked) && c->PacketsOut < c->Cwnd && _engine.Blocks.BytesInUse < _engine.Blocks.BytesMax / 2)
        {
            ExpandSendBuffer(c);
        }

        if (Has(c, TcbFlags.NoSpace) && SendRoom(c) >= QueuedBytes(c) / 2)
        {
            c->Flags &= ~TcbFlags.NoSpace;
            Notify(c, SocketEvents.Writable);
        }
    }
}

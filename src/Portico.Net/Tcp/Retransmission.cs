namespace Portico.Net;

// Sending again what was lost, as far as the window allows (RFC 6675 5, rules 1 and 3 of NextSeg; Linux: tcp_xmit_retransmit_queue).
public sealed unsafe partial class TcpLayer
{
    private void RetransmitQueue(Tcb* c, PacketNotes cause = PacketNotes.None)
    {
        if (c->PacketsOut == 0 || c->State == TcpState.Closed)
        {
            return;
        }

        SendSegment* segment = c->RetransmitHint != null ? c->RetransmitHint : c->TxHead;
        bool rearm = false;
        while (segment != null && c->RetransOut < c->LostOut)
        {
            c->RetransmitHint = segment;
            int room = (int)c->Cwnd - (int)PacketsInFlight(c);
            if (room <= 0)
            {
                break;
            }

            if ((segment->Marks & SegmentMarks.Lost) != 0 && (segment->Marks & (SegmentMarks.Sacked | SegmentMarks.Retransmitted)) == 0)
            {
                bool isHead = segment == c->TxHead;
                if (!Retransmit(c, segment, (uint)room, cause))
                {
                    break;
                }

                ++Mib[c->CaState == CaState.Loss ? TcpCounter.TCPSlowStartRetrans : TcpCounter.TCPFastRetrans];
                if (IsReducing(c))
                {
                    c->PrrOut += segment->PacketCount;
                }

                rearm |= isHead;
            }

            segment = segment->Next;
        }

        if (rearm)
        {
            ArmRetransmit(c, c->Rtt.RtoMicros * 1000L);
        }
    }

    /// <summary>
    /// Sends a segment again, at most <paramref name="packetsMax"/> of those that it stands for; why, follows from the state of
    /// recovery where the caller does not say. False if it could not be sent.
    /// </summary>
    private bool Retransmit(Tcb* c, SendSegment* segment, uint packetsMax, PacketNotes cause = PacketNotes.None)
    {
        // A receiver that shrank its window gets only what fits, except for the very first segment: that one probes (RFC 9293 3.8.6).
        uint windowEnd = c->SndUna + c->SndWnd;
        if (Seq.Geq(segment->Node.Start, windowEnd) && segment->Node.Start != c->SndUna && c->State != TcpState.SynSent)
        {
            return false;
        }

        // Path MTU may have shrunk since: a segment that is too large now is cut to what the path takes.
        uint mss = Math.Max((uint)c->Mss, 1);
        uint payload = PayloadLength(segment);
        uint fits = packetsMax * mss;
        if (c->SndWnd == 0)
        {
            fits = mss;
        }

        if (payload > fits && SplitSegment(c, segment, segment->Node.Start + fits) == null)
        {
            ++Mib[TcpCounter.TCPRetransFail];
            return false;
        }

        RecountPackets(c, segment);
        cause = cause == PacketNotes.None ? RetransmissionCause(c) : cause;
        if (!Transmit(c, segment, cause))
        {
            ++Mib[TcpCounter.TCPRetransFail];
            return false;
        }

        ++Mib[TcpCounter.RetransSegs];
        c->TotalRetrans++;
        c->BytesRetrans += payload;
        if ((segment->Marks & SegmentMarks.Retransmitted) == 0)
        {
            segment->Marks |= SegmentMarks.Retransmitted;
            c->RetransOut += segment->PacketCount;
        }

        segment->Marks |= SegmentMarks.EverRetransmitted;
        if (c->RetransStamp == 0)
        {
            uint stamp = TsClock(c);
            c->RetransStamp = stamp == 0 ? 1 : stamp;
        }

        if (c->UndoRetrans < 0)
        {
            c->UndoRetrans = 0;
        }

        c->UndoRetrans += segment->PacketCount;
        ReportRetransmission(c, cause, segment->Node.Start, PayloadLength(segment), segment->Flags, c->Retransmits);

        return true;
    }

    private static PacketNotes RetransmissionCause(Tcb* c)
    {
        if (c->CaState == CaState.Loss || c->State is TcpState.SynSent or TcpState.SynReceived)
        {
            return PacketNotes.RetransmissionTimeout;
        }

        // Without SACK each hole but the first is found by the ACK that ends at it (RFC 6582 3.2, step 3).
        bool isPartial = !Has(c, TcbFlags.Sack) && c->UndoMarker != 0 && Seq.Gt(c->SndUna, c->UndoMarker);
        return isPartial ? PacketNotes.PartialAcknowledgment : PacketNotes.FastRetransmission;
    }

    private static uint PayloadLength(SendSegment* segment) =>
        segment->Node.End - segment->Node.Start - ((segment->Flags & TcpFlags.Syn) != 0 ? 1u : 0) - ((segment->Flags & TcpFlags.Fin) != 0 ? 1u : 0);

    /// <summary>The MSS has changed since the segment was counted: all sums that contain its count follow.</summary>
    private static void RecountPackets(Tcb* c, SendSegment* segment)
    {
        uint mss = Math.Max((uint)c->Mss, 1);
        ushort count = (ushort)Math.Max(1, (PayloadLength(segment) + mss - 1) / mss);
        int change = count - segment->PacketCount;
        if (change == 0)
        {
            return;
        }

        segment->PacketCount = count;
        AdjustCounts(c, segment->Marks, change);
    }

    private static void AdjustCounts(Tcb* c, SegmentMarks marks, int change)
    {
        c->PacketsOut = (uint)((int)c->PacketsOut + change);
        if ((marks & SegmentMarks.Sacked) != 0)
        {
            c->SackedOut = (uint)((int)c->SackedOut + change);
        }

        if ((marks & SegmentMarks.Lost) != 0)
        {
            c->LostOut = (uint)((int)c->LostOut + change);
        }

        if ((marks & SegmentMarks.Retransmitted) != 0)
        {
            c->RetransOut = (uint)((int)c->RetransOut + change);
        }
    }
}

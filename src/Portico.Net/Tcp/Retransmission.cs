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

        Flight* f = c->Flight;
        uint most = SegmentsPerPacket(c, CurrentMss(c));
        SendSegment* segment = f->RetransmitHint != null ? f->RetransmitHint : c->TxHead;
        bool isHoleSeen = false;
        bool rearm = false;
        for (; segment != null; segment = segment->Next)
        {
            // Where a segment is neither lost nor known to have arrived the next call begins: it may be marked lost by then.
            if (IsHeldByPace(c))
            {
                break;
            }

            if (!isHoleSeen)
            {
                f->RetransmitHint = segment;
            }

            int room = (int)c->Cwnd - (int)PacketsInFlight(c);
            if (room <= 0 || c->RetransOut >= c->LostOut)
            {
                break;
            }

            if ((segment->Marks & SegmentMarks.Lost) == 0)
            {
                isHoleSeen |= (segment->Marks & (SegmentMarks.Sacked | SegmentMarks.Retransmitted)) == 0;
                continue;
            }

            if ((segment->Marks & (SegmentMarks.Sacked | SegmentMarks.Retransmitted)) != 0)
            {
                continue;
            }

            if (!Retransmit(c, segment, Math.Min((uint)room, most), cause))
            {
                break;
            }

            Mib[c->CaState == CaState.Loss ? TcpCounter.TCPSlowStartRetrans : TcpCounter.TCPFastRetrans] += segment->PacketCount;
            if (IsReducing(c))
            {
                f->PrrOut += segment->PacketCount;
            }

            rearm |= segment == c->TxHead && c->Pending != PendingTimer.Reorder;
        }

        if (rearm)
        {
            ArmRetransmit(c, RtoNanos(c));
        }
    }

    /// <summary>Sends a segment again and counts it as in flight once more. False if it could not be sent.</summary>
    private bool Retransmit(Tcb* c, SendSegment* segment, uint packetsMax, PacketNotes cause = PacketNotes.None)
    {
        bool sent = SendAgain(c, segment, packetsMax, cause);
        Flight* f = c->Flight;
        if (sent && (segment->Marks & SegmentMarks.Retransmitted) == 0)
        {
            segment->Marks |= SegmentMarks.Retransmitted;
            c->RetransOut += segment->PacketCount;
        }

        // The time of the first attempt, even if it failed: TCP_USER_TIMEOUT and RFC 3522 start from it.
        if (f->RetransStamp == 0)
        {
            uint stamp = TsClock(c);
            f->RetransStamp = stamp == 0 ? 1 : stamp;
        }

        f->UndoRetrans = Math.Max(f->UndoRetrans, 0) + segment->PacketCount;
        return sent;
    }

    /// <summary>
    /// Sends a segment again, at most <paramref name="packetsMax"/> of those that it stands for; why, follows from the state of
    /// recovery where the caller does not say. False if it could not be sent.
    /// </summary>
    private bool SendAgain(Tcb* c, SendSegment* segment, uint packetsMax, PacketNotes cause)
    {
        uint mss = CurrentMss(c);
        uint payload = PayloadLength(segment);
        GiveUpMtuProbe(c);
        if (c->State == TcpState.SynSent && (segment->Flags & TcpFlags.Syn) == 0)
        {
            // What went with the SYN waits for its answer.
            return false;
        }

        if ((segment->Flags & EcnSetup) != 0)
        {
            StopAskingForEcn(segment);
        }

        if (c->State is not (TcpState.SynSent or TcpState.SynReceived))
        {
            // A receiver that shrank its window gets only what fits, except for the very first segment: that one probes (RFC 9293 3.8.6).
            int window = (int)(c->SndUna + c->SndWnd - segment->Node.Start);
            if (window <= 0)
            {
                if (segment->Node.Start != c->SndUna)
                {
                    return false;
                }

                window = (int)mss;
            }

            // Path MTU may have shrunk since: a segment that is too large now is cut to what the path takes.
            uint fits = packetsMax * mss;
            if (fits > (uint)window)
            {
                fits = (uint)window - ((uint)window % mss);
                fits = fits == 0 ? (uint)window : fits;
            }

            if (payload > fits)
            {
                if (SplitSegment(c, segment, segment->Node.Start + fits) == null)
                {
                    Mib[TcpCounter.TCPRetransFail] += segment->PacketCount;
                    return false;
                }

                payload = PayloadLength(segment);
            }

            RecountPackets(c, segment);
            uint most = Math.Min((uint)window, mss);
            if (payload < most)
            {
                CollapseForRetransmission(c, segment, most);
                payload = PayloadLength(segment);
            }
        }

        Mib[TcpCounter.RetransSegs] += segment->PacketCount;
        c->TotalRetrans += segment->PacketCount;
        c->BytesRetrans += payload;
        cause = cause == PacketNotes.None ? RetransmissionCause(c) : cause;
        bool sent = Transmit(c, segment, mss, cause);
        segment->Marks |= SegmentMarks.EverRetransmitted;
        if (!sent)
        {
            Mib[TcpCounter.TCPRetransFail] += segment->PacketCount;
            return false;
        }

        ReportRetransmission(c, cause, segment->Node.Start, payload, segment->Flags, c->Retransmits);
        return true;
    }

    private static PacketNotes RetransmissionCause(Tcb* c)
    {
        if (c->CaState == CaState.Loss || c->State is TcpState.SynSent or TcpState.SynReceived)
        {
            return PacketNotes.RetransmissionTimeout;
        }

        // Without SACK each hole but the first is found by the ACK that ends at it (RFC 6582 3.2, step 3).
        bool isPartial = !Has(c, TcbFlags.Sack) && c->Flight->UndoMarker != 0 && Seq.Gt(c->SndUna, c->Flight->UndoMarker);
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
        else if (change < 0 && !Has(c, TcbFlags.Sack))
        {
            // Without SACK it is not known which segments they are: no more than what is left.
            c->SackedOut -= Math.Min(c->SackedOut, (uint)-change);
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

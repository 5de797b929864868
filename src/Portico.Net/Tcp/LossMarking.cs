namespace Portico.Net;

// Which segments count as lost: by time with SACK (Rack.cs), RFC 6582's rule for the first hole without, all that is old enough at a timeout.
public sealed unsafe partial class TcpLayer
{
    /// <summary>RFC 8985 5.1 with SACK; without it, DupThresh duplicates or a partial ACK tell that the first segment is lost.</summary>
    private void IdentifyLoss(Tcb* c, ref AckState ack)
    {
        if (c->TxHead == null)
        {
            return;
        }

        if (Has(c, TcbFlags.Sack))
        {
            uint before = c->RetransOut;
            MarkLostByTime(c, ref ack);
            if (c->RetransOut < before)
            {
                ack.Facts |= AckFacts.LostRetransmit;
            }

            return;
        }

        bool lost = c->CaState < CaState.Recovery
            ? c->SackedOut >= c->Reordering
            : c->CaState == CaState.Recovery && (ack.Facts & AckFacts.UnaAdvanced) != 0;
        SendSegment* head = c->TxHead;
        if (!lost || (head->Marks & SegmentMarks.Lost) != 0)
        {
            return;
        }

        if (head->PacketCount > 1 && PayloadLength(head) > c->Mss)
        {
            SplitSegment(c, head, head->Node.Start + c->Mss);
        }

        MarkLost(c, head, ref ack);
    }

    private void MarkLost(Tcb* c, SendSegment* segment, ref AckState ack)
    {
        if ((segment->Marks & SegmentMarks.Sacked) != 0)
        {
            return;
        }

        Flight* f = c->Flight;
        if (f->RetransmitHint == null || Seq.Lt(segment->Node.Start, f->RetransmitHint->Node.Start))
        {
            f->RetransmitHint = segment;
        }

        // It comes back to the list when it has been sent again.
        Unlist(f, segment);
        if ((segment->Marks & SegmentMarks.Lost) == 0)
        {
            segment->Marks |= SegmentMarks.Lost;
            c->LostOut += segment->PacketCount;
            f->LostTotal += segment->PacketCount;
            ack.Lost += segment->PacketCount;
        }
        else if ((segment->Marks & SegmentMarks.Retransmitted) != 0)
        {
            segment->Marks &= ~SegmentMarks.Retransmitted;
            c->RetransOut -= segment->PacketCount;
            f->LostTotal += segment->PacketCount;
            ack.Lost += segment->PacketCount;
            Mib[TcpCounter.TCPLostRetransmit] += segment->PacketCount;
        }
    }

    /// <summary>
    /// At a timeout the first segment is lost, and what is older than a round trip with it; what went out lately is not (RFC 8985 6.3).
    /// If the peer has taken SACKs back, everything is.
    /// </summary>
    private void MarkLostAtTimeout(Tcb* c)
    {
        AckState none = default;
        Flight* f = c->Flight;
        SendSegment* head = c->TxHead;
        bool reneged = head != null && (head->Marks & SegmentMarks.Sacked) != 0;
        if (reneged)
        {
            ++Mib[TcpCounter.TCPSACKReneging];
            c->SackedOut = 0;
            f->HasReneged = true;
        }
        else if (!Has(c, TcbFlags.Sack))
        {
            c->SackedOut = 0;
        }

        for (SendSegment* segment = head; segment != null; segment = segment->Next)
        {
            if (reneged)
            {
                segment->Marks &= ~SegmentMarks.Sacked;
            }
            else if (segment != head && RackRemainingMicros(c, segment, 0) > 0)
            {
                continue;
            }

            bool wasListed = (segment->Marks & SegmentMarks.Listed) != 0;
            MarkLost(c, segment, ref none);
            if (wasListed && (segment->Marks & SegmentMarks.Listed) == 0)
            {
                segment->Marks |= SegmentMarks.TimedOut;
            }
        }

        f->RetransmitHint = null;
    }

    /// <summary>Nothing is lost after all (Linux: the unmark_loss of tcp_undo_cwnd_reduction).</summary>
    private static void UnmarkLost(Tcb* c)
    {
        Flight* f = c->Flight;
        SendSegment* earlier = null;
        for (SendSegment* segment = c->TxHead; segment != null; segment = segment->Next)
        {
            segment->Marks &= ~SegmentMarks.Lost;
            if ((segment->Marks & SegmentMarks.TimedOut) == 0)
            {
                continue;
            }

            // Back to its place by time; the next one's is usually just behind it.
            if (earlier != null && !SentAfter(segment->SentTime, earlier->SentTime, segment->Node.End, earlier->Node.End))
            {
                earlier = null;
            }

            SendSegment* later = earlier == null ? f->Earliest : earlier->SentLater;
            while (later != null && SentAfter(segment->SentTime, later->SentTime, segment->Node.End, later->Node.End))
            {
                earlier = later;
                later = later->SentLater;
            }

            ListAfter(f, segment, earlier);
            earlier = segment;
        }

        c->LostOut = 0;
        f->RetransmitHint = null;
    }

    /// <summary>Without SACK, each duplicate ACK stands for one segment that has left the network (RFC 6582).</summary>
    private void AddRenoSacks(Tcb* c, uint duplicates, ref AckState ack)
    {
        if (duplicates == 0)
        {
            return;
        }

        uint before = c->SackedOut;
        c->SackedOut += duplicates;
        CheckRenoReordering(c, 0);
        CountDelivered(c, ref ack, c->SackedOut > before ? c->SackedOut - before : 0);
    }

    /// <summary>A cumulative ACK covers emulated SACKs too: one for the hole, the rest for what came after it.</summary>
    private void RemoveRenoSacks(Tcb* c, uint acked, ref AckState ack)
    {
        if (acked > 0)
        {
            CountDelivered(c, ref ack, acked > c->SackedOut ? Math.Max(acked - c->SackedOut, 1) : 1);
            c->SackedOut = acked - 1 >= c->SackedOut ? 0 : c->SackedOut - (acked - 1);
        }

        CheckRenoReordering(c, acked);
    }

    /// <summary>The emulated SACKs are no more than what is in flight and not lost. Whether there were more.</summary>
    private static bool LimitRenoSacks(Tcb* c)
    {
        uint holes = Math.Min(Math.Max(c->LostOut, 1), c->PacketsOut);
        bool isBeyond = c->SackedOut + holes > c->PacketsOut;
        c->SackedOut = isBeyond ? c->PacketsOut - holes : c->SackedOut;
        return isBeyond;
    }

    /// <summary>No more can have left the network than is in it, less the hole; more duplicates than that mean reordering.</summary>
    private void CheckRenoReordering(Tcb* c, uint addend)
    {
        if (!LimitRenoSacks(c))
        {
            return;
        }

        c->Reordering = Math.Min(c->PacketsOut + addend, (uint)Settings.tcp_max_reordering);
        c->ReorderSeen++;
        ++Mib[TcpCounter.TCPRenoReorder];
    }
}

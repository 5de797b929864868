namespace Portico.Net;

// The sender's scoreboard: which segments the peer has SACKed (RFC 2018, 6675, 2883). The index by sequence number is built when the
// first SACK of an episode comes and dropped when all is acknowledged, so a loss-free connection pays nothing for it.
public sealed unsafe partial class TcpLayer
{
    private void TagSacked(Tcb* c, ref Arrival seg, ref AckState ack)
    {
        Flight* f = c->Flight;
        int count = seg.Options.SackCount;
        ack.ReorderSeq = c->SndNxt;
        bool isDsack = IsDsack(c, ref seg, ref ack);
        if (c->PacketsOut == 0)
        {
            return;
        }

        // Ascending order costs little with four blocks and lets each segment be looked at once.
        Span<SeqRange> blocks = stackalloc SeqRange[4];
        int used = 0;
        int dsackAt = -1;
        for (int i = 0; i < count; i++)
        {
            SeqRange block = new() { Left = seg.Options.Sacks[i].Left, Right = seg.Options.Sacks[i].Right };
            bool duplicate = i == 0 && isDsack;
            if (!IsSackBlockValid(c, duplicate, block))
            {
                if (duplicate)
                {
                    ++Mib[f->UndoMarker == 0 ? TcpCounter.TCPDSACKIgnoredNoUndo : TcpCounter.TCPDSACKIgnoredOld];
                }
                else if (seg.Ack == c->SndUna || Seq.Gt(block.Right, c->SndUna))
                {
                    ++Mib[TcpCounter.TCPSACKDiscard];
                }

                continue;
            }

            if (Seq.Leq(block.Right, ack.PriorUna))
            {
                continue;
            }

            int at = used++;
            while (at > 0 && Seq.Gt(blocks[at - 1].Left, block.Left))
            {
                blocks[at] = blocks[at - 1];
                dsackAt = dsackAt == at - 1 ? at : dsackAt;
                at--;
            }

            blocks[at] = block;
            dsackAt = duplicate ? at : dsackAt;
        }

        for (int i = 0; i < used; i++)
        {
            TagBlock(c, blocks[i], i == dsackAt, ref ack);
        }

        if (c->CaState != CaState.Loss || f->UndoMarker != 0)
        {
            CheckSackReordering(c, ack.ReorderSeq, TcpCounter.TCPSACKReorder);
        }
    }

    /// <summary>
    /// Never beyond SND.NXT, never at or below SND.UNA, never empty: anything else is a lie or history (attack class C06, D04). A DSACK
    /// may report what is acknowledged, as far back as a reduction of the window may be undone.
    /// </summary>
    private static bool IsSackBlockValid(Tcb* c, bool isDsack, SeqRange block)
    {
        if (Seq.Gt(block.Right, c->SndNxt) || Seq.Geq(block.Left, block.Right) || Seq.Geq(block.Left, c->SndNxt))
        {
            return false;
        }

        if (Seq.Gt(block.Left, c->SndUna))
        {
            return true;
        }

        uint undo = c->Flight->UndoMarker;
        if (!isDsack || undo == 0 || Seq.Gt(block.Right, c->SndUna))
        {
            return false;
        }

        return Seq.Geq(block.Left, undo) || (Seq.Gt(block.Right, undo) && Seq.Geq(block.Left, block.Right - c->MaxWindow));
    }

    private void TagBlock(Tcb* c, SeqRange block, bool isDsack, ref AckState ack)
    {
        Flight* f = c->Flight;
        if (f->Scoreboard == null)
        {
            BuildScoreboard(c);
        }

        SegmentNode* node = SegmentTree.FindFirstEndingAfter(f->Scoreboard, block.Left);
        while (node != null && Seq.Lt(node->Start, block.Right))
        {
            SendSegment* segment = (SendSegment*)node;
            if (isDsack)
            {
                if (Seq.Geq(node->Start, block.Left) && Seq.Leq(node->End, block.Right))
                {
                    NoteDuplicate(c, segment, ref ack);
                }
            }
            else if ((segment->Marks & SegmentMarks.Sacked) == 0)
            {
                segment = TrimToBlock(c, segment, block);
                if (segment == null)
                {
                    // Less than a whole segment of it is covered: not SACKed.
                    node = SegmentTree.Next(node);
                    continue;
                }

                MarkSacked(c, segment, ref ack);
            }

            segment = segment->Next;
            node = segment == null ? null : &segment->Node;
        }
    }

    /// <summary>A DSACK reports this segment, which is still in the queue: one of its retransmissions was not needed.</summary>
    private void NoteDuplicate(Tcb* c, SendSegment* segment, ref AckState ack)
    {
        Flight* f = c->Flight;
        if ((segment->Marks & SegmentMarks.Again) != 0)
        {
            if (f->UndoMarker != 0 && f->UndoRetrans > 0 && Seq.Gt(segment->Node.End, f->UndoMarker))
            {
                f->UndoRetrans = Math.Max(0, f->UndoRetrans - segment->PacketCount);
            }

            if ((segment->Marks & SegmentMarks.Sacked) != 0)
            {
                ack.ReorderSeq = Seq.Min(ack.ReorderSeq, segment->Node.Start);
            }
        }

        if (Seq.Leq(segment->Node.End, c->SndUna))
        {
            // It is about to be dropped.
            return;
        }

        if ((segment->Marks & SegmentMarks.Sacked) == 0)
        {
            MarkSacked(c, segment, ref ack);
        }

        if ((segment->Marks & SegmentMarks.Retransmitted) != 0)
        {
            segment->Marks &= ~SegmentMarks.Retransmitted;
            c->RetransOut -= segment->PacketCount;
        }
    }

    /// <summary>
    /// The part of a segment that a SACK block covers, cut out at MSS boundaries; null where none of it is covered wholly. A cut makes
    /// at most one segment per block end, and none below MSS, which bounds what a peer can fragment (CVE-2019-11477).
    /// </summary>
    private SendSegment* TrimToBlock(Tcb* c, SendSegment* segment, SeqRange block)
    {
        uint start = segment->Node.Start;
        uint end = segment->Node.End;
        if (Seq.Geq(start, block.Left) && Seq.Leq(end, block.Right))
        {
            return segment;
        }

        if (segment->PacketCount == 1)
        {
            return null;
        }

        uint mss = Math.Max((uint)c->Mss, 1);
        if (Seq.Lt(start, block.Left))
        {
            uint skip = (block.Left - start + mss - 1) / mss * mss;
            if (Seq.Geq(start + skip, end))
            {
                return null;
            }

            segment = SplitSegment(c, segment, start + skip);
            if (segment == null)
            {
                return null;
            }

            start = segment->Node.Start;
        }

        if (Seq.Gt(end, block.Right))
        {
            if (Seq.Leq(block.Right, start))
            {
                return null;
            }

            uint keep = (block.Right - start) / mss * mss;
            if (keep == 0 || SplitSegment(c, segment, start + keep) == null)
            {
                return null;
            }
        }

        return segment;
    }

    private void MarkSacked(Tcb* c, SendSegment* segment, ref AckState ack)
    {
        Flight* f = c->Flight;
        uint packets = segment->PacketCount;
        AdvanceRack(c, segment->Marks, segment->Node.End, segment->SentTime);
        if ((segment->Marks & SegmentMarks.Retransmitted) != 0)
        {
            // Not lost, but sent again as a probe: that is still on its way.
            if ((segment->Marks & SegmentMarks.Lost) != 0)
            {
                segment->Marks &= ~(SegmentMarks.Lost | SegmentMarks.Retransmitted);
                c->LostOut -= packets;
                c->RetransOut -= packets;
            }
        }
        else
        {
            if ((segment->Marks & SegmentMarks.EverRetransmitted) == 0)
            {
                if (c->SackedOut > 0 && Seq.Lt(segment->Node.Start, f->HighestSack))
                {
                    ack.ReorderSeq = Seq.Min(ack.ReorderSeq, segment->Node.Start);
                }

                if (Seq.Leq(segment->Node.End, f->HighSeq))
                {
                    ack.Facts |= AckFacts.OriginalAcked;
                }

                if (ack.FirstSackedTime == 0)
                {
                    ack.FirstSackedTime = segment->SentTime;
                }

                ack.LastSackedTime = segment->SentTime;
            }

            if ((segment->Marks & SegmentMarks.Lost) != 0)
            {
                segment->Marks &= ~SegmentMarks.Lost;
                c->LostOut -= packets;
            }
        }

        segment->Marks = (segment->Marks | SegmentMarks.Sacked) & ~SegmentMarks.TimedOut;
        Unlist(f, segment);
        SampleDelivery(f, segment, ref ack.Rate);
        ack.Facts |= AckFacts.DataSacked;
        if (c->SackedOut == 0 || Seq.Gt(segment->Node.End, f->HighestSack))
        {
            f->HighestSack = segment->Node.End;
        }

        c->SackedOut += packets;
        CountDelivered(c, ref ack, packets);
    }

    /// <summary>RFC 2883 4: the first block reports a duplicate when it lies below the ACK or inside the second block.</summary>
    private bool IsDsack(Tcb* c, ref Arrival seg, ref AckState ack)
    {
        SackBlock first = seg.Options.Sacks[0];
        if (Seq.Lt(first.Left, seg.Ack))
        {
            ++Mib[TcpCounter.TCPDSACKRecv];
        }
        else if (seg.Options.SackCount > 1 && Seq.Leq(first.Right, seg.Options.Sacks[1].Right) && Seq.Geq(first.Left, seg.Options.Sacks[1].Left))
        {
            ++Mib[TcpCounter.TCPDSACKOfoRecv];
        }
        else
        {
            return false;
        }

        uint duplicates = CountDuplicates(c, first, ref ack);
        if (duplicates == 0)
        {
            ++Mib[TcpCounter.TCPDSACKIgnoredDubious];
            return false;
        }

        Mib[TcpCounter.TCPDSACKRecvSegs] += duplicates;

        // RFC 3708, as in Linux: what is acknowledged already is only counted.
        Flight* f = c->Flight;
        if (f != null && f->UndoMarker != 0 && f->UndoRetrans > 0 && Seq.Leq(first.Right, ack.PriorUna) && Seq.Gt(first.Right, f->UndoMarker))
        {
            f->UndoRetrans = (int)Math.Max(0, f->UndoRetrans - duplicates);
        }

        return true;
    }

    /// <summary>How many segments a DSACK reports; 0 when it cannot be true, as no more was sent again or more than a window is reported.</summary>
    private uint CountDuplicates(Tcb* c, in SackBlock block, ref AckState ack)
    {
        uint length = block.Right - block.Left;
        if (Seq.Geq(block.Left, block.Right) || length > c->MaxWindow)
        {
            return 0;
        }

        Flight* f = c->Flight;
        uint duplicates = 1;
        if (length > c->Mss)
        {
            duplicates = (length + c->Mss - 1) / c->Mss;
        }
        else if (f != null && f->TlpOut && f->TlpHighSeq == block.Right)
        {
            ack.Facts |= AckFacts.DsackOfProbe;
        }

        c->DsackDuplicates += duplicates;
        if (c->DsackDuplicates > c->TotalRetrans)
        {
            return 0;
        }

        // RFC 8985 6.2, step 4; a probe is sent by a timer and says nothing about RACK.
        if (c->ReorderSeen > 0 && (ack.Facts & AckFacts.DsackOfProbe) == 0)
        {
            FlightOf(c)->RackDsackSeen = true;
        }

        ack.Facts |= AckFacts.DsackingAck;
        CountDelivered(c, ref ack, duplicates);
        return duplicates;
    }

    /// <summary>
    /// A segment came late by this many segments without having been lost: more reordering is to be expected (Linux:
    /// tcp_check_sack_reordering).
    /// </summary>
    private void CheckSackReordering(Tcb* c, uint lowSeq, TcpCounter counter)
    {
        uint highSeq = c->SackedOut > 0 ? c->Flight->HighestSack : c->SndUna;
        if (Seq.Geq(lowSeq, highSeq))
        {
            return;
        }

        uint mss = Math.Max((uint)c->Mss, 1);
        uint distance = highSeq - lowSeq;
        if (distance > (ulong)c->Reordering * mss)
        {
            c->Reordering = Math.Min((distance + mss - 1) / mss, (uint)Settings.tcp_max_reordering);
        }

        c->ReorderSeen++;
        ++Mib[counter];
    }

    private static void BuildScoreboard(Tcb* c)
    {
        for (SendSegment* segment = c->TxHead; segment != null; segment = segment->Next)
        {
            c->Flight->Scoreboard = SegmentTree.Insert(c->Flight->Scoreboard, &segment->Node);
        }
    }
}

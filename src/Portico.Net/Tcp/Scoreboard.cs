namespace Portico.Net;

// The sender's scoreboard: which segments the peer has SACKed (RFC 2018, 6675, 2883). The index by sequence number is built when the
// first SACK of an episode comes and dropped when all is acknowledged, so a loss-free connection pays nothing for it.
public sealed unsafe partial class TcpLayer
{
    private void TagSacked(Tcb* c, ref Arrival seg, ref AckState ack)
    {
        int count = seg.Options.SackCount;
        int first = 0;
        if (IsDsack(c, ref seg, ref ack))
        {
            ack.Facts |= AckFacts.DsackingAck;
            first = 1;
        }

        // Ascending order costs little with four blocks and lets each segment be looked at once.
        Span<SeqRange> blocks = stackalloc SeqRange[4];
        int used = 0;
        for (int i = first; i < count; i++)
        {
            SeqRange block = new() { Left = seg.Options.Sacks[i].Left, Right = seg.Options.Sacks[i].Right };

            // Never beyond SND.NXT, never at or below SND.UNA, never empty: anything else is a lie or history (attack class C06, D04).
            if (Seq.Geq(block.Left, block.Right) || Seq.Gt(block.Right, c->SndNxt) || Seq.Leq(block.Right, c->SndUna))
            {
                ++Mib[TcpCounter.TCPSACKDiscard];
                continue;
            }

            int at = used++;
            while (at > 0 && Seq.Gt(blocks[at - 1].Left, block.Left))
            {
                blocks[at] = blocks[at - 1];
                at--;
            }

            blocks[at] = block;
        }

        for (int i = 0; i < used; i++)
        {
            TagBlock(c, blocks[i], ref ack);
        }

        if (ack.HasReorder && c->SackedOut > 0)
        {
            CheckSackReordering(c, ack.ReorderSeq, c->HighestSack);
        }
    }

    private void TagBlock(Tcb* c, SeqRange block, ref AckState ack)
    {
        if (c->Scoreboard == null)
        {
            BuildScoreboard(c);
        }

        SegmentNode* node = SegmentTree.FindFirstEndingAfter(c->Scoreboard, Seq.Max(block.Left, c->SndUna));
        while (node != null && Seq.Lt(node->Start, block.Right))
        {
            SendSegment* segment = (SendSegment*)node;
            if ((segment->Marks & SegmentMarks.Sacked) == 0)
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
        uint packets = segment->PacketCount;
        if ((segment->Marks & SegmentMarks.Retransmitted) != 0)
        {
            // What the retransmission or the original: RTT and reordering learn nothing from it.
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
                if (Seq.Lt(segment->Node.Start, ack.PriorHighestSack) && c->SackedOut > 0)
                {
                    NoteReorder(ref ack, segment->Node.Start);
                }

                if (ack.SackFirstTime == 0)
                {
                    ack.SackFirstTime = segment->SentTime;
                }
            }

            if ((segment->Marks & SegmentMarks.Lost) != 0)
            {
                segment->Marks &= ~SegmentMarks.Lost;
                c->LostOut -= packets;
            }
        }

        if ((segment->Marks & SegmentMarks.Retransmitted) != 0)
        {
            segment->Marks &= ~SegmentMarks.Retransmitted;
            c->RetransOut -= packets;
        }

        segment->Marks |= SegmentMarks.Sacked;
        if (c->LostHint != null && Seq.Lt(segment->Node.Start, c->LostHint->Node.Start))
        {
            c->LostHintSacked += packets;
        }

        ack.Facts |= AckFacts.DataSacked;
        c->SackedOut += packets;
        ack.Delivered += packets;
        if (c->SackedOut == packets || Seq.Gt(segment->Node.End, c->HighestSack))
        {
            c->HighestSack = segment->Node.End;
        }
    }

    /// <summary>RFC 2883 4: the first block reports a duplicate when it lies below the ACK or inside the second block.</summary>
    private bool IsDsack(Tcb* c, ref Arrival seg, ref AckState ack)
    {
        SackBlock first = seg.Options.Sacks[0];
        bool duplicate = false;
        if (Seq.Lt(first.Left, seg.Ack))
        {
            duplicate = true;
            ++Mib[TcpCounter.TCPDSACKRecv];
        }
        else if (seg.Options.SackCount > 1)
        {
            SackBlock second = seg.Options.Sacks[1];
            if (Seq.Leq(first.Right, second.Right) && Seq.Geq(first.Left, second.Left))
            {
                duplicate = true;
                ++Mib[TcpCounter.TCPDSACKOfoRecv];
            }
        }

        if (!duplicate)
        {
            return false;
        }

        // RFC 3708's use of it, as in Linux: each duplicate reported after our retransmission shows one that was not needed.
        if (c->UndoMarker != 0 && Seq.Geq(first.Left, c->UndoMarker) && Seq.Leq(first.Right, seg.Ack) && Seq.Lt(first.Left, ack.PriorUna + 1)
            && c->UndoRetrans > 0)
        {
            c->UndoRetrans -= (int)Math.Max(1, (first.Right - first.Left + c->Mss - 1u) / Math.Max((uint)c->Mss, 1));
            c->UndoRetrans = Math.Max(c->UndoRetrans, 0);
        }
        else
        {
            ++Mib[TcpCounter.TCPDSACKIgnoredNoUndo];
        }

        return true;
    }

    private static void NoteReorder(ref AckState ack, uint seq)
    {
        if (!ack.HasReorder || Seq.Lt(seq, ack.ReorderSeq))
        {
            ack.HasReorder = true;
            ack.ReorderSeq = seq;
        }
    }

    /// <summary>A segment came late by this many segments without having been lost: raise the duplicate threshold (Linux: tcp_check_sack_reordering).</summary>
    private void CheckSackReordering(Tcb* c, uint lowSeq, uint highSeq)
    {
        uint distance = (highSeq - lowSeq) / Math.Max((uint)c->Mss, 1);
        if (distance > c->Reordering && Seq.Gt(highSeq, lowSeq))
        {
            c->Reordering = Math.Min(distance, (uint)Settings.tcp_max_reordering);
            ++Mib[TcpCounter.TCPSACKReorder];
        }
    }

    private static void BuildScoreboard(Tcb* c)
    {
        for (SendSegment* segment = c->TxHead; segment != null; segment = segment->Next)
        {
            c->Scoreboard = SegmentTree.Insert(c->Scoreboard, &segment->Node);
        }
    }

    private static void DropScoreboard(Tcb* c) => c->Scoreboard = null;
}

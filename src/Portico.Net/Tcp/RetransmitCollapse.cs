namespace Portico.Net;

// Small segments that follow each other are sent again as one (net.ipv4.tcp_retrans_collapse; RFC 9293 3.8.1 leaves it to the sender).
public sealed unsafe partial class TcpLayer
{
    /// <summary>
    /// Joins to a segment that is to be sent again those behind it, as long as they fit into <paramref name="room"/> bytes and the peer's
    /// window (Linux: tcp_retrans_try_collapse).
    /// </summary>
    private void CollapseForRetransmission(Tcb* c, SendSegment* segment, uint room)
    {
        if (!Settings.tcp_retrans_collapse || (segment->Flags & TcpFlags.Syn) != 0 || !MayCollapse(segment))
        {
            return;
        }

        while (segment->Next != null && (segment->Marks & SegmentMarks.EndOfRecord) == 0)
        {
            SendSegment* next = segment->Next;
            uint length = PayloadLength(segment) + PayloadLength(next);
            bool fits = length <= room && Seq.Leq(next->Node.End, c->SndUna + c->SndWnd)
                && LimitByFragments(segment->Block, segment->Node.Start, length, room) >= length;
            if (!fits || !MayCollapse(next))
            {
                break;
            }

            Absorb(c, segment, next);
        }
    }

    /// <summary>What has been SACKed has arrived, and a super-segment is not small.</summary>
    private static bool MayCollapse(SendSegment* segment) => segment->PacketCount == 1 && (segment->Marks & SegmentMarks.Sacked) == 0;

    /// <summary>The next segment becomes a part of this one, and is no more (Linux: tcp_collapse_retrans).</summary>
    private void Absorb(Tcb* c, SendSegment* segment, SendSegment* next)
    {
        uint end = next->Node.End;
        TcpFlags flags = next->Flags;
        SegmentMarks marks = next->Marks;
        AdjustCounts(c, marks, -1);
        if (!Has(c, TcbFlags.Sack))
        {
            // Without SACK nobody knows which segments the duplicates stand for.
            c->SackedOut -= Math.Min(c->SackedOut, 1);
        }

        if (c->Flight->RetransmitHint == next)
        {
            c->Flight->RetransmitHint = segment;
        }

        UnlinkSegment(c, next);
        segment->Node.End = end;
        segment->Flags |= flags;
        segment->Marks |= marks & (SegmentMarks.EverRetransmitted | SegmentMarks.EndOfRecord);
    }
}

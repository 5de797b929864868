namespace Portico.Net;

// Which segments count as lost: RFC 6675's counting with SACK, RFC 6582's rule without. Time-based detection (RFC 8985) has its place in
// IdentifyLoss.
public sealed unsafe partial class TcpLayer
{
    /// <summary>More than the duplicate threshold has been SACKed beyond SND.UNA (RFC 6675's second condition, by bytes).</summary>
    private static bool ForcesFastRetransmit(Tcb* c) =>
        c->SackedOut > 0 && Seq.Gt(c->HighestSack, c->SndUna + (c->Reordering * c->Mss));

    private static bool IsTimeToRecover(Tcb* c) => c->LostOut > 0 || c->SackedOut + 1 > c->Reordering;

    /// <summary>Where time-based detection (RFC 8985) will look; without SACK, RFC 6582's rule for the first hole.</summary>
    private void IdentifyLoss(Tcb* c, ref AckState ack)
    {
        if (c->TxHead == null || Has(c, TcbFlags.Sack))
        {
            return;
        }

        bool lost = c->CaState is CaState.Open or CaState.Disorder
            ? c->SackedOut >= c->Reordering
            : c->CaState == CaState.Recovery && (ack.Facts & AckFacts.UnaAdvanced) != 0;
        SendSegment* head = c->TxHead;
        if (!lost || (head->Marks & SegmentMarks.Lost) != 0)
        {
            return;
        }

        if (head->PacketCount > 1)
        {
            SplitSegment(c, head, head->Node.Start + c->Mss);
        }

        MarkLost(c, head, ref ack);
    }

    /// <summary>RFC 6675's IsLost by counting: what has DupThresh SACKed segments above it is lost. Remembers where it stopped.</summary>
    private void UpdateScoreboard(Tcb* c, bool fastRetransmit)
    {
        AckState none = default;
        int packets = (int)c->SackedOut - (int)c->Reordering;
        if (packets >= 0)
        {
            MarkHeadLost(c, (uint)packets, false, ref none);
        }
        else if (fastRetransmit)
        {
            MarkHeadLost(c, 1, true, ref none);
        }
    }

    private void MarkHeadLost(Tcb* c, uint packets, bool onlyHead, ref AckState ack)
    {
        SendSegment* segment = c->LostHint;
        uint sacked = 0;
        if (segment == null)
        {
            segment = c->TxHead;
        }
        else
        {
            if (onlyHead && Seq.Gt(segment->Node.Start, c->SndUna))
            {
                return;
            }

            sacked = c->LostHintSacked;
        }

        for (; segment != null; segment = segment->Next)
        {
            c->LostHint = segment;
            c->LostHintSacked = sacked;
            if ((segment->Marks & SegmentMarks.Sacked) != 0)
            {
                sacked += segment->PacketCount;
            }

            if (sacked > packets)
            {
                break;
            }

            if (onlyHead && segment->PacketCount > 1)
            {
                SplitSegment(c, segment, segment->Node.Start + c->Mss);
            }

            if ((segment->Marks & SegmentMarks.Lost) == 0)
            {
                MarkLost(c, segment, ref ack);
            }

            if (onlyHead)
            {
                break;
            }
        }
    }

    private void MarkLost(Tcb* c, SendSegment* segment, ref AckState ack)
    {
        if ((segment->Marks & SegmentMarks.Sacked) != 0)
        {
            return;
        }

        if (c->RetransmitHint == null || Seq.Lt(segment->Node.Start, c->RetransmitHint->Node.Start))
        {
            c->RetransmitHint = segment;
        }

        if ((segment->Marks & SegmentMarks.Lost) != 0)
        {
            if ((segment->Marks & SegmentMarks.Retransmitted) != 0)
            {
                segment->Marks &= ~SegmentMarks.Retransmitted;
                c->RetransOut -= segment->PacketCount;
                ack.Facts |= AckFacts.LostRetransmit;
                Mib[TcpCounter.TCPLostRetransmit] += segment->PacketCount;
            }

            return;
        }

        if ((segment->Marks & SegmentMarks.Retransmitted) != 0)
        {
            segment->Marks &= ~SegmentMarks.Retransmitted;
            c->RetransOut -= segment->PacketCount;
        }

        c->LostOut += segment->PacketCount;
        segment->Marks |= SegmentMarks.Lost;
    }

    /// <summary>Without SACK, each duplicate ACK stands for one segment that has left the network (RFC 6582).</summary>
    private static void AddRenoSacks(Tcb* c, uint duplicates, ref AckState ack)
    {
        if (duplicates == 0)
        {
            return;
        }

        uint before = c->SackedOut;
        uint most = c->PacketsOut > Math.Max(c->LostOut, 1) ? c->PacketsOut - Math.Max(c->LostOut, 1) : 0;
        c->SackedOut = Math.Min(c->SackedOut + duplicates, most);
        ack.Delivered += c->SackedOut > before ? c->SackedOut - before : 0;
    }

    /// <summary>A cumulative ACK covers emulated SACKs too: one for the hole, the rest for what came after it.</summary>
    private static void RemoveRenoSacks(Tcb* c, ref AckState ack)
    {
        uint acked = ack.AckedPackets;
        if (acked == 0)
        {
            return;
        }

        ack.Delivered += acked > c->SackedOut ? Math.Max(acked - c->SackedOut, 1) : 1;
        c->SackedOut = acked - 1 >= c->SackedOut ? 0 : c->SackedOut - (acked - 1);
        uint most = c->PacketsOut > c->LostOut ? c->PacketsOut - c->LostOut : 0;
        c->SackedOut = Math.Min(c->SackedOut, most);
    }
}

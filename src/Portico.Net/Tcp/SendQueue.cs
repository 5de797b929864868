namespace Portico.Net;

// The send buffer: the chain of blocks from SND.UNA to the last byte written, and the records of what has been sent of it.
public sealed unsafe partial class TcpLayer
{
    /// <summary>
    /// Copies bytes behind the last ones, as many as memory allows, and returns how many; the segments for them are the caller's.
    /// <paramref name="whole"/> bytes are still to come, these included.
    /// </summary>
    private int CopyIn(Tcb* c, ReadOnlySpan<byte> data, int whole)
    {
        int taken = 0;
        while (taken < data.Length)
        {
            Block* block = c->SndBlockTail;
            int room = block == null ? 0 : block->Capacity - block->End;
            if (room == 0)
            {
                int left = whole - taken;

                // A stream of small writes fills middling blocks; a lone small message takes a small one.
                int wanted = left <= BlockPool.SmallBytes && block != null ? BlockPool.MediumBytes : Math.Min(left, BlockPool.LargeBytes);
                block = _engine.Blocks.Rent(wanted);
                if (block == null)
                {
                    ++Mib[TcpCounter.TCPMemoryPressures];
                    break;
                }

                LinkBlock(c, block, c->WriteSeq + (uint)taken);
                room = block->Capacity;
            }

            int count = Math.Min(room, data.Length - taken);
            data.Slice(taken, count).CopyTo(new Span<byte>(Block.Data(block) + block->End, count));
            block->End += count;
            taken += count;
        }

        return taken;
    }

    /// <summary>Takes bytes back that were copied and cannot be queued: the chain ends again where <paramref name="last"/> did.</summary>
    private void DropCopied(Tcb* c, Block* last, int lastEnd)
    {
        Block* block = last == null ? c->SndBlockHead : last->Next;
        while (block != null)
        {
            Block* next = block->Next;
            _engine.Blocks.Release(block);
            block = next;
        }

        c->SndBlockTail = last;
        if (last == null)
        {
            c->SndBlockHead = null;
        }
        else
        {
            last->Next = null;
            last->End = lastEnd;
        }
    }

    private static void LinkBlock(Tcb* c, Block* block, uint seq)
    {
        block->Sequence = seq;
        if (c->SndBlockTail == null)
        {
            c->SndBlockHead = block;
        }
        else
        {
            c->SndBlockTail->Next = block;
        }

        c->SndBlockTail = block;
    }

    /// <summary>Gives back the blocks whose last byte is acknowledged.</summary>
    private void FreeAckedBlocks(Tcb* c)
    {
        Block* block = c->SndBlockHead;
        while (block != null && Seq.Leq(block->Sequence + (uint)(block->End - block->Start), c->SndUna))
        {
            Block* next = block->Next;
            _engine.Blocks.Release(block);
            block = next;
        }

        c->SndBlockHead = block;
        if (block == null)
        {
            c->SndBlockTail = null;
        }
    }

    private void FreeSendQueue(Tcb* c)
    {
        while (c->TxHead != null)
        {
            UnlinkSegment(c, c->TxHead);
        }

        while (c->UnsentHead != null)
        {
            SendSegment* next = c->UnsentHead->Next;
            FreeSegment(c, c->UnsentHead);
            c->UnsentHead = next;
        }

        c->UnsentTail = null;

        for (Block* block = c->SndBlockHead; block != null;)
        {
            Block* next = block->Next;
            _engine.Blocks.Release(block);
            block = next;
        }

        c->SndBlockHead = c->SndBlockTail = null;
        c->PacketsOut = c->SackedOut = c->LostOut = c->RetransOut = 0;
        DropFlight(c);
    }

    /// <summary>How much of <paramref name="length"/> fits into a packet's fragments.</summary>
    private static uint LimitByFragments(Block* block, uint seq, uint length, uint mss)
    {
        uint available = 0;
        for (int i = 0; i < Packet.FragmentsMax && block != null && available < length; i++)
        {
            available += block->Sequence + (uint)(block->End - block->Start) - seq - available;
            block = block->Next;
        }

        if (available >= length)
        {
            return length;
        }

        return available > mss ? available - (available % mss) : available;
    }

    private SendSegment* NewSegment(Tcb* c)
    {
        SendSegment* segment = _sendSegments.Rent(out uint index);
        if (segment == null)
        {
            ++Mib[TcpCounter.NoMemory];
            return null;
        }

        segment->Index = index;
        c->SegmentCount++;
        return segment;
    }

    private void FreeSegment(Tcb* c, SendSegment* segment)
    {
        c->SegmentCount--;
        _sendSegments.Return(segment->Index);
    }

    private void LinkSegment(Tcb* c, SendSegment* segment)
    {
        segment->Previous = c->TxTail;
        segment->Next = null;
        if (c->TxTail == null)
        {
            c->TxHead = segment;
        }
        else
        {
            c->TxTail->Next = segment;
        }

        c->TxTail = segment;
        Flight* f = FlightOf(c);
        if (f->Scoreboard != null)
        {
            f->Scoreboard = SegmentTree.Insert(f->Scoreboard, &segment->Node);
        }
    }

    private void UnlinkSegment(Tcb* c, SendSegment* segment)
    {
        Flight* f = c->Flight;
        if (f->Scoreboard != null)
        {
            f->Scoreboard = SegmentTree.Remove(f->Scoreboard, &segment->Node);
        }

        if (f->RetransmitHint == segment)
        {
            f->RetransmitHint = null;
        }

        Unlist(f, segment);
        if (segment->Previous == null)
        {
            c->TxHead = segment->Next;
        }
        else
        {
            segment->Previous->Next = segment->Next;
        }

        if (segment->Next == null)
        {
            c->TxTail = segment->Previous;
        }
        else
        {
            segment->Next->Previous = segment->Previous;
        }

        FreeSegment(c, segment);
    }

    /// <summary>Cuts a segment in two at <paramref name="seq"/>; returns the second part, null without memory. Sums stay right.</summary>
    private SendSegment* SplitSegment(Tcb* c, SendSegment* segment, uint seq)
    {
        Invariant.Check(Seq.Gt(seq, segment->Node.Start) && Seq.Lt(seq, segment->Node.End));
        SendSegment* rest = NewSegment(c);
        if (rest == null)
        {
            return null;
        }

        rest->Node.Start = seq;
        rest->Node.End = segment->Node.End;
        rest->Marks = segment->Marks & ~SegmentMarks.Listed;
        rest->SentTime = segment->SentTime;
        rest->FirstSentTime = segment->FirstSentTime;
        rest->DeliveredTime = segment->DeliveredTime;
        rest->Delivered = segment->Delivered;
        rest->Flags = segment->Flags & (TcpFlags.Fin | TcpFlags.Psh);
        rest->Block = BlockAt(segment->Block, seq);
        segment->Node.End = seq;
        segment->Flags &= ~(TcpFlags.Fin | TcpFlags.Psh);

        rest->Previous = segment;
        rest->Next = segment->Next;
        if (segment->Next == null)
        {
            c->TxTail = rest;
        }
        else
        {
            segment->Next->Previous = rest;
        }

        segment->Next = rest;
        int before = segment->PacketCount;
        uint mss = Math.Max((uint)c->Mss, 1);
        segment->PacketCount = (ushort)Math.Max(1, (PayloadLength(segment) + mss - 1) / mss);
        rest->PacketCount = (ushort)Math.Max(1, (PayloadLength(rest) + mss - 1) / mss);
        AdjustCounts(c, rest->Marks, segment->PacketCount + rest->PacketCount - before);
        Flight* f = c->Flight;
        if ((segment->Marks & SegmentMarks.Listed) != 0)
        {
            ListAfter(f, rest, segment);
        }

        if (f->Scoreboard != null)
        {
            f->Scoreboard = SegmentTree.Insert(f->Scoreboard, &rest->Node);
        }

        return rest;
    }

    /// <summary>Takes what is acknowledged off the front of a super-segment; returns how many of its segments that were.</summary>
    private static uint TrimAcked(Tcb* c, SendSegment* segment, uint una)
    {
        uint before = segment->PacketCount;
        segment->Node.Start = una;
        segment->Block = BlockAt(segment->Block, una);
        uint mss = Math.Max((uint)c->Mss, 1);
        segment->PacketCount = (ushort)Math.Max(1, (PayloadLength(segment) + mss - 1) / mss);
        if (segment->PacketCount > before)
        {
            segment->PacketCount = (ushort)before;
        }

        return before - segment->PacketCount;
    }

    private static Block* BlockAt(Block* block, uint seq)
    {
        while (block != null && Seq.Leq(block->Sequence + (uint)(block->End - block->Start), seq))
        {
            block = block->Next;
        }

        return block;
    }
}

namespace Portico.Net;

// Bytes beyond a hole: kept by sequence number, told to the peer as SACK blocks (RFC 2018 4, RFC 2883), joined to the queue when the
// hole closes. Overlaps are resolved in favour of what came first, so each byte is held once.
public sealed unsafe partial class TcpLayer
{
    private void QueueOutOfOrder(Tcb* c, ref Arrival seg, uint windowEnd)
    {
        if (Has(c, TcbFlags.Timestamps))
        {
            MeasureRcvRtt(c, ref seg);
        }

        CheckCongestionMark(c, ref seg);
        if (!MayQueueOutOfOrder(c))
        {
            c->Flags |= TcbFlags.AckScheduled | TcbFlags.AckNow;
            CountDrop(TcpCounter.TCPOFODrop);
            return;
        }

        ++Mib[TcpCounter.TCPOFOQueue];
        c->Flags |= TcbFlags.AckScheduled;
        uint start = seg.Seq;
        uint end = Seq.Min(seg.Seq + (uint)seg.Length, windowEnd);
        bool fin = seg.Has(TcpFlags.Fin) && Seq.Lt(seg.Seq + (uint)seg.Length, windowEnd);
        SegmentNode* node = SegmentTree.FindFirstEndingAfter(c->OutOfOrderRoot, start);
        uint at = start;
        uint duplicateFrom = 0;
        uint duplicateTo = 0;
        bool duplicate = false;
        while (Seq.Lt(at, end))
        {
            if (node != null && Seq.Leq(node->Start, at))
            {
                // Held already.
                uint covered = Seq.Min(node->End, end);
                if (!duplicate)
                {
                    duplicate = true;
                    duplicateFrom = at;
                }

                duplicateTo = covered;
                at = covered;
                node = SegmentTree.Next(node);
                continue;
            }

            uint until = node != null ? Seq.Min(node->Start, end) : end;
            if (TakePayload(c, ref seg, (int)(at - seg.Seq), (int)(until - at), at, outOfOrder: true) != until)
            {
                return;
            }

            at = until;
        }

        if (fin)
        {
            InsertOutOfOrderFin(c, seg.Seq + (uint)seg.Length);
        }

        if (duplicate)
        {
            ++Mib[TcpCounter.TCPOFOMerge];
            SetDsack(c, duplicateFrom, duplicateTo);
        }

        if (Has(c, TcbFlags.Sack))
        {
            AddSack(c, start, fin ? end + 1 : end);
        }
    }

    private bool MayQueueOutOfOrder(Tcb* c) => c->RcvMemory <= c->RcvBuf && _receiveMemory <= Settings.tcp_mem_high;

    private bool InsertOutOfOrder(Tcb* c, Block* block, byte* pointer, int length, uint seq, bool fromDevice)
    {
        // Small payload right behind a private block of the index is appended there: one-byte segments do not make nodes without end.
        if (fromDevice && length <= CopyBytesMax && c->OutOfOrderRoot != null)
        {
            SegmentNode* before = SegmentTree.FindFirstEndingAfter(c->OutOfOrderRoot, seq - 1);
            if (before != null && before->End == seq)
            {
                RxSegment* neighbour = (RxSegment*)before;
                if (neighbour->CanAppend && !neighbour->Fin
                    && neighbour->Data.Block->Capacity - neighbour->Data.Offset - neighbour->Data.Length >= length)
                {
                    Buffer.MemoryCopy(pointer, neighbour->Data.Pointer + neighbour->Data.Length, length, length);
                    neighbour->Data.Length += length;
                    neighbour->Node.End += (uint)length;
                    return true;
                }
            }
        }

        RxSegment* segment = NewRxSegment(block, pointer, length, seq, fromDevice);
        if (segment == null)
        {
            return false;
        }

        c->RcvMemory += segment->TrueSize;
        _receiveMemory += segment->TrueSize;
        c->OutOfOrderRoot = SegmentTree.Insert(c->OutOfOrderRoot, &segment->Node);
        return true;
    }

    /// <summary>A FIN out of order is an empty record one sequence number long.</summary>
    private void InsertOutOfOrderFin(Tcb* c, uint seq)
    {
        SegmentNode* held = SegmentTree.FindFirstEndingAfter(c->OutOfOrderRoot, seq);
        if (held != null && held->Start == seq)
        {
            return;
        }

        RxSegment* segment = _rxSegments.Rent(out uint index);
        if (segment == null)
        {
            ++Mib[TcpCounter.NoMemory];
            return;
        }

        segment->Index = index;
        segment->Fin = true;
        segment->Node.Start = seq;
        segment->Node.End = seq + 1;
        segment->TrueSize = sizeof(RxSegment);
        c->RcvMemory += segment->TrueSize;
        _receiveMemory += segment->TrueSize;
        c->OutOfOrderRoot = SegmentTree.Insert(c->OutOfOrderRoot, &segment->Node);
    }

    /// <summary>The hole may have closed: joins what is now in order to the queue.</summary>
    private void DrainOutOfOrder(Tcb* c)
    {
        SegmentNode* node;
        while ((node = SegmentTree.First(c->OutOfOrderRoot)) != null && Seq.Leq(node->Start, c->RcvNxt))
        {
            c->OutOfOrderRoot = SegmentTree.Remove(c->OutOfOrderRoot, node);
            RxSegment* segment = (RxSegment*)node;
            if (Seq.Leq(node->End, c->RcvNxt))
            {
                SetDsack(c, node->Start, node->End);
                FreeRxSegment(c, segment);
                continue;
            }

            if (segment->Fin)
            {
                FreeRxSegment(c, segment);
                HandleFin(c);
                return;
            }

            uint overlap = c->RcvNxt - node->Start;
            if (overlap > 0)
            {
                segment->Data.Offset += (int)overlap;
                segment->Data.Length -= (int)overlap;
                segment->Node.Start += overlap;
            }

            uint end = node->End;
            c->BytesReceived += end - c->RcvNxt;
            c->RcvNxt = end;

            // AppendReceived counts the memory again.
            c->RcvMemory -= segment->TrueSize;
            _receiveMemory -= segment->TrueSize;
            if (Has(c, TcbFlags.Orphan))
            {
                c->CopiedSeq = end;
                c->RcvMemory += segment->TrueSize;
                _receiveMemory += segment->TrueSize;
                FreeRxSegment(c, segment);
            }
            else
            {
                AppendReceived(c, segment);
            }
        }
    }

    private void FreeOutOfOrder(Tcb* c)
    {
        SegmentNode* node;
        while ((node = SegmentTree.First(c->OutOfOrderRoot)) != null)
        {
            c->OutOfOrderRoot = SegmentTree.Remove(c->OutOfOrderRoot, node);
            FreeRxSegment(c, (RxSegment*)node);
        }

        c->SackCount = 0;
        DropReport(c);
    }
}

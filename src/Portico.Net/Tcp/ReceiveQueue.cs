using System.Runtime.CompilerServices;

namespace Portico.Net;

// The receive queue's memory: payload by reference or by copy, what it counts for, and what is done when it is too much.
public sealed unsafe partial class TcpLayer
{
    /// <summary>
    /// Moves payload into the receive queue, or into the index of what came out of order: by reference to the packet's blocks, or by copy
    /// where it is small, so that a byte does not pin a block (attack class C13). Returns the sequence number that it got to: short of
    /// the end only when memory ran out.
    /// </summary>
    private uint TakePayload(Tcb* c, ref Arrival seg, int skip, int length, uint seq, bool outOfOrder = false)
    {
        Packet packet = seg.Packet;
        int at = seg.HeaderLength + skip;
        int linear = packet.LinearLength - at;
        if (linear > 0)
        {
            int take = Math.Min(linear, length);
            if (!TakeBytes(c, packet.LinearBlock, packet.LinearPointer + at, take, seq, true, outOfOrder))
            {
                return seq;
            }

            seq += (uint)take;
            length -= take;
            at = 0;
        }
        else
        {
            at = -linear;
        }

        for (int i = 0; i < packet.FragmentCount && length > 0; i++)
        {
            ref Slice slice = ref packet.Fragment(i);
            if (at >= slice.Length)
            {
                at -= slice.Length;
                continue;
            }

            int take = Math.Min(slice.Length - at, length);
            if (!TakeBytes(c, slice.Block, slice.Pointer + at, take, seq, false, outOfOrder))
            {
                return seq;
            }

            seq += (uint)take;
            length -= take;
            at = 0;
        }

        return seq;
    }

    private bool TakeBytes(Tcb* c, Block* block, byte* pointer, int length, uint seq, bool fromDevice, bool outOfOrder) =>
        outOfOrder ? InsertOutOfOrder(c, block, pointer, length, seq, fromDevice) : QueueBytes(c, block, pointer, length, seq, fromDevice);

    private bool QueueBytes(Tcb* c, Block* block, byte* pointer, int length, uint seq, bool fromDevice)
    {
        RxSegment* tail = c->RxTail;
        if (fromDevice && length <= CopyBytesMax && tail != null && tail->CanAppend
            && tail->Data.Block->Capacity - tail->Data.Offset - tail->Data.Length >= length)
        {
            Buffer.MemoryCopy(pointer, tail->Data.Pointer + tail->Data.Length, length, length);
            tail->Data.Length += length;
            tail->Node.End += (uint)length;
            ++Mib[TcpCounter.TCPRcvCoalesce];
            return true;
        }

        RxSegment* segment = NewRxSegment(block, pointer, length, seq, fromDevice);
        if (segment == null)
        {
            return false;
        }

        AppendReceived(c, segment);
        return true;
    }

    private RxSegment* NewRxSegment(Block* block, byte* pointer, int length, uint seq, bool fromDevice)
    {
        RxSegment* segment = _rxSegments.Rent(out uint index);
        if (segment == null)
        {
            ++Mib[TcpCounter.NoMemory];
            return null;
        }

        segment->Index = index;
        if (block == null || (fromDevice && length <= CopyBytesMax))
        {
            Block* own = _engine.Blocks.Rent(Math.Max(length, 1));
            if (own == null)
            {
                _rxSegments.Return(index);
                ++Mib[TcpCounter.NoMemory];
                return null;
            }

            Buffer.MemoryCopy(pointer, Block.Data(own), length, length);
            segment->Data.Block = own;
            segment->Data.Offset = 0;
            segment->CanAppend = true;
            segment->TrueSize = own->Capacity + Block.HeaderBytes;
        }
        else
        {
            BlockPool.AddReference(block);
            segment->Data.Block = block;
            segment->Data.Offset = (int)(pointer - Block.Data(block));

            // A block read from a device belongs to this payload alone; one that the sender also holds is counted there.
            segment->TrueSize = fromDevice ? block->Capacity + Block.HeaderBytes : length + Block.HeaderBytes;
        }

        segment->Data.Length = length;
        segment->Node.Start = seq;
        segment->Node.End = seq + (uint)length;
        return segment;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void AppendReceived(Tcb* c, RxSegment* segment)
    {
        segment->Next = null;
        if (c->RxTail == null)
        {
            c->RxHead = segment;
        }
        else
        {
            c->RxTail->Next = segment;
        }

        c->RxTail = segment;
        c->RcvMemory += segment->TrueSize;
        _receiveMemory += segment->TrueSize;
    }

    /// <summary>Takes the first segment out of the queue: all of it has been read.</summary>
    private void DropFirstReceived(Tcb* c)
    {
        RxSegment* first = c->RxHead;
        c->RxHead = first->Next;
        c->RxTail = c->RxHead == null ? null : c->RxTail;
        FreeRxSegment(c, first);
    }

    private void FreeRxSegment(Tcb* c, RxSegment* segment)
    {
        c->RcvMemory -= segment->TrueSize;
        _receiveMemory -= segment->TrueSize;
        if (segment->Data.Block != null)
        {
            _engine.Blocks.Release(segment->Data.Block);
        }

        _rxSegments.Return(segment->Index);
    }

    /// <summary>
    /// Whether memory allows one more segment. Over the buffer's limit, what lies beyond a hole is sacrificed first, then the queue is
    /// packed; the last resort is to drop (RFC 9293 allows it: nothing is acknowledged before it is queued).
    /// </summary>
    private bool MayQueue(Tcb* c, int length)
    {
        if (c->RcvMemory <= c->RcvBuf && _receiveMemory <= Settings.tcp_mem_high)
        {
            return true;
        }

        ++Mib[TcpCounter.PruneCalled];
        if (c->OutOfOrderRoot != null)
        {
            ++Mib[TcpCounter.OfoPruned];
            FreeOutOfOrder(c);
        }

        if (c->RcvMemory > c->RcvBuf || _receiveMemory > Settings.tcp_mem_high)
        {
            CollapseReceived(c);
        }

        // The window was promised in bytes: as long as the bytes themselves are within it, they are taken.
        return _receiveMemory <= Settings.tcp_mem_high && (c->RcvMemory <= c->RcvBuf || c->RcvNxt - c->CopiedSeq + (uint)length <= (uint)c->RcvBuf);
    }

    /// <summary>Packs the receive queue: many blocks with little in them become few full ones (Linux: tcp_collapse).</summary>
    private void CollapseReceived(Tcb* c)
    {
        RxSegment* first = c->RxHead;
        while (first != null && first->Next != null)
        {
            int total = first->Data.Length + first->Next->Data.Length;
            if (total > BlockPool.MediumBytes || first->TrueSize + first->Next->TrueSize < 2 * total)
            {
                first = first->Next;
                continue;
            }

            Block* packed = _engine.Blocks.Rent(BlockPool.MediumBytes);
            if (packed == null)
            {
                return;
            }

            int filled = 0;
            c->RcvMemory -= first->TrueSize;
            _receiveMemory -= first->TrueSize;
            Buffer.MemoryCopy(first->Data.Pointer, Block.Data(packed), packed->Capacity, first->Data.Length);
            filled += first->Data.Length;
            _engine.Blocks.Release(first->Data.Block);
            while (first->Next != null && filled + first->Next->Data.Length <= packed->Capacity)
            {
                RxSegment* eaten = first->Next;
                Buffer.MemoryCopy(eaten->Data.Pointer, Block.Data(packed) + filled, packed->Capacity - filled, eaten->Data.Length);
                filled += eaten->Data.Length;
                first->Next = eaten->Next;
                first->Node.End = eaten->Node.End;
                FreeRxSegment(c, eaten);
                ++Mib[TcpCounter.TCPRcvCollapsed];
            }

            first->Data = new Slice { Block = packed, Offset = 0, Length = filled };
            first->CanAppend = true;
            first->TrueSize = packed->Capacity + Block.HeaderBytes;
            c->RcvMemory += first->TrueSize;
            _receiveMemory += first->TrueSize;
            if (first->Next == null)
            {
                c->RxTail = first;
            }

            first = first->Next;
        }
    }

    private void FreeReceiveQueue(Tcb* c)
    {
        while (c->RxHead != null)
        {
            RxSegment* segment = c->RxHead;
            c->RxHead = segment->Next;
            FreeRxSegment(c, segment);
        }

        c->RxTail = null;
    }
}

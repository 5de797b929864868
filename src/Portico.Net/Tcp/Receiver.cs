using System.Runtime.CompilerServices;

namespace Portico.Net;

// The receiving side: payload into the queue, in order or beyond a hole, and the application reading it (RFC 9293 3.10.7.4 seventh
// step and 3.10.3, RFC 2018 4).
public sealed unsafe partial class TcpLayer
{
    /// <summary>Payload up to this size is copied to where the last bytes are rather than holding its packet's block.</summary>
    private const int CopyBytesMax = 512;

    /// <summary>The window that the peer may still fill (Linux: tcp_receive_window).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint ReceiveWindow(Tcb* c)
    {
        int window = (int)(c->RcvWup + c->RcvWnd - c->RcvNxt);
        return window < 0 ? 0 : (uint)window;
    }

    /// <summary>Header prediction's case: all of the payload is next in order and fits.</summary>
    private void QueueInOrder(Tcb* c, ref Arrival seg)
    {
        uint end = TakePayload(c, ref seg, 0, seg.Length, seg.Seq);
        uint length = end - seg.Seq;
        c->RcvNxt = end;
        c->BytesReceived += length;
        OnDataReceived(c, ref seg, (int)length);
        Notify(c, SocketEvents.Readable);
    }

    /// <summary>Payload and FIN of an acceptable segment, wherever in the window they lie.</summary>
    private void QueueData(Tcb* c, ref Arrival seg)
    {
        if (c->State is not (TcpState.Established or TcpState.FinWait1 or TcpState.FinWait2))
        {
            // RFC 9293 3.10.7.4: after the peer's FIN nothing more can come; ignored, but answered if it repeats.
            if (Seq.Lt(seg.Seq, c->RcvNxt))
            {
                SendDuplicateAck(c, ref seg);
            }

            return;
        }

        uint dataEnd = seg.Seq + (uint)seg.Length;
        bool fin = seg.Has(TcpFlags.Fin);
        uint windowEnd = c->RcvNxt + ReceiveWindow(c);
        if (Seq.Leq(seg.EndSeq, c->RcvNxt) && !(seg.Length == 0 && fin && seg.Seq == c->RcvNxt))
        {
            // All of it is old: the peer lacks our ACK (RFC 9293 3.10.7.4); DSACK tells it which (RFC 2883 4.1).
            ++Mib[TcpCounter.DelayedACKLost];
            SetDsack(c, seg.Seq, seg.EndSeq);
            EnterQuickAck(c, 2);
            c->Flags |= TcbFlags.AckScheduled | TcbFlags.AckNow;
            return;
        }

        if (Seq.Geq(seg.Seq, windowEnd) && !(seg.Seq == c->RcvNxt && seg.Length == 0 && fin))
        {
            // Beyond a window that is closed: a probe of a zero window.
            ++Mib[TcpCounter.TCPZeroWindowDrop];
            EnterQuickAck(c, 16);
            c->Flags |= TcbFlags.AckScheduled | TcbFlags.AckNow;
            return;
        }

        if (Seq.Gt(seg.Seq, c->RcvNxt))
        {
            QueueOutOfOrder(c, ref seg, windowEnd);
            return;
        }

        // In order, perhaps with a beginning that we have, perhaps with an end beyond the window.
        uint from = c->RcvNxt;
        if (Seq.Lt(seg.Seq, from))
        {
            SetDsack(c, seg.Seq, Seq.Min(from, dataEnd));
        }

        uint to = dataEnd;
        if (Seq.Gt(to, windowEnd))
        {
            to = windowEnd;
            fin = false;
        }

        int length = (int)(to - from);
        if (length > 0)
        {
            if (!MayQueue(c, length))
            {
                ++Mib[TcpCounter.TCPRcvQDrop];
                c->Flags |= TcbFlags.AckScheduled | TcbFlags.AckNow;
                return;
            }

            if (Has(c, TcbFlags.ReceiveShutdown))
            {
                // SHUT_RD: acknowledged and discarded.
                c->CopiedSeq += (uint)length;
                ++Mib[TcpCounter.DataAfterShutdown];
            }
            else
            {
                uint taken = TakePayload(c, ref seg, (int)(from - seg.Seq), length, from);
                fin &= taken == to;
                to = taken;
            }

            c->RcvNxt = to;
            c->BytesReceived += to - from;
            OnDataReceived(c, ref seg, length);
        }

        if (fin)
        {
            HandleFin(c);
            if (c->State is TcpState.Closed or TcpState.TimeWait)
            {
                return;
            }
        }

        if (c->OutOfOrderRoot != null)
        {
            DrainOutOfOrder(c);
            if (c->OutOfOrderRoot == null)
            {
                // RFC 5681 4.2: a segment that fills all or part of a gap is acknowledged at once.
                c->Flags |= TcbFlags.AckNow;
            }
        }

        if (c->State == TcpState.Closed)
        {
            return;
        }

        PruneSacks(c);
        Notify(c, SocketEvents.Readable);
    }

    /// <summary>
    /// Moves payload into the receive queue: by reference to the packet's blocks, or by copy where it is small, so that a byte does not
    /// pin a block (attack class C13). Returns the sequence number that it got to: short of the end only when memory ran out.
    /// </summary>
    private uint TakePayload(Tcb* c, ref Arrival seg, int skip, int length, uint seq)
    {
        Packet packet = seg.Packet;
        int at = seg.HeaderLength + skip;
        int linear = packet.LinearLength - at;
        if (linear > 0)
        {
            int take = Math.Min(linear, length);
            if (!TakeBytes(c, packet.LinearBlock, packet.LinearPointer + at, take, seq, true))
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
            if (!TakeBytes(c, slice.Block, slice.Pointer + at, take, seq, false))
            {
                return seq;
            }

            seq += (uint)take;
            length -= take;
            at = 0;
        }

        return seq;
    }

    private bool TakeBytes(Tcb* c, Block* block, byte* pointer, int length, uint seq, bool fromDevice)
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
            c->SackCount = 0;
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

    /// <summary>The eighth step: the peer's FIN, in order.</summary>
    private void HandleFin(Tcb* c)
    {
        c->RcvNxt++;
        c->Flags |= TcbFlags.FinReceived | TcbFlags.AckScheduled | TcbFlags.AckNow;
        FreeOutOfOrder(c);
        c->SackCount = 0;
        Notify(c, SocketEvents.Readable | SocketEvents.ReadHangUp);
        switch (c->State)
        {
            case TcpState.Established:
                SetState(c, TcpState.CloseWait);
                EnterPingPong(c);
                break;
            case TcpState.FinWait1:
                // Our FIN is not acknowledged yet, or AdvanceClosing would have moved us on: simultaneous close.
                SetState(c, TcpState.Closing);
                break;
            case TcpState.FinWait2:
                SendAck(c);
                EnterTimeWait(c);
                break;
        }
    }

    /// <summary>RFC 9293 3.10.3, RECEIVE: copies bytes in order to the application; the urgent byte is left out (see Urgent.cs).</summary>
    private int ReadBytes(Tcb* c, Span<byte> buffer, bool peek)
    {
        int copied = 0;
        uint seq = c->CopiedSeq;
        RxSegment* segment = c->RxHead;
        while (segment != null && copied < buffer.Length)
        {
            // The application may have read the beginning of the segment already.
            int offset = (int)(seq - segment->Node.Start);
            int count = Math.Min(segment->Data.Length - offset, buffer.Length - copied);
            int skip = 0;
            if (c->Urgent != UrgentState.None && !LimitByUrgent(c, seq, copied, ref count, ref skip))
            {
                break;
            }

            segment->Data.Span.Slice(offset + skip, count).CopyTo(buffer[copied..]);
            copied += count;
            seq += (uint)(count + skip);
            if (!peek)
            {
                c->CopiedSeq = seq;
                ForgetPassedUrgent(c);
            }

            if (Seq.Geq(seq, segment->Node.End))
            {
                RxSegment* done = segment;
                segment = done->Next;
                if (!peek)
                {
                    c->RxHead = segment;
                    c->RxTail = segment == null ? null : c->RxTail;
                    FreeRxSegment(c, done);
                }
            }
        }

        return copied;
    }
}

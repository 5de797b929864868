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

        // An ACK that waits tells of the last segment's duplicate only.
        c->Flags &= ~TcbFlags.DsackPending;
        uint dataEnd = seg.Seq + (uint)seg.Length;
        bool fin = seg.Has(TcpFlags.Fin);
        uint windowEnd = c->RcvNxt + ReceiveWindow(c);
        if (Seq.Leq(seg.EndSeq, c->RcvNxt) && !(seg.Length == 0 && fin && seg.Seq == c->RcvNxt))
        {
            // All of it is old: the peer lacks our ACK (RFC 9293 3.10.7.4); DSACK tells it which (RFC 2883 4.1).
            CountDrop(TcpCounter.DelayedACKLost);
            SetDsack(c, seg.Seq, seg.EndSeq);
            EnterQuickAck(c, QuickAcksMax);
            c->Flags |= TcbFlags.AckScheduled | TcbFlags.AckNow;
            return;
        }

        if (Seq.Geq(seg.Seq, windowEnd) && !(seg.Seq == c->RcvNxt && seg.Length == 0 && fin))
        {
            // Beyond a window that is closed: a probe of a zero window.
            CountDrop(TcpCounter.TCPZeroWindowDrop);
            EnterQuickAck(c, QuickAcksMax);
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
                CountDrop(TcpCounter.TCPRcvQDrop);
                c->Flags |= TcbFlags.AckScheduled | TcbFlags.AckNow;
                return;
            }

            if (Has(c, TcbFlags.Orphan))
            {
                // Nobody can read it any more. After SHUT_RD alone it is queued and read, as in Linux.
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

    /// <summary>The eighth step: the peer's FIN, in order.</summary>
    private void HandleFin(Tcb* c)
    {
        c->RcvNxt++;
        c->Flags |= TcbFlags.FinReceived | TcbFlags.AckScheduled | TcbFlags.AckNow;
        FreeOutOfOrder(c);
        Notify(c, SocketEvents.Readable | SocketEvents.ReadHangUp);
        switch (c->State)
        {
            case TcpState.Established:
                SetState(c, TcpState.CloseWait, TcpCause.FinReceived);
                EnterPingPong(c);
                break;
            case TcpState.FinWait1:
                // Our FIN is not acknowledged yet, or AdvanceClosing would have moved us on: simultaneous close.
                SetState(c, TcpState.Closing, TcpCause.FinReceived);
                break;
            case TcpState.FinWait2:
                SendAck(c);
                EnterTimeWait(c, TcpCause.FinReceived);
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
                segment = segment->Next;
                if (!peek)
                {
                    DropFirstReceived(c);
                }
            }
        }

        return copied;
    }
}

namespace Portico.Net;

// What has been written and not sent (Linux: sk_write_queue). It lies in segments from the beginning, each as long as one packet may be
// when it is written: where they end decides where PSH stands and what a later write is appended to.
public sealed unsafe partial class TcpLayer
{
    /// <summary>
    /// Most bytes of a segment: what a packet carries, in whole segments of MSS, but no more than half of the largest window, so that
    /// there are some to acknowledge each other (Linux: tcp_xmit_size_goal).
    /// </summary>
    private static uint SegmentGoal(Tcb* c, TcpSendFlags flags)
    {
        uint mss = CurrentMss(c);
        if ((flags & TcpSendFlags.OutOfBand) != 0)
        {
            return mss;
        }

        uint half = c->MaxWindow > 536 ? c->MaxWindow >> 1 : c->MaxWindow;
        uint goal = half != 0 && SuperSegmentBytes > half ? Math.Max(half, 28) : SuperSegmentBytes;
        return goal <= mss ? mss : goal - (goal % mss);
    }

    /// <summary>
    /// How many bytes a write may append now, in segments of <paramref name="goal"/>: what the last unsent one has room for, or a new one
    /// while the buffer is not full. So a write may exceed the buffer by most of a segment, as in Linux.
    /// </summary>
    private int AppendRoom(Tcb* c, uint goal)
    {
        SendSegment* tail = c->UnsentTail;
        uint length = tail == null || (tail->Marks & SegmentMarks.EndOfRecord) != 0 ? goal : tail->Node.End - tail->Node.Start;
        return length < goal ? (int)(goal - length) : SendRoom(c) > 0 && IsBelowNotSentLow(c) ? (int)goal : 0;
    }

    /// <summary>The receiver should hear of data at least every half window.</summary>
    private static bool IsPushDue(Tcb* c) => Seq.Gt(c->WriteSeq, c->PushedSeq + (c->MaxWindow >> 1));

    private static void MarkPush(Tcb* c, SendSegment* segment)
    {
        segment->Flags |= TcpFlags.Psh;
        c->PushedSeq = c->WriteSeq;
    }

    /// <summary>
    /// Makes segments of up to <paramref name="goal"/> bytes of what lies at the end of the block chain, <paramref name="first"/> being the
    /// block of the first or one before it, and sends what is full on the way, as one write(2) does, of which there may be
    /// <paramref name="more"/>. False without memory: nothing was queued then.
    /// </summary>
    private bool QueueWritten(Tcb* c, Block* first, uint bytes, uint goal, bool more, TcpSendFlags flags)
    {
        bool begins = !Has(c, TcbFlags.WriteContinues);
        while (bytes > 0)
        {
            SendSegment* tail = c->UnsentTail;
            uint length = tail == null ? 0 : tail->Node.End - tail->Node.Start;
            if (tail == null || length >= goal || (tail->Marks & SegmentMarks.EndOfRecord) != 0)
            {
                SendSegment* added = AddUnsent(c, first);
                if (added == null && tail == null)
                {
                    return false;
                }

                // Without memory for another the last one takes it all.
                length = added == null ? length : 0;
                goal = added == null ? length + bytes : goal;
                tail = c->UnsentTail;
            }

            if (begins)
            {
                tail->Flags &= ~TcpFlags.Psh;
                begins = false;
            }

            uint count = Math.Min(bytes, goal - length);
            tail->Node.End += count;
            c->WriteSeq += count;
            bytes -= count;
            if (bytes == 0 && !more)
            {
                if ((flags & TcpSendFlags.EndOfRecord) != 0)
                {
                    tail->Marks |= SegmentMarks.EndOfRecord;
                    if ((flags & TcpSendFlags.Partial) != 0)
                    {
                        // No record ends here, but the segment is full by something else than its bytes.
                        MarkPush(c, tail);
                    }
                }

                break;
            }

            if (tail->Node.End - tail->Node.Start < goal)
            {
                break;
            }

            if (IsPushDue(c))
            {
                MarkPush(c, tail);
                WriteOut(c, Nagle.Push);
            }
            else if (tail == c->UnsentHead)
            {
                WriteOut(c, Nagle.Push, Burst.One);
            }
        }

        SetFlag(c, TcbFlags.WriteContinues, more || (flags & TcpSendFlags.Partial) != 0);
        return true;
    }

    /// <summary>The end of a write, or the send buffer is full: what is queued goes out as far as it may (Linux: tcp_push).</summary>
    private void PushWritten(Tcb* c, TcpSendFlags flags, bool isBufferFull)
    {
        bool more = (flags & TcpSendFlags.More) != 0 && !isBufferFull;
        if (c->UnsentTail != null)
        {
            if (!more || IsPushDue(c))
            {
                MarkPush(c, c->UnsentTail);
            }

            Nagle nagle = isBufferFull ? Nagle.Push : more ? Nagle.Cork : NagleOf(c);
            PushPending(c, nagle);
        }
    }

    /// <summary>An empty segment at SND's end; null without memory.</summary>
    private SendSegment* AddUnsent(Tcb* c, Block* first)
    {
        SendSegment* segment = NewSegment(c);
        if (segment == null)
        {
            return null;
        }

        RestartAfterIdle(c);
        segment->Node.Start = segment->Node.End = c->WriteSeq;
        segment->Block = BlockAt(first, c->WriteSeq);
        segment->Previous = c->UnsentTail;
        if (c->UnsentTail == null)
        {
            c->UnsentHead = segment;
            StartActivity(c, SenderActivity.Busy);
        }
        else
        {
            c->UnsentTail->Next = segment;
        }

        c->UnsentTail = segment;
        c->Flags &= ~TcbFlags.PushOnce;
        return segment;
    }

    /// <summary>The FIN joins the last unsent segment, or makes one of its own. False without memory: it is tried again.</summary>
    private bool QueueFinSegment(Tcb* c)
    {
        if (c->UnsentTail == null && AddUnsent(c, c->SndBlockTail) == null)
        {
            return false;
        }

        if ((c->UnsentTail->Flags & TcpFlags.Fin) == 0)
        {
            c->UnsentTail->Flags |= TcpFlags.Fin;
            c->UnsentTail->Node.End++;
        }

        return true;
    }

    /// <summary>Takes the first unsent segment out of the queue.</summary>
    private static void UnlinkUnsent(Tcb* c)
    {
        SendSegment* next = c->UnsentHead->Next;
        c->UnsentHead = next;
        if (next == null)
        {
            c->UnsentTail = null;
        }
        else
        {
            next->Previous = null;
        }
    }

    /// <summary>Leaves <paramref name="length"/> bytes in an unsent segment; the rest, PSH and FIN make the next. False without memory.</summary>
    private bool SplitUnsent(Tcb* c, SendSegment* segment, uint length)
    {
        SendSegment* rest = NewSegment(c);
        if (rest == null)
        {
            return false;
        }

        rest->Node.Start = segment->Node.Start + length;
        rest->Node.End = segment->Node.End;
        rest->Block = BlockAt(segment->Block, rest->Node.Start);
        rest->Flags = segment->Flags & (TcpFlags.Fin | TcpFlags.Psh);
        rest->Marks = segment->Marks;
        rest->Previous = segment;
        rest->Next = segment->Next;
        segment->Node.End = rest->Node.Start;
        segment->Flags &= ~(TcpFlags.Fin | TcpFlags.Psh);
        segment->Marks &= ~SegmentMarks.EndOfRecord;
        if (segment->Next == null)
        {
            c->UnsentTail = rest;
        }
        else
        {
            segment->Next->Previous = rest;
        }

        segment->Next = rest;
        return true;
    }
}

using System.Runtime.CompilerServices;

namespace Portico.Net;

// TCP_NOTSENT_LOWAT: how much may wait unsent before the application is asked to wait, so that what it writes is not old before it is sent
// (Linux: tcp_stream_memory_free).
public sealed unsafe partial class TcpLayer
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private uint NotSentLow(Tcb* c)
    {
        uint own = c->Side == 0 ? 0 : _sides.At(c->Side)->NotSentLow;
        return own != 0 ? own : Settings.tcp_notsent_lowat;
    }

    private static uint UnsentBytes(Tcb* c) => Seq.Gt(c->WriteSeq, c->SndNxt) ? c->WriteSeq - c->SndNxt : 0;

    /// <summary>Whether so little is unsent that more may be written.</summary>
    private bool IsBelowNotSentLow(Tcb* c) => UnsentBytes(c) < NotSentLow(c);

    /// <summary>The same for waking a writer, who is to find room for more than a few bytes.</summary>
    private bool IsFarBelowNotSentLow(Tcb* c) => (ulong)UnsentBytes(c) << 1 < NotSentLow(c);

    private Errno SetNotSentLow(Tcb* c, uint bytes)
    {
        TcpSide* side = bytes == 0 && c->Side == 0 ? null : NeedSide(c);
        if (side == null)
        {
            return bytes == 0 ? Errno.None : Errno.ENOBUFS;
        }

        side->NotSentLow = bytes;
        TellOfRoom(c);
        return Errno.None;
    }

    /// <summary>
    /// How much may be written before the limit is asked again: the last unsent segment is filled up, and another is begun only below the
    /// limit.
    /// </summary>
    private uint RoomBelowNotSentLow(Tcb* c, TcpSendFlags flags)
    {
        uint mss = CurrentMss(c);
        uint goal = (flags & TcpSendFlags.OutOfBand) != 0 ? mss : SegmentGoal(c, mss);
        SendSegment* tail = c->UnsentTail;
        uint length = tail == null ? 0 : tail->Node.End - tail->Node.Start;
        bool isOpen = tail != null && length < goal && (tail->Marks & SegmentMarks.EndOfRecord) == 0;
        return isOpen ? goal - length : IsBelowNotSentLow(c) ? goal : 0;
    }

    /// <summary>A write where there is such a limit, segment by segment.</summary>
    private Errno SendBelowLow(Tcb* c, ReadOnlySpan<byte> data, TcpSendFlags flags, out int sent)
    {
        sent = 0;
        NoteAppLimited(c);
        while (sent < data.Length)
        {
            int part = (int)Math.Min((uint)Math.Max(0, Math.Min(SendRoom(c), data.Length - sent)), RoomBelowNotSentLow(c, flags));
            Block* last = c->SndBlockTail;
            int lastEnd = last == null ? 0 : last->End;
            int copied = part == 0 ? 0 : CopyIn(c, data.Slice(sent, part));
            bool isLast = sent + copied == data.Length;
            if (copied == 0)
            {
                break;
            }

            if (!QueueWritten(c, last == null ? c->SndBlockHead : last, (uint)copied, isLast ? flags : flags | TcpSendFlags.Partial))
            {
                DropCopied(c, last, lastEnd);
                break;
            }

            sent += copied;
            if (!isLast)
            {
                PushFull(c, c->UnsentTail);
            }
        }

        bool isFull = sent < data.Length;
        if (sent == 0 && isFull)
        {
            return RefuseWrite(c, Errno.EAGAIN);
        }

        AfterAppend(c, flags, isFull);
        return Errno.None;
    }

    /// <summary>After an ACK and what it has let out: there may be room again that somebody waits for (Linux: tcp_check_space).</summary>
    private void TellOfRoom(Tcb* c)
    {
        if (Has(c, TcbFlags.NoSpace) && SendRoom(c) >= QueuedBytes(c) / 2 && IsFarBelowNotSentLow(c))
        {
            c->Flags &= ~TcbFlags.NoSpace;
            StopActivity(c, SenderActivity.BufferLimited);
            Notify(c, SocketEvents.Writable);
        }
    }
}

namespace Portico.Net;

// RFC 9293 3.10.2 to 3.10.6: SEND, RECEIVE, CLOSE, ABORT, STATUS, with Linux's errors.
public sealed unsafe partial class TcpLayer
{
    /// <summary>
    /// Copies bytes into the send buffer, as many as fit. Errors: EAGAIN when none fit or the connection is being opened, EPIPE after
    /// shutdown, EBADF for a stale handle, ENOBUFS without memory, or the connection's pending error (ECONNRESET, ETIMEDOUT, ...).
    /// With <paramref name="stamps"/> (SOF_TIMESTAMPING_TX_*) the error queue tells when the last of the bytes is sent and acknowledged,
    /// if all of them are taken; see <see cref="StampWritten"/>.
    /// </summary>
    public Errno Send(TcpHandle handle, ReadOnlySpan<byte> data, TcpSendFlags flags, out int sent, TimestampingFlags stamps = TimestampingFlags.None)
    {
        sent = 0;
        Tcb* c = Find(handle);
        if (c == null)
        {
            return Errno.EBADF;
        }

        Errno error = CheckSend(c);
        if (error != Errno.None)
        {
            return error;
        }

        uint goal = SegmentGoal(c, flags);
        int room = AppendRoom(c, goal);
        if (data.Length > 0 && room == 0)
        {
            return RefuseWrite(c, Errno.EAGAIN);
        }

        NoteAppLimited(c);
        bool isFull = false;
        while (sent < data.Length && !isFull)
        {
            int wanted = Math.Min(room, data.Length - sent);
            int count = Append(c, data.Slice(sent, wanted), data.Length - sent, goal, flags);
            sent += count;
            isFull = count < wanted || wanted == 0;
            if (sent < data.Length)
            {
                goal = SegmentGoal(c, flags);
                room = AppendRoom(c, goal);
            }
        }

        if (sent == 0 && data.Length > 0)
        {
            return RefuseWrite(c, Errno.ENOBUFS);
        }

        if ((flags & TcpSendFlags.OutOfBand) != 0 && !isFull && sent > 0)
        {
            c->Flags |= TcbFlags.UrgentMode;
            c->SndUp = c->WriteSeq;
        }

        if (stamps != TimestampingFlags.None && !isFull && sent > 0 && (flags & TcpSendFlags.Partial) == 0)
        {
            StampTail(c, stamps);
        }

        AfterAppend(c, flags, isFull);
        return Errno.None;
    }

    /// <summary>Appends a part of a write that fits into one segment; returns how much memory there was for.</summary>
    private int Append(Tcb* c, ReadOnlySpan<byte> data, int whole, uint goal, TcpSendFlags flags)
    {
        Block* last = c->SndBlockTail;
        int lastEnd = last == null ? 0 : last->End;
        int count = CopyIn(c, data, whole);
        if (count > 0 && !QueueWritten(c, last == null ? c->SndBlockHead : last, (uint)count, goal, count < whole, flags))
        {
            DropCopied(c, last, lastEnd);
            return 0;
        }

        return count;
    }

    private void AfterAppend(Tcb* c, TcpSendFlags flags, bool isFull)
    {
        if (isFull)
        {
            c->Flags = (c->Flags | TcbFlags.NoSpace) & ~TcbFlags.WriteContinues;
        }

        if (isFull || (flags & TcpSendFlags.Partial) == 0)
        {
            PushWritten(c, flags, isFull);
        }
        else if (c->PacketsOut == 0 && c->Pending == PendingTimer.None)
        {
            // Should the rest never come, this goes out all the same.
            ArmPersist(c);
        }

        Reap();
    }

    /// <summary>There is no room for (the rest of) a write: what was queued of it goes out, and the application hears of room.</summary>
    private Errno RefuseWrite(Tcb* c, Errno error)
    {
        c->Flags |= TcbFlags.NoSpace;
        if (Has(c, TcbFlags.WriteContinues))
        {
            c->Flags &= ~TcbFlags.WriteContinues;
            PushWritten(c, TcpSendFlags.None, true);
        }

        return error;
    }

    private static Errno CheckSend(Tcb* c)
    {
        if (c->State is TcpState.Established or TcpState.CloseWait || (c->State == TcpState.SynReceived && Has(c, TcbExtras.FastOpenPending)))
        {
            return Errno.None;
        }

        if (c->Error != 0)
        {
            return TakePendingError(c);
        }

        return c->State switch
        {
            TcpState.SynSent or TcpState.SynReceived => Errno.EAGAIN,
            _ => Errno.EPIPE,
        };
    }

    /// <summary>
    /// Copies received bytes out. None with 0 bytes is the end of the stream. Errors: EAGAIN, EBADF for a stale handle, or the pending
    /// error; with <see cref="TcpReceiveFlags.OutOfBand"/> EINVAL without urgent data.
    /// </summary>
    public Errno Receive(TcpHandle handle, Span<byte> buffer, TcpReceiveFlags flags, out int received)
    {
        received = 0;
        Tcb* c = Find(handle);
        if (c == null)
        {
            return Errno.EBADF;
        }

        bool peek = (flags & TcpReceiveFlags.Peek) != 0;
        if ((flags & TcpReceiveFlags.OutOfBand) != 0)
        {
            return ReadUrgent(c, buffer, peek, out received);
        }

        if (c->RxHead != null && buffer.Length > 0)
        {
            received = ReadBytes(c, buffer, peek);
            if (received > 0)
            {
                if (!peek)
                {
                    AfterRead(c, received);
                    Reap();
                }

                return Errno.None;
            }
        }

        // The end of the stream comes before an error that has come behind it, as in Linux (SOCK_DONE).
        if (c->Error != 0 && !Has(c, TcbFlags.FinReceived))
        {
            return TakePendingError(c);
        }

        if (Has(c, TcbFlags.FinReceived | TcbFlags.ReceiveShutdown) || c->State == TcpState.Closed || buffer.Length == 0)
        {
            return Errno.None;
        }

        return Errno.EAGAIN;
    }

    /// <summary>Ends one or both directions. Errors: ENOTCONN, EBADF.</summary>
    public Errno Shutdown(TcpHandle handle, TcpShutdown how)
    {
        Tcb* c = Find(handle);
        if (c == null)
        {
            return Errno.EBADF;
        }

        if (c->State == TcpState.Closed)
        {
            return Errno.ENOTCONN;
        }

        if (how is TcpShutdown.Receive or TcpShutdown.Both)
        {
            c->Flags |= TcbFlags.ReceiveShutdown;
            Notify(c, SocketEvents.Readable | SocketEvents.ReadHangUp);
        }

        if (how is TcpShutdown.Send or TcpShutdown.Both)
        {
            if (c->State == TcpState.SynSent)
            {
                Finish(c, Errno.None, TcpCause.Close);
            }
            else
            {
                QueueFin(c);
            }

            if (c->State != TcpState.Closed)
            {
                Notify(c, SocketEvents.Writable);
            }
        }

        Reap();
        return Errno.None;
    }

    /// <summary>RFC 9293 3.10.4: the FIN follows the last byte, and the state changes now.</summary>
    private void QueueFin(Tcb* c)
    {
        if (Has(c, TcbFlags.FinQueued))
        {
            return;
        }

        switch (c->State)
        {
            case TcpState.Established or TcpState.SynReceived:
                c->Flags |= TcbFlags.FinQueued;
                if (c->State == TcpState.Established || Has(c, TcbExtras.FastOpenPending))
                {
                    SetState(c, TcpState.FinWait1, TcpCause.Close);
                }

                break;
            case TcpState.CloseWait:
                c->Flags |= TcbFlags.FinQueued;
                SetState(c, TcpState.LastAck, TcpCause.Close);
                break;
            default:
                return;
        }

        // What is held back goes with it. Without memory for it now, the timer tries again.
        c->Flags &= ~TcbFlags.WriteContinues;
        QueueFinSegment(c);
        PushPending(c, Nagle.Off);
    }

    /// <summary>
    /// Gives the connection up: it finishes on its own (FIN, retransmissions, TIME-WAIT) as after close(2), or is reset where unread
    /// data is left (RFC 2525 2.17) or SO_LINGER is 0. The handle is dead from here on.
    /// </summary>
    public void Close(TcpHandle handle)
    {
        Tcb* c = Find(handle);
        if (c == null)
        {
            return;
        }

        bool unread = c->RxHead != null;
        Orphan(c);
        if (c->State == TcpState.Closed)
        {
            Doom(c);
        }
        else if (unread)
        {
            ++Mib[TcpCounter.TCPAbortOnClose];
            SendResetFor(c);
            Finish(c, Errno.None, TcpCause.UnreadData);
        }
        else if (c->LingerSeconds == 0)
        {
            ++Mib[TcpCounter.TCPAbortOnData];
            SendResetFor(c);
            Finish(c, Errno.None, TcpCause.Linger);
        }
        else if (c->State == TcpState.SynSent)
        {
            Finish(c, Errno.None, TcpCause.Close);
        }
        else if (_orphanCount > Settings.tcp_max_orphans)
        {
            ++Mib[TcpCounter.TCPAbortOnMemory];
            SendResetFor(c);
            Finish(c, Errno.None, TcpCause.OutOfResources);
        }
        else
        {
            QueueFin(c);
            if (c->State == TcpState.FinWait2)
            {
                EnterOrphanFinWait2(c);
            }
        }

        Reap();
    }

    /// <summary>
    /// The first half of a <see cref="Close(TcpHandle)"/> whose caller waits for what is on its way (SO_LINGER of socket(7)): nothing can be read or written any more,
    /// and the owner hears when <see cref="IsClosing"/> has changed. False where there is nothing to wait for.
    /// </summary>
    public bool BeginClose(TcpHandle handle)
    {
        Tcb* c = Find(handle);
        bool mayWait = c != null && c->RxHead == null && c->LingerSeconds != 0 && c->State is not (TcpState.Closed or TcpState.SynSent);
        return mayWait && Shutdown(handle, TcpShutdown.Both) == Errno.None && IsClosing(handle);
    }

    /// <summary>Whether a FIN has been queued that the peer has not acknowledged; false for a stale handle.</summary>
    public bool IsClosing(TcpHandle handle)
    {
        Tcb* c = Find(handle);
        return c != null && c->State is (TcpState.FinWait1 or TcpState.Closing or TcpState.LastAck);
    }

    /// <summary>Resets the connection (RFC 9293 3.10.5); the handle is dead from here on.</summary>
    public void Abort(TcpHandle handle)
    {
        Tcb* c = Find(handle);
        if (c == null)
        {
            return;
        }

        Orphan(c);
        if (c->State == TcpState.Closed)
        {
            Doom(c);
        }
        else
        {
            _engine.CatchUp();
            ++Mib[TcpCounter.TCPAbortOnClose];
            SendResetFor(c);
            Finish(c, Errno.None, TcpCause.Abort);
        }

        Reap();
    }

    private void Orphan(Tcb* c)
    {
        if (c->Owner != 0)
        {
            _engine.UnregisterOwner(c->Owner);
            c->Owner = 0;
        }

        // The generation moves on when the record is freed; until then the handle must not find it either.
        c->Flags |= TcbFlags.Orphan | TcbFlags.ReceiveShutdown;
        _orphanCount++;
        FreeReceiveQueue(c);
        c->CopiedSeq = c->RcvNxt;
    }

    /// <summary>
    /// FIONREAD: the bytes that can be read in one go, which is up to the urgent mark (tcp(7)). 0 for a handle that is not open.
    /// </summary>
    public int ReadableBytes(TcpHandle handle)
    {
        Tcb* c = Find(handle);
        if (c == null || c->State is TcpState.SynSent or TcpState.SynReceived || c->RxHead == null)
        {
            return 0;
        }

        bool isLimited = c->Urgent != UrgentState.None && !Has(c, TcbFlags.OobInline) && !Seq.Lt(c->RcvUp, c->CopiedSeq)
            && Seq.Lt(c->RcvUp, c->RcvNxt);
        return (int)(isLimited ? c->RcvUp - c->CopiedSeq : c->RcvNxt - c->CopiedSeq - (Has(c, TcbFlags.FinReceived) ? 1u : 0));
    }

    /// <summary>
    /// SIOCOUTQ: what has been written and is not acknowledged, a FIN included (tcp(7)). 0 for a handle that is not open.
    /// </summary>
    public int UnacknowledgedBytes(TcpHandle handle)
    {
        Tcb* c = Find(handle);
        return c == null || c->State is TcpState.SynSent or TcpState.SynReceived
            ? 0
            : Math.Max(0, (int)(c->WriteSeq + (Has(c, TcbFlags.FinQueued) ? 1u : 0) - c->SndUna));
    }

    /// <summary>
    /// Has the owner told, by <see cref="SocketEvents.Error"/>, of the next acknowledgment of data: for who waits for what it has sent to be
    /// received (MSG_ZEROCOPY). <see cref="UnacknowledgedBytes"/> then says how much is left. False for a connection that is gone.
    /// </summary>
    public bool TellOfAcknowledgment(TcpHandle handle)
    {
        Tcb* c = Find(handle);
        if (c == null)
        {
            return false;
        }

        c->Flags |= TcbFlags.TellsAcknowledgment;
        return true;
    }

    /// <summary>Whether the next byte is the urgent one, which only MSG_OOB reads, and nothing is behind it.</summary>
    public bool IsHeldUpByUrgentByte(TcpHandle handle)
    {
        Tcb* c = Find(handle);
        return c != null && IsOnlyUrgentByteLeft(c);
    }

    /// <summary>What the connection is ready for, as poll(2) would say.</summary>
    public SocketEvents Poll(TcpHandle handle)
    {
        Tcb* c = Find(handle);
        if (c == null)
        {
            return SocketEvents.Error | SocketEvents.HangUp;
        }

        SocketEvents events = c->Error != 0 || HasQueuedErrors(c) ? SocketEvents.Error : SocketEvents.None;
        bool closed = c->State == TcpState.Closed;
        if (closed || (Has(c, TcbFlags.ReceiveShutdown) && Has(c, TcbFlags.FinQueued)))
        {
            events |= SocketEvents.HangUp;
        }

        if (closed || Has(c, TcbFlags.FinReceived | TcbFlags.ReceiveShutdown))
        {
            events |= SocketEvents.Readable | SocketEvents.ReadHangUp;
        }

        if (c->State is TcpState.SynSent or TcpState.SynReceived && !Has(c, TcbExtras.FastOpenPending))
        {
            return Has(c, TcbExtras.DeferredConnect) ? events | SocketEvents.Writable : events;
        }

        if (c->RxHead != null && !IsOnlyUrgentByteLeft(c))
        {
            events |= SocketEvents.Readable;
        }

        if (closed || Has(c, TcbFlags.FinQueued) || (SendRoom(c) >= Math.Max(QueuedMemory(c) / 2, 1) && IsBelowNotSentLow(c)))
        {
            events |= SocketEvents.Writable;
        }
        else
        {
            c->Flags |= TcbFlags.NoSpace;
        }

        if (c->Urgent == UrgentState.Valid)
        {
            events |= SocketEvents.Priority;
        }

        return events;
    }

    /// <summary>Reads and clears the pending error (SO_ERROR).</summary>
    public Errno TakeError(TcpHandle handle)
    {
        Tcb* c = Find(handle);
        return c == null ? Errno.EBADF : TakePendingError(c);
    }

    private static Errno TakePendingError(Tcb* c)
    {
        Errno error = (Errno)c->Error;
        c->Error = 0;
        return error;
    }
}

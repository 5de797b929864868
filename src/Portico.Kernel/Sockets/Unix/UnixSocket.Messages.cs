using System.Runtime.InteropServices;
using Portico.Net;

namespace Portico.Kernel;

// Messages: what they cost their sender, and what goes with them: descriptors and credentials (control messages; unix(7)).
internal sealed partial class UnixSocket
{
    /// <summary>Messages that hold this socket, in others' queues or its own.</summary>
    public UnixHold? FirstHold { get; private set; }

    /// <summary>How many those are.</summary>
    public int HoldCount { get; private set; }

    /// <summary>The search for cycles that has come here last.</summary>
    public int LastSearch { get; set; }

    /// <summary>
    /// Whether somebody can still make calls on it: more than messages refer to it, or it is being accepted. A connection that waits to be
    /// accepted is what its listener is.
    /// </summary>
    public bool IsInUse => _description is { } description ? description.ReferenceCount > HoldCount : Listener == null;

    private bool HasUnread => _queue.First is { } first && (SocketKind != SocketType.SOCK_STREAM || first.Remaining > 0 || first.Next != null);

    public void AddHold(UnixHold hold, UnixSocket receiver)
    {
        HoldCount++;
        hold.Receiver = receiver;
        hold.Previous = null;
        hold.Next = FirstHold;
        if (FirstHold != null)
        {
            FirstHold.Previous = hold;
        }

        FirstHold = hold;
    }

    public void RemoveHold(UnixHold hold)
    {
        HoldCount--;
        if (hold.Previous == null)
        {
            FirstHold = hold.Next;
        }
        else
        {
            hold.Previous.Next = hold.Next;
        }

        if (hold.Next != null)
        {
            hold.Next.Previous = hold.Previous;
        }

        hold.Next = hold.Previous = null;
        hold.Receiver = null!;
    }

    /// <summary>Throws away what has not been read.</summary>
    public void DropMessages()
    {
        _outOfBand = null;
        while (_queue.First is { } message)
        {
            Remove(message);
        }
    }

    /// <summary>
    /// Reads the control messages of a send, once. Errors: EINVAL for one that makes no sense or too many descriptors, EBADF, EPERM and ESRCH
    /// for the credentials of somebody else.
    /// </summary>
    private Errno ReadControl(ref SocketMessage message)
    {
        if (message.Unix.IsRead)
        {
            return Errno.None;
        }

        message.Unix.IsRead = true;
        message.Unix.Credentials = UnixCredentials.None;
        ControlReader reader = new(message.Control);
        Errno error;
        while (reader.TryRead(out int level, out int type, out ReadOnlySpan<byte> data, out error))
        {
            if (level == (int)SocketLevel.SOL_SOCKET)
            {
                error = (ControlMessageType)type switch
                {
                    ControlMessageType.SCM_RIGHTS => ReadRights(MemoryMarshal.Cast<byte, int>(data), ref message),
                    ControlMessageType.SCM_CREDENTIALS => ReadCredentials(data, ref message),
                    _ => Errno.EINVAL,
                };
            }

            if (error != Errno.None)
            {
                break;
            }
        }

        return error;
    }

    private Errno ReadRights(ReadOnlySpan<int> descriptors, ref SocketMessage message)
    {
        if (descriptors.Length + (message.Unix.Rights?.Count ?? 0) > UnixRights.Max)
        {
            return Errno.EINVAL;
        }

        Process caller = _all.Caller;
        foreach (int fd in descriptors)
        {
            if (!caller.Descriptors.TryGet(fd, out OpenFileDescription? description))
            {
                return Errno.EBADF;
            }

            description.AddReference();
            (message.Unix.Rights ??= _all.TakeRights(caller)).Add(description);
        }

        return Errno.None;
    }

    private Errno ReadCredentials(ReadOnlySpan<byte> data, ref SocketMessage message)
    {
        if (data.Length != UnixCredentials.Bytes)
        {
            return Errno.EINVAL;
        }

        Process caller = _all.Caller;
        UnixCredentials given = MemoryMarshal.Read<UnixCredentials>(data);
        if (!caller.IsPrivileged && given != UnixCredentials.Of(caller))
        {
            return Errno.EPERM;
        }

        if (given.UserId == -1 || given.GroupId == -1)
        {
            return Errno.EINVAL;
        }

        if (given.ProcessId != caller.Id && _all.Kernel.Find(given.ProcessId) == null)
        {
            return Errno.ESRCH;
        }

        message.Unix.Credentials = given;
        return Errno.None;
    }

    /// <summary>Errors: the pending error, EPIPE, EAGAIN.</summary>
    private Errno CheckRoomToSend()
    {
        Errno error = TakeError();
        return error != Errno.None ? error
            : (_shutdown & ShutForWriting) != 0 ? Errno.EPIPE
            : HasRoomToSend ? Errno.None : Errno.EAGAIN;
    }

    private Errno CheckRights(in SocketMessage message) =>
        message.Unix.Rights != null && _all.HasTooManyInFlight(_all.Caller) ? Errno.ETOOMANYREFS : Errno.None;

    private UnixMessage Queue(UnixSocket receiver, ref IoCursor source, ref SocketMessage message, int length, int trueSize)
    {
        UnixMessage sent = _all.TakeMessage();
        sent.Fill(this, ref source, length, trueSize);
        _charged += trueSize;
        bool isAsked = PassesCredentials || receiver.PassesCredentials || receiver._description == null;
        sent.Credentials = message.Unix.Credentials.IsNone && isAsked ? UnixCredentials.Of(_all.Caller) : message.Unix.Credentials;
        if (message.Unix.Rights is { } rights)
        {
            message.Unix.Rights = null;
            sent.Rights = rights;
            _all.OnQueued(rights, receiver);
        }

        receiver._queue.Add(sent);
        receiver.NotifyArrival();
        return sent;
    }

    /// <summary>Takes a message out of the queue for good; its sender has its memory back.</summary>
    private void Remove(UnixMessage message)
    {
        UnixSocket sender = message.Sender;
        UnixRights? rights = message.Rights;
        _queue.Remove(message);
        sender._charged -= message.TrueSize;
        if (sender.IsWritable && !sender.IsDead)
        {
            sender.Waiters.Notify(WriteRoom, Driver);
        }

        message.Rights = null;
        _all.Return(message);
        if (rights != null)
        {
            _all.OnUnqueued(rights);
            _all.Drop(rights);
        }
    }

    /// <summary>Takes the descriptors out of a message, for the caller.</summary>
    private void TakeRights(UnixMessage from, ref SocketMessage message)
    {
        if (from.Rights is { } rights)
        {
            from.Rights = null;
            _all.OnUnqueued(rights);
            message.Unix.Rights = rights;
        }
    }

    /// <summary>
    /// Writes the control messages of what was received: credentials first, then descriptors, as many as the caller has room for, in the
    /// buffer and in its table (F8); the others are closed. A peek leaves the message its own.
    /// </summary>
    private void DeliverControl(ref SocketMessage message, bool peeks)
    {
        const int Level = (int)SocketLevel.SOL_SOCKET;
        if (PassesCredentials)
        {
            UnixCredentials shown = message.Unix.HasCredentials ? message.Unix.Credentials.Shown : default;
            message.ReceivedControl.Put(Level, (int)ControlMessageType.SCM_CREDENTIALS, MemoryMarshal.AsBytes(new ReadOnlySpan<UnixCredentials>(ref shown)));
        }

        if (message.Unix.Rights is { } rights)
        {
            message.Unix.Rights = null;
            Span<int> installed = stackalloc int[UnixRights.Max];
            int room = Math.Min(rights.Count, message.ReceivedControl.DataRoom / sizeof(int));
            bool closeOnExec = (message.Flags & MessageFlags.MSG_CMSG_CLOEXEC) != 0;
            int count = 0;
            while (count < room && _all.Caller.InstallReceived(rights[count], closeOnExec, out installed[count]) == Errno.None)
            {
                count++;
            }

            if (count > 0)
            {
                message.ReceivedControl.Put(Level, (int)ControlMessageType.SCM_RIGHTS, MemoryMarshal.AsBytes(installed[..count]));
            }

            message.ReceivedControl.IsTruncated |= count < rights.Count;
            if (!peeks)
            {
                _all.Drop(rights);
            }
        }

        message.ReturnedFlags |= message.ReceivedControl.IsTruncated ? MessageFlags.MSG_CTRUNC : MessageFlags.None;
    }
}

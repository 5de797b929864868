using System.Buffers;
using Portico.Net;

namespace Portico.Kernel;

// Datagrams, with or without a connection. Nothing is lost on the way: who sends to a full queue waits.
internal sealed partial class UnixSocket
{
    /// <summary>A datagram has to be shorter than the send buffer by this much.</summary>
    private const int DatagramOverhead = 32;

    private Errno SendDatagram(ref IoCursor source, ref SocketMessage message, out long count)
    {
        count = 0;
        if ((message.Flags & MessageFlags.MSG_OOB) != 0)
        {
            return Errno.EOPNOTSUPP;
        }

        // A connection has only one other end, and its address is passed over.
        bool hasAddress = !message.Address.IsEmpty && SocketKind == SocketType.SOCK_DGRAM;
        Errno error = hasAddress ? UnixAddress.Validate(message.Address) : Errno.None;
        if (error == Errno.None && PassesCredentials)
        {
            error = BindAutomatically();
        }

        if (error == Errno.None && source.Remaining > Generic.SendBuffer - DatagramOverhead)
        {
            error = Errno.EMSGSIZE;
        }

        error = error == Errno.None ? CheckRoomToSend() : error;
        error = error == Errno.None ? CheckRights(message) : error;
        error = error == Errno.None && source.Lacks(source.Remaining) ? Errno.EFAULT : error;
        UnixSocket? other = _peer;
        if (error == Errno.None)
        {
            error = hasAddress ? Find(message.Address, out other) : other == null ? Errno.ENOTCONN : Errno.None;
        }

        int kept = (int)source.Remaining;
        if (error == Errno.None && other!.Filter is { } filter && !Filters(filter, source, ref kept))
        {
            // The sender is not told that nobody gets it.
            count = source.Remaining;
            return Errno.None;
        }

        error = error == Errno.None ? CheckReceiver(other!, message) : error;
        if (error == Errno.None)
        {
            count = source.Remaining;
            Queue(other!, ref source, ref message, kept, UnixTrueSize.OfDatagram((int)count));
        }

        return error;
    }

    /// <summary>How much of a message its receiver's filter leaves; false where that is nothing of it.</summary>
    private bool Filters(SocketFilter filter, IoCursor source, ref int length)
    {
        byte[] bytes = ArrayPool<byte>.Shared.Rent(length);
        source.Read(bytes.AsSpan(0, length));
        uint wanted = filter.Run(bytes.AsSpan(0, length), Stack.Engine.Random);
        ArrayPool<byte>.Shared.Return(bytes);
        length = (int)Math.Min(wanted, (uint)length);
        return wanted > 0;
    }

    private Errno CheckReceiver(UnixSocket other, in SocketMessage message)
    {
        if (!other.TakesFrom(this))
        {
            return Errno.EPERM;
        }

        if (other.IsDead)
        {
            if (SocketKind == SocketType.SOCK_SEQPACKET)
            {
                return Errno.EPIPE;
            }

            if (_peer == other)
            {
                _peer = null;
                _stage = Stage.Unconnected;
                OnDisconnected(other);
            }

            return Errno.ECONNREFUSED;
        }

        if ((other._shutdown & ShutForReading) != 0)
        {
            return Errno.EPIPE;
        }

        if (message.Unix.Rights != null && !other.PassesRights)
        {
            return Errno.EPERM;
        }

        if (other == this || other._peer == this || !other.IsFull)
        {
            return Errno.None;
        }

        if (_peer == other || (MayWait && (message.Flags & MessageFlags.MSG_DONTWAIT) == 0))
        {
            WaitAt(other);
        }

        return Errno.EAGAIN;
    }

    private Errno ReceiveDatagram(ref IoCursor destination, ref SocketMessage message, out long count)
    {
        count = 0;
        if (SocketKind == SocketType.SOCK_SEQPACKET && _stage != Stage.Connected)
        {
            return Errno.ENOTCONN;
        }

        if ((message.Flags & MessageFlags.MSG_OOB) != 0)
        {
            return Errno.EOPNOTSUPP;
        }

        Errno error = TakeError();
        if (error != Errno.None)
        {
            return error;
        }

        bool peeks = (message.Flags & MessageFlags.MSG_PEEK) != 0;
        int skip = 0;
        UnixMessage? first = peeks ? PeekDatagram(out skip) : _queue.First;
        if (first == null)
        {
            // A datagram socket that does not wait is not told of the end.
            bool waits = MayWait && (message.Flags & MessageFlags.MSG_DONTWAIT) == 0;
            bool isEnd = (_shutdown & ShutForReading) != 0 && (waits || SocketKind == SocketType.SOCK_SEQPACKET);
            return isEnd ? Errno.None : Errno.EAGAIN;
        }

        NotifyPeerWaiters();
        NoteAddress(first, ref message);
        int length = first.Remaining - skip;
        int copied = destination.Write(first.Unread[skip..]);
        message.ReturnedFlags |= copied < length ? MessageFlags.MSG_TRUNC : MessageFlags.None;
        message.Unix.HasCredentials = true;
        message.Unix.Credentials = first.Credentials;
        if (peeks)
        {
            MovePeekOffset(copied);
            message.Unix.Rights = first.Rights;
        }
        else
        {
            MovePeekOffset(-first.Remaining);
            TakeRights(first, ref message);
            Remove(first);
        }

        count = (message.Flags & MessageFlags.MSG_TRUNC) != 0 ? length : copied;
        DeliverControl(ref message, peeks);
        return Errno.None;
    }

    /// <summary>The datagram at the offset of peeks, and where in it that is.</summary>
    private UnixMessage? PeekDatagram(out int skip)
    {
        skip = 0;
        UnixMessage? at = _queue.First;
        if (Generic.PeekOffset >= 0)
        {
            int offset = Generic.PeekOffset;
            while (at != null && offset >= at.Remaining && (offset > 0 || at.IsPeeked))
            {
                offset -= at.Remaining;
                at = at.Next;
            }

            skip = offset;
        }

        if (at is { Remaining: 0 })
        {
            at.IsPeeked = true;
        }

        return at;
    }
}

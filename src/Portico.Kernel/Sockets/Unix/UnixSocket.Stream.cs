using Portico.Net;

namespace Portico.Kernel;

// Streams: pieces of bytes in a queue, read without regard to where one ends, except that bytes of different writers (SO_PASSCRED) and
// those after descriptors are not read together.
internal sealed partial class UnixSocket
{
    /// <summary>A piece is not more than half of the send buffer, less this, so that reading and writing overlap.</summary>
    private const int PieceOverhead = 64;

    private Errno SendStream(ref IoCursor source, ref SocketMessage message, out long count)
    {
        count = 0;
        bool outOfBand = (message.Flags & MessageFlags.MSG_OOB) != 0;
        if (outOfBand && source.Total == 0)
        {
            return Errno.EOPNOTSUPP;
        }

        if (!message.Address.IsEmpty)
        {
            return _stage == Stage.Connected ? Errno.EISCONN : Errno.EOPNOTSUPP;
        }

        if (_peer is not { } peer)
        {
            return Errno.ENOTCONN;
        }

        if ((_shutdown & ShutForWriting) != 0 && !message.Unix.HasBegun)
        {
            return Errno.EPIPE;
        }

        // Who has waited hears of a reset first.
        message.Unix.HasBegun = true;

        // The last byte is the one that goes out of band.
        long inBand = source.Remaining - (outOfBand ? 1 : 0);
        Errno error = Errno.None;
        while (count < inBand && error == Errno.None)
        {
            int piece = (int)Math.Min(inBand - count, Math.Min((Generic.SendBuffer / 2) - PieceOverhead, UnixTrueSize.StreamPieceMax));
            error = SendPiece(peer, ref source, ref message, piece, UnixTrueSize.OfStream(piece), out _);
            count += error == Errno.None ? piece : 0;
        }

        if (error == Errno.EFAULT && count > 0)
        {
            source.Limit(0);
        }

        if (outOfBand && error == Errno.None)
        {
            error = SendPiece(peer, ref source, ref message, 1, UnixTrueSize.OfStream(1), out UnixMessage? urgent);
            if (error == Errno.None)
            {
                peer._outOfBand = urgent;
                count++;
            }
        }

        return count > 0 ? Errno.None : error;
    }

    private Errno SendPiece(
        UnixSocket peer, ref IoCursor source, ref SocketMessage message, int length, int trueSize, out UnixMessage? sent)
    {
        sent = null;
        Errno error = CheckRoomToSend();
        error = error == Errno.None ? CheckRights(message) : error;
        error = error == Errno.None && source.Lacks(length) ? Errno.EFAULT : error;
        if (error != Errno.None)
        {
            return error;
        }

        if (peer.IsDead || (peer._shutdown & ShutForReading) != 0)
        {
            return Errno.EPIPE;
        }

        if (message.Unix.Rights != null && !peer.PassesRights)
        {
            return Errno.EPERM;
        }

        sent = Queue(peer, ref source, ref message, length, trueSize);
        return Errno.None;
    }

    private Errno ReceiveStream(ref IoCursor destination, ref SocketMessage message, out long count)
    {
        count = 0;
        if (_stage != Stage.Connected)
        {
            return Errno.EINVAL;
        }

        if ((message.Flags & MessageFlags.MSG_OOB) != 0)
        {
            return ReceiveOutOfBand(ref destination, ref message, out count);
        }

        bool peeks = (message.Flags & MessageFlags.MSG_PEEK) != 0;
        bool waits = MayWait && (message.Flags & MessageFlags.MSG_DONTWAIT) == 0;
        long target = (message.Flags & MessageFlags.MSG_WAITALL) != 0 ? destination.Total : Math.Min(Generic.ReceiveLow, destination.Total);
        target = Math.Max(1, target);
        long skip = peeks ? Math.Max(0, Generic.PeekOffset) : 0;
        if (peeks && waits && target > 1 && UnreadBytes() - skip < target && (_shutdown & ShutForReading) == 0 && _error == Errno.None)
        {
            // A peek begins from the front at each try.
            return Errno.EAGAIN;
        }

        long before = destination.Remaining;
        Errno error = peeks ? PeekStream(ref destination, ref message, skip) : TakeStream(ref destination, ref message);
        count = before - destination.Remaining;
        long done = destination.Total - destination.Remaining;
        if (error == Errno.EAGAIN && done < target)
        {
            Errno left = TakeError();
            if (left != Errno.None || (_shutdown & ShutForReading) != 0)
            {
                // What has been read before the error is what the call returns.
                _error = done > 0 ? left : Errno.None;
                error = done > 0 ? Errno.None : left;
            }
            else if (waits)
            {
                return Errno.EAGAIN;
            }
        }

        error = error == Errno.EAGAIN && done > 0 ? Errno.None : error;
        if (error == Errno.None)
        {
            DeliverControl(ref message, peeks);
        }

        return error;
    }

    /// <summary>Takes what is there; EAGAIN where the queue ends before the room does.</summary>
    private Errno TakeStream(ref IoCursor destination, ref SocketMessage message)
    {
        do
        {
            bool hasCopied = destination.Remaining < destination.Total;
            UnixMessage? at = _queue.First;
            if (at != null)
            {
                at = PassOutOfBand(at, peeks: false, hasCopied);
                if (at == null && hasCopied)
                {
                    return Errno.None;
                }
            }

            if (at == null)
            {
                return Errno.EAGAIN;
            }

            if (!IsOfTheSameWriter(at, ref message))
            {
                return Errno.None;
            }

            if (destination.Lacks(at.Remaining))
            {
                return hasCopied ? Errno.None : Errno.EFAULT;
            }

            NoteAddress(at, ref message);
            int copied = destination.Write(at.Unread);
            at.Consumed += copied;
            MovePeekOffset(-copied);
            TakeRights(at, ref message);
            if (at.Remaining > 0)
            {
                return Errno.None;
            }

            Remove(at);
            if (message.Unix.Rights != null)
            {
                return Errno.None;
            }
        }
        while (destination.Remaining > 0);
        return Errno.None;
    }

    private Errno PeekStream(ref IoCursor destination, ref SocketMessage message, long skip)
    {
        UnixMessage? at = _queue.First;
        while (true)
        {
            bool hasCopied = destination.Remaining < destination.Total;
            if (at != null)
            {
                at = PassOutOfBand(at, peeks: true, hasCopied);
                if (at == null && hasCopied)
                {
                    return Errno.None;
                }
            }

            if (at == null)
            {
                return Errno.EAGAIN;
            }

            // What is out of band counts here, as in Linux.
            while (at != null && skip > 0 && skip >= at.Remaining)
            {
                skip -= at.Remaining;
                at = at.Next;
            }

            if (at == null)
            {
                continue;
            }

            if (!IsOfTheSameWriter(at, ref message))
            {
                return Errno.None;
            }

            if (destination.Lacks(at.Remaining - skip))
            {
                return hasCopied ? Errno.None : Errno.EFAULT;
            }

            NoteAddress(at, ref message);
            int copied = destination.Write(at.Unread[(int)skip..]);
            MovePeekOffset(copied);
            skip = 0;
            if (at.Rights != null)
            {
                message.Unix.Rights = at.Rights;
                return Errno.None;
            }

            at = at.Next;
            if (at == null)
            {
                return Errno.None;
            }
        }
    }

    /// <summary>Never glues messages of different writers, where the reader wants to know who they are.</summary>
    private bool IsOfTheSameWriter(UnixMessage at, ref SocketMessage message)
    {
        if (!PassesCredentials)
        {
            return true;
        }

        if (message.Unix.HasCredentials)
        {
            return message.Unix.Credentials == at.Credentials;
        }

        message.Unix.HasCredentials = true;
        message.Unix.Credentials = at.Credentials;
        return true;
    }

    private static void NoteAddress(UnixMessage at, ref SocketMessage message)
    {
        if (!message.Address.IsEmpty && message.AddressLength == 0 && at.Sender._address != null)
        {
            message.AddressLength = at.Sender.WriteAddress(message.Address);
        }
    }
}

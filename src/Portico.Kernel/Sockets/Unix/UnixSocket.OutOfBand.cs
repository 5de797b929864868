using Portico.Net;

namespace Portico.Kernel;

// MSG_OOB of streams: the last byte of the send is a message of its own, which is read with MSG_OOB, or inline with SO_OOBINLINE. A read
// stops before it, and passes over it where it comes to it first. A byte that was read out of band stays in the queue, empty, as the mark.
internal sealed partial class UnixSocket
{
    /// <summary>The message of the byte that is out of band; it is also in the queue.</summary>
    private UnixMessage? _outOfBand;

    /// <summary>The message to read from instead of this one; null where the read is to stop, or nothing is left.</summary>
    private UnixMessage? PassOutOfBand(UnixMessage at, bool peeks, bool hasCopied)
    {
        if (at.Remaining == 0)
        {
            // The mark of a byte that was read out of band.
            if (hasCopied && (_outOfBand == null || _outOfBand == at))
            {
                return null;
            }

            UnixMessage? next = at.Next;
            if (!peeks)
            {
                Remove(at);
            }

            if (next == null)
            {
                return null;
            }

            at = next;
        }

        if (at != _outOfBand)
        {
            return at;
        }

        if (hasCopied)
        {
            return null;
        }

        if (peeks)
        {
            return ReadsInline ? at : at.Next;
        }

        _outOfBand = null;
        if (ReadsInline)
        {
            return at;
        }

        Remove(at);
        return _queue.First;
    }

    private Errno ReceiveOutOfBand(ref IoCursor destination, ref SocketMessage message, out long count)
    {
        count = 0;
        if (ReadsInline || _outOfBand is not { } urgent)
        {
            return Errno.EINVAL;
        }

        bool peeks = (message.Flags & MessageFlags.MSG_PEEK) != 0;
        if (!peeks)
        {
            _outOfBand = null;
            if (urgent.Previous is { Remaining: 0 } mark)
            {
                Remove(mark);
            }
        }

        bool hasRoom = destination.Write(urgent.Unread) == 1;
        if (!peeks)
        {
            urgent.Consumed = 1;
        }

        if (!hasRoom)
        {
            return Errno.EFAULT;
        }

        message.ReturnedFlags |= MessageFlags.MSG_OOB;
        count = 1;
        return Errno.None;
    }

    /// <summary>SIOCATMARK: whether the next read begins with the byte that is out of band, or behind it.</summary>
    private bool IsAtMark() => _queue.First is { } first
        ? first == _outOfBand || (first.Remaining == 0 && (_outOfBand == null || first.Next == _outOfBand))
        : _embryos is { Count: > 0 };
}

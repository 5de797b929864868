using System.Buffers;
using Portico.Net;

namespace Portico.Kernel;

// Transfers with a pipe at one end or both, in the order in which Linux asks.
internal partial struct Transfer
{
    /// <summary>Goes once both have something to do: pages are moved, or copied.</summary>
    private Errno FromPipeToPipe(PipeFile from, PipeFile to)
    {
        if (from.IsEmpty && from.Writers > 0)
        {
            return Await(source, SocketEvents.Readable, !IsNonBlocking);
        }

        if (to.Readers == 0)
        {
            return Errno.EPIPE;
        }

        if (to.IsFull)
        {
            return Await(target, SocketEvents.Writable, !IsNonBlocking);
        }

        _done = Copies ? from.CopyTo(to, _left) : from.MoveTo(to, _left);
        return Errno.None;
    }

    /// <summary>Waits for room in the pipe, then for the file, and is done with what there is.</summary>
    private Errno ToPipe(PipeFile to)
    {
        if (to.Readers == 0)
        {
            return Errno.EPIPE;
        }

        if (to.IsFull)
        {
            return Await(target, SocketEvents.Writable, !IsNonBlocking);
        }

        if (_left == 0)
        {
            return Errno.None;
        }

        if (!source.File.CanSpliceFrom)
        {
            return Errno.EINVAL;
        }

        int most = (int)Math.Min(Math.Min(_left, BytesMax), (ulong)to.FreeSlots * Pipe.PageBytes);
        if (source.File.IsPaged)
        {
            return to.AppendPages(source, ref _sourcePosition, most, out _done);
        }

        if (source.File is InetStreamSocket { IsHeldUpByUrgentByte: true })
        {
            // Linux does not wait where something is queued that it does not take (tcp_splice_read).
            return source.IsNonBlocking ? Await(source, SocketEvents.Readable, mayWait: false) : Errno.None;
        }

        byte[] buffer = ArrayPool<byte>.Shared.Rent(most);
        Errno error = Read(ref _sourcePosition, buffer.AsSpan(0, most), out int read);
        if (read > 0)
        {
            to.Append(buffer.AsSpan(0, read));
        }

        ArrayPool<byte>.Shared.Return(buffer);
        _done = read;
        // A stream of AF_UNIX heeds SPLICE_F_NONBLOCK, the others only what the socket itself says.
        bool mayWait = !source.IsNonBlocking && !(IsNonBlocking && source.File is UnixSocket { SocketKind: SocketType.SOCK_STREAM });
        return error == Errno.EAGAIN ? Await(source, SocketEvents.Readable, mayWait) : error;
    }

    /// <summary>
    /// Waits until the pipe has something, and then goes on until the pipe is empty. A blocking socket gets all of that.
    /// </summary>
    private Errno FromPipe(PipeFile from)
    {
        if (!target.File.CanSpliceTo)
        {
            return Errno.EINVAL;
        }

        byte[] buffer = ArrayPool<byte>.Shared.Rent(ChunkBytes);
        Errno error = Errno.None;
        while (_left > 0 && error == Errno.None && (!from.IsEmpty || (_done == 0 && from.Writers > 0)))
        {
            error = from.IsEmpty ? Await(source, SocketEvents.Readable, !IsNonBlocking) : Move(from, buffer);
        }

        ArrayPool<byte>.Shared.Return(buffer);
        return error;
    }

    private Errno Move(PipeFile from, byte[] buffer)
    {
        int length = from.Peek(buffer.AsSpan(0, (int)Math.Min(_left, ChunkBytes)));
        bool more = (flags & SpliceFlags.SPLICE_F_MORE) != 0 || (_left > (ulong)length && from.Length > length);
        Errno error = Write(buffer.AsSpan(0, length), more, out int written);
        from.Consume(written);
        return error;
    }
}

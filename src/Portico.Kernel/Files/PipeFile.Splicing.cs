using Portico.Net;

namespace Portico.Kernel;

// The pipe's side of splice(2) and its relatives, with word to those who wait.
internal sealed partial class PipeFile
{
    public bool IsEmpty => _pipe.IsEmpty;

    public bool IsFull => _pipe.IsFull;

    public int Writers => _pipe.Writers;

    public int FreeSlots => _pipe.FreeSlots;

    /// <summary>Bytes to be read.</summary>
    public int Length => _pipe.Length;

    /// <summary>Copies what comes next out of at most 16 pages, as many as Linux hands to a socket at once.</summary>
    public int Peek(Span<byte> destination) => _pipe.Peek(destination, Pipe.SlotsDefault);

    /// <summary>Takes out what has found its place elsewhere.</summary>
    public void Consume(long count)
    {
        if (_pipe.Consume(count))
        {
            NotifyWriters();
        }
    }

    /// <summary>Puts bytes in, a page for every 4,096 of them; there must be room.</summary>
    public void Append(ReadOnlySpan<byte> bytes)
    {
        for (; !bytes.IsEmpty; bytes = bytes[Math.Min(bytes.Length, Pipe.PageBytes)..])
        {
            PageBlock page = kernel.Pages.Rent();
            ReadOnlySpan<byte> piece = bytes[..Math.Min(bytes.Length, Pipe.PageBytes)];
            piece.CopyTo(page.Bytes);
            _pipe.Append(page, piece.Length);
        }

        NotifyReaders();
    }

    /// <summary>Puts the pages of a file in, from a position up to its end; one page each, so that the first may be short.</summary>
    public Errno AppendPages(OpenFileDescription source, ref long position, int count, out long taken)
    {
        taken = 0;
        Errno error = Errno.None;
        while (count > 0 && !_pipe.IsFull)
        {
            PageBlock page = kernel.Pages.Rent();
            int wanted = (int)Math.Min(count, Pipe.PageBytes - (position & (Pipe.PageBytes - 1)));
            IoCursor cursor = IoCursor.Into(page.Bytes.AsSpan(0, wanted));
            error = source.File.ReadAt(source, position, ref cursor, out long read);
            if (error != Errno.None || read == 0)
            {
                kernel.Pages.Return(page);
                break;
            }

            _pipe.Append(page, (int)read);
            position += read;
            taken += read;
            count -= (int)read;
        }

        if (taken > 0)
        {
            NotifyReaders();
        }

        return taken > 0 ? Errno.None : error;
    }

    /// <summary>Moves what is first into another pipe; how many bytes.</summary>
    public long MoveTo(PipeFile target, ulong count)
    {
        int before = _pipe.FreeSlots;
        long moved = _pipe.MoveTo(target._pipe, count);
        if (moved > 0)
        {
            target.NotifyReaders();
        }

        if (_pipe.FreeSlots > before)
        {
            NotifyWriters();
        }

        return moved;
    }

    /// <summary>Puts what is first into another pipe as well; how many bytes.</summary>
    public long CopyTo(PipeFile target, ulong count)
    {
        long copied = _pipe.CopyTo(target._pipe, count);
        if (copied > 0)
        {
            target.NotifyReaders();
        }

        return copied;
    }

    /// <summary>vmsplice(2) out of memory: a page here for every page of memory that is touched, as many as there is room for.</summary>
    public long AppendMemory(ref IoCursor source)
    {
        long taken = 0;
        while (source.Remaining > 0 && !_pipe.IsFull)
        {
            Span<byte> piece = source.Next();
            int length = Math.Min(piece.Length, Pipe.PageBytes - OffsetInPage(piece));
            PageBlock page = kernel.Pages.Rent();
            piece[..length].CopyTo(page.Bytes);
            source.Skip(length);
            _pipe.Append(page, length);
            taken += length;
        }

        NotifyReaders();
        return taken;
    }

    /// <summary>vmsplice(2) into memory: what there is, whatever its pages. Errors: EAGAIN where it is empty and may yet be written to.</summary>
    public Errno TakeTo(ref IoCursor memory, out long taken)
    {
        taken = 0;
        while (memory.Remaining > 0 && !_pipe.IsEmpty)
        {
            int length = _pipe.Peek(memory.Next(), Pipe.SlotsDefault);
            memory.Skip(length);
            Consume(length);
            taken += length;
        }

        return taken > 0 || Writers == 0 ? Errno.None : Errno.EAGAIN;
    }

    private static unsafe int OffsetInPage(Span<byte> memory)
    {
        fixed (byte* address = memory)
        {
            return (int)((nint)address & (Pipe.PageBytes - 1));
        }
    }

    private void NotifyReaders() => Waiters.Notify(SocketEvents.Readable | SocketEvents.ReadNormal, Driver);

    private void NotifyWriters() => Waiters.Notify(SocketEvents.Writable | SocketEvents.WriteNormal, Driver);
}

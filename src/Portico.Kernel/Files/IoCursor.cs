using System.Runtime.InteropServices;

namespace Portico.Kernel;

/// <summary>A piece of a caller's memory (struct iovec of readv(2), the same layout).</summary>
[StructLayout(LayoutKind.Sequential)]
public readonly unsafe struct IoVector(void* address, nuint length)
{
    /// <summary>Where it begins.</summary>
    public readonly void* Address = address;

    /// <summary>Its bytes.</summary>
    public readonly nuint Length = length;
}

/// <summary>
/// The caller's memory in a read or a write: one buffer or a list of them, and how far the call has come. A file does not see the
/// difference, so that a datagram from ten pieces is one datagram.
/// </summary>
public ref struct IoCursor
{
    private Span<byte> _current;
    private ReadOnlySpan<IoVector> _rest;

    private IoCursor(Span<byte> current, ReadOnlySpan<IoVector> rest, long remaining)
    {
        _current = current;
        _rest = rest;
        Remaining = remaining;
        Total = remaining;
    }

    /// <summary>Bytes from here to the end.</summary>
    public long Remaining { get; private set; }

    /// <summary>Bytes in all, those that are done included.</summary>
    public long Total { get; }

    /// <summary>Memory that a read fills.</summary>
    public static IoCursor Into(Span<byte> buffer) => new(buffer, default, buffer.Length);

    /// <summary>Memory that a write takes from, which nobody writes to.</summary>
    public static IoCursor From(ReadOnlySpan<byte> data) =>
        new(MemoryMarshal.CreateSpan(ref MemoryMarshal.GetReference(data), data.Length), default, data.Length);

    /// <summary>
    /// A list, for either direction. Errors: EINVAL for more than 1,024 pieces (UIO_MAXIOV), or more bytes than a call may return; EFAULT for
    /// a null pointer with a length.
    /// </summary>
    public static unsafe Net.Errno TryOver(ReadOnlySpan<IoVector> pieces, out IoCursor cursor)
    {
        const int PiecesMax = 1024;
        const long BytesMax = 0x7FFF_F000;
        cursor = default;
        if (pieces.Length > PiecesMax)
        {
            return Net.Errno.EINVAL;
        }

        long total = 0;
        foreach (ref readonly IoVector piece in pieces)
        {
            if (piece.Length > long.MaxValue)
            {
                return Net.Errno.EINVAL;
            }

            if (piece.Address == null && piece.Length > 0)
            {
                return Net.Errno.EFAULT;
            }

            // What is beyond the largest count that a call may return is left out (MAX_RW_COUNT).
            total = Math.Min(BytesMax, total + (long)Math.Min(piece.Length, (nuint)BytesMax));
        }

        cursor = new IoCursor(default, pieces, total);
        return Net.Errno.None;
    }

    /// <summary>A read: copies into the caller's memory, as much as fits; returns how much.</summary>
    public int Write(scoped ReadOnlySpan<byte> source)
    {
        int copied = 0;
        while (copied < source.Length && TryAdvance())
        {
            int count = Math.Min(source.Length - copied, _current.Length);
            source.Slice(copied, count).CopyTo(_current);
            Skip(count);
            copied += count;
        }

        return copied;
    }

    /// <summary>A write: copies out of the caller's memory, as much as there is; returns how much.</summary>
    public int Read(scoped Span<byte> destination)
    {
        int copied = 0;
        while (copied < destination.Length && TryAdvance())
        {
            int count = Math.Min(destination.Length - copied, _current.Length);
            _current[..count].CopyTo(destination[copied..]);
            Skip(count);
            copied += count;
        }

        return copied;
    }

    /// <summary>The contiguous memory that comes next; empty at the end.</summary>
    public Span<byte> Next()
    {
        TryAdvance();
        return _current;
    }

    /// <summary>Takes bytes of <see cref="Next"/> as done.</summary>
    public void Skip(int count)
    {
        _current = _current[count..];
        Remaining -= count;
    }

    private unsafe bool TryAdvance()
    {
        while (_current.IsEmpty)
        {
            if (_rest.IsEmpty || Remaining == 0)
            {
                return false;
            }

            _current = new Span<byte>(_rest[0].Address, (int)Math.Min((long)Math.Min(_rest[0].Length, int.MaxValue), Remaining));
            _rest = _rest[1..];
        }

        return true;
    }
}

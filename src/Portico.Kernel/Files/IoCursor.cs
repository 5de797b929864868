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

    private IoCursor(Span<byte> current, ReadOnlySpan<IoVector> rest, long remaining, long present)
    {
        _current = current;
        _rest = rest;
        Remaining = remaining;
        Total = remaining;
        Present = present;
    }

    /// <summary>Bytes from here to the end.</summary>
    public long Remaining { get; private set; }

    /// <summary>Bytes in all, those that are done included.</summary>
    public long Total { get; }

    /// <summary>
    /// Bytes from here on that are there: all, unless a piece of the list is a null pointer. How far a call comes with such a list is the
    /// file's to say, and differs.
    /// </summary>
    internal long Present { get; private set; }

    /// <summary>Whether something was to be copied to or from memory that is not there.</summary>
    internal bool HasFaulted { get; private set; }

    /// <summary>Whether the list begins with a piece of no bytes.</summary>
    internal readonly bool BeginsEmpty => _current.IsEmpty && !_rest.IsEmpty && _rest[0].Length == 0;

    /// <summary>How long the piece that comes next is, although it is not there.</summary>
    internal readonly long MissingLength => _rest.IsEmpty ? 0 : (long)_rest[0].Length;

    /// <summary>Memory that a read fills.</summary>
    public static IoCursor Into(Span<byte> buffer) => new(buffer, default, buffer.Length, buffer.Length);

    /// <summary>Memory that a write takes from, which nobody writes to.</summary>
    public static IoCursor From(ReadOnlySpan<byte> data) =>
        new(MemoryMarshal.CreateSpan(ref MemoryMarshal.GetReference(data), data.Length), default, data.Length, data.Length);

    /// <summary>So many bytes behind a null pointer.</summary>
    internal static IoCursor Missing(long length) => new(default, default, length, 0);

    /// <summary>
    /// A list, for either direction. Errors: EINVAL for more than 1,024 pieces (UIO_MAXIOV), or more bytes than a call may return. A null
    /// pointer with a length is EFAULT where a call comes to it.
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
        long present = -1;
        foreach (ref readonly IoVector piece in pieces)
        {
            if (piece.Length > long.MaxValue)
            {
                return Net.Errno.EINVAL;
            }

            if (piece.Address == null && piece.Length > 0 && present < 0)
            {
                present = total;
            }

            // What is beyond the largest count that a call may return is left out (MAX_RW_COUNT).
            total = Math.Min(BytesMax, total + (long)Math.Min(piece.Length, (nuint)BytesMax));
        }

        cursor = new IoCursor(default, pieces, total, present < 0 ? total : present);
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

        HasFaulted |= copied < source.Length && Remaining > 0;
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

        HasFaulted |= copied < destination.Length && Remaining > 0;
        return copied;
    }

    /// <summary>Whether a call that wants so many bytes, or all that there are, comes to memory that is not there.</summary>
    internal readonly bool Lacks(long wanted) => Math.Min(wanted, Remaining) > Present;

    /// <summary>Leaves out what is behind so many bytes.</summary>
    internal void Limit(long count) => Remaining = Math.Min(Remaining, count);

    /// <summary>Leaves out memory that is not there where a call that wants so many bytes comes to it; false where it comes to nothing else.</summary>
    internal bool TryTrim(long wanted)
    {
        if (!Lacks(wanted))
        {
            return true;
        }

        Limit(Present);
        return Present > 0;
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
        Present -= count;
    }

    private unsafe bool TryAdvance()
    {
        while (_current.IsEmpty)
        {
            if (_rest.IsEmpty || Remaining == 0 || Present == 0)
            {
                return false;
            }

            _current = new Span<byte>(_rest[0].Address, (int)Math.Min((long)Math.Min(_rest[0].Length, int.MaxValue), Remaining));
            _rest = _rest[1..];
        }

        return true;
    }
}

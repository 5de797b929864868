using System.Diagnostics.CodeAnalysis;
using System.Numerics;
using Portico.Net;

namespace Portico.Kernel;

/// <summary>
/// The descriptors of a process, or of several that share them: small integers, the lowest free one first (POSIX 2.6), each with its
/// own close-on-exec flag. Guarded by the kernel's lock.
/// </summary>
public sealed class FileDescriptorTable
{
    private const int SizeFirst = 256;

    private OpenFileDescription?[] _descriptions = new OpenFileDescription?[SizeFirst];

    // A bit for each descriptor: in use, and close-on-exec; and one for each word of the first in which no bit is free, so that the
    // lowest free one of a million is found in a few steps.
    private ulong[] _used = new ulong[SizeFirst / 64];
    private ulong[] _closeOnExec = new ulong[SizeFirst / 64];
    private ulong[] _full = new ulong[1];
    private int _freeHint;

    /// <summary>Descriptors in use.</summary>
    public int Count { get; private set; }

    /// <summary>One above the highest number that the table has room for now.</summary>
    public int Size => _descriptions.Length;

    /// <summary>Processes that share the table.</summary>
    internal int Sharers { get; private set; } = 1;

    /// <summary>What a descriptor stands for.</summary>
    public bool TryGet(int fd, [NotNullWhen(true)] out OpenFileDescription? description)
    {
        description = (uint)fd < (uint)_descriptions.Length ? _descriptions[fd] : null;
        return description != null;
    }

    /// <summary>
    /// Without the lock: what a descriptor stands for, or stood for a moment ago. A call that goes by it is one that came before whatever has
    /// changed meanwhile.
    /// </summary>
    internal OpenFileDescription? Peek(int fd)
    {
        OpenFileDescription?[] descriptions = Volatile.Read(ref _descriptions);
        return (uint)fd < (uint)descriptions.Length ? Volatile.Read(ref descriptions[fd]) : null;
    }

    /// <summary>Whether a descriptor is closed by exec (FD_CLOEXEC).</summary>
    public bool IsCloseOnExec(int fd) => (_closeOnExec[fd >> 6] & Bit(fd)) != 0;

    internal void SetCloseOnExec(int fd, bool on) => Set(_closeOnExec, fd, on);

    /// <summary>
    /// Takes the lowest free number that is at least <paramref name="least"/>, for a reference to the description that the caller has
    /// and gives away. Errors: EMFILE where there is none below <paramref name="limit"/>.
    /// </summary>
    internal Errno Allocate(OpenFileDescription description, int least, long limit, bool closeOnExec, out int fd)
    {
        Errno error = FindFree(least, limit, out fd);
        if (error == Errno.None)
        {
            Put(fd, description, closeOnExec);
        }

        return error;
    }

    /// <summary>The number that <see cref="Allocate"/> would take. Errors: EMFILE.</summary>
    internal Errno FindFree(int least, long limit, out int fd)
    {
        fd = LowestFree(Math.Max(least, _freeHint));
        return fd < limit ? Errno.None : Errno.EMFILE;
    }

    /// <summary>Puts a description at a free number.</summary>
    internal void Put(int fd, OpenFileDescription description, bool closeOnExec)
    {
        if (fd >= _descriptions.Length)
        {
            Grow(fd + 1);
        }

        Invariant.Check(_descriptions[fd] == null);
        _descriptions[fd] = description;
        MarkUsed(fd);
        Set(_closeOnExec, fd, closeOnExec);
        Count++;
    }

    /// <summary>
    /// Takes a free number for a call that is still waiting for what it will stand for: it is not open, and nobody else gets it. Followed by
    /// <see cref="Put"/> or <see cref="Unreserve"/>.
    /// </summary>
    internal void Reserve(int fd)
    {
        if (fd >= _descriptions.Length)
        {
            Grow(fd + 1);
        }

        MarkUsed(fd);
    }

    /// <summary>Gives a reserved number back.</summary>
    internal void Unreserve(int fd) => MarkFree(fd);

    /// <summary>Whether a number is reserved: dup2(2) onto it is EBUSY.</summary>
    internal bool IsReserved(int fd) => (uint)fd < (uint)_descriptions.Length && _descriptions[fd] == null && (_used[fd >> 6] & Bit(fd)) != 0;

    /// <summary>Takes a number out of use; its reference is the caller's now. Null where it was not in use.</summary>
    internal OpenFileDescription? Remove(int fd)
    {
        if (!TryGet(fd, out OpenFileDescription? description))
        {
            return null;
        }

        _descriptions[fd] = null;
        MarkFree(fd);
        Set(_closeOnExec, fd, false);
        Count--;
        return description;
    }

    /// <summary>The lowest descriptor in use that is at least <paramref name="from"/>; -1 for none.</summary>
    internal int NextUsed(int from)
    {
        for (int word = from >> 6; word < _used.Length; word++)
        {
            ulong bits = _used[word] & (word == from >> 6 ? ulong.MaxValue << (from & 63) : ulong.MaxValue);
            for (; bits != 0; bits &= bits - 1)
            {
                int fd = (word << 6) + BitOperations.TrailingZeroCount(bits);
                if (_descriptions[fd] != null)
                {
                    return fd;
                }
            }
        }

        return -1;
    }

    private void MarkUsed(int fd)
    {
        Set(_used, fd, true);
        if (_used[fd >> 6] == ulong.MaxValue)
        {
            Set(_full, fd >> 6, true);
        }

        if (fd == _freeHint)
        {
            _freeHint = fd + 1;
        }
    }

    private void MarkFree(int fd)
    {
        Set(_used, fd, false);
        Set(_full, fd >> 6, false);
        _freeHint = Math.Min(_freeHint, fd);
    }

    /// <summary>A table of its own with the same descriptions, as fork makes it.</summary>
    internal FileDescriptorTable Copy()
    {
        FileDescriptorTable copy = new();
        for (int fd = NextUsed(0); fd >= 0; fd = NextUsed(fd + 1))
        {
            _descriptions[fd]!.AddReference();
            copy.Put(fd, _descriptions[fd]!, IsCloseOnExec(fd));
        }

        return copy;
    }

    internal void Share() => Sharers++;

    /// <summary>One process less; the last one closes everything.</summary>
    internal void Leave()
    {
        if (--Sharers > 0)
        {
            return;
        }

        for (int fd = NextUsed(0); fd >= 0; fd = NextUsed(fd + 1))
        {
            Remove(fd)!.Release();
        }
    }

    private int LowestFree(int from)
    {
        int word = from >> 6;
        if (word >= _used.Length)
        {
            return from;
        }

        ulong free = ~_used[word] & (ulong.MaxValue << (from & 63));
        if (free != 0)
        {
            return (word << 6) + BitOperations.TrailingZeroCount(free);
        }

        word++;
        for (int i = word >> 6; i < _full.Length; i++)
        {
            ulong open = ~_full[i] & (i == word >> 6 ? ulong.MaxValue << (word & 63) : ulong.MaxValue);
            if (open != 0)
            {
                word = (i << 6) + BitOperations.TrailingZeroCount(open);
                return word < _used.Length ? (word << 6) + BitOperations.TrailingZeroCount(~_used[word]) : _used.Length << 6;
            }
        }

        return _used.Length << 6;
    }

    private void Grow(int least)
    {
        int size = (int)BitOperations.RoundUpToPowerOf2((uint)least);
        Array.Resize(ref _descriptions, size);
        Array.Resize(ref _used, size >> 6);
        Array.Resize(ref _closeOnExec, size >> 6);
        Array.Resize(ref _full, Math.Max(1, size >> 12));
    }

    private static ulong Bit(int index) => 1UL << (index & 63);

    private static void Set(ulong[] bits, int index, bool on)
    {
        ref ulong word = ref bits[index >> 6];
        word = on ? word | Bit(index) : word & ~Bit(index);
    }
}

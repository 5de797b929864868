using System.Runtime.InteropServices;
using Portico.Net;

namespace Portico.Kernel;

/// <summary>Flags of eventfd(2).</summary>
[Flags]
public enum EventfdFlags
{
#pragma warning disable CS1591, CA1707 // The names are those of eventfd(2).
    None = 0,
    EFD_SEMAPHORE = 1,
    EFD_NONBLOCK = 0x800,
    EFD_CLOEXEC = 0x8_0000,
#pragma warning restore CS1591, CA1707
}

/// <summary>A counter to wait on (eventfd(2)).</summary>
/// <remarks>
/// While nobody waits for it, the count lies open: reads and writes change it by one interlocked instruction and leave the kernel's lock
/// alone, so that waking a thread that spins costs the transfer of one cache line. Whatever needs the lock takes the count away first, and
/// gives it back when nobody is left in the queue: who waits is told under the lock, as for all other files.
/// </remarks>
internal sealed class EventFile : AnonymousFile
{
    /// <summary>What <see cref="_open"/> is while the count is guarded by the lock.</summary>
    private const long Taken = -1;

    /// <summary>Higher counts do not lie open, so that nothing overflows there.</summary>
    private const ulong OpenMax = int.MaxValue;

    private readonly long _id;
    private readonly bool _isSemaphore;
    private ulong _count;
    private long _open = Taken;

    public EventFile(PorticoKernel kernel, ulong initial, bool isSemaphore)
        : base(kernel.Driver)
    {
        _id = kernel.TakeEventId();
        _isSemaphore = isSemaphore;
        _count = initial;
        GiveCount();
    }

    internal override string ShownName => "anon_inode:[eventfd]";

    public override SocketEvents Poll()
    {
        TakeCount();
        SocketEvents events = _count > 0 ? SocketEvents.Readable : SocketEvents.None;
        events |= _count == ulong.MaxValue ? SocketEvents.Error : SocketEvents.None;
        return events | (_count < ulong.MaxValue - 1 ? SocketEvents.Writable : SocketEvents.None);
    }

    /// <summary>
    /// Without the lock: reads where the count lies open and is not 0; where it is 0 and the call may wait, looks for as long as a blocked
    /// thread would. EAGAIN where the call has to be made under the lock.
    /// </summary>
    public Errno TryReadOpen(Span<byte> destination, bool mayBlock, out int count)
    {
        count = 0;
        if (Volatile.Read(ref _open) == Taken && Waiters.IsEmpty)
        {
            using (Driver.Enter())
            {
                TakeCount();
                GiveCount();
            }
        }

        long seen = Volatile.Read(ref _open);
        if (seen == 0 && mayBlock && Driver.Virtual == null)
        {
            BlockingWaiter.Current.SpinUntil(new OpenCountChanges(this));
            seen = Volatile.Read(ref _open);
        }

        while (seen > 0 && destination.Length >= sizeof(ulong))
        {
            long value = _isSemaphore ? 1 : seen;
            long before = Interlocked.CompareExchange(ref _open, seen - value, seen);
            if (before == seen)
            {
                BitConverter.TryWriteBytes(destination, value);
                count = sizeof(ulong);
                return Errno.None;
            }

            seen = before;
        }

        return Errno.EAGAIN;
    }

    /// <summary>Without the lock: adds to the count where it lies open. EAGAIN where the call has to be made under the lock.</summary>
    public Errno TryWriteOpen(ReadOnlySpan<byte> source, out int count)
    {
        count = 0;
        if (source.Length != sizeof(ulong) || BitConverter.ToUInt64(source) is var value && value > OpenMax)
        {
            return Errno.EAGAIN;
        }

        for (long seen = Volatile.Read(ref _open); seen != Taken && (ulong)seen + value <= OpenMax;)
        {
            long before = Interlocked.CompareExchange(ref _open, seen + (long)value, seen);
            if (before == seen)
            {
                count = sizeof(ulong);
                return Errno.None;
            }

            seen = before;
        }

        return Errno.EAGAIN;
    }

    internal override Errno Read(OpenFileDescription description, ref IoCursor destination, out long count)
    {
        count = 0;
        if (destination.Remaining < sizeof(ulong))
        {
            return Errno.EINVAL;
        }

        // Where it is 0 it stays taken: the caller is about to wait.
        TakeCount();
        if (_count == 0)
        {
            return Errno.EAGAIN;
        }

        ulong value = _isSemaphore ? 1 : _count;
        _count -= value;
        count = destination.Write(MemoryMarshal.AsBytes(new ReadOnlySpan<ulong>(ref value)));
        Waiters.Notify(SocketEvents.Writable, Driver);
        GiveCount();
        return destination.HasFaulted ? Errno.EFAULT : Errno.None;
    }

    internal override Errno Write(OpenFileDescription description, ref IoCursor source, out long count)
    {
        count = 0;
        TakeCount();
        Errno error = source.BeginsEmpty ? Errno.EINVAL : Errno.None;
        while (error == Errno.None && (source.Remaining > 0 || count == 0))
        {
            ReadOnlySpan<byte> piece = source.Next();
            bool isMissing = piece.IsEmpty && source.MissingLength == sizeof(ulong);
            ulong value = 0;
            error = isMissing ? Errno.EFAULT : Add(piece, out value);
            if (error == Errno.None)
            {
                _count += value;
                count += sizeof(ulong);
                source.Skip(sizeof(ulong));
                Waiters.Notify(SocketEvents.Readable, Driver);
            }
        }

        if (error != Errno.EAGAIN)
        {
            GiveCount();
        }

        return count > 0 ? Errno.None : error;
    }

    internal override void WriteDetails(ProcText text)
    {
        TakeCount();
        text.Add($"eventfd-count: {_count,16:x}\neventfd-id: {_id}\neventfd-semaphore: {(_isSemaphore ? 1 : 0)}\n");
        GiveCount();
    }

    /// <summary>Under the lock: from now on the count changes only under it.</summary>
    private void TakeCount()
    {
        long open = Interlocked.Exchange(ref _open, Taken);
        _count = open == Taken ? _count : (ulong)open;
    }

    /// <summary>Under the lock: lets the count lie open where nobody has to be told of changes.</summary>
    private void GiveCount()
    {
        if (Waiters.IsEmpty && _count <= OpenMax)
        {
            Volatile.Write(ref _open, (long)_count);
        }
    }

    /// <summary>Each piece of a writev is a number of its own, as in Linux.</summary>
    private Errno Add(ReadOnlySpan<byte> piece, out ulong value)
    {
        if (piece.Length != sizeof(ulong))
        {
            value = 0;
            return Errno.EINVAL;
        }

        value = MemoryMarshal.Read<ulong>(piece);
        return value == ulong.MaxValue ? Errno.EINVAL : ulong.MaxValue - _count <= value ? Errno.EAGAIN : Errno.None;
    }

    private readonly struct OpenCountChanges(EventFile file) : ISpinCondition
    {
        public bool IsMet => Volatile.Read(ref file._open) != 0;
    }
}

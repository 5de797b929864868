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
internal sealed class EventFile(PorticoKernel kernel, ulong initial, bool isSemaphore) : AnonymousFile(kernel.Driver)
{
    private readonly long _id = kernel.TakeEventId();
    private ulong _count = initial;

    internal override string ShownName => "anon_inode:[eventfd]";

    public override SocketEvents Poll()
    {
        SocketEvents events = _count > 0 ? SocketEvents.Readable : SocketEvents.None;
        events |= _count == ulong.MaxValue ? SocketEvents.Error : SocketEvents.None;
        return events | (_count < ulong.MaxValue - 1 ? SocketEvents.Writable : SocketEvents.None);
    }

    internal override Errno Read(OpenFileDescription description, ref IoCursor destination, out long count)
    {
        count = 0;
        if (destination.Remaining < sizeof(ulong))
        {
            return Errno.EINVAL;
        }

        if (_count == 0)
        {
            return Errno.EAGAIN;
        }

        ulong value = isSemaphore ? 1 : _count;
        _count -= value;
        count = destination.Write(MemoryMarshal.AsBytes(new ReadOnlySpan<ulong>(ref value)));
        Waiters.Notify(SocketEvents.Writable, Driver);
        return Errno.None;
    }

    internal override Errno Write(OpenFileDescription description, ref IoCursor source, out long count)
    {
        count = 0;
        Errno error = Errno.None;
        while (error == Errno.None && (source.Remaining > 0 || count == 0))
        {
            error = Add(source.Next(), out ulong value);
            if (error == Errno.None)
            {
                _count += value;
                count += sizeof(ulong);
                source.Skip(sizeof(ulong));
                Waiters.Notify(SocketEvents.Readable, Driver);
            }
        }

        return count > 0 ? Errno.None : error;
    }

    internal override void WriteDetails(ProcText text) =>
        text.Add($"eventfd-count: {_count,16:x}\neventfd-id: {_id}\neventfd-semaphore: {(isSemaphore ? 1 : 0)}\n");

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
}

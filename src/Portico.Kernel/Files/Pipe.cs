using System.Buffers;
using System.Numerics;
using System.Runtime.InteropServices;
using Portico.Net;

namespace Portico.Kernel;

/// <summary>
/// The bytes of a pipe (pipe(7)), in pages as Linux keeps them: a ring of slots with a page each. That decides what a write that does not fit
/// does, so that it is kept and not just a ring of bytes: one of at most PIPE_BUF bytes is put in whole or not at all, and where the
/// last page has no room for it, it needs a slot of its own.
/// </summary>
internal sealed class Pipe
{
    public const int PageBytes = 4096;
    public const int SlotsDefault = 16;

    private struct Slot
    {
        public byte[] Page;
        public int Offset;
        public int Length;

        /// <summary>A packet (O_DIRECT): read whole, and not added to.</summary>
        public bool IsPacket;
    }

    private readonly PorticoKernel _kernel;
    private Slot[] _slots;
    private int _head;
    private int _used;

    public Pipe(PorticoKernel kernel, bool isPrivileged)
    {
        _kernel = kernel;
        long soft = kernel.Settings.pipe_user_pages_soft;
        bool isPoor = !isPrivileged && soft != 0 && kernel.Counters[KernelCounter.PipePages] + SlotsDefault > soft;
        kernel.Counters[KernelCounter.PipeSoftLimit] += isPoor ? 1 : 0;
        _slots = new Slot[isPoor ? 2 : SlotsDefault];
        kernel.Counters[KernelCounter.PipePages] += _slots.Length;
    }

    /// <summary>Descriptions open for reading.</summary>
    public int Readers { get; set; }

    /// <summary>Descriptions open for writing.</summary>
    public int Writers { get; set; }

    public bool IsEmpty => _used == 0;

    public bool IsFull => _used == _slots.Length;

    public long Capacity => (long)_slots.Length * PageBytes;

    /// <summary>Bytes to be read.</summary>
    public int Length
    {
        get
        {
            int length = 0;
            for (int i = 0; i < _used; i++)
            {
                length += At(i).Length;
            }

            return length;
        }
    }

    /// <summary>Takes what there is. Errors: EAGAIN where it is empty and may yet be written to.</summary>
    public Errno Read(ref IoCursor destination, out long count)
    {
        count = 0;
        if (destination.Remaining == 0)
        {
            return Errno.None;
        }

        while (_used > 0 && destination.Remaining > 0)
        {
            ref Slot slot = ref At(0);
            int taken = destination.Write(slot.Page.AsSpan(slot.Offset, (int)Math.Min(slot.Length, destination.Remaining)));
            count += taken;
            slot.Offset += taken;
            slot.Length = slot.IsPacket ? 0 : slot.Length - taken;
            bool packet = slot.IsPacket;
            if (slot.Length == 0)
            {
                Free(ref slot);
                _head = (_head + 1) % _slots.Length;
                _used--;
            }

            if (packet)
            {
                return Errno.None;
            }
        }

        return count > 0 || Writers == 0 ? Errno.None : Errno.EAGAIN;
    }

    /// <summary>Puts in what fits. Errors: EPIPE without readers, EAGAIN where nothing fits.</summary>
    public Errno Write(ref IoCursor source, bool asPackets, out long count)
    {
        count = 0;
        if (source.Remaining == 0 || Readers == 0)
        {
            return source.Remaining == 0 ? Errno.None : Errno.EPIPE;
        }

        // The odd bytes go behind those of the last page where they all fit, so that the rest is whole pages.
        int odd = (int)(source.Remaining & (PageBytes - 1));
        if (odd > 0 && _used > 0)
        {
            ref Slot last = ref At(_used - 1);
            int end = last.Offset + last.Length;
            if (!last.IsPacket && end + odd <= PageBytes)
            {
                source.Read(last.Page.AsSpan(end, odd));
                last.Length += odd;
                count += odd;
            }
        }

        while (source.Remaining > 0 && _used < _slots.Length)
        {
            int length = (int)Math.Min(source.Remaining, PageBytes);
            ref Slot slot = ref At(_used++);
            slot.Page = ArrayPool<byte>.Shared.Rent(PageBytes);
            slot.Offset = 0;
            slot.Length = source.Read(slot.Page.AsSpan(0, length));
            slot.IsPacket = asPackets;
            count += length;
        }

        return count > 0 ? Errno.None : Errno.EAGAIN;
    }

    /// <summary>
    /// F_SETPIPE_SZ: rounds up to a power of two of pages. Errors: EINVAL beyond 2^31, EPERM above fs.pipe-max-size, EBUSY where the bytes
    /// in it would not fit.
    /// </summary>
    public Errno Resize(long bytes, bool isPrivileged, out long result)
    {
        result = 0;
        if (bytes is < 0 or > 1L << 31)
        {
            return Errno.EINVAL;
        }

        long size = (long)BitOperations.RoundUpToPowerOf2((ulong)Math.Max(bytes, PageBytes));
        int slots = (int)(size / PageBytes);
        if (slots > _slots.Length && !isPrivileged && size > _kernel.Settings.pipe_max_size)
        {
            return Errno.EPERM;
        }

        if (_used > slots)
        {
            return Errno.EBUSY;
        }

        Slot[] resized = new Slot[slots];
        for (int i = 0; i < _used; i++)
        {
            resized[i] = At(i);
        }

        _kernel.Counters[KernelCounter.PipePages] += slots - _slots.Length;
        _slots = resized;
        _head = 0;
        result = Capacity;
        return Errno.None;
    }

    /// <summary>Both ends are gone.</summary>
    public void Destroy()
    {
        for (int i = 0; i < _used; i++)
        {
            Free(ref At(i));
        }

        _used = 0;
        _kernel.Counters[KernelCounter.PipePages] -= _slots.Length;
    }

    private ref Slot At(int index) => ref _slots[(_head + index) % _slots.Length];

    private static void Free(ref Slot slot)
    {
        ArrayPool<byte>.Shared.Return(slot.Page);
        slot.Page = null!;
    }
}

/// <summary>A pipe as a file: one file with a description for each end, as an inode in Linux.</summary>
internal sealed class PipeFile(PorticoKernel kernel, bool isPrivileged) : KernelFile(kernel.Driver)
{
    private readonly Pipe _pipe = new(kernel, isPrivileged);
    private readonly long _inode = kernel.TakeInode();
    private int _permissions = 0x180;

    /// <summary>How often it has been opened for reading; a FIFO's writer waits for that to change.</summary>
    public long ReaderOpens { get; private set; }

    /// <summary>How often it has been opened for writing.</summary>
    public long WriterOpens { get; private set; }

    public int Readers => _pipe.Readers;

    /// <summary>Whether both ends have been closed.</summary>
    public bool IsGone => ReaderOpens + WriterOpens > 0 && _pipe.Readers + _pipe.Writers == 0;

    internal override FileType Type => FileType.Fifo;

    internal override bool WritesAll => true;

    internal override bool TakesDirect => true;

    /// <summary>What both ends together are ready for; <see cref="PollEnd"/> has what one of them is.</summary>
    public override SocketEvents Poll() => PollEnd(canRead: true, canWrite: true, -1);

    internal override SocketEvents Poll(OpenFileDescription description) => PollEnd(description.IsReadable, description.IsWritable, description.Offset);

    internal override Errno Read(OpenFileDescription description, ref IoCursor destination, out long count)
    {
        bool wasFull = _pipe.IsFull;
        Errno error = _pipe.Read(ref destination, out count);
        if (wasFull && !_pipe.IsFull)
        {
            Waiters.Notify(SocketEvents.Writable | SocketEvents.WriteNormal, Driver);
        }

        return error;
    }

    internal override Errno Write(OpenFileDescription description, ref IoCursor source, out long count)
    {
        Errno error = _pipe.Write(ref source, (description.Flags & OpenFlags.O_DIRECT) != 0, out count);
        if (count > 0)
        {
            // Not only when it was empty: an edge-triggered epoll hears of each write, as in Linux since 5.5.
            Waiters.Notify(SocketEvents.Readable | SocketEvents.ReadNormal, Driver);
        }

        return error;
    }

    internal override Errno Ioctl(OpenFileDescription description, IoctlRequest request, Span<byte> argument)
    {
        if (request != IoctlRequest.FIONREAD)
        {
            return Errno.ENOTTY;
        }

        return MemoryMarshal.TryWrite(argument, _pipe.Length) ? Errno.None : Errno.EINVAL;
    }

    internal override Errno Control(OpenFileDescription description, FcntlCommand command, long argument, out long result)
    {
        result = _pipe.Capacity;
        return command switch
        {
            FcntlCommand.F_GETPIPE_SZ => Errno.None,
            FcntlCommand.F_SETPIPE_SZ => SetSize(argument, out result),
            _ => base.Control(description, command, argument, out result),
        };
    }

    internal override void Stat(ref FileStatus status)
    {
        base.Stat(ref status);
        status.Permissions = _permissions;
        status.Inode = _inode;
    }

    internal override Errno SetPermissions(int permissions)
    {
        _permissions = permissions & Inode.PermissionMask;
        return Errno.None;
    }

    /// <summary>A pipe stays its maker's.</summary>
    internal override Errno SetOwner(int userId, int groupId) => (userId & groupId) == -1 ? Errno.None : Errno.EPERM;

    internal override void OnOpened(OpenFileDescription description)
    {
        // A reader that was there before any writer does not hear of a hang-up until one has come and gone.
        description.Offset = _pipe.Writers > 0 ? -1 : WriterOpens;
        _pipe.Readers += description.IsReadable ? 1 : 0;
        _pipe.Writers += description.IsWritable ? 1 : 0;
        ReaderOpens += description.IsReadable ? 1 : 0;
        WriterOpens += description.IsWritable ? 1 : 0;
        Waiters.Notify(SocketEvents.Readable | SocketEvents.Writable, Driver);
    }

    /// <summary>Whether the open of a FIFO has to wait: for a writer, or for a reader (fifo(7)).</summary>
    internal bool LacksPartner(OpenFileDescription description) =>
        !description.IsNonBlocking && !description.IsPathOnly && (_pipe.Readers == 0 || _pipe.Writers == 0);

    internal override void OnReleased(OpenFileDescription description)
    {
        _pipe.Readers -= description.IsReadable ? 1 : 0;
        _pipe.Writers -= description.IsWritable ? 1 : 0;
        if (_pipe.Readers == 0 && _pipe.Writers == 0)
        {
            _pipe.Destroy();
        }
        else
        {
            // The other end is told what it has to expect now: the end of the file, or EPIPE.
            Waiters.Notify(SocketEvents.HangUp | SocketEvents.Error | SocketEvents.Readable | SocketEvents.Writable, Driver);
        }
    }

    /// <summary>It was made, and then there was no descriptor for it.</summary>
    internal void Abandon() => _pipe.Destroy();

    private Errno SetSize(long bytes, out long result)
    {
        Errno error = _pipe.Resize(bytes, isPrivileged, out result);
        if (error == Errno.None)
        {
            Waiters.Notify(SocketEvents.Writable | SocketEvents.WriteNormal, Driver);
        }

        return error;
    }

    private SocketEvents PollEnd(bool canRead, bool canWrite, long writersSeen)
    {
        SocketEvents events = SocketEvents.None;
        if (canRead)
        {
            events |= _pipe.IsEmpty ? SocketEvents.None : SocketEvents.Readable | SocketEvents.ReadNormal;
            events |= _pipe.Writers == 0 && WriterOpens != writersSeen ? SocketEvents.HangUp : SocketEvents.None;
        }

        if (canWrite)
        {
            events |= _pipe.IsFull ? SocketEvents.None : SocketEvents.Writable | SocketEvents.WriteNormal;
            events |= _pipe.Readers == 0 ? SocketEvents.Error : SocketEvents.None;
        }

        return events;
    }
}

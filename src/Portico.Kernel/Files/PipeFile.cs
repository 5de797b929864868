using System.Globalization;
using System.Runtime.InteropServices;
using Portico.Net;

namespace Portico.Kernel;

/// <summary>A pipe as a file: one file with a description for each end, as an inode in Linux.</summary>
internal sealed partial class PipeFile(PorticoKernel kernel, bool isPrivileged) : KernelFile(kernel.Driver)
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

    internal override SocketEvents HeardBy(OpenFileDescription description)
    {
        const SocketEvents Reading = SocketEvents.Readable | SocketEvents.ReadNormal;
        const SocketEvents Writing = SocketEvents.Writable | SocketEvents.WriteNormal;
        return SocketEvents.Error | SocketEvents.HangUp
            | (description.IsReadable ? Reading : SocketEvents.None) | (description.IsWritable ? Writing : SocketEvents.None);
    }

    internal override Errno Read(OpenFileDescription description, ref IoCursor destination, out long count)
    {
        bool wasFull = _pipe.IsFull;
        Errno error = _pipe.Read(ref destination, out count);
        if (wasFull && !_pipe.IsFull)
        {
            NotifyWriters();
        }

        return error;
    }

    internal override Errno Write(OpenFileDescription description, ref IoCursor source, out long count)
    {
        Errno error = _pipe.Write(ref source, (description.Flags & OpenFlags.O_DIRECT) != 0, out count);
        if (count > 0)
        {
            // Not only when it was empty: an edge-triggered epoll hears of each write, as in Linux since 5.5.
            NotifyReaders();
        }

        return error;
    }

    internal override Errno Ioctl(OpenFileDescription description, IoctlRequest request, Span<byte> argument)
    {
        if (request != IoctlRequest.FIONREAD)
        {
            return Errno.ENOTTY;
        }

        return MemoryMarshal.TryWrite(argument, _pipe.Length) ? Errno.None : Errno.EFAULT;
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

    internal override string ShownName => string.Create(CultureInfo.InvariantCulture, $"pipe:[{_inode}]");

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
            NotifyWriters();
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

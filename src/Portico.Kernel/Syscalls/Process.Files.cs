using Portico.Net;

namespace Portico.Kernel;

// read(2), write(2) and their vector and positional forms, lseek(2), ioctl(2).
public sealed partial class Process
{
    private ref struct ReadCall(IoCursor destination) : IDescriptorCall
    {
        private IoCursor _destination = destination;
        private long _read;
        private bool _hasWaited;

        public OpenFileDescription Description { get; set; } = null!;

        /// <summary>Whether it is to wait for so long only (VTIME): it then holds its description, and goes on in <see cref="FinishTimed"/>.</summary>
        public bool IsTimed { get; private set; }

        /// <summary>Whether it has returned only because its time begins anew.</summary>
        public bool WantsMore { get; private set; }

        /// <summary>A file that has given something and wants the call to wait for more says EAGAIN (SO_RCVLOWAT).</summary>
        public Errno TryPerform(out long result)
        {
            result = 0;
            if (!Description.IsReadable)
            {
                return Errno.EBADF;
            }

            Errno error = Description.File.Read(Description, ref _destination, out long count);
            _read += count;
            result = _read;
            if (_hasWaited && Description.File is TerminalFile { IsHungUp: true })
            {
                // Whoever waits when the master is closed hears of that, and only those who come later read the end of the file.
                return _read == 0 ? Errno.EIO : Errno.None;
            }

            _hasWaited = error == Errno.EAGAIN;
            WantsMore = error == Errno.EAGAIN && !Description.IsNonBlocking && BeginsTime(count);
            return WantsMore ? Errno.None : error;
        }

        private bool BeginsTime(long count)
        {
            if (IsTimed || Description.File is not TerminalFile { IsTimed: true })
            {
                return IsTimed && count > 0;
            }

            IsTimed = true;
            Description.AddReference();
            return true;
        }
    }

    /// <summary>Writes everything where the file is a stream and the call may wait; what went out is counted across the tries.</summary>
    private ref struct WriteCall(IoCursor source, long written = 0) : IDescriptorCall
    {
        private IoCursor _source = source;
        private SocketMessage _message;
        private long _written = written;

        /// <summary>What a socket remembers of the tries of one write, for one that has no call of its own across them.</summary>
        public (bool HasBegun, bool HasOpened, int SynBytes) Tries
        {
            readonly get => (_message.Unix.HasBegun, _message.HasOpened, _message.SynBytes);
            set => (_message.Unix.HasBegun, _message.HasOpened, _message.SynBytes) = value;
        }

        /// <summary>Whether nobody can read what it writes any more, so that SIGPIPE is due.</summary>
        public bool BreaksPipe { get; private set; }

        public OpenFileDescription Description { get; set; } = null!;

        public Errno TryPerform(out long result)
        {
            result = _written;
            if (!Description.IsWritable)
            {
                return Errno.EBADF;
            }

            // A socket knows by the message that this is the same write again.
            _message.Flags |= Description.IsNonBlocking ? MessageFlags.MSG_DONTWAIT : MessageFlags.None;
            Errno error = Description.File is SocketFile socket
                ? socket.Send(ref _source, ref _message, out long count)
                : Description.File.Write(Description, ref _source, out count);
            _written += count;
            result = _written + _message.SynBytes;
            BreaksPipe = error == Errno.EPIPE && (Description.File is PipeFile || (Description.File.WritesAll && _written == 0));
            if (error == Errno.None)
            {
                return _source.Remaining > 0 && Description.File.WritesAll && !Description.IsNonBlocking ? Errno.EAGAIN : Errno.None;
            }

            // What has been written before an error is what the call returns; the error shows again in the next.
            return _written > 0 && (error != Errno.EAGAIN || Description.IsNonBlocking) ? Errno.None : error;
        }
    }

    /// <summary>read(2): what there is, waiting for it unless O_NONBLOCK is set. 0 is the end of the file. Errors: EBADF, EAGAIN, the file's.</summary>
    public SyscallResult Read(int fd, Span<byte> buffer)
    {
        if (Peek(fd) is { File: EventFile file } description
            && file.TryReadOpen(buffer, !description.IsNonBlocking, out int count) == Errno.None)
        {
            return count;
        }

        ReadCall call = new(IoCursor.Into(buffer));
        return Run(fd, ref call);
    }

    /// <summary>readv(2).</summary>
    public SyscallResult Readv(int fd, ReadOnlySpan<IoVector> pieces)
    {
        Errno error = IoCursor.TryOver(pieces, out IoCursor cursor);
        ReadCall call = new(cursor);
        return error == Errno.None && cursor.Remaining > 0
            ? Run(fd, ref call)
            : CheckFirst(fd, forWriting: false, error);
    }

    private SyscallResult Run(int fd, ref ReadCall call)
    {
        SyscallResult result = Run(fd, ref call, SocketEvents.Readable);
        return call.IsTimed ? FinishTimed(ref call) : result;
    }

    /// <summary>write(2). Errors: EBADF, EAGAIN, EPIPE where nobody can read it any more, the file's.</summary>
    public SyscallResult Write(int fd, ReadOnlySpan<byte> data)
    {
        if (Peek(fd) is { File: EventFile file } && file.TryWriteOpen(data, out int count) == Errno.None)
        {
            return count;
        }

        WriteCall call = new(IoCursor.From(data));
        return Run(fd, ref call);
    }

    /// <summary>Without the lock: what a descriptor stands for. Of an eventfd it is always for reading and writing.</summary>
    private OpenFileDescription? Peek(int fd) => HasExited ? null : _descriptors.Peek(fd);

    /// <summary>writev(2): one write, so atomic where a write is.</summary>
    public SyscallResult Writev(int fd, ReadOnlySpan<IoVector> pieces)
    {
        Errno error = IoCursor.TryOver(pieces, out IoCursor cursor);
        WriteCall call = new(cursor);
        return error == Errno.None && cursor.Remaining > 0
            ? Run(fd, ref call)
            : CheckFirst(fd, forWriting: true, error);
    }

    private SyscallResult Run(int fd, ref WriteCall call)
    {
        SyscallResult result = Run(fd, ref call, SocketEvents.Writable);
        SignalBrokenPipe(call.BreaksPipe);
        return result;
    }

    /// <summary>pread(2). Errors: EINVAL for a negative offset, EBADF, ESPIPE.</summary>
    public SyscallResult Pread(int fd, Span<byte> buffer, long offset) =>
        TransferAt(fd, IoCursor.Into(buffer), Errno.None, offset, forWriting: false);

    /// <summary>preadv(2).</summary>
    public SyscallResult Preadv(int fd, ReadOnlySpan<IoVector> pieces, long offset)
    {
        Errno error = IoCursor.TryOver(pieces, out IoCursor cursor);
        return TransferAt(fd, cursor, error, offset, forWriting: false, isVector: true);
    }

    /// <summary>pwrite(2). Errors: EINVAL for a negative offset, EBADF, ESPIPE.</summary>
    public SyscallResult Pwrite(int fd, ReadOnlySpan<byte> data, long offset) =>
        TransferAt(fd, IoCursor.From(data), Errno.None, offset, forWriting: true);

    /// <summary>pwritev(2).</summary>
    public SyscallResult Pwritev(int fd, ReadOnlySpan<IoVector> pieces, long offset)
    {
        Errno error = IoCursor.TryOver(pieces, out IoCursor cursor);
        return TransferAt(fd, cursor, error, offset, forWriting: true, isVector: true);
    }

    /// <summary>What is wrong with the vector matters only where the descriptor can be read from; an empty one never gets to the file.</summary>
    private SyscallResult TransferAt(int fd, IoCursor cursor, Errno vectorError, long offset, bool forWriting, bool isVector = false)
    {
        using (Driver.Enter())
        {
            Errno error = CheckPosition(fd, offset, out OpenFileDescription? description);
            bool isOpen = error != Errno.None || (forWriting ? description!.IsWritable : description!.IsReadable);
            error = isOpen ? error : Errno.EBADF;
            error = error == Errno.None ? vectorError : error;
            error = error == Errno.None && offset > long.MaxValue - cursor.Remaining ? Errno.EINVAL : error;
            if (error != Errno.None || (isVector && cursor.Remaining == 0))
            {
                return error;
            }

            error = forWriting
                ? description!.File.WriteAt(description, offset, ref cursor, out long count)
                : description!.File.ReadAt(description, offset, ref cursor, out count);
            return error == Errno.None ? count : error;
        }
    }

    private Errno CheckPosition(int fd, long offset, out OpenFileDescription? description)
    {
        description = null;
        return offset < 0 ? Errno.EINVAL
            : !TryGet(fd, out description, out Errno error) ? error
            : description.File.IsSeekable ? Errno.None
            : Errno.ESPIPE;
    }

    /// <summary>lseek(2). Errors: EBADF, ESPIPE, EINVAL, ENXIO.</summary>
    public SyscallResult Lseek(int fd, long offset, SeekWhence whence)
    {
        using (Driver.Enter())
        {
            if (!TryGet(fd, out OpenFileDescription? description, out Errno error))
            {
                return error;
            }

            if (whence is < SeekWhence.SEEK_SET or > SeekWhence.SEEK_HOLE)
            {
                return Errno.EINVAL;
            }

            error = description.File.Seek(description, offset, whence, out long position);
            return error == Errno.None ? position : error;
        }
    }

    /// <summary>ioctl(2) with an int as the argument. Errors: EBADF, ENOTTY.</summary>
    public SyscallResult Ioctl(int fd, IoctlRequest request, ref int argument) =>
        Ioctl(fd, request, System.Runtime.InteropServices.MemoryMarshal.AsBytes(new Span<int>(ref argument)));

    /// <summary>ioctl(2) with a structure as the argument. Errors: EBADF, ENOTTY, EINVAL where the structure is too small.</summary>
    public SyscallResult Ioctl(int fd, IoctlRequest request, Span<byte> argument)
    {
        using (Driver.Enter())
        {
            if (!TryGet(fd, out OpenFileDescription? description, out Errno error))
            {
                return error;
            }

            switch (request)
            {
                case IoctlRequest.FIOCLEX or IoctlRequest.FIONCLEX:
                    _descriptors.SetCloseOnExec(fd, request == IoctlRequest.FIOCLEX);
                    return 0;
                case IoctlRequest.FIONBIO:
                    description.Flags = IsSet(argument) ? description.Flags | OpenFlags.O_NONBLOCK : description.Flags & ~OpenFlags.O_NONBLOCK;
                    return 0;
                case IoctlRequest.TIOCGPTPEER when description.File is TerminalFile terminal:
                    return OpenPeer(terminal.Terminal, argument);
                default:
                    return description.File.Ioctl(description, request, argument);
            }
        }
    }

    private static bool IsSet(ReadOnlySpan<byte> argument) => argument.Length >= 4 && BitConverter.ToInt32(argument) != 0;

    /// <summary>Linux looks at the descriptor before the vector: EBADF comes first, and an empty vector never gets to the file.</summary>
    private SyscallResult CheckFirst(int fd, bool forWriting, Errno otherwise)
    {
        using (Driver.Enter())
        {
            if (!TryGet(fd, out OpenFileDescription? description, out Errno error))
            {
                return error;
            }

            bool isOpen = forWriting ? description.IsWritable : description.IsReadable;
            bool hasIt = forWriting ? description.File.HasWrite : description.File.HasRead;
            return !isOpen ? Errno.EBADF : !hasIt ? Errno.EINVAL : otherwise;
        }
    }
}

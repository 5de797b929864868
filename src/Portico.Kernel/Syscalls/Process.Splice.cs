using Portico.Net;

namespace Portico.Kernel;

// splice(2), tee(2), vmsplice(2).
public sealed partial class Process
{
    private const SpliceFlags SpliceFlagsAll =
        SpliceFlags.SPLICE_F_MOVE | SpliceFlags.SPLICE_F_NONBLOCK | SpliceFlags.SPLICE_F_MORE | SpliceFlags.SPLICE_F_GIFT;

    /// <summary>A vmsplice(2) in either direction: memory on one side, a pipe on the other.</summary>
    private ref struct MemorySpliceCall(IoCursor memory) : IDescriptorCall
    {
        private IoCursor _memory = memory;

        /// <summary>Whether nobody can read it any more, so that SIGPIPE is due.</summary>
        public bool BreaksPipe { get; private set; }

        public OpenFileDescription Description { get; set; } = null!;

        public Errno TryPerform(out long result)
        {
            result = 0;
            PipeFile pipe = (PipeFile)Description.File;
            if (!Description.IsWritable)
            {
                return pipe.TakeTo(ref _memory, out result);
            }

            BreaksPipe = pipe.Readers == 0;
            if (BreaksPipe || pipe.IsFull)
            {
                return BreaksPipe ? Errno.EPIPE : Errno.EAGAIN;
            }

            result = pipe.AppendMemory(ref _memory);
            return Errno.None;
        }
    }

    /// <summary>
    /// splice(2): moves bytes between two descriptors of which one is a pipe's, from and to a position where one is given, which moves on. 0 is
    /// the end of the file. Errors: EINVAL for no pipe, or a file that cannot do this, EBADF, ESPIPE for a pipe with a position, EAGAIN, EPIPE,
    /// the files' own.
    /// </summary>
    public SyscallResult Splice(int sourceFd, ref long? sourcePosition, int targetFd, ref long? targetPosition, ulong count, SpliceFlags flags)
    {
        if (count == 0 || (flags & ~SpliceFlagsAll) != 0)
        {
            return count == 0 ? 0 : Errno.EINVAL;
        }

        Transfer transfer;
        using (Driver.Enter())
        {
            if (!TryGet(sourceFd, out OpenFileDescription? source, out Errno error) || !TryGet(targetFd, out OpenFileDescription? target, out error))
            {
                return error;
            }

            error = CheckSplice(source, sourcePosition, target, targetPosition, count);
            if (error != Errno.None)
            {
                return error;
            }

            bool forPipes = (source.File is PipeFile && source.IsNonBlocking) || (target.File is PipeFile && target.IsNonBlocking);
            transfer = new Transfer(source, target, count, forPipes ? flags | SpliceFlags.SPLICE_F_NONBLOCK : flags)
            {
                SourcePosition = sourcePosition ?? source.Offset,
                TargetPosition = targetPosition ?? target.Offset,
            };
            if (TryBegin(ref transfer, ref sourcePosition, ref targetPosition, out SyscallResult result))
            {
                return result;
            }
        }

        return Finish(ref transfer, ref sourcePosition, ref targetPosition);
    }

    /// <summary>What Linux asks before it looks at what there is to move (__do_splice, do_splice).</summary>
    private static Errno CheckSplice(
        OpenFileDescription source, long? sourcePosition, OpenFileDescription target, long? targetPosition, ulong count)
    {
        bool fromPipe = source.File is PipeFile;
        bool toPipe = target.File is PipeFile;
        if ((fromPipe && sourcePosition != null) || (toPipe && targetPosition != null))
        {
            return Errno.ESPIPE;
        }

        if (!source.IsReadable || !target.IsWritable)
        {
            return Errno.EBADF;
        }

        if (fromPipe == toPipe)
        {
            return fromPipe && source.File != target.File ? Errno.None : Errno.EINVAL;
        }

        OpenFileDescription file = fromPipe ? target : source;
        long? position = fromPipe ? targetPosition : sourcePosition;
        return position != null && !file.File.IsSeekable ? Errno.EINVAL
            : fromPipe && (file.Flags & OpenFlags.O_APPEND) != 0 ? Errno.EINVAL
            : CheckArea(position ?? file.Offset, count);
    }

    /// <summary>
    /// tee(2): puts what is in one pipe into another as well. Errors: EINVAL for what is no pipe or twice the same, EBADF, EAGAIN, EPIPE.
    /// </summary>
    public SyscallResult Tee(int sourceFd, int targetFd, ulong count, SpliceFlags flags)
    {
        if (count == 0 || (flags & ~SpliceFlagsAll) != 0)
        {
            return (flags & ~SpliceFlagsAll) != 0 ? Errno.EINVAL : 0;
        }

        Transfer transfer;
        long? none = null;
        using (Driver.Enter())
        {
            if (!TryGet(sourceFd, out OpenFileDescription? source, out Errno error) || !TryGet(targetFd, out OpenFileDescription? target, out error))
            {
                return error;
            }

            if (!source.IsReadable || !target.IsWritable)
            {
                return Errno.EBADF;
            }

            if (source.File is not PipeFile || target.File is not PipeFile || source.File == target.File)
            {
                return Errno.EINVAL;
            }

            bool isNonBlocking = source.IsNonBlocking || target.IsNonBlocking;
            transfer = new Transfer(source, target, count, isNonBlocking ? flags | SpliceFlags.SPLICE_F_NONBLOCK : flags) { Copies = true };
            if (TryBegin(ref transfer, ref none, ref none, out SyscallResult result))
            {
                return result;
            }
        }

        return Finish(ref transfer, ref none, ref none);
    }

    /// <summary>
    /// vmsplice(2): puts memory into a pipe, or with its read end fills memory from it. The bytes are copied: the memory may be used again at
    /// once. O_NONBLOCK does not matter, SPLICE_F_NONBLOCK does. Errors: EINVAL, EBADF, also for what is no pipe, EAGAIN, EPIPE, EFAULT.
    /// </summary>
    public SyscallResult Vmsplice(int fd, ReadOnlySpan<IoVector> pieces, SpliceFlags flags)
    {
        if ((flags & ~SpliceFlagsAll) != 0)
        {
            return Errno.EINVAL;
        }

        MemorySpliceCall call;
        BlockingWaiter waiter;
        using (Driver.Enter())
        {
            if (!TryGet(fd, out OpenFileDescription? description, out Errno error))
            {
                return error;
            }

            if (!description.IsWritable && !description.IsReadable)
            {
                return Errno.EBADF;
            }

            error = IoCursor.TryOver(pieces, out IoCursor memory);
            error = error == Errno.None && memory.Lacks(memory.Remaining) ? Errno.EFAULT : error;
            if (error != Errno.None || memory.Remaining == 0)
            {
                return error;
            }

            if (description.File is not PipeFile)
            {
                return Errno.EBADF;
            }

            call = new MemorySpliceCall(memory) { Description = description };
            error = call.TryPerform(out long moved);
            SignalBrokenPipe(call.BreaksPipe);
            if (error != Errno.EAGAIN || (flags & SpliceFlags.SPLICE_F_NONBLOCK) != 0)
            {
                return error == Errno.None ? moved : error;
            }

            waiter = BeginWait(description, description.IsWritable ? SocketEvents.Writable : SocketEvents.Readable);
        }

        SyscallResult result = Finish(ref call, waiter, Timeout.InfiniteTimeSpan);
        SignalBrokenPipe(call.BreaksPipe);
        return result;
    }
}

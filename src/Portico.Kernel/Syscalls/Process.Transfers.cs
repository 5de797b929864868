using Portico.Net;

namespace Portico.Kernel;

// sendfile(2), copy_file_range(2), and how a call waits that has two files.
public sealed partial class Process
{
    /// <summary>A transfer while it waits for one of its files; when it has to wait for the other, this call ends.</summary>
    private ref struct TransferCall(ref Transfer transfer) : IDescriptorCall
    {
        private readonly ref Transfer _transfer = ref transfer;

        public OpenFileDescription Description { get; set; } = transfer.Awaited!;

        /// <summary>Whether it is the other file's turn.</summary>
        public bool IsForOther { get; private set; }

        public Errno TryPerform(out long result)
        {
            Errno error = _transfer.TryPerform(out result);
            IsForOther = error == Errno.EAGAIN && _transfer.Awaited != Description;
            return IsForOther ? Errno.None : error;
        }
    }

    /// <summary>
    /// sendfile(2): sends a file's bytes, from a position that moves on where one is given, or else from the file's own. Errors: EBADF, ESPIPE
    /// for a position in what has none, EINVAL for a file that cannot do this or O_APPEND, EAGAIN, the files' own.
    /// </summary>
    public SyscallResult Sendfile(int targetFd, int sourceFd, ref long? position, ulong count)
    {
        Transfer transfer;
        long? none = null;
        using (Driver.Enter())
        {
            Errno error = CheckSendfile(targetFd, sourceFd, position, count, out OpenFileDescription? target, out OpenFileDescription? source);
            if (error != Errno.None)
            {
                return error;
            }

            bool isNonBlocking = target!.File is PipeFile && target.IsNonBlocking;
            transfer = new Transfer(source!, target, Math.Min(count, Transfer.BytesMax), isNonBlocking ? SpliceFlags.SPLICE_F_NONBLOCK : 0)
            {
                SourcePosition = position ?? source!.Offset,
                TargetPosition = target.Offset,
                IsOfFiles = true,
            };
            if (TryBegin(ref transfer, ref position, ref none, out SyscallResult result))
            {
                return result;
            }
        }

        return Finish(ref transfer, ref position, ref none);
    }

    private Errno CheckSendfile(
        int targetFd, int sourceFd, long? position, ulong count, out OpenFileDescription? target, out OpenFileDescription? source)
    {
        target = null;
        if (!TryGet(sourceFd, out source, out Errno error) || !source.IsReadable)
        {
            return Errno.EBADF;
        }

        if (position != null && !source.File.IsSeekable)
        {
            return Errno.ESPIPE;
        }

        error = CheckArea(position ?? source.Offset, count);
        if (error != Errno.None)
        {
            return error;
        }

        if (!TryGet(targetFd, out target, out error) || !target.IsWritable)
        {
            return Errno.EBADF;
        }

        // Linux's file system of terminals is one of small files, and so the first two gigabytes are all that can be sent to one.
        long at = position ?? source.Offset;
        if (target.Entry?.Inode.FileSystem is TerminalFileSystem && at >= int.MaxValue && (count > 0 || at > int.MaxValue))
        {
            return Errno.EOVERFLOW;
        }

        if (target.File is PipeFile)
        {
            return Errno.None;
        }

        error = CheckArea(target.Offset, Math.Min(count, Transfer.BytesMax));
        return error != Errno.None ? error
            : (target.Flags & OpenFlags.O_APPEND) != 0 || !source.File.CanSeek ? Errno.EINVAL
            : Errno.None;
    }

    /// <summary>
    /// copy_file_range(2): copies within a file system, from and to positions that move on where they are given. Errors: EBADF, also for
    /// O_APPEND, EINVAL for flags, an overlap, or what is no regular file, EISDIR, EXDEV, EOVERFLOW, EFBIG, the files' own.
    /// </summary>
    public SyscallResult CopyFileRange(int sourceFd, ref long? sourcePosition, int targetFd, ref long? targetPosition, ulong count, int flags)
    {
        using (Driver.Enter())
        {
            if (!TryGet(sourceFd, out OpenFileDescription? source, out Errno error) || !TryGet(targetFd, out OpenFileDescription? target, out error))
            {
                return error;
            }

            long from = sourcePosition ?? source.Offset;
            long to = targetPosition ?? target.Offset;
            error = flags != 0 ? Errno.EINVAL : CheckCopy(source, from, target, to, ref count);
            if (error != Errno.None)
            {
                return error;
            }

            Transfer transfer = new(source, target, Math.Min(count, Transfer.BytesMax), 0) { SourcePosition = from, TargetPosition = to };
            TryBegin(ref transfer, ref sourcePosition, ref targetPosition, out SyscallResult result);
            return result;
        }
    }

    /// <summary>The checks of generic_copy_file_checks, which also leave out what is behind the end of the file.</summary>
    private static Errno CheckCopy(OpenFileDescription source, long from, OpenFileDescription target, long to, ref ulong count)
    {
        if (source.File.Type == FileType.Directory || target.File.Type == FileType.Directory)
        {
            return Errno.EISDIR;
        }

        if (source.File is not Inode { Type: FileType.Regular } input || target.File is not Inode { Type: FileType.Regular } output)
        {
            return Errno.EINVAL;
        }

        if (!source.IsReadable || !target.IsWritable || (target.Flags & OpenFlags.O_APPEND) != 0)
        {
            return Errno.EBADF;
        }

        if (input.FileSystem != output.FileSystem)
        {
            return Errno.EXDEV;
        }

        ulong first = (ulong)from;
        ulong second = (ulong)to;
        if (unchecked(first + count) < first || unchecked(second + count) < second)
        {
            return Errno.EOVERFLOW;
        }

        count = from >= input.Size ? 0 : Math.Min(count, (ulong)input.Size - first);
        if (to == long.MaxValue)
        {
            return Errno.EFBIG;
        }

        count = Math.Min(count, (ulong)(long.MaxValue - to));
        if (input == output && unchecked(second + count) > first && second < unchecked(first + count))
        {
            return Errno.EINVAL;
        }

        Errno error = CheckArea(from, count);
        return error == Errno.None ? CheckArea(to, count) : error;
    }

    /// <summary>Whether positions and lengths are such that a sum of them is one too (rw_verify_area). Errors: EINVAL.</summary>
    private static Errno CheckArea(long position, ulong count) =>
        count > long.MaxValue || position < 0 || position > long.MaxValue - (long)count ? Errno.EINVAL : Errno.None;

    /// <summary>Under the lock: makes a transfer where that needs no waiting. Where it does, both descriptions are held until it is finished.</summary>
    private bool TryBegin(ref Transfer transfer, ref long? sourcePosition, ref long? targetPosition, out SyscallResult result)
    {
        Errno error = transfer.TryPerform(out long moved);
        result = error == Errno.None ? moved : error;
        if (error == Errno.EAGAIN && transfer.Awaited != null)
        {
            transfer.Source.AddReference();
            transfer.Target.AddReference();
            return false;
        }

        EndTransfer(transfer, ref sourcePosition, ref targetPosition);
        return true;
    }

    /// <summary>Makes a transfer that has to wait, for the one file or the other.</summary>
    private SyscallResult Finish(ref Transfer transfer, ref long? sourcePosition, ref long? targetPosition)
    {
        SyscallResult result;
        bool isForOther;
        do
        {
            BlockingWaiter waiter;
            TimeSpan timeout;
            using (Driver.Enter())
            {
                BeginCall();
                Errno error = transfer.TryPerform(out long moved);
                if (error != Errno.EAGAIN || transfer.Awaited is not { } awaited)
                {
                    return End(ref transfer, ref sourcePosition, ref targetPosition, error == Errno.None ? moved : error);
                }

                timeout = awaited.File.TimeoutOf(transfer.Interest);
                waiter = BeginWait(awaited, transfer.Interest);
            }

            TransferCall call = new(ref transfer);
            result = Finish(ref call, waiter, timeout);
            isForOther = call.IsForOther;
        }
        while (isForOther);

        using (Driver.Enter())
        {
            return End(ref transfer, ref sourcePosition, ref targetPosition, result);
        }
    }

    private SyscallResult End(ref Transfer transfer, ref long? sourcePosition, ref long? targetPosition, SyscallResult result)
    {
        EndTransfer(transfer, ref sourcePosition, ref targetPosition);
        transfer.Source.Release();
        transfer.Target.Release();
        return result;
    }

    /// <summary>A broken pipe is told by a signal too. Positions go to where the caller has them, or to the descriptions.</summary>
    private void EndTransfer(in Transfer transfer, ref long? sourcePosition, ref long? targetPosition)
    {
        SignalBrokenPipe(transfer.BreaksPipe);
        SetPosition(transfer.Source, ref sourcePosition, transfer.SourcePosition);
        SetPosition(transfer.Target, ref targetPosition, transfer.TargetPosition);
    }

    private static void SetPosition(OpenFileDescription description, ref long? given, long position)
    {
        if (given != null)
        {
            given = position;
        }
        else if (description.File.IsSeekable)
        {
            description.Offset = position;
        }
    }
}

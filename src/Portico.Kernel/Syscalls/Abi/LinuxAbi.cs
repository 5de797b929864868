using Portico.Net;

namespace Portico.Kernel;

/// <summary>
/// System calls as a program makes them: a number, six words, and Linux's structures behind pointers. It only translates; what the calls
/// do is in <see cref="Process"/>. For shared libraries and tests: the memory behind the pointers is trusted, except that null is EFAULT.
/// </summary>
public static unsafe partial class LinuxAbi
{
    /// <summary>Makes a system call. The value, or the negated errno; ENOSYS for a call that this kernel does not have.</summary>
    public static long Invoke(Process process, SyscallNumber number, long a0 = 0, long a1 = 0, long a2 = 0, long a3 = 0, long a4 = 0, long a5 = 0)
    {
        ArgumentNullException.ThrowIfNull(process);
        Arguments a = new(a0, a1, a2, a3, a4, a5);
        SyscallResult result = Errno.ENOSYS;
        _ = TryFiles(process, number, a, ref result) || TryTransfers(process, number, a, ref result) || TryDescriptors(process, number, a, ref result) || TryPolling(process, number, a, ref result)
            || TrySockets(process, number, a, ref result) || TryMessages(process, number, a, ref result)
            || TrySignals(process, number, a, ref result) || TryProcesses(process, number, a, ref result)
            || TryPathsOfTheirOwn(process, number, a, ref result) || TryPaths(process, number, a, ref result);
        return result.Raw;
    }

    /// <summary>The words of a call.</summary>
    private readonly struct Arguments(long a0, long a1, long a2, long a3, long a4, long a5)
    {
        public long A0 => a0;

        public long A1 => a1;

        public long A2 => a2;

        public long A3 => a3;

        public long A4 => a4;

        public long A5 => a5;

        public int Fd => (int)a0;

        /// <summary>The words behind the first.</summary>
        public Arguments Shifted() => new(a1, a2, a3, a4, a5, 0);

        /// <summary>The pointer in the second word.</summary>
        public void* Pointer => (void*)a1;

        /// <summary>The buffer that the second and third words are.</summary>
        public Span<byte> Buffer => new((void*)a1, (int)Math.Min((ulong)a2, 0x7FFF_F000));

        /// <summary>Whether the second word is null although the third says that there is something.</summary>
        public bool IsBadBuffer => a1 == 0 && a2 != 0;
    }

    private static bool TryFiles(Process process, SyscallNumber number, in Arguments a, ref SyscallResult result)
    {
        IoVector missing = new(null, (nuint)a.A2);
        switch (number)
        {
            case SyscallNumber.read:
                result = a.IsBadBuffer ? process.Readv(a.Fd, new ReadOnlySpan<IoVector>(in missing)) : process.Read(a.Fd, a.Buffer);
                return true;
            case SyscallNumber.write:
                result = a.IsBadBuffer ? process.Writev(a.Fd, new ReadOnlySpan<IoVector>(in missing)) : process.Write(a.Fd, a.Buffer);
                return true;
            case SyscallNumber.readv:
                result = process.Readv(a.Fd, Vectors(a));
                return true;
            case SyscallNumber.writev:
                result = process.Writev(a.Fd, Vectors(a));
                return true;
            case SyscallNumber.pread64:
                result = a.IsBadBuffer ? process.Preadv(a.Fd, new ReadOnlySpan<IoVector>(in missing), a.A3) : process.Pread(a.Fd, a.Buffer, a.A3);
                return true;
            case SyscallNumber.pwrite64:
                result = a.IsBadBuffer ? process.Pwritev(a.Fd, new ReadOnlySpan<IoVector>(in missing), a.A3) : process.Pwrite(a.Fd, a.Buffer, a.A3);
                return true;
            case SyscallNumber.preadv:
                result = process.Preadv(a.Fd, Vectors(a), a.A3);
                return true;
            case SyscallNumber.pwritev:
                result = process.Pwritev(a.Fd, Vectors(a), a.A3);
                return true;
            case SyscallNumber.lseek:
                result = process.Lseek(a.Fd, a.A1, (SeekWhence)a.A2);
                return true;
            case SyscallNumber.fstat:
                result = process.Fstat(a.Fd, out FileStatus status);
                if (!result.IsError)
                {
                    StatStructure.Write(a.Pointer, status);
                }

                return true;
            case SyscallNumber.ioctl:
                IoctlRequest request = (IoctlRequest)a.A1;
                long value = a.A2;
                result = process.Ioctl(a.Fd, request, TakesValue(request) ? new Span<byte>(&value, sizeof(long)) : new Span<byte>((void*)value, value == 0 ? 0 : 64));
                return true;
            default:
                return false;
        }
    }

    private static bool TryDescriptors(Process process, SyscallNumber number, in Arguments a, ref SyscallResult result)
    {
        switch (number)
        {
            case SyscallNumber.close:
                result = process.Close(a.Fd);
                return true;
            case SyscallNumber.close_range:
                result = process.CloseRange((uint)a.A0, (uint)a.A1, (CloseRangeFlags)a.A2);
                return true;
            case SyscallNumber.dup:
                result = process.Dup(a.Fd);
                return true;
            case SyscallNumber.dup2:
                result = process.Dup2(a.Fd, (int)a.A1);
                return true;
            case SyscallNumber.dup3:
                result = process.Dup3(a.Fd, (int)a.A1, (OpenFlags)a.A2);
                return true;
            case SyscallNumber.fcntl:
                result = process.Fcntl(a.Fd, (FcntlCommand)a.A1, a.A2);
                return true;
            case SyscallNumber.pipe or SyscallNumber.pipe2:
                result = process.Pipe2(number == SyscallNumber.pipe ? 0 : (OpenFlags)a.A1, out int reader, out int writer);
                if (!result.IsError)
                {
                    ((int*)a.A0)[0] = reader;
                    ((int*)a.A0)[1] = writer;
                }

                return true;
            case SyscallNumber.eventfd or SyscallNumber.eventfd2:
                result = process.Eventfd((uint)a.A0, number == SyscallNumber.eventfd ? 0 : (EventfdFlags)a.A1);
                return true;
            case SyscallNumber.timerfd_create:
                result = process.TimerfdCreate((ClockId)a.A0, (TimerfdFlags)a.A1);
                return true;
            case SyscallNumber.timerfd_settime:
                result = SetTimer(process, a);
                return true;
            case SyscallNumber.timerfd_gettime:
                result = process.TimerfdGettime(a.Fd, out TimerSpec now);
                if (!result.IsError)
                {
                    TimeStructures.Write(a.Pointer, now);
                }

                return true;
            case SyscallNumber.prlimit64:
                return PrLimit(process, a, ref result);
            case SyscallNumber.getrlimit:
                result = process.GetRlimit((Resource)a.A0, out ResourceLimit got);
                if (!result.IsError)
                {
                    *(ResourceLimit*)a.A1 = got;
                }

                return true;
            case SyscallNumber.setrlimit:
                result = process.SetRlimit((Resource)a.A0, *(ResourceLimit*)a.A1);
                return true;
            default:
                return false;
        }
    }

    private static bool PrLimit(Process process, in Arguments a, ref SyscallResult result)
    {
        ResourceLimit? set = a.A2 == 0 ? null : *(ResourceLimit*)a.A2;
        result = process.Prlimit((int)a.A0, (Resource)a.A1, set, out ResourceLimit before);
        if (!result.IsError && a.A3 != 0)
        {
            *(ResourceLimit*)a.A3 = before;
        }

        return true;
    }

    private static SyscallResult SetTimer(Process process, in Arguments a)
    {
        if (a.A2 == 0)
        {
            return Errno.EFAULT;
        }

        if (!TimeStructures.TryRead((void*)a.A2, out TimerSpec spec))
        {
            return Errno.EINVAL;
        }

        SyscallResult result = process.TimerfdSettime(a.Fd, (TimerfdFlags)a.A1, spec, out TimerSpec before);
        if (!result.IsError && a.A3 != 0)
        {
            TimeStructures.Write((void*)a.A3, before);
        }

        return result;
    }

    /// <summary>Whether a request's third word is a number, and no pointer.</summary>
    private static bool TakesValue(IoctlRequest request) => request is IoctlRequest.TCSBRK or IoctlRequest.TCSBRKP or IoctlRequest.TCXONC
        or IoctlRequest.TCFLSH or IoctlRequest.TIOCSCTTY or IoctlRequest.TIOCGPTPEER or IoctlRequest.TIOCSIG;

    private static ReadOnlySpan<IoVector> Vectors(in Arguments a) => new(a.Pointer, (int)Math.Min((ulong)a.A2, int.MaxValue));
}

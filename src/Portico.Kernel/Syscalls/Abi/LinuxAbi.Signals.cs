using Portico.Net;

namespace Portico.Kernel;

// Signals, process groups and sessions: a set of signals is a word of eight bytes, and the call is told that it is.
public static unsafe partial class LinuxAbi
{
    private const int BytesOfSet = 8;

    private static bool TrySignals(Process process, SyscallNumber number, in Arguments a, ref SyscallResult result)
    {
        switch (number)
        {
            case SyscallNumber.kill:
                result = process.Kill((int)a.A0, (int)a.A1);
                return true;
            case SyscallNumber.tgkill:
                result = process.Tgkill((int)a.A0, (int)a.A1, (int)a.A2);
                return true;
            case SyscallNumber.rt_sigaction:
                result = SetAction(process, a);
                return true;
            case SyscallNumber.rt_sigprocmask:
                result = SetMask(process, a);
                return true;
            case SyscallNumber.rt_sigpending:
                result = a.A1 is < 0 or > BytesOfSet ? Errno.EINVAL : 0;
                if (!result.IsError)
                {
                    process.Sigpending(out ulong pending);
                    new ReadOnlySpan<byte>(&pending, (int)a.A1).CopyTo(new Span<byte>((void*)a.A0, BytesOfSet));
                }

                return true;
            case SyscallNumber.signalfd or SyscallNumber.signalfd4:
                result = a.A2 != BytesOfSet ? Errno.EINVAL
                    : a.A1 == 0 ? Errno.EFAULT
                    : process.Signalfd(a.Fd, *(ulong*)a.A1, number == SyscallNumber.signalfd ? 0 : (SignalfdFlags)a.A3);
                return true;
            default:
                return TryGroups(process, number, a, ref result);
        }
    }

    private static bool TryGroups(Process process, SyscallNumber number, in Arguments a, ref SyscallResult result)
    {
        switch (number)
        {
            case SyscallNumber.setsid:
                result = process.Setsid();
                return true;
            case SyscallNumber.getsid:
                result = process.Getsid((int)a.A0);
                return true;
            case SyscallNumber.getpgid or SyscallNumber.getpgrp:
                result = process.Getpgid(number == SyscallNumber.getpgrp ? 0 : (int)a.A0);
                return true;
            case SyscallNumber.setpgid:
                result = process.Setpgid((int)a.A0, (int)a.A1);
                return true;
            case SyscallNumber.getppid:
                result = process.ParentId;
                return true;
            default:
                return false;
        }
    }

    private static SyscallResult SetAction(Process process, in Arguments a)
    {
        if (a.A3 != BytesOfSet)
        {
            return Errno.EINVAL;
        }

        SignalAction? set = a.A1 == 0 ? null : *(SignalAction*)a.A1;
        SyscallResult result = process.Sigaction((int)a.A0, set, out SignalAction before);
        if (!result.IsError && a.A2 != 0)
        {
            *(SignalAction*)a.A2 = before;
        }

        return result;
    }

    private static SyscallResult SetMask(Process process, in Arguments a)
    {
        if (a.A3 != BytesOfSet)
        {
            return Errno.EINVAL;
        }

        ulong? set = a.A1 == 0 ? null : *(ulong*)a.A1;
        SyscallResult result = process.Sigprocmask((SignalMaskChange)a.A0, set, out ulong before);
        if (!result.IsError && a.A2 != 0)
        {
            *(ulong*)a.A2 = before;
        }

        return result;
    }
}

using System.Diagnostics;
using Portico.Net;

namespace Portico.Kernel;

// The calls that wait for several descriptors. Time-outs come as milliseconds or as structures, in which select(2) and ppoll(2) leave what is left;
// masks of signals come with their size.
public static unsafe partial class LinuxAbi
{
    private const long NanosecondsOfSecond = 1_000_000_000;

    private static bool TryPolling(Process process, SyscallNumber number, in Arguments a, ref SyscallResult result)
    {
        switch (number)
        {
            case SyscallNumber.epoll_create:
                result = a.A0 <= 0 ? Errno.EINVAL : process.EpollCreate1(0);
                return true;
            case SyscallNumber.epoll_create1:
                result = process.EpollCreate1((OpenFlags)a.A0);
                return true;
            case SyscallNumber.epoll_ctl:
                EpollOperation operation = (EpollOperation)a.A1;
                result = a.A3 == 0 && operation != EpollOperation.EPOLL_CTL_DEL
                    ? Errno.EFAULT
                    : process.EpollCtl(a.Fd, operation, (int)a.A2, a.A3 == 0 ? default : EpollStructure.Read((void*)a.A3));
                return true;
            case SyscallNumber.epoll_wait or SyscallNumber.epoll_pwait:
                result = WaitForEpoll(process, a, (int)a.A3 < 0 ? null : Duration.FromMilliseconds((int)a.A3), number == SyscallNumber.epoll_pwait);
                return true;
            case SyscallNumber.epoll_pwait2:
                result = a.A3 != 0 && !TimeStructures.IsValid((void*)a.A3)
                    ? Errno.EINVAL
                    : WaitForEpoll(process, a, a.A3 == 0 ? null : TimeStructures.ReadTime((void*)a.A3), hasMask: true);
                return true;
            case SyscallNumber.poll:
                result = process.Poll(new Span<PollDescriptor>((void*)a.A0, (int)a.A1), (int)a.A2);
                return true;
            case SyscallNumber.ppoll:
                result = Ppoll(process, a);
                return true;
            case SyscallNumber.select or SyscallNumber.pselect6:
                result = Select(process, a, isPselect: number == SyscallNumber.pselect6);
                return true;
            default:
                return false;
        }
    }

    private static SyscallResult WaitForEpoll(Process process, in Arguments a, Duration? timeout, bool hasMask)
    {
        int eventsMax = int.MaxValue / EpollStructure.Bytes;
        ulong? mask = null;
        Errno error = hasMask ? ReadMask(a.A4, a.A5, out mask) : Errno.None;
        if (error != Errno.None)
        {
            return error;
        }

        int count = (int)a.A2;
        if (count <= 0 || count > eventsMax)
        {
            return process.EpollPwait2(a.Fd, [], timeout);
        }

        EpollEvent[] rented = System.Buffers.ArrayPool<EpollEvent>.Shared.Rent(Math.Min(count, 4096));
        SyscallResult result = process.EpollPwait2(a.Fd, rented.AsSpan(0, Math.Min(count, rented.Length)), timeout, mask);
        for (int i = 0; i < result.Value; i++)
        {
            EpollStructure.Write((byte*)a.A1 + (i * EpollStructure.Bytes), rented[i]);
        }

        System.Buffers.ArrayPool<EpollEvent>.Shared.Return(rented);
        return result;
    }

    private static SyscallResult Ppoll(Process process, in Arguments a)
    {
        Errno error = a.A2 != 0 && !TimeStructures.IsValid((void*)a.A2) ? Errno.EINVAL : Errno.None;
        ulong? mask = null;
        error = error == Errno.None ? ReadMask(a.A3, a.A4, out mask) : error;
        if (error != Errno.None)
        {
            return error;
        }

        Duration? timeout = a.A2 == 0 ? null : TimeStructures.ReadTime((void*)a.A2);
        long begin = Stopwatch.GetTimestamp();
        SyscallResult result = process.Ppoll(new Span<PollDescriptor>((void*)a.A0, (int)a.A1), timeout, mask);
        WriteTimeLeft((long*)a.A2, timeout, begin, 1);
        return result;
    }

    private static SyscallResult Select(Process process, in Arguments a, bool isPselect)
    {
        long* time = (long*)a.A4;
        long unit = isPselect ? 1 : 1_000;
        if (time != null && (time[0] < 0 || time[1] < 0 || (isPselect && time[1] >= NanosecondsOfSecond)))
        {
            return Errno.EINVAL;
        }

        // The sixth word of pselect6 leads to the mask and its size.
        ulong? mask = null;
        Errno error = isPselect && a.A5 != 0 ? ReadMask(((long*)a.A5)[0], ((long*)a.A5)[1], out mask) : Errno.None;
        if (error != Errno.None)
        {
            return error;
        }

        int words = ((int)Math.Clamp(a.A0, 0, 1 << 20) + 63) / 64;
        Duration? timeout = time == null ? null
            : time[0] >= (long.MaxValue / NanosecondsOfSecond) - (time[1] / (NanosecondsOfSecond / unit)) - 1 ? Duration.Infinite
            : new Duration((time[0] * NanosecondsOfSecond) + (time[1] * unit));
        long begin = Stopwatch.GetTimestamp();
        SyscallResult result = process.Select((int)a.A0, Set(a.A1, words), Set(a.A2, words), Set(a.A3, words), timeout, mask);
        WriteTimeLeft(time, timeout, begin, unit);
        return result;
    }

    /// <summary>A mask for the time of a call. Errors: EINVAL for another size than that of a set.</summary>
    private static Errno ReadMask(long pointer, long size, out ulong? mask)
    {
        mask = null;
        if (pointer == 0)
        {
            return Errno.None;
        }

        if (size != BytesOfSet)
        {
            return Errno.EINVAL;
        }

        mask = *(ulong*)pointer;
        return Errno.None;
    }

    /// <summary>What is left of a time-out, in seconds and a unit of so many nanoseconds; a time-out of nothing stays as it was.</summary>
    private static void WriteTimeLeft(long* time, Duration? timeout, long begin, long unit)
    {
        if (time == null || timeout is not { } limit || limit == Duration.Zero || limit == Duration.Infinite)
        {
            return;
        }

        long left = Math.Max(0, limit.Nanoseconds - (long)(Stopwatch.GetElapsedTime(begin).TotalSeconds * NanosecondsOfSecond));
        time[0] = left / NanosecondsOfSecond;
        time[1] = left % NanosecondsOfSecond / unit;
    }

    private static Span<ulong> Set(long pointer, int words) => pointer == 0 ? default : new Span<ulong>((void*)pointer, words);
}

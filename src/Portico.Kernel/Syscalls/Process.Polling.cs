using System.Diagnostics;
using System.Runtime.InteropServices;
using Portico.Net;

namespace Portico.Kernel;

/// <summary>A descriptor to poll, and what came of it (struct pollfd, the same layout).</summary>
[StructLayout(LayoutKind.Sequential)]
public struct PollDescriptor
{
    /// <summary>The descriptor; a negative one is passed over.</summary>
    public int Fd;

    /// <summary>What is wanted, of the first 16 bits of <see cref="SocketEvents"/>.</summary>
    public short Events;

    /// <summary>What is ready; errors, hang-ups and <see cref="SocketEvents.Invalid"/> are always told.</summary>
    public short Returned;
}

// poll(2), select(2), epoll(7).
public sealed partial class Process
{
    private const SocketEvents SelectRead = SocketEvents.Readable | SocketEvents.ReadNormal | SocketEvents.ReadBand
        | SocketEvents.HangUp | SocketEvents.Error;

    private const SocketEvents SelectWrite = SocketEvents.Writable | SocketEvents.WriteNormal | SocketEvents.WriteBand | SocketEvents.Error;

    private ref struct EpollWaitCall(Span<EpollEvent> events) : IDescriptorCall
    {
        private readonly Span<EpollEvent> _events = events;

        public OpenFileDescription Description { get; set; } = null!;

        public Errno TryPerform(out long result)
        {
            result = 0;
            if (_events.IsEmpty || Description.File is not EpollFile epoll)
            {
                return Errno.EINVAL;
            }

            return epoll.Take(_events, out result);
        }
    }

    /// <summary>epoll_create1(2). Errors: EINVAL, EMFILE, ENFILE.</summary>
    public SyscallResult EpollCreate1(OpenFlags flags)
    {
        using (Driver.Enter())
        {
            if ((flags & ~OpenFlags.O_CLOEXEC) != 0)
            {
                return Errno.EINVAL;
            }

            Errno error = Install(new EpollFile(Kernel), OpenFlags.O_RDWR, flags != 0, out int fd);
            return error == Errno.None ? fd : error;
        }
    }

    /// <summary>epoll_ctl(2). Errors: EBADF, EPERM for a file that cannot be polled, EINVAL, EEXIST, ENOENT, ELOOP, ENOSPC.</summary>
    public SyscallResult EpollCtl(int epollFd, EpollOperation operation, int fd, EpollEvent wanted = default)
    {
        using (Driver.Enter())
        {
            if (!TryGet(epollFd, out OpenFileDescription? instance, out Errno error)
                || !TryGet(fd, out OpenFileDescription? description, out error))
            {
                return error;
            }

            if (!description.File.IsPollable)
            {
                return Errno.EPERM;
            }

            if (instance == description || instance.File is not EpollFile epoll)
            {
                return Errno.EINVAL;
            }

            return operation switch
            {
                EpollOperation.EPOLL_CTL_ADD => epoll.Add(description, fd, wanted),
                EpollOperation.EPOLL_CTL_MOD => epoll.Modify(description, fd, wanted),
                EpollOperation.EPOLL_CTL_DEL => epoll.Delete(description, fd),
                _ => Errno.EINVAL,
            };
        }
    }

    /// <summary>epoll_wait(2), with a time-out in milliseconds; -1 for none. Errors: EBADF, EINVAL.</summary>
    public SyscallResult EpollWait(int epollFd, Span<EpollEvent> events, int timeoutMilliseconds) =>
        EpollPwait2(epollFd, events, timeoutMilliseconds < 0 ? null : Duration.FromMilliseconds(timeoutMilliseconds));

    /// <summary>
    /// epoll_pwait2(2): waits for at least one event; null for no time-out. With a mask, that is what the process has blocked while it waits. Errors: EBADF,
    /// EINVAL, EINTR.
    /// </summary>
    public SyscallResult EpollPwait2(int epollFd, Span<EpollEvent> events, Duration? timeout, ulong? mask = null)
    {
        EpollWaitCall call = new(events);
        BlockingWaiter waiter;
        using (Driver.Enter())
        {
            if (!TryGet(epollFd, out OpenFileDescription? description, out Errno error))
            {
                return error;
            }

            call.Description = description;
            error = call.TryPerform(out long result);
            if (error != Errno.EAGAIN)
            {
                return error == Errno.None ? result : error;
            }

            if (timeout is { } limit && limit <= Duration.Zero)
            {
                return 0;
            }

            if (!TryBeginMask(mask, endsByIgnored: true))
            {
                return Errno.EINTR;
            }

            waiter = BeginWait(description, SocketEvents.Readable);
        }

        SyscallResult taken = Finish(ref call, waiter, ToTimeSpan(timeout));
        if (mask != null)
        {
            using (Driver.Enter())
            {
                EndMask(mask);
            }
        }

        return taken.Error == Errno.EAGAIN ? 0 : taken;
    }

    /// <summary>
    /// poll(2), with a time-out in milliseconds; -1 for none. The number of descriptors that have something to tell. Errors: EINVAL for
    /// more descriptors than RLIMIT_NOFILE.
    /// </summary>
    public SyscallResult Poll(Span<PollDescriptor> descriptors, int timeoutMilliseconds) =>
        Ppoll(descriptors, timeoutMilliseconds < 0 ? null : Duration.FromMilliseconds(timeoutMilliseconds));

    /// <summary>
    /// ppoll(2); null for no time-out. With a mask, that is what the process has blocked while it waits. Errors: EINVAL, EINTR.
    /// </summary>
    public SyscallResult Ppoll(Span<PollDescriptor> descriptors, Duration? timeout, ulong? mask = null)
    {
        BlockingWaiter waiter;
        PollWaiter?[] places;
        using (Driver.Enter())
        {
            if (HasExited)
            {
                return Errno.ESRCH;
            }

            if (descriptors.Length > Limits.Files)
            {
                return Errno.EINVAL;
            }

            int ready = Scan(descriptors);
            bool isTimeUp = timeout is { } limit && limit <= Duration.Zero;
            if (ready > 0 || (isTimeUp && mask == null))
            {
                return ready;
            }

            // A signal that the mask lets through comes before the end of the time.
            if (!TryBeginMask(mask))
            {
                return Errno.EINTR;
            }

            if (isTimeUp)
            {
                EndMask(mask);
                return 0;
            }

            waiter = BlockingWaiter.Current;
            waiter.Arm(Driver);
            waiter.IsRestartable = false;
            AddBlocked(waiter);
            places = PollWaiter.Rent(descriptors.Length);
            for (int i = 0; i < descriptors.Length; i++)
            {
                if (descriptors[i].Fd >= 0 && _descriptors.TryGet(descriptors[i].Fd, out OpenFileDescription? description))
                {
                    (places[i] ??= new PollWaiter()).Begin(description, (SocketEvents)(ushort)descriptors[i].Events);
                }
            }
        }

        return FinishPoll(descriptors, waiter, places, Driver.DeadlineAfter(ToTimeSpan(timeout)), mask);
    }

    private SyscallResult FinishPoll(Span<PollDescriptor> descriptors, BlockingWaiter waiter, PollWaiter?[] places, long deadline, ulong? mask)
    {
        while (true)
        {
            bool woken = waiter.Wait(deadline);
            bool wakeIsComing;
            SyscallResult result;
            using (Driver.Enter())
            {
                // By the numbers again, as Linux does: what was closed meanwhile is POLLNVAL now.
                int ready = Scan(descriptors);
                if (ready == 0 && woken && waiter.Interruption == Errno.None)
                {
                    waiter.Arm(Driver);
                    continue;
                }

                result = ready == 0 && waiter.Interruption != Errno.None ? waiter.Interruption : ready;
                for (int i = 0; i < descriptors.Length; i++)
                {
                    places[i]?.End(Driver);
                }

                EndWait(waiter);
                waiter.Disarm();
                EndMask(mask);
                wakeIsComing = waiter.IsNotified && !woken;
            }

            if (wakeIsComing)
            {
                waiter.WaitForPendingWake();
            }

            return result;
        }
    }

    /// <summary>What is ready now; the number of descriptors that have something to tell.</summary>
    private int Scan(Span<PollDescriptor> descriptors)
    {
        BeginCall();
        int ready = 0;
        foreach (ref PollDescriptor descriptor in descriptors)
        {
            SocketEvents events = descriptor.Fd < 0 ? SocketEvents.None
                : !_descriptors.TryGet(descriptor.Fd, out OpenFileDescription? description) || description.IsPathOnly ? SocketEvents.Invalid
                : Wanted(description, descriptor.Events);
            descriptor.Returned = (short)events;
            ready += events != 0 ? 1 : 0;
        }

        return ready;
    }

    private static SocketEvents Wanted(OpenFileDescription description, short events) =>
        description.File.Poll(description) & ((SocketEvents)(ushort)events | SocketEvents.Error | SocketEvents.HangUp);

    /// <summary>
    /// select(2): sets of descriptors as bits, each 64 in a word; a set may be empty for none. The number of bits that are left. Errors:
    /// EINVAL for a negative number of descriptors, EBADF, EINTR. With a mask it is pselect(2).
    /// </summary>
    public SyscallResult Select(
        int count, Span<ulong> readable, Span<ulong> writable, Span<ulong> exceptional, Duration? timeout, ulong? mask = null)
    {
        if (count < 0)
        {
            return Errno.EINVAL;
        }

        using (Driver.Enter())
        {
            count = Math.Min(count, _descriptors.Size);
        }

        List<PollDescriptor> list = [];
        for (int fd = 0; fd < count; fd++)
        {
            SocketEvents wanted = (Has(readable, fd) ? SelectRead : 0) | (Has(writable, fd) ? SelectWrite : 0)
                | (Has(exceptional, fd) ? SocketEvents.Priority : 0);
            if (wanted != 0)
            {
                list.Add(new PollDescriptor { Fd = fd, Events = (short)wanted });
            }
        }

        Span<PollDescriptor> descriptors = CollectionsMarshal.AsSpan(list);
        SyscallResult result = Ppoll(descriptors, timeout, mask);
        if (result.IsError)
        {
            return result;
        }

        int bits = 0;
        foreach (PollDescriptor descriptor in descriptors)
        {
            if ((descriptor.Returned & (short)SocketEvents.Invalid) != 0 && !IsInUse(descriptor.Fd))
            {
                return Errno.EBADF;
            }
        }

        foreach (PollDescriptor descriptor in descriptors)
        {
            // Of an O_PATH descriptor everything is ready (POLLNVAL is in all of the kernel's sets).
            SocketEvents ready = (SocketEvents)(ushort)descriptor.Returned;
            ready |= (ready & SocketEvents.Invalid) != 0 ? SelectRead | SelectWrite | SocketEvents.Priority : 0;
            bits += Keep(readable, descriptor.Fd, (ready & SelectRead) != 0);
            bits += Keep(writable, descriptor.Fd, (ready & SelectWrite) != 0);
            bits += Keep(exceptional, descriptor.Fd, (ready & SocketEvents.Priority) != 0);
        }

        return bits;
    }

    private bool IsInUse(int fd)
    {
        using (Driver.Enter())
        {
            return _descriptors.TryGet(fd, out _);
        }
    }

    private static bool Has(ReadOnlySpan<ulong> set, int fd) => fd >> 6 < set.Length && (set[fd >> 6] & (1UL << (fd & 63))) != 0;

    private static int Keep(Span<ulong> set, int fd, bool isReady)
    {
        if (!Has(set, fd))
        {
            return 0;
        }

        if (!isReady)
        {
            set[fd >> 6] &= ~(1UL << (fd & 63));
        }

        return isReady ? 1 : 0;
    }

    private static TimeSpan ToTimeSpan(Duration? timeout) =>
        timeout is not { } limit || limit == Duration.Infinite
            ? Timeout.InfiniteTimeSpan
            : TimeSpan.FromTicks((limit.Nanoseconds / 100) + (limit.Nanoseconds % 100 > 0 ? 1 : 0));
}

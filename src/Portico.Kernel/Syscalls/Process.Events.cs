using Portico.Net;

namespace Portico.Kernel;

// pipe2(2), eventfd(2), timerfd_create(2), and the devices that are only memory.
public sealed partial class Process
{
    /// <summary>pipe2(2): a descriptor to read from and one to write to. Errors: EINVAL, EMFILE, ENFILE.</summary>
    public SyscallResult Pipe2(OpenFlags flags, out int readFd, out int writeFd)
    {
        const OpenFlags Known = OpenFlags.O_CLOEXEC | OpenFlags.O_NONBLOCK | OpenFlags.O_DIRECT;
        readFd = writeFd = -1;
        using (Driver.Enter())
        {
            if ((flags & ~Known) != 0)
            {
                return Errno.EINVAL;
            }

            if (!Pipe.HasRoom(Kernel, IsPrivileged))
            {
                return Errno.ENFILE;
            }

            PipeFile pipe = new(Kernel, IsPrivileged);
            OpenFlags status = flags & (OpenFlags.O_NONBLOCK | OpenFlags.O_DIRECT);
            bool closeOnExec = (flags & OpenFlags.O_CLOEXEC) != 0;
            Errno error = Install(pipe, OpenFlags.O_RDONLY | (status & OpenFlags.O_NONBLOCK), closeOnExec, out int reader);
            if (error != Errno.None)
            {
                pipe.Abandon();
                return error;
            }

            error = Install(pipe, OpenFlags.O_WRONLY | status, closeOnExec, out int writer);
            if (error != Errno.None)
            {
                _descriptors.Remove(reader)!.Release();
                return error;
            }

            (readFd, writeFd) = (reader, writer);
            return 0;
        }
    }

    /// <summary>eventfd(2). Errors: EINVAL, EMFILE, ENFILE.</summary>
    public SyscallResult Eventfd(uint initial, EventfdFlags flags)
    {
        const EventfdFlags Known = EventfdFlags.EFD_SEMAPHORE | EventfdFlags.EFD_NONBLOCK | EventfdFlags.EFD_CLOEXEC;
        using (Driver.Enter())
        {
            if ((flags & ~Known) != 0)
            {
                return Errno.EINVAL;
            }

            OpenFlags status = OpenFlags.O_RDWR | ((OpenFlags)flags & OpenFlags.O_NONBLOCK);
            EventFile file = new(Kernel, initial, (flags & EventfdFlags.EFD_SEMAPHORE) != 0);
            Errno error = Install(file, status, (flags & EventfdFlags.EFD_CLOEXEC) != 0, out int fd);
            return error == Errno.None ? fd : error;
        }
    }

    /// <summary>timerfd_create(2). Errors: EINVAL, EPERM for an alarm clock without privileges, EMFILE, ENFILE.</summary>
    public SyscallResult TimerfdCreate(ClockId clock, TimerfdFlags flags)
    {
        const TimerfdFlags Known = TimerfdFlags.TFD_NONBLOCK | TimerfdFlags.TFD_CLOEXEC;
        using (Driver.Enter())
        {
            if ((flags & ~Known) != 0 || !Enum.IsDefined(clock))
            {
                return Errno.EINVAL;
            }

            if (clock is ClockId.CLOCK_REALTIME_ALARM or ClockId.CLOCK_BOOTTIME_ALARM && !IsPrivileged)
            {
                return Errno.EPERM;
            }

            OpenFlags status = OpenFlags.O_RDWR | ((OpenFlags)flags & OpenFlags.O_NONBLOCK);
            Errno error = Install(new TimerFile(Kernel, clock), status, (flags & TimerfdFlags.TFD_CLOEXEC) != 0, out int fd);
            return error == Errno.None ? fd : error;
        }
    }

    /// <summary>timerfd_settime(2). Errors: EBADF, EINVAL for another kind of file, other flags or a time out of range.</summary>
    public SyscallResult TimerfdSettime(int fd, TimerfdFlags flags, TimerSpec spec, out TimerSpec before)
    {
        const TimerfdFlags Known = TimerfdFlags.TFD_TIMER_ABSTIME | TimerfdFlags.TFD_TIMER_CANCEL_ON_SET;
        before = default;
        using (Driver.Enter())
        {
            if ((flags & ~Known) != 0 || spec.Value < Duration.Zero || spec.Interval < Duration.Zero)
            {
                return Errno.EINVAL;
            }

            Errno error = TryGetTimer(fd, out TimerFile? timer);
            if (error == Errno.None)
            {
                timer!.Set(spec, (flags & TimerfdFlags.TFD_TIMER_ABSTIME) != 0, out before);
            }

            return error;
        }
    }

    /// <summary>timerfd_gettime(2). Errors: EBADF, EINVAL for another kind of file.</summary>
    public SyscallResult TimerfdGettime(int fd, out TimerSpec now)
    {
        using (Driver.Enter())
        {
            Errno error = TryGetTimer(fd, out TimerFile? timer);
            now = timer?.Get() ?? default;
            return error;
        }
    }

    /// <summary>Opens one of /dev/null, zero, full, random and urandom. Errors: EMFILE, ENFILE.</summary>
    public SyscallResult OpenDevice(MemoryDeviceKind kind, OpenFlags flags)
    {
        using (Driver.Enter())
        {
            OpenFlags status = flags & (OpenFlags.O_ACCMODE | OpenFlags.O_NONBLOCK | OpenFlags.O_APPEND);
            status |= OpenFlags.O_LARGEFILE;
            Errno error = Install(new MemoryDevice(Driver, kind), status, (flags & OpenFlags.O_CLOEXEC) != 0, out int fd);
            return error == Errno.None ? fd : error;
        }
    }

    private Errno TryGetTimer(int fd, out TimerFile? timer)
    {
        timer = null;
        if (!TryGet(fd, out OpenFileDescription? description, out Errno error))
        {
            return error;
        }

        timer = description.File as TimerFile;
        return timer == null ? Errno.EINVAL : Errno.None;
    }
}

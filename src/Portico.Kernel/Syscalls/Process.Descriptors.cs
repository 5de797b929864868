using Portico.Net;

namespace Portico.Kernel;

// close(2), close_range(2), dup(2), fcntl(2), getrlimit(2).
public sealed partial class Process
{
    /// <summary>
    /// close(2): the last close of a TCP socket with SO_LINGER waits until the peer has acknowledged everything, or the time is up, O_NONBLOCK or not.
    /// Errors: EBADF.
    /// </summary>
    public SyscallResult Close(int fd)
    {
        InetStreamSocket[] lingering;
        using (Driver.Enter())
        {
            if (!TryGetAny(fd, out _, out Errno error))
            {
                return error;
            }

            BeginClosing();
            _descriptors.Remove(fd)!.Release();
            lingering = EndClosing();
        }

        Linger(lingering);
        return 0;
    }

    /// <summary>close_range(2): closes, or marks close-on-exec, what is open from first to last. Errors: EINVAL.</summary>
    public SyscallResult CloseRange(uint first, uint last, CloseRangeFlags flags)
    {
        const CloseRangeFlags Known = CloseRangeFlags.CLOSE_RANGE_UNSHARE | CloseRangeFlags.CLOSE_RANGE_CLOEXEC;
        InetStreamSocket[] lingering;
        using (Driver.Enter())
        {
            if ((flags & ~Known) != 0 || first > last)
            {
                return Errno.EINVAL;
            }

            if (HasExited)
            {
                return Errno.ESRCH;
            }

            if ((flags & CloseRangeFlags.CLOSE_RANGE_UNSHARE) != 0)
            {
                Unshare();
            }

            if (first > int.MaxValue)
            {
                return 0;
            }

            BeginClosing();
            bool mark = (flags & CloseRangeFlags.CLOSE_RANGE_CLOEXEC) != 0;
            for (int fd = _descriptors.NextUsed((int)first); fd >= 0 && (uint)fd <= last; fd = _descriptors.NextUsed(fd + 1))
            {
                if (mark)
                {
                    _descriptors.SetCloseOnExec(fd, true);
                }
                else
                {
                    _descriptors.Remove(fd)!.Release();
                }
            }

            lingering = EndClosing();
        }

        Linger(lingering);
        return 0;
    }

    /// <summary>dup(2): another number for the same description. Errors: EBADF, EMFILE.</summary>
    public SyscallResult Dup(int fd)
    {
        using (Driver.Enter())
        {
            return TryGetAny(fd, out OpenFileDescription? description, out Errno error) ? Duplicate(description, 0, false) : error;
        }
    }

    /// <summary>dup2(2): makes <paramref name="target"/> another number for the description, closing what was there. Errors: EBADF.</summary>
    public SyscallResult Dup2(int fd, int target)
    {
        using (Driver.Enter())
        {
            if (target == fd)
            {
                return TryGetAny(fd, out _, out Errno error) ? target : error;
            }
        }

        return Replace(fd, target, false);
    }

    /// <summary>dup3(2): as <see cref="Dup2"/>, with O_CLOEXEC. Errors: EINVAL for equal numbers or other flags, EBADF.</summary>
    public SyscallResult Dup3(int fd, int target, OpenFlags flags)
    {
        return (flags & ~OpenFlags.O_CLOEXEC) != 0 || fd == target ? Errno.EINVAL : Replace(fd, target, flags == OpenFlags.O_CLOEXEC);
    }

    private SyscallResult Replace(int fd, int target, bool closeOnExec)
    {
        SyscallResult result;
        InetStreamSocket[] lingering;
        using (Driver.Enter())
        {
            Errno error = Errno.EBADF;
            if ((uint)target >= (ulong)Limits.Files || !TryGetAny(fd, out OpenFileDescription? description, out error))
            {
                return error;
            }

            result = PutAt(target, description, closeOnExec, out lingering);
        }

        Linger(lingering);
        return result;
    }

    /// <summary>Under the lock: gives a description a number, whatever that was before. Errors: EBADF, EBUSY.</summary>
    private SyscallResult PutAt(int target, OpenFileDescription description, bool closeOnExec, out InetStreamSocket[] lingering)
    {
        lingering = [];
        if ((uint)target >= (ulong)Limits.Files || _descriptors.IsReserved(target))
        {
            return (uint)target >= (ulong)Limits.Files ? Errno.EBADF : Errno.EBUSY;
        }

        description.AddReference();
        OpenFileDescription? replaced = _descriptors.Remove(target);
        _descriptors.Put(target, description, closeOnExec);
        BeginClosing();
        replaced?.Release();
        lingering = EndClosing();
        return target;
    }

    private SyscallResult Duplicate(OpenFileDescription description, int least, bool closeOnExec)
    {
        Errno error = FindFree(least, out int fd);
        if (error != Errno.None)
        {
            return error;
        }

        description.AddReference();
        _descriptors.Put(fd, description, closeOnExec);
        return fd;
    }

    /// <summary>
    /// fcntl(2). Errors: EBADF; EINVAL for a command that the file does not have, or F_DUPFD beyond RLIMIT_NOFILE; EMFILE; those of
    /// F_SETPIPE_SZ.
    /// </summary>
    public SyscallResult Fcntl(int fd, FcntlCommand command, long argument = 0)
    {
        using (Driver.Enter())
        {
            if (!TryGetAny(fd, out OpenFileDescription? description, out Errno error))
            {
                return error;
            }

            if (description.IsPathOnly && command is not (FcntlCommand.F_DUPFD or FcntlCommand.F_DUPFD_CLOEXEC or FcntlCommand.F_DUPFD_QUERY
                or FcntlCommand.F_GETFD or FcntlCommand.F_SETFD or FcntlCommand.F_GETFL))
            {
                return Errno.EBADF;
            }

            switch (command)
            {
                case FcntlCommand.F_DUPFD or FcntlCommand.F_DUPFD_CLOEXEC:
                    return (int)argument < 0 || (int)argument >= Limits.Files
                        ? Errno.EINVAL
                        : Duplicate(description, (int)argument, command == FcntlCommand.F_DUPFD_CLOEXEC);
                case FcntlCommand.F_DUPFD_QUERY:
                    return _descriptors.TryGet((int)argument, out OpenFileDescription? other) ? (other == description ? 1 : 0) : Errno.EBADF;
                case FcntlCommand.F_GETFD:
                    return _descriptors.IsCloseOnExec(fd) ? 1 : 0;
                case FcntlCommand.F_SETFD:
                    _descriptors.SetCloseOnExec(fd, (argument & 1) != 0);
                    return 0;
                case FcntlCommand.F_GETFL:
                    return (long)description.Flags;
                case FcntlCommand.F_SETFL:
                    return SetStatusFlags(description, (OpenFlags)argument);
                case FcntlCommand.F_GETOWN or FcntlCommand.F_GETSIG:
                    // Nobody has asked for signals, which no file of this kernel sends (O_ASYNC).
                    return 0;
                default:
                    error = description.File.Control(description, command, argument, out long result);
                    return error == Errno.None ? result : error;
            }
        }
    }

    private static SyscallResult SetStatusFlags(OpenFileDescription description, OpenFlags wanted)
    {
        OpenFlags settable = OpenFileDescription.Settable;
        if (((wanted ^ description.Flags) & OpenFlags.O_DIRECT) != 0 && !description.File.TakesDirect)
        {
            return Errno.EINVAL;
        }

        description.Flags = (description.Flags & ~settable) | (wanted & settable);
        return 0;
    }

    /// <summary>getrlimit(2). Errors: EINVAL.</summary>
    public SyscallResult GetRlimit(Resource resource, out ResourceLimit limit)
    {
        using (Driver.Enter())
        {
            return Limits.Get(resource, out limit);
        }
    }

    /// <summary>setrlimit(2). Errors: EINVAL, EPERM.</summary>
    public SyscallResult SetRlimit(Resource resource, ResourceLimit limit)
    {
        using (Driver.Enter())
        {
            return Limits.Set(resource, limit, IsPrivileged, Kernel.Settings.nr_open);
        }
    }

    /// <summary>
    /// prlimit(2): sets the limit of another process (0: this one) where <paramref name="set"/> is given, and tells what it was. Errors:
    /// ESRCH, EPERM for another user's process, EINVAL.
    /// </summary>
    public SyscallResult Prlimit(int processId, Resource resource, ResourceLimit? set, out ResourceLimit before)
    {
        using (Driver.Enter())
        {
            before = default;
            Process? target = processId == 0 ? this : Kernel.Find(processId);
            if (target == null)
            {
                return Errno.ESRCH;
            }

            if (!IsPrivileged && (target.UserId != UserId || target.GroupId != GroupId))
            {
                return Errno.EPERM;
            }

            Errno error = target.Limits.Get(resource, out before);
            return error != Errno.None || set == null ? error : target.Limits.Set(resource, set.Value, IsPrivileged, Kernel.Settings.nr_open);
        }
    }
}

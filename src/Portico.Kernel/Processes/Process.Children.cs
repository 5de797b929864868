using Portico.Net;

namespace Portico.Kernel;

/// <summary>Whose end waitid(2) waits for.</summary>
public enum WaitIdType
{
#pragma warning disable CS1591, CA1707 // The names are those of waitid(2).
    P_ALL = 0,
    P_PID = 1,
    P_PGID = 2,
    P_PIDFD = 3,
#pragma warning restore CS1591, CA1707
}

/// <summary>Options of wait4(2) and waitid(2).</summary>
[Flags]
public enum WaitOptions : uint
{
#pragma warning disable CS1591, CA1707 // The names are those of wait(2).
    None = 0,
    WNOHANG = 1,
    WUNTRACED = 2,
    WSTOPPED = 2,
    WEXITED = 4,
    WCONTINUED = 8,
    WNOWAIT = 0x100_0000,
    __WNOTHREAD = 0x2000_0000,
    __WALL = 0x4000_0000,
    __WCLONE = 0x8000_0000,
#pragma warning restore CS1591, CA1707
}

// The end of a process, and its parent's wait for it (exit(2), wait(2)). A child that has exited stays, as a zombie, until its parent has asked for it
// or is gone; one whose parent ignores SIGCHLD, or that the embedder has made, leaves nothing.
public sealed partial class Process
{
    private const WaitOptions WaitidOptions = WaitOptions.WNOHANG | WaitOptions.WNOWAIT | WaitOptions.WEXITED | WaitOptions.WSTOPPED
        | WaitOptions.WCONTINUED | WaitOptions.__WNOTHREAD | WaitOptions.__WCLONE | WaitOptions.__WALL;

    private const WaitOptions Wait4Options = WaitidOptions & ~(WaitOptions.WNOWAIT | WaitOptions.WEXITED);

    /// <summary>Looks for a child that has exited.</summary>
    private struct ChildCall(Process parent, WaitIdType type, int id, WaitOptions options) : IFileCall<SignalInfo>
    {
        public readonly Errno TryPerform(out SignalInfo result)
        {
            result = default;
            Errno error = Errno.ECHILD;
            foreach (Process child in parent._children)
            {
                if (!IsWanted(child))
                {
                    continue;
                }

                if (!child.HasExited)
                {
                    error = Errno.EAGAIN;
                }
                else if ((options & WaitOptions.WEXITED) != 0)
                {
                    result = child._end;
                    if ((options & WaitOptions.WNOWAIT) == 0)
                    {
                        parent.Forget(child);
                    }

                    return Errno.None;
                }
            }

            return error;
        }

        /// <summary>All children have been made as fork makes them, so that there are none for __WCLONE.</summary>
        private readonly bool IsWanted(Process child) =>
            (options & (WaitOptions.__WCLONE | WaitOptions.__WALL)) != WaitOptions.__WCLONE && type switch
            {
                WaitIdType.P_PID => child.Id == id,
                WaitIdType.P_PGID => child.Group.Id == id,
                _ => true,
            };
    }

    /// <summary>In the order in which they were made; those too that have exited and have not been waited for.</summary>
    private readonly List<Process> _children = [];

    private WaitQueue _childWaiters;

    /// <summary>What its parent is told of its end.</summary>
    private SignalInfo _end;

    /// <summary>The process that forked it, while that is there.</summary>
    internal Process? Parent { get; private set; }

    /// <summary>Whether nobody can meet it any more: it has exited, and has been waited for.</summary>
    internal bool IsGone { get; private set; }

    /// <summary>Ends the process with the status 0.</summary>
    public void Exit() => Exit(0);

    /// <summary>
    /// Ends the process (exit(2)): its calls that wait fail with EINTR, its descriptors are closed, and its parent is told and may ask for
    /// the last eight bits of <paramref name="status"/>.
    /// </summary>
    public void Exit(int status) => End(SignalInfo.CLD_EXITED, status & 0xFF);

    /// <summary>
    /// wait4(2): waits for the end of a child, for 0 one of the caller's group, for -1 any, for another negative number one of that group. The child's
    /// number, and in <paramref name="status"/> what WEXITSTATUS and its like take apart; 0 where WNOHANG is set and none has exited.
    /// Nothing in Portico stops or continues, so that there is nothing else to wait for. Errors: EINVAL, ESRCH, ECHILD, EINTR.
    /// </summary>
    public SyscallResult Wait4(int processId, WaitOptions options, out int status)
    {
        status = 0;
        if ((options & ~Wait4Options) != 0 || processId == int.MinValue)
        {
            return (options & ~Wait4Options) != 0 ? Errno.EINVAL : Errno.ESRCH;
        }

        (WaitIdType type, int id) = processId switch
        {
            -1 => (WaitIdType.P_ALL, 0),
            0 => (WaitIdType.P_PGID, 0),
            < 0 => (WaitIdType.P_PGID, -processId),
            _ => (WaitIdType.P_PID, processId),
        };
        SyscallResult result = WaitForChild(type, id, options | WaitOptions.WEXITED, out SignalInfo end);
        if (result.IsError || end.Signal == 0)
        {
            return result;
        }

        status = end.Code == SignalInfo.CLD_EXITED ? (int)end.Value << 8 : (int)end.Value;
        return end.ProcessId;
    }

    /// <summary>
    /// waitid(2): waits for the end of a child, and with WNOWAIT leaves it there to be waited for. <paramref name="info"/> is of SIGCHLD, or empty
    /// where WNOHANG is set and none has exited. Errors: EINVAL, ECHILD, EINTR, EBADF for P_PIDFD, as there are no such descriptors.
    /// </summary>
    public SyscallResult Waitid(WaitIdType type, int id, WaitOptions options, out SignalInfo info)
    {
        const WaitOptions Something = WaitOptions.WEXITED | WaitOptions.WSTOPPED | WaitOptions.WCONTINUED;
        info = default;
        if ((options & ~WaitidOptions) != 0 || (options & Something) == 0)
        {
            return Errno.EINVAL;
        }

        bool isValid = type switch
        {
            WaitIdType.P_ALL => true,
            WaitIdType.P_PID => id > 0,
            WaitIdType.P_PGID or WaitIdType.P_PIDFD => id >= 0,
            _ => false,
        };
        return !isValid ? Errno.EINVAL
            : type == WaitIdType.P_PIDFD ? Errno.EBADF
            : WaitForChild(type, id, options, out info);
    }

    private SyscallResult WaitForChild(WaitIdType type, int id, WaitOptions options, out SignalInfo end)
    {
        ChildCall call;
        BlockingWaiter waiter;
        using (Driver.Enter())
        {
            BeginCall();
            call = new ChildCall(this, type, type == WaitIdType.P_PGID && id == 0 ? Group.Id : id, options);
            Errno first = call.TryPerform(out end);
            if (HasExited || first != Errno.EAGAIN || (options & WaitOptions.WNOHANG) != 0)
            {
                return HasExited ? Errno.ESRCH : first == Errno.EAGAIN ? 0 : first;
            }

            waiter = BeginWait(ref _childWaiters, isRestartable: true);
        }

        return waiter.WaitFor(ref _childWaiters, Driver, ref call, Driver.DeadlineAfter(Timeout.InfiniteTimeSpan), out end);
    }

    private void End(int code, int status)
    {
        using (Driver.Enter())
        {
            if (HasExited)
            {
                return;
            }

            HasExited = true;
            _end = new SignalInfo(Signal.SIGCHLD, code, Id, UserId) { Value = status };
            foreach (IBlockedCall waiter in _blocked)
            {
                waiter.Interrupt(Driver);
            }

            _descriptors.Leave();
            LeaveSession();
            foreach (Process child in _children)
            {
                child.LoseParent();
            }

            _children.Clear();
            if (Parent is { } parent)
            {
                parent.OnChildEnded(this);
            }
            else
            {
                Disappear();
            }
        }
    }

    private void LoseParent()
    {
        const int Init = 1;
        Parent = null;
        ParentId = Init;
        if (HasExited)
        {
            Disappear();
        }
    }

    /// <summary>A child has exited: it is there to be waited for, unless the process has said that it will not.</summary>
    private void OnChildEnded(Process child)
    {
        SignalAction action = _actions[(int)Signal.SIGCHLD - 1];
        if (action.Handler == SignalAction.SIG_IGN || (action.Flags & SignalAction.SA_NOCLDWAIT) != 0)
        {
            Forget(child);
        }

        if (action.Handler != SignalAction.SIG_IGN)
        {
            Receive(child._end);
        }

        _childWaiters.NotifyEach(SocketEvents.Readable, Driver);
    }

    private void Forget(Process child)
    {
        _children.Remove(child);
        child.Disappear();
    }

    private void Disappear()
    {
        IsGone = true;
        LeaveGroup();
        Kernel.Remove(this);
    }
}

using Portico.Net;

namespace Portico.Kernel;

// Signals as far as a library has them (signal(7)): they are sent, blocked, waited for and read; what one does to a process that has not blocked
// it is the embedder's to say.
public sealed partial class Process
{
    private const int SignalCount = 64;

    private sealed class Delivery(Process process, SignalInfo info) : IAfterScope
    {
        public void RunAfterScope() => process.SignalHandler?.Invoke(process, info);
    }

    private readonly SignalAction[] _actions = new SignalAction[SignalCount];
    private readonly PendingSignals _pending = new();

    /// <summary>Those of tgkill(2) and of the process's own calls, which come first.</summary>
    private readonly PendingSignals _pendingOfThread = new();

    private ulong _blockedSignals;

    /// <summary>
    /// Gets the signals that the process has neither blocked nor ignored, outside of the kernel's lock, on the thread whose call sent the
    /// signal. A child of fork has its parent's. Portico itself never ends or stops a process by a signal, but by SIGKILL.
    /// </summary>
    public Action<Process, SignalInfo>? SignalHandler { get; set; }

    internal ulong PendingOfThread => _pendingOfThread.Set;

    internal ulong PendingOfProcess => _pending.Set;

    internal ulong BlockedSet => _blockedSignals;

    /// <summary>The signals that have a handler.</summary>
    internal ulong CaughtSet => ~(SetOfActions(SignalAction.SIG_IGN) | SetOfActions(SignalAction.SIG_DFL));

    /// <summary>The signals with an action, such as SIG_IGN.</summary>
    internal ulong SetOfActions(ulong handler)
    {
        ulong set = 0;
        for (int i = 0; i < SignalCount; i++)
        {
            set |= _actions[i].Handler == handler ? 1UL << i : 0;
        }

        return set;
    }

    internal ulong PendingSet => _pending.Set | _pendingOfThread.Set;

    /// <summary>
    /// kill(2): sends a signal to a process, for 0 to the caller's group, for -1 to all that it may, for another negative number to that
    /// group; signal 0 only asks. Errors: EINVAL, ESRCH, EPERM.
    /// </summary>
    public SyscallResult Kill(int processId, int signal)
    {
        using (Driver.Enter())
        {
            BeginCall();
            if (processId > 0)
            {
                return Kernel.Find(processId) is { } target ? Send(target, signal, SignalInfo.SI_USER) : Errno.ESRCH;
            }

            List<Process> targets = processId == -1 ? [.. Kernel.Processes.Where(process => process != this && process.Id > 1)]
                : processId == int.MinValue ? []
                : [.. (processId == 0 ? Group : Kernel.FindGroup(-processId))?.Members ?? []];
            Errno error = Errno.ESRCH;
            bool sent = false;
            foreach (Process target in targets)
            {
                error = Send(target, signal, SignalInfo.SI_USER);
                sent |= error == Errno.None;
            }

            return sent ? 0 : error;
        }
    }

    /// <summary>tgkill(2); a process of Portico is one thread with the process's number. Errors: EINVAL, ESRCH, EPERM.</summary>
    public SyscallResult Tgkill(int processId, int threadId, int signal)
    {
        using (Driver.Enter())
        {
            BeginCall();
            return processId <= 0 || threadId <= 0 ? Errno.EINVAL
                : processId == threadId && Kernel.Find(processId) is { } target ? Send(target, signal, SignalInfo.SI_TKILL)
                : Errno.ESRCH;
        }
    }

    /// <summary>rt_sigprocmask(2): changes what is blocked, where a set is given. Errors: EINVAL.</summary>
    public SyscallResult Sigprocmask(SignalMaskChange change, ulong? set, out ulong before)
    {
        using (Driver.Enter())
        {
            before = _blockedSignals;
            if (set is not { } given)
            {
                return 0;
            }

            if (change is < SignalMaskChange.SIG_BLOCK or > SignalMaskChange.SIG_SETMASK)
            {
                return Errno.EINVAL;
            }

            _blockedSignals = ~SignalSet.Unstoppable & (change switch
            {
                SignalMaskChange.SIG_BLOCK => before | given,
                SignalMaskChange.SIG_UNBLOCK => before & ~given,
                _ => given,
            });
            DeliverUnblocked();
            return 0;
        }
    }

    /// <summary>rt_sigpending(2): what has been sent and is blocked.</summary>
    public SyscallResult Sigpending(out ulong set)
    {
        using (Driver.Enter())
        {
            set = PendingSet & _blockedSignals;
            return 0;
        }
    }

    /// <summary>
    /// signalfd4(2): a descriptor to read the signals of a set from, or where <paramref name="fd"/> is given the set of that descriptor. Errors: EINVAL,
    /// EBADF, EMFILE, ENFILE.
    /// </summary>
    public SyscallResult Signalfd(int fd, ulong mask, SignalfdFlags flags)
    {
        using (Driver.Enter())
        {
            if ((flags & ~(SignalfdFlags.SFD_NONBLOCK | SignalfdFlags.SFD_CLOEXEC)) != 0)
            {
                return Errno.EINVAL;
            }

            mask &= ~SignalSet.Unstoppable;
            if (fd == -1)
            {
                OpenFlags status = OpenFlags.O_RDWR | ((OpenFlags)flags & OpenFlags.O_NONBLOCK);
                Errno failure = Install(new SignalFile(Kernel, mask), status, (flags & SignalfdFlags.SFD_CLOEXEC) != 0, out int made);
                return failure == Errno.None ? made : failure;
            }

            if (!TryGet(fd, out OpenFileDescription? description, out Errno error))
            {
                return error;
            }

            if (description.File is not SignalFile file)
            {
                return Errno.EINVAL;
            }

            file.SetMask(mask);
            return fd;
        }
    }

    /// <summary>rt_sigaction(2). Errors: EINVAL for what is no signal, or cannot be caught.</summary>
    internal SyscallResult Sigaction(int signal, SignalAction? set, out SignalAction before)
    {
        using (Driver.Enter())
        {
            before = default;
            if (!SignalSet.IsValid(signal) || (set != null && (SignalSet.Of((Signal)signal) & SignalSet.Unstoppable) != 0))
            {
                return Errno.EINVAL;
            }

            before = _actions[signal - 1];
            if (set is { } action)
            {
                _actions[signal - 1] = action with { Mask = action.Mask & ~SignalSet.Unstoppable };
                if (Ignores((Signal)signal))
                {
                    _pending.Drop((Signal)signal);
                    _pendingOfThread.Drop((Signal)signal);
                }
            }

            return 0;
        }
    }

    /// <summary>Takes a signal of a set that has been sent.</summary>
    internal bool TryTakeSignal(ulong wanted, out SignalInfo info) =>
        _pendingOfThread.TryTake(wanted, out info) || _pending.TryTake(wanted, out info);

    /// <summary>Whether a signal would do nothing now: it is blocked or ignored (job control asks).</summary>
    internal bool BlocksOrIgnores(Signal signal) =>
        (_blockedSignals & SignalSet.Of(signal)) != 0 || _actions[(int)signal - 1].Handler == SignalAction.SIG_IGN;

    /// <summary>
    /// Under the lock: the process gets a signal. Its own calls' signals (SIGPIPE) end no other call. False where a real-time one found no room.
    /// </summary>
    internal bool Receive(in SignalInfo info, bool isOwn = false, bool isForThread = false)
    {
        ulong bit = SignalSet.Of(info.Signal);
        bool isBlocked = (BlockedNow & bit) != 0;
        if (HasExited || (!isBlocked && Ignores(info.Signal)))
        {
            return true;
        }

        if (!isBlocked && !IsAwaited(bit))
        {
            Deliver(info, endsWaits: !isOwn);
            return true;
        }

        PendingSignals pending = isOwn || isForThread ? _pendingOfThread : _pending;
        Limits.Get(Resource.RLIMIT_SIGPENDING, out ResourceLimit limit);
        bool added = pending.Add(info, limit.Soft);
        foreach (SignalFile file in Kernel.SignalFiles)
        {
            if ((file.Mask & bit) != 0)
            {
                file.Wake();
            }
        }

        _signalWaiters.NotifyEach(SocketEvents.Readable, Driver);
        return added;
    }

    /// <summary>A call of the process's own has written what nobody can read any more.</summary>
    private void SignalBrokenPipe(bool isBroken)
    {
        if (isBroken)
        {
            using (Driver.Enter())
            {
                Receive(new SignalInfo(Signal.SIGPIPE, SignalInfo.SI_USER, Id, UserId), isOwn: true);
            }
        }
    }

    private bool Ignores(Signal signal) => _actions[(int)signal - 1].Handler == SignalAction.SIG_IGN
        || (_actions[(int)signal - 1].Handler == SignalAction.SIG_DFL && (SignalSet.IgnoredByDefault & SignalSet.Of(signal)) != 0);

    private void Deliver(in SignalInfo info, bool endsWaits)
    {
        if (info.Signal == Signal.SIGKILL)
        {
            End(SignalInfo.CLD_KILLED, (int)Signal.SIGKILL);
            return;
        }

        bool restarts = (_actions[(int)info.Signal - 1].Flags & SignalAction.SA_RESTART) != 0;
        foreach (IBlockedCall call in _blocked)
        {
            if (endsWaits && !(restarts && call.IsRestartable))
            {
                call.Interrupt(Driver);
            }
        }

        if (SignalHandler != null)
        {
            Driver.QueueAfter(new Delivery(this, info));
        }
    }

    private Errno Send(Process target, int signal, int code)
    {
        Errno error = CheckSend(target, signal);
        return error != Errno.None || signal == 0 || target.Receive(new SignalInfo((Signal)signal, code, Id, UserId), isForThread: code == SignalInfo.SI_TKILL) ? error : Errno.EAGAIN;
    }

    /// <summary>Whether a process may send another a signal (kill(2)).</summary>
    private Errno CheckSend(Process target, int signal)
    {
        if (signal != 0 && !SignalSet.IsValid(signal))
        {
            return Errno.EINVAL;
        }

        bool isContinue = signal == (int)Signal.SIGCONT && target.Group.Session == Group.Session;
        return !IsPrivileged && target.UserId != UserId && !isContinue ? Errno.EPERM : Errno.None;
    }

    private void CopySignalsTo(Process child)
    {
        _actions.CopyTo(child._actions, 0);
        child._blockedSignals = _blockedSignals;
        child.SignalHandler = SignalHandler;
    }

    /// <summary>exec: what was caught does again what it does by itself.</summary>
    private void ForgetHandlers()
    {
        foreach (ref SignalAction action in _actions.AsSpan())
        {
            action = action.Handler == SignalAction.SIG_IGN ? new SignalAction(SignalAction.SIG_IGN, 0, 0, 0) : default;
        }
    }
}

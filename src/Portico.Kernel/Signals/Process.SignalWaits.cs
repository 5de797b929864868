using Portico.Net;

namespace Portico.Kernel;

// Signals with a value, calls that wait for signals, and masks that hold for the time of one call (sigqueue(3), sigwaitinfo(2), ppoll(2)).
public sealed partial class Process
{
    private struct SignalCall(Process process, ulong set) : IFileCall<SignalInfo>
    {
        public readonly Errno TryPerform(out SignalInfo result) => process.TryTakeSignal(set, out result) ? Errno.None : Errno.EAGAIN;
    }

    /// <summary>The sets that calls wait for now: such a signal is theirs although it is not blocked.</summary>
    private readonly List<ulong> _awaitedSets = [];

    /// <summary>The masks of calls that have one of their own, while they last.</summary>
    private readonly List<ulong> _masksOfCalls = [];

    private WaitQueue _signalWaiters;

    /// <summary>What is blocked now. A process is one thread: while it is in a call that has a mask, that is its mask.</summary>
    private ulong BlockedNow
    {
        get
        {
            ulong blocked = _masksOfCalls.Count == 0 ? _blockedSignals : ulong.MaxValue;
            foreach (ulong mask in _masksOfCalls)
            {
                blocked &= mask;
            }

            return blocked;
        }
    }

    /// <summary>
    /// rt_sigtimedwait(2): waits for a signal of a set, which should be blocked, and takes it; null for no time-out. The signal's number. Errors:
    /// EAGAIN when the time is up, EINTR for a signal that is not in the set.
    /// </summary>
    public SyscallResult Sigtimedwait(ulong set, Duration? timeout, out SignalInfo info)
    {
        set &= ~SignalSet.Unstoppable;
        SignalCall call = new(this, set);
        BlockingWaiter waiter;
        using (Driver.Enter())
        {
            BeginCall();
            Errno first = call.TryPerform(out info);
            if (HasExited || first == Errno.None)
            {
                return HasExited ? Errno.ESRCH : (int)info.Signal;
            }

            if (timeout is { } limit && limit <= Duration.Zero)
            {
                return Errno.EAGAIN;
            }

            _awaitedSets.Add(set);
            waiter = BeginWait(ref _signalWaiters, isRestartable: false);
        }

        Errno error = waiter.WaitFor(ref _signalWaiters, Driver, ref call, Driver.DeadlineAfter(ToTimeSpan(timeout)), out info);
        using (Driver.Enter())
        {
            _awaitedSets.Remove(set);
            DeliverUnblocked();
        }

        return error == Errno.None ? (int)info.Signal : error;
    }

    /// <summary>
    /// rt_sigqueueinfo(2): sends a signal with what the caller says about it, of which the signal's number is not asked. Errors: EPERM for a code
    /// that only the kernel may use for others, ESRCH, EINVAL, EAGAIN where RLIMIT_SIGPENDING is reached.
    /// </summary>
    public SyscallResult Sigqueueinfo(int processId, int signal, SignalInfo info)
    {
        using (Driver.Enter())
        {
            BeginCall();
            return IsKernels(info) && processId != Id ? Errno.EPERM : SendWith(Kernel.Find(processId), signal, info);
        }
    }

    /// <summary>rt_tgsigqueueinfo(2): the same for a thread, of which a process has one with its number. Errors: EINVAL as well.</summary>
    public SyscallResult Tgsigqueueinfo(int processId, int threadId, int signal, SignalInfo info)
    {
        using (Driver.Enter())
        {
            BeginCall();
            return processId <= 0 || threadId <= 0 ? Errno.EINVAL
                : IsKernels(info) && threadId != Id ? Errno.EPERM
                : SendWith(processId == threadId ? Kernel.Find(processId) : null, signal, info, isForThread: true);
        }
    }

    private static bool IsKernels(in SignalInfo info) => info.Code is >= 0 or SignalInfo.SI_TKILL;

    private SyscallResult SendWith(Process? target, int signal, in SignalInfo info, bool isForThread = false)
    {
        Errno error = target == null ? Errno.ESRCH : CheckSend(target, signal);
        return error != Errno.None || signal == 0 || target!.Receive(info with { Signal = (Signal)signal }, isForThread: isForThread) ? error : Errno.EAGAIN;
    }

    /// <summary>
    /// Under the lock: takes a mask for the time of a call that has found nothing ready. False where that lets a signal through, which ends the call with
    /// EINTR before it waits; one that is ignored does so only to a call that is not begun anew (epoll_wait).
    /// </summary>
    private bool TryBeginMask(ulong? mask, bool endsByIgnored = false)
    {
        if (mask is not { } given)
        {
            return true;
        }

        _masksOfCalls.Add(given & ~SignalSet.Unstoppable);
        bool isEnded = endsByIgnored && (PendingSet & ~BlockedNow) != 0;
        isEnded |= DeliverUnblocked();
        if (isEnded)
        {
            EndMask(mask);
        }

        return !isEnded;
    }

    /// <summary>Under the lock: the process's own mask holds again.</summary>
    private void EndMask(ulong? mask)
    {
        if (mask is { } given)
        {
            _masksOfCalls.Remove(given & ~SignalSet.Unstoppable);
            DeliverUnblocked();
        }
    }

    private bool IsAwaited(ulong signal)
    {
        foreach (ulong set in _awaitedSets)
        {
            if ((set & signal) != 0)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Delivers what is pending and not blocked any more; whether there was anything that is not ignored.</summary>
    private bool DeliverUnblocked()
    {
        bool any = false;
        while ((PendingSet & ~BlockedNow) != 0 && TryTakeSignal(~BlockedNow, out SignalInfo info))
        {
            if (!Ignores(info.Signal))
            {
                Deliver(info, endsWaits: true);
                any = true;
            }
        }

        return any;
    }
}

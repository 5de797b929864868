using System.Numerics;

namespace Portico.Kernel;

/// <summary>Sets of signals as sigset_t has them: signal N is bit N - 1.</summary>
internal static class SignalSet
{
    /// <summary>What can be neither blocked nor caught.</summary>
    public const ulong Unstoppable = (1UL << ((int)Signal.SIGKILL - 1)) | (1UL << ((int)Signal.SIGSTOP - 1));

    /// <summary>What does nothing unless it is caught or waited for.</summary>
    public const ulong IgnoredByDefault = (1UL << ((int)Signal.SIGCHLD - 1)) | (1UL << ((int)Signal.SIGCONT - 1)) | (1UL << ((int)Signal.SIGURG - 1))
        | (1UL << ((int)Signal.SIGWINCH - 1));

    /// <summary>What a fault of the program itself causes, and so comes before all others.</summary>
    private const ulong OfFaults = (1UL << ((int)Signal.SIGSEGV - 1)) | (1UL << ((int)Signal.SIGBUS - 1)) | (1UL << ((int)Signal.SIGILL - 1))
        | (1UL << ((int)Signal.SIGTRAP - 1)) | (1UL << ((int)Signal.SIGFPE - 1)) | (1UL << ((int)Signal.SIGSYS - 1));

    public static ulong Of(Signal signal) => 1UL << ((int)signal - 1);

    public static bool IsValid(int signal) => signal is >= 1 and <= (int)Signal.SIGRTMAX;

    /// <summary>The one that comes first.</summary>
    public static Signal First(ulong set)
    {
        ulong faults = set & OfFaults;
        return (Signal)(BitOperations.TrailingZeroCount(faults != 0 ? faults : set) + 1);
    }
}

/// <summary>
/// Signals that have been sent and not taken: of the standard ones one each, of the real-time ones as many as were sent, up to
/// RLIMIT_SIGPENDING for a process.
/// </summary>
internal sealed class PendingSignals
{
    private readonly List<SignalInfo> _queue = [];

    public ulong Set { get; private set; }

    /// <summary>
    /// Adds a signal; false where a real-time one finds no room. One of kill(2), or a standard one, is kept all the same, without where it
    /// comes from.
    /// </summary>
    public bool Add(in SignalInfo info, ulong limit)
    {
        bool isQueued = info.Signal >= Signal.SIGRTMIN;
        if (!isQueued && (Set & SignalSet.Of(info.Signal)) != 0)
        {
            return true;
        }

        bool hasRoom = (!isQueued && info.Code >= 0) || (ulong)_queue.Count < limit;
        if (hasRoom)
        {
            _queue.Add(info);
        }
        else if (isQueued && info.Code != SignalInfo.SI_USER)
        {
            return false;
        }

        Set |= SignalSet.Of(info.Signal);
        return true;
    }

    /// <summary>Takes the first signal of a set.</summary>
    public bool TryTake(ulong wanted, out SignalInfo info)
    {
        info = default;
        if ((Set & wanted) == 0)
        {
            return false;
        }

        Signal signal = SignalSet.First(Set & wanted);
        int index = _queue.FindIndex(candidate => candidate.Signal == signal);
        info = index < 0 ? new SignalInfo(signal, SignalInfo.SI_USER) : _queue[index];
        if (index >= 0)
        {
            _queue.RemoveAt(index);
        }

        if (!_queue.Exists(candidate => candidate.Signal == signal))
        {
            Set &= ~SignalSet.Of(signal);
        }

        return true;
    }

    /// <summary>Forgets a signal.</summary>
    public void Drop(Signal signal)
    {
        Set &= ~SignalSet.Of(signal);
        _queue.RemoveAll(candidate => candidate.Signal == signal);
    }
}

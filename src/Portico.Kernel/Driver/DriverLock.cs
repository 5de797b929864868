using System.Diagnostics;

namespace Portico.Kernel;

/// <summary>
/// The lock around an engine: held for a microsecond at a time, mostly by a thread that finds it free, or else free again at once. It
/// costs one interlocked instruction, spins for about as long as waking a parked thread takes, and then parks. Re-entrant; not fair.
/// </summary>
/// <remarks>
/// Leaving writes that the lock is free and then reads whether anybody is parked, with nothing between them: who parks pays for the
/// order of the two instead, by a barrier on all processors (membarrier(2)) between saying so and looking at the lock once more.
/// </remarks>
internal sealed class DriverLock
{
    private const int Free = 0;
    private const int Held = 1;
    private const int SpinMicros = 20;

    private static readonly bool s_canSpin = Environment.ProcessorCount > 1;

    private readonly AutoResetEvent _released = new(false);
    private int _state;

    /// <summary>Threads that are parked, or about to be.</summary>
    private int _parked;

    /// <summary>One of them has been woken and has not yet looked: no need to wake another.</summary>
    private bool _isWaking;
    private int _owner;
    private int _depth;

    public bool IsHeldByCurrentThread => _owner == Environment.CurrentManagedThreadId;

    public void Enter()
    {
        int thread = Environment.CurrentManagedThreadId;
        if (Interlocked.CompareExchange(ref _state, Held, Free) != Free)
        {
            if (_owner == thread)
            {
                _depth++;
                return;
            }

            EnterSlowly();
        }

        _owner = thread;
    }

    public void Exit()
    {
        Debug.Assert(IsHeldByCurrentThread, "not the holder");
        if (_depth != 0)
        {
            _depth--;
            return;
        }

        _owner = 0;
        Volatile.Write(ref _state, Free);
        if (Volatile.Read(ref _parked) != 0)
        {
            WakeOne();
        }
    }

    private void WakeOne()
    {
        if (!Volatile.Read(ref _isWaking))
        {
            Volatile.Write(ref _isWaking, true);
            _released.Set();
        }
    }

    private void EnterSlowly()
    {
        if (s_canSpin && Spin())
        {
            return;
        }

        Interlocked.Increment(ref _parked);
        while (true)
        {
            Interlocked.MemoryBarrierProcessWide();
            if (Interlocked.CompareExchange(ref _state, Held, Free) == Free)
            {
                break;
            }

            _released.WaitOne();
            Volatile.Write(ref _isWaking, false);
        }

        Interlocked.Decrement(ref _parked);
    }

    private bool Spin()
    {
        long end = Stopwatch.GetTimestamp() + (SpinMicros * Stopwatch.Frequency / 1_000_000);
        do
        {
            for (int i = 0; i < 8; i++)
            {
                if (Volatile.Read(ref _state) == Free && Interlocked.CompareExchange(ref _state, Held, Free) == Free)
                {
                    return true;
                }

                Thread.SpinWait(1);
            }
        }
        while (Stopwatch.GetTimestamp() < end);
        return false;
    }
}

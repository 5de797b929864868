using System.Diagnostics;

namespace Portico.Kernel;

/// <summary>
/// The lock around an engine: held for a microsecond at a time, mostly by a thread that finds it free, or else free again at once. It
/// costs two interlocked instructions, spins for about as long as waking a parked thread takes, and then parks. Re-entrant; not fair.
/// </summary>
internal sealed class DriverLock
{
    private const int Free = 0;
    private const int Held = 1;
    private const int HeldWithParked = 2;
    private const int SpinMicros = 20;

    private static readonly bool s_canSpin = Environment.ProcessorCount > 1;

    private readonly AutoResetEvent _released = new(false);
    private int _state;
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
        if (Interlocked.Exchange(ref _state, Free) == HeldWithParked)
        {
            _released.Set();
        }
    }

    private void EnterSlowly()
    {
        if (s_canSpin && Spin())
        {
            return;
        }

        // Whoever comes out of here holds it as "with parked": there may be others, and one wake-up too many is harmless.
        while (Interlocked.Exchange(ref _state, HeldWithParked) != Free)
        {
            _released.WaitOne();
        }
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

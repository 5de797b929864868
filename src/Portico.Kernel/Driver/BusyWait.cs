using System.Diagnostics;
using Portico.Net;

namespace Portico.Kernel;

/// <summary>
/// Waits awake at first, where waits have been short lately: being woken takes longer than what is waited for. Where nothing comes in
/// time, it soon goes to sleep at once again.
/// </summary>
internal struct BusyWait
{
    private const int ScoreMax = 16;
    private const int ScoreAwake = 4;

    /// <summary>One up for each short wait, more than one down for each long one.</summary>
    private int _score;

    public void Wait(IDriverEvents events, Duration timeout, Duration busyPoll)
    {
        if (timeout == Duration.Zero || busyPoll == Duration.Zero)
        {
            events.Wait(timeout);
            return;
        }

        long begun = Stopwatch.GetTimestamp();
        Duration waited = Duration.Zero;
        if (_score >= ScoreAwake)
        {
            Duration limit = Duration.Min(busyPoll, timeout);
            while (waited < limit)
            {
                if (events.Wait(Duration.Zero))
                {
                    _score = Math.Min(_score + 1, ScoreMax);
                    return;
                }

                // Who could run instead, the peer that is waited for perhaps, does.
                Thread.Yield();
                waited = Since(begun);
            }
        }

        if (waited < timeout)
        {
            events.Wait(timeout == Duration.Infinite ? timeout : timeout - waited);
            waited = Since(begun);
        }

        // Being woken is part of the time: what came in half of it would have been seen.
        _score = waited < busyPoll * 2 ? Math.Min(_score + 1, ScoreMax) : Math.Max(_score - 4, 0);
    }

    private static Duration Since(long begun) => Duration.FromTimeSpan(Stopwatch.GetElapsedTime(begun));
}

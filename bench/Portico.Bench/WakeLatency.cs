using System.Diagnostics;
using System.Globalization;

namespace Portico.Bench;

/// <summary>How long it takes on this machine, now, that one thread wakes another; it decides the rows with two threads.</summary>
internal static class WakeLatency
{
    /// <summary>One way, the median of some: between threads that spin, and from a thread to one that is parked.</summary>
    public static string Describe()
    {
        double spinning = Median(2000, spin: true);
        double parked = Median(400, spin: false);
        return string.Create(CultureInfo.InvariantCulture, $"wake-up here: {spinning:0.00} us spinning, {parked:0.0} us parked");
    }

    private static double Median(int rounds, bool spin)
    {
        using ManualResetEventSlim ping = new(false, 0);
        using ManualResetEventSlim pong = new(false, 0);
        int turn = 0;
        Thread other = new(() =>
        {
            for (int i = 0; i < rounds; i++)
            {
                if (spin)
                {
                    SpinUntil(ref turn, (2 * i) + 1);
                    Volatile.Write(ref turn, (2 * i) + 2);
                }
                else
                {
                    ping.Wait();
                    ping.Reset();
                    pong.Set();
                }
            }
        });
        other.Start();
        double[] micros = new double[rounds];
        for (int i = 0; i < rounds; i++)
        {
            long start = Stopwatch.GetTimestamp();
            if (spin)
            {
                Volatile.Write(ref turn, (2 * i) + 1);
                SpinUntil(ref turn, (2 * i) + 2);
            }
            else
            {
                ping.Set();
                pong.Wait();
                pong.Reset();
            }

            micros[i] = Stopwatch.GetElapsedTime(start).TotalMicroseconds / 2;
        }

        other.Join();
        Array.Sort(micros);
        return micros[rounds / 2];
    }

    private static void SpinUntil(ref int turn, int value)
    {
        while (Volatile.Read(ref turn) != value)
        {
            Thread.SpinWait(1);
        }
    }
}

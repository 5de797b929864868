using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;

namespace Portico.Bench;

/// <summary>Takes turns between two ways to do the same work.</summary>
internal static unsafe partial class Measure
{
    private const int CLOCK_PROCESS_CPUTIME_ID = 2;

    /// <summary>
    /// Whether rows with one thread are measured in processor time of this process instead of wall-clock time: the only way to get
    /// figures out of a machine that others use, too.
    /// </summary>
    public static bool UsesProcessorTime { get; set; }

    /// <summary>Best and median rate of one side.</summary>
    public readonly record struct Rate(double Best, double Median)
    {
        public string Show(double unit, string name) =>
            string.Create(CultureInfo.InvariantCulture, $"{Best / unit:#,0.0} {name} ({Median / unit:#,0.0})");
    }

    /// <summary>
    /// Runs <paramref name="portico"/> and <paramref name="kernel"/> in turns. Each is given seconds to fill and returns how many units
    /// of work it did in each second.
    /// </summary>
    public static (Rate Portico, Rate Kernel) Turns(BenchOptions options, Func<double, double> portico, Func<double, double> kernel)
    {
        // Once for the JIT, whose second tier comes after 100 ms of quiet.
        portico(0.3);
        kernel(0.1);
        Thread.Sleep(150);
        portico(0.2);
        List<double> ours = [];
        List<double> theirs = [];
        for (int round = 0; round < options.Rounds; round++)
        {
            ours.Add(portico(options.SecondsPerRound));
            theirs.Add(kernel(options.SecondsPerRound));
        }

        return (Summarize(ours), Summarize(theirs));
    }

    public static Row Compare(string work, (Rate Portico, Rate Kernel) rates, double unit, string name, double target, string note = "")
    {
        double ratio = rates.Portico.Best / rates.Kernel.Best;
        return new Row(
            work,
            rates.Portico.Show(unit, name),
            rates.Kernel.Show(unit, name),
            string.Create(CultureInfo.InvariantCulture, $"{ratio:0.0}x"),
            target > 0 ? string.Create(CultureInfo.InvariantCulture, $">= {target:0.#}x") : "",
            target > 0 ? ratio >= target : null,
            note);
    }

    /// <summary>Repeats an action until the time is over; the rate is that of <paramref name="units"/> for each call.</summary>
    public static double Repeat(double seconds, double units, Action action) => Repeat(seconds, units, action, UsesProcessorTime);

    /// <summary>The same by wall-clock time always: for work that other threads do, too.</summary>
    public static double RepeatOnWall(double seconds, double units, Action action) => Repeat(seconds, units, action, byProcessor: false);

    /// <summary>Nanoseconds on the clock of the rows with one thread.</summary>
    public static long OneThreadNanoseconds => Nanoseconds(UsesProcessorTime);

    private static double Repeat(double seconds, double units, Action action, bool byProcessor)
    {
        long start = Nanoseconds(byProcessor);
        long end = start + (long)(seconds * 1e9);
        long count = 0;
        long now;
        do
        {
            for (int i = 0; i < 16; i++)
            {
                action();
            }

            count += 16;
            now = Nanoseconds(byProcessor);
        }
        while (now < end);
        return count * units * 1e9 / (now - start);
    }

    private static long Nanoseconds(bool byProcessor)
    {
        if (!byProcessor)
        {
            return (long)Stopwatch.GetElapsedTime(0).TotalNanoseconds;
        }

        long* time = stackalloc long[2];
        _ = clock_gettime(CLOCK_PROCESS_CPUTIME_ID, time);
        return (time[0] * 1_000_000_000) + time[1];
    }

    [LibraryImport("libc")]
    private static partial int clock_gettime(int clock, long* time);

    private static Rate Summarize(List<double> values)
    {
        values.Sort();
        return new Rate(values[^1], values[values.Count / 2]);
    }
}

using System.Diagnostics;
using System.Globalization;
using Portico.Simulation;

namespace Portico.Bench;

/// <summary>
/// The soak: random hosts, faults and traffic from each of many seeds, every byte compared with a model. A failing seed is printed with
/// the command that repeats it.
/// </summary>
internal static class SoakCommand
{
    private const string Usage = """
        usage: Portico.Bench soak [--seeds N] [--first S] [--twice-every K] [--pcap FILE] [--verbose]

          --seeds N         how many seeds (default 10000)
          --first S         the first of them (default 1)
          --twice-every K   run every K-th seed twice and compare the captures (default 10; 0: none)
          --pcap FILE       write the capture of the first seed to FILE
          --verbose         a line for each seed
        """;

    public static int Run(string[] arguments)
    {
        ulong count = 10_000, first = 1, twiceEvery = 10;
        string? capture = null;
        bool verbose = false;
        for (int i = 0; i < arguments.Length; i++)
        {
            bool hasNumber = ulong.TryParse(arguments.ElementAtOrDefault(i + 1), CultureInfo.InvariantCulture, out ulong number);
            switch (arguments[i])
            {
                case "--seeds" when hasNumber:
                    count = number;
                    i++;
                    break;
                case "--first" when hasNumber:
                    first = number;
                    i++;
                    break;
                case "--twice-every" when hasNumber:
                    twiceEvery = number;
                    i++;
                    break;
                case "--pcap" when i + 1 < arguments.Length:
                    capture = arguments[++i];
                    break;
                case "--verbose":
                    verbose = true;
                    break;
                default:
                    Console.Error.WriteLine(Usage);
                    return 2;
            }
        }

        return RunSeeds(first, count, twiceEvery, capture, verbose);
    }

    private static int RunSeeds(ulong first, ulong count, ulong twiceEvery, string? capture, bool verbose)
    {
        long started = Stopwatch.GetTimestamp();
        Totals totals = new();
        for (ulong seed = first; seed < first + count; seed++)
        {
            SoakResult result = RunSeed(seed, seed == first ? capture : null, twiceEvery);
            totals.Add(result);
            if (result.Failure != null)
            {
                Console.WriteLine($"FAILED seed {seed}: {result.Failure}");
                Console.WriteLine($"  again: Portico.Bench soak --first {seed} --seeds 1 --verbose --pcap soak-{seed}.pcapng");
            }

            if (verbose)
            {
                Console.WriteLine(result with { Failure = null });
            }
            else if ((seed - first + 1) % 500 == 0)
            {
                Console.WriteLine($"{seed - first + 1} seeds, {Stopwatch.GetElapsedTime(started).TotalSeconds:0} s: {totals}");
            }
        }

        Console.WriteLine($"{count} seeds from {first} in {Stopwatch.GetElapsedTime(started).TotalSeconds:0.0} s: {totals}");
        return totals.Failures == 0 ? 0 : 1;
    }

    private static SoakResult RunSeed(ulong seed, string? capture, ulong twiceEvery)
    {
        if (capture != null)
        {
            using FileStream file = File.Create(capture);
            return SoakRun.Run(seed, new SoakOptions { Capture = file });
        }

        return twiceEvery != 0 && seed % twiceEvery == 0 ? SoakRun.RunTwice(seed) : SoakRun.Run(seed);
    }

    private sealed class Totals
    {
        private long _bytes;
        private long _datagrams;
        private long _finished;
        private long _left;
        private long _timedOut;
        private long _slow;
        private long _drops;
        private long _marks;
        private double _seconds;

        public int Failures { get; private set; }

        public void Add(SoakResult result)
        {
            Failures += result.Failure == null ? 0 : 1;
            _bytes += result.Bytes;
            _datagrams += result.Datagrams;
            _finished += result.Finished;
            _left += result.Left;
            _timedOut += result.TimedOut;
            _slow += result.Slow;
            _drops += result.Drops;
            _marks += result.Marks;
            _seconds += result.Time.Seconds;
        }

        public override string ToString() =>
            $"{Failures} failed; {_bytes / 1_000_000} MB and {_datagrams} datagrams compared, {_drops} packets lost or spoilt, {_marks} marked, "
                + $"{_seconds:0} virtual seconds; connections: "
                + $"{_finished} finished, {_left} left early, {_timedOut} timed out, {_slow} slow";
    }
}

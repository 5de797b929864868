using System.Diagnostics;
using System.Globalization;
using System.Reflection;
using System.Runtime.Loader;

namespace Portico.Bench;

/// <summary>
/// Compares the engine of this build with that of another, in one process: the same code of this file drives the libraries of both, by turns
/// of a few milliseconds, so that whatever the machine does to one it does to the other.
/// </summary>
internal static class AgainstCommand
{
    private const string Usage = """
        usage: Portico.Bench against DIRECTORY [--rows NAME,...] [--seconds S]

        DIRECTORY holds the libraries of another build: artifacts/bin/Portico.Bench/release of another checkout. Each row is the time that
        one piece of work takes with either, the best turn of each, and how many times as fast this build is: the median of all pairs of
        turns. Rows: bulk1, mss1460, rr1, connect (all by default), each for S seconds a side (5).
        """;

    private const double TurnSeconds = 0.001;

    /// <summary>The best of so many turns in a row counts: the first finds the caches full of the other side.</summary>
    private const int TurnsInRow = 5;

    private static readonly string[] s_rows = ["bulk1", "mss1460", "rr1", "connect"];

    public static int Run(string[] arguments)
    {
        string[] rows = s_rows;
        double seconds = 5;
        for (int i = 1; i < arguments.Length; i += 2)
        {
            string value = arguments.ElementAtOrDefault(i + 1) ?? "";
            if (arguments[i] == "--rows" && value.Split(',').All(s_rows.Contains))
            {
                rows = value.Split(',');
            }
            else if (arguments[i] != "--seconds" || !double.TryParse(value, CultureInfo.InvariantCulture, out seconds) || !(seconds > 0))
            {
                Console.Error.WriteLine(Usage);
                return 2;
            }
        }

        string other = Path.GetFullPath(arguments.ElementAtOrDefault(0) ?? "");
        if (!File.Exists(Path.Combine(other, "Portico.Net.dll")))
        {
            Console.Error.WriteLine(Usage);
            return 2;
        }

        try
        {
            Print(rows, seconds, other);
            return 0;
        }
        catch (Exception e) when (e is MissingMemberException or TypeLoadException or FileLoadException)
        {
            Console.Error.WriteLine($"the other build is too different to be driven by this one: {e.Message}");
            return 1;
        }
    }

    private static void Print(string[] rows, double seconds, string other)
    {
        Console.WriteLine(Machine.Describe());
        Console.WriteLine($"Other build: {other}");
        Console.WriteLine();
        Console.WriteLine("| work | other build | this build | ratio |");
        Console.WriteLine("|---|---|---|---|");
        foreach (string row in rows)
        {
            (double theirs, double ours, double ratio) = Compare(MakeIn(other, row), MakeIn(AppContext.BaseDirectory, row), seconds);
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {TextOf(row)} | {theirs:#,0} ns | {ours:#,0} ns | {ratio:0.00}x |"));
        }
    }

    private static string TextOf(string row) => Table.Rows.First(r => r.Name == row).Text;

    private static Action MakeIn(string directory, string row)
    {
        BuildContext context = new(directory);
        Type work = context.LoadFromAssemblyPath(typeof(EngineWork).Assembly.Location).GetType(typeof(EngineWork).FullName!)!;
        return work.GetMethod(nameof(EngineWork.Make))!.CreateDelegate<Func<string, Action>>()(row);
    }

    private static (double Theirs, double Ours, double Ratio) Compare(Action theirs, Action ours, double seconds)
    {
        // Long enough for the last tier of compilation.
        int[] counts = [WarmUp(theirs, seconds / 2), WarmUp(ours, seconds / 2)];
        List<(double Theirs, double Ours)> pairs = [];
        Stopwatch watch = Stopwatch.StartNew();
        while (watch.Elapsed.TotalSeconds < 2 * seconds)
        {
            // Each side begins every other pair.
            double their = BestTurn(theirs, counts[0]);
            double our = BestTurn(ours, counts[1]);
            pairs.Add((their, our));
            our = BestTurn(ours, counts[1]);
            their = BestTurn(theirs, counts[0]);
            pairs.Add((their, our));
        }

        double[] ratios = [.. pairs.Select(pair => pair.Theirs / pair.Ours).Order()];
        return (pairs.Min(pair => pair.Theirs), pairs.Min(pair => pair.Ours), ratios[ratios.Length / 2]);
    }

    /// <summary>How often the work is done in a turn.</summary>
    private static int WarmUp(Action action, double seconds)
    {
        double best = double.MaxValue;
        Stopwatch watch = Stopwatch.StartNew();
        while (watch.Elapsed.TotalSeconds < seconds)
        {
            best = Math.Min(best, Turn(action, 16));
        }

        return Math.Max(1, (int)(TurnSeconds * 1e9 / best));
    }

    private static double BestTurn(Action action, int count) => Enumerable.Range(0, TurnsInRow).Min(_ => Turn(action, count));

    /// <summary>Nanoseconds for each time that the work was done.</summary>
    private static double Turn(Action action, int count)
    {
        long start = Stopwatch.GetTimestamp();
        for (int i = 0; i < count; i++)
        {
            action();
        }

        return Stopwatch.GetElapsedTime(start).TotalNanoseconds / count;
    }

    /// <summary>This program with the libraries of a build.</summary>
    private sealed class BuildContext(string directory) : AssemblyLoadContext
    {
        protected override Assembly? Load(AssemblyName assemblyName)
        {
            string path = Path.Combine(directory, $"{assemblyName.Name}.dll");
            return assemblyName.Name!.StartsWith(nameof(Portico), StringComparison.Ordinal) && File.Exists(path) ? LoadFromAssemblyPath(path) : null;
        }
    }
}

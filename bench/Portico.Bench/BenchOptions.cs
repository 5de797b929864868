using System.Globalization;

namespace Portico.Bench;

/// <summary>What the command line of the table says.</summary>
internal sealed class BenchOptions
{
    /// <summary>Which rows; empty for all.</summary>
    public string[] Rows { get; private init; } = [];

    /// <summary>How long each side of a row is measured, all rounds together.</summary>
    public double Seconds { get; private init; } = 2;

    /// <summary>How often the two sides take turns.</summary>
    public int Rounds { get; private init; } = 5;

    /// <summary>Where the table is written as Markdown; null for nowhere.</summary>
    public string? MarkdownPath { get; private init; }

    public double SecondsPerRound => Seconds / Rounds;

    public bool Wants(string row) => Rows.Length == 0 || Rows.Contains(row, StringComparer.OrdinalIgnoreCase);

    public static BenchOptions? Parse(string[] args)
    {
        string[] rows = [];
        double seconds = 2;
        int rounds = 5;
        string? markdown = null;
        for (int i = 0; i < args.Length; i += 2)
        {
            string? value = i + 1 < args.Length ? args[i + 1] : null;
            switch (args[i])
            {
                case "--rows" when value != null:
                    rows = value.Split(',', StringSplitOptions.RemoveEmptyEntries);
                    break;
                case "--seconds" when double.TryParse(value, CultureInfo.InvariantCulture, out seconds) && seconds > 0:
                case "--rounds" when int.TryParse(value, CultureInfo.InvariantCulture, out rounds) && rounds > 0:
                    break;
                case "--clock" when value is "wall" or "cpu":
                    Measure.UsesProcessorTime = value == "cpu";
                    break;
                case "--markdown" when value != null:
                    markdown = value;
                    break;
                default:
                    Console.Error.WriteLine($"not understood: {args[i]}");
                    return null;
            }
        }

        return new BenchOptions { Rows = rows, Seconds = seconds, Rounds = rounds, MarkdownPath = markdown };
    }

    public static int PrintHelp()
    {
        Console.WriteLine(
            """
            usage: bench [--rows NAME,...] [--seconds S] [--rounds N] [--clock wall|cpu] [--markdown FILE]

            Each row is the same work done by Portico and by the Linux kernel's own sockets, in turns, in this run. Both columns show the
            best round of each side, and the median in brackets: the machine's neighbours only ever make a round slower. With
            --clock cpu the rows with one thread count the processor time of the process instead of the time on the wall.

            rows:
            """);
        foreach ((string name, string text, _) in Table.Rows)
        {
            Console.WriteLine($"  {name,-12} {text}");
        }

        return 0;
    }
}

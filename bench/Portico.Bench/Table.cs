using System.Text;

namespace Portico.Bench;

/// <summary>One line of the table.</summary>
internal sealed record Row(string Work, string Portico, string Kernel, string Ratio, string Target, bool? IsMet, string Note = "");

/// <summary>Runs the rows and prints them.</summary>
internal static class Table
{
    public static readonly (string Name, string Text, Func<BenchOptions, IEnumerable<Row>> Run)[] Rows =
    [
        ("bulk1", "bulk throughput on one thread, 64 KiB writes", BulkRows.OneThread),
        ("bulk2", "bulk throughput between two threads, 64 KiB writes", BulkRows.TwoThreads),
        ("mss1460", "bulk throughput on one thread in 1,460-byte segments", BulkRows.OneThreadSmallSegments),
        ("rr1", "request and response of 1 byte on one thread", RequestRows.OneThread),
        ("rr2", "request and response of 1 byte between two threads", RequestRows.TwoThreads),
        ("connect", "connect, 1 byte each way, close", ConnectRows.Run),
        ("memory", "memory per idle connection end, 50,000 connections", MemoryRows.Run),
        ("million", "1,000,000 connections: memory and the longest pause of the collector", MemoryRows.RunMillion),
        ("pipe", "read and write of a pipe", KernelRows.Pipe),
        ("open", "open and close of a descriptor", KernelRows.OpenAndClose),
        ("eventfd", "an eventfd written and read by one thread; wake-up of a thread by it", KernelRows.EventfdWake),
        ("epoll", "epoll_wait with 1, 1,000 and 100,000 descriptors, 1 % ready", KernelRows.Epoll),
        ("sockets", "memory per idle socket with its descriptor, 50,000 connections by system calls", KernelRows.Sockets),
        ("million-sockets", "the same with 1,000,000 connections", KernelRows.MillionSockets),
        ("tun", "throughput across a TUN device, both ways (root)", TunRows.Run),
        ("simulation", "simulated seconds per second, 100 hosts with traffic", SimulationRows.Run),
    ];

    public static int Run(string[] args)
    {
        BenchOptions? options = BenchOptions.Parse(args);
        if (options == null)
        {
            return 2;
        }

        StringBuilder markdown = new();
        void Print(string line)
        {
            Console.WriteLine(line);
            markdown.AppendLine(line);
        }

        Print(Machine.Describe());
        Print($"Best of {options.Rounds} rounds, the median in brackets; the two sides take turns. Rows with one thread by {(Measure.UsesProcessorTime ? "processor" : "wall-clock")} time.");
        Print("");
        Print("| work | Portico | Linux kernel, loopback | ratio | target | |");
        Print("|---|---|---|---|---|---|");
        foreach ((string name, string text, Func<BenchOptions, IEnumerable<Row>> run) in Rows)
        {
            if (!options.Wants(name))
            {
                continue;
            }

            try
            {
                foreach (Row row in run(options))
                {
                    string met = row.IsMet switch { true => "ok", false => "**missed**", null => "" };
                    Print($"| {row.Work} | {row.Portico} | {row.Kernel} | {row.Ratio} | {row.Target} | {string.Join("; ", new[] { met, row.Note }.Where(s => s.Length > 0))} |");
                }
            }
            catch (Exception e) when (e is IOException or NotSupportedException or InvalidOperationException)
            {
                Print($"| {text} | - | - | - | | not measured: {e.Message.ReplaceLineEndings(" ")} |");
            }
        }

        if (options.MarkdownPath != null)
        {
            File.WriteAllText(options.MarkdownPath, markdown.ToString());
        }

        return 0;
    }
}

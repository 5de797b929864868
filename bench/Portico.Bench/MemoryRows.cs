using System.Diagnostics;
using System.Globalization;
using Portico.Kernel;
using Portico.Net;

namespace Portico.Bench;

/// <summary>What idle connections cost: memory, and the collector's pauses.</summary>
internal static class MemoryRows
{
    private const int PortsForEachAddress = 20_000;

    /// <summary>As an application holds them: a socket object at each end.</summary>
    public static IEnumerable<Row> Run(BenchOptions options)
    {
        const int Count = 50_000;
        using PauseListener pauses = new();
        double alone = PauseAlone(pauses);
        using BenchHosts hosts = new(serverAddresses: (Count / PortsForEachAddress) + 1);
        TcpSocket[] sockets = new TcpSocket[2 * Count];

        // The first connection brings the JIT and the pools' first chunks, which are not the price of a connection.
        hosts.Pair(noDelay: true);
        using TcpListenerSocket listener = hosts.Listen();
        long before = ResidentBytes();
        pauses.Reset();
        for (int i = 0; i < Count; i++)
        {
            TcpSocket client = new(hosts.Driver, hosts.Client);
            client.Connect(BenchHosts.ServerAt(i / PortsForEachAddress)).ThrowIfError();
            listener.Accept(out TcpSocket? server).ThrowIfError();
            sockets[2 * i] = client;
            sockets[(2 * i) + 1] = server!;
        }

        pauses.Churn();
        double longest = pauses.LongestMilliseconds;
        int collections = pauses.Count;
        double each = (ResidentBytes() - before) / (2.0 * Count);
        double kernel = KernelBytesForEachEnd();
        yield return new Row(
            "memory per idle connection end, 50,000 connections, socket objects included",
            Show(each, "B"),
            kernel > 0 ? Show(kernel, "B of slab") : "-",
            kernel > 0 ? string.Create(CultureInfo.InvariantCulture, $"{kernel / each:0.0}x less") : "",
            "<= 1,024 B",
            each <= 1024,
            "kernel: 9,000 connections, since RLIMIT_NOFILE allows no more");
        yield return PauseRow("50,000 connections", longest, collections, alone, 0);
        GC.KeepAlive(sockets);
    }

    /// <summary>As the engine holds them when no application object does.</summary>
    public static IEnumerable<Row> RunMillion(BenchOptions options)
    {
        const int Count = 1_000_000;
        using PauseListener pauses = new();
        double alone = PauseAlone(pauses);
        using BenchHosts hosts = new(serverAddresses: Count / PortsForEachAddress);
        TcpListenRequest listen = new() { Local = new Endpoint(IpAddress.AnyIpv4, BenchHosts.Port), Backlog = 4096 };
        TcpListenerHandle listener;
        using (hosts.Driver.Enter())
        {
            hosts.Server.Tcp.Listen(listen, null, out listener).ThrowIfError();
        }

        long before = ResidentBytes();
        pauses.Reset();
        long start = Stopwatch.GetTimestamp();
        for (int i = 0; i < Count; i++)
        {
            using (hosts.Driver.Enter())
            {
                TcpOpenRequest request = new() { Remote = BenchHosts.ServerAt(i / PortsForEachAddress) };
                hosts.Client.Tcp.Open(request, null, out _).ThrowIfError();
            }

            using (hosts.Driver.Enter())
            {
                hosts.Server.Tcp.Accept(listener, null, out _).ThrowIfError();
            }
        }

        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        pauses.Churn();
        double longest = pauses.LongestMilliseconds;
        int collections = pauses.Count;
        double each = (ResidentBytes() - before) / (2.0 * Count);
        yield return new Row(
            "memory per idle connection end, 1,000,000 connections",
            Show(each, "B"),
            "-",
            "",
            "<= 1,024 B",
            each <= 1024,
            string.Create(CultureInfo.InvariantCulture, $"made in {seconds:0.0} s; the kernel cannot: RLIMIT_NOFILE"));
        yield return PauseRow("1,000,000 connections", longest, collections, alone, 10);
    }

    /// <summary>The longest pause of a process without connections, which is the machine's part in the figure.</summary>
    private static double PauseAlone(PauseListener pauses)
    {
        pauses.Churn();
        double longest = pauses.LongestMilliseconds;
        pauses.Reset();
        return longest;
    }

    private static Row PauseRow(string work, double longest, int collections, double alone, double target) => new(
        $"longest pause of the collector, {work}",
        Show(longest, "ms"),
        "-",
        "",
        target > 0 ? $"<= {target} ms" : "",
        target > 0 ? longest <= target : null,
        $"{collections} collections while they were made and held, one of them full and compacting; without connections {Show(alone, "ms")}");

    private static double KernelBytesForEachEnd()
    {
        const int Count = 9_000;
        List<int> fds = [];
        (int listener, ushort port) = KernelSockets.Listen();
        fds.Add(listener);
        long before = KernelSlabBytes();
        try
        {
            for (int i = 0; i < Count; i++)
            {
                fds.Add(KernelSockets.Connect(0x7F00_0001, port));
                fds.Add(KernelSockets.Accept(listener));
            }

            return (KernelSlabBytes() - before) / (2.0 * Count);
        }
        catch (IOException)
        {
            return 0;
        }
        finally
        {
            foreach (int fd in fds)
            {
                KernelSockets.Close(fd);
            }
        }
    }

    private static long KernelSlabBytes()
    {
        string? line = File.ReadLines("/proc/meminfo").FirstOrDefault(l => l.StartsWith("Slab:", StringComparison.Ordinal));
        return line == null ? 0 : long.Parse(line.AsSpan(5, line.Length - 8).Trim(), CultureInfo.InvariantCulture) * 1024;
    }

    public static long ResidentBytes()
    {
        // Aggressive: memory that the collector keeps for the next allocations is nobody's connection.
        GC.Collect(2, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        GC.WaitForPendingFinalizers();
        GC.Collect(2, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        return long.Parse(File.ReadAllText("/proc/self/statm").Split(' ')[1], CultureInfo.InvariantCulture) * Environment.SystemPageSize;
    }

    private static string Show(double value, string unit) => string.Create(CultureInfo.InvariantCulture, $"{value:#,0.0} {unit}");
}

using System.Diagnostics;
using System.Globalization;
using Portico.Kernel;
using Portico.Net;
using Process = Portico.Kernel.Process;

namespace Portico.Bench;

/// <summary>The kernel's own calls, against the same calls of the Linux kernel: descriptors, pipes, eventfds, epoll.</summary>
internal static unsafe class KernelRows
{
    private const double Target = 2;

    /// <summary>A pipe on one thread: 64 bytes, and a full pipe's 64 KiB, written and read.</summary>
    public static IEnumerable<Row> Pipe(BenchOptions options)
    {
        using PorticoKernel kernel = new();
        Process process = NewProcess(kernel);
        process.Pipe2(0, out int reader, out int writer).OrThrow();
        (int hostReader, int hostWriter) = HostFiles.Pipe();
        foreach (int bytes in (int[])[64, 65_536])
        {
            byte[] data = new byte[bytes];
            byte[] buffer = new byte[bytes];
            var rates = Measure.Turns(
                options,
                seconds => Measure.Repeat(seconds, 1, () =>
                {
                    process.Write(writer, data).OrThrow();
                    process.Read(reader, buffer).OrThrow();
                }),
                seconds => Measure.Repeat(seconds, 1, () =>
                {
                    HostFiles.Write(hostWriter, data);
                    HostFiles.Read(hostReader, buffer);
                }));
            yield return Measure.Compare($"pipe: write and read of {bytes:#,0} bytes, one thread", rates, 1000, "k/s", Target);
        }

        HostFiles.Close(hostReader, hostWriter);
    }

    /// <summary>Opening and closing a descriptor, with 10 others and with 10,000 others open.</summary>
    public static IEnumerable<Row> OpenAndClose(BenchOptions options)
    {
        foreach (int others in (int[])[10, 10_000])
        {
            using PorticoKernel kernel = new();
            Process process = NewProcess(kernel);
            int first = process.Eventfd(0, EventfdFlags.None).OrThrow();
            int hostFirst = HostFiles.Eventfd();
            List<int> held = [hostFirst];
            for (int i = 0; i < others; i++)
            {
                process.Dup(first).OrThrow();
                held.Add(HostFiles.Duplicate(hostFirst));
            }

            var rates = Measure.Turns(
                options,
                seconds => Measure.Repeat(seconds, 1, () => process.Close(process.Eventfd(0, EventfdFlags.None).OrThrow()).OrThrow()),
                seconds => Measure.Repeat(seconds, 1, () => HostFiles.Close(HostFiles.Eventfd())));
            HostFiles.Close([.. held]);
            yield return Measure.Compare($"eventfd and close, {others:#,0} others open", rates, 1000, "k/s", Target);
        }
    }

    /// <summary>
    /// An eventfd written and read by one thread; and two of them between two threads: one writes the first and waits in a read of the
    /// second, the other waits in a read of the first and writes the second. A unit is the way there and back, on both sides by the same
    /// blocking calls.
    /// </summary>
    public static IEnumerable<Row> EventfdWake(BenchOptions options)
    {
        using PorticoKernel kernel = new();
        Process process = NewProcess(kernel);
        yield return EventfdAlone(options, process);
        int ping = process.Eventfd(0, EventfdFlags.None).OrThrow();
        int pong = process.Eventfd(0, EventfdFlags.None).OrThrow();
        int hostPing = HostFiles.Eventfd();
        int hostPong = HostFiles.Eventfd();
        byte[] one = BitConverter.GetBytes(1L);
        Thread ours = Answer(() =>
        {
            byte[] value = new byte[8];
            return process.Read(ping, value).Raw == 8 && BitConverter.ToInt64(value) == 1 && process.Write(pong, one).Raw == 8;
        });
        Thread theirs = Answer(() =>
        {
            byte[] value = new byte[8];
            return HostFiles.Read(hostPing, value) == 8 && BitConverter.ToInt64(value) == 1 && HostFiles.Write(hostPong, one) == 8;
        });
        byte[] buffer = new byte[8];
        var rates = Measure.Turns(
            options,
            seconds => Measure.RepeatOnWall(seconds, 1, () =>
            {
                process.Write(ping, one).OrThrow();
                process.Read(pong, buffer).OrThrow();
            }),
            seconds => Measure.RepeatOnWall(seconds, 1, () =>
            {
                HostFiles.Write(hostPing, one);
                HostFiles.Read(hostPong, buffer);
            }));

        // Another number than 1 ends them.
        process.Write(ping, BitConverter.GetBytes(2L)).OrThrow();
        HostFiles.Write(hostPing, BitConverter.GetBytes(2L));
        ours.Join();
        theirs.Join();
        HostFiles.Close(hostPing, hostPong);
        yield return Measure.Compare("eventfd: wake another thread and be woken by it, two threads", rates, 1000, "k/s", Target);
    }

    private static Row EventfdAlone(BenchOptions options, Process process)
    {
        int fd = process.Eventfd(0, EventfdFlags.None).OrThrow();
        int host = HostFiles.Eventfd();
        byte[] one = BitConverter.GetBytes(1L);
        byte[] buffer = new byte[8];
        var rates = Measure.Turns(
            options,
            seconds => Measure.Repeat(seconds, 1, () =>
            {
                process.Write(fd, one).OrThrow();
                process.Read(fd, buffer).OrThrow();
            }),
            seconds => Measure.Repeat(seconds, 1, () =>
            {
                HostFiles.Write(host, one);
                HostFiles.Read(host, buffer);
            }));
        HostFiles.Close(host);
        return Measure.Compare("eventfd: write and read, one thread", rates, 1000, "k/s", Target);
    }

    /// <summary>epoll_wait with many descriptors of which few are ready.</summary>
    public static IEnumerable<Row> Epoll(BenchOptions options)
    {
        foreach (int registered in (int[])[1, 1000, 100_000])
        {
            int ready = Math.Max(1, registered / 100);

            // As many as this machine's own limit allows; both sides are counted by the events that they tell.
            int hostRegistered = Math.Min(registered, HostFiles.DescriptorsMax - 500);
            using PorticoKernel kernel = new();
            Process process = NewProcess(kernel);
            int epoll = process.EpollCreate1(0).OrThrow();
            for (int i = 0; i < registered; i++)
            {
                int fd = process.Eventfd(i % (registered / ready) == 0 ? 1u : 0, EventfdFlags.None).OrThrow();
                process.EpollCtl(epoll, EpollOperation.EPOLL_CTL_ADD, fd, new EpollEvent(EpollFlags.EPOLLIN, (ulong)fd)).OrThrow();
            }

            int hostReady = Math.Max(1, hostRegistered / 100);
            List<int> held = [];
            int hostEpoll = HostFiles.EpollCreate();
            held.Add(hostEpoll);
            for (int i = 0; i < hostRegistered; i++)
            {
                int fd = HostFiles.Eventfd(i % (hostRegistered / hostReady) == 0 ? 1u : 0);
                HostFiles.EpollAdd(hostEpoll, fd);
                held.Add(fd);
            }

            EpollEvent[] events = new EpollEvent[ready];
            byte[] hostEvents = new byte[12 * hostReady];
            var rates = Measure.Turns(
                options,
                seconds => Measure.Repeat(seconds, ready, () => process.EpollWait(epoll, events, 0).OrThrow()),
                seconds => Measure.Repeat(seconds, hostReady, () => HostFiles.EpollWait(hostEpoll, hostEvents)));
            HostFiles.Close([.. held]);
            string note = hostRegistered < registered ? $"Linux: {hostRegistered:#,0} registered, since RLIMIT_NOFILE allows no more" : "";
            yield return Measure.Compare($"epoll_wait, {registered:#,0} registered, {ready:#,0} ready: events", rates, 1000, "k/s", Target, note);
        }
    }

    /// <summary>Idle connections by system calls: both ends and their descriptors.</summary>
    public static IEnumerable<Row> Sockets(BenchOptions options) => [Connections(50_000)];

    /// <summary>The same with 1,000,000 connections, which are 2,000,000 descriptors.</summary>
    public static IEnumerable<Row> MillionSockets(BenchOptions options) => [Connections(1_000_000)];

    private static Row Connections(int count)
    {
        const int PortsForEachAddress = 60_000;
        using StackDriver driver = new(new Engine(new EngineOptions { Seed = 1, BufferBytesMax = 8L << 30 }));
        using PorticoKernel kernel = new(driver, new KernelSettings { nr_open = 1 << 22, file_max = 1 << 22 });
        Process process = NewProcess(kernel);
        using (driver.Enter())
        {
            kernel.DefaultNamespace.LocalPorts.SetRange(1024, 65_000);
        }

        int listener = process.Socket(AddressFamily.AF_INET, SocketType.SOCK_STREAM, 0).OrThrow();
        process.Bind(listener, AddressOf(0, "0.0.0.0")).OrThrow();
        process.Listen(listener, 4096).OrThrow();
        byte[] destination = AddressOf(0);

        // The first connections bring the JIT, whose second tier comes after 100 ms of quiet, and the pools' first chunks.
        Connect(2000);
        Thread.Sleep(300);
        Connect(100);
        MemoryRows.ResidentBytes();
        long before = MemoryRows.ResidentBytes();
        long start = Stopwatch.GetTimestamp();
        for (int i = 0; i < count; i++)
        {
            if (i % PortsForEachAddress == 0)
            {
                destination = AddressOf(1 + (i / PortsForEachAddress));
            }

            Connect(1);
        }

        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        double each = (MemoryRows.ResidentBytes() - before) / (2.0 * count);
        return new Row(
            string.Create(CultureInfo.InvariantCulture, $"memory per idle socket with its descriptor, {count:#,0} connections by system calls"),
            string.Create(CultureInfo.InvariantCulture, $"{each:#,0.0} B"),
            "-",
            "",
            "<= 1,024 B",
            each <= 1024,
            string.Create(CultureInfo.InvariantCulture, $"{2L * count:#,0} descriptors of one process, made in {seconds:0.0} s"));

        void Connect(int times)
        {
            for (int i = 0; i < times; i++)
            {
                int client = process.Socket(AddressFamily.AF_INET, SocketType.SOCK_STREAM, 0).OrThrow();
                process.Connect(client, destination).OrThrow();
                process.Accept4(listener, default, out _, 0).OrThrow();
            }
        }

        static byte[] AddressOf(int index, string? address = null) =>
            SocketAddress.Of(new Endpoint(address == null ? IpAddress.FromIpv4(0x7F00_0001 + (uint)index) : IpAddress.Parse(address), 1000));
    }

    private static Process NewProcess(PorticoKernel kernel) =>
        kernel.CreateProcess(new ProcessOptions { UserId = 0, Files = new ResourceLimit(1 << 22, 1 << 22) });

    private static Thread Answer(Func<bool> answer)
    {
        Thread thread = new(() =>
        {
            while (answer())
            {
            }
        })
        { IsBackground = true };
        thread.Start();
        return thread;
    }
}

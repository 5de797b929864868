using System.Diagnostics;
using System.Globalization;
using Portico.Kernel;
using Portico.Linux;
using Portico.Net;

namespace Portico.Bench;

/// <summary>Bulk throughput between two hosts of this process, beside the kernel's loopback.</summary>
internal static unsafe class BulkRows
{
    public const int WriteBytes = 64 * 1024;
    private const double Gigabit = 1e9 / 8;

    public static IEnumerable<Row> OneThread(BenchOptions options)
    {
        using BenchHosts hosts = new();
        Action exchange = EngineWork.Exchange(hosts);
        (int kernelClient, int kernelServer) = KernelSockets.Pair(noDelay: false);
        KernelSockets.SetBuffers(kernelClient, 1 << 20);
        KernelSockets.SetBuffers(kernelServer, 1 << 20);
        byte[] data = GC.AllocateArray<byte>(WriteBytes, pinned: true);
        (Measure.Rate, Measure.Rate) rates = Measure.Turns(
            options,
            seconds => Measure.Repeat(seconds, WriteBytes, exchange),
            seconds => Measure.Repeat(seconds, WriteBytes, () => Exchange(kernelClient, kernelServer, data)));
        yield return Measure.Compare("bulk, 64 KiB writes, one thread", rates, Gigabit, "Gbit/s", 3);
        yield return Allocations("bulk, 64 KiB writes", hosts, exchange, 20_000);
        KernelSockets.Close(kernelClient);
        KernelSockets.Close(kernelServer);
    }

    public static IEnumerable<Row> OneThreadSmallSegments(BenchOptions options)
    {
        using BenchHosts hosts = new(mtu: 1500, offloads: false);
        Action exchange = EngineWork.Exchange(hosts);
        byte[] data = GC.AllocateArray<byte>(WriteBytes, pinned: true);
        using NetworkNamespace plain = new();
        (int kernelClient, int kernelServer) = plain.Invoke(() =>
        {
            LoopbackWithoutOffloads.SetUp();
            return KernelSockets.Pair(noDelay: false);
        });
        KernelSockets.SetBuffers(kernelClient, 1 << 20);
        KernelSockets.SetBuffers(kernelServer, 1 << 20);
        (Measure.Rate, Measure.Rate) rates = Measure.Turns(
            options,
            seconds => Measure.Repeat(seconds, WriteBytes, exchange),
            seconds => Measure.Repeat(seconds, WriteBytes, () => Exchange(kernelClient, kernelServer, data)));
        yield return Measure.Compare("bulk, MTU 1,500 without segmentation offload, one thread", rates, Gigabit, "Gbit/s", 3, "kernel: lo with MTU 1,500, TSO, GSO and GRO off");
        yield return Allocations("bulk, MTU 1,500", hosts, exchange, 2_000);
        KernelSockets.Close(kernelClient);
        KernelSockets.Close(kernelServer);
    }

    public static IEnumerable<Row> TwoThreads(BenchOptions options)
    {
        using BenchHosts hosts = new();
        (Measure.Rate, Measure.Rate) rates = Measure.Turns(options, seconds => PorticoThreads(hosts, seconds), KernelThreads);
        yield return Measure.Compare("bulk, 64 KiB writes, two threads", rates, Gigabit, "Gbit/s", 2, WakeLatency.Describe());
    }

    private static Row Allocations(string work, BenchHosts hosts, Action exchange, int count)
    {
        for (int i = 0; i < 100; i++)
        {
            exchange();
        }

        long packets = hosts.Packets;
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < count; i++)
        {
            exchange();
        }

        long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        packets = hosts.Packets - packets;
        double perPacket = (double)allocated / Math.Max(1, packets);
        return new Row(
            $"bytes allocated per packet, {work}",
            string.Create(CultureInfo.InvariantCulture, $"{perPacket:0.###}"),
            "",
            "",
            "0",
            allocated == 0,
            string.Create(CultureInfo.InvariantCulture, $"{allocated} bytes in {packets:#,0} packets"));
    }

    private static void Exchange(int client, int server, byte[] data)
    {
        fixed (byte* bytes = data)
        {
            for (int sent = 0; sent < data.Length;)
            {
                sent += KernelSockets.Send(client, bytes, data.Length - sent);
            }

            for (int left = data.Length; left > 0;)
            {
                left -= KernelSockets.Receive(server, bytes, data.Length);
            }
        }
    }

    private static double PorticoThreads(BenchHosts hosts, double seconds)
    {
        (TcpSocket client, TcpSocket server) = hosts.Pair(noDelay: false);
        byte[] data = new byte[WriteBytes];
        long total = 0;
        Thread reader = new(() =>
        {
            byte[] buffer = new byte[WriteBytes];
            while (server.Receive(buffer, out int received) == Errno.None && received != 0)
            {
                total += received;
            }
        });
        reader.Start();
        long start = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(start).TotalSeconds < seconds)
        {
            client.Send(data, out _).ThrowIfError();
        }

        client.Shutdown(TcpShutdown.Send);
        reader.Join();
        double elapsed = Stopwatch.GetElapsedTime(start).TotalSeconds;
        client.Close();
        server.Close();
        return total / elapsed;
    }

    internal static double KernelThreads(double seconds)
    {
        (int client, int server) = KernelSockets.Pair(noDelay: false);
        long total = 0;
        Thread reader = new(() =>
        {
            byte* buffer = stackalloc byte[WriteBytes];
            int received;
            while ((received = KernelSockets.Receive(server, buffer, WriteBytes)) > 0)
            {
                total += received;
            }
        });
        reader.Start();
        byte[] data = GC.AllocateArray<byte>(WriteBytes, pinned: true);
        long start = Stopwatch.GetTimestamp();
        fixed (byte* bytes = data)
        {
            while (Stopwatch.GetElapsedTime(start).TotalSeconds < seconds)
            {
                for (int sent = 0; sent < WriteBytes;)
                {
                    sent += KernelSockets.Send(client, bytes, WriteBytes - sent);
                }
            }
        }

        KernelSockets.Shutdown(client);
        reader.Join();
        double elapsed = Stopwatch.GetElapsedTime(start).TotalSeconds;
        KernelSockets.Close(client);
        KernelSockets.Close(server);
        return total / elapsed;
    }
}

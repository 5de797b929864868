using System.Diagnostics;
using Portico.Kernel;
using Portico.Linux;
using Portico.Net;

namespace Portico.Bench;

/// <summary>Throughput between a Portico stack and the Linux kernel across a TUN device, in a namespace of its own.</summary>
internal static unsafe class TunRows
{
    private const int WriteBytes = 64 * 1024;
    private const double Gigabit = 1e9 / 8;
    private const uint PorticoAddress = 0x0A09_0001;
    private const uint KernelAddress = 0x0A09_0002;

    public static IEnumerable<Row> Run(BenchOptions options)
    {
        using NetworkNamespace space = new();
        Engine engine = new(new EngineOptions { Seed = 1 });
        TunLink link = space.Invoke(() =>
        {
            TunLink made = new(engine, new TunOptions { Name = "bench0", Mtu = 1500 });
            using RtNetlink netlink = new();
            int index = RtNetlink.IndexOf("bench0");
            netlink.SetUp(index, 1500);
            netlink.AddAddress(index, new IpPrefix(IpAddress.FromIpv4(KernelAddress), 24));
            return made;
        });
        EpollEvents events = new();
        link.Start(events);
        StackDriver driver = new(engine, events);
        NetworkStack stack;
        using (driver.Enter())
        {
            stack = new NetworkStack(engine, new NetworkStackOptions { Name = "bench" });
            stack.AddInterface("tun0", link).AddAddress(new IpPrefix(IpAddress.FromIpv4(PorticoAddress), 24)).ThrowIfError();
        }

        TcpListenRequest request = new() { Local = new Endpoint(IpAddress.AnyIpv4, BenchHosts.Port), Backlog = 16 };
        TcpListenerSocket.Listen(driver, stack, request, out TcpListenerSocket? listener).ThrowIfError();

        Func<double, double> kernel = BulkRows.KernelThreads;
        foreach (bool toKernel in (bool[])[true, false])
        {
            (Measure.Rate Portico, Measure.Rate Kernel) rates = Measure.Turns(options, seconds => Transfer(space, listener!, toKernel, seconds), kernel);
            Row row = Measure.Compare($"TUN, MTU 1,500 with offloads, {(toKernel ? "Portico to kernel" : "kernel to Portico")}", rates, Gigabit, "Gbit/s", 0.6);
            yield return row with { Target = ">= 6 Gbit/s or 0.6x", IsMet = row.IsMet == true || rates.Portico.Best >= 6 * Gigabit };
        }

        using (driver.Enter())
        {
            link.Dispose();
        }

        driver.Dispose();
    }

    private static double Transfer(NetworkNamespace space, TcpListenerSocket listener, bool toKernel, double seconds)
    {
        int peer = space.Invoke(() => KernelSockets.Connect(PorticoAddress, BenchHosts.Port));
        listener.Accept(out TcpSocket? own).ThrowIfError();
        long total = 0;
        Thread receiver = new(() =>
        {
            byte[] buffer = GC.AllocateArray<byte>(WriteBytes, pinned: true);
            fixed (byte* bytes = buffer)
            {
                while (true)
                {
                    int received = 0;
                    if (toKernel ? (received = KernelSockets.Receive(peer, bytes, WriteBytes)) <= 0
                        : own!.Receive(buffer, out received) != Errno.None || received == 0)
                    {
                        return;
                    }

                    total += received;
                }
            }
        });
        receiver.Start();
        byte[] data = GC.AllocateArray<byte>(WriteBytes, pinned: true);
        long start = Stopwatch.GetTimestamp();
        fixed (byte* bytes = data)
        {
            while (Stopwatch.GetElapsedTime(start).TotalSeconds < seconds)
            {
                if (toKernel)
                {
                    own!.Send(data, out _).ThrowIfError();
                }
                else
                {
                    KernelSockets.Send(peer, bytes, WriteBytes);
                }
            }
        }

        if (toKernel)
        {
            own!.Shutdown(TcpShutdown.Send);
        }
        else
        {
            KernelSockets.Shutdown(peer);
        }

        receiver.Join();
        double elapsed = Stopwatch.GetElapsedTime(start).TotalSeconds;
        own!.Close();
        KernelSockets.Close(peer);
        return total / elapsed;
    }
}

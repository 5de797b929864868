using System.Diagnostics;
using Portico.Kernel;
using Portico.Net;

namespace Portico.Bench;

/// <summary>Requests and responses of one byte.</summary>
internal static class RequestRows
{
    public static IEnumerable<Row> OneThread(BenchOptions options)
    {
        using BenchHosts hosts = new();
        Action request = EngineWork.Request(hosts);
        (int kernelClient, int kernelServer) = KernelSockets.Pair(noDelay: true);
        (Measure.Rate, Measure.Rate) rates = Measure.Turns(
            options,
            seconds => Measure.Repeat(seconds, 1, request),
            seconds => Measure.Repeat(seconds, 1, () =>
            {
                KernelSockets.SendByte(kernelClient);
                KernelSockets.ReceiveByte(kernelServer);
                KernelSockets.SendByte(kernelServer);
                KernelSockets.ReceiveByte(kernelClient);
            }));
        yield return Measure.Compare("request and response of 1 byte, one thread", rates, 1e3, "k/s", 10);
        KernelSockets.Close(kernelClient);
        KernelSockets.Close(kernelServer);
    }

    public static IEnumerable<Row> TwoThreads(BenchOptions options)
    {
        using BenchHosts hosts = new();
        (Measure.Rate, Measure.Rate) rates = Measure.Turns(options, seconds => PorticoThreads(hosts, seconds), KernelThreads);
        yield return Measure.Compare("request and response of 1 byte, two threads", rates, 1e3, "k/s", 0, WakeLatency.Describe());
    }

    private static double PorticoThreads(BenchHosts hosts, double seconds)
    {
        (TcpSocket client, TcpSocket server) = hosts.Pair(noDelay: true);
        Thread echo = new(() =>
        {
            byte[] buffer = new byte[1];
            while (server.Receive(buffer, out int received) == Errno.None && received != 0)
            {
                server.Send(buffer, out _);
            }
        });
        echo.Start();
        byte[] data = new byte[1];
        double rate = Measure.RepeatOnWall(seconds, 1, () =>
        {
            client.Send(data, out _);
            client.Receive(data, out _).ThrowIfError();
        });
        client.Close();
        echo.Join();
        server.Close();
        return rate;
    }

    private static double KernelThreads(double seconds)
    {
        (int client, int server) = KernelSockets.Pair(noDelay: true);
        Thread echo = new(() =>
        {
            while (KernelSockets.ReceiveByte(server))
            {
                KernelSockets.SendByte(server);
            }
        });
        echo.Start();
        double rate = Measure.RepeatOnWall(seconds, 1, () =>
        {
            KernelSockets.SendByte(client);
            KernelSockets.ReceiveByte(client);
        });
        KernelSockets.Shutdown(client);
        echo.Join();
        KernelSockets.Close(client);
        KernelSockets.Close(server);
        return rate;
    }
}

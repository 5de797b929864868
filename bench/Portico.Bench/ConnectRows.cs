using Portico.Kernel;
using Portico.Net;

namespace Portico.Bench;

/// <summary>Whole connections: connect, one byte each way, close.</summary>
internal static class ConnectRows
{
    /// <summary>Destinations taken in turn, so that the ports of connections in TIME-WAIT do not run out.</summary>
    private const int Addresses = 200;

    public static IEnumerable<Row> Run(BenchOptions options)
    {
        using BenchHosts hosts = new(serverAddresses: Addresses);
        using TcpListenerSocket listener = hosts.Listen();
        (int kernelListener, ushort kernelPort) = KernelSockets.Listen();
        byte[] data = new byte[1];
        int next = 0;
        uint kernelNext = 0;
        (Measure.Rate, Measure.Rate) rates = Measure.Turns(
            options,
            seconds => Measure.Repeat(seconds, 1, () =>
            {
                TcpSocket client = new(hosts.Driver, hosts.Client);
                client.Connect(BenchHosts.ServerAt(next++ % Addresses)).ThrowIfError();
                listener.Accept(out TcpSocket? server).ThrowIfError();
                client.Send(data, out _);
                server!.Receive(data, out _);
                server.Send(data, out _);
                client.Receive(data, out _).ThrowIfError();
                client.Close();
                server.Close();
            }),
            seconds => Measure.Repeat(seconds, 1, () =>
            {
                int client = KernelSockets.Connect(0x7F00_0001 + (kernelNext++ % Addresses), kernelPort);
                int server = KernelSockets.Accept(kernelListener);
                KernelSockets.SendByte(client);
                KernelSockets.ReceiveByte(server);
                KernelSockets.SendByte(server);
                KernelSockets.ReceiveByte(client);
                KernelSockets.Close(client);
                KernelSockets.Close(server);
            }));
        yield return Measure.Compare("connect, 1 byte each way, close; one thread", rates, 1e3, "k/s", 4);
        KernelSockets.Close(kernelListener);
    }
}

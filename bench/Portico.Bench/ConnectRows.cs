using Portico.Kernel;
using Portico.Net;

namespace Portico.Bench;

/// <summary>Whole connections: connect, one byte each way, close.</summary>
internal static class ConnectRows
{
    public static IEnumerable<Row> Run(BenchOptions options)
    {
        using BenchHosts hosts = new(serverAddresses: EngineWork.Servers);
        Action connect = EngineWork.Connect(hosts);
        (int kernelListener, ushort kernelPort) = KernelSockets.Listen();
        uint kernelNext = 0;
        (Measure.Rate, Measure.Rate) rates = Measure.Turns(
            options,
            seconds => Measure.Repeat(seconds, 1, connect),
            seconds => Measure.Repeat(seconds, 1, () =>
            {
                int client = KernelSockets.Connect(0x7F00_0001 + (kernelNext++ % EngineWork.Servers), kernelPort);
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

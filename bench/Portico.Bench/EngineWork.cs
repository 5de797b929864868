using Portico.Kernel;
using Portico.Net;

namespace Portico.Bench;

/// <summary>
/// What the rows with one thread repeat, made of public members alone: <see cref="AgainstCommand"/> runs it on the libraries of other builds.
/// </summary>
internal static class EngineWork
{
    /// <summary>Servers taken in turn, so that the ports of connections in TIME-WAIT do not run out.</summary>
    public const int Servers = 200;

    /// <summary>The work of a row of the table on hosts of its own.</summary>
    public static Action Make(string row) => row switch
    {
        "bulk1" => Exchange(new BenchHosts()),
        "mss1460" => Exchange(new BenchHosts(mtu: 1500, offloads: false)),
        "rr1" => Request(new BenchHosts()),
        "connect" => Connect(new BenchHosts(serverAddresses: Servers)),
        _ => throw new ArgumentException($"no such row: {row}"),
    };

    /// <summary>Writes 64 KiB and reads them.</summary>
    public static Action Exchange(BenchHosts hosts)
    {
        (TcpSocket client, TcpSocket server) = hosts.Pair(noDelay: false);
        byte[] data = GC.AllocateArray<byte>(BulkRows.WriteBytes, pinned: true);
        return () =>
        {
            client.Send(data, out _).ThrowIfError();
            for (int left = data.Length; left > 0;)
            {
                server.Receive(data, out int received).ThrowIfError();
                left -= received;
            }
        };
    }

    /// <summary>A byte there and a byte back.</summary>
    public static Action Request(BenchHosts hosts)
    {
        (TcpSocket client, TcpSocket server) = hosts.Pair(noDelay: true);
        byte[] data = new byte[1];
        return () =>
        {
            client.Send(data, out _);
            server.Receive(data, out _);
            server.Send(data, out _);
            client.Receive(data, out _).ThrowIfError();
        };
    }

    /// <summary>A connection: a byte there and a byte back, and both ends closed.</summary>
    public static Action Connect(BenchHosts hosts)
    {
        TcpListenerSocket listener = hosts.Listen();
        byte[] data = new byte[1];
        int next = 0;
        return () =>
        {
            TcpSocket client = new(hosts.Driver, hosts.Client);
            client.Connect(BenchHosts.ServerAt(next++ % Servers)).ThrowIfError();
            listener.Accept(out TcpSocket? server).ThrowIfError();
            client.Send(data, out _);
            server!.Receive(data, out _);
            server.Send(data, out _);
            client.Receive(data, out _).ThrowIfError();
            client.Close();
            server.Close();
        };
    }
}

using Portico.Kernel;
using Portico.Linux;
using Portico.Net;

namespace Portico.Cli;

/// <summary>
/// A run's sockets for <c>portico ss</c>, a JSON object a line. The tables are read in small batches, so that the stack hardly waits.
/// Arguments: which of "tcp", "udp", "icmp" are wanted, and "processes" for the programs behind them.
/// </summary>
internal sealed class SsVerb(StackDriver driver, NetworkStack stack, UdpProxy udp, PingProxy ping, string procDirectory)
{
    private const int BatchMax = 256;

    /// <summary>Takes a socket's JSON object; it is good until the next.</summary>
    public delegate void Sink(ReadOnlySpan<byte> json);

    public int Answer(IReadOnlyList<string> arguments, ControlResponse response)
    {
        List(arguments, response.WriteLine);
        return 0;
    }

    /// <summary>Lists the sockets.</summary>
    public void List(IReadOnlyList<string> arguments, Sink sink)
    {
        foreach (string argument in arguments)
        {
            if (argument is not ("tcp" or "udp" or "icmp" or "processes"))
            {
                throw new ArgumentException($"ss: unknown argument '{argument}'");
            }
        }

        SocketOwners? owners = arguments.Contains("processes") ? new SocketOwners(procDirectory) : null;
        using SocketJson json = new();
        if (arguments.Contains("icmp"))
        {
            WritePing(json, owners, sink);
        }

        if (arguments.Contains("udp"))
        {
            WriteUdp(json, owners, sink);
        }

        if (arguments.Contains("tcp"))
        {
            WriteTcp(json, owners, sink);
        }
    }

    private void WriteTcp(SocketJson json, SocketOwners? owners, Sink sink)
    {
        TcpSocketRecord[] batch = new TcpSocketRecord[BatchMax];
        TcpSocketCursor cursor = default;
        while (!cursor.IsAtEnd)
        {
            int count;
            using (driver.Enter())
            {
                count = stack.Tcp.ListSockets(ref cursor, batch);
            }

            foreach (ref readonly TcpSocketRecord socket in batch.AsSpan(0, count))
            {
                // The program's socket is the other end: what is local there is remote here.
                SocketOwner owner = default;
                owners?.TryFindTcp(socket.Remote, socket.Local, out owner);
                sink(json.Write(socket, owner));
            }
        }
    }

    private void WriteUdp(SocketJson json, SocketOwners? owners, Sink sink)
    {
        List<ProxyFlow> flows = [];
        using (driver.Enter())
        {
            udp.ListFlows(flows);
        }

        foreach (ProxyFlow flow in flows)
        {
            SocketOwner owner = default;
            owners?.TryFindUdp(flow.Peer, flow.Local, out owner);
            sink(json.Write("udp", flow, owner));
        }

        UdpSocketRecord[] batch = new UdpSocketRecord[BatchMax];
        int cursor = 0;
        while (true)
        {
            int count;
            using (driver.Enter())
            {
                count = stack.Udp.ListSockets(ref cursor, batch);
            }

            if (count == 0)
            {
                return;
            }

            foreach (ref readonly UdpSocketRecord socket in batch.AsSpan(0, count))
            {
                sink(json.Write(socket));
            }
        }
    }

    private void WritePing(SocketJson json, SocketOwners? owners, Sink sink)
    {
        List<ProxyFlow> flows = [];
        using (driver.Enter())
        {
            ping.ListFlows(flows);
        }

        foreach (ProxyFlow flow in flows)
        {
            SocketOwner owner = default;
            owners?.TryFindPing(flow.Peer, flow.Local, out owner);
            sink(json.Write(flow.Peer.Address.IsIpv4 ? "icmp" : "icmp6", flow, owner));
        }
    }
}

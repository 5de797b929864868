using Portico.Net;

namespace Portico.Kernel;

/// <summary>/proc/net/sockstat and sockstat6: how many sockets there are, and the memory that they hold.</summary>
internal static class SocketStatistics
{
    public static void WriteIpv4(PorticoKernel kernel, NetworkStack stack, ProcText text)
    {
        (int ipv4, _) = CountTcp(stack, out int all);
        (int udpIpv4, _) = CountUdp(stack, out long udpMemory);
        text.Add($"sockets: used {kernel.Counters[KernelCounter.Sockets]}\n");
        text.Add($"TCP: inuse {ipv4} orphan {stack.Tcp.OrphanCount} tw {stack.Tcp.TimeWaitCount} alloc {all} mem {Pages(stack.Tcp.ReceiveMemory)}\n");
        text.Add($"UDP: inuse {udpIpv4} mem {Pages(udpMemory)}\nUDPLITE: inuse 0\nRAW: inuse 0\nFRAG: inuse 0 memory 0\n");
    }

    public static void WriteIpv6(NetworkStack stack, ProcText text)
    {
        (_, int ipv6) = CountTcp(stack, out _);
        (_, int udpIpv6) = CountUdp(stack, out _);
        text.Add($"TCP6: inuse {ipv6}\nUDP6: inuse {udpIpv6}\nUDPLITE6: inuse 0\nRAW6: inuse 0\nFRAG6: inuse 0 memory 0\n");
    }

    /// <summary>Those in use have neither ended nor are they only asked for.</summary>
    private static (int Ipv4, int Ipv6) CountTcp(NetworkStack stack, out int all)
    {
        (int ipv4, int ipv6) = (0, 0);
        TcpSocketRecord[] batch = new TcpSocketRecord[32];
        TcpSocketCursor cursor = default;
        while (!cursor.IsAtEnd)
        {
            int count = stack.Tcp.ListSockets(ref cursor, batch);
            foreach (ref readonly TcpSocketRecord record in batch.AsSpan(0, count))
            {
                if (record.State is not (TcpState.SynReceived or TcpState.TimeWait))
                {
                    bool isIpv6 = SocketTables.IsIpv6(record.Owner, record.Local.Address);
                    ipv4 += isIpv6 ? 0 : 1;
                    ipv6 += isIpv6 ? 1 : 0;
                }
            }
        }

        all = ipv4 + ipv6;
        return (ipv4, ipv6);
    }

    private static (int Ipv4, int Ipv6) CountUdp(NetworkStack stack, out long memory)
    {
        (int ipv4, int ipv6) = (0, 0);
        memory = 0;
        UdpSocketRecord[] batch = new UdpSocketRecord[32];
        int cursor = 0;
        int count;
        while ((count = stack.Udp.ListSockets(ref cursor, batch)) > 0)
        {
            foreach (ref readonly UdpSocketRecord record in batch.AsSpan(0, count))
            {
                bool isIpv6 = SocketTables.IsIpv6(record.Owner, record.Local.Address);
                ipv4 += isIpv6 ? 0 : 1;
                ipv6 += isIpv6 ? 1 : 0;
                memory += record.ReceiveQueue;
            }
        }

        return (ipv4, ipv6);
    }

    private static long Pages(long bytes) => (bytes + PageTree.PageBytes - 1) / PageTree.PageBytes;
}

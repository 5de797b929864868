using Portico.Net;

namespace Portico.Kernel;

/// <summary>/proc/net/sockstat and sockstat6: how many sockets there are, and the memory that they hold.</summary>
internal static class SocketStatistics
{
    public static void WriteIpv4(PorticoKernel kernel, NetworkStack stack, ProcText text)
    {
        SocketCounts counts = SocketCounts.Of(kernel, stack);
        text.Add($"sockets: used {kernel.Counters[KernelCounter.Sockets]}\n");
        text.Add($"TCP: inuse {counts.Tcp} orphan {stack.Tcp.OrphanCount} tw {stack.Tcp.TimeWaitCount} alloc {counts.Tcp + counts.Tcp6} mem {counts.TcpPages}\n");
        text.Add($"UDP: inuse {counts.Udp} mem {counts.UdpPages}\nUDPLITE: inuse 0\nRAW: inuse {counts.Raw}\nFRAG: inuse 0 memory 0\n");
    }

    public static void WriteIpv6(PorticoKernel kernel, NetworkStack stack, ProcText text)
    {
        SocketCounts counts = SocketCounts.Of(kernel, stack);
        text.Add($"TCP6: inuse {counts.Tcp6}\nUDP6: inuse {counts.Udp6}\nUDPLITE6: inuse 0\nRAW6: inuse {counts.Raw6}\nFRAG6: inuse 0 memory 0\n");
    }
}

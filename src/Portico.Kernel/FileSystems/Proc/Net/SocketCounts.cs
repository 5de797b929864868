using Portico.Net;

namespace Portico.Kernel;

/// <summary>How many sockets of each kind a stack has, and the memory that they hold.</summary>
internal readonly record struct SocketCounts
{
    private const long NoMemory = -1;

    public int Tcp { get; private init; }

    public int Tcp6 { get; private init; }

    public int Udp { get; private init; }

    public int Udp6 { get; private init; }

    public int Raw { get; private init; }

    public int Raw6 { get; private init; }

    public int Ping { get; private init; }

    public int Ping6 { get; private init; }

    public int Packet { get; private init; }

    public int UnixStream { get; private init; }

    public int Unix { get; private init; }

    /// <summary>Pages of what TCP has received.</summary>
    public long TcpPages { get; private init; }

    /// <summary>Pages of unread datagrams.</summary>
    public long UdpPages { get; private init; }

    public static SocketCounts Of(PorticoKernel kernel, NetworkStack stack)
    {
        (int tcp, int tcp6) = CountTcp(stack);
        (int udp, int udp6, long udpBytes) = CountUdp(stack);
        (int[] raw, int[] ping) = CountRaw(stack);
        (int stream, int unix) = CountUnix(kernel, stack);
        return new SocketCounts
        {
            Tcp = tcp,
            Tcp6 = tcp6,
            Udp = udp,
            Udp6 = udp6,
            Raw = raw[0],
            Raw6 = raw[1],
            Ping = ping[0],
            Ping6 = ping[1],
            Packet = stack.PacketSockets.SocketCount,
            UnixStream = stream,
            Unix = unix,
            TcpPages = Pages(stack.Tcp.ReceiveMemory),
            UdpPages = Pages(udpBytes),
        };
    }

    /// <summary>Sockets and pages of a protocol by its name in /proc/net/protocols; -1 page where they are not counted.</summary>
    public (int Sockets, long Pages) Named(string protocol) => protocol switch
    {
        "TCP" => (Tcp, TcpPages),
        "TCPv6" => (Tcp6, TcpPages),
        "UDP" => (Udp, UdpPages),
        "UDPv6" => (Udp6, UdpPages),
        "RAW" => (Raw, NoMemory),
        "RAWv6" => (Raw6, NoMemory),
        "PING" => (Ping, NoMemory),
        "PINGv6" => (Ping6, NoMemory),
        "PACKET" => (Packet, NoMemory),
        "UNIX-STREAM" => (UnixStream, NoMemory),
        _ => (Unix, NoMemory),
    };

    /// <summary>Those in use have neither ended nor are they only asked for.</summary>
    private static (int Ipv4, int Ipv6) CountTcp(NetworkStack stack)
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

        return (ipv4, ipv6);
    }

    private static (int Ipv4, int Ipv6, long Memory) CountUdp(NetworkStack stack)
    {
        (int ipv4, int ipv6, long memory) = (0, 0, 0);
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

        return (ipv4, ipv6, memory);
    }

    /// <summary>Of IPv4 and of IPv6; a socket for echo requests counts once it has an identifier.</summary>
    private static (int[] Raw, int[] Ping) CountRaw(NetworkStack stack)
    {
        int[] raw = new int[2];
        int[] ping = new int[2];
        RawSocketRecord[] batch = new RawSocketRecord[32];
        int cursor = 0;
        int count;
        while ((count = stack.Raw.ListSockets(ref cursor, batch)) > 0)
        {
            foreach (ref readonly RawSocketRecord record in batch.AsSpan(0, count))
            {
                int family = record.IsIpv6 ? 1 : 0;
                raw[family] += record.IsEcho ? 0 : 1;
                ping[family] += record.IsEcho && record.Local.Port != 0 ? 1 : 0;
            }
        }

        return (raw, ping);
    }

    private static (int Stream, int Others) CountUnix(PorticoKernel kernel, NetworkStack stack)
    {
        (int stream, int others) = (0, 0);
        for (UnixSocket? socket = kernel.Unix.First; socket != null; socket = socket.NextOfAll)
        {
            bool isStream = socket.SocketKind == SocketType.SOCK_STREAM;
            stream += socket.Stack == stack && isStream ? 1 : 0;
            others += socket.Stack == stack && !isStream ? 1 : 0;
        }

        return (stream, others);
    }

    private static long Pages(long bytes) => (bytes + PageTree.PageBytes - 1) / PageTree.PageBytes;
}

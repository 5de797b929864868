using Portico.Net.Tests.HostileInput;

namespace Portico.Net.Tests.Attacks;

/// <summary>A stack under attack, one packet at a time: sends exact bytes over the tunnel and sees exactly what comes back.</summary>
public sealed class AttackLab : IDisposable
{
    private readonly HostileWorld _world;
    private readonly List<byte[]> _replies = [];
    private readonly HostileFrame _frame = new();
    private readonly byte[] _buffer = new byte[70_000];
    private readonly UdpHandle _datagrams;
    private readonly TcpListenerHandle _listener;
    private readonly TcpListenerHandle _listener6;
    private ushort _nextPort = 20_000;

    public AttackLab(bool isRouter = false, HostileProtocol protocol = HostileProtocol.Icmpv6)
    {
        _world = new HostileWorld(protocol, 1);
        Stack.Ip.Options.ip_forward = isRouter;
        Stack.Ip.Options.ip6_forward = isRouter;

        // What is tested here is whether there is an answer at all; the limits on answers have tests of their own.
        Stack.Ip.Options.icmp_ratelimit = Duration.Zero;
        Stack.Ip.Options.icmp_msgs_per_sec = 1_000_000;
        Stack.Ip.Options.icmp_msgs_burst = 1_000_000;
        HostileWorld.Check(Stack.Udp.Open(new UdpOpenRequest { IsIpv6 = true }, null, out _datagrams));
        HostileWorld.Check(Stack.Udp.Bind(_datagrams, new Endpoint(IpAddress.AnyIpv6, 5353)));
        HostileWorld.Check(Stack.Tcp.Listen(Listening(IpAddress.AnyIpv4), null, out _listener));
        HostileWorld.Check(Stack.Tcp.Listen(Listening(IpAddress.AnyIpv6), null, out _listener6));
        _world.Tunnel.Recording = _replies;
        _world.Ethernet.Recording = _replies;
    }

    public NetworkStack Stack => _world.Victim;

    public HostileWorld World => _world;

    /// <summary>What has come out since the last packet went in.</summary>
    public IReadOnlyList<byte[]> Replies => _replies;

    private static TcpListenRequest Listening(IpAddress address) =>
        new() { Local = new Endpoint(address, 8080), Backlog = 128, Ipv6Only = !address.IsIpv4 };

    public static IpAddress Attacker(bool ipv4) => HostileAddresses.Attacker(HostileEntry.Tunnel, ipv4);

    public static IpAddress Victim(bool ipv4) => HostileAddresses.Victim(HostileEntry.Tunnel, ipv4);

    /// <summary>Sends bytes as an IP packet over the tunnel, or as a frame, and returns what came back at once.</summary>
    public byte[][] Send(byte[] packet, HostileEntry entry = HostileEntry.Tunnel)
    {
        _replies.Clear();
        _frame.Begin(entry);
        packet.CopyTo(_frame.Add(packet.Length));
        _world.Deliver(_frame, int.MaxValue);
        return [.. _replies];
    }

    /// <summary>An IP packet with its lengths and checksums right.</summary>
    public static byte[] Ip(
        IpAddress source, IpAddress destination, IpProtocol protocol, byte[] payload, byte hops = 64, byte[]? options = null)
    {
        options ??= [];
        byte[] packet;
        if (source.IsIpv4)
        {
            packet = [.. new byte[20], .. options, .. payload];
            Ipv4Header.Write(packet, packet.Length, 0, 0, hops, protocol, source, destination);
            packet[0] = (byte)(0x45 + (options.Length / 4));
        }
        else
        {
            packet = [.. new byte[40], .. options, .. payload];
            Ipv6Header.Write(packet, packet.Length - 40, protocol, hops, source, destination);
        }

        return Fix(packet);
    }

    /// <summary>Makes the checksums right again after a change.</summary>
    public static byte[] Fix(byte[] packet, bool isFragment = false)
    {
        HostileFrame frame = new();
        frame.Begin(HostileEntry.Tunnel);
        packet.CopyTo(frame.Add(packet.Length));
        frame.IsFragment = isFragment;
        ChecksumFixer.Fix(frame);
        return frame.Bytes.ToArray();
    }

    public static byte[] Udp(bool ipv4, byte[] payload, ushort sourcePort = 7777, ushort destinationPort = 5353)
    {
        byte[] datagram = [.. new byte[8], .. payload];
        UdpHeader.Write(datagram, sourcePort, destinationPort, datagram.Length);
        return Ip(Attacker(ipv4), Victim(ipv4), IpProtocol.Udp, datagram);
    }

    public static byte[] Tcp(
        bool ipv4,
        TcpFlags flags,
        ushort sourcePort,
        uint sequence = 1000,
        uint acknowledgment = 0,
        byte[]? payload = null,
        byte[]? options = null,
        ushort destinationPort = 8080,
        ushort urgent = 0)
    {
        options ??= [];
        byte[] segment = [.. new byte[20], .. options, .. payload ?? []];
        TcpHeader.Write(segment, sourcePort, destinationPort, sequence, acknowledgment, 20 + options.Length, flags, 60_000, urgent);
        return Ip(Attacker(ipv4), Victim(ipv4), IpProtocol.Tcp, segment);
    }

    /// <summary>The TCP header in an IP packet.</summary>
    public static TcpHeader TcpOf(byte[] packet)
    {
        int skip = packet[0] >> 4 == 4 ? 20 : 40;
        Assert.Equal((byte)IpProtocol.Tcp, packet[skip == 20 ? 9 : 6]);
        Assert.True(TcpHeader.TryParse(packet.AsSpan(skip), out TcpHeader header));
        return header;
    }

    /// <summary>Type and code of the ICMP message in an IP packet.</summary>
    public static (int Type, int Code, uint Value) IcmpOf(byte[] packet)
    {
        int skip = packet[0] >> 4 == 4 ? 20 : 40;
        Assert.Equal(skip == 20 ? (byte)IpProtocol.Icmp : (byte)IpProtocol.Icmpv6, packet[skip == 20 ? 9 : 6]);
        Assert.True(IcmpHeader.TryParse(packet.AsSpan(skip), out IcmpHeader header));
        return (header.Type, header.Code, header.Rest);
    }

    /// <summary>The next datagram that the application gets; null if there is none.</summary>
    public byte[]? ReceiveDatagram() =>
        Stack.Udp.Receive(_datagrams, _buffer, out _, out int length) == Errno.None ? _buffer[..length] : null;

    public ushort NextPort() => _nextPort++;

    /// <summary>Three-way handshake by hand, up to the accepted connection.</summary>
    public RawConnection Connect(bool ipv4)
    {
        RawConnection connection = new() { IsIpv4 = ipv4, Port = NextPort(), Sequence = 1001 };
        byte[] synAck = Assert.Single(Send(Tcp(ipv4, TcpFlags.Syn, connection.Port)));
        TcpHeader header = TcpOf(synAck);
        Assert.Equal(TcpFlags.Syn | TcpFlags.Ack, header.Flags);
        connection.Acknowledgment = header.Sequence + 1;
        Send(Tcp(ipv4, TcpFlags.Ack, connection.Port, 1001, connection.Acknowledgment));
        HostileWorld.Check(Stack.Tcp.Accept(ipv4 ? _listener : _listener6, null, out TcpHandle handle));
        connection.Handle = handle;
        return connection;
    }

    /// <summary>What the application can read of a connection now.</summary>
    public byte[] Read(RawConnection connection) =>
        Stack.Tcp.Receive(connection.Handle, _buffer, TcpReceiveFlags.None, out int length) == Errno.None ? _buffer[..length] : [];

    public TcpState StateOf(RawConnection connection) =>
        Stack.Tcp.GetInfo(connection.Handle, out TcpInfo info) == Errno.None ? info.State : TcpState.Closed;

    /// <summary>The stack still serves: a datagram and a connection get through.</summary>
    public void AssertStillServes()
    {
        byte[] hello = [104, 101, 108, 108, 111];
        while (ReceiveDatagram() != null)
        {
        }

        foreach (bool ipv4 in new[] { true, false })
        {
            Send(Udp(ipv4, hello));
            Assert.Equal(hello, ReceiveDatagram());
            RawConnection connection = Connect(ipv4);
            Send(Tcp(ipv4, TcpFlags.Ack | TcpFlags.Psh, connection.Port, connection.Sequence, connection.Acknowledgment, hello));
            Assert.Equal(hello, Read(connection));
            Stack.Tcp.Abort(connection.Handle);
            World.Settle();
        }
    }

    public void Dispose() => _world.Dispose();
}

/// <summary>The attacker's record of a connection made by hand.</summary>
public sealed class RawConnection
{
    public bool IsIpv4 { get; init; }

    public ushort Port { get; init; }

    public uint Sequence { get; set; }

    public uint Acknowledgment { get; set; }

    public TcpHandle Handle { get; set; }
}

using Portico.Differential.Tests.Systems;
using Portico.Kernel;
using Portico.Net;
using static Portico.Kernel.AddressFamily;
using static Portico.Kernel.SocketType;
using static Portico.Kernel.SyscallNumber;

namespace Portico.Differential.Tests.Sockets;

/// <summary>Internet sockets in the states that a program can meet them in.</summary>
internal static class SocketKinds
{
    public static readonly IReadOnlyDictionary<string, Func<Kit, long>> All = new Dictionary<string, Func<Kit, long>>
    {
        ["a new TCP socket"] = kit => kit.Socket(AF_INET, SOCK_STREAM),
        ["a new TCP socket of IPv6"] = kit => kit.Socket(AF_INET6, SOCK_STREAM),
        ["a bound TCP socket"] = kit => Bound(kit, AF_INET, SOCK_STREAM),
        ["a listener"] = kit => kit.Listener(AF_INET).Listener,
        ["a listener of IPv6 with a connection"] = kit =>
        {
            (long listener, ushort port) = kit.Listener(AF_INET6);
            kit.Connect(kit.Socket(AF_INET6, SOCK_STREAM), Kit.Loopback(AF_INET6, port));
            return listener;
        },
        ["a TCP connection"] = kit => kit.Connected(AF_INET).Client,
        ["a TCP connection of IPv6 with data"] = kit =>
        {
            (long client, long server) = kit.Connected(AF_INET6);
            kit.WriteBytes(client, "portico!"u8);
            return Arrived(kit, server);
        },
        ["a TCP connection with urgent data"] = kit =>
        {
            (long client, long server) = kit.Connected(AF_INET);
            kit.Send(client, "ab!"u8, MessageFlags.MSG_OOB);
            return Arrived(kit, server, SocketEvents.Priority);
        },
        ["a TCP connection that the peer has ended"] = kit =>
        {
            (long client, long server) = kit.Connected(AF_INET);
            kit.WriteBytes(client, "bye"u8);
            kit.Call(shutdown, client, (long)ShutdownHow.SHUT_WR);
            return Arrived(kit, server, SocketEvents.ReadHangUp);
        },
        ["a TCP connection that was shut down for writing"] = kit =>
        {
            (long client, long server) = kit.Connected(AF_INET);
            kit.Call(shutdown, client, (long)ShutdownHow.SHUT_WR);
            kit.Poll(5000, (server, SocketEvents.ReadHangUp));
            return client;
        },
        ["a TCP connection that was shut down for reading"] = kit =>
        {
            (long client, _) = kit.Connected(AF_INET);
            kit.Call(shutdown, client, (long)ShutdownHow.SHUT_RD);
            return client;
        },
        ["a TCP connection that both have ended"] = kit =>
        {
            (long client, long server) = kit.Connected(AF_INET);
            kit.Call(shutdown, server, (long)ShutdownHow.SHUT_WR);
            kit.Call(shutdown, client, (long)ShutdownHow.SHUT_WR);
            return Arrived(kit, server, SocketEvents.HangUp);
        },
        ["a TCP connection that was reset"] = kit =>
        {
            (long client, long server) = kit.Connected(AF_INET);
            kit.Option(client, (int)SocketLevel.SOL_SOCKET, (int)SocketOption.SO_LINGER, [1, 0, 0, 0, 0, 0, 0, 0]);
            kit.Call(close, client);
            return Arrived(kit, server, SocketEvents.HangUp);
        },
        ["a TCP socket that was refused"] = kit =>
        {
            long bound = Bound(kit, AF_INET, SOCK_STREAM);
            long client = kit.Socket(AF_INET, SOCK_STREAM);
            kit.NonBlocking(client);
            kit.Connect(client, Kit.Loopback(AF_INET, kit.PortOf(bound)));
            return Arrived(kit, client, SocketEvents.HangUp);
        },
        ["a new UDP socket"] = kit => kit.Socket(AF_INET, SOCK_DGRAM),
        ["a new UDP socket of IPv6"] = kit => kit.Socket(AF_INET6, SOCK_DGRAM),
        ["a bound UDP socket"] = kit => Bound(kit, AF_INET, SOCK_DGRAM),
        ["a connected UDP socket"] = kit =>
        {
            long other = Bound(kit, AF_INET, SOCK_DGRAM);
            long fd = kit.Socket(AF_INET, SOCK_DGRAM);
            kit.Connect(fd, Kit.Loopback(AF_INET, kit.PortOf(other)));
            kit.PortOf(fd);
            return fd;
        },
        ["a UDP socket of IPv6 with a datagram"] = kit =>
        {
            long fd = Bound(kit, AF_INET6, SOCK_DGRAM);
            long other = Bound(kit, AF_INET6, SOCK_DGRAM);
            kit.Send(other, "datagram"u8, 0, Kit.Loopback(AF_INET6, kit.PortOf(fd)));
            return Arrived(kit, fd);
        },
        ["a UDP socket with an empty datagram"] = kit =>
        {
            long fd = Bound(kit, AF_INET, SOCK_DGRAM);
            long other = Bound(kit, AF_INET, SOCK_DGRAM);
            kit.Send(other, [], 0, Kit.Loopback(AF_INET, kit.PortOf(fd)));
            return Arrived(kit, fd);
        },
        ["an echo socket"] = kit => kit.Socket(AF_INET, SOCK_DGRAM, 1),
        ["an echo socket of IPv6 with a reply"] = kit =>
        {
            long fd = kit.Socket(AF_INET6, SOCK_DGRAM, 58);
            kit.Bind(fd, Kit.Address("::", 0x4321));
            kit.Send(fd, [128, 0, 0, 0, 0, 0, 0, 7, 1, 2, 3], 0, Kit.Loopback(AF_INET6, 0));
            kit.PortOf(fd);
            return Arrived(kit, fd);
        },
        ["a connected echo socket"] = kit =>
        {
            long fd = kit.Socket(AF_INET, SOCK_DGRAM, 1);
            kit.Connect(fd, Kit.Loopback(AF_INET, 9));
            kit.PortOf(fd);
            return fd;
        },
        ["a raw socket"] = kit => kit.RawSocket(AF_INET, 253),
        ["a raw socket of IPv6"] = kit => kit.RawSocket(AF_INET6, 253),
        ["a raw socket with a packet"] = kit =>
        {
            long fd = kit.RawSocket(AF_INET, 253);
            byte[] packet = [0x45, 0, 0, 24, 0, 7, 0x40, 0, 64, 253, 0, 0, 127, 0, 0, 1, 127, 0, 0, 1, 1, 2, 3, 4];
            kit.Send(kit.RawSocket(AF_INET, 255), packet, 0, Kit.Loopback(AF_INET, 0));
            return Arrived(kit, fd);
        },
        ["a connected raw socket of IPv6 with a packet"] = kit =>
        {
            long fd = kit.RawSocket(AF_INET6, 254);
            kit.Connect(fd, Kit.Loopback(AF_INET6, 0));
            kit.WriteBytes(fd, "to myself"u8);
            return Arrived(kit, fd);
        },
        ["a raw socket with headers of its own"] = kit => kit.RawSocket(AF_INET, 255),
        ["a packet socket"] = kit => kit.PacketSocket(SOCK_RAW, 0x1234),
        ["a packet socket of no protocol"] = kit => kit.PacketSocket(SOCK_DGRAM, 0),
        ["a packet socket with a frame"] = kit =>
        {
            long fd = kit.PacketSocket(SOCK_RAW, 0x1234);
            kit.Send(kit.PacketSocket(SOCK_RAW, 0), [.. new byte[12], 0x12, 0x34, 1, 2, 3, 4], 0, Kit.Link(0x1234));
            return Arrived(kit, fd);
        },
        ["a bound packet socket with a frame without a header"] = kit =>
        {
            long fd = kit.PacketSocket(SOCK_DGRAM, 0x1234);
            kit.Bind(fd, Kit.Link(0x1234));
            kit.Send(fd, "a frame"u8, 0, Kit.Link(0x1234));
            return Arrived(kit, fd);
        },
        ["a UDP socket whose peer is not there"] = kit =>
        {
            long gone = Bound(kit, AF_INET, SOCK_DGRAM);
            ushort port = kit.PortOf(gone);
            kit.Call(close, gone);
            long fd = kit.Socket(AF_INET, SOCK_DGRAM);
            kit.Connect(fd, Kit.Loopback(AF_INET, port));
            kit.PortOf(fd);
            kit.WriteBytes(fd, "anybody?"u8);
            return Arrived(kit, fd, SocketEvents.Error);
        },
    };

    private static long Bound(Kit kit, AddressFamily family, SocketType type)
    {
        long fd = kit.Socket(family, type);
        kit.BindAny(fd, family);
        return fd;
    }

    /// <summary>Waits for what the other end has sent.</summary>
    private static long Arrived(Kit kit, long fd, SocketEvents events = SocketEvents.Readable)
    {
        kit.Poll(5000, (fd, events));
        return fd;
    }
}

using Portico.Differential.Tests.Systems;
using Portico.Kernel;
using Portico.Net;
using static Portico.Kernel.AddressFamily;
using static Portico.Kernel.MessageFlags;
using static Portico.Kernel.SyscallNumber;

namespace Portico.Differential.Tests.Sockets;

/// <summary>What can be asked of a socket, whatever its state. None of them blocks.</summary>
internal static unsafe class SocketOperations
{
    private const SocketEvents Everything = (SocketEvents)0x7FFF;

    public static readonly IReadOnlyDictionary<string, Action<Kit, long>> All = new Dictionary<string, Action<Kit, long>>
    {
        ["bind to a free port"] = (kit, fd) => kit.Bind(fd, Kit.Loopback(AF_INET, 0)),
        ["bind to a free port of IPv6"] = (kit, fd) => kit.Bind(fd, Kit.Loopback(AF_INET6, 0)),
        ["bind to every address"] = (kit, fd) =>
        {
            kit.Bind(fd, Kit.Address("0.0.0.0", 0));
            kit.PortOf(fd);
            kit.Name(fd);
        },
        ["bind to every address of IPv6"] = (kit, fd) =>
        {
            kit.Bind(fd, Kit.Address("::", 0));
            kit.PortOf(fd);
            kit.Name(fd);
        },
        ["bind to an IPv4-mapped address"] = (kit, fd) =>
        {
            kit.Bind(fd, Mapped("127.0.0.1", 0));
            kit.PortOf(fd);
            kit.Name(fd);
        },
        ["bind to an address of somebody else"] = (kit, fd) => kit.Bind(fd, Kit.Address("192.0.2.1", 0)),
        ["bind to an address of IPv6 of somebody else"] = (kit, fd) => kit.Bind(fd, Kit.Address("2001:db8::1", 0)),
        ["bind to the broadcast address"] = (kit, fd) => kit.Bind(fd, Kit.Address("255.255.255.255", 0)),
        ["bind to a multicast address"] = (kit, fd) => kit.Bind(fd, Kit.Address("224.0.0.1", 0)),
        ["bind to a port that needs privileges"] = (kit, fd) => kit.Bind(fd, Kit.Loopback(AF_INET, 80)),
        ["bind to an address that is too short"] = (kit, fd) => kit.Bind(fd, Kit.Loopback(AF_INET, 0)[..8]),
        ["bind to an address of IPv6 that is too short"] = (kit, fd) => kit.Bind(fd, Kit.Loopback(AF_INET6, 0)[..20]),
        ["bind to an address of IPv6 without a scope"] = (kit, fd) => kit.Bind(fd, Kit.Loopback(AF_INET6, 0)[..24]),
        ["bind to an address with more room than it needs"] = (kit, fd) => kit.Bind(fd, [.. Kit.Loopback(AF_INET, 0), .. new byte[100]]),
        ["bind to no address"] = (kit, fd) => kit.Bind(fd, []),
        ["bind to one byte"] = (kit, fd) => kit.Bind(fd, [2]),
        ["bind to an address that is too long"] = (kit, fd) => kit.Bind(fd, new byte[129]),
        ["bind to an unspecified family"] = (kit, fd) => kit.Bind(fd, new byte[16]),
        ["bind to an unspecified family of IPv6's size"] = (kit, fd) => kit.Bind(fd, new byte[28]),
        ["bind to a unix address"] = (kit, fd) => kit.Bind(fd, [1, 0, 0, (byte)'a', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
        ["bind twice"] = (kit, fd) =>
        {
            kit.Bind(fd, Kit.Loopback(AF_INET, 0));
            kit.Bind(fd, Kit.Loopback(AF_INET, 0));
        },
        ["listen"] = (kit, fd) =>
        {
            kit.Call(listen, fd, 5);
            kit.Poll(0, (fd, Everything));
            kit.GetOption(fd, 1, (int)SocketOption.SO_ACCEPTCONN);
        },
        ["listen with a negative backlog"] = (kit, fd) => kit.Call(listen, fd, -1),
        ["listen twice"] = (kit, fd) =>
        {
            kit.Call(listen, fd, 0);
            kit.Call(listen, fd, 10_000);
        },
        ["accept"] = (kit, fd) =>
        {
            long accepted = kit.Accept(fd);
            kit.Fcntl(accepted, FcntlCommand.F_GETFL);
            kit.Name(accepted);
        },
        ["accept with flags"] = (kit, fd) =>
        {
            long accepted = kit.Accept(fd, SocketType.SOCK_NONBLOCK | SocketType.SOCK_CLOEXEC);
            kit.Fcntl(accepted, FcntlCommand.F_GETFL);
            kit.Fcntl(accepted, FcntlCommand.F_GETFD);
        },
        ["accept with unknown flags"] = (kit, fd) => kit.Accept(fd, (SocketType)1),
        ["accept without room for the address"] = (kit, fd) => kit.Call(accept, fd, 0, 0),
        ["connect to nobody"] = (kit, fd) =>
        {
            kit.Connect(fd, Kit.Loopback(AF_INET, 1));
            kit.Poll(100, (fd, SocketEvents.Writable));
            kit.GetOption(fd, 1, (int)SocketOption.SO_ERROR);
            kit.GetOption(fd, 1, (int)SocketOption.SO_ERROR);
        },
        ["connect to nobody of IPv6"] = (kit, fd) =>
        {
            kit.Connect(fd, Kit.Loopback(AF_INET6, 1));
            kit.Poll(100, (fd, SocketEvents.Writable));
            kit.GetOption(fd, 1, (int)SocketOption.SO_ERROR);
        },
        ["connect to a listener"] = (kit, fd) =>
        {
            (_, ushort port) = kit.Listener(AF_INET);
            kit.Connect(fd, Kit.Loopback(AF_INET, port));
            kit.Poll(100, (fd, SocketEvents.Writable));
            kit.Connect(fd, Kit.Loopback(AF_INET, port));
            kit.Connect(fd, Kit.Loopback(AF_INET, port));
            kit.Name(fd, ofPeer: true);
        },
        ["connect to a listener by its IPv4-mapped address"] = (kit, fd) =>
        {
            (_, ushort port) = kit.Listener(AF_INET);
            kit.Connect(fd, Mapped("127.0.0.1", port));
            kit.Poll(100, (fd, SocketEvents.Writable));
            kit.Name(fd, ofPeer: true);
        },
        ["connect to a network that cannot be reached"] = (kit, fd) => kit.Connect(fd, Kit.Address("192.0.2.1", 9)),
        ["connect to a network of IPv6 that cannot be reached"] = (kit, fd) => kit.Connect(fd, Kit.Address("2001:db8::1", 9)),
        ["connect to the broadcast address"] = (kit, fd) => kit.Connect(fd, Kit.Address("255.255.255.255", 9)),
        ["connect to a multicast address"] = (kit, fd) => kit.Connect(fd, Kit.Address("224.0.0.1", 9)),
        ["connect to the unspecified address"] = (kit, fd) =>
        {
            kit.Connect(fd, Kit.Address("0.0.0.0", 1));
            kit.Poll(100, (fd, SocketEvents.Writable));
            kit.Name(fd, ofPeer: true);
        },
        ["connect to port 0"] = (kit, fd) =>
        {
            kit.Connect(fd, Kit.Loopback(AF_INET, 0));
            kit.Poll(100, (fd, SocketEvents.Writable));
            kit.Name(fd, ofPeer: true);
        },
        ["connect to an address that is too short"] = (kit, fd) => kit.Connect(fd, Kit.Loopback(AF_INET, 9)[..8]),
        ["connect to one byte"] = (kit, fd) => kit.Connect(fd, [2]),
        ["connect to no address"] = (kit, fd) => kit.Connect(fd, []),
        ["connect to another family"] = (kit, fd) => kit.Connect(fd, [1, 0, .. new byte[26]]),
        ["disconnect"] = (kit, fd) =>
        {
            kit.Connect(fd, new byte[16]);
            kit.Poll(0, (fd, Everything));
            kit.Name(fd, ofPeer: true);
            kit.Read(fd, 10);
        },
        ["getsockname"] = (kit, fd) => kit.Name(fd),
        ["getsockname with little room"] = (kit, fd) => kit.Name(fd, room: 5),
        ["getsockname with no room"] = (kit, fd) => kit.Name(fd, room: 0),
        ["getsockname with a negative room"] = (kit, fd) => kit.Name(fd, room: 0x8000_0000),
        ["getpeername"] = (kit, fd) => kit.Name(fd, ofPeer: true),
        ["getpeername with little room"] = (kit, fd) => kit.Name(fd, ofPeer: true, room: 7),
        ["shutdown for reading"] = (kit, fd) => ShutDown(kit, fd, ShutdownHow.SHUT_RD),
        ["shutdown for writing"] = (kit, fd) => ShutDown(kit, fd, ShutdownHow.SHUT_WR),
        ["shutdown both ways"] = (kit, fd) => ShutDown(kit, fd, ShutdownHow.SHUT_RDWR),
        ["shutdown in no way"] = (kit, fd) => kit.Call(shutdown, fd, 3),
        ["shutdown twice"] = (kit, fd) =>
        {
            kit.Call(shutdown, fd, (long)ShutdownHow.SHUT_RDWR);
            kit.Call(shutdown, fd, (long)ShutdownHow.SHUT_RDWR);
        },
        ["send"] = (kit, fd) => kit.Send(fd, "hello"u8),
        ["send nothing"] = (kit, fd) => kit.Send(fd, []),
        ["send more than a datagram holds"] = (kit, fd) => kit.Send(fd, new byte[70_000]),
        ["send out of band"] = (kit, fd) => kit.Send(fd, "!"u8, MSG_OOB),
        ["send nothing out of band"] = (kit, fd) => kit.Send(fd, [], MSG_OOB),
        ["send to somebody"] = (kit, fd) => kit.Send(fd, "hello"u8, 0, Kit.Loopback(AF_INET, 1)),
        ["send to somebody of IPv6"] = (kit, fd) => kit.Send(fd, "hello"u8, 0, Kit.Loopback(AF_INET6, 1)),
        ["send to an IPv4-mapped address"] = (kit, fd) => kit.Send(fd, "hello"u8, 0, Mapped("127.0.0.1", 1)),
        ["send to port 0"] = (kit, fd) => kit.Send(fd, "hello"u8, 0, Kit.Loopback(AF_INET, 0)),
        ["send to the broadcast address"] = (kit, fd) => kit.Send(fd, "hello"u8, 0, Kit.Address("255.255.255.255", 9)),
        ["send to a network that cannot be reached"] = (kit, fd) => kit.Send(fd, "hello"u8, 0, Kit.Address("192.0.2.1", 9)),
        ["send to an unspecified family"] = (kit, fd) => kit.Send(fd, "hello"u8, 0, new byte[16]),
        ["send to an address that is too short"] = (kit, fd) => kit.Send(fd, "hello"u8, 0, Kit.Loopback(AF_INET, 9)[..8]),
        ["send to another family"] = (kit, fd) => kit.Send(fd, "hello"u8, 0, [1, 0, .. new byte[26]]),
        ["receive"] = (kit, fd) => kit.Receive(fd, 100, 0, withAddress: true),
        ["receive nothing"] = (kit, fd) => kit.Receive(fd, 0, 0, withAddress: true),
        ["receive a part twice"] = (kit, fd) =>
        {
            kit.Receive(fd, 3);
            kit.Receive(fd, 100);
        },
        ["peek, then receive"] = (kit, fd) =>
        {
            kit.Receive(fd, 3, MSG_PEEK);
            kit.Receive(fd, 100, MSG_PEEK);
            kit.Receive(fd, 100);
        },
        ["receive with MSG_TRUNC"] = (kit, fd) => kit.Receive(fd, 3, MSG_TRUNC),
        ["receive and see the flags"] = (kit, fd) => kit.ReceiveMessage(fd, 3, 0),
        ["peek and see the flags"] = (kit, fd) => kit.ReceiveMessage(fd, 3, MSG_PEEK),
        ["receive with MSG_WAITALL"] = (kit, fd) => kit.Receive(fd, 100, MSG_WAITALL),
        ["receive with MSG_DONTWAIT"] = (kit, fd) => kit.Receive(fd, 100, MSG_DONTWAIT),
        ["receive out of band"] = (kit, fd) =>
        {
            kit.Receive(fd, 1, MSG_OOB);
            kit.Receive(fd, 100);
            kit.Receive(fd, 100);
        },
        ["peek out of band"] = (kit, fd) =>
        {
            kit.Receive(fd, 1, MSG_OOB | MSG_PEEK);
            kit.Receive(fd, 1, MSG_OOB);
            kit.Receive(fd, 1, MSG_OOB);
        },
        ["receive from the error queue"] = (kit, fd) => kit.Receive(fd, 100, MSG_ERRQUEUE),
        ["poll after what was there is read"] = (kit, fd) =>
        {
            kit.Receive(fd, 1000);
            kit.Poll(0, (fd, Everything));
            kit.Receive(fd, 1000);
            kit.Poll(0, (fd, Everything));
        },
        ["SO_ERROR twice"] = (kit, fd) =>
        {
            kit.GetOption(fd, 1, (int)SocketOption.SO_ERROR);
            kit.GetOption(fd, 1, (int)SocketOption.SO_ERROR);
            kit.Poll(0, (fd, Everything));
        },
        ["ask for an option of an unknown level"] = (kit, fd) => kit.GetOption(fd, 200, 1),
        ["set an option of an unknown level"] = (kit, fd) => kit.Option(fd, 200, 1, 1),
        ["ask for an unknown option"] = (kit, fd) => kit.GetOption(fd, 1, 500),
        ["set an unknown option"] = (kit, fd) => kit.Option(fd, 1, 500, 1),
        ["ask for an option without room"] = (kit, fd) => kit.GetOption(fd, 1, (int)SocketOption.SO_TYPE, 0),
        ["ask for an option with one byte of room"] = (kit, fd) => kit.GetOption(fd, 1, (int)SocketOption.SO_TYPE, 1),
        ["ask for an option with a lot of room"] = (kit, fd) => kit.GetOption(fd, 1, (int)SocketOption.SO_TYPE, 64),
        ["ask for an option with negative room"] = (kit, fd) =>
        {
            int length = -1;
            int value = 0;
            kit.Call(getsockopt, fd, 1, (long)SocketOption.SO_TYPE, (long)(&value), (long)(&length));
        },
        ["FIONREAD, SIOCOUTQ and SIOCATMARK after a read"] = (kit, fd) =>
        {
            kit.Receive(fd, 2);
            kit.IoctlInt(fd, IoctlRequest.FIONREAD);
            kit.IoctlInt(fd, IoctlRequest.SIOCOUTQ);
            kit.IoctlInt(fd, IoctlRequest.SIOCATMARK);
        },
    };

    private static byte[] Mapped(string ipv4, ushort port)
    {
        byte[] bytes = new byte[SocketAddress.Ipv6Bytes];
        SocketAddress.Write(bytes, AF_INET6, new Endpoint(IpAddress.Parse(ipv4), port));
        return bytes;
    }

    private static void ShutDown(Kit kit, long fd, ShutdownHow how)
    {
        kit.Call(shutdown, fd, (long)how);
        kit.Poll(0, (fd, Everything));
        kit.Read(fd, 100);
        kit.Read(fd, 100);
        kit.Send(fd, "after"u8);
        kit.Poll(0, (fd, Everything));
    }
}

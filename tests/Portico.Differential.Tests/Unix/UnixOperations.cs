using Portico.Differential.Tests.Systems;
using Portico.Kernel;
using Portico.Net;
using static Portico.Kernel.AddressFamily;
using static Portico.Kernel.MessageFlags;
using static Portico.Kernel.SocketType;
using static Portico.Kernel.SyscallNumber;

namespace Portico.Differential.Tests.Unix;

/// <summary>What can be asked of unix sockets in particular. None of them blocks.</summary>
internal static unsafe class UnixOperations
{
    private const SocketEvents Everything = (SocketEvents)0x7FFF;

    public static readonly IReadOnlyDictionary<string, Action<Kit, long>> All = new Dictionary<string, Action<Kit, long>>
    {
        ["bind to a path"] = (kit, fd) =>
        {
            kit.Bind(fd, Kit.UnixPath("bound"));
            kit.Name(fd);
            kit.Bind(kit.Socket(AF_UNIX, SOCK_DGRAM), Kit.UnixPath("bound"));
        },
        ["bind to a path without its zero"] = (kit, fd) =>
        {
            kit.Bind(fd, Kit.UnixPath("bound")[..^1]);
            kit.Name(fd);
        },
        ["bind to a path with bytes behind it"] = (kit, fd) =>
        {
            kit.Bind(fd, [.. Kit.UnixPath("bound"), 1, 2, 3]);
            kit.Name(fd);
        },
        ["bind to an abstract name"] = (kit, fd) =>
        {
            kit.Bind(fd, Kit.Abstract("bound"));
            kit.Name(fd);
            kit.Bind(kit.Socket(AF_UNIX, SOCK_DGRAM), Kit.Abstract("bound"));
            kit.Bind(kit.Socket(AF_UNIX, SOCK_STREAM), Kit.Abstract("bound"));
        },
        ["bind to an abstract name of one zero"] = (kit, fd) =>
        {
            kit.Bind(fd, [1, 0, 0]);
            kit.Name(fd);
        },
        ["bind to the longest name"] = (kit, fd) =>
        {
            kit.Bind(fd, Kit.Abstract(new string('n', 107)));
            kit.Name(fd);
        },
        ["bind to a name that is too long"] = (kit, fd) => kit.Bind(fd, Kit.Abstract(new string('n', 108))),
        ["bind to no name"] = (kit, fd) =>
        {
            kit.Bind(fd, [1, 0]);
            kit.Name(fd);
            kit.Bind(fd, [1, 0]);
        },
        ["listen, and connect to it"] = (kit, fd) =>
        {
            kit.Bind(fd, Kit.Abstract("here"));
            kit.Call(listen, fd, 1);
            long client = kit.Socket(AF_UNIX, SOCK_STREAM);
            kit.NonBlocking(client);
            kit.Connect(client, Kit.Abstract("here"));
            kit.Poll(0, (fd, Everything), (client, Everything));
            kit.Name(kit.Accept(fd), ofPeer: true);
        },
        ["connect to a name that is not there"] = (kit, fd) => kit.Connect(fd, Kit.Abstract("nobody")),
        ["connect to a path that is not there"] = (kit, fd) => kit.Connect(fd, Kit.UnixPath("nobody")),
        ["connect to a path whose socket is closed"] = (kit, fd) =>
        {
            long other = kit.Socket(AF_UNIX, SOCK_STREAM);
            kit.Bind(other, Kit.UnixPath("old"));
            kit.Call(close, other);
            kit.Connect(fd, Kit.UnixPath("old"));
        },
        ["connect to a path of another type"] = (kit, fd) =>
        {
            kit.Bind(kit.Socket(AF_UNIX, SOCK_SEQPACKET), Kit.UnixPath("other"));
            kit.Connect(fd, Kit.UnixPath("other"));
        },
        ["connect to a stream that does not listen"] = (kit, fd) =>
        {
            kit.Named(SOCK_STREAM, "quiet");
            kit.Connect(fd, Kit.Abstract("quiet"));
        },
        ["connect to a listener of streams"] = (kit, fd) => ConnectTo(kit, fd, SOCK_STREAM),
        ["connect to a listener of packets"] = (kit, fd) => ConnectTo(kit, fd, SOCK_SEQPACKET),
        ["connect to a datagram socket"] = (kit, fd) =>
        {
            long other = kit.Named(SOCK_DGRAM, "datagrams");
            kit.Connect(fd, Kit.Abstract("datagrams"));
            kit.Name(fd, ofPeer: true);
            kit.Send(fd, "hello"u8);
            kit.NonBlocking(other);
            kit.Receive(other, 10, 0, withAddress: true);
            kit.Poll(0, (fd, Everything), (other, Everything));
        },
        ["connect to a datagram socket that is connected elsewhere"] = (kit, fd) =>
        {
            long other = kit.Named(SOCK_DGRAM, "busy");
            kit.Named(SOCK_DGRAM, "elsewhere");
            kit.Connect(other, Kit.Abstract("elsewhere"));
            kit.Connect(fd, Kit.Abstract("busy"));
            kit.Send(fd, "x"u8, 0, Kit.Abstract("busy"));
        },
        ["connect to itself"] = (kit, fd) =>
        {
            kit.Bind(fd, Kit.Abstract("me"));
            kit.Connect(fd, Kit.Abstract("me"));
            kit.Name(fd, ofPeer: true);
        },
        ["send to a name"] = (kit, fd) =>
        {
            long other = kit.Named(SOCK_DGRAM, "to");
            kit.Send(fd, "hello"u8, 0, Kit.Abstract("to"));
            kit.NonBlocking(other);
            kit.Receive(other, 10, 0, withAddress: true);
        },
        ["send to a name that is not there"] = (kit, fd) => kit.Send(fd, "hello"u8, 0, Kit.Abstract("nobody")),
        ["send to a path that is not there"] = (kit, fd) => kit.Send(fd, "hello"u8, 0, Kit.UnixPath("nobody")),
        ["send to a name that is too long"] = (kit, fd) => kit.Send(fd, "hello"u8, 0, new byte[111]),
        ["send to the family alone"] = (kit, fd) => kit.Send(fd, "hello"u8, 0, [1, 0]),
        ["SO_PEERCRED"] = (kit, fd) => kit.PeerCredentials(fd),
        ["SO_PASSCRED, then receive"] = (kit, fd) =>
        {
            kit.Option(fd, 1, (int)SocketOption.SO_PASSCRED, 1);
            kit.GetOption(fd, 1, (int)SocketOption.SO_PASSCRED);
            kit.ReceiveControl(fd, 100);
            kit.ReceiveControl(fd, 100);
        },
        ["SO_PASSCRED names who sends or connects"] = (kit, fd) =>
        {
            kit.Option(fd, 1, (int)SocketOption.SO_PASSCRED, 1);
            kit.Send(fd, "x"u8);
            kit.Name(fd);
            kit.Connect(fd, Kit.Abstract("nobody"));
            kit.Name(fd);
        },
        ["SO_PASSRIGHTS off"] = (kit, fd) =>
        {
            kit.GetOption(fd, 1, (int)SocketOption.SO_PASSRIGHTS);
            kit.Option(fd, 1, (int)SocketOption.SO_PASSRIGHTS, 0);
            kit.GetOption(fd, 1, (int)SocketOption.SO_PASSRIGHTS);
            kit.ReceiveControl(fd, 100);
        },
        ["receive with control messages"] = (kit, fd) =>
        {
            kit.ReceiveControl(fd, 100);
            kit.ReceiveControl(fd, 100);
            kit.ReceiveControl(fd, 100);
        },
        ["receive a part with control messages"] = (kit, fd) =>
        {
            kit.ReceiveControl(fd, 2);
            kit.ReceiveControl(fd, 100);
            kit.ReceiveControl(fd, 100);
        },
        ["receive nothing with control messages"] = (kit, fd) =>
        {
            kit.ReceiveControl(fd, 0);
            kit.ReceiveControl(fd, 100);
        },
        ["receive with room for one descriptor"] = (kit, fd) =>
        {
            kit.ReceiveControl(fd, 100, 20);
            kit.ReceiveControl(fd, 100, 24);
        },
        ["receive with room for a header"] = (kit, fd) => kit.ReceiveControl(fd, 100, 16),
        ["receive with less room than a header"] = (kit, fd) => kit.ReceiveControl(fd, 100, 8),
        ["receive without room for control messages"] = (kit, fd) => kit.ReceiveControl(fd, 100, 0),
        ["receive descriptors that exec closes"] = (kit, fd) =>
        {
            foreach (int received in kit.ReceiveControl(fd, 100, 64, MSG_CMSG_CLOEXEC))
            {
                kit.Fcntl(received, FcntlCommand.F_GETFD);
            }
        },
        ["peek at control messages"] = (kit, fd) =>
        {
            kit.ReceiveControl(fd, 2, 256, MSG_PEEK);
            kit.ReceiveControl(fd, 6, 256, MSG_PEEK);
            kit.ReceiveControl(fd, 100, 256, MSG_PEEK);
            kit.ReceiveControl(fd, 100);
        },
        ["peek with an offset"] = (kit, fd) =>
        {
            kit.GetOption(fd, 1, (int)SocketOption.SO_PEEK_OFF);
            kit.Option(fd, 1, (int)SocketOption.SO_PEEK_OFF, 1);
            kit.Receive(fd, 2, MSG_PEEK);
            kit.GetOption(fd, 1, (int)SocketOption.SO_PEEK_OFF);
            kit.Receive(fd, 2, MSG_PEEK | MSG_TRUNC);
            kit.Receive(fd, 2, MSG_PEEK);
            kit.Receive(fd, 9, MSG_PEEK);
            kit.GetOption(fd, 1, (int)SocketOption.SO_PEEK_OFF);
            kit.Receive(fd, 3);
            kit.GetOption(fd, 1, (int)SocketOption.SO_PEEK_OFF);
            kit.Receive(fd, 9, MSG_PEEK);
            kit.Option(fd, 1, (int)SocketOption.SO_PEEK_OFF, -2);
        },
        ["send descriptors"] = (kit, fd) => kit.SendMessage(fd, "x"u8, Kit.Rights(0, 1, 2)),
        ["send descriptors with nothing"] = (kit, fd) => kit.SendMessage(fd, [], Kit.Rights(0)),
        ["send a descriptor that is closed"] = (kit, fd) => kit.SendMessage(fd, "x"u8, Kit.Rights(0, 99)),
        ["send no descriptors"] = (kit, fd) => kit.SendMessage(fd, "x"u8, Kit.Rights()),
        ["send itself"] = (kit, fd) => kit.SendMessage(fd, "x"u8, Kit.Rights(fd, fd)),
        ["send a control message that is too short"] = (kit, fd) => kit.SendMessage(fd, "x"u8, [15, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0]),
        ["send a control message that is too long"] = (kit, fd) => kit.SendMessage(fd, "x"u8, Kit.Rights(0), cut: 5),
        ["send less than a control message"] = (kit, fd) => kit.SendMessage(fd, "x"u8, Kit.Rights(0), cut: 9),
        ["send a control message of another level"] = (kit, fd) => kit.SendMessage(fd, "x"u8, ControlMessages.Of(41, 1, [1, 2, 3, 4])),
        ["send a control message of an unknown type"] = (kit, fd) => kit.SendMessage(fd, "x"u8, ControlMessages.Of(1, 99, [1, 2, 3, 4])),
        ["send the own credentials"] = (kit, fd) => kit.SendMessage(fd, "x"u8, kit.Credentials()),
        ["send another's process"] = (kit, fd) => kit.SendMessage(fd, "x"u8, kit.Credentials(pid: 1)),
        ["send another's user"] = (kit, fd) => kit.SendMessage(fd, "x"u8, kit.Credentials(uid: 12_345)),
        ["send another's group"] = (kit, fd) => kit.SendMessage(fd, "x"u8, kit.Credentials(gid: 12_345)),
        ["send credentials that are too short"] = (kit, fd) => kit.SendMessage(fd, "x"u8, ControlMessages.Of(1, 2, new byte[8])),
        ["sendmsg without a structure"] = (kit, fd) => kit.Call(sendmsg, fd, 0, 0),
        ["recvmsg without a structure"] = (kit, fd) => kit.Call(recvmsg, fd, 0, (long)MSG_DONTWAIT),
        ["sendmsg without its control messages"] = (kit, fd) =>
        {
            ulong* header = stackalloc ulong[7] { 0, 0, 0, 0, 0, 24, 0 };
            kit.Call(sendmsg, fd, (long)header, (long)MSG_NOSIGNAL);
        },
        ["sendmsg of a negative length of name"] = (kit, fd) =>
        {
            ulong* header = stackalloc ulong[7] { 0, 0xFFFF_FFFF, 0, 0, 0, 0, 0 };
            kit.Call(sendmsg, fd, (long)header, (long)MSG_NOSIGNAL);
        },
        ["sendmsg of too many control messages"] = (kit, fd) => kit.SendMessage(fd, "x"u8, new byte[131_072]),
        ["send out of band, and read it"] = (kit, fd) =>
        {
            kit.Send(fd, "12"u8, MSG_OOB);
            kit.Receive(fd, 1, MSG_OOB);
            kit.IoctlInt(fd, IoctlRequest.SIOCATMARK);
            kit.Receive(fd, 100);
            kit.IoctlInt(fd, IoctlRequest.SIOCATMARK);
            kit.Receive(fd, 100);
        },
        ["read inline"] = (kit, fd) =>
        {
            kit.Option(fd, 1, (int)SocketOption.SO_OOBINLINE, 1);
            kit.Receive(fd, 1, MSG_OOB);
            kit.Receive(fd, 100);
            kit.Receive(fd, 100);
            kit.Receive(fd, 100);
        },
        ["SO_SNDBUF and SO_RCVBUF"] = (kit, fd) =>
        {
            foreach (SocketOption option in (SocketOption[])[SocketOption.SO_SNDBUF, SocketOption.SO_RCVBUF])
            {
                kit.GetOption(fd, 1, (int)option);
                kit.Option(fd, 1, (int)option, 1);
                kit.GetOption(fd, 1, (int)option);
                kit.Option(fd, 1, (int)option, 50_000);
                kit.GetOption(fd, 1, (int)option);
            }
        },
        ["a small send buffer"] = (kit, fd) =>
        {
            kit.Option(fd, 1, (int)SocketOption.SO_SNDBUF, 1);
            kit.Send(fd, new byte[10_000]);
            kit.IoctlInt(fd, IoctlRequest.SIOCOUTQ);
            kit.Send(fd, new byte[4576]);
            kit.IoctlInt(fd, IoctlRequest.SIOCOUTQ);
            kit.Poll(0, (fd, Everything));
        },
        ["what messages are charged"] = (kit, fd) =>
        {
            foreach (int size in (int[])[0, 1, 192, 193, 704, 705, 3776, 3777, 16_064, 16_065, 36_544, 36_545, 90_000])
            {
                kit.Send(fd, new byte[size], MSG_DONTWAIT);
                kit.IoctlInt(fd, IoctlRequest.SIOCOUTQ);
            }
        },
        ["options that are kept"] = (kit, fd) =>
        {
            foreach (int option in (int[])[1, 2, 5, 6, 9, 11, 12, 15, 18, 19, 3, 4, 30, 38, 39, 32, 33])
            {
                kit.GetOption(fd, 1, option);
                kit.Option(fd, 1, option, 5);
                kit.GetOption(fd, 1, option);
                kit.Option(fd, 1, option, [1, 0]);
            }
        },
        ["SO_LINGER"] = (kit, fd) =>
        {
            kit.GetOption(fd, 1, (int)SocketOption.SO_LINGER, 8);
            kit.Option(fd, 1, (int)SocketOption.SO_LINGER, [1, 0, 0, 0, 7, 0, 0, 0]);
            kit.GetOption(fd, 1, (int)SocketOption.SO_LINGER, 8);
            kit.Option(fd, 1, (int)SocketOption.SO_LINGER, 1);
        },
        ["sendmmsg"] = UnixScenarios.SendThree,
        ["recvmmsg"] = (kit, fd) => UnixScenarios.ReceiveSome(kit, fd, 3, MSG_DONTWAIT),
        ["recvmmsg with MSG_WAITFORONE"] = (kit, fd) => UnixScenarios.ReceiveSome(kit, fd, 3, MSG_WAITFORONE),
        ["recvmmsg of nothing"] = (kit, fd) => UnixScenarios.ReceiveSome(kit, fd, 0, 0),
        ["recvmmsg with a bad time"] = (kit, fd) =>
        {
            long* time = stackalloc long[2] { 0, 1_000_000_000 };
            kit.Call(recvmmsg, fd, 0, 0, 0, (long)time);
        },
        ["poll after the peer was closed"] = (kit, fd) =>
        {
            kit.Call(close_range, fd + 1, fd + 1, 0);
            kit.Poll(0, (fd, Everything));
            kit.Receive(fd, 100);
            kit.Receive(fd, 100);
            kit.Send(fd, "x"u8);
            kit.Send(fd, "x"u8);
            kit.Poll(0, (fd, Everything));
            kit.Name(fd, ofPeer: true);
        },
    };

    private static void ConnectTo(Kit kit, long fd, SocketType type)
    {
        long listener = kit.UnixListener(type, "listening");
        kit.Connect(fd, Kit.Abstract("listening"));
        kit.Connect(fd, Kit.Abstract("listening"));
        kit.Name(fd, ofPeer: true);
        kit.PeerCredentials(fd);
        kit.Poll(0, (fd, Everything), (listener, Everything));
        kit.NonBlocking(listener);
        long accepted = kit.Accept(listener);
        kit.Name(accepted);
        kit.Name(accepted, ofPeer: true);
        kit.PeerCredentials(accepted);
    }
}

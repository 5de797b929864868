using Portico.Differential.Tests.Systems;
using Portico.Kernel;
using static Portico.Kernel.AddressFamily;
using static Portico.Kernel.SocketType;
using static Portico.Kernel.SyscallNumber;

namespace Portico.Differential.Tests.Unix;

/// <summary>Unix sockets in the states that a program can meet them in.</summary>
internal static class UnixKinds
{
    public static readonly IReadOnlyDictionary<string, Func<Kit, long>> All = new Dictionary<string, Func<Kit, long>>
    {
        ["a new unix stream"] = kit => kit.Socket(AF_UNIX, SOCK_STREAM),
        ["a new unix datagram socket"] = kit => kit.Socket(AF_UNIX, SOCK_DGRAM),
        ["a new unix seqpacket socket"] = kit => kit.Socket(AF_UNIX, SOCK_SEQPACKET),
        ["a raw unix socket"] = kit => kit.Socket(AF_UNIX, SOCK_RAW),
        ["a unix stream with a path"] = kit => AtPath(kit, SOCK_STREAM),
        ["a unix datagram socket with a path"] = kit => AtPath(kit, SOCK_DGRAM),
        ["a unix stream with an abstract name"] = kit => kit.Named(SOCK_STREAM, "name"),
        ["a unix stream with an automatic name"] = kit =>
        {
            long fd = kit.Socket(AF_UNIX, SOCK_STREAM);
            kit.Bind(fd, [1, 0]);
            return fd;
        },
        ["a unix listener"] = kit => kit.UnixListener(SOCK_STREAM, "listener"),
        ["a unix listener with a connection"] = kit =>
        {
            long fd = kit.UnixListener(SOCK_STREAM, "listener");
            kit.WriteBytes(kit.Connected(SOCK_STREAM, "listener"), "early"u8);
            return fd;
        },
        ["a unix listener with a connection that is closed"] = kit =>
        {
            long fd = kit.UnixListener(SOCK_STREAM, "listener");
            kit.Call(close, kit.Connected(SOCK_STREAM, "listener"));
            return fd;
        },
        ["a seqpacket listener with a connection"] = kit =>
        {
            long fd = kit.UnixListener(SOCK_SEQPACKET, "listener");
            kit.Connected(SOCK_SEQPACKET, "listener");
            return fd;
        },
        ["a unix stream that waits to be accepted"] = kit =>
        {
            kit.UnixListener(SOCK_STREAM, "listener");
            return kit.Connected(SOCK_STREAM, "listener");
        },
        ["an accepted unix stream"] = kit =>
        {
            long listener = kit.UnixListener(SOCK_STREAM, "listener");
            kit.Connected(SOCK_STREAM, "listener");
            return kit.Accept(listener);
        },
        ["a unix stream whose listener is closed"] = kit =>
        {
            long listener = kit.UnixListener(SOCK_STREAM, "listener");
            long fd = kit.Connected(SOCK_STREAM, "listener");
            kit.Call(close, listener);
            return fd;
        },
        ["a stream pair"] = kit => kit.Pair(SOCK_STREAM).First,
        ["a datagram pair"] = kit => kit.Pair(SOCK_DGRAM).First,
        ["a seqpacket pair"] = kit => kit.Pair(SOCK_SEQPACKET).First,
        ["a stream pair with data"] = kit => With(kit, SOCK_STREAM, "port", "ico!"),
        ["a datagram pair with data"] = kit => With(kit, SOCK_DGRAM, "port", "ico!"),
        ["a seqpacket pair with data"] = kit => With(kit, SOCK_SEQPACKET, "port", "ico!"),
        ["a datagram pair with an empty datagram"] = kit => With(kit, SOCK_DGRAM, "", "full"),
        ["a seqpacket pair with an empty packet"] = kit => With(kit, SOCK_SEQPACKET, "", "full"),
        ["a stream pair with descriptors"] = kit => WithRights(kit, SOCK_STREAM),
        ["a datagram pair with descriptors"] = kit => WithRights(kit, SOCK_DGRAM),
        ["a seqpacket pair with descriptors"] = kit => WithRights(kit, SOCK_SEQPACKET),
        ["a stream pair with credentials"] = kit => WithCredentials(kit, SOCK_STREAM),
        ["a datagram pair with credentials"] = kit => WithCredentials(kit, SOCK_DGRAM),
        ["a stream pair with urgent data"] = kit =>
        {
            (long first, long second) = kit.Pair(SOCK_STREAM);
            kit.Send(second, "ab!"u8, MessageFlags.MSG_OOB);
            kit.Send(second, "cd"u8);
            return first;
        },
        ["a stream pair whose peer is closed"] = kit => PeerClosed(kit, SOCK_STREAM),
        ["a datagram pair whose peer is closed"] = kit => PeerClosed(kit, SOCK_DGRAM),
        ["a seqpacket pair whose peer is closed"] = kit => PeerClosed(kit, SOCK_SEQPACKET),
        ["a stream pair whose peer was closed with unread data"] = kit => PeerReset(kit, SOCK_STREAM),
        ["a datagram pair whose peer was closed with unread data"] = kit => PeerReset(kit, SOCK_DGRAM),
        ["a seqpacket pair whose peer was closed with unread data"] = kit => PeerReset(kit, SOCK_SEQPACKET),
        ["a stream pair whose peer has shut down writing"] = kit => PeerShut(kit, SOCK_STREAM, ShutdownHow.SHUT_WR),
        ["a datagram pair whose peer has shut down writing"] = kit => PeerShut(kit, SOCK_DGRAM, ShutdownHow.SHUT_WR),
        ["a seqpacket pair whose peer has shut down writing"] = kit => PeerShut(kit, SOCK_SEQPACKET, ShutdownHow.SHUT_WR),
        ["a stream pair whose peer has shut down reading"] = kit => PeerShut(kit, SOCK_STREAM, ShutdownHow.SHUT_RD),
        ["a datagram pair whose peer has shut down reading"] = kit => PeerShut(kit, SOCK_DGRAM, ShutdownHow.SHUT_RD),
        ["a datagram pair that was shut down for reading"] = kit =>
        {
            (long first, _) = kit.Pair(SOCK_DGRAM);
            kit.Call(shutdown, first, (long)ShutdownHow.SHUT_RD);
            return first;
        },
        ["a stream pair with a full send buffer"] = kit => Full(kit, SOCK_STREAM),
        ["a datagram pair with a full send buffer"] = kit => Full(kit, SOCK_DGRAM),
        ["a datagram socket whose peer has enough"] = kit =>
        {
            kit.Named(SOCK_DGRAM, "receiver");
            long fd = kit.Connected(SOCK_DGRAM, "receiver");
            kit.NonBlocking(fd);
            while (kit.Send(fd, "x"u8) > 0)
            {
            }

            return fd;
        },
        ["a datagram socket whose peer is gone"] = kit =>
        {
            long receiver = kit.Named(SOCK_DGRAM, "receiver");
            long fd = kit.Connected(SOCK_DGRAM, "receiver");
            kit.Call(close, receiver);
            return fd;
        },
        ["a datagram socket with datagrams of named senders"] = kit =>
        {
            long fd = kit.Named(SOCK_DGRAM, "receiver");
            kit.Send(kit.Named(SOCK_DGRAM, "first"), "one"u8, 0, Kit.Abstract("receiver"));
            kit.Send(kit.Socket(AF_UNIX, SOCK_DGRAM), "two"u8, 0, Kit.Abstract("receiver"));
            return fd;
        },
        ["a datagram socket that is connected to itself"] = kit =>
        {
            long fd = kit.Named(SOCK_DGRAM, "self");
            kit.Connect(fd, Kit.Abstract("self"));
            return fd;
        },
    };

    private static long AtPath(Kit kit, SocketType type)
    {
        long fd = kit.Socket(AF_UNIX, type);
        kit.Bind(fd, Kit.UnixPath("socket"));
        return fd;
    }

    private static long With(Kit kit, SocketType type, string first, string second)
    {
        (long reader, long writer) = kit.Pair(type);
        kit.Send(writer, System.Text.Encoding.ASCII.GetBytes(first));
        kit.Send(writer, System.Text.Encoding.ASCII.GetBytes(second));
        return reader;
    }

    private static long WithRights(Kit kit, SocketType type)
    {
        (long reader, long writer) = kit.Pair(type);
        kit.SendMessage(writer, "abcd"u8, Kit.Rights(0, writer));
        kit.SendMessage(writer, "efgh"u8, Kit.Rights(1));
        return reader;
    }

    private static long WithCredentials(Kit kit, SocketType type)
    {
        (long reader, long writer) = kit.Pair(type);
        kit.Send(writer, "anon"u8);
        kit.Option(reader, 1, (int)SocketOption.SO_PASSCRED, 1);
        kit.Send(writer, "mine"u8);
        kit.SendMessage(writer, "told"u8, kit.Credentials());
        return reader;
    }

    private static long PeerClosed(Kit kit, SocketType type)
    {
        (long fd, long peer) = kit.Pair(type);
        kit.Send(peer, "last"u8);
        kit.Call(close, peer);
        return fd;
    }

    private static long PeerReset(Kit kit, SocketType type)
    {
        (long fd, long peer) = kit.Pair(type);
        kit.Send(peer, "last"u8);
        kit.Send(fd, "unread"u8);
        kit.Call(close, peer);
        return fd;
    }

    private static long PeerShut(Kit kit, SocketType type, ShutdownHow how)
    {
        (long fd, long peer) = kit.Pair(type);
        kit.Send(peer, "last"u8);
        kit.Call(shutdown, peer, (long)how);
        return fd;
    }

    private static long Full(Kit kit, SocketType type)
    {
        (long fd, _) = kit.Pair(type);
        kit.NonBlocking(fd);
        while (kit.Send(fd, new byte[30_000]) > 0)
        {
        }

        return fd;
    }
}

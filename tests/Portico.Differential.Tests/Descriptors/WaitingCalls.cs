using Portico.Differential.Tests.Systems;
using Portico.Kernel;
using Portico.Net;
using static Portico.Kernel.AddressFamily;
using static Portico.Kernel.SocketType;
using static Portico.Kernel.SyscallNumber;

namespace Portico.Differential.Tests.Descriptors;

/// <summary>A call that waits: what it waits on, what it is, and what makes it return as it was meant to.</summary>
internal sealed record WaitingCall(long Fd, long Peer, Func<(long Result, byte[] Bytes)> Call, Action Satisfy);

/// <summary>Calls that wait, each on the file that it is made for.</summary>
internal static unsafe class WaitingCalls
{
    public const string WriteToTcp = "write to a full TCP connection";

    public static readonly IReadOnlyDictionary<string, Func<Kit, WaitingCall>> All = new Dictionary<string, Func<Kit, WaitingCall>>
    {
        ["read of a pipe"] = kit =>
        {
            (int reader, int writer) = kit.Pipe();
            return Reading(kit, reader, writer);
        },
        ["write to a full pipe"] = kit =>
        {
            (int reader, int writer) = kit.Pipe();
            return Writing(kit, writer, reader);
        },
        ["read of an eventfd"] = kit =>
        {
            long fd = kit.Call(eventfd2, 0, 0);
            long third = kit.Call(dup, fd);
            return Reading(kit, fd, kit.Call(dup, fd)) with { Satisfy = () => kit.WriteUInt64(third, 5) };
        },
        ["read of a TCP connection"] = kit =>
        {
            (long client, long server) = kit.Connected(AF_INET);
            return Reading(kit, client, server);
        },
        [WriteToTcp] = kit =>
        {
            (long client, long server) = kit.Connected(AF_INET);
            return Writing(kit, client, server);
        },
        ["read of a unix stream"] = kit =>
        {
            (long first, long second) = kit.Pair(SOCK_STREAM);
            return Reading(kit, first, second);
        },
        ["write to a full unix stream"] = kit =>
        {
            (long first, long second) = kit.Pair(SOCK_STREAM);
            return Writing(kit, first, second);
        },
        ["read of a unix packet"] = kit =>
        {
            (long first, long second) = kit.Pair(SOCK_SEQPACKET);
            return Reading(kit, first, second);
        },
        ["read of a unix datagram"] = kit =>
        {
            long receiver = kit.Named(SOCK_DGRAM, "here");
            return Reading(kit, receiver, kit.Connected(SOCK_DGRAM, "here")) with { Satisfy = () => kit.Send(kit.Socket(AF_UNIX, SOCK_DGRAM), "late"u8, 0, Kit.Abstract("here")) };
        },
        ["read of a UDP socket"] = kit =>
        {
            long receiver = kit.Socket(AF_INET, SOCK_DGRAM);
            long sender = kit.Socket(AF_INET, SOCK_DGRAM);
            ushort port = kit.BindAny(receiver, AF_INET);
            kit.BindAny(sender, AF_INET);
            kit.Connect(sender, Kit.Loopback(AF_INET, port));
            return Reading(kit, receiver, sender) with { Satisfy = () => kit.Send(kit.Socket(AF_INET, SOCK_DGRAM), "late"u8, 0, Kit.Loopback(AF_INET, port)) };
        },
        ["accept of a TCP listener"] = kit =>
        {
            (long listener, ushort port) = kit.Listener(AF_INET);
            return Accepting(kit, listener, AF_INET, Kit.Loopback(AF_INET, port));
        },
        ["accept of a unix listener"] = kit =>
        {
            long listener = kit.UnixListener(SOCK_STREAM, "here");
            return Accepting(kit, listener, AF_UNIX, Kit.Abstract("here"));
        },
        ["connect to a full unix listener"] = kit =>
        {
            long listener = kit.UnixListener(SOCK_STREAM, "here", 0);
            kit.Connected(SOCK_STREAM, "here");
            long client = kit.Socket(AF_UNIX, SOCK_STREAM);
            byte[] address = Kit.Abstract("here");
            return new WaitingCall(
                client,
                listener,
                () =>
                {
                    fixed (byte* p = address)
                    {
                        return (kit.Raw(connect, client, (long)p, address.Length), []);
                    }
                },
                () => kit.Accept(listener));
        },
        ["epoll_wait"] = kit =>
        {
            (int reader, int writer) = kit.Pipe();
            long epoll = kit.Call(epoll_create1, 0);
            kit.EpollControl(epoll, EpollOperation.EPOLL_CTL_ADD, reader, EpollFlags.EPOLLIN, 7);
            return new WaitingCall(
                epoll,
                writer,
                () =>
                {
                    byte* events = stackalloc byte[12];
                    long result = kit.Raw(epoll_wait, epoll, (long)events, 1, 10_000);
                    return (result, new Span<byte>(events, result > 0 ? 12 : 0).ToArray());
                },
                () => kit.WriteUInt64(writer, 1));
        },
        ["poll of a TCP connection"] = kit =>
        {
            (long client, long server) = kit.Connected(AF_INET);
            return Polling(kit, client, server);
        },
        ["poll of a unix stream"] = kit =>
        {
            (long first, long second) = kit.Pair(SOCK_STREAM);
            return Polling(kit, first, second);
        },
    };

    private static WaitingCall Reading(Kit kit, long fd, long peer) => new(
        fd,
        peer,
        () =>
        {
            byte[] buffer = new byte[100];
            fixed (byte* p = buffer)
            {
                long result = kit.Raw(read, fd, (long)p, buffer.Length);
                return (result, buffer[..(int)Math.Max(0, result)]);
            }
        },
        () => kit.WriteUInt64(peer, 5));

    /// <summary>A write of one byte where there is room for none; how much that took is each kernel's own affair.</summary>
    private static WaitingCall Writing(Kit kit, long fd, long peer)
    {
        byte[] block = new byte[4096];
        fixed (byte* p = block)
        {
            // Whole blocks only: that a byte would still fit does not matter to a socket, which waits for more room than that.
            long flags = kit.Raw(fcntl, fd, (long)FcntlCommand.F_GETFL);
            kit.NonBlocking(fd);
            kit.NonBlocking(peer);
            for (int quiet = 0; quiet < 3; quiet++)
            {
                // What has been sent to a socket takes a moment to arrive, and makes room then.
                while (kit.Raw(write, fd, (long)p, block.Length) > 0)
                {
                    quiet = 0;
                }

                Thread.Sleep(2);
            }

            kit.Raw(fcntl, fd, (long)FcntlCommand.F_SETFL, flags);
        }

        return new WaitingCall(
            fd,
            peer,
            () =>
            {
                byte one = 1;
                return (kit.Raw(write, fd, (long)(&one), 1), []);
            },
            () => Drain(kit, peer));
    }

    private static void Drain(Kit kit, long peer)
    {
        byte[] block = new byte[65_536];
        fixed (byte* p = block)
        {
            for (int quiet = 0; quiet < 100; quiet++)
            {
                while (kit.Raw(read, peer, (long)p, block.Length) > 0)
                {
                    quiet = 0;
                }

                Thread.Sleep(2);
            }
        }
    }

    /// <summary>The number that accept returns is left out: Linux takes it when the call begins, Portico when it ends (docs/differences.md).</summary>
    private static WaitingCall Accepting(Kit kit, long listener, AddressFamily family, byte[] address) => new(
        listener,
        kit.Socket(family, SOCK_STREAM),
        () => (Math.Min(0, kit.Raw(accept4, listener)), []),
        () =>
        {
            long client = kit.Raw(socket, (long)family, (long)SOCK_STREAM);
            fixed (byte* p = address)
            {
                kit.Write("connect", kit.Raw(connect, client, (long)p, address.Length));
            }
        });

    private static WaitingCall Polling(Kit kit, long fd, long peer) => new(
        fd,
        peer,
        () =>
        {
            PollDescriptor one = new() { Fd = (int)fd, Events = (short)(SocketEvents.Readable | SocketEvents.ReadHangUp) };
            long result = kit.Raw(poll, (long)(&one), 1, 10_000);
            return (result, BitConverter.GetBytes(one.Returned));
        },
        () => kit.WriteBytes(peer, "x"u8));
}

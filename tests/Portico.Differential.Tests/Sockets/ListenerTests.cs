using Portico.Differential.Tests.Systems;
using Portico.Kernel;
using Portico.Net;
using static Portico.Kernel.AddressFamily;
using static Portico.Kernel.EpollFlags;
using static Portico.Kernel.EpollOperation;
using static Portico.Kernel.SocketType;
using static Portico.Kernel.SyscallNumber;

namespace Portico.Differential.Tests.Sockets;

/// <summary>Listeners at their limits (F8), that share a port (F16), and what their connections have of them (F19).</summary>
public sealed class ListenerTests
{
    private const int SOL_SOCKET = 1;
    private const SocketEvents Everything = (SocketEvents)0x7FFF;

    public static TheoryData<AddressFamily> Families => [AF_INET, AF_INET6, AF_UNIX];

    [Theory]
    [MemberData(nameof(Families))]
    public void A_connection_that_finds_no_number_stays_in_the_queue_and_is_accepted_later(AddressFamily family) => BothKernels.Run(kit =>
    {
        (long listener, byte[] address) = Listen(kit, family);
        long epoll = kit.Call(epoll_create1, 0);
        kit.EpollControl(epoll, EPOLL_CTL_ADD, listener, EPOLLIN, 1);
        long client = kit.Socket(family, SOCK_STREAM);
        kit.Connect(client, address);
        kit.Poll(5000, (listener, SocketEvents.Readable));
        kit.WriteBytes(client, "hello"u8);
        kit.Rlimit(Resource.RLIMIT_NOFILE, (ulong)client + 1, 1024);

        // It is told again for as long as it waits: once for each time that one asks.
        for (int i = 0; i < 3; i++)
        {
            kit.EpollWait(epoll);
            kit.Accept(listener);
        }

        kit.Rlimit(Resource.RLIMIT_NOFILE, 1024, 1024);
        long server = kit.Raw(accept4, listener);
        kit.Note($"accepted as {server}");
        kit.EpollWait(epoll);
        kit.Poll(5000, (server, SocketEvents.Readable));
        kit.Read(server, 100);
    });

    /// <summary>The families, and how a client ends its connection before anyone has accepted it.</summary>
    public static TheoryData<AddressFamily, string> Endings
    {
        get
        {
            TheoryData<AddressFamily, string> cases = [];
            foreach (AddressFamily family in (AddressFamily[])[AF_INET, AF_INET6, AF_UNIX])
            {
                foreach (string ending in (string[])["is reset", "is reset after data", "is closed", "is closed after data", "says that it is done"])
                {
                    cases.Add(family, ending);
                }
            }

            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(Endings))]
    public void Accept_names_the_peer_of_a_connection_that_has_ended_in_the_queue(AddressFamily family, string ending) => BothKernels.Run(kit =>
    {
        (long listener, byte[] address) = Listen(kit, family);
        long client = kit.Socket(family, SOCK_STREAM);
        kit.Connect(client, address);
        kit.PortOf(client);
        kit.Poll(5000, (listener, SocketEvents.Readable));
        if (ending.EndsWith("after data", StringComparison.Ordinal))
        {
            kit.WriteBytes(client, "hello"u8);
        }

        if (ending.StartsWith("is reset", StringComparison.Ordinal))
        {
            kit.Option(client, SOL_SOCKET, (int)SocketOption.SO_LINGER, [1, 0, 0, 0, 0, 0, 0, 0]);
        }

        kit.Call(ending == "says that it is done" ? shutdown : close, client, (long)ShutdownHow.SHUT_WR);
        Kit.Settle();
        kit.Poll(0, (listener, Everything));
        long server = kit.Accept(listener, SOCK_NONBLOCK);
        kit.Name(server, ofPeer: true);
        kit.Name(server);
        kit.Poll(0, (server, Everything));
        kit.GetOption(server, SOL_SOCKET, (int)SocketOption.SO_ERROR);
        kit.Read(server, 100);
        kit.Read(server, 100);
        kit.Send(server, "answer"u8);
        kit.Name(server, ofPeer: true);
    });

    [Theory]
    [InlineData("a pipe")]
    [InlineData("a listener")]
    [InlineData("a socket that does not listen")]
    [InlineData("datagrams")]
    [InlineData("nothing")]
    public void At_the_limit_accept_looks_for_a_number_before_it_looks_at_the_file(string what) => BothKernels.Run(kit =>
    {
        long fd = what switch
        {
            "a pipe" => kit.Pipe().Reader,
            "a listener" => kit.Listener(AF_INET).Listener,
            "a socket that does not listen" => kit.Socket(AF_INET, SOCK_STREAM),
            "datagrams" => kit.Socket(AF_INET, SOCK_DGRAM),
            _ => 99,
        };
        kit.NonBlocking(fd);
        kit.Rlimit(Resource.RLIMIT_NOFILE, 3, 1024);
        kit.Accept(fd);
        kit.Accept(fd, (SocketType)0x100_0000);
        kit.Rlimit(Resource.RLIMIT_NOFILE, 1024, 1024);
        kit.Accept(fd);
        kit.Accept(fd, (SocketType)0x100_0000);
    });

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_connection_has_its_listeners_options_and_shares_nothing_with_it(bool listenerFirst) => BothKernels.Run(kit =>
    {
        (long listener, byte[] address) = Listen(kit, AF_INET);
        (int Level, SocketOption Option, int Value)[] options =
        [
            (SOL_SOCKET, SocketOption.SO_KEEPALIVE, 1), (SOL_SOCKET, SocketOption.SO_OOBINLINE, 1),
            (6, (SocketOption)1, 1), (6, (SocketOption)4, 77), (6, (SocketOption)5, 7), (6, (SocketOption)6, 3), (0, (SocketOption)1, 0x10), (0, (SocketOption)2, 33),
        ];
        foreach ((int level, SocketOption option, int value) in options)
        {
            kit.Option(listener, level, (int)option, value);
        }

        kit.Option(listener, SOL_SOCKET, (int)SocketOption.SO_LINGER, [1, 0, 0, 0, 5, 0, 0, 0]);
        long client = kit.Socket(AF_INET, SOCK_STREAM);
        kit.Connect(client, address);
        kit.PortOf(client);
        long server = kit.Accept(listener);
        Ask(kit, server, options);
        kit.Option(server, SOL_SOCKET, (int)SocketOption.SO_KEEPALIVE, 0);
        kit.Option(server, 6, 1, 0);
        Ask(kit, listener, options);
        kit.Call(close, listenerFirst ? listener : server);
        Ask(kit, listenerFirst ? server : listener, options);
        kit.Poll(listenerFirst ? 0 : 5000, (client, Everything & ~(SocketEvents.Writable | SocketEvents.WriteNormal)));
        kit.Call(close, listenerFirst ? server : listener);
        kit.Poll(5000, (client, SocketEvents.ReadHangUp));
    });

    [Theory]
    [InlineData(2, 20)]
    [InlineData(4, 40)]
    public void When_one_of_several_listeners_on_a_port_is_closed_the_others_lose_nothing(int listeners, int clients) => BothKernels.Run(kit =>
    {
        long[] group = new long[listeners];
        ushort port = 0;
        for (int i = 0; i < listeners; i++)
        {
            group[i] = kit.Socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK);
            kit.Option(group[i], SOL_SOCKET, (int)SocketOption.SO_REUSEPORT, 1);
            kit.Bind(group[i], Kit.Loopback(AF_INET, port));
            port = kit.PortOf(group[i]);
            kit.Call(listen, group[i], 64);
        }

        List<long> connected = [];
        for (int i = 0; i < clients; i++)
        {
            long client = kit.Socket(AF_INET, SOCK_STREAM);
            kit.Connect(client, Kit.Loopback(AF_INET, port));
            connected.Add(client);
        }

        // Whom each went to is the kernel's choice; but all of the closed one's are reset, and all others are accepted.
        Kit.Settle();
        kit.Call(close, group[0]);
        Kit.Settle();
        int reset = connected.Count(client => IsReset(kit, client));
        int accepted = 0;
        foreach (long listener in group[1..])
        {
            int own = 0;
            while (kit.Raw(accept4, listener) >= 0)
            {
                own++;
            }

            kit.Note($"a listener has {(own > 0 ? "some" : "none")}");
            accepted += own;
        }

        kit.Note($"{reset + accepted} of {clients}, {(reset > 0 ? "some" : "none")} reset");
    });

    private static unsafe bool IsReset(Kit kit, long fd)
    {
        PollDescriptor one = new() { Fd = (int)fd };
        kit.Raw(poll, (long)(&one), 1, 0);
        return ((SocketEvents)(ushort)one.Returned & SocketEvents.HangUp) != 0;
    }

    private static void Ask(Kit kit, long fd, (int Level, SocketOption Option, int Value)[] options)
    {
        foreach ((int level, SocketOption option, _) in options)
        {
            kit.GetOption(fd, level, (int)option);
        }

        kit.GetOption(fd, SOL_SOCKET, (int)SocketOption.SO_LINGER, 8);
    }

    private static (long Listener, byte[] Address) Listen(Kit kit, AddressFamily family)
    {
        if (family == AF_UNIX)
        {
            return (kit.UnixListener(SOCK_STREAM | SOCK_NONBLOCK, "here"), Kit.Abstract("here"));
        }

        (long listener, ushort port) = kit.Listener(family);
        kit.NonBlocking(listener);
        return (listener, Kit.Loopback(family, port));
    }
}

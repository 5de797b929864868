using Portico.Differential.Tests.Systems;
using Portico.Kernel;
using Portico.Net;
using static Portico.Kernel.AddressFamily;
using static Portico.Kernel.MessageFlags;
using static Portico.Kernel.SocketType;
using static Portico.Kernel.SyscallNumber;

namespace Portico.Differential.Tests.Unix;

/// <summary>Streams and their connections: who waits for what, and what is told of an end.</summary>
public sealed unsafe class UnixStreamTests
{
    private const SocketEvents Everything = (SocketEvents)0x7FFF;

    [Theory]
    [InlineData(SOCK_STREAM, 0)]
    [InlineData(SOCK_STREAM, 1)]
    [InlineData(SOCK_STREAM, -1)]
    [InlineData(SOCK_SEQPACKET, 2)]
    public void A_listener_takes_one_connection_more_than_its_backlog(SocketType type, int backlog) => BothKernels.Run(kit =>
    {
        long listener = kit.UnixListener(type, "here", backlog);
        for (int i = 0; i < 5; i++)
        {
            long client = kit.Socket(AF_UNIX, type | SOCK_NONBLOCK);
            kit.Connect(client, Kit.Abstract("here"));
            kit.Poll(0, (client, Everything), (listener, Everything));
        }

        kit.Accept(listener);
        kit.Connect(kit.Socket(AF_UNIX, type | SOCK_NONBLOCK), Kit.Abstract("here"));
    });

    [Fact]
    public void A_connect_waits_for_room_in_the_backlog() => BothKernels.Run(kit =>
    {
        long listener = kit.UnixListener(SOCK_STREAM, "here", 0);
        kit.Connected(SOCK_STREAM, "here");
        long client = kit.Socket(AF_UNIX, SOCK_STREAM);
        Task<(string, long, byte[])> waiting = StartConnect(kit, client, "here");
        Kit.Settle();
        kit.NoteWhetherDone("connect", waiting);
        kit.Accept(listener);
        kit.Join(waiting);
        kit.Poll(0, (client, Everything));
    });

    [Fact]
    public void A_connect_that_waits_is_let_in_by_a_greater_backlog_and_refused_by_a_close() => BothKernels.Run(kit =>
    {
        long listener = kit.UnixListener(SOCK_STREAM, "here", 0);
        kit.Connected(SOCK_STREAM, "here");
        Task<(string, long, byte[])> first = StartConnect(kit, kit.Socket(AF_UNIX, SOCK_STREAM), "here");
        Kit.Settle();
        kit.Call(listen, listener, 1);
        kit.Join(first);
        Task<(string, long, byte[])> second = StartConnect(kit, kit.Socket(AF_UNIX, SOCK_STREAM), "here");
        Kit.Settle();
        kit.NoteWhetherDone("connect", second);
        kit.Call(close, listener);
        kit.Join(second);
    });

    [Fact]
    public void A_connect_waits_no_longer_than_SO_SNDTIMEO() => BothKernels.Run(kit =>
    {
        kit.UnixListener(SOCK_STREAM, "here", 0);
        kit.Connected(SOCK_STREAM, "here");
        long client = kit.Socket(AF_UNIX, SOCK_STREAM);
        kit.Option(client, 1, (int)SocketOption.SO_SNDTIMEO, [0, 0, 0, 0, 0, 0, 0, 0, 0x20, 0x4E, 0, 0, 0, 0, 0, 0]);
        kit.Connect(client, Kit.Abstract("here"));
    });

    [Theory]
    [InlineData(ShutdownHow.SHUT_RD)]
    [InlineData(ShutdownHow.SHUT_WR)]
    [InlineData(ShutdownHow.SHUT_RDWR)]
    public void A_shutdown_ends_an_accept_that_waits(ShutdownHow how) => BothKernels.Run(kit =>
    {
        long listener = kit.UnixListener(SOCK_STREAM, "here");
        long client = kit.Socket(AF_UNIX, SOCK_STREAM);
        Task<(string, long, byte[])> waiting = kit.Start("accept", () => (kit.Raw(accept, listener), []));
        Kit.Settle();
        kit.Call(shutdown, listener, (long)how);
        Kit.Settle();
        kit.NoteWhetherDone("accept", waiting);
        kit.Connect(client, Kit.Abstract("here"));
        kit.Join(waiting);
        kit.Poll(0, (listener, Everything));
    });

    [Fact]
    public void What_was_sent_before_the_accept_is_there_after_it() => BothKernels.Run(kit =>
    {
        long listener = kit.UnixListener(SOCK_STREAM, "here");
        long client = kit.Named(SOCK_STREAM, "client");
        kit.Connect(client, Kit.Abstract("here"));
        kit.WriteBytes(client, "early"u8);
        kit.PeerCredentials(client);
        kit.IoctlInt(client, IoctlRequest.SIOCOUTQ);
        kit.Call(close, client);
        long server = kit.Accept(listener);
        kit.PeerCredentials(server);
        kit.Name(server, ofPeer: true);
        kit.Poll(0, (server, Everything));
        kit.ReceiveControl(server, 100);
        kit.Read(server, 100);
        kit.WriteBytes(server, "late"u8);
    });

    [Fact]
    public void A_listener_that_is_closed_resets_who_waits_to_be_accepted() => BothKernels.Run(kit =>
    {
        long listener = kit.UnixListener(SOCK_STREAM, "here");
        long client = kit.Connected(SOCK_STREAM, "here");
        kit.Call(close, listener);
        kit.Poll(0, (client, Everything));
        kit.Send(client, "x"u8);
        kit.Read(client, 10);
        kit.Read(client, 10);
        kit.Name(client, ofPeer: true);
    });

    [Theory]
    [InlineData(SOCK_STREAM)]
    [InlineData(SOCK_SEQPACKET)]
    [InlineData(SOCK_DGRAM)]
    public void A_read_that_waits_ends_with_the_peer(SocketType type) => BothKernels.Run(kit =>
    {
        (long first, long second) = kit.Pair(type);
        Task<(string, long, byte[])> waiting = kit.StartRead(first, 10);
        Kit.Settle();
        kit.Call(close, second);
        Kit.Settle();
        kit.NoteWhetherDone("read", waiting);
        kit.Call(shutdown, first, (long)ShutdownHow.SHUT_RD);
        kit.Join(waiting);
    });

    [Theory]
    [InlineData(SOCK_STREAM)]
    [InlineData(SOCK_SEQPACKET)]
    public void A_write_that_waits_ends_with_the_peer(SocketType type) => BothKernels.Run(kit =>
    {
        (long first, long second) = kit.Pair(type);
        while (kit.Send(first, new byte[30_000], MSG_DONTWAIT) == 30_000)
        {
        }

        Task<(string, long, byte[])> waiting = StartSend(kit, first, 100_000);
        Kit.Settle();
        kit.NoteWhetherDone("send", waiting);
        kit.Call(close, second);
        kit.Join(waiting);
        kit.Send(first, "x"u8);
        kit.Send(first, "x"u8);
    });

    [Fact]
    public void A_write_waits_until_a_quarter_is_left_and_writes_everything() => BothKernels.Run(kit =>
    {
        (long first, long second) = kit.Pair(SOCK_STREAM);
        kit.Option(first, 1, (int)SocketOption.SO_SNDBUF, 20_000);
        Task<(string, long, byte[])> waiting = StartSend(kit, first, 150_000);
        Kit.Settle();
        kit.NoteWhetherDone("send", waiting);
        long read = 0;
        while (read < 150_000)
        {
            read += kit.Receive(second, (int)Math.Min(10_000, 150_000 - read), MSG_WAITALL);
        }

        kit.Join(waiting);
        kit.IoctlInt(first, IoctlRequest.SIOCOUTQ);
        kit.Poll(0, (first, Everything));
    });

    [Fact]
    public void MSG_WAITALL_waits_for_everything_or_the_end() => BothKernels.Run(kit =>
    {
        (long first, long second) = kit.Pair(SOCK_STREAM);
        Task<(string, long, byte[])> waiting = StartReceive(kit, first, 10, MSG_WAITALL);
        kit.Send(second, "1234"u8);
        Kit.Settle();
        kit.NoteWhetherDone("recv", waiting);
        kit.Send(second, "567890ab"u8);
        kit.Join(waiting);
        waiting = StartReceive(kit, first, 10, MSG_WAITALL);
        Kit.Settle();
        kit.Call(shutdown, second, (long)ShutdownHow.SHUT_WR);
        kit.Join(waiting);
    });

    [Fact]
    public void MSG_WAITALL_ends_with_descriptors_and_with_another_writer() => BothKernels.Run(kit =>
    {
        (long first, long second) = kit.Pair(SOCK_STREAM);
        kit.Send(second, "1234"u8);
        kit.SendMessage(second, "56"u8, Kit.Rights(0));
        kit.Send(second, "78"u8);
        kit.ReceiveControl(first, 100, 64, MSG_WAITALL);
        kit.Receive(first, 2, MSG_WAITALL);
        kit.Send(second, "none"u8);
        kit.Option(first, 1, (int)SocketOption.SO_PASSCRED, 1);
        kit.Send(second, "some"u8);
        kit.ReceiveControl(first, 100, 64, MSG_WAITALL);
        kit.ReceiveControl(first, 4, 64, MSG_WAITALL);
    });

    [Fact]
    public void SO_RCVLOWAT_makes_a_read_wait_for_that_much() => BothKernels.Run(kit =>
    {
        (long first, long second) = kit.Pair(SOCK_STREAM);
        kit.Option(first, 1, (int)SocketOption.SO_RCVLOWAT, 6);
        kit.Send(second, "1234"u8);
        kit.Poll(0, (first, Everything));
        Task<(string, long, byte[])> waiting = kit.StartRead(first, 100);
        Kit.Settle();
        kit.NoteWhetherDone("read", waiting);
        kit.Send(second, "56"u8);
        kit.Join(waiting);
        kit.Send(second, "ab"u8);
        kit.Receive(first, 100, MSG_DONTWAIT);
    });

    [Fact]
    public void A_peek_with_MSG_WAITALL_waits_too() => BothKernels.Run(kit =>
    {
        (long first, long second) = kit.Pair(SOCK_STREAM);
        kit.Send(second, "1234"u8);
        kit.Receive(first, 100, MSG_PEEK | MSG_WAITALL | MSG_DONTWAIT);
        Task<(string, long, byte[])> waiting = StartReceive(kit, first, 4, MSG_PEEK | MSG_WAITALL);
        kit.Join(waiting);
        kit.Receive(first, 100);
    });

    [Fact]
    public void A_peek_sees_across_messages_up_to_descriptors() => BothKernels.Run(kit =>
    {
        (long first, long second) = kit.Pair(SOCK_STREAM);
        kit.Send(second, "abc"u8);
        kit.Send(second, "def"u8);
        kit.SendMessage(second, "ghi"u8, Kit.Rights(0));
        kit.Send(second, "jkl"u8);
        kit.ReceiveControl(first, 3, 64, MSG_PEEK);
        kit.ReceiveControl(first, 4, 64, MSG_PEEK);
        kit.ReceiveControl(first, 100, 64, MSG_PEEK);
        kit.ReceiveControl(first, 100, 64);
        kit.ReceiveControl(first, 100, 64);
    });

    private static Task<(string, long, byte[])> StartConnect(Kit kit, long fd, string name) => kit.Start("connect", () =>
    {
        byte[] address = Kit.Abstract(name);
        fixed (byte* p = address)
        {
            return (kit.Raw(connect, fd, (long)p, address.Length), []);
        }
    });

    private static Task<(string, long, byte[])> StartSend(Kit kit, long fd, int count) => kit.Start("send", () =>
    {
        fixed (byte* p = new byte[count])
        {
            return (kit.Raw(sendto, fd, (long)p, count, (long)MSG_NOSIGNAL), []);
        }
    });

    private static Task<(string, long, byte[])> StartReceive(Kit kit, long fd, int count, MessageFlags flags) => kit.Start("recv", () =>
    {
        byte[] buffer = new byte[count];
        fixed (byte* p = buffer)
        {
            long result = kit.Raw(recvfrom, fd, (long)p, count, (long)flags);
            return (result, buffer[..(int)Math.Max(0, result)]);
        }
    });
}

using Portico.Differential.Tests.Systems;
using Portico.Kernel;
using Portico.Net;
using static Portico.Kernel.AddressFamily;
using static Portico.Kernel.MessageFlags;
using static Portico.Kernel.SocketType;
using static Portico.Kernel.SyscallNumber;

namespace Portico.Differential.Tests.Unix;

/// <summary>Descriptors in messages (F9, F8): how many, whose, and what becomes of those that nobody takes.</summary>
public sealed class UnixRightsTests
{
    private const SocketEvents Everything = (SocketEvents)0x7FFF;

    [Theory]
    [InlineData(SOCK_STREAM)]
    [InlineData(SOCK_DGRAM)]
    [InlineData(SOCK_SEQPACKET)]
    public void A_message_carries_253_descriptors_and_no_more(SocketType type) => BothKernels.Run(kit =>
    {
        (long first, long second) = kit.Pair(type);
        kit.SendMessage(second, "x"u8, Kit.Rights([.. Enumerable.Repeat(0L, 254)]));
        kit.SendMessage(second, "x"u8, [.. Kit.Rights([.. Enumerable.Repeat(0L, 200)]), .. Kit.Rights([.. Enumerable.Repeat(0L, 54)])]);
        kit.SendMessage(second, "x"u8, [.. Kit.Rights([.. Enumerable.Repeat(0L, 200)]), .. Kit.Rights([.. Enumerable.Repeat(1L, 53)])]);
        kit.ReceiveControl(first, 10, 2000);
        kit.Call(dup, 0);
    });

    [Fact]
    public void A_received_descriptor_is_the_same_file_under_the_lowest_free_number() => BothKernels.Run(kit =>
    {
        (long first, long second) = kit.Pair(SOCK_STREAM);
        (int reader, int writer) = kit.Pipe();
        kit.SendMessage(second, "x"u8, Kit.Rights(writer));
        kit.Call(close, writer);
        kit.Poll(0, (reader, Everything));
        kit.Call(close, 0);
        int[] received = kit.ReceiveControl(first, 10);
        kit.WriteBytes(received[0], "through"u8);
        kit.Read(reader, 100);
        kit.Call(close, received[0]);
        kit.Poll(0, (reader, Everything));
    });

    [Fact]
    public void Descriptors_that_nobody_receives_are_closed_with_the_socket() => BothKernels.Run(kit =>
    {
        (long first, long second) = kit.Pair(SOCK_STREAM);
        (int reader, int writer) = kit.Pipe();
        kit.SendMessage(second, "x"u8, Kit.Rights(writer));
        kit.SendMessage(second, "x"u8, Kit.Rights(writer, second));
        kit.Call(close, writer);
        kit.Poll(0, (reader, Everything));
        kit.Call(close, first);
        kit.Poll(0, (reader, Everything));
        kit.Poll(0, (second, Everything));
    });

    [Fact]
    public void Descriptors_are_closed_where_a_read_has_no_room_for_them() => BothKernels.Run(kit =>
    {
        (long first, long second) = kit.Pair(SOCK_STREAM);
        (int reader, int writer) = kit.Pipe();
        kit.SendMessage(second, "x"u8, Kit.Rights(writer));
        kit.Call(close, writer);
        kit.Read(first, 10);
        kit.Poll(0, (reader, Everything));
    });

    [Fact]
    public void A_failed_send_keeps_nothing() => BothKernels.Run(kit =>
    {
        (long first, long second) = kit.Pair(SOCK_STREAM);
        (int reader, int writer) = kit.Pipe();
        kit.SendMessage(second, "x"u8, Kit.Rights(writer, 99));
        kit.SendMessage(second, [], Kit.Rights(writer));
        kit.Call(close, first);
        kit.SendMessage(second, "x"u8, Kit.Rights(writer));
        kit.Call(close, writer);
        kit.Poll(0, (reader, Everything));
    });

    [Fact]
    public void At_the_limit_the_rest_is_closed_and_told() => BothKernels.Run(kit =>
    {
        (long first, long second) = kit.Pair(SOCK_DGRAM);
        (int reader, int writer) = kit.Pipe();
        kit.SendMessage(second, "x"u8, Kit.Rights(0, writer, writer));
        kit.Call(close, writer);
        kit.Rlimit(Resource.RLIMIT_NOFILE, 7, 1024);
        kit.ReceiveControl(first, 10);
        kit.Rlimit(Resource.RLIMIT_NOFILE, 1024, 1024);
        kit.Poll(0, (reader, Everything));
    });

    [Fact]
    public void A_peek_gives_duplicates() => BothKernels.Run(kit =>
    {
        (long first, long second) = kit.Pair(SOCK_SEQPACKET);
        (int reader, int writer) = kit.Pipe();
        kit.SendMessage(second, "x"u8, Kit.Rights(writer));
        kit.Call(close, writer);
        int[] peeked = kit.ReceiveControl(first, 10, 64, MSG_PEEK);
        int[] received = kit.ReceiveControl(first, 10, 64);
        kit.Fcntl(peeked[0], FcntlCommand.F_DUPFD_QUERY, received[0]);
        kit.Call(close, peeked[0]);
        kit.Poll(0, (reader, Everything));
        kit.Call(close, received[0]);
        kit.Poll(0, (reader, Everything));
    });

    [Fact]
    public void More_descriptors_in_flight_than_may_be_open_are_too_many() => BothKernels.Run(kit =>
    {
        (long first, long second) = kit.Pair(SOCK_DGRAM);
        kit.Rlimit(Resource.RLIMIT_NOFILE, 20, 1024);
        for (int i = 0; i < 8; i++)
        {
            kit.SendMessage(second, "x"u8, Kit.Rights(0, 0, 0, 0), MSG_DONTWAIT);
        }

        kit.ReceiveControl(first, 10, 0);
        kit.SendMessage(second, "x"u8, Kit.Rights(0, 0, 0, 0), MSG_DONTWAIT);
        kit.Send(second, "x"u8);
        kit.Rlimit(Resource.RLIMIT_NOFILE, 1024, 1024);
    });

    [Fact]
    public void Only_the_first_piece_of_a_long_write_carries_the_descriptors() => BothKernels.Run(kit =>
    {
        (long first, long second) = kit.Pair(SOCK_STREAM);
        kit.SendMessage(second, new byte[100_000], Kit.Rights(0));
        kit.ReceiveControl(first, 60_000);
        kit.ReceiveControl(first, 60_000);
        kit.ReceiveControl(first, 60_000);
    });

    [Fact]
    public void SO_PASSRIGHTS_off_refuses_descriptors() => BothKernels.Run(kit =>
    {
        foreach (SocketType type in (SocketType[])[SOCK_STREAM, SOCK_DGRAM])
        {
            (long first, long second) = kit.Pair(type);
            kit.NonBlocking(first);
            kit.Option(first, 1, (int)SocketOption.SO_PASSRIGHTS, 0);
            kit.SendMessage(second, "x"u8, Kit.Rights(0));
            kit.SendMessage(second, "x"u8);
            kit.ReceiveControl(first, 10);
        }
    });

    [Theory]
    [InlineData(SOCK_STREAM)]
    [InlineData(SOCK_DGRAM)]
    [InlineData(SOCK_SEQPACKET)]
    public void Credentials_are_those_of_the_sender_at_the_time(SocketType type) => BothKernels.Run(kit =>
    {
        (long first, long second) = kit.Pair(type);
        kit.NonBlocking(first);
        kit.Send(second, "a"u8);
        kit.Option(second, 1, (int)SocketOption.SO_PASSCRED, 1);
        kit.Send(second, "b"u8);
        kit.SendMessage(second, "c"u8, [.. kit.Credentials(), .. Kit.Rights(0)]);
        kit.Option(first, 1, (int)SocketOption.SO_PASSCRED, 1);
        for (int i = 0; i < 3; i++)
        {
            kit.ReceiveControl(first, 10, 32, MSG_PEEK);
            kit.ReceiveControl(first, 10);
        }

        kit.Send(second, "d"u8);
        kit.ReceiveControl(first, 10, 20);
        kit.Send(second, "e"u8);
        kit.ReceiveControl(first, 10, 0);
    });

    [Fact]
    public void A_connection_that_is_not_accepted_yet_hears_who_sends() => BothKernels.Run(kit =>
    {
        long listener = kit.UnixListener(SOCK_STREAM, "here");
        kit.Option(listener, 1, (int)SocketOption.SO_PASSCRED, 1);
        long client = kit.Connected(SOCK_STREAM, "here");
        kit.Send(client, "x"u8);
        long server = kit.Accept(listener);
        kit.GetOption(server, 1, (int)SocketOption.SO_PASSCRED);
        kit.ReceiveControl(server, 10);
    });

    [Fact]
    public void A_socket_that_only_its_own_queue_holds_is_closed() => BothKernels.Run(kit =>
    {
        // Linux looks for such cycles when a unix socket is closed, and a little later.
        (long first, long second) = kit.Pair(SOCK_STREAM);
        kit.SendMessage(second, "x"u8, Kit.Rights(first));
        kit.Call(close, first);
        kit.Call(close, kit.Socket(AF_UNIX, SOCK_DGRAM));
        kit.Poll(2000, (second, SocketEvents.HangUp));
        kit.Send(second, "x"u8);
    });
}

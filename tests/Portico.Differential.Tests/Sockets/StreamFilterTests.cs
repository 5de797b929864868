using Portico.Differential.Tests.Systems;
using Portico.Kernel;
using Portico.Net;
using static Portico.Kernel.AddressFamily;
using static Portico.Kernel.MessageFlags;
using static Portico.Kernel.SocketType;
using static Portico.Kernel.SyscallNumber;

namespace Portico.Differential.Tests.Sockets;

/// <summary>Filters of TCP: what a filter wants nothing of, or cuts off, has not arrived, and is sent again.</summary>
public sealed class StreamFilterTests
{
    private const int SOL_SOCKET = 1;
    private const int RetransmitMillis = 3000;
    private const ushort LoadByte = 0x30;
    private const ushort LoadByteAtX = 0x50;
    private const ushort And = 0x54;
    private const ushort ShiftRight = 0x74;
    private const ushort ToX = 0x07;
    private const ushort Return = 0x06;
    private const ushort JumpEqual = 0x15;
    private const ushort LoadLength = 0x80;
    private const ushort AddX = 0x0C;
    private const ushort ReturnA = 0x16;
    private const ushort LoadNumber = 0x00;

    private static readonly BpfInstruction[] s_nothing = [new(Return, 0, 0, 0)];

    /// <summary>Segments whose payload begins with 'x' are dropped, and all others pass.</summary>
    private static readonly BpfInstruction[] s_notX =
    [
        new(LoadByte, 0, 0, 12), new(And, 0, 0, 0xF0), new(ShiftRight, 0, 0, 2), new(ToX, 0, 0, 0),
        new(LoadLength, 0, 0, 0), new(0x1D, 3, 0, 0), new(LoadByteAtX, 0, 0, 0), new(JumpEqual, 0, 1, 'x'), new(Return, 0, 0, 0), new(Return, 0, 0, 0xFFFF),
    ];

    /// <summary>Four bytes of each segment's payload pass.</summary>
    private static readonly BpfInstruction[] s_four =
    [
        new(LoadByte, 0, 0, 12), new(And, 0, 0, 0xF0), new(ShiftRight, 0, 0, 2), new(ToX, 0, 0, 0), new(LoadNumber, 0, 0, 4), new(AddX, 0, 0, 0), new(ReturnA, 0, 0, 0),
    ];

    [Theory]
    [InlineData(AF_INET)]
    [InlineData(AF_INET6)]
    public void What_a_filter_drops_comes_again(AddressFamily family) => BothKernels.Run(kit =>
    {
        (long client, long server) = kit.Connected(family);
        kit.Attach(server, s_notX);
        kit.WriteBytes(client, "first"u8);
        kit.Poll(1000, (server, SocketEvents.Readable));
        kit.Read(server, 100);
        kit.WriteBytes(client, "x marks it"u8);
        kit.Poll(50, (server, SocketEvents.Readable));
        kit.Option(server, SOL_SOCKET, (int)SocketOption.SO_DETACH_FILTER, 0);
        kit.Poll(RetransmitMillis, (server, SocketEvents.Readable));
        kit.Read(server, 100);
    });

    [Fact]
    public void What_a_filter_cuts_off_comes_again() => BothKernels.Run(kit =>
    {
        (long client, long server) = kit.Connected(AF_INET);
        kit.Attach(server, s_four);
        kit.WriteBytes(client, "abcdef"u8);
        kit.Poll(1000, (server, SocketEvents.Readable));
        kit.Read(server, 100);
        kit.Poll(RetransmitMillis, (server, SocketEvents.Readable));
        kit.Read(server, 100);
        kit.Receive(server, 100, MSG_DONTWAIT);
    });

    [Fact]
    public void A_listener_hears_of_nobody_whom_its_filter_drops() => BothKernels.Run(kit =>
    {
        (long listener, ushort port) = kit.Listener(AF_INET);
        kit.Attach(listener, s_nothing);
        long client = kit.Socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK);
        kit.Connect(client, Kit.Loopback(AF_INET, port));
        kit.Poll(50, (client, SocketEvents.Writable), (listener, SocketEvents.Readable));
        kit.Option(listener, SOL_SOCKET, (int)SocketOption.SO_DETACH_FILTER, 0);
        kit.Poll(RetransmitMillis, (client, SocketEvents.Writable));
        kit.Poll(1000, (client, SocketEvents.Writable), (listener, SocketEvents.Readable));
    });

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Accepted_connections_have_their_listeners_filter(bool locks) => BothKernels.Run(kit =>
    {
        (long listener, ushort port) = kit.Listener(AF_INET);
        kit.Attach(listener, s_notX);
        kit.ShowFilter(listener, 20);
        kit.Option(listener, SOL_SOCKET, (int)SocketOption.SO_LOCK_FILTER, locks ? 1 : 0);
        long client = kit.Socket(AF_INET, SOCK_STREAM);
        kit.ShowFilter(client, 20);
        kit.Option(client, SOL_SOCKET, (int)SocketOption.SO_DETACH_FILTER, 0);
        kit.Connect(client, Kit.Loopback(AF_INET, port));
        kit.PortOf(client);
        long server = kit.Accept(listener);
        kit.ShowFilter(server, 20);
        kit.WriteBytes(client, "good"u8);
        kit.Poll(1000, (server, SocketEvents.Readable));
        kit.Read(server, 100);
        kit.WriteBytes(client, "xylophone"u8);
        kit.Poll(50, (server, SocketEvents.Readable));
        kit.Option(server, SOL_SOCKET, (int)SocketOption.SO_DETACH_FILTER, 0);
        kit.Attach(server, []);
        if (!locks)
        {
            kit.Poll(RetransmitMillis, (server, SocketEvents.Readable));
            kit.Read(server, 100);
        }
    });

    [Fact]
    public void A_filter_that_was_attached_before_holds_from_the_first_segment() => BothKernels.Run(kit =>
    {
        (long listener, ushort port) = kit.Listener(AF_INET);
        long client = kit.Socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK);
        kit.Attach(client, s_nothing);
        kit.Connect(client, Kit.Loopback(AF_INET, port));
        kit.Poll(50, (client, SocketEvents.Writable), (listener, SocketEvents.Readable));
        kit.Option(client, SOL_SOCKET, (int)SocketOption.SO_DETACH_FILTER, 0);
        kit.Option(client, SOL_SOCKET, (int)SocketOption.SO_DETACH_FILTER, 0);
        kit.Poll(RetransmitMillis, (client, SocketEvents.Writable));
        kit.Call(close, client);
    });
}

using System.Runtime.InteropServices;
using Portico.Net;

namespace Portico.Kernel.Tests.Sockets;

/// <summary>
/// SO_ATTACH_FILTER of TCP: what a filter wants nothing of, or cuts off, has not arrived, and is sent again. Linux asks for CAP_NET_ADMIN,
/// so that the differential suite cannot; that a segment that was dropped comes again, and that a filter may come before connect, was seen
/// there with that capability.
/// </summary>
public sealed class StreamFilterTests : IDisposable
{
    private const int SOL_SOCKET = 1;
    private const int RetransmitMillis = 5000;

    private static readonly BpfInstruction[] s_nothing = [new(0x06, 0, 0, 0)];

    /// <summary>Segments whose payload begins with 'x' are dropped, and all others pass: X is the header's length.</summary>
    private static readonly BpfInstruction[] s_notX =
    [
        new(0x30, 0, 0, 12), new(0x54, 0, 0, 0xF0), new(0x74, 0, 0, 2), new(0x07, 0, 0, 0),
        new(0x80, 0, 0, 0), new(0x1D, 3, 0, 0), new(0x50, 0, 0, 0), new(0x15, 0, 1, 'x'), new(0x06, 0, 0, 0), new(0x06, 0, 0, 0xFFFF),
    ];

    /// <summary>Four bytes of each segment's payload pass.</summary>
    private static readonly BpfInstruction[] s_four =
    [
        new(0x30, 0, 0, 12), new(0x54, 0, 0, 0xF0), new(0x74, 0, 0, 2), new(0x07, 0, 0, 0), new(0x00, 0, 0, 4), new(0x0C, 0, 0, 0), new(0x16, 0, 0, 0),
    ];

    private readonly PorticoKernel _kernel = new();
    private readonly Process _process;

    public StreamFilterTests() => _process = _kernel.CreateProcess(new ProcessOptions { UserId = 0 });

    public void Dispose() => _kernel.Dispose();

    [Fact]
    public void What_a_filter_drops_comes_again()
    {
        (int client, int server) = Connected(out _);
        Attach(server, s_notX);
        Write(client, "first");
        Assert.Equal("first", Read(server));
        Write(client, "x marks it");
        Assert.False(IsReadable(server, 50));
        Detach(server);
        Assert.Equal("x marks it", Read(server));
    }

    [Fact]
    public void What_a_filter_cuts_off_comes_again()
    {
        (int client, int server) = Connected(out _);
        Attach(server, s_four);
        Write(client, "abcdef");
        Assert.Equal("abcd", Read(server));
        Assert.Equal("ef", Read(server));
    }

    [Fact]
    public void A_listener_hears_of_nobody_whom_its_filter_drops()
    {
        int listener = Listener(out byte[] address);
        Attach(listener, s_nothing);
        int client = _process.Socket(AddressFamily.AF_INET, SocketType.SOCK_STREAM | SocketType.SOCK_NONBLOCK, 0).OrThrow();
        Assert.Equal(Errno.EINPROGRESS, _process.Connect(client, address).Error);
        Assert.False(IsReadable(listener, 50));
        Detach(listener);
        Assert.True(IsReadable(listener, RetransmitMillis));
    }

    [Fact]
    public void Accepted_connections_have_their_listeners_filter()
    {
        int listener = Listener(out byte[] address);
        Attach(listener, s_notX);
        int client = _process.Socket(AddressFamily.AF_INET, SocketType.SOCK_STREAM, 0).OrThrow();
        _process.Connect(client, address).OrThrow();
        int server = _process.Accept4(listener, default, out _, 0).OrThrow();
        Write(client, "good");
        Assert.Equal("good", Read(server));
        Write(client, "xylophone");
        Assert.False(IsReadable(server, 50));
        Detach(server);
        Assert.Equal("xylophone", Read(server));
    }

    [Fact]
    public void Whoever_does_not_administer_the_network_may_not()
    {
        Process other = _kernel.CreateProcess(new ProcessOptions { UserId = 1000 });
        int socket = other.Socket(AddressFamily.AF_INET, SocketType.SOCK_STREAM, 0).OrThrow();
        Assert.Equal(Errno.EPERM, other.SetSockOpt(socket, SOL_SOCKET, (int)SocketOption.SO_ATTACH_FILTER, MemoryMarshal.AsBytes<BpfInstruction>(s_nothing)).Error);
    }

    private int Listener(out byte[] address)
    {
        int listener = _process.Socket(AddressFamily.AF_INET, SocketType.SOCK_STREAM, 0).OrThrow();
        address = SocketAddress.Of(new Endpoint(IpAddress.LoopbackIpv4, 7777));
        _process.Bind(listener, address).OrThrow();
        _process.Listen(listener, 8).OrThrow();
        return listener;
    }

    private (int Client, int Server) Connected(out int listener)
    {
        listener = Listener(out byte[] address);
        int client = _process.Socket(AddressFamily.AF_INET, SocketType.SOCK_STREAM, 0).OrThrow();
        _process.Connect(client, address).OrThrow();
        return (client, _process.Accept4(listener, default, out _, 0).OrThrow());
    }

    private void Attach(int fd, BpfInstruction[] program) =>
        _process.SetSockOpt(fd, SOL_SOCKET, (int)SocketOption.SO_ATTACH_FILTER, MemoryMarshal.AsBytes<BpfInstruction>(program)).OrThrow();

    private void Detach(int fd) => _process.SetSockOpt(fd, SOL_SOCKET, (int)SocketOption.SO_DETACH_FILTER, new byte[4]).OrThrow();

    private bool IsReadable(int fd, int timeoutMillis)
    {
        PollDescriptor[] one = [new PollDescriptor { Fd = fd, Events = (short)SocketEvents.Readable }];
        return _process.Poll(one, timeoutMillis).OrThrow() == 1;
    }

    private void Write(int fd, string text) => _process.Write(fd, System.Text.Encoding.ASCII.GetBytes(text)).OrThrow();

    private string Read(int fd)
    {
        byte[] buffer = new byte[100];
        return System.Text.Encoding.ASCII.GetString(buffer, 0, _process.Read(fd, buffer).OrThrow());
    }
}

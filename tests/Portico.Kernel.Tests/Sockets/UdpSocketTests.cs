using System.Net;
using System.Net.Sockets;
using Portico.Net;

namespace Portico.Kernel.Tests.Sockets;

public sealed class UdpSocketTests : IDisposable
{
    private readonly PorticoNetwork _network = new();
    private readonly PorticoHost _alice;
    private readonly PorticoHost _bob;

    public UdpSocketTests()
    {
        _alice = _network.AddHost("alice", "10.0.0.1/24", "fd00::1/64");
        _bob = _network.AddHost("bob", "10.0.0.2/24", "fd00::2/64");
    }

    public void Dispose() => _network.Dispose();

    [Theory]
    [InlineData("10.0.0.2")]
    [InlineData("fd00::2")]
    public async Task A_datagram_is_received_with_the_address_of_its_sender(string address)
    {
        using PorticoUdpClient server = _bob.BindUdp(53);
        using PorticoUdpClient client = _alice.BindUdp(0);
        byte[] buffer = new byte[2000];
        ValueTask<(int Received, IPEndPoint Source)> receive = server.ReceiveAsync(buffer);
        client.Send("query"u8, new IPEndPoint(IPAddress.Parse(address), 53));
        (int received, IPEndPoint source) = await receive;
        Assert.Equal("query"u8.ToArray(), buffer[..received]);
        Assert.Equal(client.LocalEndPoint.Port, source.Port);
        server.Send("answer"u8, source);
        (received, source) = await client.ReceiveAsync(buffer);
        Assert.Equal("answer"u8.ToArray(), buffer[..received]);
        Assert.Equal(new IPEndPoint(IPAddress.Parse(address), 53), source);
    }

    [Fact]
    public void A_datagram_that_does_not_fit_says_how_long_it_was()
    {
        using PorticoUdpClient server = _bob.BindUdp(53);
        using PorticoUdpClient client = _alice.BindUdp(0);
        client.Send(new byte[60_000], new IPEndPoint(IPAddress.Parse("10.0.0.2"), 53));
        Assert.Equal(Errno.None, server.Socket.Receive(new byte[10], out UdpReceived result));
        Assert.Equal((10, 60_000), (result.Received, result.Info.TotalLength));
        Assert.Equal(Errno.EAGAIN, server.Socket.TryReceive(new byte[10], out _));
    }

    [Fact]
    public async Task A_cancelled_receive_has_taken_nothing()
    {
        using PorticoUdpClient server = _bob.BindUdp(53);
        using PorticoUdpClient client = _alice.BindUdp(0);
        using CancellationTokenSource cancellation = new();
        byte[] buffer = new byte[10];
        ValueTask<(int, IPEndPoint)> receive = server.ReceiveAsync(buffer, cancellation.Token);
        cancellation.Cancel();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await receive);
        client.Send("x"u8, new IPEndPoint(IPAddress.Parse("10.0.0.2"), 53));
        Assert.Equal(1, (await server.ReceiveAsync(buffer)).Received);
    }

    [Fact]
    public void A_connected_socket_hears_that_nobody_listens()
    {
        using PorticoUdpClient client = _alice.BindUdp(0);
        Assert.Equal(Errno.None, client.Socket.Connect(new Endpoint(IpAddress.Parse("10.0.0.2"), 54)));
        Assert.Equal(Errno.None, client.Socket.Send("x"u8));
        Assert.Equal(Errno.ECONNREFUSED, client.Socket.Receive(new byte[1], out _));
    }

    [Fact]
    public async Task Closing_fails_the_receive_that_waits()
    {
        PorticoUdpClient server = _bob.BindUdp(53);
        ValueTask<(int, IPEndPoint)> receive = server.ReceiveAsync(new byte[1]);
        server.Dispose();
        SocketException aborted = await Assert.ThrowsAsync<SocketException>(async () => await receive);
        Assert.Equal(SocketError.OperationAborted, aborted.SocketErrorCode);
        Assert.Equal(Errno.EBADF, server.Socket.Send("x"u8));
    }
}

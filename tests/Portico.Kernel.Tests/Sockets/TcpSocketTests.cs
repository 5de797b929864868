using System.Net.Sockets;
using System.Security.Cryptography;
using Portico.Net;

namespace Portico.Kernel.Tests.Sockets;

public sealed class TcpSocketTests : IDisposable
{
    private readonly SocketPair _pair = new();

    public void Dispose() => _pair.Dispose();

    [Theory]
    [InlineData("10.0.0.2")]
    [InlineData("fd00::2")]
    public void Bytes_arrive_in_both_families(string address)
    {
        TcpSocket client = _pair.NewSocket();
        Assert.Equal(Errno.None, client.Connect(new Endpoint(IpAddress.Parse(address), 80)));
        Assert.Equal(Errno.None, _pair.Listener.Accept(out TcpSocket? server));
        Assert.Equal(Errno.None, client.Send("ping"u8, out int sent));
        Assert.Equal(4, sent);
        byte[] buffer = new byte[16];
        Assert.Equal(Errno.None, server!.Receive(buffer, out int received));
        Assert.Equal("ping"u8, buffer.AsSpan(0, received));
    }

    [Fact]
    public void A_connect_to_a_port_where_nobody_listens_is_refused()
    {
        TcpSocket client = _pair.NewSocket();
        Assert.Equal(Errno.ECONNREFUSED, client.Connect(_pair.Service with { Port = 81 }));
    }

    [Fact]
    public async Task An_asynchronous_connect_reports_a_refusal_as_the_BCL_does()
    {
        TcpSocket client = _pair.NewSocket();
        SocketException refused = await Assert.ThrowsAsync<SocketException>(
            async () => await client.ConnectAsync(_pair.Service with { Port = 81 }));
        Assert.Equal(SocketError.ConnectionRefused, refused.SocketErrorCode);
    }

    [Fact]
    public void A_connect_without_a_route_fails_at_once()
    {
        TcpSocket client = _pair.NewSocket();
        Assert.Equal(Errno.ENETUNREACH, client.Connect(new Endpoint(IpAddress.Parse("192.0.2.1"), 80)));
    }

    [Fact]
    public void A_second_connect_says_that_the_socket_is_connected()
    {
        (TcpSocket client, _) = _pair.Connect();
        Assert.Equal(Errno.EISCONN, client.Connect(_pair.Service));
    }

    [Fact]
    public void Calls_on_a_socket_that_is_not_connected_say_so()
    {
        TcpSocket client = _pair.NewSocket();
        Assert.Equal(Errno.ENOTCONN, client.Receive(new byte[1], out _));
        Assert.Equal(Errno.ENOTCONN, client.Send(new byte[1], out _));
        Assert.Equal(Errno.ENOTCONN, client.Shutdown(TcpShutdown.Send));
    }

    [Fact]
    public void A_receive_without_data_says_EAGAIN_or_waits_for_the_time_out()
    {
        (TcpSocket client, _) = _pair.Connect();
        Assert.Equal(Errno.EAGAIN, client.TryReceive(new byte[1], out _));
        client.ReceiveTimeout = TimeSpan.FromMilliseconds(1);
        Assert.Equal(Errno.EAGAIN, client.Receive(new byte[1], out _));
    }

    [Fact]
    public void After_the_peers_shutdown_receive_returns_what_is_left_and_then_nothing()
    {
        (TcpSocket client, TcpSocket server) = _pair.Connect();
        client.Send("last"u8, out _);
        Assert.Equal(Errno.None, client.Shutdown(TcpShutdown.Send));
        byte[] buffer = new byte[16];
        Assert.Equal(Errno.None, server.Receive(buffer, out int received));
        Assert.Equal(4, received);
        Assert.Equal(Errno.None, server.Receive(buffer, out received));
        Assert.Equal(0, received);

        // The other direction goes on.
        Assert.Equal(Errno.None, server.Send("reply"u8, out _));
        Assert.Equal(Errno.None, client.Receive(buffer, out received));
        Assert.Equal(5, received);
        Assert.Equal(Errno.EPIPE, client.Send("more"u8, out _));
    }

    [Fact]
    public void A_send_takes_everything_while_the_peer_reads()
    {
        (TcpSocket client, TcpSocket server) = _pair.Connect();
        byte[] data = new byte[20_000_003];
        new Random(1).NextBytes(data);
        byte[] expected = SHA256.HashData(data);
        byte[] got = [];
        Thread reader = new(() =>
        {
            using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            byte[] buffer = new byte[50_000];
            while (server.Receive(buffer, out int received) == Errno.None && received != 0)
            {
                hash.AppendData(buffer, 0, received);
            }

            got = hash.GetHashAndReset();
        });
        reader.Start();
        Assert.Equal(Errno.None, client.Send(data, out int sent));
        Assert.Equal(data.Length, sent);
        client.Close();
        reader.Join();
        Assert.Equal(expected, got);
    }

    [Fact]
    public void An_abort_resets_the_peer_who_waits()
    {
        (TcpSocket client, TcpSocket server) = _pair.Connect();
        Errno seen = Errno.None;
        Thread reader = new(() => seen = server.Receive(new byte[1], out _));
        reader.Start();
        client.Abort();
        reader.Join();
        Assert.Equal(Errno.ECONNRESET, seen);
    }

    [Fact]
    public void Closing_a_socket_ends_the_calls_that_wait_for_it()
    {
        (TcpSocket client, _) = _pair.Connect();
        using ManualResetEventSlim started = new();
        Errno seen = Errno.None;
        Thread reader = new(() =>
        {
            started.Set();
            seen = client.Receive(new byte[1], out _);
        });
        reader.Start();
        started.Wait();
        client.Close();
        reader.Join();
        Assert.Equal(Errno.EBADF, seen);
    }

    [Fact]
    public void The_ends_and_the_state_can_be_asked_for()
    {
        (TcpSocket client, TcpSocket server) = _pair.Connect();
        Assert.Equal(Errno.None, client.GetEndpoints(out Endpoint local, out Endpoint remote));
        Assert.Equal(Errno.None, server.GetEndpoints(out Endpoint serverLocal, out Endpoint serverRemote));
        Assert.Equal((local, remote), (serverRemote, serverLocal));
        Assert.Equal(_pair.Service, remote);
        Assert.Equal(Errno.None, client.GetInfo(out TcpInfo info));
        Assert.Equal(TcpState.Established, info.State);
        Assert.Equal(SocketEvents.Writable, client.Poll());
    }

    [Fact]
    public void Options_set_before_the_connect_hold_after_it()
    {
        TcpSocket client = _pair.NewSocket();
        Assert.Equal(Errno.None, client.SetOption(TcpOption.TCP_NODELAY, 1));
        Assert.Equal(Errno.None, client.Bind(new Endpoint(IpAddress.AnyIpv4, 5555)));
        Assert.Equal(Errno.None, client.Connect(_pair.Service));
        Assert.Equal(Errno.None, client.GetOption(TcpOption.TCP_NODELAY, out int value));
        Assert.Equal(1, value);
        client.GetEndpoints(out Endpoint local, out _);
        Assert.Equal(5555, local.Port);
    }

    [Fact]
    public void A_port_that_is_taken_cannot_be_listened_on_twice()
    {
        TcpListenRequest request = new() { Local = new Endpoint(IpAddress.AnyIpv4, 80), Backlog = 1 };
        Assert.Equal(Errno.EADDRINUSE, TcpListenerSocket.Listen(_pair.Bob.Driver, _pair.Bob.Stack, request, out _));
        _pair.Listener.Close();
        Assert.Equal(Errno.None, TcpListenerSocket.Listen(_pair.Bob.Driver, _pair.Bob.Stack, request, out _));
    }

    [Fact]
    public void Closing_a_listener_ends_the_accept_that_waits()
    {
        using ManualResetEventSlim started = new();
        Errno seen = Errno.None;
        Thread acceptor = new(() =>
        {
            started.Set();
            seen = _pair.Listener.Accept(out _);
        });
        acceptor.Start();
        started.Wait();
        _pair.Listener.Close();
        acceptor.Join();
        Assert.Equal(Errno.EBADF, seen);
    }

    [Fact]
    public void Many_threads_connect_at_once()
    {
        const int Count = 200;
        int echoed = 0;
        Thread server = new(() =>
        {
            byte[] buffer = new byte[1];
            for (int i = 0; i < Count; i++)
            {
                _pair.Listener.Accept(out TcpSocket? accepted);
                accepted!.Receive(buffer, out _);
                accepted.Send(buffer, out _);
                accepted.Close();
            }
        });
        server.Start();
        Thread[] clients = new Thread[8];
        for (int t = 0; t < clients.Length; t++)
        {
            clients[t] = new Thread(() =>
            {
                byte[] buffer = [1];
                for (int i = 0; i < Count / 8; i++)
                {
                    using TcpSocket client = _pair.NewSocket();
                    client.Connect(_pair.Service);
                    client.Send(buffer, out _);
                    if (client.Receive(buffer, out int received) == Errno.None && received == 1)
                    {
                        Interlocked.Increment(ref echoed);
                    }
                }
            });
            clients[t].Start();
        }

        foreach (Thread client in clients)
        {
            client.Join();
        }

        server.Join();
        Assert.Equal(Count, echoed);
    }
}

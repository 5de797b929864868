using System.Net.Sockets;
using System.Text;

namespace Portico.Kernel.Tests.Streams;

public sealed class TcpStreamTests : IDisposable
{
    private readonly PorticoNetwork _network = new();
    private readonly PorticoHost _alice;
    private readonly PorticoHost _bob;
    private readonly PorticoListener _listener;

    public TcpStreamTests()
    {
        _alice = _network.AddHost("alice", "10.0.0.1/24");
        _bob = _network.AddHost("bob", "10.0.0.2/24");
        _listener = _bob.Listen(80);
    }

    public void Dispose() => _network.Dispose();

    private async Task<(TcpStream Client, TcpStream Server)> ConnectAsync()
    {
        TcpStream client = await _alice.ConnectAsync("bob", 80);
        return (client, await _listener.AcceptAsync());
    }

    [Fact]
    public async Task Every_way_to_write_meets_every_way_to_read()
    {
        (TcpStream client, TcpStream server) = await ConnectAsync();
        byte[] data = Encoding.ASCII.GetBytes("0123456789");
        Action[] writes =
        [
            () => client.Write(data, 0, 10),
            () => client.Write(data.AsSpan()),
            () => client.WriteAsync(data, 0, 10).Wait(),
            () => client.WriteAsync(data.AsMemory()).AsTask().Wait(),
            () => client.EndWrite(client.BeginWrite(data, 0, 10, null, null)),
            () =>
            {
                foreach (byte b in data)
                {
                    client.WriteByte(b);
                }
            },
        ];
        byte[] buffer = new byte[10];
        Func<int>[] reads =
        [
            () => server.Read(buffer, 0, 1),
            () => server.Read(buffer.AsSpan(0, 1)),
            () => server.ReadAsync(buffer, 0, 1).Result,
            () => server.ReadAsync(buffer.AsMemory(0, 1)).AsTask().Result,
            () => server.EndRead(server.BeginRead(buffer, 0, 1, null, null)),
            () =>
            {
                buffer[0] = (byte)server.ReadByte();
                return 1;
            },
        ];
        foreach (Action write in writes)
        {
            foreach (Func<int> read in reads)
            {
                write();
                foreach (byte expected in data)
                {
                    Assert.Equal(1, read());
                    Assert.Equal(expected, buffer[0]);
                }
            }
        }

        client.CompleteWrites();
        Assert.Equal(-1, server.ReadByte());
    }

    [Fact]
    public async Task A_reset_is_an_IOException_with_a_SocketException_inside()
    {
        (TcpStream client, TcpStream server) = await ConnectAsync();
        client.Abort();
        IOException synchronous = Assert.Throws<IOException>(() => server.Read(new byte[1]));
        Assert.Equal(SocketError.ConnectionReset, Assert.IsType<SocketException>(synchronous.InnerException).SocketErrorCode);

        (client, server) = await ConnectAsync();
        ValueTask<int> read = server.ReadAsync(new byte[1]);
        client.Abort();
        IOException asynchronous = await Assert.ThrowsAsync<IOException>(async () => await read);
        Assert.Equal(SocketError.ConnectionReset, Assert.IsType<SocketException>(asynchronous.InnerException).SocketErrorCode);
    }

    [Fact]
    public async Task A_disposed_stream_says_so()
    {
        (TcpStream client, _) = await ConnectAsync();
        client.Dispose();
        client.Dispose();
        Assert.False(client.CanRead);
        Assert.Throws<ObjectDisposedException>(() => client.Read(new byte[1]));
        Assert.Throws<ObjectDisposedException>(() => client.Write(new byte[1]));
        await Assert.ThrowsAsync<ObjectDisposedException>(async () => _ = await client.ReadAsync(new byte[1]));
        await Assert.ThrowsAsync<ObjectDisposedException>(async () => await client.WriteAsync(new byte[1]));
    }

    [Fact]
    public async Task A_read_that_times_out_says_so()
    {
        (TcpStream client, _) = await ConnectAsync();
        client.ReadTimeout = 1;
        IOException timedOut = Assert.Throws<IOException>(() => client.Read(new byte[1]));
        Assert.Equal(SocketError.TimedOut, Assert.IsType<SocketException>(timedOut.InnerException).SocketErrorCode);
    }

    [Fact]
    public async Task A_name_that_nobody_has_and_a_port_where_nobody_listens_are_different_errors()
    {
        SocketException unknown = await Assert.ThrowsAsync<SocketException>(async () => await _alice.ConnectAsync("carol", 80));
        Assert.Equal(SocketError.HostNotFound, unknown.SocketErrorCode);
        SocketException refused = await Assert.ThrowsAsync<SocketException>(async () => await _alice.ConnectAsync("bob", 81));
        Assert.Equal(SocketError.ConnectionRefused, refused.SocketErrorCode);
    }

    [Fact]
    public async Task A_host_reaches_itself()
    {
        TcpStream client = await _bob.ConnectAsync("localhost", 80);
        TcpStream server = await _listener.AcceptAsync();
        await client.WriteAsync("x"u8.ToArray());
        Assert.Equal('x', server.ReadByte());
    }

    [Fact]
    public async Task Many_streams_copy_at_once()
    {
        byte[] data = new byte[1_000_000];
        new Random(3).NextBytes(data);
        Task[] servers = new Task[20];
        Task<byte[]>[] clients = new Task<byte[]>[20];
        for (int i = 0; i < clients.Length; i++)
        {
            servers[i] = Task.Run(async () =>
            {
                using TcpStream server = await _listener.AcceptAsync();
                await server.CopyToAsync(server);
            });
            clients[i] = Task.Run(async () =>
            {
                using TcpStream client = await _alice.ConnectAsync("bob", 80);
                Task write = Task.Run(async () =>
                {
                    await client.WriteAsync(data);
                    client.CompleteWrites();
                });
                MemoryStream echoed = new();
                await client.CopyToAsync(echoed);
                await write;
                return echoed.ToArray();
            });
        }

        await Task.WhenAll(servers);
        foreach (byte[] echoed in await Task.WhenAll(clients))
        {
            Assert.True(data.AsSpan().SequenceEqual(echoed));
        }
    }
}

using System.Net;
using System.Net.Sockets;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Portico.Kernel;
using Portico.Net;

namespace Portico.AspNetCore.Tests;

/// <summary>How connections end, who is told, and what holds somebody up.</summary>
public sealed class ConnectionEndTests
{
    private static readonly byte[] s_request = Encoding.ASCII.GetBytes("GET / HTTP/1.1\r\nHost: server\r\n\r\n");

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_client_that_goes_away_aborts_its_request(bool byReset)
    {
        TaskCompletionSource began = new(TaskCreationOptions.RunContinuationsAsynchronously);
        TaskCompletionSource aborted = new(TaskCreationOptions.RunContinuationsAsynchronously);
        await using TestServer server = await TestServer.StartAsync(app => app.Run(async context =>
        {
            context.RequestAborted.Register(() => aborted.TrySetResult());
            began.TrySetResult();
            await aborted.Task;
        }));
        TcpStream client = await server.Client.ConnectAsync("server", 80);
        await client.WriteAsync(s_request);
        await began.Task.WaitAsync(TestServer.Patience);
        Assert.False(aborted.Task.IsCompleted);
        if (byReset)
        {
            client.Abort();
        }
        else
        {
            client.Dispose();
        }

        await aborted.Task.WaitAsync(TestServer.Patience);
    }

    [Fact]
    public async Task A_server_that_aborts_resets_the_connection()
    {
        await using TestServer server = await TestServer.StartAsync(app => app.Run(context =>
        {
            context.Abort();
            return Task.CompletedTask;
        }));
        using TcpStream client = await server.Client.ConnectAsync("server", 80);
        await client.WriteAsync(s_request);
        IOException seen = await Assert.ThrowsAsync<IOException>(async () => await client.ReadExactlyAsync(new byte[1]));
        Assert.Equal(SocketError.ConnectionReset, Assert.IsType<SocketException>(seen.InnerException).SocketErrorCode);
        Assert.Equal(1, server.Count(TcpCounter.OutRsts));
    }

    [Fact]
    public async Task A_server_that_is_asked_to_close_answers_and_ends_the_connection_without_a_reset()
    {
        await using TestServer server = await TestServer.StartAsync(app => app.Run(context => context.Response.WriteAsync("done")));
        using TcpStream client = await server.Client.ConnectAsync("server", 80);
        await client.WriteAsync(Encoding.ASCII.GetBytes("GET / HTTP/1.1\r\nHost: server\r\nConnection: close\r\n\r\n"));
        using StreamReader reader = new(client);
        Assert.EndsWith("done\r\n0\r\n\r\n", await reader.ReadToEndAsync().WaitAsync(TestServer.Patience), StringComparison.Ordinal);
        Assert.Equal(0, server.Count(TcpCounter.OutRsts));
    }

    [Fact]
    public async Task Stopping_refuses_new_connections_and_lets_requests_under_way_finish()
    {
        TaskCompletionSource began = new(TaskCreationOptions.RunContinuationsAsynchronously);
        TaskCompletionSource release = new(TaskCreationOptions.RunContinuationsAsynchronously);
        await using TestServer server = await TestServer.StartAsync(app => app.Run(async context =>
        {
            began.TrySetResult();
            await release.Task;
            await context.Response.WriteAsync("finished");
        }));
        using HttpClient client = server.CreateClient();
        Task<string> answer = client.GetStringAsync("/");
        await began.Task.WaitAsync(TestServer.Patience);
        Task stopping = server.Application.StopAsync();
        SocketError seen;
        do
        {
            seen = await OutcomeOfConnectAsync(server);
        }
        while (seen == SocketError.Success);

        Assert.Equal(SocketError.ConnectionRefused, seen);
        Assert.False(stopping.IsCompleted);
        release.SetResult();
        Assert.Equal("finished", await answer);
        await stopping.WaitAsync(TestServer.Patience);
        Assert.Equal(0, server.Count(TcpCounter.CurrEstab));
    }

    [Fact]
    public async Task A_port_that_is_taken_is_the_servers_usual_error()
    {
        await using TestServer server = await TestServer.StartAsync(app => app.Run(_ => Task.CompletedTask));
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UsePortico(server.Server).UseUrls("http://10.0.0.1:80");
        await using WebApplication second = builder.Build();
        IOException error = await Assert.ThrowsAsync<IOException>(() => second.StartAsync());
        Assert.IsType<AddressInUseException>(error.InnerException);
    }

    [Fact]
    public async Task A_server_that_does_not_read_stops_the_client_and_one_whose_client_does_not_read_is_stopped()
    {
        const int Total = 64 << 20;
        TaskCompletionSource release = new(TaskCreationOptions.RunContinuationsAsynchronously);
        long written = 0;
        await using TestServer server = await TestServer.StartAsync(
            app => app.Run(async context =>
            {
                await release.Task;
                await context.Request.Body.CopyToAsync(Stream.Null);
                byte[] block = new byte[65536];
                for (int i = 0; i < Total / block.Length; i++)
                {
                    await context.Response.Body.WriteAsync(block);
                    Interlocked.Add(ref written, block.Length);
                }
            }),
            builder => builder.ConfigureKestrel(kestrel =>
            {
                kestrel.Limits.MaxRequestBodySize = Total;
                kestrel.Limits.MinRequestBodyDataRate = null;
                kestrel.Limits.MinResponseDataRate = null;
            }));
        using TcpStream client = await server.Client.ConnectAsync("server", 80);
        await client.WriteAsync(Encoding.ASCII.GetBytes($"POST / HTTP/1.1\r\nHost: server\r\nContent-Length: {Total}\r\n\r\n"));
        long sent = 0;
        Task sending = Task.Run(async () =>
        {
            byte[] block = new byte[65536];
            for (; sent < Total; sent += block.Length)
            {
                await client.WriteAsync(block);
            }
        });
        await StandsStillAsync(() => sent);
        Assert.InRange(sent, 1 << 20, 32 << 20);
        release.SetResult();
        await sending.WaitAsync(TestServer.Patience);
        await StandsStillAsync(() => Interlocked.Read(ref written));
        Assert.InRange(Interlocked.Read(ref written), 1 << 16, 32 << 20);
        long got = 0;
        byte[] buffer = new byte[1 << 20];
        while (got < Total)
        {
            got += await client.ReadAsync(buffer).AsTask().WaitAsync(TestServer.Patience);
        }

        await StandsStillAsync(() => Interlocked.Read(ref written));
        Assert.Equal(Total, Interlocked.Read(ref written));
    }

    [Fact]
    public async Task A_transport_without_a_server_hands_out_connections_until_it_is_unbound()
    {
        using PorticoNetwork network = new();
        PorticoHost bob = network.AddHost("bob", "10.0.0.1/24");
        PorticoHost alice = network.AddHost("alice", "10.0.0.2/24");
        PorticoTransportFactory factory = new(bob);
        Assert.True(factory.CanBind(new IPEndPoint(IPAddress.Any, 0)));
        Assert.False(factory.CanBind(new UnixDomainSocketEndPoint("/tmp/x")));
        await using IConnectionListener listener = await factory.BindAsync(new IPEndPoint(IPAddress.IPv6Any, 0));
        int port = ((IPEndPoint)listener.EndPoint).Port;
        Assert.NotEqual(0, port);

        using TcpStream stream = await alice.ConnectAsync("bob", port);
        await using ConnectionContext connection = (await listener.AcceptAsync())!;
        Assert.Equal(stream.LocalEndPoint, connection.RemoteEndPoint);
        await connection.Transport.Output.WriteAsync("hello"u8.ToArray());
        byte[] got = new byte[5];
        await stream.ReadExactlyAsync(got);
        Assert.Equal("hello"u8, got);

        Task<ConnectionContext?> accepting = listener.AcceptAsync().AsTask();
        await listener.UnbindAsync();
        Assert.Null(await accepting.WaitAsync(TestServer.Patience));
        stream.Dispose();
        Assert.True((await connection.Transport.Input.ReadAsync()).IsCompleted);
        TaskCompletionSource closed = new();
        connection.ConnectionClosed.Register(closed.SetResult);
        await closed.Task.WaitAsync(TestServer.Patience);
    }

    private static async Task<SocketError> OutcomeOfConnectAsync(TestServer server)
    {
        try
        {
            using TcpStream stream = await server.Client.ConnectAsync("server", 80);
            return SocketError.Success;
        }
        catch (SocketException e)
        {
            return e.SocketErrorCode;
        }
    }

    private static async Task StandsStillAsync(Func<long> value)
    {
        for (long before = -1; before != value() || before == 0;)
        {
            before = value();
            await Task.Delay(200);
        }
    }
}

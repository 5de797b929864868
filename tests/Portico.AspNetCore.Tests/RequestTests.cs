using System.Net;
using System.Net.WebSockets;
using System.Security.Cryptography;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Logging;
using Portico.Net;

namespace Portico.AspNetCore.Tests;

/// <summary>What goes right: requests and answers, of both versions of HTTP and both families.</summary>
public sealed class RequestTests
{
    [Theory]
    [InlineData("http://server/", "10.0.0.1")]
    [InlineData("http://10.0.0.1/", "10.0.0.1")]
    [InlineData("http://[fd00::1]/", "fd00::1")]
    public async Task A_request_knows_both_ends_of_its_connection(string address, string local)
    {
        await using TestServer server = await TestServer.StartAsync(app => app.Run(context =>
        {
            ConnectionInfo connection = context.Connection;
            context.Features.Get<IPorticoSocketFeature>()!.Socket.GetInfo(out TcpInfo info);
            return context.Response.WriteAsync(
                $"{context.Request.Protocol} {connection.LocalIpAddress}:{connection.LocalPort} {connection.RemoteIpAddress} {info.State}");
        }));
        using HttpClient client = server.CreateClient();
        string remote = local.Replace("1", "2", StringComparison.Ordinal).Replace("20", "10", StringComparison.Ordinal);
        Assert.Equal($"HTTP/1.1 {local}:80 {remote} Established", await client.GetStringAsync(address));
    }

    [Fact]
    public async Task Requests_that_follow_each_other_share_a_connection()
    {
        await using TestServer server = await TestServer.StartAsync(app => app.Run(
            context => context.Response.WriteAsync($"{context.Connection.Id} {context.Connection.RemotePort}")));
        using HttpClient client = server.CreateClient();
        string first = await client.GetStringAsync("/");
        for (int i = 0; i < 100; i++)
        {
            Assert.Equal(first, await client.GetStringAsync("/"));
        }

        Assert.Equal(1, server.Count(TcpCounter.PassiveOpens));
    }

    [Fact]
    public async Task A_thousand_requests_at_once_are_answered_on_a_thousand_connections()
    {
        using SemaphoreSlim gate = new(0);
        int waiting = 0;
        await using TestServer server = await TestServer.StartAsync(app => app.Run(async context =>
        {
            if (Interlocked.Increment(ref waiting) == 1000)
            {
                gate.Release(1000);
            }

            await gate.WaitAsync(TestServer.Patience);
            await context.Response.WriteAsync(context.Request.Query["i"]!);
        }));
        using HttpClient client = server.CreateClient();
        string[] answers = await Task.WhenAll(Enumerable.Range(0, 1000).Select(i => client.GetStringAsync($"/?i={i}")));
        Assert.Equal(Enumerable.Range(0, 1000).Select(i => $"{i}"), answers);
        Assert.Equal(1000, server.Count(TcpCounter.PassiveOpens));
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    public async Task Large_bodies_pass_unchanged_both_ways(bool http2, bool inline)
    {
        byte[] up = RandomNumberGenerator.GetBytes(20_000_000);
        byte[] down = RandomNumberGenerator.GetBytes(20_000_000);
        await using TestServer server = await TestServer.StartAsync(
            app => app.Run(async context =>
            {
                byte[] hash = await SHA256.HashDataAsync(context.Request.Body);
                context.Response.Headers["X-Hash"] = Convert.ToHexStringLower(hash);
                await context.Response.Body.WriteAsync(down);
            }),
            http2 ? Http2 : null,
            transport => transport.UnsafePreferInlineScheduling = inline);
        using HttpClient client = server.CreateClient();
        using HttpRequestMessage request = new(HttpMethod.Post, "/") { Content = new ByteArrayContent(up) };
        SetVersion(request, http2);
        using HttpResponseMessage response = await client.SendAsync(request);
        Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(up)), response.Headers.GetValues("X-Hash").Single());
        byte[] got = await response.Content.ReadAsByteArrayAsync();
        Assert.True(down.AsSpan().SequenceEqual(got));
    }

    [Fact]
    public async Task Http2_with_prior_knowledge_carries_many_requests_on_one_connection()
    {
        await using TestServer server = await TestServer.StartAsync(
            app => app.Run(context => context.Response.WriteAsync($"{context.Request.Protocol} {context.Request.Query["i"]}")), Http2);
        using HttpClient client = server.CreateClient();
        string[] answers = await Task.WhenAll(Enumerable.Range(0, 100).Select(async i =>
        {
            using HttpRequestMessage request = new(HttpMethod.Get, $"/?i={i}");
            SetVersion(request, http2: true);
            using HttpResponseMessage response = await client.SendAsync(request);
            return await response.Content.ReadAsStringAsync();
        }));
        Assert.Equal(Enumerable.Range(0, 100).Select(i => $"HTTP/2 {i}"), answers);
        Assert.Equal(1, server.Count(TcpCounter.PassiveOpens));
    }

    [Fact]
    public async Task A_web_socket_echoes_and_closes_in_order()
    {
        await using TestServer server = await TestServer.StartAsync(app =>
        {
            app.UseWebSockets();
            app.Run(async context =>
            {
                using WebSocket socket = await context.WebSockets.AcceptWebSocketAsync();
                byte[] buffer = new byte[100_000];
                for (ValueWebSocketReceiveResult got = default; got.MessageType != WebSocketMessageType.Close;)
                {
                    got = await socket.ReceiveAsync(buffer.AsMemory(), default);
                    if (got.MessageType != WebSocketMessageType.Close)
                    {
                        await socket.SendAsync(buffer.AsMemory(0, got.Count), got.MessageType, got.EndOfMessage, default);
                    }
                }

                await socket.CloseAsync(WebSocketCloseStatus.NormalClosure, "bye", default);
            });
        });
        using ClientWebSocket client = new();
        using HttpMessageInvoker invoker = new(server.Client.CreateHttpHandler());
        await client.ConnectAsync(new Uri("ws://server/"), invoker, default);
        byte[] sent = RandomNumberGenerator.GetBytes(50_000);
        byte[] back = new byte[50_000];
        await client.SendAsync(sent, WebSocketMessageType.Binary, endOfMessage: true, default);
        int length = 0;
        while (length < back.Length)
        {
            length += (await client.ReceiveAsync(back.AsMemory(length), default)).Count;
        }

        Assert.Equal(sent, back);
        await client.CloseAsync(WebSocketCloseStatus.NormalClosure, null, default);
        Assert.Equal("bye", client.CloseStatusDescription);
    }

    [Fact]
    public async Task A_server_may_start_when_its_first_connection_is_there_already()
    {
        using PorticoNetwork network = new();
        PorticoHost bob = network.AddHost("bob", "10.0.0.1/24");
        PorticoHost alice = network.AddHost("alice", "10.0.0.2/24");
        using PorticoListener listener = bob.Listen(80);
        Task waiting = listener.Socket.WaitAsync().AsTask();
        await Task.Delay(20);
        Assert.False(waiting.IsCompleted);
        using HttpClient client = new(alice.CreateHttpHandler()) { Timeout = TestServer.Patience };
        Task<string> answer = client.GetStringAsync("http://bob/");
        await waiting.WaitAsync(TestServer.Patience);

        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UsePortico(bob).ConfigureKestrel(kestrel => kestrel.Listen(new ListeningSocketEndPoint(listener.Socket)));
        await using WebApplication application = builder.Build();
        application.Run(context => context.Response.WriteAsync("better late"));
        await application.StartAsync();
        Assert.Equal("better late", await answer);
    }

    [Fact]
    public async Task Each_end_point_is_served_by_the_transport_that_can()
    {
        string path = Path.Combine(Path.GetTempPath(), $"portico-{Guid.NewGuid():N}.sock");
        await using TestServer server = await TestServer.StartAsync(
            app => app.Run(context => context.Response.WriteAsync("here")),
            builder => builder.ConfigureKestrel(k => k.ListenUnixSocket(path)));
        using SocketsHttpHandler handler = new()
        {
            ConnectCallback = async (_, cancellation) =>
            {
                System.Net.Sockets.Socket socket = new(System.Net.Sockets.AddressFamily.Unix, System.Net.Sockets.SocketType.Stream, 0);
                await socket.ConnectAsync(new System.Net.Sockets.UnixDomainSocketEndPoint(path), cancellation);
                return new System.Net.Sockets.NetworkStream(socket, ownsSocket: true);
            },
        };
        using HttpClient unix = new(handler);
        Assert.Equal("here", await unix.GetStringAsync("http://localhost/"));
        using HttpClient client = server.CreateClient();
        Assert.Equal("here", await client.GetStringAsync("/"));
    }

    private static void Http2(IWebHostBuilder builder) =>
        builder.ConfigureKestrel(kestrel => kestrel.ConfigureEndpointDefaults(listen => listen.Protocols = HttpProtocols.Http2));

    private static void SetVersion(HttpRequestMessage request, bool http2)
    {
        request.Version = http2 ? HttpVersion.Version20 : HttpVersion.Version11;
        request.VersionPolicy = HttpVersionPolicy.RequestVersionExact;
    }
}

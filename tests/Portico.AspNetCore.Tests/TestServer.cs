using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Logging;
using Portico.Kernel;
using Portico.Net;

namespace Portico.AspNetCore.Tests;

/// <summary>A network of two hosts, with a web application on the one and a client on the other.</summary>
internal sealed class TestServer : IAsyncDisposable
{
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private TestServer(WebApplication application, PorticoNetwork network)
    {
        Application = application;
        Network = network;
    }

    public PorticoNetwork Network { get; }

    public WebApplication Application { get; }

    public PorticoHost Server => Network.Hosts[0];

    public PorticoHost Client => Network.Hosts[1];

    public static async Task<TestServer> StartAsync(
        Action<WebApplication> map, Action<IWebHostBuilder>? configure = null, Action<PorticoTransportOptions>? transport = null)
    {
        PorticoNetwork network = new();
        PorticoHost server = network.AddHost("server", "10.0.0.1/24", "fd00::1/64");
        network.AddHost("client", "10.0.0.2/24", "fd00::2/64");
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        configure?.Invoke(builder.WebHost);
        builder.WebHost.UsePortico(server, transport).ConfigureKestrel(kestrel => kestrel.ListenAnyIP(80));
        WebApplication application = builder.Build();
        map(application);
        await application.StartAsync();
        return new TestServer(application, network);
    }

    public HttpClient CreateClient(Action<SocketsHttpHandler>? configure = null)
    {
        SocketsHttpHandler handler = Client.CreateHttpHandler();
        configure?.Invoke(handler);
        return new HttpClient(handler) { BaseAddress = new Uri("http://server/"), Timeout = Patience };
    }

    /// <summary>A counter of the server's stack.</summary>
    public long Count(TcpCounter counter)
    {
        using (Server.Driver.Enter())
        {
            return Server.Stack.Tcp.Mib[counter];
        }
    }

    public async ValueTask DisposeAsync()
    {
        await Application.DisposeAsync();
        Network.Dispose();
    }
}

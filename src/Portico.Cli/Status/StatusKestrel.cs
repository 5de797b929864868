using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Portico.AspNetCore;
using Portico.Kernel;

namespace Portico.Cli;

/// <summary>
/// Kestrel on the Portico stack, by itself: without the generic host around it, nothing reads the command's directory or environment,
/// takes its signals or writes to its terminal.
/// </summary>
internal static class StatusKestrel
{
    /// <summary>Serves what comes to the sockets that listen already, until it is told to end.</summary>
    public static async Task ServeAsync(StatusSources sources, IEnumerable<TcpListenerSocket> listeners, CancellationToken over)
    {
        KestrelServerOptions options = new() { AllowResponseHeaderCompression = false };
        options.Limits.MaxRequestBodySize = 0;
        foreach (TcpListenerSocket listener in listeners)
        {
            // HTTP/2 by prior knowledge has no way to be agreed on without TLS; curl and browsers speak HTTP/1.1 here.
            options.Listen(new ListeningSocketEndPoint(listener), listen => listen.Protocols = HttpProtocols.Http1);
        }

        PorticoHost host = new(sources.Driver, sources.Stack);
        using KestrelServer server = new(Options.Create(options), new PorticoTransportFactory(host), NullLoggerFactory.Instance);
        await server.StartAsync(new StatusApplication(sources), over).ConfigureAwait(false);
        await Task.Delay(Timeout.Infinite, over).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);

        // The command has ended: nobody is left who could wait for an answer.
        await server.StopAsync(new CancellationToken(canceled: true)).ConfigureAwait(false);
    }
}

using System.Net.Sockets;
using System.Runtime.CompilerServices;
using Portico.Kernel;
using Portico.Net;

namespace Portico.Cli;

/// <summary>
/// Answers <c>http://portico.internal/</c> inside, over the same stack that it reports on. It listens at once; the web server itself
/// is started for the first connection, since most commands never ask and none is to wait for it.
/// </summary>
internal sealed class StatusServer(StatusSources sources) : IAsyncDisposable
{
    private const int Backlog = 4096;

    private readonly List<TcpListenerSocket> _listeners = [];
    private readonly CancellationTokenSource _over = new();
    private Task _serving = Task.CompletedTask;

    /// <summary>Begins to listen on the gateway's addresses.</summary>
    public void Start()
    {
        foreach (IpPrefix address in (IpPrefix[])[RunAddresses.GatewayIpv4, RunAddresses.GatewayIpv6])
        {
            TcpListenRequest request = new() { Local = new Endpoint(address.Address, 80), Backlog = Backlog };
            TcpListenerSocket.Listen(sources.Driver, sources.Stack, request, out TcpListenerSocket? listener).ThrowIfError();
            _listeners.Add(listener!);
        }

        _serving = ServeAsync();
    }

    private async Task ServeAsync()
    {
        try
        {
            await Task.WhenAny(_listeners.Select(listener => listener.WaitAsync(_over.Token).AsTask())).Unwrap().ConfigureAwait(false);
            await ServeByKestrelAsync().ConfigureAwait(false);
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException)
        {
            // The run is over.
        }
    }

    /// <summary>By itself, so that nothing of the web server is loaded before this is called.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private Task ServeByKestrelAsync() => StatusKestrel.ServeAsync(sources, _listeners, _over.Token);

    /// <summary>Stops listening, and ends the connections that there are.</summary>
    public async ValueTask DisposeAsync()
    {
        await _over.CancelAsync().ConfigureAwait(false);
        foreach (TcpListenerSocket listener in _listeners)
        {
            listener.Dispose();
        }

        await _serving.ConfigureAwait(false);
        _over.Dispose();
    }
}

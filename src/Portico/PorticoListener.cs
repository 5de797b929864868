using System.Net;
using Portico.Kernel;

namespace Portico;

/// <summary>Accepts TCP connections at a port of a host.</summary>
public sealed class PorticoListener : IDisposable
{
    private readonly TcpListenerSocket _socket;

    internal PorticoListener(TcpListenerSocket socket) => _socket = socket;

    /// <summary>The socket itself.</summary>
    public TcpListenerSocket Socket => _socket;

    /// <summary>Where it listens.</summary>
    public IPEndPoint LocalEndPoint => _socket.LocalEndpoint.ToIPEndPoint();

    /// <summary>Takes the oldest connection that is established, waiting for one.</summary>
    public TcpStream Accept()
    {
        _socket.Accept(out TcpSocket? accepted).ThrowIfError();
        return new TcpStream(accepted!);
    }

    /// <summary>Takes the oldest connection that is established, waiting for one. Cancelling takes none.</summary>
    public async ValueTask<TcpStream> AcceptAsync(CancellationToken cancellationToken = default)
    {
        TcpSocket? accepted = await _socket.AcceptAsync(cancellationToken).ConfigureAwait(false);
        return new TcpStream(accepted!);
    }

    /// <summary>Stops listening. Connections that nobody accepted are reset, and waiting accepts fail.</summary>
    public void Dispose() => _socket.Dispose();
}

using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Portico.Kernel;

namespace Portico.AspNetCore;

/// <summary>
/// The transport of a Kestrel server whose end points are a Portico host's. It serves <see cref="IPEndPoint"/>s (an IPv6Any one for
/// both families, as in Linux) and <see cref="ListeningSocketEndPoint"/>s; unix sockets, pipes and descriptors are left to the
/// server's other transports.
/// </summary>
public sealed class PorticoTransportFactory : IConnectionListenerFactory, IConnectionListenerFactorySelector
{
    private readonly PorticoHost _host;
    private readonly PorticoTransportOptions _options;
    private readonly ILogger _logger;
    private readonly IMemoryPoolFactory<byte>? _memoryPools;

    /// <summary>Makes the transport of a host.</summary>
    /// <param name="host">Whose addresses and ports are served.</param>
    /// <param name="options">Null takes the defaults.</param>
    /// <param name="loggers">Null logs nothing.</param>
    /// <param name="memoryPools">Where buffers come from, one pool for each end point; null takes them from the array pool.</param>
    public PorticoTransportFactory(
        PorticoHost host,
        PorticoTransportOptions? options = null,
        ILoggerFactory? loggers = null,
        IMemoryPoolFactory<byte>? memoryPools = null)
    {
        ArgumentNullException.ThrowIfNull(host);
        _host = host;
        _options = options ?? new PorticoTransportOptions();
        _logger = (loggers ?? NullLoggerFactory.Instance).CreateLogger("Portico.AspNetCore.Transport");
        _memoryPools = memoryPools;
    }

    /// <inheritdoc/>
    public bool CanBind(EndPoint endpoint) => endpoint is IPEndPoint or ListeningSocketEndPoint;

    /// <inheritdoc/>
    /// <exception cref="AddressInUseException">The port is taken.</exception>
    /// <exception cref="SocketException">The address is not the host's.</exception>
    public ValueTask<IConnectionListener> BindAsync(EndPoint endpoint, CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        return new ValueTask<IConnectionListener>(
            new PorticoConnectionListener(Listen(endpoint), endpoint, _options, _logger, _memoryPools));
    }

    private TcpListenerSocket Listen(EndPoint endpoint)
    {
        switch (endpoint)
        {
            case ListeningSocketEndPoint listening:
                return listening.Socket;
            case IPEndPoint local:
                try
                {
                    return _host.Listen(local, _options.Backlog).Socket;
                }
                catch (SocketException e) when (e.SocketErrorCode == SocketError.AddressAlreadyInUse)
                {
                    throw new AddressInUseException(e.Message, e);
                }

            default:
                throw new NotSupportedException($"{endpoint.GetType().Name} is not an end point of a Portico host");
        }
    }
}

using System.Buffers;
using System.IO.Pipelines;
using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.Logging;
using Portico.Kernel;

namespace Portico.AspNetCore;

/// <summary>Accepts a server's connections at one end point.</summary>
internal sealed class PorticoConnectionListener : IConnectionListener
{
    private readonly TcpListenerSocket _socket;
    private readonly PorticoTransportOptions _options;
    private readonly ILogger _logger;
    private readonly MemoryPool<byte> _memory;
    private readonly PipeOptions _inputOptions;
    private readonly PipeOptions _outputOptions;

    public PorticoConnectionListener(
        TcpListenerSocket socket,
        EndPoint asked,
        PorticoTransportOptions options,
        ILogger logger,
        IMemoryPoolFactory<byte>? memoryPools)
    {
        _socket = socket;
        _options = options;
        _logger = logger;
        _memory = memoryPools?.Create(new MemoryPoolOptions { Owner = "portico" }) ?? MemoryPool<byte>.Shared;

        // Port 0 has been replaced by the one that was chosen.
        EndPoint = asked is IPEndPoint ? socket.LocalEndpoint.ToIPEndPoint() : asked;

        // The transport's own continuations are short and do not block: they run wherever they fall due, on the thread that flushed
        // or consumed. A write of the application therefore goes out, and through the peer's stack, before its flush returns.
        PipeScheduler application = options.UnsafePreferInlineScheduling ? PipeScheduler.Inline : PipeScheduler.ThreadPool;
        long readMax = options.MaxReadBufferSize ?? 0;
        long writeMax = options.MaxWriteBufferSize ?? 0;
        _inputOptions = new PipeOptions(
            _memory, application, PipeScheduler.Inline, readMax, readMax / 2, useSynchronizationContext: false);
        _outputOptions = new PipeOptions(
            _memory, PipeScheduler.Inline, application, writeMax, writeMax / 2, useSynchronizationContext: false);
    }

    /// <inheritdoc/>
    public EndPoint EndPoint { get; }

    /// <summary>Takes the next connection; null once the end point is unbound.</summary>
    public async ValueTask<ConnectionContext?> AcceptAsync(CancellationToken cancellationToken = default)
    {
        while (true)
        {
            try
            {
                TcpSocket accepted = (await _socket.AcceptAsync(cancellationToken).ConfigureAwait(false))!;
                accepted.InlineContinuations = _options.UnsafePreferInlineScheduling;
                if (_options.NoDelay)
                {
                    accepted.SetOption(Net.TcpOption.TCP_NODELAY, 1);
                }

                PorticoConnection connection = new(accepted, _memory, _inputOptions, _outputOptions, _options, _logger);
                connection.Start();
                return connection;
            }
            catch (SocketException e) when (e.SocketErrorCode == SocketError.OperationAborted)
            {
                return null;
            }
            catch (SocketException e)
            {
                // It failed while it waited to be accepted; that is its own matter, and the next one's turn.
                TransportLog.AcceptFailed(_logger, e);
            }
        }
    }

    /// <inheritdoc/>
    public ValueTask UnbindAsync(CancellationToken cancellationToken = default)
    {
        _socket.Close();
        return default;
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        _socket.Close();
        if (_memory != MemoryPool<byte>.Shared)
        {
            _memory.Dispose();
        }

        return default;
    }
}

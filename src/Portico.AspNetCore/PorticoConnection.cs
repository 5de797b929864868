using System.Buffers;
using System.Globalization;
using System.IO.Pipelines;
using System.Net;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Logging;
using Portico.Kernel;
using Portico.Net;

namespace Portico.AspNetCore;

/// <summary>
/// A connection of a server: two pipes, and two loops that carry bytes between them and the socket. This part is what the server
/// sees; the loops are in the other.
/// </summary>
internal sealed partial class PorticoConnection : ConnectionContext,
    IConnectionIdFeature,
    IConnectionTransportFeature,
    IConnectionItemsFeature,
    IConnectionLifetimeFeature,
    IConnectionEndPointFeature,
    IMemoryPoolFeature,
    IPorticoSocketFeature
{
    private readonly PorticoTransportOptions _options;
    private readonly ILogger _logger;
    private readonly IDuplexPipe _ownTransport;
    private string? _id;
    private IDictionary<object, object?>? _items;

    public PorticoConnection(
        TcpSocket socket,
        MemoryPool<byte> memory,
        PipeOptions inputOptions,
        PipeOptions outputOptions,
        PorticoTransportOptions options,
        ILogger logger)
    {
        Socket = socket;
        MemoryPool = memory;
        _options = options;
        _logger = logger;
        socket.GetEndpoints(out Endpoint local, out Endpoint remote);
        LocalEndPoint = local.ToIPEndPoint();
        RemoteEndPoint = remote.ToIPEndPoint();

        Pipe input = new(inputOptions);
        Pipe output = new(outputOptions);
        _input = input.Writer;
        _output = output.Reader;
        Transport = _ownTransport = new DuplexPipe(input.Reader, output.Writer);
        ConnectionClosed = _closedSource.Token;

        FeatureCollection features = new(8);
        features.Set<IConnectionIdFeature>(this);
        features.Set<IConnectionTransportFeature>(this);
        features.Set<IConnectionItemsFeature>(this);
        features.Set<IConnectionLifetimeFeature>(this);
        features.Set<IConnectionEndPointFeature>(this);
        features.Set<IMemoryPoolFeature>(this);
        features.Set<IPorticoSocketFeature>(this);
        Features = features;
    }

    /// <inheritdoc/>
    public TcpSocket Socket { get; }

    /// <inheritdoc/>
    public MemoryPool<byte> MemoryPool { get; }

    /// <inheritdoc/>
    public override IFeatureCollection Features { get; }

    /// <inheritdoc/>
    public override IDuplexPipe Transport { get; set; }

    /// <inheritdoc/>
    public override EndPoint? LocalEndPoint { get; set; }

    /// <inheritdoc/>
    public override EndPoint? RemoteEndPoint { get; set; }

    /// <inheritdoc/>
    public override CancellationToken ConnectionClosed { get; set; }

    /// <summary>The engine's name for the connection, which no other one of its stack ever has again.</summary>
    public override string ConnectionId
    {
        get => _id ??= string.Create(
            CultureInfo.InvariantCulture, $"{Socket.Stack.Options.Name}:{Socket.Handle.Index:x}.{Socket.Handle.Generation:x}");
        set => _id = value;
    }

    /// <inheritdoc/>
    public override IDictionary<object, object?> Items
    {
        get => _items ??= new ConnectionItems();
        set => _items = value;
    }

    /// <inheritdoc/>
    public override void Abort() => Abort(new ConnectionAbortedException("The connection was aborted by the application."));

    /// <summary>Resets the connection; what was written and not yet sent is lost.</summary>
    public override void Abort(ConnectionAbortedException abortReason)
    {
        Close(abortReason);
        _output.CancelPendingRead();
    }

    /// <summary>Ends the connection after what was written, and waits for the end.</summary>
    public override async ValueTask DisposeAsync()
    {
        _ownTransport.Input.Complete();
        _ownTransport.Output.Complete();
        await _receiving.ConfigureAwait(false);
        await _sending.ConfigureAwait(false);
        _closedSource.Dispose();
    }

    private sealed class DuplexPipe(PipeReader input, PipeWriter output) : IDuplexPipe
    {
        public PipeReader Input => input;

        public PipeWriter Output => output;
    }
}

namespace Portico.Net;

/// <summary>Records what passes over a link, in both directions, and changes nothing.</summary>
public sealed class CaptureLink : ILink, ILinkClient
{
    private readonly ILink _inner;
    private ILinkClient? _client;

    /// <summary>Records what passes over <paramref name="inner"/> as an interface of that name.</summary>
    public CaptureLink(Engine engine, ILink inner, PcapngWriter writer, string name)
    {
        ArgumentNullException.ThrowIfNull(inner);
        _inner = inner;
        Tap = new CaptureTap(engine, writer, name, inner.Kind);
    }

    /// <summary>Where it records; can be switched off and on.</summary>
    public CaptureTap Tap { get; }

    /// <inheritdoc/>
    public LinkKind Kind => _inner.Kind;

    /// <inheritdoc/>
    public int Mtu => _inner.Mtu;

    /// <inheritdoc/>
    public MacAddress Address => _inner.Address;

    /// <inheritdoc/>
    public LinkFeatures Features => _inner.Features;

    /// <inheritdoc/>
    public void Attach(ILinkClient client)
    {
        _client = client;
        _inner.Attach(this);
    }

    /// <inheritdoc/>
    public void Transmit(Packet packet)
    {
        Tap.Record(packet, isInbound: false);
        _inner.Transmit(packet);
    }

    /// <inheritdoc/>
    public void HandleFrame(Packet packet)
    {
        Tap.Record(packet, isInbound: true);
        _client!.HandleFrame(packet);
    }

    /// <inheritdoc/>
    public void Flush() => _inner.Flush();
}

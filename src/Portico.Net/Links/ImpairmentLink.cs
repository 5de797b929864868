namespace Portico.Net;

/// <summary>
/// Puts the faults of a real path on a link, in each direction by itself: loss, delay, jitter, reordering, duplication, corruption,
/// a rate with a bounded queue. Random choices come from a seed: the same seed and packets give the same faults.
/// </summary>
/// <remarks>
/// Faults hit what is transmitted: with the inner link's segmentation offload that is a whole super-segment at a time. For faults
/// packet by packet, as on a wire, let it advertise less (<see cref="LinkFeatures.None"/>).
/// </remarks>
public sealed class ImpairmentLink : ILink, ILinkClient
{
    private readonly Engine _engine;
    private readonly ILink _inner;
    private ILinkClient? _client;

    /// <summary>Puts faults on <paramref name="inner"/>; <paramref name="features"/> is what remains of its features.</summary>
    public ImpairmentLink(
        Engine engine, ILink inner, ulong seed, Impairment? outbound = null, Impairment? inbound = null, LinkFeatures? features = null)
    {
        ArgumentNullException.ThrowIfNull(engine);
        ArgumentNullException.ThrowIfNull(inner);
        _engine = engine;
        _inner = inner;
        Features = features is { } wanted ? inner.Features & wanted : inner.Features;
        Outbound = new ImpairmentChannel(engine, this, isInbound: false, seed, outbound ?? new Impairment());
        Inbound = new ImpairmentChannel(engine, this, isInbound: true, seed + 1, inbound ?? new Impairment());
    }

    /// <summary>What happens to what is sent.</summary>
    public ImpairmentChannel Outbound { get; }

    /// <summary>What happens to what comes in.</summary>
    public ImpairmentChannel Inbound { get; }

    /// <summary>Where dropped packets are recorded, with the reason as their comment; null for nowhere.</summary>
    public CaptureTap? Dropped { get; set; }

    /// <inheritdoc/>
    public LinkKind Kind => _inner.Kind;

    /// <inheritdoc/>
    public int Mtu => _inner.Mtu;

    /// <inheritdoc/>
    public MacAddress Address => _inner.Address;

    /// <inheritdoc/>
    public LinkFeatures Features { get; }

    /// <inheritdoc/>
    public void Attach(ILinkClient client)
    {
        _client = client;
        _inner.Attach(this);
    }

    /// <inheritdoc/>
    public void Transmit(Packet packet) => Outbound.Submit(packet);

    /// <inheritdoc/>
    public void HandleFrame(Packet packet) => Inbound.Submit(packet);

    /// <inheritdoc/>
    public void Flush() => _inner.Flush();

    internal void Deliver(Packet packet, bool isInbound, bool isScheduled)
    {
        if (!isInbound)
        {
            _inner.Transmit(packet);
        }
        else if (isScheduled)
        {
            _engine.Post(_client!, packet);
        }
        else
        {
            _client!.HandleFrame(packet);
        }
    }
}

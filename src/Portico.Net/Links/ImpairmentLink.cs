namespace Portico.Net;

/// <summary>
/// Puts the faults of a real path on a link, in each direction by itself, and for some destinations others than for the rest: loss,
/// delay, jitter, reordering, duplication, corruption, a rate with a bounded queue, partitions.
/// </summary>
/// <remarks>
/// What happens to a packet is a function of the seed and of the packet's place in its flow. The same seed therefore loses the same
/// packets of a flow, whatever other flows do at the same time, however the flows mix, and whatever else is set. A flow is known by the
/// address and port that its first packet went to, and its number among the flows to there. Data of TCP goes by its sequence number,
/// counted from the first one; acknowledgements and retransmissions are counted each by themselves, so that their timing does not
/// shift what happens to the data. Burst loss is a chain for each direction of a flow, and so repeats as far as the order of its
/// packets does.
/// </remarks>
public sealed class ImpairmentLink : ILink, ILinkClient
{
    private readonly record struct Entry(ImpairmentTarget Target, ImpairmentRule Rule);

    private readonly Engine _engine;
    private readonly ILink _inner;
    private readonly ulong _seed;
    private readonly LinkFeatures _features;
    private readonly RecentFragments _fragments = new();
    private ILinkClient? _client;
    private ImpairmentFlows? _flows;
    private Entry[] _entries = [];
    private ImpairmentTarget[] _partitions = [];

    /// <summary>Puts faults on <paramref name="inner"/>; <paramref name="features"/> is what remains of its features.</summary>
    public ImpairmentLink(
        Engine engine, ILink inner, ulong seed, Impairment? outbound = null, Impairment? inbound = null, LinkFeatures? features = null)
    {
        ArgumentNullException.ThrowIfNull(engine);
        ArgumentNullException.ThrowIfNull(inner);
        _engine = engine;
        _inner = inner;
        _seed = seed;
        _features = features is { } wanted ? inner.Features & wanted : inner.Features;
        Default = CreateRule([], outbound ?? new Impairment(), inbound ?? new Impairment());
    }

    /// <summary>What happens to the packets that no rule is about.</summary>
    public ImpairmentRule Default { get; }

    /// <summary>What happens to what is sent, unless a rule says otherwise.</summary>
    public ImpairmentChannel Outbound => Default.Outbound;

    /// <summary>What happens to what comes in, unless a rule says otherwise.</summary>
    public ImpairmentChannel Inbound => Default.Inbound;

    /// <summary>
    /// Whether rules and partitions name the end of a flow that is on this side of the link, and not the far one: on the gateway's
    /// interface, which stands for the whole internet.
    /// </summary>
    public bool NamesNearEnd { get; init; }

    /// <summary>The most flows whose progress is remembered; the one that was silent longest makes room for a new one.</summary>
    public int FlowsMax { get; init; } = 1024;

    /// <summary>Flows that were forgotten for want of room. Their next packet begins a new flow.</summary>
    public long FlowEvictions => _flows?.Evictions ?? 0;

    /// <summary>The most pairs of a target and a rule, and the most partitions: each is compared with each packet.</summary>
    public int TargetsMax { get; init; } = 1024;

    /// <summary>
    /// Whether the sender is to hand over packets as a wire would carry them, so that a capture in front shows what is hit. Super-segments
    /// are cut here where that is needed, also if the sender does not.
    /// </summary>
    public bool WantsPackets { get; set; }

    /// <summary>Where dropped packets are recorded, with the reason as their comment; null for nowhere.</summary>
    public CaptureTap? Dropped { get; set; }

    /// <inheritdoc/>
    public LinkKind Kind => _inner.Kind;

    /// <inheritdoc/>
    public int Mtu => _inner.Mtu;

    /// <inheritdoc/>
    public MacAddress Address => _inner.Address;

    /// <inheritdoc/>
    public LinkFeatures Features => WantsPackets ? _features & ~Segmentation.AllFeatures : _features;

    /// <summary>Packets that wait for a rate or are under way, in either direction, those of the rules in force included.</summary>
    public int PacketsHeld
    {
        get
        {
            int sum = Held(Default);
            for (int i = 0; i < _entries.Length; i++)
            {
                // A rule with several targets stands there several times.
                bool isCounted = false;
                for (int j = 0; j < i && !isCounted; j++)
                {
                    isCounted = _entries[j].Rule == _entries[i].Rule;
                }

                sum += isCounted ? 0 : Held(_entries[i].Rule);
            }

            return sum;
        }
    }

    internal ImpairmentFlows Flows => _flows ??= new ImpairmentFlows(_seed, FlowsMax);

    /// <summary>Makes a rule for this link, which is in force once <see cref="SetRules"/> has it.</summary>
    public ImpairmentRule CreateRule(IReadOnlyList<ImpairmentTarget> targets, Impairment outbound, Impairment inbound)
    {
        ArgumentNullException.ThrowIfNull(targets);
        ArgumentNullException.ThrowIfNull(outbound);
        ArgumentNullException.ThrowIfNull(inbound);
        return new ImpairmentRule(this, _engine, [.. targets], outbound, inbound);
    }

    /// <summary>
    /// Lets the packets of one channel wait in the queue of another for its rate, as several paths lead through one line; null for its own
    /// again.
    /// </summary>
    public static void ShareRate(ImpairmentChannel channel, ImpairmentChannel? of)
    {
        ArgumentNullException.ThrowIfNull(channel);
        channel.Queue = (of ?? channel).OwnQueue;
    }

    /// <summary>
    /// Puts rules in force in place of those before. For each packet the most specific target decides: the longer prefix, then one with a
    /// port, then the first. Packets that are under way by an old rule arrive by it. Errors: ENOBUFS for more than
    /// <see cref="TargetsMax"/>, and nothing is changed.
    /// </summary>
    public Errno SetRules(IReadOnlyList<ImpairmentRule> rules, IReadOnlyList<ImpairmentTarget> partitions)
    {
        ArgumentNullException.ThrowIfNull(rules);
        ArgumentNullException.ThrowIfNull(partitions);
        List<Entry> entries = [];
        foreach (ImpairmentRule rule in rules)
        {
            foreach (ImpairmentTarget target in rule.Targets)
            {
                entries.Add(new Entry(target, rule));
            }
        }

        if (entries.Count > TargetsMax || partitions.Count > TargetsMax)
        {
            return Errno.ENOBUFS;
        }

        // OrderBy keeps the order of what is equal.
        _entries = [.. entries.OrderByDescending(e => e.Target.Prefix.Length + (e.Target.Prefix.Address.IsIpv4 ? 96 : 0))
            .ThenBy(e => e.Target.Port == 0)];
        _partitions = [.. partitions];
        Default.Outbound.OwnQueue.Hasten();
        Default.Inbound.OwnQueue.Hasten();
        foreach (ImpairmentRule rule in rules)
        {
            rule.Outbound.OwnQueue.Hasten();
            rule.Inbound.OwnQueue.Hasten();
        }

        return Errno.None;
    }

    /// <inheritdoc/>
    public void Attach(ILinkClient client)
    {
        _client = client;
        _inner.Attach(this);
    }

    /// <inheritdoc/>
    public void Transmit(Packet packet) => Submit(packet, isInbound: false);

    /// <inheritdoc/>
    public void HandleFrame(Packet packet) => Submit(packet, isInbound: true);

    /// <inheritdoc/>
    public void Flush() => _inner.Flush();

    private void Submit(Packet packet, bool isInbound)
    {
        ImpairmentChannel channel = isInbound ? Default.Inbound : Default.Outbound;
        bool isSorted = _entries.Length > 0 || _partitions.Length > 0;
        PacketFlow flow = default;
        if (isSorted || channel.Settings.IsRandom)
        {
            flow = PacketFlow.Read(packet, Kind, isInbound, _fragments);
        }

        if (isSorted)
        {
            IpAddress address = NamesNearEnd ? flow.Near : flow.Far;
            ushort port = NamesNearEnd ? flow.NearPort : flow.FarPort;
            foreach (ref readonly ImpairmentTarget partition in _partitions.AsSpan())
            {
                if (partition.Matches(address, port))
                {
                    channel.DropAsPartitioned(packet);
                    return;
                }
            }

            channel = Find(address, port, isInbound) ?? channel;
        }

        if (packet.GsoSize > 0 && channel.Settings.HitsPackets)
        {
            Cut(packet, flow, channel, isInbound);
        }
        else
        {
            channel.Submit(packet, flow);
        }
    }

    private ImpairmentChannel? Find(in IpAddress address, ushort port, bool isInbound)
    {
        foreach (ref readonly Entry entry in _entries.AsSpan())
        {
            if (entry.Target.Matches(address, port))
            {
                return isInbound ? entry.Rule.Inbound : entry.Rule.Outbound;
            }
        }

        return null;
    }

    private void Cut(Packet packet, PacketFlow flow, ImpairmentChannel channel, bool isInbound)
    {
        if (!Segmentation.TryBegin(packet, out Segmentation cutter))
        {
            channel.Submit(packet, flow);
            return;
        }

        while (!cutter.IsDone)
        {
            Packet? segment = cutter.Next(_engine.Packets);
            if (segment == null)
            {
                channel.DropForWantOfMemory(packet);
                return;
            }

            channel.Submit(segment, PacketFlow.Read(segment, Kind, isInbound, _fragments));
        }

        packet.Release();
    }

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

    private static int Held(ImpairmentRule rule) => Held(rule.Outbound) + Held(rule.Inbound);

    private static int Held(ImpairmentChannel channel) => channel.QueuedPackets + channel.InFlightPackets;
}

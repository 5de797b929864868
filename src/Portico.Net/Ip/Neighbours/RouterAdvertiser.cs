// RFC 4861 6.2: the router's side.
namespace Portico.Net;

/// <summary>A prefix that a router advertises.</summary>
public readonly record struct AdvertisedPrefix(IpPrefix Prefix)
{
    /// <summary>Addresses with the prefix are on the link.</summary>
    public bool IsOnLink { get; init; } = true;

    /// <summary>Hosts make addresses with the prefix.</summary>
    public bool IsAutonomous { get; init; } = true;

    /// <summary>AdvValidLifetime (RFC 4861 6.2.1).</summary>
    public uint ValidLifetimeSeconds { get; init; } = 2_592_000;

    /// <summary>AdvPreferredLifetime.</summary>
    public uint PreferredLifetimeSeconds { get; init; } = 604_800;
}

/// <summary>What a router advertises on an interface, with the names of RFC 4861 6.2.1.</summary>
public sealed class RouterAdvertisementOptions
{
    /// <summary>The prefixes, at most 4.</summary>
    public IReadOnlyList<AdvertisedPrefix> Prefixes { get; init; } = [];

    /// <summary>DNS servers (RFC 8106), at most 2.</summary>
    public IReadOnlyList<IpAddress> DnsServers { get; init; } = [];

    /// <summary>AdvDefaultLifetime; 0: not a default router.</summary>
    public ushort RouterLifetimeSeconds { get; init; } = 1800;

    /// <summary>AdvCurHopLimit; 0: not said.</summary>
    public byte CurHopLimit { get; init; } = 64;

    /// <summary>AdvLinkMTU; 0: not said.</summary>
    public int LinkMtu { get; init; }

    /// <summary>AdvReachableTime; 0: not said.</summary>
    public uint ReachableTimeMillis { get; init; }

    /// <summary>AdvRetransTimer; 0: not said.</summary>
    public uint RetransTimerMillis { get; init; }

    /// <summary>MinRtrAdvInterval.</summary>
    public Duration MinRtrAdvInterval { get; init; } = Duration.FromSeconds(198);

    /// <summary>MaxRtrAdvInterval.</summary>
    public Duration MaxRtrAdvInterval { get; init; } = Duration.FromSeconds(600);
}

/// <summary>Sends router advertisements on one interface, by itself and when it is asked.</summary>
public sealed class RouterAdvertiser : IScheduled
{
    private const int MaxInitialRtrAdvertisements = 3;
    private const int PrefixesMax = 4;
    private const int DnsServersMax = 2;

    private static readonly Duration s_maxInitialRtrAdvertInterval = Duration.FromSeconds(16);
    private static readonly Duration s_maxRaDelayTime = Duration.FromMilliseconds(500);
    private static readonly Duration s_minDelayBetweenRas = Duration.FromSeconds(3);

    private readonly NetworkInterface _interface;
    private readonly NeighbourTable _table;
    private readonly Engine _engine;
    private MonoTime _nextAt = MonoTime.Never;
    private MonoTime _lastAt = MonoTime.Never;
    private int _sent;
    private bool _stopped;

    internal RouterAdvertiser(NetworkInterface owner, NeighbourTable table, RouterAdvertisementOptions options)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(options.Prefixes.Count, PrefixesMax);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(options.DnsServers.Count, DnsServersMax);
        _interface = owner;
        _table = table;
        _engine = owner.Stack.Engine;
        Options = options;
    }

    /// <summary>What is advertised.</summary>
    public RouterAdvertisementOptions Options { get; }

    internal void Start()
    {
        _interface.Multicast.Join(NeighbourDiscovery.AllRouters);
        HandleLinkLocalReady();
    }

    /// <summary>The link-local address, without which no advertisement may be sent, can be used.</summary>
    internal void HandleLinkLocalReady()
    {
        if (!_interface.Configuration!.LinkLocalAddress().IsUnspecified)
        {
            SendAt(_engine.Now);
        }
    }

    internal void Stop()
    {
        if (_sent > 0)
        {
            Send(routerLifetimeSeconds: 0);
        }

        _stopped = true;
        _interface.Multicast.Leave(NeighbourDiscovery.AllRouters);
    }

    /// <summary>A host asks: it is answered, with all others, after a random delay but not sooner than 3 s after the last time.</summary>
    internal void HandleSolicitation()
    {
        MonoTime at = _engine.Now + new Duration((long)(_engine.Random.NextDouble() * s_maxRaDelayTime.Nanoseconds));
        if (_lastAt != MonoTime.Never)
        {
            at = MonoTime.Max(at, _lastAt + s_minDelayBetweenRas);
        }

        if (!_interface.Configuration!.LinkLocalAddress().IsUnspecified)
        {
            SendAt(at);
        }
    }

    /// <inheritdoc/>
    void IScheduled.OnTime(long cookie)
    {
        if (_stopped || _nextAt > _engine.Now)
        {
            return;
        }

        _nextAt = MonoTime.Never;
        Send(Options.RouterLifetimeSeconds);
        _sent++;
        _lastAt = _engine.Now;
        Duration spread = Options.MaxRtrAdvInterval - Options.MinRtrAdvInterval;
        Duration interval = Options.MinRtrAdvInterval + new Duration((long)(_engine.Random.NextDouble() * spread.Nanoseconds));
        SendAt(_engine.Now + (_sent < MaxInitialRtrAdvertisements ? Duration.Min(interval, s_maxInitialRtrAdvertInterval) : interval));
    }

    private void SendAt(MonoTime time)
    {
        if (time < _nextAt)
        {
            _nextAt = time;
            _engine.Schedule(time, this, 0);
        }
    }

    private void Send(ushort routerLifetimeSeconds)
    {
        IpAddress source = _interface.Configuration!.LinkLocalAddress();
        if (source.IsUnspecified)
        {
            return;
        }

        int dnsBytes = Options.DnsServers.Count == 0 ? 0 : 8 + (Options.DnsServers.Count * 16);
        int length = RouterAdvertisement.Length + NdOption.LinkAddressLength + (Options.LinkMtu == 0 ? 0 : NdOption.MtuLength)
            + (Options.Prefixes.Count * PrefixInformation.Length) + dnsBytes;
        Packet packet = _table.Discovery.Rent(length, out Span<byte> message);
        RouterAdvertisement.Write(
            message, Options.CurHopLimit, 0, routerLifetimeSeconds, Options.ReachableTimeMillis, Options.RetransTimerMillis);
        Span<byte> rest = message[RouterAdvertisement.Length..];
        NdOption.WriteLinkAddress(rest, NdOptionKind.SourceLinkLayerAddress, _interface.Link.Address);
        rest = rest[NdOption.LinkAddressLength..];
        if (Options.LinkMtu != 0)
        {
            NdOption.WriteMtu(rest, (uint)Options.LinkMtu);
            rest = rest[NdOption.MtuLength..];
        }

        for (int i = 0; i < Options.Prefixes.Count; i++)
        {
            AdvertisedPrefix prefix = Options.Prefixes[i];
            PrefixInformation.Write(
                rest,
                prefix.Prefix.Network,
                prefix.IsOnLink,
                prefix.IsAutonomous,
                prefix.ValidLifetimeSeconds,
                prefix.PreferredLifetimeSeconds);
            rest = rest[PrefixInformation.Length..];
        }

        if (dnsBytes > 0)
        {
            Span<IpAddress> servers = stackalloc IpAddress[DnsServersMax];
            for (int i = 0; i < Options.DnsServers.Count; i++)
            {
                servers[i] = Options.DnsServers[i];
            }

            // RFC 8106 5.1: three times MaxRtrAdvInterval by default.
            RecursiveDnsServers.Write(
                rest, (uint)(Options.MaxRtrAdvInterval.Seconds * 3), servers[..Options.DnsServers.Count]);
        }

        _table.Discovery.SendRouterAdvertisement(packet, source);
    }
}

using Portico.Net;

namespace Portico.Simulation;

/// <summary>Two hosts that can reach each other in a soak, and what lies between them.</summary>
/// <param name="First">One host.</param>
/// <param name="Second">The other.</param>
/// <param name="FirstIpv4">The first's address that the second reaches it at.</param>
/// <param name="SecondIpv4">The second's address.</param>
/// <param name="FirstIpv6">The same for IPv6; unspecified where the MTU is too small for it.</param>
/// <param name="SecondIpv6">The second's.</param>
/// <param name="Mtu">The smallest MTU between them.</param>
/// <param name="IsFaulty">Whether packets may be lost between them.</param>
/// <param name="Corrupts">Whether bits may be flipped.</param>
internal sealed record SoakPath(
    WorldHost First, WorldHost Second, IpAddress FirstIpv4, IpAddress SecondIpv4, IpAddress FirstIpv6, IpAddress SecondIpv6, int Mtu,
    bool IsFaulty, bool Corrupts);

/// <summary>Hosts, links and faults of one soak, all drawn from the world's random numbers.</summary>
internal sealed class SoakTopology : IScheduled
{
    private const int MtuShift = 32;

    private readonly World _world;
    private readonly List<WorldLink> _links = [];
    private readonly List<SoakPath> _paths = [];

    public SoakTopology(World world, RandomSource? features, RandomSource? later)
    {
        _world = world;
        RandomSource random = world.Random;
        int hostCount = random.Between(2, 6);
        for (int i = 0; i < hostCount; i++)
        {
            Configure(world.AddHost($"h{i}").Stack, random);
            if (features != null)
            {
                SoakFeatures.DrawSettings(features, world.Hosts[^1].Stack.Tcp.Settings);
            }

            if (later != null)
            {
                SoakFeatures.DrawLaterSettings(later, world.Hosts[^1].Stack.Tcp.Settings);
            }
        }

        bool hasSwitch = random.NextChance(0.35);
        if (hasSwitch)
        {
            JoinBySwitch(random);
        }
        else
        {
            JoinByCables(random);
        }

        CorruptOneLink(random);
        if (hasSwitch)
        {
            AddSwitchPaths();
        }
        else if (hostCount > 2 && random.NextChance(0.6))
        {
            AddRoutedPaths();
        }
        else
        {
            _links.ForEach(link => AddPath(link.First, link.Second!, link.Cable.A.Mtu, IsFaulty(link), Corrupts(link)));
        }

        CutSome(random);
        if (features != null)
        {
            ChangeMtus(features);
            MarkSome(features);
        }
    }

    /// <summary>Pairs of hosts with a way between them.</summary>
    public IReadOnlyList<SoakPath> Paths => _paths;

    /// <summary>What the links have done, for reports.</summary>
    public long Drops
    {
        get
        {
            long drops = 0;
            foreach (WorldLink link in _links)
            {
                drops += DropsOf(link.Forward) + DropsOf(link.Backward) + link.Cable.A.NoReceiverDrops + link.Cable.B.NoReceiverDrops;
            }

            return drops;
        }
    }

    /// <summary>Packets marked with congestion experienced.</summary>
    public long Marks => _links.Sum(static link => MarksOf(link.Forward) + MarksOf(link.Backward));

    private static long MarksOf(ImpairmentChannel? channel) => channel == null ? 0 : channel.Counters[ImpairmentCounter.Marked];

    /// <summary>
    /// Cuts a cable, or mends it: the cookie is twice the link's number, plus 1 to cut. Above <see cref="MtuShift"/> there may be an MTU that
    /// the interfaces of the link get instead.
    /// </summary>
    public void OnTime(long cookie)
    {
        if (cookie >> MtuShift != 0)
        {
            WorldLink changed = _links[(int)(cookie & ((1L << MtuShift) - 1))];
            changed.First.Mtu = (int)(cookie >> MtuShift);
            if (changed.Second != null)
            {
                changed.Second.Mtu = (int)(cookie >> MtuShift);
            }

            return;
        }

        Cable cable = _links[(int)(cookie >> 1)].Cable;
        cable.A.IsCut = cable.B.IsCut = (cookie & 1) != 0;
    }

    private static long DropsOf(ImpairmentChannel? channel) =>
        channel == null
            ? 0
            : channel.Counters[ImpairmentCounter.LossDrops] + channel.Counters[ImpairmentCounter.QueueDrops]
                + channel.Counters[ImpairmentCounter.Corrupted] + channel.Counters[ImpairmentCounter.InFlightDrops];

    private static void Configure(NetworkStack stack, RandomSource random)
    {
        TcpSettings tcp = stack.Tcp.Settings;
        tcp.tcp_timestamps = random.NextChance(0.8);
        tcp.tcp_sack = random.NextChance(0.85);
        tcp.tcp_dsack = random.NextChance(0.8);
        tcp.tcp_window_scaling = random.NextChance(0.85);
        tcp.tcp_congestion_control = random.NextChance(0.6) ? TcpCongestion.Cubic : random.NextChance(0.5) ? TcpCongestion.Reno : TcpCongestion.Bbr;
        tcp.fq = random.NextChance(0.2);
    }

    private void JoinBySwitch(RandomSource random)
    {
        WorldSwitch center = _world.AddSwitch();
        int mtu = DrawMtu(random);
        LinkFeatures features = DrawFeatures(random);
        foreach (WorldHost host in _world.Hosts)
        {
            _links.Add(_world.Connect(host, center, DrawLink(random, mtu, features)));
        }
    }

    private void AddSwitchPaths()
    {
        for (int i = 1; i < _links.Count; i++)
        {
            for (int j = 0; j < i; j++)
            {
                (WorldLink a, WorldLink b) = (_links[i], _links[j]);
                AddPath(a.First, b.First, a.Cable.A.Mtu, IsFaulty(a) || IsFaulty(b), Corrupts(a) || Corrupts(b));
            }
        }
    }

    /// <summary>Each host but the first is joined to one before it: a tree.</summary>
    private void JoinByCables(RandomSource random)
    {
        for (int i = 1; i < _world.Hosts.Count; i++)
        {
            WorldHost other = _world.Hosts[(int)random.NextBelow((uint)i)];
            _links.Add(_world.Connect(_world.Hosts[i], other, DrawLink(random, DrawMtu(random), DrawFeatures(random))));
        }
    }

    /// <summary>Makes routers of the hosts, and paths between all of them.</summary>
    private void AddRoutedPaths()
    {
        foreach (WorldHost host in _world.Hosts)
        {
            host.Stack.Ip.Options.ip_forward = true;
            host.Stack.Ip.Options.ip6_forward = true;
        }

        foreach (WorldHost host in _world.Hosts)
        {
            AddRoutesFrom(host, host, null, null, int.MaxValue, false, false);
        }
    }

    /// <summary>Walks the tree away from a host and gives it routes to the networks that it finds.</summary>
    private void AddRoutesFrom(
        WorldHost origin, WorldHost at, WorldLink? cameBy, NetworkInterface? firstHop, int mtu, bool isFaulty, bool corrupts)
    {
        foreach (WorldLink link in _links)
        {
            bool isFirst = link.First.Stack == at.Stack;
            if (link == cameBy || (!isFirst && link.Second!.Stack != at.Stack))
            {
                continue;
            }

            NetworkInterface far = isFirst ? link.Second! : link.First;
            NetworkInterface hop = firstHop ?? far;
            if (firstHop != null)
            {
                AddRoute(origin, far, hop);
            }

            WorldHost next = HostOf(far);
            int pathMtu = Math.Min(mtu, link.Cable.A.Mtu);
            bool pathIsFaulty = isFaulty || IsFaulty(link);
            bool pathCorrupts = corrupts || Corrupts(link);
            NetworkInterface near = firstHop == null ? (isFirst ? link.First : link.Second!) : OwnInterface(origin, hop);
            AddPath(near, far, pathMtu, pathIsFaulty, pathCorrupts);
            AddRoutesFrom(origin, next, link, hop, pathMtu, pathIsFaulty, pathCorrupts);
        }
    }

    /// <summary>The interface by which a host reaches a neighbour's interface directly.</summary>
    private NetworkInterface OwnInterface(WorldHost host, NetworkInterface neighbour)
    {
        foreach (WorldLink link in _links)
        {
            if (link.First == neighbour && link.Second!.Stack == host.Stack)
            {
                return link.Second;
            }

            if (link.Second == neighbour && link.First.Stack == host.Stack)
            {
                return link.First;
            }
        }

        throw new SimulationException("not a neighbour");
    }

    private void AddRoute(WorldHost origin, NetworkInterface far, NetworkInterface hop)
    {
        int index = OwnInterface(origin, hop).Index;
        foreach (InterfaceAddress address in far.Addresses)
        {
            IpAddress gateway = AddressOf(hop, address.Address.IsIpv4);
            if (!address.Address.IsLinkLocal && !gateway.IsUnspecified)
            {
                origin.Stack.Ip.Routes.Add(new Route { Destination = address.Prefix.Network, Gateway = gateway, InterfaceIndex = index });
            }
        }
    }

    /// <summary>A path has an IPv6 address at each end only where all of its links can carry IPv6.</summary>
    private void AddPath(NetworkInterface first, NetworkInterface second, int mtu, bool isFaulty, bool corrupts)
    {
        bool hasIpv6 = mtu >= 1280;
        _paths.Add(new SoakPath(
            HostOf(first), HostOf(second), AddressOf(first, true), AddressOf(second, true), hasIpv6 ? AddressOf(first, false) : default,
            hasIpv6 ? AddressOf(second, false) : default, mtu, isFaulty, corrupts));
    }

    /// <summary>
    /// Only one, so that no packet is hit twice: two flipped bits can cancel out in the Internet checksum, which is nobody's fault.
    /// </summary>
    private void CorruptOneLink(RandomSource random)
    {
        WorldLink link = _links[(int)random.NextBelow((uint)_links.Count)];
        double chance = random.NextChance(0.5) ? random.NextDouble() * 0.02 : 0;
        if (link.Forward != null)
        {
            link.Forward.Settings.Corrupt = chance;
        }

        if (link.Backward != null)
        {
            link.Backward.Settings.Corrupt = chance;
        }
    }

    private static bool Corrupts(WorldLink link) => link.Forward?.Settings.Corrupt > 0 || link.Backward?.Settings.Corrupt > 0;

    private WorldHost HostOf(NetworkInterface networkInterface)
    {
        foreach (WorldHost host in _world.Hosts)
        {
            if (host.Stack == networkInterface.Stack)
            {
                return host;
            }
        }

        throw new SimulationException("an interface of no host");
    }

    private static IpAddress AddressOf(NetworkInterface networkInterface, bool isIpv4)
    {
        foreach (InterfaceAddress own in networkInterface.Addresses)
        {
            if (own.Address.IsIpv4 == isIpv4 && !own.Address.IsLinkLocal)
            {
                return own.Address;
            }
        }

        return default;
    }

    private static bool IsFaulty(WorldLink link) => link.Forward != null || link.Backward != null;

    private static int DrawMtu(RandomSource random) => random.OneOf<int>([576, 1280, 1400, 1500, 1500, 1500, 4000, 9000, 65535]);

    private static LinkFeatures DrawFeatures(RandomSource random) =>
        random.NextChance(0.35) ? LinkOptions.Fast.Features : LinkFeatures.None;

    private static LinkOptions DrawLink(RandomSource random, int mtu, LinkFeatures features) => new()
    {
        Kind = random.NextChance(0.5) ? LinkKind.Ip : LinkKind.Ethernet,
        Mtu = mtu,
        Features = features,
        Forward = DrawImpairment(random),
        Backward = DrawImpairment(random),
    };

    private static Impairment? DrawImpairment(RandomSource random)
    {
        if (random.NextChance(0.25))
        {
            return null;
        }

        Impairment faults = new();
        if (random.NextChance(0.5))
        {
            faults.Loss = random.NextDouble() * random.OneOf<double>([0.01, 0.03, 0.1]);
        }

        if (random.NextChance(0.2))
        {
            // Bursts are counted in packets: a long one would eat a lonely sender's retransmissions for minutes.
            double leave = 0.5 + (random.NextDouble() * 0.5);
            faults.BurstLoss = new GilbertElliott(random.NextDouble() * 0.02, leave, 0, 0.3 + (random.NextDouble() * 0.6));
        }

        if (random.NextChance(0.7))
        {
            faults.Delay = random.DurationBetween(Duration.FromMicroseconds(10), Duration.FromMilliseconds(300));
            faults.Jitter = random.NextChance(0.5) ? new Duration((long)(faults.Delay.Nanoseconds * random.NextDouble())) : Duration.Zero;
            faults.JitterReorders = random.NextChance(0.3);
        }

        if (random.NextChance(0.3))
        {
            faults.Reorder = random.NextDouble() * 0.2;
            faults.ReorderGap = random.Between(1, 10);
            faults.ReorderDelay = random.DurationBetween(Duration.FromMicroseconds(10), Duration.FromMilliseconds(50));
        }

        if (random.NextChance(0.3))
        {
            faults.Duplicate = random.NextDouble() * 0.05;
        }

        if (random.NextChance(0.4))
        {
            faults.RateBitsPerSecond = random.LogBetween(200_000, 1_000_000_000);
            faults.QueuePacketsMax = (int)random.LogBetween(8, 1000);
        }

        return faults;
    }

    /// <summary>Some cables are out for a while, now and then.</summary>
    private void CutSome(RandomSource random)
    {
        if (!random.NextChance(0.15))
        {
            return;
        }

        for (int i = random.Between(1, 4); i > 0; i--)
        {
            int link = (int)random.NextBelow((uint)_links.Count);
            MonoTime from = _world.Engine.Now + random.DurationBetween(Duration.FromMilliseconds(10), Duration.FromSeconds(60));
            MonoTime to = from + random.DurationBetween(Duration.FromMilliseconds(10), Duration.FromSeconds(10));
            _world.Engine.Schedule(from, this, (link * 2) + 1);
            _world.Engine.Schedule(to, this, link * 2);
        }

        HasCuts = true;
    }

    /// <summary>The interfaces of some links get another MTU while they are in use: connections find out by themselves, or by ICMP.</summary>
    private void ChangeMtus(RandomSource random)
    {
        for (int i = random.NextChance(0.3) ? random.Between(1, 4) : 0; i > 0; i--)
        {
            int link = random.Between(0, _links.Count - 1);
            int most = _links[link].Cable.A.Mtu;
            int least = most < 1280 ? 576 : 1280;
            long mtu = random.LogBetween(least, most);
            MonoTime at = _world.Engine.Now + random.DurationBetween(Duration.FromMilliseconds(10), Duration.FromSeconds(60));
            _world.Engine.Schedule(at, this, (mtu << MtuShift) | (uint)link);
        }
    }

    /// <summary>Some links mark packets of connections with ECN rather than lose them.</summary>
    private void MarkSome(RandomSource random)
    {
        foreach (WorldLink link in _links)
        {
            double chance = random.NextChance(0.3) ? random.NextDouble() * 0.1 : 0;
            if (link.Forward != null)
            {
                link.Forward.Settings.Mark = chance;
            }

            if (link.Backward != null)
            {
                link.Backward.Settings.Mark = chance;
            }
        }
    }

    /// <summary>Whether cables are cut in the course of it.</summary>
    public bool HasCuts { get; private set; }
}

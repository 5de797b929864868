using Portico.Net;

namespace Portico.Simulation;

/// <summary>Settings of a <see cref="World"/>.</summary>
public sealed class WorldOptions
{
    /// <summary>Packets delivered in one step, before owners of sockets are told.</summary>
    public int PacketsPerStepMax { get; init; } = 1000;

    /// <summary>The most steps in which time stands still; more of them mean that something goes round in circles.</summary>
    public int StepsPerInstantMax { get; init; } = 100_000;

    /// <summary>The most steps in all.</summary>
    public long StepsMax { get; init; } = long.MaxValue;

    /// <summary>The most native memory for packets and buffers, in bytes.</summary>
    public long BufferBytesMax { get; init; } = 1L << 30;

    /// <summary>Where everything that passes over the world's links is recorded as pcapng; null for nowhere.</summary>
    public Stream? Capture { get; init; }

    /// <summary>Whether TCP segments in the capture get a comment with the congestion window of their sender, as <c>portico plot</c> draws it.</summary>
    public bool CaptureCongestionWindow { get; init; }
}

/// <summary>
/// Hosts and links under one virtual clock and one seed. Time jumps from one deadline to the next, so hours pass in a moment, and the
/// same seed and calls give the same packets at the same nanoseconds.
/// </summary>
public sealed class World : IDisposable
{
    private readonly WorldOptions _options;
    private readonly List<WorldHost> _hosts = [];
    private int _networkCount;
    private int _stepsAtInstant;

    /// <summary>Makes an empty world at time zero.</summary>
    public World(ulong seed, WorldOptions? options = null)
    {
        _options = options ?? new WorldOptions();
        Seed = seed;
        Engine = new Engine(new EngineOptions { Seed = seed, BufferBytesMax = _options.BufferBytesMax });
        Random = new RandomSource(seed ^ 0x5EED_0F_7E57);
        CaptureWriter = _options.Capture == null ? null : new PcapngWriter(_options.Capture);
    }

    /// <summary>Where all random choices come from.</summary>
    public ulong Seed { get; }

    /// <summary>What all hosts and links share.</summary>
    public Engine Engine { get; }

    /// <summary>Random numbers for who plays the applications; not the engine's, so that neither disturbs the other.</summary>
    public RandomSource Random { get; }

    /// <summary>The virtual time since the world was made.</summary>
    public Duration Now => Engine.Now - MonoTime.Zero;

    /// <summary>Steps taken so far.</summary>
    public long Steps { get; private set; }

    /// <summary>The hosts, in the order in which they were added.</summary>
    public IReadOnlyList<WorldHost> Hosts => _hosts;

    /// <summary>The capture; null unless <see cref="WorldOptions.Capture"/> is set.</summary>
    public PcapngWriter? CaptureWriter { get; }

    /// <summary>Adds a host that has only its loopback interface.</summary>
    public WorldHost AddHost(string name)
    {
        WorldHost host = new(this, name);
        _hosts.Add(host);
        return host;
    }

    /// <summary>Adds a switch, which makes up a network of its own.</summary>
    public WorldSwitch AddSwitch(SwitchOptions? options = null) => new(new Switch(Engine, options), ++_networkCount);

    /// <summary>
    /// Joins two hosts by a cable on which they get addresses: network n is 10.h.l.0/24 and fd00:0:0:n::/64, where n = 256 h + l; the
    /// first is number 1, the second number 2.
    /// </summary>
    public WorldLink Connect(WorldHost first, WorldHost second, LinkOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(first);
        ArgumentNullException.ThrowIfNull(second);
        options ??= new LinkOptions();
        int network = ++_networkCount;
        Cable cable = new(Engine, new CableOptions { Kind = options.Kind, Mtu = options.Mtu, Features = options.Features });
        string firstName = first.NextInterfaceName();
        string secondName = second.NextInterfaceName();
        ILink a = Decorate(cable.A, options.Forward, $"{first.Name}/{firstName}", out ImpairmentChannel? forward);
        ILink b = Decorate(cable.B, options.Backward, $"{second.Name}/{secondName}", out ImpairmentChannel? backward);
        NetworkInterface firstInterface = AddInterface(first, firstName, a, network, 1);
        NetworkInterface secondInterface = AddInterface(second, secondName, b, network, 2);
        return new WorldLink(cable, firstInterface, secondInterface, forward, backward);
    }

    /// <summary>Plugs a host into a switch; hosts get the numbers 1, 2, ... in the switch's network.</summary>
    public WorldLink Connect(WorldHost host, WorldSwitch to, LinkOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(host);
        ArgumentNullException.ThrowIfNull(to);
        options ??= new LinkOptions();
        Cable cable = new(Engine, new CableOptions { Kind = LinkKind.Ethernet, Mtu = options.Mtu, Features = options.Features });
        string name = host.NextInterfaceName();
        ILink hostEnd = Decorate(cable.A, options.Forward, $"{host.Name}/{name}", out ImpairmentChannel? forward);
        ILink switchEnd = Impair(cable.B, options.Backward, out ImpairmentChannel? backward);
        int number = to.Switch.AddPort(switchEnd) + 1;
        return new WorldLink(cable, AddInterface(host, name, hostEnd, to.Network, number), null, forward, backward);
    }

    /// <summary>
    /// Runs until the predicate holds, which is asked after each step, or the time is up. Returns whether it held. Throws when the
    /// world does not come to rest.
    /// </summary>
    public bool RunUntil(Func<bool> predicate, Duration limit)
    {
        ArgumentNullException.ThrowIfNull(predicate);
        MonoTime end = Engine.Now + limit;
        while (true)
        {
            Engine.DispatchReady();
            if (predicate())
            {
                return true;
            }

            MonoTime next = Engine.NextDeadline;
            if (next > end)
            {
                Engine.Advance(end, _options.PacketsPerStepMax);
                return false;
            }

            Step(next);
        }
    }

    /// <summary>Lets an amount of time pass.</summary>
    public void RunFor(Duration time) => RunUntil(static () => false, time);

    /// <summary>Runs until nothing is scheduled any more, or the time is up. Returns whether all is quiet.</summary>
    public bool RunUntilIdle(Duration limit) => RunUntil(() => Engine.NextDeadline == MonoTime.Never, limit);

    /// <summary>Gives all memory back.</summary>
    public void Dispose()
    {
        CaptureWriter?.Flush();
        Engine.Dispose();
    }

    private void Step(MonoTime next)
    {
        _stepsAtInstant = next > Engine.Now ? 0 : _stepsAtInstant + 1;
        if (_stepsAtInstant > _options.StepsPerInstantMax || ++Steps > _options.StepsMax)
        {
            throw new SimulationException($"seed {Seed}: no rest after {Steps} steps, {_stepsAtInstant} of them at {Engine.Now}");
        }

        Engine.Advance(next, _options.PacketsPerStepMax);
    }

    private ILink Decorate(CableEnd end, Impairment? impairment, string name, out ImpairmentChannel? channel)
    {
        ILink link = Impair(end, impairment, out channel);
        if (CaptureWriter == null)
        {
            return link;
        }

        CaptureLink capture = new(Engine, link, CaptureWriter, name);
        capture.Tap.NotesCongestionWindow = _options.CaptureCongestionWindow;
        if (link is ImpairmentLink faults)
        {
            faults.Dropped = capture.Tap;
        }

        return capture;
    }

    private ILink Impair(CableEnd end, Impairment? impairment, out ImpairmentChannel? channel)
    {
        channel = null;
        if (impairment == null)
        {
            return end;
        }

        ImpairmentLink link = new(Engine, end, Random.NextUInt64(), impairment);
        channel = link.Outbound;
        return link;
    }

    private static NetworkInterface AddInterface(WorldHost host, string name, ILink link, int network, int number)
    {
        NetworkInterface added = host.Stack.AddInterface(name, link);
        IpAddress ipv4 = IpAddress.FromIpv4(10, (byte)(network >> 8), (byte)network, (byte)number);
        IpAddress ipv6 = new(0xFD00_0000_0000_0000 | (ulong)(uint)network, (ulong)number);
        Require(added.AddAddress(new IpPrefix(ipv4, 24)));
        if (link.Mtu >= 1280)
        {
            Require(added.AddAddress(new IpPrefix(ipv6, 64)));
        }

        return added;
    }

    private static void Require(Errno result)
    {
        if (result != Errno.None)
        {
            throw new SimulationException($"cannot add an address: {result}");
        }
    }
}

/// <summary>A switch of a <see cref="World"/> and the network that its hosts are in.</summary>
public sealed class WorldSwitch
{
    internal WorldSwitch(Switch device, int network)
    {
        Switch = device;
        Network = network;
    }

    /// <summary>The switch itself.</summary>
    public Switch Switch { get; }

    /// <summary>The network's number.</summary>
    public int Network { get; }
}

namespace Portico.Net;

/// <summary>Settings of a <see cref="Switch"/>.</summary>
public sealed class SwitchOptions
{
    /// <summary>The most addresses that are remembered; rounded up to a power of two.</summary>
    public int MacTableEntriesMax { get; init; } = 8192;

    /// <summary>How long an address is remembered after it was last seen (IEEE 802.1Q's default).</summary>
    public Duration MacAge { get; init; } = Duration.FromSeconds(300);
}

/// <summary>What a <see cref="Switch"/> has done.</summary>
public enum SwitchCounter
{
#pragma warning disable CS1591 // Names of counters.
    InFrames,
    InBytes,
    OutFrames,
    Forwarded,
    Flooded,

    /// <summary>Destination on the port that it came from.</summary>
    SamePortDrops,

    /// <summary>Too short, or from a group address.</summary>
    MalformedDrops,

    /// <summary>To the addresses that bridges keep for themselves (IEEE 802.1Q 8.6.3).</summary>
    ReservedDrops,

    /// <summary>Longer than the outgoing port's MTU, or a super-segment that the port cannot take.</summary>
    TooLongDrops,

    /// <summary>No memory for a copy to flood.</summary>
    MemoryDrops,
#pragma warning restore CS1591
}

/// <summary>
/// A learning Ethernet switch with any number of ports. It speaks no spanning-tree protocol: whoever joins switches in a ring gets
/// the storm that follows.
/// </summary>
public sealed class Switch
{
    private const int EthernetHeaderBytes = 14;

    private readonly Engine _engine;
    private readonly MacTable _addresses;
    private readonly List<Port> _ports = [];

    /// <summary>Makes a switch without ports.</summary>
    public Switch(Engine engine, SwitchOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(engine);
        options ??= new SwitchOptions();
        _engine = engine;
        _addresses = new MacTable(options.MacTableEntriesMax, options.MacAge, engine.Random.NextUInt64());
    }

    /// <summary>What it has done.</summary>
    public MibTable<SwitchCounter> Counters { get; } = new();

    /// <summary>How many ports there are.</summary>
    public int PortCount => _ports.Count;

    /// <summary>Addresses known and not too old.</summary>
    public int KnownAddresses => _addresses.CountAt(_engine.Now);

    /// <summary>How often a known address was pushed out for want of room.</summary>
    public long AddressEvictions => _addresses.Evictions;

    /// <summary>Makes the switch the client of an Ethernet link, such as a <see cref="Cable"/>'s end; returns the port's number.</summary>
    public int AddPort(ILink link)
    {
        ArgumentNullException.ThrowIfNull(link);
        if (link.Kind != LinkKind.Ethernet)
        {
            throw new ArgumentException("a switch needs Ethernet links", nameof(link));
        }

        Port port = new(this, _ports.Count, link);
        _ports.Add(port);
        link.Attach(port);
        return port.Number;
    }

    /// <summary>Plugs a new cable into a new port and returns its free end.</summary>
    public CableEnd AddPort(CableOptions options)
    {
        Cable cable = new(_engine, options);
        AddPort(cable.B);
        return cable.A;
    }

    private void HandleFrame(Packet frame, int from)
    {
        Counters[SwitchCounter.InFrames]++;
        Counters[SwitchCounter.InBytes] += frame.Length;
        if (!frame.EnsureLinear(EthernetHeaderBytes))
        {
            Drop(frame, SwitchCounter.MalformedDrops);
            return;
        }

        MacAddress destination = MacAddress.Read(frame.Linear);
        MacAddress source = MacAddress.Read(frame.Linear[6..]);
        if (source.IsGroup)
        {
            Drop(frame, SwitchCounter.MalformedDrops);
            return;
        }

        _addresses.Learn(source, from, _engine.Now);
        if (destination.Value >> 4 == 0x0180_C200_000)
        {
            Drop(frame, SwitchCounter.ReservedDrops);
            return;
        }

        int to = destination.IsGroup ? -1 : _addresses.Find(destination, _engine.Now);
        if (to < 0)
        {
            Counters[SwitchCounter.Flooded]++;
            Flood(frame, from);
        }
        else if (to == from)
        {
            Drop(frame, SwitchCounter.SamePortDrops);
        }
        else
        {
            Counters[SwitchCounter.Forwarded]++;
            _ports[to].Send(frame);
        }
    }

    private void Flood(Packet frame, int from)
    {
        int last = from == _ports.Count - 1 ? from - 1 : _ports.Count - 1;
        for (int i = 0; i < last; i++)
        {
            if (i == from)
            {
                continue;
            }

            Packet? copy = _engine.Packets.Clone(frame);
            if (copy == null)
            {
                Counters[SwitchCounter.MemoryDrops]++;
                continue;
            }

            _ports[i].Send(copy);
        }

        if (last < 0)
        {
            frame.Release();
            return;
        }

        _ports[last].Send(frame);
    }

    private void Drop(Packet frame, SwitchCounter why)
    {
        Counters[why]++;
        frame.Release();
    }

    private sealed class Port(Switch owner, int number, ILink link) : ILinkClient
    {
        public int Number => number;

        public void HandleFrame(Packet packet) => owner.HandleFrame(packet, number);

        public void Send(Packet frame)
        {
            bool fits = frame.GsoSize > 0
                ? (link.Features & Segmentation.FeatureFor(frame)) != 0
                : frame.Length <= link.Mtu + EthernetHeaderBytes;
            if (!fits)
            {
                owner.Drop(frame, SwitchCounter.TooLongDrops);
                return;
            }

            if (frame.GsoSize == 0 && frame.Checksum == ChecksumState.Partial && (link.Features & LinkFeatures.ChecksumOffload) == 0)
            {
                ChecksumOffload.Complete(frame);
            }

            owner.Counters[SwitchCounter.OutFrames]++;
            link.Transmit(frame);
        }
    }
}

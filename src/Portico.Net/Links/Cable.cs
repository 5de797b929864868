namespace Portico.Net;

/// <summary>Settings of a <see cref="Cable"/>.</summary>
public sealed class CableOptions
{
    /// <summary>What it carries.</summary>
    public LinkKind Kind { get; init; } = LinkKind.Ip;

    /// <summary>The largest IP packet.</summary>
    public int Mtu { get; init; } = 65535;

    /// <summary>
    /// What its ends do for their senders. By default all, as nothing leaves the engine; <see cref="LinkFeatures.None"/> makes it
    /// carry what a wire would: packets of at most an MTU, checksums filled in by the sender and verified by the receiver.
    /// </summary>
    public LinkFeatures Features { get; init; } =
        LinkFeatures.ChecksumOffload | Segmentation.AllFeatures | LinkFeatures.ReceiveChecksumVerified;

    /// <summary>Link-layer address of end A of an Ethernet cable; drawn at random where it is zero.</summary>
    public MacAddress AddressA { get; init; }

    /// <summary>Link-layer address of end B of an Ethernet cable; drawn at random where it is zero.</summary>
    public MacAddress AddressB { get; init; }
}

/// <summary>
/// Two links joined back to back: what goes into one end comes out of the other, the same packet, with no copy and no delay.
/// Impairment and capture are decorators around its ends.
/// </summary>
public sealed class Cable
{
    /// <summary>Joins two new ends.</summary>
    public Cable(Engine engine, CableOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(engine);
        options ??= new CableOptions();
        A = new CableEnd(engine, options, AddressFor(engine, options.Kind, options.AddressA));
        B = new CableEnd(engine, options, AddressFor(engine, options.Kind, options.AddressB));
        A.Peer = B;
        B.Peer = A;
    }

    /// <summary>One end.</summary>
    public CableEnd A { get; }

    /// <summary>The other end.</summary>
    public CableEnd B { get; }

    private static MacAddress AddressFor(Engine engine, LinkKind kind, MacAddress wanted)
    {
        if (kind != LinkKind.Ethernet || wanted.Value != 0)
        {
            return wanted;
        }

        // Locally administered, not a group (IEEE 802 section 8.2).
        return new MacAddress((engine.Random.NextUInt64() & 0xFCFF_FFFF_FFFF) | 0x0200_0000_0000);
    }
}

/// <summary>One end of a <see cref="Cable"/>.</summary>
public sealed class CableEnd : ILink
{
    private readonly Engine _engine;
    private readonly int _lengthMax;
    private readonly bool _takesPartial;
    private readonly bool _receiverTrusts;
    private ILinkClient? _client;

    internal CableEnd(Engine engine, CableOptions options, MacAddress address)
    {
        _engine = engine;
        Kind = options.Kind;
        Mtu = options.Mtu;
        Features = options.Features;
        Address = address;
        _lengthMax = options.Mtu + (options.Kind == LinkKind.Ethernet ? 14 : 0);
        _receiverTrusts = (options.Features & LinkFeatures.ReceiveChecksumVerified) != 0;
        _takesPartial = _receiverTrusts && (options.Features & LinkFeatures.ChecksumOffload) != 0;
    }

    internal CableEnd Peer { get; set; } = null!;

    /// <inheritdoc/>
    public LinkKind Kind { get; }

    /// <inheritdoc/>
    public int Mtu { get; }

    /// <inheritdoc/>
    public MacAddress Address { get; }

    /// <inheritdoc/>
    public LinkFeatures Features { get; }

    /// <summary>Whether the cable is pulled out at this end: what is sent here is dropped.</summary>
    public bool IsCut { get; set; }

    /// <summary>Packets sent into this end.</summary>
    public long Packets { get; private set; }

    /// <summary>Their bytes, link header included.</summary>
    public long Bytes { get; private set; }

    /// <summary>Packets dropped because the other end has no receiver, or the cable is cut.</summary>
    public long NoReceiverDrops { get; private set; }

    /// <summary>Packets dropped because they were longer than the MTU.</summary>
    public long TooLongDrops { get; private set; }

    /// <inheritdoc/>
    public void Attach(ILinkClient client) => _client = client;

    /// <inheritdoc/>
    public void Transmit(Packet packet)
    {
        int length = packet.Length;
        ILinkClient? receiver = Peer._client;
        if (receiver == null || IsCut || (length > _lengthMax && !IsSuperSegment(packet)))
        {
            Drop(packet);
            return;
        }

        if (!_takesPartial)
        {
            PutOnWire(packet);
        }

        Packets++;
        Bytes += length;
        packet.IsLinkBroadcast = false;
        _engine.Post(receiver, packet);
    }

    /// <inheritdoc/>
    public void Flush()
    {
    }

    private bool IsSuperSegment(Packet packet) => packet.GsoSize > 0 && (Features & Segmentation.AllFeatures) != 0;

    private void PutOnWire(Packet packet)
    {
        if (packet.GsoSize > 0)
        {
            return;
        }

        if (packet.Checksum == ChecksumState.Partial)
        {
            ChecksumOffload.Complete(packet);
        }

        if (!_receiverTrusts)
        {
            packet.Checksum = ChecksumState.Unverified;
        }
    }

    private void Drop(Packet packet)
    {
        if (Peer._client == null || IsCut)
        {
            NoReceiverDrops++;
        }
        else
        {
            TooLongDrops++;
        }

        packet.Release();
    }
}

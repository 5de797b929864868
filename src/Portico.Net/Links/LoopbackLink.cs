namespace Portico.Net;

/// <summary>
/// A link that hands back what is sent, as Linux's <c>lo</c>: nothing is copied, checksummed or cut, because nothing leaves the
/// engine.
/// </summary>
public sealed class LoopbackLink(Engine engine) : ILink
{
    private ILinkClient? _client;

    /// <inheritdoc/>
    public LinkKind Kind => LinkKind.Ip;

    /// <summary>65,536, as in Linux.</summary>
    public int Mtu => 65536;

    /// <inheritdoc/>
    public MacAddress Address => default;

    /// <inheritdoc/>
    public LinkFeatures Features =>
        LinkFeatures.ChecksumOffload | Segmentation.AllFeatures | LinkFeatures.ReceiveChecksumVerified;

    /// <summary>Packets that were handed back.</summary>
    public long Packets { get; private set; }

    /// <summary>Their bytes.</summary>
    public long Bytes { get; private set; }

    /// <summary>Packets dropped because nobody was attached, or because they were longer than the MTU.</summary>
    public long Drops { get; private set; }

    /// <inheritdoc/>
    public void Attach(ILinkClient client) => _client = client;

    /// <inheritdoc/>
    public void Transmit(Packet packet)
    {
        ILinkClient? client = _client;
        if (client == null || packet.Length > Mtu)
        {
            Drops++;
            packet.Release();
            return;
        }

        Packets++;
        Bytes += packet.Length;
        packet.IsLinkBroadcast = false;
        engine.Post(client, packet);
    }

    /// <inheritdoc/>
    public void Flush()
    {
    }
}

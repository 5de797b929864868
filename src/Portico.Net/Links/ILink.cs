namespace Portico.Net;

/// <summary>What a link carries.</summary>
public enum LinkKind
{
    /// <summary>IP packets without a link header: TUN, loopback, a point-to-point cable.</summary>
    Ip,

    /// <summary>Ethernet frames: TAP, switch.</summary>
    Ethernet,
}

/// <summary>What a link does for its sender (Linux: NETIF_F_*).</summary>
[Flags]
public enum LinkFeatures
{
    /// <summary>Nothing: packets arrive whole, at most an MTU long, with their checksums.</summary>
    None = 0,

    /// <summary>Takes packets whose transport checksum is <see cref="ChecksumState.Partial"/>.</summary>
    ChecksumOffload = 1,

    /// <summary>Takes TCP over IPv4 super-segments (GsoSize &gt; 0).</summary>
    Tso4 = 2,

    /// <summary>Takes TCP over IPv6 super-segments.</summary>
    Tso6 = 4,

    /// <summary>
    /// Does not make receivers verify what senders know to be right: packets arrive with the <see cref="ChecksumState"/> that they
    /// were sent with. Receivers go by that state, so what has been tampered with under way is still verified.
    /// </summary>
    ReceiveChecksumVerified = 8,

    /// <summary>Takes UDP super-segments (UDP_SEGMENT) over both IP versions, as NETIF_F_GSO_UDP_L4 in Linux.</summary>
    Uso = 16,
}

/// <summary>Whoever is behind a link: an interface, a decorator such as a capture, or a test.</summary>
public interface ILinkClient
{
    /// <summary>A frame (Ethernet) or packet (IP) has come in; the client owns it from now on.</summary>
    void HandleFrame(Packet packet);
}

/// <summary>
/// A way to send frames to a neighbour. Belongs to one <see cref="Engine"/>; nothing here blocks, and a link never calls its client
/// from within <see cref="Transmit"/>: it posts to the engine, which delivers in order.
/// </summary>
public interface ILink
{
    /// <summary>Ethernet frames or bare IP packets.</summary>
    LinkKind Kind { get; }

    /// <summary>The largest IP packet, in bytes, link header not counted.</summary>
    int Mtu { get; }

    /// <summary>The link-layer address; zero for <see cref="LinkKind.Ip"/>.</summary>
    MacAddress Address { get; }

    /// <summary>What the link does for its sender.</summary>
    LinkFeatures Features { get; }

    /// <summary>Names the receiver of what comes in; called once, before any packet flows.</summary>
    void Attach(ILinkClient client);

    /// <summary>Sends a frame or drops and counts it; takes ownership.</summary>
    void Transmit(Packet packet);

    /// <summary>Whether the link has no room for another packet now and would drop it: a sender may wait instead.</summary>
    bool IsFull => false;

    /// <summary>The batch is over: whatever was held back for batching goes out now.</summary>
    void Flush();
}

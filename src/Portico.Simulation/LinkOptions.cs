using Portico.Net;

namespace Portico.Simulation;

/// <summary>What joins two hosts, or a host and a switch, in a <see cref="World"/>.</summary>
public sealed class LinkOptions
{
    /// <summary>What the link carries; what leads to a switch is always Ethernet.</summary>
    public LinkKind Kind { get; init; } = LinkKind.Ip;

    /// <summary>The largest IP packet. Below 1280 there is no IPv6 (RFC 8200 5).</summary>
    public int Mtu { get; init; } = 1500;

    /// <summary>What the link does for its senders; nothing, as on a wire, unless it is said otherwise.</summary>
    public LinkFeatures Features { get; init; } = LinkFeatures.None;

    /// <summary>Faults on the way from the first end (the host, where the other is a switch); null for none.</summary>
    public Impairment? Forward { get; init; }

    /// <summary>Faults on the way to the first end; null for none.</summary>
    public Impairment? Backward { get; init; }

    /// <summary>Everything that an in-process link can do, at the largest MTU.</summary>
    public static LinkOptions Fast => new()
    {
        Mtu = 65535,
        Features = LinkFeatures.ChecksumOffload | LinkFeatures.Tso4 | LinkFeatures.Tso6 | LinkFeatures.Uso | LinkFeatures.ReceiveChecksumVerified,
    };
}

/// <summary>A link of a <see cref="World"/>, to look at and to change while it is in use.</summary>
/// <param name="Cable">The cable itself; cut it by <see cref="CableEnd.IsCut"/>.</param>
/// <param name="First">The first end's interface.</param>
/// <param name="Second">The second end's interface; null at a switch.</param>
/// <param name="Forward">What leaves the first end goes through it; null without faults.</param>
/// <param name="Backward">What leaves the second end goes through it; null without faults.</param>
public sealed record WorldLink(
    Cable Cable, NetworkInterface First, NetworkInterface? Second, ImpairmentChannel? Forward, ImpairmentChannel? Backward);

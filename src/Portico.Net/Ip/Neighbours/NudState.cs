namespace Portico.Net;

/// <summary>What is known of a neighbour's reachability (RFC 4861 7.3.2, and Linux's NUD_* where it has more).</summary>
public enum NudState : byte
{
    /// <summary>No entry.</summary>
    None,

    /// <summary>Address resolution is in progress; packets wait in the entry.</summary>
    Incomplete,

    /// <summary>Known to have been reachable within the last ReachableTime.</summary>
    Reachable,

    /// <summary>Was reachable once; nothing is done until a packet is sent to it.</summary>
    Stale,

    /// <summary>A packet was sent lately; upper layers get a moment to confirm before probes are sent.</summary>
    Delay,

    /// <summary>Unicast probes are on their way.</summary>
    Probe,

    /// <summary>Did not answer. Kept for a while, so that it can be seen; the next packet starts over.</summary>
    Failed,

    /// <summary>Set by hand; never verified, never evicted.</summary>
    Permanent,
}

/// <summary>A neighbour as <c>ip neigh</c> would show it.</summary>
/// <param name="Address">Its IP address.</param>
/// <param name="LinkAddress">Its link-layer address; zero while unknown.</param>
/// <param name="State">Its state at the time of asking.</param>
/// <param name="IsRouter">Whether it said that it is a router (IPv6).</param>
public readonly record struct Neighbour(IpAddress Address, MacAddress LinkAddress, NudState State, bool IsRouter);

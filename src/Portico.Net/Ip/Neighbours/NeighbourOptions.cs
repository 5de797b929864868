namespace Portico.Net;

/// <summary>
/// Limits and times of a <see cref="NeighbourTable"/>, with the names and defaults of <c>net.ipv4.neigh.*</c> and
/// <c>net.ipv6.neigh.*</c>. One table holds both families; a router advertisement overrides the times for IPv6.
/// </summary>
public sealed class NeighbourOptions
{
#pragma warning disable IDE1006, CA1707 // The names are the sysctls' own.

    /// <summary>Up to so many entries are never collected.</summary>
    public int gc_thresh1 { get; set; } = 128;

    /// <summary>The most entries that may await resolution at once (Linux: a soft limit; RFC 6583 6.1 wants a cap).</summary>
    public int gc_thresh2 { get; set; } = 512;

    /// <summary>The most entries.</summary>
    public int gc_thresh3 { get; set; } = 1024;

    /// <summary>How often unused entries are looked for.</summary>
    public Duration gc_interval { get; set; } = Duration.FromSeconds(30);

    /// <summary>An entry unused for so long may go.</summary>
    public Duration gc_stale_time { get; set; } = Duration.FromSeconds(60);

    /// <summary>Packets that wait in one entry; the oldest gives way.</summary>
    public int unres_qlen { get; set; } = 101;

    /// <summary>Bytes that wait in one entry; the oldest gives way.</summary>
    public int unres_qlen_bytes { get; set; } = 212_992;

    /// <summary>Bytes that wait in all entries together; a packet over the limit is dropped.</summary>
    public long unres_qlen_bytes_total { get; set; } = 8 << 20;

    /// <summary>ReachableTime is drawn from half to one and a half of this (RFC 4861 6.3.2).</summary>
    public Duration base_reachable_time { get; set; } = Duration.FromSeconds(30);

    /// <summary>Time between solicitations (RetransTimer).</summary>
    public Duration retrans_time { get; set; } = Duration.FromSeconds(1);

    /// <summary>How long <see cref="NudState.Delay"/> lasts (DELAY_FIRST_PROBE_TIME).</summary>
    public Duration delay_first_probe_time { get; set; } = Duration.FromSeconds(5);

    /// <summary>Multicast (ARP: broadcast) solicitations before giving up (MAX_MULTICAST_SOLICIT).</summary>
    public int mcast_solicit { get; set; } = 3;

    /// <summary>Unicast probes before giving up (MAX_UNICAST_SOLICIT).</summary>
    public int ucast_solicit { get; set; } = 3;

    /// <summary>For so long after it was learned, an ARP packet does not replace a link-layer address.</summary>
    public Duration locktime { get; set; } = Duration.FromSeconds(1);

    /// <summary>
    /// Multicast solicitations a second on the interface, above <see cref="solicit_burst"/> (RFC 6583 7.1: scans must not drown the
    /// link). Probes of known neighbours are outside of this limit.
    /// </summary>
    public int solicit_rate { get; set; } = 500;

    /// <summary>Multicast solicitations that may be sent at once.</summary>
    public int solicit_burst { get; set; } = 256;
}

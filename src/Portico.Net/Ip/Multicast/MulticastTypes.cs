namespace Portico.Net;

/// <summary>What a list of sources means (RFC 3376 2; the values are those of MCAST_EXCLUDE and MCAST_INCLUDE).</summary>
public enum MulticastFilterMode : byte
{
    /// <summary>All sources except those listed.</summary>
    Exclude = 0,

    /// <summary>Only the sources listed.</summary>
    Include = 1,
}

/// <summary>Counters of IGMP or MLD on an interface.</summary>
public enum MulticastCounter
{
#pragma warning disable CS1591 // Named like Linux's Icmp6 group: InGroupMembQueries and so on.
    InQueries,
    InReports,
    InReductions,
    OutReports,
    OutReductions,
#pragma warning restore CS1591

    /// <summary>A checksum, length or type that was wrong.</summary>
    InErrors,

    /// <summary>A query that did not come from a neighbour (hop limit, source address), or about an address that is no group.</summary>
    InIgnored,

    /// <summary>The engine had no memory for a report.</summary>
    OutNoMemory,
}

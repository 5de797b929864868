namespace Portico.Net;

/// <summary>What a list of sources means (RFC 3376 2; the values are those of MCAST_EXCLUDE and MCAST_INCLUDE).</summary>
public enum MulticastFilterMode : byte
{
    /// <summary>All sources except those listed.</summary>
    Exclude = 0,

    /// <summary>Only the sources listed.</summary>
    Include = 1,
}

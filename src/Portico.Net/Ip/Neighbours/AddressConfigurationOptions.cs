namespace Portico.Net;

/// <summary>How interface identifiers are made (net.ipv6.conf.*.addr_gen_mode).</summary>
public enum AddressGenerationMode
{
    /// <summary>From a keyed hash of the prefix (RFC 7217): stable on one network, unrelated between networks.</summary>
    StablePrivacy,

    /// <summary>From the link-layer address (RFC 4291 appendix A): shows the hardware everywhere.</summary>
    Eui64,
}

/// <summary>
/// Settings of an interface's <see cref="AddressConfiguration"/>, with the names of <c>net.ipv6.conf.*</c> where Linux has one. The
/// caps bound what routers, or whoever poses as one, can make this host remember.
/// </summary>
public sealed class AddressConfigurationOptions
{
#pragma warning disable IDE1006, CA1707 // The names are the sysctls' own.

    /// <summary>How interface identifiers are made.</summary>
    public AddressGenerationMode addr_gen_mode { get; set; }

    /// <summary>RFC 7217's secret key, two halves; zero draws one from the engine's random numbers.</summary>
    public (ulong High, ulong Low) stable_secret { get; set; }

    /// <summary>Solicitations of duplicate address detection; 0 turns it off (DupAddrDetectTransmits).</summary>
    public int dad_transmits { get; set; } = 1;

    /// <summary>Takes router advertisements, unless the stack forwards IPv6.</summary>
    public bool accept_ra { get; set; } = true;

    /// <summary>Takes default routers from them.</summary>
    public bool accept_ra_defrtr { get; set; } = true;

    /// <summary>Takes prefixes from them.</summary>
    public bool accept_ra_pinfo { get; set; } = true;

    /// <summary>Takes the MTU from them.</summary>
    public bool accept_ra_mtu { get; set; } = true;

    /// <summary>Smaller advertised hop limits are ignored.</summary>
    public int accept_ra_min_hop_limit { get; set; } = 1;

    /// <summary>Makes addresses from advertised prefixes.</summary>
    public bool autoconf { get; set; } = true;

    /// <summary>The most addresses made from advertised prefixes.</summary>
    public int max_addresses { get; set; } = 16;

    /// <summary>The most default routers that are remembered.</summary>
    public int RoutersMax { get; set; } = 8;

    /// <summary>The most advertised on-link prefixes that are remembered.</summary>
    public int PrefixesMax { get; set; } = 16;

    /// <summary>The most DNS servers that are remembered (RFC 8106 5.3.1 asks for at least three).</summary>
    public int DnsServersMax { get; set; } = 8;
}

namespace Portico.Net;

/// <summary>
/// Counters of one IP version: Linux's Ip/Ip6 and IpExt groups, and after them this stack's own named drop reasons (each of those
/// also counts in the MIB counter that Linux would use).
/// </summary>
public enum IpCounter
{
#pragma warning disable CS1591 // The names are Linux's (RFC 4293).
    InReceives,
    InHdrErrors,
    InTooBigErrors,
    InNoRoutes,
    InAddrErrors,
    InUnknownProtos,
    InTruncatedPkts,
    InDiscards,
    InDelivers,
    OutForwDatagrams,
    OutRequests,
    OutTransmits,
    OutDiscards,
    OutNoRoutes,
    ReasmTimeout,
    ReasmReqds,
    ReasmOKs,
    ReasmFails,
    ReasmOverlaps,
    FragOKs,
    FragFails,
    FragCreates,
    InMcastPkts,
    OutMcastPkts,
    InBcastPkts,
    OutBcastPkts,
    InOctets,
    OutOctets,
    InCsumErrors,

    // In the order of the two ECN bits: Not-ECT 0, ECT(1) 1, ECT(0) 2, CE 3.
    InNoECTPkts,
    InECT1Pkts,
    InECT0Pkts,
    InCEPkts,
#pragma warning restore CS1591

    /// <summary>The version, header length or total length was wrong.</summary>
    DropBadHeader,

    /// <summary>A source address that must not appear on a wire: multicast, broadcast, loopback, 0/8, 240/4.</summary>
    DropMartianSource,

    /// <summary>The source is one of this host's own addresses (the LAND attack among them).</summary>
    DropOwnSource,

    /// <summary>A destination that must not appear on a wire: loopback, unspecified, or reserved.</summary>
    DropMartianDestination,

    /// <summary>Not for this host, and forwarding is off.</summary>
    DropNotForUs,

    /// <summary>A group that nobody here has joined.</summary>
    DropNotMember,

    /// <summary>TCP to a broadcast or multicast address.</summary>
    DropTcpToGroup,

    /// <summary>Malformed IPv4 options.</summary>
    DropBadOption,

    /// <summary>LSRR or SSRR, or IPv6 routing type 0 with segments left.</summary>
    DropSourceRoute,

    /// <summary>More extension headers or options than allowed (RFC 8504 5.3).</summary>
    DropExtensionHeaderLimit,

    /// <summary>An unrecognised option or header whose action is to discard.</summary>
    DropUnrecognisedOption,

    /// <summary>The interface is down.</summary>
    DropInterfaceDown,

    /// <summary>A frame for another link-layer address.</summary>
    DropOtherHost,

    /// <summary>A frame of a type that nobody handles.</summary>
    DropUnknownEtherType,

    /// <summary>The fragment's end would be past 65,535 bytes.</summary>
    DropFragmentTooBig,

    /// <summary>A fragment that is not last is not a multiple of 8 bytes long, or is empty, or contradicts another about the end.</summary>
    DropFragmentBad,

    /// <summary>A first fragment without the whole header chain (RFC 7112).</summary>
    DropFragmentTiny,

    /// <summary>An incomplete datagram was evicted because the memory limit was reached.</summary>
    DropFragmentMemory,

    /// <summary>An incomplete datagram was evicted because its source holds more than its share.</summary>
    DropFragmentSourceShare,

    /// <summary>A hop limit of 1 or less came to be forwarded.</summary>
    DropTtlExpired,

    /// <summary>Must not be forwarded: link-local, loopback, martian, or sent as a link-layer broadcast.</summary>
    DropNotForwardable,

    /// <summary>The engine had no memory for a packet.</summary>
    DropNoMemory,

    /// <summary>A packet larger than the path or the link, that must not be fragmented.</summary>
    DropTooBig,

    /// <summary>A packet in which nothing follows the IPv6 headers (RFC 8200 4.7); taken, but there is nobody to deliver it to.</summary>
    NoNextHeader,
}

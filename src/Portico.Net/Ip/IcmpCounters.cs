namespace Portico.Net;

/// <summary>Counters of ICMP or ICMPv6: Linux's Icmp/Icmp6 groups, and after them this stack's own named drop reasons.</summary>
public enum IcmpCounter
{
#pragma warning disable CS1591 // The names are Linux's (RFC 4293).
    InMsgs,
    InErrors,
    InCsumErrors,
    InDestUnreachs,
    InPktTooBigs,
    InTimeExcds,
    InParmProbs,
    InSrcQuenchs,
    InRedirects,
    InEchos,
    InEchoReps,
    InTimestamps,
    InTimestampReps,
    InNeighbourDiscovery,
    InGroupMembership,
    OutMsgs,
    OutErrors,
    OutRateLimitGlobal,
    OutRateLimitHost,
    OutDestUnreachs,
    OutPktTooBigs,
    OutTimeExcds,
    OutParmProbs,
    OutEchos,
    OutEchoReps,
#pragma warning restore CS1591

    /// <summary>An echo request that the options say to ignore.</summary>
    DropEchoIgnored,

    /// <summary>An echo reply that nobody waits for, or whose owner's queue is full.</summary>
    DropEchoUnclaimed,

    /// <summary>An error whose quoted packet is too short, malformed, or was not sent by this host.</summary>
    DropQuoteInvalid,

    /// <summary>A message type that is not handled: source quench, redirect (IPv4), timestamp, and unknown ones.</summary>
    DropTypeIgnored,

    /// <summary>An error not sent because the packet must not cause one (RFC 1122 3.2.2, RFC 4443 2.4(e)).</summary>
    OutNotAllowed,
}

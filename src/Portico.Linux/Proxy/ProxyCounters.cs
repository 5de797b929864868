namespace Portico.Linux;

/// <summary>What the proxies of <c>portico run</c> did.</summary>
public enum ProxyCounter
{
#pragma warning disable CS1591 // The names say it.
    TcpRequests,
    TcpAccepted,
    TcpRefused,
    TcpUnreachable,
    TcpTimedOut,
    TcpProhibited,

    /// <summary>The request had expired before the host's connection was made.</summary>
    TcpExpired,

    /// <summary>Refused: there were too many connections, or the host had no descriptor or memory left.</summary>
    TcpLimitRefusals,
    TcpInboundRequests,
    TcpInboundAccepted,

    /// <summary>A client outside was reset, because the command's side refused the connection or did not answer.</summary>
    TcpInboundRefused,
    TcpClosed,
    TcpReset,
    TcpBytesOut,
    TcpBytesIn,
    UdpFlows,
    UdpOut,
    UdpIn,
    UdpErrors,
    UdpProhibited,

    /// <summary>The oldest flow was given up for a new one.</summary>
    UdpEvicted,
    UdpLimitDrops,

    /// <summary>A client outside was told that the command has no socket on the port.</summary>
    UdpInboundRefused,
    PingOut,
    PingIn,
    PingErrors,
    PingProhibited,
    PingLimitDrops,

    /// <summary>Queries to the gateway's port 53, by UDP and TCP.</summary>
    DnsQueries,

    /// <summary>Those of them that came by TCP.</summary>
    DnsQueriesTcp,

    /// <summary>Answered by the gateway itself.</summary>
    DnsLocalAnswers,

    /// <summary>Answers of the host's resolvers that were passed on.</summary>
    DnsAnswers,

    /// <summary>The name, or one that it is an alias of, is denied by a rule.</summary>
    DnsBlocked,

    /// <summary>An answer from outside held an address of the command's own network.</summary>
    DnsRebinds,

    /// <summary>Queries and answers that are not what RFC 1035 calls one.</summary>
    DnsMalformed,

    /// <summary>The same query again while the first is under way.</summary>
    DnsRepeated,

    /// <summary>The next resolver was asked, because of silence, an ICMP error, SERVFAIL, NOTIMP or REFUSED.</summary>
    DnsFailovers,

    /// <summary>No resolver gave a usable answer.</summary>
    DnsFailures,

    /// <summary>There were too many queries under way.</summary>
    DnsLimitDrops,

    /// <summary>A rule about names had too many addresses to remember one more.</summary>
    DnsLearnDrops,
#pragma warning restore CS1591
}

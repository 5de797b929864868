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

    /// <summary>There were too many connections, or the host had no descriptor left.</summary>
    TcpLimitDrops,
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
    PingOut,
    PingIn,
    PingErrors,
    PingProhibited,
    PingLimitDrops,
#pragma warning restore CS1591
}

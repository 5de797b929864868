namespace Portico.Net;

/// <summary>TCP's counters: Linux's Tcp and TcpExt groups, then Portico's own drop reasons.</summary>
public enum TcpCounter
{
#pragma warning disable CS1591 // The names are those of RFC 4022 and of Linux's TcpExt.
    ActiveOpens,
    PassiveOpens,
    AttemptFails,
    EstabResets,
    CurrEstab,
    InSegs,
    OutSegs,
    RetransSegs,
    InErrs,
    OutRsts,
    InCsumErrors,
    SyncookiesSent,
    SyncookiesRecv,
    SyncookiesFailed,
    EmbryonicRsts,
    PruneCalled,
    RcvPruned,
    OfoPruned,
    OutOfWindowIcmps,
    LockDroppedIcmps,
    TW,
    TWRecycled,
    TWKilled,
    PAWSActive,
    PAWSEstab,
    DelayedACKs,
    DelayedACKLost,
    ListenOverflows,
    ListenDrops,
    TCPHPHits,
    TCPPureAcks,
    TCPHPAcks,
    TCPRenoRecovery,
    TCPSackRecovery,
    TCPSACKReneging,
    TCPSACKReorder,
    TCPRenoReorder,
    TCPTSReorder,
    TCPFullUndo,
    TCPPartialUndo,
    TCPDSACKUndo,
    TCPLossUndo,
    TCPLostRetransmit,
    TCPRenoFailures,
    TCPSackFailures,
    TCPLossFailures,
    TCPFastRetrans,
    TCPSlowStartRetrans,
    TCPTimeouts,
    TCPLossProbes,
    TCPLossProbeRecovery,
    TCPSackRecoveryFail,
    TCPRenoRecoveryFail,
    TCPRcvCollapsed,
    TCPDSACKOldSent,
    TCPDSACKOfoSent,
    TCPDSACKRecv,
    TCPDSACKOfoRecv,
    TCPAbortOnData,
    TCPAbortOnClose,
    TCPAbortOnMemory,
    TCPAbortOnTimeout,
    TCPAbortOnLinger,
    TCPAbortFailed,
    TCPMemoryPressures,
    TCPSACKDiscard,
    TCPDSACKIgnoredOld,
    TCPDSACKIgnoredNoUndo,
    TCPDSACKIgnoredDubious,
    TCPDSACKRecvSegs,
    TCPSpuriousRTOs,
    TCPBacklogDrop,
    TCPTimeWaitOverflow,
    TCPReqQFullDoCookies,
    TCPReqQFullDrop,
    TCPRetransFail,
    TCPRcvCoalesce,
    TCPOFOQueue,
    TCPOFODrop,
    TCPOFOMerge,
    TCPChallengeACK,
    TCPSYNChallenge,
    TCPSpuriousRtxHostQueues,
    TCPFromZeroWindowAdv,
    TCPToZeroWindowAdv,
    TCPWantZeroWindowAdv,
    TCPSynRetrans,
    TCPOrigDataSent,
    TCPACKSkippedSynRecv,
    TCPACKSkippedPAWS,
    TCPACKSkippedSeq,
    TCPACKSkippedFinWait2,
    TCPACKSkippedTimeWait,
    TCPACKSkippedChallenge,
    TCPWinProbe,
    TCPKeepAlive,
    TCPDelivered,
    TCPAckCompressed,
    TCPZeroWindowDrop,
    TCPRcvQDrop,
    BeyondWindow,

    /// <summary>Header too short, data offset beyond the segment.</summary>
    HeaderErrors,

    /// <summary>Nobody has that port: answered with RST, or dropped where that is forbidden.</summary>
    NoSocket,

    /// <summary>Segments that a socket's filter wanted nothing of (SO_ATTACH_FILTER).</summary>
    Filtered,

    /// <summary>A SYN to a broadcast or multicast address, or one with FIN or RST set.</summary>
    SynInvalid,

    /// <summary>No memory for a connection, a request or a segment.</summary>
    NoMemory,

    /// <summary>A segment whose sequence or acknowledgment numbers were unacceptable and that carried nothing to answer.</summary>
    SequenceDrops,

    /// <summary>Acknowledges what was never sent, or too old (RFC 5961 5).</summary>
    InvalidAcks,

    /// <summary>Data without the ACK bit.</summary>
    NoAckFlag,

    /// <summary>RST outside of the window, or in it but not exact (RFC 5961 3).</summary>
    InvalidResets,

    /// <summary>A RST that was due was not sent because of the rate limit.</summary>
    ResetsLimited,

    /// <summary>Data for a direction that the application has shut.</summary>
    DataAfterShutdown,

    /// <summary>A segment whose TTL or hop limit is below IP_MINTTL or IPV6_MINHOPCOUNT (RFC 5082).</summary>
    TCPMinTTLDrop,
    TCPFastOpenActive,
    TCPFastOpenActiveFail,
    TCPFastOpenPassive,
    TCPFastOpenPassiveFail,
    TCPFastOpenListenOverflow,
    TCPFastOpenCookieReqd,
    TCPFastOpenBlackhole,
    TCPFastOpenPassiveAltKey,
    TCPDeliveredCE,
    TCPHystartTrainDetect,
    TCPHystartTrainCwnd,
    TCPHystartDelayDetect,
    TCPHystartDelayCwnd,
    TCPMTUPFail,
    TCPMTUPSuccess,

    /// <summary>A bare ACK that TCP_DEFER_ACCEPT let wait for data.</summary>
    TCPDeferAcceptDrop,
    TCPMD5NotFound,
    TCPMD5Unexpected,
    TCPMD5Failure,
#pragma warning restore CS1591

    /// <summary>A time of sending that did not fit in a socket's error queue.</summary>
    ErrorQueueDrops,

    /// <summary>Timeouts that changed a flow's hash, and its flow label.</summary>
    TcpTimeoutRehash,
}

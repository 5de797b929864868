using Portico.Net;

namespace Portico.Kernel;

/// <summary>
/// /proc/net/snmp, snmp6 and netstat: counters under their MIB names, in Linux's order. What never happens here, such as UDP-Lite, is 0.
/// </summary>
internal static class CounterTexts
{
    private static readonly Names<IpCounter> s_ip = new(
        "InReceives InHdrErrors InAddrErrors ForwDatagrams InUnknownProtos InDiscards InDelivers OutRequests OutDiscards"
        + " OutNoRoutes ReasmTimeout ReasmReqds ReasmOKs ReasmFails FragOKs FragFails FragCreates OutTransmits");

    private static readonly Names<IcmpCounter> s_icmp = new(
        "InMsgs InErrors InCsumErrors InDestUnreachs InTimeExcds InParmProbs InSrcQuenchs InRedirects InEchos InEchoReps"
        + " InTimestamps InTimestampReps InAddrMasks InAddrMaskReps OutMsgs OutErrors OutRateLimitGlobal OutRateLimitHost"
        + " OutDestUnreachs OutTimeExcds OutParmProbs OutSrcQuenchs OutRedirects OutEchos OutEchoReps OutTimestamps OutTimestampReps"
        + " OutAddrMasks OutAddrMaskReps");

    private static readonly Names<TcpCounter> s_tcp = new(
        "ActiveOpens PassiveOpens AttemptFails EstabResets CurrEstab InSegs OutSegs RetransSegs InErrs OutRsts InCsumErrors");

    private static readonly Names<UdpCounter> s_udp = new(
        "InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors InCsumErrors IgnoredMulti MemErrors");

    private static readonly Names<TcpCounter> s_tcpExtended = new(
        "SyncookiesSent SyncookiesRecv SyncookiesFailed EmbryonicRsts PruneCalled RcvPruned OfoPruned OutOfWindowIcmps"
        + " LockDroppedIcmps ArpFilter TW TWRecycled TWKilled PAWSActive PAWSEstab BeyondWindow TSEcrRejected PAWSOldAck"
        + " PAWSTimewait DelayedACKs DelayedACKLocked DelayedACKLost ListenOverflows ListenDrops TCPHPHits TCPPureAcks TCPHPAcks"
        + " TCPRenoRecovery TCPSackRecovery TCPSACKReneging TCPSACKReorder TCPRenoReorder TCPTSReorder TCPFullUndo TCPPartialUndo"
        + " TCPDSACKUndo TCPLossUndo TCPLostRetransmit TCPRenoFailures TCPSackFailures TCPLossFailures TCPFastRetrans"
        + " TCPSlowStartRetrans TCPTimeouts TCPLossProbes TCPLossProbeRecovery TCPRenoRecoveryFail TCPSackRecoveryFail"
        + " TCPRcvCollapsed TCPBacklogCoalesce TCPDSACKOldSent TCPDSACKOfoSent TCPDSACKRecv TCPDSACKOfoRecv TCPAbortOnData"
        + " TCPAbortOnClose TCPAbortOnMemory TCPAbortOnTimeout TCPAbortOnLinger TCPAbortFailed TCPMemoryPressures"
        + " TCPMemoryPressuresChrono TCPSACKDiscard TCPDSACKIgnoredOld TCPDSACKIgnoredNoUndo TCPSpuriousRTOs TCPMD5NotFound"
        + " TCPMD5Unexpected TCPMD5Failure TCPSackShifted TCPSackMerged TCPSackShiftFallback TCPBacklogDrop PFMemallocDrop"
        + " TCPMinTTLDrop TCPDeferAcceptDrop IPReversePathFilter TCPTimeWaitOverflow TCPReqQFullDoCookies TCPReqQFullDrop"
        + " TCPRetransFail TCPRcvCoalesce TCPOFOQueue TCPOFODrop TCPOFOMerge TCPChallengeACK TCPSYNChallenge TCPFastOpenActive"
        + " TCPFastOpenActiveFail TCPFastOpenPassive TCPFastOpenPassiveFail TCPFastOpenListenOverflow TCPFastOpenCookieReqd"
        + " TCPFastOpenBlackhole TCPSpuriousRtxHostQueues BusyPollRxPackets TCPAutoCorking TCPFromZeroWindowAdv TCPToZeroWindowAdv"
        + " TCPWantZeroWindowAdv TCPSynRetrans TCPOrigDataSent TCPHystartTrainDetect TCPHystartTrainCwnd TCPHystartDelayDetect"
        + " TCPHystartDelayCwnd TCPACKSkippedSynRecv TCPACKSkippedPAWS TCPACKSkippedSeq TCPACKSkippedFinWait2 TCPACKSkippedTimeWait"
        + " TCPACKSkippedChallenge TCPWinProbe TCPKeepAlive TCPMTUPFail TCPMTUPSuccess TCPDelivered TCPDeliveredCE TCPAckCompressed"
        + " TCPZeroWindowDrop TCPRcvQDrop TCPWqueueTooBig TCPFastOpenPassiveAltKey TcpTimeoutRehash TcpDuplicateDataRehash"
        + " TCPDSACKRecvSegs TCPDSACKIgnoredDubious TCPMigrateReqSuccess TCPMigrateReqFailure TCPPLBRehash TCPAORequired TCPAOBad"
        + " TCPAOKeyNotFound TCPAOGood TCPAODroppedIcmps");

    private static readonly Names<IpCounter> s_ipExtended = new(
        "InNoRoutes InTruncatedPkts InMcastPkts OutMcastPkts InBcastPkts OutBcastPkts InOctets OutOctets InMcastOctets"
        + " OutMcastOctets InBcastOctets OutBcastOctets InCsumErrors InNoECTPkts InECT1Pkts InECT0Pkts InCEPkts ReasmOverlaps");

    private static readonly Names<IpCounter> s_ip6 = new(
        "InReceives InHdrErrors InTooBigErrors InNoRoutes InAddrErrors InUnknownProtos InTruncatedPkts InDiscards InDelivers"
        + " OutForwDatagrams OutRequests OutDiscards OutNoRoutes ReasmTimeout ReasmReqds ReasmOKs ReasmFails FragOKs FragFails"
        + " FragCreates InMcastPkts OutMcastPkts InOctets OutOctets InMcastOctets OutMcastOctets InBcastOctets OutBcastOctets"
        + " InNoECTPkts InECT1Pkts InECT0Pkts InCEPkts OutTransmits");

    private static readonly Names<IcmpCounter> s_icmp6 = new(
        "InMsgs InErrors OutMsgs OutErrors InCsumErrors OutRateLimitHost InDestUnreachs InPktTooBigs InTimeExcds InParmProblems"
        + " InEchos InEchoReplies InGroupMembQueries InGroupMembResponses InGroupMembReductions InRouterSolicits"
        + " InRouterAdvertisements InNeighborSolicits InNeighborAdvertisements InRedirects InMLDv2Reports OutDestUnreachs"
        + " OutPktTooBigs OutTimeExcds OutParmProblems OutEchos OutEchoReplies OutGroupMembQueries OutGroupMembResponses"
        + " OutGroupMembReductions OutRouterSolicits OutRouterAdvertisements OutNeighborSolicits OutNeighborAdvertisements"
        + " OutRedirects OutMLDv2Reports");

    private static readonly Names<UdpCounter> s_udpLite6 = new(
        "InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors InCsumErrors MemErrors");

    private static readonly MibTable<UdpCounter> s_none = new();

    /// <summary>A group's names, and where their counters are.</summary>
    private sealed class Names<TCounter>
        where TCounter : struct, Enum
    {
        private readonly string[] _names;
        private readonly int[] _places;

        public Names(string names)
        {
            _names = names.Split(' ');
            _places = new int[_names.Length];
            for (int i = 0; i < _names.Length; i++)
            {
                // ICMPv6's names write out what ICMP's leave off.
                string name = _names[i].Replace("EchoReplies", "EchoReps", StringComparison.Ordinal);
                _places[i] = Enum.TryParse(name, out TCounter counter) ? Array.IndexOf(Enum.GetValues<TCounter>(), counter) : -1;
            }
        }

        public void WriteNames(ProcText text)
        {
            foreach (string name in _names)
            {
                text.Add($" {name}");
            }
        }

        public void WriteValues(MibTable<TCounter> table, ProcText text)
        {
            foreach (int place in _places)
            {
                text.Add($" {ValueAt(table, place)}");
            }
        }

        /// <summary>A line for each.</summary>
        public void WriteLines(string prefix, MibTable<TCounter>? table, ProcText text)
        {
            for (int i = 0; i < _names.Length; i++)
            {
                text.Add($"{prefix + _names[i],-32}\t{(table == null ? 0 : ValueAt(table, _places[i]))}\n");
            }
        }

        private static long ValueAt(MibTable<TCounter> table, int place) => place < 0 ? 0 : table.At(place).Value;
    }

    public static void WriteIpv4(NetworkStack stack, ProcText text)
    {
        IpOptions options = stack.Ip.Options;
        text.Append("Ip: Forwarding DefaultTTL");
        s_ip.WriteNames(text);
        text.Add($"\nIp: {(options.ip_forward ? 1 : 2)} {options.ip_default_ttl}");
        s_ip.WriteValues(stack.Ip.Ipv4Counters, text);
        text.Append((byte)'\n');
        WriteGroup("Icmp", s_icmp, stack.Icmp.Ipv4Counters, text);
        text.Append("Tcp: RtoAlgorithm RtoMin RtoMax MaxConn");
        s_tcp.WriteNames(text);
        text.Append("\nTcp: 1 200 120000 -1");
        s_tcp.WriteValues(stack.Tcp.Mib, text);
        text.Append((byte)'\n');
        WriteGroup("Udp", s_udp, stack.Udp.Ipv4Counters, text);
        WriteGroup("UdpLite", s_udp, s_none, text);
    }

    public static void WriteExtended(NetworkStack stack, ProcText text)
    {
        WriteGroup("TcpExt", s_tcpExtended, stack.Tcp.Mib, text);
        WriteGroup("IpExt", s_ipExtended, stack.Ip.Ipv4Counters, text);
    }

    public static void WriteIpv6(NetworkStack stack, ProcText text)
    {
        s_ip6.WriteLines("Ip6", stack.Ip.Ipv6Counters, text);
        s_icmp6.WriteLines("Icmp6", stack.Icmp.Ipv6Counters, text);
        s_udp.WriteLines("Udp6", stack.Udp.Ipv6Counters, text);
        s_udpLite6.WriteLines("UdpLite6", null, text);
    }

    private static void WriteGroup<TCounter>(string group, Names<TCounter> names, MibTable<TCounter> table, ProcText text)
        where TCounter : struct, Enum
    {
        text.Add($"{group}:");
        names.WriteNames(text);
        text.Add($"\n{group}:");
        names.WriteValues(table, text);
        text.Append((byte)'\n');
    }
}

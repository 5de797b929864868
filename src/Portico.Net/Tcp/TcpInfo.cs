namespace Portico.Net;

/// <summary>State and measurements of a connection, as struct tcp_info (tcp(7)); times in microseconds, sizes in bytes.</summary>
public struct TcpInfo
{
#pragma warning disable CS1591 // The names are tcp_info's.
    public TcpState State;
    public byte CaState;
    public byte Retransmits;
    public byte Probes;
    public byte Backoff;
    public bool Timestamps;
    public bool Sack;
    public bool WindowScale;

    /// <summary>ECN is agreed on, or asked for (TCPI_OPT_ECN).</summary>
    public bool Ecn;

    /// <summary>Data marked ECT or CE has come in (TCPI_OPT_ECN_SEEN).</summary>
    public bool EcnSeen;

    /// <summary>The data of a SYN was acknowledged with it.</summary>
    public bool SynData;

    /// <summary>Made from a SYN with Fast Open.</summary>
    public bool FastOpenChild;

    /// <summary>tcpi_fastopen_client_fail: 1 no cookie, 2 data not acknowledged, 3 SYN retransmitted.</summary>
    public byte FastOpenClientFail;
    public byte SndWindShift;
    public byte RcvWindShift;
    public uint RtoMicros;
    public uint AtoMicros;
    public uint SndMss;
    public uint RcvMss;
    public uint Unacked;
    public uint Sacked;
    public uint Lost;
    public uint Retrans;
    public uint PathMtu;
    public uint RcvSsThresh;
    public uint RttMicros;
    public uint RttVarMicros;
    public uint MinRttMicros;
    public uint SndSsThresh;
    public uint SndCwnd;
    public uint AdvMss;
    public uint Reordering;
    public uint ReorderSeen;
    public uint DsackDuplicates;
    public ushort TotalRto;
    public ushort TotalRtoRecoveries;
    public uint TotalRtoMillis;

    /// <summary>Bytes a second of the last rate sample; 0 before there is one.</summary>
    public ulong DeliveryRate;
    public bool IsDeliveryRateAppLimited;
    public uint SndWnd;
    public uint RcvWnd;
    public uint RcvSpace;
    public uint RcvRttMicros;
    public uint LastDataSentMillis;
    public uint LastDataReceivedMillis;
    public uint LastAckReceivedMillis;
    public uint Delivered;

    /// <summary>Segments that ACKs with ECE have delivered (tcpi_delivered_ce).</summary>
    public uint DeliveredMarked;
    public uint TotalRetrans;
    public uint NotSentBytes;
    public uint ReceiveQueueBytes;
    public uint SendQueueBytes;
    public ulong BytesAcked;
    public ulong BytesReceived;
    public ulong BytesSent;
    public ulong BytesRetrans;
    public uint SegsOut;
    public uint DataSegsOut;

    /// <summary>Microseconds in which something was to be sent, and of those how many for the peer's window or the own buffer.</summary>
    public ulong BusyMicros;
    public ulong WindowLimitedMicros;
    public ulong BufferLimitedMicros;

    /// <summary>Bytes a second.</summary>
    public ulong PacingRate;
    public ulong PacingRateMax;

    /// <summary>How often a timeout has changed the flow's hash, and with it the flow label of IPv6.</summary>
    public uint Rehashes;
    public uint SegsIn;
    public TcpCongestion Congestion;

    /// <summary>Type of service or traffic class of the packet that made an accepted connection (IP_RECVTOS with IP_PKTOPTIONS).</summary>
    public byte ReceivedTrafficClass;
#pragma warning restore CS1591
}

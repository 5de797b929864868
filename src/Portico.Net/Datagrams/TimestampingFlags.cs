namespace Portico.Net;

/// <summary>What is to be told of the times of packets (SO_TIMESTAMPING of socket(7); Linux: Documentation/networking/timestamping).</summary>
[Flags]
public enum TimestampingFlags
{
#pragma warning disable CS1591, CA1707 // The names are Linux's own.
    None = 0,
    SOF_TIMESTAMPING_TX_HARDWARE = 1 << 0,

    /// <summary>When a packet is handed to its link.</summary>
    SOF_TIMESTAMPING_TX_SOFTWARE = 1 << 1,
    SOF_TIMESTAMPING_RX_HARDWARE = 1 << 2,
    SOF_TIMESTAMPING_RX_SOFTWARE = 1 << 3,

    /// <summary>Times by this host's clock are told.</summary>
    SOF_TIMESTAMPING_SOFTWARE = 1 << 4,
    SOF_TIMESTAMPING_SYS_HARDWARE = 1 << 5,
    SOF_TIMESTAMPING_RAW_HARDWARE = 1 << 6,

    /// <summary>Packets have numbers: those of datagrams count sends, those of streams are the place of the last byte.</summary>
    SOF_TIMESTAMPING_OPT_ID = 1 << 7,

    /// <summary>When a packet enters the queue of its link.</summary>
    SOF_TIMESTAMPING_TX_SCHED = 1 << 8,

    /// <summary>When the peer's TCP has acknowledged all bytes of a send.</summary>
    SOF_TIMESTAMPING_TX_ACK = 1 << 9,

    /// <summary>Times of sending come with the addresses that IP_PKTINFO and its like ask for.</summary>
    SOF_TIMESTAMPING_OPT_CMSG = 1 << 10,

    /// <summary>Times of sending come without the packet.</summary>
    SOF_TIMESTAMPING_OPT_TSONLY = 1 << 11,

    /// <summary>Times of sending of TCP come with measurements of the connection.</summary>
    SOF_TIMESTAMPING_OPT_STATS = 1 << 12,
    SOF_TIMESTAMPING_OPT_PKTINFO = 1 << 13,
    SOF_TIMESTAMPING_OPT_TX_SWHW = 1 << 14,
    SOF_TIMESTAMPING_BIND_PHC = 1 << 15,

    /// <summary>The numbers of a stream count from the next byte that is written, not from the first that is not acknowledged.</summary>
    SOF_TIMESTAMPING_OPT_ID_TCP = 1 << 16,

    /// <summary>Times of receiving are told only where they were asked for.</summary>
    SOF_TIMESTAMPING_OPT_RX_FILTER = 1 << 17,
    SOF_TIMESTAMPING_TX_COMPLETION = 1 << 18,

    /// <summary>All that there is.</summary>
    SOF_TIMESTAMPING_MASK = (1 << 19) - 1,

    /// <summary>What one packet can be asked for, by a control message too.</summary>
    SOF_TIMESTAMPING_TX_RECORD_MASK = SOF_TIMESTAMPING_TX_HARDWARE | SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_TX_SCHED
        | SOF_TIMESTAMPING_TX_ACK | SOF_TIMESTAMPING_TX_COMPLETION,
#pragma warning restore CS1591, CA1707
}

/// <summary>Which time of sending an entry of the error queue tells (ee_info).</summary>
internal enum TransmitTime : uint
{
    SCM_TSTAMP_SND = 0,
    SCM_TSTAMP_SCHED = 1,
    SCM_TSTAMP_ACK = 2,
}

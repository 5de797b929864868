namespace Portico.Differential.Tests.Sockets;

/// <summary>An option of getsockopt(2) and setsockopt(2), by Linux's own numbers.</summary>
/// <param name="Level">The level.</param>
/// <param name="Name">Its name in Linux's headers.</param>
/// <param name="Number">Its number there.</param>
internal sealed record OptionCase(int Level, string Name, int Number)
{
    /// <summary>Structures to set, besides the integers that every option is tried with.</summary>
    public byte[][] Structures { get; init; } = [];

    /// <summary>Set before it is read, where the value that it begins with is of the machine.</summary>
    public byte[]? First { get; init; }

    /// <summary>Room for the whole of a long value.</summary>
    public int Room { get; init; } = 64;

    /// <summary>What it reads as is of the machine or of the moment: only lengths are compared.</summary>
    public bool IsOfTheMoment { get; init; }

    public override string ToString() => Name;
}

/// <summary>The options that programs meet.</summary>
internal static class OptionTable
{
    private const int SOL_SOCKET = 1;
    private const int IPPROTO_IP = 0;
    private const int IPPROTO_TCP = 6;
    private const int IPPROTO_UDP = 17;
    private const int IPPROTO_IPV6 = 41;
    private const int IPPROTO_RAW = 255;
    private const int SOL_PACKET = Systems.Kit.SOL_PACKET;

    private static readonly byte[] s_group = [224, 0, 0, 251];
    private static readonly byte[] s_lo = [127, 0, 0, 1];
    private static readonly byte[] s_any = [0, 0, 0, 0];
    private static readonly byte[] s_foreign = [192, 0, 2, 1];
    private static readonly byte[] s_source = [127, 0, 0, 9];
    private static readonly byte[] s_group6 = [0xFF, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFB];
    private static readonly byte[] s_lo6 = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];

    public static readonly IReadOnlyDictionary<string, OptionCase> All = new OptionCase[]
    {
        new(SOL_SOCKET, "option 0 of SOL_SOCKET", 0),
        new(SOL_SOCKET, "SO_DEBUG", 1),
        new(SOL_SOCKET, "SO_REUSEADDR", 2),
        new(SOL_SOCKET, "SO_TYPE", 3),
        new(SOL_SOCKET, "SO_ERROR", 4),
        new(SOL_SOCKET, "SO_DONTROUTE", 5),
        new(SOL_SOCKET, "SO_BROADCAST", 6),
        new(SOL_SOCKET, "SO_SNDBUF", 7) { First = [0, 0x40, 0, 0] },
        new(SOL_SOCKET, "SO_RCVBUF", 8),
        new(SOL_SOCKET, "SO_KEEPALIVE", 9),
        new(SOL_SOCKET, "SO_OOBINLINE", 10),
        new(SOL_SOCKET, "SO_NO_CHECK", 11),
        new(SOL_SOCKET, "SO_PRIORITY", 12),
        new(SOL_SOCKET, "SO_LINGER", 13)
        {
            Structures = [[1, 0, 0, 0, 7, 0, 0, 0], [0, 0, 0, 0, 9, 0, 0, 0], [2, 0, 0, 0, 0, 0, 0, 0], [1, 0, 0, 0, 9, 0, 0, 0, 1, 2], [0, 0, 0, 0, 0, 0, 0, 0]],
        },
        new(SOL_SOCKET, "SO_BSDCOMPAT", 14),
        new(SOL_SOCKET, "SO_REUSEPORT", 15),
        new(SOL_SOCKET, "SO_PASSCRED", 16),
        new(SOL_SOCKET, "SO_PEERCRED", 17) { IsOfTheMoment = true },
        new(SOL_SOCKET, "SO_RCVLOWAT", 18),
        new(SOL_SOCKET, "SO_SNDLOWAT", 19),
        new(SOL_SOCKET, "SO_RCVTIMEO", 20) { Structures = Times() },
        new(SOL_SOCKET, "SO_SNDTIMEO", 21) { Structures = Times() },
        new(SOL_SOCKET, "SO_BINDTODEVICE", 25)
        {
            Structures = ["lo"u8.ToArray(), "lo\0"u8.ToArray(), "\0"u8.ToArray(), "no-such"u8.ToArray(), "lo\0with more behind it"u8.ToArray(), "a-name-that-is-far-too-long"u8.ToArray()],
        },
        new(SOL_SOCKET, "SO_ATTACH_FILTER", 26),
        new(SOL_SOCKET, "SO_DETACH_FILTER", 27),
        new(SOL_SOCKET, "SO_PEERNAME", 28) { IsOfTheMoment = true },
        new(SOL_SOCKET, "SO_TIMESTAMP", 29),
        new(SOL_SOCKET, "SO_ACCEPTCONN", 30),
        new(SOL_SOCKET, "SO_PEERSEC", 31),
        new(SOL_SOCKET, "SO_SNDBUFFORCE", 32),
        new(SOL_SOCKET, "SO_RCVBUFFORCE", 33),
        new(SOL_SOCKET, "SO_PASSSEC", 34),
        new(SOL_SOCKET, "SO_TIMESTAMPNS", 35),
        new(SOL_SOCKET, "SO_MARK", 36),
        new(SOL_SOCKET, "SO_TIMESTAMPING", 37) { Structures = [[0x7F, 0, 0, 0, 0, 0, 0, 0], [0x10, 0, 0, 0], [0x10, 0, 0, 0, 1, 0, 0, 0]] },
        new(SOL_SOCKET, "SO_PROTOCOL", 38),
        new(SOL_SOCKET, "SO_DOMAIN", 39),
        new(SOL_SOCKET, "SO_RXQ_OVFL", 40),
        new(SOL_SOCKET, "SO_WIFI_STATUS", 41),
        new(SOL_SOCKET, "SO_PEEK_OFF", 42),
        new(SOL_SOCKET, "SO_NOFCS", 43),
        new(SOL_SOCKET, "SO_LOCK_FILTER", 44),
        new(SOL_SOCKET, "SO_SELECT_ERR_QUEUE", 45),
        new(SOL_SOCKET, "SO_BUSY_POLL", 46),
        new(SOL_SOCKET, "SO_MAX_PACING_RATE", 47) { Structures = [[255, 255, 255, 255], [255, 255, 255, 255, 0, 0, 0, 0], [255, 255, 255, 255, 255, 255, 255, 255], [0, 0, 0, 0, 1, 0, 0, 0], [5, 0, 0, 0, 0, 0]] },
        new(SOL_SOCKET, "SO_BPF_EXTENSIONS", 48),
        new(SOL_SOCKET, "SO_INCOMING_CPU", 49) { IsOfTheMoment = true },
        new(SOL_SOCKET, "SO_CNX_ADVICE", 53),
        new(SOL_SOCKET, "SO_MEMINFO", 55) { IsOfTheMoment = true },
        new(SOL_SOCKET, "SO_INCOMING_NAPI_ID", 56),
        new(SOL_SOCKET, "SO_COOKIE", 57) { IsOfTheMoment = true },
        new(SOL_SOCKET, "SO_PEERGROUPS", 59) { IsOfTheMoment = true },
        new(SOL_SOCKET, "SO_ZEROCOPY", 60),
        new(SOL_SOCKET, "SO_TXTIME", 61) { Structures = [[1, 0, 0, 0, 0, 0, 0, 0], [1, 0, 0, 0, 3, 0, 0, 0], [1, 0, 0, 0, 4, 0, 0, 0], [0, 0, 0, 0, 1, 0, 0, 0]] },
        new(SOL_SOCKET, "SO_BINDTOIFINDEX", 62),
        new(SOL_SOCKET, "SO_TIMESTAMP_NEW", 63),
        new(SOL_SOCKET, "SO_TIMESTAMPNS_NEW", 64),
        new(SOL_SOCKET, "SO_TIMESTAMPING_NEW", 65),
        new(SOL_SOCKET, "SO_RCVTIMEO_NEW", 66) { Structures = Times() },
        new(SOL_SOCKET, "SO_SNDTIMEO_NEW", 67) { Structures = Times() },
        new(SOL_SOCKET, "SO_DETACH_REUSEPORT_BPF", 68),
        new(SOL_SOCKET, "SO_PREFER_BUSY_POLL", 69),
        new(SOL_SOCKET, "SO_BUSY_POLL_BUDGET", 70),
        new(SOL_SOCKET, "SO_NETNS_COOKIE", 71) { IsOfTheMoment = true },
        new(SOL_SOCKET, "SO_BUF_LOCK", 72),
        new(SOL_SOCKET, "SO_RESERVE_MEM", 73),
        new(SOL_SOCKET, "SO_TXREHASH", 74),
        new(SOL_SOCKET, "SO_RCVMARK", 75),
        new(SOL_SOCKET, "SO_PASSPIDFD", 76),
        new(SOL_SOCKET, "SO_RCVPRIORITY", 82),
        new(SOL_SOCKET, "SO_PASSRIGHTS", 83),
        new(SOL_SOCKET, "option 200 of SOL_SOCKET", 200),

        new(IPPROTO_IP, "option 0 of IPPROTO_IP", 0),
        new(IPPROTO_IP, "IP_TOS", 1),
        new(IPPROTO_IP, "IP_TTL", 2),
        new(IPPROTO_IP, "IP_HDRINCL", 3),
        new(IPPROTO_IP, "IP_ROUTER_ALERT", 5),
        new(IPPROTO_IP, "IP_RECVOPTS", 6),
        new(IPPROTO_IP, "IP_RETOPTS", 7),
        new(IPPROTO_IP, "IP_PKTINFO", 8),
        new(IPPROTO_IP, "IP_PKTOPTIONS", 9),
        new(IPPROTO_IP, "IP_MTU_DISCOVER", 10) { Structures = [[3, 0, 0, 0], [4, 0, 0, 0], [5, 0, 0, 0], [6, 0, 0, 0]] },
        new(IPPROTO_IP, "IP_RECVERR", 11),
        new(IPPROTO_IP, "IP_RECVTTL", 12),
        new(IPPROTO_IP, "IP_RECVTOS", 13),
        new(IPPROTO_IP, "IP_MTU", 14),
        new(IPPROTO_IP, "IP_FREEBIND", 15),
        new(IPPROTO_IP, "IP_IPSEC_POLICY", 16),
        new(IPPROTO_IP, "IP_XFRM_POLICY", 17),
        new(IPPROTO_IP, "IP_PASSSEC", 18),
        new(IPPROTO_IP, "IP_TRANSPARENT", 19),
        new(IPPROTO_IP, "IP_RECVORIGDSTADDR", 20),
        new(IPPROTO_IP, "IP_MINTTL", 21),
        new(IPPROTO_IP, "IP_NODEFRAG", 22),
        new(IPPROTO_IP, "IP_CHECKSUM", 23),
        new(IPPROTO_IP, "IP_BIND_ADDRESS_NO_PORT", 24),
        new(IPPROTO_IP, "IP_RECVFRAGSIZE", 25),
        new(IPPROTO_IP, "IP_RECVERR_RFC4884", 26),
        new(IPPROTO_IP, "IP_MULTICAST_IF", 32)
        {
            Structures = [s_lo, s_any, s_foreign, [.. s_any, .. s_lo], [.. s_any, .. s_any, 1, 0, 0, 0], [.. s_any, .. s_lo, 9, 0, 0, 0], [.. s_any, .. s_foreign, 1, 0, 0, 0], s_any],
        },
        new(IPPROTO_IP, "IP_MULTICAST_TTL", 33),
        new(IPPROTO_IP, "IP_MULTICAST_LOOP", 34),
        new(IPPROTO_IP, "IP_ADD_MEMBERSHIP", 35)
        {
            Structures = [[.. s_group, .. s_lo], [.. s_group, .. s_lo], [.. s_lo, .. s_lo], [.. s_group, .. s_foreign], [.. s_group, .. s_any, 1, 0, 0, 0], [.. s_group, .. s_any, 9, 0, 0, 0], [224, 0, 0, 252, .. s_any, 1, 0, 0, 0], s_group],
        },
        new(IPPROTO_IP, "IP_DROP_MEMBERSHIP", 36)
        {
            Structures = [[.. s_group, .. s_lo], [.. s_lo, .. s_lo], [.. s_group, .. s_foreign], [.. s_group, .. s_any, 1, 0, 0, 0], [.. s_group, .. s_any, 9, 0, 0, 0], s_group],
        },
        new(IPPROTO_IP, "IP_UNBLOCK_SOURCE", 37) { Structures = [[.. s_group, .. s_lo, .. s_source], [.. s_lo, .. s_lo, .. s_source]] },
        new(IPPROTO_IP, "IP_BLOCK_SOURCE", 38) { Structures = [[.. s_group, .. s_lo, .. s_source], [.. s_lo, .. s_lo, .. s_source]] },
        new(IPPROTO_IP, "IP_ADD_SOURCE_MEMBERSHIP", 39)
        {
            Structures = [[.. s_group, .. s_lo, .. s_source], [.. s_group, .. s_lo, .. s_source], [.. s_group, .. s_foreign, .. s_source], [.. s_lo, .. s_lo, .. s_source]],
        },
        new(IPPROTO_IP, "IP_DROP_SOURCE_MEMBERSHIP", 40) { Structures = [[.. s_group, .. s_lo, .. s_source], [.. s_lo, .. s_lo, .. s_source]] },
        new(IPPROTO_IP, "IP_MSFILTER", 41) { Structures = [[.. s_group, .. s_lo, 1, 0, 0, 0, 1, 0, 0, 0, .. s_source], [.. s_group, .. s_lo, 0, 0, 0, 0, 9, 0, 0, 0, .. s_source]] },
        new(IPPROTO_IP, "IP_MULTICAST_ALL", 49),
        new(IPPROTO_IP, "IP_UNICAST_IF", 50) { Structures = [[0, 0, 0, 1], [0, 0, 0, 9], [0, 0, 0, 0]] },
        new(IPPROTO_IP, "IP_LOCAL_PORT_RANGE", 51) { Structures = [[0, 0x80, 0, 0x90], [0, 0x90, 0, 0x80], [0, 0, 0, 0x80]] },
        new(IPPROTO_IP, "IP_PROTOCOL", 52) { IsOfTheMoment = true },
        new(IPPROTO_IP, "option 150 of IPPROTO_IP", 150),

        new(IPPROTO_TCP, "option 0 of IPPROTO_TCP", 0),
        new(IPPROTO_TCP, "TCP_NODELAY", 1),
        new(IPPROTO_TCP, "TCP_MAXSEG", 2) { Structures = [[87, 0, 0, 0], [88, 0, 0, 0], [0xFF, 0x7F, 0, 0], [0, 0x80, 0, 0]] },
        new(IPPROTO_TCP, "TCP_CORK", 3),
        new(IPPROTO_TCP, "TCP_KEEPIDLE", 4) { Structures = [[0xFF, 0x7F, 0, 0], [0, 0x80, 0, 0]] },
        new(IPPROTO_TCP, "TCP_KEEPINTVL", 5) { Structures = [[0xFF, 0x7F, 0, 0], [0, 0x80, 0, 0]] },
        new(IPPROTO_TCP, "TCP_KEEPCNT", 6) { Structures = [[127, 0, 0, 0], [128, 0, 0, 0]] },
        new(IPPROTO_TCP, "TCP_SYNCNT", 7) { Structures = [[127, 0, 0, 0], [128, 0, 0, 0]] },
        new(IPPROTO_TCP, "TCP_LINGER2", 8) { Structures = [[120, 0, 0, 0], [121, 0, 0, 0]] },
        new(IPPROTO_TCP, "TCP_DEFER_ACCEPT", 9) { Structures = [[3, 0, 0, 0], [7, 0, 0, 0], [8, 0, 0, 0], [127, 0, 0, 0], [128, 0, 0, 0], [0xC0, 0x5D, 0, 0]] },
        new(IPPROTO_TCP, "TCP_WINDOW_CLAMP", 10),
        new(IPPROTO_TCP, "TCP_INFO", 11) { IsOfTheMoment = true, Room = 400 },
        new(IPPROTO_TCP, "TCP_QUICKACK", 12),
        new(IPPROTO_TCP, "TCP_CONGESTION", 13) { First = "reno"u8.ToArray(), Structures = ["reno"u8.ToArray(), "reno\0and more"u8.ToArray(), "nothing"u8.ToArray(), "a-name-that-is-far-too-long"u8.ToArray()] },
        new(IPPROTO_TCP, "TCP_THIN_LINEAR_TIMEOUTS", 16),
        new(IPPROTO_TCP, "TCP_THIN_DUPACK", 17),
        new(IPPROTO_TCP, "TCP_USER_TIMEOUT", 18),
        new(IPPROTO_TCP, "TCP_REPAIR", 19),
        new(IPPROTO_TCP, "TCP_FASTOPEN", 23),
        new(IPPROTO_TCP, "TCP_TIMESTAMP", 24) { IsOfTheMoment = true },
        new(IPPROTO_TCP, "TCP_NOTSENT_LOWAT", 25),
        new(IPPROTO_TCP, "TCP_SAVE_SYN", 27),
        new(IPPROTO_TCP, "TCP_SAVED_SYN", 28),
        new(IPPROTO_TCP, "TCP_FASTOPEN_CONNECT", 30),
        new(IPPROTO_TCP, "TCP_ULP", 31) { Structures = ["no-such"u8.ToArray()] },
        new(IPPROTO_TCP, "TCP_FASTOPEN_KEY", 33),
        new(IPPROTO_TCP, "TCP_FASTOPEN_NO_COOKIE", 34),
        new(IPPROTO_TCP, "TCP_INQ", 36),
        new(IPPROTO_TCP, "TCP_IS_MPTCP", 43),
        new(IPPROTO_TCP, "TCP_RTO_MAX_MS", 44) { Structures = [[0xE8, 3, 0, 0], [0xE7, 3, 0, 0], [0xC0, 0xD4, 1, 0], [0xC1, 0xD4, 1, 0], [0xE9, 3, 0, 0], [0xEC, 3, 0, 0]] },
        new(IPPROTO_TCP, "TCP_RTO_MIN_US", 45) { Structures = Microseconds() },
        new(IPPROTO_TCP, "TCP_DELACK_MAX_US", 46) { Structures = Microseconds() },
        new(IPPROTO_TCP, "option 47 of IPPROTO_TCP", 47),
        new(IPPROTO_TCP, "option 150 of IPPROTO_TCP", 150),

        new(IPPROTO_UDP, "option 0 of IPPROTO_UDP", 0),
        new(IPPROTO_UDP, "UDP_CORK", 1),
        new(IPPROTO_UDP, "UDP_NO_CHECK6_TX", 101),
        new(IPPROTO_UDP, "UDP_NO_CHECK6_RX", 102),
        new(IPPROTO_UDP, "UDP_SEGMENT", 103),
        new(IPPROTO_UDP, "UDP_GRO", 104),

        new(IPPROTO_IPV6, "option 0 of IPPROTO_IPV6", 0),
        new(IPPROTO_IPV6, "IPV6_ADDRFORM", 1) { Structures = [[2, 0, 0, 0], [10, 0, 0, 0]] },
        new(IPPROTO_IPV6, "IPV6_2292PKTINFO", 2),
        new(IPPROTO_IPV6, "IPV6_2292HOPOPTS", 3),
        new(IPPROTO_IPV6, "IPV6_2292DSTOPTS", 4),
        new(IPPROTO_IPV6, "IPV6_2292RTHDR", 5),
        new(IPPROTO_IPV6, "IPV6_CHECKSUM", 7),
        new(IPPROTO_IPV6, "IPV6_2292HOPLIMIT", 8),
        new(IPPROTO_IPV6, "IPV6_NEXTHOP", 9),
        new(IPPROTO_IPV6, "IPV6_FLOWINFO", 11),
        new(IPPROTO_IPV6, "IPV6_UNICAST_HOPS", 16),
        new(IPPROTO_IPV6, "IPV6_MULTICAST_IF", 17),
        new(IPPROTO_IPV6, "IPV6_MULTICAST_HOPS", 18),
        new(IPPROTO_IPV6, "IPV6_MULTICAST_LOOP", 19),
        new(IPPROTO_IPV6, "IPV6_ADD_MEMBERSHIP", 20)
        {
            Structures = [[.. s_group6, 1, 0, 0, 0], [.. s_group6, 1, 0, 0, 0], [.. s_group6, 9, 0, 0, 0], [.. s_lo6, 1, 0, 0, 0], s_group6],
        },
        new(IPPROTO_IPV6, "IPV6_DROP_MEMBERSHIP", 21) { Structures = [[.. s_group6, 1, 0, 0, 0], [.. s_group6, 9, 0, 0, 0], [.. s_lo6, 1, 0, 0, 0], s_group6] },
        new(IPPROTO_IPV6, "IPV6_ROUTER_ALERT", 22),
        new(IPPROTO_IPV6, "IPV6_MTU_DISCOVER", 23) { Structures = [[3, 0, 0, 0], [4, 0, 0, 0], [5, 0, 0, 0], [6, 0, 0, 0]] },
        new(IPPROTO_IPV6, "IPV6_MTU", 24) { Structures = [[0xFF, 4, 0, 0], [0, 5, 0, 0]] },
        new(IPPROTO_IPV6, "IPV6_RECVERR", 25),
        new(IPPROTO_IPV6, "IPV6_V6ONLY", 26),
        new(IPPROTO_IPV6, "IPV6_MULTICAST_ALL", 29),
        new(IPPROTO_IPV6, "IPV6_ROUTER_ALERT_ISOLATE", 30),
        new(IPPROTO_IPV6, "IPV6_RECVERR_RFC4884", 31),
        new(IPPROTO_IPV6, "IPV6_FLOWINFO_SEND", 33),
        new(IPPROTO_IPV6, "IPV6_HDRINCL", 36),
        new(IPPROTO_IPV6, "IPV6_RECVPKTINFO", 49),
        new(IPPROTO_IPV6, "IPV6_PKTINFO", 50) { Structures = [[.. s_lo6, 1, 0, 0, 0], [.. s_lo6, 0, 0, 0, 0], [.. new byte[20]]] },
        new(IPPROTO_IPV6, "IPV6_RECVHOPLIMIT", 51),
        new(IPPROTO_IPV6, "IPV6_HOPLIMIT", 52),
        new(IPPROTO_IPV6, "IPV6_RECVHOPOPTS", 53),
        new(IPPROTO_IPV6, "IPV6_RECVRTHDR", 56),
        new(IPPROTO_IPV6, "IPV6_RECVDSTOPTS", 58),
        new(IPPROTO_IPV6, "IPV6_RECVPATHMTU", 60),
        new(IPPROTO_IPV6, "IPV6_PATHMTU", 61),
        new(IPPROTO_IPV6, "IPV6_DONTFRAG", 62),
        new(IPPROTO_IPV6, "IPV6_USE_MIN_MTU", 63),
        new(IPPROTO_IPV6, "IPV6_RECVTCLASS", 66),
        new(IPPROTO_IPV6, "IPV6_TCLASS", 67),
        new(IPPROTO_IPV6, "IPV6_AUTOFLOWLABEL", 70),
        new(IPPROTO_IPV6, "IPV6_ADDR_PREFERENCES", 72),
        new(IPPROTO_IPV6, "IPV6_MINHOPCOUNT", 73),
        new(IPPROTO_IPV6, "IPV6_RECVORIGDSTADDR", 74),
        new(IPPROTO_IPV6, "IPV6_TRANSPARENT", 75),
        new(IPPROTO_IPV6, "IPV6_UNICAST_IF", 76) { Structures = [[0, 0, 0, 1], [0, 0, 0, 9], [0, 0, 0, 0]] },
        new(IPPROTO_IPV6, "IPV6_RECVFRAGSIZE", 77),
        new(IPPROTO_IPV6, "IPV6_FREEBIND", 78),
        new(IPPROTO_IPV6, "option 150 of IPPROTO_IPV6", 150),

        new(SOL_PACKET, "option 0 of SOL_PACKET", 0),
        new(SOL_PACKET, "PACKET_ADD_MEMBERSHIP", 1) { Structures = Memberships() },
        new(SOL_PACKET, "PACKET_DROP_MEMBERSHIP", 2) { Structures = Memberships() },
        new(SOL_PACKET, "PACKET_STATISTICS", 6),
        new(SOL_PACKET, "PACKET_AUXDATA", 8),
        new(SOL_PACKET, "PACKET_ORIGDEV", 9),
        new(SOL_PACKET, "PACKET_QDISC_BYPASS", 20),
        new(SOL_PACKET, "PACKET_IGNORE_OUTGOING", 23),
        new(SOL_PACKET, "option 150 of SOL_PACKET", 150),

        new(IPPROTO_RAW, "an option of IPPROTO_RAW", 1),
        new(58, "an option of IPPROTO_ICMPV6", 1),
        new(300, "an option of an unknown level", 1),
        new(-1, "an option of a negative level", 1),
    }.ToDictionary(option => option.Name);

    /// <summary>struct packet_mreq: all types, on lo and where there is no interface, with addresses of some lengths.</summary>
    private static byte[][] Memberships()
    {
        List<byte[]> all = [];
        foreach (byte type in (byte[])[0, 1, 2, 3, 9])
        {
            foreach (byte length in (byte[])[0, 4, 6, 7, 8, 9, 200])
            {
                all.Add([1, 0, 0, 0, type, 0, length, 0, 1, 0, 0x5E, 0, 0, 1, 0, 0]);
            }

            all.Add([9, 0, 0, 0, type, 0, 6, 0, 1, 0, 0x5E, 0, 0, 1, 0, 0]);
            all.Add([1, 0, 0, 0, type, 0, 20, 0, 1, 0, 0x5E, 0, 0, 1, 0, 0, .. new byte[16]]);
        }

        return [.. all];
    }

    /// <summary>struct timeval, or struct __kernel_old_timeval, which are the same on 64 bits.</summary>
    private static byte[][] Times() =>
    [
        Time(2, 500_000), Time(0, 999_999), Time(0, 1_000_000), Time(0, -1), Time(-1, 0), Time(-1, 5), Time(long.MaxValue, 0), Time(3_000_000_000, 20_000),
        Time(0, 40_000), Time(1, 0)[..15], [.. Time(1, 0), 1, 2, 3], Time(0, 0),
    ];

    private static byte[][] Microseconds() =>
        [.. new[] { 3_999, 4_000, 4_001, 7_999, 8_000, 8_001, 40_000, 196_001, 200_000, 200_001, 204_000, -4_000 }.Select(BitConverter.GetBytes)];

    private static byte[] Time(long seconds, long microseconds) => [.. BitConverter.GetBytes(seconds), .. BitConverter.GetBytes(microseconds)];
}

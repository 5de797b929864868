namespace Portico.Kernel;

#pragma warning disable CS1591, CA1707, CA1069 // Names, values and meanings are those of Linux's headers.

/// <summary>Address families (address_families(7)).</summary>
public enum AddressFamily : ushort
{
    AF_UNSPEC = 0,
    AF_UNIX = 1,
    AF_INET = 2,
    AF_INET6 = 10,
    AF_NETLINK = 16,
    AF_PACKET = 17,
}

/// <summary>Types of sockets (socket(2)), and the flags that go with them.</summary>
[Flags]
public enum SocketType
{
    SOCK_STREAM = 1,
    SOCK_DGRAM = 2,
    SOCK_RAW = 3,
    SOCK_SEQPACKET = 5,
    SOCK_NONBLOCK = 0x800,
    SOCK_CLOEXEC = 0x8_0000,
}

/// <summary>Flags of send(2) and recv(2).</summary>
[Flags]
public enum MessageFlags
{
    None = 0,
    MSG_OOB = 1,
    MSG_PEEK = 2,
    MSG_DONTROUTE = 4,
    MSG_CTRUNC = 8,
    MSG_TRUNC = 0x20,
    MSG_DONTWAIT = 0x40,
    MSG_EOR = 0x80,
    MSG_WAITALL = 0x100,
    MSG_CONFIRM = 0x800,
    MSG_ERRQUEUE = 0x2000,
    MSG_NOSIGNAL = 0x4000,
    MSG_MORE = 0x8000,
    MSG_WAITFORONE = 0x1_0000,

    /// <summary>Where SO_ZEROCOPY is set: the error queue tells when the memory is not needed any more.</summary>
    MSG_ZEROCOPY = 0x400_0000,
    MSG_FASTOPEN = 0x2000_0000,
    MSG_CMSG_CLOEXEC = 0x4000_0000,
}

/// <summary>Which directions shutdown(2) ends.</summary>
public enum ShutdownHow
{
    SHUT_RD = 0,
    SHUT_WR = 1,
    SHUT_RDWR = 2,
}

/// <summary>Levels of getsockopt(2).</summary>
public enum SocketLevel
{
    IPPROTO_IP = 0,
    SOL_SOCKET = 1,
    IPPROTO_TCP = 6,
    IPPROTO_UDP = 17,
    IPPROTO_IPV6 = 41,
}

/// <summary>Options of the level SOL_SOCKET (socket(7)).</summary>
public enum SocketOption
{
    SO_DEBUG = 1,
    SO_REUSEADDR = 2,
    SO_TYPE = 3,
    SO_ERROR = 4,
    SO_DONTROUTE = 5,
    SO_BROADCAST = 6,
    SO_SNDBUF = 7,
    SO_RCVBUF = 8,
    SO_KEEPALIVE = 9,
    SO_OOBINLINE = 10,
    SO_NO_CHECK = 11,
    SO_PRIORITY = 12,
    SO_LINGER = 13,
    SO_BSDCOMPAT = 14,
    SO_REUSEPORT = 15,
    SO_PASSCRED = 16,
    SO_PEERCRED = 17,
    SO_RCVLOWAT = 18,
    SO_SNDLOWAT = 19,
    SO_RCVTIMEO = 20,
    SO_SNDTIMEO = 21,
    SO_BINDTODEVICE = 25,

    /// <summary>Read, it is SO_GET_FILTER.</summary>
    SO_ATTACH_FILTER = 26,
    SO_DETACH_FILTER = 27,
    SO_PEERNAME = 28,
    SO_TIMESTAMP = 29,
    SO_ACCEPTCONN = 30,
    SO_SNDBUFFORCE = 32,
    SO_RCVBUFFORCE = 33,
    SO_PASSSEC = 34,
    SO_TIMESTAMPNS = 35,
    SO_MARK = 36,
    SO_TIMESTAMPING = 37,
    SO_PROTOCOL = 38,
    SO_DOMAIN = 39,
    SO_RXQ_OVFL = 40,
    SO_WIFI_STATUS = 41,
    SO_PEEK_OFF = 42,
    SO_NOFCS = 43,
    SO_LOCK_FILTER = 44,
    SO_SELECT_ERR_QUEUE = 45,
    SO_BUSY_POLL = 46,
    SO_MAX_PACING_RATE = 47,
    SO_BPF_EXTENSIONS = 48,
    SO_INCOMING_CPU = 49,
    SO_CNX_ADVICE = 53,
    SO_MEMINFO = 55,
    SO_INCOMING_NAPI_ID = 56,
    SO_COOKIE = 57,
    SO_PEERGROUPS = 59,
    SO_ZEROCOPY = 60,
    SO_TXTIME = 61,
    SO_BINDTOIFINDEX = 62,
    SO_TIMESTAMP_NEW = 63,
    SO_TIMESTAMPNS_NEW = 64,
    SO_TIMESTAMPING_NEW = 65,
    SO_RCVTIMEO_NEW = 66,
    SO_SNDTIMEO_NEW = 67,
    SO_DETACH_REUSEPORT_BPF = 68,
    SO_PREFER_BUSY_POLL = 69,
    SO_BUSY_POLL_BUDGET = 70,
    SO_NETNS_COOKIE = 71,
    SO_BUF_LOCK = 72,
    SO_RESERVE_MEM = 73,
    SO_TXREHASH = 74,
    SO_RCVMARK = 75,
    SO_PASSPIDFD = 76,
    SO_RCVPRIORITY = 82,
    SO_PASSRIGHTS = 83,
}

#pragma warning restore CS1591, CA1707, CA1069

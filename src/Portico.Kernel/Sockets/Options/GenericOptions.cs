using Portico.Net;

namespace Portico.Kernel;

/// <summary>The options of the level SOL_SOCKET that are on or off.</summary>
[Flags]
internal enum GenericFlags : uint
{
    None = 0,
    Debug = 1 << 0,
    ReuseAddress = 1 << 1,
    DontRoute = 1 << 2,
    Broadcast = 1 << 3,
    KeepAlive = 1 << 4,
    OobInline = 1 << 5,
    NoCheck = 1 << 6,
    Linger = 1 << 7,
    ReusePort = 1 << 8,
    ReceiveDrops = 1 << 9,
    WifiStatus = 1 << 10,
    NoFcs = 1 << 11,
    LockFilter = 1 << 12,
    SelectErrorQueue = 1 << 13,
    ZeroCopy = 1 << 14,
    PreferBusyPoll = 1 << 15,
    ReceiveMark = 1 << 16,
    ReceivePriority = 1 << 17,
    PassCredentials = 1 << 18,
    PassSecurity = 1 << 19,
    PassRights = 1 << 20,

    /// <summary>SO_TIMESTAMP or SO_TIMESTAMPNS.</summary>
    Timestamp = 1 << 21,

    /// <summary>The timestamps are in nanoseconds.</summary>
    TimestampNanoseconds = 1 << 22,

    /// <summary>The timestamps were asked for by the newer numbers.</summary>
    TimestampNew = 1 << 23,

    /// <summary>SO_MAX_PACING_RATE was set to a limit, perhaps not any more.</summary>
    Paced = 1 << 24,

    /// <summary>Somebody has asked for the time of packets, by SO_TIMESTAMP or SIOCGSTAMP (SOCK_TIMESTAMP in Linux).</summary>
    StampsPackets = 1 << 25,
}

/// <summary>What a socket keeps for the level SOL_SOCKET, whatever its family (struct sock in Linux).</summary>
internal struct GenericOptions
{
    /// <summary>CONFIG_HZ: Linux measures SO_RCVTIMEO and SO_SNDTIMEO in these, rounded up.</summary>
    public const int JiffiesPerSecond = 250;

    /// <summary>MAX_SCHEDULE_TIMEOUT.</summary>
    public const long ForEver = long.MaxValue;

    private const int MicrosecondsPerJiffy = 1_000_000 / JiffiesPerSecond;

    public GenericOptions(int sendBuffer, int receiveBuffer)
    {
        SendBuffer = sendBuffer;
        ReceiveBuffer = receiveBuffer;
    }

    public GenericFlags Flags { get; set; } = GenericFlags.PassRights;

    /// <summary>SO_SNDBUF in bytes, as it reads: doubled.</summary>
    public int SendBuffer { get; set; }

    /// <summary>SO_RCVBUF in bytes, as it reads: doubled.</summary>
    public int ReceiveBuffer { get; set; }

    /// <summary>SO_BUF_LOCK: 1 where the program has chosen the send buffer, 2 where the receive buffer.</summary>
    public int BufferLocks { get; set; }

    /// <summary>SO_RCVLOWAT.</summary>
    public int ReceiveLow { get; set; } = 1;

    /// <summary>SO_RCVTIMEO in jiffies; 0 does not wait.</summary>
    public long ReceiveTimeout { get; set; } = ForEver;

    /// <summary>SO_SNDTIMEO in jiffies; 0 does not wait.</summary>
    public long SendTimeout { get; set; } = ForEver;

    /// <summary>The seconds of SO_LINGER, which are kept while it is off.</summary>
    public long LingerSeconds { get; set; }

    /// <summary>SO_PRIORITY.</summary>
    public int Priority { get; set; }

    /// <summary>SO_MARK.</summary>
    public int Mark { get; set; }

    /// <summary>SO_BINDTODEVICE; 0 for none.</summary>
    public int InterfaceIndex { get; set; }

    /// <summary>SO_PEEK_OFF: where in what is there the next peek begins; -1 for always at the front.</summary>
    public int PeekOffset { get; set; } = -1;

    /// <summary>SO_INCOMING_CPU.</summary>
    public int IncomingCpu { get; set; } = -1;

    /// <summary>SO_BUSY_POLL, in microseconds.</summary>
    public int BusyPoll { get; set; }

    /// <summary>SO_TXREHASH.</summary>
    public byte Rehash { get; set; } = 1;

    /// <summary>SO_MAX_PACING_RATE, in bytes a second.</summary>
    public ulong PacingRate { get; set; } = ulong.MaxValue;

    /// <summary>SO_TIMESTAMPING.</summary>
    public TimestampingFlags Timestamping { get; set; }

    /// <summary>SO_TXTIME: the clock and SOF_TXTIME_*.</summary>
    public (int Clock, int Flags) TransmitTime { get; set; }

    /// <summary>SO_COOKIE; 0 before anybody has asked.</summary>
    public long Cookie { get; set; }

    public readonly bool Has(GenericFlags flag) => (Flags & flag) != 0;

    public void Set(GenericFlags flag, bool isOn) => Flags = isOn ? Flags | flag : Flags & ~flag;

    public static TimeSpan ToTimeSpan(long jiffies) =>
        jiffies > TimeSpan.MaxValue.Ticks / TimeSpan.TicksPerSecond ? Timeout.InfiniteTimeSpan : TimeSpan.FromMicroseconds(jiffies * MicrosecondsPerJiffy);

    /// <summary>A time as setsockopt takes it, in jiffies.</summary>
    public static long ToJiffies(long seconds, long microseconds) =>
        seconds < 0 ? 0
        : seconds == 0 && microseconds == 0 ? ForEver
        : seconds < (ForEver / JiffiesPerSecond) - 1
        ? (seconds * JiffiesPerSecond) + ((microseconds + MicrosecondsPerJiffy - 1) / MicrosecondsPerJiffy)
        : ForEver;

    /// <summary>The same as getsockopt returns it.</summary>
    public static (long Seconds, long Microseconds) FromJiffies(long jiffies) =>
        jiffies == ForEver ? (0, 0) : (jiffies / JiffiesPerSecond, jiffies % JiffiesPerSecond * MicrosecondsPerJiffy);

    /// <summary>What an option that is on or off is kept as; None for other options.</summary>
    public static GenericFlags FlagOf(SocketOption option) => option switch
    {
        SocketOption.SO_DEBUG => GenericFlags.Debug,
        SocketOption.SO_REUSEADDR => GenericFlags.ReuseAddress,
        SocketOption.SO_DONTROUTE => GenericFlags.DontRoute,
        SocketOption.SO_BROADCAST => GenericFlags.Broadcast,
        SocketOption.SO_KEEPALIVE => GenericFlags.KeepAlive,
        SocketOption.SO_OOBINLINE => GenericFlags.OobInline,
        SocketOption.SO_NO_CHECK => GenericFlags.NoCheck,
        SocketOption.SO_REUSEPORT => GenericFlags.ReusePort,
        SocketOption.SO_RXQ_OVFL => GenericFlags.ReceiveDrops,
        SocketOption.SO_WIFI_STATUS => GenericFlags.WifiStatus,
        SocketOption.SO_NOFCS => GenericFlags.NoFcs,
        SocketOption.SO_LOCK_FILTER => GenericFlags.LockFilter,
        SocketOption.SO_SELECT_ERR_QUEUE => GenericFlags.SelectErrorQueue,
        SocketOption.SO_ZEROCOPY => GenericFlags.ZeroCopy,
        SocketOption.SO_PREFER_BUSY_POLL => GenericFlags.PreferBusyPoll,
        SocketOption.SO_RCVMARK => GenericFlags.ReceiveMark,
        SocketOption.SO_RCVPRIORITY => GenericFlags.ReceivePriority,
        SocketOption.SO_PASSCRED => GenericFlags.PassCredentials,
        SocketOption.SO_PASSSEC => GenericFlags.PassSecurity,
        SocketOption.SO_PASSRIGHTS => GenericFlags.PassRights,
        _ => GenericFlags.None,
    };
}

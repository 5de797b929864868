namespace Portico.Kernel;

#pragma warning disable CS1591, CA1707, CA1069 // Names, values and meanings are those of Linux's headers (asm-generic, x86-64).

/// <summary>Kinds of files (S_IFMT of st_mode; inode(7)).</summary>
public enum FileType
{
    /// <summary>Of no kind: epoll, eventfd and the like.</summary>
    Anonymous = 0,
    Fifo = 0x1000,
    CharacterDevice = 0x2000,
    Directory = 0x4000,
    BlockDevice = 0x6000,
    Regular = 0x8000,
    SymbolicLink = 0xA000,
    Socket = 0xC000,
}

/// <summary>Flags of open(2), and the status flags of fcntl(2).</summary>
[Flags]
public enum OpenFlags
{
    O_RDONLY = 0,
    O_WRONLY = 1,
    O_RDWR = 2,
    O_ACCMODE = 3,
    O_CREAT = 0x40,
    O_EXCL = 0x80,
    O_NOCTTY = 0x100,
    O_TRUNC = 0x200,
    O_APPEND = 0x400,
    O_NONBLOCK = 0x800,
    O_DSYNC = 0x1000,
    O_ASYNC = 0x2000,
    O_DIRECT = 0x4000,
    O_LARGEFILE = 0x8000,
    O_DIRECTORY = 0x1_0000,
    O_NOFOLLOW = 0x2_0000,
    O_NOATIME = 0x4_0000,
    O_CLOEXEC = 0x8_0000,
    O_SYNC = 0x10_1000,
    O_PATH = 0x20_0000,
    O_TMPFILE = 0x41_0000,
}

/// <summary>Commands of fcntl(2).</summary>
public enum FcntlCommand
{
    F_DUPFD = 0,
    F_GETFD = 1,
    F_SETFD = 2,
    F_GETFL = 3,
    F_SETFL = 4,
    F_GETLK = 5,
    F_SETLK = 6,
    F_SETLKW = 7,
    F_SETOWN = 8,
    F_GETOWN = 9,
    F_SETSIG = 10,
    F_GETSIG = 11,
    F_DUPFD_QUERY = 1027,
    F_DUPFD_CLOEXEC = 1030,
    F_SETPIPE_SZ = 1031,
    F_GETPIPE_SZ = 1032,
    F_ADD_SEALS = 1033,
    F_GET_SEALS = 1034,
}

/// <summary>Requests of ioctl(2).</summary>
public enum IoctlRequest : uint
{
    TCGETS = 0x5401,
    TCSETS = 0x5402,
    TCSETSW = 0x5403,
    TCSETSF = 0x5404,
    TCGETA = 0x5405,
    TCSETA = 0x5406,
    TCSETAW = 0x5407,
    TCSETAF = 0x5408,
    TCSBRK = 0x5409,
    TCXONC = 0x540A,
    TCFLSH = 0x540B,
    TIOCEXCL = 0x540C,
    TIOCNXCL = 0x540D,
    TIOCSCTTY = 0x540E,
    TIOCGPGRP = 0x540F,
    TIOCSPGRP = 0x5410,
    TIOCOUTQ = 0x5411,
    TIOCSTI = 0x5412,
    TIOCGWINSZ = 0x5413,
    TIOCSWINSZ = 0x5414,
    FIONREAD = 0x541B,
    TIOCPKT = 0x5420,
    FIONBIO = 0x5421,
    TIOCNOTTY = 0x5422,
    TIOCSETD = 0x5423,
    TIOCGETD = 0x5424,
    TCSBRKP = 0x5425,
    TIOCSBRK = 0x5427,
    TIOCCBRK = 0x5428,
    TIOCGSID = 0x5429,
    TCGETS2 = 0x802C_542A,
    TCSETS2 = 0x402C_542B,
    TCSETSW2 = 0x402C_542C,
    TCSETSF2 = 0x402C_542D,
    TIOCVHANGUP = 0x5437,
    TIOCGPTPEER = 0x5441,
    FIONCLEX = 0x5450,
    FIOCLEX = 0x5451,
    FIOASYNC = 0x5452,
    TIOCGPTN = 0x8004_5430,
    TIOCSPTLCK = 0x4004_5431,
    TIOCGDEV = 0x8004_5432,
    TIOCSIG = 0x4004_5436,
    TIOCGPKT = 0x8004_5438,
    TIOCGPTLCK = 0x8004_5439,
    TIOCGEXCL = 0x8004_5440,
    SIOCOUTQ = 0x5411,
    SIOCATMARK = 0x8905,
    SIOCGSTAMP = 0x8906,
    SIOCGSTAMPNS = 0x8907,
    SIOCGSTAMP_NEW = 0x8010_8906,
    SIOCGSTAMPNS_NEW = 0x8010_8907,
    SIOCGIFCONF = 0x8912,
    SIOCGIFFLAGS = 0x8913,
    SIOCGIFADDR = 0x8915,
    SIOCGIFNETMASK = 0x891B,
    SIOCGIFMTU = 0x8921,
    SIOCGIFHWADDR = 0x8927,
    SIOCGIFINDEX = 0x8933,
}

/// <summary>From where lseek(2) counts.</summary>
public enum SeekWhence
{
    SEEK_SET = 0,
    SEEK_CUR = 1,
    SEEK_END = 2,
    SEEK_DATA = 3,
    SEEK_HOLE = 4,
}

/// <summary>Flags of close_range(2).</summary>
[Flags]
public enum CloseRangeFlags
{
    None = 0,
    CLOSE_RANGE_UNSHARE = 2,
    CLOSE_RANGE_CLOEXEC = 4,
}

#pragma warning restore CS1591, CA1707, CA1069

/// <summary>What fstat(2) tells of a file.</summary>
public struct FileStatus
{
    /// <summary>The kind of file.</summary>
    public FileType Type;

    /// <summary>The permission bits, set-user-id and the like included.</summary>
    public int Permissions;

    /// <summary>The inode's number; unique among the files of a kernel.</summary>
    public long Inode;

    /// <summary>Names that the file has.</summary>
    public int LinkCount;

    /// <summary>The owner's user id.</summary>
    public int UserId;

    /// <summary>The owner's group id.</summary>
    public int GroupId;

    /// <summary>Bytes; 0 for what has no size.</summary>
    public long Size;

    /// <summary>What is good to read and write at once, in bytes.</summary>
    public int BlockSize;

    /// <summary>Units of 512 bytes that it takes.</summary>
    public long Blocks;

    /// <summary>The device's number, for a device.</summary>
    public int Device;

    /// <summary>The number of the file system that the inode is in.</summary>
    public int FileSystem;

    /// <summary>Nanoseconds of Unix time when it was last read.</summary>
    public long AccessedUnixNanoseconds;

    /// <summary>Nanoseconds of Unix time when it was last written to.</summary>
    public long ModifiedUnixNanoseconds;

    /// <summary>Nanoseconds of Unix time when something about it last changed, such as its permissions.</summary>
    public long ChangedUnixNanoseconds;

    /// <summary>Type and permissions in one, as st_mode has them.</summary>
    public readonly int Mode => (int)Type | Permissions;
}

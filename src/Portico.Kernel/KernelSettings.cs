namespace Portico.Kernel;

/// <summary>Settings of a kernel under Linux's sysctl names; changeable at any time.</summary>
public sealed class KernelSettings
{
#pragma warning disable IDE1006, CA1707 // The names are the sysctls' own.

    /// <summary>fs.file-max: open file descriptions of all processes and namespaces together; one more is ENFILE.</summary>
    public long file_max { get; set; } = 1L << 21;

    /// <summary>fs.nr_open: the most that RLIMIT_NOFILE may be raised to.</summary>
    public int nr_open { get; set; } = 1 << 20;

    /// <summary>fs.pipe-max-size, in bytes: the most that F_SETPIPE_SZ gives to a process without privileges.</summary>
    public int pipe_max_size { get; set; } = 1 << 20;

    /// <summary>
    /// fs.pipe-user-pages-soft, in pages of 4,096 bytes: what the pipes of all processes may have in all before new ones get two
    /// pages instead of sixteen. 0 for no limit.
    /// </summary>
    public long pipe_user_pages_soft { get; set; } = 16_384;

    /// <summary>
    /// fs.pipe-user-pages-hard, in pages of 4,096 bytes: what the pipes of all processes may have in all before there are no new ones
    /// (ENFILE; ENOMEM for a FIFO), and no larger ones (EPERM), for processes without privileges. 0 for no limit.
    /// </summary>
    public long pipe_user_pages_hard { get; set; }

    /// <summary>fs.epoll.max_user_watches: interests of all epoll instances together; one more is ENOSPC.</summary>
    public long max_user_watches { get; set; } = 1L << 22;

    /// <summary>
    /// tmpfs(5)'s size=, in bytes: what the pages of all files in memory may take together, memfds included; one more is ENOSPC.
    /// </summary>
    public long tmpfs_size { get; set; } = 1L << 30;

    /// <summary>tmpfs(5)'s nr_inodes=: files, directories and links in memory; one more is ENOSPC.</summary>
    public long tmpfs_nr_inodes { get; set; } = 1L << 20;

    /// <summary>net.unix.max_dgram_qlen: datagrams that wait in a unix socket before others' senders have to; one more may.</summary>
    public int max_dgram_qlen { get; set; } = 10;

    /// <summary>
    /// net.ipv4.ping_group_range: the groups whose processes may open sockets for echo requests. All of them, as where systemd is; Linux
    /// alone begins with none.
    /// </summary>
    public (uint First, uint Last) ping_group_range { get; set; } = (0, int.MaxValue);

    /// <summary>net.core.optmem_max, in bytes: the control messages of one call have to be shorter.</summary>
    public int optmem_max { get; set; } = 131_072;

    /// <summary>dev.tty.legacy_tiocsti: whether a process may put bytes into its own terminal as if they had been typed (TIOCSTI).</summary>
    public bool legacy_tiocsti { get; set; } = true;

    /// <summary>kernel.pty.max: pseudo-terminals at a time; opening one more master is ENOSPC.</summary>
    public int pty_max { get; set; } = 4096;
#pragma warning restore IDE1006, CA1707
}

/// <summary>Counters of a kernel.</summary>
public enum KernelCounter
{
    /// <summary>Open file descriptions at present (the first number of fs.file-nr).</summary>
    OpenFiles,

    /// <summary>Calls that failed with EMFILE: the process had used up its RLIMIT_NOFILE.</summary>
    ProcessFileLimit,

    /// <summary>Calls that failed with ENFILE: the kernel had used up fs.file-max.</summary>
    SystemFileLimit,

    /// <summary>Interests of epoll instances at present.</summary>
    EpollWatches,

    /// <summary>Pages that the pipes may hold at present.</summary>
    PipePages,

    /// <summary>Unix sockets at present, those that wait to be accepted included.</summary>
    UnixSockets,

    /// <summary>Descriptors at present in messages of unix sockets that nobody has received (SCM_RIGHTS).</summary>
    DescriptorsInFlight,

    /// <summary>Calls that failed with ETOOMANYREFS: the user had more descriptors in flight than RLIMIT_NOFILE.</summary>
    InFlightLimit,

    /// <summary>Unix sockets that only each other's messages held, and that were collected.</summary>
    CollectedUnixSockets,

    /// <summary>Pipes that got two pages because of fs.pipe-user-pages-soft.</summary>
    PipeSoftLimit,

    /// <summary>Pages of 4,096 bytes that files in memory take at present.</summary>
    FilePages,

    /// <summary>Files, directories and links in memory at present.</summary>
    Inodes,

    /// <summary>Pages and inodes that were refused with ENOSPC, by tmpfs_size and tmpfs_nr_inodes.</summary>
    FileSpaceLimit,

    /// <summary>Pseudo-terminals at present.</summary>
    Terminals,

    /// <summary>Masters that were not opened because of kernel.pty.max.</summary>
    TerminalLimit,

    /// <summary>Sockets of all kinds at present that have a description.</summary>
    Sockets,

    /// <summary>Pipes that were not made, or not made larger, because of fs.pipe-user-pages-soft and -hard.</summary>
    PipeHardLimit,
}

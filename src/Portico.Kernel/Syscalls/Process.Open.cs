using Portico.Net;

namespace Portico.Kernel;

// open(2).
public sealed partial class Process
{
    private const OpenFlags PathFlags = OpenFlags.O_DIRECTORY | OpenFlags.O_NOFOLLOW | OpenFlags.O_PATH | OpenFlags.O_CLOEXEC;

    /// <summary>The bit of O_TMPFILE that is not O_DIRECTORY.</summary>
    private const OpenFlags UnnamedFlag = OpenFlags.O_TMPFILE & ~OpenFlags.O_DIRECTORY;

    /// <summary>What open(2) is asked once, and F_GETFL does not return.</summary>
    private const OpenFlags OnceFlags = OpenFlags.O_CREAT | OpenFlags.O_EXCL | OpenFlags.O_NOCTTY | OpenFlags.O_TRUNC | OpenFlags.O_CLOEXEC;

    /// <summary>All flags that Linux knows; others are passed over.</summary>
    private const OpenFlags KnownFlags = OnceFlags | OpenFlags.O_ACCMODE | OpenFlags.O_APPEND | OpenFlags.O_NONBLOCK | OpenFlags.O_SYNC
        | OpenFlags.O_ASYNC | OpenFlags.O_DIRECT | OpenFlags.O_LARGEFILE | OpenFlags.O_NOFOLLOW | OpenFlags.O_NOATIME | OpenFlags.O_PATH
        | OpenFlags.O_TMPFILE;

    /// <summary>A FIFO's open that waits for the other end.</summary>
    private struct FifoOpenCall(PipeFile pipe, bool forReading) : IDescriptorCall
    {
        private readonly long _seen = forReading ? pipe.WriterOpens : pipe.ReaderOpens;

        public OpenFileDescription Description { get; set; } = null!;

        public readonly Errno TryPerform(out long result)
        {
            result = 0;
            return (forReading ? pipe.WriterOpens : pipe.ReaderOpens) != _seen ? Errno.None : Errno.EAGAIN;
        }
    }

    /// <summary>open(2). Errors: those of <see cref="Openat(int, ReadOnlySpan{byte}, OpenFlags, int)"/>.</summary>
    public SyscallResult Open(string path, OpenFlags flags, int mode = 0)
    {
        ArgumentNullException.ThrowIfNull(path);
        return Openat(AT_FDCWD, Bytes(path), flags, mode);
    }

    /// <summary>
    /// openat(2): the lowest free descriptor. A FIFO waits for its other end, unless O_NONBLOCK is set. Errors: EINVAL, EMFILE, ENFILE, those
    /// of path_resolution(7), EEXIST, EISDIR, ENXIO, ENOSPC, EROFS, EOPNOTSUPP for O_TMPFILE where there is none.
    /// </summary>
    public SyscallResult Openat(int directoryFd, ReadOnlySpan<byte> path, OpenFlags flags, int mode = 0)
    {
        bool closeOnExec = (flags & OpenFlags.O_CLOEXEC) != 0;
        OpenFileDescription? description;
        FifoOpenCall call;
        BlockingWaiter waiter;
        FileDescriptorTable table;
        int fd = -1;
        using (Driver.Enter())
        {
            Errno error = CheckOpenFlags(ref flags);
            error = error == Errno.None ? CheckPath(path) : error;
            error = error == Errno.None ? FindFree(0, out fd) : error;
            if (error != Errno.None)
            {
                return error;
            }

            error = OpenPath(directoryFd, path, flags, mode, out description);
            if (error != Errno.None)
            {
                return error;
            }

            if (description!.File is not PipeFile pipe || !pipe.LacksPartner(description))
            {
                _descriptors.Put(fd, description, closeOnExec);
                return fd;
            }

            table = _descriptors;
            table.Reserve(fd);
            call = new FifoOpenCall(pipe, description.IsReadable) { Description = description };
            waiter = BeginWait(description, SocketEvents.Readable | SocketEvents.Writable);
        }

        SyscallResult opened = Finish(ref call, waiter, Timeout.InfiniteTimeSpan);
        using (Driver.Enter())
        {
            table.Unreserve(fd);
            if (opened.IsError)
            {
                description.Release();
                return opened;
            }

            table.Put(fd, description, closeOnExec);
            return fd;
        }
    }

    /// <summary>What is wrong with the flags by themselves, in Linux's order (build_open_flags).</summary>
    private static Errno CheckOpenFlags(ref OpenFlags flags)
    {
        flags &= KnownFlags;
        if ((flags & OpenFlags.O_PATH) != 0)
        {
            flags &= PathFlags;
            return Errno.None;
        }

        const OpenFlags CreateDirectory = OpenFlags.O_CREAT | OpenFlags.O_DIRECTORY;
        bool unnamed = (flags & UnnamedFlag) != 0;
        bool forWriting = (flags & OpenFlags.O_ACCMODE) != OpenFlags.O_RDONLY;
        return (flags & CreateDirectory) == CreateDirectory ? Errno.EINVAL
            : unnamed && ((flags & OpenFlags.O_DIRECTORY) == 0 || !forWriting) ? Errno.EINVAL
            : Errno.None;
    }

    private Errno OpenPath(int directoryFd, ReadOnlySpan<byte> path, OpenFlags flags, int mode, out OpenFileDescription? description)
    {
        description = null;
        if (!Kernel.HasRoom(this))
        {
            return Errno.ENFILE;
        }

        Errno error = Begin(directoryFd, path, out PathWalk walk);
        if (error != Errno.None)
        {
            return error;
        }

        DirectoryEntry? entry;
        bool created = (flags & UnnamedFlag) != 0;
        error = created ? CreateUnnamed(ref walk, flags, mode, out entry) : FindOrCreate(ref walk, flags, mode, out entry, out created);
        if (error == Errno.None && !created)
        {
            error = CheckOpen(entry!.Inode, flags, walk.HasTrailingSlash);
        }

        KernelFile? file = null;
        if (error == Errno.None && (flags & OpenFlags.O_PATH) == 0)
        {
            error = entry!.Inode.Open(this, flags, out file);
        }

        if (error != Errno.None)
        {
            return error;
        }

        file ??= entry!.Inode;
        if (file is Inode opened && opened != entry!.Inode)
        {
            // A file of the machine is what was opened, whatever has its name later.
            entry = new DirectoryEntry(entry.Parent, entry.Name, opened);
        }

        if ((flags & OpenFlags.O_DIRECT) != 0 && !file.TakesDirect)
        {
            return Errno.EINVAL;
        }

        if ((flags & OpenFlags.O_TRUNC) != 0 && !created && file is Inode { Type: FileType.Regular } regular)
        {
            error = regular.Truncate(0);
            if (error != Errno.None)
            {
                return error;
            }
        }

        OpenFlags status = flags & ~OnceFlags;
        return Describe(entry!, file, (flags & OpenFlags.O_PATH) != 0 ? status : status | OpenFlags.O_LARGEFILE, out description);
    }

    private Errno Describe(DirectoryEntry entry, KernelFile file, OpenFlags status, out OpenFileDescription? description)
    {
        Errno error = Kernel.Open(this, file, status, out description, entry);
        if (error != Errno.None && file is Inode { LinkCount: 0, OpenCount: 0 } unnamed)
        {
            unnamed.FreeIfUnused();
        }

        return error;
    }

    /// <summary>Finds what is to be opened, or makes it where O_CREAT says so and nothing is there (open_last_lookups).</summary>
    private Errno FindOrCreate(ref PathWalk walk, OpenFlags flags, int mode, out DirectoryEntry? entry, out bool created)
    {
        bool creates = (flags & OpenFlags.O_CREAT) != 0;
        bool follows = (flags & OpenFlags.O_NOFOLLOW) == 0 && !(creates && (flags & OpenFlags.O_EXCL) != 0);
        created = false;
        while (true)
        {
            entry = null;
            Errno error = walk.ToParent();
            if (error != Errno.None)
            {
                return error;
            }

            if (creates && walk.HasTrailingSlash && walk.Kind == LastComponent.Name)
            {
                return Errno.EISDIR;
            }

            error = walk.LookUpLast(out entry);
            if (error == Errno.ENOENT && creates && walk.Kind == LastComponent.Name)
            {
                error = CheckCreate(walk.Directory);
                created = error == Errno.None;
                return created ? walk.Directory.Create(this, walk.Name, FileType.Regular, Masked(mode), out entry) : error;
            }

            if (error != Errno.None || entry!.Inode is not SymbolicLink link || !(follows || walk.HasTrailingSlash))
            {
                return error;
            }

            error = walk.FollowLast(link, out entry);
            if (error != Errno.None || entry != null)
            {
                return error;
            }
        }
    }

    private Errno CreateUnnamed(ref PathWalk walk, OpenFlags flags, int mode, out DirectoryEntry? entry)
    {
        Errno error = walk.ToEnd((flags & OpenFlags.O_NOFOLLOW) == 0, mustBeDirectory: true, out entry);
        if (error != Errno.None)
        {
            return error;
        }

        DirectoryNode directory = (DirectoryNode)entry!.Inode;
        error = directory.Check(this, AccessMode.W_OK | AccessMode.X_OK);
        if (error == Errno.None)
        {
            error = directory.CreateUnnamed(this, Masked(mode), (flags & OpenFlags.O_EXCL) == 0, out entry);
        }

        return error;
    }

    /// <summary>Whether what is there may be opened so (do_open, may_open), in Linux's order.</summary>
    private Errno CheckOpen(Inode inode, OpenFlags flags, bool hasTrailingSlash)
    {
        bool isDirectory = inode.Type == FileType.Directory;
        if ((flags & OpenFlags.O_CREAT) != 0)
        {
            if ((flags & OpenFlags.O_EXCL) != 0)
            {
                return Errno.EEXIST;
            }

            if (isDirectory)
            {
                return Errno.EISDIR;
            }
        }

        if (((flags & OpenFlags.O_DIRECTORY) != 0 || hasTrailingSlash) && !isDirectory)
        {
            return Errno.ENOTDIR;
        }

        if ((flags & OpenFlags.O_PATH) != 0)
        {
            return Errno.None;
        }

        AccessMode wanted = AccessOf(flags) | ((flags & OpenFlags.O_TRUNC) != 0 ? AccessMode.W_OK : AccessMode.F_OK);
        if (inode.Type == FileType.SymbolicLink)
        {
            return Errno.ELOOP;
        }

        if (isDirectory && (wanted & AccessMode.W_OK) != 0)
        {
            return Errno.EISDIR;
        }

        Errno error = inode.Check(this, wanted);
        return error != Errno.None ? error
            : (flags & OpenFlags.O_NOATIME) != 0 && !inode.IsOwner(this) ? Errno.EPERM
            : Errno.None;
    }

    private static AccessMode AccessOf(OpenFlags flags) => (flags & OpenFlags.O_ACCMODE) switch
    {
        OpenFlags.O_RDONLY => AccessMode.R_OK,
        OpenFlags.O_WRONLY => AccessMode.W_OK,
        _ => AccessMode.R_OK | AccessMode.W_OK,
    };

    private int Masked(int mode) => mode & Inode.PermissionMask & ~_umask;
}

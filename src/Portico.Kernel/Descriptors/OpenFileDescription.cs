using Portico.Net;

namespace Portico.Kernel;

/// <summary>
/// An open file description (open(2)): what descriptors made by dup, fork and SCM_RIGHTS share. It holds the status flags and the
/// position; the file itself may have several descriptions. Guarded by the kernel's lock.
/// </summary>
public class OpenFileDescription
{
    /// <summary>What F_SETFL can change.</summary>
    internal const OpenFlags Settable = OpenFlags.O_APPEND | OpenFlags.O_ASYNC | OpenFlags.O_DIRECT | OpenFlags.O_NOATIME | OpenFlags.O_NONBLOCK;

    private readonly PorticoKernel _kernel;
    private int _references = 1;

    private protected OpenFileDescription(PorticoKernel kernel, KernelFile file, OpenFlags flags)
    {
        _kernel = kernel;
        File = file;
        Flags = flags;
    }

    internal static OpenFileDescription Make(PorticoKernel kernel, KernelFile file, OpenFlags flags, DirectoryEntry? entry) =>
        entry == null ? new OpenFileDescription(kernel, file, flags) : new NamedFileDescription(kernel, file, flags, entry);

    internal PorticoKernel Kernel => _kernel;

    /// <summary>The file.</summary>
    public KernelFile File { get; }

    /// <summary>Access mode and status flags, as F_GETFL returns them.</summary>
    public OpenFlags Flags { get; internal set; }

    /// <summary>The position of a file that has one, in bytes.</summary>
    public long Offset { get; internal set; }

    /// <summary>The name by which it was opened; null for what has none: a pipe, a socket, an epoll instance.</summary>
    internal DirectoryEntry? Entry => (this as NamedFileDescription)?.Name;

    /// <summary>What fstat(2) says: of the inode that was opened, which for a device is not the file.</summary>
    internal FileStatus Status
    {
        get
        {
            FileStatus status = default;
            (File as Inode ?? Entry?.Inode ?? File).Stat(ref status);
            status.Inode = status.Inode == 0 ? _kernel.AnonymousInode : status.Inode;
            return status;
        }
    }

    /// <summary>What /proc/PID/fd shows: the path, or what stands for it.</summary>
    internal string ShownName => Entry is { Inode: not OpenFileNode } entry ? entry.Path() : File.ShownName;

    /// <summary>Descriptors, calls under way and messages that hold it.</summary>
    public int ReferenceCount => _references;

    /// <summary>The first of the epoll interests in it, which end with it (epoll(7), question 6).</summary>
    internal EpollItem? EpollItems { get; set; }

    internal bool IsNonBlocking => (Flags & OpenFlags.O_NONBLOCK) != 0;

    internal bool IsReadable => (Flags & (OpenFlags.O_ACCMODE | OpenFlags.O_PATH)) is OpenFlags.O_RDONLY or OpenFlags.O_RDWR;

    internal bool IsWritable => (Flags & (OpenFlags.O_ACCMODE | OpenFlags.O_PATH)) is OpenFlags.O_WRONLY or OpenFlags.O_RDWR;

    /// <summary>Whether it only names a file and does not open it (O_PATH): most calls say EBADF.</summary>
    internal bool IsPathOnly => (Flags & OpenFlags.O_PATH) != 0;

    internal void AddReference()
    {
        Invariant.Check(_references > 0);
        _references++;
    }

    /// <summary>Gives a reference up; with the last one the description is gone.</summary>
    internal void Release()
    {
        Invariant.Check(_references > 0);
        if (--_references == 0)
        {
            while (EpollItems is { } item)
            {
                item.Epoll.Remove(item);
            }

            File.OnReleased(this);
            _kernel.OnReleased(File);
        }
        else if (File is UnixSocket { HoldCount: var holds } socket && _references == holds)
        {
            _kernel.Unix.OnOnlyInFlight(socket);
        }
    }
}

/// <summary>The description of what was opened by a name. There may be millions of sockets, which have none.</summary>
internal sealed class NamedFileDescription(PorticoKernel kernel, KernelFile file, OpenFlags flags, DirectoryEntry name)
    : OpenFileDescription(kernel, file, flags)
{
    public DirectoryEntry Name { get; } = name;

    /// <summary>What the file keeps for this description alone, such as how far a text of /proc has been read.</summary>
    public object? Private { get; set; }
}

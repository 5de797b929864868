using System.Buffers.Text;
using System.Text;
using Portico.Net;

namespace Portico.Kernel;

/// <summary>/proc/PID/fd and /proc/PID/fdinfo: a name for each descriptor.</summary>
internal sealed class DescriptorDirectory(ProcFileSystem proc, Process process, bool areLinks)
    : ProcDirectory(proc, areLinks ? OwnerOnly : ProcFileSystem.DirectoryPermissions, process.UserId, process.GroupId)
{
    private const int OwnerOnly = 0x140;

    /// <summary>How many descriptors there are, as Linux tells since 6.2.</summary>
    public override long Size => areLinks && !process.HasExited ? process.Descriptors.Count : 0;

    public override Errno Lookup(ReadOnlySpan<byte> name, out DirectoryEntry? entry)
    {
        bool isThere = TryParse(name, out int fd) && !process.HasExited && process.Descriptors.TryGet(fd, out _);
        entry = isThere ? new DirectoryEntry(this, name.ToArray(), Make(fd)) : null;
        return isThere ? Errno.None : Errno.ENOENT;
    }

    public override Errno List(ref long position, ref DirectoryListing listing)
    {
        if (!ListDots(ref position, ref listing) || process.HasExited)
        {
            return Errno.None;
        }

        Span<byte> name = stackalloc byte[16];
        for (int fd = process.Descriptors.NextUsed((int)position - PositionFirst); fd >= 0; fd = process.Descriptors.NextUsed(fd + 1))
        {
            Utf8Formatter.TryFormat(fd, name, out int length);
            Inode inode = Make(fd);
            if (!listing.TryAdd(inode.Number, fd + 1 + PositionFirst, inode.Type, name[..length]))
            {
                break;
            }

            position = fd + 1 + PositionFirst;
        }

        return Errno.None;
    }

    private Inode Make(int fd) => areLinks ? new DescriptorLink(Proc, process, fd) : new DescriptorInfoFile(Proc, process, fd);
}

/// <summary>A link of /proc/PID/fd: it leads to the open file itself, whatever it says.</summary>
internal sealed class DescriptorLink(ProcFileSystem proc, Process process, int fd) : SymbolicLink(proc, process.UserId, process.GroupId)
{
    private const int ShownSize = 64;
    private const int OwnerCanRead = 0x140;
    private const int OwnerCanWrite = 0xC0;

    public override long Size => ShownSize;

    public override Errno ReadTarget(Process reader, out byte[] target)
    {
        target = [];
        if (!IsOwner(reader))
        {
            return Errno.EACCES;
        }

        if (!process.Descriptors.TryGet(fd, out OpenFileDescription? description))
        {
            return Errno.ENOENT;
        }

        target = Encoding.UTF8.GetBytes(description.ShownName);
        return Errno.None;
    }

    public override DirectoryEntry? Follow(Process walker)
    {
        if (!IsOwner(walker) || !process.Descriptors.TryGet(fd, out OpenFileDescription? description))
        {
            return null;
        }

        return description.Entry ?? new DirectoryEntry(Kernel.Memory.Root, Encoding.UTF8.GetBytes(description.ShownName), new OpenFileNode(proc, description.File));
    }

    /// <summary>The permissions say for what the descriptor is open.</summary>
    internal override void Stat(ref FileStatus status)
    {
        base.Stat(ref status);
        status.Permissions = 0;
        if (process.Descriptors.TryGet(fd, out OpenFileDescription? description))
        {
            status.Permissions |= description.IsReadable ? OwnerCanRead : 0;
            status.Permissions |= description.IsWritable ? OwnerCanWrite : 0;
        }
    }
}

/// <summary>What a link of /proc/PID/fd leads to where the file has no name: only a pipe can be opened again.</summary>
internal sealed class OpenFileNode(ProcFileSystem proc, KernelFile target) : Inode(proc, permissions: 0, userId: 0, groupId: 0)
{
    internal override FileType Type => target.Type;

    public override Errno Check(Process process, AccessMode wanted) => Errno.None;

    public override Errno Open(Process opener, OpenFlags flags, out KernelFile? file)
    {
        bool isOpenable = target is PipeFile && (flags & OpenFlags.O_ACCMODE) != OpenFlags.O_ACCMODE;
        file = isOpenable ? target : null;
        return isOpenable ? Errno.None : target is PipeFile ? Errno.EINVAL : Errno.ENXIO;
    }

    internal override void Stat(ref FileStatus status) => target.Stat(ref status);
}

/// <summary>A file of /proc/PID/fdinfo. Errors: ENOENT once the descriptor is closed.</summary>
internal sealed class DescriptorInfoFile(ProcFileSystem proc, Process process, int fd)
    : ProcFile(proc, ProcFileSystem.ReadableByAll, process.UserId, process.GroupId)
{
    private protected override Errno MakeReader(out ProcReader? reader)
    {
        bool isOpen = process.Descriptors.TryGet(fd, out OpenFileDescription? description);
        reader = isOpen ? new ProcTextReader(text => Write(description!, text)) : null;
        return isOpen ? Errno.None : Errno.ENOENT;
    }

    private void Write(OpenFileDescription description, ProcText text)
    {
        OpenFlags flags = description.Flags;
        if (process.Descriptors.TryGet(fd, out OpenFileDescription? now) && now == description && process.Descriptors.IsCloseOnExec(fd))
        {
            flags |= OpenFlags.O_CLOEXEC;
        }

        FileStatus status = description.Status;
        text.Add($"pos:\t{description.Offset}\nflags:\t0{Convert.ToString((int)flags, 8)}\nmnt_id:\t{status.FileSystem}\nino:\t{status.Inode}\n");
        description.File.WriteDetails(text);
    }
}

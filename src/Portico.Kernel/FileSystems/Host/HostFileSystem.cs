using Microsoft.Win32.SafeHandles;
using Portico.Net;

namespace Portico.Kernel;

/// <summary>
/// A mounted directory of the machine. What is in it is looked up anew each time. Whoever is in the kernel may do there what the user may
/// who runs it, as far as the mount is not read-only: users of the one are not users of the other.
/// </summary>
internal sealed class HostFileSystem : FileSystem
{
    public HostFileSystem(PorticoKernel kernel, IHostDirectory directory, bool isReadOnly, in FileStatus status)
        : base(kernel)
    {
        Directory = directory;
        IsReadOnly = isReadOnly;
        Root = new HostDirectoryNode(this, status);
    }

    public IHostDirectory Directory { get; }

    public override bool IsReadOnly { get; }

    public HostDirectoryNode Root { get; }

    /// <summary>The path of an entry from the mounted directory on.</summary>
    public byte[] PathOf(DirectoryEntry entry)
    {
        if (entry == Root.Entry)
        {
            return [(byte)'.'];
        }

        DirectoryNode parent = entry.Parent;
        return parent == Root ? entry.Name : [.. PathOf(parent.Entry), (byte)'/', .. entry.Name];
    }

    /// <summary>The path of a name in a directory.</summary>
    public byte[] PathOf(DirectoryNode directory, ReadOnlySpan<byte> name) =>
        directory == Root ? name.ToArray() : [.. PathOf(directory.Entry), (byte)'/', .. name];

    /// <summary>Whether a process may do something: it may not change what is mounted read-only.</summary>
    public Errno Check(AccessMode wanted) => IsReadOnly && (wanted & AccessMode.W_OK) != 0 ? Errno.EROFS : Errno.None;

    public static HostFileChange Permissions(int permissions) => new() { Permissions = permissions & Inode.PermissionMask };

    public static HostFileChange Owner(int userId, int groupId) =>
        new() { UserId = userId == -1 ? null : userId, GroupId = groupId == -1 ? null : groupId };

    public static HostFileChange Times(long? accessed, long? modified) =>
        new() { AccessedUnixNanoseconds = accessed, ModifiedUnixNanoseconds = modified };

    public void Show(ref FileStatus status) => status.FileSystem = DeviceNumber;
}

/// <summary>A directory of the machine.</summary>
internal sealed class HostDirectoryNode(HostFileSystem host, FileStatus found)
    : DirectoryNode(host, found.Permissions, found.UserId, found.GroupId)
{
    private const int BufferBytes = 4096;

    public override Errno Check(Process process, AccessMode wanted) => host.Check(wanted);

    public override Errno Lookup(ReadOnlySpan<byte> name, out DirectoryEntry? entry)
    {
        entry = null;
        if (name.Length > DirectoryEntry.NameBytesMax)
        {
            return Errno.ENAMETOOLONG;
        }

        Errno error = host.Directory.Status(host.PathOf(this, name), out FileStatus status);
        if (error != Errno.None)
        {
            return error;
        }

        if (status.Type == FileType.Directory)
        {
            HostDirectoryNode directory = new(host, status);
            directory.Entry = entry = new DirectoryEntry(this, name.ToArray(), directory);
            return Errno.None;
        }

        byte[] path = host.PathOf(this, name);
        entry = new DirectoryEntry(this, name.ToArray(), status.Type == FileType.SymbolicLink
            ? new HostLink(host, path, status)
            : new HostFile(host, path, status, handle: null));
        return Errno.None;
    }

    public override Errno List(ref long position, ref DirectoryListing listing)
    {
        Span<byte> buffer = stackalloc byte[BufferBytes];
        byte[] path = host.PathOf(Entry);
        while (true)
        {
            Errno error = host.Directory.List(path, position, buffer, out int length);
            if (error != Errno.None || length == 0)
            {
                return error;
            }

            if (!listing.TryAddAll(buffer[..length], ref position))
            {
                return Errno.None;
            }
        }
    }

    public override Errno Create(Process creator, ReadOnlySpan<byte> name, FileType type, int permissions, out DirectoryEntry? entry)
    {
        entry = null;
        byte[] path = host.PathOf(this, name);
        Errno error;
        switch (type)
        {
            case FileType.Directory:
                error = host.Directory.MakeDirectory(path, permissions);
                break;
            case FileType.Regular:
                error = host.Directory.Open(path, OpenFlags.O_CREAT | OpenFlags.O_EXCL | OpenFlags.O_WRONLY, permissions, out SafeFileHandle? made);
                made?.Dispose();
                break;
            default:
                return Errno.EPERM;
        }

        return error == Errno.None ? Lookup(name, out entry) : error;
    }

    public override Errno CreateSymbolicLink(Process creator, ReadOnlySpan<byte> name, ReadOnlySpan<byte> target) =>
        host.Directory.MakeLink(target, host.PathOf(this, name));

    public override Errno Remove(DirectoryEntry entry)
    {
        Errno error = host.Directory.Remove(host.PathOf(this, entry.Name), entry.Inode.Type == FileType.Directory);
        entry.IsDeleted |= error == Errno.None;
        return error;
    }

    public override Errno Rename(DirectoryEntry entry, DirectoryNode target, ReadOnlySpan<byte> name, DirectoryEntry? there, bool exchange)
    {
        RenameFlags flags = exchange ? RenameFlags.RENAME_EXCHANGE : there == null ? RenameFlags.RENAME_NOREPLACE : RenameFlags.None;
        return host.Directory.Rename(host.PathOf(this, entry.Name), host.PathOf(target, name), flags);
    }

    public override bool IsOfMachine => true;

    internal override Errno SetPermissions(int permissions) => host.Directory.Change(host.PathOf(Entry), HostFileSystem.Permissions(permissions));

    internal override Errno SetOwner(int userId, int groupId) => host.Directory.Change(host.PathOf(Entry), HostFileSystem.Owner(userId, groupId));

    public override Errno SetTimes(long? accessed, long? modified) => host.Directory.Change(host.PathOf(Entry), HostFileSystem.Times(accessed, modified));

    internal override void Stat(ref FileStatus status)
    {
        if (host.Directory.Status(host.PathOf(Entry), out status) != Errno.None)
        {
            status = found;
        }

        host.Show(ref status);
    }
}

/// <summary>A symbolic link of the machine. It leads to where its text leads in this kernel, not on the machine.</summary>
internal sealed class HostLink(HostFileSystem host, byte[] path, FileStatus found) : SymbolicLink(host, found.UserId, found.GroupId)
{
    public override Errno ReadTarget(Process reader, out byte[] target) => host.Directory.ReadLink(path, out target);

    public override bool IsOfMachine => true;

    internal override Errno SetOwner(int userId, int groupId) => host.Directory.Change(path, HostFileSystem.Owner(userId, groupId));

    public override Errno SetTimes(long? accessed, long? modified) => host.Directory.Change(path, HostFileSystem.Times(accessed, modified));

    internal override void Stat(ref FileStatus status)
    {
        if (host.Directory.Status(path, out status) != Errno.None)
        {
            status = found;
        }

        host.Show(ref status);
    }
}

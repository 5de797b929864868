using Portico.Net;

namespace Portico.Kernel;

// mkdir(2), rmdir(2), unlink(2), link(2), symlink(2), rename(2), mknod(2): what makes and removes names.
public sealed partial class Process
{
    /// <summary>mkdirat(2). Errors: EEXIST, EACCES, ENOENT, ENOSPC, EROFS, those of path_resolution(7).</summary>
    public SyscallResult Mkdirat(int directoryFd, ReadOnlySpan<byte> path, int mode)
    {
        const int ModeMask = 0x3FF;
        using (Driver.Enter())
        {
            Errno error = FindPlaceForNew(directoryFd, path, forDirectory: true, out PathWalk walk);
            return error == Errno.None ? walk.Directory.Create(this, walk.Name, FileType.Directory, Masked(mode & ModeMask), out _) : error;
        }
    }

    /// <summary>
    /// mknodat(2): a regular file, a FIFO or a socket's name, by the type in <paramref name="mode"/>. Errors: EPERM for a directory or, without
    /// privileges, a device, which this kernel does not make; EINVAL for another type; EEXIST, EACCES, ENOENT, ENOSPC, EROFS.
    /// </summary>
    public SyscallResult Mknodat(int directoryFd, ReadOnlySpan<byte> path, int mode)
    {
        const int TypeMask = 0xF000;
        FileType type = (mode & TypeMask) == 0 ? FileType.Regular : (FileType)(mode & TypeMask);
        using (Driver.Enter())
        {
            if (type is not (FileType.Regular or FileType.Fifo or FileType.Socket or FileType.CharacterDevice or FileType.BlockDevice))
            {
                return type == FileType.Directory ? Errno.EPERM : Errno.EINVAL;
            }

            Errno error = FindPlaceForNew(directoryFd, path, forDirectory: false, out PathWalk walk);
            return error != Errno.None ? error
                : type is FileType.CharacterDevice or FileType.BlockDevice ? Errno.EPERM
                : walk.Directory.Create(this, walk.Name, type, Masked(mode), out _);
        }
    }

    /// <summary>symlinkat(2). Errors: ENOENT for an empty target, ENAMETOOLONG, EEXIST, EACCES, ENOSPC, EROFS.</summary>
    public SyscallResult Symlinkat(ReadOnlySpan<byte> target, int directoryFd, ReadOnlySpan<byte> path)
    {
        using (Driver.Enter())
        {
            Errno error = CheckPath(target);
            if (error != Errno.None)
            {
                return error;
            }

            error = FindPlaceForNew(directoryFd, path, forDirectory: false, out PathWalk walk);
            return error == Errno.None ? walk.Directory.CreateSymbolicLink(this, walk.Name, target) : error;
        }
    }

    /// <summary>
    /// linkat(2), with AT_SYMLINK_FOLLOW and AT_EMPTY_PATH. Errors: EINVAL, EXDEV, EPERM for a directory, ENOENT for a file without any name,
    /// EEXIST, EACCES, EROFS.
    /// </summary>
    public SyscallResult Linkat(int oldFd, ReadOnlySpan<byte> oldPath, int newFd, ReadOnlySpan<byte> newPath, AtFlags flags)
    {
        using (Driver.Enter())
        {
            if ((flags & ~(AtFlags.AT_SYMLINK_FOLLOW | AtFlags.AT_EMPTY_PATH)) != 0)
            {
                return Errno.EINVAL;
            }

            Errno error = Find(oldFd, oldPath, flags, (flags & AtFlags.AT_SYMLINK_FOLLOW) != 0, out DirectoryEntry? old);
            if (error != Errno.None)
            {
                return error;
            }

            error = FindFreeName(newFd, newPath, forDirectory: false, out PathWalk walk);
            if (error != Errno.None)
            {
                return error;
            }

            if (old?.Inode is not { } inode || inode.FileSystem != walk.Directory.FileSystem)
            {
                return Errno.EXDEV;
            }

            error = CheckCreate(walk.Directory);
            return error != Errno.None ? error
                : inode.Type == FileType.Directory ? Errno.EPERM
                : inode is { LinkCount: 0 } and not RegularFile { IsLinkable: true } ? Errno.ENOENT
                : walk.Directory.CreateLink(walk.Name, inode);
        }
    }

    /// <summary>
    /// unlinkat(2), which with AT_REMOVEDIR is rmdir(2). A file lives on while it is open. Errors: EINVAL, EISDIR, ENOTDIR, ENOTEMPTY, EBUSY for the
    /// root of a file system, EACCES, EPERM in a sticky directory, EROFS.
    /// </summary>
    public SyscallResult Unlinkat(int directoryFd, ReadOnlySpan<byte> path, AtFlags flags)
    {
        using (Driver.Enter())
        {
            if ((flags & ~AtFlags.AT_REMOVEDIR) != 0)
            {
                return Errno.EINVAL;
            }

            bool directory = (flags & AtFlags.AT_REMOVEDIR) != 0;
            Errno error = Begin(directoryFd, path, out PathWalk walk);
            if (error != Errno.None || (error = walk.ToParent()) != Errno.None)
            {
                return error;
            }

            if (walk.Kind != LastComponent.Name)
            {
                return !directory ? Errno.EISDIR
                    : walk.Kind == LastComponent.Dot ? Errno.EINVAL
                    : walk.Kind == LastComponent.DotDot ? Errno.ENOTEMPTY
                    : Errno.EBUSY;
            }

            error = walk.LookUpLast(out DirectoryEntry? entry);
            if (error != Errno.None)
            {
                return error;
            }

            if (!directory && walk.HasTrailingSlash)
            {
                return entry!.Inode.Type == FileType.Directory ? Errno.EISDIR : Errno.ENOTDIR;
            }

            error = CheckRemove(walk.Directory, entry!, directory);
            return error == Errno.None ? walk.Directory.Remove(entry!) : error;
        }
    }

    /// <summary>
    /// renameat2(2), with RENAME_NOREPLACE and RENAME_EXCHANGE. Errors: EINVAL for other flags or a directory into itself, EXDEV, EBUSY, EEXIST,
    /// ENOENT, ENOTDIR, EISDIR, ENOTEMPTY, EACCES, EPERM, EROFS.
    /// </summary>
    public SyscallResult Renameat2(int oldFd, ReadOnlySpan<byte> oldPath, int newFd, ReadOnlySpan<byte> newPath, RenameFlags flags)
    {
        using (Driver.Enter())
        {
            bool exchange = (flags & RenameFlags.RENAME_EXCHANGE) != 0;
            bool keep = (flags & RenameFlags.RENAME_NOREPLACE) != 0;
            if ((flags & ~(RenameFlags.RENAME_NOREPLACE | RenameFlags.RENAME_EXCHANGE)) != 0 || (exchange && keep))
            {
                return Errno.EINVAL;
            }

            Errno error = Begin(oldFd, oldPath, out PathWalk from);
            error = error == Errno.None ? from.ToParent() : error;
            if (error != Errno.None)
            {
                return error;
            }

            error = Begin(newFd, newPath, out PathWalk to);
            error = error == Errno.None ? to.ToParent() : error;
            if (error != Errno.None)
            {
                return error;
            }

            if (from.Directory.FileSystem != to.Directory.FileSystem)
            {
                return Errno.EXDEV;
            }

            if (from.Kind != LastComponent.Name || to.Kind != LastComponent.Name)
            {
                return from.Kind == LastComponent.Name && keep ? Errno.EEXIST : Errno.EBUSY;
            }

            error = from.LookUpLast(out DirectoryEntry? old);
            if (error != Errno.None)
            {
                return error;
            }

            error = to.LookUpLast(out DirectoryEntry? there);
            if (error is not (Errno.None or Errno.ENOENT) || (error == Errno.ENOENT && exchange))
            {
                return error;
            }

            return there != null && keep ? Errno.EEXIST : Rename(from, old!, to, there, exchange);
        }
    }

    private Errno Rename(in PathWalk from, DirectoryEntry old, in PathWalk to, DirectoryEntry? there, bool exchange)
    {
        bool isDirectory = old.Inode.Type == FileType.Directory;
        bool isDirectoryThere = there?.Inode.Type == FileType.Directory;
        if ((exchange && !isDirectoryThere && to.HasTrailingSlash)
            || (!isDirectory && (from.HasTrailingSlash || (!exchange && to.HasTrailingSlash))))
        {
            return Errno.ENOTDIR;
        }

        // Neither may be above the other.
        if (IsAbove(old, to.Place))
        {
            return Errno.EINVAL;
        }

        if (there != null && IsAbove(there, from.Place))
        {
            return exchange ? Errno.EINVAL : Errno.ENOTEMPTY;
        }

        if (old.Inode == there?.Inode)
        {
            return Errno.None;
        }

        Errno error = CheckRemove(from.Directory, old, isDirectory);
        if (error == Errno.None)
        {
            error = there == null ? CheckCreate(to.Directory) : CheckRemove(to.Directory, there, exchange ? isDirectoryThere : isDirectory);
        }

        // A directory that gets another parent is written to: its ".." changes.
        bool moves = from.Directory != to.Directory;
        error = error == Errno.None && moves && isDirectory ? old.Inode.Check(this, AccessMode.W_OK) : error;
        error = error == Errno.None && moves && exchange && isDirectoryThere ? there!.Inode.Check(this, AccessMode.W_OK) : error;
        return error == Errno.None ? from.Directory.Rename(old, to.Directory, to.Name, there, exchange) : error;
    }

    private static bool IsAbove(DirectoryEntry entry, DirectoryEntry place)
    {
        while (place.Inode != entry.Inode && !place.IsRoot)
        {
            place = place.Parent.Entry;
        }

        return place.Inode == entry.Inode;
    }
}

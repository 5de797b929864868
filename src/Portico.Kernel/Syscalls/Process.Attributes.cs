using Portico.Net;

namespace Portico.Kernel;

// stat(2), access(2), chmod(2), chown(2), utimensat(2), truncate(2), fsync(2).
public sealed partial class Process
{
    /// <summary>fstat(2), of an O_PATH descriptor too. Errors: EBADF.</summary>
    public SyscallResult Fstat(int fd, out FileStatus status)
    {
        using (Driver.Enter())
        {
            status = default;
            if (!TryGetAny(fd, out OpenFileDescription? description, out Errno error))
            {
                return error;
            }

            status = description.Status;
            return 0;
        }
    }

    /// <summary>
    /// fstatat(2): with AT_SYMLINK_NOFOLLOW of a link itself (lstat), with AT_EMPTY_PATH and no path of the descriptor. Errors: EINVAL for
    /// other flags, EBADF, those of path_resolution(7).
    /// </summary>
    public SyscallResult Fstatat(int directoryFd, ReadOnlySpan<byte> path, AtFlags flags, out FileStatus status)
    {
        const AtFlags Known = AtFlags.AT_SYMLINK_NOFOLLOW | AtFlags.AT_NO_AUTOMOUNT | AtFlags.AT_EMPTY_PATH
            | AtFlags.AT_STATX_FORCE_SYNC | AtFlags.AT_STATX_DONT_SYNC;
        status = default;
        if ((flags & ~Known) != 0)
        {
            return Errno.EINVAL;
        }

        if (path.IsEmpty && (flags & AtFlags.AT_EMPTY_PATH) != 0 && directoryFd != AT_FDCWD)
        {
            return Fstat(directoryFd, out status);
        }

        using (Driver.Enter())
        {
            Errno error = Find(directoryFd, path, flags, (flags & AtFlags.AT_SYMLINK_NOFOLLOW) == 0, out DirectoryEntry? entry);
            entry?.Inode.Stat(ref status);
            return error;
        }
    }

    /// <summary>
    /// faccessat(2), with AT_SYMLINK_NOFOLLOW and AT_EMPTY_PATH. Errors: EINVAL, EACCES, EROFS, those of path_resolution(7).
    /// </summary>
    public SyscallResult Faccessat(int directoryFd, ReadOnlySpan<byte> path, AccessMode mode, AtFlags flags = AtFlags.None)
    {
        const AtFlags Known = AtFlags.AT_EACCESS | AtFlags.AT_SYMLINK_NOFOLLOW | AtFlags.AT_EMPTY_PATH;
        using (Driver.Enter())
        {
            if (((int)mode & ~7) != 0 || (flags & ~Known) != 0)
            {
                return Errno.EINVAL;
            }

            Errno error = Find(directoryFd, path, flags, (flags & AtFlags.AT_SYMLINK_NOFOLLOW) == 0, out DirectoryEntry? entry);
            return error == Errno.None && mode != AccessMode.F_OK && entry != null ? entry.Inode.Check(this, mode) : error;
        }
    }

    /// <summary>fchmod(2). Errors: EBADF, EPERM for another user's file.</summary>
    public SyscallResult Fchmod(int fd, int mode)
    {
        using (Driver.Enter())
        {
            return !TryGet(fd, out OpenFileDescription? description, out Errno error) ? error
                : description.Entry == null ? description.File.SetPermissions(mode)
                : ChangeMode(description.Entry.Inode, mode);
        }
    }

    /// <summary>
    /// fchmodat2(2), with AT_SYMLINK_NOFOLLOW and AT_EMPTY_PATH. Errors: EINVAL, EPERM for another user's file, EOPNOTSUPP for a link, EROFS,
    /// those of path_resolution(7).
    /// </summary>
    public SyscallResult Fchmodat(int directoryFd, ReadOnlySpan<byte> path, int mode, AtFlags flags = AtFlags.None)
    {
        using (Driver.Enter())
        {
            if ((flags & ~(AtFlags.AT_SYMLINK_NOFOLLOW | AtFlags.AT_EMPTY_PATH)) != 0)
            {
                return Errno.EINVAL;
            }

            Errno error = Find(directoryFd, path, flags, (flags & AtFlags.AT_SYMLINK_NOFOLLOW) == 0, out DirectoryEntry? entry);
            return error != Errno.None ? error : entry == null ? Errno.EOPNOTSUPP : ChangeMode(entry.Inode, mode);
        }
    }

    private Errno ChangeMode(Inode inode, int mode)
    {
        const int SetGroupId = 0x400;
        if (inode.FileSystem.IsReadOnly)
        {
            return Errno.EROFS;
        }

        if (inode.Type == FileType.SymbolicLink)
        {
            return Errno.EOPNOTSUPP;
        }

        // Who is not of the file's group does not make others be.
        bool ofGroup = inode.IsOfMachine || inode.GroupId == GroupId || IsPrivileged;
        return inode.IsOwner(this) ? inode.SetPermissions(mode & Inode.PermissionMask & (ofGroup ? -1 : ~SetGroupId)) : Errno.EPERM;
    }

    /// <summary>fchown(2). Errors: EBADF, EPERM.</summary>
    public SyscallResult Fchown(int fd, int userId, int groupId)
    {
        using (Driver.Enter())
        {
            return !TryGet(fd, out OpenFileDescription? description, out Errno error) ? error
                : description.Entry == null ? description.File.SetOwner(userId, groupId)
                : ChangeOwner(description.Entry.Inode, userId, groupId);
        }
    }

    /// <summary>
    /// fchownat(2), with AT_SYMLINK_NOFOLLOW and AT_EMPTY_PATH; -1 leaves an id as it is. Errors: EINVAL, EPERM for what only the privileged may do,
    /// EROFS, those of path_resolution(7).
    /// </summary>
    public SyscallResult Fchownat(int directoryFd, ReadOnlySpan<byte> path, int userId, int groupId, AtFlags flags = AtFlags.None)
    {
        using (Driver.Enter())
        {
            if ((flags & ~(AtFlags.AT_SYMLINK_NOFOLLOW | AtFlags.AT_EMPTY_PATH)) != 0)
            {
                return Errno.EINVAL;
            }

            Errno error = Find(directoryFd, path, flags, (flags & AtFlags.AT_SYMLINK_NOFOLLOW) == 0, out DirectoryEntry? entry);
            return error != Errno.None ? error : entry == null ? Errno.EOPNOTSUPP : ChangeOwner(entry.Inode, userId, groupId);
        }
    }

    private Errno ChangeOwner(Inode inode, int userId, int groupId)
    {
        if (inode.FileSystem.IsReadOnly)
        {
            return Errno.EROFS;
        }

        bool mayUser = inode.IsOfMachine || userId == -1 || IsPrivileged || (userId == inode.UserId && UserId == userId);
        bool mayGroup = inode.IsOfMachine || groupId == -1 || IsPrivileged || (UserId == inode.UserId && (groupId == inode.GroupId || groupId == GroupId));
        return mayUser && mayGroup ? inode.SetOwner(userId, groupId) : Errno.EPERM;
    }

    /// <summary>
    /// utimensat(2), in nanoseconds of Unix time: null leaves a time as it is, long.MaxValue is now. Errors: EINVAL, EPERM for another user's file,
    /// EACCES for both times now without the right to write, EROFS, those of path_resolution(7).
    /// </summary>
    public SyscallResult Utimensat(int directoryFd, ReadOnlySpan<byte> path, long? accessed, long? modified, AtFlags flags = AtFlags.None)
    {
        using (Driver.Enter())
        {
            if ((flags & ~(AtFlags.AT_SYMLINK_NOFOLLOW | AtFlags.AT_EMPTY_PATH)) != 0)
            {
                return Errno.EINVAL;
            }

            Errno error = Find(directoryFd, path, flags, (flags & AtFlags.AT_SYMLINK_NOFOLLOW) == 0, out DirectoryEntry? entry);
            if (error != Errno.None || entry == null || (accessed == null && modified == null))
            {
                return error;
            }

            Inode inode = entry.Inode;
            bool bothNow = accessed == long.MaxValue && modified == long.MaxValue;
            if (!inode.IsOwner(this))
            {
                error = bothNow ? inode.Check(this, AccessMode.W_OK) : Errno.EPERM;
            }

            long now = Kernel.UnixTime().Nanoseconds;
            return error != Errno.None ? error
                : inode.FileSystem.IsReadOnly ? Errno.EROFS
                : inode.SetTimes(accessed == long.MaxValue ? now : accessed, modified == long.MaxValue ? now : modified);
        }
    }

    /// <summary>truncate(2). Errors: EINVAL for a negative size or what is no regular file, EISDIR, EACCES, ENOSPC, EROFS.</summary>
    public SyscallResult Truncate(ReadOnlySpan<byte> path, long size)
    {
        using (Driver.Enter())
        {
            if (size < 0)
            {
                return Errno.EINVAL;
            }

            Errno error = Find(AT_FDCWD, path, follow: true, out DirectoryEntry? entry);
            if (error != Errno.None)
            {
                return error;
            }

            Inode inode = entry!.Inode;
            error = inode.Type == FileType.Directory ? Errno.EISDIR
                : inode.Type != FileType.Regular ? Errno.EINVAL
                : inode.Check(this, AccessMode.W_OK);
            return error == Errno.None ? inode.Truncate(size) : error;
        }
    }

    /// <summary>ftruncate(2). Errors: EINVAL for a negative size, what is no regular file or not open for writing; EBADF, EPERM by a seal.</summary>
    public SyscallResult Ftruncate(int fd, long size)
    {
        using (Driver.Enter())
        {
            return size < 0 ? Errno.EINVAL
                : !TryGet(fd, out OpenFileDescription? description, out Errno error) ? error
                : description.File is Inode { Type: FileType.Regular } file && description.IsWritable ? file.Truncate(size)
                : Errno.EINVAL;
        }
    }

    /// <summary>fsync(2) and fdatasync(2). Errors: EBADF, EINVAL for what is kept nowhere.</summary>
    public SyscallResult Fsync(int fd)
    {
        using (Driver.Enter())
        {
            return TryGet(fd, out OpenFileDescription? description, out Errno error) ? description.File.Sync() : error;
        }
    }
}

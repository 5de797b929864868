using Portico.Net;

namespace Portico.Kernel;

// chdir(2), getcwd(2), umask(2), getdents(2), readlink(2).
public sealed partial class Process
{
    /// <summary>chdir(2). Errors: ENOTDIR, EACCES, those of path_resolution(7).</summary>
    public SyscallResult Chdir(ReadOnlySpan<byte> path)
    {
        using (Driver.Enter())
        {
            Errno error = Find(AT_FDCWD, path, follow: true, out DirectoryEntry? entry, mustBeDirectory: true);
            return error == Errno.None ? ChangeTo(entry!) : error;
        }
    }

    /// <summary>fchdir(2). Errors: EBADF, ENOTDIR, EACCES.</summary>
    public SyscallResult Fchdir(int fd)
    {
        using (Driver.Enter())
        {
            return !TryGetAny(fd, out OpenFileDescription? description, out Errno error) ? error
                : description.Entry is { Inode: DirectoryNode } entry ? ChangeTo(entry)
                : Errno.ENOTDIR;
        }
    }

    private Errno ChangeTo(DirectoryEntry entry)
    {
        Errno error = entry.Inode.Check(this, AccessMode.X_OK);
        _workingDirectory = error == Errno.None ? entry : _workingDirectory;
        return error;
    }

    /// <summary>
    /// getcwd(2): the path with a 0 behind it; returns its length with the 0. Errors: ENOENT where the directory has been removed, ERANGE where
    /// it does not fit.
    /// </summary>
    public SyscallResult Getcwd(Span<byte> path)
    {
        using (Driver.Enter())
        {
            if (((DirectoryNode)_workingDirectory.Inode).IsDead)
            {
                return Errno.ENOENT;
            }

            byte[] bytes = Bytes(_workingDirectory.Path());
            if (path.Length < bytes.Length + 1)
            {
                return Errno.ERANGE;
            }

            bytes.CopyTo(path);
            path[bytes.Length] = 0;
            return bytes.Length + 1;
        }
    }

    /// <summary>umask(2): the permission bits that new files do not get; returns those of before.</summary>
    public SyscallResult Umask(int mask)
    {
        using (Driver.Enter())
        {
            int before = _umask;
            _umask = mask & 0x1FF;
            return before;
        }
    }

    /// <summary>
    /// getdents64(2): entries as struct linux_dirent64, as many as fit; 0 at the end. Errors: EBADF, ENOTDIR, EINVAL where not one fits, ENOENT
    /// for a directory that has been removed.
    /// </summary>
    public SyscallResult Getdents64(int fd, Span<byte> buffer)
    {
        using (Driver.Enter())
        {
            if (!TryGet(fd, out OpenFileDescription? description, out Errno error))
            {
                return error;
            }

            if (description.File is not DirectoryNode directory)
            {
                return Errno.ENOTDIR;
            }

            if (directory.IsDead)
            {
                return Errno.ENOENT;
            }

            DirectoryListing listing = new(buffer);
            long position = description.Offset;
            error = directory.List(ref position, ref listing);
            if (error != Errno.None)
            {
                return error;
            }

            description.Offset = position;
            return listing.Length == 0 && listing.IsFull ? Errno.EINVAL : listing.Length;
        }
    }

    /// <summary>
    /// readlinkat(2): the link's path without a 0 behind it, cut to the room. Errors: EINVAL for no room or no link; ENOENT for no link where
    /// the path is empty, which stands for the descriptor.
    /// </summary>
    public SyscallResult Readlinkat(int directoryFd, ReadOnlySpan<byte> path, Span<byte> target)
    {
        using (Driver.Enter())
        {
            if (target.IsEmpty)
            {
                return Errno.EINVAL;
            }

            Errno error = Find(directoryFd, path, AtFlags.AT_EMPTY_PATH, follow: false, out DirectoryEntry? entry);
            if (error != Errno.None)
            {
                return error;
            }

            if (entry?.Inode is not SymbolicLink link)
            {
                return path.IsEmpty ? Errno.ENOENT : Errno.EINVAL;
            }

            error = link.ReadTarget(this, out byte[] bytes);
            int count = Math.Min(bytes.Length, target.Length);
            bytes.AsSpan(0, count).CopyTo(target);
            return error == Errno.None ? count : error;
        }
    }
}

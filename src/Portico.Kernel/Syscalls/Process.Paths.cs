using System.Text;
using Portico.Net;

namespace Portico.Kernel;

// What all calls with paths share: where a path begins, and what it leads to. Paths are bytes, as in Linux; UTF-8 for those who ask.
public sealed partial class Process
{
    /// <summary>In place of a directory's descriptor: the working directory (openat(2)).</summary>
    public const int AT_FDCWD = -100;

    private DirectoryEntry _workingDirectory;
    private int _umask;

    internal DirectoryEntry WorkingPlace => _workingDirectory;

    internal int UmaskBits => _umask;

    /// <summary>The path of the working directory, as /proc/PID/cwd shows it.</summary>
    public string WorkingDirectory
    {
        get
        {
            using (Driver.Enter())
            {
                return _workingDirectory.Path();
            }
        }
    }

    /// <summary>
    /// Begins a walk at a directory's descriptor. Errors: ENOENT for no path, ENAMETOOLONG, EINVAL for one with a 0 in it; EBADF and ENOTDIR for
    /// the descriptor, which does not matter to a path from the root.
    /// </summary>
    private Errno Begin(int directoryFd, ReadOnlySpan<byte> path, out PathWalk walk)
    {
        walk = new PathWalk(this, _workingDirectory, path);
        Errno error = CheckPath(path);
        if (error != Errno.None || path[0] == '/' || directoryFd == AT_FDCWD)
        {
            return error;
        }

        if (!TryGetAny(directoryFd, out OpenFileDescription? description, out error))
        {
            return error;
        }

        if (description.Entry is not { Inode: DirectoryNode } start)
        {
            return Errno.ENOTDIR;
        }

        walk = new PathWalk(this, start, path);
        return Errno.None;
    }

    private Errno CheckPath(ReadOnlySpan<byte> path) =>
        HasExited ? Errno.ESRCH
        : path.IsEmpty ? Errno.ENOENT
        : path.Length > PathWalk.PathBytesMax ? Errno.ENAMETOOLONG
        : path.Contains((byte)0) ? Errno.EINVAL
        : Errno.None;

    /// <summary>What a path leads to. Errors: those of path_resolution(7).</summary>
    private Errno Find(int directoryFd, ReadOnlySpan<byte> path, bool follow, out DirectoryEntry? entry, bool mustBeDirectory = false)
    {
        entry = null;
        Errno error = Begin(directoryFd, path, out PathWalk walk);
        return error == Errno.None ? walk.ToEnd(follow, mustBeDirectory, out entry) : error;
    }

    /// <summary>
    /// The same, and with AT_EMPTY_PATH and no path what the descriptor itself stands for; null for what has no name, such as a pipe.
    /// Errors: EBADF.
    /// </summary>
    private Errno Find(int directoryFd, ReadOnlySpan<byte> path, AtFlags flags, bool follow, out DirectoryEntry? entry)
    {
        if (!path.IsEmpty || (flags & AtFlags.AT_EMPTY_PATH) == 0)
        {
            return Find(directoryFd, path, follow, out entry);
        }

        entry = directoryFd == AT_FDCWD ? _workingDirectory : null;
        if (entry != null)
        {
            return Errno.None;
        }

        if (!TryGetAny(directoryFd, out OpenFileDescription? description, out Errno error))
        {
            return error;
        }

        entry = description.Entry;
        return Errno.None;
    }

    /// <summary>
    /// Walks to where something is to be made, and finds that the name is free (filename_create). Errors: EEXIST, ENOENT for a trailing
    /// slash behind what is to be no directory, and those of <see cref="CheckCreate"/>.
    /// </summary>
    private Errno FindFreeName(int directoryFd, ReadOnlySpan<byte> path, bool forDirectory, out PathWalk walk)
    {
        Errno error = Begin(directoryFd, path, out walk);
        if (error != Errno.None || (error = walk.ToParent()) != Errno.None)
        {
            return error;
        }

        if (walk.Kind != LastComponent.Name)
        {
            return Errno.EEXIST;
        }

        error = walk.LookUpLast(out _);
        return error == Errno.None ? Errno.EEXIST
            : error != Errno.ENOENT || (walk.HasTrailingSlash && !forDirectory) ? error
            : Errno.None;
    }

    /// <summary>The same, and something may be made there. Errors: those of both.</summary>
    private Errno FindPlaceForNew(int directoryFd, ReadOnlySpan<byte> path, bool forDirectory, out PathWalk walk)
    {
        Errno error = FindFreeName(directoryFd, path, forDirectory, out walk);
        return error == Errno.None ? CheckCreate(walk.Directory) : error;
    }

    /// <summary>Whether something may be made in a directory (may_create). Errors: ENOENT in a removed one, EROFS, EACCES.</summary>
    private Errno CheckCreate(DirectoryNode directory) =>
        directory.IsDead || !directory.TakesNewNames ? Errno.ENOENT : directory.Check(this, AccessMode.W_OK | AccessMode.X_OK);

    /// <summary>Whether a name may be taken out of its directory (may_delete). Errors: EROFS, EACCES, EPERM, ENOTDIR, EISDIR, EBUSY.</summary>
    private Errno CheckRemove(DirectoryNode directory, DirectoryEntry entry, bool asDirectory)
    {
        const int Sticky = 0x200;
        Errno error = directory.Check(this, AccessMode.W_OK | AccessMode.X_OK);
        if (error != Errno.None)
        {
            return error;
        }

        if ((directory.Permissions & Sticky) != 0 && !directory.IsOwner(this) && !entry.Inode.IsOwner(this))
        {
            return Errno.EPERM;
        }

        bool isDirectory = entry.Inode.Type == FileType.Directory;
        return asDirectory && !isDirectory ? Errno.ENOTDIR
            : !asDirectory && isDirectory ? Errno.EISDIR
            : directory.IsDead ? Errno.ENOENT
            : entry.Inode.FileSystem != directory.FileSystem ? Errno.EBUSY
            : Errno.None;
    }

    private static byte[] Bytes(string path) => Encoding.UTF8.GetBytes(path);
}

using Portico.Net;

namespace Portico.Kernel;

// Unix sockets by their paths: bind(2) makes a file, connect(2) and sendto(2) find the socket behind it (unix(7)).
public sealed partial class Process
{
    private const int SocketPermissions = 0x1FF;

    /// <summary>
    /// Makes a socket file for a socket, or, where it has a name already, only tries. Errors: EADDRINUSE where the path exists, EINVAL for
    /// a socket that has a name, and those of making a file.
    /// </summary>
    internal Errno BindToPath(ReadOnlySpan<byte> path, UnixSocket socket, bool hasName)
    {
        Errno error = FindPlaceForNew(AT_FDCWD, path, forDirectory: false, out PathWalk walk);
        if (error != Errno.None)
        {
            return error == Errno.EEXIST ? Errno.EADDRINUSE : error;
        }

        if (hasName)
        {
            return Errno.EINVAL;
        }

        error = walk.Directory.Create(this, walk.Name, FileType.Socket, Masked(SocketPermissions), out DirectoryEntry? entry);
        if (error == Errno.None)
        {
            ((SocketNode)entry!.Inode).Bound = socket;
        }

        return error;
    }

    /// <summary>
    /// The socket behind a path. Errors: those of a path, EACCES for one that may not be written to, ECONNREFUSED for what is no socket, or
    /// one that has been closed.
    /// </summary>
    internal Errno FindSocket(ReadOnlySpan<byte> path, out UnixSocket? socket)
    {
        socket = null;
        Errno error = Find(AT_FDCWD, path, follow: true, out DirectoryEntry? entry);
        error = error == Errno.None ? entry!.Inode.Check(this, AccessMode.W_OK) : error;
        if (error != Errno.None)
        {
            return error;
        }

        socket = entry!.Inode is SocketNode { Bound: UnixSocket { IsDead: false } bound } ? bound : null;
        return socket == null ? Errno.ECONNREFUSED : Errno.None;
    }
}

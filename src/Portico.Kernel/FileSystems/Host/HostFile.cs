using Microsoft.Win32.SafeHandles;
using Portico.Net;

namespace Portico.Kernel;

/// <summary>A regular file of the machine, or one of another kind, which cannot be opened. Each open of it has a handle of its own.</summary>
internal sealed class HostFile(HostFileSystem host, byte[] path, FileStatus found, SafeFileHandle? handle)
    : Inode(host, found.Permissions, found.UserId, found.GroupId)
{
    internal override FileType Type => found.Type;

    internal override bool IsSeekable => true;

    internal override bool CanSpliceFrom => true;

    internal override bool CanSpliceTo => true;

    internal override bool IsPaged => true;

    public override long Size => TryStatus(out FileStatus status) ? status.Size : found.Size;

    private bool TryStatus(out FileStatus status) =>
        (handle == null ? host.Directory.Status(path, out status) : host.Directory.Status(handle, out status)) == Errno.None;

    public override Errno Check(Process process, AccessMode wanted) => host.Check(wanted);

    /// <summary>Errors: those of the machine; EACCES for what is no regular file.</summary>
    public override Errno Open(Process opener, OpenFlags flags, out KernelFile? file)
    {
        file = null;
        if (Type != FileType.Regular)
        {
            return Errno.EACCES;
        }

        Errno error = host.Directory.Open(path, flags & OpenFlags.O_ACCMODE, 0, out SafeFileHandle? opened);
        if (error == Errno.None)
        {
            file = new HostFile(host, path, found, opened);
        }

        return error;
    }

    internal override Errno Read(OpenFileDescription description, ref IoCursor destination, out long count)
    {
        Errno error = ReadAt(description, description.Offset, ref destination, out count);
        description.Offset += count;
        return error;
    }

    internal override Errno ReadAt(OpenFileDescription description, long offset, ref IoCursor destination, out long count)
    {
        count = 0;
        while (destination.Remaining > 0)
        {
            Span<byte> piece = destination.Next();
            if (piece.IsEmpty)
            {
                return count > 0 ? Errno.None : Errno.EFAULT;
            }

            Errno error = host.Directory.Read(handle!, offset + count, piece, out int read);
            if (error != Errno.None || read == 0)
            {
                return count > 0 ? Errno.None : error;
            }

            destination.Skip(read);
            count += read;
        }

        return Errno.None;
    }

    internal override Errno Write(OpenFileDescription description, ref IoCursor source, out long count)
    {
        long start = StartOf(description, description.Offset);
        Errno error = WriteAt(description, start, ref source, out count);
        description.Offset = count > 0 ? start + count : description.Offset;
        return error;
    }

    internal override Errno WriteAt(OpenFileDescription description, long offset, ref IoCursor source, out long count)
    {
        count = 0;
        long start = StartOf(description, offset);
        if (!source.TryTrim(source.Remaining))
        {
            return Errno.EFAULT;
        }

        while (source.Remaining > 0)
        {
            Errno error = host.Directory.Write(handle!, start + count, source.Next(), out int written);
            if (error != Errno.None)
            {
                return count > 0 ? Errno.None : error;
            }

            source.Skip(written);
            count += written;
        }

        return Errno.None;
    }

    internal override Errno Seek(OpenFileDescription description, long offset, SeekWhence whence, out long position)
    {
        long from = whence switch
        {
            SeekWhence.SEEK_CUR => description.Offset,
            SeekWhence.SEEK_END => Size,
            _ => 0,
        };
        position = unchecked(from + offset);
        if (whence > SeekWhence.SEEK_END || position < 0)
        {
            return Errno.EINVAL;
        }

        description.Offset = position;
        return Errno.None;
    }

    public override Errno Truncate(long size)
    {
        if (handle != null)
        {
            return host.Directory.Truncate(handle, size);
        }

        Errno error = host.Directory.Open(path, OpenFlags.O_WRONLY, 0, out SafeFileHandle? opened);
        if (error == Errno.None)
        {
            error = host.Directory.Truncate(opened!, size);
            opened!.Dispose();
        }

        return error;
    }

    internal override Errno Sync() => handle == null ? Errno.EINVAL : host.Directory.Sync(handle);

    public override bool IsOfMachine => true;

    internal override Errno SetPermissions(int permissions) => Change(HostFileSystem.Permissions(permissions));

    internal override Errno SetOwner(int userId, int groupId) => Change(HostFileSystem.Owner(userId, groupId));

    public override Errno SetTimes(long? accessed, long? modified) => Change(HostFileSystem.Times(accessed, modified));

    private Errno Change(in HostFileChange change) => handle == null ? host.Directory.Change(path, change) : host.Directory.Change(handle, change);

    internal override void Stat(ref FileStatus status)
    {
        if (!TryStatus(out status))
        {
            status = found;
        }

        host.Show(ref status);
    }

    internal override void OnReleased(OpenFileDescription description)
    {
        base.OnReleased(description);
        if (OpenCount == 0)
        {
            handle?.Dispose();
        }
    }

    /// <summary>With O_APPEND everything goes to the end that the file has now.</summary>
    private long StartOf(OpenFileDescription description, long offset) => (description.Flags & OpenFlags.O_APPEND) != 0 ? Size : offset;
}

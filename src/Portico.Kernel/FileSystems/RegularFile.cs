using Portico.Net;

namespace Portico.Kernel;

/// <summary>A regular file in memory: pages, of which those that were never written are holes and read as zeros.</summary>
internal sealed class RegularFile(MemoryFileSystem memory, int permissions, int userId, int groupId)
    : Inode(memory, permissions, userId, groupId)
{
    private const int PageBytes = PageTree.PageBytes;
    private const int SectorsPerPage = PageBytes / 512;
    private static readonly byte[] s_zeros = new byte[PageBytes];

    private PageTree _pages;
    private long _size;

    internal override FileType Type => FileType.Regular;

    internal override bool IsSeekable => true;

    internal override bool CanSpliceFrom => true;

    internal override bool CanSpliceTo => true;

    internal override bool IsPaged => true;

    internal override bool TakesDirect => !IsMemfd;

    /// <summary>Whether memfd_create(2) made it, which is of no directory's file system.</summary>
    public bool IsMemfd { get; init; }

    public override long Size => _size;

    public override long Blocks => _pages.Count * SectorsPerPage;

    /// <summary>Whether it may be given a first name by linkat(2), having been made without one (O_TMPFILE).</summary>
    public bool IsLinkable { get; set; }

    /// <summary>What must not be done to it any more; for a file of a directory nothing else may be sealed either.</summary>
    public FileSeals Seals { get; set; } = FileSeals.F_SEAL_SEAL;

    internal override Errno Read(OpenFileDescription description, ref IoCursor destination, out long count)
    {
        Errno error = ReadAt(description, description.Offset, ref destination, out count);
        description.Offset += count;
        return error;
    }

    internal override Errno ReadAt(OpenFileDescription description, long offset, ref IoCursor destination, out long count)
    {
        count = 0;
        if (offset > long.MaxValue - destination.Remaining)
        {
            return Errno.EINVAL;
        }

        if (_size > offset && !destination.TryTrim(_size - offset))
        {
            return Errno.EFAULT;
        }

        long end = Math.Min(_size, offset + destination.Remaining);
        while (offset + count < end)
        {
            long position = offset + count;
            int within = (int)(position % PageBytes);
            int length = (int)Math.Min(PageBytes - within, end - position);
            byte[] page = _pages.Find(position / PageBytes) ?? s_zeros;
            count += destination.Write(page.AsSpan(within, length));
        }

        if (count > 0 && (description.Flags & OpenFlags.O_NOATIME) == 0)
        {
            Accessed = Now;
        }

        return Errno.None;
    }

    internal override Errno Write(OpenFileDescription description, ref IoCursor source, out long count)
    {
        Errno error = WriteAt(description, description.Offset, ref source, out count);
        if (count > 0)
        {
            // With O_APPEND the bytes went to the end, and the position follows them.
            description.Offset = (description.Flags & OpenFlags.O_APPEND) != 0 ? _size : description.Offset + count;
        }

        return error;
    }

    /// <summary>pwrite(2) appends too where O_APPEND is set, whatever the offset: Linux does, though POSIX says otherwise.</summary>
    internal override Errno WriteAt(OpenFileDescription description, long offset, ref IoCursor source, out long count)
    {
        count = 0;
        if (offset > long.MaxValue - source.Remaining)
        {
            return Errno.EINVAL;
        }

        if (source.Remaining == 0)
        {
            return Errno.None;
        }

        long start = (description.Flags & OpenFlags.O_APPEND) != 0 ? _size : offset;
        if (start > long.MaxValue - source.Remaining)
        {
            return Errno.EFBIG;
        }

        // These come before the seals are looked at, so that even a write that fails leaves them behind.
        Modified = Changed = Now;
        ClearSetIds();
        Errno error = source.TryTrim(source.Remaining) ? Errno.None : Errno.EFAULT;
        while (source.Remaining > 0 && error == Errno.None)
        {
            error = WriteToPage(start + count, ref source, ref count);
        }

        return count > 0 ? Errno.None : error;
    }

    /// <summary>lseek(2). Errors: EINVAL for a position below 0, ENXIO for SEEK_DATA and SEEK_HOLE at or behind the end.</summary>
    internal override Errno Seek(OpenFileDescription description, long offset, SeekWhence whence, out long position)
    {
        position = offset;
        switch (whence)
        {
            case SeekWhence.SEEK_CUR or SeekWhence.SEEK_END:
                long from = whence == SeekWhence.SEEK_CUR ? description.Offset : _size;
                position = unchecked(from + offset);
                break;
            case SeekWhence.SEEK_DATA or SeekWhence.SEEK_HOLE:
                if (offset < 0 || offset >= _size)
                {
                    return Errno.ENXIO;
                }

                position = whence == SeekWhence.SEEK_DATA ? NextData(offset) : NextHole(offset);
                if (position < 0)
                {
                    return Errno.ENXIO;
                }

                break;
        }

        if (position < 0)
        {
            return Errno.EINVAL;
        }

        description.Offset = position;
        return Errno.None;
    }

    internal override Errno Ioctl(OpenFileDescription description, IoctlRequest request, Span<byte> argument)
    {
        if (request != IoctlRequest.FIONREAD)
        {
            return Errno.ENOTTY;
        }

        int left = (int)(_size - description.Offset);
        return System.Runtime.InteropServices.MemoryMarshal.TryWrite(argument, left) ? Errno.None : Errno.EFAULT;
    }

    public override Errno Truncate(long size)
    {
        if ((size < _size && (Seals & FileSeals.F_SEAL_SHRINK) != 0) || (size > _size && (Seals & FileSeals.F_SEAL_GROW) != 0))
        {
            return Errno.EPERM;
        }

        if (size < _size)
        {
            memory.ReleasePages(_pages.Remove((size + PageBytes - 1) / PageBytes, long.MaxValue));

            // What comes after the end in the last page must read as zeros when the file grows again.
            _pages.Find(size / PageBytes)?.AsSpan((int)(size % PageBytes), PageBytes - (int)(size % PageBytes)).Clear();
        }

        _size = size;
        Modified = Changed = Now;
        ClearSetIds();
        return Errno.None;
    }

    internal override Errno Sync() => Errno.None;

    internal override Errno Control(OpenFileDescription description, FcntlCommand command, long argument, out long result)
    {
        result = (long)Seals;
        return command switch
        {
            FcntlCommand.F_GET_SEALS => Errno.None,
            FcntlCommand.F_ADD_SEALS => AddSeals(description, (FileSeals)argument, out result),
            _ => base.Control(description, command, argument, out result),
        };
    }

    private protected override void OnFreed() => memory.ReleasePages(_pages.Remove(0, long.MaxValue));

    private Errno WriteToPage(long position, ref IoCursor source, ref long count)
    {
        int within = (int)(position % PageBytes);
        int length = (int)Math.Min(PageBytes - within, source.Remaining);
        if ((Seals & (FileSeals.F_SEAL_WRITE | FileSeals.F_SEAL_FUTURE_WRITE)) != 0
            || ((Seals & FileSeals.F_SEAL_GROW) != 0 && position + length > _size))
        {
            return Errno.EPERM;
        }

        byte[]? page = _pages.Find(position / PageBytes);
        if (page == null)
        {
            if (!memory.TryTakePage())
            {
                return Errno.ENOSPC;
            }

            page = _pages.Add(position / PageBytes);
        }

        count += source.Read(page.AsSpan(within, length));
        _size = Math.Max(_size, position + length);
        return Errno.None;
    }

    private long NextData(long offset)
    {
        long page = _pages.NextPage(offset / PageBytes);
        return page < 0 || page * PageBytes >= _size ? -1 : Math.Max(offset, page * PageBytes);
    }

    private long NextHole(long offset) => Math.Min(_size, Math.Max(offset, _pages.NextHole(offset / PageBytes) * PageBytes));

    /// <summary>F_ADD_SEALS. Errors: EPERM for a description that cannot write, or after F_SEAL_SEAL; EINVAL.</summary>
    private Errno AddSeals(OpenFileDescription description, FileSeals added, out long result)
    {
        const FileSeals Known = FileSeals.F_SEAL_SEAL | FileSeals.F_SEAL_SHRINK | FileSeals.F_SEAL_GROW | FileSeals.F_SEAL_WRITE
            | FileSeals.F_SEAL_FUTURE_WRITE | FileSeals.F_SEAL_EXEC;
        result = 0;
        if (!description.IsWritable)
        {
            return Errno.EPERM;
        }

        if ((added & ~Known) != 0)
        {
            return Errno.EINVAL;
        }

        if ((Seals & FileSeals.F_SEAL_SEAL) != 0)
        {
            return Errno.EPERM;
        }

        // What cannot be run any more cannot be made to run, nor be changed once it can (memfd_add_seals).
        if ((added & FileSeals.F_SEAL_EXEC) != 0 && (Permissions & 0x49) != 0)
        {
            added |= FileSeals.F_SEAL_SHRINK | FileSeals.F_SEAL_GROW | FileSeals.F_SEAL_WRITE | FileSeals.F_SEAL_FUTURE_WRITE;
        }

        Seals |= added;
        return Errno.None;
    }

    internal override Errno SetPermissions(int permissions)
    {
        bool changesExecute = ((permissions ^ Permissions) & 0x49) != 0;
        return (Seals & FileSeals.F_SEAL_EXEC) != 0 && changesExecute ? Errno.EPERM : base.SetPermissions(permissions);
    }

    /// <summary>Whoever changes a file takes its set-user-id away, and its set-group-id where the group may run it.</summary>
    private void ClearSetIds()
    {
        const int SetUserId = 0x800;
        const int GroupExecute = 0x8;
        int cleared = Permissions & ~SetUserId & ~((Permissions & GroupExecute) != 0 ? SetGroupId : 0);
        if (cleared != Permissions)
        {
            base.SetPermissions(cleared);
        }
    }
}

using Portico.Net;

namespace Portico.Kernel;

/// <summary>A file of /proc that shows something of the kernel. It has no size, and its text is made anew for each description.</summary>
internal abstract class ProcFile(ProcFileSystem proc, int permissions, int userId = 0, int groupId = 0)
    : Inode(proc, permissions, userId, groupId)
{
    internal override FileType Type => FileType.Regular;

    internal override bool IsSeekable => true;

    internal override bool CanSpliceFrom => true;

    /// <summary>What a new description reads. Errors: ESRCH for the file of a process that has exited.</summary>
    private protected abstract Errno MakeReader(out ProcReader? reader);

    internal override Errno Read(OpenFileDescription description, ref IoCursor destination, out long count)
    {
        Errno error = ReadAt(description, description.Offset, ref destination, out count);
        description.Offset += count;
        return error;
    }

    internal override Errno ReadAt(OpenFileDescription description, long offset, ref IoCursor destination, out long count)
    {
        count = 0;
        NamedFileDescription named = (NamedFileDescription)description;
        ProcReader? reader = (ProcReader?)named.Private;
        if (reader == null)
        {
            Errno error = MakeReader(out reader);
            if (error != Errno.None)
            {
                return error;
            }

            named.Private = reader;
        }

        count = destination.Remaining == 0 ? 0 : reader!.Read(offset, ref destination);
        if (count == 0 && destination.HasFaulted)
        {
            return Errno.EFAULT;
        }

        return Errno.None;
    }

    /// <summary>What can be opened for writing only by those who may do everything is still not for writing.</summary>
    internal override Errno Write(OpenFileDescription description, ref IoCursor source, out long count) =>
        WriteAt(description, description.Offset, ref source, out count);

    internal override Errno WriteAt(OpenFileDescription description, long offset, ref IoCursor source, out long count)
    {
        count = 0;
        return Errno.EIO;
    }

    /// <summary>There is no end to count from.</summary>
    internal override Errno Seek(OpenFileDescription description, long offset, SeekWhence whence, out long position)
    {
        position = whence == SeekWhence.SEEK_CUR ? description.Offset + offset : offset;
        if (whence > SeekWhence.SEEK_CUR || position < 0)
        {
            return Errno.EINVAL;
        }

        description.Offset = position;
        return Errno.None;
    }

    /// <summary>O_TRUNC changes nothing: there is nothing to cut.</summary>
    public override Errno Truncate(long size) => Errno.None;

    internal override void OnReleased(OpenFileDescription description)
    {
        ((ProcReader?)((NamedFileDescription)description).Private)?.Free();
        base.OnReleased(description);
    }
}

/// <summary>A file of /proc whose text is made in one go.</summary>
internal sealed class ProcTextFile(ProcFileSystem proc, Action<ProcText> write) : ProcFile(proc, ProcFileSystem.ReadableByAll)
{
    private protected override Errno MakeReader(out ProcReader? reader)
    {
        reader = new ProcTextReader(write);
        return Errno.None;
    }
}

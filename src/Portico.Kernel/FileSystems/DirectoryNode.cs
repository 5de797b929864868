using Portico.Net;

namespace Portico.Kernel;

/// <summary>
/// A directory of any file system. The methods do what is left to do once a call has been checked: who may do it, and whether the name
/// is free, is decided above (Process.Directories), in Linux's order. What a file system does not offer is EPERM.
/// </summary>
internal abstract class DirectoryNode : Inode
{
    private protected DirectoryNode(FileSystem fileSystem, int permissions, int userId, int groupId)
        : base(fileSystem, permissions, userId, groupId)
    {
        LinkCount = 2;
        Entry = new DirectoryEntry(null, [], this);
    }

    /// <summary>Its place in the directory above; a root's is in itself.</summary>
    public DirectoryEntry Entry { get; set; }

    /// <summary>Whether it has been removed: nothing can be made in it any more.</summary>
    public bool IsDead => Entry.IsDeleted;

    /// <summary>Whether it makes sense to ask for a name to be made; where not, a name that is not there is just that (ENOENT).</summary>
    public virtual bool TakesNewNames => true;

    /// <summary>The group of what a process makes in it: a set-group-id directory hands its own down (inode(7)).</summary>
    public int GroupOfNew(Process creator) => (Permissions & SetGroupId) != 0 ? GroupId : creator.GroupId;

    internal override FileType Type => FileType.Directory;

    internal override bool IsSeekable => true;

    internal override Errno Read(OpenFileDescription description, ref IoCursor destination, out long count)
    {
        count = 0;
        return Errno.EISDIR;
    }

    internal override Errno ReadAt(OpenFileDescription description, long offset, ref IoCursor destination, out long count)
    {
        count = 0;
        return Errno.EISDIR;
    }

    /// <summary>Positions are what getdents(2) gave; they can be gone back to.</summary>
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

    internal override Errno Sync() => Errno.None;

    /// <summary>The entry of a name that is neither "." nor "..". Errors: ENOENT, ENAMETOOLONG.</summary>
    public abstract Errno Lookup(ReadOnlySpan<byte> name, out DirectoryEntry? entry);

    /// <summary>
    /// Lists entries from a position on, those of "." and ".." first, until the writer has no more room. The position moves behind what
    /// has been written.
    /// </summary>
    public abstract Errno List(ref long position, ref DirectoryListing listing);

    /// <summary>Makes a file, a directory, a FIFO or a socket.</summary>
    public virtual Errno Create(Process creator, ReadOnlySpan<byte> name, FileType type, int permissions, out DirectoryEntry? entry)
    {
        entry = null;
        return type == FileType.Regular ? Errno.EACCES : Errno.EPERM;
    }

    /// <summary>Makes a file without a name (O_TMPFILE).</summary>
    public virtual Errno CreateUnnamed(Process creator, int permissions, bool isLinkable, out DirectoryEntry? entry)
    {
        entry = null;
        return Errno.EOPNOTSUPP;
    }

    /// <summary>Makes a symbolic link.</summary>
    public virtual Errno CreateSymbolicLink(Process creator, ReadOnlySpan<byte> name, ReadOnlySpan<byte> target) => Errno.EPERM;

    /// <summary>Gives an inode of the same file system another name.</summary>
    public virtual Errno CreateLink(ReadOnlySpan<byte> name, Inode inode) => Errno.EPERM;

    /// <summary>Takes a name out. Errors: ENOTEMPTY.</summary>
    public virtual Errno Remove(DirectoryEntry entry) => Errno.EPERM;

    /// <summary>
    /// Moves an entry of this directory into one of the same file system, over what may be there, or in exchange for it. Errors: ENOTEMPTY.
    /// </summary>
    public virtual Errno Rename(DirectoryEntry entry, DirectoryNode target, ReadOnlySpan<byte> name, DirectoryEntry? there, bool exchange) =>
        Errno.EPERM;

    /// <summary>"." and "..", which come first. False where there is no more room.</summary>
    private protected bool ListDots(ref long position, ref DirectoryListing listing)
    {
        if (position == 0)
        {
            if (!listing.TryAdd(Number, 1, FileType.Directory, "."u8))
            {
                return false;
            }

            position = 1;
        }

        if (position == 1)
        {
            if (!listing.TryAdd(Entry.Parent.Number, 2, FileType.Directory, ".."u8))
            {
                return false;
            }

            position = 2;
        }

        return true;
    }
}

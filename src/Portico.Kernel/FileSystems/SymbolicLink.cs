using Portico.Net;

namespace Portico.Kernel;

/// <summary>A symbolic link (symlink(7)).</summary>
internal abstract class SymbolicLink : Inode
{
    private const int PermissionsAll = 0x1FF;

    private protected SymbolicLink(FileSystem fileSystem, int userId, int groupId)
        : base(fileSystem, PermissionsAll, userId, groupId)
    {
    }

    internal override FileType Type => FileType.SymbolicLink;

    /// <summary>What it says, to the process that asks.</summary>
    public abstract Errno ReadTarget(Process reader, out byte[] target);

    /// <summary>Where it leads whatever it says, for the links of /proc/PID that lead to what is open; null for the others.</summary>
    public virtual DirectoryEntry? Follow(Process walker) => null;
}

/// <summary>A symbolic link in memory.</summary>
internal sealed class MemoryLink(MemoryFileSystem memory, byte[] target, int userId, int groupId) : SymbolicLink(memory, userId, groupId)
{
    /// <summary>With its 0, the longest that is kept in the inode itself (SHORT_SYMLINK_LEN).</summary>
    private const int ShortBytesMax = 128;

    public override long Size => target.Length;

    public override long Blocks => TakesPage(target.Length) ? PageTree.PageBytes / 512 : 0;

    /// <summary>Whether a target is so long that it takes a page.</summary>
    public static bool TakesPage(int length) => length + 1 > ShortBytesMax;

    public override Errno ReadTarget(Process reader, out byte[] read)
    {
        read = target;
        return Errno.None;
    }

    private protected override void OnFreed()
    {
        if (TakesPage(target.Length))
        {
            memory.ReleasePages(1);
        }
    }
}

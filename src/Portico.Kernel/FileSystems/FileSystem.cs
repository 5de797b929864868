namespace Portico.Kernel;

/// <summary>What inodes belong to: links and renames stay within one (EXDEV).</summary>
internal abstract class FileSystem(PorticoKernel kernel)
{
    public PorticoKernel Kernel { get; } = kernel;

    /// <summary>st_dev of its files: a major number of 0, as Linux gives those without a device, and a minor of its own.</summary>
    public int DeviceNumber { get; } = kernel.TakeDeviceNumber();

    /// <summary>Whether nothing in it can be changed (EROFS).</summary>
    public virtual bool IsReadOnly => false;

    /// <summary>st_blksize of its files.</summary>
    public virtual int BlockBytes => PageTree.PageBytes;

    /// <summary>One inode less: it has no name and nobody has it open.</summary>
    public virtual void OnInodeFreed()
    {
    }
}

/// <summary>
/// Files in memory (tmpfs(5)), bounded by <see cref="KernelSettings.tmpfs_size"/> and <see cref="KernelSettings.tmpfs_nr_inodes"/> for all of
/// them together.
/// </summary>
internal sealed class MemoryFileSystem : FileSystem
{
    public MemoryFileSystem(PorticoKernel kernel)
        : base(kernel) => Root = new MemoryDirectory(this, StandardDirectories.Permissions, userId: 0, groupId: 0);

    public MemoryDirectory Root { get; }

    /// <summary>Takes room for a page; false where there is none (ENOSPC).</summary>
    public bool TryTakePage()
    {
        bool hasRoom = (Kernel.Counters[KernelCounter.FilePages] + 1) * PageTree.PageBytes <= Kernel.Settings.tmpfs_size;
        Kernel.Counters[hasRoom ? KernelCounter.FilePages : KernelCounter.FileSpaceLimit]++;
        return hasRoom;
    }

    public void ReleasePages(long count) => Kernel.Counters[KernelCounter.FilePages] -= count;

    /// <summary>Takes room for an inode; false where there is none (ENOSPC).</summary>
    public bool TryTakeInode()
    {
        bool hasRoom = Kernel.Counters[KernelCounter.Inodes] < Kernel.Settings.tmpfs_nr_inodes;
        Kernel.Counters[hasRoom ? KernelCounter.Inodes : KernelCounter.FileSpaceLimit]++;
        return hasRoom;
    }

    /// <summary>A file that has no name in any directory; null where there is no room for it.</summary>
    public DirectoryEntry? CreateUnnamed(Process creator, ReadOnlySpan<byte> name, int permissions, DirectoryNode? parent = null)
    {
        if (!TryTakeInode())
        {
            return null;
        }

        int group = parent?.GroupOfNew(creator) ?? creator.GroupId;
        RegularFile file = new(this, permissions, creator.UserId, group) { LinkCount = 0, IsMemfd = parent == null };
        byte[] shown = parent != null ? System.Text.Encoding.ASCII.GetBytes($"#{file.Number}") : [.. "memfd:"u8, .. name];
        return new DirectoryEntry(parent ?? Root, shown, file) { IsDeleted = true };
    }

    public override void OnInodeFreed() => Kernel.Counters[KernelCounter.Inodes]--;
}

using Portico.Net;

namespace Portico.Kernel;

/// <summary>A directory in memory. Its entries are listed from the newest to the oldest, as tmpfs lists them.</summary>
internal sealed class MemoryDirectory : DirectoryNode
{
    /// <summary>What an entry counts for in st_size (BOGO_DIRENT_SIZE).</summary>
    private const int EntrySize = 20;
    private const int CookieFirst = 3;

    private readonly MemoryFileSystem _memory;
    private readonly Dictionary<byte[], DirectoryEntry> _entries = new(NameComparer.Instance);
    private readonly Dictionary<byte[], DirectoryEntry>.AlternateLookup<ReadOnlySpan<byte>> _byName;

    // The same entries by rising cookie; null where one has been taken out, until half of them are.
    private readonly List<(long Cookie, DirectoryEntry? Entry)> _order = [];
    private long _nextCookie = CookieFirst;

    public MemoryDirectory(MemoryFileSystem memory, int permissions, int userId, int groupId)
        : base(memory, permissions, userId, groupId)
    {
        _memory = memory;
        _byName = _entries.GetAlternateLookup<ReadOnlySpan<byte>>();
    }

    public override long Size => (_entries.Count + 2) * EntrySize;

    /// <summary>The entries, in no order.</summary>
    public IEnumerable<DirectoryEntry> Entries => _entries.Values;

    public override Errno Lookup(ReadOnlySpan<byte> name, out DirectoryEntry? entry)
    {
        entry = null;
        return name.Length > DirectoryEntry.NameBytesMax ? Errno.ENAMETOOLONG
            : _byName.TryGetValue(name, out entry) ? Errno.None
            : Errno.ENOENT;
    }

    public override Errno List(ref long position, ref DirectoryListing listing)
    {
        if (!ListDots(ref position, ref listing))
        {
            return Errno.None;
        }

        // From the newest to the oldest; the position is the last one that was listed.
        for (int i = IndexOf(position < CookieFirst ? long.MaxValue : position) - 1; i >= 0; i--)
        {
            (long cookie, DirectoryEntry? entry) = _order[i];
            if (entry != null && !listing.TryAdd(entry.Inode.Number, cookie, entry.Inode.Type, entry.Name))
            {
                break;
            }

            position = cookie;
        }

        return Errno.None;
    }

    public override Errno Create(Process creator, ReadOnlySpan<byte> name, FileType type, int permissions, out DirectoryEntry? entry)
    {
        entry = null;
        if (!_memory.TryTakeInode())
        {
            return Errno.ENOSPC;
        }

        // A set-group-id directory hands the bit itself down to the directories that are made in it (inode(7)).
        bool handsDown = (Permissions & SetGroupId) != 0;
        int group = GroupOfNew(creator);
        Inode inode = type switch
        {
            FileType.Directory => new MemoryDirectory(_memory, permissions | (handsDown ? SetGroupId : 0), creator.UserId, group),
            FileType.Fifo => new FifoNode(_memory, permissions, creator.UserId, group),
            FileType.Socket => new SocketNode(_memory, permissions, creator.UserId, group),
            _ => new RegularFile(_memory, permissions, creator.UserId, group),
        };
        entry = Add(name, inode);
        return Errno.None;
    }

    public override Errno CreateUnnamed(Process creator, int permissions, bool isLinkable, out DirectoryEntry? entry)
    {
        entry = _memory.CreateUnnamed(creator, default, permissions, this);
        if (entry != null)
        {
            ((RegularFile)entry.Inode).IsLinkable = isLinkable;
        }

        return entry == null ? Errno.ENOSPC : Errno.None;
    }

    public override Errno CreateSymbolicLink(Process creator, ReadOnlySpan<byte> name, ReadOnlySpan<byte> target)
    {
        if (!_memory.TryTakeInode())
        {
            return Errno.ENOSPC;
        }

        if (MemoryLink.TakesPage(target.Length) && !_memory.TryTakePage())
        {
            _memory.OnInodeFreed();
            return Errno.ENOSPC;
        }

        Add(name, new MemoryLink(_memory, target.ToArray(), creator.UserId, GroupOfNew(creator)));
        return Errno.None;
    }

    public override Errno CreateLink(ReadOnlySpan<byte> name, Inode inode)
    {
        Add(name, inode);
        inode.LinkCount++;
        inode.Changed = Now;
        return Errno.None;
    }

    /// <summary>Adds a name for an inode, which may be the root of another file system.</summary>
    public DirectoryEntry Add(ReadOnlySpan<byte> name, Inode inode)
    {
        DirectoryEntry entry = new(this, name.ToArray(), inode);
        Put(entry);
        return entry;
    }

    /// <summary>Gives a device a name here: opening it asks <paramref name="opener"/> for the file.</summary>
    public void AddDevice(string name, int permissions, int major, int minor, DeviceOpener opener)
    {
        Kernel.Counters[KernelCounter.Inodes]++;
        Add(System.Text.Encoding.UTF8.GetBytes(name), new DeviceNode(_memory, permissions, major, minor, opener));
    }

    public override Errno Remove(DirectoryEntry entry)
    {
        if (entry.Inode is MemoryDirectory { _entries.Count: > 0 })
        {
            return Errno.ENOTEMPTY;
        }

        Take(entry);
        Unlink(entry);
        return Errno.None;
    }

    public override Errno Rename(DirectoryEntry entry, DirectoryNode target, ReadOnlySpan<byte> name, DirectoryEntry? there, bool exchange)
    {
        MemoryDirectory to = (MemoryDirectory)target;
        if (!exchange && there?.Inode is MemoryDirectory { _entries.Count: > 0 })
        {
            return Errno.ENOTEMPTY;
        }

        byte[] oldName = entry.Name;
        Take(entry);
        if (there != null)
        {
            to.Take(there);
        }

        if (exchange)
        {
            there!.Move(this, oldName);
            Put(there);
            there.Inode.Changed = Now;
        }
        else if (there != null)
        {
            Unlink(there);
        }

        entry.Move(to, name.ToArray());
        to.Put(entry);
        entry.Inode.Changed = Now;

        return Errno.None;
    }

    private void Put(DirectoryEntry entry)
    {
        _entries.Add(entry.Name, entry);
        entry.Cookie = _nextCookie++;
        _order.Add((entry.Cookie, entry));
        if (entry.Inode is DirectoryNode directory)
        {
            directory.Entry = entry;
            LinkCount++;
        }

        Modified = Changed = Now;
    }

    private void Take(DirectoryEntry entry)
    {
        _entries.Remove(entry.Name);
        _order[IndexOf(entry.Cookie)] = (entry.Cookie, null);
        if (_order.Count > 16 && _entries.Count < _order.Count / 2)
        {
            _order.RemoveAll(static slot => slot.Entry == null);
        }

        LinkCount -= entry.Inode is DirectoryNode ? 1 : 0;
        Modified = Changed = Now;
    }

    private static void Unlink(DirectoryEntry entry)
    {
        entry.IsDeleted = true;
        if (entry.Inode is DirectoryNode)
        {
            // Its own "." goes with the name.
            entry.Inode.LinkCount--;
        }

        entry.Inode.OnUnlinked();
    }

    /// <summary>The first place in the order with a cookie that is not lower.</summary>
    private int IndexOf(long cookie)
    {
        int low = 0;
        int high = _order.Count;
        while (low < high)
        {
            int middle = (low + high) / 2;
            (low, high) = _order[middle].Cookie < cookie ? (middle + 1, high) : (low, middle);
        }

        return low;
    }
}

using System.Buffers.Text;
using System.Text;
using Portico.Net;

namespace Portico.Kernel;

/// <summary>A directory of /proc with names that are always the same.</summary>
internal class ProcDirectory(ProcFileSystem proc, int permissions = ProcFileSystem.DirectoryPermissions, int userId = 0, int groupId = 0)
    : DirectoryNode(proc, permissions, userId, groupId)
{
    /// <summary>"." and ".." come before.</summary>
    private protected const int PositionFirst = 2;

    private readonly List<DirectoryEntry> _entries = [];
    private bool _isPopulated;

    public ProcFileSystem Proc { get; } = proc;

    public override bool TakesNewNames => false;

    /// <summary>Where the names begin that come and go.</summary>
    private protected long PositionBehindFixed => PositionFirst + _entries.Count;

    public void Add(string name, Inode inode)
    {
        DirectoryEntry entry = new(this, Encoding.UTF8.GetBytes(name), inode);
        _entries.Add(entry);
        if (inode is DirectoryNode directory)
        {
            directory.Entry = entry;
            LinkCount++;
        }
    }

    /// <summary>A directory below, made where there is none yet.</summary>
    public ProcDirectory Directory(string name)
    {
        DirectoryEntry? there = _entries.Find(entry => entry.Name.AsSpan().SequenceEqual(Encoding.UTF8.GetBytes(name)));
        if (there == null)
        {
            Add(name, new ProcDirectory(Proc));
            there = _entries[^1];
        }

        return (ProcDirectory)there.Inode;
    }

    public override Errno Lookup(ReadOnlySpan<byte> name, out DirectoryEntry? entry)
    {
        EnsurePopulated();
        entry = null;
        if (name.Length > DirectoryEntry.NameBytesMax)
        {
            return Errno.ENAMETOOLONG;
        }

        foreach (DirectoryEntry known in _entries)
        {
            if (name.SequenceEqual(known.Name))
            {
                entry = known;
                return Errno.None;
            }
        }

        return Errno.ENOENT;
    }

    public override Errno List(ref long position, ref DirectoryListing listing)
    {
        if (ListDots(ref position, ref listing))
        {
            ListFixed(ref position, ref listing);
        }

        return Errno.None;
    }

    /// <summary>The names that are always there; false where there is no more room.</summary>
    private protected bool ListFixed(ref long position, ref DirectoryListing listing)
    {
        EnsurePopulated();
        while (position - PositionFirst < _entries.Count)
        {
            DirectoryEntry entry = _entries[(int)position - PositionFirst];
            if (!listing.TryAdd(entry.Inode.Number, position + 1, entry.Inode.Type, entry.Name))
            {
                return false;
            }

            position++;
        }

        return true;
    }

    /// <summary>Numbers as they are written: without a sign, and without zeros before them.</summary>
    private protected static bool TryParse(ReadOnlySpan<byte> name, out int number) =>
        Utf8Parser.TryParse(name, out number, out int consumed) && consumed == name.Length
        && char.IsAsciiDigit((char)name[0]) && (name[0] != '0' || name.Length == 1);

    /// <summary>Adds what is in it, on the first look.</summary>
    private protected virtual void Populate()
    {
    }

    private void EnsurePopulated()
    {
        if (!_isPopulated)
        {
            _isPopulated = true;
            Populate();
        }
    }
}

/// <summary>A symbolic link of /proc whose target depends on who asks.</summary>
internal sealed class ProcLink(ProcFileSystem proc, Func<Process, string> target) : SymbolicLink(proc, userId: 0, groupId: 0)
{
    public override Errno ReadTarget(Process reader, out byte[] read)
    {
        read = Encoding.UTF8.GetBytes(target(reader));
        return Errno.None;
    }
}

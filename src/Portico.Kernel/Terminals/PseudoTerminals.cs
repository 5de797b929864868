using System.Globalization;
using System.Text;
using Portico.Net;

namespace Portico.Kernel;

/// <summary>The pseudo-terminals of a kernel, and /dev/pts, where they are found (devpts).</summary>
internal sealed class PseudoTerminals
{
    private readonly List<PseudoTerminal?> _byNumber = [];
    private readonly List<DirectoryEntry?> _entries = [];

    public PseudoTerminals(PorticoKernel kernel)
    {
        Kernel = kernel;
        FileSystem = new TerminalFileSystem(kernel);
        Directory = new TerminalDirectory(this, FileSystem);
    }

    public PorticoKernel Kernel { get; }

    public TerminalDirectory Directory { get; }

    private TerminalFileSystem FileSystem { get; }

    /// <summary>Opens a new master (ptmx(4)). Errors: ENOSPC at kernel.pty.max.</summary>
    public Errno OpenMaster(Process opener, out KernelFile? file)
    {
        bool hasRoom = Kernel.Counters[KernelCounter.Terminals] < Kernel.Settings.pty_max;
        Kernel.Counters[KernelCounter.TerminalLimit] += hasRoom ? 0 : 1;
        file = hasRoom ? new PseudoTerminal(this, opener).Master.File : null;
        return hasRoom ? Errno.None : Errno.ENOSPC;
    }

    /// <summary>The entry in /dev/pts of a number; null where there is none.</summary>
    public DirectoryEntry? EntryOf(int number) => number < _entries.Count ? _entries[number] : null;

    /// <summary>The next number from one on that is in use; -1 where there is none.</summary>
    public int NextUsed(int number) => number < _entries.Count ? _entries.FindIndex(number, static entry => entry != null) : -1;

    /// <summary>A master has been opened: the slave gets the lowest free number, and belongs to whoever opened it.</summary>
    public void Add(PseudoTerminal terminal)
    {
        int number = _byNumber.IndexOf(null);
        if (number < 0)
        {
            number = _byNumber.Count;
            _byNumber.Add(null);
            _entries.Add(null);
        }

        terminal.Number = number;
        byte[] name = Encoding.ASCII.GetBytes(number.ToString(CultureInfo.InvariantCulture));
        TerminalNode node = new(FileSystem, terminal);
        _byNumber[number] = terminal;
        _entries[number] = new DirectoryEntry(Directory, name, node);
        Kernel.Counters[KernelCounter.Terminals]++;
    }

    /// <summary>The master has been closed: the name and the number are free.</summary>
    public void Remove(PseudoTerminal terminal)
    {
        DirectoryEntry entry = _entries[terminal.Number]!;
        entry.IsDeleted = true;
        entry.Inode.OnUnlinked();
        _entries[terminal.Number] = null;
        _byNumber[terminal.Number] = null;
        Kernel.Counters[KernelCounter.Terminals]--;
    }
}

/// <summary>What the names in /dev/pts are in.</summary>
internal sealed class TerminalFileSystem(PorticoKernel kernel) : FileSystem(kernel);

/// <summary>A slave's name: its owner may open it, and nobody else.</summary>
internal sealed class TerminalNode(TerminalFileSystem fileSystem, PseudoTerminal terminal)
    : Inode(fileSystem, PermissionsOfSlave, terminal.UserId, terminal.GroupId)
{
    private const int PermissionsOfSlave = 0x180;

    internal override FileType Type => FileType.CharacterDevice;

    public override Errno Open(Process opener, OpenFlags flags, out KernelFile? file) => terminal.OpenSlave(opener, flags, out file);

    internal override void Stat(ref FileStatus status)
    {
        base.Stat(ref status);
        status.Device = terminal.Device;
        status.BlockSize = TerminalDirectory.BlockBytes;
    }
}

/// <summary>/dev/pts: a name for each slave whose master is open, and a ptmx that nobody may open. Nothing can be made in it.</summary>
internal sealed class TerminalDirectory : DirectoryNode
{
    public const int BlockBytes = 1024;

    private const long CookieOfFirst = 3;
    private readonly PseudoTerminals _terminals;
    private readonly DirectoryEntry _ptmx;

    public TerminalDirectory(PseudoTerminals terminals, TerminalFileSystem fileSystem)
        : base(fileSystem, StandardDirectories.Permissions, userId: 0, groupId: 0)
    {
        _terminals = terminals;
        _ptmx = new DirectoryEntry(this, "ptmx"u8.ToArray(), new MasterNode(fileSystem));
    }

    public override Errno Lookup(ReadOnlySpan<byte> name, out DirectoryEntry? entry)
    {
        bool isNumber = System.Buffers.Text.Utf8Parser.TryParse(name, out int number, out int length) && length == name.Length
            && name[0] is >= (byte)'0' and <= (byte)'9' && (name[0] != '0' || length == 1);
        entry = isNumber ? _terminals.EntryOf(number) : name.SequenceEqual(_ptmx.Name) ? _ptmx : null;
        return name.Length > DirectoryEntry.NameBytesMax ? Errno.ENAMETOOLONG : entry == null ? Errno.ENOENT : Errno.None;
    }

    public override Errno List(ref long position, ref DirectoryListing listing)
    {
        if (!ListDots(ref position, ref listing))
        {
            return Errno.None;
        }

        // The position behind slave N is N + 4: so the list goes on where it was, whatever comes and goes meanwhile.
        if (position < CookieOfFirst)
        {
            if (!listing.TryAdd(_ptmx.Inode.Number, CookieOfFirst, FileType.CharacterDevice, _ptmx.Name))
            {
                return Errno.None;
            }

            position = CookieOfFirst;
        }

        for (int number = Next(position); number >= 0; number = Next(position))
        {
            DirectoryEntry entry = _terminals.EntryOf(number)!;
            long next = CookieOfFirst + number + 1;
            if (!listing.TryAdd(entry.Inode.Number, next, FileType.CharacterDevice, entry.Name))
            {
                break;
            }

            position = next;
        }

        return Errno.None;
    }

    private int Next(long position) => position - CookieOfFirst > int.MaxValue ? -1 : _terminals.NextUsed((int)(position - CookieOfFirst));

    /// <summary>/dev/pts/ptmx, which only a file system of terminals that is mounted so lets anybody open.</summary>
    private sealed class MasterNode(TerminalFileSystem fileSystem) : Inode(fileSystem, permissions: 0, userId: 0, groupId: 0)
    {
        internal override FileType Type => FileType.CharacterDevice;

        public override Errno Open(Process opener, OpenFlags flags, out KernelFile? file) =>
            Kernel.Terminals.OpenMaster(opener, out file);

        internal override void Stat(ref FileStatus status)
        {
            base.Stat(ref status);
            status.Device = StandardDirectories.DeviceOfMaster;
            status.BlockSize = BlockBytes;
        }
    }
}

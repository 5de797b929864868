using System.Buffers.Text;
using System.Globalization;
using System.Text;
using Portico.Net;

namespace Portico.Kernel;

/// <summary>proc(5): what the kernel tells of itself, in Linux's formats, and its settings.</summary>
internal sealed class ProcFileSystem : FileSystem
{
    /// <summary>r-xr-xr-x.</summary>
    public const int DirectoryPermissions = 0x16D;

    /// <summary>r--r--r--.</summary>
    public const int ReadableByAll = 0x124;

    /// <summary>rw-r--r--.</summary>
    public const int WritableByOwner = 0x1A4;

    public ProcFileSystem(PorticoKernel kernel)
        : base(kernel)
    {
        Root = new ProcRoot(this);
        Root.Add("net", new ProcLink(this, static _ => "self/net"));
        Root.Add("self", new ProcLink(this, static reader => reader.Id.ToString(CultureInfo.InvariantCulture)));
        Root.Add("thread-self", new ProcLink(this, static reader => string.Create(CultureInfo.InvariantCulture, $"{reader.Id}/task/{reader.Id}")));
        SysctlDirectory.Make(Root.Directory("sys"));
    }

    public ProcRoot Root { get; }

    public override int BlockBytes => 1024;
}

/// <summary>/proc itself, where each process has a directory.</summary>
internal sealed class ProcRoot(ProcFileSystem proc) : ProcDirectory(proc)
{
    public override Errno Lookup(ReadOnlySpan<byte> name, out DirectoryEntry? entry)
    {
        Errno error = base.Lookup(name, out entry);
        if (error == Errno.ENOENT && TryParse(name, out int id) && Kernel.Find(id) is { } process)
        {
            entry = EntryOf(process);
            error = Errno.None;
        }

        return error;
    }

    public override Errno List(ref long position, ref DirectoryListing listing)
    {
        if (!ListDots(ref position, ref listing) || !ListFixed(ref position, ref listing))
        {
            return Errno.None;
        }

        Span<byte> name = stackalloc byte[16];
        foreach (Process process in Kernel.ProcessesFrom((int)(position - PositionBehindFixed)))
        {
            Utf8Formatter.TryFormat(process.Id, name, out int length);
            long next = PositionBehindFixed + process.Id + 1;
            if (!listing.TryAdd(EntryOf(process).Inode.Number, next, FileType.Directory, name[..length]))
            {
                break;
            }

            position = next;
        }

        return Errno.None;
    }

    private DirectoryEntry EntryOf(Process process)
    {
        if (process.ProcEntry == null)
        {
            ProcessDirectory directory = new(Proc, process, isTask: false);
            directory.Entry = new DirectoryEntry(this, Encoding.ASCII.GetBytes(process.Id.ToString(CultureInfo.InvariantCulture)), directory);
            process.ProcEntry = directory.Entry;
        }

        return process.ProcEntry;
    }
}

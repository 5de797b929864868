using System.Globalization;
using Portico.Net;

namespace Portico.Kernel;

/// <summary>/proc/PID, and /proc/PID/task/PID, which has the same files.</summary>
internal sealed class ProcessDirectory(ProcFileSystem proc, Process process, bool isTask)
    : ProcDirectory(proc, ProcFileSystem.DirectoryPermissions, process.UserId, process.GroupId)
{
    private protected override void Populate()
    {
        Add("comm", new ProcessNameFile(Proc, process));
        Add("cwd", new ProcessLink(Proc, process, static process => process.WorkingPlace));
        Add("fd", new DescriptorDirectory(Proc, process, areLinks: true));
        Add("fdinfo", new DescriptorDirectory(Proc, process, areLinks: false));
        Add("limits", new ProcessFile(Proc, process, ProcessTexts.WriteLimits));
        Add("net", new NetDirectory(Proc, process.Network));
        Add("root", new ProcessLink(Proc, process, static process => process.Kernel.Root));
        Add("stat", new ProcessFile(Proc, process, ProcessTexts.WriteStat));
        Add("status", new ProcessFile(Proc, process, ProcessTexts.WriteStatus));
        if (!isTask)
        {
            ProcDirectory tasks = Directory("task");
            tasks.Add(process.Id.ToString(CultureInfo.InvariantCulture), new ProcessDirectory(Proc, process, isTask: true));
        }
    }

    public override Errno Lookup(ReadOnlySpan<byte> name, out DirectoryEntry? entry)
    {
        entry = null;
        return process.IsGone ? Errno.ENOENT : base.Lookup(name, out entry);
    }

    public override Errno List(ref long position, ref DirectoryListing listing) =>
        process.IsGone ? Errno.ENOENT : base.List(ref position, ref listing);
}

/// <summary>A text about a process. Errors: ESRCH once it has exited and has been waited for.</summary>
internal class ProcessFile(ProcFileSystem proc, Process process, Action<Process, ProcText> write, int permissions = ProcFileSystem.ReadableByAll)
    : ProcFile(proc, permissions, process.UserId, process.GroupId)
{
    private protected Process Process { get; } = process;

    private protected override Errno MakeReader(out ProcReader? reader)
    {
        reader = Process.IsGone ? null : new ProcTextReader(text => write(Process, text));
        return reader == null ? Errno.ESRCH : Errno.None;
    }
}

/// <summary>/proc/PID/comm, which can be written to.</summary>
internal sealed class ProcessNameFile(ProcFileSystem proc, Process process)
    : ProcessFile(proc, process, ProcessTexts.WriteName, ProcFileSystem.WritableByOwner)
{
    /// <summary>The longest name with its 0 (TASK_COMM_LEN).</summary>
    private const int NameRoom = 16;

    internal override Errno WriteAt(OpenFileDescription description, long offset, ref IoCursor source, out long count)
    {
        count = source.Remaining;
        if (Kernel.Caller != Process)
        {
            // Only threads of the process itself give it a name.
            count = 0;
            return Errno.EINVAL;
        }

        Span<byte> name = stackalloc byte[NameRoom - 1];
        name = name[..source.Read(name)];
        if (source.HasFaulted)
        {
            count = 0;
            return Errno.EFAULT;
        }

        int end = name.IndexOf((byte)0);
        Process.Rename(System.Text.Encoding.UTF8.GetString(end < 0 ? name : name[..end]));
        return Errno.None;
    }

    internal override Errno Write(OpenFileDescription description, ref IoCursor source, out long count)
    {
        Errno error = WriteAt(description, description.Offset, ref source, out count);
        description.Offset += count;
        return error;
    }
}

/// <summary>A link to a place of a process: for the process itself and its owner. Errors: EACCES, ENOENT once it has exited.</summary>
internal sealed class ProcessLink(ProcFileSystem proc, Process process, Func<Process, DirectoryEntry> place)
    : SymbolicLink(proc, process.UserId, process.GroupId)
{
    public override Errno ReadTarget(Process reader, out byte[] target)
    {
        bool mayRead = IsOwner(reader);
        target = mayRead && !process.HasExited ? System.Text.Encoding.UTF8.GetBytes(place(process).Path()) : [];
        return !mayRead ? Errno.EACCES : process.HasExited ? Errno.ENOENT : Errno.None;
    }

    public override DirectoryEntry? Follow(Process walker) => IsOwner(walker) && !process.HasExited ? place(process) : null;
}

using Portico.Net;

namespace Portico.Kernel;

/// <summary>How a process begins.</summary>
public sealed class ProcessOptions
{
    /// <summary>A name for people: what /proc/PID/comm says.</summary>
    public string Name { get; init; } = "portico";

    /// <summary>The user id; 0 is privileged.</summary>
    public int UserId { get; init; } = 1000;

    /// <summary>The group id.</summary>
    public int GroupId { get; init; } = 1000;

    /// <summary>RLIMIT_NOFILE: by default 1,024, and 524,288 after setrlimit, as systemd has it.</summary>
    public ResourceLimit Files { get; init; } = new(1024, 524_288);

    /// <summary>Its network namespace; null for the kernel's first.</summary>
    public NetworkStack? Network { get; init; }

    /// <summary>The permission bits that the files it makes do not get (umask(2)).</summary>
    public int Umask { get; init; } = 0x12;

    /// <summary>See <see cref="Process.SignalHandler"/>.</summary>
    public Action<Process, SignalInfo>? SignalHandler { get; init; }
}

/// <summary>
/// A process: a table of descriptors, limits, a user, a network namespace, and the system calls, which may be made by any thread.
/// The files under <c>Syscalls/</c> have one family of calls each.
/// </summary>
public sealed partial class Process
{
    private readonly List<IBlockedCall> _blocked = [];
    private FileDescriptorTable _descriptors;

    internal Process(PorticoKernel kernel, int id, ProcessOptions options, FileDescriptorTable descriptors)
    {
        Kernel = kernel;
        Id = id;
        Name = options.Name;
        UserId = options.UserId;
        GroupId = options.GroupId;
        Network = options.Network ?? kernel.DefaultNamespace;
        Limits = new ResourceLimits(options.Files);
        _workingDirectory = kernel.Root;
        _umask = options.Umask;
        _descriptors = descriptors;
        SignalHandler = options.SignalHandler;
        BeginSession();
    }

    private Process(Process parent, int id, FileDescriptorTable descriptors)
    {
        Kernel = parent.Kernel;
        Id = id;
        ParentId = parent.Id;
        Parent = parent;
        parent._children.Add(this);
        Name = parent.Name;
        UserId = parent.UserId;
        GroupId = parent.GroupId;
        Network = parent.Network;
        Limits = parent.Limits.Copy();
        _workingDirectory = parent._workingDirectory;
        _umask = parent._umask;
        CanUseRawSockets = parent.CanUseRawSockets;
        _descriptors = descriptors;
        ControllingTerminal = parent.ControllingTerminal;
        Join(parent.Group);
        parent.CopySignalsTo(this);
    }

    /// <summary>The kernel that it runs on.</summary>
    public PorticoKernel Kernel { get; }

    /// <summary>The process id.</summary>
    public int Id { get; }

    /// <summary>The process that forked it; 0 for none, and 1 where that has exited (getppid(2)).</summary>
    public int ParentId { get; private set; }

    /// <summary>The name.</summary>
    public string Name { get; private set; }

    /// <summary>Its directory in /proc; null until somebody has looked for it.</summary>
    internal DirectoryEntry? ProcEntry { get; set; }

    /// <summary>Whether a call of it is waiting.</summary>
    internal bool IsSleeping => _blocked.Count > 0;

    /// <summary>The user id.</summary>
    public int UserId { get; }

    /// <summary>The group id.</summary>
    public int GroupId { get; }

    /// <summary>The network namespace.</summary>
    public NetworkStack Network { get; }

    /// <summary>Its limits.</summary>
    public ResourceLimits Limits { get; }

    /// <summary>Whether it has exited: every call fails with ESRCH from then on.</summary>
    public bool HasExited { get; private set; }

    /// <summary>Its descriptors; to be looked at inside a scope of the driver.</summary>
    public FileDescriptorTable Descriptors => _descriptors;

    /// <summary>
    /// Whether it may open raw sockets although it is not privileged (CAP_NET_RAW of capabilities(7)); false to begin with, and its
    /// children have what it has.
    /// </summary>
    public bool CanUseRawSockets { get; set; }

    internal bool IsPrivileged => UserId == 0;

    internal bool HasNetRaw => IsPrivileged || CanUseRawSockets;

    private StackDriver Driver => Kernel.Driver;

    /// <summary>
    /// Makes a process like this one. Its descriptors are copies that share the open file descriptions (fork(2)), or with
    /// <paramref name="shareDescriptors"/> the very same table (CLONE_FILES of clone(2)).
    /// </summary>
    public Process Fork(bool shareDescriptors = false)
    {
        using (Driver.Enter())
        {
            FileDescriptorTable table = _descriptors;
            if (shareDescriptors)
            {
                table.Share();
            }
            else
            {
                table = table.Copy();
            }

            return Kernel.Add(new Process(this, Kernel.TakeProcessId(), table));
        }
    }

    /// <summary>What exec does to descriptors: those with FD_CLOEXEC are closed; a shared table is copied first.</summary>
    public void Exec()
    {
        InetStreamSocket[] lingering;
        using (Driver.Enter())
        {
            BeginClosing();
            _hasExecuted = true;
            ForgetHandlers();
            Unshare();
            for (int fd = _descriptors.NextUsed(0); fd >= 0; fd = _descriptors.NextUsed(fd + 1))
            {
                if (_descriptors.IsCloseOnExec(fd))
                {
                    _descriptors.Remove(fd)!.Release();
                }
            }

            lingering = EndClosing();
        }

        Linger(lingering);
    }

    internal void Rename(string name) => Name = name;

    private void Unshare()
    {
        if (_descriptors.Sharers > 1)
        {
            FileDescriptorTable copy = _descriptors.Copy();
            _descriptors.Leave();
            _descriptors = copy;
        }
    }
}

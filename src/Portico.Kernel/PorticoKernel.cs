using Portico.Net;

namespace Portico.Kernel;

/// <summary>
/// A kernel: processes with their descriptors, network namespaces, and the limits that all of them share. Everything in it belongs to
/// the lock of one <see cref="StackDriver"/>.
/// </summary>
/// <remarks>
/// A descriptor is a number in a process's <see cref="FileDescriptorTable"/>; it names an <see cref="OpenFileDescription"/>, which may have
/// several names; and that points to a <see cref="KernelFile"/>. The system calls are methods of <see cref="Process"/>.
/// </remarks>
public sealed class PorticoKernel : IDisposable
{
    private readonly bool _ownsDriver;
    private readonly Dictionary<int, Process> _processes = [];
    private readonly Dictionary<int, ProcessGroup> _groups = [];
    private int _nextProcessId = 1;
    private long _nextInode = 1;
    private long _nextEventId;
    private int _nextDeviceNumber = 1;

    /// <summary>Makes a kernel over a driver of its own, or over one that its caller keeps.</summary>
    public PorticoKernel(StackDriver? driver = null, KernelSettings? settings = null)
    {
        _ownsDriver = driver == null;
        Driver = driver ?? new StackDriver();
        Settings = settings ?? new KernelSettings();
        Unix = new UnixSockets(this);
        using (Driver.Enter())
        {
            Timers = new KernelTimers(Driver.Engine);
            Memory = new MemoryFileSystem(this);
            UnnamedMemory = new MemoryFileSystem(this);
            Root = Memory.Root.Entry;
            Terminals = new PseudoTerminals(this);
            AnonymousInode = TakeInode();
            Memory.Root.Add("proc"u8, new ProcFileSystem(this).Root);
            Devices = StandardDirectories.Make(this);
            DefaultNamespace = new NetworkStack(Driver.Engine, new NetworkStackOptions { Name = "init" });
        }
    }

    /// <summary>The clock, the lock and the packets.</summary>
    public StackDriver Driver { get; }

    /// <summary>fs.* of the whole kernel.</summary>
    public KernelSettings Settings { get; }

    /// <summary>What the kernel has counted.</summary>
    public MibTable<KernelCounter> Counters { get; } = new();

    /// <summary>The network namespace of processes that are given no other.</summary>
    public NetworkStack DefaultNamespace { get; }

    internal KernelTimers Timers { get; }

    /// <summary>The pages that pipes do not use at the moment.</summary>
    internal PagePool Pages { get; } = new();

    /// <summary>The file system in memory that the root is in.</summary>
    internal MemoryFileSystem Memory { get; }

    /// <summary>What the files of memfd_create(2) are in.</summary>
    internal MemoryFileSystem UnnamedMemory { get; }

    /// <summary>/dev: devices are given their names here.</summary>
    internal MemoryDirectory Devices { get; }

    /// <summary>The number that all files without an inode of their own show.</summary>
    internal long AnonymousInode { get; }

    /// <summary>Where paths begin.</summary>
    internal DirectoryEntry Root { get; }

    internal UnixSockets Unix { get; }

    internal PseudoTerminals Terminals { get; }

    /// <summary>All signalfds: whichever process gets a signal, they may wait for it.</summary>
    internal List<SignalFile> SignalFiles { get; } = [];

    /// <summary>The bindings to streams that are at work.</summary>
    internal System.Collections.Concurrent.ConcurrentDictionary<StreamBinding, byte> Carriers { get; } = [];

    /// <summary>Whether the call that is being made waits for what it closes (SO_LINGER), as those do not by which a process ends.</summary>
    internal bool MayLinger { get; set; }

    /// <summary>What such a call has closed and has to wait for.</summary>
    internal List<InetStreamSocket> Lingering { get; } = [];

    /// <summary>The process whose call is being made (Linux: current); each call says so when it begins, and when it is tried again.</summary>
    internal Process? Caller { get; set; }

    /// <summary>
    /// Mounts a directory of the machine at a path that does not exist yet, in a directory that does. Its files are then everybody's in
    /// this kernel, with the rights that the program has that runs it, unless it is mounted read-only. Calls on them are made under the
    /// kernel's lock, so that a slow disk is everybody's, too. Errors: ENOENT, ENOTDIR, EEXIST, EINVAL for the root, those of the machine.
    /// </summary>
    public Errno Mount(string path, IHostDirectory directory, bool isReadOnly = true)
    {
        ArgumentNullException.ThrowIfNull(path);
        ArgumentNullException.ThrowIfNull(directory);
        Errno error = directory.Status("."u8, out FileStatus status);
        if (error != Errno.None)
        {
            return error;
        }

        string[] names = path.Split('/', StringSplitOptions.RemoveEmptyEntries);
        if (names.Length == 0)
        {
            return Errno.EINVAL;
        }

        using (Driver.Enter())
        {
            DirectoryNode place = Memory.Root;
            foreach (string name in names[..^1])
            {
                error = place.Lookup(System.Text.Encoding.UTF8.GetBytes(name), out DirectoryEntry? entry);
                if (error != Errno.None || entry!.Inode is not MemoryDirectory below)
                {
                    return error == Errno.None ? Errno.ENOTDIR : error;
                }

                place = below;
            }

            byte[] last = System.Text.Encoding.UTF8.GetBytes(names[^1]);
            error = place.Lookup(last, out _);
            if (error != Errno.ENOENT)
            {
                return error == Errno.None ? Errno.EEXIST : error;
            }

            ((MemoryDirectory)place).Add(last, new HostFileSystem(this, directory, isReadOnly, status).Root);
            return Errno.None;
        }
    }

    /// <summary>Makes a process with an empty table of descriptors.</summary>
    public Process CreateProcess(ProcessOptions? options = null)
    {
        using (Driver.Enter())
        {
            return Add(new Process(this, _nextProcessId++, options ?? new ProcessOptions(), new FileDescriptorTable()));
        }
    }

    /// <summary>The processes that have not exited, in no order.</summary>
    public IReadOnlyList<Process> Processes
    {
        get
        {
            using (Driver.Enter())
            {
                return [.. _processes.Values.Where(static process => !process.HasExited)];
            }
        }
    }

    internal Dictionary<int, Process>.ValueCollection ProcessesInNoOrder => _processes.Values;

    internal Process Add(Process process)
    {
        _processes.Add(process.Id, process);
        return process;
    }

    internal Process? Find(int processId) => _processes.GetValueOrDefault(processId);

    /// <summary>The processes whose ids are not lower, by id.</summary>
    internal IEnumerable<Process> ProcessesFrom(int least) => _processes.Values.Where(process => process.Id >= least).OrderBy(static process => process.Id);

    internal ProcessGroup? FindGroup(int id) => _groups.GetValueOrDefault(id);

    internal ProcessGroup AddGroup(int id, Session session)
    {
        ProcessGroup group = new(id, session);
        _groups.Add(id, group);
        return group;
    }

    internal void RemoveGroup(ProcessGroup group) => _groups.Remove(group.Id);

    internal int TakeProcessId() => _nextProcessId++;

    internal void Remove(Process process) => _processes.Remove(process.Id);

    /// <summary>The time of day, as the time since 1970.</summary>
    internal Duration UnixTime() => Driver.UnixTime();

    internal long TakeInode() => _nextInode++;

    internal long TakeEventId() => _nextEventId++;

    internal int TakeDeviceNumber() => _nextDeviceNumber++;

    /// <summary>
    /// A description of a file, with one reference, and with the name that it was opened by. Errors: ENFILE at fs.file-max, which a privileged process may pass, as in Linux.
    /// </summary>
    internal Errno Open(Process opener, KernelFile file, OpenFlags flags, out OpenFileDescription? description, DirectoryEntry? entry = null)
    {
        if (!HasRoom(opener))
        {
            description = null;
            return Errno.ENFILE;
        }

        Caller = opener;
        Counters[KernelCounter.OpenFiles]++;
        Counters[KernelCounter.Sockets] += file is SocketFile ? 1 : 0;
        description = OpenFileDescription.Make(this, file, flags, entry);
        file.OnOpened(description);
        return Errno.None;
    }

    /// <summary>Whether one more description is allowed; counts where it is not.</summary>
    internal bool HasRoom(Process opener)
    {
        bool hasRoom = Counters[KernelCounter.OpenFiles] < Settings.file_max || opener.IsPrivileged;
        Counters[KernelCounter.SystemFileLimit] += hasRoom ? 0 : 1;
        return hasRoom;
    }

    internal void OnReleased(KernelFile file)
    {
        Counters[KernelCounter.OpenFiles]--;
        Counters[KernelCounter.Sockets] -= file is SocketFile ? 1 : 0;
    }

    /// <summary>
    /// Ends all processes, and the driver where the kernel made it. Bindings to streams end as they do when they are disposed, without their streams being
    /// waited for.
    /// </summary>
    public void Dispose()
    {
        StreamBinding[] bindings = [.. Carriers.Keys];
        foreach (Process process in Processes)
        {
            process.Exit();
        }

        Task.WaitAll([.. bindings.SelectMany(static binding => (Task[])[binding.End(), binding.Carried])]);
        if (_ownsDriver)
        {
            Driver.Dispose();
        }
    }
}

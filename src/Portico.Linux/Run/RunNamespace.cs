using Portico.Net;

namespace Portico.Linux;

/// <summary>What the command of <c>portico run</c> finds as its network.</summary>
public sealed class RunNamespaceOptions
{
    /// <summary>The device's name inside.</summary>
    public string DeviceName { get; init; } = "portico0";

    /// <summary>The device's MTU.</summary>
    public int Mtu { get; init; } = 65_520;

    /// <summary>Whether super-segments and unfinished checksums may pass.</summary>
    public bool Offloads { get; init; } = true;

    /// <summary>The command's addresses, with the prefixes of its network.</summary>
    public required IReadOnlyList<IpPrefix> Addresses { get; init; }

    /// <summary>The default gateways, one per family at most.</summary>
    public required IReadOnlyList<IpAddress> Gateways { get; init; }

    /// <summary>Files of the command's own, by the path that they cover.</summary>
    public required IReadOnlyList<(string Path, string Content)> Files { get; init; }

    /// <summary>Directories that the command finds empty: Unix sockets in them would be a way around its network.</summary>
    public IReadOnlyList<string> CoveredDirectories { get; init; } = [];

    /// <summary>
    /// Unix sockets of daemons that resolve names in the host's network, and that resolver libraries ask unbidden: systemd-resolved,
    /// Avahi and the name service cache.
    /// </summary>
    public IReadOnlyList<string> CoveredSockets { get; init; } =
    [
        "/run/systemd/resolve/io.systemd.Resolve",
        "/run/avahi-daemon/socket",
        "/run/nscd/socket",
    ];
}

/// <summary>New network and mount namespaces for one command, whose only interface besides lo is a TUN device.</summary>
public sealed class RunNamespace : IDisposable
{
    private readonly NetworkNamespace _namespace;
    private readonly RunNamespaceOptions _options;
    private Leftovers? _leftovers;
    private readonly object _netlinkGate = new();
    private RtNetlink? _netlink;
    private int _deviceIndex;
    private int _mtu;

    /// <summary>Makes the namespaces and the device, and configures the kernel's side of it.</summary>
    public RunNamespace(RunNamespaceOptions options)
    {
        _options = options;
        try
        {
            _namespace = new NetworkNamespace(mounts: true);
        }
        catch (LinuxException e) when (e.Error == Errno.EPERM)
        {
            throw new LinuxException($"cannot make a network namespace: {UserNamespace.RefusalReason()}", e.Error);
        }

        try
        {
            Device = _namespace.Invoke(Configure);
            Sockets = _namespace.Invoke(() => new SocketDiagnostics());
        }
        catch
        {
            _namespace.Dispose();
            throw;
        }
    }

    /// <summary>The device.</summary>
    public TunDevice Device { get; }

    /// <summary>The directory in /proc of a thread inside, by which its network's tables are read (proc(5)).</summary>
    public string ProcDirectory => _namespace.Path.AsSpan(0, _namespace.Path.Length - "/ns/net".Length).ToString();

    /// <summary>The list of the sockets inside; one thread at a time.</summary>
    public SocketDiagnostics Sockets { get; }

    /// <summary>Whether the device has IPv6 addresses; a kernel may lack the protocol.</summary>
    public bool HasIpv6 { get; private set; }

    /// <summary>Starts the command inside.</summary>
    public CommandProcess Start(string path, IReadOnlyList<string> commandLine) => _namespace.Invoke(() =>
    {
        // The guard first: this process may be killed as soon as there is a command.
        _leftovers = new Leftovers();
        return CommandProcess.Start(path, commandLine);
    });

    /// <summary>Waits for the command, on the thread that started it.</summary>
    public int WaitFor(CommandProcess command) => _namespace.Invoke(command.Wait);

    /// <summary>Kills what the command has left in the background: its network ends with it.</summary>
    public void KillLeftovers() => _leftovers?.Kill();

    /// <summary>
    /// Changes the MTU of the kernel's side of the device while the command runs; connections that are open go by it, too. Any thread
    /// may call it: the socket stays in the namespace that it was made in.
    /// </summary>
    public void SetMtu(int mtu)
    {
        lock (_netlinkGate)
        {
            if (mtu != _mtu)
            {
                _netlink!.SetUp(_deviceIndex, mtu);
                _mtu = mtu;
            }
        }
    }

    private TunDevice Configure()
    {
        TunOptions options = new() { Name = _options.DeviceName, Mtu = _options.Mtu, Offloads = _options.Offloads };
        TunDevice device = TunDevice.Create(options);
        try
        {
            RtNetlink netlink = _netlink = new RtNetlink();
            netlink.SetUp(RtNetlink.IndexOf("lo"));
            int index = _deviceIndex = RtNetlink.IndexOf(device.Name);
            netlink.SetUp(index, _mtu = _options.Mtu);
            foreach (IpPrefix address in _options.Addresses)
            {
                AddFamily(netlink, index, address);
            }

            CoverFileSystem();
            device.LeaveToNamespace();
            return device;
        }
        catch
        {
            device.Dispose();
            _netlink?.Dispose();
            throw;
        }
    }

    private void AddFamily(RtNetlink netlink, int index, IpPrefix address)
    {
        bool isIpv4 = address.Address.IsIpv4;
        try
        {
            netlink.AddAddress(index, address);
        }
        catch (LinuxException) when (!isIpv4)
        {
            return;
        }

        HasIpv6 |= !isIpv4;
        foreach (IpAddress gateway in _options.Gateways)
        {
            if (gateway.IsIpv4 == isIpv4)
            {
                netlink.AddRoute(index, new IpPrefix(isIpv4 ? IpAddress.AnyIpv4 : IpAddress.AnyIpv6, 0), gateway);
            }
        }
    }

    /// <summary>
    /// Writes the files to a tmpfs that nobody else sees, and binds each over the path that it covers. The tmpfs is taken off again
    /// and lives on in the bound files, so that nothing is ever written to the host's file system.
    /// </summary>
    private void CoverFileSystem()
    {
        const string Place = "/tmp";
        if (LibC.Mount("portico", Place, "tmpfs", 0, "size=1m,mode=755") != 0)
        {
            LinuxException error = LinuxException.Last("mount tmpfs");
            throw error.Error is Errno.EACCES or Errno.EPERM
                ? new LinuxException(
                    "an AppArmor or SELinux profile forbids mounts in a namespace of one's own: "
                    + "docker run --security-opt apparmor=unconfined, or --privileged", error.Error)
                : error;
        }

        for (int i = 0; i < _options.Files.Count; i++)
        {
            (string path, string content) = _options.Files[i];
            if (File.Exists(path))
            {
                string file = $"{Place}/{i}";
                File.WriteAllText(file, content);
                Cover(path, file);
            }
        }

        // Whoever connects to what is no socket is refused.
        string empty = $"{Place}/empty";
        File.WriteAllText(empty, "");
        foreach (string socket in _options.CoveredSockets.Where(File.Exists))
        {
            Cover(socket, empty);
        }

        if (LibC.Unmount(Place, LibC.MNT_DETACH) != 0)
        {
            throw LinuxException.Last("umount");
        }

        foreach (string directory in _options.CoveredDirectories)
        {
            CoverDirectory(directory);
        }
    }

    /// <summary>A run that ends removes its directory where it was the last one there: this one makes it again, to cover it.</summary>
    private static void CoverDirectory(string directory)
    {
        const int TriesMax = 100;
        for (int i = 1; LibC.Mount("portico", directory, "tmpfs", 0, "size=1m,mode=700") != 0; i++)
        {
            LinuxException error = LinuxException.Last($"mount over {directory}");
            if (error.Error != Errno.ENOENT || i == TriesMax)
            {
                throw error;
            }

            LibC.MakeDirectory(directory, 0x1C0);
        }
    }

    private static void Cover(string path, string file)
    {
        if (LibC.Mount(file, path, null, LibC.MS_BIND, null) != 0)
        {
            throw LinuxException.Last($"mount over {path}");
        }
    }

    /// <summary>Closes the device and ends the thread; a command that still runs is killed.</summary>
    public void Dispose()
    {
        _leftovers?.Kill();
        _leftovers?.Dispose();
        Sockets.Dispose();
        Device.Dispose();
        lock (_netlinkGate)
        {
            _netlink?.Dispose();
        }

        _namespace.Dispose();
    }
}

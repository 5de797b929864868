using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Portico.Linux;
using Portico.Net;

namespace Portico.Interop.Tests.Kernel;

/// <summary>
/// A network namespace that plays the host of <c>portico run</c>: lo, and on it an address of either family that is no loopback
/// address, so that the tests need no network and reach none.
/// </summary>
public sealed class HostNamespace : IDisposable
{
    public static readonly IpAddress Ipv4 = IpAddress.Parse("192.0.2.1");
    public static readonly IpAddress Ipv6 = IpAddress.Parse("2001:db8::1");

    /// <summary>The user id of somebody without rights.</summary>
    public const int OrdinaryUser = 12345;

    private readonly NetworkNamespace _namespace = new();

    /// <summary>Where the runs of this host have their control sockets, out of sight of the tests that run at the same time.</summary>
    private readonly string _runtime = Directory.CreateTempSubdirectory("portico-host").FullName;

    public HostNamespace() => _namespace.Invoke(() =>
    {
        using RtNetlink netlink = new();
        int lo = RtNetlink.IndexOf("lo");
        netlink.SetUp(lo);
        netlink.AddAddress(lo, new IpPrefix(Ipv4, 32));
        netlink.AddAddress(lo, new IpPrefix(Ipv6, 128));
        // Ping sockets for everybody, as most distributions have it.
        File.WriteAllText("/proc/sys/net/ipv4/ping_group_range", "0 2147483647");
    });

    /// <summary>A listening socket of the kernel in this namespace.</summary>
    public Socket Listen(IpAddress address, out int port, int backlog = 1024)
    {
        Socket socket = Listen(address, 0, backlog);
        port = ((IPEndPoint)socket.LocalEndPoint!).Port;
        return socket;
    }

    /// <summary>The same at a port of the caller's choice.</summary>
    public Socket Listen(IpAddress address, int port, int backlog = 1024) => _namespace.Invoke(() =>
    {
        Socket made = new(
            address.IsIpv4 ? AddressFamily.InterNetwork : AddressFamily.InterNetworkV6, SocketType.Stream, ProtocolType.Tcp);
        made.Bind(new IPEndPoint(address.ToIPAddress(), port));
        made.Listen(backlog);
        return made;
    });

    /// <summary>A listening socket of the kernel in this namespace, on a given port.</summary>
    public Socket Listen(IPEndPoint at) => _namespace.Invoke(() =>
    {
        Socket made = new(at.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        made.Bind(at);
        made.Listen();
        return made;
    });

    /// <summary>A bound datagram socket of the kernel in this namespace.</summary>
    public Socket BindUdp(IpAddress address, out int port)
    {
        Socket socket = BindUdp(address, 0);
        port = ((IPEndPoint)socket.LocalEndPoint!).Port;
        return socket;
    }

    /// <summary>The same at a port of the caller's choice.</summary>
    public Socket BindUdp(IpAddress address, int port) => _namespace.Invoke(() =>
    {
        Socket made = new(
            address.IsIpv4 ? AddressFamily.InterNetwork : AddressFamily.InterNetworkV6, SocketType.Dgram, ProtocolType.Udp);
        made.Bind(new IPEndPoint(address.ToIPAddress(), port));
        return made;
    });

    /// <summary>Gives the host another address that is no loopback address.</summary>
    public void AddAddress(IpAddress address) => _namespace.Invoke(() =>
    {
        using RtNetlink netlink = new();
        netlink.AddAddress(RtNetlink.IndexOf("lo"), new IpPrefix(address, address.IsIpv4 ? 32 : 128));
    });

    /// <summary>A connected socket of the kernel in this namespace, from an address of its choice or a given one.</summary>
    public Socket Connect(IPEndPoint server, IPAddress? client = null, SocketType type = SocketType.Stream) => _namespace.Invoke(() =>
    {
        Socket made = new(server.AddressFamily, type, type == SocketType.Stream ? ProtocolType.Tcp : ProtocolType.Udp);
        try
        {
            if (client != null)
            {
                made.Bind(new IPEndPoint(client, 0));
            }

            made.Connect(server);
            return made;
        }
        catch
        {
            made.Dispose();
            throw;
        }
    });

    /// <summary>Runs a program in this namespace and waits for it.</summary>
    public CommandResult Run(string file, params string[] arguments) => CommandResult.WaitFor(StartProgram(file, arguments));

    /// <summary>Starts the tool in this namespace.</summary>
    public Process StartPortico(params string[] arguments) => StartProgram("dotnet", [ToolPath, .. arguments]);

    /// <summary>Starts a program in this namespace, its input and output redirected.</summary>
    public Process StartProgram(string file, params string[] arguments)
    {
        ProcessStartInfo info = CommandResult.StartInfo(file, arguments);
        info.Environment["XDG_RUNTIME_DIR"] = _runtime;
        return _namespace.Invoke(() => Process.Start(info)!);
    }

    /// <summary>
    /// Starts a program in this namespace as an ordinary user, who has the rights to /dev/net/tun that <paramref name="device"/> gives.
    /// </summary>
    public Process StartAsUser(string device, string file, params string[] arguments) => StartProgram(
        "unshare",
        [
            "--mount", "sh", "-ec",
            $"mount -t tmpfs -o mode=755 portico-test /mnt; mknod -m {device} /mnt/tun c 10 200; "
            + "mount --bind /mnt/tun /dev/net/tun; umount -l /mnt; "
            + $"exec setpriv --reuid {OrdinaryUser} --regid {OrdinaryUser} --clear-groups -- env HOME=/tmp \"$@\"",
            "sh", file, .. arguments,
        ]);

    /// <summary>Runs the tool in this namespace as an ordinary user who may open /dev/net/tun.</summary>
    public CommandResult PorticoAsUser(params string[] arguments) =>
        CommandResult.WaitFor(StartAsUser("666", "dotnet", [ToolPath, .. arguments]));

    /// <summary>Runs the tool in this namespace to its end.</summary>
    public CommandResult Portico(params string[] arguments) => CommandResult.WaitFor(StartPortico(arguments));

    /// <summary>Runs a shell command under <c>portico run</c>.</summary>
    public CommandResult RunShell(string command, params string[] options) => Portico(["run", .. options, "--", "sh", "-c", command]);

    /// <summary>The tool, as it was built with these tests.</summary>
    public static string ToolPath => Path.Combine(AppContext.BaseDirectory, "Portico.Cli.dll");

    public void Dispose()
    {
        _namespace.Dispose();
        Directory.Delete(_runtime, recursive: true);
    }
}

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

    private readonly NetworkNamespace _namespace = new();

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

    /// <summary>Starts the tool in this namespace.</summary>
    public Process StartPortico(params string[] arguments) => StartProgram("dotnet", [ToolPath, .. arguments]);

    /// <summary>Starts a program in this namespace, its input and output redirected.</summary>
    public Process StartProgram(string file, params string[] arguments) =>
        _namespace.Invoke(() => Process.Start(CommandResult.StartInfo(file, arguments))!);

    /// <summary>Runs the tool in this namespace to its end.</summary>
    public CommandResult Portico(params string[] arguments) => CommandResult.WaitFor(StartPortico(arguments));

    /// <summary>Runs a shell command under <c>portico run</c>.</summary>
    public CommandResult RunShell(string command, params string[] options) => Portico(["run", .. options, "--", "sh", "-c", command]);

    /// <summary>The tool, as it was built with these tests.</summary>
    public static string ToolPath => Path.Combine(AppContext.BaseDirectory, "Portico.Cli.dll");

    public void Dispose() => _namespace.Dispose();
}

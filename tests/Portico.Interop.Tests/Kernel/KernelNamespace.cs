using System.Diagnostics;
using System.Net.Sockets;
using Portico.Kernel;
using Portico.Linux;
using Portico.Net;
using Process = System.Diagnostics.Process;
using AddressFamily = System.Net.Sockets.AddressFamily;
using SocketType = System.Net.Sockets.SocketType;

namespace Portico.Interop.Tests.Kernel;

/// <summary>
/// A network namespace of the Linux kernel whose only interface, besides lo, leads by TUN or TAP to a Portico stack in this
/// process. Programs and sockets started through it live on the kernel's side.
/// </summary>
/// <remarks>Needs root. Everything is gone when it is disposed.</remarks>
public sealed class KernelNamespace : IDisposable
{
    public static readonly IpPrefix KernelIpv4 = IpPrefix.Parse("10.77.0.1/24");
    public static readonly IpPrefix PorticoIpv4 = IpPrefix.Parse("10.77.0.2/24");
    public static readonly IpPrefix KernelIpv6 = IpPrefix.Parse("fd77::1/64");
    public static readonly IpPrefix PorticoIpv6 = IpPrefix.Parse("fd77::2/64");

    private readonly NetworkNamespace _namespace;
    private readonly EpollEvents _events = new();

    /// <summary>
    /// Makes both sides. <paramref name="decorate"/> may put a capture or an impairment between the device and the stack.
    /// </summary>
    public KernelNamespace(
        LinkKind kind = LinkKind.Ip,
        int mtu = 1500,
        bool offloads = true,
        EngineOptions? engineOptions = null,
        Func<Engine, ILink, ILink>? decorate = null)
    {
        Driver = new StackDriver(new Engine(engineOptions ?? new EngineOptions { Seed = StackDriver.SeedFromEntropy() }), _events);
        _namespace = new NetworkNamespace();
        TunOptions options = new() { Name = "portico0", Kind = kind, Mtu = mtu, Offloads = offloads };
        TunDevice device = _namespace.Invoke(() =>
        {
            TunDevice made = TunDevice.Create(options);
            using RtNetlink netlink = new();
            netlink.SetUp(RtNetlink.IndexOf("lo"));
            int index = RtNetlink.IndexOf(made.Name);
            netlink.SetUp(index, mtu);
            netlink.AddAddress(index, KernelIpv4);
            netlink.AddAddress(index, KernelIpv6);
            netlink.AddRoute(index, IpPrefix.Parse("0.0.0.0/0"), PorticoIpv4.Address);
            netlink.AddRoute(index, IpPrefix.Parse("::/0"), PorticoIpv6.Address);
            AwaitLocalRoute(KernelIpv6.Address);
            return made;
        });
        using (Driver.Enter())
        {
            Link = new TunLink(Driver.Engine, device, mtu, kind == LinkKind.Ip ? default : options.Address);
            Outermost = decorate == null ? Link : decorate(Driver.Engine, Link);
        }
    }

    /// <summary>
    /// The kernel gives an IPv6 address its local route in a work queue, a little after it has accepted the address: until then it
    /// drops what is sent there.
    /// </summary>
    private static void AwaitLocalRoute(IpAddress address)
    {
        string wanted = $"{address.High:x16}{address.Low:x16} 80 ";
        Stopwatch waited = Stopwatch.StartNew();
        while (!File.ReadAllText("/proc/thread-self/net/ipv6_route").Contains(wanted, StringComparison.Ordinal))
        {
            Assert.True(waited.Elapsed < TimeSpan.FromSeconds(10), $"the kernel does not take {address}");
            Thread.Sleep(1);
        }
    }

    /// <summary>Runs the stack.</summary>
    public StackDriver Driver { get; }

    /// <summary>The device's link.</summary>
    public TunLink Link { get; }

    /// <summary>What a stack attaches to: the link, or its decoration.</summary>
    public ILink Outermost { get; }

    /// <summary>
    /// Puts a stack behind the device, with the addresses of this class and default routes to the kernel, and lets the packets flow.
    /// </summary>
    public NetworkStack AddStack(string name = "portico")
    {
        using (Driver.Enter())
        {
            NetworkStack stack = new(Driver.Engine, new NetworkStackOptions { Name = name });
            NetworkInterface device = stack.AddInterface(Link.Kind == LinkKind.Ip ? "tun0" : "eth0", Outermost);
            Assert.Equal(Errno.None, device.AddAddress(PorticoIpv4));
            Assert.Equal(Errno.None, device.AddAddress(PorticoIpv6));
            foreach ((string prefix, IpPrefix gateway) in ((string, IpPrefix)[])[("0.0.0.0/0", KernelIpv4), ("::/0", KernelIpv6)])
            {
                Route route = new() { Destination = IpPrefix.Parse(prefix), Gateway = gateway.Address, InterfaceIndex = device.Index };
                Assert.Equal(Errno.None, stack.Ip.Routes.Add(route));
            }

            Link.Start(_events);
            return stack;
        }
    }

    /// <summary>Lets the packets flow; call it once somebody is attached.</summary>
    public void Start()
    {
        using (Driver.Enter())
        {
            Link.Start(_events);
        }
    }

    /// <summary>Runs a program on the kernel's side and waits for it.</summary>
    public CommandResult Run(string file, params string[] arguments) => CommandResult.WaitFor(StartProgram(file, arguments));

    /// <summary>Runs a command line on the kernel's side by sh.</summary>
    public CommandResult Shell(string command) => Run("sh", "-c", command);

    /// <summary>Starts a program on the kernel's side, its input and output redirected.</summary>
    public Process StartProgram(string file, params string[] arguments) =>
        _namespace.Invoke(() => Process.Start(CommandResult.StartInfo(file, arguments))!);

    /// <summary>Makes a socket of the Linux kernel in the namespace.</summary>
    public Socket CreateSocket(AddressFamily family, SocketType type, ProtocolType protocol) =>
        _namespace.Invoke(() => new Socket(family, type, protocol));

    /// <summary>Runs something on the namespace's thread.</summary>
    public TResult Invoke<TResult>(Func<TResult> function) => _namespace.Invoke(function);

    public void Dispose()
    {
        using (Driver.Enter())
        {
            Link.Dispose();
        }

        Driver.Dispose();
        _namespace.Dispose();
    }
}

using System.Runtime.InteropServices;
using Portico.Kernel;
using Portico.Linux;
using Portico.Net;

namespace Portico.Cli;

/// <summary>One run: the stack, its device, the proxies behind it, and the command in front of it.</summary>
internal sealed class RunSession : IDisposable
{
    private readonly RunOptions _options;
    private readonly RunNamespace _namespace;
    private readonly EpollEvents _events = new();
    private readonly StackDriver _driver;
    private readonly NetworkStack _stack;
    private readonly TunLink _link;
    private readonly MibTable<ProxyCounter> _counters = new();
    private readonly StatusServer _status;
    private readonly HostPolicy _policy;
    private CommandProcess? _command;

    public RunSession(RunOptions options)
    {
        _options = options;
        string[] resolvConf = ReadLines("/etc/resolv.conf");
        _namespace = new RunNamespace(new RunNamespaceOptions
        {
            Mtu = options.EffectiveMtu,
            Offloads = !options.HitsPackets,
            Addresses = [RunAddresses.CommandIpv4, RunAddresses.CommandIpv6],
            Gateways = [RunAddresses.GatewayIpv4.Address, RunAddresses.GatewayIpv6.Address],
            Files =
            [
                ("/etc/resolv.conf", RunAddresses.ResolvConf(resolvConf)),
                ("/etc/hosts", RunAddresses.Hosts(string.Concat(ReadLines("/etc/hosts").Select(l => l + "\n")))),
            ],
        });

        _policy = new HostPolicy
        {
            Gateways = [RunAddresses.GatewayIpv4.Address, RunAddresses.GatewayIpv6.Address],
            Hosts = [RunAddresses.HostIpv4.Address, RunAddresses.HostIpv6.Address],
            HostLoopback = options.HostLoopback,
            Resolver = RunAddresses.HostResolver(resolvConf),
        };
        _driver = new StackDriver(new Engine(new EngineOptions { Seed = options.Seed ?? StackDriver.SeedFromEntropy() }), _events);
        using (_driver.Enter())
        {
            _link = new TunLink(_driver.Engine, _namespace.Device, options.EffectiveMtu);
            _stack = new NetworkStack(_driver.Engine, new NetworkStackOptions { Name = RunAddresses.GatewayName });
            NetworkInterface device = _stack.AddInterface("tun0", Decorate(_link));
            device.AddAddress(RunAddresses.GatewayIpv4);
            device.AddAddress(RunAddresses.GatewayIpv6);
            device.AcceptsAnyAddress = true;
            _ = new TcpProxy(_stack, _events, _policy, _counters);
            _status = new StatusServer(_driver, _stack);
            _link.Start(_events);
        }
    }

    /// <summary>Runs the command to its end, and returns its exit status.</summary>
    public int Run(string path)
    {
        using SignalForwarder signals = new();
        _command = _namespace.Start(path, _options.CommandLine);
        signals.Target = _command;
        _status.Start();
        int status = _namespace.WaitFor(_command);
        signals.Target = null;
        return status;
    }

    private ILink Decorate(ILink link) => link;

    private static string[] ReadLines(string path)
    {
        try
        {
            return File.ReadAllLines(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }

    public void Dispose()
    {
        _status.Dispose();
        using (_driver.Enter())
        {
            _link.Dispose();
        }

        _driver.Dispose();
        _namespace.Dispose();
    }
}

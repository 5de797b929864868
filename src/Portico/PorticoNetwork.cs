using Portico.Kernel;
using Portico.Net;

namespace Portico;

/// <summary>Settings of a <see cref="PorticoNetwork"/>.</summary>
public sealed class PorticoNetworkOptions
{
    /// <summary>Where the random numbers start; null takes them from the operating system's entropy.</summary>
    public ulong? Seed { get; init; }

    /// <summary>The MTU of the hosts' interfaces. Between hosts of one process segments are larger than this all the same, as with TSO and GRO.</summary>
    public int Mtu { get; init; } = 1500;

    /// <summary>The most native memory that packets and buffers may hold, in bytes.</summary>
    public long BufferBytesMax { get; init; } = 4L << 30;
}

/// <summary>
/// A network inside this process: hosts with addresses of their own, joined by an Ethernet switch, and a thread that keeps their
/// timers. Nothing of it is visible outside of the process, and it needs no privileges.
/// </summary>
/// <example>
/// <code>
/// using PorticoNetwork network = new();
/// PorticoHost alice = network.AddHost("alice", "10.0.0.1/24");
/// PorticoHost bob = network.AddHost("bob", "10.0.0.2/24");
/// using PorticoListener listener = bob.Listen(80);
/// using TcpStream stream = await alice.ConnectAsync("bob", 80);
/// </code>
/// </example>
public sealed class PorticoNetwork : IDisposable
{
    private readonly PorticoNetworkOptions _options;
    private readonly List<PorticoHost> _hosts = [];
    private readonly Switch _switch;

    /// <summary>Makes a network without hosts and starts its thread.</summary>
    public PorticoNetwork(PorticoNetworkOptions? options = null)
    {
        _options = options ?? new PorticoNetworkOptions();
        Engine engine = new(new EngineOptions
        {
            Seed = _options.Seed ?? StackDriver.SeedFromEntropy(),
            BufferBytesMax = _options.BufferBytesMax,
        });
        _switch = new Switch(engine);
        Driver = new StackDriver(engine);
    }

    /// <summary>Runs the network's stacks and holds their lock.</summary>
    public StackDriver Driver { get; }

    /// <summary>The hosts, in the order in which they were added.</summary>
    public IReadOnlyList<PorticoHost> Hosts => _hosts;

    /// <summary>Adds a host and plugs it into the switch.</summary>
    /// <param name="name">How other hosts find it.</param>
    /// <param name="addresses">Its addresses with the length of their networks' prefixes, such as "10.0.0.1/24" or "fd00::1/64".</param>
    public PorticoHost AddHost(string name, params ReadOnlySpan<string> addresses)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        using (Driver.Enter())
        {
            if (FindHost(name) != null)
            {
                throw new ArgumentException($"there is a host '{name}' already", nameof(name));
            }

            Cable cable = new(Driver.Engine, new CableOptions { Kind = LinkKind.Ethernet, Mtu = _options.Mtu });
            _switch.AddPort(cable.B);
            NetworkStack stack = new(Driver.Engine, new NetworkStackOptions { Name = name });
            NetworkInterface nic = stack.AddInterface("eth0", cable.A);
            foreach (string address in addresses)
            {
                nic.AddAddress(IpPrefix.Parse(address)).ThrowIfError();
            }

            PorticoHost host = new(Driver, stack, name, FindHost);
            _hosts.Add(host);
            return host;
        }
    }

    /// <summary>Ends the network with all that goes on in it.</summary>
    public void Dispose() => Driver.Dispose();

    private PorticoHost? FindHost(string name)
    {
        foreach (PorticoHost host in _hosts)
        {
            if (string.Equals(host.Name, name, StringComparison.OrdinalIgnoreCase))
            {
                return host;
            }
        }

        return null;
    }
}

namespace Portico.Net;

/// <summary>Settings of a <see cref="NetworkStack"/> that cannot change later.</summary>
public sealed class NetworkStackOptions
{
    /// <summary>The name that shows in traces and captures.</summary>
    public string Name { get; init; } = "portico";
}

/// <summary>
/// One network namespace: interfaces, routes, neighbours, and the sockets of every transport. Belongs to one <see cref="Engine"/>
/// and is touched only by whoever drives that.
/// </summary>
public sealed class NetworkStack
{
    private readonly List<NetworkInterface> _interfaces = [];

    /// <summary>Makes a stack without interfaces.</summary>
    public NetworkStack(Engine engine, NetworkStackOptions? options = null)
    {
        Engine = engine;
        Options = options ?? new NetworkStackOptions();
        Ip = new IpLayer(this);
        Udp = new UdpLayer(this);
        Tcp = new TcpLayer(this);
    }

    /// <summary>The clock, buffers and timers that the stack lives on.</summary>
    public Engine Engine { get; }

    /// <summary>The settings it was made with.</summary>
    public NetworkStackOptions Options { get; }

    /// <summary>The ports that the stack picks by itself.</summary>
    public LocalPortRange LocalPorts { get; } = new();

    /// <summary>Addresses, routes, ICMP, fragments.</summary>
    public IpLayer Ip { get; }

    /// <summary>Datagrams.</summary>
    public UdpLayer Udp { get; }

    /// <summary>Connections.</summary>
    public TcpLayer Tcp { get; }

    /// <summary>The interfaces, in the order of their indexes.</summary>
    public IReadOnlyList<NetworkInterface> Interfaces => _interfaces;

    /// <summary>Adds an interface over a link, which from now on belongs to this stack.</summary>
    public NetworkInterface AddInterface(string name, ILink link)
    {
        NetworkInterface added = new(this, name, _interfaces.Count + 1, link);
        _interfaces.Add(added);
        return added;
    }
}

namespace Portico.Net;

/// <summary>Settings of a <see cref="NetworkStack"/> that cannot change later.</summary>
public sealed class NetworkStackOptions
{
    /// <summary>The name that shows in traces and captures.</summary>
    public string Name { get; init; } = "portico";

    /// <summary>
    /// What the interface lo sends through, of kind <see cref="LinkKind.Ip"/>; null for a plain loopback inside the stack.
    /// </summary>
    public ILink? LoopbackLink { get; init; }
}

/// <summary>
/// One network namespace: interfaces, routes, neighbours, and the sockets of every transport. Belongs to one <see cref="Engine"/>
/// and is touched only by whoever drives that.
/// </summary>
public sealed class NetworkStack
{
    private readonly List<NetworkInterface> _interfaces = [];
    private long _cookie;

    /// <summary>Makes a stack that has only the interface lo (index 1), as a new network namespace in Linux.</summary>
    public NetworkStack(Engine engine, NetworkStackOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(engine);
        Engine = engine;
        Options = options ?? new NetworkStackOptions();
        Ip = new IpLayer(this);
        Icmp = new IcmpLayer(this);
        Raw = new RawLayer(this);
        PacketSockets = new PacketSocketLayer(this);
        Udp = new UdpLayer(this);
        Tcp = new TcpLayer(this);
        Loopback = AddInterface("lo", Options.LoopbackLink ?? new LoopbackLink(engine));
        Loopback.AddAddress(new IpPrefix(IpAddress.LoopbackIpv4, 8));
        Loopback.AddAddress(new IpPrefix(IpAddress.LoopbackIpv6, 128));
    }

    /// <summary>The clock, buffers and timers that the stack lives on.</summary>
    public Engine Engine { get; }

    /// <summary>The settings it was made with.</summary>
    public NetworkStackOptions Options { get; }

    /// <summary>The ports that the stack picks by itself.</summary>
    public LocalPortRange LocalPorts { get; } = new();

    /// <summary>Addresses, routes, fragments, forwarding.</summary>
    public IpLayer Ip { get; }

    /// <summary>ICMP and ICMPv6: errors and echo.</summary>
    public IcmpLayer Icmp { get; }

    /// <summary>Sockets below the transports: raw ones, and those for echo requests.</summary>
    public RawLayer Raw { get; }

    /// <summary>Sockets that see what passes on links, and send frames.</summary>
    public PacketSocketLayer PacketSockets { get; }

    /// <summary>Datagrams.</summary>
    public UdpLayer Udp { get; }

    /// <summary>Connections.</summary>
    public TcpLayer Tcp { get; }

    /// <summary>The interface lo: what the stack sends to its own addresses.</summary>
    public NetworkInterface Loopback { get; }

    /// <summary>The interfaces, in the order of their indexes; lo is the first.</summary>
    public IReadOnlyList<NetworkInterface> Interfaces => _interfaces;

    /// <summary>The same, to walk without allocating an enumerator.</summary>
    internal List<NetworkInterface> InterfaceList => _interfaces;

    /// <summary>
    /// Hears of each packet that came in and was dropped, while it is being handled: the name of the counter that counts it, which is
    /// the reason. For captures and traces; nobody (the default) costs nothing.
    /// </summary>
    public event Action<string>? PacketDropped;

    /// <summary>A number that no other stack of the engine has (SO_NETNS_COOKIE).</summary>
    public long Cookie => _cookie == 0 ? _cookie = Engine.TakeCookie() : _cookie;

    internal void NoteDrop(string reason) => PacketDropped?.Invoke(reason);

    /// <summary>Adds an interface over a link, which from now on belongs to this stack. It is up and has no address.</summary>
    public NetworkInterface AddInterface(string name, ILink link)
    {
        ArgumentNullException.ThrowIfNull(link);
        NetworkInterface added = new(this, name, Ip.NextInterfaceIndex, link);
        _interfaces.Add(added);
        Ip.AddInterface(added);
        PacketSockets.UpdateTaps();
        return added;
    }

    /// <summary>Takes an interface away, with its addresses and routes. What still comes in on its link is dropped.</summary>
    public void RemoveInterface(NetworkInterface removed)
    {
        ArgumentNullException.ThrowIfNull(removed);
        if (_interfaces.Remove(removed))
        {
            removed.Dismantle();
            PacketSockets.OnRemoved(removed);
            Ip.RemoveInterface(removed);
        }
    }
}

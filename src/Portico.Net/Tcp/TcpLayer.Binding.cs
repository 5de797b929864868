namespace Portico.Net;

// bind(2) apart from listen and connect: a local end that a socket holds before it becomes a listener or a connection, and after.

/// <summary>What bind(2) asks for.</summary>
public struct TcpBindRequest
{
    /// <summary>The address; unspecified for all. Port 0 for one of net.ipv4.ip_local_port_range.</summary>
    public Endpoint Local;

    /// <summary>SO_REUSEADDR.</summary>
    public bool ReuseAddress;

    /// <summary>SO_REUSEPORT.</summary>
    public bool ReusePort;

    /// <summary>IPV6_V6ONLY.</summary>
    public bool Ipv6Only;

    /// <summary>SO_BINDTODEVICE.</summary>
    public int InterfaceIndex;

    /// <summary>IP_FREEBIND or IP_TRANSPARENT: the address need not be the stack's.</summary>
    public bool AnyAddress;

    /// <summary>IP_LOCAL_PORT_RANGE: the first port to pick from; 0 leaves it to net.ipv4.ip_local_port_range.</summary>
    public ushort RangeFirst;

    /// <summary>IP_LOCAL_PORT_RANGE: the last port to pick from; 0 leaves it to net.ipv4.ip_local_port_range.</summary>
    public ushort RangeLast;
}

/// <summary>A local end that is taken; given back by <see cref="TcpLayer.Release"/>.</summary>
public readonly struct TcpBinding
{
    internal TcpBinding(PortBinding taken) => Taken = taken;

    internal PortBinding Taken { get; }

    /// <summary>Whether there is one.</summary>
    public bool IsBound => Taken.IsBound;

    /// <summary>The port.</summary>
    public ushort Port => Taken.Port;
}

public sealed unsafe partial class TcpLayer
{
    /// <summary>
    /// Takes a local end, which as in Linux may be a group's or a broadcast address of IPv4. Errors: EADDRNOTAVAIL for an address that is not the
    /// stack's, EADDRINUSE.
    /// </summary>
    public Errno Bind(in TcpBindRequest request, out TcpBinding binding)
    {
        binding = default;
        IpAddress address = request.Local.Address;
        bool isGroup = address.IsIpv4 && (address.IsMulticast || address.IsLimitedBroadcast || _stack.Ip.IsSubnetBroadcast(address));
        if (!address.IsUnspecified && !isGroup && !request.AnyAddress && !_stack.Ip.IsLocalAddress(address))
        {
            return Errno.EADDRNOTAVAIL;
        }

        PortBindRequest wanted = new()
        {
            Address = address,
            Port = request.Local.Port,
            ReuseAddress = request.ReuseAddress,
            ReusePort = request.ReusePort,
            Ipv6Only = request.Ipv6Only,
            InterfaceIndex = request.InterfaceIndex,
            RangeFirst = request.RangeFirst,
            RangeLast = request.RangeLast,
        };
        Errno error = _ports.Bind(wanted, out PortBinding taken);
        binding = new TcpBinding(taken);
        return error;
    }

    /// <summary>setsockopt after bind decides about later binds, and connect narrows the address.</summary>
    public void Update(TcpBinding binding, in IpAddress address, bool reuseAddress, bool reusePort, int interfaceIndex) =>
        _ports.Update(binding.Taken, address, reuseAddress, reusePort, interfaceIndex);

    /// <summary>Gives a local end back.</summary>
    public void Release(TcpBinding binding) => _ports.Release(binding.Taken);

    /// <summary>listen(2) once more: another backlog. Errors: EBADF.</summary>
    public Errno SetBacklog(TcpListenerHandle listener, int backlog)
    {
        if (Find(listener) is not { } found)
        {
            return Errno.EBADF;
        }

        found.Backlog = EffectiveBacklog(backlog);
        return Errno.None;
    }

    private int EffectiveBacklog(int backlog) => Math.Min(backlog < 0 ? int.MaxValue : backlog, Settings.somaxconn);
}

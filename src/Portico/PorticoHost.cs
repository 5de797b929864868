using System.Net;
using System.Net.Sockets;
using Portico.Kernel;
using Portico.Net;
using AddressFamily = System.Net.Sockets.AddressFamily;

namespace Portico;

/// <summary>A host: a network stack of its own, with addresses, ports and sockets.</summary>
public sealed class PorticoHost
{
    private readonly Func<string, PorticoHost?> _findHost;

    /// <summary>Makes a host of a stack that is set up already, such as one behind a TUN device.</summary>
    public PorticoHost(StackDriver driver, NetworkStack stack)
        : this(driver, stack, stack?.Options.Name!, static _ => null)
    {
    }

    internal PorticoHost(StackDriver driver, NetworkStack stack, string name, Func<string, PorticoHost?> findHost)
    {
        ArgumentNullException.ThrowIfNull(driver);
        ArgumentNullException.ThrowIfNull(stack);
        Driver = driver;
        Stack = stack;
        Name = name;
        _findHost = findHost;
    }

    /// <summary>What other hosts of the network call it.</summary>
    public string Name { get; }

    /// <summary>Runs the stack and holds its lock.</summary>
    public StackDriver Driver { get; }

    /// <summary>The stack: interfaces, routes, counters. Touch it only inside a scope of <see cref="Driver"/>.</summary>
    public NetworkStack Stack { get; }

    /// <summary>Connects to a port of a host of the network, or of an address.</summary>
    /// <exception cref="SocketException">The connection could not be made; the codes are those of <see cref="Socket"/>.</exception>
    public ValueTask<TcpStream> ConnectAsync(string host, int port, CancellationToken cancellationToken = default) =>
        ConnectAsync(Resolve(host, port), cancellationToken);

    /// <summary>Connects to an end point.</summary>
    /// <exception cref="SocketException">The connection could not be made; the codes are those of <see cref="Socket"/>.</exception>
    public ValueTask<TcpStream> ConnectAsync(IPEndPoint remote, CancellationToken cancellationToken = default) =>
        ConnectAsync(remote.ToEndpoint(), cancellationToken);

    /// <summary>Connects to a port of a host of the network, or of an address, and blocks until the outcome is known.</summary>
    /// <exception cref="SocketException">The connection could not be made; the codes are those of <see cref="Socket"/>.</exception>
    public TcpStream Connect(string host, int port)
    {
        TcpSocket socket = new(Driver, Stack);
        Errno error = socket.Connect(Resolve(host, port));
        if (error != Errno.None)
        {
            socket.Close();
            throw error.ToException();
        }

        return new TcpStream(socket);
    }

    /// <summary>Listens at a port of all addresses, of both families. Port 0 chooses one.</summary>
    /// <exception cref="SocketException">The port is in use.</exception>
    public PorticoListener Listen(int port, int backlog = 4096) => Listen(new IPEndPoint(IPAddress.IPv6Any, port), backlog);

    /// <summary>Listens at an end point.</summary>
    /// <exception cref="SocketException">The port is in use, or the address is not the host's.</exception>
    public PorticoListener Listen(IPEndPoint local, int backlog = 4096)
    {
        TcpListenRequest request = new() { Local = local.ToEndpoint(), Backlog = backlog, ReuseAddress = true };
        TcpListenerSocket.Listen(Driver, Stack, request, out TcpListenerSocket? socket).ThrowIfError();
        return new PorticoListener(socket!);
    }

    /// <summary>Binds a datagram socket to a port of all addresses, of both families. Port 0 chooses one.</summary>
    /// <exception cref="SocketException">The port is in use.</exception>
    public PorticoUdpClient BindUdp(int port) => BindUdp(new IPEndPoint(IPAddress.IPv6Any, port));

    /// <summary>Binds a datagram socket to an end point.</summary>
    /// <exception cref="SocketException">The port is in use, or the address is not the host's.</exception>
    public PorticoUdpClient BindUdp(IPEndPoint local)
    {
        ArgumentNullException.ThrowIfNull(local);
        UdpOpenRequest request = new() { IsIpv6 = local.AddressFamily == AddressFamily.InterNetworkV6 };
        UdpSocket.Open(Driver, Stack, request, out UdpSocket? socket).ThrowIfError();
        Errno error = socket!.Bind(local.ToEndpoint());
        if (error != Errno.None)
        {
            socket.Close();
            throw error.ToException();
        }

        return new PorticoUdpClient(socket);
    }

    /// <summary>
    /// A handler that lets an <see cref="HttpClient"/> speak from this host: names are those of <see cref="ConnectAsync(string, int,
    /// CancellationToken)"/>, and no proxy is used. Everything else of it can be changed.
    /// </summary>
    public SocketsHttpHandler CreateHttpHandler() => new()
    {
        UseProxy = false,
        ConnectCallback = async (context, cancellation) =>
        {
            TcpStream stream = await ConnectAsync(context.DnsEndPoint.Host, context.DnsEndPoint.Port, cancellation).ConfigureAwait(false);
            stream.NoDelay = true;
            return stream;
        },
    };

    /// <inheritdoc/>
    public override string ToString() => Name;

    private async ValueTask<TcpStream> ConnectAsync(Endpoint remote, CancellationToken cancellationToken)
    {
        TcpSocket socket = new(Driver, Stack);
        try
        {
            await socket.ConnectAsync(remote, cancellationToken).ConfigureAwait(false);
            return new TcpStream(socket);
        }
        catch
        {
            socket.Close();
            throw;
        }
    }

    private Endpoint Resolve(string host, int port)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(port);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(port, ushort.MaxValue);
        if (IpAddress.TryParse(host, out IpAddress address))
        {
            return new Endpoint(address, (ushort)port);
        }

        using (Driver.Enter())
        {
            PorticoHost? found = string.Equals(host, "localhost", StringComparison.OrdinalIgnoreCase) ? this : _findHost(host);
            if (found == this)
            {
                return new Endpoint(IpAddress.LoopbackIpv4, (ushort)port);
            }

            return new Endpoint(ChooseAddress(found) ?? throw new SocketException((int)SocketError.HostNotFound), (ushort)port);
        }
    }

    /// <summary>The other host's first address of a family that this host has, too.</summary>
    private IpAddress? ChooseAddress(PorticoHost? other)
    {
        foreach (NetworkInterface nic in other?.Stack.Interfaces ?? [])
        {
            foreach (InterfaceAddress candidate in nic.Addresses)
            {
                if (!candidate.Address.IsLoopback && !candidate.Address.IsLinkLocal && HasFamilyOf(candidate.Address))
                {
                    return candidate.Address;
                }
            }
        }

        return null;
    }

    private bool HasFamilyOf(IpAddress address)
    {
        foreach (NetworkInterface nic in Stack.Interfaces)
        {
            foreach (InterfaceAddress own in nic.Addresses)
            {
                if (own.Address.IsIpv4 == address.IsIpv4 && !own.Address.IsLoopback && !own.Address.IsLinkLocal)
                {
                    return true;
                }
            }
        }

        return false;
    }
}

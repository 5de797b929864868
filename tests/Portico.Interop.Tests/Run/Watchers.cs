using System.Net.Sockets;
using Portico.Interop.Tests.Kernel;
using Portico.Net;

namespace Portico.Interop.Tests.Run;

/// <summary>
/// Sockets on all addresses of the host's namespace, both families, TCP and UDP, at one port: nothing that reaches the host at that port
/// can pass them by.
/// </summary>
internal sealed class Watchers : IDisposable
{
    private readonly Socket[] _sockets;

    public Watchers(HostNamespace host)
    {
        Socket first = host.Listen(IpAddress.AnyIpv4, out int port);
        Port = port;
        _sockets =
        [
            first, host.Listen(IpAddress.AnyIpv6, port), host.BindUdp(IpAddress.AnyIpv4, port), host.BindUdp(IpAddress.AnyIpv6, port),
        ];
    }

    public int Port { get; }

    /// <summary>Whether somebody has come by TCP.</summary>
    public bool HasConnection => _sockets[0].Poll(0, SelectMode.SelectRead) || _sockets[1].Poll(0, SelectMode.SelectRead);

    /// <summary>Whether a datagram has come.</summary>
    public bool HasDatagram => _sockets[2].Poll(0, SelectMode.SelectRead) || _sockets[3].Poll(0, SelectMode.SelectRead);

    /// <summary>Fails the test if somebody has come.</summary>
    public void SawNothing()
    {
        Assert.False(HasConnection, "a connection reached the host");
        Assert.False(HasDatagram, "a datagram reached the host");
    }

    public void Dispose()
    {
        foreach (Socket socket in _sockets)
        {
            socket.Dispose();
        }
    }
}

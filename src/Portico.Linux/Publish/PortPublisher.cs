using Portico.Net;

namespace Portico.Linux;

/// <summary>
/// The ports of the host that lead to the command. The host's side is bound at once; whether the command listens is seen when a
/// client comes. Everything runs under the driver's lock.
/// </summary>
public sealed class PortPublisher : IDisposable
{
    private const int Backlog = 4096;

    private readonly List<PublishedPort> _ports = [];

    /// <summary>Publishes nothing yet.</summary>
    public PortPublisher(TcpProxy tcp, UdpProxy udp, InboundNetwork network)
    {
        Tcp = tcp;
        Udp = udp;
        Network = network;
    }

    /// <summary>What is published, in the order in which it was.</summary>
    public IReadOnlyList<PublishedPort> Ports => _ports;

    internal TcpProxy Tcp { get; }

    internal UdpProxy Udp { get; }

    internal InboundNetwork Network { get; }

    internal ClientErrors ClientErrors { get; } = new();

    /// <summary>
    /// Lets a port of one address of the host lead to a port of the command; port 0 of the host is any that is free. The errors are
    /// those of socket(2), bind(2) and listen(2).
    /// </summary>
    public Errno Add(IpProtocol protocol, in Endpoint host, ushort port, out PublishedPort? published, bool isAutomatic = false)
    {
        published = null;
        bool isTcp = protocol == IpProtocol.Tcp;
        Errno error = HostSocket.Bind(
            host, isTcp ? LibC.SOCK_STREAM : LibC.SOCK_DGRAM, isTcp ? LibC.IPPROTO_TCP : LibC.IPPROTO_UDP, out HostSocket socket);
        if (error == Errno.None && isTcp)
        {
            error = socket.Listen(Backlog);
        }

        if (error != Errno.None || !socket.TryGetLocal(out Endpoint bound))
        {
            if (socket.IsOpen)
            {
                socket.Close();
            }

            return error;
        }

        published = isTcp ? new PublishedTcpPort(this, socket, bound, port) : new PublishedUdpPort(this, socket, bound, port);
        published.IsAutomatic = isAutomatic;
        _ports.Add(published);
        return Errno.None;
    }

    /// <summary>Gives a port of the host up. Connections that came by it go on.</summary>
    public void Remove(PublishedPort published)
    {
        ArgumentNullException.ThrowIfNull(published);
        if (_ports.Remove(published))
        {
            published.Close();
        }
    }

    /// <summary>Gives all ports up.</summary>
    public void Dispose()
    {
        foreach (PublishedPort published in _ports)
        {
            published.Close();
        }

        _ports.Clear();
        ClientErrors.Dispose();
    }
}

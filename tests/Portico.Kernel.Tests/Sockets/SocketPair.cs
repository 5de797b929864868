using Portico.Net;

namespace Portico.Kernel.Tests.Sockets;

/// <summary>Two hosts, and a connection between them where a test asks for one.</summary>
public sealed class SocketPair : IDisposable
{
    public SocketPair()
    {
        Network = new PorticoNetwork();
        Alice = Network.AddHost("alice", "10.0.0.1/24", "fd00::1/64");
        Bob = Network.AddHost("bob", "10.0.0.2/24", "fd00::2/64");
        Listener = Listen(Bob, new Endpoint(IpAddress.AnyIpv6, 80));
        Service = new Endpoint(IpAddress.Parse("10.0.0.2"), 80);
    }

    public PorticoNetwork Network { get; }

    public PorticoHost Alice { get; }

    public PorticoHost Bob { get; }

    public TcpListenerSocket Listener { get; }

    public Endpoint Service { get; }

    public static TcpListenerSocket Listen(PorticoHost host, Endpoint local)
    {
        TcpListenRequest request = new() { Local = local, Backlog = 128 };
        Assert.Equal(Errno.None, TcpListenerSocket.Listen(host.Driver, host.Stack, request, out TcpListenerSocket? listener));
        return listener!;
    }

    public TcpSocket NewSocket() => new(Alice.Driver, Alice.Stack);

    /// <summary>A connection: Alice's end and Bob's.</summary>
    public (TcpSocket Client, TcpSocket Server) Connect()
    {
        TcpSocket client = NewSocket();
        Assert.Equal(Errno.None, client.Connect(Service));
        Assert.Equal(Errno.None, Listener.Accept(out TcpSocket? server));
        return (client, server!);
    }

    public void Dispose() => Network.Dispose();
}

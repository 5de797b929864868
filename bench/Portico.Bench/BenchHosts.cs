using Portico.Kernel;
using Portico.Net;

namespace Portico.Bench;

/// <summary>Two hosts joined by a cable.</summary>
internal sealed class BenchHosts : IDisposable
{
    public const ushort Port = 80;

    /// <param name="mtu">The cable's MTU; 65,535 is about that of Linux's lo.</param>
    /// <param name="offloads">Whether super-segments pass.</param>
    /// <param name="serverAddresses">Addresses of the second host, 10.1.0.1 and up.</param>
    /// <param name="clientAddresses">Addresses of the first host, 10.0.0.1 and up.</param>
    public BenchHosts(int mtu = 65535, bool offloads = true, int serverAddresses = 1, int clientAddresses = 1)
    {
        Engine engine = new(new EngineOptions { Seed = 1, BufferBytesMax = 8L << 30 });
        Driver = new StackDriver(engine);
        using (Driver.Enter())
        {
            LinkFeatures features = LinkFeatures.ChecksumOffload | LinkFeatures.ReceiveChecksumVerified;
            Cable = new Cable(engine, new CableOptions { Mtu = mtu, Features = offloads ? features | LinkFeatures.Tso4 | LinkFeatures.Tso6 : features });
            Client = AddStack(engine, "client", Cable.A, 0x0A00_0001, clientAddresses);
            Server = AddStack(engine, "server", Cable.B, 0x0A01_0001, serverAddresses);
        }
    }

    public StackDriver Driver { get; }

    public Cable Cable { get; }

    public NetworkStack Client { get; }

    public NetworkStack Server { get; }

    /// <summary>Packets that went over the cable, either way.</summary>
    public long Packets => Cable.A.Packets + Cable.B.Packets;

    public static Endpoint ServerAt(int index) => new(IpAddress.FromIpv4(0x0A01_0001 + (uint)index), Port);

    public TcpListenerSocket Listen(int backlog = 4096)
    {
        TcpListenRequest request = new() { Local = new Endpoint(IpAddress.AnyIpv4, Port), Backlog = backlog, ReuseAddress = true };
        TcpListenerSocket.Listen(Driver, Server, request, out TcpListenerSocket? listener).ThrowIfError();
        return listener!;
    }

    public (TcpSocket Client, TcpSocket Server) Pair(bool noDelay)
    {
        using TcpListenerSocket listener = Listen();
        TcpSocket client = new(Driver, Client);
        client.Connect(ServerAt(0)).ThrowIfError();
        listener.Accept(out TcpSocket? server).ThrowIfError();
        if (noDelay)
        {
            client.SetOption(TcpOption.TCP_NODELAY, 1).ThrowIfError();
            server!.SetOption(TcpOption.TCP_NODELAY, 1).ThrowIfError();
        }

        return (client, server!);
    }

    public void Dispose() => Driver.Dispose();

    private static NetworkStack AddStack(Engine engine, string name, ILink link, uint firstAddress, int addresses)
    {
        NetworkStack stack = new(engine, new NetworkStackOptions { Name = name });
        NetworkInterface nic = stack.AddInterface("eth0", link);
        for (uint i = 0; i < addresses; i++)
        {
            nic.AddAddress(new IpPrefix(IpAddress.FromIpv4(firstAddress + i), 8)).ThrowIfError();
        }

        return stack;
    }
}

namespace Portico.Net.Tests.Ip;

/// <summary>
/// One stack with the addresses 10.0.0.1/24 and 2001:db8::1/64 on a recording link, and a default route to .254 and ::fe.
/// </summary>
public abstract class IpHost : IDisposable
{
    protected const string Me4 = "10.0.0.1";
    protected const string Peer4 = "10.0.0.2";
    protected const string Far4 = "192.0.2.7";
    protected const string Me6 = "2001:db8::1";
    protected const string Peer6 = "2001:db8::2";
    protected const string Far6 = "2001:db8:77::7";

    protected IpHost()
        : this(1500, LinkFeatures.None)
    {
    }

    private protected IpHost(int mtu, LinkFeatures features)
    {
        Stack = new NetworkStack(Engine);
        Link = new RecordingLink(Engine, LinkKind.Ip, mtu, features);
        Interface = Stack.AddInterface("eth0", Link);
        Assert.Equal(Errno.None, Interface.AddAddress(IpPrefix.Parse(Me4 + "/24")));
        Assert.Equal(Errno.None, Interface.AddAddress(IpPrefix.Parse(Me6 + "/64")));
        AddRoute("0.0.0.0/0", "10.0.0.254");
        AddRoute("::/0", "2001:db8::fe");
        Engine.EnterAt(new MonoTime(1_000_000_000));
    }

    protected Engine Engine { get; } = new();

    protected NetworkStack Stack { get; }

    private protected RecordingLink Link { get; }

    protected NetworkInterface Interface { get; }

    protected MibTable<IpCounter> Mib4 => Stack.Ip.Ipv4Counters;

    protected MibTable<IpCounter> Mib6 => Stack.Ip.Ipv6Counters;

    public void Dispose()
    {
        Engine.Advance(Engine.Now + Duration.FromSeconds(700));
        Assert.Equal(0, Engine.Packets.Outstanding);
        Assert.Equal(0, Engine.Blocks.BytesInUse);
        Engine.Dispose();
        GC.SuppressFinalize(this);
    }

    protected void AddRoute(string prefix, string gateway) => Assert.Equal(Errno.None, Stack.Ip.Routes.Add(new Route
    {
        Destination = IpPrefix.Parse(prefix), Gateway = IpAddress.Parse(gateway), InterfaceIndex = Interface.Index,
    }));

    protected void Inject(byte[] packet) => Link.Inject(packet);

    protected void Pass(Duration time) => Engine.Advance(Engine.Now + time);

    protected static byte[] Echo4(int payloadLength, int seed = 0) =>
        IpBytes.Icmp4(8, 0, 0x1234_0001, IpBytes.Pattern(payloadLength, seed));

    protected static byte[] EchoReply4(int payloadLength, int seed = 0) =>
        IpBytes.Icmp4(0, 0, 0x1234_0001, IpBytes.Pattern(payloadLength, seed));

    protected static byte[] Echo6(int payloadLength, string source = Peer6) =>
        IpBytes.Icmp6(source, Me6, 128, 0, 0x1234_0001, IpBytes.Pattern(payloadLength));

    protected static byte[] EchoReply6(int payloadLength) =>
        IpBytes.Icmp6(Me6, Peer6, 129, 0, 0x1234_0001, IpBytes.Pattern(payloadLength));

    /// <summary>The one packet sent, without its IPv4 header, after checks that hold for every packet.</summary>
    private protected byte[] TakeIpv4Payload(string destination)
    {
        byte[] packet = Link.TakeOne();
        Assert.Equal(0x45, packet[0]);
        Assert.Equal(packet.Length, (packet[2] << 8) | packet[3]);
        Assert.Equal(0, IpBytes.Checksum(packet.AsSpan(0, 20)));
        Assert.Equal(IpAddress.Parse(destination), IpAddress.ReadIpv4(packet.AsSpan(16)));
        return packet[20..];
    }

    private protected byte[] TakeIpv6Payload(string destination)
    {
        byte[] packet = Link.TakeOne();
        Assert.Equal(0x60, packet[0] & 0xF0);
        Assert.Equal(packet.Length - 40, (packet[4] << 8) | packet[5]);
        Assert.Equal(IpAddress.Parse(destination), IpAddress.ReadIpv6(packet.AsSpan(24)));
        return packet[40..];
    }

    /// <summary>The host still answers a good echo request: nothing is stuck.</summary>
    protected void AssertStillServes()
    {
        Link.Sent.Clear();
        Inject(IpBytes.V4(Peer4, Me4, 1, Echo4(16)));
        Assert.Equal(EchoReply4(16), TakeIpv4Payload(Peer4));
        Inject(IpBytes.V6(Peer6, Me6, 58, Echo6(16)));
        Assert.Equal(EchoReply6(16), TakeIpv6Payload(Peer6));
    }
}

namespace Portico.Net.Tests.Ip;

/// <summary>IP_ROUTER_ALERT: a router takes packets that ask it to look at them, instead of forwarding them (RFC 2113).</summary>
public sealed class RouterAlertTests : IpHost
{
    private const int Rsvp = 46;
    private static readonly byte[] s_alert = [148, 4, 0, 0];
    private readonly RecordingLink _second;
    private readonly NetworkInterface _secondInterface;

    public RouterAlertTests()
    {
        _second = new RecordingLink(Engine, LinkKind.Ip, 1400);
        _secondInterface = Stack.AddInterface("eth1", _second);
        Assert.Equal(Errno.None, _secondInterface.AddAddress(IpPrefix.Parse("172.16.0.1/16")));
        Stack.Ip.Options.ip_forward = true;
    }

    [Fact]
    public void The_sockets_of_the_protocol_take_the_packet()
    {
        RawHandle first = Open(Rsvp, 0);
        RawHandle second = Open(Rsvp, Interface.Index);
        RawHandle elsewhere = Open(Rsvp, _secondInterface.Index);
        RawHandle other = Open(99, 0);
        byte[] packet = Packet(s_alert, id: 5);
        Inject(packet);
        Assert.Empty(_second.Sent);
        Assert.Equal(packet, Take(first));
        Assert.Equal(packet, Take(second));
        Assert.Empty(Take(elsewhere));
        Assert.Empty(Take(other));
    }

    [Fact]
    public void Without_the_option_or_a_socket_it_goes_on()
    {
        RawHandle socket = Open(99, 0);
        Inject(Packet(s_alert, id: 1));
        Assert.Single(_second.TakeAll());
        RawHandle silent = Open(Rsvp, 0);
        Stack.Raw.SetOptions(silent, new RawOptions { ReceiveMemoryMax = 100_000, ChecksumOffset = -1 });
        Inject(Packet(s_alert, id: 2));
        Assert.Single(_second.TakeAll());
        Open(Rsvp, 0);
        Inject(Packet([1, 1, 1, 1], id: 3));
        Inject(Packet([148, 4, 0, 1], id: 4));
        Inject(IpBytes.V4(Peer4, "172.16.5.5", Rsvp, [1, 2, 3], id: 6));
        Assert.Equal(3, _second.TakeAll().Count());
        Assert.Empty(Take(socket));
        Assert.Empty(Take(silent));
    }

    [Fact]
    public void A_router_that_forwards_nothing_takes_nothing()
    {
        RawHandle socket = Open(Rsvp, 0);
        Stack.Ip.Options.ip_forward = false;
        Inject(Packet(s_alert, id: 5));
        Assert.Empty(Take(socket));
        Assert.Equal(1, Mib4[IpCounter.DropNotForUs]);
    }

    private static byte[] Packet(byte[] options, int id) => IpBytes.V4(Peer4, "172.16.5.5", Rsvp, [1, 2, 3, 4, 5], id: id, options: options);

    private RawHandle Open(int protocol, int interfaceIndex)
    {
        Assert.Equal(Errno.None, Stack.Raw.Open(new RawOpenRequest { Protocol = (byte)protocol }, null, out RawHandle handle));
        Stack.Raw.SetOptions(handle, new RawOptions
        {
            RouterAlert = true, InterfaceIndex = interfaceIndex, ReceiveMemoryMax = 100_000, ChecksumOffset = -1, HopLimit = -1,
        });
        return handle;
    }

    private byte[] Take(RawHandle socket)
    {
        byte[] buffer = new byte[100];
        return Stack.Raw.Receive(socket, buffer, UdpReceiveFlags.None, out _, out int length) == Errno.None ? buffer[..length] : [];
    }
}

namespace Portico.Net.Tests.Ip;

public sealed class PingTests : IpHost, ISocketOwner, IIcmpEchoHandler
{
    private readonly List<SocketEvents> _events = [];
    private readonly List<(IcmpEchoRequest Request, byte[] Payload)> _requests = [];

    void ISocketOwner.OnReady(SocketEvents events) => _events.Add(events);

    bool IIcmpEchoHandler.OnEchoRequest(in IcmpEchoRequest request, ReadOnlySpan<byte> payload)
    {
        _requests.Add((request, payload.ToArray()));
        return true;
    }

    [Fact]
    public void A_ping_of_the_loopback_is_answered()
    {
        foreach (string target in (string[])["127.0.0.1", "::1", Me4, Me6])
        {
            IpAddress address = IpAddress.Parse(target);
            IpAddress any = address.IsIpv4 ? IpAddress.AnyIpv4 : IpAddress.AnyIpv6;
            Assert.Equal(Errno.None, Stack.Icmp.OpenEcho(any, 0, 0, this, out IcmpEchoHandle ping));
            Assert.Equal(Errno.None, Stack.Icmp.SendEcho(ping, address, 9, [1, 2, 3]));
            Engine.RunPending(100);
            Engine.DispatchReady();
            Assert.Equal([SocketEvents.Readable], _events);
            byte[] payload = new byte[10];
            Assert.Equal(Errno.None, Stack.Icmp.ReceiveEcho(ping, payload, out IcmpEchoReply reply));
            Assert.Equal((address, 9, 3), (reply.Source, reply.SequenceNumber, reply.PayloadBytes));
            Assert.Equal([1, 2, 3], payload[..3]);
            Assert.Equal(Errno.EAGAIN, Stack.Icmp.ReceiveEcho(ping, payload, out _));
            Stack.Icmp.CloseEcho(ping);
            Assert.Equal(Errno.EBADF, Stack.Icmp.ReceiveEcho(ping, payload, out _));
            _events.Clear();
        }
    }

    [Fact]
    public void An_icmp_error_about_a_ping_reaches_its_owner()
    {
        Assert.Equal(Errno.None, Stack.Icmp.OpenEcho(IpAddress.AnyIpv4, 5, 0, this, out IcmpEchoHandle ping));
        Assert.Equal(Errno.EADDRINUSE, Stack.Icmp.OpenEcho(IpAddress.AnyIpv4, 5, 0, null, out _));
        Stack.Icmp.SendEcho(ping, IpAddress.Parse(Far4), 1, [1, 2, 3], hopLimit: 1);
        byte[] request = Link.TakeOne();
        Assert.Equal(1, request[8]);
        Inject(IpBytes.V4("10.0.0.254", Me4, 1, IpBytes.Icmp4(11, 0, 0, request)));
        Engine.DispatchReady();
        Assert.Equal([SocketEvents.Error], _events);
        Assert.Equal(Errno.EHOSTUNREACH, Stack.Icmp.TakeEchoError(ping));
        Stack.Icmp.CloseEcho(ping);
    }

    [Fact]
    public void A_ping_of_65507_bytes_is_sent_in_fragments_and_more_is_EMSGSIZE()
    {
        Stack.Icmp.OpenEcho(IpAddress.AnyIpv4, 0, 0, null, out IcmpEchoHandle ping);
        Assert.Equal(Errno.EMSGSIZE, Stack.Icmp.SendEcho(ping, IpAddress.Parse(Peer4), 1, new byte[65_508]));
        Assert.Equal(Errno.None, Stack.Icmp.SendEcho(ping, IpAddress.Parse(Peer4), 1, new byte[65_507]));
        Assert.Equal(45, Link.TakeAll().Length);
        Stack.Icmp.CloseEcho(ping);
    }

    [Fact]
    public void A_broadcast_address_is_not_pinged()
    {
        Stack.Icmp.OpenEcho(IpAddress.AnyIpv4, 0, 0, null, out IcmpEchoHandle ping);
        Assert.Equal(Errno.EACCES, Stack.Icmp.SendEcho(ping, IpAddress.Parse("10.0.0.255"), 1, []));
        Assert.Equal(Errno.EACCES, Stack.Icmp.SendEcho(ping, IpAddress.BroadcastIpv4, 1, []));
        Stack.Icmp.CloseEcho(ping);
    }

    [Fact]
    public void A_proxy_takes_requests_to_foreign_addresses_and_answers_later()
    {
        Interface.AcceptsAnyAddress = true;
        Stack.Icmp.EchoHandler = this;
        Inject(IpBytes.V4(Peer4, "93.184.216.34", 1, Echo4(24)));
        Assert.Empty(Link.Sent);
        (IcmpEchoRequest request, byte[] payload) = Assert.Single(_requests);
        Assert.Equal(IpBytes.Pattern(24), payload);
        Assert.Equal(Errno.None, Stack.Icmp.SendEchoReply(request, payload));
        byte[] reply = Link.TakeOne();
        Assert.Equal(IpAddress.Parse("93.184.216.34"), IpAddress.ReadIpv4(reply.AsSpan(12)));
        Assert.Equal(EchoReply4(24), reply[20..]);
        Inject(IpBytes.V4(Peer4, Me4, 1, Echo4(8)));
        Assert.Equal(EchoReply4(8), TakeIpv4Payload(Peer4));
    }

    [Fact]
    public void Replies_that_nobody_reads_are_bounded()
    {
        Stack.Icmp.OpenEcho(IpAddress.AnyIpv4, 0x1234, 0, null, out IcmpEchoHandle ping);
        for (int i = 0; i < 1000; i++)
        {
            Inject(IpBytes.V4(Peer4, Me4, 1, EchoReply4(1000)));
        }

        Assert.InRange(Stack.Icmp.Ipv4Counters[IcmpCounter.DropEchoUnclaimed], 700, 999);
        Stack.Icmp.CloseEcho(ping);
    }
}

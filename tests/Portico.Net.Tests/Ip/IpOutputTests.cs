namespace Portico.Net.Tests.Ip;

public sealed class IpOutputTests : IDisposable
{
    private readonly Engine _engine = new();
    private readonly NetworkStack _stack;
    private readonly RecordingLink _link;
    private readonly NetworkInterface _interface;

    public IpOutputTests()
    {
        _stack = new NetworkStack(_engine);
        _link = new RecordingLink(_engine);
        _interface = _stack.AddInterface("eth0", _link);
        Assert.Equal(Errno.None, _interface.AddAddress(IpPrefix.Parse("10.0.0.1/24")));
        Assert.Equal(Errno.None, _interface.AddAddress(IpPrefix.Parse("2001:db8::1/64")));
    }

    public void Dispose()
    {
        Assert.Equal(0, _engine.Packets.Outstanding);
        _engine.Dispose();
    }

    private Errno Send(string source, string destination, IpProtocol protocol, byte[] payload, bool dontFragment = true)
    {
        IpAddress to = IpAddress.Parse(destination);
        Errno error = _stack.Ip.FindRoute(IpAddress.Parse(source), to, 0, out RouteCache route);
        if (error != Errno.None)
        {
            return error;
        }

        Packet packet = _engine.Packets.RentLinear(payload.Length)!;
        payload.CopyTo(packet.Append(payload.Length));
        packet.TransportOffset = packet.Start;
        IpSend send = new() { Source = IpAddress.Parse(source), Destination = to, Protocol = protocol, DontFragment = dontFragment };
        return _stack.Ip.Send(packet, route, send);
    }

    [Fact]
    public void An_ipv4_header_is_written_byte_for_byte_with_identification_0_and_DF()
    {
        Assert.Equal(Errno.None, Send("10.0.0.1", "10.0.0.2", (IpProtocol)99, [1, 2, 3]));
        Assert.Equal("4500001700004000406326820A0000010A000002010203", Convert.ToHexString(_link.TakeOne()));
    }

    [Fact]
    public void An_ipv6_header_is_written_byte_for_byte()
    {
        Assert.Equal(Errno.None, Send("2001:db8::1", "2001:db8::2", (IpProtocol)99, [1, 2, 3]));
        Assert.Equal(
            "60000000" + "00036340" + "20010DB8000000000000000000000001" + "20010DB8000000000000000000000002" + "010203",
            Convert.ToHexString(_link.TakeOne()));
    }

    [Fact]
    public void A_packet_to_an_own_address_comes_back_in_and_touches_no_link()
    {
        Assert.Equal(Errno.None, Send("10.0.0.1", "10.0.0.1", IpProtocol.Udp, [0, 1, 0, 2, 0, 8, 0, 0]));
        Assert.Equal(Errno.None, Send("127.0.0.1", "127.3.2.1", IpProtocol.Udp, [0, 1, 0, 2, 0, 8, 0, 0]));
        Assert.Equal(Errno.None, Send("::1", "::1", IpProtocol.Udp, [0, 1, 0, 2, 0, 8, 0, 0]));
        _engine.RunPending(3);
        Assert.Equal(2, _stack.Ip.Ipv4Counters[IpCounter.InDelivers]);
        Assert.Equal(1, _stack.Ip.Ipv6Counters[IpCounter.InDelivers]);
        _engine.RunPending(100);
        Assert.Empty(_link.Sent);
    }

    [Fact]
    public void Without_a_route_there_is_ENETUNREACH_and_with_a_foreign_source_EINVAL()
    {
        Assert.Equal(Errno.ENETUNREACH, Send("10.0.0.1", "192.0.2.1", IpProtocol.Udp, [1]));
        Assert.Equal(Errno.EINVAL, Send("10.0.0.9", "10.0.0.2", IpProtocol.Udp, [1]));
        _interface.AcceptsAnyAddress = true;
        Assert.Equal(Errno.None, Send("10.0.0.9", "10.0.0.2", (IpProtocol)99, [1]));
        _link.TakeOne();
    }

    [Fact]
    public void A_packet_that_does_not_fit_and_must_not_be_fragmented_is_EMSGSIZE()
    {
        Assert.Equal(Errno.EMSGSIZE, Send("10.0.0.1", "10.0.0.2", (IpProtocol)99, new byte[1481]));
        Assert.Equal(Errno.None, Send("10.0.0.1", "10.0.0.2", (IpProtocol)99, new byte[1480]));
        Assert.Equal(1500, _link.TakeOne().Length);
    }

    [Fact]
    public void The_default_route_names_the_router_as_next_hop()
    {
        Assert.Equal(Errno.None, _stack.Ip.Routes.Add(new Route
        {
            Destination = IpPrefix.Parse("0.0.0.0/0"), Gateway = IpAddress.Parse("10.0.0.254"), InterfaceIndex = _interface.Index,
        }));
        IpAddress to = IpAddress.Parse("192.0.2.1");
        Assert.Equal(Errno.None, _stack.Ip.FindRoute(IpAddress.AnyIpv4, to, 0, out RouteCache route));
        Assert.Equal(IpAddress.Parse("10.0.0.254"), route.NextHop);
        Assert.Equal(_interface.Index, route.InterfaceIndex);
        Assert.Equal(1500, route.PathMtu);
        Assert.Equal(_stack.Ip.RouteGeneration, route.Generation);
        Assert.Equal(Errno.None, _stack.Ip.SelectSource(route, to, out IpAddress source));
        Assert.Equal(IpAddress.Parse("10.0.0.1"), source);
    }
}

namespace Portico.Net.Tests.Udp;

public sealed class UdpForwarderTests : UdpFixture
{
    private sealed class Forwarder(bool takes) : IUdpForwarder
    {
        public List<(Endpoint Source, Endpoint Destination, byte[] Payload)> Taken { get; } = [];

        public bool OnDatagram(in Endpoint source, in Endpoint destination, ReadOnlySpan<byte> payload)
        {
            Taken.Add((source, destination, payload.ToArray()));
            return takes;
        }

        public List<(Endpoint Source, Endpoint Destination, Errno Error)> Errors { get; } = [];

        public void OnError(in Endpoint source, in Endpoint destination, Errno error) => Errors.Add((source, destination, error));
    }

    [Theory]
    [InlineData("10.0.0.2:1000", "198.51.100.7:53")]
    [InlineData("[2001:db8::2]:1000", "[2001:db8:7::7]:53")]
    public void A_datagram_to_any_address_is_taken_and_answered_from_there(string source, string destination)
    {
        Forwarder forwarder = new(true);
        Udp.Forwarder = forwarder;
        Interface.AcceptsAnyAddress = true;
        Inject(source, destination, "query"u8);
        var taken = Assert.Single(forwarder.Taken);
        Assert.Equal(Endpoint.Parse(source), taken.Source);
        Assert.Equal(Endpoint.Parse(destination), taken.Destination);
        Assert.Equal("query"u8.ToArray(), taken.Payload);
        Assert.Empty(Link.TakeAll());
        Assert.Equal(Errno.None, Udp.SendFrom(taken.Destination, taken.Source, "answer"u8));
        byte[] expected = Datagram(taken.Destination, taken.Source, "answer"u8);
        byte[] sent = Link.TakeOne();
        if (taken.Source.Address.IsIpv4)
        {
            // Fragmentation is allowed, so there is an identification, which the header checksum covers.
            Assert.Equal(0, sent[6]);
            sent.AsSpan(4, 8).Clear();
            expected.AsSpan(4, 8).Clear();
        }

        Assert.Equal(Convert.ToHexString(expected), Convert.ToHexString(sent));
    }

    [Fact]
    public void Without_the_interfaces_consent_or_with_a_socket_the_forwarder_is_not_asked()
    {
        Forwarder forwarder = new(true);
        Udp.Forwarder = forwarder;
        Inject("10.0.0.2:1000", "10.0.0.1:53", "query"u8);
        Interface.AcceptsAnyAddress = true;
        UdpHandle socket = Bound("0.0.0.0:53");
        Inject("10.0.0.2:1000", "198.51.100.7:53", "query"u8);
        Assert.True(TryReceive(socket));
        Assert.Empty(forwarder.Taken);
        Link.TakeAll();
    }

    [Fact]
    public void What_the_forwarder_refuses_has_no_port()
    {
        Udp.Forwarder = new Forwarder(false);
        Interface.AcceptsAnyAddress = true;
        Inject("10.0.0.2:1000", "198.51.100.7:53", "query"u8);
        Assert.Equal(1, Udp.Ipv4Counters[UdpCounter.NoPorts]);
        Link.TakeAll();
    }

    [Fact]
    public void SendFrom_checks_its_ends()
    {
        Endpoint to = Endpoint.Parse("10.0.0.2:1");
        Assert.Equal(Errno.EINVAL, Udp.SendFrom(Endpoint.Parse("10.0.0.1:0"), to, []));
        Assert.Equal(Errno.EINVAL, Udp.SendFrom(Endpoint.Parse("[2001:db8::1]:1"), to, []));
        Assert.Equal(Errno.EINVAL, Udp.SendFrom(Endpoint.Parse("198.51.100.7:53"), to, []));
        Assert.Equal(Errno.EMSGSIZE, Udp.SendFrom(Endpoint.Parse("10.0.0.1:1"), to, new byte[65508]));
        Assert.Equal(Errno.EINVAL, Udp.ReportForwardError(Endpoint.Parse("[::1]:1"), to, 0, UdpForwardError.Prohibited));
    }
}

namespace Portico.Net.Tests.Neighbours;

/// <summary>Two stacks on an Ethernet cable find and configure each other.</summary>
public sealed class TwoStacksTests
{
    private sealed class Lan : IDisposable
    {
        public Lan(ulong seed = 1)
        {
            Engine = new Engine(new EngineOptions { Seed = seed });
            Cable cable = new(Engine, new CableOptions { Kind = LinkKind.Ethernet, Mtu = 1500, Features = LinkFeatures.None });
            Host = new NetworkStack(Engine).AddInterface("host", cable.A);
            Router = new NetworkStack(Engine).AddInterface("router", cable.B);
        }

        public Engine Engine { get; }

        public NetworkInterface Host { get; }

        public NetworkInterface Router { get; }

        public void Run(double seconds)
        {
            MonoTime end = Engine.Now + new Duration((long)(seconds * 1e9));
            while (Engine.NextDeadline <= end)
            {
                Engine.Advance(Engine.NextDeadline);
            }

            Engine.Advance(end);
        }

        public void Dispose()
        {
            Assert.Equal(0, Engine.Packets.Outstanding);
            Engine.Dispose();
        }
    }

    private static void SendDatagram(NetworkInterface from, IpAddress source, IpAddress destination)
    {
        Assert.Equal(Errno.None, from.Stack.Ip.FindRoute(source, destination, 0, out RouteCache route));
        Send(from, route, source, destination);
    }

    private static void Send(NetworkInterface from, in RouteCache route, IpAddress source, IpAddress destination)
    {
        Packet packet = from.Stack.Engine.Packets.RentLinear(16)!;
        UdpHeader.Write(packet.Append(16), 1, 2, 16);
        packet.TransportOffset = packet.Start;
        packet.Checksum = ChecksumState.Partial;
        IpSend send = new() { Source = source, Destination = destination, Protocol = IpProtocol.Udp };
        Errno error = from.Stack.Ip.Send(packet, route, send);
        if (error != Errno.None)
        {
            Assert.Fail(error.ToString());
        }
    }

    [Theory]
    [InlineData("192.0.2.1", "192.0.2.2", 24)]
    [InlineData("2001:db8::1", "2001:db8::2", 64)]
    public void A_datagram_reaches_a_neighbour_that_is_resolved_on_the_way(string a, string b, int length)
    {
        using Lan lan = new();
        IpAddress own = IpAddress.Parse(a);
        IpAddress peer = IpAddress.Parse(b);
        lan.Host.AddAddress(new IpPrefix(own, length));
        lan.Router.AddAddress(new IpPrefix(peer, length));
        lan.Run(1);
        SendDatagram(lan.Host, own, peer);
        lan.Run(0.001);
        Assert.Equal(NudState.Reachable, lan.Host.Neighbours!.Find(peer).State);
        Assert.Equal(lan.Router.Link.Address, lan.Host.Neighbours.Find(peer).LinkAddress);

        // Nobody listens there; the answer that says so was sent to what the solicitation told of the sender.
        Assert.Equal(NudState.Delay, lan.Router.Neighbours!.Find(own).State);
        MibTable<IpCounter> mib = own.IsIpv4 ? lan.Router.Stack.Ip.Ipv4Counters : lan.Router.Stack.Ip.Ipv6Counters;
        Assert.True(mib[IpCounter.InDelivers] >= 1);
    }

    [Fact]
    public void One_stack_configures_the_other()
    {
        using Lan lan = new();
        IpPrefix prefix = IpPrefix.Parse("2001:db8:42::/64");
        IpAddress dns = IpAddress.Parse("2001:db8:42::53");
        lan.Router.Configuration!.StartAdvertising(new RouterAdvertisementOptions
        {
            Prefixes = [new AdvertisedPrefix(prefix)],
            DnsServers = [dns],
            LinkMtu = 1400,
        });
        lan.Router.Configuration.Start();
        lan.Run(3);
        lan.Host.Configuration!.Start();
        lan.Run(10);

        InterfaceAddress own = Assert.Single(lan.Host.Addresses, address => prefix.Contains(address.Address));
        Assert.Equal(AddressState.Preferred, own.State);
        Assert.Equal(lan.Router.Configuration.LinkLocalAddress(), lan.Host.Configuration.CurrentRouter);
        Assert.Equal(dns, lan.Host.Configuration.DnsServerAt(0));
        Assert.Equal(1400, lan.Host.Ipv6Mtu);

        // The default route leads to the router, which is resolved as one.
        SendDatagram(lan.Host, own.Address, IpAddress.Parse("2001:db8:ffff::1"));
        lan.Run(1);
        Assert.True(lan.Host.Neighbours!.Find(lan.Host.Configuration.CurrentRouter).IsRouter);

        // It is kept alive by periodic advertisements for as long as they come,
        lan.Run(100_000);
        Assert.Equal(AddressState.Preferred, own.State);
        Assert.False(lan.Host.Configuration.CurrentRouter.IsUnspecified);

        // and the last one takes the default route away.
        lan.Router.Configuration.StopAdvertising();
        lan.Run(0.001);
        Assert.True(lan.Host.Configuration.CurrentRouter.IsUnspecified);
    }

    [Fact]
    public void Advertisements_come_three_times_at_first_then_at_random_intervals_and_solicited_ones_at_most_every_three_seconds()
    {
        using Station station = new(withAddresses: false);
        station.Configuration.StartAdvertising(new RouterAdvertisementOptions());
        station.Configuration.Start();
        List<double> times = [];
        MonoTime end = station.Engine.Now + Duration.FromSeconds(5000);
        while (station.Engine.NextDeadline < end)
        {
            station.RunTo(station.Engine.NextDeadline);
            int sent = station.Take().Count(frame => frame.Icmpv6 == Icmpv6Type.RouterAdvertisement);
            times.AddRange(Enumerable.Repeat(station.Engine.Now.Nanoseconds / 1e9, sent));
        }

        double[] pauses = [.. times.Zip(times.Skip(1), (a, b) => b - a)];
        Assert.All(pauses[..2], pause => Assert.Equal(16, pause, 6));
        Assert.All(pauses[2..], pause => Assert.InRange(pause, 198, 600));

        byte[] solicitation = new byte[8];
        RouterSolicitation.Write(solicitation);
        times.Clear();
        for (int i = 0; i < 100; i++)
        {
            station.InjectIcmpv6(solicitation, IpAddress.AnyIpv6, IpAddress.Parse("ff02::2"));
            station.Run(0.1);
            int sent = station.Take().Count(frame => frame.Icmpv6 == Icmpv6Type.RouterAdvertisement);
            times.AddRange(Enumerable.Repeat(station.Engine.Now.Nanoseconds / 1e9, sent));
        }

        Assert.InRange(times.Count, 3, 4);
    }

    [Theory]
    [InlineData("2001:db8::7", 64)]
    [InlineData("192.0.2.7", 24)]
    public void Two_hosts_that_want_the_same_address_at_the_same_time_never_both_have_it(string text, int length)
    {
        for (ulong seed = 1; seed <= 50; seed++)
        {
            using Lan lan = new(seed);
            IpPrefix wanted = new(IpAddress.Parse(text), length);
            lan.Host.Configuration!.AddAddress(wanted);
            lan.Router.Configuration!.AddAddress(wanted);
            lan.Run(20);
            AddressState a = lan.Host.FindAddress(wanted.Address)!.State;
            AddressState b = lan.Router.FindAddress(wanted.Address)!.State;
            Assert.True(a == AddressState.Duplicate || b == AddressState.Duplicate);
        }
    }

    [Theory]
    [InlineData("2001:db8::7", 64)]
    [InlineData("192.0.2.7", 24)]
    public void A_host_does_not_take_the_address_that_another_uses(string text, int length)
    {
        using Lan lan = new();
        IpPrefix wanted = new(IpAddress.Parse(text), length);
        lan.Router.AddAddress(wanted);
        lan.Host.Configuration!.AddAddress(wanted);
        lan.Run(10);
        Assert.Equal(AddressState.Duplicate, lan.Host.FindAddress(wanted.Address)!.State);
        Assert.Equal(AddressState.Preferred, lan.Router.FindAddress(wanted.Address)!.State);
    }

    [Theory]
    [InlineData("192.0.2.1", "192.0.2.2", 24)]
    [InlineData("2001:db8::1", "2001:db8::2", 64)]
    public void A_connection_that_makes_progress_needs_no_probes(string a, string b, int length)
    {
        using Lan lan = new();
        IpAddress own = IpAddress.Parse(a);
        IpAddress peer = IpAddress.Parse(b);
        lan.Host.AddAddress(new IpPrefix(own, length));
        lan.Router.AddAddress(new IpPrefix(peer, length));
        TcpLayer client = lan.Host.Stack.Tcp;
        TcpLayer server = lan.Router.Stack.Tcp;
        TcpListenRequest listen = new() { Local = new Endpoint(peer, 80), Backlog = 1 };
        Assert.Equal(Errno.None, server.Listen(listen, null, out TcpListenerHandle listener));
        Assert.Equal(Errno.None, client.Open(new TcpOpenRequest { Remote = new Endpoint(peer, 80) }, null, out TcpHandle calling));
        lan.Run(0.1);
        Assert.Equal(Errno.None, server.Accept(listener, null, out TcpHandle called));
        byte[] buffer = new byte[100];
        for (int second = 0; second < 300; second++)
        {
            Assert.Equal(Errno.None, client.Send(calling, buffer, TcpSendFlags.None, out _));
            Assert.Equal(Errno.None, server.Send(called, buffer, TcpSendFlags.None, out _));
            lan.Run(1);
            Assert.Equal(Errno.None, client.Receive(calling, buffer, TcpReceiveFlags.None, out _));
            Assert.Equal(Errno.None, server.Receive(called, buffer, TcpReceiveFlags.None, out _));
        }

        NeighbourCounter asked = own.IsIpv4 ? NeighbourCounter.ArpOutRequests : NeighbourCounter.NdOutNeighborSolicits;
        Assert.Equal(1, lan.Host.Neighbours!.Counters[asked]);
        Assert.Equal(0, lan.Router.Neighbours!.Counters[asked]);
        Assert.Equal(NudState.Reachable, lan.Host.Neighbours.Find(peer).State);
        Assert.Equal(NudState.Reachable, lan.Router.Neighbours.Find(own).State);
        client.Abort(calling);
        server.Close(listener);
        lan.Run(100);
    }

    [Fact]
    public void A_connection_to_a_host_that_is_not_there_fails_with_EHOSTUNREACH_after_three_seconds()
    {
        using Lan lan = new();
        lan.Host.AddAddress(IpPrefix.Parse("2001:db8::1/64"));
        TcpLayer client = lan.Host.Stack.Tcp;
        TcpOpenRequest request = new() { Remote = Endpoint.Parse("[2001:db8::99]:80") };
        Assert.Equal(Errno.None, client.Open(request, null, out TcpHandle calling));
        lan.Run(2.9);
        Assert.Equal(Errno.None, client.TakeError(calling));
        lan.Run(0.3);
        Assert.Equal(Errno.EHOSTUNREACH, client.TakeError(calling));
        client.Close(calling);
        lan.Run(100);
    }

    [Fact]
    public void Sending_to_known_neighbours_allocates_nothing()
    {
        using Lan lan = new();
        IpAddress own = IpAddress.Parse("2001:db8::1");
        IpAddress peer = IpAddress.Parse("2001:db8::2");
        lan.Host.AddAddress(new IpPrefix(own, 64));
        lan.Router.AddAddress(new IpPrefix(peer, 64));
        MonoTime now = lan.Engine.Now;
        Assert.Equal(Errno.None, lan.Host.Stack.Ip.FindRoute(own, peer, 0, out RouteCache route));
        long before = 0;
        for (int i = 0; i < 20_000; i++)
        {
            if (i == 10_000)
            {
                before = GC.GetAllocatedBytesForCurrentThread();
            }

            // Far enough in all for entries to become stale and to be probed.
            now += Duration.FromMilliseconds(20);
            Send(lan.Host, route, own, peer);
            lan.Engine.Advance(now);
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        Assert.True(lan.Host.Neighbours!.Counters[NeighbourCounter.RcvProbesUcast] > 2);
    }
}

namespace Portico.Net.Tests.Neighbours;

/// <summary>Who hears of it when a neighbour does not answer, or the interface goes.</summary>
public sealed class UnreachableNeighbourTests
{
    [Theory]
    [InlineData("192.0.2.99")]
    [InlineData("2001:db8::99")]
    public void A_sender_on_this_host_hears_that_the_host_is_unreachable(string text)
    {
        using Station station = new();
        IpAddress peer = IpAddress.Parse(text);
        IpAddress any = peer.IsIpv4 ? IpAddress.AnyIpv4 : IpAddress.AnyIpv6;
        Assert.Equal(Errno.None, station.Stack.Icmp.OpenEcho(any, 0, 0, null, out IcmpEchoHandle echo));
        Assert.Equal(Errno.None, station.Stack.Icmp.SendEcho(echo, peer, 1, new byte[8]));
        station.Run(2.9);
        Assert.Equal(Errno.None, station.Stack.Icmp.TakeEchoError(echo));
        station.Run(0.2);
        Assert.Equal(Errno.EHOSTUNREACH, station.Stack.Icmp.TakeEchoError(echo));
    }

    [Theory]
    [InlineData("198.51.100.7", "192.0.2.99", "192.0.2.2")]
    [InlineData("2001:db8:1::7", "2001:db8::99", "2001:db8::2")]
    public void The_sender_of_a_forwarded_packet_gets_an_icmp_error(string from, string to, string router)
    {
        using Station station = new();
        IpAddress gateway = IpAddress.Parse(router);
        IpPrefix network = new IpPrefix(IpAddress.Parse(from), gateway.IsIpv4 ? 24 : 64).Network;
        station.Stack.Ip.Routes.Add(new Route { Destination = network, Gateway = gateway, InterfaceIndex = station.Interface.Index });
        station.Learn(gateway);
        station.Send(IpAddress.Parse(to), source: IpAddress.Parse(from), payload: 16);
        station.Link.Sent.Clear();
        station.Run(3);
        Frame error = Assert.Single(station.Take(), frame => !frame.IsSolicitation);
        Assert.Equal(Station.Peer, error.Destination);
        int icmp = gateway.IsIpv4 ? 34 : 54;
        Assert.Equal(gateway.IsIpv4 ? (3, 1) : (1, 3), (error.Bytes[icmp], error.Bytes[icmp + 1]));
    }

    [Fact]
    public void Neighbour_discovery_in_a_fragment_is_dropped()
    {
        using Station station = new();
        byte[] message = Station.Solicitation(Station.Own6, Station.Peer);
        Icmpv6Header.WriteChecksum(message, Station.Peer6, Station.Own6);
        byte[] frame = new byte[14 + 40 + 8 + message.Length];
        EthernetHeader.Write(frame, Station.Own, Station.Peer, EtherType.Ipv6);
        Ipv6Header.Write(frame.AsSpan(14), 8 + message.Length, IpProtocol.Ipv6Fragment, 255, Station.Peer6, Station.Own6);
        frame[54] = (byte)IpProtocol.Icmpv6;
        message.CopyTo(frame.AsSpan(62));
        station.Inject(frame);
        Assert.Empty(station.Take());
        Assert.Equal(0, station[NeighbourCounter.NdInNeighborSolicits]);
        Assert.Equal(1, station.Stack.Ip.Ipv6Counters[IpCounter.DropFragmentBad]);
    }

    [Fact]
    public void An_interface_that_goes_down_forgets_its_neighbours_and_what_waits()
    {
        using Station station = new();
        station.Learn(Station.Peer4);
        station.Send(Station.Peer6);
        station.Take();
        station.Interface.IsUp = false;
        Assert.Equal(0, station.Table.Count);
        Assert.Equal(0, station.Engine.Packets.Outstanding);
        station.Run(10);
        Assert.Empty(station.Take());
    }

    [Fact]
    public void An_interface_that_is_removed_leaves_nothing_behind()
    {
        using Station station = new();
        station.Configuration.Start();
        station.Configuration.AddAddress(new IpPrefix(IpAddress.Parse("192.0.2.9"), 24));
        station.Send(Station.Peer6);
        station.Stack.RemoveInterface(station.Interface);
        station.Link.Sent.Clear();
        station.Run(100);
        Assert.Empty(station.Take());
        Assert.Equal(0, station.Engine.Packets.Outstanding);
    }
}

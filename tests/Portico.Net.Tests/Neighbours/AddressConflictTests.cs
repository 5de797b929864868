namespace Portico.Net.Tests.Neighbours;

/// <summary>Is an address free, and what if not: RFC 4862 5.4 and RFC 5227.</summary>
public sealed class AddressConflictTests
{
    private static readonly IpAddress s_wanted6 = IpAddress.Parse("2001:db8::5:6");
    private static readonly IpAddress s_group = IpAddress.Parse("ff02::1:ff05:6");
    private static readonly IpAddress s_wanted4 = IpAddress.Parse("192.0.2.5");

    private static AddressState StateOf(Station station, IpAddress address) => station.Interface.FindAddress(address)!.State;

    private static List<Frame> Discovery(Station station) =>
        [.. station.Take().Where(frame => frame.IsArp || frame.Icmpv6 is >= 133 and <= 137)];

    [Fact]
    public void An_IPv6_address_is_tentative_until_nobody_objected_for_a_second()
    {
        using Station station = new(withAddresses: false);
        MonoTime start = station.Engine.Now;
        Assert.Equal(Errno.None, station.Configuration.AddAddress(new IpPrefix(s_wanted6, 64)));
        Assert.Equal(AddressState.Tentative, StateOf(station, s_wanted6));
        MonoTime? asked = null;
        while (StateOf(station, s_wanted6) == AddressState.Tentative)
        {
            station.RunTo(station.Engine.NextDeadline);
            foreach (Frame frame in Discovery(station))
            {
                Assert.Null(asked);
                asked = station.Engine.Now;
                Assert.Equal(Icmpv6Type.NeighbourSolicitation, frame.Icmpv6);
                Assert.Equal((IpAddress.AnyIpv6, s_group, s_wanted6), (frame.Source6, frame.Destination6, frame.Target));

                // The only option is the nonce of RFC 7527.
                Assert.Equal(32, frame.Message.Length);
                Assert.Equal(14, frame.Message[24]);
            }
        }

        Assert.InRange((asked!.Value - start).Seconds, 0, 1);
        Assert.Equal(1.0, (station.Engine.Now - asked.Value).Seconds);
        Assert.Equal(AddressState.Preferred, StateOf(station, s_wanted6));
    }

    [Fact]
    public void The_first_probe_is_delayed_at_random()
    {
        HashSet<long> delays = [];
        for (ulong seed = 1; seed <= 10; seed++)
        {
            using Station station = new(withAddresses: false, seed: seed);
            MonoTime start = station.Engine.Now;
            station.Configuration.AddAddress(new IpPrefix(s_wanted6, 64));
            while (Discovery(station).Count == 0)
            {
                station.RunTo(station.Engine.NextDeadline);
            }

            delays.Add((station.Engine.Now - start).Nanoseconds);
        }

        Assert.Equal(10, delays.Count);
    }

    [Fact]
    public void A_tentative_address_neither_answers_nor_receives()
    {
        using Station station = new(withAddresses: false);
        station.Configuration.AddAddress(new IpPrefix(s_wanted6, 64));
        station.InjectIcmpv6(Station.Solicitation(s_wanted6, Station.Peer), Station.Peer6, s_group);
        Assert.Empty(Discovery(station));
        Assert.Equal(AddressState.Tentative, StateOf(station, s_wanted6));
        Assert.False(station.Stack.Ip.IsLocalAddress(s_wanted6));
    }

    [Theory]
    [InlineData("advertisement")]
    [InlineData("solicitation")]
    [InlineData("solicitation with another nonce")]
    public void An_IPv6_address_that_another_host_has_or_wants_is_not_used(string conflict)
    {
        using Station station = new(withAddresses: false);
        station.Configuration.AddAddress(new IpPrefix(s_wanted6, 64));
        station.Run(1.1);
        if (conflict == "advertisement")
        {
            station.InjectIcmpv6(Station.Advertisement(s_wanted6, Station.Peer, solicited: false), s_wanted6, Station.AllNodes);
        }
        else
        {
            byte[] message = Station.Solicitation(s_wanted6, null);
            if (conflict.EndsWith("nonce", StringComparison.Ordinal))
            {
                message = [.. message, 14, 1, 9, 9, 9, 9, 9, 9];
            }

            station.InjectIcmpv6(message, IpAddress.AnyIpv6, s_group);
        }

        Assert.Equal(AddressState.Duplicate, StateOf(station, s_wanted6));
        station.Run(100);
        Assert.Equal(AddressState.Duplicate, StateOf(station, s_wanted6));
        station.Link.Sent.Clear();
        station.InjectIcmpv6(Station.Solicitation(s_wanted6, Station.Peer), Station.Peer6, s_group);
        Assert.Empty(Discovery(station));
    }

    [Fact]
    public void The_echo_of_the_own_probe_is_no_conflict()
    {
        using Station station = new(withAddresses: false);
        station.Configuration.AddAddress(new IpPrefix(s_wanted6, 64));
        station.Run(1.1);
        Frame probe = Assert.Single(Discovery(station));
        station.Inject(probe.Bytes);
        station.Run(2);
        Assert.Equal(AddressState.Preferred, StateOf(station, s_wanted6));
    }

    [Fact]
    public void Without_transmits_an_address_is_usable_at_once()
    {
        using Station station = new(withAddresses: false);
        station.Configuration.Options.dad_transmits = 0;
        station.Configuration.AddAddress(new IpPrefix(s_wanted6, 64));
        Assert.Equal(AddressState.Preferred, StateOf(station, s_wanted6));
        Assert.Empty(Discovery(station));
    }

    [Fact]
    public void An_IPv4_address_is_probed_three_times_then_announced_twice()
    {
        using Station station = new(withAddresses: false);
        MonoTime start = station.Engine.Now;
        station.Configuration.AddAddress(new IpPrefix(s_wanted4, 24));
        List<(double At, Frame Frame)> sent = [];
        MonoTime? preferred = null;
        while (station.Engine.NextDeadline < start + Duration.FromSeconds(30))
        {
            station.RunTo(station.Engine.NextDeadline);
            sent.AddRange(Discovery(station).Select(frame => ((station.Engine.Now - start).Seconds, frame)));
            preferred ??= StateOf(station, s_wanted4) == AddressState.Preferred ? station.Engine.Now : null;
        }

        Assert.Equal(5, sent.Count);
        Assert.All(sent[..3], item => Assert.Equal((IpAddress.AnyIpv4, s_wanted4), (item.Frame.ArpSender, item.Frame.ArpTarget)));
        Assert.All(sent[3..], item => Assert.Equal((s_wanted4, s_wanted4), (item.Frame.ArpSender, item.Frame.ArpTarget)));
        Assert.All(sent, item => Assert.Equal(MacAddress.Broadcast, item.Frame.Destination));
        Assert.InRange(sent[0].At, 0, 1);
        Assert.InRange(sent[1].At - sent[0].At, 1, 2);
        Assert.InRange(sent[2].At - sent[1].At, 1, 2);
        Assert.Equal(2, sent[3].At - sent[2].At, 6);
        Assert.Equal(2, sent[4].At - sent[3].At, 6);
        Assert.Equal(sent[3].At, (preferred!.Value - start).Seconds, 6);
    }

    [Theory]
    [InlineData("reply")]
    [InlineData("request")]
    [InlineData("probe")]
    public void An_IPv4_address_that_another_host_has_or_wants_is_not_used(string conflict)
    {
        using Station station = new(withAddresses: false);
        station.Configuration.AddAddress(new IpPrefix(s_wanted4, 24));
        station.Run(2.5);
        switch (conflict)
        {
            case "reply":
                station.InjectArp(ArpOperation.Reply, Station.Peer, s_wanted4, Station.Own, IpAddress.AnyIpv4);
                break;
            case "request":
                station.InjectArp(ArpOperation.Request, Station.Peer, s_wanted4, default, IpAddress.Parse("192.0.2.9"));
                break;
            default:
                station.InjectArp(ArpOperation.Request, Station.Peer, IpAddress.AnyIpv4, default, s_wanted4);
                break;
        }

        Assert.Equal(AddressState.Duplicate, StateOf(station, s_wanted4));
        station.Link.Sent.Clear();
        station.Run(60);
        Assert.Empty(Discovery(station));
        Assert.Equal(AddressState.Duplicate, StateOf(station, s_wanted4));
    }

    [Fact]
    public void An_address_that_is_taken_away_while_it_is_probed_is_forgotten()
    {
        using Station station = new(withAddresses: false);
        station.Configuration.AddAddress(new IpPrefix(s_wanted4, 24));
        station.Configuration.AddAddress(new IpPrefix(s_wanted6, 64));
        station.Interface.RemoveAddress(s_wanted4);
        station.Configuration.RemoveAddress(s_wanted6);
        station.Link.Sent.Clear();
        station.Run(30);
        Assert.Empty(Discovery(station));
        Assert.Empty(station.Interface.Addresses);
    }
}

namespace Portico.Net.Tests.Neighbours;

/// <summary>The state machine of RFC 4861 7.3, the same for ARP and Neighbor Discovery.</summary>
public sealed class NudTests
{
    public static TheoryData<string> Families => ["192.0.2.2", "2001:db8::2"];

    [Theory, MemberData(nameof(Families))]
    public void A_packet_to_an_unknown_neighbour_waits_until_it_has_answered(string text)
    {
        using Station station = new();
        IpAddress neighbour = IpAddress.Parse(text);
        station.Send(neighbour, mark: 7);
        Frame solicitation = Assert.Single(station.Take());
        Assert.True(solicitation.IsSolicitation);
        Assert.True(solicitation.Destination.IsGroup);
        Assert.Equal(neighbour, solicitation.SolicitedAddress);
        Assert.Equal(NudState.Incomplete, station.State(neighbour));

        station.Answer(neighbour);
        Frame sent = Assert.Single(station.Take());
        Assert.Equal(Station.Peer, sent.Destination);
        Assert.Equal(7, sent.Mark);
        Assert.Equal(NudState.Reachable, station.State(neighbour));
    }

    [Theory, MemberData(nameof(Families))]
    public void Three_solicitations_a_second_apart_go_unanswered_and_the_entry_fails(string text)
    {
        using Station station = new();
        IpAddress neighbour = IpAddress.Parse(text);
        MonoTime start = station.Engine.Now;
        station.Send(neighbour);
        Assert.Single(station.Take());
        station.RunTo(start + Duration.FromMilliseconds(999));
        Assert.Empty(station.Take());
        station.RunTo(start + Duration.FromMilliseconds(1000));
        Assert.Single(station.Take());
        station.RunTo(start + Duration.FromMilliseconds(2000));
        Assert.Single(station.Take());
        station.RunTo(start + Duration.FromMilliseconds(2999));
        Assert.Equal(NudState.Incomplete, station.State(neighbour));
        station.RunTo(start + Duration.FromMilliseconds(3000));
        Assert.Equal(NudState.Failed, station.State(neighbour));
        Assert.Empty(station.Take());
        Assert.Equal(1, station[NeighbourCounter.ResFailed]);
        Assert.Equal(1, station[NeighbourCounter.UnreachablePackets]);
        Assert.Equal(0, station.Engine.Packets.Outstanding);
    }

    [Theory, MemberData(nameof(Families))]
    public void A_packet_to_a_failed_neighbour_starts_over(string text)
    {
        using Station station = new();
        IpAddress neighbour = IpAddress.Parse(text);
        station.Send(neighbour);
        station.Run(3);
        station.Take();
        station.Send(neighbour);
        Assert.True(Assert.Single(station.Take()).IsSolicitation);
        Assert.Equal(NudState.Incomplete, station.State(neighbour));
    }

    [Theory, MemberData(nameof(Families))]
    public void Reachable_lasts_between_half_and_one_and_a_half_of_the_base_time(string text)
    {
        IpAddress neighbour = IpAddress.Parse(text);
        for (ulong seed = 1; seed <= 20; seed++)
        {
            using Station station = new(seed: seed);
            station.Learn(neighbour);
            Duration reachable = station.Table.ReachableTime(neighbour.IsIpv4);
            Assert.InRange(reachable.Seconds, 15, 45);
            MonoTime learned = station.Engine.Now;
            station.RunTo(learned + (reachable - new Duration(1)));
            Assert.Equal(NudState.Reachable, station.State(neighbour));
            station.RunTo(learned + reachable);
            Assert.Equal(NudState.Stale, station.State(neighbour));
            Assert.Empty(station.Take());
        }
    }

    [Theory, MemberData(nameof(Families))]
    public void A_stale_neighbour_is_used_at_once_and_probed_five_seconds_later(string text)
    {
        using Station station = new();
        IpAddress neighbour = IpAddress.Parse(text);
        station.Learn(neighbour);
        station.Run(60);
        Assert.Equal(NudState.Stale, station.State(neighbour));
        MonoTime start = station.Engine.Now;
        station.Send(neighbour, mark: 9);
        Assert.Equal(9, Assert.Single(station.Take()).Mark);
        Assert.Equal(NudState.Delay, station.State(neighbour));
        station.RunTo(start + Duration.FromMilliseconds(4999));
        Assert.Empty(station.Take());
        station.RunTo(start + Duration.FromMilliseconds(5000));
        Frame probe = Assert.Single(station.Take());
        Assert.True(probe.IsSolicitation);
        Assert.Equal(Station.Peer, probe.Destination);
        Assert.Equal(NudState.Probe, station.State(neighbour));

        // Packets still flow while it is probed.
        station.Send(neighbour, mark: 10);
        Assert.Equal(10, Assert.Single(station.Take()).Mark);
        station.Answer(neighbour);
        Assert.Equal(NudState.Reachable, station.State(neighbour));
        station.Run(10);
        Assert.Empty(station.Take());
    }

    [Theory, MemberData(nameof(Families))]
    public void Three_unanswered_probes_make_it_fail(string text)
    {
        using Station station = new();
        IpAddress neighbour = IpAddress.Parse(text);
        station.Learn(neighbour);
        station.Run(60);
        MonoTime start = station.Engine.Now;
        station.Send(neighbour);
        station.Take();
        station.RunTo(start + Duration.FromMilliseconds(7999));
        List<Frame> probes = station.Take();
        Assert.Equal(3, probes.Count);
        Assert.All(probes, probe => Assert.Equal(Station.Peer, probe.Destination));
        Assert.Equal(NudState.Probe, station.State(neighbour));
        station.RunTo(start + Duration.FromMilliseconds(8000));
        Assert.Equal(NudState.Failed, station.State(neighbour));
    }

    [Theory, MemberData(nameof(Families))]
    public void Progress_of_a_transport_confirms_without_a_probe(string text)
    {
        using Station station = new();
        IpAddress neighbour = IpAddress.Parse(text);
        station.Learn(neighbour);
        station.Run(60);
        station.Send(neighbour);
        station.Take();
        station.Run(1);
        station.Table.ConfirmReachability(neighbour);
        Assert.Equal(NudState.Reachable, station.State(neighbour));
        station.Run(10);
        Assert.Empty(station.Take());
    }

    [Fact]
    public void A_confirmation_does_not_make_an_entry()
    {
        using Station station = new();
        station.Table.ConfirmReachability(Station.Peer4);
        station.Send(Station.Peer6);
        station.Table.ConfirmReachability(Station.Peer6);
        Assert.Equal(NudState.None, station.State(Station.Peer4));
        Assert.Equal(NudState.Incomplete, station.State(Station.Peer6));
    }

    [Fact]
    public void The_solicitation_comes_from_the_address_of_the_packet_that_waits()
    {
        using Station station = new();
        IpAddress second = IpAddress.Parse("198.51.100.1");
        station.Interface.AddAddress(new IpPrefix(second, 24));
        station.Send(Station.Peer4, source: second);
        Assert.Equal(second, Assert.Single(station.Take()).ArpSender);

        // A packet that is forwarded has a foreign source: an own address of the target's network takes its place.
        station.Send(IpAddress.Parse("198.51.100.9"), source: IpAddress.Parse("203.0.113.9"));
        Assert.Equal(second, Assert.Single(station.Take()).ArpSender);
    }

    [Fact]
    public void Groups_and_broadcasts_need_no_entry()
    {
        using Station station = new();
        station.Send(IpAddress.Parse("239.129.2.3"), 1);
        station.Send(IpAddress.Parse("ff02::1:2"), 2);
        station.Send(IpAddress.BroadcastIpv4, 3);
        station.Send(IpAddress.Parse("192.0.2.255"), 4);
        List<Frame> frames = station.Take();
        Assert.Equal(0x0100_5E01_0203UL, frames[0].Destination.Value);
        Assert.Equal(0x3333_0001_0002UL, frames[1].Destination.Value);
        Assert.Equal(MacAddress.Broadcast, frames[2].Destination);
        Assert.Equal(MacAddress.Broadcast, frames[3].Destination);
        Assert.Equal(0, station.Table.Count);
    }

    [Fact]
    public void A_permanent_entry_is_never_probed_and_never_changed()
    {
        using Station station = new();
        Assert.True(station.Table.SetPermanent(Station.Peer4, Station.Peer));
        station.Run(3600);
        station.Send(Station.Peer4, 1);
        Assert.Equal(Station.Peer, Assert.Single(station.Take()).Destination);
        station.Run(100);
        Assert.Empty(station.Take());
        station.InjectArp(ArpOperation.Reply, Station.Other, Station.Peer4, Station.Own, Station.Own4);
        Assert.Equal(new Neighbour(Station.Peer4, Station.Peer, NudState.Permanent, false), station.Table.Find(Station.Peer4));
    }
}

namespace Portico.Net.Tests.Neighbours;

/// <summary>Floods of the neighbour cache (RFC 6583): what is known keeps working, memory and traffic stay bounded.</summary>
public sealed class NeighbourExhaustionTests
{
    private static IpAddress Scanned(int i) => new(0x2001_0DB8_0000_0000, 0x1_0000_0000UL + (uint)i);

    [Fact]
    public void A_scan_of_the_subnet_leaves_known_neighbours_alone()
    {
        using Station station = new();
        station.Learn(Station.Peer6);
        station.Learn(Station.Peer4);
        for (int second = 0; second < 120; second++)
        {
            for (int i = 0; i < 1000; i++)
            {
                station.Send(Scanned((second * 1000) + i));
            }

            station.Link.Sent.Clear();
            station.Send(Station.Peer6, 1);
            station.Send(Station.Peer4, 2);
            Assert.Equal([1, 2], station.Take().Where(frame => !frame.IsSolicitation).Select(frame => frame.Mark));
            station.Run(1);
            foreach (Frame probe in station.Take().Where(frame => frame.Destination == Station.Peer))
            {
                station.Answer(probe.SolicitedAddress);
            }

            Assert.True(station.Table.Count <= station.Table.Options.gc_thresh3);
            Assert.True(station.Table.IncompleteCount <= station.Table.Options.gc_thresh2);
        }

        Assert.True(station[NeighbourCounter.IncompleteEvictions] > 0);
        station.Run(30);
        station.Send(Station.Peer6, 3);
        Assert.Contains(station.Take(), frame => frame.Mark == 3 && frame.Destination == Station.Peer);
    }

    [Fact]
    public void A_scan_does_not_turn_into_as_many_multicasts()
    {
        using Station station = new();
        for (int i = 0; i < 10_000; i++)
        {
            station.Send(Scanned(i));
        }

        Assert.Equal(station.Table.Options.solicit_burst, station.Take().Count);
        station.Run(10);
        Assert.InRange(station.Take().Count, 1, 10 * station.Table.Options.solicit_rate);
        Assert.True(station[NeighbourCounter.SolicitsLimited] > 9_000);
    }

    [Fact]
    public void Addresses_that_attackers_announce_do_not_displace_neighbours_in_use()
    {
        using Station station = new();
        station.Learn(Station.Peer6);
        for (int i = 0; i < 20_000; i++)
        {
            // Each claims to be a different neighbour that asks for this host.
            station.InjectIcmpv6(Station.Solicitation(Station.Own6, Station.Other), Scanned(i), Station.Own6, mac: Station.Other);
        }

        Assert.Equal(station.Table.Options.gc_thresh3, station.Table.Count);
        Assert.Equal(NudState.Reachable, station.State(Station.Peer6));
        Assert.True(station[NeighbourCounter.StaleEvictions] > 0);

        // And a newcomer still gets in.
        IpAddress newcomer = IpAddress.Parse("2001:db8::77");
        station.Link.Sent.Clear();
        station.Send(newcomer);
        Assert.True(Assert.Single(station.Take()).IsSolicitation);
        station.Answer(newcomer);
        Assert.Equal(NudState.Reachable, station.State(newcomer));
    }

    [Fact]
    public void A_table_full_of_neighbours_in_use_refuses_more_and_counts_it()
    {
        using Station station = new();
        station.Table.Options.gc_thresh3 = 20;
        for (byte host = 10; host < 30; host++)
        {
            station.Learn(IpAddress.FromIpv4(192, 0, 2, host));
        }

        station.Send(IpAddress.FromIpv4(192, 0, 2, 99));
        Assert.Equal(NudState.None, station.State(IpAddress.FromIpv4(192, 0, 2, 99)));
        Assert.Equal(1, station[NeighbourCounter.TableFulls]);
        Assert.Equal(0, station.Engine.Packets.Outstanding);

        // Once they are idle, they give way.
        station.Run(120);
        station.Send(IpAddress.FromIpv4(192, 0, 2, 99));
        Assert.Equal(NudState.Incomplete, station.State(IpAddress.FromIpv4(192, 0, 2, 99)));
    }

    [Fact]
    public void Unused_entries_are_collected_down_to_the_first_threshold()
    {
        using Station station = new();
        station.Table.Options.gc_thresh1 = 8;
        for (byte host = 10; host < 30; host++)
        {
            station.Learn(IpAddress.FromIpv4(192, 0, 2, host));
        }

        station.Run(30);
        Assert.Equal(20, station.Table.Count);
        station.Run(120);
        Assert.Equal(8, station.Table.Count);
        Assert.True(station[NeighbourCounter.PeriodicGcRuns] > 0);
    }

    [Fact]
    public void Failed_entries_go_first()
    {
        using Station station = new();
        station.Table.Options.gc_thresh3 = 4;
        station.Learn(IpAddress.FromIpv4(192, 0, 2, 10));
        station.Learn(IpAddress.FromIpv4(192, 0, 2, 11));
        station.Learn(IpAddress.FromIpv4(192, 0, 2, 12));
        station.Send(IpAddress.FromIpv4(192, 0, 2, 20));
        station.Run(100);
        Assert.Equal(NudState.Failed, station.State(IpAddress.FromIpv4(192, 0, 2, 20)));
        station.Send(IpAddress.FromIpv4(192, 0, 2, 21));
        Assert.Equal(NudState.None, station.State(IpAddress.FromIpv4(192, 0, 2, 20)));
        Assert.Equal(NudState.Stale, station.State(IpAddress.FromIpv4(192, 0, 2, 10)));
    }
}

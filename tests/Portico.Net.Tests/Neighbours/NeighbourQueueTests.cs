namespace Portico.Net.Tests.Neighbours;

public sealed class NeighbourQueueTests
{
    [Fact]
    public void Packets_go_out_in_the_order_in_which_they_waited()
    {
        using Station station = new();
        for (byte mark = 1; mark <= 5; mark++)
        {
            station.Send(Station.Peer6, mark);
        }

        Assert.Single(station.Take());
        station.Answer(Station.Peer6);
        Assert.Equal([1, 2, 3, 4, 5], station.Take().Select(frame => frame.Mark));
        Assert.Equal(0, station.Table.QueuedBytes);
    }

    [Fact]
    public void The_oldest_packet_gives_way_when_too_many_wait()
    {
        using Station station = new();
        station.Table.Options.unres_qlen = 3;
        for (byte mark = 1; mark <= 5; mark++)
        {
            station.Send(Station.Peer4, mark);
        }

        Assert.Equal(2, station[NeighbourCounter.UnresDiscards]);
        station.Take();
        station.Answer(Station.Peer4);
        Assert.Equal([3, 4, 5], station.Take().Select(frame => frame.Mark));
    }

    [Fact]
    public void The_oldest_packets_give_way_when_too_many_bytes_wait()
    {
        using Station station = new();
        station.Table.Options.unres_qlen_bytes = 3000;
        for (byte mark = 1; mark <= 3; mark++)
        {
            station.Send(Station.Peer4, mark, payload: 1200);
        }

        Assert.Equal(2440, station.Table.QueuedBytes);
        station.Take();
        station.Answer(Station.Peer4);
        Assert.Equal([2, 3], station.Take().Select(frame => frame.Mark));
    }

    [Fact]
    public void All_entries_together_hold_no_more_than_the_total()
    {
        using Station station = new();
        station.Table.Options.unres_qlen_bytes_total = 5000;
        for (byte host = 10; host < 30; host++)
        {
            station.Send(IpAddress.FromIpv4(192, 0, 2, host), payload: 1000);
        }

        Assert.InRange(station.Table.QueuedBytes, 4000, 5000);
        Assert.Equal(16, station[NeighbourCounter.UnresDiscards]);
    }

    [Fact]
    public void A_packet_after_the_answer_does_not_overtake_what_waited()
    {
        using Station station = new();
        station.Send(Station.Peer4, 1);
        station.Take();
        station.Answer(Station.Peer4);
        station.Send(Station.Peer4, 2);
        Assert.Equal([1, 2], station.Take().Select(frame => frame.Mark));
    }
}

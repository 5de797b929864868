using Portico.Net;

namespace Portico.Net.Tests.Tcp.Recovery;

/// <summary>Loss detection by time and its reordering window (RFC 8985 6).</summary>
public class RackTests
{
    private static WatchedSender WithTenInFlight(Action<TcpSettings>? configure = null)
    {
        WatchedSender sender = new(configure: configure);
        sender.Write(10_000);
        Assert.Equal("1:10001", sender.Sent());
        sender.After(100);
        return sender;
    }

    [Fact]
    public void Three_sacked_segments_make_the_ones_below_lost_at_once_while_no_reordering_was_seen()
    {
        using WatchedSender sender = WithTenInFlight();
        sender.Ack(1, 1001, 2001);
        sender.Ack(1, 1001, 3001);
        Assert.Equal("Disorder", sender.State);
        Assert.Equal("", sender.Sent());
        sender.Ack(1, 1001, 4001);
        Assert.Equal("1:1001", sender.Sent());
        Assert.Equal("Recovery", sender.State);
        Assert.Equal(1u, sender.Info.Lost);
        Assert.Equal(1, sender.Count(TcpCounter.TCPSackRecovery));
        Assert.Equal(1, sender.Count(TcpCounter.TCPFastRetrans));
    }

    [Fact]
    public void Fewer_have_to_wait_a_quarter_of_the_least_round_trip_and_then_all_sent_before_are_lost()
    {
        using WatchedSender sender = WithTenInFlight();
        sender.Ack(1, 7001, 8001);
        Assert.InRange(sender.Wait(), 26.9, 27.3);
        Assert.Equal("1:1001", sender.Sent());
        Assert.Equal("Recovery", sender.State);
        Assert.Equal(7u, sender.Info.Lost);
        Assert.Equal(3u, sender.Info.Reordering);

        // In recovery nothing waits, and each SACK lets one go.
        sender.After(2);
        sender.Ack(1, 3001, 4001, 7001, 8001);
        Assert.Equal("1001:2001", sender.Sent());
        Assert.Equal(6u, sender.Info.Lost);
        Assert.Equal(5u, sender.Info.Reordering);
        Assert.Equal(1u, sender.Info.ReorderSeen);
    }

    [Fact]
    public void A_retransmission_that_is_lost_is_found_by_what_was_sent_after_it()
    {
        using WatchedSender sender = WithTenInFlight();
        sender.Write(10_000);
        sender.Ack(1, 1001, 4001);
        Assert.Equal("1:1001", sender.Sent());
        sender.After(10);
        sender.Ack(1, 1001, 9001);
        string sent = sender.Sent();
        Assert.StartsWith("10001:", sent, StringComparison.Ordinal);
        sender.After(100);
        sender.Ack(1, 1001, 11001);
        Assert.StartsWith("1:1001", sender.Sent(), StringComparison.Ordinal);
        Assert.Equal(1, sender.Count(TcpCounter.TCPLostRetransmit));
    }

    [Fact]
    public void Reordering_that_was_seen_delays_recovery_even_with_three_sacks()
    {
        using WatchedSender sender = WithTenInFlight();
        sender.Ack(1, 9001, 10001);
        sender.Ack(1, 3001, 4001, 9001, 10001);
        sender.Ack(10001);
        Assert.Equal(10u, sender.Info.Reordering);
        Assert.Equal(2u, sender.Info.ReorderSeen);
        sender.Write(10_000);
        sender.Sent();
        sender.After(100);
        sender.Ack(10001, 11001, 15001);
        Assert.Equal("", sender.Sent());
        Assert.InRange(sender.Wait(), 26.9, 27.3);
        Assert.Equal("10001:11001", sender.Sent());
    }

    [Fact]
    public void Each_round_trip_with_a_dsack_widens_the_reordering_window_by_a_quarter()
    {
        using WatchedSender sender = WithTenInFlight();
        sender.Ack(1, 9001, 10001);
        sender.Ack(1, 3001, 4001, 9001, 10001);
        sender.Ack(10001);
        sender.Write(4_000);
        sender.Sent();
        sender.After(100);
        sender.Ack(10001, 11001, 12001);
        Assert.InRange(sender.Wait(), 26.9, 27.3);
        Assert.Equal("10001:11001", sender.Sent());

        // The original comes late, then the duplicate is reported.
        sender.After(5);
        sender.Ack(14001);
        sender.After(60);
        sender.Ack(14001, 10001, 11001);
        Assert.Equal("Open", sender.State);
        Assert.Equal(1u, sender.Info.DsackDuplicates);
        Assert.Equal(1, sender.Count(TcpCounter.TCPDSACKUndo));
        sender.Write(4_000);
        sender.Sent();
        sender.After(100);
        sender.Ack(18001);
        sender.Write(4_000);
        sender.Sent();
        sender.After(100);
        sender.Ack(18001, 21001, 22001);
        Assert.InRange(sender.Wait(), 51.9, 52.3);
    }

    [Fact]
    public void A_first_sack_of_everything_but_the_hole_with_a_static_window_and_without_dupthresh_waits()
    {
        using WatchedSender sender = WithTenInFlight(settings => settings.tcp_recovery = 1 | 4);
        sender.Ack(1, 1001, 10001);
        Assert.Equal("", sender.Sent());
        Assert.InRange(sender.Wait(), 26.9, 27.3);
        Assert.Equal("1:1001", sender.Sent());
    }
}

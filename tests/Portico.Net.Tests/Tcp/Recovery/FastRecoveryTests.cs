using Portico.Net;

namespace Portico.Net.Tests.Tcp.Recovery;

/// <summary>Proportional rate reduction (RFC 9937), limited transmit (RFC 3042), undo (RFC 3522, RFC 3708).</summary>
public class FastRecoveryTests
{
    [Fact]
    public void While_as_much_is_in_flight_as_ssthresh_each_delivered_segment_lets_one_go()
    {
        using WatchedSender sender = new();
        sender.Write(10_000);
        sender.Sent();
        sender.After(110);
        sender.Ack(1, 1001, 2001);
        sender.Ack(1, 1001, 3001);
        sender.Ack(1, 1001, 4001);
        Assert.Equal("1:1001", sender.Sent());
        Assert.Equal(7u, sender.Info.SndCwnd);
        Assert.Equal(7u, sender.Info.SndSsThresh);
        sender.Write(7_000);
        for (uint i = 0; i < 6; i++)
        {
            sender.Ack(1, 1001, 5001 + (1000 * i));
            Assert.Equal($"{10001 + (1000 * i)}:{11001 + (1000 * i)}", sender.Sent());
        }

        sender.Ack(10001);
        Assert.Equal("16001:17001", sender.Sent());
        Assert.Equal("Open", sender.State);
        Assert.Equal(7u, sender.Info.SndCwnd);
    }

    [Fact]
    public void Below_ssthresh_an_ack_that_moves_forward_lets_two_go()
    {
        using WatchedSender sender = new(rttMillis: 10);
        sender.Write(20_000);
        sender.Sent();
        sender.After(10);
        string[] expected = ["10001:11001", "11001:12001", "1:1001", "1001:2001", "2001:3001", "3001:4001", "12001:13001", "13001:14001"];
        for (uint i = 0; i < 8; i++)
        {
            sender.Ack(1, 4001, 5001 + (1000 * i));
            Assert.Equal(expected[i], sender.Sent());
            sender.After(2);
        }

        sender.After(8);
        sender.Ack(1001, 4001, 12001);
        Assert.Equal("14001:16001", sender.Sent());
        sender.After(2);
        sender.Ack(1001, 2001, 12001);
        Assert.Equal("1001:2001 16001:17001", sender.Sent());
    }

    [Fact]
    public void Sacks_on_an_ack_that_was_overtaken_still_count()
    {
        using WatchedSender sender = new(rttMillis: 10);
        sender.Write(10_000);
        sender.Sent();
        sender.After(10);
        sender.Ack(1, 1001, 2001);
        sender.Ack(1, 1001, 3001);
        sender.Ack(1, 1001, 3001, 8001, 9001);
        Assert.Equal("1:1001", sender.Sent());
        sender.After(12);
        sender.Ack(4001, 8001, 9001);
        Assert.Equal("4001:7001", sender.Sent());
        sender.Write(10_000);
        sender.After(2);
        sender.Ack(3001, 5001, 7001);
        Assert.Equal("7001:8001 10001:11001", sender.Sent());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void The_first_two_duplicates_let_new_data_go(bool sack)
    {
        using WatchedSender sender = new(sack: sack);
        sender.Write(15_000);
        sender.Sent();
        sender.After(110);
        sender.Ack(1, sack ? [1001, 2001] : []);
        Assert.Equal("10001:11001", sender.Sent());
        sender.After(10);
        sender.Ack(1, sack ? [1001, 3001] : []);
        Assert.Equal("11001:12001", sender.Sent());
        sender.After(10);
        sender.Ack(3001);
        Assert.Equal("12001:14001", sender.Sent());
        Assert.Equal("Open", sender.State);
    }

    [Fact]
    public void Without_sack_the_third_duplicate_sends_the_first_segment_and_partial_acks_the_next()
    {
        using WatchedSender sender = new(sack: false);
        sender.Write(6_000);
        sender.Sent();
        sender.After(100);
        sender.Ack(1);
        sender.Ack(1);
        Assert.Equal("", sender.Sent());
        sender.Ack(1);
        Assert.Equal("1:1001", sender.Sent());
        Assert.Equal("Recovery", sender.State);
        sender.After(100);
        sender.Ack(3001);
        Assert.Equal("3001:4001", sender.Sent());
        sender.After(100);
        sender.Ack(6001);
        Assert.Equal("Recovery", sender.State);
        sender.Write(1_000);
        sender.After(100);
        sender.Ack(7001);
        Assert.Equal("Open", sender.State);
    }

    [Fact]
    public void A_dsack_for_all_that_was_sent_again_gives_the_window_back()
    {
        using WatchedSender sender = new();
        sender.Write(10_000);
        sender.Sent();
        sender.After(100);
        sender.Ack(1, 1001, 4001);
        Assert.Equal("1:1001", sender.Sent());
        sender.Ack(10001);
        Assert.Equal(7u, sender.Info.SndSsThresh);
        sender.After(100);
        sender.Ack(10001, 1, 1001);
        Assert.Equal(1, sender.Count(TcpCounter.TCPDSACKUndo));
        Assert.Equal(10u, sender.Info.SndCwnd);
        Assert.Equal(int.MaxValue, (int)sender.Info.SndSsThresh);
    }

    [Fact]
    public void An_echo_of_the_original_gives_the_window_back()
    {
        using WatchedSender sender = new(timestamps: true);
        sender.Write(9_880);
        sender.Sent();
        uint first = sender.TsEcr;
        sender.After(100);
        sender.Ack(1, 989, 3953);
        Assert.StartsWith("1:989", sender.Sent(), StringComparison.Ordinal);
        sender.TsEcr = first;
        sender.Ack(9881);
        Assert.Equal(1, sender.Count(TcpCounter.TCPFullUndo));
        Assert.Equal(17u, sender.Info.SndCwnd);
    }

    [Fact]
    public void A_peer_that_takes_sacks_back_gets_everything_again()
    {
        using WatchedSender sender = new();
        sender.Write(10_000);
        sender.Sent();
        sender.After(100);
        sender.Ack(1, 1001, 10001);
        Assert.Equal("1:1001", sender.Sent());
        sender.After(100);
        sender.Ack(1001);
        Assert.InRange(sender.Wait(), 49, 52);
        Assert.Equal("1001:2001", sender.Sent());
        Assert.Equal(1, sender.Count(TcpCounter.TCPSACKReneging));
        Assert.Equal(0u, sender.Info.Sacked);
    }

    [Fact]
    public void At_rest_nothing_of_a_flight_is_kept()
    {
        using WatchedSender sender = new();
        Assert.Equal(0, sender.Tcp.FlightCount);
        sender.Write(10_000);
        Assert.Equal(1, sender.Tcp.FlightCount);
        sender.After(100);
        sender.Ack(10001);
        Assert.Equal(0, sender.Tcp.FlightCount);
    }
}

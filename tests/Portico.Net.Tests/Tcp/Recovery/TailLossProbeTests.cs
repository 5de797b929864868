using Portico.Net;

namespace Portico.Net.Tests.Tcp.Recovery;

/// <summary>Tail loss probes (RFC 8985 7).</summary>
public class TailLossProbeTests
{
    [Fact]
    public void Two_round_trips_without_an_ack_send_the_last_segment_again_and_the_timeout_comes_after()
    {
        using WatchedSender sender = new();
        sender.Write(4_000);
        sender.Sent();
        Assert.InRange(sender.Wait(), 201.9, 202.3);
        Assert.Equal("3001:4001", sender.Sent());
        Assert.Equal(1, sender.Count(TcpCounter.TCPLossProbes));
        Assert.Equal("Open", sender.State);
        Assert.InRange(sender.Wait(), 299.9, 300.3);
        Assert.Equal("1:1001", sender.Sent());
        Assert.Equal("Loss", sender.State);
    }

    [Fact]
    public void A_lone_segment_is_given_the_time_of_a_delayed_ack()
    {
        using WatchedSender sender = new(rttMillis: 40);
        sender.Write(1_000);
        sender.Sent();

        // 2 * 40 + 200 is more than the retransmission timeout of 240.
        Assert.InRange(sender.Wait(), 239.9, 240.3);
        Assert.Equal("1:1001", sender.Sent());
        Assert.Equal(1, sender.Count(TcpCounter.TCPLossProbes));
    }

    [Fact]
    public void New_data_is_preferred_to_old()
    {
        using WatchedSender sender = new();
        sender.Write(12_000);
        Assert.Equal("1:10001", sender.Sent());
        sender.Wait();
        Assert.Equal("10001:11001", sender.Sent());
        Assert.Equal(1, sender.Count(TcpCounter.TCPLossProbes));
        Assert.Equal(0u, sender.Info.TotalRetrans);
    }

    [Fact]
    public void A_probe_that_repaired_the_tail_reduces_the_window()
    {
        using WatchedSender sender = new();
        sender.Write(4_000);
        sender.Sent();
        sender.Wait();
        Assert.Equal("3001:4001", sender.Sent());
        sender.After(100);
        sender.Ack(4001);
        sender.Write(1_000);
        sender.Sent();
        sender.After(100);
        sender.Ack(5001);
        Assert.Equal(1, sender.Count(TcpCounter.TCPLossProbeRecovery));
        Assert.Equal(7u, sender.Info.SndSsThresh);
        Assert.Equal(7u, sender.Info.SndCwnd);
    }

    [Fact]
    public void A_dsack_for_the_probe_shows_that_nothing_was_lost()
    {
        using WatchedSender sender = new();
        sender.Write(4_000);
        sender.Sent();
        sender.Wait();
        sender.Sent();
        sender.Ack(4001);
        sender.After(100);
        sender.Ack(4001, 3001, 4001);
        sender.Write(1_000);
        sender.After(100);
        sender.Ack(5001);
        Assert.Equal(0, sender.Count(TcpCounter.TCPLossProbeRecovery));
        Assert.Equal(10u, sender.Info.SndCwnd);
    }

    [Fact]
    public void A_lost_tail_is_recovered_by_the_sack_of_the_probe()
    {
        using WatchedSender sender = new();
        sender.Write(4_000);
        sender.Sent();
        sender.Wait();
        Assert.Equal("3001:4001", sender.Sent());
        sender.After(101);
        sender.Ack(1, 3001, 4001);
        Assert.Equal("1:1001", sender.Sent());
        Assert.Equal(3u, sender.Info.Lost);
        Assert.Equal("Recovery", sender.State);
        Assert.Equal(0, sender.Count(TcpCounter.TCPTimeouts));
    }

    [Fact]
    public void None_are_sent_with_tcp_early_retrans_0_or_without_sack()
    {
        using WatchedSender off = new(configure: settings => settings.tcp_early_retrans = 0);
        off.Write(4_000);
        off.Sent();
        Assert.InRange(off.Wait(), 299.9, 300.3);
        Assert.Equal("1:1001", off.Sent());
        using WatchedSender without = new(sack: false);
        without.Write(4_000);
        without.Sent();
        Assert.InRange(without.Wait(), 299.9, 300.3);
        Assert.Equal("1:1001", without.Sent());
    }
}

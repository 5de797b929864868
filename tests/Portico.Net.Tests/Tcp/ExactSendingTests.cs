using Portico.Net.Tests.Tcp.Recovery;

namespace Portico.Net.Tests.Tcp;

/// <summary>Where packets end and PSH stands, as in Linux.</summary>
public class ExactSendingTests
{
    [Fact]
    public void On_a_slow_path_packets_are_of_two_segments_and_each_has_psh()
    {
        using WatchedSender sender = new();
        sender.Write(10_000);
        Assert.Equal("1000 P1000 1000 P1000 1000 P1000 1000 P1000 1000 P1000", sender.Sizes());
    }

    [Fact]
    public void With_tcp_min_tso_segs_10_half_of_cwnd_goes_in_one_packet()
    {
        using WatchedSender sender = new(configure: settings => settings.tcp_min_tso_segs = 10);
        sender.Write(26_000);
        Assert.Equal("1000 1000 1000 1000 P1000 1000 1000 1000 1000 P1000", sender.Sizes());
        sender.After(100);
        sender.Ack(10001);
        Assert.Equal("1000 1000 1000 1000 1000 1000 1000 1000 1000 P1000 1000 1000 1000 1000 1000 P1000", sender.Sizes());
    }

    [Fact]
    public void Single_segments_have_psh_where_a_write_ends_or_half_a_window_was_queued()
    {
        using WatchedSender sender = new();
        sender.Window = 257;
        sender.Write(1_000);
        sender.After(100);
        sender.Ack(1001);
        sender.Write(1_000);
        sender.Sent();
        sender.Wait();
        sender.Sent();
        sender.Wait();
        sender.After(100);
        sender.Sent();
        sender.Ack(2001);
        Assert.Equal(2u, sender.Info.SndCwnd);
        sender.Write(200_000);
        Assert.Equal("1000 1000", sender.Sizes());
        sender.Ack(3001);
        Assert.Equal("1000 1000", sender.Sizes());
        sender.Ack(4001);
        Assert.Equal("1000 P1000", sender.Sizes());
    }

    [Fact]
    public void Nothing_is_appended_to_the_end_of_a_record()
    {
        using WatchedSender sender = new();
        sender.Write(10_400);
        sender.Write(400, TcpSendFlags.EndOfRecord);
        sender.Write(400, TcpSendFlags.EndOfRecord);
        sender.Write(2_000);
        sender.Sent();
        sender.After(1);
        sender.Ack(10001);
        Assert.Equal("P800 P400 1000 P1000", sender.Sizes());
    }

    [Fact]
    public void More_to_come_holds_a_short_rest_for_its_call_only()
    {
        using WatchedSender sender = new(rttMillis: 10);
        sender.Tcp.SetOption(sender.Handle, TcpOption.TCP_NODELAY, 1);
        sender.Write(40, TcpSendFlags.More);
        Assert.InRange(sender.Wait(), 209.9, 210.3);
        Assert.Equal("P40", sender.Sizes());
        sender.After(10);
        sender.Ack(41);
        sender.Write(3_100, TcpSendFlags.More);
        Assert.Equal("1000 P1000 1000", sender.Sizes());
        sender.Write(50, TcpSendFlags.More);
        Assert.Equal("", sender.Sizes());
        sender.Ack(2041);
        Assert.Equal("150", sender.Sizes());
        sender.Write(20, TcpSendFlags.More);
        sender.Write(20);
        Assert.Equal("P40", sender.Sizes());
    }

    [Fact]
    public void A_window_that_opens_little_by_little_waits_for_larger_packets_but_not_for_more_than_a_third()
    {
        using WatchedSender sender = new();
        sender.Write(30_000);
        sender.Sent();
        sender.After(105);
        sender.Ack(1001);
        string first = sender.Sent();
        sender.Ack(2001);
        sender.Ack(3001);
        sender.Ack(4001);
        Assert.NotEqual("", first + sender.Sent());
        Assert.Equal(14u, sender.Info.SndCwnd);
    }

    [Fact]
    public void Cwnd_grows_only_to_twice_what_was_in_flight()
    {
        using WatchedSender sender = new();
        sender.Write(9_000);
        sender.After(105);
        uint[] expected = [12, 14, 16, 18];
        for (uint i = 0; i < 4; i++)
        {
            sender.Ack(2001 + (2000 * i));
            Assert.Equal(expected[i], sender.Info.SndCwnd);
        }

        sender.Ack(9001);
        Assert.Equal(18u, sender.Info.SndCwnd);
    }

    [Fact]
    public void After_idle_time_a_window_begins_again_and_half_of_it_in_one_packet()
    {
        using WatchedSender sender = new(configure: settings => (settings.tcp_min_tso_segs, settings.tcp_slow_start_after_idle) = (10, true));
        sender.Write(10_000);
        sender.After(100);
        sender.Ack(10001);
        sender.Write(20_000);
        sender.After(100);
        sender.Ack(30001);
        Assert.Equal(40u, sender.Info.SndCwnd);
        sender.Sent();
        sender.After(2000);
        sender.Write(20_000);
        Assert.Equal("30001:40001", sender.Sent());
        Assert.Equal(10u, sender.Info.SndCwnd);
    }

    [Fact]
    public void The_time_that_the_peers_window_holds_the_sender_back_is_told()
    {
        using WatchedSender sender = new();
        sender.Window = 0;
        sender.Ack(1);
        sender.Write(1_000);
        sender.After(100);
        sender.Window = 100;
        sender.Ack(1);
        Assert.InRange(sender.Info.WindowLimitedMicros, 99_000u, 101_000u);
        sender.After(30);
        sender.Ack(1001);
        Assert.InRange(sender.Info.WindowLimitedMicros, 99_000u, 101_000u);
        Assert.InRange(sender.Info.BusyMicros, 129_000u, 131_000u);
        sender.After(30);
        Assert.InRange(sender.Info.BusyMicros, 129_000u, 131_000u);
    }

    [Fact]
    public void Packets_are_counted_and_not_super_segments()
    {
        using WatchedSender sender = new(rttMillis: 0);
        long before = sender.Count(TcpCounter.OutSegs);
        sender.Write(10_000);
        Assert.Equal(10, sender.Count(TcpCounter.OutSegs) - before);
        Assert.Equal(10u, sender.Info.DataSegsOut);
    }
}

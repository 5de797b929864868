using Portico.Net;

namespace Portico.Net.Tests.Tcp.Recovery;

/// <summary>Retransmission timeouts, and finding out that they were spurious (RFC 5682, RFC 3522).</summary>
public class TimeoutTests
{
    private static WatchedSender AfterTimeout(bool sack = true, bool timestamps = false, int bytes = 10_000, Action<TcpSettings>? configure = null)
    {
        WatchedSender sender = new(sack: sack, timestamps: timestamps, configure: settings =>
        {
            settings.tcp_early_retrans = 0;
            configure?.Invoke(settings);
        });
        sender.Write(bytes);
        sender.Sent();
        Assert.InRange(sender.Wait(), 299.9, 300.3);
        Assert.StartsWith("1:", sender.Sent(), StringComparison.Ordinal);
        Assert.Equal("Loss", sender.State);
        Assert.Equal(1u, sender.Info.SndCwnd);
        return sender;
    }

    [Fact]
    public void A_real_one_goes_into_slow_start_and_repairs_everything()
    {
        using WatchedSender sender = AfterTimeout();
        Assert.Equal(10u, sender.Info.Lost);
        sender.After(100);
        sender.Ack(1001);
        Assert.Equal("1001:3001", sender.Sent());
        sender.After(100);
        sender.Ack(3001);
        Assert.Equal("3001:7001", sender.Sent());
        sender.After(100);
        sender.Ack(10001);
        Assert.Equal("Open", sender.State);
        Assert.Equal(7u, sender.Info.SndSsThresh);
        Assert.Equal(0, sender.Count(TcpCounter.TCPSpuriousRTOs));
    }

    [Fact]
    public void The_sack_of_a_segment_sent_once_shows_it_was_spurious_and_gives_the_window_back()
    {
        using WatchedSender sender = AfterTimeout();
        sender.Ack(1, 1001, 2001);
        Assert.Equal("Open", sender.State == "Disorder" ? "Open" : sender.State);
        Assert.Equal(1, sender.Count(TcpCounter.TCPSpuriousRTOs));
        Assert.Equal(10u, sender.Info.SndCwnd);
        Assert.Equal(int.MaxValue, (int)sender.Info.SndSsThresh);
    }

    [Fact]
    public void An_ack_of_the_first_segment_tries_new_data_and_the_next_of_old_data_shows_it_was_spurious()
    {
        using WatchedSender sender = AfterTimeout(bytes: 20_000);
        sender.After(5);
        sender.Ack(1001);
        Assert.Equal("10001:12001", sender.Sent());
        Assert.Equal("Loss", sender.State);
        sender.After(5);
        sender.Ack(2001);
        Assert.Equal(1, sender.Count(TcpCounter.TCPSpuriousRTOs));
        Assert.Equal("Open", sender.State);
        Assert.InRange(sender.Info.SndCwnd, 10u, 12u);
    }

    [Fact]
    public void A_sack_of_the_new_data_shows_it_was_real()
    {
        using WatchedSender sender = AfterTimeout(bytes: 20_000);
        sender.After(100);
        sender.Ack(1001);
        Assert.Equal("10001:12001", sender.Sent());
        sender.After(100);
        sender.Ack(1001, 10001, 11001);
        Assert.StartsWith("1001:2001", sender.Sent(), StringComparison.Ordinal);
        Assert.Equal("Loss", sender.State);
        Assert.Equal(0, sender.Count(TcpCounter.TCPSpuriousRTOs));
    }

    [Fact]
    public void Without_sack_two_acks_that_move_forward_show_it_was_spurious()
    {
        using WatchedSender sender = AfterTimeout(sack: false, bytes: 20_000);
        sender.After(5);
        sender.Ack(1001);
        Assert.Equal("10001:12001", sender.Sent());
        sender.After(5);
        sender.Ack(2001);
        Assert.Equal(1, sender.Count(TcpCounter.TCPSpuriousRTOs));
    }

    [Fact]
    public void An_echoed_time_before_the_retransmission_gives_the_window_back()
    {
        using WatchedSender sender = AfterTimeout(timestamps: true);
        sender.TsEcr -= 300;
        sender.Ack(1001);
        Assert.Equal(1, sender.Count(TcpCounter.TCPLossUndo));
        Assert.Equal("Open", sender.State);
        Assert.InRange(sender.Info.SndCwnd, 10u, 11u);
    }

    [Fact]
    public void With_tcp_frto_0_everything_is_sent_again()
    {
        using WatchedSender sender = AfterTimeout(bytes: 20_000, configure: settings => settings.tcp_frto = 0);
        sender.After(5);
        sender.Ack(1001);
        Assert.Equal("1001:3001", sender.Sent());
    }

    [Fact]
    public void A_timeout_does_not_mark_what_went_out_lately()
    {
        using WatchedSender sender = new(configure: settings => settings.tcp_early_retrans = 0);
        sender.Write(1_000);
        sender.After(100);
        sender.Ack(1001);
        sender.Write(2_000);
        sender.After(250);
        sender.Write(2_000);
        sender.Sent();
        sender.Wait();
        Assert.Equal("1001:2001", sender.Sent());
        Assert.Equal(2u, sender.Info.Lost);
    }

    [Fact]
    public void Thin_streams_may_repeat_without_back_off()
    {
        using WatchedSender sender = AfterTimeout(bytes: 1_000, configure: settings => settings.tcp_thin_linear_timeouts = true);
        Assert.InRange(sender.Wait(), 299.9, 300.3);
    }

    [Fact]
    public void Timeouts_are_counted_with_the_time_that_recovering_took()
    {
        using WatchedSender sender = AfterTimeout();
        sender.Wait();
        sender.Sent();
        sender.After(100);
        sender.Ack(10001);
        TcpInfo info = sender.Info;
        Assert.Equal(2, info.TotalRto);
        Assert.Equal(1, info.TotalRtoRecoveries);
        Assert.InRange(info.TotalRtoMillis, 699u, 702u);
    }
}

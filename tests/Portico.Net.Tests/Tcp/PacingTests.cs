using Portico.Net.Tests.Tcp.Recovery;

namespace Portico.Net.Tests.Tcp;

/// <summary>Packets that leave at the connection's pace, and BBR, which lives by it.</summary>
public class PacingTests
{
    [Fact]
    public void With_fq_a_window_is_spread_over_half_a_round_trip_in_slow_start_behind_the_first_ten_segments()
    {
        using WatchedSender sender = new(mss: 1460, configure: settings => settings.fq = true);
        sender.Write(40_000);
        Assert.Equal("1:14601", sender.Sent());
        sender.After(105);
        sender.Ack(2921);
        Assert.Equal("14601:17521", sender.Sent());
        sender.After(3);
        sender.Ack(5841);
        Assert.Equal("", sender.Sent());
        Assert.InRange(sender.Wait(), 1, 1.6);
        Assert.Equal("17521:20441", sender.Sent());
        sender.After(1);
        sender.Ack(8761);
        Assert.InRange(sender.Wait(), 5, 8);
        Assert.Equal("20441:23361", sender.Sent());
    }

    [Fact]
    public void Bbr_starts_at_almost_three_windows_a_round_trip_and_is_not_slowed_by_a_loss()
    {
        using WatchedSender sender = new(configure: settings => settings.tcp_congestion_control = TcpCongestion.Bbr);
        Assert.InRange(sender.Info.PacingRate, 270_000u, 300_000u);
        sender.Write(10_000);
        sender.After(100);
        sender.Ack(5001);
        uint before = sender.Info.SndCwnd;
        sender.Ack(5001, 6001, 10001);
        sender.Sent();
        sender.After(100);
        sender.Ack(10001);
        Assert.Equal("Open", sender.State);
        Assert.InRange(sender.Info.SndCwnd, before - 1, before + 10);
        Assert.Equal(TcpCongestion.Bbr, sender.Info.Congestion);
    }
}

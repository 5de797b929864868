namespace Portico.Net.Tests.Tcp;

/// <summary>How far a receive buffer grows by itself.</summary>
public sealed class ReceiveBufferTests
{
    private const int ShortPathMax = 512 * 1024;

    [Fact]
    public void On_a_short_path_it_stays_within_its_own_limit() =>
        Assert.InRange(GrownTo(Duration.FromMilliseconds(1), ShortPathMax), 256 * 1024, ShortPathMax);

    [Fact]
    public void On_a_short_path_it_grows_as_on_any_other_where_no_limit_is_set() =>
        Assert.InRange(GrownTo(Duration.FromMilliseconds(1), int.MaxValue), ShortPathMax + 1, 6 << 20);

    [Fact]
    public void On_a_long_path_it_grows_to_what_a_round_trip_takes() =>
        Assert.InRange(GrownTo(Duration.FromMilliseconds(20), ShortPathMax), ShortPathMax + 1, 6 << 20);

    private static int GrownTo(Duration delay, int shortPathMax)
    {
        using TcpPair pair = new(
            mtu: 9000, impairment: new Impairment { Delay = delay }, configureB: settings => settings.ShortPathReceiveBufferMax = shortPathMax);
        (TcpHandle client, TcpHandle server) = pair.Connect();
        pair.Transfer(pair.A, client, pair.B, server, 32 << 20, Duration.FromSeconds(600), chunk: 1 << 20);
        Assert.Equal(Errno.None, pair.B.Tcp.GetOption(server, TcpOption.SO_RCVBUF, out int bytes));
        return bytes;
    }
}

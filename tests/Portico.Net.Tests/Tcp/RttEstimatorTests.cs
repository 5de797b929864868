namespace Portico.Net.Tests.Tcp;

public class RttEstimatorTests
{
    [Fact]
    public void Before_the_first_sample_the_timeout_is_one_second()
    {
        RttEstimator rtt = RttEstimator.Initial;
        Assert.False(rtt.HasSample);
        Assert.Equal(1_000_000, rtt.RtoMicros);
    }

    // RFC 6298 2.2: SRTT = R, RTTVAR = R/2, RTO = SRTT + 4 RTTVAR.
    [Fact]
    public void The_first_sample_sets_the_timeout_to_three_times_itself()
    {
        RttEstimator rtt = default;
        rtt.Sample(300_000, 1, 1000);
        Assert.Equal(300_000, rtt.SrttMicros);
        Assert.Equal(150_000, rtt.RttVarMicros);
        Assert.Equal(900_000, rtt.RtoMicros);
    }

    [Fact]
    public void The_variance_counts_for_at_least_200_milliseconds()
    {
        RttEstimator rtt = default;
        uint una = 0;
        for (int i = 0; i < 1000; i++)
        {
            rtt.Sample(50, una, una + 10);
            una += 11;
        }

        Assert.Equal(50, rtt.SrttMicros);
        Assert.Equal(200_050, rtt.RtoMicros);
    }

    [Fact]
    public void A_steady_path_brings_the_timeout_down_to_the_round_trip_and_200_milliseconds()
    {
        RttEstimator rtt = default;
        uint una = 0;
        for (int i = 0; i < 100; i++)
        {
            rtt.Sample(500_000, una, una + 10);
            una += 11;
        }

        Assert.Equal(500_000, rtt.SrttMicros);
        Assert.InRange(rtt.RtoMicros, 700_000, 700_010);
    }

    [Fact]
    public void The_variance_grows_at_once_and_decays_once_per_round_trip()
    {
        RttEstimator rtt = default;
        rtt.Sample(100_000, 1, 1000);
        Assert.Equal(300_000, rtt.RtoMicros);
        rtt.Sample(500_000, 500, 2000);
        int raised = rtt.RtoMicros;

        // srtt = 100 + 400/8; four times the deviation = 200 + (400 - 50).
        Assert.Equal(150_000 + 550_000, raised);
        for (int i = 0; i < 50; i++)
        {
            rtt.Sample(150_000, 900, 2000);
        }

        // No round trip has ended (SND.UNA has not passed the mark at 1000): the variance has not decayed.
        Assert.Equal(150_000 + 550_000, rtt.RtoMicros);
        rtt.Sample(150_000, 1001, 2000);
        Assert.Equal(150_000 + 550_000, rtt.RtoMicros);
        rtt.Sample(150_000, 2001, 3000);
        Assert.Equal(150_000 + 550_000 - ((550_000 - 200_000) / 4), rtt.RtoMicros);
    }

    [Fact]
    public void A_sudden_improvement_does_not_raise_the_timeout_much()
    {
        RttEstimator up = default;
        RttEstimator down = default;
        up.Sample(1_000_000, 1, 1000);
        down.Sample(1_000_000, 1, 1000);
        for (uint i = 1; i < 40; i++)
        {
            up.Sample(1_000_000, i * 2000, (i * 2000) + 1000);
            down.Sample(1_000_000, i * 2000, (i * 2000) + 1000);
        }

        int before = up.RtoMicros;
        up.Sample(1_900_000, 1, 1);
        down.Sample(100_000, 1, 1);
        Assert.True(up.RtoMicros - before > 600_000);
        Assert.True(down.RtoMicros < before + 20_000);
    }

    [Fact]
    public void The_timeout_is_never_more_than_two_minutes()
    {
        RttEstimator rtt = default;
        rtt.Sample(int.MaxValue, 1, 1000);
        rtt.Sample(int.MaxValue, 1001, 2000);
        rtt.Sample(1, 2001, 3000);
        rtt.Sample(int.MaxValue, 3001, 4000);
        Assert.Equal(120_000_000, rtt.RtoMicros);
    }

    [Fact]
    public void The_least_round_trip_is_forgotten_after_five_minutes()
    {
        MinRttFilter filter = default;
        Assert.Equal(0u, filter.Micros);
        uint start = uint.MaxValue - 100_000;
        Assert.Equal(5_000u, filter.Sample(5_000, start));
        for (uint second = 1; second <= 300; second++)
        {
            Assert.Equal(5_000u, filter.Sample(second == 200 ? 7_000 : 9_000u, start + (second * 1000)));
        }

        Assert.Equal(7_000u, filter.Sample(9_000, start + 301_000));
        Assert.Equal(7_000u, filter.Sample(9_000, start + 499_000));
        Assert.Equal(9_000u, filter.Sample(9_000, start + 501_000));
        Assert.Equal(3_000u, filter.Sample(3_000, start + 502_000));
    }
}

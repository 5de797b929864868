namespace Portico.Net.Tests.Tcp;

public unsafe class CongestionTests
{
    /// <summary>A sender whose packets are acknowledged one by one, each a round trip after it was sent, spread over the round.</summary>
    private sealed class Flow
    {
        private readonly TcpCongestion _algorithm;
        private readonly uint _acksPer;
        private CongestionState _state;
        private uint _sndUna;

        public CongestionContext Context;

        public Flow(TcpCongestion algorithm, uint cwnd, int rttMillis, uint packetsPerAck = 1)
        {
            _algorithm = algorithm;
            _acksPer = packetsPerAck;
            RttMicros = rttMillis * 1000;
            Context = new CongestionContext
            {
                Cwnd = cwnd,
                SsThresh = CongestionContext.SsThreshInfinite,
                CwndClamp = uint.MaxValue,
                HystartDetect = 3,
                SndNxt = 1,
            };
            Congestion.Initialize(algorithm, ref _state, ref Context);
        }

        public int RttMicros { get; set; }

        public double Seconds => Context.Now.Nanoseconds / 1e9;

        public ref CongestionState State => ref _state;

        public void Round()
        {
            uint packets = Context.Cwnd;
            MonoTime start = Context.Now;
            Context.SndNxt += packets * 1460;
            for (uint acked = 0; acked < packets; acked += _acksPer)
            {
                Context.Acked = Math.Min(_acksPer, packets - acked);
                _sndUna += Context.Acked * 1460;
                Context.Now = start + Duration.FromMicroseconds((long)RttMicros * (acked + 1) / packets);
                RttSample sample = new()
                {
                    RttMicros = (uint)RttMicros,
                    Cwnd = Context.Cwnd,
                    SsThresh = Context.SsThresh,
                    SndUna = _sndUna,
                    SndNxt = Context.SndNxt,
                    Mss = 1460,
                    SrttMicros = RttMicros,
                    HystartDetect = Context.HystartDetect,
                    Now = Context.Now,
                };
                if (Congestion.TakeRtt(_algorithm, ref _state, sample.Now, sample.RttMicros) && Context.InSlowStart && !_state.ExitFound
                    && Congestion.OnSlowStartSample(_algorithm, ref _state, in sample) != HystartExit.None)
                {
                    Context.SsThresh = Context.Cwnd;
                }

                Congestion.CongestionAvoid(_algorithm, ref _state, ref Context);
            }

            Context.Now = start + Duration.FromMicroseconds(RttMicros);
        }

        public void Lose()
        {
            Context.PriorCwnd = Context.Cwnd;
            Context.SsThresh = Congestion.SsThresh(_algorithm, ref _state, ref Context);
            Context.Cwnd = Context.SsThresh;
        }

        public void Notify(CongestionEvent what) => Congestion.OnCwndEvent(_algorithm, ref _state, ref Context, what);

        public uint Undo() => Congestion.UndoCwnd(_algorithm, ref _state, ref Context);
    }

    [Fact]
    public void The_state_fits_in_64_bytes() => Assert.InRange(sizeof(CongestionState), 1, 64);

    [Theory]
    [InlineData(TcpCongestion.Reno)]
    [InlineData(TcpCongestion.Cubic)]
    public void Slow_start_doubles_the_window_each_round_trip(TcpCongestion algorithm)
    {
        Flow flow = new(algorithm, 2, 100);
        for (uint expected = 4; expected <= 16; expected *= 2)
        {
            flow.Round();
            Assert.Equal(expected, flow.Context.Cwnd);
        }
    }

    [Fact]
    public void Slow_start_ends_at_the_threshold_and_the_rest_counts_for_linear_growth()
    {
        Flow flow = new(TcpCongestion.Reno, 10, 100);
        flow.Context.SsThresh = 12;
        flow.Context.Acked = 5;
        Congestion.CongestionAvoid(TcpCongestion.Reno, ref flow.State, ref flow.Context);
        Assert.Equal(12u, flow.Context.Cwnd);
        Assert.Equal(3u, flow.Context.CwndCount);
    }

    [Theory]
    [InlineData(1u)]
    [InlineData(2u)]
    [InlineData(44u)]
    public void Reno_grows_by_a_packet_each_round_trip(uint packetsPerAck)
    {
        Flow flow = new(TcpCongestion.Reno, 20, 100, packetsPerAck);
        flow.Lose();
        Assert.Equal(10u, flow.Context.Cwnd);
        for (int i = 0; i < 100; i++)
        {
            flow.Round();
        }

        Assert.InRange(flow.Context.Cwnd, 108u, 110u);
    }

    [Fact]
    public void Reno_halves_but_not_below_two()
    {
        Flow flow = new(TcpCongestion.Reno, 9, 10);
        flow.Lose();
        Assert.Equal(4u, flow.Context.Cwnd);
        Assert.Equal(9u, flow.Undo());
        flow.Lose();
        flow.Lose();
        Assert.Equal(2u, flow.Context.Cwnd);
    }

    [Theory]
    [InlineData(TcpCongestion.Reno)]
    [InlineData(TcpCongestion.Cubic)]
    public void No_window_passes_its_clamp(TcpCongestion algorithm)
    {
        Flow flow = new(algorithm, 10, 100);
        flow.Context.CwndClamp = 15;
        flow.Round();
        Assert.Equal(15u, flow.Context.Cwnd);
    }

    // RFC 9438 4.2: W(t) = C (t - K)^3 + W_max, K = cbrt(W_max (1 - beta) / C), and the target is that of one round trip ahead.
    [Theory]
    [InlineData(1000u, 100)]
    [InlineData(5000u, 50)]
    [InlineData(400u, 200)]
    public void Cubic_follows_its_function(uint wMax, int rttMillis)
    {
        Flow flow = new(TcpCongestion.Cubic, wMax, rttMillis);
        flow.Lose();
        Assert.InRange(flow.Context.Cwnd, (wMax * 0.7) - 1, wMax * 0.7002);
        double k = Math.Cbrt(wMax * 0.3 / 0.4);
        double begin = flow.Seconds;
        while (flow.Seconds - begin < 2 * k)
        {
            flow.Round();
            double t = flow.Seconds - begin;
            double expected = (0.4 * Math.Pow(t - k, 3)) + wMax;
            double next = (0.4 * Math.Pow(t + (rttMillis / 1e3) - k, 3)) + wMax;
            Assert.InRange(flow.Context.Cwnd, (expected * 0.98) - 2, (next * 1.02) + 2);
        }

        Assert.True(flow.Context.Cwnd > wMax * 1.25);
    }

    // RFC 9438 4.3: on short paths W_est grows by 3 (1 - beta) / (1 + beta) packets each round trip, which is more than the function.
    [Fact]
    public void Cubic_is_no_slower_than_Reno_would_be_on_a_short_path()
    {
        Flow flow = new(TcpCongestion.Cubic, 100, 5);
        flow.Lose();
        uint begin = flow.Context.Cwnd;
        const int Rounds = 100;
        for (int i = 0; i < Rounds; i++)
        {
            flow.Round();
        }

        double expected = begin + (Rounds * 3 * 0.3 / 1.7);
        Assert.InRange(flow.Context.Cwnd, expected * 0.95, expected * 1.05);
    }

    [Fact]
    public void Fast_convergence_lowers_the_plateau_of_a_flow_that_loses_below_its_last_one()
    {
        Flow flow = new(TcpCongestion.Cubic, 1000, 100);
        flow.Lose();
        Assert.Equal(1000u, flow.State.WMax);
        flow.Lose();
        Assert.Equal(700u * 1741 / 2048, flow.State.WMax);
        Assert.Equal(490u, flow.Context.Cwnd);
        Assert.Equal(700u, flow.Undo());
    }

    [Fact]
    public void Idle_time_does_not_grow_the_window()
    {
        Flow flow = new(TcpCongestion.Cubic, 1000, 100);
        flow.Lose();
        for (int i = 0; i < 10; i++)
        {
            flow.Round();
        }

        uint before = flow.Context.Cwnd;
        flow.Context.LastSent = flow.Context.Now;
        flow.Context.Now += Duration.FromSeconds(60);
        flow.Notify(CongestionEvent.TransmitStart);
        flow.Round();
        Assert.InRange(flow.Context.Cwnd, before, before + 30);
    }

    [Fact]
    public void A_timeout_forgets_the_plateau()
    {
        Flow flow = new(TcpCongestion.Cubic, 1000, 100);
        flow.Lose();
        flow.Round();
        flow.Notify(CongestionEvent.Loss);
        Assert.Equal(0u, flow.State.WMax);
        Assert.Equal(0u, flow.State.EpochStart);
    }

    [Fact]
    public void Slow_start_ends_when_round_trips_grow_by_an_eighth()
    {
        // Acknowledgments 4 ms apart are no train.
        Flow flow = new(TcpCongestion.Cubic, 10, 100);
        flow.Round();
        flow.RttMicros = 117_000;
        for (int i = 0; i < 3 && flow.Context.InSlowStart; i++)
        {
            flow.Round();
        }

        Assert.True(flow.State.ExitFound);
        Assert.InRange(flow.Context.SsThresh, 20u, 60u);
    }

    [Fact]
    public void Slow_start_ends_when_an_acknowledgment_train_fills_half_the_path()
    {
        Flow flow = new(TcpCongestion.Cubic, 10, 100);
        for (int i = 0; i < 10 && flow.Context.InSlowStart; i++)
        {
            flow.Round();
        }

        Assert.True(flow.State.ExitFound);
        Assert.InRange(flow.Context.SsThresh, 40u, 200u);
    }

    [Theory]
    [InlineData(0UL, 0u)]
    [InlineData(1UL, 1u)]
    [InlineData(7UL, 1u)]
    [InlineData(8UL, 2u)]
    [InlineData(26UL, 2u)]
    [InlineData(27UL, 3u)]
    [InlineData(1_000_000_000_000UL, 10_000u)]
    [InlineData(999_999_999_999UL, 9_999u)]
    [InlineData(ulong.MaxValue, 2_642_245u)]
    public void The_cube_root_is_rounded_down(ulong value, uint root) => Assert.Equal(root, Cubic.CubeRoot(value));
}

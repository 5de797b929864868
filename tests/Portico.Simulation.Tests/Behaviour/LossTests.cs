using Portico.Net;
using Xunit.Abstractions;

namespace Portico.Simulation.Tests.Behaviour;

/// <summary>What loss and reordering cost a flow.</summary>
public sealed class LossTests(ITestOutputHelper output)
{
    private const int Mss = 1448;

    public static TheoryData<TcpCongestion> Algorithms => [.. Enum.GetValues<TcpCongestion>()];

    /// <summary>
    /// The law of the square root (Mathis et al. 1997): with loss p a flow of Reno gets MSS / RTT * sqrt(3/2) / sqrt(p). CUBIC has no
    /// less (RFC 9438 4.3), BBR does not go by loss.
    /// </summary>
    [Theory]
    [MemberData(nameof(Algorithms))]
    public void Goodput_at_1_percent_loss_and_100_ms(TcpCongestion congestion)
    {
        double law = Mss * 8 / 0.1 * Math.Sqrt(1.5) / Math.Sqrt(0.01) / 1e6;
        double sum = 0;
        const int Seeds = 5;
        for (ulong seed = 1; seed <= Seeds; seed++)
        {
            using Bottleneck path = new($"loss-{congestion}", seed, Bottleneck.Of(100_000_000, 100, 1, with => with.Loss = 0.01));
            BulkTransfer flow = path.Add(congestion, bytes: 10_000_000);
            Assert.True(path.World.RunUntil(() => flow.IsDone, Duration.FromSeconds(300)));
            sum += flow.GoodputMegabits;
            output.WriteLine(
                $"{congestion}, seed {seed}: {flow.GoodputMegabits:0.00} Mbit/s, {flow.GoodputMegabits / law:0.00} of the law; {path[TcpCounter.RetransSegs]} segments again, {path[TcpCounter.TCPTimeouts]} timeouts");
        }

        Assert.True(sum / Seeds > 0.7 * law, $"{sum / Seeds:0.00} Mbit/s, where the law has {law:0.00}");
    }

    /// <summary>RFC 6675 and RFC 9937: SACK tells all holes, and the segments that fill them leave within the round trip in which they show.</summary>
    [Theory]
    [MemberData(nameof(Algorithms))]
    public void A_burst_of_losses_is_repaired_in_one_round_trip_without_a_timeout(TcpCongestion congestion)
    {
        Duration roundTrip = Duration.FromMilliseconds(50);
        for (ulong seed = 1; seed <= 5; seed++)
        {
            using Bottleneck path = new($"burst-{congestion}", seed, Bottleneck.Of(50_000_000, 50, 4));
            BulkTransfer flow = path.Add(congestion, bytes: 8_000_000);
            World world = path.World;
            long Lost() => path.Link.Forward!.Counters[ImpairmentCounter.LossDrops];

            // The path is in use, below its rate: then it loses all for a while.
            Assert.True(world.RunUntil(() => flow.Info.SndCwnd >= 60, Duration.FromSeconds(5)));
            world.RunFor(Duration.FromMilliseconds((long)seed));
            path.Link.Forward!.Settings.Loss = 1;
            Assert.True(world.RunUntil(() => Lost() >= 10, Duration.FromSeconds(1)));
            path.Link.Forward!.Settings.Loss = 0;
            Assert.True(world.RunUntil(() => path[TcpCounter.RetransSegs] > 0, Duration.FromSeconds(1)));
            Duration first = world.Now;
            Assert.True(world.RunUntil(() => flow.Info is { CaState: 0, Lost: 0 }, Duration.FromSeconds(2)));
            Duration took = world.Now - first;
            output.WriteLine($"{congestion}, seed {seed}: {Lost()} segments lost, recovered {took.Microseconds / 1000.0:0.0} ms after the first was sent again");
            Assert.InRange(Lost(), 10, 60);
            Assert.Equal(Lost(), path[TcpCounter.RetransSegs]);
            Assert.Equal(0, path[TcpCounter.TCPTimeouts]);

            // Sent again within one round trip; the last one's acknowledgment takes the other.
            Assert.True(took < roundTrip * 2, $"recovery took {took}");
            Assert.True(world.RunUntil(() => flow.IsDone, Duration.FromSeconds(60)));
        }
    }

    /// <summary>RFC 8985 6.2.4: the reordering window grows until what is late is no longer taken for lost.</summary>
    [Theory]
    [MemberData(nameof(Algorithms))]
    public void Five_percent_reordering_does_not_make_it_collapse(TcpCongestion congestion)
    {
        for (ulong seed = 1; seed <= 3; seed++)
        {
            double without = Run(0, seed, out _), with = Run(0.05, seed, out long again);
            output.WriteLine($"{congestion}, seed {seed}: {with:0.0} Mbit/s with, {without:0.0} without reordering; {again} segments again");
            Assert.True(with > 0.5 * without, $"{with:0.0} Mbit/s with reordering, {without:0.0} without");
        }

        double Run(double reorder, ulong seed, out long again)
        {
            using Bottleneck path = new($"reorder-{congestion}", seed, Bottleneck.Of(50_000_000, 40, 2, with =>
            {
                with.Reorder = reorder;
                with.ReorderDelay = Duration.FromMilliseconds(4);
            }));
            BulkTransfer flow = path.Add(congestion, bytes: 20_000_000);
            Assert.True(path.World.RunUntil(() => flow.IsDone, Duration.FromSeconds(120)));
            again = path[TcpCounter.RetransSegs];
            Assert.Equal(0, path[TcpCounter.TCPTimeouts]);
            return flow.GoodputMegabits;
        }
    }
}

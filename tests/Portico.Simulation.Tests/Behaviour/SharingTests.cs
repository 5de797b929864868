using Portico.Net;
using Xunit.Abstractions;

namespace Portico.Simulation.Tests.Behaviour;

/// <summary>How flows share a bottleneck: by Jain's index, (sum x)^2 / (n sum x^2), which is 1 for equal shares and 1/n for one winner.</summary>
public sealed class SharingTests(ITestOutputHelper output)
{
    private const long Rate = 20_000_000;
    private const int Seeds = 3;

    private static double Jain(IReadOnlyCollection<double> shares) =>
        shares.Sum() * shares.Sum() / (shares.Count * shares.Sum(s => s * s));

    /// <summary>Bytes of each flow in the last two thirds of a minute, of which the first third is for finding the balance.</summary>
    private static List<double> Shares(string name, ulong seed, double queueRoundTrips, params TcpCongestion[] flows)
    {
        using Bottleneck path = new(name, seed, Bottleneck.Of(Rate, 40, queueRoundTrips));
        for (int i = 0; i < flows.Length; i++)
        {
            // Seeds differ in when the flows begin: a link without chance has no other.
            path.Add(flows[i], startAt: Duration.FromMilliseconds(path.World.Random.NextBelow(5_000)));
        }

        path.World.RunFor(Duration.FromSeconds(20));
        long[] before = [.. path.Flows.Select(f => f.Received)];
        path.World.RunFor(Duration.FromSeconds(40));
        return [.. path.Flows.Select((f, i) => (f.Received - before[i]) * 8 / 40.0)];
    }

    public static TheoryData<TcpCongestion> Algorithms => [.. Enum.GetValues<TcpCongestion>()];

    [Theory]
    [MemberData(nameof(Algorithms))]
    public void Flows_of_one_kind_get_equal_shares_and_leave_nothing_unused(TcpCongestion congestion)
    {
        for (ulong seed = 1; seed <= Seeds; seed++)
        {
            List<double> shares = Shares($"sharing-{congestion}", seed, 1, [.. Enumerable.Repeat(congestion, 4)]);
            output.WriteLine($"{congestion}, seed {seed}: Jain's index {Jain(shares):0.000}, {string.Join(" + ", shares.Select(s => $"{s / 1e6:0.00}"))} Mbit/s");

            // BBR, version 1, keeps what a flow that came first has measured for long.
            Assert.InRange(Jain(shares), congestion == TcpCongestion.Bbr ? 0.75 : 0.85, 1);
            Assert.InRange(shares.Sum(), Rate * 0.85, Rate);
        }
    }

    [Fact]
    public void Flows_of_all_kinds_live_beside_each_other()
    {
        TcpCongestion[] kinds = Enum.GetValues<TcpCongestion>();
        for (ulong seed = 1; seed <= Seeds; seed++)
        {
            List<double> shares = Shares("sharing-all", seed, 2, kinds);
            output.WriteLine($"seed {seed}: Jain's index {Jain(shares):0.000}, {string.Join(" + ", shares.Select((s, i) => $"{kinds[i]} {s / 1e6:0.00}"))} Mbit/s");
            Assert.InRange(Jain(shares), 0.6, 1);
            Assert.All(shares, s => Assert.True(s > Rate / kinds.Length * 0.2));
            Assert.InRange(shares.Sum(), Rate * 0.85, Rate);
        }
    }
}

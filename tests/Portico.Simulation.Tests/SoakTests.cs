namespace Portico.Simulation.Tests;

/// <summary>The short version of the soak; <c>Portico.Bench soak</c> runs as many seeds as one likes.</summary>
public class SoakTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(51)]
    [InlineData(101)]
    [InlineData(151)]
    public void Fifty_seeds_of_random_traffic_over_faulty_links_deliver_every_byte_and_leave_nothing_behind(int first)
    {
        List<string> failures = [];
        for (int seed = first; seed < first + 50; seed++)
        {
            SoakOptions options = new() { BytesMax = 3_000_000 };
            SoakResult result = seed % 10 == 0 ? SoakRun.RunTwice((ulong)seed, options) : SoakRun.Run((ulong)seed, options);
            if (result.Failure != null)
            {
                failures.Add($"seed {seed}: {result.Failure}");
            }
        }

        Assert.True(failures.Count == 0, string.Join('\n', failures));
    }

    [Theory]
    [InlineData(29, "the path MTU that a router reported was not taken up")]
    [InlineData(158, "an abandoned connection gave up at the first ICMP error on a slow path")]
    public void Seeds_that_once_failed_do_not_fail_again(int seed, string what)
    {
        SoakResult result = SoakRun.Run((ulong)seed, new SoakOptions { UsesFeatures = false });
        Assert.True(result.Failure == null, $"{what}: {result.Failure}");
    }

    [Theory]
    [InlineData(133, "BBR was chosen by an option for a connection that CUBIC had begun, before its handshake was complete")]
    [InlineData(300, "what was corked lay in more pieces than a packet has room for, and no probe ever sent it")]
    [InlineData(3007, "a window clamp below a segment kept the window closed once the buffer had grown")]
    [InlineData(8077, "segments that a larger MSS made fewer were still counted as SACKed where there is no SACK")]
    [InlineData(27045, "segments that a smaller path MTU marked as lost were counted as SACKed, too, where there is no SACK")]
    [InlineData(908, "a FIN that overtook one byte was believed to return a SYN cookie")]
    public void Seeds_with_all_features_that_once_failed_do_not_fail_again(int seed, string what)
    {
        SoakResult result = SoakRun.Run((ulong)seed, new SoakOptions { UsesLaterFeatures = false });
        Assert.True(result.Failure == null, $"{what}: {result.Failure}");
    }

    [Theory]
    [InlineData(6168, "duplicates were still counted for segments that had become lost, where there is no SACK")]
    [InlineData(7626, "the same")]
    public void Seeds_with_later_features_that_once_failed_do_not_fail_again(int seed, string what)
    {
        SoakResult result = SoakRun.Run((ulong)seed);
        Assert.True(result.Failure == null, $"{what}: {result.Failure}");
    }
}

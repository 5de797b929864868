namespace Portico.Net.Tests.Links;

/// <summary>The same seed does the same to the same traffic, whatever the timing.</summary>
public class ImpairmentSeedTests
{
    private const int Segment = 1000;

    private static uint[] LostOf(ImpairedLink path, IEnumerable<uint> sent) =>
        [.. sent.Except(path.FarEnd.Numbers().Select(n => (uint)n))];

    private static IEnumerable<uint> Data(uint first, int count) => Enumerable.Range(0, count).Select(i => first + (uint)(i * Segment));

    private static uint[] Transfer(
        ulong seed, Action<ImpairedLink, int>? between = null, uint isn = 1000, int port = 40000, Impairment? impairment = null)
    {
        using ImpairedLink path = new(impairment ?? new Impairment { Loss = 0.1 }, seed: seed);
        path.Send(ImpairedLink.Tcp(isn, 0, port, flags: 0x02));
        foreach (uint sequence in Data(isn + 1, 500))
        {
            path.Send(ImpairedLink.Tcp(sequence, Segment, port));
            between?.Invoke(path, (int)((sequence - isn) / Segment));
        }

        path.Run(Duration.FromSeconds(10));
        return [.. LostOf(path, Data(isn + 1, 500)).Select(s => s - isn)];
    }

    [Fact]
    public void A_seed_loses_the_same_segments_and_another_seed_loses_others()
    {
        uint[] lost = Transfer(3);
        Assert.InRange(lost.Length, 30, 75);
        Assert.Equal(lost, Transfer(3));
        Assert.NotEqual(lost, Transfer(4));
    }

    [Fact]
    public void Neither_the_initial_sequence_number_nor_the_ephemeral_port_matters() =>
        Assert.Equal(Transfer(3), Transfer(3, isn: 0xFFFF_FF00, port: 51234));

    [Fact]
    public void Acknowledgements_and_retransmissions_shift_nothing() => Assert.Equal(
        Transfer(3),
        Transfer(3, (path, i) =>
        {
            if (i % 3 == 0)
            {
                path.Send(ImpairedLink.Tcp(1001, 0));
            }

            if (i % 7 == 0)
            {
                path.Send(ImpairedLink.Tcp(1001, 500));
            }

            path.Run(Duration.FromMicroseconds(i));
        }));

    [Fact]
    public void Other_flows_shift_nothing_however_they_mix() => Assert.Equal(
        Transfer(3),
        Transfer(3, (path, i) =>
        {
            path.Send(ImpairedLink.Tcp((uint)i, 1, 40001));
            path.Send(ImpairedLink.Udp(-1));
            if (i % 2 == 0)
            {
                path.Send(ImpairedLink.Tcp((uint)i, 1, 40002, to: ImpairedLink.Elsewhere));
            }
        }));

    [Fact]
    public void What_else_is_set_shifts_nothing() => Assert.Equal(
        Transfer(3),
        Transfer(3, impairment: new Impairment
        {
            Loss = 0.1, Duplicate = 0.2, Jitter = Duration.FromMilliseconds(3), Reorder = 0.1, RateBitsPerSecond = 50_000_000,
        }));

    [Fact]
    public void The_directions_and_the_flows_have_fates_of_their_own()
    {
        Impairment impairment = new() { Loss = 0.1 };
        using ImpairedLink path = new(impairment, new Impairment { Loss = 0.1 });
        for (int i = 0; i < 1000; i++)
        {
            path.Send(ImpairedLink.Udp(i));
            path.Receive(ImpairedLink.Udp(i, ImpairedLink.There, ImpairedLink.Here, 53, 40000));
            path.Run(Duration.FromMicroseconds(1));
        }

        int[] first = path.FarEnd.Numbers();
        Assert.NotEqual(first, path.NearEnd.Numbers());
        path.FarEnd.Received.Clear();
        for (int i = 0; i < 1000; i++)
        {
            path.Send(ImpairedLink.Udp(i, fromPort: 40001));
        }

        path.Run(Duration.FromSeconds(1));
        Assert.NotEqual(first, path.FarEnd.Numbers());
    }

    [Fact]
    public void A_five_tuple_that_is_used_again_is_a_new_flow()
    {
        using ImpairedLink path = new(new Impairment { Loss = 0.1 });
        uint[][] lost = new uint[2][];
        foreach (uint round in (uint[])[0, 1])
        {
            uint isn = 1000 + (round * 10_000_000);
            path.Send(ImpairedLink.Tcp(isn, 0, flags: 0x02));
            foreach (uint sequence in Data(isn + 1, 500))
            {
                path.Send(ImpairedLink.Tcp(sequence, Segment));
            }

            path.Run(Duration.FromSeconds(1));
            lost[round] = [.. LostOf(path, Data(isn + 1, 500)).Select(s => s - isn)];
        }

        Assert.InRange(lost[1].Length, 30, 75);
        Assert.NotEqual(lost[0], lost[1]);
        Assert.Equal(0, path.Link.FlowEvictions);
    }

    [Fact]
    public void The_flows_remembered_are_bounded_and_the_rate_holds_beyond_the_bound()
    {
        using ImpairedLink path = new(new Impairment { Loss = 0.1 }, flowsMax: 64);
        for (int i = 0; i < 20_000; i++)
        {
            path.Send(ImpairedLink.Udp(i, fromPort: 1024 + (i % 10_000)));
        }

        path.Run(Duration.FromSeconds(1));
        Assert.InRange(path.FarEnd.Received.Count, 17_800, 18_200);
        Assert.InRange(path.Link.FlowEvictions, 19_800, 19_936);
    }
}

namespace Portico.Net.Tests.Links;

/// <summary>What is measured is what was asked for, within 5 %, in each direction and for each destination by itself.</summary>
public class ImpairmentTruthTests
{
    private const int Count = 40_000;

    public enum Case
    {
        Outbound,
        Inbound,
        Rule,
    }

    /// <summary>Sends numbered datagrams through an impairment and returns the delay of each that arrived, by its number, in order.</summary>
    private static (int Number, Duration Delay)[] Measure(
        Case which, Impairment impairment, Duration pause, int count = Count, int payload = 72)
    {
        using ImpairedLink path = new(
            outbound: which == Case.Outbound ? impairment : new Impairment(),
            inbound: which == Case.Inbound ? impairment : new Impairment());
        if (which == Case.Rule)
        {
            path.SetRules(path.Rule(impairment, null, ImpairedLink.To("192.0.2.0/24", 53)));
        }

        MonoTime[] sent = new MonoTime[count];
        for (int i = 0; i < count; i++)
        {
            sent[i] = path.Engine.Now;
            if (which == Case.Inbound)
            {
                path.Receive(ImpairedLink.Udp(i, ImpairedLink.There, ImpairedLink.Here, 53, 40000, payload));
            }
            else
            {
                path.Send(ImpairedLink.Udp(i, payload: payload));

                // Packets to somebody else meet nothing where only a rule does something.
                if (which == Case.Rule)
                {
                    path.Send(ImpairedLink.Udp(-1 - i, to: ImpairedLink.Elsewhere, payload: payload));
                }
            }

            path.Run(pause);
        }

        path.Run(Duration.FromSeconds(100));
        Recorder receiver = which == Case.Inbound ? path.NearEnd : path.FarEnd;
        (MonoTime Time, byte[] Bytes, ChecksumState Checksum, int GsoSize)[] own =
            [.. receiver.Received.Where(r => r.Bytes[^1] < 0x80)];
        Assert.Equal(which == Case.Rule ? count : 0, receiver.Received.Count - own.Length);
        return [.. own.Select(r =>
        {
            int number = BitConverter.ToInt32(r.Bytes.AsSpan()[^4..]);
            return (number, r.Time - sent[number]);
        })];
    }

    private static void AssertWithin5Percent(double asked, double measured) => Assert.InRange(measured, asked * 0.95, asked * 1.05);

    [Theory]
    [InlineData(Case.Outbound)]
    [InlineData(Case.Inbound)]
    [InlineData(Case.Rule)]
    public void Delay_is_what_was_asked_for(Case which)
    {
        Impairment impairment = new() { Delay = Duration.FromMilliseconds(50) };
        Assert.All(Measure(which, impairment, Duration.FromMilliseconds(1), 1000), p => Assert.Equal(50_000_000, p.Delay.Nanoseconds));
    }

    [Theory]
    [InlineData(Case.Outbound)]
    [InlineData(Case.Inbound)]
    [InlineData(Case.Rule)]
    public void Jitter_spreads_evenly_over_what_was_asked_for(Case which)
    {
        Impairment impairment = new() { Delay = Duration.FromMilliseconds(50), Jitter = Duration.FromMilliseconds(10) };
        double[] delays = [.. Measure(which, impairment, Duration.FromMilliseconds(25), 10_000).Select(p => p.Delay.Nanoseconds / 1e6)];
        AssertWithin5Percent(50, delays.Average());
        AssertWithin5Percent(40, delays.Min());
        AssertWithin5Percent(60, delays.Max());

        // The mean distance from the middle of an even spread of ±10 ms is 5 ms.
        AssertWithin5Percent(5, delays.Average(d => Math.Abs(d - 50)));
    }

    [Theory]
    [InlineData(Case.Outbound)]
    [InlineData(Case.Inbound)]
    [InlineData(Case.Rule)]
    public void Loss_is_what_was_asked_for(Case which)
    {
        int arrived = Measure(which, new Impairment { Loss = 0.1 }, Duration.FromMicroseconds(10)).Length;
        AssertWithin5Percent(0.1, (Count - arrived) / (double)Count);
    }

    [Theory]
    [InlineData(Case.Outbound)]
    [InlineData(Case.Inbound)]
    [InlineData(Case.Rule)]
    public void Duplicates_are_as_many_as_were_asked_for(Case which)
    {
        int arrived = Measure(which, new Impairment { Duplicate = 0.1 }, Duration.FromMicroseconds(10)).Length;
        AssertWithin5Percent(0.1, (arrived - Count) / (double)Count);
    }

    [Theory]
    [InlineData(Case.Outbound)]
    [InlineData(Case.Inbound)]
    [InlineData(Case.Rule)]
    public void As_many_packets_as_were_asked_for_are_overtaken(Case which)
    {
        Impairment impairment = new() { Reorder = 0.1, ReorderDelay = Duration.FromMicroseconds(15) };
        int[] numbers = [.. Measure(which, impairment, Duration.FromMicroseconds(10)).Select(p => p.Number)];
        int overtaken = 0;
        int highest = -1;
        foreach (int number in numbers)
        {
            overtaken += number < highest ? 1 : 0;
            highest = Math.Max(highest, number);
        }

        // A packet that is held back is not overtaken by one that is held back behind it.
        AssertWithin5Percent(0.1 * 0.9, overtaken / (double)Count);
        Assert.Equal(Count, numbers.Distinct().Count());
    }

    [Theory]
    [InlineData(Case.Outbound)]
    [InlineData(Case.Inbound)]
    [InlineData(Case.Rule)]
    public void As_many_packets_as_were_asked_for_have_a_bit_flipped(Case which)
    {
        Impairment impairment = new() { Corrupt = 0.1 };
        using ImpairedLink path = new(
            outbound: which == Case.Outbound ? impairment : new Impairment(),
            inbound: which == Case.Inbound ? impairment : new Impairment());
        if (which == Case.Rule)
        {
            path.SetRules(path.Rule(impairment, null, ImpairedLink.To("192.0.2.0/24", 53)));
        }

        byte[] whole = which == Case.Inbound
            ? ImpairedLink.Udp(1, ImpairedLink.There, ImpairedLink.Here, 53, 40000)
            : ImpairedLink.Udp(1);
        for (int i = 0; i < Count; i++)
        {
            if (which == Case.Inbound)
            {
                path.Receive(whole);
            }
            else
            {
                path.Send(whole);
            }

            path.Run(Duration.FromMicroseconds(10));
        }

        Recorder receiver = which == Case.Inbound ? path.NearEnd : path.FarEnd;
        Assert.Equal(Count, receiver.Received.Count);
        AssertWithin5Percent(0.1, receiver.Received.Count(r => !whole.AsSpan().SequenceEqual(r.Bytes)) / (double)Count);
    }

    [Theory]
    [InlineData(Case.Outbound)]
    [InlineData(Case.Inbound)]
    [InlineData(Case.Rule)]
    public void The_rate_is_what_was_asked_for(Case which)
    {
        // 1,000 bytes every 500 µs are 16 Mbit/s, into 10 Mbit/s with a queue of 100.
        Impairment impairment = new() { RateBitsPerSecond = 10_000_000, QueuePacketsMax = 100 };
        (int Number, Duration Delay)[] arrived = Measure(which, impairment, Duration.FromMicroseconds(500), 20_000, 972);
        AssertWithin5Percent(20_000 * 10 / 16.0, arrived.Length);
        AssertWithin5Percent(101 * 0.8, arrived[^1].Delay.Nanoseconds / 1e6);
    }
}

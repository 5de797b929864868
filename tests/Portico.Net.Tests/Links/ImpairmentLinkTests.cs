namespace Portico.Net.Tests.Links;

public class ImpairmentLinkTests
{
    private sealed class Path : IDisposable
    {
        public Path(Impairment outbound, ulong seed = 7, CableOptions? cable = null)
        {
            Engine = new Engine();
            Cable cableUnderTest = new(Engine, cable);
            Link = new ImpairmentLink(Engine, cableUnderTest.A, seed, outbound);
            Receiver = new Recorder(Engine);
            Link.Attach(new Recorder(Engine));
            cableUnderTest.B.Attach(Receiver);
            FarEnd = cableUnderTest.B;
        }

        public Engine Engine { get; }

        public ImpairmentLink Link { get; }

        public Recorder Receiver { get; }

        public CableEnd FarEnd { get; }

        public MibTable<ImpairmentCounter> Counters => Link.Outbound.Counters;

        public void Send(int number, int length = 100) => Link.Transmit(LinkFixture.Numbered(Engine, number, length));

        public void Run(Duration time) => LinkFixture.RunUntil(Engine, Engine.Now + time);

        public void Dispose()
        {
            Assert.Equal(0, Engine.Packets.Outstanding);
            Assert.Equal(0, Engine.Blocks.BytesInUse);
            Engine.Dispose();
        }
    }

    private static int[] Survivors(Impairment impairment, ulong seed, int count = 20_000)
    {
        using Path path = new(impairment, seed);
        for (int i = 0; i < count; i++)
        {
            path.Send(i);
            path.Run(Duration.FromMicroseconds(10));
        }

        path.Run(Duration.FromSeconds(10));
        return path.Receiver.Numbers();
    }

    [Fact]
    public void Without_settings_nothing_happens_and_no_time_passes()
    {
        using Path path = new(new Impairment());
        path.Send(1);
        path.Send(2);
        path.Engine.Advance(MonoTime.Zero);
        Assert.Equal([1, 2], path.Receiver.Numbers());
        Assert.All(path.Receiver.Received, r => Assert.Equal(MonoTime.Zero, r.Time));
    }

    [Fact]
    public void Uniform_loss_has_the_wanted_rate()
    {
        int survived = Survivors(new Impairment { Loss = 0.1 }, 3).Length;
        Assert.InRange(survived, 18_000 - 200, 18_000 + 200);
    }

    [Fact]
    public void The_same_seed_loses_the_same_packets_whatever_else_is_set()
    {
        int[] first = Survivors(new Impairment { Loss = 0.05 }, 11, 5_000);
        Assert.Equal(first, Survivors(new Impairment { Loss = 0.05 }, 11, 5_000));
        Assert.NotEqual(first, Survivors(new Impairment { Loss = 0.05 }, 12, 5_000));
        Impairment busy = new()
        {
            Loss = 0.05, Delay = Duration.FromMilliseconds(3), Duplicate = 0.1, Jitter = Duration.FromMilliseconds(2),
        };
        Assert.Equal(first, Survivors(busy, 11, 5_000).Distinct());
    }

    [Fact]
    public void Burst_loss_has_the_mean_burst_and_rate_of_its_chain()
    {
        const int Count = 100_000;
        int[] survivors = Survivors(new Impairment { BurstLoss = new GilbertElliott(0.01, 0.25) }, 5, Count);
        int lost = Count - survivors.Length;
        int bursts = survivors.Zip(survivors.Skip(1)).Count(pair => pair.Second != pair.First + 1);

        // Stationary share of the bad state: p / (p + r) = 0.03846; mean burst 1 / r = 4.
        Assert.InRange(lost / (double)Count, 0.035, 0.042);
        Assert.InRange(lost / (double)bursts, 3.7, 4.3);
    }

    [Fact]
    public void Delay_is_exact()
    {
        using Path path = new(new Impairment { Delay = Duration.FromMilliseconds(40) });
        path.Send(1);
        path.Run(Duration.FromMilliseconds(1));
        path.Send(2);
        Assert.Equal(2, path.Link.Outbound.InFlightPackets);
        path.Run(Duration.FromSeconds(1));
        Assert.Equal(
            [LinkFixture.At(Duration.FromMilliseconds(40)), LinkFixture.At(Duration.FromMilliseconds(41))],
            path.Receiver.Received.Select(r => r.Time));
        Assert.Equal(0, path.Link.Outbound.InFlightPackets);
    }

    [Fact]
    public void The_two_directions_are_set_by_themselves()
    {
        using Engine engine = new();
        Cable cable = new(engine);
        ImpairmentLink link = new(engine, cable.A, 1, inbound: new Impairment { Delay = Duration.FromMilliseconds(5) });
        Recorder near = new(engine), far = new(engine);
        link.Attach(near);
        cable.B.Attach(far);
        link.Transmit(LinkFixture.Numbered(engine, 1));
        cable.B.Transmit(LinkFixture.Numbered(engine, 2));
        LinkFixture.RunUntil(engine, LinkFixture.At(Duration.FromSeconds(1)));
        Assert.Equal(MonoTime.Zero, far.Received[0].Time);
        Assert.Equal(LinkFixture.At(Duration.FromMilliseconds(5)), near.Received[0].Time);
    }

    [Fact]
    public void Jitter_stays_in_its_range_and_keeps_the_order_unless_told_otherwise()
    {
        Impairment impairment = new() { Delay = Duration.FromMilliseconds(40), Jitter = Duration.FromMilliseconds(20) };
        using Path path = new(impairment);
        for (int i = 0; i < 1000; i++)
        {
            path.Send(i);
            path.Run(Duration.FromMilliseconds(100));
        }

        long[] delays = [.. path.Receiver.Received.Select((r, i) => r.Time.Nanoseconds - (i * 100_000_000L))];
        Assert.All(delays, d => Assert.InRange(d, 20_000_000, 60_000_000));
        Assert.InRange(delays.Average(), 39_000_000, 41_000_000);
        path.Receiver.Received.Clear();
        for (int i = 0; i < 1000; i++)
        {
            path.Send(i);
            path.Run(Duration.FromMilliseconds(1));
        }

        path.Run(Duration.FromSeconds(1));
        Assert.Equal(Enumerable.Range(0, 1000), path.Receiver.Numbers());
        path.Receiver.Received.Clear();
        impairment.JitterReorders = true;
        for (int i = 0; i < 1000; i++)
        {
            path.Send(i);
            path.Run(Duration.FromMilliseconds(1));
        }

        path.Run(Duration.FromSeconds(1));
        Assert.NotEqual(Enumerable.Range(0, 1000), path.Receiver.Numbers());
        Assert.Equal(Enumerable.Range(0, 1000), path.Receiver.Numbers().Order());
    }

    [Fact]
    public void A_reordered_packet_is_overtaken_by_those_sent_while_it_is_held_back()
    {
        using Path path = new(new Impairment { Reorder = 1, ReorderGap = 5, ReorderDelay = Duration.FromMilliseconds(3) });
        for (int i = 1; i <= 10; i++)
        {
            path.Send(i);
            path.Run(Duration.FromMilliseconds(2));
        }

        path.Run(Duration.FromMilliseconds(10));
        Assert.Equal([1, 2, 3, 4, 6, 5, 7, 8, 9, 10], path.Receiver.Numbers());
        Assert.Equal(2, path.Counters[ImpairmentCounter.Reordered]);
    }

    [Fact]
    public void A_duplicate_follows_its_original_and_shares_no_memory_with_it()
    {
        using Path path = new(new Impairment { Duplicate = 1 });
        path.Receiver.Keep = true;
        path.Send(1);
        path.Engine.Advance(MonoTime.Zero);
        Assert.Equal([1, 1], path.Receiver.Numbers());
        path.Receiver.Kept[0].Linear.Clear();
        byte[] second = path.Receiver.Kept[1].Linear.ToArray();
        Assert.Equal(path.Receiver.Received[1].Bytes, second);
        path.Receiver.Kept.ForEach(p => p.Release());
    }

    [Fact]
    public void Corruption_flips_exactly_one_bit_and_leaves_shared_blocks_alone()
    {
        using Path path = new(new Impairment { Corrupt = 1 });
        byte[] original = new byte[100];
        LinkFixture.Numbered(path.Engine, 9).Release();
        for (int i = 0; i < 200; i++)
        {
            Packet packet = LinkFixture.Numbered(path.Engine, 9);
            packet.CopyTo(original);
            packet.Checksum = ChecksumState.Verified;
            path.Link.Transmit(packet);
        }

        path.Engine.Advance(MonoTime.Zero);
        Assert.All(path.Receiver.Received, r =>
        {
            int flipped = r.Bytes.Zip(original).Sum(pair => System.Numerics.BitOperations.PopCount((uint)(pair.First ^ pair.Second)));
            Assert.Equal(1, flipped);
            Assert.Equal(ChecksumState.Unverified, r.Checksum);
        });
        Assert.Equal(200, path.Counters[ImpairmentCounter.Corrupted]);
        Assert.True(path.Receiver.Received.Select(r => Convert.ToHexString(r.Bytes)).Distinct().Count() > 150);
    }

    [Fact]
    public void Corruption_spares_link_headers_and_what_is_not_IP()
    {
        using Path path = new(new Impairment { Corrupt = 1 }, cable: new CableOptions { Kind = LinkKind.Ethernet });
        for (int i = 0; i < 100; i++)
        {
            path.Link.Transmit(LinkFixture.Frame(path.Engine, 0x0200_0000_0001, 0x0200_0000_0002, 5));
        }

        Packet arp = LinkFixture.Frame(path.Engine, 0x0200_0000_0001, 0x0200_0000_0002, 6);
        arp.Linear[13] = 0x06;
        byte[] arpBytes = arp.Linear.ToArray();
        path.Link.Transmit(arp);
        path.Engine.Advance(MonoTime.Zero);
        Assert.All(path.Receiver.Received, r => Assert.Equal("020000000001020000000002", Convert.ToHexString(r.Bytes, 0, 12)));
        Assert.Equal(arpBytes, path.Receiver.Received[^1].Bytes);
        Assert.Equal(100, path.Counters[ImpairmentCounter.Corrupted]);
    }

    [Fact]
    public void A_super_segment_that_cannot_be_cut_is_dropped_where_it_would_be_corrupted()
    {
        using Path path = new(new Impairment { Corrupt = 1 });
        Packet packet = LinkFixture.Numbered(path.Engine, 1, 5000);
        packet.GsoSize = 1000;
        path.Link.Transmit(packet);
        path.Engine.Advance(MonoTime.Zero);
        Assert.Empty(path.Receiver.Received);
        Assert.Equal(1, path.Counters[ImpairmentCounter.Corrupted]);
    }

    [Fact]
    public void The_rate_is_exact_to_the_nanosecond()
    {
        // 1,000 packets of 1,500 bytes at 7 Mbit/s: 12,000 bits take 1,714,285.714 ns.
        using Path path = new(new Impairment { RateBitsPerSecond = 7_000_000 });
        for (int i = 0; i < 1000; i++)
        {
            path.Send(i, 1500);
        }

        path.Run(Duration.FromSeconds(10));
        Assert.Equal(Enumerable.Range(0, 1000), path.Receiver.Numbers());
        Assert.Equal(1_714_285, path.Receiver.Received[0].Time.Nanoseconds);
        Assert.Equal(12_000L * 1_000_000_000 * 1000 / 7_000_000, path.Receiver.Received[^1].Time.Nanoseconds);
    }

    [Fact]
    public void Delay_comes_on_top_of_the_rate()
    {
        using Path path = new(new Impairment { RateBitsPerSecond = 1_000_000, Delay = Duration.FromMilliseconds(10) });
        path.Send(1, 125);
        path.Send(2, 125);
        path.Run(Duration.FromSeconds(1));
        Assert.Equal([11_000_000L, 12_000_000], path.Receiver.Received.Select(r => r.Time.Nanoseconds));
    }

    [Theory]
    [InlineData(10, long.MaxValue, 11)]
    [InlineData(1000, 5000, 6)]
    public void The_queue_is_bounded_and_drops_its_tail(int packetsMax, long bytesMax, int expected)
    {
        Impairment impairment = new() { RateBitsPerSecond = 8_000, QueuePacketsMax = packetsMax, QueueBytesMax = bytesMax };
        using Path path = new(impairment);
        for (int i = 0; i < 100; i++)
        {
            path.Send(i, 1000);
        }

        Assert.Equal(expected, path.Link.Outbound.QueuedPackets);
        Assert.Equal((expected - 1) * 1000, path.Link.Outbound.QueuedBytes);
        path.Run(Duration.FromSeconds(1000));
        Assert.Equal(Enumerable.Range(0, expected), path.Receiver.Numbers());
        Assert.Equal(100 - expected, path.Counters[ImpairmentCounter.QueueDrops]);
        Assert.Equal(0, path.Link.Outbound.QueuedPackets);
    }

    [Fact]
    public void Settings_change_while_packets_wait()
    {
        Impairment impairment = new() { RateBitsPerSecond = 8_000 };
        using Path path = new(impairment);
        for (int i = 0; i < 5; i++)
        {
            path.Send(i, 1000);
        }

        path.Run(Duration.FromMilliseconds(1500));
        Assert.Single(path.Receiver.Received);
        impairment.RateBitsPerSecond = 0;
        path.Run(Duration.FromMilliseconds(1000));
        Assert.Equal(5, path.Receiver.Received.Count);
        Assert.All(path.Receiver.Received.Skip(1), r => Assert.Equal(2_000_000_000, r.Time.Nanoseconds));
        impairment.Loss = 1;
        path.Send(9);
        path.Run(Duration.FromMilliseconds(1));
        Assert.Equal(5, path.Receiver.Received.Count);
    }

    [Fact]
    public void A_shorter_delay_does_not_reorder()
    {
        Impairment impairment = new() { Delay = Duration.FromMilliseconds(10) };
        using Path path = new(impairment);
        path.Send(1);
        impairment.Delay = Duration.Zero;
        path.Send(2);
        path.Run(Duration.FromMilliseconds(20));
        path.Send(3);
        path.Run(Duration.FromMilliseconds(1));
        Assert.Equal([1, 2, 3], path.Receiver.Numbers());
        Assert.Equal([10_000_000L, 10_000_000, 20_000_000], path.Receiver.Received.Select(r => r.Time.Nanoseconds));
    }

    [Fact]
    public void Packets_under_way_are_bounded()
    {
        using Path path = new(new Impairment { Delay = Duration.FromSeconds(1), InFlightPacketsMax = 3 });
        for (int i = 0; i < 5; i++)
        {
            path.Send(i);
        }

        path.Run(Duration.FromSeconds(2));
        Assert.Equal([0, 1, 2], path.Receiver.Numbers());
        Assert.Equal(2, path.Counters[ImpairmentCounter.InFlightDrops]);
    }

    [Fact]
    public void Features_can_be_taken_away_but_not_added()
    {
        using Engine engine = new();
        Cable full = new(engine);
        Cable plain = new(engine, new CableOptions { Features = LinkFeatures.None });
        Assert.Equal(LinkFeatures.None, new ImpairmentLink(engine, full.A, 1, features: LinkFeatures.None).Features);
        Assert.Equal(LinkFeatures.None, new ImpairmentLink(engine, plain.A, 1, features: LinkFeatures.Tso4).Features);
        Assert.Equal(full.B.Features, new ImpairmentLink(engine, full.B, 1).Features);
    }

    [Fact]
    public void Every_packet_is_accounted_for()
    {
        using Path path = new(new Impairment
        {
            Loss = 0.1, BurstLoss = new GilbertElliott(0.02, 0.3), Duplicate = 0.1, Corrupt = 0.1, Reorder = 0.1,
            Delay = Duration.FromMilliseconds(5), Jitter = Duration.FromMilliseconds(9), JitterReorders = true,
            RateBitsPerSecond = 4_000_000, QueuePacketsMax = 20, InFlightPacketsMax = 15,
        });
        for (int i = 0; i < 20_000; i++)
        {
            path.Send(i, 200);
            path.Run(Duration.FromMicroseconds(380));
        }

        path.Run(Duration.FromSeconds(10));
        MibTable<ImpairmentCounter> c = path.Counters;
        Assert.Equal(
            c[ImpairmentCounter.InPackets] + c[ImpairmentCounter.Duplicated],
            c[ImpairmentCounter.OutPackets] + c[ImpairmentCounter.LossDrops] + c[ImpairmentCounter.QueueDrops]
                + c[ImpairmentCounter.InFlightDrops]);
        Assert.Equal(c[ImpairmentCounter.OutPackets], path.Receiver.Received.Count);
        Assert.All(Enumerable.Range(0, c.Count), i => Assert.True(c.At(i).Value > 0 || c.At(i).Name is "MemoryDrops" or "PartitionDrops" or "Marked", c.At(i).Name));
    }

    [Fact]
    public void Impairing_allocates_nothing_once_its_tables_have_grown()
    {
        using Path path = new(new Impairment
        {
            Loss = 0.1, Duplicate = 0.1, Corrupt = 0.1, Delay = Duration.FromMilliseconds(1), RateBitsPerSecond = 100_000_000,
        });
        path.FarEnd.Attach(new Sink());
        long least = long.MaxValue;
        for (int round = 0; round < 5; round++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < 1000; i++)
            {
                path.Send(i);
                path.Engine.Advance(path.Engine.Now + Duration.FromMicroseconds(20));
            }

            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        Assert.Equal(0, least);
        path.Run(Duration.FromSeconds(1));
    }

    private sealed class Sink : ILinkClient
    {
        public void HandleFrame(Packet packet) => packet.Release();
    }
}

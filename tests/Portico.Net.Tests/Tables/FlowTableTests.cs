using CsCheck;

namespace Portico.Net.Tests.Tables;

public class FlowTableTests
{
    private struct Wanted(uint value) : IFlowMatcher
    {
        public int Calls;

        public bool Matches(uint other)
        {
            Calls++;
            return other == value;
        }
    }

    private static uint Find(FlowTable table, ulong hash, uint value)
    {
        Wanted matcher = new(value);
        return table.Find(hash, ref matcher);
    }

    private static ulong HashOf(uint value) => SipHash.Hash(new SipKey(1, 2), BitConverter.GetBytes(value));

    [Fact]
    public void What_was_added_is_found_until_it_is_removed()
    {
        using FlowTable table = new();
        table.Add(HashOf(5), 5);
        Assert.Equal(5u, Find(table, HashOf(5), 5));
        Assert.Equal(0u, Find(table, HashOf(6), 6));
        Assert.False(table.Remove(HashOf(5), 6));
        Assert.True(table.Remove(HashOf(5), 5));
        Assert.False(table.Remove(HashOf(5), 5));
        Assert.Equal(0u, Find(table, HashOf(5), 5));
        Assert.Equal(0, table.Count);
    }

    [Fact]
    public void Entries_with_the_same_hash_are_told_apart_by_the_matcher()
    {
        using FlowTable table = new();
        for (uint value = 1; value <= 20; value++)
        {
            table.Add(ulong.MaxValue, value);
        }

        for (uint value = 1; value <= 20; value += 2)
        {
            Assert.True(table.Remove(ulong.MaxValue, value));
        }

        for (uint value = 1; value <= 20; value++)
        {
            Assert.Equal(value % 2 == 0 ? value : 0, Find(table, ulong.MaxValue, value));
        }
    }

    [Fact]
    public void It_grows_to_a_million_entries_and_shrinks_again()
    {
        using FlowTable table = new();
        const uint Entries = 1_000_000;
        for (uint value = 1; value <= Entries; value++)
        {
            table.Add(HashOf(value), value);
            Assert.True(table.IsResizing || table.Count <= table.Capacity * 0.6);
        }

        Assert.Equal(1 << 21, table.Capacity);
        long calls = 0;
        for (uint value = 1; value <= Entries; value++)
        {
            Wanted matcher = new(value);
            Assert.Equal(value, table.Find(HashOf(value), ref matcher));
            calls += matcher.Calls;
        }

        // The 32 bits of hash in the slot keep strangers' records out of the cache.
        Assert.InRange(calls, Entries, Entries + (Entries / 500));
        for (uint value = 1; value <= Entries; value++)
        {
            Assert.True(table.Remove(HashOf(value), value));
        }

        Assert.Equal(0, table.Count);
        Assert.InRange(table.Capacity, 64, 128);
    }

    [Fact]
    public void No_change_moves_more_than_a_few_entries_and_none_allocates()
    {
        using FlowTable table = new();
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (uint value = 1; value <= 100_000; value++)
        {
            table.Add((ulong)value * 0x9E3779B97F4A7C15, value);
        }

        for (uint value = 1; value <= 100_000; value++)
        {
            table.Remove((ulong)value * 0x9E3779B97F4A7C15, value);
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        Assert.InRange(table.SlotsMovedMax, 16, 200);
    }

    [Fact]
    public void Looking_up_finishes_a_resize_that_is_under_way()
    {
        using FlowTable table = new();
        uint value = 0;
        while (!table.IsResizing || value < 1000)
        {
            value++;
            table.Add(HashOf(value), value);
        }

        for (int i = 0; i < 200; i++)
        {
            Assert.Equal(0u, Find(table, HashOf(1_000_000), 1));
        }

        Assert.False(table.IsResizing);
        for (uint i = 1; i <= value; i++)
        {
            Assert.Equal(i, Find(table, HashOf(i), i));
        }
    }

    // Few distinct hashes, so that clusters collide, wrap around the end and are cut by removals in the middle of resizes.
    [Fact]
    public void It_behaves_as_a_dictionary_does()
    {
        Gen<(bool Add, uint Value)[]> operations = Gen.Select(Gen.Int[0, 9], Gen.UInt[1, 600], (kind, value) => (kind < 6, value)).Array[0, 3000];
        operations.Sample(
            steps =>
            {
                using FlowTable table = new();
                HashSet<uint> model = [];
                foreach ((bool add, uint value) in steps)
                {
                    ulong hash = (ulong)(value % 97) * 0xFFFF_FFFF_0000_0000 / 96;
                    if (add && model.Add(value))
                    {
                        table.Add(hash, value);
                    }
                    else if (!add && table.Remove(hash, value) != model.Remove(value))
                    {
                        return false;
                    }

                    if (Find(table, hash, value) != (model.Contains(value) ? value : 0) || table.Count != model.Count)
                    {
                        return false;
                    }
                }

                for (uint value = 1; value <= 600; value++)
                {
                    ulong hash = (ulong)(value % 97) * 0xFFFF_FFFF_0000_0000 / 96;
                    if (Find(table, hash, value) != (model.Contains(value) ? value : 0))
                    {
                        return false;
                    }
                }

                return true;
            },
            iter: 200,
            seed: "0000000000000");
    }
}

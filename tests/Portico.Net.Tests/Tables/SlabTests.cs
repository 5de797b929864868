namespace Portico.Net.Tests.Tables;

public unsafe class SlabTests
{
    private struct Record
    {
        public ulong A;
        public ulong B;
        public fixed byte Rest[48];
    }

    [Fact]
    public void Indexes_start_at_one_and_records_are_zeroed()
    {
        using Slab<Record> slab = new(1000);
        Record* first = slab.Rent(out uint index);
        Assert.Equal(1u, index);
        first->A = ulong.MaxValue;
        slab.Return(index);
        Record* again = slab.Rent(out uint same);
        Assert.Equal(index, same);
        Assert.True(first == again);
        Assert.Equal(0UL, again->A);
        Assert.Equal(0, (int)((nint)again - 64) & 63);
    }

    [Fact]
    public void A_name_is_stale_once_its_record_was_returned()
    {
        using Slab<Record> slab = new(10);
        Record* record = slab.Rent(out uint index);
        uint generation = slab.Generation(index);
        Assert.True(slab.TryGet(index, generation) == record);
        slab.Return(index);
        Assert.True(slab.TryGet(index, generation) == null);
        Assert.True(slab.TryGet(index, slab.Generation(index)) == null);
        slab.Rent(out _);
        Assert.True(slab.TryGet(index, generation) == null);
        Assert.True(slab.TryGet(index, generation + 2) == record);
        Assert.True(slab.TryGet(0, 1) == null);
        Assert.True(slab.TryGet(2, 1) == null);
        Assert.True(slab.TryGet(uint.MaxValue, 1) == null);
        Assert.True(slab.TryGet(0, 0) == null);
    }

    [Fact]
    public void At_the_bound_nothing_is_rented()
    {
        using Slab<Record> slab = new(300);
        nint[] pointers = new nint[301];
        for (uint i = 1; i <= 300; i++)
        {
            pointers[i] = (nint)slab.Rent(out uint index);
            Assert.Equal(i, index);
        }

        Assert.True(slab.Rent(out uint none) == null);
        Assert.Equal(0u, none);
        Assert.Equal(300, slab.Count);
        Assert.Equal(300, pointers[1..].Distinct().Count());
        for (uint i = 1; i <= 300; i++)
        {
            Assert.True(slab.At(i) == (Record*)pointers[i]);
        }

        slab.Return(17);
        slab.Return(4);
        slab.Rent(out uint warm);
        Assert.Equal(4u, warm);
        Assert.Equal(299, slab.Count);
    }

    [Fact]
    public void Records_keep_their_address_while_the_slab_grows()
    {
        using Slab<Record> slab = new(1_000_000);
        Record* first = slab.Rent(out _);
        first->B = 42;
        for (int i = 0; i < 100_000; i++)
        {
            slab.Rent(out uint index)->A = index;
        }

        Assert.True(slab.At(1) == first && first->B == 42);
        Assert.Equal(77_777UL, slab.At(77_777)->A);
    }
}

using System.Runtime.InteropServices;
using CsCheck;

namespace Portico.Net.Tests.Tcp;

public unsafe class SegmentTreeTests
{
    private sealed class Nodes(int count) : IDisposable
    {
        private readonly SegmentNode* _nodes = (SegmentNode*)NativeMemory.AllocZeroed((nuint)count, (nuint)sizeof(SegmentNode));

        public SegmentNode* this[int i] => _nodes + i;

        public SegmentNode* Set(int i, uint start, uint end)
        {
            _nodes[i].Start = start;
            _nodes[i].End = end;
            return _nodes + i;
        }

        public void Dispose() => NativeMemory.Free(_nodes);
    }

    [Fact]
    public void An_empty_tree_has_no_segments()
    {
        Assert.True(SegmentTree.First(null) == null && SegmentTree.Last(null) == null);
        Assert.True(SegmentTree.FindFirstEndingAfter(null, 0) == null);
    }

    [Fact]
    public void Segments_are_ordered_across_the_wrap_of_the_sequence_space()
    {
        using Nodes nodes = new(3);
        SegmentNode* root = SegmentTree.Insert(null, nodes.Set(0, 100, 200));
        root = SegmentTree.Insert(root, nodes.Set(1, 0xFFFF_FF00, 50));
        root = SegmentTree.Insert(root, nodes.Set(2, 0xFFFF_F000, 0xFFFF_FF00));
        Assert.True(SegmentTree.First(root) == nodes[2]);
        Assert.True(SegmentTree.Next(nodes[2]) == nodes[1]);
        Assert.True(SegmentTree.Next(nodes[1]) == nodes[0]);
        Assert.True(SegmentTree.Last(root) == nodes[0]);
        Assert.True(SegmentTree.Previous(nodes[1]) == nodes[2]);
        Assert.True(SegmentTree.FindFirstEndingAfter(root, 49) == nodes[1]);
        Assert.True(SegmentTree.FindFirstEndingAfter(root, 50) == nodes[0]);
        Assert.True(SegmentTree.FindFirstEndingAfter(root, 199) == nodes[0]);
        Assert.True(SegmentTree.FindFirstEndingAfter(root, 200) == null);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(-1)]
    public void Segments_in_order_do_not_make_the_tree_deep(int step)
    {
        const int Count = 100_000;
        using Nodes nodes = new(Count);
        SegmentNode* root = null;
        for (int i = 0; i < Count; i++)
        {
            uint start = (uint)(0x8000_0000 + ((long)step * i * 1460));
            root = SegmentTree.Insert(root, nodes.Set(i, start, start + 1460));
        }

        Assert.Equal(Count, SegmentTree.CheckInvariants(root));
        int deepest = 0;
        for (int i = 0; i < Count; i++)
        {
            int depth = 0;
            for (SegmentNode* node = nodes[i]; node != null; node = node->Parent)
            {
                depth++;
            }

            deepest = Math.Max(deepest, depth);
        }

        Assert.InRange(deepest, 17, 80);
    }

    [Fact]
    public void It_behaves_as_a_sorted_list_does()
    {
        Gen<(int Kind, int Place)[]> operations = Gen.Select(Gen.Int[0, 9], Gen.Int[0, 199]).Array[0, 400];
        Gen.Select(Gen.UInt, operations).Sample(
            (origin, steps) =>
            {
                using Nodes nodes = new(200);
                SegmentNode* root = null;
                SortedSet<int> model = [];
                foreach ((int kind, int place) in steps)
                {
                    // Segments of 10 with holes of 0 to 6 between them.
                    uint start = origin + ((uint)place * 13) + (uint)(place % 4);
                    if (kind < 5 && model.Add(place))
                    {
                        root = SegmentTree.Insert(root, nodes.Set(place, start, start + 10));
                    }
                    else if (kind >= 7 && model.Remove(place))
                    {
                        root = SegmentTree.Remove(root, nodes[place]);
                    }

                    uint wanted = start + (uint)kind;
                    int expected = model.Where(p => Seq.Gt(origin + ((uint)p * 13) + (uint)(p % 4) + 10, wanted)).DefaultIfEmpty(-1).First();
                    SegmentNode* found = SegmentTree.FindFirstEndingAfter(root, wanted);
                    if (found != (expected < 0 ? null : nodes[expected]) || SegmentTree.CheckInvariants(root) != model.Count)
                    {
                        return false;
                    }
                }

                SegmentNode* node = SegmentTree.Last(root);
                foreach (int place in model.Reverse())
                {
                    if (node != nodes[place])
                    {
                        return false;
                    }

                    node = SegmentTree.Previous(node);
                }

                while (root != null)
                {
                    root = SegmentTree.Remove(root, SegmentTree.First(root));
                }

                return node == null;
            },
            iter: 500,
            seed: "0000000000000");
    }
}

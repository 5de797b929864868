using System.Buffers;

namespace Portico.Kernel;

/// <summary>
/// The pages of a file by their number, of which any may be missing: a radix tree of 64 branches, as high as the highest page needs
/// (Linux: the page cache's xarray). A file of one page has no nodes at all.
/// </summary>
internal struct PageTree
{
    public const int PageBytes = 4096;
    private const int Bits = 6;
    private const int Branches = 1 << Bits;

    // With a height of 0 the root is page 0 itself; otherwise it is an array of what is one level below.
    private object? _root;
    private int _height;

    /// <summary>Pages that there are.</summary>
    public long Count { get; private set; }

    /// <summary>A page; null for a hole.</summary>
    public readonly byte[]? Find(long index)
    {
        if (!Covers(index))
        {
            return null;
        }

        object? node = _root;
        for (int level = _height; level > 0 && node != null; level--)
        {
            node = ((object?[])node)[Branch(index, level)];
        }

        return (byte[]?)node;
    }

    /// <summary>Adds a page of zeros where there is a hole.</summary>
    public byte[] Add(long index)
    {
        while (!Covers(index))
        {
            if (_root != null)
            {
                object?[] above = new object?[Branches];
                above[0] = _root;
                _root = above;
            }

            _height++;
        }

        ref object? node = ref _root;
        for (int level = _height; level > 0; level--)
        {
            node ??= new object?[Branches];
            node = ref ((object?[])node)[Branch(index, level)];
        }

        byte[] page = ArrayPool<byte>.Shared.Rent(PageBytes);
        page.AsSpan(0, PageBytes).Clear();
        node = page;
        Count++;
        return page;
    }

    /// <summary>Takes out the pages from <paramref name="first"/> up to <paramref name="end"/>, which is not among them; how many there were.</summary>
    public long Remove(long first, long end)
    {
        long before = Count;
        Remove(ref _root, _height, first, end);
        if (_root == null)
        {
            _height = 0;
        }

        return before - Count;
    }

    /// <summary>The lowest page at or above <paramref name="from"/>; -1 for none.</summary>
    public readonly long NextPage(long from) => Covers(from) ? Next(_root, _height, from) : -1;

    /// <summary>The lowest hole at or above <paramref name="from"/>.</summary>
    public readonly long NextHole(long from)
    {
        while (Find(from) != null)
        {
            from++;
        }

        return from;
    }

    private void Remove(ref object? node, int level, long first, long end)
    {
        if (node == null || end <= 0)
        {
            return;
        }

        if (level == 0)
        {
            if (first <= 0)
            {
                ArrayPool<byte>.Shared.Return((byte[])node);
                node = null;
                Count--;
            }

            return;
        }

        object?[] below = (object?[])node;
        bool isEmpty = true;
        long span = 1L << (Bits * (level - 1));
        for (int i = 0; i < Branches; i++)
        {
            long start = i * span;
            if (first < start + span)
            {
                Remove(ref below[i], level - 1, first - start, end - start);
            }

            isEmpty &= below[i] == null;
        }

        if (isEmpty)
        {
            node = null;
        }
    }

    private static long Next(object? node, int level, long from)
    {
        if (node == null || level == 0)
        {
            return node == null ? -1 : 0;
        }

        object?[] below = (object?[])node;
        long span = 1L << (Bits * (level - 1));
        for (long i = from / span; i < Branches; i++)
        {
            long found = Next(below[i], level - 1, Math.Max(0, from - (i * span)));
            if (found >= 0)
            {
                return (i * span) + found;
            }
        }

        return -1;
    }

    private readonly bool Covers(long index) => Bits * _height >= 62 || index < 1L << (Bits * _height);

    private static int Branch(long index, int level) => (int)(index >> (Bits * (level - 1))) & (Branches - 1);
}

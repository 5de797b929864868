namespace Portico.Kernel;

/// <summary>Memory of one page, or of sixteen that lie side by side; it goes back to its pool when none of them is used any more.</summary>
internal sealed class PageBlock(int pages)
{
    public readonly byte[] Bytes = GC.AllocateUninitializedArray<byte>(pages * Pipe.PageBytes);

    /// <summary>Pages of it that are in use.</summary>
    public int References;
}

/// <summary>
/// The pages of a kernel's pipes that nothing is in, for the next that needs one: what was given back last comes first, since the processor
/// has it at hand. How many there may be is bounded by what pipes may have (fs.pipe-max-size); few are kept. Guarded by the kernel's lock.
/// </summary>
internal sealed class PagePool
{
    /// <summary>Pages of a large block.</summary>
    public const int LargePages = Pipe.SlotsDefault;

    /// <summary>Blocks of each size: 2 MiB of single pages, and at most 16 MiB of large blocks.</summary>
    private const int KeptMax = 256;
    private const int SinglesKeptMax = 2 * KeptMax;

    private readonly Stack<PageBlock> _singles = new();
    private readonly Stack<PageBlock> _large = new();

    /// <summary>A page whose bytes are anybody's guess.</summary>
    public PageBlock Rent()
    {
        PageBlock block = _singles.TryPop(out PageBlock? kept) ? kept : new PageBlock(1);
        block.References = 1;
        return block;
    }

    /// <summary>Some pages side by side, at most <see cref="LargePages"/>.</summary>
    public PageBlock RentLarge(int pages)
    {
        PageBlock block = _large.TryPop(out PageBlock? kept) ? kept : new PageBlock(LargePages);
        block.References = pages;
        return block;
    }

    /// <summary>So many pages of the block are not used any more.</summary>
    public void Return(PageBlock block, int pages = 1)
    {
        block.References -= pages;
        if (block.References == 0)
        {
            bool isSingle = block.Bytes.Length == Pipe.PageBytes;
            Stack<PageBlock> kept = isSingle ? _singles : _large;
            if (kept.Count < (isSingle ? SinglesKeptMax : KeptMax))
            {
                kept.Push(block);
            }
        }
    }
}

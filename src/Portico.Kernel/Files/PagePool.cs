namespace Portico.Kernel;

/// <summary>
/// The pages of a kernel's pipes that nothing is in, for the next that needs one: the one given back last comes first, since the processor
/// has it at hand. How many there may be is bounded by what pipes may have (fs.pipe-max-size); few are kept. Guarded by the kernel's lock.
/// </summary>
internal sealed class PagePool
{
    /// <summary>4 MiB.</summary>
    private const int KeptMax = 1024;

    private byte[][] _kept = new byte[Pipe.SlotsDefault][];

    /// <summary>Pages that wait for somebody.</summary>
    public int Count { get; private set; }

    /// <summary>A page whose bytes are anybody's guess.</summary>
    public byte[] Rent() => Count > 0 ? _kept[--Count] : GC.AllocateUninitializedArray<byte>(Pipe.PageBytes);

    public void Return(byte[] page)
    {
        if (Count == _kept.Length)
        {
            if (Count == KeptMax)
            {
                return;
            }

            Array.Resize(ref _kept, Count * 2);
        }

        _kept[Count++] = page;
    }
}

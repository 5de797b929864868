using System.Runtime.InteropServices;

namespace Portico.Net;

/// <summary>
/// The engine's native memory for bytes: three size classes, each a last-in-first-out free list so that the block handed out is
/// the one whose cache lines are warm. Chunks come from the operating system and go back when the pool is disposed.
/// </summary>
public sealed unsafe class BlockPool : IDisposable
{
    internal const int SmallBytes = 2048 - Block.HeaderBytes;
    internal const int MediumBytes = (16 * 1024) - Block.HeaderBytes;

    /// <summary>Takes 64 KiB of stream, or a GSO packet with its virtio header and headroom.</summary>
    internal const int LargeBytes = 66 * 1024;

    private const int ClassCount = 3;
    private const int ChunkBytes = 1 << 20;

    private readonly Block*[] _free = new Block*[ClassCount];
    private readonly List<nint> _chunks = [];
    private readonly long _bytesMax;

    internal BlockPool(long bytesMax) => _bytesMax = bytesMax;

    /// <summary>Bytes in blocks that somebody holds.</summary>
    public long BytesInUse { get; private set; }

    /// <summary>Bytes taken from the operating system.</summary>
    public long BytesReserved { get; private set; }

    /// <summary>How often a block was refused because the limit was reached.</summary>
    public long Refusals { get; private set; }

    /// <summary>The most that <see cref="BytesInUse"/> may become.</summary>
    public long BytesMax => _bytesMax;

    /// <summary>
    /// A block with room for <paramref name="bytes"/> (at most <see cref="LargeBytes"/>), held once by the caller; null when the
    /// pool is at its limit.
    /// </summary>
    internal Block* Rent(int bytes)
    {
        Invariant.Check(bytes <= LargeBytes);
        int sizeClass = bytes <= SmallBytes ? 0 : bytes <= MediumBytes ? 1 : 2;
        Block* block = _free[sizeClass];
        if (block == null && (block = Grow(sizeClass)) == null)
        {
            Refusals++;
            return null;
        }

        int size = block->Capacity + Block.HeaderBytes;
        if (BytesInUse + size > _bytesMax)
        {
            Refusals++;
            return null;
        }

        _free[sizeClass] = block->Next;
        Invariant.Check(block->ReferenceCount == 0);
        block->Next = null;
        block->ReferenceCount = 1;
        block->Start = 0;
        block->End = 0;
        BytesInUse += size;
        return block;
    }

    internal static void AddReference(Block* block)
    {
        Invariant.Check(block->ReferenceCount > 0);
        block->ReferenceCount++;
    }

    internal void Release(Block* block)
    {
        Invariant.Check(block->ReferenceCount > 0);
        if (--block->ReferenceCount != 0)
        {
            return;
        }

        BytesInUse -= block->Capacity + Block.HeaderBytes;
        block->Next = _free[block->SizeClass];
        _free[block->SizeClass] = block;
    }

    private Block* Grow(int sizeClass)
    {
        int size = Block.HeaderBytes + (sizeClass == 0 ? SmallBytes : sizeClass == 1 ? MediumBytes : LargeBytes);
        int count = ChunkBytes / size;
        long bytes = (long)count * size;
        if (BytesReserved + bytes > _bytesMax + (ClassCount * ChunkBytes))
        {
            return null;
        }

        byte* chunk = (byte*)NativeMemory.AlignedAlloc((nuint)bytes, 4096);
        _chunks.Add((nint)chunk);
        BytesReserved += bytes;
        Block* first = null;
        for (int i = count - 1; i >= 0; i--)
        {
            Block* block = (Block*)(chunk + ((long)i * size));
            block->ReferenceCount = 0;
            block->Capacity = size - Block.HeaderBytes;
            block->SizeClass = sizeClass;
            block->Next = first;
            first = block;
        }

        return first;
    }

    /// <summary>Gives all memory back; no block may be in use any more.</summary>
    public void Dispose()
    {
        foreach (nint chunk in _chunks)
        {
            NativeMemory.AlignedFree((void*)chunk);
        }

        _chunks.Clear();
        Array.Clear(_free);
    }
}

using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Portico.Net;

/// <summary>
/// Records of one kind in native memory, which the collector never walks. A record keeps its address for life and is named by an
/// index (from 1: 0 means none) and a generation, odd while the record is in use, so that a stale name is noticed.
/// </summary>
internal sealed unsafe class Slab<T> : INativeMemory
    where T : unmanaged
{
    private const int ChunkShift = 8;
    private const int ChunkRecords = 1 << ChunkShift;
    private const uint ChunkMask = ChunkRecords - 1;

    // Next to the records rather than inside them: a name can be checked, and the free list walked, without touching a cold record.
    private struct Mark
    {
        public uint Generation;
        public uint NextFree;
    }

    private T** _chunks;
    private Mark** _marks;
    private int _chunkCount;
    private int _chunkCapacity;
    private uint _firstFree;
    private uint _nextFresh = 1;

    public Slab(int countMax)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(countMax);
        CountMax = Math.Min(countMax, int.MaxValue - ChunkRecords);
    }

    /// <summary>Records in use.</summary>
    public int Count { get; private set; }

    public int CountMax { get; }

    /// <inheritdoc/>
    public long BytesReserved => ((long)_chunkCount * ChunkRecords * (sizeof(T) + sizeof(Mark))) + (2L * _chunkCapacity * sizeof(void*));

    /// <summary>A record of zeros, named by <paramref name="index"/>; null at the bound. The one returned last comes first: it is warm.</summary>
    public T* Rent(out uint index)
    {
        if (Count >= CountMax)
        {
            index = 0;
            return null;
        }

        index = _firstFree;
        if (index != 0)
        {
            _firstFree = MarkOf(index)->NextFree;
        }
        else
        {
            index = _nextFresh++;
            if ((index >> ChunkShift) >= (uint)_chunkCount)
            {
                AddChunk();
            }
        }

        Count++;
        MarkOf(index)->Generation++;
        T* record = At(index);
        Unsafe.InitBlockUnaligned(record, 0, (uint)sizeof(T));
        return record;
    }

    /// <summary>Frees the record; its name is stale from here on.</summary>
    public void Return(uint index)
    {
        Mark* mark = MarkOf(index);
        Invariant.Check((mark->Generation & 1) == 1);
        mark->Generation++;
        mark->NextFree = _firstFree;
        _firstFree = index;
        Count--;
    }

    /// <summary>The record of an index that the caller knows to be in use; not checked.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public T* At(uint index)
    {
        Invariant.Check(index != 0 && index < _nextFresh);
        return _chunks[index >> ChunkShift] + (index & ChunkMask);
    }

    public uint Generation(uint index) => MarkOf(index)->Generation;

    /// <summary>The record of a name that may be stale or made up; null if it is.</summary>
    public T* TryGet(uint index, uint generation) =>
        index - 1 < _nextFresh - 1 && (generation & 1) == 1 && MarkOf(index)->Generation == generation ? At(index) : null;

    /// <summary>Whether the index names a record in use; walks over all records use this with <see cref="IndexEnd"/>.</summary>
    public bool IsInUse(uint index) => index - 1 < _nextFresh - 1 && (MarkOf(index)->Generation & 1) == 1;

    /// <summary>One more than the highest index ever used.</summary>
    public uint IndexEnd => _nextFresh;

    /// <summary>Gives all memory back; no record may be used any more.</summary>
    public void Dispose()
    {
        for (int i = 0; i < _chunkCount; i++)
        {
            NativeMemory.AlignedFree(_chunks[i]);
            NativeMemory.Free(_marks[i]);
        }

        NativeMemory.Free(_chunks);
        NativeMemory.Free(_marks);
        _chunks = null;
        _marks = null;
        _chunkCount = _chunkCapacity = 0;
        _firstFree = 0;
        _nextFresh = 1;
        Count = 0;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private Mark* MarkOf(uint index)
    {
        Invariant.Check(index != 0 && index < _nextFresh);
        return _marks[index >> ChunkShift] + (index & ChunkMask);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void AddChunk()
    {
        if (_chunkCount == _chunkCapacity)
        {
            _chunkCapacity = Math.Max(16, _chunkCapacity * 2);
            _chunks = (T**)NativeMemory.Realloc(_chunks, (nuint)_chunkCapacity * (nuint)sizeof(void*));
            _marks = (Mark**)NativeMemory.Realloc(_marks, (nuint)_chunkCapacity * (nuint)sizeof(void*));
        }

        _chunks[_chunkCount] = (T*)NativeMemory.AlignedAlloc((nuint)ChunkRecords * (nuint)sizeof(T), 64);
        _marks[_chunkCount] = (Mark*)NativeMemory.AllocZeroed(ChunkRecords, (nuint)sizeof(Mark));
        _chunkCount++;
    }
}

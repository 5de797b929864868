namespace Portico.Net;

/// <summary>
/// A piece of native memory that carries packet or stream bytes; the bytes follow this header. Blocks are counted by reference:
/// the send buffer that made the bytes, packets on their way and the peer's receive queue may all hold the same block. The count
/// is plain because all of them live in one engine, which has one writer.
/// </summary>
internal unsafe struct Block
{
    /// <summary>Bytes that this header takes; the data starts on a cache line of its own.</summary>
    public const int HeaderBytes = 64;

    /// <summary>The next block of the chain or of the free list that this one is in.</summary>
    public Block* Next;

    /// <summary>How many holders there are; 0 on the free list.</summary>
    public int ReferenceCount;

    /// <summary>Bytes of data that fit.</summary>
    public int Capacity;

    /// <summary>Index of the size class.</summary>
    public int SizeClass;

    /// <summary>In a byte stream: where its valid bytes begin. Owned by the chain that the block is in.</summary>
    public int Start;

    /// <summary>In a byte stream: where its valid bytes end. Owned by the chain that the block is in.</summary>
    public int End;

    /// <summary>In a send buffer: the sequence number of the byte at <see cref="Start"/>. Owned by the chain.</summary>
    public uint Sequence;

    /// <summary>The first byte of data.</summary>
    public static byte* Data(Block* block) => (byte*)block + HeaderBytes;
}

/// <summary>A run of bytes in a <see cref="Block"/>; whoever holds the slice holds one reference to the block.</summary>
internal unsafe struct Slice
{
    public Block* Block;
    public int Offset;
    public int Length;

    public readonly byte* Pointer => Net.Block.Data(Block) + Offset;

    public readonly Span<byte> Span => new(Pointer, Length);
}

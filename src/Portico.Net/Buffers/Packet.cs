using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Portico.Net;

/// <summary>What is known of a packet's transport checksum.</summary>
public enum ChecksumState : byte
{
    /// <summary>Came from outside: the receiver verifies it. Going out: the field is already right.</summary>
    Unverified,

    /// <summary>Verified by the link, or known to be right.</summary>
    Verified,

    /// <summary>
    /// Not filled in, as CHECKSUM_PARTIAL in Linux: the bytes never left this process, so a receiver trusts them, and a link that
    /// puts them on a wire completes the sum (<see cref="ChecksumOffload.Complete"/>).
    /// </summary>
    Partial,
}

/// <summary>
/// A packet on its way through the engine: a linear part with room for headers in front, then fragments that refer to blocks.
/// Whoever is handed a packet owns it, and passes it on or calls <see cref="Release"/> exactly once.
/// </summary>
/// <remarks>
/// The linear part lives in 256 bytes of the packet's own (headers of a TCP segment whose payload is in fragments) or in a block
/// (a datagram, or a frame as it was read from a device). Positions such as <see cref="NetworkOffset"/> count from the start of that
/// memory, so they survive <see cref="Push"/> and <see cref="Pull"/>.
/// </remarks>
public sealed unsafe class Packet
{
    /// <summary>Room in front of the linear part of a new packet: Ethernet, IPv6 with some extension headers, TCP with all options.</summary>
    public const int Headroom = 176;

    internal const int OwnBytes = 256;
    internal const int FragmentsMax = 18;

    [InlineArray(FragmentsMax)]
    private struct FragmentArray
    {
        private Slice _first;
    }

    private readonly PacketPool _pool;
    private readonly byte* _own;
    private byte* _memory;
    private int _capacity;
    private Block* _block;
    private int _start;
    private int _linearLength;
    private int _fragmentBytes;
    private int _fragmentCount;
    private FragmentArray _fragments;

    internal Packet(PacketPool pool)
    {
        _pool = pool;
        _own = (byte*)NativeMemory.AlignedAlloc(OwnBytes, 64);
        _memory = _own;
    }

    internal Packet? Next;

    /// <summary>Where a posted packet goes; see <see cref="Engine.Post"/>.</summary>
    internal ILinkClient? Target;

    /// <summary>When the packet came in, or when it was sent.</summary>
    public MonoTime Timestamp { get; set; }

    /// <summary>What is known of the transport checksum.</summary>
    public ChecksumState Checksum { get; set; }

    /// <summary>
    /// For a super-segment: the payload bytes of each segment that it stands for, TCP's or UDP's (Linux: gso_size). 0 for a plain packet.
    /// </summary>
    public int GsoSize { get; set; }

    /// <summary>Position of the IP header in the linear memory.</summary>
    public int NetworkOffset { get; set; }

    /// <summary>Position of the transport header in the linear memory.</summary>
    public int TransportOffset { get; set; }

    /// <summary>Whether the link delivered it to a broadcast or multicast link-layer address.</summary>
    public bool IsLinkBroadcast { get; set; }

    /// <summary>What a capture says about the packet.</summary>
    public PacketNotes Notes { get; set; }

    /// <summary>Who is told when the packet leaves.</summary>
    internal TransmitStamp Stamp;

    /// <summary>What TCP's congestion control said when it sent the packet; for captures.</summary>
    internal CongestionNote Congestion;

    /// <summary>All bytes: linear part and fragments.</summary>
    public int Length => _linearLength + _fragmentBytes;

    /// <summary>Bytes in the linear part.</summary>
    public int LinearLength => _linearLength;

    /// <summary>The linear part.</summary>
    public Span<byte> Linear => new(_memory + _start, _linearLength);

    /// <summary>Position of the first byte in the linear memory.</summary>
    public int Start => _start;

    /// <summary>How many fragments follow the linear part.</summary>
    public int FragmentCount => _fragmentCount;

    /// <summary>Free bytes in front of the linear part.</summary>
    public int HeadroomLeft => _start;

    /// <summary>Free bytes behind the linear part.</summary>
    public int TailroomLeft => _capacity - _start - _linearLength;

    /// <summary>The first byte of the linear part.</summary>
    public byte* LinearPointer => _memory + _start;

    /// <summary>The linear memory from the IP header on.</summary>
    public Span<byte> NetworkHeader => new(_memory + NetworkOffset, _start + _linearLength - NetworkOffset);

    /// <summary>The linear memory from the transport header on.</summary>
    public Span<byte> TransportHeader => new(_memory + TransportOffset, _start + _linearLength - TransportOffset);

    internal Block* LinearBlock => _block;

    internal ref Slice Fragment(int index) => ref _fragments[index];

    /// <summary>The memory of fragment <paramref name="index"/>, for gathered output.</summary>
    public ReadOnlySpan<byte> FragmentSpan(int index) => _fragments[index].Span;

    internal void Reset(Block* linear)
    {
        _block = linear;
        _memory = linear == null ? _own : Block.Data(linear);
        _capacity = linear == null ? OwnBytes : linear->Capacity;
        _start = Math.Min(Headroom, _capacity);
        _linearLength = 0;
        _fragmentBytes = 0;
        _fragmentCount = 0;
        NetworkOffset = 0;
        TransportOffset = 0;
        Checksum = ChecksumState.Unverified;
        GsoSize = 0;
        IsLinkBroadcast = false;
        Notes = PacketNotes.None;
        Congestion = default;
        Stamp.Client = null;
        Next = null;
        Target = null;
    }

    /// <summary>Moves the (empty) linear part to <paramref name="start"/>, to choose the headroom.</summary>
    public void SetHeadroom(int start)
    {
        Invariant.Check(_linearLength == 0);
        Invariant.Check((uint)start <= (uint)_capacity);
        _start = start;
    }

    /// <summary>Puts <paramref name="bytes"/> of header in front and returns them, uncleared.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Span<byte> Push(int bytes)
    {
        Invariant.Check(_start >= bytes);
        _start -= bytes;
        _linearLength += bytes;
        return new Span<byte>(_memory + _start, bytes);
    }

    /// <summary>Takes <paramref name="bytes"/> off the front of the linear part.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Pull(int bytes)
    {
        Invariant.Check(_linearLength >= bytes);
        _start += bytes;
        _linearLength -= bytes;
    }

    /// <summary>Puts <paramref name="bytes"/> behind the linear part and returns them, uncleared. There must be no fragments.</summary>
    public Span<byte> Append(int bytes)
    {
        Invariant.Check(_fragmentCount == 0);
        Invariant.Check(TailroomLeft >= bytes);
        Span<byte> added = new(_memory + _start + _linearLength, bytes);
        _linearLength += bytes;
        return added;
    }

    /// <summary>Cuts the packet to <paramref name="length"/> bytes; the rest is given back.</summary>
    public void TrimTo(int length)
    {
        int excess = Length - length;
        while (excess > 0 && _fragmentCount > 0)
        {
            ref Slice last = ref _fragments[_fragmentCount - 1];
            int cut = Math.Min(excess, last.Length);
            last.Length -= cut;
            _fragmentBytes -= cut;
            excess -= cut;
            if (last.Length == 0)
            {
                _pool.Blocks.Release(last.Block);
                _fragmentCount--;
            }
        }

        if (excess > 0)
        {
            _linearLength -= excess;
        }
    }

    /// <summary>Adds a fragment and takes a reference to its block; false where there is no place left.</summary>
    internal bool TryAddFragment(Block* block, int offset, int length)
    {
        if (_fragmentCount == FragmentsMax)
        {
            return false;
        }

        BlockPool.AddReference(block);
        ref Slice slice = ref _fragments[_fragmentCount++];
        slice.Block = block;
        slice.Offset = offset;
        slice.Length = length;
        _fragmentBytes += length;
        return true;
    }

    /// <summary>Forgets the fragments without releasing them: their references now belong to the caller, who has copied the slices.</summary>
    internal void DetachFragments()
    {
        _fragmentCount = 0;
        _fragmentBytes = 0;
    }

    /// <summary>
    /// Makes at least the first <paramref name="bytes"/> bytes linear, as pskb_may_pull in Linux; false where the packet is shorter,
    /// or no memory was to be had. Never moves bytes when they are linear already.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool EnsureLinear(int bytes) => _linearLength >= bytes || PullFragments(bytes);

    private bool PullFragments(int bytes)
    {
        if (Length < bytes)
        {
            return false;
        }

        int need = bytes - _linearLength;
        if (TailroomLeft < need && !MoveToBlock(_start + bytes + 64))
        {
            return false;
        }

        while (need > 0)
        {
            ref Slice first = ref _fragments[0];
            int take = Math.Min(need, first.Length);
            Buffer.MemoryCopy(first.Pointer, _memory + _start + _linearLength, take, take);
            _linearLength += take;
            _fragmentBytes -= take;
            first.Offset += take;
            first.Length -= take;
            need -= take;
            if (first.Length == 0)
            {
                _pool.Blocks.Release(first.Block);
                _fragmentCount--;
                for (int i = 0; i < _fragmentCount; i++)
                {
                    _fragments[i] = _fragments[i + 1];
                }
            }
        }

        return true;
    }

    private bool MoveToBlock(int capacity)
    {
        Block* block = capacity <= BlockPool.LargeBytes ? _pool.Blocks.Rent(capacity) : null;
        if (block == null)
        {
            return false;
        }

        Buffer.MemoryCopy(_memory, Block.Data(block), block->Capacity, _start + _linearLength);
        if (_block != null)
        {
            _pool.Blocks.Release(_block);
        }

        _block = block;
        _memory = Block.Data(block);
        _capacity = block->Capacity;
        return true;
    }

    /// <summary>Copies all bytes, fragments included; <paramref name="destination"/> must be long enough.</summary>
    public void CopyTo(Span<byte> destination)
    {
        Linear.CopyTo(destination);
        int position = _linearLength;
        for (int i = 0; i < _fragmentCount; i++)
        {
            _fragments[i].Span.CopyTo(destination[position..]);
            position += _fragments[i].Length;
        }
    }

    /// <summary>Copies the bytes from <paramref name="offset"/> on, as many as fit and there are; how many that was.</summary>
    internal int CopyTo(int offset, Span<byte> destination)
    {
        int copied = CopyPiece(Linear, ref offset, destination);
        for (int i = 0; i < _fragmentCount && copied < destination.Length; i++)
        {
            copied += CopyPiece(_fragments[i].Span, ref offset, destination[copied..]);
        }

        return copied;
    }

    private static int CopyPiece(ReadOnlySpan<byte> piece, ref int offset, Span<byte> destination)
    {
        int skipped = Math.Min(offset, piece.Length);
        offset -= skipped;
        int count = Math.Min(piece.Length - skipped, destination.Length);
        piece.Slice(skipped, count).CopyTo(destination);
        return count;
    }

    /// <summary>Gives the packet and what it holds back to its pool.</summary>
    public void Release()
    {
        for (int i = 0; i < _fragmentCount; i++)
        {
            _pool.Blocks.Release(_fragments[i].Block);
        }

        if (_block != null)
        {
            _pool.Blocks.Release(_block);
            _block = null;
        }

        _fragmentCount = 0;
        _pool.Return(this);
    }

    internal void FreeOwnMemory() => NativeMemory.AlignedFree(_own);
}

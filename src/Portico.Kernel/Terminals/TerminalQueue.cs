using System.Buffers;

namespace Portico.Kernel;

/// <summary>
/// Bytes that one end of a pseudo-terminal has written and the other end's line discipline has not taken. How much goes in before a writer has to
/// wait is reckoned as Linux does: in pieces of memory of 256 bytes and more, each of which holds twice as many bytes as it counts for,
/// until they count for more than 8,192.
/// </summary>
internal sealed class TerminalQueue
{
    private const int MemoryMax = 8192;
    private const int PieceUnit = 256;

    /// <summary>The most that is asked of one piece (TTY_BUFFER_PAGE).</summary>
    private const int PieceMax = 1792;

    private const int PiecesMax = (MemoryMax / PieceUnit) + 1;
    private const int BytesMax = 2 * (MemoryMax + PieceMax);

    private struct Piece
    {
        public int Size;
        public int Used;
        public int Read;
    }

    private readonly Piece[] _pieces = new Piece[PiecesMax + 1];
    private int _firstPiece;
    private int _pieceCount = 1;
    private int _memory;
    private byte[]? _bytes;
    private int _start;
    private int _end;

    public bool IsEmpty => _start == _end;

    /// <summary>How much memory a writer that asks first may still use (tty_buffer_space_avail), in bytes.</summary>
    public int Room => Math.Max(0, MemoryMax - _memory);

    /// <summary>Bytes at the front in which flow control has been looked for already.</summary>
    public int LookedAhead { get; set; }

    /// <summary>All that is there.</summary>
    public ReadOnlySpan<byte> All => _bytes.AsSpan(_start, _end - _start);

    /// <summary>What a line discipline is given at once: the rest of the first piece.</summary>
    public ReadOnlySpan<byte> Next => _bytes.AsSpan(_start, First.Used - First.Read);

    private ref Piece First => ref _pieces[_firstPiece];

    private ref Piece Last => ref _pieces[(_firstPiece + _pieceCount - 1) % _pieces.Length];

    /// <summary>Puts in what fits; returns how much.</summary>
    public int Append(ReadOnlySpan<byte> data)
    {
        int appended = 0;
        while (appended < data.Length)
        {
            int count = TakeRoom(Math.Min(data.Length - appended, PieceMax));
            if (count == 0)
            {
                break;
            }

            Last.Used += count;
            Store(data.Slice(appended, count));
            appended += count;
        }

        return appended;
    }

    /// <summary>Takes bytes away from <see cref="Next"/>.</summary>
    public void Consume(int count)
    {
        _start += count;
        First.Read += count;
        LookedAhead = Math.Max(0, LookedAhead - count);
        FreeRead();
    }

    /// <summary>Gives pieces back that have been read. The last one stays: what comes next may fit into it.</summary>
    public void FreeRead()
    {
        while (_pieceCount > 1 && First.Read == First.Used)
        {
            _memory -= First.Size;
            _firstPiece = (_firstPiece + 1) % _pieces.Length;
            _pieceCount--;
        }

        if (IsEmpty && _bytes != null)
        {
            ArrayPool<byte>.Shared.Return(_bytes);
            _bytes = null;
            _start = _end = 0;
        }
    }

    /// <summary>Forgets everything.</summary>
    public void Flush()
    {
        for (int i = 0; i < _pieceCount; i++)
        {
            ref Piece piece = ref _pieces[(_firstPiece + i) % _pieces.Length];
            piece.Read = piece.Used;
        }

        _start = _end;
        LookedAhead = 0;
        FreeRead();
    }

    /// <summary>Room in the last piece, or in a new one where the last has too little; what is left of the last where there is no more memory.</summary>
    private int TakeRoom(int wanted)
    {
        int left = (2 * Last.Size) - Last.Used;
        if (left >= wanted)
        {
            return wanted;
        }

        if (_memory > MemoryMax)
        {
            return left;
        }

        _pieceCount++;
        int size = (wanted + PieceUnit - 1) / PieceUnit * PieceUnit;
        Last = new Piece { Size = size };
        _memory += size;
        return wanted;
    }

    private void Store(ReadOnlySpan<byte> data)
    {
        _bytes ??= ArrayPool<byte>.Shared.Rent(BytesMax);
        if (_end + data.Length > _bytes.Length)
        {
            All.CopyTo(_bytes);
            (_start, _end) = (0, _end - _start);
        }

        data.CopyTo(_bytes.AsSpan(_end));
        _end += data.Length;
    }
}

using System.Numerics;

namespace Portico.Kernel;

// From the ring to programs.
internal sealed partial class LineDiscipline
{
    /// <summary>
    /// Linux copies to a program in pieces of so many bytes, and waits for VMIN only within the first: a read never waits for more than these.
    /// </summary>
    private const int FirstPiece = 64;

    /// <summary>How long a read waits: VTIME in tenths of a second, 0 for as long as it takes, or where VMIN is 0 for not at all.</summary>
    public TimeSpan Time => TimeSpan.FromMilliseconds(_isCanonical ? 0 : Modes[ControlCharacter.VTIME] * 100);

    /// <summary>How many bytes a read waits for; 0 for what is there, or what comes within <see cref="Time"/>.</summary>
    public int Least => _isCanonical ? 1 : Modes[ControlCharacter.VMIN];

    /// <summary>
    /// Copies what there is to a read that has got <paramref name="got"/> bytes before; true when that is all it gets, false where it waits for more.
    /// </summary>
    public bool Read(ref IoCursor destination, int got, out long count)
    {
        if (ReadsLines)
        {
            count = ReadLine(ref destination);
            return true;
        }

        // Without lines the ends of file of EXTPROC are told only by one that stands alone.
        bool isEnd = _isCanonical && Held == 1 && At(_tail) == Modes[ControlCharacter.VEOF];
        if (isEnd)
        {
            _tail++;
            count = 0;
            return true;
        }

        int least = Modes[ControlCharacter.VMIN];
        int most = (int)Math.Min(_commitHead - _tail, destination.Remaining);
        most = least > FirstPiece ? Math.Min(most, Math.Max(0, FirstPiece - got)) : most;
        count = Copy(ref destination, most);
        int needed = _isCanonical ? 0 : (int)Math.Min(Math.Min(Math.Max(least, 1), FirstPiece), destination.Total);
        return got + count >= needed;
    }

    private long ReadLine(ref IoCursor destination)
    {
        int available = (int)Math.Min(_lineHead - _tail, destination.Remaining);
        int length = LengthOfLine(available);
        bool found = length < available;
        if (!found)
        {
            Copy(ref destination, length);

            // An end of file just behind a read that is full belongs to it.
            if (destination.Remaining == 0 && _tail != _lineHead && IsLineEnd(_tail) && At(_tail) == Disabled)
            {
                UnmarkLineEnd(_tail++);
            }

            return length;
        }

        uint end = _tail + (uint)length;
        bool isEndOfFile = At(end) == Disabled;
        UnmarkLineEnd(end);
        length += isEndOfFile ? 0 : 1;
        Copy(ref destination, length);
        _tail = end + 1;
        return length;
    }

    /// <summary>Bytes before the first end of a line; as many as there may be where there is none.</summary>
    private int LengthOfLine(int most)
    {
        if (_lineEnds == null)
        {
            return most;
        }

        for (int at = 0; at < most;)
        {
            uint position = _tail + (uint)at;
            int bit = (int)(position & 63);
            ulong ends = _lineEnds[(position & RingMask) >> 6] >> bit;
            if (ends != 0)
            {
                return Math.Min(most, at + BitOperations.TrailingZeroCount(ends));
            }

            at += 64 - bit;
        }

        return most;
    }

    private int Copy(ref IoCursor destination, int count)
    {
        if (destination.Lacks(count))
        {
            // Bytes go out by pieces, and those of a piece whose memory is not all there are lost.
            count = (int)Math.Min(count, (destination.Present / FirstPiece * FirstPiece) + FirstPiece);
        }

        int start = (int)(_tail & RingMask);
        int first = Math.Min(count, RingBytes - start);
        destination.Write(_ring.AsSpan(start, first));
        destination.Write(_ring.AsSpan(0, count - first));
        _tail += (uint)count;
        return count;
    }
}

using System.Buffers;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;

namespace Portico.Kernel;

/// <summary>Text of a file of /proc while it is being made, in memory that is used again.</summary>
internal sealed class ProcText
{
    private byte[] _bytes = ArrayPool<byte>.Shared.Rent(8192);

    /// <summary>Bytes written so far.</summary>
    public int Length { get; private set; }

    public ReadOnlySpan<byte> Bytes => _bytes.AsSpan(0, Length);

    /// <summary>Takes an interpolated string, with C#'s formats for C's.</summary>
    [InterpolatedStringHandler]
    public readonly ref struct Line(int literalLength, int formattedCount, ProcText text)
    {
        /// <summary>What the compiler has counted: a guess at the room that will be needed.</summary>
        public int Guess { get; } = literalLength + (formattedCount * 11);

        public void AppendLiteral(string value) => text.Append(value);

        public void AppendFormatted<T>(T value, string? format = null)
            where T : IUtf8SpanFormattable => text.Append(value, 0, format);

        public void AppendFormatted<T>(T value, int alignment, string? format = null)
            where T : IUtf8SpanFormattable => text.Append(value, alignment, format);

        public void AppendFormatted(string value, int alignment = 0) => text.AppendAligned(value, alignment);

        public void AppendFormatted(ReadOnlySpan<byte> value) => text.Append(value);
    }

    public void Add([InterpolatedStringHandlerArgument("")] ref Line line) => _ = line.Guess;

    public void Append(string value)
    {
        Span<byte> room = Room(Encoding.UTF8.GetMaxByteCount(value.Length));
        Length += Encoding.UTF8.GetBytes(value, room);
    }

    public void Append(ReadOnlySpan<byte> value)
    {
        value.CopyTo(Room(value.Length));
        Length += value.Length;
    }

    public void Append(byte value)
    {
        Room(1)[0] = value;
        Length++;
    }

    /// <summary>Fills up with spaces to a width, counted from where a line began (seq_pad).</summary>
    public void PadTo(int start, int width)
    {
        int missing = start + width - Length;
        if (missing > 0)
        {
            Room(missing)[..missing].Fill((byte)' ');
            Length += missing;
        }
    }

    /// <summary>Takes away what is first.</summary>
    public void RemoveFirst(int count)
    {
        _bytes.AsSpan(count, Length - count).CopyTo(_bytes);
        Length -= count;
    }

    /// <summary>Gives the memory back; nothing may be written any more.</summary>
    public void Free()
    {
        ArrayPool<byte>.Shared.Return(_bytes);
        _bytes = [];
        Length = 0;
    }

    private void Append<T>(T value, int alignment, string? format)
        where T : IUtf8SpanFormattable
    {
        int start = Length;
        int written;
        for (int room = 64; !value.TryFormat(Room(room), out written, format, CultureInfo.InvariantCulture); room *= 2)
        {
        }

        Length += written;
        Align(start, alignment);
    }

    private void AppendAligned(string value, int alignment)
    {
        int start = Length;
        Append(value);
        Align(start, alignment);
    }

    private void Align(int start, int alignment)
    {
        int missing = Math.Abs(alignment) - (Length - start);
        if (missing <= 0)
        {
            return;
        }

        if (alignment > 0)
        {
            Room(missing);
            _bytes.AsSpan(start, Length - start).CopyTo(_bytes.AsSpan(start + missing));
            _bytes.AsSpan(start, missing).Fill((byte)' ');
            Length += missing;
        }
        else
        {
            PadTo(start, -alignment);
        }
    }

    private Span<byte> Room(int count)
    {
        if (_bytes.Length - Length < count)
        {
            byte[] larger = ArrayPool<byte>.Shared.Rent(Math.Max(_bytes.Length * 2, Length + count));
            Bytes.CopyTo(larger);
            ArrayPool<byte>.Shared.Return(_bytes);
            _bytes = larger;
        }

        return _bytes.AsSpan(Length);
    }
}

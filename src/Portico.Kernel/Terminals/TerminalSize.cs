using System.Buffers.Binary;

namespace Portico.Kernel;

/// <summary>The size of a terminal's window (struct winsize), which the kernel only keeps and tells.</summary>
/// <param name="Rows">Lines.</param>
/// <param name="Columns">Characters in a line.</param>
/// <param name="PixelWidth">Pixels across; mostly 0.</param>
/// <param name="PixelHeight">Pixels down; mostly 0.</param>
internal readonly record struct TerminalSize(ushort Rows, ushort Columns, ushort PixelWidth = 0, ushort PixelHeight = 0)
{
    internal const int Bytes = 8;

    internal static TerminalSize Read(ReadOnlySpan<byte> from) => new(
        BinaryPrimitives.ReadUInt16LittleEndian(from),
        BinaryPrimitives.ReadUInt16LittleEndian(from[2..]),
        BinaryPrimitives.ReadUInt16LittleEndian(from[4..]),
        BinaryPrimitives.ReadUInt16LittleEndian(from[6..]));

    internal void Write(Span<byte> to)
    {
        BinaryPrimitives.WriteUInt16LittleEndian(to, Rows);
        BinaryPrimitives.WriteUInt16LittleEndian(to[2..], Columns);
        BinaryPrimitives.WriteUInt16LittleEndian(to[4..], PixelWidth);
        BinaryPrimitives.WriteUInt16LittleEndian(to[6..], PixelHeight);
    }
}

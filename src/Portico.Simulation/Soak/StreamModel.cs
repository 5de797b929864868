using Portico.Net;

namespace Portico.Simulation;

/// <summary>
/// What the bytes of a stream have to be: pseudo-random, by the stream's number and the offset. They come out of one table whose
/// length has no common factor with any segment size, so that a byte at the wrong place shows.
/// </summary>
public static class StreamModel
{
    private const int TableBytes = 1_048_583;
    private static readonly byte[] s_table = MakeTable();

    /// <summary>Writes the bytes of a stream from an offset on.</summary>
    public static void Fill(int stream, long offset, Span<byte> destination)
    {
        int position = Position(stream, offset);
        while (!destination.IsEmpty)
        {
            int length = Math.Min(destination.Length, TableBytes - position);
            s_table.AsSpan(position, length).CopyTo(destination);
            destination = destination[length..];
            position = 0;
        }
    }

    /// <summary>The offset of the first byte that is not what it has to be; -1 if all are right.</summary>
    public static long FirstDifference(int stream, long offset, ReadOnlySpan<byte> bytes)
    {
        int position = Position(stream, offset);
        int done = 0;
        while (done < bytes.Length)
        {
            int length = Math.Min(bytes.Length - done, TableBytes - position);
            int same = bytes.Slice(done, length).CommonPrefixLength(s_table.AsSpan(position, length));
            if (same < length)
            {
                return offset + done + same;
            }

            done += length;
            position = 0;
        }

        return -1;
    }

    private static int Position(int stream, long offset) => (int)((offset + (stream * 104_729L)) % TableBytes);

    private static byte[] MakeTable()
    {
        RandomSource random = new(0x0DD_B17E5);
        byte[] table = new byte[TableBytes];
        for (int i = 0; i < table.Length; i++)
        {
            table[i] = (byte)random.NextUInt32();
        }

        return table;
    }
}

using System.Buffers;

namespace Portico.Kernel;

/// <summary>
/// The caller's memory for one datagram, in one piece: its own where that is one, and otherwise memory of ours that is copied from in the end.
/// </summary>
internal static class DatagramRoom
{
    private const int DatagramBytesMax = 65_535 + 64;

    /// <summary>Where the datagram is to be put; to be followed by <see cref="Finish"/>.</summary>
    public static Span<byte> Begin(ref IoCursor destination, out byte[]? gathered)
    {
        Span<byte> piece = destination.Next();
        gathered = null;
        if (piece.Length < destination.Remaining)
        {
            gathered = ArrayPool<byte>.Shared.Rent(DatagramBytesMax);
            piece = gathered.AsSpan(0, (int)Math.Min(DatagramBytesMax, destination.Remaining));
        }

        return piece;
    }

    /// <summary>So many bytes have been put there, which may be none.</summary>
    public static void Finish(ref IoCursor destination, byte[]? gathered, int received)
    {
        if (gathered == null)
        {
            destination.Skip(received);
            return;
        }

        destination.Write(gathered.AsSpan(0, received));
        ArrayPool<byte>.Shared.Return(gathered);
    }
}

namespace Portico.Net;

/// <summary>Makes packets out of ranges of another one's bytes, by reference to its blocks where that is possible.</summary>
internal static unsafe class PacketPiece
{
    /// <summary>
    /// A packet with <paramref name="length"/> bytes of the source from <paramref name="offset"/> on, and at least the standard headroom in
    /// front; null when memory is short. The source keeps its bytes.
    /// </summary>
    public static Packet? Make(PacketPool pool, Packet source, int offset, int length)
    {
        int linearLeft = Math.Min(length, Math.Max(0, source.LinearLength - offset));
        bool mustCopyLinear = linearLeft > 0 && source.LinearBlock == null;
        Packet? piece = pool.RentLinear(mustCopyLinear ? linearLeft : 0);
        if (piece == null)
        {
            return null;
        }

        if (mustCopyLinear)
        {
            source.Linear.Slice(offset, linearLeft).CopyTo(piece.Append(linearLeft));
        }
        else if (linearLeft > 0)
        {
            piece.TryAddFragment(source.LinearBlock, source.Start + offset, linearLeft);
        }

        int position = source.LinearLength;
        int from = offset + linearLeft;
        int end = offset + length;
        for (int i = 0; i < source.FragmentCount && from < end; i++)
        {
            ref Slice slice = ref source.Fragment(i);
            int sliceEnd = position + slice.Length;
            if (from < sliceEnd)
            {
                int take = Math.Min(end, sliceEnd) - from;
                if (!piece.TryAddFragment(slice.Block, slice.Offset + from - position, take))
                {
                    piece.Release();
                    return Copy(pool, source, offset, length);
                }

                from += take;
            }

            position = sliceEnd;
        }

        return piece;
    }

    private static Packet? Copy(PacketPool pool, Packet source, int offset, int length)
    {
        Packet? piece = pool.RentLinear(length);
        if (piece == null)
        {
            return null;
        }

        Span<byte> destination = piece.Append(length);
        int linear = Math.Min(length, Math.Max(0, source.LinearLength - offset));
        source.Linear.Slice(Math.Min(offset, source.LinearLength), linear).CopyTo(destination);
        int position = source.LinearLength;
        int done = linear;
        for (int i = 0; i < source.FragmentCount && done < length; i++)
        {
            ReadOnlySpan<byte> fragment = source.FragmentSpan(i);
            int skip = offset + done - position;
            if (skip < fragment.Length)
            {
                int take = Math.Min(length - done, fragment.Length - skip);
                fragment.Slice(skip, take).CopyTo(destination[done..]);
                done += take;
            }

            position += fragment.Length;
        }

        return piece;
    }
}

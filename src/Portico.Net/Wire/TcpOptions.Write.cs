using System.Buffers.Binary;
using System.Runtime.CompilerServices;

namespace Portico.Net;

// The writers put options where Linux puts them, so that captures compare, and align everything to 32 bits.
public partial struct TcpOptions
{
    /// <summary>
    /// Writes the options of a SYN and returns their bytes, a multiple of 4 and at most 20. A negative
    /// <paramref name="windowScale"/> leaves that option out, as does <paramref name="mss"/> 0.
    /// </summary>
    public static int WriteSyn(
        Span<byte> destination, ushort mss, int windowScale, bool sackPermitted, bool timestamps, uint tsVal = 0, uint tsEcr = 0)
    {
        int length = 0;
        if (mss != 0)
        {
            BinaryPrimitives.WriteUInt32BigEndian(destination, 0x0204_0000u | mss);
            length = 4;
        }

        if (timestamps)
        {
            BinaryPrimitives.WriteUInt32BigEndian(destination[length..], sackPermitted ? 0x0402_080Au : AlignedTimestamps);
            BinaryPrimitives.WriteUInt32BigEndian(destination[(length + 4)..], tsVal);
            BinaryPrimitives.WriteUInt32BigEndian(destination[(length + 8)..], tsEcr);
            length += TimestampBytes;
        }
        else if (sackPermitted)
        {
            BinaryPrimitives.WriteUInt32BigEndian(destination[length..], 0x0101_0402u);
            length += 4;
        }

        if (windowScale >= 0)
        {
            BinaryPrimitives.WriteUInt32BigEndian(destination[length..], 0x0103_0300u | (byte)windowScale);
            length += 4;
        }

        return length;
    }

    /// <summary>Writes an aligned timestamps option and returns its bytes: 12.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int WriteTimestamp(Span<byte> destination, uint tsVal, uint tsEcr)
    {
        _ = destination[TimestampBytes - 1];
        BinaryPrimitives.WriteUInt32BigEndian(destination, AlignedTimestamps);
        BinaryPrimitives.WriteUInt64BigEndian(destination[4..], ((ulong)tsVal << 32) | tsEcr);
        return TimestampBytes;
    }

    /// <summary>Writes an aligned SACK option with all of <paramref name="blocks"/> and returns its bytes: 4 + 8 for each block.</summary>
    public static int WriteSack(Span<byte> destination, ReadOnlySpan<SackBlock> blocks)
    {
        BinaryPrimitives.WriteUInt32BigEndian(destination, 0x0101_0500u | (uint)((blocks.Length * 8) + 2));
        int length = 4;
        foreach (SackBlock block in blocks)
        {
            BinaryPrimitives.WriteUInt32BigEndian(destination[length..], block.Left);
            BinaryPrimitives.WriteUInt32BigEndian(destination[(length + 4)..], block.Right);
            length += 8;
        }

        return length;
    }

    /// <summary>Bytes that a Fast Open option takes with what fills it up to a multiple of 4.</summary>
    public static int FastOpenBytes(int cookieBytes, bool isExperimental) => ((isExperimental ? 4 : 2) + cookieBytes + 3) & ~3;

    /// <summary>
    /// Writes a Fast Open option (RFC 7413 4.1.1), or the experimental one of RFC 6994, filled up with no-operations; returns its bytes.
    /// </summary>
    public static int WriteFastOpen(Span<byte> destination, ReadOnlySpan<byte> cookie, bool isExperimental = false)
    {
        int padded = FastOpenBytes(cookie.Length, isExperimental);
        int header = isExperimental ? 4 : 2;
        int length = header + cookie.Length;
        destination[0] = isExperimental ? TcpOptionKind.Experiment2 : TcpOptionKind.FastOpen;
        destination[1] = (byte)length;
        if (isExperimental)
        {
            BinaryPrimitives.WriteUInt16BigEndian(destination[2..], FastOpenExperiment);
        }

        cookie.CopyTo(destination[header..]);
        destination[length..padded].Fill(TcpOptionKind.NoOperation);
        return padded;
    }
}

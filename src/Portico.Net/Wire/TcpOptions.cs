using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Portico.Net;

/// <summary>A block of a SACK option (RFC 2018 3): the bytes from <see cref="Left"/> up to but not including <see cref="Right"/>.</summary>
public struct SackBlock
{
#pragma warning disable CS1591 // The names are the RFC's.
    public uint Left;
    public uint Right;

    public SackBlock(uint left, uint right)
    {
        Left = left;
        Right = right;
    }
#pragma warning restore CS1591
}

/// <summary>Room for the four SACK blocks that fit into 40 bytes of options.</summary>
[InlineArray(TcpOptions.SackCountMax)]
public struct SackBlocks
{
    private SackBlock _first;
}

/// <summary>Option kinds (IANA).</summary>
public static class TcpOptionKind
{
#pragma warning disable CS1591 // The names are IANA's.
    public const byte EndOfList = 0;
    public const byte NoOperation = 1;
    public const byte MaximumSegmentSize = 2;
    public const byte WindowScale = 3;
    public const byte SackPermitted = 4;
    public const byte Sack = 5;
    public const byte Timestamps = 8;
    public const byte Md5Signature = 19;
    public const byte UserTimeout = 28;
    public const byte FastOpen = 34;
    public const byte Experiment1 = 253;
    public const byte Experiment2 = 254;
#pragma warning restore CS1591
}

/// <summary>What the options of one segment said. Holds no reference to the segment.</summary>
public partial struct TcpOptions
{
    /// <summary>The most SACK blocks that one segment can carry.</summary>
    public const int SackCountMax = 4;

    /// <summary>Bytes of the timestamps option with the two no-operations that align it.</summary>
    public const int TimestampBytes = 12;

    /// <summary>RFC 7323 2.3: a larger shift is taken as 14.</summary>
    public const int WindowScaleMax = 14;

    private const uint AlignedTimestamps = 0x0101_080A;

    /// <summary>RFC 9293 3.7.1; 0 where absent.</summary>
    public ushort Mss;

    /// <summary>RFC 7323 2.2, at most 14; -1 where absent.</summary>
    public sbyte WindowScale;

    /// <summary>RFC 2018 2.</summary>
    public bool SackPermitted;

    /// <summary>Whether <see cref="TsVal"/> and <see cref="TsEcr"/> were there (RFC 7323 3.2).</summary>
    public bool HasTimestamp;

    /// <summary>Whether an MD5 signature of the right length was there (RFC 2385).</summary>
    public bool HasMd5;

    /// <summary>Where the signature stands in the option bytes; 0 where there is none, <see cref="Md5Invalid"/> where one is too many or its length wrong.</summary>
    public byte Md5Offset;

    /// <summary>See <see cref="Md5Offset"/>.</summary>
    public const byte Md5Invalid = byte.MaxValue;

    /// <summary>What tells Fast Open from other experiments under kind 254 (RFC 6994; IANA).</summary>
    public const ushort FastOpenExperiment = 0xF989;

    /// <summary>Whether the Fast Open option was the experimental one.</summary>
    public bool IsFastOpenExperimental;

    /// <summary>Offset of the Fast Open cookie in the option bytes.</summary>
    public byte FastOpenCookieOffset;

    /// <summary>Bytes of Fast Open cookie (RFC 7413 4.1.1): 0 for a request, -1 where the option is absent or its length illegal.</summary>
    public sbyte FastOpenCookieLength;

    /// <summary>TSval.</summary>
    public uint TsVal;

    /// <summary>TSecr.</summary>
    public uint TsEcr;

    /// <summary>How many of <see cref="Sacks"/> are filled.</summary>
    public int SackCount;

    /// <summary>RFC 5482, in seconds; 0 where absent.</summary>
    public int UserTimeoutSeconds;

    /// <summary>The SACK blocks, in the order sent.</summary>
    public SackBlocks Sacks;

    /// <summary>
    /// Reads options. False where a length was illegal (below 2, or past the end): what came before counts, the rest is ignored, as
    /// RFC 9293 MUST-7 allows. A known kind with a length that is not its own is skipped (MUST-6).
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Parse(ReadOnlySpan<byte> options, out TcpOptions parsed)
    {
        parsed = default;
        parsed.WindowScale = -1;
        parsed.FastOpenCookieLength = -1;
        if (options.Length == 0)
        {
            return true;
        }

        ref byte first = ref MemoryMarshal.GetReference(options);
        if (options.Length == TimestampBytes && Big.Read32(ref first, 0) == AlignedTimestamps)
        {
            parsed.HasTimestamp = true;
            parsed.TsVal = Big.Read32(ref first, 4);
            parsed.TsEcr = Big.Read32(ref first, 8);
            return true;
        }

        return ParseSlowly(options, ref parsed);
    }

    private static bool ParseSlowly(ReadOnlySpan<byte> options, ref TcpOptions parsed)
    {
        int position = 0;
        while (position < options.Length)
        {
            byte kind = options[position];
            if (kind == TcpOptionKind.EndOfList)
            {
                return true;
            }

            if (kind == TcpOptionKind.NoOperation)
            {
                position++;
                continue;
            }

            if (position + 1 >= options.Length)
            {
                return false;
            }

            int length = options[position + 1];
            if (length < 2 || length > options.Length - position)
            {
                return false;
            }

            parsed.Take(kind, options.Slice(position + 2, length - 2), position + 2);
            position += length;
        }

        return true;
    }

    private void Take(byte kind, ReadOnlySpan<byte> data, int offset)
    {
        switch (kind)
        {
            case TcpOptionKind.MaximumSegmentSize when data.Length == 2:
                Mss = BinaryPrimitives.ReadUInt16BigEndian(data);
                break;
            case TcpOptionKind.WindowScale when data.Length == 1:
                WindowScale = (sbyte)Math.Min((int)data[0], WindowScaleMax);
                break;
            case TcpOptionKind.SackPermitted when data.Length == 0:
                SackPermitted = true;
                break;
            case TcpOptionKind.Timestamps when data.Length == 8:
                HasTimestamp = true;
                TsVal = BinaryPrimitives.ReadUInt32BigEndian(data);
                TsEcr = BinaryPrimitives.ReadUInt32BigEndian(data[4..]);
                break;
            case TcpOptionKind.Sack when data.Length >= 8 && data.Length % 8 == 0:
                TakeSack(data);
                break;
            case TcpOptionKind.Md5Signature:
                bool isValid = data.Length == Md5.HashBytes && Md5Offset == 0;
                HasMd5 |= isValid;
                Md5Offset = isValid ? (byte)offset : Md5Invalid;
                break;
            case TcpOptionKind.UserTimeout when data.Length == 2:
                int value = BinaryPrimitives.ReadUInt16BigEndian(data);
                UserTimeoutSeconds = (value & 0x7FFF) * ((value & 0x8000) != 0 ? 60 : 1);
                break;
            case TcpOptionKind.FastOpen:
                TakeFastOpen(data.Length, offset, isExperimental: false);
                break;
            case TcpOptionKind.Experiment2 when data.Length >= 2 && BinaryPrimitives.ReadUInt16BigEndian(data) == FastOpenExperiment:
                TakeFastOpen(data.Length - 2, offset + 2, isExperimental: true);
                break;
        }
    }

    private void TakeFastOpen(int length, int offset, bool isExperimental)
    {
        if (length == 0 || (length is >= 4 and <= 16 && length % 2 == 0))
        {
            FastOpenCookieOffset = (byte)offset;
            FastOpenCookieLength = (sbyte)length;
            IsFastOpenExperimental = isExperimental;
        }
    }

    private void TakeSack(ReadOnlySpan<byte> data)
    {
        SackCount = Math.Min(data.Length / 8, SackCountMax);
        for (int i = 0; i < SackCount; i++)
        {
            Sacks[i].Left = BinaryPrimitives.ReadUInt32BigEndian(data[(i * 8)..]);
            Sacks[i].Right = BinaryPrimitives.ReadUInt32BigEndian(data[((i * 8) + 4)..]);
        }
    }
}

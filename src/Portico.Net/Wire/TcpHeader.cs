using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Portico.Net;

/// <summary>The control bits of a TCP header (RFC 9293 3.1, RFC 3168 6.1).</summary>
[Flags]
public enum TcpFlags : byte
{
#pragma warning disable CS1591 // The names are the RFCs'.
    None = 0,
    Fin = 1,
    Syn = 2,
    Rst = 4,
    Psh = 8,
    Ack = 16,
    Urg = 32,
    Ece = 64,
    Cwr = 128,
#pragma warning restore CS1591
}

/// <summary>A TCP header in a packet (RFC 9293 3.1); the length was checked once, by <see cref="TryParse"/>.</summary>
public readonly ref struct TcpHeader
{
    /// <summary>Bytes of a header without options.</summary>
    public const int LengthMin = 20;

    /// <summary>Bytes of the longest header.</summary>
    public const int LengthMax = 60;

    /// <summary>Offset of the checksum field.</summary>
    public const int ChecksumOffset = 16;

    private readonly ref byte _first;
    private readonly int _headerLength;

    private TcpHeader(ref byte first, int headerLength)
    {
        _first = ref first;
        _headerLength = headerLength;
    }

    /// <summary>The sender's port.</summary>
    public ushort SourcePort => Big.Read16(ref _first, 0);

    /// <summary>The receiver's port.</summary>
    public ushort DestinationPort => Big.Read16(ref _first, 2);

    /// <summary>SEG.SEQ.</summary>
    public uint Sequence => Big.Read32(ref _first, 4);

    /// <summary>SEG.ACK.</summary>
    public uint Acknowledgment => Big.Read32(ref _first, 8);

    /// <summary>Bytes of header, options included: 20 to 60.</summary>
    public int HeaderLength => _headerLength;

    /// <summary>The control bits.</summary>
    public TcpFlags Flags => (TcpFlags)Unsafe.Add(ref _first, 13);

    /// <summary>SEG.WND, not scaled.</summary>
    public ushort Window => Big.Read16(ref _first, 14);

    /// <summary>The checksum field.</summary>
    public ushort Checksum => Big.Read16(ref _first, ChecksumOffset);

    /// <summary>SEG.UP, meaningful with <see cref="TcpFlags.Urg"/>.</summary>
    public ushort UrgentPointer => Big.Read16(ref _first, 18);

    /// <summary>The options, for <see cref="TcpOptions.Parse"/>.</summary>
    public ReadOnlySpan<byte> OptionBytes =>
        MemoryMarshal.CreateReadOnlySpan(ref Unsafe.Add(ref _first, LengthMin), _headerLength - LengthMin);

    /// <summary>Views the header; false where there are fewer than 20 bytes, or the data offset is below 5 or past the end.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool TryParse(ReadOnlySpan<byte> bytes, out TcpHeader header)
    {
        ref byte first = ref MemoryMarshal.GetReference(bytes);
        if (bytes.Length >= LengthMin)
        {
            int length = (Unsafe.Add(ref first, 12) >> 4) * 4;
            header = new TcpHeader(ref first, length);
            return length >= LengthMin && length <= bytes.Length;
        }

        header = default;
        return false;
    }

    /// <summary>
    /// Writes the first 20 bytes of a header with checksum 0; <paramref name="headerLength"/> counts the options too, which the
    /// caller writes behind.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Write(
        Span<byte> header,
        ushort sourcePort,
        ushort destinationPort,
        uint sequence,
        uint acknowledgment,
        int headerLength,
        TcpFlags flags,
        ushort window,
        ushort urgent = 0)
    {
        _ = header[LengthMin - 1];
        BinaryPrimitives.WriteUInt64BigEndian(header, ((ulong)sourcePort << 48) | ((ulong)destinationPort << 32) | sequence);
        ulong middle = ((ulong)acknowledgment << 32) | ((ulong)(headerLength >> 2) << 28) | ((ulong)flags << 16) | window;
        BinaryPrimitives.WriteUInt64BigEndian(header[8..], middle);
        BinaryPrimitives.WriteUInt32BigEndian(header[16..], urgent);
    }
}

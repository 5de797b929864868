using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Portico.Net;

/// <summary>A UDP header in a packet (RFC 768).</summary>
public readonly ref struct UdpHeader
{
    /// <summary>Bytes that the header takes.</summary>
    public const int Length = 8;

    /// <summary>Offset of the checksum field.</summary>
    public const int ChecksumOffset = 6;

    private readonly ref byte _first;

    private UdpHeader(ref byte first) => _first = ref first;

    /// <summary>The sender's port.</summary>
    public ushort SourcePort => Big.Read16(ref _first, 0);

    /// <summary>The receiver's port.</summary>
    public ushort DestinationPort => Big.Read16(ref _first, 2);

    /// <summary>Header and payload in bytes, as the sender says; the receiver compares it with what is there.</summary>
    public ushort DatagramLength => Big.Read16(ref _first, 4);

    /// <summary>The checksum field; 0 where the sender made none.</summary>
    public ushort Checksum => Big.Read16(ref _first, ChecksumOffset);

    /// <summary>Views the header; false where there are fewer than 8 bytes or the length field says less than 8.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool TryParse(ReadOnlySpan<byte> bytes, out UdpHeader header)
    {
        if (bytes.Length < Length)
        {
            header = default;
            return false;
        }

        header = new UdpHeader(ref MemoryMarshal.GetReference(bytes));
        return header.DatagramLength >= Length;
    }

    /// <summary>Writes a header with checksum 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Write(Span<byte> destination, ushort sourcePort, ushort destinationPort, int datagramLength)
    {
        ulong ports = ((ulong)sourcePort << 48) | ((ulong)destinationPort << 32) | ((ulong)(ushort)datagramLength << 16);
        BinaryPrimitives.WriteUInt64BigEndian(destination, ports);
    }
}

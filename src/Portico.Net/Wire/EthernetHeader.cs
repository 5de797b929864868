using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Portico.Net;

/// <summary>EtherTypes (IEEE, RFC 9542).</summary>
public static class EtherType
{
#pragma warning disable CS1591 // The names are the protocols'.
    public const ushort Ipv4 = 0x0800;
    public const ushort Arp = 0x0806;
    public const ushort Ipv6 = 0x86DD;
#pragma warning restore CS1591

    /// <summary>The least EtherType; what is less is a length (IEEE 802.3).</summary>
    public const ushort Min = 0x0600;
}

/// <summary>An Ethernet II header in a frame (RFC 894).</summary>
public readonly ref struct EthernetHeader
{
    /// <summary>Bytes that the header takes.</summary>
    public const int Length = 14;

    private readonly ref byte _first;

    private EthernetHeader(ref byte first) => _first = ref first;

    /// <summary>To whom.</summary>
    public MacAddress Destination => new(Big.Read64(ref _first, 0) >> 16);

    /// <summary>From whom.</summary>
    public MacAddress Source => new(Big.Read64(ref _first, 6) >> 16);

    /// <summary>What the payload is.</summary>
    public ushort EtherType => Big.Read16(ref _first, 12);

    /// <summary>Views the header; false where there are fewer than 14 bytes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool TryParse(ReadOnlySpan<byte> bytes, out EthernetHeader header)
    {
        if (bytes.Length >= Length)
        {
            header = new EthernetHeader(ref MemoryMarshal.GetReference(bytes));
            return true;
        }

        header = default;
        return false;
    }

    /// <summary>Writes a header.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Write(Span<byte> header, MacAddress destination, MacAddress source, ushort etherType)
    {
        _ = header[Length - 1];
        BinaryPrimitives.WriteUInt64BigEndian(header, (destination.Value << 16) | (source.Value >> 32));
        BinaryPrimitives.WriteUInt32BigEndian(header[8..], (uint)source.Value);
        BinaryPrimitives.WriteUInt16BigEndian(header[12..], etherType);
    }
}

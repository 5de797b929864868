using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Portico.Net;

/// <summary>The fixed IPv6 header in a packet (RFC 8200 3).</summary>
public readonly ref struct Ipv6Header
{
    /// <summary>Bytes that the header takes.</summary>
    public const int Length = 40;

    internal const uint FlowLabelMask = 0xF_FFFF;

    private readonly ref byte _first;

    private Ipv6Header(ref byte first) => _first = ref first;

    /// <summary>DSCP and ECN.</summary>
    public byte TrafficClass => (byte)(Big.Read16(ref _first, 0) >> 4);

    /// <summary>The 20 bits of flow label.</summary>
    public uint FlowLabel => Big.Read32(ref _first, 0) & FlowLabelMask;

    /// <summary>Bytes behind this header, extension headers included, as the sender says.</summary>
    public ushort PayloadLength => Big.Read16(ref _first, 4);

    /// <summary>The kind of the header that follows.</summary>
    public IpProtocol NextHeader => (IpProtocol)Unsafe.Add(ref _first, 6);

    /// <summary>Hop limit.</summary>
    public byte HopLimit => Unsafe.Add(ref _first, 7);

    /// <summary>The sender.</summary>
    public IpAddress Source => Big.ReadIpv6(ref _first, 8);

    /// <summary>The receiver.</summary>
    public IpAddress Destination => Big.ReadIpv6(ref _first, 24);

    /// <summary>
    /// Views the header; false where there are fewer than 40 bytes or the version is not 6. Whether the packet is as long as
    /// <see cref="PayloadLength"/> says is for the caller to check.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool TryParse(ReadOnlySpan<byte> bytes, out Ipv6Header header)
    {
        if (bytes.Length >= Length)
        {
            ref byte first = ref MemoryMarshal.GetReference(bytes);
            header = new Ipv6Header(ref first);
            return first >> 4 == 6;
        }

        header = default;
        return false;
    }

    /// <summary>Writes a header.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Write(
        Span<byte> header,
        int payloadLength,
        IpProtocol nextHeader,
        byte hopLimit,
        in IpAddress source,
        in IpAddress destination,
        byte trafficClass = 0,
        uint flowLabel = 0)
    {
        _ = header[Length - 1];
        ulong front = (6UL << 60) | ((ulong)trafficClass << 52) | ((ulong)(flowLabel & FlowLabelMask) << 32)
            | ((ulong)(ushort)payloadLength << 16) | ((ulong)nextHeader << 8) | hopLimit;
        BinaryPrimitives.WriteUInt64BigEndian(header, front);
        source.WriteIpv6(header[8..]);
        destination.WriteIpv6(header[24..]);
    }
}

using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Portico.Net;

/// <summary>An IPv4 header in a packet (RFC 791 3.1).</summary>
public readonly ref struct Ipv4Header
{
    /// <summary>Bytes of a header without options.</summary>
    public const int LengthMin = 20;

    /// <summary>Bytes of the longest header.</summary>
    public const int LengthMax = 60;

    /// <summary>In <see cref="FlagsAndOffset"/>: do not fragment.</summary>
    public const ushort DontFragmentFlag = 0x4000;

    /// <summary>In <see cref="FlagsAndOffset"/>: more fragments follow.</summary>
    public const ushort MoreFragmentsFlag = 0x2000;

    /// <summary>In <see cref="FlagsAndOffset"/>: the fragment's offset in units of 8 bytes.</summary>
    public const ushort OffsetMask = 0x1FFF;

    private readonly ref byte _first;
    private readonly int _headerLength;

    private Ipv4Header(ref byte first, int headerLength)
    {
        _first = ref first;
        _headerLength = headerLength;
    }

    /// <summary>Bytes of header, options included: 20 to 60.</summary>
    public int HeaderLength => _headerLength;

    /// <summary>Type of service: DSCP and ECN.</summary>
    public byte Tos => Unsafe.Add(ref _first, 1);

    /// <summary>Header and payload in bytes, as the sender says; the receiver compares it with what is there.</summary>
    public ushort TotalLength => Big.Read16(ref _first, 2);

    /// <summary>The identification, for reassembly.</summary>
    public ushort Identification => Big.Read16(ref _first, 4);

    /// <summary>Flags and fragment offset as they stand in the header.</summary>
    public ushort FlagsAndOffset => Big.Read16(ref _first, 6);

    /// <summary>Whether the packet must not be fragmented.</summary>
    public bool DontFragment => (FlagsAndOffset & DontFragmentFlag) != 0;

    /// <summary>Whether more fragments follow.</summary>
    public bool MoreFragments => (FlagsAndOffset & MoreFragmentsFlag) != 0;

    /// <summary>Where the fragment's payload stands in the datagram, in bytes.</summary>
    public int FragmentOffset => (FlagsAndOffset & OffsetMask) * 8;

    /// <summary>Whether this is a piece of a datagram and not the whole.</summary>
    public bool IsFragment => (FlagsAndOffset & (MoreFragmentsFlag | OffsetMask)) != 0;

    /// <summary>Time to live.</summary>
    public byte Ttl => Unsafe.Add(ref _first, 8);

    /// <summary>What the payload is.</summary>
    public IpProtocol Protocol => (IpProtocol)Unsafe.Add(ref _first, 9);

    /// <summary>The checksum field.</summary>
    public ushort Checksum => Big.Read16(ref _first, 10);

    /// <summary>The sender.</summary>
    public IpAddress Source => IpAddress.FromIpv4(Big.Read32(ref _first, 12));

    /// <summary>The receiver.</summary>
    public IpAddress Destination => IpAddress.FromIpv4(Big.Read32(ref _first, 16));

    /// <summary>Whether the header has options.</summary>
    public bool HasOptions => _headerLength > LengthMin;

    /// <summary>The options.</summary>
    public ReadOnlySpan<byte> OptionBytes =>
        MemoryMarshal.CreateReadOnlySpan(ref Unsafe.Add(ref _first, LengthMin), _headerLength - LengthMin);

    /// <summary>Whether the header's checksum is right (RFC 1122 3.2.1.2).</summary>
    public bool HasValidChecksum
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get
        {
            ulong sum = InternetChecksum.Add(
                Unsafe.ReadUnaligned<ulong>(ref _first), Unsafe.ReadUnaligned<ulong>(ref Unsafe.Add(ref _first, 8)));
            sum = InternetChecksum.Add(sum, Unsafe.ReadUnaligned<uint>(ref Unsafe.Add(ref _first, 16)));
            if (_headerLength != LengthMin)
            {
                sum = InternetChecksum.Accumulate(sum, OptionBytes);
            }

            return InternetChecksum.Fold(sum) == 0xFFFF;
        }
    }

    /// <summary>
    /// Views the header. False where there are fewer than 20 bytes, the version is not 4, the header length is below 20 or more than
    /// <paramref name="bytes"/> has, or the total length is below the header length (RFC 1122 3.2.1.1). Whether the packet is as
    /// long as <see cref="TotalLength"/> says, and the checksum, are for the caller to check.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool TryParse(ReadOnlySpan<byte> bytes, out Ipv4Header header)
    {
        if (bytes.Length >= LengthMin)
        {
            ref byte first = ref MemoryMarshal.GetReference(bytes);
            int length = (first & 15) * 4;
            header = new Ipv4Header(ref first, length);
            return first >> 4 == 4 && length >= LengthMin && length <= bytes.Length && header.TotalLength >= length;
        }

        header = default;
        return false;
    }

    /// <summary>Writes a header without options and computes its checksum.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Write(
        Span<byte> header,
        int totalLength,
        ushort identification,
        ushort flagsAndOffset,
        byte ttl,
        IpProtocol protocol,
        in IpAddress source,
        in IpAddress destination,
        byte tos = 0)
    {
        _ = header[LengthMin - 1];
        ulong front = 0x4500UL << 48 | ((ulong)tos << 48) | ((ulong)(ushort)totalLength << 32)
            | ((ulong)identification << 16) | flagsAndOffset;
        ulong middle = ((ulong)ttl << 56) | ((ulong)protocol << 48) | source.Ipv4Value;
        uint last = destination.Ipv4Value;
        ulong sum = InternetChecksum.Add(InternetChecksum.Add(front, middle), last);

        // The sum was made of host-order words here, so folding needs no change of byte order.
        sum = (sum & 0xFFFF_FFFF) + (sum >> 32);
        sum = (sum & 0xFFFF) + ((sum >> 16) & 0xFFFF) + (sum >> 32);
        sum = (sum & 0xFFFF) + (sum >> 16);
        sum = (sum & 0xFFFF) + (sum >> 16);
        BinaryPrimitives.WriteUInt64BigEndian(header, front);
        BinaryPrimitives.WriteUInt64BigEndian(header[8..], middle | ((ulong)(ushort)~sum << 32));
        BinaryPrimitives.WriteUInt32BigEndian(header[16..], last);
    }

    /// <summary>Computes the checksum of a header of <paramref name="headerLength"/> bytes and puts it in its place.</summary>
    public static void WriteChecksum(Span<byte> header, int headerLength)
    {
        BinaryPrimitives.WriteUInt16BigEndian(header[10..], 0);
        BinaryPrimitives.WriteUInt16BigEndian(header[10..], InternetChecksum.Compute(header[..headerLength]));
    }

    /// <summary>Takes one from the TTL and updates the checksum, as a router does.</summary>
    public static void DecrementTtl(Span<byte> header)
    {
        ushort before = BinaryPrimitives.ReadUInt16BigEndian(header[8..]);
        ushort after = (ushort)(before - 0x100);
        ushort checksum = BinaryPrimitives.ReadUInt16BigEndian(header[10..]);
        header[8]--;
        BinaryPrimitives.WriteUInt16BigEndian(header[10..], InternetChecksum.UpdateIncremental(checksum, before, after));
    }
}

using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Portico.Net;

/// <summary>
/// The Internet checksum (RFC 1071). Sums are kept in 64 bits in the machine's byte order, which RFC 1071 1.2 (B) shows to be
/// harmless; only <see cref="Fold"/> and <see cref="Finish"/> bring the result into host order, ready for a big-endian write.
/// </summary>
public static class InternetChecksum
{
    private const int VectorBytesMin = 64;

    /// <summary>The checksum of the bytes: the complement of their one's-complement sum.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ushort Compute(ReadOnlySpan<byte> bytes) => Finish(Accumulate(0, bytes));

    /// <summary>
    /// Adds bytes to a sum. <paramref name="odd"/> says that an odd number of bytes came before, so that these stand in the other
    /// half of their 16-bit words.
    /// </summary>
    public static ulong Accumulate(ulong sum, ReadOnlySpan<byte> bytes, bool odd = false)
    {
        ref byte first = ref MemoryMarshal.GetReference(bytes);
        nuint length = (nuint)bytes.Length;
        if (!odd)
        {
            return length < VectorBytesMin ? AccumulateScalar(sum, ref first, length) : AccumulateVector(sum, ref first, length);
        }

        ulong shifted = length < VectorBytesMin ? AccumulateScalar(0, ref first, length) : AccumulateVector(0, ref first, length);
        return Add(sum, SwapBytes(shifted));
    }

    /// <summary>Copies bytes and adds them to a sum in one pass over memory; the spans must not overlap.</summary>
    public static ulong CopyAndAccumulate(ulong sum, ReadOnlySpan<byte> source, Span<byte> destination, bool odd = false)
    {
        if (destination.Length < source.Length)
        {
            ThrowTooShort();
        }

        ref byte from = ref MemoryMarshal.GetReference(source);
        ref byte to = ref MemoryMarshal.GetReference(destination);
        nuint length = (nuint)source.Length;
        ulong part = CopyVector(ref from, ref to, length);
        return Add(sum, odd ? SwapBytes(part) : part);
    }

    /// <summary>The sum in 16 bits and host order, not complemented.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ushort Fold(ulong sum)
    {
        sum = (sum & 0xFFFF_FFFF) + (sum >> 32);
        uint half = (uint)sum + (uint)(sum >> 32);
        half = (half & 0xFFFF) + (half >> 16);
        half += half >> 16;
        return BitConverter.IsLittleEndian ? BinaryPrimitives.ReverseEndianness((ushort)half) : (ushort)half;
    }

    /// <summary>The checksum field's value for a sum, in host order: the complement of <see cref="Fold"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ushort Finish(ulong sum) => (ushort)~Fold(sum);

    /// <summary>
    /// The sum of the pseudo header: RFC 9293 3.1 and RFC 768 for IPv4, RFC 8200 8.1 for IPv6. Both have the same sum of length and
    /// protocol, so only the addresses differ.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong PseudoHeader(in IpAddress source, in IpAddress destination, IpProtocol protocol, int length)
    {
        ulong tail = ToNetwork(((ulong)(uint)length << 32) | (byte)protocol);
        return source.IsIpv4
            ? Add(tail, ToNetwork(((ulong)source.Ipv4Value << 32) | destination.Ipv4Value))
            : Add(
                Add(Add(tail, ToNetwork(source.High)), ToNetwork(source.Low)),
                Add(ToNetwork(destination.High), ToNetwork(destination.Low)));
    }

    /// <summary>
    /// The checksum after one 16-bit word has changed (RFC 1624, equation 3: HC' = ~(~HC + ~m + m')); all in host order.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ushort UpdateIncremental(ushort checksum, ushort oldWord, ushort newWord)
    {
        uint sum = (uint)(ushort)~checksum + (ushort)~oldWord + newWord;
        sum = (sum & 0xFFFF) + (sum >> 16);
        sum += sum >> 16;
        return (ushort)~sum;
    }

    /// <summary>The checksum after a 32-bit field, at an even offset, has changed.</summary>
    public static ushort UpdateIncremental32(ushort checksum, uint oldValue, uint newValue) =>
        UpdateIncremental(
            UpdateIncremental(checksum, (ushort)(oldValue >> 16), (ushort)(newValue >> 16)), (ushort)oldValue, (ushort)newValue);

    /// <summary>One's-complement addition in 64 bits: the carry comes round to the low end.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static ulong Add(ulong a, ulong b)
    {
        ulong sum = a + b;
        return sum + (sum < b ? 1UL : 0UL);
    }

    /// <summary>What a sum becomes when its bytes move by one place: RFC 1071 1.2 (B), in every 16-bit word.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static ulong SwapBytes(ulong sum) => BitOperations.RotateLeft(sum, 8);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong ToNetwork(ulong value) => BitConverter.IsLittleEndian ? BinaryPrimitives.ReverseEndianness(value) : value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static ulong AccumulateScalar(ulong sum, ref byte first, nuint length)
    {
        nuint position = 0;
        for (; position + 8 <= length; position += 8)
        {
            sum = Add(sum, Unsafe.ReadUnaligned<ulong>(ref Unsafe.Add(ref first, position)));
        }

        return position == length ? sum : Add(sum, ReadTail(ref Unsafe.Add(ref first, position), length - position));
    }

    /// <summary>The last 1 to 7 bytes, as if zeros followed them.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong ReadTail(ref byte tail, nuint length)
    {
        ulong sum = 0;
        nuint position = 0;
        if ((length & 4) != 0)
        {
            sum = Unsafe.ReadUnaligned<uint>(ref tail);
            position = 4;
        }

        if ((length & 2) != 0)
        {
            sum += Unsafe.ReadUnaligned<ushort>(ref Unsafe.Add(ref tail, position));
            position += 2;
        }

        if ((length & 1) != 0)
        {
            byte last = Unsafe.Add(ref tail, position);
            sum += BitConverter.IsLittleEndian ? last : (uint)last << 8;
        }

        return sum;
    }

    private static ulong AccumulateVector(ulong sum, ref byte first, nuint length)
    {
        if (Vector512.IsHardwareAccelerated)
        {
            return Accumulate512(sum, ref first, length);
        }

        if (Vector256.IsHardwareAccelerated)
        {
            return Accumulate256(sum, ref first, length);
        }

        return Vector128.IsHardwareAccelerated ? Accumulate128(sum, ref first, length) : AccumulateScalar(sum, ref first, length);
    }

    // In the loops below each 64-bit lane collects 32-bit halves, so that no carry is lost for 2^32 steps.
    internal static ulong Accumulate512(ulong sum, ref byte first, nuint length)
    {
        Vector512<ulong> low = Vector512<ulong>.Zero, high = low, low2 = low, high2 = low;
        Vector512<ulong> mask = Vector512.Create(0xFFFF_FFFFUL);
        nuint position = 0;
        for (; position + 128 <= length; position += 128)
        {
            Vector512<ulong> a = Vector512.LoadUnsafe(ref first, position).AsUInt64();
            Vector512<ulong> b = Vector512.LoadUnsafe(ref first, position + 64).AsUInt64();
            low += a & mask;
            high += a >>> 32;
            low2 += b & mask;
            high2 += b >>> 32;
        }

        if (position + 64 <= length)
        {
            Vector512<ulong> a = Vector512.LoadUnsafe(ref first, position).AsUInt64();
            low += a & mask;
            high += a >>> 32;
            position += 64;
        }

        sum = Add(sum, Vector512.Sum(low + low2 + high + high2));
        return AccumulateScalar(sum, ref Unsafe.Add(ref first, position), length - position);
    }

    internal static ulong Accumulate256(ulong sum, ref byte first, nuint length)
    {
        Vector256<ulong> low = Vector256<ulong>.Zero, high = low, low2 = low, high2 = low;
        Vector256<ulong> mask = Vector256.Create(0xFFFF_FFFFUL);
        nuint position = 0;
        for (; position + 64 <= length; position += 64)
        {
            Vector256<ulong> a = Vector256.LoadUnsafe(ref first, position).AsUInt64();
            Vector256<ulong> b = Vector256.LoadUnsafe(ref first, position + 32).AsUInt64();
            low += a & mask;
            high += a >>> 32;
            low2 += b & mask;
            high2 += b >>> 32;
        }

        sum = Add(sum, Vector256.Sum(low + low2 + high + high2));
        return AccumulateScalar(sum, ref Unsafe.Add(ref first, position), length - position);
    }

    internal static ulong Accumulate128(ulong sum, ref byte first, nuint length)
    {
        Vector128<ulong> low = Vector128<ulong>.Zero, high = low;
        Vector128<ulong> mask = Vector128.Create(0xFFFF_FFFFUL);
        nuint position = 0;
        for (; position + 16 <= length; position += 16)
        {
            Vector128<ulong> a = Vector128.LoadUnsafe(ref first, position).AsUInt64();
            low += a & mask;
            high += a >>> 32;
        }

        sum = Add(sum, Vector128.Sum(low + high));
        return AccumulateScalar(sum, ref Unsafe.Add(ref first, position), length - position);
    }

    private static ulong CopyVector(ref byte from, ref byte to, nuint length)
    {
        if (length >= VectorBytesMin && Vector512.IsHardwareAccelerated)
        {
            return Copy512(ref from, ref to, length);
        }

        if (length >= VectorBytesMin && Vector256.IsHardwareAccelerated)
        {
            return Copy256(ref from, ref to, length);
        }

        Unsafe.CopyBlockUnaligned(ref to, ref from, (uint)length);
        return AccumulateScalar(0, ref from, length);
    }

    internal static ulong Copy512(ref byte from, ref byte to, nuint length)
    {
        Vector512<ulong> low = Vector512<ulong>.Zero, high = low;
        Vector512<ulong> mask = Vector512.Create(0xFFFF_FFFFUL);
        nuint position = 0;
        for (; position + 64 <= length; position += 64)
        {
            Vector512<byte> bytes = Vector512.LoadUnsafe(ref from, position);
            bytes.StoreUnsafe(ref to, position);
            low += bytes.AsUInt64() & mask;
            high += bytes.AsUInt64() >>> 32;
        }

        return CopyRest(Vector512.Sum(low + high), ref from, ref to, position, length);
    }

    internal static ulong Copy256(ref byte from, ref byte to, nuint length)
    {
        Vector256<ulong> low = Vector256<ulong>.Zero, high = low;
        Vector256<ulong> mask = Vector256.Create(0xFFFF_FFFFUL);
        nuint position = 0;
        for (; position + 32 <= length; position += 32)
        {
            Vector256<byte> bytes = Vector256.LoadUnsafe(ref from, position);
            bytes.StoreUnsafe(ref to, position);
            low += bytes.AsUInt64() & mask;
            high += bytes.AsUInt64() >>> 32;
        }

        return CopyRest(Vector256.Sum(low + high), ref from, ref to, position, length);
    }

    private static ulong CopyRest(ulong sum, ref byte from, ref byte to, nuint position, nuint length)
    {
        ref byte rest = ref Unsafe.Add(ref from, position);
        Unsafe.CopyBlockUnaligned(ref Unsafe.Add(ref to, position), ref rest, (uint)(length - position));
        return AccumulateScalar(sum, ref rest, length - position);
    }

    private static void ThrowTooShort() => throw new ArgumentException("The destination is shorter than the source.");
}

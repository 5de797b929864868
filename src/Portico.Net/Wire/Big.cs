using System.Buffers.Binary;
using System.Runtime.CompilerServices;

namespace Portico.Net;

/// <summary>Unchecked big-endian reads for views that have checked their length once.</summary>
internal static class Big
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ushort Read16(ref byte first, int offset)
    {
        ushort value = Unsafe.ReadUnaligned<ushort>(ref Unsafe.Add(ref first, offset));
        return BitConverter.IsLittleEndian ? BinaryPrimitives.ReverseEndianness(value) : value;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint Read32(ref byte first, int offset)
    {
        uint value = Unsafe.ReadUnaligned<uint>(ref Unsafe.Add(ref first, offset));
        return BitConverter.IsLittleEndian ? BinaryPrimitives.ReverseEndianness(value) : value;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Read64(ref byte first, int offset)
    {
        ulong value = Unsafe.ReadUnaligned<ulong>(ref Unsafe.Add(ref first, offset));
        return BitConverter.IsLittleEndian ? BinaryPrimitives.ReverseEndianness(value) : value;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static IpAddress ReadIpv6(ref byte first, int offset) => new(Read64(ref first, offset), Read64(ref first, offset + 8));
}

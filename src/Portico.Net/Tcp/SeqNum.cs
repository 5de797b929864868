using System.Runtime.CompilerServices;

namespace Portico.Net;

/// <summary>Comparison of sequence numbers modulo 2^32 (RFC 9293 3.4, RFC 1982): valid while the two lie within 2^31 of each other.</summary>
internal static class Seq
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Lt(uint a, uint b) => (int)(a - b) < 0;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Leq(uint a, uint b) => (int)(a - b) <= 0;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Gt(uint a, uint b) => (int)(a - b) > 0;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Geq(uint a, uint b) => (int)(a - b) >= 0;

    /// <summary>Whether low &lt;= x &lt;= high; the interval may be longer than 2^31.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Between(uint low, uint x, uint high) => x - low <= high - low;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint Max(uint a, uint b) => Gt(a, b) ? a : b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint Min(uint a, uint b) => Lt(a, b) ? a : b;
}

using System.Numerics;

namespace Portico.Net;

/// <summary>
/// The engine's only source of randomness: xoshiro256** seeded by the caller, so that the same seed gives the same packets. Secrets
/// (initial sequence numbers, cookies, port offsets) do not come from it directly but from keyed hashes whose keys are drawn once:
/// seed it from the operating system's entropy wherever the peers are not trusted.
/// </summary>
public sealed class RandomSource
{
    private ulong _s0, _s1, _s2, _s3;

    /// <summary>Makes a source; the same <paramref name="seed"/> gives the same numbers.</summary>
    public RandomSource(ulong seed)
    {
        _s0 = SplitMix(ref seed);
        _s1 = SplitMix(ref seed);
        _s2 = SplitMix(ref seed);
        _s3 = SplitMix(ref seed);
    }

    /// <summary>The next 64 bits.</summary>
    public ulong NextUInt64()
    {
        ulong result = BitOperations.RotateLeft(_s1 * 5, 7) * 9;
        ulong t = _s1 << 17;
        _s2 ^= _s0;
        _s3 ^= _s1;
        _s1 ^= _s2;
        _s0 ^= _s3;
        _s2 ^= t;
        _s3 = BitOperations.RotateLeft(_s3, 45);
        return result;
    }

    /// <summary>The next 32 bits.</summary>
    public uint NextUInt32() => (uint)(NextUInt64() >> 32);

    /// <summary>A number from 0 up to but not including <paramref name="bound"/>; 0 where the bound is 0.</summary>
    public uint NextBelow(uint bound) => (uint)(((NextUInt64() >> 32) * bound) >> 32);

    /// <summary>A number from 0 up to but not including 1.</summary>
    public double NextDouble() => (NextUInt64() >> 11) * (1.0 / (1UL << 53));

    /// <summary>True with the given probability (0 to 1).</summary>
    public bool NextChance(double probability) => probability > 0 && NextDouble() < probability;

    private static ulong SplitMix(ref ulong state)
    {
        ulong z = state += 0x9E3779B97F4A7C15;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }
}

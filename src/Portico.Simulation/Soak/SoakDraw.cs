using Portico.Net;

namespace Portico.Simulation;

/// <summary>Random choices of the kinds that a soak needs.</summary>
internal static class SoakDraw
{
    public static int Between(this RandomSource random, int low, int high) => low + (int)random.NextBelow((uint)(high - low + 1));

    public static T OneOf<T>(this RandomSource random, ReadOnlySpan<T> choices) => choices[(int)random.NextBelow((uint)choices.Length)];

    /// <summary>Evenly in the logarithm: small numbers are as likely as large ones.</summary>
    public static long LogBetween(this RandomSource random, long low, long high) =>
        (long)Math.Round(low * Math.Exp(random.NextDouble() * Math.Log((double)high / low)));

    public static Duration DurationBetween(this RandomSource random, Duration low, Duration high) =>
        new(random.LogBetween(low.Nanoseconds, high.Nanoseconds));
}

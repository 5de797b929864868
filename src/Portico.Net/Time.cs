namespace Portico.Net;

/// <summary>A length of time in nanoseconds.</summary>
public readonly record struct Duration(long Nanoseconds) : IComparable<Duration>
{
    /// <summary>No time at all.</summary>
    public static readonly Duration Zero = new(0);

    /// <summary>Longer than any timer; stands for "no limit".</summary>
    public static readonly Duration Infinite = new(long.MaxValue);

    /// <summary>Makes a duration of whole microseconds.</summary>
    public static Duration FromMicroseconds(long microseconds) => new(microseconds * 1_000);

    /// <summary>Makes a duration of whole milliseconds.</summary>
    public static Duration FromMilliseconds(long milliseconds) => new(milliseconds * 1_000_000);

    /// <summary>Makes a duration of whole seconds.</summary>
    public static Duration FromSeconds(long seconds) => new(seconds * 1_000_000_000);

    /// <summary>Makes a duration from a <see cref="TimeSpan"/> (resolution 100 ns).</summary>
    public static Duration FromTimeSpan(TimeSpan span) => new(span.Ticks * 100);

    /// <summary>Whole microseconds, rounded down.</summary>
    public long Microseconds => Nanoseconds / 1_000;

    /// <summary>Whole milliseconds, rounded down.</summary>
    public long Milliseconds => Nanoseconds / 1_000_000;

    /// <summary>Seconds with a fraction.</summary>
    public double Seconds => Nanoseconds / 1e9;

    /// <inheritdoc/>
    public int CompareTo(Duration other) => Nanoseconds.CompareTo(other.Nanoseconds);

    /// <summary>The sum of two durations.</summary>
    public static Duration operator +(Duration a, Duration b) => new(a.Nanoseconds + b.Nanoseconds);

    /// <summary>The difference of two durations.</summary>
    public static Duration operator -(Duration a, Duration b) => new(a.Nanoseconds - b.Nanoseconds);

    /// <summary>A multiple of a duration.</summary>
    public static Duration operator *(Duration a, long factor) => new(a.Nanoseconds * factor);

    /// <summary>A part of a duration.</summary>
    public static Duration operator /(Duration a, long divisor) => new(a.Nanoseconds / divisor);

    /// <summary>Whether <paramref name="a"/> is shorter.</summary>
    public static bool operator <(Duration a, Duration b) => a.Nanoseconds < b.Nanoseconds;

    /// <summary>Whether <paramref name="a"/> is longer.</summary>
    public static bool operator >(Duration a, Duration b) => a.Nanoseconds > b.Nanoseconds;

    /// <summary>Whether <paramref name="a"/> is not longer.</summary>
    public static bool operator <=(Duration a, Duration b) => a.Nanoseconds <= b.Nanoseconds;

    /// <summary>Whether <paramref name="a"/> is not shorter.</summary>
    public static bool operator >=(Duration a, Duration b) => a.Nanoseconds >= b.Nanoseconds;

    /// <summary>The longer of two.</summary>
    public static Duration Max(Duration a, Duration b) => a > b ? a : b;

    /// <summary>The shorter of two.</summary>
    public static Duration Min(Duration a, Duration b) => a < b ? a : b;

    /// <inheritdoc/>
    public override string ToString() => $"{Nanoseconds / 1e6:0.######} ms";
}

/// <summary>
/// A point on the monotonic clock of whoever drives the engine, in nanoseconds from an origin of the driver's choice. The engine
/// has no clock of its own: each entry tells it the time.
/// </summary>
public readonly record struct MonoTime(long Nanoseconds) : IComparable<MonoTime>
{
    /// <summary>The driver's origin.</summary>
    public static readonly MonoTime Zero = new(0);

    /// <summary>A time that never comes; stands for "no deadline".</summary>
    public static readonly MonoTime Never = new(long.MaxValue);

    /// <inheritdoc/>
    public int CompareTo(MonoTime other) => Nanoseconds.CompareTo(other.Nanoseconds);

    /// <summary>A later time; <see cref="Never"/> where the sum cannot be represented.</summary>
    public static MonoTime operator +(MonoTime a, Duration b) =>
        b.Nanoseconds >= long.MaxValue - a.Nanoseconds ? Never : new(a.Nanoseconds + b.Nanoseconds);

    /// <summary>An earlier time.</summary>
    public static MonoTime operator -(MonoTime a, Duration b) => new(a.Nanoseconds - b.Nanoseconds);

    /// <summary>The time from <paramref name="b"/> to <paramref name="a"/>.</summary>
    public static Duration operator -(MonoTime a, MonoTime b) => new(a.Nanoseconds - b.Nanoseconds);

    /// <summary>Whether <paramref name="a"/> is earlier.</summary>
    public static bool operator <(MonoTime a, MonoTime b) => a.Nanoseconds < b.Nanoseconds;

    /// <summary>Whether <paramref name="a"/> is later.</summary>
    public static bool operator >(MonoTime a, MonoTime b) => a.Nanoseconds > b.Nanoseconds;

    /// <summary>Whether <paramref name="a"/> is not later.</summary>
    public static bool operator <=(MonoTime a, MonoTime b) => a.Nanoseconds <= b.Nanoseconds;

    /// <summary>Whether <paramref name="a"/> is not earlier.</summary>
    public static bool operator >=(MonoTime a, MonoTime b) => a.Nanoseconds >= b.Nanoseconds;

    /// <summary>The earlier of two.</summary>
    public static MonoTime Min(MonoTime a, MonoTime b) => a < b ? a : b;

    /// <summary>The later of two.</summary>
    public static MonoTime Max(MonoTime a, MonoTime b) => a > b ? a : b;

    /// <inheritdoc/>
    public override string ToString() => this == Never ? "never" : $"{Nanoseconds / 1e9:0.000000000} s";
}

using System.Globalization;
using Portico.Net;

namespace Portico.Cli;

/// <summary>Percentages, times and rates as people write them.</summary>
internal static class Quantities
{
    /// <summary>"2%" or "0.02"; 0 to 1.</summary>
    public static bool TryParseProbability(ReadOnlySpan<char> text, out double probability)
    {
        bool isPercent = text.EndsWith("%");
        bool ok = TryParseNumber(isPercent ? text[..^1] : text, out probability);
        probability = isPercent ? probability / 100 : probability;
        return ok && probability is >= 0 and <= 1;
    }

    /// <summary>"50ms", "1.5s", "200us"; a bare number counts milliseconds. At most an hour.</summary>
    public static bool TryParseDuration(ReadOnlySpan<char> text, out Duration duration)
    {
        (int suffix, double nanoseconds) =
            text.EndsWith("ns") ? (2, 1)
            : text.EndsWith("us") ? (2, 1e3)
            : text.EndsWith("ms") ? (2, 1e6)
            : text.EndsWith("s") ? (1, 1e9) : (0, 1e6);
        bool ok = TryParseNumber(text[..^suffix], out double number) && number >= 0 && number * nanoseconds <= 3600e9;
        duration = ok ? new Duration((long)(number * nanoseconds)) : default;
        return ok;
    }

    /// <summary>"10mbit", "512kbit", "1gbit", "9600bit"; bits per second, decimal.</summary>
    public static bool TryParseRate(ReadOnlySpan<char> text, out long bitsPerSecond)
    {
        (int suffix, double unit) =
            text.EndsWith("kbit") ? (4, 1e3)
            : text.EndsWith("mbit") ? (4, 1e6)
            : text.EndsWith("gbit") ? (4, 1e9)
            : text.EndsWith("bit") ? (3, 1) : (0, 1);
        bool ok = TryParseNumber(text[..^suffix], out double number) && number * unit is >= 1 and <= 1e13;
        bitsPerSecond = ok ? (long)(number * unit) : 0;
        return ok;
    }

    private static bool TryParseNumber(ReadOnlySpan<char> text, out double number) =>
        double.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out number);
}

using System.Globalization;
using Portico.Net;

namespace Portico.Cli;

/// <summary>One thing that can be set: its name as an option and in reports, and how its value is read and written.</summary>
internal sealed record ShapingSetting(
    string Name, string HelpName, string Description, string Expected,
    Func<ShapingSettings, string, ShapingSettings?> With, Func<ShapingSettings, string?> Text)
{
    /// <summary>What the option means where it stands without a value; null where it needs one.</summary>
    public string? WithoutValue { get; init; }

    /// <summary>In the order in which they are shown.</summary>
    public static IReadOnlyList<ShapingSetting> All { get; } =
    [
        new(
            "delay", "T", "Delay each packet: 50ms; up from the command, down to it; @DEST for one destination (see --partition).",
            "a time such as 50ms, 1.5s or 200us, at most an hour",
            (s, text) => Quantities.TryParseDuration(text, out Duration value) ? s with { Delay = value } : null, s => Time(s.Delay)),
        new(
            "jitter", "T", "Vary the delay by up to this much to either side, in order.",
            "a time such as 10ms, at most an hour",
            (s, text) => Quantities.TryParseDuration(text, out Duration value) ? s with { Jitter = value } : null, s => Time(s.Jitter)),
        new(
            "loss", "P", "Lose this share of the packets: 2% or 0.02.", Share,
            (s, text) => Quantities.TryParseProbability(text, out double value) ? s with { Loss = value } : null, s => Percent(s.Loss)),
        new(
            "loss-burst", "N", "Let losses come N in a row on average; the share stays.", "a number of packets from 1 to 10000",
            (s, text) => Number(text) is double value and >= 1 and <= 10_000 ? s with { LossBurst = value } : null,
            s => s.LossBurst?.ToString("0.###", CultureInfo.InvariantCulture)),
        new(
            "reorder", "P", "Hold this share (1%) back for 1 ms, so that later packets overtake it.", Share,
            (s, text) => Quantities.TryParseProbability(text, out double value) ? s with { Reorder = value } : null,
            s => Percent(s.Reorder)) { WithoutValue = "1%" },
        new(
            "duplicate", "P", "Deliver this share (1%) of the packets twice.", Share,
            (s, text) => Quantities.TryParseProbability(text, out double value) ? s with { Duplicate = value } : null,
            s => Percent(s.Duplicate)) { WithoutValue = "1%" },
        new(
            "corrupt", "P", "Flip a bit in this share (1%) of the packets.", Share,
            (s, text) => Quantities.TryParseProbability(text, out double value) ? s with { Corrupt = value } : null,
            s => Percent(s.Corrupt)) { WithoutValue = "1%" },
        new(
            "rate", "R", "Limit the rate: 10mbit; none for no limit.", "a rate such as 512kbit, 10mbit or 1gbit, or none",
            (s, text) => text == "none" ? s with { RateBitsPerSecond = 0 }
                : Quantities.TryParseRate(text, out long value) ? s with { RateBitsPerSecond = value } : null,
            s => Rate(s.RateBitsPerSecond)),
        new(
            "queue", "N", "The packets that may wait for the rate (1000).", "a number of packets from 1 to 1000000",
            (s, text) => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int value)
                && value is >= 1 and <= 1_000_000 ? s with { QueuePackets = value } : null,
            s => s.QueuePackets?.ToString(CultureInfo.InvariantCulture)),
    ];

    private const string Share = "a share from 0 to 100%, such as 2% or 0.02";

    private static double? Number(string text) =>
        double.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double value) ? value : null;

    private static string? Time(Duration? time) => time is { } t
        ? string.Create(CultureInfo.InvariantCulture, $"{t.Nanoseconds / 1e6:0.######}ms")
        : null;

    private static string? Percent(double? share) =>
        share is { } s ? string.Create(CultureInfo.InvariantCulture, $"{s * 100:0.######}%") : null;

    private static string? Rate(long? rate) => rate switch
    {
        null => null,
        0 => "none",
        long r when r % 1_000_000_000 == 0 => string.Create(CultureInfo.InvariantCulture, $"{r / 1_000_000_000}gbit"),
        long r when r % 1_000_000 == 0 => string.Create(CultureInfo.InvariantCulture, $"{r / 1_000_000}mbit"),
        long r when r % 1000 == 0 => string.Create(CultureInfo.InvariantCulture, $"{r / 1000}kbit"),
        long r => string.Create(CultureInfo.InvariantCulture, $"{r}bit"),
    };
}

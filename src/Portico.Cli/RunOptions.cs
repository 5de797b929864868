using Portico.Net;

namespace Portico.Cli;

/// <summary>What <c>portico run</c> was asked for.</summary>
internal sealed class RunOptions
{
    public required IReadOnlyList<string> CommandLine { get; init; }

    /// <summary>What is to be seen of the run.</summary>
    public TraceOptions Trace { get; init; } = new();

    public double Loss { get; init; }

    public double Duplicate { get; init; }

    public double Corrupt { get; init; }

    public double Reorder { get; init; }

    public Duration Delay { get; init; }

    public Duration Jitter { get; init; }

    public long RateBitsPerSecond { get; init; }

    public int QueuePackets { get; init; }

    public ulong? Seed { get; init; }

    /// <summary>0 to choose by what else was asked for.</summary>
    public int Mtu { get; init; }

    public required PolicyOptions Policy { get; init; }

    /// <summary>The ports of the host that lead to the command.</summary>
    public IReadOnlyList<PublishSpec> Publish { get; init; } = [];

    public bool Stats { get; init; }

    /// <summary>What the run is called on its control socket; null for its process id.</summary>
    public string? Name { get; init; }

    /// <summary>Whether single packets are to be hit, so that super-segments would falsify the picture.</summary>
    public bool HitsPackets => Loss > 0 || Duplicate > 0 || Corrupt > 0 || Reorder > 0 || RateBitsPerSecond > 0;

    public bool IsImpaired => HitsPackets || Delay > Duration.Zero || Jitter > Duration.Zero;

    public int EffectiveMtu => Mtu != 0 ? Mtu : HitsPackets ? 1500 : 65_520;

    public void Validate()
    {
        if (Mtu is not 0 and (< 1280 or > 65_520))
        {
            throw new ArgumentException("--mtu: from 1280 (the least that IPv6 allows) to 65520");
        }

        if (QueuePackets < 1)
        {
            throw new ArgumentException("--queue: at least 1");
        }
    }

    public Impairment Impairment() => new()
    {
        Loss = Loss,
        Duplicate = Duplicate,
        Corrupt = Corrupt,
        Reorder = Reorder,
        Delay = Delay,
        Jitter = Jitter,
        RateBitsPerSecond = RateBitsPerSecond,
        QueuePacketsMax = QueuePackets,
    };
}

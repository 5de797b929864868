using Portico.Net;

namespace Portico.Cli;

/// <summary>What <c>portico run</c> was asked for.</summary>
internal sealed class RunOptions
{
    /// <summary>About as long as it takes to put a thread to sleep and to wake it again.</summary>
    public const int BusyPollDefault = 50;

    public required IReadOnlyList<string> CommandLine { get; init; }

    /// <summary>What is to be seen of the run.</summary>
    public TraceOptions Trace { get; init; } = new();

    /// <summary>What is done to the traffic from the start on.</summary>
    public required ShapingPlan Shaping { get; init; }

    public ulong? Seed { get; init; }

    /// <summary>0 to choose by what else was asked for.</summary>
    public int Mtu { get; init; }

    /// <summary>How long it looks for more before it sleeps, while traffic goes back and forth.</summary>
    public Duration BusyPoll { get; init; } = Duration.FromMicroseconds(BusyPollDefault);

    public required PolicyOptions Policy { get; init; }

    /// <summary>The ports of the host that lead to the command.</summary>
    public IReadOnlyList<PublishSpec> Publish { get; init; } = [];

    public bool Stats { get; init; }

    /// <summary>What the run is called on its control socket; null for its process id.</summary>
    public string? Name { get; init; }

    public void Validate()
    {
        if (Mtu is not 0 and (< 1280 or > 65_520))
        {
            throw new ArgumentException("--mtu: from 1280 (the least that IPv6 allows) to 65520");
        }

        if (BusyPoll < Duration.Zero || BusyPoll > Duration.FromMilliseconds(1))
        {
            throw new ArgumentException("--busy-poll: from 0 (never) to 1000 microseconds");
        }
    }
}

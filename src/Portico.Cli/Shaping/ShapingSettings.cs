using System.Globalization;
using Portico.Net;

namespace Portico.Cli;

/// <summary>What is asked for in one direction for one target; null where nothing is said.</summary>
internal sealed record ShapingSettings
{
    public static ShapingSettings None { get; } = new();

    public Duration? Delay { get; init; }

    public Duration? Jitter { get; init; }

    public double? Loss { get; init; }

    /// <summary>How many packets are lost in a row, on average.</summary>
    public double? LossBurst { get; init; }

    public double? Reorder { get; init; }

    public double? Duplicate { get; init; }

    public double? Corrupt { get; init; }

    /// <summary>0 for no limit.</summary>
    public long? RateBitsPerSecond { get; init; }

    public int? QueuePackets { get; init; }

    /// <summary>Whether packets wait in a queue of their own and not in that of a wider target.</summary>
    public bool HasOwnQueue => RateBitsPerSecond != null || QueuePackets != null;

    /// <summary>Whether some packets fare otherwise than others, or there is a rate: super-segments would falsify the picture.</summary>
    public bool HitsPackets =>
        Loss > 0 || Reorder > 0 || Duplicate > 0 || Corrupt > 0 || RateBitsPerSecond > 0 || Jitter > Duration.Zero;

    /// <summary>With what a wider target says where this one says nothing.</summary>
    public ShapingSettings Over(ShapingSettings wider) => new()
    {
        Delay = Delay ?? wider.Delay,
        Jitter = Jitter ?? wider.Jitter,
        Loss = Loss ?? wider.Loss,
        LossBurst = LossBurst ?? wider.LossBurst,
        Reorder = Reorder ?? wider.Reorder,
        Duplicate = Duplicate ?? wider.Duplicate,
        Corrupt = Corrupt ?? wider.Corrupt,
        RateBitsPerSecond = RateBitsPerSecond ?? wider.RateBitsPerSecond,
        QueuePackets = QueuePackets ?? wider.QueuePackets,
    };

    /// <summary>As the engine has it; throws <see cref="ArgumentException"/> where bursts cannot lose as much as is asked for.</summary>
    public Impairment ToImpairment()
    {
        double loss = Loss ?? 0;
        GilbertElliott? bursts = null;
        if (LossBurst is double length && loss is > 0 and < 1)
        {
            // A burst ends with probability 1/length after each packet; the share of the bad state, enter / (enter + leave), is the loss.
            double enter = loss / (length * (1 - loss));
            if (enter > 1)
            {
                throw new ArgumentException(string.Create(
                    CultureInfo.InvariantCulture,
                    $"--loss-burst: a loss of {loss * 100:0.######}% has bursts of at least {loss / (1 - loss):0.##} packets"));
            }

            bursts = new GilbertElliott(enter, 1 / length);
            loss = 0;
        }

        return new Impairment
        {
            Delay = Delay ?? Duration.Zero,
            Jitter = Jitter ?? Duration.Zero,
            Loss = loss,
            BurstLoss = bursts,
            Reorder = Reorder ?? 0,
            Duplicate = Duplicate ?? 0,
            Corrupt = Corrupt ?? 0,
            RateBitsPerSecond = RateBitsPerSecond ?? 0,
            QueuePacketsMax = QueuePackets ?? DefaultQueuePackets,
        };
    }

    /// <summary>The queue of a Linux device (txqueuelen), and of netem.</summary>
    public const int DefaultQueuePackets = 1000;
}

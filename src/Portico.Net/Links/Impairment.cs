namespace Portico.Net;

/// <summary>
/// The two-state loss model of Gilbert and Elliott: losses come in bursts. The chain takes one step per packet, then the packet is
/// lost with the probability of the state that the chain is in.
/// </summary>
/// <param name="EnterBad">Probability of going from good to bad.</param>
/// <param name="LeaveBad">Probability of going from bad to good; its inverse is the mean length of a burst.</param>
/// <param name="LossInGood">Probability of loss in the good state.</param>
/// <param name="LossInBad">Probability of loss in the bad state.</param>
public readonly record struct GilbertElliott(double EnterBad, double LeaveBad, double LossInGood = 0, double LossInBad = 1);

/// <summary>
/// What one direction of an <see cref="ImpairmentLink"/> does to its packets; may be changed at any time, and then holds for the
/// packets that come afterwards. The default is to do nothing.
/// </summary>
/// <remarks>
/// A packet meets them in this order: loss, marking, duplication, corruption, the queue and its rate, then delay, jitter and reordering. A
/// duplicate is a packet of its own from there on. Where single packets are hit (<see cref="HitsPackets"/>), super-segments are cut
/// before.
/// </remarks>
public sealed class Impairment
{
    /// <summary>Probability that a packet is lost, each by itself.</summary>
    public double Loss { get; set; }

    /// <summary>Loss in bursts, in addition to <see cref="Loss"/>; null for none.</summary>
    public GilbertElliott? BurstLoss { get; set; }

    /// <summary>Probability that a packet arrives twice.</summary>
    public double Duplicate { get; set; }

    /// <summary>
    /// Probability that one bit of a packet, anywhere behind the link header, is flipped. Its checksum is filled in before, so that
    /// the receiver can tell. What is not IP is left alone.
    /// </summary>
    public double Corrupt { get; set; }

    /// <summary>
    /// Probability that a packet whose sender can do with that is marked with congestion experienced, as a router does before its queue is
    /// full (RFC 3168 5).
    /// </summary>
    public double Mark { get; set; }

    /// <summary>Bits per second, link header included; 0 for no limit.</summary>
    public long RateBitsPerSecond { get; set; }

    /// <summary>The most packets that wait for the rate; one that finds the queue full is dropped.</summary>
    public int QueuePacketsMax { get; set; } = 1000;

    /// <summary>The most bytes that wait for the rate.</summary>
    public long QueueBytesMax { get; set; } = long.MaxValue;

    /// <summary>How long a packet is under way.</summary>
    public Duration Delay { get; set; }

    /// <summary>The delay varies evenly by up to this much to either side, but is never negative.</summary>
    public Duration Jitter { get; set; }

    /// <summary>Whether jitter may let a packet overtake another; otherwise the later waits for the earlier.</summary>
    public bool JitterReorders { get; set; }

    /// <summary>Probability that a packet is held back for <see cref="ReorderDelay"/>, so that later ones overtake it.</summary>
    public double Reorder { get; set; }

    /// <summary>Only every so many-th packet is a candidate for <see cref="Reorder"/>.</summary>
    public int ReorderGap { get; set; } = 1;

    /// <summary>How long a reordered packet is held back, beyond its delay.</summary>
    public Duration ReorderDelay { get; set; } = Duration.FromMilliseconds(1);

    /// <summary>The most packets under way; one more is dropped.</summary>
    public int InFlightPacketsMax { get; set; } = 1 << 16;

    /// <summary>
    /// Whether the picture would be false with super-segments, of which one is up to 45 packets: something is done to some packets and
    /// not to others, or there is a rate.
    /// </summary>
    public bool HitsPackets => IsRandom || RateBitsPerSecond > 0;

    /// <summary>Whether anything is left to chance.</summary>
    internal bool IsRandom =>
        Loss > 0 || BurstLoss != null || Mark > 0 || Duplicate > 0 || Corrupt > 0 || Reorder > 0 || Jitter > Duration.Zero;
}

/// <summary>What one direction of an <see cref="ImpairmentLink"/> has done.</summary>
public enum ImpairmentCounter
{
#pragma warning disable CS1591 // Names of counters.
    InPackets,
    InBytes,
    OutPackets,
    OutBytes,
    LossDrops,
    QueueDrops,
    InFlightDrops,
    MemoryDrops,
    PartitionDrops,
    Duplicated,
    Corrupted,
    Delayed,
    Reordered,
    Marked,
#pragma warning restore CS1591
}

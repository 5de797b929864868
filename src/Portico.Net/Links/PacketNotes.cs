namespace Portico.Net;

/// <summary>cwnd and ssthresh in segments, and the size of one (SMSS) in bytes; 0 where a packet is not TCP's.</summary>
internal readonly record struct CongestionNote(uint Cwnd, uint Ssthresh, uint Mss);

/// <summary>
/// What is worth saying about a packet in a capture, where it becomes a comment: why it was sent, and what an
/// impairment did to it. Costs nothing where nobody captures.
/// </summary>
[Flags]
public enum PacketNotes
{
    /// <summary>Nothing special.</summary>
    None = 0,

    /// <summary>TCP sends these bytes again after the retransmission timer (RFC 6298).</summary>
    RetransmissionTimeout = 1,

    /// <summary>TCP sends these bytes again in fast recovery (RFC 6675, RFC 6582).</summary>
    FastRetransmission = 2,

    /// <summary>TCP probes for a lost tail (RFC 8985 7.2).</summary>
    TailLossProbe = 4,

    /// <summary>TCP probes a closed window (RFC 9293 3.8.6.1).</summary>
    WindowProbe = 8,

    /// <summary>TCP asks whether the peer still lives (RFC 9293 3.8.4).</summary>
    KeepAlive = 16,

    /// <summary>A challenge acknowledgement (RFC 5961).</summary>
    ChallengeAck = 32,

    /// <summary>Dropped by an impairment at random.</summary>
    ImpairmentLoss = 64,

    /// <summary>Dropped by an impairment because its queue was full.</summary>
    ImpairmentQueueFull = 128,

    /// <summary>The second copy that an impairment made.</summary>
    ImpairmentDuplicate = 256,

    /// <summary>A bit was flipped by an impairment.</summary>
    ImpairmentCorruption = 512,

    /// <summary>Held back by an impairment so that later packets overtake it.</summary>
    ImpairmentReordering = 1024,

    /// <summary>TCP sends these bytes again because an ACK in fast recovery ends at them (RFC 6582 3.2), without SACK.</summary>
    PartialAcknowledgment = 2048,

    /// <summary>TCP sends these bytes again in smaller segments: the path takes less than was thought (RFC 1191, RFC 8201).</summary>
    PathMtuReduction = 4096,

    /// <summary>Dropped by an impairment because one of its ends is cut off.</summary>
    ImpairmentPartition = 8192,
}

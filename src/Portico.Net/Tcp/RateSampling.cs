using System.Runtime.CompilerServices;

namespace Portico.Net;

/// <summary>How fast the path delivers, as one ACK shows it (Linux: struct rate_sample).</summary>
internal struct RateSample
{
    /// <summary>When the segment of this sample was sent: the time of the delivery before it, and what was delivered then. 0 without a sample.</summary>
    public long PriorTime;
    public uint PriorDelivered;

    /// <summary>The end of that segment.</summary>
    public uint LastEndSeq;

    /// <summary>Microseconds in which <see cref="Delivered"/> segments were delivered; -1 when nothing can be said.</summary>
    public long IntervalMicros;
    public int Delivered;

    /// <summary>The round trip of the segment delivered last; -1 when unknown.</summary>
    public int RttMicros;
    public uint PriorInFlight;
    public bool IsAppLimited;
    public bool IsRetransmitted;
}

// Delivery rate: each segment remembers what had been delivered when it was sent; its ACK then tells how much was delivered since.
public sealed unsafe partial class TcpLayer
{
    /// <summary>The segment has just gone out, for the first time or again.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StampForRate(Tcb* c, SendSegment* segment)
    {
        Flight* f = c->Flight;
        if (c->PacketsOut == 0)
        {
            f->FirstSentTime = f->DeliveredTime = segment->SentTime;
        }

        segment->FirstSentTime = f->FirstSentTime;
        segment->DeliveredTime = f->DeliveredTime;
        segment->Delivered = c->Delivered;
        segment->Marks = f->AppLimited != 0 ? segment->Marks | SegmentMarks.AppLimited : segment->Marks & ~SegmentMarks.AppLimited;
    }

    /// <summary>The segment was delivered: of all that an ACK delivers, the one sent last makes the sample.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void SampleDelivery(Flight* f, SendSegment* segment, ref RateSample rate)
    {
        if (segment->DeliveredTime == 0)
        {
            return;
        }

        if (rate.PriorDelivered == 0 || SentAfter(segment->SentTime, f->FirstSentTime, segment->Node.End, rate.LastEndSeq))
        {
            rate.PriorDelivered = segment->Delivered;
            rate.PriorTime = segment->DeliveredTime;
            rate.IsAppLimited = (segment->Marks & SegmentMarks.AppLimited) != 0;
            rate.IsRetransmitted = (segment->Marks & SegmentMarks.Again) != 0;
            rate.LastEndSeq = segment->Node.End;
            f->FirstSentTime = segment->SentTime;
            rate.IntervalMicros = (segment->SentTime - segment->FirstSentTime) / 1000;
        }

        if ((segment->Marks & SegmentMarks.Sacked) != 0)
        {
            // It counts once, and not again when it is cumulatively acknowledged.
            segment->DeliveredTime = 0;
        }
    }

    private void FinishRateSample(Tcb* c, ref AckState ack)
    {
        Flight* f = c->Flight;
        ref RateSample rate = ref ack.Rate;
        if (f->AppLimited != 0 && Seq.Gt(c->Delivered, f->AppLimited))
        {
            f->AppLimited = 0;
        }

        if (ack.Delivered > 0)
        {
            f->DeliveredTime = NowNanos;
        }

        if (rate.PriorTime == 0 || f->HasReneged)
        {
            rate.Delivered = -1;
            rate.IntervalMicros = -1;
            return;
        }

        // The window was sent in one time and acknowledged in another: the longer of the two is the honest one.
        rate.Delivered = (int)(c->Delivered - rate.PriorDelivered);
        rate.IntervalMicros = Math.Max(rate.IntervalMicros, (NowNanos - rate.PriorTime) / 1000);
        if (rate.IntervalMicros < c->Rtt.MinRttMicros)
        {
            rate.IntervalMicros = -1;
            return;
        }

        if (!rate.IsAppLimited || (ulong)rate.Delivered * c->RateIntervalMicros >= (ulong)c->RateDelivered * (ulong)rate.IntervalMicros)
        {
            c->RateDelivered = (uint)rate.Delivered;
            c->RateIntervalMicros = (uint)Math.Min(rate.IntervalMicros, uint.MaxValue);
            SetFlag(c, TcbFlags.RateAppLimited, rate.IsAppLimited);
        }
    }

    /// <summary>The application has less to send than the window takes: what is sent from here on says little about the path.</summary>
    private static void NoteAppLimited(Tcb* c)
    {
        if (c->Flight != null && c->WriteSeq - c->SndNxt < c->Mss && PacketsInFlight(c) < c->Cwnd && c->LostOut <= c->RetransOut)
        {
            c->Flight->AppLimited = Math.Max(c->Delivered + PacketsInFlight(c), 1);
        }
    }
}

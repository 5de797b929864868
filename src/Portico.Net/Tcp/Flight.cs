using System.Runtime.CompilerServices;

namespace Portico.Net;

/// <summary>
/// What a sender knows only while something is in flight, or may still be undone: loss detection, recovery and rate sampling. It hangs
/// on the TCB from the first segment sent to the ACK that brings the connection to rest, so a million idle ones do not pay for it.
/// </summary>
internal unsafe struct Flight
{
    public uint Index;

    /// <summary>SND.NXT when recovery began (RFC 6582: recover).</summary>
    public uint HighSeq;

    /// <summary>Segments by the time of their last sending, oldest first, without those that are SACKed or lost (Linux: tsorted_sent_queue).</summary>
    public SendSegment* Earliest;
    public SendSegment* Latest;

    /// <summary>Where retransmission goes on; null for the beginning.</summary>
    public SendSegment* RetransmitHint;

    /// <summary>The index over <see cref="Tcb.TxHead"/>'s list; null while nothing is SACKed.</summary>
    public SegmentNode* Scoreboard;

    /// <summary>The end of the highest segment that was SACKed (forward ACK).</summary>
    public uint HighestSack;

    // ---- RACK (RFC 8985 5.2).

    /// <summary>RACK.xmit_ts and RACK.end_seq: of all delivered segments the one sent last.</summary>
    public long RackSentTime;
    public uint RackEndSeq;

    /// <summary>What had been delivered when the reordering window last grew: it grows once a round trip.</summary>
    public uint RackDelivered;

    /// <summary>Something has been delivered since losses were last looked for.</summary>
    public bool RackAdvanced;

    /// <summary>A DSACK has come that may be due to reordering.</summary>
    public bool RackDsackSeen;

    // ---- Tail loss probe (RFC 8985 7).

    /// <summary>A probe is out and nothing is known of it; <see cref="TlpHighSeq"/> is what SND.NXT was (TLP.end_seq).</summary>
    public bool TlpOut;

    /// <summary>The probe was old data (TLP.is_retrans).</summary>
    public bool TlpRetransmitted;
    public uint TlpHighSeq;

    // ---- Recovery.

    /// <summary>Whether the timeout may still turn out to be spurious by RFC 5682.</summary>
    public bool Frto;

    /// <summary>The peer has taken SACKs back: rates are not to be trusted until recovery is over.</summary>
    public bool HasReneged;

    /// <summary>SND.UNA when cwnd was reduced: the reduction can be undone up to here. 0 when it cannot.</summary>
    public uint UndoMarker;

    /// <summary>Retransmissions that have not been shown to be unneeded; -1 means none was made.</summary>
    public int UndoRetrans;

    /// <summary>TSval of the first retransmission since the last progress; 0 for none.</summary>
    public uint RetransStamp;
    public uint PriorSsThresh;
    public uint PriorCwnd;
    public uint PrrDelivered;
    public uint PrrOut;

    /// <summary>Segments marked lost, those that were lost again counted again.</summary>
    public uint LostTotal;

    /// <summary>When the first timeout of this recovery was; 0 when there was none.</summary>
    public uint RtoStampMillis;

    // ---- Rate sampling (draft-cheng-iccrg-delivery-rate-estimation).

    /// <summary>When the segment that was delivered last had been sent, and when something was delivered last.</summary>
    public long FirstSentTime;
    public long DeliveredTime;

    /// <summary>Up to this count of delivered segments the application did not fill the window; 0 when it does.</summary>
    public uint AppLimited;

    /// <summary>When a segment last went out, in nanoseconds.</summary>
    public long LastSendTime;

    /// <summary>When the next one may (Linux: tcp_wstamp_ns), and for when a timer was set for that; 0 for none.</summary>
    public long NextSendTime;
    public long PacingDeadline;
}

// The flight's life, and its list by time of sending.
public sealed unsafe partial class TcpLayer
{
    /// <summary>The one that was dropped last: a dialogue comes to rest with each of its messages.</summary>
    private Flight* _spareFlight;

    /// <summary>Connections that have something in flight or to undo.</summary>
    internal int FlightCount => _flights.Count - (_spareFlight != null ? 1 : 0);

    /// <summary>The flight, made when there is none: there may be as many as connections, so it cannot fail.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private Flight* FlightOf(Tcb* c) => c->Flight != null ? c->Flight : BeginFlight(c);

    private Flight* BeginFlight(Tcb* c)
    {
        Flight* f = _spareFlight;
        uint index;
        if (f != null)
        {
            _spareFlight = null;
            index = f->Index;
            *f = default;
        }
        else
        {
            f = _flights.Rent(out index);
        }

        f->Index = index;
        f->HighSeq = c->SndUna;
        c->Flight = f;
        return f;
    }

    /// <summary>Nothing in flight, no recovery under way and nothing to undo: there is nothing to remember.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void DropFlightAtRest(Tcb* c)
    {
        if (c->PacketsOut == 0 && c->Flight != null && c->CaState == CaState.Open && c->Flight->UndoMarker == 0 && !c->Flight->TlpOut
            && !c->Flight->RackDsackSeen && c->Flight->NextSendTime <= NowNanos)
        {
            DropFlight(c);
        }
    }

    private void DropFlight(Tcb* c)
    {
        Flight* f = c->Flight;
        if (f == null)
        {
            return;
        }

        c->Flight = null;
        if (_spareFlight == null)
        {
            _spareFlight = f;
        }
        else
        {
            _flights.Return(f->Index);
        }
    }

    /// <summary>RFC 8985 5.2: whether the first was sent after the second; segments of one moment are ordered by sequence number.</summary>
    private static bool SentAfter(long time1, long time2, uint endSeq1, uint endSeq2) =>
        time1 > time2 || (time1 == time2 && Seq.Gt(endSeq1, endSeq2));

    /// <summary>The segment has just been sent: it goes to the end of the list.</summary>
    private static void ListAsLatest(Flight* f, SendSegment* segment)
    {
        Unlist(f, segment);
        segment->Marks = (segment->Marks | SegmentMarks.Listed) & ~SegmentMarks.TimedOut;
        segment->SentEarlier = f->Latest;
        segment->SentLater = null;
        if (f->Latest == null)
        {
            f->Earliest = segment;
        }
        else
        {
            f->Latest->SentLater = segment;
        }

        f->Latest = segment;
    }

    /// <summary>Lists a segment behind another; at the beginning when that is null.</summary>
    private static void ListAfter(Flight* f, SendSegment* segment, SendSegment* earlier)
    {
        Invariant.Check((segment->Marks & SegmentMarks.Listed) == 0);
        segment->Marks = (segment->Marks | SegmentMarks.Listed) & ~SegmentMarks.TimedOut;
        SendSegment* later = earlier == null ? f->Earliest : earlier->SentLater;
        segment->SentEarlier = earlier;
        segment->SentLater = later;
        if (earlier == null)
        {
            f->Earliest = segment;
        }
        else
        {
            earlier->SentLater = segment;
        }

        if (later == null)
        {
            f->Latest = segment;
        }
        else
        {
            later->SentEarlier = segment;
        }
    }

    private static void Unlist(Flight* f, SendSegment* segment)
    {
        if ((segment->Marks & SegmentMarks.Listed) == 0)
        {
            return;
        }

        segment->Marks &= ~SegmentMarks.Listed;
        if (segment->SentEarlier == null)
        {
            f->Earliest = segment->SentLater;
        }
        else
        {
            segment->SentEarlier->SentLater = segment->SentLater;
        }

        if (segment->SentLater == null)
        {
            f->Latest = segment->SentEarlier;
        }
        else
        {
            segment->SentLater->SentEarlier = segment->SentEarlier;
        }
    }
}

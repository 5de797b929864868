namespace Portico.Net;

// Time-based loss detection, RACK (RFC 8985 6): a segment is lost when one that was sent long enough after it has been delivered. It is
// Linux's only way of finding losses of a peer with SACK, as of 6.17; the count of RFC 6675 lives on as the rule that no time is
// allowed for reordering once DupThresh segments are SACKed and no reordering was ever seen.
public sealed unsafe partial class TcpLayer
{
    /// <summary>net.ipv4.tcp_recovery's bits.</summary>
    private const int StaticReorderWindow = 2;
    private const int NoDupThresh = 4;

    /// <summary>Recoveries for which a window that a DSACK has widened stays wide (RFC 8985 6.2, step 4).</summary>
    private const byte ReorderPersistMax = 16;

    /// <summary>How many segments that have to be waited for are looked at one by one, so that an ACK's work is bounded.</summary>
    private const int WaitingMax = 64;

    /// <summary>A timer runs two of Linux's ticks longer than was measured (TCP_TIMEOUT_MIN).</summary>
    private const long TimeoutSlackNanos = 2_000_000;

    /// <summary>RFC 8985 6.2, step 2: of what was delivered, the segment sent last sets the pace.</summary>
    private void AdvanceRack(Tcb* c, SegmentMarks marks, uint endSeq, long sentTime)
    {
        Flight* f = c->Flight;
        long rttMicros = (NowNanos - sentTime) / 1000;
        if ((marks & SegmentMarks.Again) != 0 && rttMicros < c->Rtt.MinRttMicros)
        {
            // Answered faster than the path allows: that was the original's doing, not the retransmission's.
            return;
        }

        f->RackAdvanced = true;
        c->RackRttMicros = (uint)Math.Min(rttMicros, uint.MaxValue);
        if (SentAfter(sentTime, f->RackSentTime, endSeq, f->RackEndSeq))
        {
            f->RackSentTime = sentTime;
            f->RackEndSeq = endSeq;
        }
    }

    /// <summary>RFC 8985 6.2, step 4: how much later than a segment sent after it a segment may be delivered.</summary>
    private uint ReorderWindowMicros(Tcb* c)
    {
        if (c->ReorderSeen == 0)
        {
            if (c->CaState >= CaState.Recovery || (c->SackedOut >= c->Reordering && (Settings.tcp_recovery & NoDupThresh) == 0))
            {
                return 0;
            }
        }

        uint quarter = (uint)c->Rtt.MinRttMicros >> 2;
        return (uint)Math.Min((ulong)quarter * Math.Max(c->ReorderSteps, (byte)1), (ulong)c->Rtt.SrttMicros);
    }

    /// <summary>Microseconds after which the segment counts as lost, counted from now; 0 and less when it is.</summary>
    private long RackRemainingMicros(Tcb* c, SendSegment* segment, uint reorderWindow) =>
        (long)c->RackRttMicros + reorderWindow - ((NowNanos - segment->SentTime) / 1000);

    /// <summary>
    /// RFC 8985 6.2, step 5: marks what is lost by now and returns for how long in microseconds others have to be waited for, 0 for
    /// none. The list is by time, so the walk ends at the first segment that was sent too late to tell.
    /// </summary>
    private long DetectLossByTime(Tcb* c, ref AckState ack)
    {
        Flight* f = c->Flight;
        uint reorderWindow = ReorderWindowMicros(c);
        long timeout = 0;
        int waiting = 0;
        for (SendSegment* segment = f->Earliest; segment != null;)
        {
            if (!SentAfter(f->RackSentTime, segment->SentTime, f->RackEndSeq, segment->Node.End))
            {
                break;
            }

            SendSegment* later = segment->SentLater;
            long remaining = RackRemainingMicros(c, segment, reorderWindow);
            if (remaining <= 0)
            {
                MarkLost(c, segment, ref ack);
            }
            else
            {
                timeout = Math.Max(timeout, remaining);
                if (++waiting == WaitingMax)
                {
                    // Nobody has to wait longer than one sent together with the latest that was delivered.
                    return Math.Max(timeout, (long)c->RackRttMicros + reorderWindow - ((NowNanos - f->RackSentTime) / 1000));
                }
            }

            segment = later;
        }

        return timeout;
    }

    /// <summary>After an ACK: losses by time, with a timer for what time has not told yet.</summary>
    private void MarkLostByTime(Tcb* c, ref AckState ack)
    {
        Flight* f = c->Flight;
        if (!f->RackAdvanced)
        {
            return;
        }

        f->RackAdvanced = false;
        long timeout = DetectLossByTime(c, ref ack);
        if (timeout > 0)
        {
            ArmSender(c, PendingTimer.Reorder, Math.Min((timeout * 1000) + TimeoutSlackNanos, RtoNanos(c)));
            ack.Facts &= ~AckFacts.SetTransmitTimer;
        }
    }

    /// <summary>RFC 8985 6.3: the time allowed for reordering is over.</summary>
    private void OnReorderTimer(Tcb* c)
    {
        if (c->PacketsOut == 0)
        {
            return;
        }

        AckState ack = default;
        uint inFlight = PacketsInFlight(c);
        DetectLossByTime(c, ref ack);
        if (inFlight != PacketsInFlight(c))
        {
            if (c->CaState != CaState.Recovery)
            {
                EnterRecovery(c, false);
                if (!IsBbr(c))
                {
                    ReduceCwnd(c, 1, isSafe: false);
                }
            }

            RetransmitQueue(c);
        }

        if (c->Pending != PendingTimer.Retransmit)
        {
            RearmRetransmitTimer(c);
        }
    }

    /// <summary>RFC 8985 6.2, step 4: the window widens with each round trip that has a DSACK, and narrows after 16 recoveries without.</summary>
    private void AdaptReorderWindow(Tcb* c, ref AckState ack)
    {
        Flight* f = c->Flight;
        if ((Settings.tcp_recovery & StaticReorderWindow) != 0 || ack.Rate.PriorDelivered == 0)
        {
            return;
        }

        if (Seq.Lt(ack.Rate.PriorDelivered, f->RackDelivered))
        {
            f->RackDsackSeen = false;
        }

        if (f->RackDsackSeen)
        {
            c->ReorderSteps = (byte)Math.Min(Math.Max(c->ReorderSteps, (byte)1) + 1, 255);
            f->RackDsackSeen = false;
            f->RackDelivered = c->Delivered;
            c->ReorderPersist = ReorderPersistMax;
        }
        else if (c->ReorderPersist == 0)
        {
            c->ReorderSteps = 1;
        }
    }
}

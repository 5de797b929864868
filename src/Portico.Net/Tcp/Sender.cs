using System.Runtime.CompilerServices;

namespace Portico.Net;

// The sending side: the bytes that the application has written, and deciding when how many of them go out (RFC 9293 3.8.6, RFC 1122
// 4.2.3.4, RFC 896). Bytes that have not been sent are not divided into segments: that happens when window and cwnd say how far.
public sealed unsafe partial class TcpLayer
{
    /// <summary>Leaves room for the largest IP and TCP headers below the 16-bit length of an IP packet.</summary>
    private const uint SuperSegmentBytes = 65535 - 40 - 60;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool HasUnsent(Tcb* c) =>
        c->SndNxt != c->WriteSeq && ((c->Flags & TcbFlags.FinSent) == 0) || (c->Flags & (TcbFlags.FinQueued | TcbFlags.FinSent)) == TcbFlags.FinQueued;

    private static int QueuedBytes(Tcb* c)
    {
        // After the FIN is acknowledged SND.UNA is one beyond the last byte.
        int bytes = (int)(c->WriteSeq - c->SndUna);
        return bytes > 0 ? bytes : 0;
    }

    private static int SendRoom(Tcb* c) => c->SndBuf - QueuedBytes(c);

    /// <summary>The payload of a full segment now: SACK blocks take their room.</summary>
    private static uint CurrentMss(Tcb* c)
    {
        int sackBytes = SackOptionBytes(c);
        return (uint)Math.Max(c->Mss - sackBytes, 8);
    }

    /// <summary>The payload of the largest packet: one segment, or as many as fit below the length of an IP packet.</summary>
    private static uint PacketBytes(uint mss) => mss >= SuperSegmentBytes ? mss : SuperSegmentBytes - (SuperSegmentBytes % mss);

    /// <summary>
    /// How much payload one packet to the peer carries now, at most: as many segments as fit. Who writes as much at a time as this, or a
    /// multiple, leaves no small rest for a packet of its own. 0 for a stale handle.
    /// </summary>
    public int PacketBytes(TcpHandle handle)
    {
        Tcb* c = Find(handle);
        return c == null ? 0 : (int)PacketBytes(CurrentMss(c));
    }

    /// <summary>Whether the peer's window has room for the next segment (Linux: tcp_snd_wnd_test).</summary>
    private static bool WindowAllowsSegment(Tcb* c)
    {
        uint end = c->SndNxt + Math.Min(c->WriteSeq - c->SndNxt, CurrentMss(c));
        return Seq.Leq(end, c->SndUna + c->SndWnd);
    }

    private static bool MaySendData(Tcb* c) => c->State is TcpState.Established or TcpState.CloseWait or TcpState.FinWait1
        or TcpState.Closing or TcpState.LastAck;

    /// <summary>Sends what the windows and Nagle allow of what has not been sent; if nothing may go, sees to it that a timer runs.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void SendPending(Tcb* c)
    {
        if (HasUnsent(c))
        {
            WriteOut(c, WriteMode.Normal);
        }
    }

    /// <summary>How a write goes about it.</summary>
    private enum WriteMode
    {
        /// <summary>By Nagle's rule, or cork.</summary>
        Normal,

        /// <summary>Without them.</summary>
        Push,

        /// <summary>One segment, whatever cwnd says, to probe for a lost tail.</summary>
        Probe,
    }

    /// <summary>How many segments one packet may stand for.</summary>
    private static uint SegmentsPerPacket(Tcb* c, uint mss) => Math.Max(PacketBytes(mss) / mss, 1);

    private void WriteOut(Tcb* c, WriteMode mode)
    {
        if (!MaySendData(c))
        {
            return;
        }

        if (Settings.tcp_slow_start_after_idle && c->PacketsOut == 0)
        {
            RestartAfterIdle(c);
        }

        bool push = mode != WriteMode.Normal;
        bool cwndLimited = false;
        uint sentBefore = c->PacketsOut;
        uint mss = CurrentMss(c);
        while (HasUnsent(c))
        {
            uint unsent = c->WriteSeq - c->SndNxt;
            uint inFlight = PacketsInFlight(c);
            if (inFlight >= c->Cwnd && mode != WriteMode.Probe)
            {
                cwndLimited = true;
                break;
            }

            uint quota = inFlight >= c->Cwnd || mode == WriteMode.Probe ? 1 : c->Cwnd - inFlight;
            uint windowEnd = c->SndUna + c->SndWnd;
            uint window = Seq.Gt(windowEnd, c->SndNxt) ? windowEnd - c->SndNxt : 0;
            bool fin = Has(c, TcbFlags.FinQueued);
            if (unsent > 0 && (window == 0 || window < Math.Min(unsent, mss)))
            {
                break;
            }

            if (unsent < mss && unsent > 0 && !fin && !push && !Has(c, TcbFlags.UrgentMode) && NagleHolds(c))
            {
                break;
            }

            uint limit = Math.Min(unsent, window);
            limit = Math.Min(limit, (uint)Math.Min((ulong)quota * mss, SuperSegmentBytes > mss ? SuperSegmentBytes : mss));
            if (limit > mss && limit < unsent)
            {
                limit -= limit % mss;
            }

            if (limit > mss && limit % mss != 0 && !fin && !push && NagleHolds(c))
            {
                limit -= limit % mss;
            }

            if (!CutAndSend(c, limit, mss) || mode == WriteMode.Probe)
            {
                break;
            }
        }

        bool sentAny = c->PacketsOut > sentBefore;
        if (sentAny)
        {
            ValidateCwnd(c, cwndLimited || PacketsInFlight(c) >= c->Cwnd);
            if (mode != WriteMode.Probe)
            {
                // One probe for a tail: the timer is set by what makes the tail.
                ScheduleLossProbe(c, false);
            }
        }

        if (HasUnsent(c) && c->PacketsOut == 0 && c->Pending == PendingTimer.None)
        {
            ArmPersist(c);
        }
    }

    /// <summary>Nagle's rule with Minshall's change: a short segment waits while another short one is unacknowledged.</summary>
    private static bool NagleHolds(Tcb* c)
    {
        if ((c->Flags & (TcbFlags.Cork | TcbFlags.More)) != 0)
        {
            return true;
        }

        return (c->Flags & TcbFlags.NoDelay) == 0 && c->PacketsOut > 0 && Seq.Gt(c->SndSml, c->SndUna) && Seq.Leq(c->SndSml, c->SndNxt);
    }

    /// <summary>Makes the next <paramref name="length"/> unsent bytes (and a FIN behind the last) a segment and sends it.</summary>
    private bool CutAndSend(Tcb* c, uint length, uint mss)
    {
        length = LimitByFragments(c->SndBlockNext, c->SndNxt, length, mss);
        SendSegment* segment = NewSegment(c);
        if (segment == null)
        {
            return false;
        }

        segment->Node.Start = c->SndNxt;
        segment->Node.End = c->SndNxt + length;
        segment->Block = c->SndBlockNext;
        segment->PacketCount = (ushort)Math.Max(1, (length + mss - 1) / mss);
        if (segment->Node.End == c->WriteSeq)
        {
            segment->Flags |= length > 0 ? TcpFlags.Psh : 0;
            c->PushedSeq = c->WriteSeq;
            if (Has(c, TcbFlags.FinQueued))
            {
                segment->Flags |= TcpFlags.Fin;
                segment->Node.End++;
                c->Flags |= TcbFlags.FinSent;
            }
        }
        else if (Seq.Gt(segment->Node.End, c->PushedSeq + (c->MaxWindow >> 1)))
        {
            // Linux's forced push: the receiver should hear of data at least every half window.
            segment->Flags |= TcpFlags.Psh;
            c->PushedSeq = segment->Node.End;
        }

        if (length % mss != 0 || length == 0)
        {
            c->SndSml = segment->Node.End;
        }

        LinkSegment(c, segment);
        AdvanceUnsentBlock(c, c->SndNxt + length);
        c->SndNxt = segment->Node.End;
        if (IsReducing(c))
        {
            c->Flight->PrrOut += segment->PacketCount;
        }

        Mib[TcpCounter.TCPOrigDataSent] += segment->PacketCount;

        // Not sent for lack of memory or route: it counts as sent and lost, and the retransmission timer tries again, as in Linux.
        Transmit(c, segment);
        bool first = c->PacketsOut == 0;
        c->PacketsOut += segment->PacketCount;
        if (first || c->Pending == PendingTimer.LossProbe)
        {
            // Any persist timer makes way for the retransmission timer.
            c->Backoff = first ? (byte)0 : c->Backoff;
            RearmRetransmitTimer(c);
        }

        return true;
    }

    /// <summary>Linux's tcp_sndbuf_expand: room for twice the window, so that the application can refill while it is on its way.</summary>
    private void ExpandSendBuffer(Tcb* c)
    {
        uint packets = Math.Max(Math.Max(InitialWindow, c->Cwnd), c->Reordering + 1);
        ulong wanted = 2UL * packets * (c->Mss + 320u);
        int limited = (int)Math.Min(wanted, (ulong)Settings.tcp_wmem.Max);
        c->SndBuf = Math.Max(c->SndBuf, limited);
    }
}

using System.Numerics;
using System.Runtime.CompilerServices;

namespace Portico.Net;

// The sending side: deciding when how much of what is queued goes out (RFC 9293 3.8.6, RFC 1122 4.2.3.4, RFC 896), in Linux's way
// (tcp_write_xmit).
public sealed unsafe partial class TcpLayer
{
    /// <summary>Leaves room for the largest IP and TCP headers below the 16-bit length of an IP packet.</summary>
    private const uint SuperSegmentBytes = 65535 - 40 - 60;

    /// <summary>What holds short segments back (Linux: TCP_NAGLE_*).</summary>
    [Flags]
    private enum Nagle
    {
        None = 0,

        /// <summary>TCP_NODELAY.</summary>
        Off = 1,

        /// <summary>TCP_CORK and MSG_MORE.</summary>
        Cork = 2,

        /// <summary>In spite of all.</summary>
        Push = 4,
    }

    /// <summary>How many packets a call sends.</summary>
    private enum Burst
    {
        All,
        One,

        /// <summary>One, whatever cwnd says, to probe for a lost tail.</summary>
        Probe,
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool HasUnsent(Tcb* c) =>
        c->UnsentHead != null || (c->Flags & (TcbFlags.FinQueued | TcbFlags.FinSent)) == TcbFlags.FinQueued;

    private static int QueuedBytes(Tcb* c)
    {
        // After the FIN is acknowledged SND.UNA is one beyond the last byte.
        int bytes = (int)(c->WriteSeq - c->SndUna);
        return bytes > 0 ? bytes : 0;
    }

    /// <summary>
    /// What a segment counts for beside its bytes (SKB_TRUESIZE of an empty one): as in the kernels that packetdrill's suite measures; newer
    /// ones count 832 to 960, by their configuration.
    /// </summary>
    private const int SegmentOverhead = 1280;

    /// <summary>What Linux reserves for a full segment beside its payload: room for all headers and for what describes it.</summary>
    private const uint SegmentHeaders = 320 + 320;
    private const uint SegmentRecord = 256;

    /// <summary>Memory that the send queue counts for (Linux: sk_wmem_queued).</summary>
    private static int QueuedMemory(Tcb* c) => QueuedBytes(c) + (c->SegmentCount * SegmentOverhead);

    private static int SendRoom(Tcb* c) => c->SndBuf - QueuedMemory(c);

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
    private static bool WindowAllowsSegment(Tcb* c) => c->UnsentHead == null || WindowAllows(c, c->UnsentHead, CurrentMss(c));

    private static bool WindowAllows(Tcb* c, SendSegment* segment, uint mss)
    {
        uint end = PayloadLength(segment) > mss ? segment->Node.Start + mss : segment->Node.End;
        return Seq.Leq(end, c->SndUna + c->SndWnd);
    }

    private static bool MaySendData(Tcb* c) => c->State is TcpState.Established or TcpState.CloseWait or TcpState.FinWait1
        or TcpState.Closing or TcpState.LastAck || Has(c, TcbExtras.FastOpenPending);

    private static Nagle NagleOf(Tcb* c) => (Has(c, TcbFlags.NoDelay) ? Nagle.Off : 0) | (Has(c, TcbFlags.Cork) ? Nagle.Cork : 0)
        | (Has(c, TcbFlags.PushOnce) ? Nagle.Push : 0);

    /// <summary>Sends what the windows and Nagle allow of what has not been sent; if nothing may go, sees to it that a timer runs.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void SendPending(Tcb* c)
    {
        if (HasUnsent(c))
        {
            PushPending(c, NagleOf(c));
        }
    }

    private void PushPending(Tcb* c, Nagle nagle)
    {
        if (!MaySendData(c))
        {
            return;
        }

        WriteOut(c, nagle);
        if (c->PacketsOut == 0 && HasUnsent(c) && c->Pending == PendingTimer.None)
        {
            ArmPersist(c);
        }
    }

    // Out of line: one copy of it for all callers leaves more of the processor's first cache to the rest.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private void WriteOut(Tcb* c, Nagle nagle, Burst burst = Burst.All)
    {
        if (!MaySendData(c) || (c->UnsentHead == null && !(HasUnsent(c) && QueueFinSegment(c))))
        {
            return;
        }

        uint mss = CurrentMss(c);
        uint most = 0;
        uint sent = 0;
        bool isFirst = c->PacketsOut == 0;
        if (burst == Burst.All && Has(c, TcbExtras.ProbesMtu))
        {
            switch (ProbeMtu(c, mss))
            {
                case MtuProbe.Waits:
                    return;
                case MtuProbe.Sent:
                    sent = 1;
                    break;
            }
        }

        bool cwndLimited = false;
        bool windowLimited = false;
        while (c->UnsentHead != null)
        {
            SendSegment* segment = c->UnsentHead;
            if (IsHeldByPace(c))
            {
                break;
            }

            uint quota = CwndQuota(c);
            if (quota == 0)
            {
                // A last segment with the FIN is not held back either: it does no harm.
                bool isFin = (segment->Flags & TcpFlags.Fin) != 0 && PayloadLength(segment) <= mss;
                if (burst != Burst.Probe && !isFin)
                {
                    break;
                }

                quota = 1;
            }

            uint length = PayloadLength(segment);
            if (!WindowAllows(c, segment, mss))
            {
                windowLimited = true;
                break;
            }

            uint limit = mss;
            if (length <= mss)
            {
                if (!NagleAllows(c, segment, mss, segment->Next == null ? nagle : Nagle.Push))
                {
                    break;
                }
            }
            else
            {
                most = most != 0 ? most : SegmentsPerPacket(c, mss);
                if (burst == Burst.All && ShouldDefer(c, segment, most, ref cwndLimited, ref windowLimited))
                {
                    break;
                }

                if (!Has(c, TcbFlags.UrgentMode))
                {
                    limit = SplitPoint(c, segment, mss, Math.Min(quota, most), nagle);
                }
            }

            limit = LimitByFragments(segment->Block, segment->Node.Start, Math.Min(limit, length), mss);
            if (length > limit && !SplitUnsent(c, segment, limit))
            {
                break;
            }

            if (!SendNew(c, segment, mss))
            {
                break;
            }

            sent += segment->PacketCount;
            if (burst != Burst.All)
            {
                break;
            }
        }

        FinishWrite(c, sent, cwndLimited, windowLimited);
        if (sent > 0)
        {
            StartTimer(c, isFirst, burst == Burst.Probe);
        }
    }

    private void FinishWrite(Tcb* c, uint sent, bool cwndLimited, bool windowLimited)
    {
        if (windowLimited)
        {
            StartActivity(c, SenderActivity.WindowLimited);
        }
        else
        {
            StopActivity(c, SenderActivity.WindowLimited);
        }

        cwndLimited |= PacketsInFlight(c) >= c->Cwnd;
        if (sent > 0 || cwndLimited)
        {
            ValidateCwnd(c, cwndLimited);
        }

        if (sent > 0 && IsReducing(c))
        {
            c->Flight->PrrOut += sent;
        }
    }

    /// <summary>How many segments cwnd allows, at most half of it in one packet, so that there are two in flight.</summary>
    private static uint CwndQuota(Tcb* c)
    {
        uint inFlight = PacketsInFlight(c);
        return inFlight >= c->Cwnd ? 0 : Math.Min(Math.Max(c->Cwnd >> 1, 1), c->Cwnd - inFlight);
    }

    private static bool NagleAllows(Tcb* c, SendSegment* segment, uint mss, Nagle nagle) =>
        (nagle & Nagle.Push) != 0 || Has(c, TcbFlags.UrgentMode) || (segment->Flags & TcpFlags.Fin) != 0
        || !NagleHolds(c, PayloadLength(segment) < mss, nagle);

    /// <summary>Nagle's rule with Minshall's change: a short segment waits while another short one is unacknowledged.</summary>
    private static bool NagleHolds(Tcb* c, bool isShort, Nagle nagle) => isShort && ((nagle & Nagle.Cork) != 0
        || (nagle == Nagle.None && c->PacketsOut > 0 && Seq.Gt(c->SndSml, c->SndUna) && Seq.Leq(c->SndSml, c->SndNxt)));

    /// <summary>How many bytes of a segment go into one packet: a short rest only where Nagle lets it go (Linux: tcp_mss_split_point).</summary>
    private static uint SplitPoint(Tcb* c, SendSegment* segment, uint mss, uint most, Nagle nagle)
    {
        uint window = c->SndUna + c->SndWnd - segment->Node.Start;
        uint limit = most * mss;
        if (limit <= window && segment->Next != null)
        {
            return limit;
        }

        uint needed = Math.Min(PayloadLength(segment), window);
        if (limit <= needed)
        {
            return limit;
        }

        uint rest = needed % mss;
        return NagleHolds(c, rest != 0, nagle) ? needed - rest : needed;
    }

    /// <summary>Sends the first unsent segment. False if it could not be sent: it stays where it is.</summary>
    private bool SendNew(Tcb* c, SendSegment* segment, uint mss)
    {
        Flight* f = FlightOf(c);
        uint length = PayloadLength(segment);
        segment->PacketCount = (ushort)(length <= mss ? 1 : (length + mss - 1) / mss);
        if (!Transmit(c, segment, mss))
        {
            return false;
        }

        UnlinkUnsent(c);
        LinkSegment(c, segment);
        c->SndNxt = segment->Node.End;
        if ((segment->Flags & TcpFlags.Fin) != 0)
        {
            c->Flags |= TcbFlags.FinSent;
        }

        if (length < segment->PacketCount * mss)
        {
            c->SndSml = segment->Node.End;
        }

        if (c->PacketsOut == 0)
        {
            // What the persist timer has backed off by does not count.
            c->Backoff = 0;
        }

        c->PacketsOut += segment->PacketCount;
        Mib[TcpCounter.TCPOrigDataSent] += segment->PacketCount;
        return true;
    }

    /// <summary>
    /// New data is out: the tail's probe runs, but for a <paramref name="isProbe"/> itself, or else the retransmission timer, for which any
    /// persist timer makes way (RFC 6298 5.1).
    /// </summary>
    private void StartTimer(Tcb* c, bool isFirst, bool isProbe)
    {
        if ((isProbe || !ScheduleLossProbe(c, false)) && (isFirst || c->Pending == PendingTimer.LossProbe))
        {
            RearmRetransmitTimer(c);
        }
    }

    /// <summary>Linux's tcp_sndbuf_expand: room for twice the window (thrice with BBR), so that the application can refill while it is on its way.</summary>
    private void ExpandSendBuffer(Tcb* c)
    {
        uint packets = Math.Max(Math.Max(InitialWindow, c->Cwnd), c->Reordering + 1);
        uint segment = BitOperations.RoundUpToPowerOf2(Math.Max(c->MssClamp, c->Mss) + SegmentHeaders) + SegmentRecord;
        ulong wanted = (IsBbr(c) ? 3UL : 2UL) * packets * segment;
        int limited = (int)Math.Min(wanted, (ulong)Settings.tcp_wmem.Max);
        c->SndBuf = Math.Max(c->SndBuf, limited);
    }
}

namespace Portico.Net;

// Packetization layer path MTU discovery (RFC 4821), in Linux's way: where enough is waiting one segment is sent larger than the others.
// If it arrives all are as large from then on; if it alone is lost the path takes less. With tcp_mtu_probing = 1 it begins where
// timeouts make the path look like a black hole, and then from a small size.
public sealed unsafe partial class TcpLayer
{
    /// <summary>cwnd that a probe needs: a lost one leaves enough behind it to be noticed.</summary>
    private const uint ProbeCwndMin = 11;

    private enum MtuProbe
    {
        /// <summary>There is nothing to try; the rest goes out as ever.</summary>
        None,
        Sent,

        /// <summary>What is in flight has to arrive first.</summary>
        Waits,
    }

    /// <summary>Bytes of IP and TCP header, the options that each segment has counted.</summary>
    private static int HeaderBytes(Tcb* c) => IpHeaderBytes(c) + TcpHeader.LengthMin + OptionBytes(c);

    /// <summary>The payload of a packet so long (Linux: tcp_mtu_to_mss).</summary>
    private int MtuToMss(Tcb* c, int mtu)
    {
        int mss = mtu - IpHeaderBytes(c) - TcpHeader.LengthMin;
        mss = Math.Max(c->MssClamp != 0 ? Math.Min(mss, c->MssClamp) : mss, Settings.tcp_min_snd_mss);
        return mss - OptionBytes(c);
    }

    /// <summary>The connection is established: with tcp_mtu_probing = 2 it tries from the beginning (Linux: tcp_mtup_init).</summary>
    private void InitializeMtuProbing(Tcb* c)
    {
        if (Settings.tcp_mtu_probing > 1)
        {
            BeginMtuProbing(c);
        }
    }

    private bool BeginMtuProbing(Tcb* c)
    {
        TcpSide* side = NeedSide(c);
        if (side == null)
        {
            return false;
        }

        BeginSearch(c, side, Settings.tcp_base_mss);
        SetExtra(c, TcbExtras.ProbesMtu, true);
        return true;
    }

    /// <summary>Segments of this size arrive; larger ones may, up to what the peer takes.</summary>
    private void BeginSearch(Tcb* c, TcpSide* side, int mss)
    {
        side->ProbeHigh = (ushort)Math.Min(c->MssClamp + IpHeaderBytes(c) + TcpHeader.LengthMin, ushort.MaxValue);
        side->ProbeLow = (ushort)(mss + HeaderBytes(c));
        side->ProbeBytes = 0;
        side->ProbeStampMillis = NowMillis;
    }

    /// <summary>While sizes are tried no segment is larger than what is known to arrive (Linux: tcp_sync_mss).</summary>
    private int BoundByProbing(Tcb* c, int mss)
    {
        TcpSide* side = _sides.At(c->Side);
        if (c->Route.PathMtu != 0)
        {
            side->ProbeHigh = (ushort)Math.Min(side->ProbeHigh, c->Route.PathMtu);
        }

        return Math.Min(mss, MtuToMss(c, side->ProbeLow));
    }

    /// <summary>Timeouts follow each other: perhaps only small packets arrive (RFC 4821 7.7; Linux: tcp_mtu_probing).</summary>
    private void DetectMtuBlackHole(Tcb* c)
    {
        if (Settings.tcp_mtu_probing == 0)
        {
            return;
        }

        if (Has(c, TcbExtras.ProbesMtu))
        {
            TcpSide* side = _sides.At(c->Side);
            int mss = Math.Min(Settings.tcp_base_mss, MtuToMss(c, side->ProbeLow) >> 1);
            mss = Math.Max(Math.Max(mss, Settings.tcp_mtu_probe_floor), Settings.tcp_min_snd_mss);
            side->ProbeLow = (ushort)(mss + HeaderBytes(c));
        }
        else if (!BeginMtuProbing(c))
        {
            return;
        }

        UpdateMss(c);
    }

    /// <summary>Sends a probe before what else is to be sent, if it is time for one (Linux: tcp_mtu_probe).</summary>
    private MtuProbe ProbeMtu(Tcb* c, uint mss)
    {
        TcpSide* side = _sides.At(c->Side);
        if (side->ProbeBytes != 0 || c->CaState != CaState.Open || c->Cwnd < ProbeCwndMin || c->SackCount > 0 || Has(c, TcbFlags.DsackPending))
        {
            return MtuProbe.None;
        }

        int size = MtuToMss(c, (side->ProbeHigh + side->ProbeLow) >> 1);
        if (size > MtuToMss(c, side->ProbeHigh) || side->ProbeHigh - side->ProbeLow < Settings.tcp_probe_threshold)
        {
            // The search is over, until the path may have changed.
            SearchMtuAgain(c, side, mss);
            return MtuProbe.None;
        }

        uint needed = (uint)size + ((c->Reordering + 1) * mss);
        if (c->WriteSeq - c->SndNxt < needed || c->SndWnd < needed)
        {
            return MtuProbe.None;
        }

        if (Seq.Gt(c->SndNxt + needed, c->SndUna + c->SndWnd))
        {
            return MtuProbe.Waits;
        }

        uint inFlight = PacketsInFlight(c);
        if (inFlight + 2 > c->Cwnd)
        {
            return inFlight == 0 ? MtuProbe.None : MtuProbe.Waits;
        }

        if (!TryGatherUnsent(c, (uint)size) || !SendNew(c, c->UnsentHead, (uint)size))
        {
            return MtuProbe.None;
        }

        // It stands for two.
        c->Cwnd--;
        side->ProbeBytes = (ushort)(size + HeaderBytes(c));
        side->ProbeStart = c->TxTail->Node.Start;
        side->ProbeEnd = c->TxTail->Node.End;
        return MtuProbe.Sent;
    }

    private void SearchMtuAgain(Tcb* c, TcpSide* side, uint mss)
    {
        if (NowMillis - side->ProbeStampMillis >= (uint)Settings.tcp_probe_interval * 1000)
        {
            BeginSearch(c, side, (int)mss);
        }
    }

    /// <summary>
    /// Makes the first unsent segment exactly so long, from those behind it or by a cut. False where that cannot be: records that may not be
    /// joined, times of sending that are asked for, no memory, or bytes in too many pieces for one packet.
    /// </summary>
    private bool TryGatherUnsent(Tcb* c, uint size)
    {
        SendSegment* head = c->UnsentHead;
        if (LimitByFragments(head->Block, head->Node.Start, size, size) < size)
        {
            return false;
        }

        uint have = PayloadLength(head);
        if (have < size && Has(c, TcbExtras.Timestamped) && _timestamps[c->Index].TryFind(head->Node.Start, head->Node.Start + size, out _, out _))
        {
            return false;
        }

        uint reached = 0;
        for (SendSegment* segment = head; reached + PayloadLength(segment) < size; segment = segment->Next)
        {
            reached += PayloadLength(segment);
            if (segment->Next == null || (segment->Marks & SegmentMarks.EndOfRecord) != 0)
            {
                return false;
            }
        }

        while (have < size)
        {
            SendSegment* next = head->Next;
            uint wanted = size - have;
            if (PayloadLength(next) > wanted && !SplitUnsent(c, next, wanted))
            {
                return false;
            }

            JoinUnsent(c, head, next);
            have = PayloadLength(head);
        }

        return have == size || SplitUnsent(c, head, size);
    }

    /// <summary>Appends an unsent segment to the one before it.</summary>
    private void JoinUnsent(Tcb* c, SendSegment* segment, SendSegment* next)
    {
        segment->Node.End = next->Node.End;
        segment->Flags |= next->Flags;
        segment->Marks |= next->Marks & SegmentMarks.EndOfRecord;
        segment->Next = next->Next;
        if (next->Next == null)
        {
            c->UnsentTail = segment;
        }
        else
        {
            next->Next->Previous = segment;
        }

        FreeSegment(c, next);
    }

    /// <summary>Something of what was in flight is acknowledged: the probe, too? (Linux: tcp_mtup_probe_success)</summary>
    private void NoteMtuProbeAcked(Tcb* c)
    {
        TcpSide* side = _sides.At(c->Side);
        if (side->ProbeBytes == 0 || Seq.Gt(side->ProbeEnd, c->SndUna))
        {
            return;
        }

        // As many bytes as before, in fewer segments.
        c->Flight->PriorSsThresh = CurrentSsThresh(c);
        c->Cwnd = Math.Max(1, (uint)((ulong)c->Cwnd * (uint)(c->Mss + HeaderBytes(c)) / side->ProbeBytes));
        c->CwndCount = 0;
        c->CwndStampMillis = NowMillis;
        c->SsThresh = CurrentSsThresh(c);
        side->ProbeLow = side->ProbeBytes;
        side->ProbeBytes = 0;
        UpdateMss(c);
        ++Mib[TcpCounter.TCPMTUPSuccess];
    }

    /// <summary>
    /// The first segment in flight is lost. If that is the probe the path takes no packet so large, and nobody has to slow down for it
    /// (RFC 4821 7.6.2); its bytes are sent again in segments of the old size.
    /// </summary>
    private bool TryFailMtuProbe(Tcb* c)
    {
        if (!Has(c, TcbExtras.ProbesMtu) || c->CaState >= CaState.Cwr)
        {
            return false;
        }

        TcpSide* side = _sides.At(c->Side);
        if (side->ProbeBytes == 0 || c->SndUna != side->ProbeStart)
        {
            return false;
        }

        side->ProbeHigh = (ushort)(side->ProbeBytes - 1);
        side->ProbeBytes = 0;
        ++Mib[TcpCounter.TCPMTUPFail];
        c->Cwnd++;
        ResendTooLarge(c, c->Mss);
        return true;
    }

    /// <summary>Something is sent again: what becomes of the probe says nothing any more.</summary>
    private void GiveUpMtuProbe(Tcb* c)
    {
        if (Has(c, TcbExtras.ProbesMtu))
        {
            _sides.At(c->Side)->ProbeBytes = 0;
        }
    }
}

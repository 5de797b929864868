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

    /// <summary>Appends to the send buffer as much as memory allows; returns the bytes taken.</summary>
    private int AppendData(Tcb* c, ReadOnlySpan<byte> data)
    {
        int taken = 0;
        while (taken < data.Length)
        {
            Block* block = c->SndBlockTail;
            int room = block == null ? 0 : block->Capacity - block->End;
            if (room == 0)
            {
                int left = data.Length - taken;

                // A stream of small writes fills middling blocks; a lone small message takes a small one.
                int wanted = left <= BlockPool.SmallBytes && block != null ? BlockPool.MediumBytes : Math.Min(left, BlockPool.LargeBytes);
                block = AppendBlock(c, wanted);
                if (block == null)
                {
                    break;
                }

                room = block->Capacity;
            }

            int count = Math.Min(room, data.Length - taken);
            data.Slice(taken, count).CopyTo(new Span<byte>(Block.Data(block) + block->End, count));
            block->End += count;
            c->SndBlockNext = c->SndBlockNext == null ? block : c->SndBlockNext;
            c->WriteSeq += (uint)count;
            taken += count;
        }

        return taken;
    }

    private Block* AppendBlock(Tcb* c, int bytes)
    {
        Block* block = _engine.Blocks.Rent(bytes);
        if (block == null)
        {
            ++Mib[TcpCounter.TCPMemoryPressures];
            return null;
        }

        LinkBlock(c, block);
        return block;
    }

    private static void LinkBlock(Tcb* c, Block* block)
    {
        block->Sequence = c->WriteSeq;
        if (c->SndBlockTail == null)
        {
            c->SndBlockHead = block;
        }
        else
        {
            c->SndBlockTail->Next = block;
        }

        c->SndBlockTail = block;
    }

    /// <summary>Gives back the blocks whose last byte is acknowledged.</summary>
    private void FreeAckedBlocks(Tcb* c)
    {
        Block* block = c->SndBlockHead;
        while (block != null && Seq.Leq(block->Sequence + (uint)(block->End - block->Start), c->SndUna))
        {
            Invariant.Check(block != c->SndBlockNext);
            Block* next = block->Next;
            _engine.Blocks.Release(block);
            block = next;
        }

        c->SndBlockHead = block;
        if (block == null)
        {
            c->SndBlockTail = null;
        }
    }

    private void FreeSendQueue(Tcb* c)
    {
        while (c->TxHead != null)
        {
            UnlinkSegment(c, c->TxHead);
        }

        for (Block* block = c->SndBlockHead; block != null;)
        {
            Block* next = block->Next;
            _engine.Blocks.Release(block);
            block = next;
        }

        c->SndBlockHead = c->SndBlockTail = c->SndBlockNext = null;
        c->PacketsOut = c->SackedOut = c->LostOut = c->RetransOut = 0;
        c->Scoreboard = null;
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
            WriteOut(c, false);
        }
    }

    private void WriteOut(Tcb* c, bool push)
    {
        if (!MaySendData(c))
        {
            return;
        }

        if (Settings.tcp_slow_start_after_idle && c->PacketsOut == 0)
        {
            RestartAfterIdle(c);
        }

        bool cwndLimited = false;
        bool sentAny = false;
        uint mss = CurrentMss(c);
        while (HasUnsent(c))
        {
            uint unsent = c->WriteSeq - c->SndNxt;
            uint inFlight = PacketsInFlight(c);
            if (inFlight >= c->Cwnd)
            {
                cwndLimited = true;
                break;
            }

            uint quota = c->Cwnd - inFlight;
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

            if (!CutAndSend(c, limit, mss))
            {
                break;
            }

            sentAny = true;
        }

        if (sentAny)
        {
            ValidateCwnd(c, cwndLimited || PacketsInFlight(c) >= c->Cwnd);
        }

        if (HasUnsent(c) && c->PacketsOut == 0 && c->RetransmitDeadline == 0)
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
        bool first = c->PacketsOut == 0;
        c->PacketsOut += segment->PacketCount;
        if (IsReducing(c))
        {
            c->PrrOut += segment->PacketCount;
        }

        Mib[TcpCounter.TCPOrigDataSent] += segment->PacketCount;
        if (first)
        {
            // Any persist timer makes way for the retransmission timer.
            c->Flags &= ~TcbFlags.Persist;
            c->Backoff = 0;
            ArmRetransmit(c, c->Rtt.RtoMicros * 1000L);
        }

        // Not sent for lack of memory or route: it counts as sent and lost, and the retransmission timer tries again, as in Linux.
        Transmit(c, segment);
        return true;
    }

    /// <summary>How much of <paramref name="length"/> fits into a packet's fragments.</summary>
    private static uint LimitByFragments(Block* block, uint seq, uint length, uint mss)
    {
        uint available = 0;
        for (int i = 0; i < Packet.FragmentsMax && block != null && available < length; i++)
        {
            available += block->Sequence + (uint)(block->End - block->Start) - seq - available;
            block = block->Next;
        }

        if (available >= length)
        {
            return length;
        }

        return available > mss ? available - (available % mss) : available;
    }

    private static void AdvanceUnsentBlock(Tcb* c, uint seq)
    {
        Block* block = c->SndBlockNext;
        while (block != null && Seq.Leq(block->Sequence + (uint)(block->End - block->Start), seq))
        {
            block = block->Next;
        }

        c->SndBlockNext = block;
    }

    private SendSegment* NewSegment(Tcb* c)
    {
        SendSegment* segment = _sendSegments.Rent(out uint index);
        if (segment == null)
        {
            ++Mib[TcpCounter.NoMemory];
            return null;
        }

        segment->Index = index;
        return segment;
    }

    private void LinkSegment(Tcb* c, SendSegment* segment)
    {
        segment->Previous = c->TxTail;
        segment->Next = null;
        if (c->TxTail == null)
        {
            c->TxHead = segment;
        }
        else
        {
            c->TxTail->Next = segment;
        }

        c->TxTail = segment;
        if (c->Scoreboard != null)
        {
            c->Scoreboard = SegmentTree.Insert(c->Scoreboard, &segment->Node);
        }
    }

    private void UnlinkSegment(Tcb* c, SendSegment* segment)
    {
        if (c->Scoreboard != null)
        {
            c->Scoreboard = SegmentTree.Remove(c->Scoreboard, &segment->Node);
        }

        if (c->LostHint == segment)
        {
            c->LostHint = null;
        }
        else if (c->LostHint != null && (segment->Marks & SegmentMarks.Sacked) != 0)
        {
            c->LostHintSacked -= segment->PacketCount;
        }

        if (c->RetransmitHint == segment)
        {
            c->RetransmitHint = null;
        }

        if (segment->Previous == null)
        {
            c->TxHead = segment->Next;
        }
        else
        {
            segment->Previous->Next = segment->Next;
        }

        if (segment->Next == null)
        {
            c->TxTail = segment->Previous;
        }
        else
        {
            segment->Next->Previous = segment->Previous;
        }

        _sendSegments.Return(segment->Index);
    }

    /// <summary>Cuts a segment in two at <paramref name="seq"/>; returns the second part, null without memory. Sums stay right.</summary>
    private SendSegment* SplitSegment(Tcb* c, SendSegment* segment, uint seq)
    {
        Invariant.Check(Seq.Gt(seq, segment->Node.Start) && Seq.Lt(seq, segment->Node.End));
        SendSegment* rest = NewSegment(c);
        if (rest == null)
        {
            return null;
        }

        rest->Node.Start = seq;
        rest->Node.End = segment->Node.End;
        rest->Marks = segment->Marks;
        rest->SentTime = segment->SentTime;
        rest->Flags = segment->Flags & (TcpFlags.Fin | TcpFlags.Psh);
        rest->Block = BlockAt(segment->Block, seq);
        segment->Node.End = seq;
        segment->Flags &= ~(TcpFlags.Fin | TcpFlags.Psh);

        rest->Previous = segment;
        rest->Next = segment->Next;
        if (segment->Next == null)
        {
            c->TxTail = rest;
        }
        else
        {
            segment->Next->Previous = rest;
        }

        segment->Next = rest;
        int before = segment->PacketCount;
        uint mss = Math.Max((uint)c->Mss, 1);
        segment->PacketCount = (ushort)Math.Max(1, (PayloadLength(segment) + mss - 1) / mss);
        rest->PacketCount = (ushort)Math.Max(1, (PayloadLength(rest) + mss - 1) / mss);
        AdjustCounts(c, rest->Marks, segment->PacketCount + rest->PacketCount - before);
        if (c->Scoreboard != null)
        {
            c->Scoreboard = SegmentTree.Insert(c->Scoreboard, &rest->Node);
        }

        return rest;
    }

    /// <summary>Takes what is acknowledged off the front of a super-segment; returns how many of its segments that were.</summary>
    private static uint TrimAcked(Tcb* c, SendSegment* segment, uint una)
    {
        uint before = segment->PacketCount;
        segment->Node.Start = una;
        segment->Block = BlockAt(segment->Block, una);
        uint mss = Math.Max((uint)c->Mss, 1);
        segment->PacketCount = (ushort)Math.Max(1, (PayloadLength(segment) + mss - 1) / mss);
        if (segment->PacketCount > before)
        {
            segment->PacketCount = (ushort)before;
        }

        return before - segment->PacketCount;
    }

    private static Block* BlockAt(Block* block, uint seq)
    {
        while (block != null && Seq.Leq(block->Sequence + (uint)(block->End - block->Start), seq))
        {
            block = block->Next;
        }

        return block;
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

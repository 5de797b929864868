using System.Runtime.CompilerServices;

namespace Portico.Net;

// When to acknowledge and how much window to offer: delayed ACKs (RFC 1122 4.2.3.2, RFC 5681 4.2) that adapt as Linux's do, silly
// window avoidance (RFC 9293 3.8.6.2.2), and growing the buffer with the application's reading rate.
public sealed unsafe partial class TcpLayer
{
    private const uint AtoMinMillis = 40;
    private const byte QuickAcksMax = 16;

    /// <summary>Window space that an amount of buffer memory stands for: half of it, as with Linux's default tcp_adv_win_scale.</summary>
    private static int WindowFromSpace(int space) => space <= 0 ? 0 : space >> 1;

    private static int FullWindowSpace(Tcb* c) => WindowFromSpace(c->RcvBuf);

    private static int FreeWindowSpace(Tcb* c) => WindowFromSpace(c->RcvBuf - c->RcvMemory);

    /// <summary>Before the first segment: the window of the SYN and the scale that the largest buffer needs (Linux: tcp_select_initial_window).</summary>
    private void SelectInitialWindow(int space, int mss, bool scaling, out uint window, out byte shift, out uint clamp)
    {
        clamp = 65535u << 14;
        long usable = Math.Min(space, (long)clamp);
        if (mss > 0 && usable > mss)
        {
            usable -= usable % mss;
        }

        window = (uint)Math.Min(usable, 65535);
        shift = 0;
        if (scaling)
        {
            long most = Math.Max(Math.Max(usable, Settings.tcp_rmem.Max), Settings.rmem_max);
            while (most > 65535 && shift < 14)
            {
                most >>= 1;
                shift++;
            }
        }

        clamp = Math.Min(clamp, 65535u << shift);
    }

    private void InitializeReceiveMss(Tcb* c)
    {
        int hint = Math.Min((int)c->AdvMss, c->Mss);
        hint = Math.Min(hint, (int)(c->RcvWnd / 2));
        hint = Math.Min(hint, 536);
        c->RcvMss = (ushort)Math.Max(hint, 88);
    }

    /// <summary>Established: buffers and thresholds from what was agreed (Linux: tcp_init_buffer_space).</summary>
    private void InitializeBuffers(Tcb* c)
    {
        if (!Has(c, TcbFlags.SendBufferLocked))
        {
            ExpandSendBuffer(c);
        }

        c->RcvSpace = Math.Min(c->RcvWnd, 10u * c->AdvMss);
        c->RcvSpaceSeq = c->CopiedSeq;
        c->RcvSpaceTimeMicros = NowMicros;
        uint full = (uint)FullWindowSpace(c);
        if (c->WindowClamp >= full)
        {
            c->WindowClamp = full;
        }

        c->RcvSsThresh = Math.Min(Math.Max(c->RcvWnd, c->RcvSsThresh), c->WindowClamp);
    }

    /// <summary>The window to offer now (Linux: __tcp_select_window): nothing silly, never more than what memory allows.</summary>
    private uint ComputeWindow(Tcb* c)
    {
        int mss = c->RcvMss;
        int free = FreeWindowSpace(c);
        int allowed = FullWindowSpace(c);
        int full = (int)Math.Min(c->WindowClamp, (uint)allowed);
        if (mss > full)
        {
            mss = full;
            if (mss <= 0)
            {
                return 0;
            }
        }

        if (free < full >> 1)
        {
            c->QuickAcks = 0;
            if (_receiveMemory > Settings.tcp_mem_high / 2)
            {
                c->RcvSsThresh = Math.Min(c->RcvSsThresh, 4u * c->AdvMss);
            }

            free &= ~((1 << c->RcvWindShift) - 1);
            if (free < allowed >> 4 || free < mss)
            {
                return 0;
            }
        }

        free = (int)Math.Min((uint)Math.Max(free, 0), c->RcvSsThresh);
        if (c->RcvWindShift != 0)
        {
            uint unit = 1u << c->RcvWindShift;
            return ((uint)free + unit - 1) & ~(unit - 1);
        }

        uint window = c->RcvWnd;
        if (window <= (uint)Math.Max(free - mss, 0) || window > (uint)free)
        {
            window = (uint)(free - (free % Math.Max(mss, 1)));
        }
        else if (mss == full && (uint)free > window + (uint)(full >> 1))
        {
            window = (uint)free;
        }

        return window;
    }

    /// <summary>RCV.WND for the segment that is about to be sent; a window once offered is not taken back (RFC 9293 3.8.6).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private uint SelectWindow(Tcb* c)
    {
        uint current = ReceiveWindow(c);
        uint window = ComputeWindow(c);
        if (window < current)
        {
            if (window == 0)
            {
                ++Mib[TcpCounter.TCPWantZeroWindowAdv];
            }

            uint unit = 1u << c->RcvWindShift;
            window = (current + unit - 1) & ~(unit - 1);
        }

        uint most = 65535u << c->RcvWindShift;
        window = Math.Min(window, most);
        if (window == 0 && c->RcvWnd != 0)
        {
            ++Mib[TcpCounter.TCPToZeroWindowAdv];
        }
        else if (window != 0 && c->RcvWnd == 0)
        {
            ++Mib[TcpCounter.TCPFromZeroWindowAdv];
        }

        c->RcvWnd = window;
        c->RcvWup = c->RcvNxt;
        return window;
    }

    /// <summary>An ACK has gone out, alone or with data: nothing is owed any more.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AckSent(Tcb* c)
    {
        if (c->QuickAcks > 0)
        {
            c->QuickAcks--;
            if (c->QuickAcks == 0)
            {
                c->AtoMillis = AtoMinMillis;
            }
        }

        c->Flags &= ~(TcbFlags.AckScheduled | TcbFlags.AckNow | TcbFlags.AckTimer | TcbFlags.AckPushed | TcbFlags.AckPushed2);
        c->DelayedAckDeadline = 0;
    }

    /// <summary>What a data segment teaches: the peer's segment size, its pace, and that an ACK is owed (Linux: tcp_event_data_recv).</summary>
    private void OnDataReceived(Tcb* c, ref Arrival seg, int length)
    {
        c->Flags |= TcbFlags.AckScheduled;
        MeasureRcvMss(c, ref seg, length);
        MeasureRcvRtt(c, ref seg);
        uint now = NowMillis;
        if (c->AtoMillis == 0)
        {
            // The first data: quick ACKs while the peer is in slow start.
            EnterQuickAck(c, QuickAcksMax);
            c->AtoMillis = AtoMinMillis;
        }
        else
        {
            uint gap = now - c->LastReceivedMillis;
            if (gap <= AtoMinMillis / 2)
            {
                c->AtoMillis = (c->AtoMillis >> 1) + (AtoMinMillis / 2);
            }
            else if (gap < c->AtoMillis)
            {
                c->AtoMillis = Math.Min((c->AtoMillis >> 1) + gap, (uint)(c->Rtt.RtoMicros / 1000));
            }
            else if (gap > (uint)(c->Rtt.RtoMicros / 1000))
            {
                // The peer has been silent for an RTO: it will restart in slow start, so it needs ACKs soon.
                EnterQuickAck(c, QuickAcksMax);
            }
        }

        c->LastReceivedMillis = now;
        if (length >= 128)
        {
            GrowWindow(c);
        }
    }

    private static void MeasureRcvMss(Tcb* c, ref Arrival seg, int length)
    {
        int segment = seg.Packet.GsoSize > 0 ? Math.Min(seg.Packet.GsoSize, length) : length;
        if (segment >= c->RcvMss)
        {
            c->RcvMss = (ushort)Math.Min(segment, (int)c->AdvMss == 0 ? 65535 : c->AdvMss);
        }

        // Short and pushed: the end of a message, which an interactive peer wants acknowledged when it has been read.
        if (seg.Has(TcpFlags.Psh) || segment < c->RcvMss)
        {
            c->Flags |= Has(c, TcbFlags.AckPushed) ? TcbFlags.AckPushed2 : TcbFlags.AckPushed;
        }
    }

    private static void EnterQuickAck(Tcb* c, byte most)
    {
        uint segments = c->RcvWnd / (2u * Math.Max((uint)c->RcvMss, 1));
        if (segments == 0)
        {
            segments = 2;
        }

        byte quick = (byte)Math.Min(segments, most);
        if (quick > c->QuickAcks)
        {
            c->QuickAcks = quick;
        }

        c->PingPong = 0;
        c->AtoMillis = AtoMinMillis;
    }

    private static void EnterPingPong(Tcb* c) => c->PingPong = 1;

    private static bool InQuickAckMode(Tcb* c) => Has(c, TcbFlags.QuickAckLocked) || (c->QuickAcks > 0 && c->PingPong == 0);

    /// <summary>After data: acknowledge now, or within ato (Linux: __tcp_ack_snd_check).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void AckAfterData(Tcb* c)
    {
        if (Has(c, TcbFlags.AckScheduled))
        {
            AckOrDelay(c);
        }
    }

    private void AckOrDelay(Tcb* c)
    {
        uint unacked = c->RcvNxt - c->RcvWup;
        if ((unacked > c->RcvMss && ComputeWindow(c) >= c->RcvWnd) || InQuickAckMode(c) || Has(c, TcbFlags.AckNow) || c->OutOfOrderRoot != null)
        {
            SendAck(c);
            return;
        }

        DelayAck(c);
    }

    private void DelayAck(Tcb* c)
    {
        uint ato = c->AtoMillis;
        if (ato > AtoMinMillis)
        {
            uint most = c->PingPong > 0 || Has(c, TcbFlags.AckPushed) ? 200u : 500u;
            if (c->Rtt.SrttMicros > 0)
            {
                most = Math.Min(most, Math.Max((uint)(c->Rtt.SrttMicros / 1000), AtoMinMillis));
            }

            ato = Math.Min(ato, most);
        }

        ato = Math.Min(Math.Max(ato, 1), 200);
        long deadline = NowNanos + (ato * 1_000_000L);
        if (Has(c, TcbFlags.AckTimer))
        {
            // The timer runs: it is only ever made earlier, and an ACK that is nearly due goes out now.
            if (c->DelayedAckDeadline <= NowNanos + (ato * 250_000L))
            {
                SendAck(c);
                return;
            }

            deadline = Math.Min(deadline, c->DelayedAckDeadline);
        }

        c->Flags |= TcbFlags.AckTimer;
        c->DelayedAckDeadline = deadline;
        ArmTimer(c);
    }

    /// <summary>An answer to old or unacceptable data, at once, with a DSACK where there is one to report (RFC 9293 3.10.7.4 first step).</summary>
    private void SendDuplicateAck(Tcb* c, ref Arrival seg)
    {
        if (seg.EndSeq != seg.Seq && Seq.Lt(seg.Seq, c->RcvNxt))
        {
            ++Mib[TcpCounter.DelayedACKLost];
            EnterQuickAck(c, 2);
            SetDsack(c, seg.Seq, Seq.Min(seg.EndSeq, c->RcvNxt));
        }

        SendAck(c);
    }

    /// <summary>The application has read: tell the peer when that makes a difference to it (Linux: tcp_cleanup_rbuf).</summary>
    private void AfterRead(Tcb* c, int copied)
    {
        AdjustReceiveSpace(c);
        if (c->State is TcpState.Closed or TcpState.SynSent)
        {
            return;
        }

        bool now = false;
        if (Has(c, TcbFlags.AckScheduled))
        {
            now = c->RcvNxt - c->RcvWup > c->RcvMss
                || (copied > 0 && c->RxHead == null && (Has(c, TcbFlags.AckPushed2) || (Has(c, TcbFlags.AckPushed) && c->PingPong == 0)));
        }

        if (copied > 0 && !now && !Has(c, TcbFlags.ReceiveShutdown | TcbFlags.FinReceived))
        {
            uint current = ReceiveWindow(c);
            if (2 * current <= c->WindowClamp)
            {
                uint window = ComputeWindow(c);
                now = window != 0 && window >= 2 * current;
            }
        }

        if (now)
        {
            SendAck(c);
        }
    }

    /// <summary>RFC 7323 4.2's idea for a receiver: the time between a byte's offer and its arrival, or an echoed timestamp, is an RTT.</summary>
    private void MeasureRcvRtt(Tcb* c, ref Arrival seg)
    {
        if (Has(c, TcbFlags.Timestamps) && seg.Options.TsEcr != 0 && seg.Length >= c->RcvMss)
        {
            int millis = (int)(TsClock(c) - seg.Options.TsEcr);
            if (millis >= 0 && millis < 60_000)
            {
                UpdateRcvRtt(c, (uint)Math.Max(millis * 1000, 1));
            }

            return;
        }

        uint now = NowMicros;
        if (c->RcvRttTimeMicros == 0)
        {
            c->RcvRttTimeMicros = now;
            c->RcvRttSeq = c->RcvNxt + c->RcvWnd;
        }
        else if (Seq.Geq(c->RcvNxt, c->RcvRttSeq))
        {
            UpdateRcvRtt(c, Math.Max(now - c->RcvRttTimeMicros, 1));
            c->RcvRttSeq = c->RcvNxt + c->RcvWnd;
            c->RcvRttTimeMicros = now;
        }
    }

    private static void UpdateRcvRtt(Tcb* c, uint sample)
    {
        uint old = c->RcvRttMicros;
        c->RcvRttMicros = old == 0 ? sample : sample < old ? sample : old + ((sample - old) >> 3);
    }

    /// <summary>The window opens by two segments for each good one until the buffer's share is reached (Linux: tcp_grow_window).</summary>
    private void GrowWindow(Tcb* c)
    {
        int room = (int)(Math.Min(c->WindowClamp, (uint)FullWindowSpace(c)) - c->RcvSsThresh);
        if (room <= 0 || _receiveMemory > Settings.tcp_mem_high / 2)
        {
            return;
        }

        c->RcvSsThresh += (uint)Math.Min(room, 2 * c->AdvMss);
    }

    /// <summary>Dynamic right-sizing: the buffer holds twice what the application reads in a round trip (Linux: tcp_rcv_space_adjust).</summary>
    private void AdjustReceiveSpace(Tcb* c)
    {
        uint now = NowMicros;
        uint elapsed = now - c->RcvSpaceTimeMicros;
        if (elapsed < c->RcvRttMicros || c->RcvRttMicros == 0)
        {
            return;
        }

        uint copied = c->CopiedSeq - c->RcvSpaceSeq;
        if (copied > c->RcvSpace)
        {
            if (Settings.tcp_moderate_rcvbuf && !Has(c, TcbFlags.ReceiveBufferLocked))
            {
                ulong window = (2UL * copied) + (16UL * c->AdvMss);
                ulong grow = window * (copied - c->RcvSpace) / Math.Max(c->RcvSpace, 1u);
                window += grow << 1;
                int buffer = (int)Math.Min(window * 2, (ulong)Settings.tcp_rmem.Max);
                if (buffer > c->RcvBuf)
                {
                    c->RcvBuf = buffer;
                    c->WindowClamp = (uint)WindowFromSpace(buffer);
                }
            }

            c->RcvSpace = copied;
        }

        c->RcvSpaceSeq = c->CopiedSeq;
        c->RcvSpaceTimeMicros = now;
    }
}

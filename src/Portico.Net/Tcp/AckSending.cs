using System.Runtime.CompilerServices;

namespace Portico.Net;

// When to acknowledge and how much window to offer: delayed ACKs (RFC 1122 4.2.3.2, RFC 5681 4.2) that adapt as Linux's do, silly
// window avoidance (RFC 9293 3.8.6.2.2), and growing the buffer with the application's reading rate.
public sealed unsafe partial class TcpLayer
{
    private const uint AtoMinMillis = 40;
    private const byte QuickAcksMax = 16;

    private void InitializeReceiveMss(Tcb* c)
    {
        int hint = Math.Min((int)c->AdvMss, c->Mss);
        hint = Math.Min(hint, (int)(c->RcvWnd / 2));
        hint = Math.Min(hint, 536);
        c->RcvMss = (ushort)Math.Max(hint, 88);
    }

    /// <summary>An ACK has gone out, alone or with data: nothing is owed any more.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void AckSent(Tcb* c)
    {
        if (Has(c, TcbExtras.AckCompressed))
        {
            EndCompression(c);
        }

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
            AddQuickAcks(c, QuickAcksMax);
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
                c->AtoMillis = Math.Min((c->AtoMillis >> 1) + gap, (uint)(RtoMicros(c) / 1000));
            }
            else if (gap > (uint)(RtoMicros(c) / 1000))
            {
                // The peer has been silent for an RTO: it will restart in slow start, so it needs ACKs soon.
                AddQuickAcks(c, QuickAcksMax);
            }
        }

        c->LastReceivedMillis = now;
        CheckCongestionMark(c, ref seg);
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

    /// <summary>ACKs at once, whatever kind of dialogue it has been.</summary>
    private static void EnterQuickAck(Tcb* c, byte most)
    {
        AddQuickAcks(c, most);
        c->PingPong = 0;
        c->AtoMillis = AtoMinMillis;
    }

    /// <summary>The same where it is no dialogue (tcp_incr_quickack).</summary>
    private static void AddQuickAcks(Tcb* c, byte most)
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
    }

    private void EnterPingPong(Tcb* c) => c->PingPong = Settings.tcp_pingpong_thresh;

    /// <summary>Whether the connection is a dialogue, in which ACKs ride on answers (Linux: inet_csk_in_pingpong_mode).</summary>
    private bool InPingPong(Tcb* c) => c->PingPong >= Settings.tcp_pingpong_thresh;

    private bool InQuickAckMode(Tcb* c) => Has(c, TcbFlags.QuickAckLocked) || (c->QuickAcks > 0 && !InPingPong(c));

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
        if ((unacked > c->RcvMss && ComputeWindow(c) >= c->RcvWnd) || InQuickAckMode(c) || Has(c, TcbFlags.AckNow))
        {
            SendAck(c);
        }
        else if (c->OutOfOrderRoot != null)
        {
            CompressAck(c);
        }
        else
        {
            DelayAck(c);
        }
    }

    private void DelayAck(Tcb* c)
    {
        uint ato = c->AtoMillis;
        if (ato > AtoMinMillis)
        {
            uint most = InPingPong(c) || Has(c, TcbFlags.AckPushed) ? 200u : 500u;
            if (c->Rtt.SrttMicros > 0)
            {
                most = Math.Min(most, Math.Max((uint)(c->Rtt.SrttMicros / 1000), AtoMinMillis));
            }

            ato = Math.Min(ato, most);
        }

        ato = Math.Min(Math.Max(ato, 1), DelayedAckMaxMillis(c));
        long deadline = NowNanos + (ato * 1_000_000L);
        if (Has(c, TcbFlags.AckTimer) && c->DelayedAckDeadline <= NowNanos + (ato * 250_000L))
        {
            // An ACK that is nearly due goes out now.
            SendAck(c);
            return;
        }

        c->Flags |= TcbFlags.AckTimer;
        ArmAckTimer(c, deadline);
    }

    /// <summary>The timer of delayed and of compressed ACKs: where it runs it is only ever made earlier.</summary>
    private void ArmAckTimer(Tcb* c, long deadline)
    {
        c->DelayedAckDeadline = c->DelayedAckDeadline == 0 ? deadline : Math.Min(deadline, c->DelayedAckDeadline);
        ArmTimer(c);
    }

    /// <summary>An answer to old or unacceptable data, at once, with a DSACK where there is one to report (RFC 9293 3.10.7.4 first step).</summary>
    private void SendDuplicateAck(Tcb* c, ref Arrival seg)
    {
        if (seg.EndSeq != seg.Seq && Seq.Lt(seg.Seq, c->RcvNxt))
        {
            ++Mib[TcpCounter.DelayedACKLost];
            EnterQuickAck(c, QuickAcksMax);
            SetDsack(c, seg.Seq, Seq.Min(seg.EndSeq, c->RcvNxt));
        }

        SendAck(c);
    }

    /// <summary>
    /// The application has read: tell the peer when that makes a difference to it (Linux: tcp_cleanup_rbuf). The entry may have been told no
    /// time: the pace of reading is then measured by when the last data has arrived.
    /// </summary>
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
                || (copied > 0 && c->RxHead == null && (Has(c, TcbFlags.AckPushed2) || (Has(c, TcbFlags.AckPushed) && !InPingPong(c))));
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
            _engine.CatchUp();
            SendAck(c);
        }
    }
}

namespace Portico.Net;

// Explicit congestion notification (RFC 3168) in Linux's form: negotiation, ECT on new data, ECE for CE, CWR for ECE. The reduction of the
// window itself is that of recovery (CaState.Cwr), so it happens once a round trip.
public sealed unsafe partial class TcpLayer
{
    private const byte EcnMask = 3;
    private const byte NotEct = 0;
    private const byte Ect0 = 2;
    private const byte CongestionExperienced = 3;

    private const TcpFlags EcnSetup = TcpFlags.Ece | TcpFlags.Cwr;

    /// <summary>The bits that a SYN has beside its own to ask for ECN (tcp_ecn_send_syn).</summary>
    private TcpFlags AskForEcn(Tcb* c)
    {
        if (Settings.tcp_ecn != TcpSettings.EcnAsk)
        {
            return TcpFlags.None;
        }

        c->Extras |= TcbExtras.EcnOk;
        return EcnSetup;
    }

    /// <summary>
    /// The peer's SYN or SYN-ACK answers our SYN: ECN is agreed on when a SYN-ACK has ECE alone, or a SYN both bits (RFC 3168 6.1.1), whichever
    /// of our SYNs it was.
    /// </summary>
    private static void AgreeOnEcn(Tcb* c, TcpFlags flags)
    {
        TcpFlags wanted = (flags & TcpFlags.Ack) != 0 ? TcpFlags.Ece : EcnSetup;
        if ((flags & EcnSetup) != wanted)
        {
            c->Extras &= ~TcbExtras.EcnOk;
        }
    }

    /// <summary>
    /// Whether a SYN asks for ECN and may have it (tcp_ecn_create_request): one that is marked ECT itself is no SYN of RFC 3168, unless it has
    /// bits of a later standard.
    /// </summary>
    private bool MayAgreeOnEcn(ref Arrival seg) =>
        Settings.tcp_ecn != 0 && (seg.Flags & EcnSetup) == EcnSetup
        && ((seg.Info.TrafficClass & EcnMask) == NotEct || (seg.Packet.Linear[12] & 0x0F) != 0);

    /// <summary>A SYN that gets no answer may have been dropped for asking: the next one does not (RFC 3168 6.1.1.1, tcp_ecn_fallback).</summary>
    private void StopAskingForEcn(SendSegment* syn)
    {
        if (Settings.tcp_ecn_fallback)
        {
            syn->Flags &= ~EcnSetup;
        }
    }

    /// <summary>The bits of a SYN, or of the SYN-ACK that follows a simultaneous open.</summary>
    private static TcpFlags EcnOfSyn(Tcb* c, SendSegment* syn, bool acks)
    {
        if (!acks)
        {
            return syn->Flags & EcnSetup;
        }

        return Has(c, TcbExtras.EcnOk) ? TcpFlags.Ece : TcpFlags.None;
    }

    /// <summary>
    /// What a segment says of ECN (tcp_ecn_send): only data that goes out for the first time is ECT (RFC 3168 6.1.4 to 6.1.6), the first of it
    /// after a reduction has CWR, and all have ECE until the peer has answered a CE. The mark stays in the traffic class, where IP_TOS shows it.
    /// </summary>
    private static TcpFlags MarkSegment(Tcb* c, uint seq, bool hasPayload)
    {
        TcpFlags flags = Has(c, TcbExtras.EcnDemandCwr) ? TcpFlags.Ece : TcpFlags.None;
        bool isNew = hasPayload && Seq.Geq(seq, c->SndNxt);
        c->TrafficClass = (byte)((c->TrafficClass & ~EcnMask) | (isNew ? Ect0 : NotEct));
        if (isNew && Has(c, TcbExtras.EcnQueueCwr))
        {
            c->Extras &= ~TcbExtras.EcnQueueCwr;
            flags |= TcpFlags.Cwr;
        }

        return flags;
    }

    private static bool IsCongestionEcho(Tcb* c, TcpFlags flags) =>
        (flags & (TcpFlags.Ece | TcpFlags.Syn)) == TcpFlags.Ece && Has(c, TcbExtras.EcnOk);

    /// <summary>The window is reduced: the peer is told with the next new data.</summary>
    private static void QueueCwr(Tcb* c)
    {
        if (Has(c, TcbExtras.EcnOk))
        {
            c->Extras |= TcbExtras.EcnQueueCwr;
        }
    }

    /// <summary>
    /// The peer has reduced its window, which may be a single segment now, so it should not wait for a delayed ACK. Against the letter of the RFC
    /// a pure ACK may say so, too, as some hosts' do.
    /// </summary>
    private static void AcceptCwr(Tcb* c, ref Arrival seg)
    {
        if (seg.Has(TcpFlags.Cwr))
        {
            c->Extras &= ~TcbExtras.EcnDemandCwr;
            if (seg.EndSeq != seg.Seq)
            {
                c->Flags |= TcbFlags.AckNow;
            }
        }
    }

    /// <summary>The marks of a data segment (tcp_data_ecn_check).</summary>
    private static void CheckCongestionMark(Tcb* c, ref Arrival seg)
    {
        const byte QuickAcks = 2;
        if (!Has(c, TcbExtras.EcnOk))
        {
            return;
        }

        int mark = seg.Info.TrafficClass & EcnMask;
        if (mark == NotEct)
        {
            if (Has(c, TcbExtras.EcnSeen))
            {
                // All but retransmissions are marked: the peer has had a loss.
                EnterQuickAck(c, QuickAcks);
            }

            return;
        }

        if (mark == CongestionExperienced && !Has(c, TcbExtras.EcnDemandCwr))
        {
            EnterQuickAck(c, QuickAcks);
            c->Extras |= TcbExtras.EcnDemandCwr;
        }

        c->Extras |= TcbExtras.EcnSeen;
    }

    /// <summary>Segments that an ACK with ECE delivers (tcpi_delivered_ce).</summary>
    private void CountDeliveredMarked(Tcb* c, uint packets)
    {
        TcpSide* side = NeedSide(c);
        if (side != null)
        {
            side->DeliveredMarked += packets;
        }
    }
}

namespace Portico.Net;

// Urgent data (RFC 9293 3.8.5, RFC 6093): one byte beside the stream, as Linux and everybody else read the pointer. The pointer of a
// peer is only ever compared with sequence numbers, never used as an index (attack class A03).
public sealed unsafe partial class TcpLayer
{
    /// <summary>RFC 9293 3.10.7.4, sixth step.</summary>
    private void HandleUrgent(Tcb* c, ref Arrival seg)
    {
        if (seg.Has(TcpFlags.Urg))
        {
            CheckUrgent(c, ref seg);
        }

        if (c->Urgent != UrgentState.NotYet)
        {
            return;
        }

        uint offset = c->RcvUp - seg.Seq;
        if (offset >= (uint)seg.Length)
        {
            return;
        }

        c->UrgentByte = PayloadByte(ref seg, (int)offset);
        c->Urgent = UrgentState.Valid;
        Notify(c, SocketEvents.Priority);
    }

    private void CheckUrgent(Tcb* c, ref Arrival seg)
    {
        if (c->State is not (TcpState.Established or TcpState.FinWait1 or TcpState.FinWait2))
        {
            return;
        }

        uint urgent = seg.Seq + (seg.UrgentPointer == 0 || Settings.tcp_stdurg ? seg.UrgentPointer : seg.UrgentPointer - 1);

        // News only when it is ahead of what was read and of what was announced before.
        if (Seq.Lt(urgent, c->CopiedSeq) || Seq.Lt(urgent, c->RcvNxt) || (c->Urgent != UrgentState.None && Seq.Leq(urgent, c->RcvUp)))
        {
            return;
        }

        // A second urgent byte before the first was read: the first becomes ordinary, but if reading stands right at it, it is skipped.
        if (c->Urgent != UrgentState.None && c->RcvUp == c->CopiedSeq && !Has(c, TcbFlags.OobInline) && c->CopiedSeq != c->RcvNxt
            && c->RxHead != null && Seq.Lt(c->CopiedSeq + 1, c->RxHead->Node.End))
        {
            c->CopiedSeq++;
        }

        c->Urgent = UrgentState.NotYet;
        c->RcvUp = urgent;
        Notify(c, SocketEvents.Priority);
    }

    /// <summary>Whether reading stands at the urgent byte, which it skips, and nothing follows.</summary>
    private static bool IsOnlyUrgentByteLeft(Tcb* c) =>
        c->Urgent != UrgentState.None && c->RcvUp == c->CopiedSeq && !Has(c, TcbFlags.OobInline)
            && c->RcvNxt - c->CopiedSeq - (Has(c, TcbFlags.FinReceived) ? 1u : 0) == 1;

    private static byte PayloadByte(ref Arrival seg, int offset)
    {
        Packet packet = seg.Packet;
        int at = seg.HeaderLength + offset;
        if (at < packet.LinearLength)
        {
            return packet.Linear[at];
        }

        at -= packet.LinearLength;
        for (int i = 0; i < packet.FragmentCount; i++)
        {
            ref Slice slice = ref packet.Fragment(i);
            if (at < slice.Length)
            {
                return slice.Span[at];
            }

            at -= slice.Length;
        }

        return 0;
    }

    /// <summary>Reading stops before the urgent byte, and when it begins at it skips it, unless it is to be in line. False: stop here.</summary>
    private static bool LimitByUrgent(Tcb* c, uint seq, int copied, ref int count, ref int skip)
    {
        uint offset = c->RcvUp - seq;
        if (offset >= (uint)count)
        {
            return true;
        }

        if (offset > 0)
        {
            count = (int)offset;
            return true;
        }

        if (copied > 0)
        {
            return false;
        }

        if (!Has(c, TcbFlags.OobInline))
        {
            skip = 1;
            count--;
        }

        return true;
    }

    private static void ForgetPassedUrgent(Tcb* c)
    {
        if (c->Urgent != UrgentState.None && Seq.Gt(c->CopiedSeq, c->RcvUp))
        {
            c->Urgent = UrgentState.None;
        }
    }

    /// <summary>Whether the next byte to be read is the urgent one (sockatmark(3)); false also for a stale handle.</summary>
    public bool IsAtMark(TcpHandle handle)
    {
        Tcb* c = Find(handle);
        return c != null && c->Urgent == UrgentState.Valid && c->RcvUp == c->CopiedSeq;
    }

    /// <summary>MSG_OOB. EINVAL when there is no urgent byte (or it is in line), EAGAIN when it has been announced only (tcp_recv_urg).</summary>
    private static Errno ReadUrgent(Tcb* c, Span<byte> buffer, bool peek, out int received)
    {
        received = 0;
        if (Has(c, TcbFlags.OobInline) || c->Urgent is UrgentState.None or UrgentState.Read)
        {
            return Errno.EINVAL;
        }

        if (c->Urgent == UrgentState.NotYet)
        {
            return Errno.EAGAIN;
        }

        if (buffer.Length > 0)
        {
            buffer[0] = c->UrgentByte;
            received = 1;
        }

        if (!peek)
        {
            c->Urgent = UrgentState.Read;
        }

        return Errno.None;
    }
}

using System.Runtime.CompilerServices;

namespace Portico.Net;

// TCP_NOTSENT_LOWAT: how much may wait unsent before the application is asked to wait, so that what it writes is not old before it is sent
// (Linux: tcp_stream_memory_free).
public sealed unsafe partial class TcpLayer
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private uint NotSentLow(Tcb* c)
    {
        uint own = SideOf(c).NotSentLow;
        return own != 0 ? own : Settings.tcp_notsent_lowat;
    }

    private static uint UnsentBytes(Tcb* c) => Seq.Gt(c->WriteSeq, c->SndNxt) ? c->WriteSeq - c->SndNxt : 0;

    /// <summary>Whether so little is unsent that more may be written.</summary>
    private bool IsBelowNotSentLow(Tcb* c) => UnsentBytes(c) < NotSentLow(c);

    /// <summary>The same for waking a writer, who is to find room for more than a few bytes.</summary>
    private bool IsFarBelowNotSentLow(Tcb* c) => (ulong)UnsentBytes(c) << 1 < NotSentLow(c);

    /// <summary>With auto-tuning there may be more room in the send buffer, unless it is cwnd that holds back (tcp_should_expand_sndbuf).</summary>
    private void LetBufferGrow(Tcb* c)
    {
        if (!Has(c, TcbFlags.SendBufferLocked) && PacketsInFlight(c) < c->Cwnd && _engine.Blocks.BytesInUse < _engine.Blocks.BytesMax / 2)
        {
            ExpandSendBuffer(c);
        }
    }

    private Errno SetNotSentLow(Tcb* c, uint bytes)
    {
        TcpSide* side = bytes == 0 && c->Side == 0 ? null : NeedSide(c);
        if (side == null)
        {
            return bytes == 0 ? Errno.None : Errno.ENOBUFS;
        }

        side->NotSentLow = bytes;
        TellOfRoom(c);
        return Errno.None;
    }

    /// <summary>After an ACK and what it has let out: there may be room again that somebody waits for (Linux: tcp_check_space).</summary>
    private void TellOfRoom(Tcb* c)
    {
        if (!Has(c, TcbFlags.NoSpace))
        {
            return;
        }

        LetBufferGrow(c);
        if (SendRoom(c) >= QueuedMemory(c) / 2 && IsFarBelowNotSentLow(c))
        {
            c->Flags &= ~TcbFlags.NoSpace;
            StopActivity(c, SenderActivity.BufferLimited);
            Notify(c, SocketEvents.Writable);
        }
    }
}

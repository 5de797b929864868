using System.Runtime.CompilerServices;

namespace Portico.Net;

// Pacing: packets leave at intervals rather than in bursts, for BBR, and for all where the stack has the queueing discipline fq. Also what
// BBR needs of a connection.
public sealed unsafe partial class TcpLayer
{
    /// <summary>The first ten segments are not paced.</summary>
    private const uint UnpacedSegments = 10;

    private static bool IsBbr(Tcb* c) => c->Algorithm == TcpCongestion.Bbr && c->Congestion.Bbr != null;

    /// <summary>
    /// SO_MAX_PACING_RATE: paces the connection from now on, with or without fq, at this many bytes a second at most; ulong.MaxValue takes
    /// the limit away, and leaves the pacing, as in Linux. Errors: EBADF for a stale handle, ENOBUFS.
    /// </summary>
    public Errno SetPacing(TcpHandle handle, ulong rateMax)
    {
        Tcb* c = Find(handle);
        bool isLimited = rateMax != ulong.MaxValue;
        TcpSide* side = c != null && isLimited ? NeedSide(c) : null;
        if (c == null || (isLimited && side == null))
        {
            return c == null ? Errno.EBADF : Errno.ENOBUFS;
        }

        if (isLimited)
        {
            side->PacingRateMax = rateMax;
        }

        SetExtra(c, TcbExtras.PacingLimited, isLimited);
        c->Extras |= TcbExtras.PacingNeeded;
        c->Flags |= TcbFlags.Paced;
        if (IsBbr(c))
        {
            Bbr.LimitPace(ref *c->Congestion.Bbr, rateMax);
        }

        return Errno.None;
    }

    private ulong PacingRateMax(Tcb* c) => Has(c, TcbExtras.PacingLimited) ? _sides.At(c->Side)->PacingRateMax : ulong.MaxValue;

    /// <summary>A packet has just gone out: the next one may when this one's time at the pace is over, sooner by what was idle before.</summary>
    private void PaceNext(Tcb* c, long length)
    {
        Flight* f = c->Flight;
        long prior = f->NextSendTime;
        long now = NowNanos;
        f->NextSendTime = Math.Max(prior, now);
        ulong rate = PacingRate(c);
        if (rate == 0 || c->DataSegsOut < UnpacedSegments)
        {
            return;
        }

        long nanos = (long)((ulong)length * 1_000_000_000 / rate);
        f->NextSendTime += nanos - Math.Min(nanos / 2, f->NextSendTime - prior);
    }

    /// <summary>Whether the next packet has to wait; if so, the timer runs.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private bool IsHeldByPace(Tcb* c) => Has(c, TcbFlags.Paced) && c->Flight != null && c->Flight->NextSendTime > NowNanos && WaitForPace(c);

    private bool WaitForPace(Tcb* c)
    {
        c->Flight->PacingDeadline = c->Flight->NextSendTime;
        ArmTimer(c);
        return true;
    }

    private void OnPacingTimer(Tcb* c)
    {
        if (c->LostOut > c->RetransOut && c->Cwnd > PacketsInFlight(c))
        {
            RetransmitQueue(c);
        }

        WriteOut(c, NagleOf(c));
    }

    /// <summary>What a timer that waits for an answer has to wait longer, as the packet may still be held.</summary>
    private long PacingDelay(Tcb* c) => c->Flight == null ? 0 : Math.Max(c->Flight->NextSendTime - NowNanos, 0);

    private BbrContext BbrContextOf(Tcb* c) => new()
    {
        Cwnd = c->Cwnd,
        SsThresh = c->SsThresh,
        CwndClamp = uint.MaxValue,
        Mss = c->Mss,
        SrttMicros = c->Rtt.SrttMicros,
        InFlight = PacketsInFlight(c),
        Delivered = c->Delivered,
        DeliveredTime = c->Flight == null ? NowNanos : c->Flight->DeliveredTime,
        Now = NowNanos,
        NextSendTime = c->Flight == null ? 0 : c->Flight->NextSendTime,
        NowMillis = NowMillis,
        CaState = c->CaState,
    };

    private static void Adopt(Tcb* c, in BbrContext context)
    {
        c->Cwnd = Math.Max(context.Cwnd, 1);
        c->SsThresh = context.SsThresh;
        if (context.MarkAppLimited && c->Flight != null)
        {
            c->Flight->AppLimited = Math.Max(c->Delivered + PacketsInFlight(c), 1);
        }
    }

    /// <summary>Gives the connection its state of BBR. Without memory it stays with CUBIC.</summary>
    private void StartBbr(Tcb* c)
    {
        BbrState* state = _bbrStates.Rent(out uint index);
        if (state == null)
        {
            c->Algorithm = TcpCongestion.Cubic;
            return;
        }

        state->Index = index;
        c->Congestion.Bbr = state;
        c->Flags |= TcbFlags.Paced;
        Bbr.LimitPace(ref *state, PacingRateMax(c));
        BbrContext context = BbrContextOf(c);
        Bbr.Initialize(ref *state, ref context, (uint)c->Rtt.MinRttMicros);
        Adopt(c, context);
    }

    private void StopBbr(Tcb* c)
    {
        if (IsBbr(c))
        {
            _bbrStates.Return(c->Congestion.Bbr->Index);
            c->Congestion.Bbr = null;
        }
    }

    private void RunBbr(Tcb* c, ref AckState ack)
    {
        BbrContext context = BbrContextOf(c);
        context.Acked = ack.Delivered;
        context.Lost = ack.Lost;
        context.IsAckDelayed = (ack.Facts & AckFacts.MaybeDelayed) != 0;
        Bbr.OnAck(ref *c->Congestion.Bbr, ref context, ack.Rate, _engine.Random);
        Adopt(c, context);
    }

    private void TellBbr(Tcb* c, CongestionEvent what)
    {
        BbrContext context = BbrContextOf(c);
        if (what == CongestionEvent.TransmitStart)
        {
            Bbr.OnTransmitStart(ref *c->Congestion.Bbr, ref context, c->Flight != null && c->Flight->AppLimited != 0, _engine.Random);
        }
        else if (what == CongestionEvent.Loss)
        {
            Bbr.OnTimeout(ref *c->Congestion.Bbr, ref context, _engine.Random);
        }

        Adopt(c, context);
    }
}

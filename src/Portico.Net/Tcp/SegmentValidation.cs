using System.Runtime.CompilerServices;

namespace Portico.Net;

// Whether a segment belongs to the connection: PAWS (RFC 7323 5), the window, resets and SYNs (RFC 5961), and the limit on answers to
// segments that do not.
public sealed unsafe partial class TcpLayer
{
    /// <summary>
    /// The first checks of RFC 9293 3.10.7.4 with those of RFC 7323 5.3 and RFC 5961: PAWS, sequence number, RST, SYN. False when the
    /// segment has been dealt with.
    /// </summary>
    private bool Validate(Tcb* c, ref Arrival seg)
    {
        if (Has(c, TcbFlags.Timestamps) && seg.Options.HasTimestamp && FailsPaws(c, ref seg) && !seg.Has(TcpFlags.Rst))
        {
            CountDrop(TcpCounter.PAWSEstab);
            if (MayAnswerInvalid(c, seg.Length, seg.Has(TcpFlags.Syn), TcpCounter.TCPACKSkippedPAWS))
            {
                SendDuplicateAck(c, ref seg);
            }

            return false;
        }

        if (!IsInWindow(c, seg.Seq, seg.EndSeq))
        {
            if (seg.Has(TcpFlags.Rst))
            {
                CountDrop(TcpCounter.InvalidResets);
                return false;
            }

            if (seg.Has(TcpFlags.Syn))
            {
                return ChallengeSyn(c);
            }

            ++Mib[TcpCounter.SequenceDrops];
            if (Seq.Gt(seg.Seq, c->RcvNxt + ReceiveWindow(c)))
            {
                CountDrop(TcpCounter.BeyondWindow);
            }
            else
            {
                _stack.NoteDrop(Mib.NameOf(TcpCounter.SequenceDrops));
            }

            if (MayAnswerInvalid(c, seg.Length, false, TcpCounter.TCPACKSkippedSeq))
            {
                SendDuplicateAck(c, ref seg);
            }

            return false;
        }

        if (seg.Has(TcpFlags.Rst))
        {
            HandleReset(c, ref seg);
            return false;
        }

        // RFC 5961 4.2: a SYN in a synchronised state is challenged, never obeyed. In SYN-RECEIVED after a simultaneous open the
        // peer's SYN-ACK repeats its SYN one below the window and is acceptable (RFC 9293 3.5, figure 7).
        if (seg.Has(TcpFlags.Syn))
        {
            if (c->State == TcpState.SynReceived && seg.Has(TcpFlags.Ack) && seg.Seq + 1 == c->RcvNxt)
            {
                // The SYN in it is old: that is told, as of all that comes again.
                SetDsack(c, seg.Seq, seg.Seq + 1);
                c->Flags |= TcbFlags.AckScheduled | TcbFlags.AckNow;
                seg.Seq++;
                seg.Flags &= ~TcpFlags.Syn;
                return true;
            }

            return ChallengeSyn(c);
        }

        return true;
    }

    private bool ChallengeSyn(Tcb* c)
    {
        CountDrop(TcpCounter.TCPSYNChallenge);
        SendChallengeAck(c);
        return false;
    }

    /// <summary>RFC 9293 3.4's four cases, in Linux's form: the segment ends at or after what we have, and starts within the window.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool IsInWindow(Tcb* c, uint seq, uint endSeq) =>
        Seq.Geq(endSeq, c->RcvWup) && Seq.Leq(seq, c->RcvNxt + ReceiveWindow(c));

    /// <summary>RFC 5961 3.2: only a reset at exactly RCV.NXT resets; elsewhere in the window it is challenged.</summary>
    private void HandleReset(Tcb* c, ref Arrival seg)
    {
        bool exact = seg.Seq == c->RcvNxt;
        if (!exact && c->SackCount > 0 && Has(c, TcbFlags.Sack))
        {
            // Linux: the peer may have reset at the end of the last data that we hold out of order.
            uint highest = c->Report->Blocks[0].Right;
            for (int i = 1; i < c->SackCount; i++)
            {
                highest = Seq.Max(highest, c->Report->Blocks[i].Right);
            }

            exact = seg.Seq == highest;
        }

        if (!exact)
        {
            CountDrop(TcpCounter.InvalidResets);
            JudgeFastOpenReset(c);
            SendChallengeAck(c);
            return;
        }

        Errno error = c->State switch
        {
            TcpState.SynReceived => Errno.ECONNREFUSED,
            TcpState.CloseWait => Errno.EPIPE,
            _ => Errno.ECONNRESET,
        };
        if (c->State is TcpState.Established or TcpState.CloseWait)
        {
            ++Mib[TcpCounter.EstabResets];
        }
        else if (c->State == TcpState.SynReceived)
        {
            ++Mib[TcpCounter.AttemptFails];
        }

        Finish(c, error, TcpCause.ResetReceived);
    }

    /// <summary>RFC 7323 5.3 R1, with the exception for a clock that has been idle for 24 days (5.5).</summary>
    private bool FailsPaws(Tcb* c, ref Arrival seg)
    {
        if (!Has(c, TcbFlags.TsRecentValid) || (int)(seg.Options.TsVal - c->TsRecent) >= 0)
        {
            return false;
        }

        return NowMillis - c->TsRecentMillis < 24u * 24 * 3600 * 1000;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void StoreTsRecent(Tcb* c, uint tsVal)
    {
        c->TsRecent = tsVal;
        c->TsRecentMillis = NowMillis;
        c->Flags |= TcbFlags.TsRecentValid;
    }

    /// <summary>RFC 7323 4.3: TS.Recent follows segments that begin at or before Last.ACK.sent, and only forward.</summary>
    private void UpdateTsRecent(Tcb* c, ref Arrival seg)
    {
        if (Has(c, TcbFlags.Timestamps) && seg.Options.HasTimestamp && Seq.Leq(seg.Seq, c->RcvWup) && !FailsPaws(c, ref seg))
        {
            StoreTsRecent(c, seg.Options.TsVal);
        }
    }

    /// <summary>RFC 5961 7 and Linux's tcp_invalid_ratelimit: bare invalid segments are answered at most every half second.</summary>
    private bool MayAnswerInvalid(Tcb* c, int payload, bool syn, TcpCounter skipped)
    {
        if (payload > 0 && !syn)
        {
            return true;
        }

        uint now = NowMillis;
        if (now - c->LastInvalidMillis < (uint)Settings.tcp_invalid_ratelimit)
        {
            ++Mib[skipped];
            return false;
        }

        c->LastInvalidMillis = now;
        return true;
    }

    /// <summary>
    /// RFC 5961 7: so many a second; how many is not the same each second, for that nobody can count them who sees some of them.
    /// </summary>
    private bool MayChallenge()
    {
        uint limit = (uint)Settings.tcp_challenge_ack_limit;
        if (limit == int.MaxValue)
        {
            return true;
        }

        uint second = NowMillis / 1000;
        if (second != _challengeSecond)
        {
            uint half = (limit + 1) >> 1;
            _challengeSecond = second;
            _challengesLeft = half + (limit == 0 ? 0 : _engine.Random.NextBelow(limit));
        }

        if (_challengesLeft == 0)
        {
            ++Mib[TcpCounter.TCPACKSkippedChallenge];
            return false;
        }

        _challengesLeft--;
        return true;
    }

    /// <summary>RFC 5961's challenge ACK.</summary>
    private void SendChallengeAck(Tcb* c)
    {
        if (MayAnswerInvalid(c, 0, false, TcpCounter.TCPACKSkippedChallenge) && MayChallenge())
        {
            ++Mib[TcpCounter.TCPChallengeACK];
            if (EnsureRoute(c) == Errno.None)
            {
                Emit(c, RentNoted(PacketNotes.ChallengeAck), c->SndNxt, TcpFlags.Ack, true);
            }
        }
    }
}

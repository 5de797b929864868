namespace Portico.Net;

/// <summary>A connection in TIME-WAIT: what is needed to answer the peer and to let a new connection follow safely, and no more.</summary>
internal struct TimeWaitRecord
{
    public IpAddress LocalAddress;
    public IpAddress RemoteAddress;
    public ushort LocalPort;
    public ushort RemotePort;
    public uint Index;

    /// <summary>The records before and after it in the order of their deadlines; 0 for none.</summary>
    public uint Previous;
    public uint Next;
    public long DeadlineNanos;
    public uint SndNxt;
    public uint RcvNxt;
    public uint RcvWnd;
    public uint TsRecent;
    public uint TsRecentMillis;
    public uint TsOffset;
    public uint LastAnsweredMillis;
    public PortBinding Port;
    public byte RcvWindShift;
    public bool Timestamps;

    /// <summary>The place of the keys that sign its ACKs; 0 for none.</summary>
    public uint Signatures;
}

// TIME-WAIT (RFC 9293 3.6 and 3.10.7.4, RFC 1337, RFC 6191). All records wait equally long, so they expire in the order of a list
// and one timer serves them all.
public sealed unsafe partial class TcpLayer
{
    private Slab<TimeWaitRecord> _timeWaits = null!;
    private TimerNode* _timeWaitTimer;
    private uint _timeWaitHead;
    private uint _timeWaitTail;

    /// <summary>Connections in TIME-WAIT.</summary>
    public int TimeWaitCount => _timeWaits.Count;

    private void InitializeTimeWait()
    {
        _timeWaits = _engine.Own(new Slab<TimeWaitRecord>(1 << 22));
        _timeWaitTimer = _engine.Own(new NativeRecord<TimerNode>()).Pointer;
        TimerWheel.Initialize(_timeWaitTimer, _timerHandler, TimeWaitTimer);
    }

    private long TimeWaitNanos => Settings.TimeWaitSeconds * 1_000_000_000L;

    /// <summary>The connection has ended from both sides and ours ended first: its record takes its place.</summary>
    private void EnterTimeWait(Tcb* c, TcpCause cause)
    {
        SaveMetrics(c);
        SetState(c, TcpState.TimeWait, cause);
        if (_timeWaits.Count >= Settings.tcp_max_tw_buckets)
        {
            // As in Linux the connection closes without the wait; the counter tells.
            ++Mib[TcpCounter.TCPTimeWaitOverflow];
            Finish(c, Errno.None, TcpCause.OutOfResources);
            return;
        }

        TimeWaitRecord* t = _timeWaits.Rent(out uint index);
        if (t == null)
        {
            ++Mib[TcpCounter.TCPTimeWaitOverflow];
            Finish(c, Errno.None, TcpCause.OutOfResources);
            return;
        }

        // The last ACK may still be owed; it goes out while the connection can send it.
        if (Has(c, TcbFlags.AckScheduled))
        {
            SendAck(c);
        }

        t->Index = index;
        t->LocalAddress = c->LocalAddress;
        t->RemoteAddress = c->RemoteAddress;
        t->LocalPort = c->LocalPort;
        t->RemotePort = c->RemotePort;
        t->SndNxt = c->SndNxt;
        t->RcvNxt = c->RcvNxt;
        t->RcvWnd = ReceiveWindow(c);
        t->RcvWindShift = c->RcvWindShift;
        t->Timestamps = Has(c, TcbFlags.Timestamps);
        t->TsRecent = c->TsRecent;
        t->TsRecentMillis = c->TsRecentMillis;
        t->TsOffset = c->TsOffset;
        t->LastAnsweredMillis = NowMillis - (1u << 30);
        t->Port = c->Port;
        c->Port = default;
        t->Signatures = Has(c, TcbExtras.Signed) && KeysOf(c) is { } keys ? KeepKeys(keys) : 0;
        ulong hash = FlowHash(c);
        Finish(c, Errno.None, TcpCause.None);
        _flows.Add(hash, index | KindTimeWait);
        AppendTimeWait(t);
        ++Mib[TcpCounter.TW];
    }

    private void AppendTimeWait(TimeWaitRecord* t)
    {
        t->DeadlineNanos = NowNanos + TimeWaitNanos;
        t->Previous = _timeWaitTail;
        t->Next = 0;
        if (_timeWaitTail == 0)
        {
            _timeWaitHead = t->Index;
        }
        else
        {
            _timeWaits.At(_timeWaitTail)->Next = t->Index;
        }

        _timeWaitTail = t->Index;
        if (!_timeWaitTimer->IsArmed)
        {
            _engine.Timers.Arm(_timeWaitTimer, new MonoTime(t->DeadlineNanos));
        }
    }

    private void UnlinkTimeWait(TimeWaitRecord* t)
    {
        if (t->Previous == 0)
        {
            _timeWaitHead = t->Next;
        }
        else
        {
            _timeWaits.At(t->Previous)->Next = t->Next;
        }

        if (t->Next == 0)
        {
            _timeWaitTail = t->Previous;
        }
        else
        {
            _timeWaits.At(t->Next)->Previous = t->Previous;
        }
    }

    private void RestartTimeWait(TimeWaitRecord* t)
    {
        UnlinkTimeWait(t);
        AppendTimeWait(t);
    }

    private void RemoveTimeWait(TimeWaitRecord* t, TcpCause cause)
    {
        ReportState(FlowOf(t), TcpState.TimeWait, TcpState.Closed, cause);

        UnlinkTimeWait(t);
        _flows.Remove(FlowHash(t->LocalAddress, t->RemoteAddress, t->LocalPort, t->RemotePort), t->Index | KindTimeWait);
        if (t->Port.IsBound)
        {
            _ports.Release(t->Port);
        }

        DropKeys(ref t->Signatures);
        _timeWaits.Return(t->Index);
    }

    private void ExpireTimeWaits()
    {
        long now = NowNanos;
        while (_timeWaitHead != 0)
        {
            TimeWaitRecord* t = _timeWaits.At(_timeWaitHead);
            if (t->DeadlineNanos > now)
            {
                _engine.Timers.Arm(_timeWaitTimer, new MonoTime(t->DeadlineNanos));
                return;
            }

            RemoveTimeWait(t, TcpCause.TimeWaitExpired);
        }
    }

    /// <summary>RFC 9293 3.10.7.4 for TIME-WAIT, in Linux's order (tcp_timewait_state_process).</summary>
    private void ArriveAtTimeWait(TimeWaitRecord* t, ref Arrival seg)
    {
        bool hasTs = t->Timestamps && seg.Options.HasTimestamp;
        bool old = hasTs && (int)(seg.Options.TsVal - t->TsRecent) < 0 && !seg.Has(TcpFlags.Rst);
        if (!old && seg.Seq == t->RcvNxt && (seg.Seq == seg.EndSeq || seg.Has(TcpFlags.Rst)))
        {
            if (seg.Has(TcpFlags.Rst))
            {
                // RFC 1337 fix F1: a reset does not end TIME-WAIT early.
                if (!Settings.tcp_rfc1337)
                {
                    ++Mib[TcpCounter.TWKilled];
                    RemoveTimeWait(t, TcpCause.ResetReceived);
                }
                else
                {
                    CountDrop(TcpCounter.InvalidResets);
                }

                return;
            }

            if (hasTs)
            {
                t->TsRecent = seg.Options.TsVal;
                t->TsRecentMillis = NowMillis;
            }

            RestartTimeWait(t);
            return;
        }

        // RFC 6191 and RFC 9293 3.6.1 (MAY-2): a new SYN beyond everything of the old connection may reopen it.
        if (IsPlainSyn(ref seg) && !old
            && (Seq.Gt(seg.Seq, t->RcvNxt) || (hasTs && (int)(seg.Options.TsVal - t->TsRecent) > 0)))
        {
            ulong hash = FlowHash(t->LocalAddress, t->RemoteAddress, t->LocalPort, t->RemotePort);
            Listener? listener = FindListener(t->LocalAddress, t->LocalPort, seg.Info.Interface.Index, hash);
            if (listener != null)
            {
                if (!IsWellSigned(listener.SignatureKeys, ref seg))
                {
                    return;
                }

                uint iss = t->SndNxt + 65535 + 2;
                ++Mib[TcpCounter.TWRecycled];
                RemoveTimeWait(t, TcpCause.TimeWaitReused);
                RequestConnection(listener, ref seg, hash, iss == 0 ? 1 : iss);
                return;
            }

            if (Forwarder != null && seg.Info.Interface.AcceptsAnyAddress)
            {
                ++Mib[TcpCounter.TWRecycled];
                RemoveTimeWait(t, TcpCause.TimeWaitReused);
                ArriveAtListener(ref seg);
                return;
            }
        }

        if (old)
        {
            CountDrop(TcpCounter.PAWSEstab);
        }

        if (seg.Has(TcpFlags.Rst))
        {
            CountDrop(TcpCounter.InvalidResets);
            return;
        }

        if (old || seg.Has(TcpFlags.Ack))
        {
            RestartTimeWait(t);
        }

        uint now = NowMillis;
        if (now - t->LastAnsweredMillis < (uint)Settings.tcp_invalid_ratelimit && seg.Length == 0 && !seg.Has(TcpFlags.Fin))
        {
            ++Mib[TcpCounter.TCPACKSkippedTimeWait];
            return;
        }

        t->LastAnsweredMillis = now;
        SendBare(t->LocalAddress, t->RemoteAddress, t->LocalPort, t->RemotePort, t->SndNxt, t->RcvNxt, TcpFlags.Ack,
            (ushort)Math.Min(t->RcvWnd >> t->RcvWindShift, 65535), t->Timestamps, now + t->TsOffset, t->TsRecent, KeyOf(t));
    }

    /// <summary>
    /// Whether a new connection of ours may take over a 4-tuple in TIME-WAIT (RFC 6191, net.ipv4.tcp_tw_reuse): with timestamps, some
    /// time after the last one, so that what is left of the old connection fails PAWS.
    /// </summary>
    private bool MayReuse(TimeWaitRecord* t)
    {
        bool allowed = Settings.tcp_tw_reuse == 1 || (Settings.tcp_tw_reuse == 2 && t->RemoteAddress.IsLoopback);
        return allowed && t->Timestamps && NowMillis - t->TsRecentMillis > Settings.tcp_tw_reuse_delay;
    }
}

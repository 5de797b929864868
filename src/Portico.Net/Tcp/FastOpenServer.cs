namespace Portico.Net;

// TCP Fast Open (RFC 7413) of the listener: cookies, and connections that are handed to the application, and may send, before the
// handshake is complete.
public sealed unsafe partial class TcpLayer
{
    /// <summary>A connection that was reset before its handshake was complete counts against the queue for so long.</summary>
    private const long FastOpenResetHoldNanos = 60_000_000_000;

    private FastOpenKeys _fastOpenKeys;

    /// <summary>The keys of all listeners without their own: four words of hexadecimal digits each (net.ipv4.tcp_fastopen_key).</summary>
    public string FastOpenKey => _fastOpenKeys.ToString();

    /// <summary>Sets those keys: one, or two with a comma between. Errors: EINVAL.</summary>
    public Errno SetFastOpenKey(string text)
    {
        bool isValid = FastOpenKeys.TryParse(text, out FastOpenKeys keys);
        _fastOpenKeys = isValid ? keys : _fastOpenKeys;
        return isValid ? Errno.None : Errno.EINVAL;
    }

    /// <summary>
    /// TCP_FASTOPEN, TCP_FASTOPEN_KEY and TCP_FASTOPEN_NO_COOKIE of a listener: how many connections may wait for the end of their handshake,
    /// 0 for no Fast Open; keys of its own (16 or 32 bytes; empty for the stack's); data without any cookie.
    /// </summary>
    public void ConfigureFastOpen(TcpListenerHandle handle, int queueMax, ReadOnlySpan<byte> keys, bool noCookie)
    {
        Listener? listener = Find(handle);
        if (listener != null)
        {
            listener.FastOpenMax = queueMax;
            listener.FastOpenKeys = keys.IsEmpty ? default : new FastOpenKeys(keys);
            listener.FastOpenNoCookie = noCookie;
        }
    }

    /// <summary>The length of a listener's Fast Open queue; listening sets it where tcp_fastopen has 0x400.</summary>
    public int FastOpenQueueMax(TcpListenerHandle handle) => Find(handle)?.FastOpenMax ?? 0;

    /// <summary>tcp_fastopen's 0x400: every listener has Fast Open, with its backlog for the queue's length.</summary>
    private void ConfigureFastOpenByDefault(Listener listener, int backlog)
    {
        const int Needed = TcpSettings.FastOpenServer | TcpSettings.FastOpenEveryListener;
        if ((Settings.tcp_fastopen & Needed) == Needed && listener.FastOpenMax == 0)
        {
            listener.FastOpenMax = (int)Math.Min((uint)backlog, (uint)Settings.somaxconn);
        }
    }

    private ref FastOpenKeys KeysOf(Listener listener)
    {
        if (listener.FastOpenKeys.Count != 0)
        {
            return ref listener.FastOpenKeys;
        }

        if (_fastOpenKeys.Count == 0)
        {
            _fastOpenKeys = FastOpenKeys.From(_engine.Random);
        }

        return ref _fastOpenKeys;
    }

    /// <summary>
    /// A SYN with data or a Fast Open option (Linux: tcp_try_fastopen): the new connection, already acknowledging the data, or null for the
    /// ordinary handshake. <paramref name="cookie"/> is the SYN's, and becomes the one for the SYN-ACK.
    /// </summary>
    private Tcb* TryFastOpen(Listener listener, SynRequest* request, ref Arrival seg, ref FastOpenCookie cookie)
    {
        if (cookie.Length == 0)
        {
            ++Mib[TcpCounter.TCPFastOpenCookieReqd];
        }

        if ((Settings.tcp_fastopen & TcpSettings.FastOpenServer) == 0 || (seg.Length == 0 && cookie.Length < 0) || !HasFastOpenRoom(listener))
        {
            cookie.Length = -1;
            return null;
        }

        FastOpenCookie answer = FastOpenCookie.Absent;
        bool needsNone = (Settings.tcp_fastopen & TcpSettings.FastOpenServerNoCookie) != 0 || listener.FastOpenNoCookie;
        int valid = 0;
        if (!needsNone && cookie.Length >= 0)
        {
            ref FastOpenKeys keys = ref KeysOf(listener);
            answer = keys.Make(request->RemoteAddress, request->LocalAddress);
            valid = cookie.Length == 0 ? 0 : keys.Check(cookie, request->RemoteAddress, request->LocalAddress);
        }

        if (needsNone || valid != 0)
        {
            Tcb* c = CreateFastOpenChild(listener, request, ref seg);
            if (c != null)
            {
                ++Mib[TcpCounter.TCPFastOpenPassive];
                if (valid == 2)
                {
                    ++Mib[TcpCounter.TCPFastOpenPassiveAltKey];
                    answer.IsExperimental = cookie.IsExperimental;
                    cookie = answer;
                }
                else
                {
                    cookie.Length = -1;
                }

                return c;
            }
        }

        if (needsNone || cookie.Length > 0)
        {
            ++Mib[TcpCounter.TCPFastOpenPassiveFail];
        }

        answer.IsExperimental = cookie.IsExperimental;
        cookie = answer;
        return null;
    }

    /// <summary>Room in the queue (fastopen_queue_check); what was reset makes room when its time is over.</summary>
    private bool HasFastOpenRoom(Listener listener)
    {
        if (listener.FastOpenMax == 0)
        {
            return false;
        }

        if (listener.FastOpenCount < listener.FastOpenMax)
        {
            return true;
        }

        if (listener.FastOpenResets.Count == 0 || listener.FastOpenResets.Peek() > NowNanos)
        {
            ++Mib[TcpCounter.TCPFastOpenListenOverflow];
            return false;
        }

        listener.FastOpenResets.Dequeue();
        listener.FastOpenCount--;
        return true;
    }

    /// <summary>The connection, with the SYN's data in its receive queue; it may send, and the application may have it.</summary>
    private Tcb* CreateFastOpenChild(Listener listener, SynRequest* request, ref Arrival seg)
    {
        Tcb* c = ConnectionFromRequest(request, listener.Request.SendBufferBytes, listener.Request.ReceiveBufferBytes, listener.Request.SegmentBytesMax);
        TcpSide* side = c == null ? null : NeedSide(c);
        if (side == null)
        {
            if (c != null)
            {
                _connections.Return(c->Index);
            }

            return null;
        }

        side->FastOpenRequest = request->Index;
        listener.FastOpenCount++;
        c->BoundInterface = (ushort)listener.Request.InterfaceIndex;
        SetFilter(c, listener.Filter);
        c->Extras |= TcbExtras.FastOpenChild | TcbExtras.FastOpenPending;
        c->SegsIn = 1;
        InheritTimeoutLimits(c, listener.Request);
        SetAutoFlowLabel(c, listener.Request.AutoFlowLabel);
        HandOverSavedSyn(request, c);

        // The window of a SYN is not scaled.
        InitializeBuffers(c);
        c->Rtt.BeginWithoutSample();
        CongestionInitialize(c);
        c->LastReceivedMillis = c->LastAckMillis = NowMillis;
        AddToTable(c);
        BindConnectionPort(c);
        ++Mib[TcpCounter.PassiveOpens];
        QueueAccepted(listener, c);
        TakeSynData(c, ref seg);
        request->RcvNxt = c->RcvNxt;
        c->RcvWup = c->RcvNxt;
        return c;
    }

    /// <summary>Data and FIN of a SYN or SYN-ACK that Fast Open lets in (Linux: tcp_fastopen_add_skb).</summary>
    private void TakeSynData(Tcb* c, ref Arrival seg)
    {
        if (seg.Length > 0)
        {
            uint end = TakePayload(c, ref seg, 0, seg.Length, seg.Seq + 1);
            c->BytesReceived += end - c->RcvNxt;
            c->RcvNxt = end;
            c->Extras |= TcbExtras.SynDataAcked;
        }
    }

    /// <summary>
    /// A segment before the handshake is complete (Linux: tcp_check_req with Fast Open). False when it has been dealt with: the SYN again, a
    /// segment out of the window, a reset.
    /// </summary>
    private bool CheckFastOpenSegment(Tcb* c, ref Arrival seg)
    {
        SynRequest* request = FastOpenRequestOf(c);
        bool timestamps = (request->Flags & TcbFlags.Timestamps) != 0 && seg.Options.HasTimestamp;
        bool old = timestamps && (int)(seg.Options.TsVal - request->TsRecent) < 0;
        if (seg.Seq == request->Irs && (seg.Flags & (TcpFlags.Syn | TcpFlags.Rst | TcpFlags.Ack)) == TcpFlags.Syn && !old)
        {
            if (MayAnswerRequest(request))
            {
                RetransmitSynAck(request);
                request->Retransmits--;
                c->TotalRetrans++;
            }

            return false;
        }

        bool inWindow = Seq.Geq(seg.EndSeq, request->RcvNxt) && Seq.Leq(seg.Seq, request->RcvNxt + request->RcvWnd);
        if (old || !inWindow)
        {
            CountDrop(old ? TcpCounter.PAWSEstab : TcpCounter.SequenceDrops);
            if (!seg.Has(TcpFlags.Rst) && MayAnswerRequest(request))
            {
                AcknowledgeRequest(request);
            }

            return false;
        }

        if (timestamps && Seq.Leq(seg.Seq, request->RcvNxt))
        {
            request->TsRecent = seg.Options.TsVal;
        }

        if (seg.Has(TcpFlags.Rst))
        {
            ++Mib[TcpCounter.EmbryonicRsts];
            ++Mib[TcpCounter.AttemptFails];
            ReleaseFastOpenRequest(c, isReset: true);
            Finish(c, Errno.ECONNRESET, TcpCause.ResetReceived);
            return false;
        }

        if (seg.Has(TcpFlags.Syn) && seg.Seq != request->Irs)
        {
            // Whoever sent it may be anybody: the connection stays.
            ++Mib[TcpCounter.AttemptFails];
            SendReset(ref seg);
            return false;
        }

        if (!seg.Has(TcpFlags.Ack))
        {
            CountDrop(TcpCounter.NoAckFlag);
            return false;
        }

        return true;
    }

    /// <summary>The handshake's last ACK (Linux: tcp_rcv_synrecv_state_fastopen): from here on the connection's own timers run.</summary>
    private void CompleteFastOpen(Tcb* c, ref Arrival seg)
    {
        SynRequest* request = FastOpenRequestOf(c);
        if (c->CaState == CaState.Loss && c->PacketsOut == 0)
        {
            // The SYN-ACK's timeout may have been for nothing.
            AckState ack = new() { TsEcr = seg.Options.TsEcr, HasTsEcr = seg.Options.HasTimestamp && seg.Options.TsEcr != 0 };
            TryUndoRecovery(c, ref ack);
        }

        if (request != null && c->Rtt.SrttMicros == 0 && request->Retransmits == 0)
        {
            int rtt = (int)Math.Clamp((NowNanos - request->SentTime) / 1000, 1, 60_000_000);
            c->Rtt.Sample(rtt, c->SndUna, c->SndNxt, RtoMinMicros(c));
            c->Rtt.UpdateMin(rtt, NowMillis);
        }

        ReleaseFastOpenRequest(c, isReset: false);
        c->Retransmits = 0;
        if (c->Flight != null)
        {
            c->Flight->RetransStamp = 0;
        }

        c->Delivered++;
        RearmRetransmitTimer(c);
    }

    private SynRequest* FastOpenRequestOf(Tcb* c)
    {
        uint index = SideOf(c).FastOpenRequest;
        return index == 0 ? null : _requests.At(index);
    }

    /// <summary>The request has served. A reset keeps its place in the queue for a minute, so that resets do not make room for a flood.</summary>
    private void ReleaseFastOpenRequest(Tcb* c, bool isReset)
    {
        SynRequest* request = FastOpenRequestOf(c);
        if (request == null)
        {
            return;
        }

        _sides.At(c->Side)->FastOpenRequest = 0;
        c->Extras &= ~TcbExtras.FastOpenPending;
        if (ListenerOf(request) is { } listener)
        {
            if (isReset)
            {
                listener.FastOpenResets.Enqueue(NowNanos + FastOpenResetHoldNanos);
            }
            else
            {
                listener.FastOpenCount--;
            }
        }

        FreeSavedSyn(ref request->SavedSyn);
        _requests.Return(request->Index);
    }

    /// <summary>
    /// The retransmission timer before the handshake's last ACK (Linux: tcp_fastopen_synack_timer): only the SYN-ACK goes out again, once
    /// more often than for others.
    /// </summary>
    private void OnFastOpenTimer(Tcb* c)
    {
        SynRequest* request = FastOpenRequestOf(c);
        int most = c->SynRetriesMax != 0 ? c->SynRetriesMax : Settings.tcp_synack_retries + 1;
        if (request->Retransmits >= most)
        {
            GiveUp(c);
            return;
        }

        ++Mib[TcpCounter.TCPTimeouts];
        Flight* flight = FlightOf(c);
        if (c->Retransmits == 1)
        {
            EnterLoss(c);
        }

        RetransmitSynAck(request);
        c->TotalRetrans++;
        c->Retransmits = (byte)Math.Min(c->Retransmits + 1, 255);
        flight->RetransStamp = flight->RetransStamp == 0 ? Math.Max(TsClock(c), 1) : flight->RetransStamp;
        c->Pending = PendingTimer.Retransmit;
        c->RetransmitDeadline = NowNanos + BackedOff(SynAckTimeoutNanos, request->Retransmits, RtoMaxNanos(c));
        ArmTimer(c);
    }
}

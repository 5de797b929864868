namespace Portico.Net;

// Passive open: RFC 9293 3.10.7.1 and 3.10.7.2, the SYN queue and the accept queue as in Linux, SYN cookies (RFC 4987).
public sealed unsafe partial class TcpLayer
{
    /// <summary>How long the first SYN-ACK waits for its ACK (RFC 6298 2.1).</summary>
    private const long SynAckTimeoutNanos = 1_000_000_000;

    private readonly List<Listener?> _listeners = [null];
    private readonly Dictionary<ushort, Listener> _listenersByPort = [];
    private Slab<SynRequest> _requests = null!;
    private SynCookies _cookies = null!;
    private PortTable _ports = null!;
    private uint _listenerGeneration;

    /// <summary>Half-open connections of all listeners.</summary>
    public int HalfOpenCount => _requests.Count;

    private void InitializeListening()
    {
        _requests = _engine.Own(new Slab<SynRequest>(Settings.HalfOpenMax));
        _cookies = new SynCookies(_engine.Random);
        _ports = new PortTable(_engine, _stack.LocalPorts, PortRules.Tcp);
    }

    private Listener? Find(TcpListenerHandle handle)
    {
        Listener? listener = handle.Index < (uint)_listeners.Count ? _listeners[(int)handle.Index] : null;
        return listener != null && listener.Generation == handle.Generation ? listener : null;
    }

    private Listener? FindListener(in IpAddress destination, ushort port, int interfaceIndex, ulong flowHash)
    {
        if (!_listenersByPort.TryGetValue(port, out Listener? candidate))
        {
            return null;
        }

        Listener? best = null;
        int bestScore = -1;
        uint matches = 0;
        for (; candidate != null; candidate = candidate.NextOnPort)
        {
            int score = candidate.Score(destination, interfaceIndex);
            if (score > bestScore)
            {
                best = candidate;
                bestScore = score;
                matches = 1;
            }
            else if (score == bestScore && score >= 0 && candidate.Request.ReusePort)
            {
                // SO_REUSEPORT: equally good listeners share by flow, each with the same probability.
                matches++;
                if ((uint)(((flowHash >> 32) * matches) >> 32) == 0)
                {
                    best = candidate;
                }
            }
        }

        return best;
    }

    /// <summary>A segment that belongs to no connection: a listener's, the forwarder's, or nobody's.</summary>
    private void ArriveAtListener(ref Arrival seg)
    {
        ulong hash = FlowHash(seg.Info.Destination, seg.Info.Source, seg.DestinationPort, seg.SourcePort);
        Listener? listener = FindListener(seg.Info.Destination, seg.DestinationPort, seg.Info.Interface.Index, hash);
        if (listener == null)
        {
            if (Forwarder != null && seg.Info.Interface.AcceptsAnyAddress && IsPlainSyn(ref seg) && TryForward(ref seg, hash))
            {
                return;
            }

            // RFC 9293 3.10.7.1: CLOSED.
            CountDrop(TcpCounter.NoSocket);
            if (MayReset(ref seg))
            {
                SendReset(ref seg);
            }

            return;
        }

        if (!IsWellSigned(listener.SignatureKeys, ref seg))
        {
            return;
        }

        if (!Passes(listener.Filter, ref seg))
        {
            return;
        }

        // RFC 9293 3.10.7.2, LISTEN: first RST, second ACK, third SYN; anything else is dropped.
        if (seg.Has(TcpFlags.Rst))
        {
            CountDrop(TcpCounter.InvalidResets);
            return;
        }

        if (seg.Has(TcpFlags.Ack))
        {
            if (!seg.Has(TcpFlags.Syn) && TryCookie(listener, ref seg))
            {
                return;
            }

            CountDrop(TcpCounter.InvalidAcks);
            SendReset(ref seg);
            return;
        }

        if (!IsPlainSyn(ref seg))
        {
            CountDrop(TcpCounter.SynInvalid);
            return;
        }

        RequestConnection(listener, ref seg, hash, 0);
    }

    /// <summary>A SYN to one of our own unicast addresses without FIN (SYN and FIN together are a probe: attack class A06).</summary>
    private static bool IsPlainSyn(ref Arrival seg) =>
        (seg.Flags & (TcpFlags.Syn | TcpFlags.Fin | TcpFlags.Rst | TcpFlags.Ack)) == TcpFlags.Syn && !seg.Info.IsMulticastOrBroadcast;

    /// <summary>A new SYN for a listener (Linux: tcp_conn_request). <paramref name="iss"/> is given when it follows a TIME-WAIT, else 0.</summary>
    private void RequestConnection(Listener listener, ref Arrival seg, ulong hash, uint iss)
    {
        bool cookie = false;
        if (Settings.tcp_syncookies == 2 || (iss == 0 && listener.IsRequestQueueFull))
        {
            if (Settings.tcp_syncookies == 0)
            {
                ++Mib[TcpCounter.TCPReqQFullDrop];
                CountDrop(TcpCounter.ListenDrops);
                return;
            }

            cookie = true;
            ++Mib[TcpCounter.TCPReqQFullDoCookies];
        }

        if (listener.IsAcceptQueueFull)
        {
            ++Mib[TcpCounter.ListenOverflows];
            CountDrop(TcpCounter.ListenDrops);
            return;
        }

        SynRequest local = default;
        SynRequest* request = &local;
        if (!cookie)
        {
            request = _requests.Rent(out uint index);
            if (request == null)
            {
                ++Mib[TcpCounter.NoMemory];
                CountDrop(TcpCounter.ListenDrops);
                return;
            }

            request->Index = index;
        }

        FillRequest(request, ref seg, listener.Request.ReceiveBufferBytes, listener.Request.SegmentBytesMax);
        request->Listener = listener.Index;
        request->ListenerGeneration = listener.Generation;
        if (cookie)
        {
            SendCookie(listener, request);
            return;
        }

        MakeRoomForSignature(request);

        request->Iss = iss != 0 ? iss
            : _isn.Next(request->LocalAddress, request->RemoteAddress, request->LocalPort, request->RemotePort, _engine.Now);
        TimerWheel.Initialize(&request->Timer, _timerHandler, RequestTimer);
        SaveSyn(listener, request, ref seg);
        ReportState(FlowOf(request), TcpState.Listen, TcpState.SynReceived, TcpCause.SynReceived);
        FastOpenCookie option = ReadCookie(ref seg);
        Tcb* child = TryFastOpen(listener, request, ref seg, ref option);
        if (child == null)
        {
            _flows.Add(hash, request->Index | KindRequest);
            listener.RequestCount++;
        }

        SendSynAck(request, request->Iss, NowMillis + request->TsOffset, option);
        if (child == null)
        {
            _engine.Timers.Arm(&request->Timer, new MonoTime(NowNanos + SynAckTimeoutNanos));
            return;
        }

        child->SegsOut = 1;
        child->Pending = PendingTimer.Retransmit;
        child->RetransmitDeadline = NowNanos + SynAckTimeoutNanos;
        ArmTimer(child);
        _engine.Notify(listener.Owner, SocketEvents.Readable);
    }

    /// <summary>The handshake is complete: the request becomes a connection in the listener's accept queue.</summary>
    private void CreateChild(Listener listener, SynRequest* request, ref Arrival seg, long rttMicros)
    {
        Tcb* c = ConnectionFromRequest(request, listener.Request.SendBufferBytes, listener.Request.ReceiveBufferBytes, listener.Request.SegmentBytesMax);
        if (c == null)
        {
            CountDrop(TcpCounter.ListenDrops);
            return;
        }

        c->BoundInterface = (ushort)listener.Request.InterfaceIndex;
        SetFilter(c, listener.Filter);
        c->SegsIn = 1;
        c->SegsOut = 1;
        c->Delivered = 1;
        InheritTimeoutLimits(c, listener.Request);
        SetAutoFlowLabel(c, listener.Request.AutoFlowLabel);
        HandOverSavedSyn(request, c);
        rttMicros = rttMicros > 0 ? rttMicros : RttByTimestamp(c, ref seg);
        if (rttMicros > 0)
        {
            c->Rtt.Sample((int)Math.Min(rttMicros, 60_000_000), c->SndUna, c->SndNxt, RtoMinMicros(c));
            c->Rtt.UpdateMin((int)Math.Min(rttMicros, 60_000_000), NowMillis);
        }

        if (seg.Info.TrafficClass != 0 && NeedSide(c) is var side && side != null)
        {
            side->ReceivedTrafficClass = seg.Info.TrafficClass;
        }

        TakeOverTimeouts(c, request, ref seg);
        if (request->Index != 0)
        {
            RemoveRequest(request);
        }

        AddToTable(c);
        BindConnectionPort(c);
        ++Mib[TcpCounter.PassiveOpens];
        QueueAccepted(listener, c);
        ArriveSynchronized(c, ref seg);
        _engine.Notify(listener.Owner, SocketEvents.Readable);
    }

    /// <summary>The round trip of a SYN-ACK that was repeated, or not remembered, by the timestamp that the ACK echoes; 0 without one.</summary>
    private long RttByTimestamp(Tcb* c, ref Arrival seg)
    {
        const int MillisMax = 600_000;
        if (!Has(c, TcbFlags.Timestamps) || !seg.Options.HasTimestamp || seg.Options.TsEcr == 0)
        {
            return 0;
        }

        int millis = (int)(TsClock(c) - seg.Options.TsEcr);
        return millis is >= 0 and < MillisMax ? Math.Max(millis, 1) * 1000L : 0;
    }

    /// <summary>What the connection knows of the SYN-ACKs that had to be repeated.</summary>
    private void TakeOverTimeouts(Tcb* c, SynRequest* request, ref Arrival seg)
    {
        c->TotalRetrans = request->Retransmits;
        if (request->RetransStamp != 0)
        {
            c->TotalRto = request->Retransmits;
            c->TotalRtoRecoveries = 1;
            c->TotalRtoMillis = NowMillis + request->TsOffset - request->RetransStamp + SynTimeoutMillis;
            SetExtra(c, TcbExtras.SynLost, !AnswersEarlier((request->Flags & TcbFlags.Timestamps) != 0, ref seg, request->RetransStamp));
        }
    }

    /// <summary>Into the listener's accept queue, at its end.</summary>
    private void QueueAccepted(Listener listener, Tcb* c)
    {
        c->Listener = listener.Index;
        c->Flags |= TcbFlags.InAcceptQueue;
        c->NextInQueue = 0;
        if (listener.AcceptTail == 0)
        {
            listener.AcceptHead = c->Index;
        }
        else
        {
            _connections.At(listener.AcceptTail)->NextInQueue = c->Index;
        }

        listener.AcceptTail = c->Index;
        listener.AcceptCount++;
    }

    /// <summary>A TCB in SYN-RECEIVED with what the request remembers; not yet in any table.</summary>
    private Tcb* ConnectionFromRequest(SynRequest* request, int sendBuffer, int receiveBuffer, int userMss = 0)
    {
        Tcb* c = CreateConnection();
        if (c == null)
        {
            return null;
        }

        c->LocalAddress = request->LocalAddress;
        c->RemoteAddress = request->RemoteAddress;
        c->LocalPort = request->LocalPort;
        c->RemotePort = request->RemotePort;
        c->State = TcpState.SynReceived;
        c->Iss = request->Iss;
        c->SndUna = request->Iss + 1;
        c->SndNxt = request->Iss + 1;
        c->WriteSeq = request->Iss + 1;
        c->PushedSeq = c->SndSml = c->SndUp = request->Iss + 1;
        c->Irs = request->Irs;
        c->RcvNxt = c->RcvWup = c->CopiedSeq = request->Irs + 1;
        c->RcvUp = request->Irs;
        c->SndWl1 = request->Irs;
        c->SndWnd = request->SndWnd;
        c->MaxWindow = request->SndWnd;
        c->RcvWnd = request->RcvWnd;
        c->Flags = request->Flags;
        c->SndWindShift = (request->Flags & TcbFlags.WindowScale) != 0 ? request->SndWindShift : (byte)0;
        c->RcvWindShift = (request->Flags & TcbFlags.WindowScale) != 0 ? request->RcvWindShift : (byte)0;
        c->TsOffset = request->TsOffset;
        SetExtra(c, TcbExtras.EcnOk, request->EcnOk);
        c->AdvMss = request->AdvMss;
        c->TrafficClass = TrafficClassFor(request);
        if ((request->Flags & TcbFlags.Timestamps) != 0)
        {
            StoreTsRecent(c, request->TsRecent);
        }

        c->WindowClamp = 65535u << c->RcvWindShift;
        c->RcvSsThresh = request->RcvWnd;
        ApplyBufferSizes(c, sendBuffer, receiveBuffer);
        c->UserMss = (ushort)userMss;
        SetMssClamp(c, request->PeerMss);
        EnsureRoute(c);
        UpdateMss(c);
        if (!TryInheritKeys(c, request))
        {
            FreeSide(c);
            _connections.Return(c->Index);
            return null;
        }

        InitializeReceiveMss(c);
        return c;
    }
}

namespace Portico.Net;

// Passive open: RFC 9293 3.10.7.1 and 3.10.7.2, the SYN queue and the accept queue as in Linux, SYN cookies (RFC 4987).
public sealed unsafe partial class TcpLayer
{
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
        _requests = new Slab<SynRequest>(Settings.HalfOpenMax);
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
            ++Mib[TcpCounter.NoSocket];
            SendReset(ref seg);
            return;
        }

        // RFC 9293 3.10.7.2, LISTEN: first RST, second ACK, third SYN; anything else is dropped.
        if (seg.Has(TcpFlags.Rst))
        {
            ++Mib[TcpCounter.InvalidResets];
            return;
        }

        if (seg.Has(TcpFlags.Ack))
        {
            if (!seg.Has(TcpFlags.Syn) && TryCookie(listener, ref seg))
            {
                return;
            }

            ++Mib[TcpCounter.InvalidAcks];
            SendReset(ref seg);
            return;
        }

        if (!IsPlainSyn(ref seg))
        {
            ++Mib[TcpCounter.SynInvalid];
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
                ++Mib[TcpCounter.ListenDrops];
                return;
            }

            cookie = true;
            ++Mib[TcpCounter.TCPReqQFullDoCookies];
        }

        if (listener.IsAcceptQueueFull)
        {
            ++Mib[TcpCounter.ListenOverflows];
            ++Mib[TcpCounter.ListenDrops];
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
                ++Mib[TcpCounter.ListenDrops];
                return;
            }

            request->Index = index;
        }

        FillRequest(request, ref seg, listener.Request.ReceiveBufferBytes);
        request->Listener = listener.Index;
        if (cookie)
        {
            SendCookie(listener, request);
            return;
        }

        request->Iss = iss != 0 ? iss
            : _isn.Next(request->LocalAddress, request->RemoteAddress, request->LocalPort, request->RemotePort, _engine.Now);
        TimerWheel.Initialize(&request->Timer, _timerHandler, RequestTimer);
        _flows.Add(hash, request->Index | KindRequest);
        listener.RequestCount++;
        SendSynAck(request);
        _engine.Timers.Arm(&request->Timer, new MonoTime(NowNanos + 1_000_000_000));
    }

    /// <summary>What a SYN says and what we would agree to.</summary>
    private void FillRequest(SynRequest* request, ref Arrival seg, int receiveBuffer)
    {
        request->LocalAddress = seg.Info.Destination;
        request->RemoteAddress = seg.Info.Source;
        request->LocalPort = seg.DestinationPort;
        request->RemotePort = seg.SourcePort;
        request->InterfaceIndex = (ushort)seg.Info.Interface.Index;
        request->Irs = seg.Seq;
        request->SndWnd = (ushort)seg.Window;
        request->PeerMss = seg.Options.Mss;
        request->AdvMss = AnnouncedMss(seg.Info.Interface, seg.Info.Destination, 0);
        request->TsOffset = _isn.TimestampOffset(request->LocalAddress, request->RemoteAddress, request->LocalPort, request->RemotePort);
        request->LastAnsweredMillis = NowMillis - (1u << 30);
        if (seg.Options.HasTimestamp && Settings.tcp_timestamps)
        {
            request->Flags |= TcbFlags.Timestamps;
            request->TsRecent = seg.Options.TsVal;
        }

        if (seg.Options.SackPermitted && Settings.tcp_sack)
        {
            request->Flags |= TcbFlags.Sack;
        }

        if (seg.Options.WindowScale >= 0 && Settings.tcp_window_scaling)
        {
            request->Flags |= TcbFlags.WindowScale;
            request->SndWindShift = (byte)Math.Min((int)seg.Options.WindowScale, 14);
        }

        ChooseRequestWindow(request, receiveBuffer);
    }

    private void ChooseRequestWindow(SynRequest* request, int receiveBuffer)
    {
        int space = WindowFromSpace(receiveBuffer != 0 ? receiveBuffer * 2 : Settings.tcp_rmem.Default);
        SelectInitialWindow(space, request->AdvMss, (request->Flags & TcbFlags.WindowScale) != 0, out uint window, out byte shift, out _);
        request->RcvWnd = (ushort)window;
        request->RcvWindShift = shift;
    }

    private void SendSynAck(SynRequest* request) =>
        SendSynAck(request, request->Iss, NowMillis + request->TsOffset);

    private void SendSynAck(SynRequest* request, uint iss, uint tsVal)
    {
        request->SentTime = NowNanos;
        if (_stack.Ip.FindRoute(request->LocalAddress, request->RemoteAddress, 0, out RouteCache route) != Errno.None)
        {
            return;
        }

        Packet packet = _engine.Packets.Rent();
        Span<byte> options = stackalloc byte[40];
        int optionBytes = TcpOptions.WriteSyn(options, request->AdvMss,
            (request->Flags & TcbFlags.WindowScale) != 0 ? request->RcvWindShift : -1, (request->Flags & TcbFlags.Sack) != 0,
            (request->Flags & TcbFlags.Timestamps) != 0, tsVal, request->TsRecent);
        int headerLength = TcpHeader.LengthMin + optionBytes;
        Span<byte> header = packet.Push(headerLength);
        packet.TransportOffset = packet.Start;
        options[..optionBytes].CopyTo(header[TcpHeader.LengthMin..]);
        TcpHeader.Write(header, request->LocalPort, request->RemotePort, iss, request->Irs + 1, headerLength,
            TcpFlags.Syn | TcpFlags.Ack, request->RcvWnd, 0);
        packet.Checksum = ChecksumState.Partial;
        ++Mib[TcpCounter.OutSegs];
        IpSend send = new()
        {
            Source = request->LocalAddress,
            Destination = request->RemoteAddress,
            Protocol = IpProtocol.Tcp,
            DontFragment = true,
        };
        _stack.Ip.Send(packet, route, send);
    }

    private void SendCookie(Listener listener, SynRequest* request)
    {
        listener.LastOverflowNanos = Math.Max(NowNanos, 1);
        ++Mib[TcpCounter.SyncookiesSent];
        uint now = NowMillis;
        uint tsVal = now + request->TsOffset;
        if ((request->Flags & TcbFlags.Timestamps) != 0)
        {
            sbyte scale = (request->Flags & TcbFlags.WindowScale) != 0 ? (sbyte)request->SndWindShift : (sbyte)-1;
            tsVal = SynCookies.EncodeTimestamp(now, scale, (request->Flags & TcbFlags.Sack) != 0, false) + request->TsOffset;
        }
        else
        {
            // Nowhere to remember the options in.
            request->Flags &= ~(TcbFlags.Sack | TcbFlags.WindowScale);
            request->RcvWindShift = 0;
        }

        ushort mss = request->PeerMss == 0 ? (ushort)(request->RemoteAddress.IsIpv4 ? 536 : 1220) : request->PeerMss;
        uint cookie = _cookies.Make(request->LocalAddress, request->RemoteAddress, request->LocalPort, request->RemotePort, request->Irs,
            mss, _engine.Now);
        SendSynAck(request, cookie, tsVal);
    }

    /// <summary>An ACK without a request may bring a cookie back; believed only when the queue overflowed lately. True when dealt with.</summary>
    private bool TryCookie(Listener listener, ref Arrival seg)
    {
        bool recent = listener.LastOverflowNanos != 0 && NowNanos - listener.LastOverflowNanos < 128_000_000_000;
        if (Settings.tcp_syncookies == 0 || !recent)
        {
            return false;
        }

        if (!_cookies.TryCheck(seg.Info.Destination, seg.Info.Source, seg.DestinationPort, seg.SourcePort, seg.Ack - 1, seg.Seq - 1,
            _engine.Now, out ushort mss))
        {
            ++Mib[TcpCounter.SyncookiesFailed];
            return false;
        }

        ++Mib[TcpCounter.SyncookiesRecv];
        SynRequest local = default;
        SynRequest* request = &local;
        FillRequest(request, ref seg, listener.Request.ReceiveBufferBytes);
        request->Irs = seg.Seq - 1;
        request->Iss = seg.Ack - 1;
        request->PeerMss = mss;
        request->Flags = TcbFlags.None;
        request->SndWindShift = 0;
        if (seg.Options.HasTimestamp && Settings.tcp_timestamps)
        {
            SynCookies.DecodeTimestamp(seg.Options.TsEcr - request->TsOffset, out sbyte scale, out bool sack, out _);
            request->Flags = TcbFlags.Timestamps | (sack && Settings.tcp_sack ? TcbFlags.Sack : 0);
            request->TsRecent = seg.Options.TsVal;
            if (scale >= 0 && Settings.tcp_window_scaling)
            {
                request->Flags |= TcbFlags.WindowScale;
                request->SndWindShift = (byte)scale;
            }
        }

        ChooseRequestWindow(request, listener.Request.ReceiveBufferBytes);
        if (listener.IsAcceptQueueFull)
        {
            ++Mib[TcpCounter.ListenOverflows];
            ++Mib[TcpCounter.ListenDrops];
            return true;
        }

        CreateChild(listener, request, ref seg, 0);
        return true;
    }

    /// <summary>A segment for a half-open connection (Linux: tcp_check_req; RFC 9293 3.10.7.4 for SYN-RECEIVED).</summary>
    private void ArriveAtRequest(SynRequest* request, ref Arrival seg)
    {
        if (request->Held)
        {
            // The forwarder has not decided: only the opener's own reset matters.
            if (seg.Has(TcpFlags.Rst) && !seg.Has(TcpFlags.Syn) && seg.Seq == request->Irs + 1)
            {
                RemoveRequest(request);
            }
            else
            {
                ++Mib[TcpCounter.TCPACKSkippedSynRecv];
            }

            return;
        }

        bool timestamps = (request->Flags & TcbFlags.Timestamps) != 0 && seg.Options.HasTimestamp;
        bool old = timestamps && (int)(seg.Options.TsVal - request->TsRecent) < 0;

        // The SYN again: the SYN-ACK was lost.
        if (seg.Seq == request->Irs && (seg.Flags & (TcpFlags.Syn | TcpFlags.Rst | TcpFlags.Ack)) == TcpFlags.Syn && !old)
        {
            if (MayAnswerRequest(request))
            {
                if (timestamps)
                {
                    request->TsRecent = seg.Options.TsVal;
                }

                SendSynAck(request);
            }

            return;
        }

        uint rcvNxt = request->Irs + 1;
        bool inWindow = Seq.Geq(seg.EndSeq, rcvNxt) && Seq.Leq(seg.Seq, rcvNxt + request->RcvWnd);
        if (old || !inWindow)
        {
            ++Mib[old ? TcpCounter.PAWSEstab : TcpCounter.SequenceDrops];
            if (!seg.Has(TcpFlags.Rst) && MayAnswerRequest(request))
            {
                AcknowledgeRequest(request);
            }

            return;
        }

        if (seg.Has(TcpFlags.Rst))
        {
            if (seg.Seq != rcvNxt)
            {
                ++Mib[TcpCounter.InvalidResets];
                return;
            }

            ++Mib[TcpCounter.EmbryonicRsts];
            ++Mib[TcpCounter.AttemptFails];
            RemoveRequest(request);
            return;
        }

        if (seg.Has(TcpFlags.Syn))
        {
            // RFC 5961 4.2.
            ++Mib[TcpCounter.TCPSYNChallenge];
            if (MayAnswerRequest(request))
            {
                AcknowledgeRequest(request);
            }

            return;
        }

        if (!seg.Has(TcpFlags.Ack))
        {
            ++Mib[TcpCounter.NoAckFlag];
            return;
        }

        if (seg.Ack != request->Iss + 1)
        {
            ++Mib[TcpCounter.InvalidAcks];
            SendReset(ref seg);
            return;
        }

        Listener? listener = _listeners[(int)request->Listener];
        if (listener == null)
        {
            RemoveRequest(request);
            return;
        }

        if (listener.IsAcceptQueueFull)
        {
            // The peer believes that it is connected; its data or our repeated SYN-ACK brings it here again (attack class C03).
            ++Mib[TcpCounter.ListenOverflows];
            ++Mib[TcpCounter.ListenDrops];
            if (Settings.tcp_abort_on_overflow)
            {
                SendReset(ref seg);
                ++Mib[TcpCounter.EmbryonicRsts];
                RemoveRequest(request);
            }

            return;
        }

        long rtt = request->Retransmits == 0 ? Math.Max((NowNanos - request->SentTime) / 1000, 1) : 0;
        CreateChild(listener, request, ref seg, rtt);
    }

    private bool MayAnswerRequest(SynRequest* request)
    {
        uint now = NowMillis;
        if (now - request->LastAnsweredMillis < (uint)Settings.tcp_invalid_ratelimit)
        {
            ++Mib[TcpCounter.TCPACKSkippedSynRecv];
            return false;
        }

        request->LastAnsweredMillis = now;
        return true;
    }

    private void AcknowledgeRequest(SynRequest* request) =>
        SendBare(request->LocalAddress, request->RemoteAddress, request->LocalPort, request->RemotePort, request->Iss + 1,
            request->Irs + 1, TcpFlags.Ack, (ushort)(request->RcvWnd >> request->RcvWindShift), (request->Flags & TcbFlags.Timestamps) != 0,
            NowMillis + request->TsOffset, request->TsRecent);

    /// <summary>The handshake is complete: the request becomes a connection in the listener's accept queue.</summary>
    private void CreateChild(Listener listener, SynRequest* request, ref Arrival seg, long rttMicros)
    {
        Tcb* c = ConnectionFromRequest(request, listener.Request.SendBufferBytes, listener.Request.ReceiveBufferBytes);
        if (c == null)
        {
            ++Mib[TcpCounter.ListenDrops];
            return;
        }

        c->BoundInterface = (ushort)listener.Request.InterfaceIndex;
        c->SegsIn = 1;
        c->SegsOut = 1;
        if (rttMicros > 0)
        {
            c->Rtt.Sample((int)Math.Min(rttMicros, 60_000_000), c->SndUna, c->SndNxt);
            c->Rtt.UpdateMin((int)Math.Min(rttMicros, 60_000_000), NowMillis);
        }

        if (request->Index != 0)
        {
            RemoveRequest(request);
        }

        AddToTable(c);
        BindConnectionPort(c);
        ++Mib[TcpCounter.PassiveOpens];
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
        ArriveSynchronized(c, ref seg);
        _engine.Notify(listener.Owner, SocketEvents.Readable);
    }

    /// <summary>A TCB in SYN-RECEIVED with what the request remembers; not yet in any table.</summary>
    private Tcb* ConnectionFromRequest(SynRequest* request, int sendBuffer, int receiveBuffer)
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
        c->AdvMss = request->AdvMss;
        if ((request->Flags & TcbFlags.Timestamps) != 0)
        {
            StoreTsRecent(c, request->TsRecent);
        }

        c->WindowClamp = 65535u << c->RcvWindShift;
        c->RcvSsThresh = request->RcvWnd;
        ApplyBufferSizes(c, sendBuffer, receiveBuffer);
        SetMssClamp(c, request->PeerMss);
        EnsureRoute(c);
        UpdateMss(c);
        InitializeReceiveMss(c);
        return c;
    }

    private void RemoveRequest(SynRequest* request)
    {
        _engine.Timers.Cancel(&request->Timer);
        _flows.Remove(FlowHash(request->LocalAddress, request->RemoteAddress, request->LocalPort, request->RemotePort),
            request->Index | KindRequest);
        Listener? listener = request->Listener != 0 ? _listeners[(int)request->Listener] : null;
        if (listener != null)
        {
            listener.RequestCount--;
        }

        uint index = request->Index;
        _requests.Return(index);
    }

    private void OnRequestTimer(SynRequest* request)
    {
        if (request->Held || request->Retransmits >= Settings.tcp_synack_retries || _listeners[(int)request->Listener] == null)
        {
            ++Mib[TcpCounter.AttemptFails];
            RemoveRequest(request);
            return;
        }

        request->Retransmits++;
        ++Mib[TcpCounter.RetransSegs];
        ++Mib[TcpCounter.TCPSynRetrans];
        ++Mib[TcpCounter.TCPTimeouts];
        SendSynAck(request);
        _engine.Timers.Arm(&request->Timer, new MonoTime(NowNanos + BackedOff(1_000_000_000, request->Retransmits)));
    }
}

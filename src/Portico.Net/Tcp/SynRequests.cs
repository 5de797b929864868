namespace Portico.Net;

// Half-open connections: RFC 9293 3.10.7.4 for SYN-RECEIVED, in Linux's order (tcp_check_req), and the repetition of SYN-ACKs.
public sealed unsafe partial class TcpLayer
{
    /// <summary>What a SYN says and what we would agree to.</summary>
    private void FillRequest(SynRequest* request, ref Arrival seg, int receiveBuffer, int userMss = 0)
    {
        request->LocalAddress = seg.Info.Destination;
        request->RemoteAddress = seg.Info.Source;
        request->LocalPort = seg.DestinationPort;
        request->RemotePort = seg.SourcePort;
        request->InterfaceIndex = (ushort)seg.Info.Interface.Index;
        request->Irs = seg.Seq;
        request->RcvNxt = seg.Seq + 1;
        request->SndWnd = (ushort)seg.Window;
        request->PeerMss = seg.Options.Mss;
        request->AdvMss = AnnouncedMss(seg.Info.Interface, seg.Info.Source, (ushort)userMss);
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

        request->EcnOk = MayAgreeOnEcn(ref seg);
        request->TrafficClass = seg.Info.TrafficClass;
        ChooseRequestWindow(request, receiveBuffer);
    }

    private void ChooseRequestWindow(SynRequest* request, int receiveBuffer)
    {
        int space = WindowFromSpace(receiveBuffer != 0 ? receiveBuffer * 2 : Settings.tcp_rmem.Default);
        SelectInitialWindow(request->RemoteAddress, space, request->AdvMss, (request->Flags & TcbFlags.WindowScale) != 0, out uint window, out byte shift, out _);
        request->RcvWnd = (ushort)window;
        request->RcvWindShift = shift;
    }

    private void SendSynAck(SynRequest* request) =>
        SendSynAck(request, request->Iss, NowMillis + request->TsOffset, FastOpenCookie.Absent);

    private void SendSynAck(SynRequest* request, uint iss, uint tsVal, in FastOpenCookie cookie, PacketNotes notes = PacketNotes.None)
    {
        request->SentTime = NowNanos;
        ReadOnlySpan<byte> key = KeyOf(request);
        Span<byte> options = stackalloc byte[40];
        options = key.IsEmpty ? options : options[SignatureBytes..];
        int optionBytes = TcpOptions.WriteSyn(options, request->AdvMss,
            (request->Flags & TcbFlags.WindowScale) != 0 ? request->RcvWindShift : -1, (request->Flags & TcbFlags.Sack) != 0,
            (request->Flags & TcbFlags.Timestamps) != 0, tsVal, request->TsRecent);
        optionBytes += WriteCookie(options[optionBytes..], cookie);
        SendBare(request->LocalAddress, request->RemoteAddress, request->LocalPort, request->RemotePort, iss, request->RcvNxt,
            TcpFlags.Syn | TcpFlags.Ack | (request->EcnOk ? TcpFlags.Ece : TcpFlags.None), request->RcvWnd, options[..optionBytes], notes, key,
            FlowLabelChoice(request), request->Retransmits, TrafficClassFor(request));
    }

    /// <summary>The traffic class of the SYN-ACK and of the connection: the listener's, or the SYN's where that is reflected; never with a mark of ECN.</summary>
    private byte TrafficClassFor(SynRequest* request)
    {
        int chosen = request->TrafficClass;
        if (!Settings.tcp_reflect_tos)
        {
            Listener? listener = ListenerOf(request);
            chosen = listener == null ? 0 : request->RemoteAddress.IsIpv4 ? listener.Request.TypeOfService : listener.Request.TrafficClass;
        }

        return (byte)(chosen & ~EcnMask);
    }

    /// <summary>A segment for a half-open connection (Linux: tcp_check_req; RFC 9293 3.10.7.4 for SYN-RECEIVED).</summary>
    private void ArriveAtRequest(SynRequest* request, ref Arrival seg)
    {
        if (!IsWellSigned(KeysOf(request), ref seg))
        {
            return;
        }

        if (request->Held)
        {
            // The forwarder has not decided: only the opener's own reset matters.
            if (seg.Has(TcpFlags.Rst) && !seg.Has(TcpFlags.Syn) && seg.Seq == request->Irs + 1)
            {
                ReportRequestEnd(request, TcpCause.ResetReceived);
                RemoveRequest(request);
            }
            else
            {
                ++Mib[TcpCounter.TCPACKSkippedSynRecv];
            }

            return;
        }

        if (!Passes(ListenerOf(request)?.Filter, ref seg))
        {
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
            CountDrop(old ? TcpCounter.PAWSEstab : TcpCounter.SequenceDrops);
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
                // RFC 5961 3.2: within the window, but not at RCV.NXT.
                CountDrop(TcpCounter.InvalidResets);
                if (MayAnswerRequest(request))
                {
                    ++Mib[TcpCounter.TCPChallengeACK];
                    AcknowledgeRequest(request);
                }

                return;
            }

            ++Mib[TcpCounter.EmbryonicRsts];
            ++Mib[TcpCounter.AttemptFails];
            ReportRequestEnd(request, TcpCause.ResetReceived);
            RemoveRequest(request);
            return;
        }

        if (seg.Has(TcpFlags.Syn))
        {
            // RFC 5961 4.2.
            CountDrop(TcpCounter.TCPSYNChallenge);
            if (MayAnswerRequest(request))
            {
                AcknowledgeRequest(request);
            }

            return;
        }

        if (!seg.Has(TcpFlags.Ack))
        {
            CountDrop(TcpCounter.NoAckFlag);
            return;
        }

        if (seg.Ack != request->Iss + 1)
        {
            CountDrop(TcpCounter.InvalidAcks);
            SendReset(ref seg);
            return;
        }

        Listener? listener = ListenerOf(request);
        if (listener == null)
        {
            ReportRequestEnd(request, TcpCause.Close);
            RemoveRequest(request);
            return;
        }

        if (request->Timeouts < listener.Request.DeferAcceptTimeouts && seg.EndSeq == rcvNxt)
        {
            // Nothing to read yet, so nothing to accept (TCP_DEFER_ACCEPT).
            request->IsAcknowledged = true;
            CountDrop(TcpCounter.TCPDeferAcceptDrop);
            return;
        }

        if (listener.IsAcceptQueueFull)
        {
            // The peer believes that it is connected; its data or our repeated SYN-ACK brings it here again (attack class C03).
            ++Mib[TcpCounter.ListenOverflows];
            CountDrop(TcpCounter.ListenDrops);
            if (Settings.tcp_abort_on_overflow)
            {
                SendReset(ref seg);
                ++Mib[TcpCounter.EmbryonicRsts];
                ReportRequestEnd(request, TcpCause.OutOfResources);
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
            request->RcvNxt, TcpFlags.Ack, (ushort)(request->RcvWnd >> request->RcvWindShift), (request->Flags & TcbFlags.Timestamps) != 0,
            NowMillis + request->TsOffset, request->TsRecent, KeyOf(request), FlowLabelChoice(request));

    private int FlowLabelChoice(SynRequest* request) => ListenerOf(request)?.Request.AutoFlowLabel ?? LeftToStack;

    private void RemoveRequest(SynRequest* request)
    {
        _engine.Timers.Cancel(&request->Timer);
        _flows.Remove(FlowHash(request->LocalAddress, request->RemoteAddress, request->LocalPort, request->RemotePort),
            request->Index | KindRequest);
        Listener? listener = ListenerOf(request);
        if (listener != null)
        {
            listener.RequestCount--;
        }

        uint index = request->Index;
        FreeSavedSyn(ref request->SavedSyn);
        _requests.Return(index);
    }

    /// <summary>The listener that the SYN was for; null for a request that the forwarder holds, and where it has closed.</summary>
    private Listener? ListenerOf(SynRequest* request)
    {
        Listener? listener = request->Listener == 0 ? null : _listeners[(int)request->Listener];
        return listener != null && listener.Generation == request->ListenerGeneration ? listener : null;
    }

    /// <summary>The SYN-ACK's timeout (Linux: reqsk_timer_handler).</summary>
    private void OnRequestTimer(SynRequest* request)
    {
        Listener? listener = ListenerOf(request);
        if (listener == null || IsRequestOver(request, listener.Request))
        {
            ++Mib[TcpCounter.AttemptFails];
            ReportRequestEnd(request, TcpCause.Timeout);
            RemoveRequest(request);
            return;
        }

        ++Mib[TcpCounter.TCPTimeouts];
        if (!request->IsAcknowledged || request->Timeouts >= listener.Request.DeferAcceptTimeouts - 1)
        {
            // An opener whose ACK was not taken may have lost patience with TCP_DEFER_ACCEPT: it is asked for another one at the end.
            if (request->RetransStamp == 0)
            {
                request->RetransStamp = Math.Max(NowMillis + request->TsOffset, 1);
            }

            RetransmitSynAck(request);
        }

        request->Timeouts++;
        long most = (listener.Request.RtoMaxMillis != 0 ? listener.Request.RtoMaxMillis : Settings.tcp_rto_max_ms) * 1_000_000L;
        _engine.Timers.Arm(&request->Timer, new MonoTime(NowNanos + BackedOff(SynAckTimeoutNanos, request->Timeouts, most)));
    }

    /// <summary>Whether the SYN-ACK was repeated often enough; with TCP_DEFER_ACCEPT an opener that has answered has that time, too.</summary>
    private bool IsRequestOver(SynRequest* request, in TcpListenRequest listen)
    {
        int most = listen.SynRetriesMax != 0 ? listen.SynRetriesMax : Settings.tcp_synack_retries;
        return request->Timeouts >= most && (!request->IsAcknowledged || request->Timeouts >= listen.DeferAcceptTimeouts);
    }

    private void RetransmitSynAck(SynRequest* request)
    {
        request->Retransmits++;
        ++Mib[TcpCounter.RetransSegs];
        ++Mib[TcpCounter.TCPSynRetrans];
        SendSynAck(request, request->Iss, NowMillis + request->TsOffset, FastOpenCookie.Absent, PacketNotes.RetransmissionTimeout);
        Observer?.OnRetransmission(new TcpRetransmission(
            FlowOf(request), PacketNotes.RetransmissionTimeout, 0, 0, TcpFlags.Syn | TcpFlags.Ack, request->Retransmits));
    }
}

namespace Portico.Net;

// Handshakes without memory: SYN cookies (RFC 4987 3.6).
public sealed unsafe partial class TcpLayer
{
    private void SendCookie(Listener listener, SynRequest* request)
    {
        listener.LastOverflowNanos = Math.Max(NowNanos, 1);
        ++Mib[TcpCounter.SyncookiesSent];
        uint now = NowMillis;
        uint tsVal = now + request->TsOffset;
        if ((request->Flags & TcbFlags.Timestamps) != 0)
        {
            sbyte scale = (request->Flags & TcbFlags.WindowScale) != 0 ? (sbyte)request->SndWindShift : (sbyte)-1;
            tsVal = SynCookies.EncodeTimestamp(now, scale, (request->Flags & TcbFlags.Sack) != 0, request->EcnOk) + request->TsOffset;
        }
        else
        {
            // Nowhere to remember the options in.
            request->Flags &= ~(TcbFlags.Sack | TcbFlags.WindowScale);
            request->RcvWindShift = 0;
            request->EcnOk = false;
        }

        ushort mss = request->PeerMss == 0 ? (ushort)(request->RemoteAddress.IsIpv4 ? 536 : 1220) : request->PeerMss;
        uint cookie = _cookies.Make(request->LocalAddress, request->RemoteAddress, request->LocalPort, request->RemotePort, request->Irs,
            mss, _engine.Now);
        SendSynAck(request, cookie, tsVal, FastOpenCookie.Absent);
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
        FillRequest(request, ref seg, listener.Request.ReceiveBufferBytes, listener.Request.SegmentBytesMax);
        request->Irs = seg.Seq - 1;
        request->Iss = seg.Ack - 1;
        request->PeerMss = mss;
        request->Flags = TcbFlags.None;
        request->SndWindShift = 0;
        request->EcnOk = false;
        request->Listener = listener.Index;
        request->ListenerGeneration = listener.Generation;
        if (seg.Options.HasTimestamp && Settings.tcp_timestamps)
        {
            SynCookies.DecodeTimestamp(seg.Options.TsEcr - request->TsOffset, out sbyte scale, out bool sack, out bool ecn);
            request->EcnOk = ecn && Settings.tcp_ecn != 0;
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
            CountDrop(TcpCounter.ListenDrops);
            return true;
        }

        CreateChild(listener, request, ref seg, 0);
        return true;
    }
}

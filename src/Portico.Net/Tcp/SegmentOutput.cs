using System.Runtime.CompilerServices;

namespace Portico.Net;

// Making segments: header, options, payload by reference, and handing them to IP. Also what follows from having sent one.
public sealed unsafe partial class TcpLayer
{
    /// <summary>The least MSS that is announced, however narrow the path (net.ipv4.route.min_adv_mss).</summary>
    private const int AdvMssMin = 256;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private uint TsClock(Tcb* c) => NowMillis + c->TsOffset;

    /// <summary>The route, looked up again when it may be wrong; with a new route the segment size follows the path MTU.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private Errno EnsureRoute(Tcb* c) => c->Route.Generation == _stack.Ip.RouteGeneration ? Errno.None : FindRouteAgain(c);

    private Errno FindRouteAgain(Tcb* c)
    {
        Errno error = _stack.Ip.FindRoute(c->LocalAddress, c->RemoteAddress, c->BoundInterface, out RouteCache route, Has(c, TcbExtras.DontRoute));
        if (error != Errno.None)
        {
            c->SoftError = (short)error;
            return error;
        }

        bool isOtherMtu = c->Route.PathMtu != route.PathMtu;
        c->Route = route;
        if (isOtherMtu)
        {
            UpdateMss(c);
        }

        return Errno.None;
    }

    /// <summary>Bytes of the options that every segment of the connection has.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int OptionBytes(Tcb* c) =>
        (Has(c, TcbFlags.Timestamps) ? TcpOptions.TimestampBytes : 0) + (Has(c, TcbExtras.Signed) ? SignatureBytes : 0);

    private static int IpHeaderBytes(Tcb* c) => c->LocalAddress.IsIpv4 ? 20 : 40;

    /// <summary>
    /// Mss = path MTU less headers, at most what the peer announced, less the timestamp option that every segment carries
    /// (RFC 6691, RFC 9293 3.7.1), at most half of the largest window that the peer ever offered (RFC 9293 3.8.6.2.1).
    /// </summary>
    private void UpdateMss(Tcb* c)
    {
        int mss = MssOfPath(c);

        mss -= OptionBytes(c);
        if (c->MaxWindow != 0)
        {
            uint half = c->MaxWindow > 536 ? c->MaxWindow >> 1 : c->MaxWindow;
            mss = (int)Math.Min((uint)mss, Math.Max(half, 68u - 40));
        }

        mss = Math.Max(mss, Settings.tcp_min_snd_mss - 12);
        if (Has(c, TcbExtras.ProbesMtu))
        {
            mss = BoundByProbing(c, mss);
        }

        if (c->Mss != mss)
        {
            c->Mss = (ushort)mss;
        }
    }

    /// <summary>What the path and the peer take, without regard to options (Linux: __tcp_mtu_to_mss).</summary>
    private static int MssOfPath(Tcb* c)
    {
        int mtu = Math.Min(c->Route.PathMtu == 0 ? 1500 : c->Route.PathMtu, c->LocalAddress.IsIpv4 ? 65535 : 65575);
        int mss = mtu - IpHeaderBytes(c) - TcpHeader.LengthMin;
        return c->MssClamp != 0 ? Math.Min(mss, c->MssClamp) : mss;
    }

    /// <summary>RFC 9293 MUST-15 and MUST-16: without an MSS option the peer takes 536 bytes (IPv4) or 1220 (IPv6).</summary>
    private static ushort DefaultPeerMss(in IpAddress remote) => remote.IsIpv4 ? (ushort)536 : (ushort)1220;

    private void SetMssClamp(Tcb* c, ushort announced)
    {
        int peer = announced == 0 ? DefaultPeerMss(c->RemoteAddress) : announced;
        peer = Math.Max(peer, Settings.tcp_min_snd_mss);
        c->MssClamp = (ushort)(c->UserMss != 0 ? Math.Min(peer, c->UserMss) : peer);
    }

    /// <summary>The MSS to announce: what the outgoing interface can receive (RFC 6691), or what the route says.</summary>
    private ushort AnnouncedMss(NetworkInterface? outgoing, in IpAddress remote, ushort userMss)
    {
        Route? route = _stack.Ip.Routes.LookupForTcp(remote, 0);
        int mtu = Math.Min(outgoing?.Mtu ?? 1500, remote.IsIpv4 ? 65535 : 65575);
        mtu = route is { Mtu: > 0 } ? Math.Min(mtu, route.Mtu) : mtu;
        int mss = Math.Min(Math.Max(mtu - (remote.IsIpv4 ? 40 : 60), AdvMssMin), 65535);
        mss = route is { AdvMss: > 0 } ? Math.Min(route.AdvMss, 65535) : mss;
        return (ushort)(userMss != 0 ? Math.Min(userMss, mss) : mss);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int SackOptionBytes(Tcb* c) =>
        c->SackCount == 0 && !Has(c, TcbFlags.DsackPending) ? 0 : SackOptionBytes(c, c->SackCount + (Has(c, TcbFlags.DsackPending) ? 1 : 0));

    private static int SackOptionBytes(Tcb* c, int count)
    {
        int most = SackBlocksMax(c);
        return most == 0 ? 0 : 4 + (8 * Math.Min(count, most));
    }

    /// <summary>
    /// Sends a queued segment (again), as one packet up to <paramref name="mss"/> bytes of payload, or else as a super-segment. False when
    /// there is no route or no memory.
    /// </summary>
    private bool Transmit(Tcb* c, SendSegment* segment, uint mss, PacketNotes notes = PacketNotes.None)
    {
        if ((segment->Flags & TcpFlags.Syn) != 0)
        {
            return TransmitSyn(c, segment, notes);
        }

        uint payload = PayloadLength(segment);
        if (EnsureRoute(c) != Errno.None)
        {
            return false;
        }

        if (IsLinkFull(c))
        {
            // The queue of the host is a router's as any other (Linux: tcp_transmit_skb).
            EnterCwr(c);
            return false;
        }

        Packet packet = _engine.Packets.Rent();
        if (!AddPayload(packet, segment))
        {
            // A retransmission may find its bytes spread over more blocks than one packet holds only if blocks were split.
            packet.Release();
            return false;
        }

        if (payload > Math.Min(mss, c->Mss))
        {
            // The path may have become narrower since the segment was cut.
            mss = Math.Min(mss, (uint)(MssOfPath(c) - OptionBytes(c)));
            packet.GsoSize = payload > mss ? (int)mss : 0;
        }

        packet.Notes = notes;
        packet.Congestion = new CongestionNote(c->Cwnd, c->SsThresh, c->Mss);

        // SACK blocks are left out of a segment that has no room for them: an ACK with them goes out anyway.
        bool sackFits = payload + (uint)SackOptionBytes(c) <= c->Mss;
        TcpFlags flags = (segment->Flags & (TcpFlags.Psh | TcpFlags.Fin)) | TcpFlags.Ack;
        if (segment->PacketCount > 1)
        {
            // The last of many segments ends a burst: the receiver may hand it on. Sent again by itself it does not.
            flags |= TcpFlags.Psh;
        }

        if (payload > 0)
        {
            OnDataSent(c, segment->PacketCount);
        }

        if (Has(c, TcbExtras.Timestamped))
        {
            StampPacket(c, packet, segment);
        }

        Emit(c, packet, segment->Node.Start, flags, sackFits, segment->PacketCount);
        StampSent(c, segment);
        return true;
    }

    private void StampSent(Tcb* c, SendSegment* segment)
    {
        segment->SentTime = c->Flight->LastSendTime = Math.Max(NowNanos, 1);
        StampForRate(c, segment);
        ListAsLatest(c->Flight, segment);
        if (Has(c, TcbFlags.Paced))
        {
            PaceNext(c, PayloadLength(segment));
        }
    }

    /// <summary>Whether the interface drops what is sent now.</summary>
    private bool IsLinkFull(Tcb* c) => _stack.Ip.InterfaceAt(c->Route.InterfaceIndex) is { Link.IsFull: true };

    /// <summary>Data goes out, for the first time or again (Linux: tcp_event_data_sent).</summary>
    private void OnDataSent(Tcb* c, uint segments)
    {
        uint now = NowMillis;
        if (PacketsInFlight(c) == 0 && ((c->Congestion.EpochStart != 0 && now != c->LastSentMillis) || IsBbr(c)))
        {
            SendCongestionEvent(c, CongestionEvent.TransmitStart);
        }

        c->DataSegsOut += segments;
        c->LastSentMillis = now;

        // An answer within the delayed-ACK time makes a dialogue: ACKs ride on answers from here on.
        if (now - c->LastReceivedMillis < c->AtoMillis)
        {
            c->PingPong = (byte)Math.Min(c->PingPong + 1, 255);
        }
    }

    private static bool AddPayload(Packet packet, SendSegment* segment)
    {
        uint left = PayloadLength(segment);
        uint seq = segment->Node.Start;
        for (Block* block = segment->Block; left > 0; block = block->Next)
        {
            int offset = block->Start + (int)(seq - block->Sequence);
            int count = (int)Math.Min(left, (uint)(block->End - offset));
            if (count > 0 && !packet.TryAddFragment(block, offset, count))
            {
                return false;
            }

            left -= (uint)count;
            seq += (uint)count;
        }

        return true;
    }

    /// <summary>Writes the Fast Open option, if there is to be one, and returns its bytes; a SYN that has no room for it goes without.</summary>
    private static int WriteCookie(Span<byte> destination, in FastOpenCookie cookie)
    {
        int needed = cookie.Length < 0 ? 0 : TcpOptions.FastOpenBytes(cookie.Length, cookie.IsExperimental);
        return needed == 0 || needed > destination.Length ? 0 : TcpOptions.WriteFastOpen(destination, cookie.Bytes, cookie.IsExperimental);
    }

    /// <summary>Puts the TCP header in front of the payload and sends the packet, which stands for so many segments.</summary>
    // Out of line: one copy of it for all callers leaves more of the processor's first cache to the rest.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private void Emit(Tcb* c, Packet packet, uint seq, TcpFlags flags, bool withSack, uint segments = 1)
    {
        if (Has(c, TcbExtras.EcnOk))
        {
            flags |= MarkSegment(c, seq, packet.Length > 0);
        }

        int headerLength = TcpHeader.LengthMin;
        bool timestamps = Has(c, TcbFlags.Timestamps);
        int sackBytes = withSack ? SackOptionBytes(c) : 0;
        bool signs = Has(c, TcbExtras.Signed);
        headerLength += OptionBytes(c) + sackBytes;
        Span<byte> header = packet.Push(headerLength);
        packet.TransportOffset = packet.Start;
        ushort urgent = 0;
        if (Has(c, TcbFlags.UrgentMode) && Seq.Gt(c->SndUp, seq))
        {
            // RFC 9293 3.8.5: the pointer is the offset of the byte after the urgent one in RFC 793's reading, which all hosts use.
            urgent = (ushort)Math.Min(c->SndUp - seq, 0xFFFF);
            flags |= TcpFlags.Urg;
        }

        uint window = SelectWindow(c) >> c->RcvWindShift;
        TcpHeader.Write(header, c->LocalPort, c->RemotePort, seq, c->RcvNxt, headerLength, flags, (ushort)window, urgent);
        int at = TcpHeader.LengthMin;
        if (signs)
        {
            at += WriteSignatureOption(header[at..]);
        }

        if (timestamps)
        {
            at += TcpOptions.WriteTimestamp(header[at..], TsClock(c), c->TsRecent);
        }

        if (sackBytes > 0)
        {
            WriteSackOption(c, header[at..]);
        }

        if (signs)
        {
            Sign(packet, c->LocalAddress, c->RemoteAddress, KeyOf(c));
        }

        AckSent(c);
        c->SegsOut += segments;
        packet.Checksum = ChecksumState.Partial;
        SendPacket(c, packet, segments);
    }

    private void SendPacket(Tcb* c, Packet packet, uint segments = 1)
    {
        Mib[TcpCounter.OutSegs] += segments;

        // Filled in place: an initializer's copy would wait for its own stores.
        IpSend send = default;
        send.Source = c->LocalAddress;
        send.Destination = c->RemoteAddress;
        send.Protocol = IpProtocol.Tcp;
        send.HopLimit = c->HopLimit;
        send.TrafficClass = c->TrafficClass;
        send.DontFragment = true;
        send.FlowLabel = FlowLabelOf(c);
        _stack.Ip.Send(packet, c->Route, send);
    }

    private void WriteSackOption(Tcb* c, Span<byte> destination)
    {
        Span<SackBlock> blocks = stackalloc SackBlock[4];
        int most = SackBlocksMax(c);
        int count = 0;
        if (Has(c, TcbFlags.DsackPending))
        {
            blocks[count++] = new SackBlock(c->Report->Duplicate.Left, c->Report->Duplicate.Right);
            c->Flags &= ~TcbFlags.DsackPending;
        }

        for (int i = 0; i < c->SackCount && count < most; i++)
        {
            blocks[count++] = new SackBlock(c->Report->Blocks[i].Left, c->Report->Blocks[i].Right);
        }

        DropReport(c);

        TcpOptions.WriteSack(destination, blocks[..count]);
    }

    /// <summary>An ACK without data.</summary>
    private void SendAck(Tcb* c)
    {
        if (c->State is TcpState.Closed or TcpState.SynSent || EnsureRoute(c) != Errno.None)
        {
            return;
        }

        Emit(c, _engine.Packets.Rent(), c->SndNxt, TcpFlags.Ack, true);
    }

    /// <summary>A segment one byte below the window, which any peer must answer (RFC 9293 3.8.4, 3.8.6.1; Linux: tcp_xmit_probe_skb).</summary>
    private void SendProbe(Tcb* c, PacketNotes notes)
    {
        if (EnsureRoute(c) != Errno.None)
        {
            return;
        }

        Emit(c, RentNoted(notes), c->SndUna - 1, TcpFlags.Ack, true);
        ReportRetransmission(c, notes, c->SndUna - 1, 0, TcpFlags.Ack, c->ProbesOut + 1);
    }

    private Packet RentNoted(PacketNotes notes)
    {
        Packet packet = _engine.Packets.Rent();
        packet.Notes = notes;
        return packet;
    }

    private bool TransmitSyn(Tcb* c, SendSegment* segment, PacketNotes notes) =>
        TransmitSyn(c, segment, notes, FastOpenCookie.Absent, carried: null);

    /// <summary>
    /// The SYN, or SYN-ACK when the peer's SYN is known; options as agreed so far, with a Fast Open option and data that it carries.
    /// </summary>
    private bool TransmitSyn(Tcb* c, SendSegment* segment, PacketNotes notes, in FastOpenCookie cookie, SendSegment* carried)
    {
        if (EnsureRoute(c) != Errno.None)
        {
            return false;
        }

        bool acks = c->State == TcpState.SynReceived;
        Packet packet = _engine.Packets.Rent();
        packet.Notes = notes;
        if (carried != null)
        {
            AddPayload(packet, carried);
        }

        if (c->Route.PathMtu != 0)
        {
            c->AdvMss = (ushort)Math.Min((int)c->AdvMss, Math.Max(c->Route.PathMtu - IpHeaderBytes(c) - TcpHeader.LengthMin, AdvMssMin));
        }

        Span<byte> options = stackalloc byte[40];
        bool signs = Has(c, TcbExtras.Signed);
        int optionBytes = signs ? WriteSignatureOption(options) : 0;
        optionBytes += TcpOptions.WriteSyn(options[optionBytes..], c->AdvMss, Has(c, TcbFlags.WindowScale) ? c->RcvWindShift : -1, Has(c, TcbFlags.Sack),
            Has(c, TcbFlags.Timestamps), TsClock(c), acks ? c->TsRecent : 0);
        optionBytes += WriteCookie(options[optionBytes..], cookie);
        int headerLength = TcpHeader.LengthMin + optionBytes;
        Span<byte> header = packet.Push(headerLength);
        packet.TransportOffset = packet.Start;
        options[..optionBytes].CopyTo(header[TcpHeader.LengthMin..]);
        TcpHeader.Write(header, c->LocalPort, c->RemotePort, segment->Node.Start, acks ? c->RcvNxt : 0, headerLength,
            TcpFlags.Syn | (acks ? TcpFlags.Ack : 0) | EcnOfSyn(c, segment, acks), (ushort)Math.Min(c->RcvWnd, 65535), 0);
        if (signs)
        {
            Sign(packet, c->LocalAddress, c->RemoteAddress, KeyOf(c));
        }

        packet.Checksum = ChecksumState.Partial;
        c->SegsOut++;
        if (acks)
        {
            AckSent(c);
        }

        SendPacket(c, packet);
        StampSent(c, segment);
        return true;
    }

    /// <summary>The SYN of a simultaneous open goes out again at once, with an ACK.</summary>
    private void ResendSyn(Tcb* c)
    {
        if (c->TxHead != null)
        {
            Transmit(c, c->TxHead, c->Mss);
        }
    }

    /// <summary>
    /// RFC 9293 3.10.7.1: a reset for a segment that belongs to nothing; never for a reset, never to a multicast or broadcast address.
    /// </summary>
    private void SendReset(ref Arrival seg)
    {
        if (seg.Has(TcpFlags.Rst) || seg.Info.IsMulticastOrBroadcast)
        {
            return;
        }

        uint seq = seg.Has(TcpFlags.Ack) ? seg.Ack : 0;
        uint ack = seg.Has(TcpFlags.Ack) ? 0 : seg.EndSeq;
        SendBare(seg.Info.Destination, seg.Info.Source, seg.DestinationPort, seg.SourcePort, seq, ack,
            seg.Has(TcpFlags.Ack) ? TcpFlags.Rst : TcpFlags.Rst | TcpFlags.Ack, 0, false, 0, 0, seg.Key);
        ++Mib[TcpCounter.OutRsts];
    }

    /// <summary>Resets an existing connection from our side (RFC 9293 3.10.5).</summary>
    private void SendResetFor(Tcb* c)
    {
        if (c->State is TcpState.Closed or TcpState.SynSent)
        {
            return;
        }

        if (EnsureRoute(c) == Errno.None)
        {
            Emit(c, _engine.Packets.Rent(), c->SndNxt, TcpFlags.Rst | TcpFlags.Ack, false);
            ++Mib[TcpCounter.OutRsts];
        }
    }

    /// <summary>A segment without payload or connection: resets, and the ACKs of half-open and TIME-WAIT records.</summary>
    private void SendBare(in IpAddress local, in IpAddress remote, ushort localPort, ushort remotePort, uint seq, uint ack, TcpFlags flags,
        ushort window, bool timestamps, uint tsVal, uint tsEcr, ReadOnlySpan<byte> key = default, int labelChoice = LeftToStack)
    {
        Span<byte> options = stackalloc byte[TcpOptions.TimestampBytes];
        int optionBytes = timestamps ? TcpOptions.WriteTimestamp(options, tsVal, tsEcr) : 0;
        SendBare(local, remote, localPort, remotePort, seq, ack, flags, window, options[..optionBytes], PacketNotes.None, key, labelChoice);
    }

    private void SendBare(in IpAddress local, in IpAddress remote, ushort localPort, ushort remotePort, uint seq, uint ack, TcpFlags flags,
        ushort window, scoped ReadOnlySpan<byte> options, PacketNotes notes = PacketNotes.None, ReadOnlySpan<byte> key = default,
        int labelChoice = LeftToStack, uint rehashes = 0, byte trafficClass = 0)
    {
        if (_stack.Ip.FindRoute(local, remote, 0, out RouteCache route) != Errno.None)
        {
            return;
        }

        Packet packet = RentNoted(notes);
        int optionsAt = TcpHeader.LengthMin + (key.IsEmpty ? 0 : SignatureBytes);
        int headerLength = optionsAt + options.Length;
        Span<byte> header = packet.Push(headerLength);
        packet.TransportOffset = packet.Start;
        TcpHeader.Write(header, localPort, remotePort, seq, ack, headerLength, flags, window, 0);
        options.CopyTo(header[optionsAt..]);
        if (!key.IsEmpty)
        {
            WriteSignatureOption(header[TcpHeader.LengthMin..]);
            Sign(packet, local, remote, key);
        }

        packet.Checksum = ChecksumState.Partial;
        ++Mib[TcpCounter.OutSegs];
        IpSend send = default;
        send.Source = local;
        send.Destination = remote;
        send.Protocol = IpProtocol.Tcp;
        send.TrafficClass = trafficClass;
        send.DontFragment = true;
        send.FlowLabel = FlowLabelOfBare(local, remote, localPort, remotePort, labelChoice, rehashes);
        _stack.Ip.Send(packet, route, send);
    }
}

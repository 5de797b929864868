namespace Portico.Net;

// A transparent proxy's side of passive open: the SYN is held, unanswered, until the forwarder knows what the other side says.
public sealed unsafe partial class TcpLayer
{
    /// <summary>How long a held SYN waits for its verdict; longer than any host's own connect timeout.</summary>
    private const long HeldNanos = 180_000_000_000;

    private bool TryForward(ref Arrival seg, ulong hash)
    {
        SynRequest* request = _requests.Rent(out uint index);
        if (request == null)
        {
            CountDrop(TcpCounter.NoMemory);
            return false;
        }

        request->Index = index;
        FillRequest(request, ref seg, 0);
        request->Held = true;
        request->Iss = _isn.Next(request->LocalAddress, request->RemoteAddress, request->LocalPort, request->RemotePort, _engine.Now);
        TimerWheel.Initialize(&request->Timer, _timerHandler, RequestTimer);
        TcpForwardRequest offer = new(RequestId(index), new Endpoint(request->RemoteAddress, request->RemotePort),
            new Endpoint(request->LocalAddress, request->LocalPort));
        _flows.Add(hash, index | KindRequest);
        _engine.Timers.Arm(&request->Timer, new MonoTime(NowNanos + HeldNanos));
        if (Forwarder!.OnConnectionRequest(offer))
        {
            return true;
        }

        RemoveRequest(request);
        return false;
    }

    private long RequestId(uint index) => ((long)_requests.Generation(index) << 32) | index;

    /// <summary>
    /// Decides a connection request that the forwarder took. With <see cref="TcpForwardVerdict.Accept"/> the handle is in
    /// SYN-RECEIVED and the owner hears Writable when the handshake is done. Errors: ENOENT when the request has expired.
    /// </summary>
    public Errno CompleteForward(long requestId, TcpForwardVerdict verdict, ISocketOwner? owner, out TcpHandle handle)
    {
        handle = default;
        SynRequest* request = _requests.TryGet((uint)requestId, (uint)(requestId >> 32));
        if (request == null || !request->Held)
        {
            return Errno.ENOENT;
        }

        if (verdict != TcpForwardVerdict.Accept)
        {
            Refuse(request, verdict);
            ReportRequestEnd(request, TcpCause.Refused);
            RemoveRequest(request);
            return Errno.None;
        }

        Tcb* c = ConnectionFromRequest(request, 0, 0);
        if (c == null)
        {
            ReportRequestEnd(request, TcpCause.OutOfResources, Errno.ENOBUFS);
            RemoveRequest(request);
            return Errno.ENOBUFS;
        }

        RemoveRequest(request);
        SendSegment* syn = NewSegment(c);
        if (syn == null)
        {
            _connections.Return(c->Index);
            return Errno.ENOBUFS;
        }

        AddToTable(c);
        BindConnectionPort(c);
        ++Mib[TcpCounter.PassiveOpens];
        c->Owner = owner == null ? 0 : _engine.RegisterOwner(owner);
        ReportState(FlowOf(c), TcpState.Listen, TcpState.SynReceived, TcpCause.SynReceived);

        QueueSyn(c, syn);
        Transmit(c, syn, c->Mss);
        handle = HandleOf(c);
        return Errno.None;
    }

    private void Refuse(SynRequest* request, TcpForwardVerdict verdict)
    {
        if (verdict == TcpForwardVerdict.Drop)
        {
            return;
        }

        if (verdict == TcpForwardVerdict.Reset)
        {
            SendBare(request->LocalAddress, request->RemoteAddress, request->LocalPort, request->RemotePort, 0, request->Irs + 1,
                TcpFlags.Rst | TcpFlags.Ack, 0, false, 0, 0);
            ++Mib[TcpCounter.OutRsts];
            return;
        }

        // The ICMP error quotes the SYN, as the router would that it stands for.
        Packet? quoted = _engine.Packets.RentLinear(60);
        if (quoted == null)
        {
            return;
        }

        bool ipv4 = request->RemoteAddress.IsIpv4;
        int ipBytes = ipv4 ? Ipv4Header.LengthMin : Ipv6Header.Length;
        Span<byte> bytes = quoted.Append(ipBytes + TcpHeader.LengthMin);
        quoted.NetworkOffset = quoted.Start;
        quoted.TransportOffset = quoted.Start + ipBytes;
        if (ipv4)
        {
            Ipv4Header.Write(bytes, ipBytes + TcpHeader.LengthMin, 0, 0x4000, 64, IpProtocol.Tcp, request->RemoteAddress, request->LocalAddress, 0);
        }
        else
        {
            Ipv6Header.Write(bytes, TcpHeader.LengthMin, IpProtocol.Tcp, 64, request->RemoteAddress, request->LocalAddress, 0, 0);
        }

        TcpHeader.Write(bytes[ipBytes..], request->RemotePort, request->LocalPort, request->Irs, 0, TcpHeader.LengthMin, TcpFlags.Syn,
            request->SndWnd, 0);
        IpInfo info = new()
        {
            Source = request->RemoteAddress,
            Destination = request->LocalAddress,
            Interface = _stack.Ip.InterfaceAt(request->InterfaceIndex)!,
            Protocol = IpProtocol.Tcp,
            HopLimit = 64,
        };
        IcmpErrorKind kind = verdict switch
        {
            TcpForwardVerdict.NetworkUnreachable => IcmpErrorKind.NetworkUnreachable,
            TcpForwardVerdict.Prohibited => IcmpErrorKind.Prohibited,
            _ => IcmpErrorKind.HostUnreachable,
        };
        _stack.Icmp.SendError(quoted, info, kind);
        quoted.Release();
    }
}

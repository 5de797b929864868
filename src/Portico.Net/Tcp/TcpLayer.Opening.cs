namespace Portico.Net;

// RFC 9293 3.10.1, OPEN, and accept: how an application comes by connections.
public sealed unsafe partial class TcpLayer
{
    /// <summary>Takes SYNs that nobody listens for, on interfaces that accept any address; null to refuse them.</summary>
    public ITcpForwarder? Forwarder { get; set; }

    /// <summary>
    /// Active open. On success the SYN is on its way: the owner hears Writable when the connection is established, Error when it failed
    /// (<see cref="TakeError"/> says why). Errors: EADDRNOTAVAIL, EADDRINUSE, ENETUNREACH, EINVAL, EAFNOSUPPORT, ENOBUFS.
    /// </summary>
    public Errno Open(in TcpOpenRequest request, ISocketOwner? owner, out TcpHandle handle)
    {
        Errno error = Prepare(request, owner, out handle);
        if (error == Errno.None && (error = Start(handle)) != Errno.None)
        {
            Abort(handle);
            handle = default;
        }

        return error;
    }

    /// <summary>
    /// The same without the SYN: route, port and place in the tables are taken, so that options can be set that show in the SYN.
    /// <see cref="Start"/> or <see cref="StartFastOpen"/> follows. Errors: those of <see cref="Open"/>.
    /// </summary>
    public Errno Prepare(in TcpOpenRequest request, ISocketOwner? owner, out TcpHandle handle)
    {
        handle = default;
        IpAddress remote = request.Remote.Address;
        if (remote.IsUnspecified)
        {
            // Linux: connecting to "any" is connecting to this host.
            remote = remote.IsIpv4 ? IpAddress.LoopbackIpv4 : IpAddress.LoopbackIpv6;
        }

        IpAddress local = request.Local.Address;
        if (remote.IsMulticast || remote.IsLimitedBroadcast || _stack.Ip.IsSubnetBroadcast(remote))
        {
            return Errno.ENETUNREACH;
        }

        if (!local.IsUnspecified && local.IsIpv4 != remote.IsIpv4)
        {
            return Errno.EAFNOSUPPORT;
        }

        if (!local.IsUnspecified && !_stack.Ip.IsLocalAddress(local))
        {
            return Errno.EADDRNOTAVAIL;
        }

        IpAddress source = local.IsUnspecified ? (remote.IsIpv4 ? IpAddress.AnyIpv4 : IpAddress.AnyIpv6) : local;
        Errno error = _stack.Ip.FindRoute(source, remote, request.InterfaceIndex, out RouteCache route, request.DontRoute);
        if (error == Errno.None && local.IsUnspecified)
        {
            error = _stack.Ip.SelectSource(route, remote, out source);
        }

        if (error != Errno.None)
        {
            return error;
        }

        Tcb* c = CreateConnection();
        if (c == null)
        {
            return Errno.ENOBUFS;
        }

        c->LocalAddress = source;
        c->LocalPort = request.Local.Port;
        c->RemoteAddress = remote;
        c->RemotePort = request.Remote.Port;
        c->BoundInterface = (ushort)request.InterfaceIndex;
        c->Route = route;
        error = AssignPort(c, request);
        if (error != Errno.None)
        {
            _connections.Return(c->Index);
            return error;
        }

        PrepareActiveOpen(c, request);
        SetExtra(c, TcbExtras.DontRoute, request.DontRoute);
        SetFlowLabel(c, request.FlowLabel);
        TakeOverTimeWait(c);
        AddToTable(c);
        c->Owner = owner == null ? 0 : _engine.RegisterOwner(owner);
        SetState(c, TcpState.SynSent, TcpCause.Open);
        handle = HandleOf(c);
        return Errno.None;
    }

    /// <summary>Sends the SYN of a connection that <see cref="Prepare"/> made. Errors: EBADF for a stale handle, ENOBUFS.</summary>
    public Errno Start(TcpHandle handle)
    {
        Tcb* c = Find(handle);
        SendSegment* syn = c == null ? null : NewSegment(c);
        if (syn == null)
        {
            return c == null ? Errno.EBADF : Errno.ENOBUFS;
        }

        BeginOpen(c, syn);
        Transmit(c, syn, c->Mss);
        return Errno.None;
    }

    /// <summary>What the SYN says, by the options of now, and the SYN as the first segment in flight.</summary>
    private void BeginOpen(Tcb* c, SendSegment* syn)
    {
        if (Has(c, TcbExtras.Signed))
        {
            // No room beside the signature for timestamps and SACK blocks: Linux prefers SACK.
            c->Flags &= ~TcbFlags.Timestamps;
            UpdateMss(c);
        }

        c->AdvMss = AnnouncedMss(_stack.Ip.InterfaceAt(c->Route.InterfaceIndex), c->RemoteAddress, c->UserMss);
        SelectInitialWindow(c->RemoteAddress, FullWindowSpace(c), c->AdvMss, Settings.tcp_window_scaling, out uint window, out byte shift, out uint clamp);
        c->RcvWnd = window;
        c->RcvWindShift = shift;
        c->RcvSsThresh = window;
        c->WindowClamp = c->WindowClamp == 0 ? clamp : Math.Min(c->WindowClamp, clamp);
        ++Mib[TcpCounter.ActiveOpens];
        QueueSyn(c, syn);
    }

    private void PrepareActiveOpen(Tcb* c, in TcpOpenRequest request)
    {
        c->Flags |= (Settings.tcp_timestamps ? TcbFlags.Timestamps : 0) | (Settings.tcp_sack ? TcbFlags.Sack : 0)
            | (Settings.tcp_window_scaling ? TcbFlags.WindowScale : 0);
        c->TsOffset = _isn.TimestampOffset(c->LocalAddress, c->RemoteAddress, c->LocalPort, c->RemotePort);
        c->Iss = _isn.Next(c->LocalAddress, c->RemoteAddress, c->LocalPort, c->RemotePort, _engine.Now);
        ApplyBufferSizes(c, request.SendBufferBytes, request.ReceiveBufferBytes);
        c->SndUna = c->SndNxt = c->WriteSeq = c->Iss;
        c->MssClamp = 0;
        UpdateMss(c);
    }

    /// <summary>SO_SNDBUF and SO_RCVBUF are doubled, as in Linux, for the kernel's own use of the memory.</summary>
    private void ApplyBufferSizes(Tcb* c, int sendBytes, int receiveBytes)
    {
        if (sendBytes != 0)
        {
            SetSendBuffer(c, sendBytes);
        }

        if (receiveBytes != 0)
        {
            SetReceiveBuffer(c, receiveBytes);
        }
    }

    private void SetSendBuffer(Tcb* c, int bytes)
    {
        c->SndBuf = SendBufferBytes(bytes);
        c->Flags |= TcbFlags.SendBufferLocked;
    }

    private void SetReceiveBuffer(Tcb* c, int bytes)
    {
        c->RcvBuf = ReceiveBufferBytes(bytes);
        c->Flags |= TcbFlags.ReceiveBufferLocked;
    }

    /// <summary>A 4-tuple in TIME-WAIT that may be reused: sequence numbers and timestamps go on where the old connection was.</summary>
    private void TakeOverTimeWait(Tcb* c)
    {
        uint value = FindFlow(FlowHash(c), c->LocalAddress, c->RemoteAddress, c->LocalPort, c->RemotePort);
        if (value == 0 || (value & KindMask) != KindTimeWait)
        {
            return;
        }

        TimeWaitRecord* t = _timeWaits.At(value & ~KindMask);
        c->Iss = t->SndNxt + 65535 + 2;
        StoreTsRecent(c, t->TsRecent);
        ++Mib[TcpCounter.TWRecycled];
        RemoveTimeWait(t, TcpCause.TimeWaitReused);
    }

    /// <summary>The SYN as the first segment in flight; its timer starts at one second (RFC 6298 2.1).</summary>
    private void QueueSyn(Tcb* c, SendSegment* syn)
    {
        syn->Node.Start = c->Iss;
        syn->Node.End = c->Iss + 1;
        syn->Flags = TcpFlags.Syn | (c->State == TcpState.SynSent ? AskForEcn(c) : TcpFlags.None);
        syn->PacketCount = 1;
        c->SndUna = c->Iss;
        c->SndNxt = c->WriteSeq = c->Iss + 1;
        c->PushedSeq = c->SndSml = c->SndUp = c->Iss + 1;
        LinkSegment(c, syn);
        c->PacketsOut = 1;
        c->StalledSinceMillis = NowMillis;
        ArmRetransmit(c, RtoMicros(c) * 1000L);
    }

    /// <summary>
    /// Passive open. The owner hears Readable when there is a connection to accept. Errors: EADDRINUSE, EADDRNOTAVAIL, EINVAL, ENOBUFS.
    /// </summary>
    public Errno Listen(in TcpListenRequest request, ISocketOwner? owner, out TcpListenerHandle listener)
    {
        listener = default;
        if (!request.Local.Address.IsUnspecified && (request.Local.Address.IsMulticast || !_stack.Ip.IsLocalAddress(request.Local.Address)))
        {
            return Errno.EADDRNOTAVAIL;
        }

        Errno error = TakeListeningPort(request, out PortBinding binding);
        if (error != Errno.None)
        {
            return error;
        }

        int slot = _listeners.IndexOf(null, 1);
        if (slot < 0)
        {
            slot = _listeners.Count;
            _listeners.Add(null);
        }

        Listener added = new()
        {
            Index = (uint)slot,
            Generation = ++_listenerGeneration,
            Request = request,
            Binding = binding,
            Backlog = EffectiveBacklog(request.Backlog),
            Owner = owner == null ? 0 : _engine.RegisterOwner(owner),
        };
        added.Request.Local = new Endpoint(request.Local.Address, binding.Port);
        ConfigureFastOpenByDefault(added, request.Backlog);
        added.NextOnPort = _listenersByPort.GetValueOrDefault(binding.Port);
        _listenersByPort[binding.Port] = added;
        _listeners[slot] = added;
        listener = new TcpListenerHandle(added.Index, added.Generation);
        return Errno.None;
    }

    private Errno TakeListeningPort(in TcpListenRequest request, out PortBinding binding)
    {
        if (request.Binding.IsBound)
        {
            binding = request.Binding.Taken;
            return _ports.SetListening(binding, true);
        }

        PortBindRequest bind = new()
        {
            Address = request.Local.Address,
            Port = request.Local.Port,
            ReuseAddress = request.ReuseAddress,
            ReusePort = request.ReusePort,
            Ipv6Only = request.Ipv6Only,
            InterfaceIndex = request.InterfaceIndex,
            IsListening = true,
        };
        return _ports.Bind(bind, out binding);
    }

    /// <summary>Where the listener is bound; the port is the one chosen if 0 was asked for.</summary>
    public Endpoint LocalEndpoint(TcpListenerHandle listener) => Find(listener)?.Request.Local ?? default;

    /// <summary>What the listener is ready for.</summary>
    public SocketEvents Poll(TcpListenerHandle listener) =>
        Find(listener) is { AcceptCount: > 0 } ? SocketEvents.Readable : SocketEvents.None;

    /// <summary>Takes the oldest completed connection. Errors: EAGAIN when there is none, EBADF for a stale handle.</summary>
    public Errno Accept(TcpListenerHandle listener, ISocketOwner? owner, out TcpHandle handle)
    {
        handle = default;
        Listener? found = Find(listener);
        if (found == null)
        {
            return Errno.EBADF;
        }

        if (found.AcceptCount == 0)
        {
            return Errno.EAGAIN;
        }

        Tcb* c = TakeAccepted(found);
        c->Owner = owner == null ? 0 : _engine.RegisterOwner(owner);
        handle = HandleOf(c);
        return Errno.None;
    }

    private Tcb* TakeAccepted(Listener listener)
    {
        Tcb* c = _connections.At(listener.AcceptHead);
        listener.AcceptHead = c->NextInQueue;
        if (listener.AcceptHead == 0)
        {
            listener.AcceptTail = 0;
        }

        listener.AcceptCount--;
        c->NextInQueue = 0;
        c->Listener = 0;
        c->Flags &= ~TcbFlags.InAcceptQueue;
        return c;
    }

    /// <summary>Stops listening; connections that nobody accepted are reset, as close(2) of a listening socket does.</summary>
    public void Close(TcpListenerHandle listener)
    {
        Listener? closed = Find(listener);
        if (closed == null)
        {
            return;
        }

        while (closed.AcceptCount > 0)
        {
            Abort(HandleOf(TakeAccepted(closed)));
        }

        // Half-open ones find the listener gone when their ACK or their timer comes; the flow table must not be walked for them.
        Listener? head = _listenersByPort[closed.Binding.Port];
        if (head == closed)
        {
            if (closed.NextOnPort == null)
            {
                _listenersByPort.Remove(closed.Binding.Port);
            }
            else
            {
                _listenersByPort[closed.Binding.Port] = closed.NextOnPort;
            }
        }
        else
        {
            while (head!.NextOnPort != closed)
            {
                head = head.NextOnPort;
            }

            head.NextOnPort = closed.NextOnPort;
        }

        _listeners[(int)closed.Index] = null;
        if (closed.Request.Binding.IsBound)
        {
            _ports.SetListening(closed.Binding, false);
        }
        else
        {
            _ports.Release(closed.Binding);
        }

        if (closed.Owner != 0)
        {
            _engine.UnregisterOwner(closed.Owner);
        }
    }
}

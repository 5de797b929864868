using System.Runtime.CompilerServices;

namespace Portico.Net;

/// <summary>
/// TCP of one stack: all connections, listeners and TIME-WAIT records, and the table that finds them. The files beside this one
/// tell its stories: <c>SegmentArrival</c> (RFC 9293 3.10.7), <c>FastOpenClient</c>, <c>FastOpenServer</c>, <c>AckProcessing</c>, <c>Scoreboard</c>, <c>LossRecovery</c>, <c>Rack</c>,
/// <c>Receiver</c>, <c>AckSending</c>, <c>Sender</c>, <c>SegmentOutput</c>, <c>Retransmission</c>, <c>TcpTimers</c>, <c>Listening</c>,
/// <c>TimeWait</c>, <c>Forwarding</c>.
/// </summary>
public sealed unsafe partial class TcpLayer : ITimerHandler
{
    // What a value in the flow table names: its top two bits.
    private const uint KindMask = 0xC000_0000;
    private const uint KindConnection = 0x0000_0000;
    private const uint KindRequest = 0x4000_0000;
    private const uint KindTimeWait = 0x8000_0000;

    // Kinds of timer nodes.
    private const ushort ConnectionTimer = 0;
    private const ushort RequestTimer = 1;
    private const ushort TimeWaitTimer = 2;

    private readonly NetworkStack _stack;
    private readonly Engine _engine;
    private readonly Slab<Tcb> _connections;
    private readonly Slab<SendSegment> _sendSegments;
    private readonly Slab<RxSegment> _rxSegments;
    private readonly Slab<Flight> _flights;
    private readonly Slab<BbrState> _bbrStates;
    private readonly FlowTable _flows;
    private readonly SipKey _flowKey;
    private readonly IsnGenerator _isn;
    private readonly ushort _timerHandler;
    private uint _doomed;

    /// <summary>The connection that the last segment was for; 0 when it has left the flow table.</summary>
    private uint _recentConnection;
    private int _orphanCount;

    /// <summary>The second of tcp_challenge_ack_limit, and how many are left of it.</summary>
    private uint _challengeSecond = uint.MaxValue;
    private uint _challengesLeft;
    private long _receiveMemory;

    internal TcpLayer(NetworkStack stack, TcpSettings? settings = null)
    {
        _stack = stack;
        _engine = stack.Engine;
        Settings = settings ?? new TcpSettings();
        _connections = _engine.Own(new Slab<Tcb>(Settings.ConnectionsMax));
        _sendSegments = _engine.Own(new Slab<SendSegment>(1 << 24));
        _rxSegments = _engine.Own(new Slab<RxSegment>(1 << 24));
        _sackReports = _engine.Own(new Slab<SackReport>(Settings.ConnectionsMax));
        _flights = _engine.Own(new Slab<Flight>(Settings.ConnectionsMax));
        _bbrStates = _engine.Own(new Slab<BbrState>(Settings.ConnectionsMax));
        _flows = _engine.Own(new FlowTable());
        _flowKey = SipKey.From(_engine.Random);
        _isn = new IsnGenerator(_engine.Random);
        _timerHandler = _engine.Timers.Register(this);
        _sides = _engine.Own(new Slab<TcpSide>(Settings.ConnectionsMax));
        _savedSyns = _engine.Own(new Slab<SavedSyn>(Settings.ConnectionsMax));
        _destinations = new DestinationCache(Settings.DestinationsMax, _flowKey);
        InitializeListening();
        InitializeTimeWait();
    }

    /// <summary>net.ipv4.tcp_* of this stack.</summary>
    public TcpSettings Settings { get; }

    /// <summary>Counters with Linux's names.</summary>
    public MibTable<TcpCounter> Mib { get; } = new();

    /// <summary>Connections of any state, half-open and TIME-WAIT ones not counted.</summary>
    public int ConnectionCount => _connections.Count;

    /// <summary>Connections that no application holds any more and that are still finishing (Linux: orphans).</summary>
    public int OrphanCount => _orphanCount;

    /// <summary>Connections that have bytes beyond a hole, or a duplicate to report.</summary>
    internal int SackReportCount => _sackReports.Count;

    /// <summary>Bytes of memory that receive queues hold.</summary>
    public long ReceiveMemory => _receiveMemory;

    private long NowNanos
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => _engine.Now.Nanoseconds;
    }

    /// <summary>Milliseconds of the engine's clock; wraps after 49 days, so it is only ever subtracted.</summary>
    private uint NowMillis
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => _engine.NowMillis;
    }

    private uint NowMicros
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => (uint)(_engine.Now.Nanoseconds / 1_000);
    }

    private readonly struct ConnectionMatcher(TcpLayer tcp, in IpAddress local, in IpAddress remote, ushort localPort, ushort remotePort)
        : IFlowMatcher
    {
        private readonly IpAddress _local = local;
        private readonly IpAddress _remote = remote;

        public bool Matches(uint value) => (value & KindMask) switch
        {
            KindConnection => Matches(tcp._connections.At(value)),
            KindRequest => Matches(tcp._requests.At(value & ~KindMask)),
            _ => Matches(tcp._timeWaits.At(value & ~KindMask)),
        };

        private bool Matches(Tcb* c) =>
            c->RemotePort == remotePort && c->LocalPort == localPort && c->RemoteAddress == _remote && c->LocalAddress == _local;

        private bool Matches(SynRequest* r) =>
            r->RemotePort == remotePort && r->LocalPort == localPort && r->RemoteAddress == _remote && r->LocalAddress == _local;

        private bool Matches(TimeWaitRecord* t) =>
            t->RemotePort == remotePort && t->LocalPort == localPort && t->RemoteAddress == _remote && t->LocalAddress == _local;
    }

    private uint FindFlow(ulong hash, in IpAddress local, in IpAddress remote, ushort localPort, ushort remotePort)
    {
        ConnectionMatcher matcher = new(this, local, remote, localPort, remotePort);
        return _flows.Find(hash, ref matcher);
    }

    private ulong FlowHash(in IpAddress local, in IpAddress remote, ushort localPort, ushort remotePort) =>
        SipHash.HashFlow(_flowKey, local, remote, localPort, remotePort);

    private ulong FlowHash(Tcb* c) => FlowHash(c->LocalAddress, c->RemoteAddress, c->LocalPort, c->RemotePort);

    /// <summary>The connection of a handle; null when the handle is stale, or was given up by Close or Abort.</summary>
    private Tcb* Find(TcpHandle handle)
    {
        Tcb* c = _connections.TryGet(handle.Index, handle.Generation);
        return c != null && (c->Flags & (TcbFlags.Orphan | TcbFlags.InDoomedList)) == 0 ? c : null;
    }

    private TcpHandle HandleOf(Tcb* c) => new(c->Index, _connections.Generation(c->Index));

    /// <summary>A zeroed TCB with what every connection starts from; null at the bound.</summary>
    private Tcb* CreateConnection()
    {
        Tcb* c = _connections.Rent(out uint index);
        if (c == null)
        {
            ++Mib[TcpCounter.NoMemory];
            return null;
        }

        c->Index = index;
        TimerWheel.Initialize(&c->Timer, _timerHandler, ConnectionTimer);
        c->Rtt = RttEstimator.Initial;
        c->Cwnd = InitialWindow;
        c->SsThresh = InfiniteSsThresh;
        c->Reordering = (uint)Settings.tcp_reordering;
        c->LingerSeconds = -1;
        c->RcvBuf = Settings.tcp_rmem.Default;
        c->SndBuf = Settings.tcp_wmem.Default;
        c->AtoMillis = 0;
        c->Algorithm = Settings.tcp_congestion_control;
        c->LastReceivedMillis = c->LastAckMillis = c->LastSentMillis = NowMillis;
        c->LastInvalidMillis = NowMillis - (1u << 30);
        return c;
    }

    private void AddToTable(Tcb* c) => _flows.Add(FlowHash(c), c->Index | KindConnection);

    private void SetState(Tcb* c, TcpState state, TcpCause cause, Errno error = Errno.None)
    {
        if (c->State == state)
        {
            return;
        }

        if (state == TcpState.Established)
        {
            ++Mib[TcpCounter.CurrEstab];
        }

        bool counted = c->State is TcpState.Established or TcpState.CloseWait;
        bool counts = state is TcpState.Established or TcpState.CloseWait;
        if (counted && !counts)
        {
            --Mib[TcpCounter.CurrEstab];
        }

        TcpState from = c->State;
        c->State = state;
        if (Observer != null && (from != TcpState.TimeWait || cause != TcpCause.None))
        {
            // Otherwise the connection only gives its place to its TIME-WAIT record.
            ReportState(FlowOf(c), from, state, cause, error);
        }
    }

    /// <summary>
    /// The connection is over, with <paramref name="error"/> for its owner, because of <paramref name="cause"/>. It leaves the tables now; its record stays until the
    /// application closes its handle, or is freed at the end of this entry when no application holds it.
    /// </summary>
    private void Finish(Tcb* c, Errno error, TcpCause cause)
    {
        if (c->State == TcpState.Closed)
        {
            return;
        }

        if (error != Errno.None)
        {
            c->Error = (short)error;
        }

        SetState(c, TcpState.Closed, cause, error);
        JudgeFastOpenPath(c);
        Detach(c);
        FreeSendQueue(c);
        if ((c->Flags & TcbFlags.Orphan) != 0)
        {
            Doom(c);
        }
        else
        {
            // Bytes that arrived in order before the end can still be read, as in Linux.
            FreeOutOfOrder(c);
            Notify(c, SocketEvents.Readable | SocketEvents.Writable | SocketEvents.HangUp | SocketEvents.ReadHangUp
                | (error != Errno.None ? SocketEvents.Error : SocketEvents.None));
        }
    }

    /// <summary>Takes the connection out of the flow table, the port table and the timer wheel.</summary>
    private void Detach(Tcb* c)
    {
        _engine.Timers.Cancel(&c->Timer);
        c->Pending = PendingTimer.None;
        ReleaseFastOpenRequest(c, isReset: false);
        c->RetransmitDeadline = c->DelayedAckDeadline = c->KeepDeadline = 0;
        _flows.Remove(FlowHash(c), c->Index | KindConnection);
        if (_recentConnection == c->Index)
        {
            _recentConnection = 0;
        }

        ReleasePort(c);
    }

    /// <summary>Frees the record at the end of this entry: callers up the stack may still look at it.</summary>
    private void Doom(Tcb* c)
    {
        if ((c->Flags & TcbFlags.InDoomedList) != 0)
        {
            return;
        }

        if ((c->Flags & TcbFlags.Orphan) != 0)
        {
            c->Flags &= ~TcbFlags.Orphan;
            _orphanCount--;
        }

        c->Flags |= TcbFlags.InDoomedList;
        c->NextInQueue = _doomed;
        _doomed = c->Index;
    }

    /// <summary>Frees what <see cref="Doom"/> has put aside; called at the end of each entry into TCP.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Reap()
    {
        if (_doomed != 0)
        {
            ReapAll();
        }
    }

    private void ReapAll()
    {
        while (_doomed != 0)
        {
            Tcb* c = _connections.At(_doomed);
            _doomed = c->NextInQueue;
            FreeSendQueue(c);
            StopBbr(c);
            FreeReceiveQueue(c);
            c->Flags &= ~TcbFlags.DsackPending;
            c->Extras &= ~TcbExtras.AckCompressed;
            FreeOutOfOrder(c);
            _engine.Timers.Cancel(&c->Timer);
            FreeSide(c);
            FreeFilter(c);
            if (c->Owner != 0)
            {
                _engine.UnregisterOwner(c->Owner);
            }

            _connections.Return(c->Index);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Notify(Tcb* c, SocketEvents events)
    {
        if (c->Owner != 0)
        {
            _engine.Notify(c->Owner, events);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool Has(Tcb* c, TcbFlags flag) => (c->Flags & flag) != 0;
}

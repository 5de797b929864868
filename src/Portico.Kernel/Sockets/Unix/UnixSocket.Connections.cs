using Portico.Net;

namespace Portico.Kernel;

// listen(2), connect(2), accept(2), socketpair(2). A connect makes the accepted end at once, and puts it into the listener's queue; both
// ends can send before it is accepted. Who finds a queue full waits at its owner.
internal sealed partial class UnixSocket
{
    private const SocketEvents WriteRoom = SocketEvents.Writable | SocketEvents.WriteNormal | SocketEvents.WriteBand;

    /// <summary>Connections that wait to be accepted.</summary>
    private Queue<UnixSocket>? _embryos;

    /// <summary>How many messages or connections may wait in the queue; one more may.</summary>
    private int _backlog;

    /// <summary>Who made the socket, for the other end's SO_PEERCRED: of a listener the one who called listen.</summary>
    private UnixCredentials _ownCredentials = UnixCredentials.None;

    /// <summary>SO_PEERCRED.</summary>
    private UnixCredentials _peerCredentials = UnixCredentials.None;

    /// <summary>Sockets that wait for room here, and sockets at which this one waits.</summary>
    private HashSet<UnixSocket>? _peerWaiters;
    private HashSet<UnixSocket>? _waitsAt;

    /// <summary>The listener in whose queue this connection waits to be accepted.</summary>
    public UnixSocket? Listener { get; private set; }

    private bool IsFull => (_embryos is { } embryos && _stage == Stage.Listening ? embryos.Count : _queue.Count) > _backlog;

    /// <summary>Whether the call that is being made may wait.</summary>
    private bool MayWait => _description is { IsNonBlocking: false };

    public override Errno Listen(int backlog)
    {
        if (!IsConnectionBased)
        {
            return Errno.EOPNOTSUPP;
        }

        if (_address == null || _stage == Stage.Connected)
        {
            return Errno.EINVAL;
        }

        int most = Stack.Tcp.Settings.somaxconn;
        backlog = (uint)backlog > (uint)most ? most : backlog;
        bool hasMoreRoom = backlog > _backlog;
        _backlog = backlog;
        _stage = Stage.Listening;
        _embryos ??= new Queue<UnixSocket>();
        _ownCredentials = _peerCredentials = UnixCredentials.Of(_all.Caller);
        if (hasMoreRoom)
        {
            NotifyPeerWaiters();
        }

        return Errno.None;
    }

    public override Errno Connect(ReadOnlySpan<byte> address) => IsConnectionBased ? ConnectStream(address) : ConnectDatagram(address);

    public override Errno ConnectPair(SocketFile other)
    {
        UnixSocket peer = (UnixSocket)other;
        _peer = peer;
        peer._peer = this;
        _stage = peer._stage = Stage.Connected;
        _ownCredentials = _peerCredentials = peer._ownCredentials = peer._peerCredentials = UnixCredentials.Of(_all.Caller);
        return Errno.None;
    }

    public override Errno CheckAccept() => !IsConnectionBased ? Errno.EOPNOTSUPP : _stage != Stage.Listening ? Errno.EINVAL : Errno.None;

    public override Errno Accept(out SocketFile? accepted)
    {
        accepted = null;
        if (_stage != Stage.Listening)
        {
            return Errno.EINVAL;
        }

        if (!_embryos!.TryDequeue(out UnixSocket? embryo))
        {
            // A listener that was shut down has no more to come, but who does not wait is not told.
            return (_shutdown & ShutForReading) != 0 && MayWait ? Errno.EINVAL : Errno.EAGAIN;
        }

        embryo.Listener = null;
        accepted = embryo;
        NotifyPeerWaiters();
        return Errno.None;
    }

    private Errno ConnectStream(ReadOnlySpan<byte> address)
    {
        Errno error = FindPeer(address, out UnixSocket? listener);
        if (error != Errno.None)
        {
            return error;
        }

        if (listener!._stage != Stage.Listening || (listener._shutdown & ShutForReading) != 0)
        {
            return Errno.ECONNREFUSED;
        }

        if (listener.IsFull)
        {
            if (MayWait)
            {
                WaitAt(listener);
            }

            return Errno.EAGAIN;
        }

        if (_stage != Stage.Unconnected)
        {
            return _stage == Stage.Connected ? Errno.EISCONN : Errno.EINVAL;
        }

        return _all.HasRoom ? ConnectTo(listener) : Errno.ENFILE;
    }

    private Errno ConnectTo(UnixSocket listener)
    {
        UnixCredentials own = UnixCredentials.Of(_all.Caller);
        UnixSocket accepted = new(_all, Stack, SocketKind)
        {
            _stage = Stage.Connected,
            _peer = this,
            _address = listener._address,
            _ownCredentials = listener._ownCredentials,
            _peerCredentials = own,
            Listener = listener,
        };
        accepted.Inherit(listener);
        _peer = accepted;
        _stage = Stage.Connected;
        _ownCredentials = own;
        _peerCredentials = listener._ownCredentials;
        listener._embryos!.Enqueue(accepted);
        listener.NotifyArrival();
        return Errno.None;
    }

    private Errno ConnectDatagram(ReadOnlySpan<byte> address)
    {
        UnixSocket? other = null;
        if (address.Length < sizeof(ushort))
        {
            return Errno.EINVAL;
        }

        if (SocketAddress.Family(address) != AddressFamily.AF_UNSPEC)
        {
            Errno error = FindPeer(address, out other);
            if (error != Errno.None)
            {
                return error;
            }

            if (!other!.TakesFrom(this))
            {
                return Errno.EPERM;
            }

            _stage = other._stage = Stage.Connected;
        }

        UnixSocket? before = _peer;
        _peer = other;
        _stage = other == null ? Stage.Unconnected : _stage;
        if (before != null && before != other)
        {
            StopWaitingAt(before);
            Waiters.NotifyEach(WriteRoom, Driver);
            OnDisconnected(before);
            before._stage = before._peer == null ? Stage.Unconnected : before._stage;
        }

        return Errno.None;
    }

    /// <summary>A datagram socket has lost its peer: what came from it is lost, and a peer that sends here is told (ECONNRESET).</summary>
    private void OnDisconnected(UnixSocket before)
    {
        if (_queue.IsEmpty)
        {
            return;
        }

        DropMessages();
        NotifyPeerWaiters();
        if (!before.IsDead && before._peer == this)
        {
            before._error = Errno.ECONNRESET;
            before.Waiters.NotifyAll(Driver);
        }
    }

    /// <summary>Whether a socket may send here: a connected datagram socket hears only its peer.</summary>
    private bool TakesFrom(UnixSocket sender) => _peer == null || _peer == sender;

    /// <summary>What a connect leads to; who passes credentials has a name of its own first. Errors: EINVAL, and those of <see cref="Find"/>.</summary>
    private Errno FindPeer(ReadOnlySpan<byte> address, out UnixSocket? found)
    {
        found = null;
        Errno error = UnixAddress.Validate(address);
        error = error == Errno.None && PassesCredentials ? BindAutomatically() : error;
        return error == Errno.None ? Find(address, out found) : error;
    }

    /// <summary>The socket with an address. Errors: those of a path; ECONNREFUSED where there is none, EPROTOTYPE for one of another type.</summary>
    private Errno Find(ReadOnlySpan<byte> address, out UnixSocket? found)
    {
        if (!UnixAddress.IsPath(address))
        {
            return _all.AbstractNames.TryFind(Stack, SocketKind, address, out found) ? Errno.None : Errno.ECONNREFUSED;
        }

        Errno error = _all.Caller.FindSocket(UnixAddress.Path(address), out found);
        return error == Errno.None && found!.SocketKind != SocketKind ? Errno.EPROTOTYPE : error;
    }

    /// <summary>Whether the peer is a datagram socket that others send to as well and that has enough for now.</summary>
    private bool IsPeerFull()
    {
        if (SocketKind == SocketType.SOCK_STREAM || _peer is not { } peer || peer._peer == this || !peer.IsFull || peer.IsDead)
        {
            return false;
        }

        WaitAt(peer);
        return true;
    }

    private void WaitAt(UnixSocket other)
    {
        (other._peerWaiters ??= []).Add(this);
        (_waitsAt ??= []).Add(other);
    }

    private void StopWaitingAt(UnixSocket other)
    {
        other._peerWaiters?.Remove(this);
        _waitsAt?.Remove(other);
    }

    private void LeaveAllPeers()
    {
        if (_waitsAt != null)
        {
            foreach (UnixSocket other in _waitsAt)
            {
                other._peerWaiters!.Remove(this);
            }

            _waitsAt = null;
        }
    }

    /// <summary>There is room in the queue, or there never will be: those who wait here look again.</summary>
    private void NotifyPeerWaiters()
    {
        if (_peerWaiters is not { Count: > 0 })
        {
            return;
        }

        foreach (UnixSocket waiter in _peerWaiters)
        {
            waiter._waitsAt!.Remove(this);
            waiter.Waiters.NotifyEach(WriteRoom, Driver);
        }

        _peerWaiters.Clear();
    }

    private void NotifyArrival() =>
        Waiters.Notify(SocketEvents.Readable | SocketEvents.Priority | SocketEvents.ReadNormal | SocketEvents.ReadBand, Driver);
}

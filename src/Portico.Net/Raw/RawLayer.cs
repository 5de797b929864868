using System.Diagnostics.CodeAnalysis;

namespace Portico.Net;

/// <summary>
/// Sockets below the transports (raw(7), icmp(7)): raw ones see every packet of a protocol and send packets of it, echo ones send echo
/// requests under an identifier of their own and see what answers them. Calls return the errno that Linux returns.
/// </summary>
public sealed partial class RawLayer
{
    private readonly NetworkStack _stack;
    private readonly Engine _engine;
    private readonly UdpDatagramPool _packets = new();
    private readonly List<RawSocket> _sockets = [];
    private int _openCount;
    private int _echoCount;
    private long _lastIdentifierAge;

    internal RawLayer(NetworkStack stack)
    {
        _stack = stack;
        _engine = stack.Engine;
    }

    /// <summary>What has been counted.</summary>
    public MibTable<RawCounter> Counters { get; } = new();

    /// <summary>The most sockets; socket(2) then fails with ENFILE.</summary>
    public int SocketMax { get; set; } = 1 << 16;

    /// <summary>Opens a socket; the owner hears of readiness. Errors: ENFILE.</summary>
    public Errno Open(in RawOpenRequest request, ISocketOwner? owner, out RawHandle handle)
    {
        handle = default;
        if (_openCount >= SocketMax)
        {
            return Errno.ENFILE;
        }

        int index = _sockets.FindIndex(candidate => (candidate.Generation & 1) == 0);
        if (index < 0)
        {
            index = _sockets.Count;
            _sockets.Add(new RawSocket(index));
        }

        RawSocket socket = _sockets[index];
        socket.Generation++;
        socket.Reset(request, _stack.Udp.Options);
        socket.OwnerSlot = owner == null ? 0 : _engine.RegisterOwner(owner);
        _openCount++;
        handle = new RawHandle(index, socket.Generation);
        return Errno.None;
    }

    /// <summary>
    /// Gives the socket an address, and an echo socket an identifier (the port; 0 for any that is free). Errors: EBADF, EADDRNOTAVAIL,
    /// EADDRINUSE, EINVAL for an echo socket that has an identifier.
    /// </summary>
    public Errno Bind(RawHandle handle, in Endpoint local, bool toAnyAddress)
    {
        if (!TryGet(handle, out RawSocket? socket))
        {
            return Errno.EBADF;
        }

        IpAddress address = local.Address.IsUnspecified ? socket.Any : local.Address;
        bool isGroup = address.IsMulticast || address.IsLimitedBroadcast || _stack.Ip.IsSubnetBroadcast(address);
        bool isUsable = address.IsUnspecified || toAnyAddress || _stack.Ip.IsLocalAddress(address) || (isGroup && !socket.IsEcho);
        if (!isUsable)
        {
            return Errno.EADDRNOTAVAIL;
        }

        if (socket.IsEcho)
        {
            if (socket.Identifier != 0)
            {
                return Errno.EINVAL;
            }

            if (!TryTakeIdentifier(socket, local.Port))
            {
                return Errno.EADDRINUSE;
            }
        }

        socket.LocalAddress = address;
        socket.SourceAddress = isGroup ? socket.Any : address;
        socket.IsAddressBound = !address.IsUnspecified;
        return Errno.None;
    }

    /// <summary>
    /// Names the only peer. Errors: EBADF, those of a route, EACCES for a broadcast address without SO_BROADCAST, EAGAIN where no identifier
    /// is free.
    /// </summary>
    public Errno Connect(RawHandle handle, in Endpoint remote)
    {
        if (!TryGet(handle, out RawSocket? socket))
        {
            return Errno.EBADF;
        }

        if (!HasIdentifier(socket))
        {
            return Errno.EAGAIN;
        }

        IpAddress destination = OrLoopback(remote.Address);
        Errno error = FindRoute(socket, destination, default, out RouteCache route, out IpAddress source);
        if (error != Errno.None)
        {
            return error;
        }

        if (route.IsBroadcast && !socket.Options.Broadcast)
        {
            return Errno.EACCES;
        }

        socket.Remote = new Endpoint(destination, remote.Port);
        socket.IsConnected = true;
        socket.LocalAddress = socket.LocalAddress.IsUnspecified ? source : socket.LocalAddress;
        socket.SourceAddress = socket.SourceAddress.IsUnspecified ? source : socket.SourceAddress;
        return Errno.None;
    }

    /// <summary>Takes a connect back. Errors: EBADF.</summary>
    public Errno Disconnect(RawHandle handle)
    {
        if (!TryGet(handle, out RawSocket? socket))
        {
            return Errno.EBADF;
        }

        socket.IsConnected = false;
        socket.Remote = default;
        if (!socket.IsAddressBound)
        {
            socket.LocalAddress = socket.SourceAddress = socket.Any;
        }

        return Errno.None;
    }

    /// <summary>Ends one or both directions. Errors: EBADF, ENOTCONN.</summary>
    public Errno Shutdown(RawHandle handle, bool receive, bool send)
    {
        if (!TryGet(handle, out RawSocket? socket))
        {
            return Errno.EBADF;
        }

        socket.IsReceiveShut |= receive;
        socket.IsSendShut |= send;
        if (receive)
        {
            _engine.Notify(socket.OwnerSlot, SocketEvents.Readable | SocketEvents.ReadHangUp);
        }

        return socket.IsConnected ? Errno.None : Errno.ENOTCONN;
    }

    /// <summary>Closes the socket; the handle is dead from here on.</summary>
    public void Close(RawHandle handle)
    {
        if (!TryGet(handle, out RawSocket? socket))
        {
            return;
        }

        while (socket.ReceiveCount > 0)
        {
            Dequeue(socket).Release();
        }

        ReleaseIdentifier(socket);
        if (socket.OwnerSlot != 0)
        {
            _engine.UnregisterOwner(socket.OwnerSlot);
            socket.OwnerSlot = 0;
        }

        socket.Errors = default;
        socket.Program = null;
        socket.Generation++;
        _openCount--;
    }

    /// <summary>The two ends; the port is the identifier of an echo socket, and the protocol of a raw one. Errors: EBADF.</summary>
    public Errno GetEndpoints(RawHandle handle, out Endpoint local, out Endpoint remote)
    {
        local = default;
        remote = default;
        if (!TryGet(handle, out RawSocket? socket))
        {
            return Errno.EBADF;
        }

        local = new Endpoint(socket.LocalAddress, socket.IsEcho ? socket.Identifier : socket.Protocol);
        remote = socket.Remote;
        return Errno.None;
    }

    /// <summary>Replaces the options.</summary>
    public void SetOptions(RawHandle handle, in RawOptions options)
    {
        if (TryGet(handle, out RawSocket? socket))
        {
            if (socket.Options.ReceiveErrors && !options.ReceiveErrors)
            {
                socket.Errors.Clear();
            }

            socket.Options = options;
        }
    }

    /// <summary>ICMP_FILTER (one word) or ICMP6_FILTER (eight): the types that are kept out, as bits.</summary>
    public void SetFilter(RawHandle handle, ReadOnlySpan<uint> types)
    {
        if (TryGet(handle, out RawSocket? socket))
        {
            Span<uint> filter = socket.Filter;
            types[..Math.Min(types.Length, filter.Length)].CopyTo(filter);
        }
    }

    /// <summary>Says which packets the socket gets, and how much of each; null for all of them (SO_ATTACH_FILTER, SO_DETACH_FILTER).</summary>
    public void AttachFilter(RawHandle handle, SocketFilter? filter)
    {
        if (TryGet(handle, out RawSocket? socket))
        {
            socket.Program = filter;
        }
    }

    /// <summary>What the socket is ready for, as poll(2) would say.</summary>
    public SocketEvents Poll(RawHandle handle)
    {
        if (!TryGet(handle, out RawSocket? socket))
        {
            return SocketEvents.None;
        }

        SocketEvents events = SocketEvents.Writable;
        events |= socket.ReceiveCount > 0 || socket.IsReceiveShut ? SocketEvents.Readable : SocketEvents.None;
        events |= socket.Errors.IsAny ? SocketEvents.Error : SocketEvents.None;
        events |= socket.IsReceiveShut ? SocketEvents.ReadHangUp : SocketEvents.None;
        return events | (socket.IsReceiveShut && socket.IsSendShut ? SocketEvents.HangUp : SocketEvents.None);
    }

    /// <summary>Reads and clears the pending error (SO_ERROR). Errors: EBADF.</summary>
    public Errno TakeError(RawHandle handle) => TryGet(handle, out RawSocket? socket) ? socket.Errors.Take() : Errno.EBADF;

    /// <summary>Takes the oldest entry of the error queue. Errors: EBADF, EAGAIN.</summary>
    public Errno ReceiveError(RawHandle handle, out UdpErrorInfo info)
    {
        info = default;
        return TryGet(handle, out RawSocket? socket) ? socket.Errors.Receive(out info) : Errno.EBADF;
    }

    /// <summary>Packets that were dropped because the socket's memory was used up (SO_RXQ_OVFL).</summary>
    public long GetDrops(RawHandle handle) => TryGet(handle, out RawSocket? socket) ? socket.Drops : 0;

    /// <summary>The MTU of the path to the peer. Errors: EBADF, ENOTCONN without a peer.</summary>
    public Errno GetPathMtu(RawHandle handle, out int mtu)
    {
        mtu = 0;
        if (!TryGet(handle, out RawSocket? socket))
        {
            return Errno.EBADF;
        }

        if (!socket.IsConnected || FindRoute(socket, socket.Remote.Address, default, out RouteCache route, out _) != Errno.None)
        {
            return Errno.ENOTCONN;
        }

        mtu = route.PathMtu;
        return Errno.None;
    }

    private bool TryGet(RawHandle handle, [NotNullWhen(true)] out RawSocket? socket)
    {
        socket = (uint)handle.Index < (uint)_sockets.Count ? _sockets[handle.Index] : null;
        if (socket != null && (socket.Generation != handle.Generation || (handle.Generation & 1) == 0))
        {
            socket = null;
        }

        return socket != null;
    }

    /// <summary>An echo socket gets an identifier with its first packet or its connect; false where none is free.</summary>
    private bool HasIdentifier(RawSocket socket) => !socket.IsEcho || socket.Identifier != 0 || TryTakeIdentifier(socket, 0);

    private bool TryTakeIdentifier(RawSocket socket, ushort wanted)
    {
        const int AttemptsMax = 1 << 16;
        for (int attempt = 0; attempt < AttemptsMax; attempt++)
        {
            ushort identifier = wanted != 0 ? wanted : (ushort)_engine.Random.NextUInt32();
            RawSocket? holder = identifier == 0 ? null : FindEcho(socket.IsIpv6, identifier);
            bool isShared = wanted != 0 && holder is { Options.ReuseAddress: true } && socket.Options.ReuseAddress;
            if (identifier != 0 && (holder == null || isShared))
            {
                socket.Identifier = identifier;
                socket.IdentifierAge = ++_lastIdentifierAge;
                _echoCount++;
                return true;
            }

            if (wanted != 0)
            {
                return false;
            }
        }

        return false;
    }

    /// <summary>The newest socket with an identifier; null for none.</summary>
    private RawSocket? FindEcho(bool isIpv6, ushort identifier)
    {
        RawSocket? found = null;
        for (int i = 0; i < _sockets.Count; i++)
        {
            RawSocket socket = _sockets[i];
            bool isIts = (socket.Generation & 1) != 0 && socket.IsEcho && socket.IsIpv6 == isIpv6 && socket.Identifier == identifier;
            found = isIts && (found == null || found.IdentifierAge < socket.IdentifierAge) ? socket : found;
        }

        return found;
    }

    private void ReleaseIdentifier(RawSocket socket)
    {
        if (socket.Identifier != 0)
        {
            socket.Identifier = 0;
            _echoCount--;
        }
    }

    private static IpAddress OrLoopback(in IpAddress destination) =>
        !destination.IsUnspecified ? destination : destination.IsIpv4 ? IpAddress.LoopbackIpv4 : IpAddress.LoopbackIpv6;
}

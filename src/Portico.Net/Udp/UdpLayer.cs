using System.Diagnostics.CodeAnalysis;

namespace Portico.Net;

/// <summary>
/// UDP of one stack (read first: RFC 768, RFC 1122 4.1, RFC 8200 8.1). Calls return the errno that Linux returns, in the order in which
/// Linux checks. This file opens, binds, connects and closes; the other parts send, receive and look up.
/// </summary>
public sealed partial class UdpLayer : ITransmitStampClient
{
    internal const byte MtuDiscoverDont = 0;
    internal const byte MtuDiscoverWant = 1;
    internal const byte MtuDiscoverDo = 2;
    internal const byte MtuDiscoverProbe = 3;
    internal const byte MtuDiscoverInterface = 4;
    internal const byte MtuDiscoverOmit = 5;

    private readonly NetworkStack _stack;
    private readonly Engine _engine;
    private readonly PortTable _ports;
    private readonly SipKey _key;
    private readonly UdpSocketTable _bound = new();
    private readonly UdpSocketTable _flows = new();
    private readonly UdpDatagramPool _datagrams = new();
    private UdpSocket[] _sockets = [null!];
    private int _socketCount = 1;
    private int[] _freeSockets = [];
    private int _freeCount;
    private long _queuedBytes;

    internal UdpLayer(NetworkStack stack)
    {
        _stack = stack;
        _engine = stack.Engine;
        _ports = new PortTable(stack.Engine, stack.LocalPorts, PortRules.Udp);
        _key = SipKey.From(stack.Engine.Random);
    }

    /// <summary>Settings, changeable at any time.</summary>
    public UdpOptions Options { get; } = new();

    /// <summary>Counters of datagrams over IPv4 (Udp).</summary>
    public MibTable<UdpCounter> Ipv4Counters { get; } = new();

    /// <summary>Counters of datagrams over IPv6 (Udp6).</summary>
    public MibTable<UdpCounter> Ipv6Counters { get; } = new();

    /// <summary>Sockets that are open.</summary>
    public int SocketCount => _socketCount - 1 - _freeCount;

    /// <summary>Memory of all unread datagrams; bounded by <see cref="UdpOptions.udp_mem"/>.</summary>
    public long QueuedBytes => _queuedBytes;

    private MibTable<UdpCounter> CountersOf(in IpAddress address) => address.IsIpv4 ? Ipv4Counters : Ipv6Counters;

    /// <summary>
    /// Makes a socket, not bound to anything. The owner hears Readable when a datagram has come in, Error when a datagram that it sent
    /// was refused. Errors: ENFILE, ENODEV for an interface that does not exist.
    /// </summary>
    public Errno Open(in UdpOpenRequest request, ISocketOwner? owner, out UdpHandle handle)
    {
        handle = default;
        if (request.InterfaceIndex != 0 && _stack.Ip.InterfaceAt(request.InterfaceIndex) == null)
        {
            return Errno.ENODEV;
        }

        if (SocketCount >= Options.socket_max)
        {
            return Errno.ENFILE;
        }

        UdpSocket socket = TakeSocket();
        socket.Generation++;
        socket.Reset(request, Options);
        socket.OwnerSlot = owner == null ? 0 : _engine.RegisterOwner(owner);
        handle = new UdpHandle((uint)socket.Index, socket.Generation);
        return Errno.None;
    }

    /// <summary>
    /// Gives the socket an address and port (port 0: one that is free). Errors: EBADF, EINVAL where it has one already, EAFNOSUPPORT,
    /// EADDRNOTAVAIL where the address is not the stack's, EADDRINUSE.
    /// </summary>
    public Errno Bind(UdpHandle handle, in Endpoint local) => Bind(handle, local, anyAddress: false);

    /// <summary>
    /// The same, with <paramref name="anyAddress"/> also for an address of somebody else (IP_FREEBIND, IP_TRANSPARENT).
    /// </summary>
    public Errno Bind(UdpHandle handle, in Endpoint local, bool anyAddress)
    {
        if (!TryGet(handle, out UdpSocket? socket))
        {
            return Errno.EBADF;
        }

        IpAddress address = local.Address;
        if (address.IsIpv4 != !socket.IsIpv6)
        {
            if (!socket.IsIpv6)
            {
                return address.IsUnspecified ? Errno.EINVAL : Errno.EAFNOSUPPORT;
            }

            if (socket.Ipv6Only)
            {
                return Errno.EINVAL;
            }
        }

        bool isGroup = address.IsMulticast || address.IsLimitedBroadcast || _stack.Ip.IsSubnetBroadcast(address);
        if (!address.IsUnspecified && !isGroup && !anyAddress && !_stack.Ip.IsLocalAddress(address))
        {
            return Errno.EADDRNOTAVAIL;
        }

        if (socket.Binding.IsBound || socket.IsConnected)
        {
            return Errno.EINVAL;
        }

        Errno error = TakePort(socket, address, local.Port);
        if (error != Errno.None)
        {
            return error;
        }

        socket.LocalAddress = address;
        socket.SourceAddress = isGroup ? socket.Any : address;
        socket.IsAddressBound = !address.IsUnspecified;
        socket.IsPortBound = local.Port != 0;
        Rehash(socket);
        return Errno.None;
    }

    /// <summary>
    /// Names the only peer: the default destination of <see cref="Send"/>, and the only source that is received from. Errors: EBADF,
    /// EAFNOSUPPORT, ENETUNREACH, EACCES for a broadcast address without SO_BROADCAST, EAGAIN when no port is free.
    /// </summary>
    public Errno Connect(UdpHandle handle, in Endpoint remote)
    {
        if (!TryGet(handle, out UdpSocket? socket))
        {
            return Errno.EBADF;
        }

        Errno error = AutoBind(socket);
        if (error == Errno.None)
        {
            error = CheckFamily(socket, remote.Address);
        }

        if (error != Errno.None)
        {
            return error;
        }

        IpAddress destination = OrLoopback(remote.Address);
        int interfaceIndex = OutgoingInterface(socket, destination, 0);
        error = FindRoute(socket, SourceFor(socket, destination), destination, interfaceIndex, socket.DontRoute);
        if (error != Errno.None)
        {
            return error;
        }

        if (socket.Route.IsBroadcast && !socket.Broadcast)
        {
            return Errno.EACCES;
        }

        socket.Remote = new Endpoint(destination, remote.Port);
        socket.IsConnected = true;
        if (socket.LocalAddress.IsUnspecified)
        {
            socket.LocalAddress = socket.RouteSource;
        }

        if (socket.SourceAddress.IsUnspecified)
        {
            socket.SourceAddress = socket.RouteSource;
        }

        UpdateBinding(socket);
        Rehash(socket);
        return Errno.None;
    }

    /// <summary>Takes a connect back (connect(2) with AF_UNSPEC); what bind did not name is free again. Errors: EBADF.</summary>
    public Errno Disconnect(UdpHandle handle)
    {
        if (!TryGet(handle, out UdpSocket? socket))
        {
            return Errno.EBADF;
        }

        if (!socket.IsConnected)
        {
            return Errno.None;
        }

        socket.IsConnected = false;
        socket.Remote = default;
        socket.Route = default;
        if (!socket.IsAddressBound)
        {
            socket.LocalAddress = socket.SourceAddress = socket.Any;
        }

        if (socket.IsPortBound)
        {
            UpdateBinding(socket);
        }
        else
        {
            _ports.Release(socket.Binding);
            socket.Binding = default;
        }

        Rehash(socket);
        return Errno.None;
    }

    /// <summary>
    /// Ends one or both directions: no more is sent (EPIPE), or reads end once the queue is empty. Errors: EBADF, ENOTCONN.
    /// </summary>
    public Errno Shutdown(UdpHandle handle, bool receive, bool send)
    {
        if (!TryGet(handle, out UdpSocket? socket))
        {
            return Errno.EBADF;
        }

        // Linux sets the flags even where it reports that there is no peer.
        socket.IsReceiveShut |= receive;
        socket.IsSendShut |= send;
        if (receive)
        {
            _engine.Notify(socket.OwnerSlot, SocketEvents.Readable | SocketEvents.ReadHangUp);
        }

        return socket.IsConnected ? Errno.None : Errno.ENOTCONN;
    }

    /// <summary>Closes the socket: unread datagrams are gone, groups are left, the port is free. The handle is dead from here on.</summary>
    public void Close(UdpHandle handle)
    {
        if (!TryGet(handle, out UdpSocket? socket))
        {
            return;
        }

        while (socket.ReceiveCount > 0)
        {
            Dequeue(socket).Release();
        }

        LeaveAll(socket);
        if (socket.IsHashed)
        {
            Unhash(socket);
        }

        if (socket.Binding.IsBound)
        {
            _ports.Release(socket.Binding);
            socket.Binding = default;
        }

        if (socket.OwnerSlot != 0)
        {
            _engine.UnregisterOwner(socket.OwnerSlot);
            socket.OwnerSlot = 0;
        }

        socket.Generation++;
        if (_freeCount == _freeSockets.Length)
        {
            Array.Resize(ref _freeSockets, Math.Max(16, _freeCount * 2));
        }

        _freeSockets[_freeCount++] = socket.Index;
    }

    /// <summary>The two ends; unspecified where the socket has none. Errors: EBADF.</summary>
    public Errno GetEndpoints(UdpHandle handle, out Endpoint local, out Endpoint remote)
    {
        local = default;
        remote = default;
        if (!TryGet(handle, out UdpSocket? socket))
        {
            return Errno.EBADF;
        }

        local = new Endpoint(socket.LocalAddress, socket.Port);
        remote = socket.Remote;
        return Errno.None;
    }

    /// <summary>What the socket is ready for, as poll(2) would say.</summary>
    public SocketEvents Poll(UdpHandle handle)
    {
        if (!TryGet(handle, out UdpSocket? socket))
        {
            return SocketEvents.None;
        }

        SocketEvents events = SocketEvents.Writable;
        if (socket.ReceiveCount > 0 || socket.IsReceiveShut)
        {
            events |= SocketEvents.Readable;
        }

        if (socket.Errors.IsAny)
        {
            events |= SocketEvents.Error;
        }

        if (socket.IsReceiveShut)
        {
            events |= SocketEvents.ReadHangUp;
            if (socket.IsSendShut)
            {
                events |= SocketEvents.HangUp;
            }
        }

        return events;
    }

    private bool TryGet(UdpHandle handle, [NotNullWhen(true)] out UdpSocket? socket)
    {
        socket = handle.Index < (uint)_socketCount ? _sockets[handle.Index] : null;
        if (socket != null && (socket.Generation != handle.Generation || (handle.Generation & 1) == 0))
        {
            socket = null;
        }

        return socket != null;
    }

    private UdpSocket TakeSocket()
    {
        if (_freeCount > 0)
        {
            return _sockets[_freeSockets[--_freeCount]];
        }

        if (_socketCount == _sockets.Length)
        {
            Array.Resize(ref _sockets, Math.Max(16, _socketCount * 2));
        }

        UdpSocket socket = new(_socketCount);
        _sockets[_socketCount++] = socket;
        return socket;
    }

    private Errno TakePort(UdpSocket socket, in IpAddress address, ushort port)
    {
        PortBindRequest request = new()
        {
            Address = address,
            Port = port,
            ReuseAddress = socket.ReuseAddress,
            ReusePort = socket.ReusePort,
            Ipv6Only = socket.Ipv6Only,
            InterfaceIndex = socket.InterfaceIndex,
            RangeFirst = socket.RangeFirst,
            RangeLast = socket.RangeLast,
        };
        return _ports.Bind(request, out socket.Binding);
    }

    /// <summary>A socket that was not bound gets a port with its first datagram or its connect (inet_autobind).</summary>
    private Errno AutoBind(UdpSocket socket)
    {
        if (socket.Binding.IsBound)
        {
            return Errno.None;
        }

        if (TakePort(socket, socket.LocalAddress, 0) != Errno.None)
        {
            return Errno.EAGAIN;
        }

        Rehash(socket);
        return Errno.None;
    }

    private void UpdateBinding(UdpSocket socket)
    {
        if (socket.Binding.IsBound)
        {
            _ports.Update(socket.Binding, socket.LocalAddress, socket.ReuseAddress, socket.ReusePort, socket.InterfaceIndex);
        }
    }
}

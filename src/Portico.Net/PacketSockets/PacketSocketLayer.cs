using System.Diagnostics.CodeAnalysis;

namespace Portico.Net;

/// <summary>
/// Packet sockets of one stack (packet(7)): they see what comes in and goes out on links, before IP does, and send frames. Calls return the
/// errno that Linux returns. While no socket listens on an interface, its packets pass with nothing done for it.
/// </summary>
public sealed partial class PacketSocketLayer
{
    /// <summary>ETH_P_ALL: packets of all protocols, and those that this host sends.</summary>
    public const ushort AllProtocols = 3;

    private readonly NetworkStack _stack;
    private readonly Engine _engine;
    private readonly DatagramPool<PacketReceiveInfo> _packets = new();
    private readonly DatagramSockets<PacketSocket> _sockets;

    internal PacketSocketLayer(NetworkStack stack)
    {
        _stack = stack;
        _engine = stack.Engine;
        _sockets = new DatagramSockets<PacketSocket>(stack.Engine, static index => new PacketSocket(index));
    }

    /// <summary>What has been counted.</summary>
    public MibTable<PacketCounter> Counters { get; } = new();

    /// <summary>The most sockets; socket(2) then fails with ENFILE.</summary>
    public int SocketMax { get; set; } = 1 << 16;

    /// <summary>Sockets that are open.</summary>
    public int SocketCount => _sockets.OpenCount;

    /// <summary>Opens a socket, which receives from all interfaces; the owner hears of readiness. Errors: ENFILE.</summary>
    public Errno Open(in PacketOpenRequest request, ISocketOwner? owner, out PacketSocketHandle handle)
    {
        handle = default;
        if (_sockets.OpenCount >= SocketMax)
        {
            return Errno.ENFILE;
        }

        PacketSocket socket = _sockets.Open(owner);
        socket.Reset(request, _stack.Udp.Options.rmem_default);
        handle = new PacketSocketHandle(socket.Index, socket.Generation);
        UpdateTaps();
        return Errno.None;
    }

    /// <summary>
    /// Names the interface (0 for all) and the protocol (0 leaves it as it is) that it receives; what is queued stays. Errors: EBADF, ENODEV.
    /// On an interface that is down ENETDOWN becomes the pending error.
    /// </summary>
    public Errno Bind(PacketSocketHandle handle, int interfaceIndex, ushort protocol)
    {
        if (!TryGet(handle, out PacketSocket? socket))
        {
            return Errno.EBADF;
        }

        NetworkInterface? named = interfaceIndex == 0 ? null : _stack.Ip.InterfaceAt(interfaceIndex);
        if (interfaceIndex != 0 && named == null)
        {
            return Errno.ENODEV;
        }

        socket.Protocol = protocol == 0 ? socket.Protocol : protocol;
        socket.InterfaceIndex = interfaceIndex;
        if (named is { IsUp: false } && socket.Protocol != 0)
        {
            Fail(socket, Errno.ENETDOWN);
        }

        UpdateTaps();
        return Errno.None;
    }

    /// <summary>Closes the socket; the handle is dead from here on.</summary>
    public void Close(PacketSocketHandle handle)
    {
        if (TryGet(handle, out PacketSocket? socket))
        {
            _packets.Clear(ref socket.Queue);
            socket.Filter = null;
            _sockets.Close(socket);
            UpdateTaps();
        }
    }

    /// <summary>The interface and the protocol that it is bound to. Errors: EBADF.</summary>
    public Errno GetBinding(PacketSocketHandle handle, out PacketAddress address)
    {
        address = default;
        if (!TryGet(handle, out PacketSocket? socket))
        {
            return Errno.EBADF;
        }

        address.InterfaceIndex = socket.InterfaceIndex;
        address.Protocol = socket.Protocol;
        NetworkInterface? bound = socket.InterfaceIndex > 0 ? _stack.Ip.InterfaceAt(socket.InterfaceIndex) : null;
        if (bound != null)
        {
            address.HardwareType = bound.HardwareType;
            address.AddressLength = bound.AddressLength;
            address.Address = bound.Link.Address;
        }

        return Errno.None;
    }

    /// <summary>Replaces the options.</summary>
    public void SetOptions(PacketSocketHandle handle, in PacketSocketOptions options)
    {
        if (TryGet(handle, out PacketSocket? socket))
        {
            socket.Options = options;
        }
    }

    /// <summary>Says which packets the socket gets, and how much of each; null for all of them (SO_ATTACH_FILTER, SO_DETACH_FILTER).</summary>
    public void AttachFilter(PacketSocketHandle handle, SocketFilter? filter)
    {
        if (TryGet(handle, out PacketSocket? socket))
        {
            socket.Filter = filter;
        }
    }

    /// <summary>
    /// PACKET_STATISTICS: the packets that were for the socket, and how many of them were dropped, since this was last asked.
    /// </summary>
    public (uint Packets, uint Drops) TakeStatistics(PacketSocketHandle handle)
    {
        if (!TryGet(handle, out PacketSocket? socket))
        {
            return default;
        }

        (uint packets, uint drops) = (socket.CountedPackets + socket.CountedDrops, socket.CountedDrops);
        socket.CountedPackets = socket.CountedDrops = 0;
        return (packets, drops);
    }

    /// <summary>What the socket is ready for, as poll(2) would say.</summary>
    public SocketEvents Poll(PacketSocketHandle handle)
    {
        if (!TryGet(handle, out PacketSocket? socket))
        {
            return SocketEvents.None;
        }

        return SocketEvents.Writable
            | (socket.Queue.Count > 0 ? SocketEvents.Readable : SocketEvents.None)
            | (socket.Pending != Errno.None ? SocketEvents.Error : SocketEvents.None);
    }

    /// <summary>Reads and clears the pending error (SO_ERROR). Errors: EBADF.</summary>
    public Errno TakeError(PacketSocketHandle handle)
    {
        if (!TryGet(handle, out PacketSocket? socket))
        {
            return Errno.EBADF;
        }

        Errno error = socket.Pending;
        socket.Pending = Errno.None;
        return error;
    }

    /// <summary>Packets that were dropped because the socket's memory was used up (SO_RXQ_OVFL).</summary>
    public long GetDrops(PacketSocketHandle handle) => TryGet(handle, out PacketSocket? socket) ? socket.Drops : 0;

    /// <summary>Memory that the unread packets hold.</summary>
    public int GetQueuedBytes(PacketSocketHandle handle) => TryGet(handle, out PacketSocket? socket) ? socket.Queue.Memory : 0;

    /// <summary>An interface has gone down: those who listen to it alone are told.</summary>
    internal void OnDown(NetworkInterface down)
    {
        for (int i = 0; i < _sockets.Places; i++)
        {
            PacketSocket socket = _sockets[i];
            if (socket.InterfaceIndex == down.Index && socket.ListensOn(down))
            {
                Fail(socket, Errno.ENETDOWN);
            }
        }
    }

    /// <summary>An interface is gone for good.</summary>
    internal void OnRemoved(NetworkInterface removed)
    {
        OnDown(removed);
        for (int i = 0; i < _sockets.Places; i++)
        {
            if (_sockets[i].IsOpen && _sockets[i].InterfaceIndex == removed.Index)
            {
                _sockets[i].InterfaceIndex = -1;
            }
        }
    }

    /// <summary>Tells each interface whether anybody listens there.</summary>
    internal void UpdateTaps()
    {
        foreach (NetworkInterface tapped in _stack.InterfaceList)
        {
            bool isTapped = false;
            for (int i = 0; i < _sockets.Places && !isTapped; i++)
            {
                isTapped = _sockets[i].ListensOn(tapped);
            }

            tapped.IsTapped = isTapped;
        }
    }

    private void Fail(PacketSocket socket, Errno error)
    {
        socket.Pending = error;
        _engine.Notify(socket.OwnerSlot, SocketEvents.Error);
    }

    private bool TryGet(PacketSocketHandle handle, [NotNullWhen(true)] out PacketSocket? socket) =>
        _sockets.TryGet(handle.Index, handle.Generation, out socket);
}

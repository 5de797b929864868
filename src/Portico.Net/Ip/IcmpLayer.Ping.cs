using System.Buffers.Binary;

namespace Portico.Net;

// Echo sockets: an application sends echo requests under an identifier of its own and receives what answers them.
public sealed partial class IcmpLayer
{
    private const int ReplyCountMax = 256;
    private const int ReplyBytesMax = 212_992;

    private readonly List<IcmpEchoSocket> _echoSockets = [];
    private readonly Dictionary<int, int> _echoByIdentifier = [];

    /// <summary>
    /// Opens an echo socket. A <paramref name="local"/> address that is unspecified is chosen by route at each request and says only the
    /// family; <paramref name="identifier"/> 0 is chosen at random. The owner hears Readable for replies, Error for ICMP errors.
    /// Errors: EADDRNOTAVAIL, EADDRINUSE for the identifier.
    /// </summary>
    public Errno OpenEcho(IpAddress local, ushort identifier, int interfaceIndex, ISocketOwner? owner, out IcmpEchoHandle handle)
    {
        handle = default;
        if (!local.IsUnspecified && !_stack.Ip.IsLocalAddress(local))
        {
            return Errno.EADDRNOTAVAIL;
        }

        for (int attempt = 0; identifier == 0 || _echoByIdentifier.ContainsKey(EchoKey(local.IsIpv4, identifier)); attempt++)
        {
            if (identifier != 0 && attempt == 0)
            {
                return Errno.EADDRINUSE;
            }

            if (attempt == 1 << 16)
            {
                return Errno.EADDRINUSE;
            }

            identifier = (ushort)_stack.Engine.Random.NextUInt32();
            attempt = Math.Max(attempt, 1);
        }

        int index = _echoSockets.FindIndex(socket => !socket.IsOpen);
        if (index < 0)
        {
            index = _echoSockets.Count;
            _echoSockets.Add(new IcmpEchoSocket());
        }

        IcmpEchoSocket opened = _echoSockets[index];
        opened.IsOpen = true;
        opened.IsIpv4 = local.IsIpv4;
        opened.Identifier = identifier;
        opened.LocalAddress = local;
        opened.InterfaceIndex = interfaceIndex;
        opened.OwnerSlot = owner == null ? 0 : _stack.Engine.RegisterOwner(owner);
        opened.PendingError = Errno.None;
        _echoByIdentifier.Add(EchoKey(local.IsIpv4, identifier), index);
        handle = new IcmpEchoHandle(index, opened.Generation);
        return Errno.None;
    }

    /// <summary>The identifier under which a socket sends; 0 for a stale handle.</summary>
    public ushort EchoIdentifier(IcmpEchoHandle handle) => Find(handle)?.Identifier ?? 0;

    /// <summary>
    /// Sends an echo request. A hop limit of 0 means the default. Errors: EBADF for a stale handle, EAFNOSUPPORT, EMSGSIZE, EACCES for a
    /// broadcast address, those of a route.
    /// </summary>
    public Errno SendEcho(
        IcmpEchoHandle handle,
        IpAddress destination,
        ushort sequenceNumber,
        ReadOnlySpan<byte> payload,
        byte hopLimit = 0,
        bool dontFragment = false)
    {
        if (Find(handle) is not { } socket)
        {
            return Errno.EBADF;
        }

        if (destination.IsIpv4 != socket.IsIpv4)
        {
            return Errno.EAFNOSUPPORT;
        }

        Errno error = _stack.Ip.FindRoute(socket.LocalAddress, destination, socket.InterfaceIndex, out RouteCache route);
        if (error == Errno.None && route.IsBroadcast)
        {
            error = Errno.EACCES;
        }

        IpAddress source = socket.LocalAddress;
        if (error == Errno.None && source.IsUnspecified)
        {
            error = _stack.Ip.SelectSource(route, destination, out source);
        }

        if (error != Errno.None)
        {
            return error;
        }

        IpSend send = new()
        {
            Source = source,
            Destination = destination,
            Protocol = socket.IsIpv4 ? IpProtocol.Icmp : IpProtocol.Icmpv6,
            HopLimit = hopLimit,
            DontFragment = dontFragment,
        };
        byte type = socket.IsIpv4 ? IcmpType.EchoRequest : Icmpv6Type.EchoRequest;
        return SendEchoMessage(type, socket.Identifier, sequenceNumber, payload, route, send);
    }

    /// <summary>Takes the oldest reply and copies its payload. Errors: EAGAIN when there is none, EBADF for a stale handle.</summary>
    public Errno ReceiveEcho(IcmpEchoHandle handle, Span<byte> payload, out IcmpEchoReply reply)
    {
        reply = default;
        if (Find(handle) is not { } socket)
        {
            return Errno.EBADF;
        }

        if (!socket.Replies.TryDequeue(out (Packet Packet, IcmpEchoReply Reply) first))
        {
            return Errno.EAGAIN;
        }

        reply = first.Reply;
        socket.ReplyBytes -= reply.PayloadBytes;
        first.Packet.Pull(IcmpHeader.Length);
        first.Packet.TrimTo(Math.Min(payload.Length, reply.PayloadBytes));
        first.Packet.CopyTo(payload);
        first.Packet.Release();
        return Errno.None;
    }

    /// <summary>Reads and clears the pending error (SO_ERROR): what the last ICMP error about a request of this socket said.</summary>
    public Errno TakeEchoError(IcmpEchoHandle handle)
    {
        if (Find(handle) is not { } socket)
        {
            return Errno.EBADF;
        }

        Errno error = socket.PendingError;
        socket.PendingError = Errno.None;
        return error;
    }

    /// <summary>What the socket is ready for.</summary>
    public SocketEvents PollEcho(IcmpEchoHandle handle) => Find(handle) is not { } socket
        ? SocketEvents.Error
        : SocketEvents.Writable
            | (socket.Replies.Count > 0 ? SocketEvents.Readable : 0)
            | (socket.PendingError != 0 ? SocketEvents.Error : 0);

    /// <summary>Closes an echo socket; the handle is dead from here on.</summary>
    public void CloseEcho(IcmpEchoHandle handle)
    {
        if (Find(handle) is not { } socket)
        {
            return;
        }

        _echoByIdentifier.Remove(EchoKey(socket.IsIpv4, socket.Identifier));
        if (socket.OwnerSlot != 0)
        {
            _stack.Engine.UnregisterOwner(socket.OwnerSlot);
        }

        while (socket.Replies.TryDequeue(out (Packet Packet, IcmpEchoReply Reply) left))
        {
            left.Packet.Release();
        }

        socket.ReplyBytes = 0;
        socket.IsOpen = false;
        socket.Generation++;
    }

    private void HandleEchoReply(Packet packet, in IpInfo info, MibTable<IcmpCounter> mib)
    {
        if (_stack.Raw.OnEchoReply(packet, info))
        {
            packet.Release();
            return;
        }

        IcmpEchoSocket? socket = packet.LinearLength < IcmpHeader.Length
            ? null
            : FindByIdentifier(info.Destination.IsIpv4, BinaryPrimitives.ReadUInt16BigEndian(packet.Linear[4..]));
        bool isFor = socket != null && (socket.LocalAddress.IsUnspecified || socket.LocalAddress == info.Destination)
            && (socket.InterfaceIndex == 0 || socket.InterfaceIndex == info.Interface.Index);
        if (!isFor || socket!.Replies.Count >= ReplyCountMax || socket.ReplyBytes + packet.Length > ReplyBytesMax)
        {
            Drop(packet, mib, IcmpCounter.DropEchoUnclaimed);
            return;
        }

        IcmpEchoReply reply = new()
        {
            Source = info.Source,
            Destination = info.Destination,
            SequenceNumber = BinaryPrimitives.ReadUInt16BigEndian(packet.Linear[6..]),
            HopLimit = info.HopLimit,
            Time = _stack.Engine.Now,
            PayloadBytes = packet.Length - IcmpHeader.Length,
        };
        socket.Replies.Enqueue((packet, reply));
        socket.ReplyBytes += reply.PayloadBytes;
        _stack.Engine.Notify(socket.OwnerSlot, SocketEvents.Readable);
    }

    private void HandleEchoError(in IcmpErrorInfo error, ReadOnlySpan<byte> quoted)
    {
        byte request = error.LocalAddress.IsIpv4 ? IcmpType.EchoRequest : Icmpv6Type.EchoRequest;
        if (quoted[0] == request && error.Mtu >= 0)
        {
            _stack.Ip.LearnPathMtu(error);
        }

        IcmpEchoSocket? socket = quoted[0] == request
            ? FindByIdentifier(error.LocalAddress.IsIpv4, BinaryPrimitives.ReadUInt16BigEndian(quoted[4..]))
            : null;
        if (socket != null)
        {
            socket.PendingError = error.Error;
            _stack.Engine.Notify(socket.OwnerSlot, SocketEvents.Error);
        }
    }

    private IcmpEchoSocket? Find(IcmpEchoHandle handle) =>
        (uint)handle.Index < (uint)_echoSockets.Count && _echoSockets[handle.Index] is { IsOpen: true } socket
        && socket.Generation == handle.Generation
            ? socket
            : null;

    private IcmpEchoSocket? FindByIdentifier(bool isIpv4, ushort identifier) =>
        _echoByIdentifier.TryGetValue(EchoKey(isIpv4, identifier), out int index) ? _echoSockets[index] : null;

    private static int EchoKey(bool isIpv4, ushort identifier) => (isIpv4 ? 1 << 16 : 0) | identifier;
}

namespace Portico.Net;

// What an application calls to send and receive.
public sealed partial class UdpLayer
{
    private const int Ipv4PayloadMax = 65_535 - 20 - UdpHeader.Length;
    private const int Ipv6PayloadMax = 65_535 - UdpHeader.Length;

    /// <summary>
    /// Sends a datagram to the peer that <see cref="Connect"/> named. Errors: EDESTADDRREQ without one, and those of
    /// <see cref="SendTo"/>.
    /// </summary>
    public Errno Send(UdpHandle handle, ReadOnlySpan<byte> data, in UdpSendOptions options = default)
    {
        if (!TryGet(handle, out UdpSocket? socket))
        {
            return Errno.EBADF;
        }

        Errno error = CheckSize(socket, data);
        if (error != Errno.None)
        {
            return error;
        }

        return socket.IsConnected ? SendChecked(socket, data, socket.Remote, options) : Errno.EDESTADDRREQ;
    }

    /// <summary>
    /// Sends a datagram. Errors: EBADF, EMSGSIZE where it is larger than IP can carry, or than the path where it must not be fragmented,
    /// EPIPE after shutdown, EINVAL for port 0, EAFNOSUPPORT, EAGAIN when no port is free, ENETUNREACH, EACCES for a broadcast address
    /// without SO_BROADCAST, ENOBUFS, or the pending error (ECONNREFUSED, ...).
    /// </summary>
    public Errno SendTo(UdpHandle handle, ReadOnlySpan<byte> data, in Endpoint destination, in UdpSendOptions options = default)
    {
        if (!TryGet(handle, out UdpSocket? socket))
        {
            return Errno.EBADF;
        }

        Errno error = CheckSize(socket, data);
        if (error == Errno.None && destination.Port == 0)
        {
            error = Errno.EINVAL;
        }

        if (error == Errno.None)
        {
            error = CheckFamily(socket, destination.Address);
        }

        return error == Errno.None
            ? SendChecked(socket, data, new Endpoint(OrLoopback(destination.Address), destination.Port), options)
            : error;
    }

    /// <summary>Takes the oldest datagram. Errors as the overload with flags.</summary>
    public Errno Receive(UdpHandle handle, Span<byte> buffer, out UdpReceiveInfo info, out int received) =>
        Receive(handle, buffer, UdpReceiveFlags.None, out info, out received);

    /// <summary>
    /// Takes the oldest datagram, as much of it as fits. Errors: EBADF, the pending error, EAGAIN when there is none.
    /// </summary>
    public Errno Receive(UdpHandle handle, Span<byte> buffer, UdpReceiveFlags flags, out UdpReceiveInfo info, out int received)
    {
        info = default;
        received = 0;
        if (!TryGet(handle, out UdpSocket? socket))
        {
            return Errno.EBADF;
        }

        if (socket.Errors.Pending != Errno.None)
        {
            return socket.Errors.Take();
        }

        if (socket.ReceiveCount == 0)
        {
            return socket.IsReceiveShut ? Errno.None : Errno.EAGAIN;
        }

        ref UdpDatagram datagram = ref _datagrams.At(socket.ReceiveHead);
        Describe(datagram, out info);
        received = UdpMemory.CopyPrefix(datagram.Packet, buffer);
        if ((flags & UdpReceiveFlags.Peek) == 0)
        {
            CountersOf(info.Destination.Address)[UdpCounter.InDatagrams]++;
            Dequeue(socket).Release();
        }

        return Errno.None;
    }

    /// <summary>
    /// Looks at what waits from a place on that counts the bytes of all datagrams (SO_PEEK_OFF): as much as fits of the datagram that it is
    /// in. <paramref name="offset"/> becomes the place in that datagram. Errors: EBADF, the pending error, EAGAIN where nothing is so far
    /// behind.
    /// </summary>
    public Errno Peek(UdpHandle handle, Span<byte> buffer, ref int offset, out UdpReceiveInfo info, out int received)
    {
        info = default;
        received = 0;
        if (!TryGet(handle, out UdpSocket? socket))
        {
            return Errno.EBADF;
        }

        if (socket.Errors.Pending != Errno.None)
        {
            return socket.Errors.Take();
        }

        int index = socket.ReceiveCount > 0 ? socket.ReceiveHead : 0;
        int left = offset;
        while (index != 0)
        {
            ref UdpDatagram datagram = ref _datagrams.At(index);
            int length = datagram.Packet.Length;
            if (left < length || (left == 0 && !datagram.IsPeeked))
            {
                datagram.IsPeeked = length == 0;
                Describe(datagram, out info);
                received = datagram.Packet.CopyTo(left, buffer);
                offset = left;
                return Errno.None;
            }

            left -= length;
            index = datagram.Next;
        }

        return socket.IsReceiveShut ? Errno.None : Errno.EAGAIN;
    }

    private static void Describe(in UdpDatagram datagram, out UdpReceiveInfo info) => info = new UdpReceiveInfo
    {
        Source = datagram.Source,
        Destination = datagram.Destination,
        InterfaceIndex = datagram.InterfaceIndex,
        HopLimit = datagram.HopLimit,
        TrafficClass = datagram.TrafficClass,
        FlowLabel = datagram.FlowLabel,
        TotalLength = datagram.Packet.Length,
        SegmentBytes = datagram.Packet.GsoSize,
        Drops = datagram.Drops,
        Timestamp = datagram.Packet.Timestamp,
    };

    /// <summary>Reads and clears the pending error (SO_ERROR).</summary>
    public Errno TakeError(UdpHandle handle) => TryGet(handle, out UdpSocket? socket) ? socket.Errors.Take() : Errno.EBADF;

    /// <summary>
    /// Takes the oldest entry of the error queue, which IP_RECVERR or IPV6_RECVERR turns on (MSG_ERRQUEUE). Errors: EBADF, EAGAIN.
    /// </summary>
    public Errno ReceiveError(UdpHandle handle, out UdpErrorInfo info)
    {
        info = default;
        return TryGet(handle, out UdpSocket? socket) ? socket.Errors.Receive(out info) : Errno.EBADF;
    }

    /// <summary>The order is Linux's: a socket of IPv6 looks at the destination first.</summary>
    private static Errno CheckSize(UdpSocket socket, ReadOnlySpan<byte> data) =>
        data.Length > 65_535 && !socket.IsIpv6 ? Errno.EMSGSIZE : Errno.None;

    private static Errno CheckFamily(UdpSocket socket, in IpAddress destination)
    {
        if (destination.IsIpv4)
        {
            return socket.IsIpv6 && socket.Ipv6Only ? Errno.ENETUNREACH : Errno.None;
        }

        return socket.IsIpv6 ? Errno.None : Errno.EAFNOSUPPORT;
    }

    /// <summary>0.0.0.0 and :: as destinations mean this host, as in BSD and Linux.</summary>
    private static IpAddress OrLoopback(in IpAddress destination) =>
        !destination.IsUnspecified ? destination : destination.IsIpv4 ? IpAddress.LoopbackIpv4 : IpAddress.LoopbackIpv6;

    private static int OutgoingInterface(UdpSocket socket, in IpAddress destination, int wanted)
    {
        int index = wanted != 0 ? wanted : socket.InterfaceIndex;
        if (index != 0)
        {
            return index;
        }

        ref UdpFamilyOptions family = ref socket.OptionsFor(destination);
        return destination.IsMulticast ? family.MulticastInterface : family.UnicastInterface;
    }

    /// <summary>The source that the socket insists on, in the destination's family; unspecified where the route decides.</summary>
    private static IpAddress SourceFor(UdpSocket socket, in IpAddress destination)
    {
        if (!socket.SourceAddress.IsUnspecified)
        {
            return socket.SourceAddress;
        }

        return destination.IsIpv4 ? IpAddress.AnyIpv4 : IpAddress.AnyIpv6;
    }
}

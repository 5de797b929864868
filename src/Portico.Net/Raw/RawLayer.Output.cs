using System.Buffers.Binary;

namespace Portico.Net;

// Packets that go out.
public sealed partial class RawLayer
{
    /// <summary>
    /// Sends a packet: the payload of one, or with IP_HDRINCL all of it, or for an echo socket an echo request whose identifier and checksum
    /// are filled in. <paramref name="protocol"/> 0 is the socket's. Errors: EBADF, those of a route, EACCES for a broadcast address without
    /// SO_BROADCAST, EMSGSIZE, EINVAL for a header that is none, EAGAIN where no identifier is free, EPIPE, ENOBUFS, the pending error.
    /// </summary>
    public Errno Send(RawHandle handle, ReadOnlySpan<byte> data, in IpAddress to, byte protocol, in UdpSendOptions options)
    {
        if (!TryGet(handle, out RawSocket? socket))
        {
            return Errno.EBADF;
        }

        if (!HasIdentifier(socket))
        {
            return Errno.EAGAIN;
        }

        IpAddress destination = OrLoopback(to);
        Errno error = FindRoute(socket, destination, options, out RouteCache route, out IpAddress source);
        if (error != Errno.None)
        {
            return error;
        }

        if (route.IsBroadcast && !socket.Options.Broadcast)
        {
            return Errno.EACCES;
        }

        bool includesHeader = socket.Options.HeaderIncluded;
        int overhead = includesHeader ? 0 : socket.IsIpv6 ? IpLayer.Ipv6HeaderBytes : IpLayer.Ipv4HeaderBytes;
        int mtu = includesHeader ? route.PathMtu : UdpLayer.Smaller(route.PathMtu, socket.Options.FragmentMtu);
        bool fits = data.Length + overhead <= mtu;
        bool mustFit = includesHeader || options.MustFit || socket.Options.MtuDiscover is UdpLayer.MtuDiscoverDo or UdpLayer.MtuDiscoverProbe
            or UdpLayer.MtuDiscoverInterface;
        if ((!fits && mustFit) || data.Length + (socket.IsIpv6 ? 0 : overhead) > IpLayer.PacketBytesMax)
        {
            return TooLong(socket, destination, data, mtu);
        }

        if (includesHeader && data.Length < (socket.IsIpv6 ? IpLayer.Ipv6HeaderBytes : IpLayer.Ipv4HeaderBytes))
        {
            return Errno.EINVAL;
        }

        // As in Linux, the payloads of raw sockets go out whatever has been shut down, and whatever has gone wrong before.
        bool isChecked = socket.IsEcho || includesHeader;
        if (isChecked && socket.Errors.Pending != Errno.None)
        {
            return socket.Errors.Take();
        }

        if (isChecked && socket.IsSendShut)
        {
            return Errno.EPIPE;
        }

        Packet? packet = _engine.Packets.RentLinear(data.Length);
        if (packet == null)
        {
            return Errno.ENOBUFS;
        }

        data.CopyTo(packet.Append(data.Length));
        packet.TransportOffset = packet.Start;
        if (includesHeader)
        {
            error = _stack.Ip.SendWithHeader(packet, route, source);
        }
        else
        {
            IpSend send = Describe(socket, source, destination, route, protocol, fits, options);
            error = Prepare(socket, packet, send) ? _stack.Ip.Send(packet, route, send) : Refuse(packet);
        }

        Counters[RawCounter.OutPackets] += error == Errno.None ? 1 : 0;
        return error;
    }

    private static Errno Refuse(Packet packet)
    {
        packet.Release();
        return Errno.EINVAL;
    }

    private static IpSend Describe(
        RawSocket socket, in IpAddress source, in IpAddress destination, in RouteCache route, byte protocol, bool fits, in UdpSendOptions options)
    {
        ref RawOptions own = ref socket.Options;
        byte hopLimit = options.HopLimit != 0 ? options.HopLimit
            : route.IsMulticast ? own.MulticastHopLimit
            : own.HopLimit < 0 ? (byte)0 : (byte)own.HopLimit;
        return new IpSend
        {
            Source = source,
            Destination = destination,
            Protocol = (IpProtocol)(protocol != 0 ? protocol : socket.Protocol),
            HopLimit = hopLimit,
            TrafficClass = options.HasTrafficClass ? options.TrafficClass : own.TrafficClass,
            DontFragment = fits && destination.IsIpv4 && (options.MustFit || own.MtuDiscover is UdpLayer.MtuDiscoverWant or UdpLayer.MtuDiscoverDo
                or UdpLayer.MtuDiscoverProbe),
            NoMulticastLoop = !own.MulticastLoop,
            FlowLabel = options.FlowLabel,
            FragmentMtu = own.FragmentMtu,
        };
    }

    /// <summary>Fills in what the stack fills in: the identifier of an echo request, and checksums. False where there is no room for one.</summary>
    private static bool Prepare(RawSocket socket, Packet packet, in IpSend send)
    {
        Span<byte> payload = packet.Linear;
        int offset = socket.IsEcho || send.Protocol == IpProtocol.Icmpv6 ? 2 : socket.IsIpv6 ? socket.Options.ChecksumOffset : -1;
        if (socket.IsEcho)
        {
            BinaryPrimitives.WriteUInt16BigEndian(payload[4..], socket.Identifier);
        }

        if (offset >= 0)
        {
            if (payload.Length < offset + 2)
            {
                return false;
            }

            ulong sum = socket.IsIpv6 ? InternetChecksum.PseudoHeader(send.Source, send.Destination, send.Protocol, payload.Length) : 0;
            BinaryPrimitives.WriteUInt16BigEndian(payload[offset..], 0);
            ushort checksum = InternetChecksum.Finish(InternetChecksum.Accumulate(sum, payload));
            BinaryPrimitives.WriteUInt16BigEndian(payload[offset..], checksum == 0 && socket.IsIpv6 ? (ushort)0xFFFF : checksum);
        }

        return true;
    }

    private Errno TooLong(RawSocket socket, in IpAddress destination, ReadOnlySpan<byte> data, int mtu)
    {
        if (socket.Options.ReceiveErrors)
        {
            // Linux tells the type and code of a message of ICMPv6 where ports would be.
            bool hasType = socket.IsIpv6 && socket.Protocol == (byte)IpProtocol.Icmpv6 && data.Length >= 2;
            Endpoint told = new(destination, hasType ? BinaryPrimitives.ReadUInt16BigEndian(data) : (ushort)0);
            UdpErrorInfo info = new(Errno.EMSGSIZE, UdpErrorOrigin.Local, 0, 0, mtu, told, default) { Timestamp = _engine.Now };
            QueueError(socket, info, quoted: []);
            _engine.Notify(socket.OwnerSlot, SocketEvents.Error);
        }

        return Errno.EMSGSIZE;
    }

    private void QueueError(RawSocket socket, in UdpErrorInfo info, ReadOnlySpan<byte> quoted)
    {
        bool isAdded = socket.Errors.TryAdd(info, quoted, socket.ReceiveMemory, socket.Options.ReceiveMemoryMax);
        Counters[RawCounter.ErrorQueueDrops] += isAdded ? 0 : 1;
    }

    private Errno FindRoute(
        RawSocket socket, in IpAddress destination, in UdpSendOptions options, out RouteCache route, out IpAddress source)
    {
        ref RawOptions own = ref socket.Options;
        int index = options.InterfaceIndex != 0 ? options.InterfaceIndex
            : own.InterfaceIndex != 0 ? own.InterfaceIndex
            : destination.IsMulticast ? own.MulticastInterface : own.UnicastInterface;
        source = options.Source != default && !options.Source.IsUnspecified ? options.Source : socket.SourceAddress;
        Errno error = _stack.Ip.FindRoute(source, destination, index, out route, options.OnLink || own.DontRoute);
        if (error == Errno.None && source.IsUnspecified)
        {
            error = _stack.Ip.SelectSource(route, destination, out source);
            error = destination.IsIpv4 ? Errno.None : error;
        }

        return error;
    }
}

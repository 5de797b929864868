namespace Portico.Net;

// Datagrams that go out.
public sealed partial class UdpLayer
{
    private Errno SendChecked(UdpSocket socket, ReadOnlySpan<byte> data, in Endpoint destination, in UdpSendOptions options)
    {
        Errno error = AutoBind(socket);
        if (error != Errno.None)
        {
            return error;
        }

        IpAddress source = SourceFor(socket, destination.Address);
        if (options.Source != default && !options.Source.IsUnspecified)
        {
            source = options.Source;
        }

        if (source.IsIpv4 != destination.Address.IsIpv4)
        {
            return Errno.ENETUNREACH;
        }

        int interfaceIndex = OutgoingInterface(socket, destination.Address, options.InterfaceIndex);
        error = FindRoute(socket, source, destination.Address, interfaceIndex, options.OnLink || socket.DontRoute);
        if (error != Errno.None)
        {
            return error;
        }

        if (socket.Route.IsBroadcast && !socket.Broadcast)
        {
            return Errno.EACCES;
        }

        if (data.Length > (destination.Address.IsIpv4 ? Ipv4PayloadMax : Ipv6PayloadMax))
        {
            return LocalTooBig(socket, destination, destination.Address.IsIpv4 ? 65_535 : Smaller(socket.Route.PathMtu, socket.Ipv6.FragmentMtu));
        }

        // Linux reports a pending error here: sock_alloc_send_skb looks at it first.
        if (socket.Errors.Pending != Errno.None)
        {
            return socket.Errors.Take();
        }

        return socket.IsSendShut ? Errno.EPIPE : Transmit(socket, data, destination, options);
    }

    private Errno Transmit(UdpSocket socket, ReadOnlySpan<byte> data, in Endpoint destination, in UdpSendOptions options)
    {
        bool isIpv4 = destination.Address.IsIpv4;
        ref UdpFamilyOptions family = ref socket.OptionsFor(destination.Address);
        RouteCache route = socket.Route;
        if (family.MtuDiscover >= MtuDiscoverProbe)
        {
            // Probe, interface and omit do not believe what ICMP said about the path.
            route.PathMtu = _stack.Ip.InterfaceAt(route.InterfaceIndex)?.Mtu ?? route.PathMtu;
        }

        int length = UdpHeader.Length + data.Length;
        int mtu = Smaller(route.PathMtu, family.FragmentMtu);
        bool isSegmented = options.SegmentBytes > 0;
        Errno error = isSegmented ? CheckSegments(socket, data.Length, options.SegmentBytes, isIpv4, mtu) : Errno.None;
        if (error != Errno.None)
        {
            return error;
        }

        bool fits = isSegmented || length + (isIpv4 ? 20 : 40) <= mtu;
        bool mustFit = options.MustFit || family.MtuDiscover is MtuDiscoverDo or MtuDiscoverProbe or MtuDiscoverInterface;
        if (!fits && mustFit)
        {
            return LocalTooBig(socket, destination, mtu);
        }

        MibTable<UdpCounter> mib = CountersOf(destination.Address);
        byte hopLimit = HopLimitFor(family, route, options);
        if (route.IsMulticast && hopLimit == 0)
        {
            // RFC 1112 6.1: such a datagram must not leave the host.
            mib[UdpCounter.OutDatagrams]++;
            return Errno.None;
        }

        Packet? packet = _engine.Packets.RentLinear(length);
        if (packet == null)
        {
            mib[UdpCounter.SndbufErrors]++;
            return Errno.ENOBUFS;
        }

        UdpHeader.Write(packet.Append(UdpHeader.Length), socket.Port, destination.Port, length);
        data.CopyTo(packet.Append(data.Length));
        packet.TransportOffset = packet.Start;
        packet.GsoSize = isSegmented && data.Length > options.SegmentBytes ? options.SegmentBytes : 0;
        Stamp(socket, packet, options);
        packet.Checksum = (isIpv4 ? socket.NoChecksum : socket.SendsNoChecksum6) ? ChecksumState.Verified : ChecksumState.Partial;
        IpSend send = new()
        {
            Source = socket.RouteSource,
            Destination = destination.Address,
            Protocol = IpProtocol.Udp,
            HopLimit = hopLimit,
            TrafficClass = options.HasTrafficClass ? options.TrafficClass : family.TrafficClass,
            DontFragment = fits && isIpv4 && family.MtuDiscover is MtuDiscoverWant or MtuDiscoverDo or MtuDiscoverProbe,
            NoMulticastLoop = !family.MulticastLoop,
            FlowLabel = options.FlowLabel,
            FragmentMtu = family.FragmentMtu,
        };
        error = _stack.Ip.Send(packet, route, send);
        if (error == Errno.None)
        {
            mib[UdpCounter.OutDatagrams]++;
        }
        else if (error == Errno.ENOBUFS)
        {
            mib[UdpCounter.SndbufErrors]++;
        }

        return error;
    }

    /// <summary>The MTU of a path, or what a socket takes for it where that is less; 0 for nothing.</summary>
    internal static int Smaller(int pathMtu, int fragmentMtu) => fragmentMtu > 0 ? Math.Min(pathMtu, fragmentMtu) : pathMtu;

    private static byte HopLimitFor(in UdpFamilyOptions family, in RouteCache route, in UdpSendOptions options)
    {
        if (options.HopLimit != 0)
        {
            return options.HopLimit;
        }

        return route.IsMulticast ? family.MulticastHopLimit : family.HopLimit < 0 ? (byte)0 : (byte)family.HopLimit;
    }

    /// <summary>
    /// Brings the socket's cached route up to date for a destination, and chooses the source address where none is given. Errors:
    /// those of <see cref="IpLayer.FindRoute"/>, EADDRNOTAVAIL without a source.
    /// </summary>
    private Errno FindRoute(UdpSocket socket, in IpAddress source, in IpAddress destination, int interfaceIndex, bool isOnLink)
    {
        if (socket.Route.Generation == _stack.Ip.RouteGeneration && socket.RouteDestination == destination
            && socket.RouteWantedSource == source && socket.RouteInterface == interfaceIndex && socket.IsRouteOnLink == isOnLink)
        {
            return Errno.None;
        }

        Errno error = _stack.Ip.FindRoute(source, destination, interfaceIndex, out RouteCache route, isOnLink);
        if (error != Errno.None)
        {
            return error;
        }

        IpAddress chosen = source;
        if (source.IsUnspecified)
        {
            error = _stack.Ip.SelectSource(route, destination, out chosen);
            if (error != Errno.None && !destination.IsIpv4)
            {
                return error;
            }

            // IPv4 goes without a source address where the host has none yet: that is how DHCP begins (RFC 2131 4.1).
        }

        socket.Route = route;
        socket.RouteDestination = destination;
        socket.RouteWantedSource = source;
        socket.RouteSource = chosen;
        socket.RouteInterface = interfaceIndex;
        socket.IsRouteOnLink = isOnLink;
        return Errno.None;
    }

    private Errno LocalTooBig(UdpSocket socket, in Endpoint destination, int mtu)
    {
        if (socket.OptionsFor(destination.Address).ReceiveErrors)
        {
            // Linux tells the port of a socket of IPv4 that is connected, and no other.
            Endpoint told = destination.Address.IsIpv4 ? new Endpoint(destination.Address, socket.Remote.Port) : destination;
            QueueError(socket, new UdpErrorInfo(Errno.EMSGSIZE, UdpErrorOrigin.Local, 0, 0, mtu, told, default) { Timestamp = _engine.Now }, quoted: []);
        }

        return Errno.EMSGSIZE;
    }
}

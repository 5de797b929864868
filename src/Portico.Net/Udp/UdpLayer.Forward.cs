namespace Portico.Net;

// Datagrams to anywhere, for whoever plays the rest of the internet behind an interface that accepts any address.
public sealed partial class UdpLayer
{
    /// <summary>Takes datagrams that no socket is bound for, on interfaces that accept any address; null to refuse them.</summary>
    public IUdpForwarder? Forwarder { get; set; }

    /// <summary>
    /// Sends a datagram from an address and port that no socket needs to have. Errors: EINVAL for a port 0, a mixture of families, or a
    /// source that the stack may not use, EMSGSIZE, ENETUNREACH, ENOBUFS.
    /// </summary>
    public Errno SendFrom(in Endpoint source, in Endpoint destination, ReadOnlySpan<byte> payload)
    {
        bool isIpv4 = destination.Address.IsIpv4;
        if (source.Port == 0 || destination.Port == 0 || source.Address.IsIpv4 != isIpv4)
        {
            return Errno.EINVAL;
        }

        if (payload.Length > (isIpv4 ? Ipv4PayloadMax : Ipv6PayloadMax))
        {
            return Errno.EMSGSIZE;
        }

        Errno error = _stack.Ip.FindRoute(source.Address, destination.Address, 0, out RouteCache route);
        if (error != Errno.None)
        {
            return error;
        }

        MibTable<UdpCounter> mib = CountersOf(destination.Address);
        int length = UdpHeader.Length + payload.Length;
        Packet? packet = _engine.Packets.RentLinear(length);
        if (packet == null)
        {
            mib[UdpCounter.SndbufErrors]++;
            return Errno.ENOBUFS;
        }

        UdpHeader.Write(packet.Append(UdpHeader.Length), source.Port, destination.Port, length);
        payload.CopyTo(packet.Append(payload.Length));
        packet.TransportOffset = packet.Start;
        packet.Checksum = ChecksumState.Partial;
        IpSend send = new()
        {
            Source = source.Address,
            Destination = destination.Address,
            Protocol = IpProtocol.Udp,

            // Without a socket nobody learns a path MTU for this flow, so routers must be free to fragment.
            DontFragment = false,
        };
        error = _stack.Ip.Send(packet, route, send);
        if (error == Errno.None)
        {
            mib[UdpCounter.OutDatagrams]++;
        }

        return error;
    }

    /// <summary>
    /// Tells the sender of a forwarded datagram, by ICMP, that it could not be passed on. The error quotes the headers that the datagram
    /// had, without its payload; ICMP's rate limits apply. Errors: EINVAL for a mixture of families, ENETUNREACH, ENOBUFS.
    /// </summary>
    public Errno ReportForwardError(in Endpoint source, in Endpoint destination, int payloadLength, UdpForwardError kind)
    {
        Errno error = Quote(source, destination, payloadLength, out Packet? packet, out IpInfo info);
        if (packet != null)
        {
            _stack.Icmp.SendError(packet, info, kind switch
            {
                UdpForwardError.HostUnreachable => IcmpErrorKind.HostUnreachable,
                UdpForwardError.NetworkUnreachable => IcmpErrorKind.NetworkUnreachable,
                UdpForwardError.Prohibited => IcmpErrorKind.Prohibited,
                _ => IcmpErrorKind.PortUnreachable,
            });
            packet.Release();
        }

        return error;
    }

    /// <summary>
    /// Passes on to the sender of a forwarded datagram what was reported about it on its further way. Errors as above.
    /// </summary>
    public Errno ReportForwardError(in Endpoint source, in Endpoint destination, int payloadLength, in IcmpErrorReport report)
    {
        Errno error = Quote(source, destination, payloadLength, out Packet? packet, out IpInfo info);
        if (packet != null)
        {
            _stack.Icmp.PassError(packet, info, report);
            packet.Release();
        }

        return error;
    }

    /// <summary>Makes the headers of a forwarded datagram again, for an error to quote.</summary>
    private Errno Quote(in Endpoint source, in Endpoint destination, int payloadLength, out Packet? packet, out IpInfo info)
    {
        packet = null;
        info = default;
        bool isIpv4 = source.Address.IsIpv4;
        if (destination.Address.IsIpv4 != isIpv4)
        {
            return Errno.EINVAL;
        }

        Errno error = _stack.Ip.FindRoute(isIpv4 ? IpAddress.AnyIpv4 : IpAddress.AnyIpv6, source.Address, 0, out RouteCache route);
        NetworkInterface? input = error == Errno.None ? _stack.Ip.InterfaceAt(route.InterfaceIndex) : null;
        if (input == null)
        {
            return Errno.ENETUNREACH;
        }

        packet = _engine.Packets.RentLinear(UdpHeader.Length);
        if (packet == null)
        {
            return Errno.ENOBUFS;
        }

        int length = UdpHeader.Length + Math.Clamp(payloadLength, 0, Ipv4PayloadMax);
        UdpHeader.Write(packet.Append(UdpHeader.Length), source.Port, destination.Port, length);
        packet.TransportOffset = packet.Start;
        if (isIpv4)
        {
            Span<byte> header = packet.Push(Ipv4Header.LengthMin);
            Ipv4Header.Write(header, header.Length + length, 0, 0, 64, IpProtocol.Udp, source.Address, destination.Address);
        }
        else
        {
            Ipv6Header.Write(packet.Push(Ipv6Header.Length), length, IpProtocol.Udp, 64, source.Address, destination.Address);
        }

        packet.NetworkOffset = packet.Start;
        packet.Pull(packet.TransportOffset - packet.Start);
        info = new IpInfo
        {
            Source = source.Address,
            Destination = destination.Address,
            Interface = input,
            Protocol = IpProtocol.Udp,
            HopLimit = 64,
        };
        return Errno.None;
    }

    private bool TryForward(Packet packet, in Endpoint source, in Endpoint destination, MibTable<UdpCounter> mib)
    {
        if (Forwarder == null)
        {
            return false;
        }

        if (!packet.EnsureLinear(packet.Length))
        {
            Drop(packet, mib, UdpCounter.InErrors);
            return true;
        }

        ReadOnlySpan<byte> rest = packet.Linear[UdpHeader.Length..];
        do
        {
            int length = packet.GsoSize == 0 ? rest.Length : Math.Min(rest.Length, packet.GsoSize);
            if (!Forwarder.OnDatagram(source, destination, rest[..length]))
            {
                return false;
            }

            mib[UdpCounter.Forwarded]++;
            rest = rest[length..];
        }
        while (!rest.IsEmpty);

        packet.Release();
        return true;
    }
}

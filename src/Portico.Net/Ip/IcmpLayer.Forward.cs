namespace Portico.Net;

// Echo to anywhere, for whoever plays the rest of the internet behind an interface that accepts any address.
public sealed partial class IcmpLayer
{
    /// <summary>
    /// Tells the sender of a request that <see cref="IIcmpEchoHandler.OnEchoRequest"/> took that it could not be passed on: prohibited
    /// (EACCES, EPERM), network unreachable (ENETUNREACH and the like), else host unreachable. ICMP's rate limits apply. Errors:
    /// ENETUNREACH, ENOBUFS.
    /// </summary>
    public Errno ReportEchoError(in IcmpEchoRequest request, int payloadLength, Errno cause)
    {
        Errno error = Quote(request, payloadLength, out Packet? packet, out IpInfo info);
        if (packet != null)
        {
            SendError(packet, info, cause switch
            {
                Errno.EACCES or Errno.EPERM => IcmpErrorKind.Prohibited,
                Errno.ENETUNREACH or Errno.ENETDOWN or Errno.EADDRNOTAVAIL or Errno.EAFNOSUPPORT => IcmpErrorKind.NetworkUnreachable,
                _ => IcmpErrorKind.HostUnreachable,
            });
            packet.Release();
        }

        return error;
    }

    /// <summary>Passes on to the sender of a request what was reported about it on its further way. Errors as above.</summary>
    public Errno ReportEchoError(in IcmpEchoRequest request, int payloadLength, in IcmpErrorReport report)
    {
        Errno error = Quote(request, payloadLength, out Packet? packet, out IpInfo info);
        if (packet != null)
        {
            PassError(packet, info, report);
            packet.Release();
        }

        return error;
    }

    /// <summary>Tells the sender of a request that its hop limit ended here, as every router does.</summary>
    public Errno ReportEchoExpired(in IcmpEchoRequest request, int payloadLength)
    {
        Errno error = Quote(request, payloadLength, out Packet? packet, out IpInfo info);
        if (packet != null)
        {
            // From this host's own address, not from the one that was asked.
            byte type = request.Source.IsIpv4 ? IcmpType.TimeExceeded : Icmpv6Type.TimeExceeded;
            PassError(packet, info, new IcmpErrorReport(default, type, 0, 0));
            packet.Release();
        }

        return error;
    }

    /// <summary>Makes the headers of a request again, for an error to quote.</summary>
    private Errno Quote(in IcmpEchoRequest request, int payloadLength, out Packet? packet, out IpInfo info)
    {
        packet = null;
        info = default;
        bool isIpv4 = request.Source.IsIpv4;
        Errno error = _stack.Ip.FindRoute(isIpv4 ? IpAddress.AnyIpv4 : IpAddress.AnyIpv6, request.Source, 0, out RouteCache route);
        NetworkInterface? input = error == Errno.None ? _stack.Ip.InterfaceAt(route.InterfaceIndex) : null;
        if (input == null)
        {
            return Errno.ENETUNREACH;
        }

        packet = _stack.Engine.Packets.RentLinear(IcmpHeader.Length);
        if (packet == null)
        {
            return Errno.ENOBUFS;
        }

        IpProtocol protocol = isIpv4 ? IpProtocol.Icmp : IpProtocol.Icmpv6;
        int length = IcmpHeader.Length + payloadLength;
        byte type = isIpv4 ? IcmpType.EchoRequest : Icmpv6Type.EchoRequest;
        IcmpHeader.Write(packet.Append(IcmpHeader.Length), type, 0, ((uint)request.Identifier << 16) | request.SequenceNumber);
        packet.TransportOffset = packet.Start;
        if (isIpv4)
        {
            Span<byte> header = packet.Push(Ipv4Header.LengthMin);
            Ipv4Header.Write(header, header.Length + length, 0, 0, request.HopLimit, protocol, request.Source, request.Destination);
        }
        else
        {
            Ipv6Header.Write(packet.Push(Ipv6Header.Length), length, protocol, request.HopLimit, request.Source, request.Destination);
        }

        packet.NetworkOffset = packet.Start;
        packet.Pull(packet.TransportOffset - packet.Start);
        info = new IpInfo
        {
            Source = request.Source,
            Destination = request.Destination,
            Interface = input,
            Protocol = protocol,
            HopLimit = request.HopLimit,
        };
        return Errno.None;
    }
}

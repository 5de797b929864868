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
        bool isIpv4 = request.Source.IsIpv4;
        Errno error = _stack.Ip.FindRoute(isIpv4 ? IpAddress.AnyIpv4 : IpAddress.AnyIpv6, request.Source, 0, out RouteCache route);
        NetworkInterface? input = error == Errno.None ? _stack.Ip.InterfaceAt(route.InterfaceIndex) : null;
        if (input == null)
        {
            return Errno.ENETUNREACH;
        }

        Packet? packet = _stack.Engine.Packets.RentLinear(IcmpHeader.Length);
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
            Ipv4Header.Write(
                packet.Push(Ipv4Header.LengthMin), Ipv4Header.LengthMin + length, 0, 0, request.HopLimit, protocol, request.Source, request.Destination);
        }
        else
        {
            Ipv6Header.Write(packet.Push(Ipv6Header.Length), length, protocol, request.HopLimit, request.Source, request.Destination);
        }

        packet.NetworkOffset = packet.Start;
        packet.Pull(packet.TransportOffset - packet.Start);
        IpInfo info = new()
        {
            Source = request.Source,
            Destination = request.Destination,
            Interface = input,
            Protocol = protocol,
            HopLimit = request.HopLimit,
        };
        SendError(packet, info, cause switch
        {
            Errno.EACCES or Errno.EPERM => IcmpErrorKind.Prohibited,
            Errno.ENETUNREACH or Errno.ENETDOWN or Errno.EADDRNOTAVAIL or Errno.EAFNOSUPPORT => IcmpErrorKind.NetworkUnreachable,
            _ => IcmpErrorKind.HostUnreachable,
        });
        packet.Release();
        return Errno.None;
    }
}

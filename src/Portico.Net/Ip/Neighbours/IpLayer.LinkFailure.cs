namespace Portico.Net;

public sealed unsafe partial class IpLayer
{
    /// <summary>
    /// A neighbour did not answer, so that a packet which begins with its IP header cannot be sent. A transport on this host hears EHOSTUNREACH as
    /// from ICMP (Linux: ipv4_link_failure); whoever sent a forwarded packet gets the ICMP error. Takes ownership.
    /// </summary>
    internal void HandleLinkFailure(Packet packet, NetworkInterface output)
    {
        bool isIpv4 = packet.LinearLength > 0 && packet.Linear[0] >> 4 == 4;
        if (!packet.EnsureLinear(isIpv4 ? Ipv4HeaderBytes : Ipv6HeaderBytes))
        {
            packet.Release();
            return;
        }

        ReadOnlySpan<byte> header = packet.Linear;
        IpInfo info = new()
        {
            Source = isIpv4 ? IpAddress.ReadIpv4(header[12..]) : IpAddress.ReadIpv6(header[8..]),
            Destination = isIpv4 ? IpAddress.ReadIpv4(header[16..]) : IpAddress.ReadIpv6(header[24..]),
            Interface = output,
            Protocol = (IpProtocol)(isIpv4 ? header[9] : header[6]),
            HopLimit = isIpv4 ? header[8] : header[7],
        };
        packet.NetworkOffset = packet.Start;
        if (!IsLocalAddress(info.Source))
        {
            _stack.Icmp.SendError(packet, info, IcmpErrorKind.HostUnreachable);
            packet.Release();
            return;
        }

        int headerLength = isIpv4 ? (header[0] & 0xF) * 4 : Ipv6HeaderBytes;
        bool isFirstFragment = !isIpv4 || (header[7] == 0 && (header[6] & 0x1F) == 0);
        if (isFirstFragment && info.Protocol is IpProtocol.Tcp or IpProtocol.Udp && packet.EnsureLinear(headerLength + 8))
        {
            IcmpErrorInfo error = new()
            {
                LocalAddress = info.Source,
                RemoteAddress = info.Destination,
                Protocol = info.Protocol,
                Error = Errno.EHOSTUNREACH,
                Mtu = -1,
                Type = isIpv4 ? IcmpType.DestinationUnreachable : Icmpv6Type.DestinationUnreachable,
                Code = isIpv4 ? IcmpUnreachableCode.Host : Icmpv6UnreachableCode.Address,
                Reporter = info.Source,
                Interface = output,
            };
            ReadOnlySpan<byte> quoted = packet.Linear[headerLength..];
            if (info.Protocol == IpProtocol.Tcp)
            {
                _stack.Tcp.HandleIcmpError(error, quoted);
            }
            else
            {
                _stack.Udp.HandleIcmpError(error, quoted);
            }
        }

        packet.Release();
    }
}

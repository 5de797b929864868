using Portico.Net;

namespace Portico.Linux;

/// <summary>
/// Tells clients outside by ICMP what the command's side has said about their datagrams. The kernel has no other way to say it than a
/// raw socket, which needs CAP_NET_RAW in the host's network: an ordinary user's clients hear nothing, as from a host that drops.
/// </summary>
internal sealed class ClientErrors : IDisposable
{
    private readonly HostSocket _ipv4 = Open(IpAddress.AnyIpv4, LibC.IPPROTO_ICMP);
    private readonly HostSocket _ipv6 = Open(IpAddress.AnyIpv6, LibC.IPPROTO_ICMPV6);

    private static HostSocket Open(IpAddress any, int protocol) =>
        HostSocket.Bind(new Endpoint(any, 0), LibC.SOCK_RAW, protocol, out HostSocket socket) == Errno.None ? socket : default;

    /// <summary>
    /// Reports a port as unreachable to a client that had sent a datagram to it; false where that cannot be done. ICMP's length
    /// rules are kept (RFC 1812 4.3.2.3 asks for the headers and eight bytes at least).
    /// </summary>
    public bool ReportPortUnreachable(in Endpoint client, in Endpoint host)
    {
        bool isIpv4 = client.Address.IsIpv4;
        HostSocket socket = isIpv4 ? _ipv4 : _ipv6;
        if (!socket.IsOpen)
        {
            return false;
        }

        int ipBytes = isIpv4 ? Ipv4Header.LengthMin : Ipv6Header.Length;
        Span<byte> message = stackalloc byte[IcmpHeader.Length + Ipv6Header.Length + UdpHeader.Length];
        message = message[..(IcmpHeader.Length + ipBytes + UdpHeader.Length)];
        Span<byte> quoted = message[IcmpHeader.Length..];
        UdpHeader.Write(quoted[ipBytes..], client.Port, host.Port, UdpHeader.Length);
        if (isIpv4)
        {
            IcmpHeader.Write(message, IcmpType.DestinationUnreachable, IcmpUnreachableCode.Port, 0);
            Ipv4Header.Write(quoted, quoted.Length, 0, 0, 64, IpProtocol.Udp, client.Address, host.Address);
            IcmpHeader.WriteChecksum(message);
        }
        else
        {
            // The kernel fills in an ICMPv6 checksum by itself (RFC 3542 3.1).
            IcmpHeader.Write(message, Icmpv6Type.DestinationUnreachable, Icmpv6UnreachableCode.Port, 0);
            Ipv6Header.Write(quoted, UdpHeader.Length, IpProtocol.Udp, 64, client.Address, host.Address);
        }

        return socket.SendTo(message, new Endpoint(client.Address, 0), host.Address) == Errno.None;
    }

    public void Dispose()
    {
        foreach (HostSocket socket in (HostSocket[])[_ipv4, _ipv6])
        {
            if (socket.IsOpen)
            {
                socket.Close();
            }
        }
    }
}

using Portico.Net;

namespace Portico.Kernel;

/// <summary>What the two families of internet sockets ask of an address, in the order in which Linux asks.</summary>
internal static class InetAddress
{
    /// <summary>
    /// For bind. Errors: EINVAL for a length, EAFNOSUPPORT for another family, EINVAL for an IPv4 address where the socket is V6ONLY, EACCES
    /// for a port below net.ipv4.ip_unprivileged_port_start.
    /// </summary>
    public static Errno ForBind(AddressFamily family, bool isIpv6Only, ReadOnlySpan<byte> address, out Endpoint endpoint)
    {
        endpoint = default;
        if (address.Length < (family == AddressFamily.AF_INET ? SocketAddress.Ipv4Bytes : SocketAddress.Ipv6BytesMin))
        {
            return Errno.EINVAL;
        }

        AddressFamily given = SocketAddress.Family(address);
        if (family == AddressFamily.AF_INET)
        {
            endpoint = SocketAddress.ReadIpv4(address);

            // Old programs leave the family out where they bind to any address.
            bool isOld = given == AddressFamily.AF_UNSPEC && endpoint.Address.IsUnspecified;
            return given == AddressFamily.AF_INET || isOld ? Errno.None : Errno.EAFNOSUPPORT;
        }

        if (given != AddressFamily.AF_INET6)
        {
            return Errno.EAFNOSUPPORT;
        }

        endpoint = SocketAddress.ReadIpv6(address);
        return endpoint.Address.IsIpv4 && isIpv6Only ? Errno.EINVAL : Errno.None;
    }

    /// <summary>
    /// For sendto of IPv4, where old programs leave the family out. Errors: EINVAL for a length, EAFNOSUPPORT.
    /// </summary>
    public static Errno ForSendIpv4(ReadOnlySpan<byte> address, out Endpoint endpoint)
    {
        endpoint = default;
        if (address.Length < SocketAddress.Ipv4Bytes)
        {
            return Errno.EINVAL;
        }

        endpoint = SocketAddress.ReadIpv4(address);
        return SocketAddress.Family(address) is AddressFamily.AF_INET or AddressFamily.AF_UNSPEC ? Errno.None : Errno.EAFNOSUPPORT;
    }

    /// <summary>For connect and sendto. Errors: EINVAL for a length, EAFNOSUPPORT, ENETUNREACH for IPv4 where the socket is V6ONLY.</summary>
    public static Errno ForPeer(AddressFamily family, bool isIpv6Only, ReadOnlySpan<byte> address, out Endpoint endpoint)
    {
        endpoint = default;
        AddressFamily given = address.Length < sizeof(ushort) ? AddressFamily.AF_UNSPEC : SocketAddress.Family(address);
        if (family == AddressFamily.AF_INET)
        {
            if (address.Length < SocketAddress.Ipv4Bytes)
            {
                return Errno.EINVAL;
            }

            endpoint = SocketAddress.ReadIpv4(address);
            return given == AddressFamily.AF_INET ? Errno.None : Errno.EAFNOSUPPORT;
        }

        if (address.Length < SocketAddress.Ipv6BytesMin)
        {
            return Errno.EINVAL;
        }

        if (given != AddressFamily.AF_INET6)
        {
            return Errno.EAFNOSUPPORT;
        }

        endpoint = SocketAddress.ReadIpv6(address);
        return endpoint.Address.IsIpv4 && isIpv6Only ? Errno.ENETUNREACH : Errno.None;
    }
}

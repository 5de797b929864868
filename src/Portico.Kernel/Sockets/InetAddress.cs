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
        if (!TryRead(family, address, out AddressFamily given, out endpoint))
        {
            return Errno.EINVAL;
        }

        if (family == AddressFamily.AF_INET)
        {
            // Old programs leave the family out where they bind to any address.
            bool isOld = given == AddressFamily.AF_UNSPEC && endpoint.Address.IsUnspecified;
            return given == AddressFamily.AF_INET || isOld ? Errno.None : Errno.EAFNOSUPPORT;
        }

        if (given != AddressFamily.AF_INET6)
        {
            return Errno.EAFNOSUPPORT;
        }

        return endpoint.Address.IsIpv4 && isIpv6Only ? Errno.EINVAL : Errno.None;
    }

    /// <summary>
    /// For sendto of IPv4, where old programs leave the family out. Errors: EINVAL for a length, EAFNOSUPPORT.
    /// </summary>
    public static Errno ForSendIpv4(ReadOnlySpan<byte> address, out Endpoint endpoint)
    {
        return !TryRead(AddressFamily.AF_INET, address, out AddressFamily given, out endpoint) ? Errno.EINVAL
            : given is AddressFamily.AF_INET or AddressFamily.AF_UNSPEC ? Errno.None : Errno.EAFNOSUPPORT;
    }

    /// <summary>For connect and sendto. Errors: EINVAL for a length, EAFNOSUPPORT, ENETUNREACH for IPv4 where the socket is V6ONLY.</summary>
    public static Errno ForPeer(AddressFamily family, bool isIpv6Only, ReadOnlySpan<byte> address, out Endpoint endpoint)
    {
        if (!TryRead(family, address, out AddressFamily given, out endpoint))
        {
            return Errno.EINVAL;
        }

        return given != family ? Errno.EAFNOSUPPORT
            : family == AddressFamily.AF_INET6 && endpoint.Address.IsIpv4 && isIpv6Only ? Errno.ENETUNREACH
            : Errno.None;
    }

    /// <summary>False where an address is too short for the family of the socket, which comes before the family that it says it is of.</summary>
    private static bool TryRead(AddressFamily family, ReadOnlySpan<byte> address, out AddressFamily given, out Endpoint endpoint)
    {
        bool isIpv4 = family == AddressFamily.AF_INET;
        if (address.Length < (isIpv4 ? SocketAddress.Ipv4Bytes : SocketAddress.Ipv6BytesMin))
        {
            given = AddressFamily.AF_UNSPEC;
            endpoint = default;
            return false;
        }

        given = SocketAddress.Family(address);
        endpoint = isIpv4 ? SocketAddress.ReadIpv4(address) : SocketAddress.ReadIpv6(address);
        return true;
    }
}

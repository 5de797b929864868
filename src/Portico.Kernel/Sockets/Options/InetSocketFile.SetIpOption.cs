using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Portico.Net;

namespace Portico.Kernel;

// setsockopt(2) of the level IPPROTO_IP (do_ip_setsockopt in Linux).
internal abstract partial class InetSocketFile
{
    protected const byte EcnMask = 3;

    private Errno SetIpOption(Process process, IpOption option, ReadOnlySpan<byte> value)
    {
        // Four bytes are an int, fewer are one byte, none is 0.
        int number = value.Length >= sizeof(int) ? MemoryMarshal.Read<int>(value) : value.Length >= 1 ? value[0] : 0;
        Errno error = InetOptions.FlagOf(option) != InetFlags.None
            ? SetIpFlag(process, option, number, value.Length)
            : option is IpOption.IP_MULTICAST_IF or (>= IpOption.IP_ADD_MEMBERSHIP and <= IpOption.IP_MSFILTER)
            ? SetIpMulticast(option, value)
            : SetIpNumber(process, option, number, value.Length);
        if (error == Errno.None)
        {
            OnIpChanged(option);
        }

        return error;
    }

    private Errno SetIpFlag(Process process, IpOption option, int number, int length)
    {
        bool needsByte = option is IpOption.IP_FREEBIND or IpOption.IP_MULTICAST_LOOP or IpOption.IP_MULTICAST_ALL or IpOption.IP_TRANSPARENT;
        bool needsBool = option is IpOption.IP_MULTICAST_ALL or IpOption.IP_RECVERR_RFC4884;
        Errno error = option switch
        {
            IpOption.IP_RECVFRAGSIZE when IsStream => Errno.EINVAL,
            IpOption.IP_HDRINCL or IpOption.IP_NODEFRAG when !IsRaw => Errno.ENOPROTOOPT,
            IpOption.IP_TRANSPARENT when number != 0 && !process.HasNetRaw => Errno.EPERM,
            _ when needsByte && length < 1 => Errno.EINVAL,
            _ when needsBool && number is not (0 or 1) => Errno.EINVAL,
            _ => Errno.None,
        };
        if (error == Errno.None)
        {
            OwnInet.Set(InetOptions.FlagOf(option), number != 0);
        }

        return error;
    }

    private Errno SetIpNumber(Process process, IpOption option, int number, int length)
    {
        switch (option)
        {
            case IpOption.IP_TOS:
                byte tos = IsStream ? (byte)((number & ~EcnMask) | (Inet.Tos & EcnMask)) : (byte)number;
                if (tos != Inet.Tos)
                {
                    OwnInet.Tos = tos;
                    OwnGeneric.Priority = PriorityOf(tos);
                }

                return Errno.None;
            case IpOption.IP_TTL:
                if (length < 1 || number is not (-1 or (>= 1 and <= 255)))
                {
                    return Errno.EINVAL;
                }

                OwnInet.Ttl = (short)number;
                return Errno.None;
            case IpOption.IP_MINTTL:
                if (length < 1 || number is < 0 or > 255)
                {
                    return Errno.EINVAL;
                }

                OwnInet.MinTtl = (byte)number;
                return Errno.None;
            case IpOption.IP_MULTICAST_TTL:
                if (IsStream || length < 1 || number is < -1 or > 255)
                {
                    return Errno.EINVAL;
                }

                OwnInet.MulticastTtl = number == -1 ? (byte)1 : (byte)number;
                return Errno.None;
            case IpOption.IP_MTU_DISCOVER:
                if (number is < PathMtuDiscovery.Dont or > PathMtuDiscovery.Omit)
                {
                    return Errno.EINVAL;
                }

                OwnInet.MtuDiscover = (byte)number;
                return Errno.None;
            case IpOption.IP_LOCAL_PORT_RANGE:
                (ushort low, ushort high) = ((ushort)number, (ushort)(number >> 16));
                if (length != sizeof(int) || (low != 0 && high != 0 && low > high))
                {
                    return Errno.EINVAL;
                }

                OwnInet.LocalPortRange = number;
                return Errno.None;
            case IpOption.IP_UNICAST_IF:
                return SetUnicastInterface(number, length);
            case IpOption.IP_ROUTER_ALERT:
                return SetRouterAlert(number != 0);
            case IpOption.IP_OPTIONS:
                return length == 0 ? Errno.None : length > IpOptionBytesMax ? Errno.EINVAL : Errno.ENOPROTOOPT;
            case IpOption.IP_IPSEC_POLICY or IpOption.IP_XFRM_POLICY:
                return process.IsPrivileged ? Errno.ENOPROTOOPT : Errno.EPERM;
            default:
                return Errno.ENOPROTOOPT;
        }
    }

    private const int IpOptionBytesMax = 40;
    private const int RawProtocolAny = 255;

    /// <summary>The priority that a type of service means (rt_tos2priority).</summary>
    private static int PriorityOf(byte tos) => ((tos >> 3) & 3) switch
    {
        // The four bits of RFC 1349 without the lowest: TC_PRIO_BESTEFFORT, _BULK, _INTERACTIVE and _INTERACTIVE_BULK.
        0 => 0,
        1 => 2,
        2 => 6,
        _ => 4,
    };

    /// <summary>For routers: they listen to such packets with a raw socket of a protocol.</summary>
    private Errno SetRouterAlert(bool isOn)
    {
        if (!IsRaw || LocalNumber == RawProtocolAny)
        {
            return Errno.EINVAL;
        }

        if (isOn == Inet.Has(InetFlags.RouterAlert))
        {
            return isOn ? Errno.EADDRINUSE : Errno.ENOBUFS;
        }

        OwnInet.Set(InetFlags.RouterAlert, isOn);
        return Errno.None;
    }

    private Errno SetUnicastInterface(int number, int length)
    {
        Errno error = ReadUnicastInterface(number, length, out int index);
        if (error == Errno.None)
        {
            OwnInet.UnicastInterface = index;
        }

        return error;
    }

    /// <summary>The value of IP_UNICAST_IF and IPV6_UNICAST_IF: an interface's index, 0 for none, in the network's order of bytes.</summary>
    private Errno ReadUnicastInterface(int number, int length, out int index)
    {
        index = BinaryPrimitives.ReverseEndianness(number);
        return length != sizeof(int) ? Errno.EINVAL
            : index == 0 ? Errno.None
            : FindInterface(index) == null ? Errno.EADDRNOTAVAIL
            : Generic.InterfaceIndex != 0 ? Errno.EINVAL
            : Errno.None;
    }
}

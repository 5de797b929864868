using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Portico.Net;

namespace Portico.Kernel;

// getsockopt(2) and setsockopt(2) of the level IPPROTO_IPV6 (do_ipv6_getsockopt and do_ipv6_setsockopt in Linux).
internal abstract partial class InetSocketFile
{
    private const int IPV6_MIN_MTU = 1280;
    private const int MtuInfoBytes = 32;

    // RFC 5014.
    private const int IPV6_PREFER_SRC_TMP = 1;
    private const int IPV6_PREFER_SRC_PUBLIC = 2;
    private const int IPV6_PREFER_SRC_COA = 4;
    private const int IPV6_PREFER_SRC_CGA = 8;
    private const int IPV6_PREFER_SRC_PUBTMP_DEFAULT = 0x100;
    private const int IPV6_PREFER_SRC_HOME = 0x400;
    private const int IPV6_PREFER_SRC_NONCGA = 0x800;

    private Errno GetIpv6Option(Ipv6Option option, Span<byte> value, out int length)
    {
        length = 0;
        switch (option)
        {
            case Ipv6Option.IPV6_ADDRFORM:
                return !HasAddressForm ? Errno.ENOPROTOOPT : IsEstablished ? Return((int)Family, value, out length) : Errno.ENOTCONN;
            case Ipv6Option.IPV6_MTU:
                Errno error = GetPathMtu(out int mtu);
                return error == Errno.None ? Return(mtu, value, out length) : error;
            case Ipv6Option.IPV6_PATHMTU:
                if (value.Length < MtuInfoBytes)
                {
                    return Errno.EINVAL;
                }

                error = GetPathMtu(out mtu);
                Span<byte> info = stackalloc byte[MtuInfoBytes];
                info.Clear();
                MemoryMarshal.Write(info[SocketAddress.Ipv6Bytes..], mtu);
                return error == Errno.None ? Return(info, value, out length) : error;
            default:
                return GetIpv6Number(option) is int number ? Return(number, value, out length) : Errno.ENOPROTOOPT;
        }
    }

    private int? GetIpv6Number(Ipv6Option option)
    {
        switch (option)
        {
            case Ipv6Option.IPV6_UNICAST_HOPS:
                return Inet.HopLimit < 0 ? Stack.Ip.Options.ip_default_ttl : Inet.HopLimit;
            case Ipv6Option.IPV6_MULTICAST_HOPS:
                return Inet.MulticastHops;
            case Ipv6Option.IPV6_MULTICAST_IF:
                return Inet.Ipv6MulticastInterface;
            case Ipv6Option.IPV6_UNICAST_IF:
                return BinaryPrimitives.ReverseEndianness(Inet.Ipv6UnicastInterface);
            case Ipv6Option.IPV6_MTU_DISCOVER:
                return Inet.Ipv6MtuDiscover;
            case Ipv6Option.IPV6_MINHOPCOUNT:
                return Inet.MinHopCount;
            case Ipv6Option.IPV6_TCLASS:
                return Inet.TrafficClass | EcnMark;
            case Ipv6Option.IPV6_ROUTER_ALERT:
                return 0;
            case Ipv6Option.IPV6_ADDR_PREFERENCES:
                int preferences = Inet.SourcePreferences;
                int which = preferences & (IPV6_PREFER_SRC_TMP | IPV6_PREFER_SRC_PUBLIC);
                return (which == 0 ? IPV6_PREFER_SRC_PUBTMP_DEFAULT : which)
                    | ((preferences & IPV6_PREFER_SRC_COA) != 0 ? IPV6_PREFER_SRC_COA : IPV6_PREFER_SRC_HOME);
            default:
                InetFlags flag = InetOptions.FlagOf(option);
                return flag == InetFlags.None ? null : Inet.Has(flag) ? 1 : 0;
        }
    }

    private Errno SetIpv6Option(Process process, Ipv6Option option, ReadOnlySpan<byte> value)
    {
        // Fewer bytes than an int has are 0 to the few options that do not ask for more.
        bool isInt = value.Length >= sizeof(int);
        int number = isInt ? MemoryMarshal.Read<int>(value) : 0;
        Errno error = InetOptions.FlagOf(option) != InetFlags.None ? SetIpv6Flag(process, option, number, isInt) : option switch
        {
            Ipv6Option.IPV6_ADD_MEMBERSHIP => ChangeIpv6Membership(MembershipChange.Join, value),
            Ipv6Option.IPV6_DROP_MEMBERSHIP => ChangeIpv6Membership(MembershipChange.Leave, value),
            Ipv6Option.IPV6_PKTINFO => SetStickyPacketInfo(value),
            Ipv6Option.IPV6_UNICAST_IF => SetIpv6UnicastInterface(number, value.Length),
            Ipv6Option.IPV6_MULTICAST_HOPS or Ipv6Option.IPV6_MULTICAST_IF when IsStream => Errno.ENOPROTOOPT,
            _ => SetIpv6Number(option, number, isInt),
        };
        if (error == Errno.None)
        {
            OnIpv6Changed(option);
        }

        return error;
    }

    private Errno SetIpv6Flag(Process process, Ipv6Option option, int number, bool isInt)
    {
        bool needsInt = option is not (Ipv6Option.IPV6_AUTOFLOWLABEL or Ipv6Option.IPV6_DONTFRAG or Ipv6Option.IPV6_RECVFRAGSIZE);
        bool needsBool = option is Ipv6Option.IPV6_MULTICAST_LOOP or Ipv6Option.IPV6_RECVERR_RFC4884;
        Errno error = option switch
        {
            Ipv6Option.IPV6_TRANSPARENT when number != 0 && !process.HasNetRaw => Errno.EPERM,
            _ when needsInt && !isInt => Errno.EINVAL,
            _ when needsBool && number is not (0 or 1) => Errno.EINVAL,
            Ipv6Option.IPV6_V6ONLY when LocalNumber != 0 => Errno.EINVAL,
            _ => Errno.None,
        };
        if (error == Errno.None)
        {
            OwnInet.Set(InetOptions.FlagOf(option), number != 0);
        }

        return error;
    }

    private Errno SetIpv6Number(Ipv6Option option, int number, bool isInt)
    {
        bool isKnown = option is Ipv6Option.IPV6_UNICAST_HOPS or Ipv6Option.IPV6_MULTICAST_HOPS or Ipv6Option.IPV6_MTU or Ipv6Option.IPV6_MINHOPCOUNT
            or Ipv6Option.IPV6_MTU_DISCOVER or Ipv6Option.IPV6_ADDR_PREFERENCES or Ipv6Option.IPV6_MULTICAST_IF or Ipv6Option.IPV6_ADDRFORM
            or Ipv6Option.IPV6_TCLASS or Ipv6Option.IPV6_ROUTER_ALERT;
        bool isInRange = option switch
        {
            Ipv6Option.IPV6_UNICAST_HOPS or Ipv6Option.IPV6_MULTICAST_HOPS or Ipv6Option.IPV6_TCLASS => number is >= -1 and <= 255,
            Ipv6Option.IPV6_MTU => number is 0 or >= IPV6_MIN_MTU,
            Ipv6Option.IPV6_MINHOPCOUNT => number is >= 0 and <= 255,
            Ipv6Option.IPV6_MTU_DISCOVER => number is >= PathMtuDiscovery.Dont and <= PathMtuDiscovery.Omit,
            Ipv6Option.IPV6_ADDRFORM => number == (int)AddressFamily.AF_INET,
            _ => true,
        };
        if (!isKnown || !isInt || !isInRange)
        {
            return isKnown ? Errno.EINVAL : Errno.ENOPROTOOPT;
        }

        switch (option)
        {
            case Ipv6Option.IPV6_UNICAST_HOPS:
                OwnInet.HopLimit = (short)number;
                return Errno.None;
            case Ipv6Option.IPV6_MULTICAST_HOPS:
                OwnInet.MulticastHops = number == -1 ? (byte)1 : (byte)number;
                return Errno.None;
            case Ipv6Option.IPV6_MTU:
                OwnInet.FragmentMtu = number;
                return Errno.None;
            case Ipv6Option.IPV6_MINHOPCOUNT:
                OwnInet.MinHopCount = (byte)number;
                return Errno.None;
            case Ipv6Option.IPV6_MTU_DISCOVER:
                OwnInet.Ipv6MtuDiscover = (byte)number;
                return Errno.None;
            case Ipv6Option.IPV6_TCLASS:
                byte wanted = number == -1 ? (byte)0 : (byte)number;
                OwnInet.TrafficClass = IsStream ? (byte)((wanted & ~EcnMask) | (Inet.TrafficClass & EcnMask)) : wanted;
                return Errno.None;
            case Ipv6Option.IPV6_ADDR_PREFERENCES:
                return SetSourcePreferences(number);
            case Ipv6Option.IPV6_MULTICAST_IF:
                return SetIpv6MulticastInterface(number);
            case Ipv6Option.IPV6_ADDRFORM:
                // A socket whose peer is of IPv4 could become one of IPv4; here it stays what it is.
                return !HasAddressForm ? Errno.ENOPROTOOPT : IsEstablished ? Errno.EADDRNOTAVAIL : Errno.ENOTCONN;
            default:
                return Errno.ENOPROTOOPT;
        }
    }

    private bool HasAddressForm => Protocol is (int)SocketLevel.IPPROTO_TCP or (int)SocketLevel.IPPROTO_UDP && !IsRaw;

    private Errno SetSourcePreferences(int number)
    {
        int which = number & (IPV6_PREFER_SRC_PUBLIC | IPV6_PREFER_SRC_TMP | IPV6_PREFER_SRC_PUBTMP_DEFAULT);
        int home = number & (IPV6_PREFER_SRC_HOME | IPV6_PREFER_SRC_COA);
        int generated = number & (IPV6_PREFER_SRC_CGA | IPV6_PREFER_SRC_NONCGA);
        if (int.PopCount(which) > 1 || int.PopCount(home) > 1 || int.PopCount(generated) > 1)
        {
            return Errno.EINVAL;
        }

        // What says that the default is preferred has no bit among those that are kept.
        OwnInet.SourcePreferences = (byte)(which | home);
        return Errno.None;
    }

    private Errno SetIpv6MulticastInterface(int index)
    {
        if (index != 0 && FindInterface(index) == null)
        {
            return Errno.ENODEV;
        }

        if (index != 0 && Generic.InterfaceIndex != 0 && Generic.InterfaceIndex != index)
        {
            return Errno.EINVAL;
        }

        OwnInet.Ipv6MulticastInterface = index;
        return Errno.None;
    }

    private Errno SetIpv6UnicastInterface(int number, int length)
    {
        Errno error = ReadUnicastInterface(number, length, out int index);
        if (error == Errno.None)
        {
            OwnInet.Ipv6UnicastInterface = index;
        }

        return error;
    }

    /// <summary>struct in6_pktinfo: what is sent from now on has this source, and leaves by this interface.</summary>
    private Errno SetStickyPacketInfo(ReadOnlySpan<byte> value)
    {
        if (value.Length < IpControl.Ipv6PacketInfoBytes)
        {
            return Errno.EINVAL;
        }

        int index = MemoryMarshal.Read<int>(value[16..]);
        if (Generic.InterfaceIndex != 0 && index != Generic.InterfaceIndex)
        {
            return Errno.EINVAL;
        }

        OwnInet.StickyPacketInfo = (IpAddress.ReadIpv6(value), index);
        return Errno.None;
    }
}

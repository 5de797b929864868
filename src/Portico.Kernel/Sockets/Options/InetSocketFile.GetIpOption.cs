using System.Buffers.Binary;
using Portico.Net;

namespace Portico.Kernel;

// getsockopt(2) of the level IPPROTO_IP (do_ip_getsockopt in Linux).
internal abstract partial class InetSocketFile
{
    private Errno GetIpOption(IpOption option, Span<byte> value, out int length)
    {
        length = 0;
        switch (option)
        {
            case IpOption.IP_OPTIONS:
                // No socket has any.
                return Errno.None;
            case IpOption.IP_PKTOPTIONS:
                return IsStream ? GetPacketOptions(value, out length) : Errno.ENOPROTOOPT;
            case IpOption.IP_MULTICAST_IF:
                return Return(BitConverter.GetBytes(Inet.MulticastInterface.Address), value, out length);
            case IpOption.IP_MSFILTER:
                return GetSourceFilter(value, out length);
            case IpOption.IP_MTU:
                Errno error = GetPathMtu(out int mtu);
                return error == Errno.None ? ReturnShort(mtu, value, out length) : error;
            default:
                return GetIpNumber(option) is int number ? ReturnShort(number, value, out length) : Errno.ENOPROTOOPT;
        }
    }

    /// <summary>The type of service of the packet that made a stream's connection.</summary>
    protected virtual int ReceivedTos => 0;

    /// <summary>The mark of the last packet (RFC 3168), which IP_TOS shows with the rest.</summary>
    protected virtual int EcnMark => 0;

    private int? GetIpNumber(IpOption option)
    {
        switch (option)
        {
            case IpOption.IP_TOS:
                return Inet.Tos | EcnMark;
            case IpOption.IP_TTL:
                return Inet.Ttl < 0 ? Stack.Ip.Options.ip_default_ttl : Inet.Ttl;
            case IpOption.IP_ROUTER_ALERT:
                return Inet.Has(InetFlags.RouterAlert) ? 1 : 0;
            case IpOption.IP_MTU_DISCOVER:
                return Inet.MtuDiscover;
            case IpOption.IP_MINTTL:
                return Inet.MinTtl;
            case IpOption.IP_MULTICAST_TTL:
                return Inet.MulticastTtl;
            case IpOption.IP_UNICAST_IF:
                return BinaryPrimitives.ReverseEndianness(Inet.UnicastInterface);
            case IpOption.IP_PROTOCOL:
                return LocalNumber;
            case IpOption.IP_LOCAL_PORT_RANGE:
                return Inet.LocalPortRange;
            default:
                InetFlags flag = InetOptions.FlagOf(option);
                return flag == InetFlags.None ? null : Inet.Has(flag) ? 1 : 0;
        }
    }

    /// <summary>Where there is no room for an int, a value that fits is one byte.</summary>
    private static Errno ReturnShort(int number, Span<byte> value, out int length)
    {
        bool isByte = value.Length is > 0 and < sizeof(int) && number is >= 0 and <= byte.MaxValue;
        return isByte ? Return([(byte)number], value, out length) : Return(number, value, out length);
    }

    /// <summary>IP_PKTOPTIONS: what a stream can say of the packets that it receives, as control messages.</summary>
    private Errno GetPacketOptions(Span<byte> value, out int length)
    {
        ControlWriter control = new(value);
        if (Inet.Has(InetFlags.PacketInfo))
        {
            Span<byte> info = stackalloc byte[IpControl.PacketInfoBytes];
            IpAddress local = LocalAddress;
            IpControl.WritePacketInfo(info, Inet.MulticastInterface.Index, local, local);
            control.Put((int)SocketLevel.IPPROTO_IP, (int)IpOption.IP_PKTINFO, info);
        }

        if (Inet.Has(InetFlags.ReceiveTtl))
        {
            control.PutInt((int)SocketLevel.IPPROTO_IP, (int)IpOption.IP_TTL, Inet.MulticastTtl);
        }

        if (Inet.Has(InetFlags.ReceiveTos))
        {
            control.PutInt((int)SocketLevel.IPPROTO_IP, (int)IpOption.IP_TOS, ReceivedTos);
        }

        length = control.Length;
        return Errno.None;
    }
}

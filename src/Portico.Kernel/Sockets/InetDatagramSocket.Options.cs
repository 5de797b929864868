using System.Runtime.InteropServices;
using Portico.Net;

namespace Portico.Kernel;

// getsockopt(2) and setsockopt(2) of UDP sockets: what the engine has to know is passed on.
internal sealed partial class InetDatagramSocket
{
    private const int UDP_CORK = 1;
    private const int UDP_NO_CHECK6_TX = 101;
    private const int UDP_NO_CHECK6_RX = 102;
    private const int UDP_GRO = 104;
    private const int Ipv4MtuMax = 65_535;

    private bool _isCorked;
    private bool _sendsNoChecksum6;
    private bool _takesNoChecksum6;
    private ushort _segmentBytes;
    private bool _takesSegments;

    protected override long Drops => Udp.GetDrops(_handle);

    protected override Errno TakeError() => Udp.TakeError(_handle);

    protected override Errno GetPathMtu(out int mtu)
    {
        Errno error = Udp.GetOption(_handle, UdpOption.IP_MTU, out mtu);
        Udp.GetEndpoints(_handle, out _, out Endpoint remote);
        mtu = remote.Address.IsIpv4 ? Math.Min(mtu, Ipv4MtuMax) : mtu;
        return error;
    }

    protected override Errno GetProtocolOption(int level, int option, Span<byte> value, out int length)
    {
        if (level != (int)SocketLevel.IPPROTO_UDP)
        {
            return base.GetProtocolOption(level, option, value, out length);
        }

        length = 0;
        int? number = option switch
        {
            UDP_CORK => _isCorked ? 1 : 0,
            UDP_NO_CHECK6_TX => _sendsNoChecksum6 ? 1 : 0,
            UDP_NO_CHECK6_RX => _takesNoChecksum6 ? 1 : 0,
            UDP_SEGMENT => _segmentBytes,
            UDP_GRO => _takesSegments ? 1 : 0,
            _ => null,
        };
        return number is int known ? Return(known, value, out length) : Errno.ENOPROTOOPT;
    }

    protected override Errno SetProtocolOption(Process process, int level, int option, ReadOnlySpan<byte> value)
    {
        if (level != (int)SocketLevel.IPPROTO_UDP)
        {
            return base.SetProtocolOption(process, level, option, value);
        }

        if (value.Length < sizeof(int))
        {
            return Errno.EINVAL;
        }

        int number = MemoryMarshal.Read<int>(value);
        switch (option)
        {
            case UDP_CORK:
                _isCorked = number != 0;
                if (!_isCorked)
                {
                    SendPending();
                }

                return Errno.None;
            case UDP_NO_CHECK6_TX:
                _sendsNoChecksum6 = number != 0;
                Udp.SetNoChecksum6(_handle, _sendsNoChecksum6, _takesNoChecksum6);
                return Errno.None;
            case UDP_NO_CHECK6_RX:
                _takesNoChecksum6 = number != 0;
                Udp.SetNoChecksum6(_handle, _sendsNoChecksum6, _takesNoChecksum6);
                return Errno.None;
            case UDP_SEGMENT when number is >= 0 and <= ushort.MaxValue:
                _segmentBytes = (ushort)number;
                return Errno.None;
            case UDP_SEGMENT:
                return Errno.EINVAL;
            case UDP_GRO:
                _takesSegments = number != 0;
                Tell(UdpOption.UDP_GRO, _takesSegments);
                return Errno.None;
            default:
                return Errno.ENOPROTOOPT;
        }
    }

    protected override void PutProtocolControl(ref ControlWriter control, in UdpReceiveInfo info)
    {
        if (_takesSegments && info.SegmentBytes > 0)
        {
            control.PutInt((int)SocketLevel.IPPROTO_UDP, UDP_GRO, info.SegmentBytes);
        }
    }

    protected override void OnGenericChanged(SocketOption option)
    {
        switch (option)
        {
            case SocketOption.SO_BROADCAST:
                Tell(UdpOption.SO_BROADCAST, Generic.Has(GenericFlags.Broadcast));
                break;
            case SocketOption.SO_REUSEADDR:
                Tell(UdpOption.SO_REUSEADDR, Generic.Has(GenericFlags.ReuseAddress));
                break;
            case SocketOption.SO_REUSEPORT:
                Tell(UdpOption.SO_REUSEPORT, Generic.Has(GenericFlags.ReusePort));
                break;
            case SocketOption.SO_DONTROUTE:
                Tell(UdpOption.SO_DONTROUTE, Generic.Has(GenericFlags.DontRoute));
                break;
            case SocketOption.SO_NO_CHECK:
                Tell(UdpOption.SO_NO_CHECK, Generic.Has(GenericFlags.NoCheck));
                break;
            case SocketOption.SO_BINDTODEVICE or SocketOption.SO_BINDTOIFINDEX:
                Udp.SetOption(_handle, UdpOption.SO_BINDTODEVICE, Generic.InterfaceIndex);
                break;
            case SocketOption.SO_SNDBUF or SocketOption.SO_SNDBUFFORCE or SocketOption.SO_RCVBUF or SocketOption.SO_RCVBUFFORCE:
                Udp.SetBuffers(_handle, Generic.SendBuffer, Generic.ReceiveBuffer);
                break;
            case SocketOption.SO_TIMESTAMPING or SocketOption.SO_TIMESTAMPING_NEW:
                Udp.SetTimestamping(_handle, Generic.Timestamping);
                break;
        }
    }

    protected override void OnIpChanged(IpOption option)
    {
        switch (option)
        {
            case IpOption.IP_TTL:
                Udp.SetOption(_handle, UdpOption.IP_TTL, Inet.Ttl);
                break;
            case IpOption.IP_TOS:
                Udp.SetOption(_handle, UdpOption.IP_TOS, Inet.Tos);
                break;
            case IpOption.IP_MTU_DISCOVER:
                Udp.SetOption(_handle, UdpOption.IP_MTU_DISCOVER, Inet.MtuDiscover);
                break;
            case IpOption.IP_RECVERR:
                Tell(UdpOption.IP_RECVERR, Inet.Has(InetFlags.ReceiveErrors));
                break;
            case IpOption.IP_MULTICAST_TTL:
                Udp.SetOption(_handle, UdpOption.IP_MULTICAST_TTL, Inet.MulticastTtl);
                break;
            case IpOption.IP_MULTICAST_LOOP:
                Tell(UdpOption.IP_MULTICAST_LOOP, Inet.Has(InetFlags.MulticastLoop));
                break;
            case IpOption.IP_MULTICAST_ALL:
                Tell(UdpOption.IP_MULTICAST_ALL, Inet.Has(InetFlags.MulticastAll));
                break;
            case IpOption.IP_MULTICAST_IF:
                Udp.SetOption(_handle, UdpOption.IP_MULTICAST_IF, Inet.MulticastInterface.Index);
                break;
            case IpOption.IP_LOCAL_PORT_RANGE:
                Udp.SetPortRange(_handle, (ushort)Inet.LocalPortRange, (ushort)(Inet.LocalPortRange >> 16));
                break;
            case IpOption.IP_UNICAST_IF:
                Udp.SetUnicastInterface(_handle, isIpv6: false, Inet.UnicastInterface);
                break;
        }
    }

    protected override void OnIpv6Changed(Ipv6Option option)
    {
        switch (option)
        {
            case Ipv6Option.IPV6_V6ONLY:
                Tell(UdpOption.IPV6_V6ONLY, IsIpv6Only);
                break;
            case Ipv6Option.IPV6_UNICAST_HOPS:
                Udp.SetOption(_handle, UdpOption.IPV6_UNICAST_HOPS, Inet.HopLimit);
                break;
            case Ipv6Option.IPV6_TCLASS:
                Udp.SetOption(_handle, UdpOption.IPV6_TCLASS, Inet.TrafficClass);
                break;
            case Ipv6Option.IPV6_MTU_DISCOVER:
                Udp.SetOption(_handle, UdpOption.IPV6_MTU_DISCOVER, Inet.Ipv6MtuDiscover);
                break;
            case Ipv6Option.IPV6_MTU:
                Udp.SetOption(_handle, UdpOption.IPV6_MTU, Inet.FragmentMtu);
                break;
            case Ipv6Option.IPV6_RECVERR:
                Tell(UdpOption.IPV6_RECVERR, Inet.Has(InetFlags.Ipv6ReceiveErrors));
                break;
            case Ipv6Option.IPV6_MULTICAST_HOPS:
                Udp.SetOption(_handle, UdpOption.IPV6_MULTICAST_HOPS, Inet.MulticastHops);
                break;
            case Ipv6Option.IPV6_MULTICAST_LOOP:
                Tell(UdpOption.IPV6_MULTICAST_LOOP, Inet.Has(InetFlags.Ipv6MulticastLoop));
                break;
            case Ipv6Option.IPV6_MULTICAST_ALL:
                Tell(UdpOption.IPV6_MULTICAST_ALL, Inet.Has(InetFlags.Ipv6MulticastAll));
                break;
            case Ipv6Option.IPV6_MULTICAST_IF:
                Udp.SetOption(_handle, UdpOption.IPV6_MULTICAST_IF, Inet.Ipv6MulticastInterface);
                break;
            case Ipv6Option.IPV6_UNICAST_IF:
                Udp.SetUnicastInterface(_handle, isIpv6: true, Inet.Ipv6UnicastInterface);
                break;
        }
    }

    protected override Errno ChangeMembership(MembershipChange change, in IpAddress group, in IpAddress source, int interfaceIndex) =>
        ChangeMembership(Udp, _handle, change, group, source, interfaceIndex);

    protected override Errno SetSourceFilter(in IpAddress group, int interfaceIndex, MulticastFilterMode mode, ReadOnlySpan<IpAddress> sources) =>
        Udp.SetSourceFilter(_handle, group, interfaceIndex, mode, sources);

    protected override Errno GetSourceFilter(
        in IpAddress group, int interfaceIndex, out MulticastFilterMode mode, Span<IpAddress> sources, out int count) =>
        Udp.GetSourceFilter(_handle, group, interfaceIndex, out mode, sources, out count);

    private void Tell(UdpOption option, bool isOn) => Udp.SetOption(_handle, option, isOn ? 1 : 0);
}

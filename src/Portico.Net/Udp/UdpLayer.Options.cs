namespace Portico.Net;

public sealed partial class UdpLayer
{
    /// <summary>SOCK_MIN_RCVBUF of Linux.</summary>
    private const int BufferBytesMin = 2304;

    /// <summary>What SO_RCVBUF and SO_SNDBUF make of a value; a negative one is very large, as it is unsigned in Linux.</summary>
    internal static int BufferBytes(int value, int most)
    {
        uint capped = Math.Min((uint)value, (uint)Math.Min(most, int.MaxValue / 2));
        return Math.Max(BufferBytesMin, (int)capped * 2);
    }

    /// <summary>
    /// Sets an option. Errors: EBADF, EINVAL for a value out of range, ENODEV or EADDRNOTAVAIL for an interface that does not exist,
    /// ENOPROTOOPT for an option of the other family or one that can only be read.
    /// </summary>
    public Errno SetOption(UdpHandle handle, UdpOption option, int value)
    {
        if (!TryGet(handle, out UdpSocket? socket))
        {
            return Errno.EBADF;
        }

        return option >= UdpOption.IPV6_V6ONLY
            ? socket.IsIpv6 ? SetIpv6Option(socket, option, value) : Errno.ENOPROTOOPT
            : SetSocketOption(socket, option, value);
    }

    /// <summary>Reads an option. Errors: EBADF, ENOPROTOOPT, ENOTCONN for IP_MTU without a peer.</summary>
    public Errno GetOption(UdpHandle handle, UdpOption option, out int value)
    {
        value = 0;
        if (!TryGet(handle, out UdpSocket? socket))
        {
            return Errno.EBADF;
        }

        if (option >= UdpOption.IPV6_V6ONLY && !socket.IsIpv6)
        {
            return Errno.ENOPROTOOPT;
        }

        if (option == UdpOption.IP_MTU)
        {
            return GetMtu(socket, out value);
        }

        ref UdpFamilyOptions ipv4 = ref socket.Ipv4;
        ref UdpFamilyOptions ipv6 = ref socket.Ipv6;
        value = option switch
        {
            UdpOption.SO_BROADCAST => socket.Broadcast ? 1 : 0,
            UdpOption.SO_REUSEADDR => socket.ReuseAddress ? 1 : 0,
            UdpOption.SO_REUSEPORT => socket.ReusePort ? 1 : 0,
            UdpOption.SO_RCVBUF => socket.ReceiveMemoryMax,
            UdpOption.SO_SNDBUF => socket.SendMemoryMax,
            UdpOption.SO_NO_CHECK => socket.NoChecksum ? 1 : 0,
            UdpOption.SO_BINDTODEVICE => socket.InterfaceIndex,
            UdpOption.SO_DONTROUTE => socket.DontRoute ? 1 : 0,
            UdpOption.UDP_GRO => socket.TakesSegments ? 1 : 0,
            UdpOption.IP_TTL => ipv4.HopLimit < 0 ? _stack.Ip.Options.ip_default_ttl : ipv4.HopLimit,
            UdpOption.IP_TOS => ipv4.TrafficClass,
            UdpOption.IP_MULTICAST_TTL => ipv4.MulticastHopLimit,
            UdpOption.IP_MULTICAST_LOOP => ipv4.MulticastLoop ? 1 : 0,
            UdpOption.IP_MULTICAST_IF => ipv4.MulticastInterface,
            UdpOption.IP_MULTICAST_ALL => ipv4.MulticastAll ? 1 : 0,
            UdpOption.IP_MTU_DISCOVER => ipv4.MtuDiscover,
            UdpOption.IP_RECVERR => ipv4.ReceiveErrors ? 1 : 0,
            UdpOption.IPV6_V6ONLY => socket.Ipv6Only ? 1 : 0,
            UdpOption.IPV6_UNICAST_HOPS => ipv6.HopLimit < 0 ? _stack.Ip.Options.ip_default_ttl : ipv6.HopLimit,
            UdpOption.IPV6_TCLASS => ipv6.TrafficClass,
            UdpOption.IPV6_MULTICAST_HOPS => ipv6.MulticastHopLimit,
            UdpOption.IPV6_MULTICAST_LOOP => ipv6.MulticastLoop ? 1 : 0,
            UdpOption.IPV6_MULTICAST_IF => ipv6.MulticastInterface,
            UdpOption.IPV6_MULTICAST_ALL => ipv6.MulticastAll ? 1 : 0,
            UdpOption.IPV6_MTU_DISCOVER => ipv6.MtuDiscover,
            UdpOption.IPV6_RECVERR => ipv6.ReceiveErrors ? 1 : 0,
            UdpOption.IPV6_MTU => ipv6.FragmentMtu,
            _ => -1,
        };
        return Errno.None;
    }

    /// <summary>SO_SNDBUF and SO_RCVBUF in bytes of memory, as they read.</summary>
    public void SetBuffers(UdpHandle handle, int sendBytes, int receiveBytes)
    {
        if (TryGet(handle, out UdpSocket? socket))
        {
            socket.SendMemoryMax = sendBytes;
            socket.ReceiveMemoryMax = receiveBytes;
        }
    }

    /// <summary>IP_UNICAST_IF and IPV6_UNICAST_IF: where to send what goes to no group; 0 to leave it to the routes.</summary>
    public void SetUnicastInterface(UdpHandle handle, bool isIpv6, int index)
    {
        if (TryGet(handle, out UdpSocket? socket))
        {
            ref UdpFamilyOptions family = ref isIpv6 ? ref socket.Ipv6 : ref socket.Ipv4;
            family.UnicastInterface = index;
        }
    }

    /// <summary>IP_LOCAL_PORT_RANGE: where to pick a port from; 0 for the end that net.ipv4.ip_local_port_range has.</summary>
    public void SetPortRange(UdpHandle handle, ushort first, ushort last)
    {
        if (TryGet(handle, out UdpSocket? socket))
        {
            (socket.RangeFirst, socket.RangeLast) = (first, last);
        }
    }

    /// <summary>UDP_NO_CHECK6_TX and UDP_NO_CHECK6_RX: datagrams of IPv6 without a checksum are sent, and are taken (RFC 6935).</summary>
    public void SetNoChecksum6(UdpHandle handle, bool sends, bool takes)
    {
        if (TryGet(handle, out UdpSocket? socket))
        {
            (socket.SendsNoChecksum6, socket.TakesNoChecksum6) = (sends, takes);
        }
    }

    /// <summary>Datagrams that were dropped because the socket's memory was used up (SO_RXQ_OVFL).</summary>
    public long GetDrops(UdpHandle handle) => TryGet(handle, out UdpSocket? socket) ? socket.Drops : 0;

    private Errno SetSocketOption(UdpSocket socket, UdpOption option, int value)
    {
        ref UdpFamilyOptions family = ref socket.Ipv4;
        bool isOn = value != 0;
        switch (option)
        {
            case UdpOption.SO_BROADCAST:
                socket.Broadcast = isOn;
                return Errno.None;
            case UdpOption.SO_REUSEADDR:
                socket.ReuseAddress = isOn;
                UpdateBinding(socket);
                return Errno.None;
            case UdpOption.SO_REUSEPORT:
                socket.ReusePort = isOn;
                UpdateBinding(socket);
                return Errno.None;
            case UdpOption.SO_RCVBUF:
                socket.ReceiveMemoryMax = BufferBytes(value, Options.rmem_max);
                return Errno.None;
            case UdpOption.SO_SNDBUF:
                socket.SendMemoryMax = BufferBytes(value, Options.wmem_max);
                return Errno.None;
            case UdpOption.SO_NO_CHECK:
                socket.NoChecksum = isOn;
                return Errno.None;
            case UdpOption.SO_BINDTODEVICE:
                if (value != 0 && _stack.Ip.InterfaceAt(value) == null)
                {
                    return Errno.ENODEV;
                }

                socket.InterfaceIndex = value;
                socket.Route = default;
                UpdateBinding(socket);
                return Errno.None;
            case UdpOption.SO_DONTROUTE:
                socket.Route = default;
                return Set(ref socket.DontRoute, isOn);
            case UdpOption.UDP_GRO:
                return Set(ref socket.TakesSegments, isOn);
            case UdpOption.IP_TTL:
                return value is -1 or (>= 1 and <= 255) ? Set(ref family.HopLimit, (short)value) : Errno.EINVAL;
            case UdpOption.IP_TOS:
                return Set(ref family.TrafficClass, (byte)value);
            case UdpOption.IP_MULTICAST_TTL:
                return value is >= -1 and <= 255 ? Set(ref family.MulticastHopLimit, value == -1 ? (byte)1 : (byte)value) : Errno.EINVAL;
            case UdpOption.IP_MULTICAST_LOOP:
                return Set(ref family.MulticastLoop, isOn);
            case UdpOption.IP_MULTICAST_IF:
                return SetMulticastInterface(socket, ref family, value, Errno.EADDRNOTAVAIL);
            case UdpOption.IP_MULTICAST_ALL:
                return value is 0 or 1 ? Set(ref family.MulticastAll, isOn) : Errno.EINVAL;
            case UdpOption.IP_MTU_DISCOVER:
                return value is >= MtuDiscoverDont and <= MtuDiscoverOmit ? Set(ref family.MtuDiscover, (byte)value) : Errno.EINVAL;
            case UdpOption.IP_RECVERR:
                return SetReceiveErrors(socket, ref family, isOn);
            default:
                return Errno.ENOPROTOOPT;
        }
    }

    private Errno SetIpv6Option(UdpSocket socket, UdpOption option, int value)
    {
        ref UdpFamilyOptions family = ref socket.Ipv6;
        bool isOn = value != 0;
        switch (option)
        {
            case UdpOption.IPV6_V6ONLY:
                return socket.Binding.IsBound ? Errno.EINVAL : Set(ref socket.Ipv6Only, isOn);
            case UdpOption.IPV6_UNICAST_HOPS:
                return value is >= -1 and <= 255 ? Set(ref family.HopLimit, (short)value) : Errno.EINVAL;
            case UdpOption.IPV6_TCLASS:
                return value is >= -1 and <= 255 ? Set(ref family.TrafficClass, value == -1 ? (byte)0 : (byte)value) : Errno.EINVAL;
            case UdpOption.IPV6_MULTICAST_HOPS:
                return value is >= -1 and <= 255 ? Set(ref family.MulticastHopLimit, value == -1 ? (byte)1 : (byte)value) : Errno.EINVAL;
            case UdpOption.IPV6_MULTICAST_LOOP:
                return value is 0 or 1 ? Set(ref family.MulticastLoop, isOn) : Errno.EINVAL;
            case UdpOption.IPV6_MULTICAST_IF:
                return SetMulticastInterface(socket, ref family, value, Errno.ENODEV);
            case UdpOption.IPV6_MULTICAST_ALL:
                return value is 0 or 1 ? Set(ref family.MulticastAll, isOn) : Errno.EINVAL;
            case UdpOption.IPV6_MTU_DISCOVER:
                return value is >= MtuDiscoverDont and <= MtuDiscoverOmit ? Set(ref family.MtuDiscover, (byte)value) : Errno.EINVAL;
            case UdpOption.IPV6_RECVERR:
                return SetReceiveErrors(socket, ref family, isOn);
            case UdpOption.IPV6_MTU:
                return value is 0 or >= IpLayer.Ipv6MtuMin ? Set(ref family.FragmentMtu, value) : Errno.EINVAL;
            default:
                return Errno.ENOPROTOOPT;
        }
    }

    private static Errno Set<TValue>(ref TValue field, TValue value)
    {
        field = value;
        return Errno.None;
    }

    private static Errno SetReceiveErrors(UdpSocket socket, ref UdpFamilyOptions family, bool isOn)
    {
        family.ReceiveErrors = isOn;
        if (!isOn)
        {
            // Linux throws the queue away with the option.
            socket.Errors.Clear();
        }

        return Errno.None;
    }

    private Errno SetMulticastInterface(UdpSocket socket, ref UdpFamilyOptions family, int index, Errno missing)
    {
        if (index != 0 && _stack.Ip.InterfaceAt(index) == null)
        {
            return missing;
        }

        if (index != 0 && socket.InterfaceIndex != 0 && socket.InterfaceIndex != index)
        {
            return Errno.EINVAL;
        }

        family.MulticastInterface = index;
        return Errno.None;
    }

    private Errno GetMtu(UdpSocket socket, out int value)
    {
        value = 0;
        if (!socket.IsConnected)
        {
            return Errno.ENOTCONN;
        }

        IpAddress destination = socket.Remote.Address;
        Errno error = FindRoute(socket, SourceFor(socket, destination), destination, OutgoingInterface(socket, destination, 0), socket.DontRoute);
        value = error == Errno.None ? socket.Route.PathMtu : 0;
        return error == Errno.None ? Errno.None : Errno.ENOTCONN;
    }

    /// <summary>Says which datagrams the socket gets, and how much of each; null for all of them (SO_ATTACH_FILTER, SO_DETACH_FILTER).</summary>
    public void AttachFilter(UdpHandle handle, SocketFilter? filter)
    {
        if (TryGet(handle, out UdpSocket? socket))
        {
            socket.Filter = filter;
        }
    }
}

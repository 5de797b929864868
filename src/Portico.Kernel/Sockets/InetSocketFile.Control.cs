using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Portico.Net;

namespace Portico.Kernel;

// Control messages of datagrams: what the program says with a packet, and what it is told of one.
internal abstract partial class InetSocketFile
{
    private protected const int ExtendedErrorBytes = 16;
    protected const int UDP_SEGMENT = 103;
    private const int SCM_TIMESTAMPING_OPT_STATS = 54;

    /// <summary>
    /// The control messages of a sendmsg, for a packet of IPv4 or IPv6. Errors: EINVAL for one that is not known or not well formed,
    /// ENODEV for an interface, EPERM.
    /// </summary>
    protected Errno ReadControl(Process process, ReadOnlySpan<byte> control, bool isIpv4, ref IpSendControl send)
    {
        if (!control.IsEmpty)
        {
            // What is said of segments comes first, and is of UDP alone.
            ControlReader segments = new(control);
            bool needsIp = false;
            while (segments.TryRead(out int level, out int type, out ReadOnlySpan<byte> data, out Errno bad) || bad != Errno.None)
            {
                if (bad != Errno.None)
                {
                    return bad;
                }

                if (Protocol != (int)SocketLevel.IPPROTO_UDP || level != (int)SocketLevel.IPPROTO_UDP)
                {
                    needsIp = true;
                }
                else if (type != UDP_SEGMENT || data.Length != sizeof(ushort))
                {
                    return Errno.EINVAL;
                }
                else
                {
                    send.SegmentBytes = MemoryMarshal.Read<ushort>(data);
                }
            }

            return needsIp ? ReadIpControl(process, control, isIpv4, ref send) : Errno.None;
        }

        return Errno.None;
    }

    private Errno ReadIpControl(Process process, ReadOnlySpan<byte> control, bool isIpv4, ref IpSendControl send)
    {
        ControlReader reader = new(control);
        while (reader.TryRead(out int level, out int type, out ReadOnlySpan<byte> data, out Errno error))
        {
            error = level switch
            {
                (int)SocketLevel.SOL_SOCKET => IpControl.ReadGeneric(process, this, type, data, ref send),
                (int)SocketLevel.IPPROTO_IP when isIpv4 => IpControl.ReadIp(type, data, ref send),
                (int)SocketLevel.IPPROTO_IPV6 when isIpv4 && IsIpv6 && (Ipv6Option)type == Ipv6Option.IPV6_PKTINFO =>
                    ReadMappedPacketInfo(data, ref send),
                (int)SocketLevel.IPPROTO_IPV6 when !isIpv4 => ReadIpv6Control(type, data, ref send),
                _ => Errno.None,
            };
            if (error != Errno.None)
            {
                return error;
            }
        }

        return Errno.None;
    }

    /// <summary>IPV6_PKTINFO for a packet of IPv4.</summary>
    private static Errno ReadMappedPacketInfo(ReadOnlySpan<byte> data, ref IpSendControl send)
    {
        if (data.Length < IpControl.Ipv6PacketInfoBytes || !IpAddress.ReadIpv6(data).IsIpv4)
        {
            return Errno.EINVAL;
        }

        return IpControl.ReadIpv6((int)Ipv6Option.IPV6_PKTINFO, data, ref send);
    }

    /// <summary>A source has to be an own address, of the interface where one is named.</summary>
    private Errno ReadIpv6Control(int type, ReadOnlySpan<byte> data, ref IpSendControl send)
    {
        Errno error = IpControl.ReadIpv6(type, data, ref send);
        if (error != Errno.None || (Ipv6Option)type is not (Ipv6Option.IPV6_PKTINFO or Ipv6Option.IPV6_2292PKTINFO))
        {
            return error;
        }

        if (send.InterfaceIndex != 0 && FindInterface(send.InterfaceIndex) == null)
        {
            return Errno.ENODEV;
        }

        bool isOwn = send.Source.IsUnspecified || CanBindToAny || (!send.Source.IsIpv4 && Stack.Ip.IsLocalAddress(send.Source));
        bool needsInterface = send.Source.IsLinkLocal && send.InterfaceIndex == 0;
        return isOwn && !needsInterface ? Errno.None : Errno.EINVAL;
    }

    /// <summary>IP_FREEBIND and IP_TRANSPARENT: addresses of others are as good as own ones.</summary>
    protected bool CanBindToAny => Inet.Has(InetFlags.FreeBind | InetFlags.Transparent);

    /// <summary>What the program wants to know of a packet, in the order in which Linux tells it.</summary>
    protected void PutControl(ref ControlWriter control, in UdpReceiveInfo info)
    {
        PutGenericControl(ref control, info.Timestamp, info.Drops);
        PutProtocolControl(ref control, info);
        bool isIpv4 = info.Destination.Address.IsIpv4;
        if (Inet.Has(InetFlags.Ipv6PacketInfo))
        {
            PutIpv6PacketInfo(ref control, Ipv6Option.IPV6_PKTINFO, info);
        }

        if (isIpv4)
        {
            PutIpv4(ref control, info, AnswerAddress(info));
        }
        else
        {
            PutIpv6(ref control, info);
        }
    }

    /// <summary>What a transport tells besides.</summary>
    protected virtual void PutProtocolControl(ref ControlWriter control, in UdpReceiveInfo info)
    {
    }

    private void PutIpv4(ref ControlWriter control, in UdpReceiveInfo info, in IpAddress own)
    {
        const int Level = (int)SocketLevel.IPPROTO_IP;
        if (Inet.Has(InetFlags.PacketInfo))
        {
            Span<byte> packetInfo = stackalloc byte[IpControl.PacketInfoBytes];
            IpAddress destination = info.Destination.Address;
            IpControl.WritePacketInfo(packetInfo, info.InterfaceIndex, own, destination);
            control.Put(Level, (int)IpOption.IP_PKTINFO, packetInfo);
        }

        if (Inet.Has(InetFlags.ReceiveTtl))
        {
            control.PutInt(Level, (int)IpOption.IP_TTL, info.HopLimit);
        }

        if (Inet.Has(InetFlags.ReceiveTos))
        {
            control.Put(Level, (int)IpOption.IP_TOS, [info.TrafficClass]);
        }

        if (Inet.Has(InetFlags.ReceiveOriginalDestination))
        {
            Span<byte> address = stackalloc byte[SocketAddress.Ipv4Bytes];
            SocketAddress.Write(address, AddressFamily.AF_INET, info.Destination);
            control.Put(Level, (int)IpOption.IP_RECVORIGDSTADDR, address);
        }
    }

    private const int TrafficClassShift = 20;

    private void PutIpv6(ref ControlWriter control, in UdpReceiveInfo info)
    {
        const int Level = (int)SocketLevel.IPPROTO_IPV6;
        if (Inet.Has(InetFlags.Ipv6ReceiveHopLimit))
        {
            control.PutInt(Level, (int)Ipv6Option.IPV6_HOPLIMIT, info.HopLimit);
        }

        if (Inet.Has(InetFlags.Ipv6ReceiveTrafficClass))
        {
            control.PutInt(Level, (int)Ipv6Option.IPV6_TCLASS, info.TrafficClass);
        }

        uint flow = ((uint)info.TrafficClass << TrafficClassShift) | info.FlowLabel;
        if (Inet.Has(InetFlags.Ipv6FlowInfo) && flow != 0)
        {
            control.PutInt(Level, (int)Ipv6Option.IPV6_FLOWINFO, BinaryPrimitives.ReverseEndianness((int)flow));
        }

        if (Inet.Has(InetFlags.Ipv6OldPacketInfo))
        {
            PutIpv6PacketInfo(ref control, Ipv6Option.IPV6_2292PKTINFO, info);
        }

        if (Inet.Has(InetFlags.Ipv6OldHopLimit))
        {
            control.PutInt(Level, (int)Ipv6Option.IPV6_2292HOPLIMIT, info.HopLimit);
        }

        if (Inet.Has(InetFlags.Ipv6ReceiveOriginalDestination))
        {
            Span<byte> address = stackalloc byte[SocketAddress.Ipv6Bytes];
            SocketAddress.Write(address, AddressFamily.AF_INET6, info.Destination);
            control.Put(Level, (int)Ipv6Option.IPV6_RECVORIGDSTADDR, address);
        }
    }

    private static void PutIpv6PacketInfo(ref ControlWriter control, Ipv6Option type, in UdpReceiveInfo info)
    {
        Span<byte> packetInfo = stackalloc byte[IpControl.Ipv6PacketInfoBytes];
        IpControl.WriteIpv6PacketInfo(packetInfo, info.InterfaceIndex, info.Destination.Address);
        control.Put((int)SocketLevel.IPPROTO_IPV6, (int)type, packetInfo);
    }

    /// <summary>Where an answer would come from: the destination, unless that is a group.</summary>
    protected virtual IpAddress AnswerAddress(in UdpReceiveInfo info)
    {
        IpAddress destination = info.Destination.Address;
        return Stack.Ip.IsLocalAddress(destination) ? destination
            : Stack.Ip.SourceFor(info.Source.Address, info.InterfaceIndex);
    }

    /// <summary>MSG_ERRQUEUE: one error with what was quoted of the packet, the packet's destination, and who reported it.</summary>
    protected Errno ReceiveError(ref IoCursor destination, ref SocketMessage message, in UdpErrorInfo error, out long count)
    {
        count = destination.Write(error.Payload.Span);
        message.ReturnedFlags |= MessageFlags.MSG_ERRQUEUE | (count < error.Payload.Length ? MessageFlags.MSG_TRUNC : MessageFlags.None);
        bool isTime = error.Origin == UdpErrorOrigin.Timestamping;
        bool hasAddress = !message.Address.IsEmpty && !isTime;
        message.AddressLength = hasAddress ? SocketAddress.Write(message.Address, Family, error.Destination) : 0;
        PutErrorTimes(ref message.ReceivedControl, error);
        bool hasPacket = isTime ? error.InterfaceIndex != 0 && (IsIpv6 || Asks(TimestampingFlags.SOF_TIMESTAMPING_OPT_CMSG))
            : error.Origin != UdpErrorOrigin.Local;
        if (hasPacket)
        {
            PutErrorPacket(ref message.ReceivedControl, error);
        }

        Span<byte> bytes = stackalloc byte[ExtendedErrorBytes + SocketAddress.Ipv6Bytes];
        bytes.Clear();
        MemoryMarshal.Write(bytes, (int)error.Error);
        bytes[4] = (byte)error.Origin;
        bytes[5] = error.Type;
        bytes[6] = error.Code;
        MemoryMarshal.Write(bytes[8..], error.Mtu);
        MemoryMarshal.Write(bytes[12..], error.Id);
        if (hasPacket)
        {
            SocketAddress.Write(bytes[ExtendedErrorBytes..], Family, new Endpoint(error.Reporter, 0));
        }

        PutExtendedError(ref message.ReceivedControl, bytes);
        return Errno.None;
    }

    /// <summary>struct sock_extended_err, with room for an address of IPv6 behind it, as the control message of the socket's family.</summary>
    private protected void PutExtendedError(ref ControlWriter control, scoped ReadOnlySpan<byte> error)
    {
        int length = IsIpv6 ? SocketAddress.Ipv6Bytes : SocketAddress.Ipv4Bytes;
        int level = (int)(IsIpv6 ? SocketLevel.IPPROTO_IPV6 : SocketLevel.IPPROTO_IP);
        int type = IsIpv6 ? (int)Ipv6Option.IPV6_RECVERR : (int)IpOption.IP_RECVERR;
        control.Put(level, type, error[..(ExtendedErrorBytes + length)]);
    }

    /// <summary>When it was; what was not received has a time only where SO_TIMESTAMP wants one in any case.</summary>
    private void PutErrorTimes(ref ControlWriter control, in UdpErrorInfo error)
    {
        bool hasTime = error.Origin == UdpErrorOrigin.Timestamping
            || (error.Origin != UdpErrorOrigin.Local && Asks(TimestampingFlags.SOF_TIMESTAMPING_RX_SOFTWARE));
        PutTimes(ref control, error.Timestamp, hasTime);
        if (error.HasStatistics && Asks(TimestampingFlags.SOF_TIMESTAMPING_SOFTWARE))
        {
            control.Put((int)SocketLevel.SOL_SOCKET, SCM_TIMESTAMPING_OPT_STATS, error.Payload.Span);
        }
    }

    /// <summary>What is asked of packets is told of the report, or of the packet that was sent.</summary>
    private void PutErrorPacket(ref ControlWriter control, in UdpErrorInfo error)
    {
        bool isTime = error.Origin == UdpErrorOrigin.Timestamping;
        UdpReceiveInfo info = new()
        {
            Source = new Endpoint(error.Reporter, 0),
            Destination = isTime ? error.Destination : new Endpoint(LocalAddress.IsUnspecified ? error.Reporter : LocalAddress, 0),
            InterfaceIndex = error.InterfaceIndex,
            HopLimit = error.HopLimit,
            TrafficClass = error.TrafficClass,
        };
        if (Inet.Has(InetFlags.Ipv6PacketInfo))
        {
            PutIpv6PacketInfo(ref control, Ipv6Option.IPV6_PKTINFO, info);
        }

        if (isTime ? error.Reporter.IsIpv4 : error.Origin == UdpErrorOrigin.Icmp)
        {
            // A socket of IPv6 is not told where a packet of IPv4 came from, as in Linux.
            PutIpv4(ref control, info, !isTime ? AnswerAddress(info) : IsIpv6 ? IpAddress.AnyIpv4 : error.Reporter);
        }
        else
        {
            PutIpv6(ref control, info);
        }
    }
}

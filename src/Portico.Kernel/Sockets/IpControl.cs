using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Portico.Net;

namespace Portico.Kernel;

/// <summary>What the control messages of a sendmsg say about the packet to send.</summary>
internal struct IpSendControl
{
    public IpSendControl()
    {
    }

    /// <summary>The source address; default for the socket's.</summary>
    public IpAddress Source { get; set; }

    /// <summary>The outgoing interface; 0 for the socket's.</summary>
    public int InterfaceIndex { get; set; }

    /// <summary>TTL or hop limit; -1 for the socket's.</summary>
    public int HopLimit { get; set; } = -1;

    /// <summary>Type of service or traffic class; -1 for the socket's.</summary>
    public int TrafficClass { get; set; } = -1;

    /// <summary>IPV6_DONTFRAG; -1 for the socket's.</summary>
    public int DontFragment { get; set; } = -1;

    /// <summary>IP_PROTOCOL, which only raw sockets look at; 0 for the socket's.</summary>
    public int Protocol { get; set; }

    /// <summary>IPV6_FLOWINFO, in which only the flow label counts.</summary>
    public uint FlowInfo { get; set; }

    /// <summary>MSG_DONTROUTE, of IPv4.</summary>
    public bool IsOnLink { get; set; }

    /// <summary>UDP_SEGMENT; -1 for the socket's.</summary>
    public int SegmentBytes { get; set; } = -1;

    /// <summary>The times of sending that are to be told; the socket's, unless a message says otherwise.</summary>
    public TimestampingFlags Timestamping { get; set; }

    /// <summary>SCM_TS_OPT_ID: the number that they have; null for the socket's next one.</summary>
    public uint? TimestampId { get; set; }
}

/// <summary>Control messages of IP: what may go with a packet that is sent (ip_cmsg_send, ip6_datagram_send_ctl in Linux).</summary>
internal static class IpControl
{
    /// <summary>sizeof(struct in_pktinfo).</summary>
    public const int PacketInfoBytes = 12;

    /// <summary>sizeof(struct in6_pktinfo).</summary>
    public const int Ipv6PacketInfoBytes = 20;

    private const int SCM_TS_OPT_ID = 81;
    private const int SCM_TXTIME = (int)SocketOption.SO_TXTIME;

    /// <summary>struct in_pktinfo: the interface, the address that answers come from, and the packet's destination.</summary>
    public static void WritePacketInfo(Span<byte> to, int interfaceIndex, in IpAddress local, in IpAddress destination)
    {
        MemoryMarshal.Write(to, interfaceIndex);
        local.WriteIpv4(to[4..]);
        destination.WriteIpv4(to[8..]);
    }

    /// <summary>struct in6_pktinfo.</summary>
    public static void WriteIpv6PacketInfo(Span<byte> to, int interfaceIndex, in IpAddress destination)
    {
        destination.WriteIpv6(to);
        MemoryMarshal.Write(to[16..], interfaceIndex);
    }

    /// <summary>
    /// One message of the level SOL_SOCKET, for a packet that a process sends. Errors: EINVAL, EPERM for SO_MARK and SO_PRIORITY.
    /// </summary>
    public static Errno ReadGeneric(Process process, SocketFile socket, int type, ReadOnlySpan<byte> data, ref IpSendControl control) => type switch
    {
        (int)SocketOption.SO_MARK when !process.HasNetRaw => Errno.EPERM,
        (int)SocketOption.SO_MARK => data.Length == sizeof(int) ? Errno.None : Errno.EINVAL,
        (int)SocketOption.SO_PRIORITY when data.Length != sizeof(int) => Errno.EINVAL,
        (int)SocketOption.SO_PRIORITY =>
            MemoryMarshal.Read<int>(data) is >= 0 and <= 6 || process.HasNetRaw ? Errno.None : Errno.EPERM,
        (int)SocketOption.SO_TIMESTAMPING or (int)SocketOption.SO_TIMESTAMPING_NEW => ReadTimestamping(data, ref control),
        SCM_TS_OPT_ID => ReadTimestampId(socket, data, ref control),
        SCM_TXTIME => socket.Generic.TransmitTime.Flags != 0 && data.Length == sizeof(long) ? Errno.None : Errno.EINVAL,
        (int)ControlMessageType.SCM_RIGHTS or (int)ControlMessageType.SCM_CREDENTIALS => Errno.None,
        _ => Errno.EINVAL,
    };

    /// <summary>The times that one send asks for take the place of those that the socket asks for.</summary>
    private static Errno ReadTimestamping(ReadOnlySpan<byte> data, ref IpSendControl control)
    {
        const TimestampingFlags Mask = TimestampingFlags.SOF_TIMESTAMPING_TX_RECORD_MASK;
        TimestampingFlags asked = data.Length == sizeof(int) ? (TimestampingFlags)MemoryMarshal.Read<int>(data) : ~Mask;
        if ((asked & ~Mask) != 0)
        {
            return Errno.EINVAL;
        }

        control.Timestamping = asked;
        return Errno.None;
    }

    private static Errno ReadTimestampId(SocketFile socket, ReadOnlySpan<byte> data, ref IpSendControl control)
    {
        bool isNumbered = (socket.Generic.Timestamping & TimestampingFlags.SOF_TIMESTAMPING_OPT_ID) != 0;
        if (socket is InetStreamSocket || !isNumbered || data.Length != sizeof(uint))
        {
            return Errno.EINVAL;
        }

        control.TimestampId = MemoryMarshal.Read<uint>(data);
        return Errno.None;
    }

    /// <summary>One message of the level IPPROTO_IP. Errors: EINVAL.</summary>
    public static Errno ReadIp(int type, ReadOnlySpan<byte> data, ref IpSendControl control)
    {
        bool isInt = data.Length == sizeof(int);
        int number = isInt ? MemoryMarshal.Read<int>(data) : data.Length == 1 ? data[0] : -1;
        switch ((IpOption)type)
        {
            case IpOption.IP_PKTINFO when data.Length == PacketInfoBytes:
                control.InterfaceIndex = MemoryMarshal.Read<int>(data) is var index and not 0 ? index : control.InterfaceIndex;
                control.Source = IpAddress.ReadIpv4(data[4..]);
                return Errno.None;
            case IpOption.IP_TTL when isInt && number is >= 1 and <= byte.MaxValue:
                control.HopLimit = number;
                return Errno.None;
            case IpOption.IP_TOS when number is >= 0 and <= byte.MaxValue:
                control.TrafficClass = number;
                return Errno.None;
            case IpOption.IP_PROTOCOL when isInt && number is >= 1 and <= byte.MaxValue:
                control.Protocol = number;
                return Errno.None;
            default:
                return Errno.EINVAL;
        }
    }

    /// <summary>One message of the level IPPROTO_IPV6, on its own. Errors: EINVAL, EPERM for extension headers.</summary>
    public static Errno ReadIpv6(int type, ReadOnlySpan<byte> data, ref IpSendControl control)
    {
        bool isInt = data.Length == sizeof(int);
        int number = isInt ? MemoryMarshal.Read<int>(data) : 0;
        switch ((Ipv6Option)type)
        {
            case Ipv6Option.IPV6_PKTINFO or Ipv6Option.IPV6_2292PKTINFO when data.Length >= Ipv6PacketInfoBytes:
                int index = MemoryMarshal.Read<int>(data[16..]);
                if (index != 0 && control.InterfaceIndex != 0 && control.InterfaceIndex != index)
                {
                    return Errno.EINVAL;
                }

                control.InterfaceIndex = index != 0 ? index : control.InterfaceIndex;
                control.Source = IpAddress.ReadIpv6(data);
                return Errno.None;
            case Ipv6Option.IPV6_HOPLIMIT or Ipv6Option.IPV6_2292HOPLIMIT when isInt && number is >= -1 and <= byte.MaxValue:
                control.HopLimit = number;
                return Errno.None;
            case Ipv6Option.IPV6_TCLASS when isInt && number is >= -1 and <= byte.MaxValue:
                // -1 is not the socket's own, whatever RFC 3542 says: Linux sends all bits set.
                control.TrafficClass = (byte)number;
                return Errno.None;
            case Ipv6Option.IPV6_DONTFRAG when isInt && number is 0 or 1:
                control.DontFragment = number;
                return Errno.None;
            case Ipv6Option.IPV6_FLOWINFO when data.Length >= sizeof(int):
                uint flow = BinaryPrimitives.ReadUInt32BigEndian(data);
                if (control.FlowInfo != 0 && (flow & ~SocketAddress.FlowInfoMask) != 0)
                {
                    return Errno.EINVAL;
                }

                control.FlowInfo = flow & SocketAddress.FlowInfoMask;
                return Errno.None;
            default:
                return Errno.EINVAL;
        }
    }
}

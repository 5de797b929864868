using System.Buffers.Binary;
using Portico.Net;

namespace Portico.Simulation.Scripts;

/// <summary>Makes packets of what a script says about them; addresses, ports and numbers are the script's still.</summary>
internal static class PacketTemplates
{
    /// <summary>The bytes of a quoted transport header (RFC 792).</summary>
    private const int QuotedTransportBytes = 8;

    public static ScriptPacket Make(string path, PacketTemplate template, bool isIpv6)
    {
        ScriptPacket packet = new() { Tos = template.Ip.Tos, Ttl = template.Ip.Ttl, FlowLabel = template.Ip.FlowLabel };
        switch (template)
        {
            case TcpTemplate tcp:
                packet.Protocol = IpProtocol.Tcp;
                packet.SourcePort = tcp.SourcePort;
                packet.DestinationPort = tcp.DestinationPort;
                packet.Flags = tcp.Flags;
                packet.Sequence = tcp.Sequence;
                packet.Acknowledgment = tcp.Acknowledgment;
                packet.Window = tcp.Window ?? 0;
                packet.Urgent = tcp.Urgent;
                packet.Options = [.. (tcp.Options ?? []).Select(static option => option.Copy())];
                packet.Payload = new byte[tcp.PayloadLength];
                break;
            case UdpTemplate udp:
                packet.Protocol = IpProtocol.Udp;
                packet.SourcePort = udp.SourcePort;
                packet.DestinationPort = udp.DestinationPort;
                packet.Payload = new byte[udp.PayloadLength];
                break;
            case IcmpTemplate icmp:
                SetIcmp(path, packet, icmp, isIpv6);
                break;
        }

        return packet;
    }

    private static void SetIcmp(string path, ScriptPacket packet, IcmpTemplate icmp, bool isIpv6)
    {
        packet.Protocol = isIpv6 ? IpProtocol.Icmpv6 : IpProtocol.Icmp;
        string family = isIpv6 ? "ICMPv6" : "ICMP";
        packet.IcmpType = IcmpNames.FindType(icmp.Type, isIpv6)
            ?? throw new ScriptSyntaxException(path, icmp.Position, $"expected a type of {family}, found '{icmp.Type}'");
        packet.IcmpCode = IcmpNames.FindCode(icmp.Code, packet.IcmpType, isIpv6)
            ?? throw new ScriptSyntaxException(path, icmp.Position, $"expected a code of {family}'s {icmp.Type}, found '{icmp.Code}'");
        bool takesMtu = isIpv6 ? packet is { IcmpType: 2, IcmpCode: 0 } : packet is { IcmpType: 3, IcmpCode: 4 };
        if (icmp.Mtu != null && (!takesMtu || (!isIpv6 && icmp.Mtu > ushort.MaxValue)))
        {
            throw new ScriptSyntaxException(path, icmp.Position, $"expected an MTU only in {(isIpv6 ? "packet_too_big" : "unreachable frag_needed")}");
        }

        packet.IcmpRest = icmp.Mtu ?? (uint)icmp.EchoId << 16;
    }

    /// <summary>What an ICMP message bears: the beginning of the packet that it is about, which the socket has sent; or bytes of 0.</summary>
    public static byte[] Quote(IcmpTemplate icmp, ScriptSocket socket, bool isIpv6)
    {
        if (icmp.Quote == IcmpQuote.Raw)
        {
            return new byte[Math.Max(0, icmp.QuotedLength - ScriptPacket.IcmpHeaderLength)];
        }

        bool isTcp = icmp.Quote == IcmpQuote.Tcp;
        ScriptPacket quoted = new()
        {
            Source = socket.Local.Address,
            Destination = socket.Remote.Address,
            Protocol = isTcp ? IpProtocol.Tcp : IpProtocol.Udp,
        };
        byte[] transport = new byte[QuotedTransportBytes];
        BinaryPrimitives.WriteUInt16BigEndian(transport, socket.Local.Port);
        BinaryPrimitives.WriteUInt16BigEndian(transport.AsSpan(2), socket.Remote.Port);
        if (isTcp)
        {
            BinaryPrimitives.WriteUInt32BigEndian(transport.AsSpan(4), icmp.QuotedSequence + socket.LocalOffset(isSyn: false));
        }
        else
        {
            BinaryPrimitives.WriteUInt16BigEndian(transport.AsSpan(4), (ushort)(8 + icmp.QuotedLength));
        }

        return [.. PacketWriter.WriteIp(quoted, (isTcp ? 20 : 8) + icmp.QuotedLength), .. transport];
    }
}

using System.Buffers.Binary;
using Portico.Net;

namespace Portico.Simulation.Scripts;

/// <summary>Puts packets together that a script sends, with their checksums.</summary>
internal static class PacketWriter
{
    private const byte DefaultTtl = 255;

    public static byte[] Write(ScriptPacket packet)
    {
        byte[] transport = packet.Protocol switch
        {
            IpProtocol.Tcp => WriteTcp(packet),
            IpProtocol.Udp => WriteUdp(packet),
            _ => WriteIcmp(packet),
        };
        int checksumOffset = packet.Protocol switch { IpProtocol.Tcp => 16, IpProtocol.Udp => 6, _ => 2 };
        ulong sum = packet.Protocol == IpProtocol.Icmp ? 0 : InternetChecksum.PseudoHeader(packet.Source, packet.Destination, packet.Protocol, transport.Length);
        ushort checksum = InternetChecksum.Finish(InternetChecksum.Accumulate(sum, transport));
        BinaryPrimitives.WriteUInt16BigEndian(transport.AsSpan(checksumOffset), checksum);
        return [.. WriteIp(packet, transport.Length), .. transport];
    }

    /// <summary>The IP header in front of so many bytes.</summary>
    public static byte[] WriteIp(ScriptPacket packet, int length)
    {
        byte ttl = packet.Ttl == 0 ? DefaultTtl : packet.Ttl;
        byte[] header = new byte[packet.IsIpv6 ? ScriptPacket.Ipv6HeaderLength : ScriptPacket.Ipv4HeaderLength];
        if (packet.IsIpv6)
        {
            BinaryPrimitives.WriteUInt32BigEndian(header, 0x6000_0000 | ((uint)packet.Tos << 20) | packet.FlowLabel);
            BinaryPrimitives.WriteUInt16BigEndian(header.AsSpan(4), (ushort)length);
            header[6] = (byte)packet.Protocol;
            header[7] = ttl;
            packet.Source.WriteIpv6(header.AsSpan(8));
            packet.Destination.WriteIpv6(header.AsSpan(24));
            return header;
        }

        header[0] = 0x45;
        header[1] = packet.Tos;
        BinaryPrimitives.WriteUInt16BigEndian(header.AsSpan(2), (ushort)(header.Length + length));
        header[8] = ttl;
        header[9] = (byte)packet.Protocol;
        packet.Source.WriteIpv4(header.AsSpan(12));
        packet.Destination.WriteIpv4(header.AsSpan(16));
        BinaryPrimitives.WriteUInt16BigEndian(header.AsSpan(10), InternetChecksum.Compute(header));
        return header;
    }

    private static byte[] WriteTcp(ScriptPacket packet)
    {
        int headerLength = 20 + packet.OptionBytes;
        byte[] bytes = new byte[headerLength + packet.Payload.Length];
        BinaryPrimitives.WriteUInt16BigEndian(bytes, packet.SourcePort);
        BinaryPrimitives.WriteUInt16BigEndian(bytes.AsSpan(2), packet.DestinationPort);
        BinaryPrimitives.WriteUInt32BigEndian(bytes.AsSpan(4), packet.Sequence);
        BinaryPrimitives.WriteUInt32BigEndian(bytes.AsSpan(8), packet.Acknowledgment);
        BinaryPrimitives.WriteUInt16BigEndian(bytes.AsSpan(12), (ushort)((headerLength / 4 << 12) | (int)packet.Flags));
        BinaryPrimitives.WriteUInt16BigEndian(bytes.AsSpan(14), packet.Window);
        BinaryPrimitives.WriteUInt16BigEndian(bytes.AsSpan(18), packet.Urgent);
        int position = 20;
        foreach (TcpOptionBytes option in packet.Options)
        {
            bytes[position] = option.Kind;
            if (option.Length > 1)
            {
                bytes[position + 1] = (byte)option.Length;
                option.Data.CopyTo(bytes, position + 2);
            }

            position += option.Length;
        }

        packet.Payload.CopyTo(bytes, headerLength);
        return bytes;
    }

    private static byte[] WriteUdp(ScriptPacket packet)
    {
        byte[] bytes = new byte[8 + packet.Payload.Length];
        BinaryPrimitives.WriteUInt16BigEndian(bytes, packet.SourcePort);
        BinaryPrimitives.WriteUInt16BigEndian(bytes.AsSpan(2), packet.DestinationPort);
        BinaryPrimitives.WriteUInt16BigEndian(bytes.AsSpan(4), (ushort)bytes.Length);
        packet.Payload.CopyTo(bytes, 8);
        return bytes;
    }

    private static byte[] WriteIcmp(ScriptPacket packet)
    {
        byte[] bytes = new byte[ScriptPacket.IcmpHeaderLength + packet.Payload.Length];
        bytes[0] = packet.IcmpType;
        bytes[1] = packet.IcmpCode;
        BinaryPrimitives.WriteUInt32BigEndian(bytes.AsSpan(4), packet.IcmpRest);
        packet.Payload.CopyTo(bytes, ScriptPacket.IcmpHeaderLength);
        return bytes;
    }
}

using System.Buffers.Binary;

namespace Portico.Net.Tests.Ip;

/// <summary>Builds packets byte by byte, with a checksum of its own, so that nothing under test makes its own expectation.</summary>
internal static class IpBytes
{
    public static byte[] V4(
        string source,
        string destination,
        int protocol,
        ReadOnlySpan<byte> payload,
        int id = 0,
        int flagsAndOffset = 0,
        int ttl = 64,
        int tos = 0,
        byte[]? options = null)
    {
        options ??= [];
        int headerLength = 20 + options.Length;
        byte[] packet = new byte[headerLength + payload.Length];
        packet[0] = (byte)(0x40 | (headerLength / 4));
        packet[1] = (byte)tos;
        BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(2), (ushort)packet.Length);
        BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(4), (ushort)id);
        BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(6), (ushort)flagsAndOffset);
        packet[8] = (byte)ttl;
        packet[9] = (byte)protocol;
        IpAddress.Parse(source).WriteIpv4(packet.AsSpan(12));
        IpAddress.Parse(destination).WriteIpv4(packet.AsSpan(16));
        options.CopyTo(packet, 20);
        BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(10), Checksum(packet.AsSpan(0, headerLength)));
        payload.CopyTo(packet.AsSpan(headerLength));
        return packet;
    }

    public static byte[] V6(
        string source, string destination, int next, ReadOnlySpan<byte> payload, int hopLimit = 64, int trafficClass = 0)
    {
        byte[] packet = new byte[40 + payload.Length];
        BinaryPrimitives.WriteUInt32BigEndian(packet, 0x6000_0000 | ((uint)trafficClass << 20));
        BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(4), (ushort)payload.Length);
        packet[6] = (byte)next;
        packet[7] = (byte)hopLimit;
        IpAddress.Parse(source).WriteIpv6(packet.AsSpan(8));
        IpAddress.Parse(destination).WriteIpv6(packet.AsSpan(24));
        payload.CopyTo(packet.AsSpan(40));
        return packet;
    }

    public static byte[] Icmp4(int type, int code, uint rest, ReadOnlySpan<byte> payload)
    {
        byte[] message = Message(type, code, rest, payload);
        BinaryPrimitives.WriteUInt16BigEndian(message.AsSpan(2), Checksum(message));
        return message;
    }

    public static byte[] Icmp6(string source, string destination, int type, int code, uint rest, ReadOnlySpan<byte> payload)
    {
        byte[] message = Message(type, code, rest, payload);
        byte[] summed = [.. Pseudo6(source, destination, 58, message.Length), .. message];
        BinaryPrimitives.WriteUInt16BigEndian(message.AsSpan(2), Checksum(summed));
        return message;
    }

    public static byte[] Udp(int sourcePort, int destinationPort, ReadOnlySpan<byte> payload)
    {
        byte[] datagram = new byte[8 + payload.Length];
        BinaryPrimitives.WriteUInt16BigEndian(datagram, (ushort)sourcePort);
        BinaryPrimitives.WriteUInt16BigEndian(datagram.AsSpan(2), (ushort)destinationPort);
        BinaryPrimitives.WriteUInt16BigEndian(datagram.AsSpan(4), (ushort)datagram.Length);
        payload.CopyTo(datagram.AsSpan(8));
        return datagram;
    }

    /// <summary>A TCP header of 20 bytes; the checksum is right for the addresses.</summary>
    public static byte[] Tcp4(
        string source, string destination, int sourcePort, int destinationPort, uint seq, uint ack, int flags, ReadOnlySpan<byte> payload)
    {
        byte[] segment = new byte[20 + payload.Length];
        BinaryPrimitives.WriteUInt16BigEndian(segment, (ushort)sourcePort);
        BinaryPrimitives.WriteUInt16BigEndian(segment.AsSpan(2), (ushort)destinationPort);
        BinaryPrimitives.WriteUInt32BigEndian(segment.AsSpan(4), seq);
        BinaryPrimitives.WriteUInt32BigEndian(segment.AsSpan(8), ack);
        segment[12] = 0x50;
        segment[13] = (byte)flags;
        BinaryPrimitives.WriteUInt16BigEndian(segment.AsSpan(14), 0x4000);
        payload.CopyTo(segment.AsSpan(20));
        byte[] summed = [.. Pseudo4(source, destination, 6, segment.Length), .. segment];
        BinaryPrimitives.WriteUInt16BigEndian(segment.AsSpan(16), Checksum(summed));
        return segment;
    }

    public static byte[] Pseudo4(string source, string destination, int protocol, int length)
    {
        byte[] pseudo = new byte[12];
        IpAddress.Parse(source).WriteIpv4(pseudo);
        IpAddress.Parse(destination).WriteIpv4(pseudo.AsSpan(4));
        pseudo[9] = (byte)protocol;
        BinaryPrimitives.WriteUInt16BigEndian(pseudo.AsSpan(10), (ushort)length);
        return pseudo;
    }

    public static byte[] Pseudo6(string source, string destination, int next, int length)
    {
        byte[] pseudo = new byte[40];
        IpAddress.Parse(source).WriteIpv6(pseudo);
        IpAddress.Parse(destination).WriteIpv6(pseudo.AsSpan(16));
        BinaryPrimitives.WriteUInt32BigEndian(pseudo.AsSpan(32), (uint)length);
        pseudo[39] = (byte)next;
        return pseudo;
    }

    public static byte[] FragmentHeader(int next, int offset, bool more, uint id)
    {
        byte[] header = new byte[8];
        header[0] = (byte)next;
        BinaryPrimitives.WriteUInt16BigEndian(header.AsSpan(2), (ushort)(offset | (more ? 1 : 0)));
        BinaryPrimitives.WriteUInt32BigEndian(header.AsSpan(4), id);
        return header;
    }

    public static ushort Checksum(ReadOnlySpan<byte> bytes)
    {
        uint sum = 0;
        for (int i = 0; i < bytes.Length; i++)
        {
            sum += (uint)bytes[i] << (i % 2 == 0 ? 8 : 0);
            sum = (sum & 0xFFFF) + (sum >> 16);
        }

        return (ushort)~sum;
    }

    /// <summary>Bytes that show where they are.</summary>
    public static byte[] Pattern(int length, int seed = 0)
    {
        byte[] bytes = new byte[length];
        for (int i = 0; i < length; i++)
        {
            bytes[i] = (byte)((i * 31) + (i >> 8) + seed);
        }

        return bytes;
    }

    private static byte[] Message(int type, int code, uint rest, ReadOnlySpan<byte> payload)
    {
        byte[] message = new byte[8 + payload.Length];
        message[0] = (byte)type;
        message[1] = (byte)code;
        BinaryPrimitives.WriteUInt32BigEndian(message.AsSpan(4), rest);
        payload.CopyTo(message.AsSpan(8));
        return message;
    }
}

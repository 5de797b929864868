using System.Buffers.Binary;

namespace Portico.Net;

/// <summary>
/// A packet as a socket filter sees it: the bytes that the socket would get, and what is before them. Places count from the first of those
/// bytes; the network header's may be negative.
/// </summary>
internal readonly unsafe ref struct FilterPacket
{
    private const int NetworkOffset = -0x10_0000;
    private const int LinkOffset = -0x20_0000;
    private static readonly byte[] s_linkOfIpv4 = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, EtherType.Ipv4 >> 8, EtherType.Ipv4 & 0xFF];
    private static readonly byte[] s_linkOfIpv6 = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, EtherType.Ipv6 >> 8, EtherType.Ipv6 & 0xFF];

    /// <summary>The packet itself; null where there are only <see cref="Bytes"/>.</summary>
    public required Packet? Packet { get; init; }

    /// <summary>The bytes of what is no packet of a network: it has no headers, and never was on an interface.</summary>
    public ReadOnlySpan<byte> Bytes { get; init; }

    /// <summary>Where in the packet the socket's bytes begin; negative where that is in front of its first byte.</summary>
    public int DataOffset { get; init; }

    /// <summary>A link's header that is not in the packet's memory: it stands before the network header.</summary>
    public ReadOnlySpan<byte> LinkHeader { get; init; }

    /// <summary>Whether that header is the first of the socket's bytes.</summary>
    public bool BeginsWithLinkHeader { get; init; }

    /// <summary>Bytes of the packet's memory in front of the socket's that are the packet's own: headers that have been taken off.</summary>
    public int BytesBefore { get; init; }

    /// <summary>Where the network header is.</summary>
    public int NetworkPosition { get; init; }

    /// <summary>Bytes of the link's header in front of the network header.</summary>
    public int LinkBytes { get; init; }

    /// <summary>The EtherType.</summary>
    public ushort Protocol { get; init; }

    /// <summary>Whom it was for.</summary>
    public PacketKind Kind { get; init; }

    /// <summary>Where it is going in or out; null for what was on no interface.</summary>
    public required NetworkInterface? Interface { get; init; }

    /// <summary>Whose random numbers it is to be had with.</summary>
    public required RandomSource Random { get; init; }

    /// <summary>
    /// A packet of IP whose linear part begins with the transport header, for a socket that sees it from there on, or with so many bytes of
    /// the headers in front. Its link's header is not there any more: it reads as one without addresses.
    /// </summary>
    public static FilterPacket OfTransport(Packet packet, int headerBytes, in IpInfo info)
    {
        int networkBytes = packet.Start - packet.NetworkOffset;
        bool isIpv4 = info.Destination.IsIpv4;
        return new FilterPacket
        {
            Packet = packet,
            DataOffset = -headerBytes,
            BytesBefore = networkBytes - headerBytes,
            NetworkPosition = headerBytes - networkBytes,
            LinkHeader = info.Interface.HeaderBytes == 0 ? default : isIpv4 ? s_linkOfIpv4 : s_linkOfIpv6,
            LinkBytes = info.Interface.HeaderBytes,
            Protocol = isIpv4 ? EtherType.Ipv4 : EtherType.Ipv6,
            Kind = !packet.IsLinkBroadcast ? PacketKind.PACKET_HOST
                : info.Destination.IsMulticast ? PacketKind.PACKET_MULTICAST
                : PacketKind.PACKET_BROADCAST,
            Interface = info.Interface,
            Random = info.Interface.Stack.Engine.Random,
        };
    }

    private int Prefix => BeginsWithLinkHeader ? LinkHeader.Length : 0;

    /// <summary>The socket's bytes.</summary>
    public int Length => Packet == null ? Bytes.Length : Prefix + Packet.Length - DataOffset;

    private ReadOnlySpan<byte> Linear => Packet == null ? Bytes : Packet.Linear;

    /// <summary>Reads 1, 2 or 4 bytes, the first one the highest; false where they are not all there.</summary>
    public bool TryRead(uint place, int size, out uint value)
    {
        int position = (int)place;
        int inPacket = position - Prefix + DataOffset;
        ReadOnlySpan<byte> linear = Linear;
        if (position >= Prefix && inPacket >= 0 && inPacket <= linear.Length - size)
        {
            ReadOnlySpan<byte> at = linear[inPacket..];
            value = size == 4 ? BinaryPrimitives.ReadUInt32BigEndian(at) : size == 2 ? BinaryPrimitives.ReadUInt16BigEndian(at) : at[0];
            return true;
        }

        if (position < 0)
        {
            value = 0;
            if (position < (Interface == null ? NetworkOffset : LinkOffset))
            {
                return false;
            }

            position = position >= NetworkOffset ? position - NetworkOffset + NetworkPosition : position - LinkOffset + NetworkPosition - LinkBytes;
        }

        return TryReadAt(position, size, out value);
    }

    /// <summary>The same with a place that may be in front of the socket's bytes: it is no code for one of the headers.</summary>
    public bool TryReadAt(int position, int size, out uint value)
    {
        value = 0;
        for (int i = 0; i < size; i++)
        {
            if (!TryReadByte(position + i, out byte next))
            {
                return false;
            }

            value = (value << 8) | next;
        }

        return true;
    }

    private bool TryReadByte(int position, out byte value)
    {
        if (Packet == null)
        {
            bool isThere = (uint)position < (uint)Bytes.Length;
            value = isThere ? Bytes[position] : (byte)0;
            return isThere;
        }

        if (position < 0 && position >= -BytesBefore)
        {
            value = Packet.LinearPointer[DataOffset + position];
            return true;
        }

        int inLink = position - NetworkPosition + LinkBytes;
        if (position < Prefix)
        {
            bool isInLink = (uint)inLink < (uint)LinkHeader.Length;
            value = isInLink ? LinkHeader[inLink] : (byte)0;
            return isInLink;
        }

        int inPacket = position - Prefix + DataOffset;
        value = 0;
        if (inPacket < 0)
        {
            value = Packet.LinearPointer[inPacket];
            return true;
        }

        return Packet.CopyTo(inPacket, new Span<byte>(ref value)) == 1;
    }
}

using System.Buffers.Binary;

namespace Portico.Net;

/// <summary>What a packet socket has to know of a frame on an interface's link.</summary>
internal struct LinkFrame
{
    public NetworkInterface Interface;
    public PacketKind Kind;
    public ushort Protocol;

    /// <summary>Bytes of the link's header that the packet begins with.</summary>
    public int HeaderBytes;

    /// <summary>
    /// The loopback carries IP packets as they are, and shows them behind the Ethernet header that Linux gives them: no addresses, and the type.
    /// </summary>
    public bool LacksHeader;
    public MacAddress Source;

    /// <summary>What is seen of the link's header by sockets that see headers at all.</summary>
    public readonly int ShownHeaderBytes => LacksHeader ? EthernetHeader.Length : HeaderBytes;

    /// <summary>An IP packet on a link that has no headers.</summary>
    public static LinkFrame OfIp(Packet packet, NetworkInterface at, bool isOutgoing) => new()
    {
        Interface = at,
        Kind = isOutgoing ? PacketKind.PACKET_OUTGOING : PacketKind.PACKET_HOST,
        Protocol = TypeOf(packet),
        LacksHeader = at.IsLoopback,
    };

    /// <summary>A frame that begins with an Ethernet header, which is linear. lo has no address for all hosts: that is a group's there.</summary>
    public static LinkFrame OfEthernet(Packet packet, NetworkInterface at, bool isOutgoing)
    {
        _ = EthernetHeader.TryParse(packet.Linear, out EthernetHeader header);
        MacAddress destination = header.Destination;
        ushort type = header.EtherType;
        return new LinkFrame
        {
            Interface = at,
            Kind = isOutgoing ? PacketKind.PACKET_OUTGOING
                : destination == MacAddress.Broadcast && !at.IsLoopback ? PacketKind.PACKET_BROADCAST
                : destination.IsGroup ? PacketKind.PACKET_MULTICAST
                : destination == at.Link.Address ? PacketKind.PACKET_HOST
                : PacketKind.PACKET_OTHERHOST,
            Protocol = isOutgoing || type >= EtherType.Min ? type : LogicalLinkControl(packet),
            HeaderBytes = EthernetHeader.Length,
            Source = header.Source,
        };
    }

    /// <summary>The EtherType of an IP packet; 0 for what is none.</summary>
    public static ushort TypeOf(Packet packet)
    {
        int version = packet.EnsureLinear(1) ? packet.Linear[0] >> 4 : 0;
        return version == 4 ? EtherType.Ipv4 : version == 6 ? EtherType.Ipv6 : (ushort)0;
    }

    /// <summary>A frame with a length instead of a type (IEEE 802.3): behind it is a header of 802.2, or of old Novell networks.</summary>
    private static ushort LogicalLinkControl(Packet packet)
    {
        const ushort ETH_P_802_3 = 1;
        const ushort ETH_P_802_2 = 4;
        const ushort Novell = 0xFFFF;
        bool isNovell = packet.EnsureLinear(EthernetHeader.Length + 2)
            && BinaryPrimitives.ReadUInt16BigEndian(packet.Linear[EthernetHeader.Length..]) == Novell;
        return isNovell ? ETH_P_802_3 : ETH_P_802_2;
    }
}

namespace Portico.Net;

/// <summary>A packet socket that an application holds: a place in the table, and its generation.</summary>
public readonly record struct PacketSocketHandle(int Index, uint Generation);

/// <summary>Whom a frame was for (sll_pkttype of packet(7)).</summary>
public enum PacketKind : byte
{
#pragma warning disable CA1707 // The names are Linux's.
    /// <summary>This host.</summary>
    PACKET_HOST = 0,

    /// <summary>All hosts of the link.</summary>
    PACKET_BROADCAST = 1,

    /// <summary>A group of hosts.</summary>
    PACKET_MULTICAST = 2,

    /// <summary>Another host: the link has shown it all the same.</summary>
    PACKET_OTHERHOST = 3,

    /// <summary>Somebody else: this host has sent it.</summary>
    PACKET_OUTGOING = 4,
#pragma warning restore CA1707
}

/// <summary>Types of links (sll_hatype, ARPHRD_*).</summary>
public static class HardwareType
{
    /// <summary>ARPHRD_ETHER.</summary>
    public const ushort Ethernet = 1;

    /// <summary>ARPHRD_LOOPBACK.</summary>
    public const ushort Loopback = 772;

    /// <summary>ARPHRD_NONE: bare IP packets.</summary>
    public const ushort None = 0xFFFE;
}

/// <summary>How to open a packet socket (socket(2), packet(7)).</summary>
public struct PacketOpenRequest
{
    /// <summary>SOCK_DGRAM: packets come and go without the link's header.</summary>
    public bool IsCooked;

    /// <summary>The EtherType of what it receives; <see cref="PacketSocketLayer.AllProtocols"/> for all, 0 for nothing before a bind.</summary>
    public ushort Protocol;
}

/// <summary>Where on a link a packet came from, or goes to (struct sockaddr_ll).</summary>
public struct PacketAddress
{
    /// <summary>The EtherType.</summary>
    public ushort Protocol;

    /// <summary>The interface; 0 for any.</summary>
    public int InterfaceIndex;

    /// <summary>The type of its link: <see cref="Portico.Net.HardwareType"/>.</summary>
    public ushort HardwareType;

    /// <summary>Whom it was for.</summary>
    public PacketKind Kind;

    /// <summary>Bytes of the link-layer address: 6, or 0 where there is none.</summary>
    public byte AddressLength;

    /// <summary>The link-layer address.</summary>
    public MacAddress Address;
}

/// <summary>What is known about a received packet.</summary>
public struct PacketReceiveInfo
{
    /// <summary>Where it came from; for what this host has sent, its own address.</summary>
    public PacketAddress Source;

    /// <summary>Bytes that the socket has of it; more than were received when the buffer was too small (MSG_TRUNC).</summary>
    public int TotalLength;

    /// <summary>Bytes that it had on the link.</summary>
    public int OriginalLength;

    /// <summary>Where in the bytes the network header begins.</summary>
    public int NetworkOffset;

    /// <summary>What is known of the transport checksum: <see cref="ChecksumState.Partial"/> where it is not filled in.</summary>
    public ChecksumState Checksum;

    /// <summary>Whether it is a super-segment of TCP, larger than the link's MTU.</summary>
    public bool IsTcpSegments;

    /// <summary>Packets that the socket had dropped when this one came in (SO_RXQ_OVFL).</summary>
    public uint Drops;

    /// <summary>When it came in or was sent (SO_TIMESTAMP, on the engine's clock).</summary>
    public MonoTime Timestamp;
}

/// <summary>The options of a packet socket that the engine looks at; to be set as a whole.</summary>
public struct PacketSocketOptions
{
    /// <summary>SO_RCVBUF in bytes of memory, as it reads.</summary>
    public int ReceiveMemoryMax;

    /// <summary>PACKET_IGNORE_OUTGOING: what this host sends is not shown.</summary>
    public bool IgnoreOutgoing;
}

/// <summary>Counters of packet sockets.</summary>
public enum PacketCounter
{
    /// <summary>Packets that were put into the queues of sockets.</summary>
    InPackets,

    /// <summary>Packets that sockets have sent.</summary>
    OutPackets,

    /// <summary>Packets that found the queue of a socket full.</summary>
    RcvbufErrors,

    /// <summary>Packets for which there was no memory.</summary>
    MemErrors,
}

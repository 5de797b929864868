namespace Portico.Net;

/// <summary>Hears when a packet leaves that it has put its <see cref="TransmitStamp"/> on.</summary>
internal interface ITransmitStampClient
{
    /// <summary>
    /// The packet, link header included, is about to be handed to the link of <paramref name="output"/>: one call for each time that its stamp asks
    /// for.
    /// </summary>
    void OnTransmit(TransmitTime what, Packet packet, NetworkInterface output);
}

/// <summary>Whom to tell that a packet leaves, and of which send it is.</summary>
internal struct TransmitStamp
{
    /// <summary>SOF_TIMESTAMPING_TX_SCHED and TX_SOFTWARE; TX_HARDWARE has no effect where no link has a clock.</summary>
    public const TimestampingFlags Told = TimestampingFlags.SOF_TIMESTAMPING_TX_SCHED | TimestampingFlags.SOF_TIMESTAMPING_TX_SOFTWARE;

    /// <summary>Null for nobody.</summary>
    public ITransmitStampClient? Client;
    public uint Socket;
    public uint Generation;
    public TimestampingFlags Flags;

    /// <summary>The number of the send; of TCP the sequence number of its last byte (Linux: tskey).</summary>
    public uint Key;
}

/// <summary>Makes entries of error queues out of packets that leave (Linux: __skb_tstamp_tx).</summary>
internal static class TransmitStamps
{
    /// <summary>Tells the client of a stamped packet that it leaves.</summary>
    public static void Tell(Packet packet, NetworkInterface output)
    {
        ITransmitStampClient client = packet.Stamp.Client!;
        TimestampingFlags flags = packet.Stamp.Flags;
        if ((flags & TimestampingFlags.SOF_TIMESTAMPING_TX_SCHED) != 0)
        {
            client.OnTransmit(TransmitTime.SCM_TSTAMP_SCHED, packet, output);
        }

        if ((flags & TimestampingFlags.SOF_TIMESTAMPING_TX_SOFTWARE) != 0)
        {
            client.OnTransmit(TransmitTime.SCM_TSTAMP_SND, packet, output);
        }
    }

    /// <summary>
    /// Tells <paramref name="errors"/> of a packet; false where they have no room for it (<see cref="DatagramErrors.HasRoom"/>).
    /// </summary>
    public static bool TryAdd(ref DatagramErrors errors, in TransmitStampContext context, TransmitTime what, Packet packet, NetworkInterface output)
    {
        bool withPacket = (context.Flags & TimestampingFlags.SOF_TIMESTAMPING_OPT_TSONLY) == 0;
        int header = withPacket && output.IsLoopback ? EthernetHeader.Length : 0;
        int length = withPacket ? header + packet.Length : 0;
        int trueSize = BufferSize.Of(length);
        if (!errors.HasRoom(trueSize, context.MemoryUsed, context.MemoryMax))
        {
            return false;
        }

        if (!withPacket)
        {
            errors.Add(Entry(context, what), 0, trueSize);
            return true;
        }

        ChecksumOffload.Show(packet);
        Span<byte> bytes = errors.Add(Describe(context, what, packet, output), length, trueSize);
        if (header > 0)
        {
            // As everywhere else lo has the header of Ethernet, without addresses.
            EthernetHeader.Write(bytes, default, default, IsIpv4(packet) ? EtherType.Ipv4 : EtherType.Ipv6);
        }

        packet.CopyTo(bytes[header..]);
        return true;
    }

    /// <summary>An entry that says nothing of a packet.</summary>
    public static UdpErrorInfo Entry(in TransmitStampContext context, TransmitTime what) =>
        new(Errno.ENOMSG, UdpErrorOrigin.Timestamping, 0, 0, (int)what, default, default)
        {
            Id = (context.Flags & TimestampingFlags.SOF_TIMESTAMPING_OPT_ID) != 0 ? context.Id : 0,
            Timestamp = context.Now,
        };

    private static UdpErrorInfo Describe(in TransmitStampContext context, TransmitTime what, Packet packet, NetworkInterface output)
    {
        ReadOnlySpan<byte> network = packet.NetworkHeader;
        ReadOnlySpan<byte> ports = packet.TransportHeader;
        bool isIpv4 = IsIpv4(packet);
        IpAddress source = isIpv4 ? IpAddress.ReadIpv4(network[12..]) : IpAddress.ReadIpv6(network[8..]);
        IpAddress destination = isIpv4 ? IpAddress.ReadIpv4(network[16..]) : IpAddress.ReadIpv6(network[24..]);
        ushort port = ports.Length < 4 ? (ushort)0 : System.Buffers.Binary.BinaryPrimitives.ReadUInt16BigEndian(ports[2..]);
        return Entry(context, what) with
        {
            Destination = new Endpoint(destination, port),
            Reporter = source,
            InterfaceIndex = output.Index,
            HopLimit = network[isIpv4 ? 8 : 7],
            TrafficClass = isIpv4 ? network[1] : (byte)((network[0] << 4) | (network[1] >> 4)),
        };
    }

    private static bool IsIpv4(Packet packet) => packet.NetworkHeader[0] >> 4 == 4;
}

/// <summary>What a socket says of an entry.</summary>
internal readonly ref struct TransmitStampContext
{
    /// <summary>The socket's SO_TIMESTAMPING.</summary>
    public TimestampingFlags Flags { get; init; }

    /// <summary>ee_data, where it is told.</summary>
    public uint Id { get; init; }

    public MonoTime Now { get; init; }

    /// <summary>Memory that what waits to be read takes, and how much it and the error queue may take (SO_RCVBUF).</summary>
    public int MemoryUsed { get; init; }

    public int MemoryMax { get; init; }
}

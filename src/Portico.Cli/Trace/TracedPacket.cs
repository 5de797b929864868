using Portico.Net;

namespace Portico.Cli;

/// <summary>What a trace wants to know of a packet, read without changing it.</summary>
internal ref struct TracedPacket
{
    /// <summary>As many bytes as any headers take that are looked into.</summary>
    private const int HeaderBytesMax = 256;

    /// <summary>As many bytes of a name server's message as are looked into.</summary>
    private const int MessageBytesMax = 1500;

    public Endpoint Source;
    public Endpoint Destination;
    public IpProtocol Protocol;
    public PacketNotes Notes;

    /// <summary>Bytes behind the transport header.</summary>
    public int PayloadLength;

    public TcpFlags Flags;
    public uint Sequence;
    public uint Acknowledgment;
    public ushort Window;
    public TcpOptions Options;

    public byte IcmpType;
    public byte IcmpCode;
    public ushort EchoIdentifier;
    public ushort EchoSequence;

    /// <summary>A UDP datagram's beginning, or what an ICMP error quotes.</summary>
    public ReadOnlySpan<byte> Payload;

    public readonly uint EndSequence => Sequence + (uint)PayloadLength + (Has(TcpFlags.Syn) ? 1u : 0) + (Has(TcpFlags.Fin) ? 1u : 0);

    public readonly bool Has(TcpFlags flag) => (Flags & flag) != 0;

    /// <summary>False for what is no IP packet, for fragments but the first, and for protocols without a story.</summary>
    public static bool TryRead(Packet packet, out TracedPacket read)
    {
        packet.EnsureLinear(Math.Min(packet.Length, HeaderBytesMax));
        if (!TryReadNetwork(packet.Linear, packet.Length, out read, out int offset, out int length))
        {
            return false;
        }

        read.Notes = packet.Notes;
        if (read.Protocol == IpProtocol.Udp)
        {
            packet.EnsureLinear(Math.Min(packet.Length, MessageBytesMax));
        }

        return read.TryReadTransport(packet.Linear[offset..], length);
    }

    /// <summary>Reads the packet that an ICMP error quotes, of which there may be no more than the ports.</summary>
    public static bool TryReadQuoted(ReadOnlySpan<byte> bytes, out TracedPacket read)
    {
        if (!TryReadNetwork(bytes, bytes.Length, out read, out int offset, out _) || bytes.Length < offset + 4)
        {
            return false;
        }

        if (read.Protocol is IpProtocol.Tcp or IpProtocol.Udp)
        {
            read.SetPorts(Read16(bytes, offset), Read16(bytes, offset + 2));
            return true;
        }

        // Of pings, the identifier of an echo request is what tells them apart.
        if (read.Protocol is IpProtocol.Icmp or IpProtocol.Icmpv6 && bytes.Length >= offset + IcmpHeader.Length)
        {
            read.SetPorts(Read16(bytes, offset + 4), 0);
            return true;
        }

        return false;
    }

    private static ushort Read16(ReadOnlySpan<byte> bytes, int at) => (ushort)((bytes[at] << 8) | bytes[at + 1]);

    private static bool TryReadNetwork(ReadOnlySpan<byte> bytes, int packetLength, out TracedPacket read, out int offset, out int length)
    {
        read = default;
        offset = 0;
        length = 0;
        if (bytes.IsEmpty)
        {
            return false;
        }

        IpAddress source;
        IpAddress destination;
        if (bytes[0] >> 4 == 4)
        {
            if (!Ipv4Header.TryParse(bytes, out Ipv4Header ip) || ip.FragmentOffset != 0)
            {
                return false;
            }

            offset = ip.HeaderLength;
            source = ip.Source;
            destination = ip.Destination;
            read.Protocol = ip.Protocol;
        }
        else
        {
            if (!Ipv6Header.TryParse(bytes, out Ipv6Header ip))
            {
                return false;
            }

            offset = Ipv6Header.Length;
            source = ip.Source;
            destination = ip.Destination;
            read.Protocol = ip.NextHeader;
            if (Ipv6ExtensionHeaders.IsExtensionHeader(ip.NextHeader))
            {
                if (!Ipv6ExtensionHeaders.TryWalk(bytes, destination.IsMulticast, Ipv6WalkLimits.Default, out Ipv6Walk walk))
                {
                    return false;
                }

                offset = walk.Offset;
                read.Protocol = walk.Protocol;
            }
        }

        read.Source = new Endpoint(source, 0);
        read.Destination = new Endpoint(destination, 0);
        length = packetLength - offset;
        return length >= 0 && offset <= bytes.Length;
    }

    private void SetPorts(ushort source, ushort destination)
    {
        Source = new Endpoint(Source.Address, source);
        Destination = new Endpoint(Destination.Address, destination);
    }

    private bool TryReadTransport(ReadOnlySpan<byte> bytes, int length)
    {
        switch (Protocol)
        {
            case IpProtocol.Tcp:
                if (!TcpHeader.TryParse(bytes, out TcpHeader tcp))
                {
                    return false;
                }

                SetPorts(tcp.SourcePort, tcp.DestinationPort);
                Flags = tcp.Flags;
                Sequence = tcp.Sequence;
                Acknowledgment = tcp.Acknowledgment;
                Window = tcp.Window;
                PayloadLength = length - tcp.HeaderLength;
                TcpOptions.Parse(tcp.OptionBytes, out Options);
                return true;
            case IpProtocol.Udp:
                if (!UdpHeader.TryParse(bytes, out UdpHeader udp))
                {
                    return false;
                }

                SetPorts(udp.SourcePort, udp.DestinationPort);
                PayloadLength = length - UdpHeader.Length;
                Payload = bytes[UdpHeader.Length..];
                return true;
            case IpProtocol.Icmp or IpProtocol.Icmpv6:
                if (bytes.Length < IcmpHeader.Length)
                {
                    return false;
                }

                IcmpType = bytes[0];
                IcmpCode = bytes[1];
                EchoIdentifier = Read16(bytes, 4);
                EchoSequence = Read16(bytes, 6);
                PayloadLength = length - IcmpHeader.Length;
                Payload = bytes[IcmpHeader.Length..];
                return true;
            default:
                return false;
        }
    }
}

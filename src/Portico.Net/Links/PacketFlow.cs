using System.Buffers.Binary;

namespace Portico.Net;

/// <summary>
/// Which conversation a packet belongs to, as one end of a link sees it, and where it stands in it: what impairments go by. What cannot
/// be read is left at zero; such packets share one flow.
/// </summary>
internal struct PacketFlow
{
    /// <summary>The address on this side of the link.</summary>
    public IpAddress Near;

    /// <summary>The address on the other side.</summary>
    public IpAddress Far;

    public ushort NearPort;
    public ushort FarPort;

    /// <summary>0 where the packet is not IP.</summary>
    public IpProtocol Protocol;

    /// <summary>TCP's SEG.SEQ.</summary>
    public uint Sequence;

    /// <summary>What a TCP segment takes of the sequence space: its bytes, SYN and FIN. 0 for everything else.</summary>
    public uint SequenceLength;

    /// <summary>Whether it opens a connection: SYN without ACK.</summary>
    public bool IsOpening;

    /// <summary>Reads the headers of a packet on a link, inbound or outbound. Later fragments are recognized by the first one's.</summary>
    public static PacketFlow Read(Packet packet, LinkKind kind, bool isInbound, RecentFragments fragments)
    {
        PacketFlow flow = default;
        ReadOnlySpan<byte> bytes = packet.Linear;
        if (kind == LinkKind.Ethernet)
        {
            bool isIp = bytes.Length >= EthernetHeader.Length && BinaryPrimitives.ReadUInt16BigEndian(bytes[12..]) is 0x0800 or 0x86DD;
            bytes = isIp ? bytes[EthernetHeader.Length..] : default;
        }

        if (Ipv4Header.TryParse(bytes, out Ipv4Header ipv4))
        {
            flow.SetAddresses(ipv4.Source, ipv4.Destination, isInbound);
            flow.Protocol = ipv4.Protocol;
            int headerLength = ipv4.HeaderLength;
            FragmentName name = new(ipv4.Source, ipv4.Destination, ipv4.Identification, ipv4.Protocol);
            flow.ReadTransport(
                bytes[headerLength..], ipv4.TotalLength - headerLength, isInbound, ipv4.IsFragment, ipv4.FragmentOffset, name, fragments);
        }
        else if (Ipv6Header.TryParse(bytes, out Ipv6Header ipv6))
        {
            flow.SetAddresses(ipv6.Source, ipv6.Destination, isInbound);
            flow.ReadIpv6(bytes, ipv6, isInbound, fragments);
        }

        return flow;
    }

    private void SetAddresses(in IpAddress source, in IpAddress destination, bool isInbound)
    {
        Near = isInbound ? destination : source;
        Far = isInbound ? source : destination;
    }

    private void ReadIpv6(ReadOnlySpan<byte> bytes, Ipv6Header header, bool isInbound, RecentFragments fragments)
    {
        bool found = Ipv6ExtensionHeaders.TryWalk(bytes, false, Ipv6WalkLimits.Default, out Ipv6Walk walk);
        bool isFragment = !found && walk.Outcome == Ipv6WalkOutcome.Fragment;
        if (!found && !isFragment)
        {
            return;
        }

        int fragmentOffset = 0;
        uint identification = 0;
        Protocol = walk.Protocol;
        ReadOnlySpan<byte> transport = bytes[walk.Offset..];
        if (isFragment)
        {
            Protocol = (IpProtocol)transport[0];
            Ipv6ExtensionHeaders.ReadFragment(transport, out fragmentOffset, out _, out identification);
            transport = transport[Ipv6ExtensionHeaders.FragmentHeaderLength..];
        }

        FragmentName name = new(header.Source, header.Destination, identification, Protocol);
        int length = header.PayloadLength - (bytes.Length - transport.Length - Ipv6Header.Length);
        ReadTransport(transport, length, isInbound, isFragment, fragmentOffset, name, fragments);
    }

    private void ReadTransport(
        ReadOnlySpan<byte> transport, int length, bool isInbound, bool isFragment, int fragmentOffset, in FragmentName name,
        RecentFragments fragments)
    {
        ushort sourcePort = 0;
        ushort destinationPort = 0;
        if (fragmentOffset > 0)
        {
            fragments.TryFind(name, out sourcePort, out destinationPort);
        }
        else
        {
            ReadPorts(transport, length, isFragment, out sourcePort, out destinationPort);
            if (isFragment)
            {
                fragments.Remember(name, sourcePort, destinationPort);
            }
        }

        NearPort = isInbound ? destinationPort : sourcePort;
        FarPort = isInbound ? sourcePort : destinationPort;
    }

    /// <summary>Reads ports, and TCP's place; <paramref name="length"/> is what the IP header says, as a frame may be padded.</summary>
    private void ReadPorts(
        ReadOnlySpan<byte> transport, int length, bool isFragment, out ushort sourcePort, out ushort destinationPort)
    {
        sourcePort = destinationPort = 0;
        switch (Protocol)
        {
            case IpProtocol.Tcp when TcpHeader.TryParse(transport, out TcpHeader tcp):
                sourcePort = tcp.SourcePort;
                destinationPort = tcp.DestinationPort;
                Sequence = tcp.Sequence;
                uint syn = (tcp.Flags & TcpFlags.Syn) != 0 ? 1u : 0;
                uint fin = (tcp.Flags & TcpFlags.Fin) != 0 ? 1u : 0;
                SequenceLength = isFragment ? 0 : (uint)Math.Max(0, length - tcp.HeaderLength) + syn + fin;
                IsOpening = (tcp.Flags & (TcpFlags.Syn | TcpFlags.Ack)) == TcpFlags.Syn;
                break;
            case IpProtocol.Udp when transport.Length >= UdpHeader.Length:
                sourcePort = BinaryPrimitives.ReadUInt16BigEndian(transport);
                destinationPort = BinaryPrimitives.ReadUInt16BigEndian(transport[2..]);
                break;
        }
    }
}

/// <summary>What the fragments of one datagram have in common (RFC 791 3.2, RFC 8200 4.5).</summary>
internal readonly record struct FragmentName(IpAddress Source, IpAddress Destination, uint Identification, IpProtocol Protocol);

/// <summary>The ports of the datagrams whose first fragments have lately passed, for the fragments behind, which have none.</summary>
internal sealed class RecentFragments
{
    private const int Count = 256;

    private readonly (FragmentName Name, ushort SourcePort, ushort DestinationPort)[] _recent =
        new (FragmentName Name, ushort SourcePort, ushort DestinationPort)[Count];

    /// <summary>Keeps the ports of a first fragment; the datagram that had its place is forgotten.</summary>
    public void Remember(in FragmentName name, ushort sourcePort, ushort destinationPort) =>
        _recent[Place(name)] = (name, sourcePort, destinationPort);

    /// <summary>The ports of the datagram that a later fragment belongs to.</summary>
    public bool TryFind(in FragmentName name, out ushort sourcePort, out ushort destinationPort)
    {
        ref (FragmentName Name, ushort SourcePort, ushort DestinationPort) found = ref _recent[Place(name)];
        bool isSame = found.Name == name;
        sourcePort = isSame ? found.SourcePort : (ushort)0;
        destinationPort = isSame ? found.DestinationPort : (ushort)0;
        return isSame;
    }

    // Datagrams of one sender are numbered one by one (IPv4) or at random (IPv6): the identification alone spreads them.
    private static int Place(in FragmentName name) => (int)(name.Identification % Count);
}

using System.Buffers.Binary;

namespace Portico.Net.Tests.HostileInput;

/// <summary>The attacker's end of a link: feeds packets in, counts and reads what comes out.</summary>
public sealed unsafe class HostileLink(Engine engine, LinkKind kind, int mtu, LinkFeatures features, MacAddress address) : ILink
{
    private readonly byte[] _scratch = new byte[70_000];
    private ILinkClient? _client;

    public LinkKind Kind => kind;

    public int Mtu => mtu;

    public MacAddress Address => address;

    public LinkFeatures Features => features;

    /// <summary>Packets that came out.</summary>
    public long Sent { get; private set; }

    /// <summary>Bytes that came out.</summary>
    public long SentBytes { get; private set; }

    /// <summary>Packets that came out and were not what a correct host may send.</summary>
    public long Malformed { get; private set; }

    /// <summary>Hears the IP packets that come out.</summary>
    public ScriptedConnections? Listener { get; set; }

    /// <summary>What the victim has asked the link for since the attacker last answered; unspecified if nothing.</summary>
    public IpAddress Asked { get; set; }

    /// <summary>Where copies of what comes out go, if anywhere.</summary>
    public List<byte[]>? Recording { get; set; }

    public void Attach(ILinkClient client) => _client = client;

    public void Transmit(Packet packet)
    {
        Sent++;
        SentBytes += packet.Length;
        Record(packet);
        int skip = kind == LinkKind.Ethernet ? EthernetHeader.Length : 0;
        if (packet.LinearLength < skip + 20)
        {
            packet.EnsureLinear(Math.Min(packet.Length, 80));
        }

        ReadOnlySpan<byte> linear = packet.Linear;
        if (packet.Length < skip + 20 || (packet.Length > mtu + skip && packet.GsoSize == 0))
        {
            Malformed++;
        }
        else
        {
            Look(packet, linear[skip..], skip == 0 ? (ushort)0 : BinaryPrimitives.ReadUInt16BigEndian(linear[12..]));
        }

        packet.Release();
    }

    public void Flush()
    {
    }

    /// <summary>Hands bytes to the stack, sometimes with a part of them in a fragment, and runs the engine until it is quiet.</summary>
    public void Inject(ReadOnlySpan<byte> bytes, int linearBytes)
    {
        Packet? packet = linearBytes >= bytes.Length ? engine.Packets.RentLinear(bytes.Length) : engine.Packets.RentLinear(linearBytes);
        if (packet == null)
        {
            return;
        }

        if (linearBytes >= bytes.Length)
        {
            bytes.CopyTo(packet.Append(bytes.Length));
        }
        else
        {
            bytes[..linearBytes].CopyTo(packet.Append(linearBytes));
            AddFragments(packet, bytes[linearBytes..]);
        }

        packet.Timestamp = engine.Now;
        engine.Post(_client!, packet);
    }

    private void Record(Packet packet)
    {
        if (Recording != null)
        {
            ChecksumOffload.Complete(packet);
            byte[] copy = new byte[packet.Length];
            packet.CopyTo(copy);
            Recording.Add(copy);
        }
    }

    /// <summary>What the victim sends itself must have right checksums, unless the link completes them.</summary>
    private void CheckSum(Packet packet, int transport, in IpAddress source, in IpAddress destination, IpProtocol protocol)
    {
        if (packet.Checksum == ChecksumState.Partial && (features & LinkFeatures.ChecksumOffload) != 0)
        {
            return;
        }

        packet.CopyTo(_scratch);
        ReadOnlySpan<byte> bytes = _scratch.AsSpan(transport, packet.Length - transport);
        ulong sum = protocol is IpProtocol.Icmp or IpProtocol.Igmp
            ? 0
            : InternetChecksum.PseudoHeader(source, destination, protocol, bytes.Length);
        if (InternetChecksum.Fold(InternetChecksum.Accumulate(sum, bytes)) != 0xFFFF)
        {
            Malformed++;
        }
    }

    private void AddFragments(Packet packet, ReadOnlySpan<byte> rest)
    {
        while (rest.Length > 0)
        {
            int take = Math.Min(rest.Length, 4096);
            Block* block = engine.Blocks.Rent(take);
            if (block == null)
            {
                return;
            }

            rest[..take].CopyTo(new Span<byte>(Block.Data(block), take));
            packet.TryAddFragment(block, 0, take);
            engine.Blocks.Release(block);
            rest = rest[take..];
        }
    }

    private void Look(Packet packet, ReadOnlySpan<byte> network, ushort etherType)
    {
        if (etherType == EtherType.Arp)
        {
            if (ArpPacket.TryParse(network, out ArpPacket arp) && arp.Operation == ArpOperation.Request)
            {
                Asked = arp.TargetProtocol;
            }

            return;
        }

        int version = network[0] >> 4;
        if (version == 4 && Ipv4Header.TryParse(network, out Ipv4Header ipv4) && ipv4.HasValidChecksum)
        {
            if (!ipv4.IsFragment && HostileAddresses.IsVictim(ipv4.Source))
            {
                CheckSum(packet, packet.LinearLength - network.Length + ipv4.HeaderLength, ipv4.Source, ipv4.Destination, ipv4.Protocol);
            }

            if (ipv4.Protocol == IpProtocol.Tcp && !ipv4.IsFragment)
            {
                Listener?.HandleOutput(ipv4.Destination, packet, ipv4.HeaderLength);
            }
        }
        else if (version == 6 && Ipv6Header.TryParse(network, out Ipv6Header ipv6))
        {
            if (HostileAddresses.IsVictim(ipv6.Source) && !Ipv6ExtensionHeaders.IsExtensionHeader(ipv6.NextHeader))
            {
                CheckSum(packet, packet.LinearLength - network.Length + Ipv6Header.Length, ipv6.Source, ipv6.Destination, ipv6.NextHeader);
            }

            if (ipv6.NextHeader == IpProtocol.Tcp)
            {
                Listener?.HandleOutput(ipv6.Destination, packet, Ipv6Header.Length);
            }
            else if (ipv6.NextHeader == IpProtocol.Icmpv6 && network.Length >= 64 && network[40] == Icmpv6Type.NeighbourSolicitation)
            {
                Asked = IpAddress.ReadIpv6(network[48..]);
            }
        }
        else
        {
            Malformed++;
        }
    }
}

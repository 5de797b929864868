using System.Buffers.Binary;

namespace Portico.Net.Tests.HostileInput;

/// <summary>Builds valid packets of every protocol, in many shapes, for <see cref="PacketMutator"/> to damage.</summary>
public sealed partial class PacketBuilder(RandomSource random)
{
    /// <summary>Ports with a socket behind them, and some without.</summary>
    public static readonly ushort[] Ports = [80, 5000, 5001, 5002, 7000, 9, 0, 65535];

    private readonly HostileFrame _datagram = new();
    private int _fragmentCursor;
    private uint _fragmentId;

    /// <summary>Builds one packet; TCP segments of live connections come from <see cref="ScriptedConnections"/>.</summary>
    public void Build(HostileFrame frame, HostileProtocol protocol)
    {
        HostileEntry entry = random.NextBelow(2) == 0 ? HostileEntry.Ethernet : HostileEntry.Tunnel;
        bool ipv4 = random.NextBelow(2) == 0;
        switch (protocol)
        {
            case HostileProtocol.Ethernet:
                BuildAny(frame, HostileEntry.Ethernet, ipv4);
                break;
            case HostileProtocol.Arp:
                BuildArp(frame);
                break;
            case HostileProtocol.Ipv4:
                BuildAny(frame, entry, true);
                break;
            case HostileProtocol.Ipv6:
                BuildAny(frame, entry, false);
                break;
            case HostileProtocol.Fragments:
                BuildFragment(frame);
                break;
            case HostileProtocol.Icmp:
                BuildIcmp(frame, entry, true);
                break;
            case HostileProtocol.Icmpv6:
                BuildIcmpv6(frame, random.NextBelow(4) == 0 ? HostileEntry.Tunnel : HostileEntry.Ethernet);
                break;
            case HostileProtocol.Multicast:
                BuildMulticast(frame, entry, ipv4);
                break;
            case HostileProtocol.Udp:
                BuildUdp(frame, entry, ipv4);
                break;
            case HostileProtocol.Forwarded when random.NextBelow(2) == 0:
                BuildUdp(frame, HostileEntry.Tunnel, ipv4);
                break;
            case HostileProtocol.Forwarded:
                BuildTcp(frame, HostileEntry.Tunnel, ipv4);
                break;
            default:
                BuildTcp(frame, entry, ipv4);
                break;
        }
    }

    private void BuildAny(HostileFrame frame, HostileEntry entry, bool ipv4)
    {
        switch (random.NextBelow(6))
        {
            case 0:
                BuildTcp(frame, entry, ipv4);
                break;
            case 1:
                BuildUdp(frame, entry, ipv4);
                break;
            case 2 when ipv4:
                BuildIcmp(frame, entry, true);
                break;
            case 2:
                BuildIcmpv6(frame, entry);
                break;
            case 3:
                BuildMulticast(frame, entry, ipv4);
                break;
            case 4 when entry == HostileEntry.Ethernet:
                BuildArp(frame);
                break;
            default:
                // Protocols that nobody handles: encapsulations that must not be opened among them.
                BeginIp(
                    frame,
                    entry,
                    HostileAddresses.Source(random, entry, ipv4),
                    HostileAddresses.Destination(random, entry, ipv4),
                    random.NextBelow(2) == 0 ? (IpProtocol)random.NextBelow(256) : (IpProtocol)(random.NextBelow(2) == 0 ? 4 : 41));
                frame.PayloadOffset = frame.Length;
                Fill(frame.Add((int)random.NextBelow(100)));
                FinishIp(frame);
                break;
        }
    }

    public void BuildTcp(HostileFrame frame, HostileEntry entry, bool ipv4)
    {
        IpAddress source = HostileAddresses.Source(random, entry, ipv4);
        BeginIp(frame, entry, source, HostileAddresses.Destination(random, entry, ipv4), IpProtocol.Tcp);
        Span<byte> options = stackalloc byte[40];
        int optionBytes = random.NextBelow(2) == 0 ? 0 : TcpOptions.WriteSyn(options, 1460, 7, true, true, random.NextUInt32());
        TcpFlags flags = random.NextBelow(2) == 0 ? TcpFlags.Syn : (TcpFlags)random.NextBelow(256);
        TcpHeader.Write(
            frame.Add(20),
            (ushort)random.NextUInt32(),
            Ports[random.NextBelow((uint)Ports.Length)],
            random.NextUInt32(),
            random.NextUInt32(),
            20 + optionBytes,
            flags,
            (ushort)random.NextUInt32());
        options[..optionBytes].CopyTo(frame.Add(optionBytes));
        frame.PayloadOffset = frame.Length;
        Fill(frame.Add(random.NextBelow(2) == 0 ? 0 : (int)random.NextBelow(100)));
        FinishIp(frame);
    }

    private void BuildUdp(HostileFrame frame, HostileEntry entry, bool ipv4)
    {
        IpAddress source = HostileAddresses.Source(random, entry, ipv4);
        BeginIp(frame, entry, source, HostileAddresses.Destination(random, entry, ipv4), IpProtocol.Udp);
        int payload = PayloadBytes(entry);
        ushort sourcePort = random.NextBelow(2) == 0 ? (ushort)7000 : (ushort)random.NextUInt32();
        UdpHeader.Write(frame.Add(8), sourcePort, Ports[random.NextBelow((uint)Ports.Length)], 8 + payload);
        frame.PayloadOffset = frame.Length;
        Fill(frame.Add(payload));
        FinishIp(frame);
    }

    private void BuildArp(HostileFrame frame)
    {
        frame.Begin(HostileEntry.Ethernet);
        IpAddress sender = HostileAddresses.Source(random, HostileEntry.Ethernet, true);
        IpAddress target = random.NextBelow(4) == 0 ? sender : HostileAddresses.Destination(random, HostileEntry.Ethernet, true);
        MacAddress mac = random.NextBelow(2) == 0 ? HostileAddresses.AttackerMac : new MacAddress(random.NextUInt64() >> 16);
        ArpOperation operation = (ArpOperation)(1 + random.NextBelow(2));
        MacAddress destination = operation == ArpOperation.Request ? MacAddress.Broadcast : HostileAddresses.VictimMac;
        EthernetHeader.Write(frame.Add(14), destination, mac, EtherType.Arp);
        frame.NetworkOffset = 14;
        ArpPacket.Write(frame.Add(28), operation, mac, sender, random.NextBelow(2) == 0 ? default : HostileAddresses.VictimMac, target);
        frame.TransportOffset = 20;
        frame.PayloadOffset = frame.Length;
        if (random.NextBelow(2) == 0)
        {
            frame.Add(18);
        }
    }

    /// <summary>Writes the headers up to the transport's; lengths and checksums follow in <see cref="FinishIp"/>.</summary>
    public void BeginIp(
        HostileFrame frame, HostileEntry entry, in IpAddress source, in IpAddress destination, IpProtocol protocol, int hops = 0)
    {
        frame.Begin(entry);
        if (entry == HostileEntry.Ethernet)
        {
            ushort type = destination.IsIpv4 ? EtherType.Ipv4 : EtherType.Ipv6;
            EthernetHeader.Write(frame.Add(14), HostileAddresses.DestinationMac(random, destination), HostileAddresses.AttackerMac, type);
            frame.NetworkOffset = 14;
        }

        byte hopLimit = (byte)(hops != 0 ? (uint)hops : random.NextBelow(8) == 0 ? random.NextBelow(4) : 64u);
        if (destination.IsIpv4)
        {
            ushort flags = random.NextBelow(2) == 0 ? Ipv4Header.DontFragmentFlag : (ushort)0;
            Span<byte> header = frame.Add(20);
            Ipv4Header.Write(header, 0, (ushort)random.NextUInt32(), flags, hopLimit, protocol, source, destination);
            if (random.NextBelow(8) == 0)
            {
                AddIpv4Options(frame);
            }
        }
        else
        {
            Span<byte> header = frame.Add(40);
            Ipv6Header.Write(header, 0, protocol, hopLimit, source, destination, (byte)random.NextBelow(4), random.NextBelow(1 << 20));
            if (random.NextBelow(4) == 0)
            {
                AddExtensionHeaders(frame, protocol);
            }
        }

        frame.TransportOffset = frame.Length;
        frame.PayloadOffset = frame.Length;
    }

    public static void FinishIp(HostileFrame frame)
    {
        Span<byte> network = frame.Network;
        if (network[0] >> 4 == 4)
        {
            BinaryPrimitives.WriteUInt16BigEndian(network[2..], (ushort)network.Length);
        }
        else
        {
            BinaryPrimitives.WriteUInt16BigEndian(network[4..], (ushort)(network.Length - 40));
        }

        ChecksumFixer.Fix(frame);
    }

    private void AddIpv4Options(HostileFrame frame)
    {
        int begin = frame.Length;
        switch (random.NextBelow(5))
        {
            case 0:
                ReadOnlySpan<byte> route = [Ipv4OptionKind.RecordRoute, 39, 4];
                route.CopyTo(frame.Add(40));
                break;
            case 1:
                ReadOnlySpan<byte> times = [Ipv4OptionKind.Timestamp, 36, 5, (byte)random.NextBelow(2)];
                times.CopyTo(frame.Add(36));
                break;
            case 2:
                ReadOnlySpan<byte> source = [Ipv4OptionKind.LooseSourceRoute, 7, 4, 10, 1, 0, 1, 0];
                source.CopyTo(frame.Add(8));
                break;
            case 3:
                ReadOnlySpan<byte> alert = [Ipv4OptionKind.RouterAlert, 4, 0, 0];
                alert.CopyTo(frame.Add(4));
                break;
            default:
                Fill(frame.Add(4 * (int)random.NextBelow(11)));
                break;
        }

        frame.Buffer[frame.NetworkOffset] = (byte)(0x40 | ((20 + frame.Length - begin) / 4));
    }

    private void AddExtensionHeaders(HostileFrame frame, IpProtocol last)
    {
        int naming = frame.NetworkOffset + 6;
        uint count = 1 + random.NextBelow(random.NextBelow(8) == 0 ? 12u : 3u);
        for (uint i = 0; i < count; i++)
        {
            IpProtocol kind = i == 0 && random.NextBelow(2) == 0 ? IpProtocol.HopByHop
                : random.NextBelow(6) == 0 ? IpProtocol.Ipv6Routing
                : random.NextBelow(6) == 0 ? IpProtocol.Ipv6Fragment
                : IpProtocol.Ipv6DestinationOptions;
            frame.Buffer[naming] = (byte)kind;
            naming = frame.Length;
            int units = kind == IpProtocol.Ipv6Fragment ? 0 : (int)random.NextBelow(3);
            Span<byte> header = frame.Add(8 + (units * 8));
            header[1] = (byte)units;
            if (kind is IpProtocol.HopByHop or IpProtocol.Ipv6DestinationOptions)
            {
                int length = header.Length - 4;
                header[2] = random.NextBelow(2) == 0 ? (byte)1 : (byte)((random.NextBelow(4) << 6) | 0x1E);
                header[3] = (byte)length;
            }
        }

        frame.Buffer[naming] = (byte)last;
    }

    private int PayloadBytes(HostileEntry entry)
    {
        uint choice = random.NextBelow(256);
        return choice == 0 && entry == HostileEntry.Tunnel ? (int)random.NextBelow(65_000)
            : choice < 8 ? (int)random.NextBelow(1400)
            : (int)random.NextBelow(64);
    }

    private void Fill(Span<byte> bytes)
    {
        ulong pattern = random.NextUInt64() | 1;
        for (int i = 0; i < bytes.Length; i++)
        {
            bytes[i] = (byte)(pattern >> (8 * (i & 7)));
        }
    }
}

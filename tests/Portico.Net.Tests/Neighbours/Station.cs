using System.Buffers.Binary;
using Portico.Net.Tests.Ip;

namespace Portico.Net.Tests.Neighbours;

/// <summary>One stack on an Ethernet link that the test plays the other side of.</summary>
internal sealed class Station : IDisposable
{
    public static readonly MacAddress Own = new(0x0200_0000_0001);
    public static readonly MacAddress Peer = new(0x0200_0000_00BB);
    public static readonly MacAddress Other = new(0x0200_0000_00CC);
    public static readonly IpAddress Own4 = IpAddress.Parse("192.0.2.1");
    public static readonly IpAddress Peer4 = IpAddress.Parse("192.0.2.2");
    public static readonly IpAddress Own6 = IpAddress.Parse("2001:db8::1");
    public static readonly IpAddress Peer6 = IpAddress.Parse("2001:db8::2");
    public static readonly IpAddress RouterLinkLocal = IpAddress.Parse("fe80::bb");
    public static readonly IpAddress AllNodes = IpAddress.Parse("ff02::1");

    public Station(bool withAddresses = true, ulong seed = 1)
    {
        Engine = new Engine(new EngineOptions { Seed = seed });
        Stack = new NetworkStack(Engine);
        Link = new RecordingLink(Engine, LinkKind.Ethernet);
        Interface = Stack.AddInterface("eth0", Link);
        if (withAddresses)
        {
            Interface.AddAddress(new IpPrefix(Own4, 24));
            Interface.AddAddress(new IpPrefix(Own6, 64));
        }

        RunTo(Seconds(10));
        Link.Sent.Clear();
    }

    public Engine Engine { get; }

    public NetworkStack Stack { get; }

    public RecordingLink Link { get; }

    public NetworkInterface Interface { get; }

    public NeighbourTable Table => Interface.Neighbours!;

    public AddressConfiguration Configuration => Interface.Configuration!;

    public long this[NeighbourCounter counter] => Table.Counters[counter];

    public static MonoTime Seconds(double seconds) => new((long)(seconds * 1e9));

    /// <summary>Lets time pass, each event at its own time.</summary>
    public void RunTo(MonoTime time)
    {
        while (Engine.NextDeadline <= time)
        {
            Engine.Advance(Engine.NextDeadline);
        }

        Engine.Advance(time);
    }

    public void Run(double seconds) => RunTo(Engine.Now + new Duration((long)(seconds * 1e9)));

    public NudState State(IpAddress address) => Table.Find(address).State;

    /// <summary>Sends an otherwise empty packet of this host's, marked in its last byte.</summary>
    public void Send(IpAddress nextHop, byte mark = 0, int payload = 8, IpAddress? source = null)
    {
        int header = nextHop.IsIpv4 ? 20 : 40;
        Packet packet = Engine.Packets.RentLinear(header + payload)!;
        Span<byte> bytes = packet.Append(header + payload);
        bytes.Clear();
        if (nextHop.IsIpv4)
        {
            Ipv4Header.Write(bytes, header + payload, 0, 0, 64, IpProtocol.Udp, source ?? Own4, nextHop, 0);
        }
        else
        {
            Ipv6Header.Write(bytes, payload, IpProtocol.Udp, 64, source ?? Own6, nextHop);
        }

        bytes[^1] = mark;
        Interface.TransmitTo(packet, nextHop);
        Engine.RunPending(int.MaxValue);
    }

    public void Inject(ReadOnlySpan<byte> frame) => Link.Inject(frame);

    public void InjectArp(
        ArpOperation operation, MacAddress senderMac, IpAddress sender, MacAddress targetMac, IpAddress target)
    {
        byte[] frame = new byte[60];
        EthernetHeader.Write(frame, operation == ArpOperation.Reply ? Own : MacAddress.Broadcast, senderMac, EtherType.Arp);
        ArpPacket.Write(frame.AsSpan(14), operation, senderMac, sender, targetMac, target);
        Inject(frame);
    }

    public void InjectIcmpv6(
        byte[] message, IpAddress source, IpAddress destination, byte hopLimit = 255, MacAddress? mac = null, bool wrongChecksum = false)
    {
        byte[] frame = new byte[14 + 40 + message.Length];
        MacAddress to = destination.IsMulticast ? new MacAddress(0x3333_0000_0000UL | (uint)destination.Low) : Own;
        EthernetHeader.Write(frame, to, mac ?? Peer, EtherType.Ipv6);
        Ipv6Header.Write(frame.AsSpan(14), message.Length, IpProtocol.Icmpv6, hopLimit, source, destination);
        message.CopyTo(frame.AsSpan(54));
        Icmpv6Header.WriteChecksum(frame.AsSpan(54), source, destination);
        frame[56] ^= wrongChecksum ? (byte)1 : (byte)0;
        Inject(frame);
    }

    public static byte[] Solicitation(IpAddress target, MacAddress? sourceMac)
    {
        byte[] message = new byte[24 + (sourceMac == null ? 0 : 8)];
        NeighbourSolicitation.Write(message, target);
        if (sourceMac is { } mac)
        {
            NdOption.WriteLinkAddress(message.AsSpan(24), NdOptionKind.SourceLinkLayerAddress, mac);
        }

        return message;
    }

    public static byte[] Advertisement(
        IpAddress target, MacAddress? mac, bool solicited = true, bool isOverride = true, bool router = false)
    {
        byte[] message = new byte[24 + (mac == null ? 0 : 8)];
        NeighbourAdvertisement.Write(message, target, router, solicited, isOverride);
        if (mac is { } value)
        {
            NdOption.WriteLinkAddress(message.AsSpan(24), NdOptionKind.TargetLinkLayerAddress, value);
        }

        return message;
    }

    /// <summary>Answers the solicitation for a neighbour, as the neighbour would.</summary>
    public void Answer(IpAddress neighbour, MacAddress? mac = null)
    {
        if (neighbour.IsIpv4)
        {
            InjectArp(ArpOperation.Reply, mac ?? Peer, neighbour, Own, Own4);
        }
        else
        {
            InjectIcmpv6(Advertisement(neighbour, mac ?? Peer), neighbour, Own6);
        }
    }

    /// <summary>Makes a neighbour REACHABLE and forgets what was sent for that.</summary>
    public void Learn(IpAddress neighbour, MacAddress? mac = null)
    {
        Send(neighbour);
        Answer(neighbour, mac);
        Assert.Equal(NudState.Reachable, State(neighbour));
        Link.Sent.Clear();
    }

    public List<Frame> Take()
    {
        List<Frame> frames = [.. Link.TakeAll().Select(bytes => new Frame(bytes))];
        return frames;
    }

    public void Dispose()
    {
        Table.Clear();
        Assert.Equal(0, Table.QueuedBytes);
        Assert.Equal(0, Engine.Packets.Outstanding);
        Engine.Dispose();
    }
}

/// <summary>A frame that was sent.</summary>
internal sealed record Frame(byte[] Bytes)
{
    public MacAddress Destination => MacAddress.Read(Bytes);

    public ushort Type => BinaryPrimitives.ReadUInt16BigEndian(Bytes.AsSpan(12));

    public byte Mark => Bytes[^1];

    public bool IsArp => Type == EtherType.Arp;

    public ArpOperation ArpOperation => (ArpOperation)BinaryPrimitives.ReadUInt16BigEndian(Bytes.AsSpan(20));

    public IpAddress ArpSender => IpAddress.ReadIpv4(Bytes.AsSpan(28));

    public IpAddress ArpTarget => IpAddress.ReadIpv4(Bytes.AsSpan(38));

    /// <summary>The ICMPv6 type; 0 for anything else.</summary>
    public byte Icmpv6 => Type == EtherType.Ipv6 && Bytes[20] == (byte)IpProtocol.Icmpv6 ? Bytes[54] : (byte)0;

    public IpAddress Source6 => IpAddress.ReadIpv6(Bytes.AsSpan(22));

    public IpAddress Destination6 => IpAddress.ReadIpv6(Bytes.AsSpan(38));

    public ReadOnlySpan<byte> Message => Bytes.AsSpan(54);

    public IpAddress Target => IpAddress.ReadIpv6(Bytes.AsSpan(62));

    /// <summary>Whether it asks for a neighbour's link-layer address.</summary>
    public bool IsSolicitation =>
        (IsArp && ArpOperation == ArpOperation.Request && !ArpSender.IsUnspecified && ArpSender != ArpTarget)
        || (Icmpv6 == Icmpv6Type.NeighbourSolicitation && !Source6.IsUnspecified);

    public IpAddress SolicitedAddress => IsArp ? ArpTarget : Target;
}

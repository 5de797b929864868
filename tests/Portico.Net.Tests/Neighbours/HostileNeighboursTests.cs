namespace Portico.Net.Tests.Neighbours;

/// <summary>Mutated ARP and Neighbor Discovery frames: no exception, bounded memory, and the same packets for the same seed.</summary>
public sealed class HostileNeighboursTests
{
    private static List<byte[]> Play(ulong seed, int count)
    {
        using Station station = new(seed: seed);
        station.Configuration.Start();
        station.Learn(Station.Peer4);
        station.Learn(Station.Peer6);
        RandomSource random = new(seed);
        byte[][] templates = Templates();
        List<byte[]> sent = [];
        for (int i = 0; i < count; i++)
        {
            byte[] frame = [.. templates[random.NextBelow((uint)templates.Length)]];
            for (uint flips = random.NextBelow(4); flips > 0; flips--)
            {
                frame[14 + (int)random.NextBelow((uint)frame.Length - 14)] = (byte)random.NextUInt32();
            }

            int length = random.NextBelow(8) == 0 ? (int)random.NextBelow((uint)frame.Length + 1) : frame.Length;
            if (frame[12] == 0x86 && length >= 58)
            {
                // Most mutations get a right length and checksum, so that they come past the first checks.
                frame[18] = (byte)((length - 54) >> 8);
                frame[19] = (byte)(length - 54);
                IpAddress source = IpAddress.ReadIpv6(frame.AsSpan(22));
                IpAddress destination = IpAddress.ReadIpv6(frame.AsSpan(38));
                Icmpv6Header.WriteChecksum(frame.AsSpan(54, length - 54), source, destination);
            }

            station.Inject(frame.AsSpan(0, length));
            if (random.NextBelow(16) == 0)
            {
                station.Send(new IpAddress(0x2001_0DB8_0000_0000, random.NextBelow(1 << 20) + 100));
                station.Run(random.NextDouble());
            }

            sent.AddRange(station.Link.TakeAll());
        }

        Assert.True(station.Table.Count <= station.Table.Options.gc_thresh3);
        Assert.InRange(station.Interface.Addresses.Count, 2, 3 + station.Configuration.Options.max_addresses);

        // A real neighbour still gets its answers.
        station.Take();
        station.InjectArp(ArpOperation.Request, Station.Other, IpAddress.Parse("192.0.2.200"), default, Station.Own4);
        Assert.Contains(station.Take(), frame => frame.IsArp && frame.ArpOperation == ArpOperation.Reply);
        return sent;
    }

    private static byte[][] Templates()
    {
        byte[] prefix = new byte[32];
        PrefixInformation.Write(prefix, IpPrefix.Parse("2001:db8:5::/64"), true, true, 10_000, 5_000);
        byte[] dns = new byte[24];
        RecursiveDnsServers.Write(dns, 100, [IpAddress.Parse("2001:db8::53")]);
        byte[] head = new byte[16];
        RouterAdvertisement.Write(head, 64, 0, 1800, 0, 0);
        byte[] router = [.. head, 5, 1, 0, 0, 0, 0, 5, 200, .. prefix, .. dns];
        byte[] arp = new byte[60];
        EthernetHeader.Write(arp, MacAddress.Broadcast, Station.Peer, EtherType.Arp);
        ArpPacket.Write(arp.AsSpan(14), ArpOperation.Request, Station.Peer, Station.Peer4, default, Station.Own4);
        byte[] reply = [.. arp];
        ArpPacket.Write(reply.AsSpan(14), ArpOperation.Reply, Station.Peer, Station.Peer4, Station.Own, Station.Own4);
        return
        [
            arp,
            reply,
            Ipv6(Station.Solicitation(Station.Own6, Station.Peer), Station.Peer6, IpAddress.Parse("ff02::1:ff00:1")),
            Ipv6(Station.Advertisement(Station.Peer6, Station.Peer), Station.Peer6, Station.Own6),
            Ipv6(Station.Advertisement(Station.Peer6, Station.Other, solicited: false), Station.Peer6, Station.AllNodes),
            Ipv6(router, Station.RouterLinkLocal, Station.AllNodes),
        ];
    }

    private static byte[] Ipv6(byte[] message, IpAddress source, IpAddress destination)
    {
        byte[] frame = new byte[54 + message.Length];
        MacAddress to = destination.IsMulticast ? new MacAddress(0x3333_0000_0000UL | (uint)destination.Low) : Station.Own;
        EthernetHeader.Write(frame, to, Station.Peer, EtherType.Ipv6);
        Ipv6Header.Write(frame.AsSpan(14), message.Length, IpProtocol.Icmpv6, 255, source, destination);
        message.CopyTo(frame.AsSpan(54));
        return frame;
    }

    [Fact]
    public void Mutated_frames_neither_throw_nor_pile_up()
    {
        for (ulong seed = 1; seed <= 4; seed++)
        {
            Play(seed, 25_000);
        }
    }

    [Fact]
    public void The_same_seed_sends_the_same_frames()
    {
        List<byte[]> first = Play(7, 5_000);
        List<byte[]> second = Play(7, 5_000);
        Assert.Equal(first.Count, second.Count);
        Assert.All(first.Zip(second), pair => Assert.Equal(pair.First, pair.Second));
        Assert.True(first.Count > 1000);
    }
}

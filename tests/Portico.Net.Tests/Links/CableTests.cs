namespace Portico.Net.Tests.Links;

public class CableTests
{
    [Fact]
    public void The_other_end_gets_the_same_packet_in_order()
    {
        using Engine engine = new();
        Cable cable = new(engine);
        Recorder a = new(engine), b = new(engine) { Keep = true };
        cable.A.Attach(a);
        cable.B.Attach(b);
        Packet first = LinkFixture.Numbered(engine, 1);
        Packet second = LinkFixture.Numbered(engine, 2);
        cable.A.Transmit(first);
        cable.A.Transmit(second);
        Assert.Empty(b.Received);
        engine.Advance(MonoTime.Zero);
        Assert.Equal([first, second], b.Kept);
        Assert.Equal([1, 2], b.Numbers());
        Assert.Empty(a.Received);
        b.Kept.ForEach(p => p.Release());
        Assert.Equal(0, engine.Packets.Outstanding);
        Assert.Equal(2, cable.A.Packets);
        Assert.Equal(200, cable.A.Bytes);
    }

    [Fact]
    public void A_packet_longer_than_the_MTU_is_dropped_and_counted()
    {
        using Engine engine = new();
        Cable cable = new(engine, new CableOptions { Mtu = 1500, Kind = LinkKind.Ethernet });
        Recorder b = new(engine);
        cable.B.Attach(b);
        cable.A.Transmit(LinkFixture.Numbered(engine, 1, 1514));
        cable.A.Transmit(LinkFixture.Numbered(engine, 2, 1515));
        engine.Advance(MonoTime.Zero);
        Assert.Equal([1], b.Numbers());
        Assert.Equal(1, cable.A.TooLongDrops);
        Assert.Equal(0, engine.Packets.Outstanding);
    }

    [Fact]
    public void A_cable_that_is_cut_or_has_no_receiver_drops_and_counts()
    {
        using Engine engine = new();
        Cable cable = new(engine);
        cable.A.Transmit(LinkFixture.Numbered(engine, 1));
        cable.B.Attach(new Recorder(engine));
        cable.A.IsCut = true;
        cable.A.Transmit(LinkFixture.Numbered(engine, 2));
        Assert.Equal(2, cable.A.NoReceiverDrops);
        Assert.Equal(0, engine.Packets.Outstanding);
    }

    [Fact]
    public void A_cable_with_offloads_leaves_checksums_and_super_segments_alone()
    {
        using Engine engine = new();
        Cable cable = new(engine, new CableOptions { Mtu = 1500 });
        Recorder b = new(engine);
        cable.B.Attach(b);
        Packet packet = LinkFixture.Numbered(engine, 1, 9000);
        packet.Checksum = ChecksumState.Partial;
        packet.GsoSize = 1460;
        cable.A.Transmit(packet);
        engine.Advance(MonoTime.Zero);
        Assert.Equal(ChecksumState.Partial, b.Received[0].Checksum);
        Assert.Equal(1460, b.Received[0].GsoSize);
    }

    [Fact]
    public void A_cable_without_offloads_makes_its_receiver_verify()
    {
        using Engine engine = new();
        Cable cable = new(engine, new CableOptions { Mtu = 1500, Features = LinkFeatures.None });
        Recorder b = new(engine);
        cable.B.Attach(b);
        Packet packet = LinkFixture.Numbered(engine, 1);
        packet.Checksum = ChecksumState.Verified;
        cable.A.Transmit(packet);
        engine.Advance(MonoTime.Zero);
        Assert.Equal(ChecksumState.Unverified, b.Received[0].Checksum);
    }

    [Fact]
    public void Ethernet_ends_have_different_local_unicast_addresses()
    {
        using Engine engine = new();
        Cable cable = new(engine, new CableOptions { Kind = LinkKind.Ethernet, AddressB = new MacAddress(0x0200_0000_0042) });
        Assert.False(cable.A.Address.IsGroup);
        Assert.Equal(0x02UL, cable.A.Address.Value >> 40 & 0x03);
        Assert.Equal(0x0200_0000_0042UL, cable.B.Address.Value);
        Assert.Equal(0UL, new Cable(engine).A.Address.Value);
    }

    [Fact]
    public void Loopback_hands_back_what_is_sent()
    {
        using Engine engine = new();
        LoopbackLink link = new(engine);
        Recorder client = new(engine);
        link.Transmit(LinkFixture.Numbered(engine, 0));
        link.Attach(client);
        link.Transmit(LinkFixture.Numbered(engine, 1));
        Assert.Empty(client.Received);
        engine.Advance(MonoTime.Zero);
        Assert.Equal([1], client.Numbers());
        Assert.Equal(65536, link.Mtu);
        Assert.Equal(1, link.Drops);
        Assert.Equal(0, engine.Packets.Outstanding);
    }
}

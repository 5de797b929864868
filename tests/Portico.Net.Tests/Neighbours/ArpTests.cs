namespace Portico.Net.Tests.Neighbours;

public sealed class ArpTests
{
    [Fact]
    public void A_request_for_an_own_address_is_answered_and_its_sender_remembered()
    {
        using Station station = new();
        station.InjectArp(ArpOperation.Request, Station.Peer, Station.Peer4, default, Station.Own4);
        Frame reply = Assert.Single(station.Take());
        Assert.Equal(
            "0200000000bb" + "020000000001" + "0806" + "0001080006040002" + "020000000001" + "c0000201" + "0200000000bb" + "c0000202",
            Convert.ToHexStringLower(reply.Bytes));
        Assert.Equal(NudState.Stale, station.State(Station.Peer4));
    }

    [Fact]
    public void A_request_for_another_host_is_neither_answered_nor_remembered()
    {
        using Station station = new();
        station.InjectArp(ArpOperation.Request, Station.Peer, Station.Peer4, default, IpAddress.Parse("192.0.2.77"));
        Assert.Empty(station.Take());
        Assert.Equal(0, station.Table.Count);
        Assert.Equal(1, station[NeighbourCounter.ArpInNotForUs]);
    }

    [Fact]
    public void A_probe_for_an_own_address_is_answered_so_that_the_prober_stays_away()
    {
        using Station station = new();
        station.InjectArp(ArpOperation.Request, Station.Peer, IpAddress.AnyIpv4, default, Station.Own4);
        Frame reply = Assert.Single(station.Take());
        Assert.Equal(ArpOperation.Reply, reply.ArpOperation);
        Assert.Equal(0, station.Table.Count);
    }

    [Fact]
    public void Replies_that_nobody_asked_for_make_no_entries()
    {
        using Station station = new();
        for (byte host = 2; host < 200; host++)
        {
            station.InjectArp(ArpOperation.Reply, Station.Other, IpAddress.FromIpv4(192, 0, 2, host), Station.Own, Station.Own4);
        }

        Assert.Equal(0, station.Table.Count);
        Assert.Equal(198, station[NeighbourCounter.ArpInUnsolicited]);
        Assert.Empty(station.Take());
    }

    [Fact]
    public void A_stray_reply_cannot_take_over_an_entry_within_locktime_and_later_only_until_it_is_verified()
    {
        using Station station = new();
        station.Learn(Station.Peer4);
        station.InjectArp(ArpOperation.Reply, Station.Other, Station.Peer4, Station.Own, Station.Own4);
        Assert.Equal(Station.Peer, station.Table.Find(Station.Peer4).LinkAddress);
        Assert.Equal(1, station[NeighbourCounter.ArpInLocked]);

        station.Run(1);
        station.InjectArp(ArpOperation.Reply, Station.Other, Station.Peer4, Station.Own, Station.Own4);
        Neighbour entry = station.Table.Find(Station.Peer4);
        Assert.Equal(Station.Other, entry.LinkAddress);
        Assert.Equal(NudState.Stale, entry.State);

        // Use leads to probes; the pretender does not answer, and the entry fails instead of being a black hole.
        station.Send(Station.Peer4);
        station.Run(8);
        Assert.Equal(NudState.Failed, station.State(Station.Peer4));
    }

    [Fact]
    public void A_gratuitous_announcement_updates_an_entry_but_makes_none()
    {
        using Station station = new();
        station.InjectArp(ArpOperation.Request, Station.Peer, Station.Peer4, default, Station.Peer4);
        Assert.Equal(0, station.Table.Count);
        station.Learn(Station.Peer4);
        station.Run(2);
        station.InjectArp(ArpOperation.Request, Station.Other, Station.Peer4, default, Station.Peer4);
        Assert.Equal(new Neighbour(Station.Peer4, Station.Other, NudState.Stale, false), station.Table.Find(Station.Peer4));
    }

    [Fact]
    public void A_reply_never_makes_an_address_this_hosts_own()
    {
        using Station station = new(withAddresses: false);
        station.InjectArp(ArpOperation.Reply, Station.Peer, Station.Peer4, Station.Own, IpAddress.Parse("192.0.2.50"));
        station.InjectArp(ArpOperation.Request, Station.Peer, Station.Peer4, Station.Own, IpAddress.Parse("192.0.2.50"));
        Assert.Empty(station.Interface.Addresses);
        Assert.Empty(station.Take());
    }

    [Theory]
    [InlineData(0x0100_0000_0001UL, "192.0.2.2")]
    [InlineData(0xFFFF_FFFF_FFFFUL, "192.0.2.2")]
    [InlineData(0UL, "192.0.2.2")]
    [InlineData(0x0200_0000_00BBUL, "224.0.0.1")]
    [InlineData(0x0200_0000_00BBUL, "127.0.0.1")]
    [InlineData(0x0200_0000_00BBUL, "255.255.255.255")]
    public void A_sender_that_cannot_be_is_ignored(ulong mac, string address)
    {
        using Station station = new();
        station.InjectArp(ArpOperation.Request, new MacAddress(mac), IpAddress.Parse(address), default, Station.Own4);
        Assert.Empty(station.Take());
        Assert.Equal(0, station.Table.Count);
        Assert.Equal(1, station[NeighbourCounter.ArpInBadSender]);
    }

    [Fact]
    public void A_sender_from_another_network_is_answered_but_not_remembered()
    {
        using Station station = new();
        station.InjectArp(ArpOperation.Request, Station.Peer, IpAddress.Parse("203.0.113.9"), default, Station.Own4);
        Assert.Single(station.Take());
        Assert.Equal(0, station.Table.Count);
    }

    [Fact]
    public void Malformed_packets_are_counted()
    {
        using Station station = new();
        byte[] frame = new byte[60];
        EthernetHeader.Write(frame, Station.Own, Station.Peer, EtherType.Arp);
        ArpPacket.Write(frame.AsSpan(14), ArpOperation.Request, Station.Peer, Station.Peer4, default, Station.Own4);
        for (int offset = 14; offset < 20; offset++)
        {
            byte[] wrong = [.. frame];
            wrong[offset] ^= 0x40;
            station.Inject(wrong);
        }

        byte[] operation = [.. frame];
        operation[21] = 3;
        station.Inject(operation);
        for (int length = 14; length < 42; length++)
        {
            station.Inject(frame.AsSpan(0, length));
        }

        Assert.Equal(6 + 1 + 28, station[NeighbourCounter.ArpInMalformed]);
        Assert.Empty(station.Take());
    }

    [Fact]
    public void Frames_for_others_short_frames_and_unknown_types_are_counted()
    {
        using Station station = new();
        byte[] frame = new byte[60];
        EthernetHeader.Write(frame, Station.Other, Station.Peer, EtherType.Arp);
        station.Inject(frame);
        EthernetHeader.Write(frame, Station.Own, Station.Peer, 0x88CC);
        station.Inject(frame);
        station.Inject(frame.AsSpan(0, 13));
        Assert.Equal(1, station[NeighbourCounter.FrameOtherHost]);
        Assert.Equal(1, station[NeighbourCounter.FrameUnknownType]);
        Assert.Equal(1, station[NeighbourCounter.FrameTooShort]);
    }

    [Fact]
    public void An_address_in_use_is_defended_once_in_ten_seconds()
    {
        using Station station = new();
        for (int i = 0; i < 100; i++)
        {
            station.InjectArp(ArpOperation.Request, Station.Peer, Station.Own4, default, Station.Own4);
        }

        Frame defence = Assert.Single(station.Take());
        Assert.Equal((Station.Own4, Station.Own4), (defence.ArpSender, defence.ArpTarget));
        Assert.True(station.Interface.FindAddress(Station.Own4)!.IsUsable);
        Assert.Equal(0, station.Table.Count);
        station.Run(10);
        station.InjectArp(ArpOperation.Reply, Station.Peer, Station.Own4, Station.Own, Station.Own4);
        Assert.Single(station.Take());
    }
}

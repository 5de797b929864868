namespace Portico.Net.Tests.Links;

public class SwitchTests
{
    private const ulong Broadcast = 0xFFFF_FFFF_FFFF;

    private readonly Engine _engine = new();
    private readonly List<CableEnd> _ends = [];
    private readonly List<Recorder> _hosts = [];

    private Switch Make(int ports, SwitchOptions? options = null, int mtu = 1500)
    {
        Switch device = new(_engine, options);
        for (int i = 0; i < ports; i++)
        {
            CableEnd end = device.AddPort(new CableOptions { Kind = LinkKind.Ethernet, Mtu = mtu });
            Recorder host = new(_engine);
            end.Attach(host);
            _ends.Add(end);
            _hosts.Add(host);
        }

        return device;
    }

    private void Send(int from, ulong destination, ulong source, int number)
    {
        _ends[from].Transmit(LinkFixture.Frame(_engine, destination, source, number));
        _engine.Advance(_engine.Now);
    }

    private void ExpectAt(int number, params int[] ports)
    {
        Assert.Equal(ports, Enumerable.Range(0, _hosts.Count).Where(i => _hosts[i].Numbers().Contains(number)));
        Assert.Equal(0, _engine.Packets.Outstanding);
    }

    [Fact]
    public void An_unknown_destination_is_flooded_and_an_answer_goes_to_one_port()
    {
        Switch device = Make(4);
        Send(0, 0x02_0000_0002, 0x02_0000_0001, 1);
        ExpectAt(1, 1, 2, 3);
        Send(2, 0x02_0000_0001, 0x02_0000_0002, 2);
        ExpectAt(2, 0);
        Send(0, 0x02_0000_0002, 0x02_0000_0001, 3);
        ExpectAt(3, 2);
        Assert.Equal(2, device.KnownAddresses);
        Assert.Equal(2, device.Counters[SwitchCounter.Forwarded]);
    }

    [Fact]
    public void Broadcast_and_multicast_go_to_all_other_ports()
    {
        Make(3);
        Send(1, Broadcast, 0x02_0000_0001, 1);
        ExpectAt(1, 0, 2);
        Send(2, 0x3333_0000_0001, 0x02_0000_0002, 2);
        ExpectAt(2, 0, 1);
    }

    [Fact]
    public void A_frame_for_the_port_that_it_came_from_is_dropped()
    {
        Switch device = Make(2);
        Send(0, Broadcast, 0x02_0000_0001, 1);
        Send(0, 0x02_0000_0001, 0x02_0000_0003, 2);
        ExpectAt(2);
        Assert.Equal(1, device.Counters[SwitchCounter.SamePortDrops]);
    }

    [Fact]
    public void An_address_that_moves_is_found_at_its_new_port()
    {
        Make(3);
        Send(0, Broadcast, 0x02_0000_0001, 1);
        Send(1, Broadcast, 0x02_0000_0001, 2);
        Send(2, 0x02_0000_0001, 0x02_0000_0003, 3);
        ExpectAt(3, 1);
    }

    [Fact]
    public void An_address_is_forgotten_after_its_age()
    {
        Switch device = Make(3, new SwitchOptions { MacAge = Duration.FromSeconds(10) });
        Send(0, Broadcast, 0x02_0000_0001, 1);
        _engine.Advance(LinkFixture.At(Duration.FromSeconds(10)));
        Send(2, 0x02_0000_0001, 0x02_0000_0003, 2);
        ExpectAt(2, 0);
        _engine.Advance(LinkFixture.At(Duration.FromSeconds(11)));
        Send(2, 0x02_0000_0001, 0x02_0000_0003, 3);
        ExpectAt(3, 0, 1);
        Assert.Equal(1, device.KnownAddresses);
    }

    [Fact]
    public void The_table_is_bounded_under_a_flood_of_addresses()
    {
        Switch device = Make(2, new SwitchOptions { MacTableEntriesMax = 64 });
        for (int i = 0; i < 5000; i++)
        {
            Send(0, Broadcast, 0x02_0000_0000UL + (ulong)i, i);
        }

        Assert.InRange(device.KnownAddresses, 60, 64);
        Assert.Equal(5000 - device.KnownAddresses, device.AddressEvictions);
        Assert.Equal(5000, _hosts[1].Received.Count);
    }

    [Fact]
    public void Malformed_and_reserved_frames_are_dropped_and_counted()
    {
        Switch device = Make(2);
        Send(0, Broadcast, 0x0100_0000_0001, 1);
        Send(0, 0x0180_C200_0000, 0x02_0000_0001, 2);
        _ends[0].Transmit(LinkFixture.Numbered(_engine, 3, 13));
        _engine.Advance(_engine.Now);
        Assert.Empty(_hosts[1].Received);
        Assert.Equal(2, device.Counters[SwitchCounter.MalformedDrops]);
        Assert.Equal(1, device.Counters[SwitchCounter.ReservedDrops]);
        Assert.Equal(0, _engine.Packets.Outstanding);
    }

    [Fact]
    public void A_frame_too_long_for_the_outgoing_port_is_dropped()
    {
        Switch device = Make(1, mtu: 9000);
        CableEnd narrow = device.AddPort(new CableOptions { Kind = LinkKind.Ethernet, Mtu = 1500, Features = LinkFeatures.None });
        Recorder host = new(_engine);
        narrow.Attach(host);
        Packet frame = LinkFixture.Numbered(_engine, 1, 2000);
        new MacAddress(Broadcast).Write(frame.Linear);
        _ends[0].Transmit(frame);
        _engine.Advance(_engine.Now);
        Assert.Empty(host.Received);
        Assert.Equal(1, device.Counters[SwitchCounter.TooLongDrops]);
        Assert.Equal(0, _engine.Packets.Outstanding);
    }

    [Fact]
    public void A_switch_with_one_port_keeps_everything_to_itself()
    {
        Make(1);
        Send(0, Broadcast, 0x02_0000_0001, 1);
        ExpectAt(1);
    }
}

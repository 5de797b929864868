namespace Portico.Net.Tests.Ip;

/// <summary>What a host sends to itself, to groups and to broadcast addresses; and what all of it costs.</summary>
public sealed class IpLocalTests : IpHost, IRawPacketReceiver
{
    private readonly List<(string Source, string Destination, bool IsGroup)> _seen = [];

    bool IRawPacketReceiver.OnPacket(Packet packet, in IpInfo info)
    {
        _seen.Add((info.Source.ToString(), info.Destination.ToString(), info.IsMulticastOrBroadcast));
        return true;
    }

    private void Send(string source, string destination, bool noMulticastLoop = false)
    {
        IpAddress to = IpAddress.Parse(destination);
        Assert.Equal(Errno.None, Stack.Ip.FindRoute(IpAddress.Parse(source), to, Interface.Index, out RouteCache route));
        Packet packet = Engine.Packets.Rent();
        packet.Append(8).Clear();
        packet.TransportOffset = packet.Start;
        IpSend send = new()
        {
            Source = IpAddress.Parse(source), Destination = to, Protocol = (IpProtocol)99, NoMulticastLoop = noMulticastLoop,
        };
        Assert.Equal(Errno.None, Stack.Ip.Send(packet, route, send));
        Engine.RunPending(100);
    }

    [Fact]
    public void A_member_on_this_host_gets_a_copy_of_what_goes_to_its_group()
    {
        Stack.Ip.RawReceiver = this;
        Send(Me4, "239.1.1.1");
        Assert.Empty(_seen);
        Interface.Multicast.Join(IpAddress.Parse("239.1.1.1"));
        Engine.Advance(Engine.Now);
        Link.TakeAll();
        Send(Me4, "239.1.1.1");
        Send(Me4, "239.1.1.1", noMulticastLoop: true);
        Assert.Equal([(Me4, "239.1.1.1", true)], _seen);
        Assert.Equal(2, Link.TakeAll().Length);
        Interface.Multicast.Leave(IpAddress.Parse("239.1.1.1"));
    }

    [Theory]
    [InlineData("255.255.255.255")]
    [InlineData("10.0.0.255")]
    public void A_broadcast_is_heard_here_too(string destination)
    {
        Stack.Ip.RawReceiver = this;
        Send(Me4, destination);
        Assert.Equal([(Me4, destination, true)], _seen);
        Assert.Single(Link.TakeAll());
    }

    [Fact]
    public void A_claimed_packet_of_an_unknown_protocol_is_no_error()
    {
        Stack.Ip.RawReceiver = this;
        Inject(IpBytes.V4(Peer4, Me4, 99, [1, 2, 3]));
        Assert.Empty(Link.Sent);
        Assert.Equal([(Peer4, Me4, false)], _seen);
    }

    [Fact]
    public void Echo_fragments_errors_and_cutting_allocate_nothing_in_steady_state()
    {
        byte[][] packets =
        [
            IpBytes.V4(Peer4, Me4, 1, Echo4(56)),
            IpBytes.V6(Peer6, Me6, 58, Echo6(56)),
            IpBytes.V4(Peer4, Me4, 99, [1, 2, 3]),
            IpBytes.V4(Peer4, Me4, 1, Echo4(2000).AsSpan(0, 1000), 7, 0x2000),
            IpBytes.V4(Peer4, Me4, 1, Echo4(2000).AsSpan(1000), 7, 125),
            IpBytes.V4("127.0.0.1", Me4, 1, Echo4(56)),
        ];
        CountingLink counting = new(Engine);
        NetworkInterface second = Stack.AddInterface("eth1", counting);
        second.AddAddress(IpPrefix.Parse("10.0.0.3/32"));
        Stack.Ip.Routes.Add(new Route { Destination = IpPrefix.Parse("10.0.0.0/30"), InterfaceIndex = second.Index });
        Stack.Ip.Routes.Add(new Route { Destination = IpPrefix.Parse("2001:db8::/126"), InterfaceIndex = second.Index });
        long before = 0;
        for (int round = 0; round < 300; round++)
        {
            if (round == 200)
            {
                before = GC.GetAllocatedBytesForCurrentThread();
            }

            foreach (byte[] packet in packets)
            {
                Link.Inject(packet);
            }

            Engine.Advance(Engine.Now + Duration.FromSeconds(1));
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        Assert.True(counting.Count >= 300 * 5);
    }

    [Fact]
    public void Every_option_can_be_read_and_written_by_its_path()
    {
        foreach (string name in IpOptions.Names)
        {
            Assert.True(Stack.Ip.Options.TryGet(name, out long value), name);
            Assert.Equal(Errno.None, Stack.Ip.Options.Set(name, value));
            Assert.Equal(Errno.EINVAL, Stack.Ip.Options.Set(name, -1));
        }

        Assert.Equal(Errno.None, Stack.Ip.Options.Set("net.ipv4.ipfrag_time", 7));
        Assert.Equal(Duration.FromSeconds(7), Stack.Ip.Options.ipfrag_time);
        Assert.Equal(Errno.ENOENT, Stack.Ip.Options.Set("net.ipv4.nothing", 1));
    }

    private sealed class CountingLink(Engine engine) : ILink
    {
        public int Count { get; private set; }

        public LinkKind Kind => LinkKind.Ip;

        public int Mtu => 1500;

        public MacAddress Address => default;

        public LinkFeatures Features => LinkFeatures.None;

        public void Attach(ILinkClient client) => engine.AddLink(this);

        public void Transmit(Packet packet)
        {
            Count++;
            packet.Release();
        }

        public void Flush()
        {
        }
    }
}

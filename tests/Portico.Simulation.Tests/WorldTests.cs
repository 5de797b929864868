using Portico.Net;

namespace Portico.Simulation.Tests;

public class WorldTests
{
    private const ushort EchoPort = 7;

    /// <summary>Sends every datagram back to where it came from.</summary>
    private sealed class Echo : ISocketOwner
    {
        private readonly UdpLayer _udp;
        private readonly byte[] _buffer = new byte[65536];
        private readonly UdpHandle _socket;

        public Echo(WorldHost host, bool isIpv6 = false)
        {
            _udp = host.Stack.Udp;
            Assert.Equal(Errno.None, _udp.Open(new UdpOpenRequest { IsIpv6 = isIpv6, Ipv6Only = isIpv6 }, this, out _socket));
            Assert.Equal(Errno.None, _udp.Bind(_socket, new Endpoint(isIpv6 ? IpAddress.AnyIpv6 : IpAddress.AnyIpv4, EchoPort)));
        }

        public int Count { get; private set; }

        public void OnReady(SocketEvents events)
        {
            while (_udp.Receive(_socket, _buffer, out UdpReceiveInfo info, out int received) == Errno.None)
            {
                Count++;
                Assert.Equal(Errno.None, _udp.SendTo(_socket, _buffer.AsSpan(0, received), info.Source));
            }
        }
    }

    /// <summary>Sends numbered datagrams to an echo and keeps the answers' times.</summary>
    private sealed class Pinger : ISocketOwner
    {
        private readonly WorldHost _host;
        private readonly byte[] _buffer = new byte[65536];
        private readonly UdpHandle _socket;
        private readonly Endpoint _target;

        public Pinger(WorldHost host, IpAddress target)
        {
            _host = host;
            _target = new Endpoint(target, EchoPort);
            Assert.Equal(Errno.None, host.Stack.Udp.Open(new UdpOpenRequest { IsIpv6 = !target.IsIpv4 }, this, out _socket));
        }

        public List<(byte Number, Duration Time)> Answers { get; } = [];

        public void Send(byte number, int length = 100)
        {
            Span<byte> data = stackalloc byte[length];
            data.Fill(number);
            Assert.Equal(Errno.None, _host.Stack.Udp.SendTo(_socket, data, _target));
        }

        public void OnReady(SocketEvents events)
        {
            while (_host.Stack.Udp.Receive(_socket, _buffer, out _, out int received) == Errno.None)
            {
                Assert.True(_buffer.AsSpan(0, received).IndexOfAnyExcept(_buffer[0]) < 0);
                Answers.Add((_buffer[0], _host.World.Now));
            }
        }
    }

    [Fact]
    public void A_datagram_takes_exactly_the_delay_of_its_path()
    {
        using World world = new(1);
        WorldHost a = world.AddHost("a"), b = world.AddHost("b");
        world.Connect(a, b, new LinkOptions
        {
            Forward = new Impairment { Delay = Duration.FromMilliseconds(30) },
            Backward = new Impairment { Delay = Duration.FromMilliseconds(12) },
        });
        Echo echo = new(b);
        Pinger pinger = new(a, b.Ipv4);
        pinger.Send(1);
        Assert.True(world.RunUntil(() => pinger.Answers.Count == 1, Duration.FromSeconds(1)));
        Assert.Equal([((byte)1, Duration.FromMilliseconds(42))], pinger.Answers);
        Assert.Equal(Duration.FromMilliseconds(42), world.Now);
        Assert.Equal(1, echo.Count);
    }

    [Fact]
    public void Both_families_have_addresses_unless_the_MTU_is_too_small_for_IPv6()
    {
        using World world = new(1);
        WorldHost a = world.AddHost("a"), b = world.AddHost("b"), c = world.AddHost("c");
        world.Connect(a, b);
        world.Connect(b, c, new LinkOptions { Mtu = 576 });
        Assert.Equal("10.0.1.1", a.Ipv4.ToString());
        Assert.Equal("fd00:0:0:1::2", b.Ipv6.ToString());
        Assert.Equal("10.0.2.2", c.Ipv4.ToString());
        Assert.Throws<SimulationException>(() => c.Ipv6);
        Echo echo = new(b, isIpv6: true);
        Pinger pinger = new(a, b.Ipv6);
        pinger.Send(9);
        Assert.True(world.RunUntil(() => pinger.Answers.Count == 1, Duration.FromSeconds(1)));
        Assert.Equal(1, echo.Count);
    }

    [Fact]
    public void Hosts_on_a_switch_reach_each_other_in_both_families()
    {
        using World world = new(1);
        WorldSwitch center = world.AddSwitch();
        WorldHost[] hosts = [.. Enumerable.Range(0, 4).Select(i => world.AddHost($"h{i}"))];
        foreach (WorldHost host in hosts)
        {
            world.Connect(host, center, new LinkOptions { Forward = new Impairment { Delay = Duration.FromMilliseconds(1) } });
            _ = new Echo(host);
            _ = new Echo(host, isIpv6: true);
        }

        List<Pinger> pingers = [];
        foreach (WorldHost from in hosts)
        {
            foreach (WorldHost to in hosts.Where(to => to != from))
            {
                pingers.Add(new Pinger(from, to.Ipv4));
                pingers.Add(new Pinger(from, to.Ipv6));
            }
        }

        pingers.ForEach(pinger => pinger.Send(1, 1400));
        Assert.True(world.RunUntil(() => pingers.All(pinger => pinger.Answers.Count == 1), Duration.FromSeconds(5)));
        Assert.Equal(4, center.Switch.KnownAddresses);
        world.RunFor(Duration.FromSeconds(10));
        Assert.Equal(0, world.Engine.Packets.Outstanding);
    }

    [Fact]
    public void Running_for_a_time_ends_at_that_time()
    {
        using World world = new(1);
        world.RunFor(Duration.FromSeconds(3600));
        Assert.Equal(Duration.FromSeconds(3600), world.Now);
        Assert.False(world.RunUntil(() => false, Duration.FromMilliseconds(1)));
        Assert.Equal(Duration.FromSeconds(3600) + Duration.FromMilliseconds(1), world.Now);
    }

    [Fact]
    public void A_cut_cable_carries_nothing_until_it_is_mended()
    {
        using World world = new(1);
        WorldHost a = world.AddHost("a"), b = world.AddHost("b");
        WorldLink link = world.Connect(a, b);
        Echo echo = new(b);
        Pinger pinger = new(a, b.Ipv4);
        link.Cable.A.IsCut = true;
        pinger.Send(1);
        world.RunFor(Duration.FromSeconds(1));
        link.Cable.A.IsCut = false;
        pinger.Send(2);
        world.RunFor(Duration.FromSeconds(1));
        Assert.Equal([(byte)2], pinger.Answers.Select(answer => answer.Number));
        Assert.Equal(1, echo.Count);
    }

    [Fact]
    public void What_never_comes_to_rest_is_reported_with_its_seed()
    {
        using World world = new(4711, new WorldOptions { PacketsPerStepMax = 10, StepsPerInstantMax = 100 });
        WorldHost a = world.AddHost("a"), b = world.AddHost("b");
        world.Connect(a, b);
        Echo echo = new(b);
        _ = new Relay(a, new Endpoint(b.Ipv4, EchoPort));
        SimulationException problem = Assert.Throws<SimulationException>(() => world.RunFor(Duration.FromSeconds(1)));
        Assert.Contains("4711", problem.Message);
        Assert.True(echo.Count > 10);
    }

    /// <summary>Together with an echo keeps a datagram going for ever, in no time.</summary>
    private sealed class Relay : ISocketOwner
    {
        private readonly UdpLayer _udp;
        private readonly UdpHandle _socket;
        private readonly Endpoint _target;
        private readonly byte[] _buffer = new byte[100];

        public Relay(WorldHost host, Endpoint target)
        {
            _udp = host.Stack.Udp;
            _target = target;
            Assert.Equal(Errno.None, _udp.Open(default, this, out _socket));
            Assert.Equal(Errno.None, _udp.SendTo(_socket, "x"u8, target));
        }

        public void OnReady(SocketEvents events)
        {
            while (_udp.Receive(_socket, _buffer, out _, out int received) == Errno.None)
            {
                _udp.SendTo(_socket, _buffer.AsSpan(0, received), _target);
            }
        }
    }

    [Fact]
    public void The_same_seed_gives_the_same_capture_and_another_seed_another()
    {
        string first = CaptureOf(5);
        Assert.Equal(first, CaptureOf(5));
        Assert.NotEqual(first, CaptureOf(6));
    }

    private static string CaptureOf(ulong seed)
    {
        using DigestStream digest = new();
        using World world = new(seed, new WorldOptions { Capture = digest });
        WorldHost a = world.AddHost("a"), b = world.AddHost("b");
        Impairment faulty = new()
        {
            Loss = 0.1, Delay = Duration.FromMilliseconds(20), Jitter = Duration.FromMilliseconds(10), JitterReorders = true,
            Duplicate = 0.05, Corrupt = 0.02, RateBitsPerSecond = 500_000,
        };
        world.Connect(a, b, new LinkOptions { Forward = faulty, Backward = faulty });
        Echo echo = new(b);
        Pinger pinger = new(a, b.Ipv4);
        for (int i = 0; i < 500; i++)
        {
            pinger.Send((byte)i, 1 + (i * 2));
            world.RunFor(Duration.FromMilliseconds(10));
        }

        world.RunFor(Duration.FromSeconds(100));
        Assert.InRange(pinger.Answers.Count, 300, 480);
        Assert.InRange(echo.Count, 400, 490);
        world.CaptureWriter!.Flush();
        Assert.True(digest.Length > 100_000);
        return digest.Digest;
    }

    /// <summary>Sends one byte each second over a connection that nobody answers on but with ACKs.</summary>
    private sealed class Ticker(WorldHost host, TcpHandle handle) : IScheduled
    {
        public void OnTime(long cookie)
        {
            Assert.Equal(Errno.None, host.Stack.Tcp.Send(handle, "x"u8, TcpSendFlags.None, out _));
            host.World.Engine.Schedule(host.World.Engine.Now + Duration.FromSeconds(1), this, 0);
        }
    }

    [Fact]
    public void A_connection_that_makes_progress_keeps_its_next_hop_from_being_probed()
    {
        using World world = new(3);
        WorldHost a = world.AddHost("a"), b = world.AddHost("b");
        WorldLink link = world.Connect(a, b, new LinkOptions { Kind = LinkKind.Ethernet });
        Assert.Equal(Errno.None, b.Stack.Tcp.Listen(new TcpListenRequest { Local = new Endpoint(b.Ipv4, 80), Backlog = 1 }, null, out _));
        Assert.Equal(Errno.None, a.Stack.Tcp.Open(new TcpOpenRequest { Remote = new Endpoint(b.Ipv4, 80) }, null, out TcpHandle handle));
        world.RunFor(Duration.FromSeconds(1));
        new Ticker(a, handle).OnTime(0);
        world.RunFor(Duration.FromSeconds(300));
        MibTable<NeighbourCounter> counters = link.First.Neighbours!.Counters;
        Assert.True(counters[NeighbourCounter.Confirmations] > 20);
        Assert.Equal(1, counters[NeighbourCounter.ArpOutRequests]);
    }
}

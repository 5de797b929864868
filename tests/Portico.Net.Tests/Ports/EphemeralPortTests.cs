namespace Portico.Net.Tests.Ports;

public sealed class EphemeralPortTests : IDisposable
{
    private static readonly Endpoint s_local = Endpoint.Parse("10.0.0.1:0");
    private readonly Engine _engine = new(new EngineOptions { Seed = 11 });
    private readonly LocalPortRange _range = new();

    public void Dispose() => _engine.Dispose();

    private struct TakenBy(HashSet<(ushort Port, Endpoint Remote)> flows, Endpoint remote) : IPortPredicate
    {
        public int Asked;

        public bool IsFree(ushort port)
        {
            Asked++;
            return !flows.Contains((port, remote));
        }
    }

    [Fact]
    public void All_28232_ports_serve_one_destination_then_EADDRNOTAVAIL_then_recovery()
    {
        PortTable table = new(_engine, _range, PortRules.Tcp);
        HashSet<(ushort, Endpoint)> flows = [];
        Endpoint remote = Endpoint.Parse("192.0.2.1:443");
        PortBinding last = default;
        for (int i = 0; i < 28232; i++)
        {
            TakenBy isFree = new(flows, remote);
            Assert.Equal(Errno.None, table.SelectEphemeral(s_local, remote, ref isFree, out ushort port));
            Assert.True(flows.Add((port, remote)));
            last = table.BindConnection(new Endpoint(s_local.Address, port), 0, false);
        }

        TakenBy full = new(flows, remote);
        Assert.Equal(Errno.EADDRNOTAVAIL, table.SelectEphemeral(s_local, remote, ref full, out _));

        table.Release(last);
        flows.Remove((last.Port, remote));
        Assert.Equal(Errno.None, table.SelectEphemeral(s_local, remote, ref full, out ushort again));
        Assert.Equal(last.Port, again);
    }

    [Fact]
    public void A_port_that_connections_use_serves_another_destination()
    {
        _range.SetRange(40000, 40000);
        PortTable table = new(_engine, _range, PortRules.Tcp);
        HashSet<(ushort, Endpoint)> flows = [(40000, Endpoint.Parse("192.0.2.1:443"))];
        table.BindConnection(new Endpoint(s_local.Address, 40000), 0, false);

        TakenBy same = new(flows, Endpoint.Parse("192.0.2.1:443"));
        Assert.Equal(Errno.EADDRNOTAVAIL, table.SelectEphemeral(s_local, Endpoint.Parse("192.0.2.1:443"), ref same, out _));
        TakenBy other = new(flows, Endpoint.Parse("192.0.2.1:444"));
        Assert.Equal(Errno.None, table.SelectEphemeral(s_local, Endpoint.Parse("192.0.2.1:444"), ref other, out _));
    }

    [Fact]
    public void A_port_that_a_socket_is_bound_to_is_not_picked_and_nobody_is_asked_about_unused_ports()
    {
        _range.SetRange(40000, 40003);
        _range.SetReserved(40001, true);
        PortTable table = new(_engine, _range, PortRules.Tcp);
        table.Bind(new PortBindRequest { Address = IpAddress.AnyIpv6, Port = 40000, ReuseAddress = true }, out _);
        table.Bind(new PortBindRequest { Address = IpAddress.Parse("10.0.0.1"), Port = 40002 }, out _);
        for (int i = 0; i < 100; i++)
        {
            TakenBy isFree = new([], default);
            Assert.Equal(Errno.None, table.SelectEphemeral(s_local, new Endpoint(s_local.Address, (ushort)i), ref isFree, out ushort port));
            Assert.Equal(40003, port);
            Assert.Equal(0, isFree.Asked);
        }
    }

    [Fact]
    public void Ports_to_many_destinations_and_to_one_are_spread_over_the_range()
    {
        PortTable table = new(_engine, _range, PortRules.Tcp);
        int[] many = new int[16];
        int[] one = new int[16];
        for (int i = 0; i < 100_000; i++)
        {
            TakenBy isFree = new([], default);
            Endpoint destination = new(IpAddress.FromIpv4(0xC000_0200u + (uint)i), 443);
            table.SelectEphemeral(s_local, destination, ref isFree, out ushort port);
            many[(port - 32768) * 16 / 28232]++;
            table.SelectEphemeral(s_local, Endpoint.Parse("192.0.2.1:443"), ref isFree, out port);
            one[(port - 32768) * 16 / 28232]++;
        }

        PortTableTests.AssertUniform(many, 100_000);
        PortTableTests.AssertUniform(one, 100_000);
    }

    [Fact]
    public void What_one_destination_sees_does_not_tell_how_many_connections_went_to_others()
    {
        // RFC 6056 3.3.4: an observer that counts its own ports sees its own small random steps, whatever happens in between.
        ushort[] quiet = Observe(0);
        ushort[] busy = Observe(50);
        Assert.All(Steps(quiet).Concat(Steps(busy)), step => Assert.InRange(step, 1, 8));
    }

    [Fact]
    public void The_starting_point_of_a_destination_changes_after_ten_seconds()
    {
        PortTable table = new(_engine, _range, PortRules.Tcp);
        TakenBy isFree = new([], default);
        Endpoint remote = Endpoint.Parse("192.0.2.1:443");
        table.SelectEphemeral(s_local, remote, ref isFree, out ushort before);
        _engine.Advance(MonoTime.Zero + Duration.FromSeconds(10));
        table.SelectEphemeral(s_local, remote, ref isFree, out ushort after);
        Assert.NotInRange((after - before + 28232) % 28232, 0, 8);
    }

    private ushort[] Observe(int othersBetween)
    {
        PortTable table = new(_engine, _range, PortRules.Tcp);
        ushort[] ports = new ushort[20];
        TakenBy isFree = new([], default);
        for (int i = 0; i < ports.Length; i++)
        {
            table.SelectEphemeral(s_local, Endpoint.Parse("198.51.100.1:80"), ref isFree, out ports[i]);
            for (int j = 0; j < othersBetween; j++)
            {
                table.SelectEphemeral(s_local, new Endpoint(IpAddress.FromIpv4(0xC000_0200u + (uint)j), 443), ref isFree, out _);
            }
        }

        return ports;
    }

    private static IEnumerable<int> Steps(ushort[] ports) => ports.Zip(ports.Skip(1), (a, b) => (b - a + 28232) % 28232);
}

namespace Portico.Net.Tests.Ports;

public sealed class PortTableTests : IDisposable
{
    private readonly Engine _engine = new(new EngineOptions { Seed = 7 });
    private readonly LocalPortRange _range = new();

    public void Dispose() => _engine.Dispose();

    [Theory]
    // address, flags | address, flags | TCP | UDP.  Flags: r SO_REUSEADDR, p SO_REUSEPORT, 6 V6ONLY, L listening, 1/2 interface.
    [InlineData("0.0.0.0", "", "0.0.0.0", "", true, true)]
    [InlineData("0.0.0.0", "", "10.0.0.1", "", true, true)]
    [InlineData("10.0.0.1", "", "0.0.0.0", "", true, true)]
    [InlineData("10.0.0.1", "", "10.0.0.1", "", true, true)]
    [InlineData("10.0.0.1", "", "10.0.0.2", "", false, false)]
    [InlineData("::", "", "::", "", true, true)]
    [InlineData("::", "", "0.0.0.0", "", true, true)]
    [InlineData("0.0.0.0", "", "::", "", true, true)]
    [InlineData("::", "6", "0.0.0.0", "", false, false)]
    [InlineData("0.0.0.0", "", "::", "6", false, false)]
    [InlineData("::", "", "10.0.0.1", "", true, true)]
    [InlineData("10.0.0.1", "", "::", "", true, true)]
    [InlineData("::", "6", "10.0.0.1", "", false, false)]
    [InlineData("10.0.0.1", "", "::", "6", false, false)]
    [InlineData("::", "6", "fd00::1", "", true, true)]
    [InlineData("::", "6", "::", "", true, true)]
    [InlineData("fd00::1", "", "0.0.0.0", "", false, false)]
    [InlineData("0.0.0.0", "", "fd00::1", "", false, false)]
    [InlineData("fd00::1", "", "fd00::1", "", true, true)]
    [InlineData("fd00::1", "", "fd00::2", "", false, false)]
    [InlineData("0.0.0.0", "1", "0.0.0.0", "2", false, false)]
    [InlineData("0.0.0.0", "1", "0.0.0.0", "1", true, true)]
    [InlineData("0.0.0.0", "1", "0.0.0.0", "", true, true)]
    [InlineData("0.0.0.0", "", "10.0.0.1", "2", true, true)]
    [InlineData("0.0.0.0", "r", "0.0.0.0", "", true, true)]
    [InlineData("0.0.0.0", "", "0.0.0.0", "r", true, true)]
    [InlineData("0.0.0.0", "r", "0.0.0.0", "r", false, false)]
    [InlineData("0.0.0.0", "rL", "0.0.0.0", "r", true, false)]
    [InlineData("0.0.0.0", "rL", "10.0.0.1", "r", true, false)]
    [InlineData("10.0.0.2", "rL", "10.0.0.1", "r", false, false)]
    [InlineData("::", "rL", "10.0.0.1", "r", true, false)]
    [InlineData("0.0.0.0", "r", "0.0.0.0", "rL", false, false)]
    [InlineData("0.0.0.0", "p", "0.0.0.0", "", true, true)]
    [InlineData("0.0.0.0", "p", "0.0.0.0", "p", false, false)]
    [InlineData("0.0.0.0", "pL", "0.0.0.0", "pL", false, false)]
    [InlineData("0.0.0.0", "rpL", "0.0.0.0", "rpL", false, false)]
    [InlineData("0.0.0.0", "p", "0.0.0.0", "r", true, true)]
    [InlineData("::", "p", "0.0.0.0", "p", false, false)]
    public void A_second_bind_of_a_port_conflicts_as_in_Linux(
        string first, string firstFlags, string second, string secondFlags, bool tcp, bool udp)
    {
        foreach (PortRules rules in new[] { PortRules.Tcp, PortRules.Udp })
        {
            PortTable table = new(_engine, _range, rules);
            Assert.Equal(Errno.None, table.Bind(Request(first, 80, firstFlags), out _));
            Errno expected = (rules == PortRules.Tcp ? tcp : udp) ? Errno.EADDRINUSE : Errno.None;
            Assert.Equal(expected, table.Bind(Request(second, 80, secondFlags), out PortBinding binding));
            Assert.Equal(expected == Errno.None, binding.IsBound);
            Assert.Equal(Errno.None, table.Bind(Request(second, 81, secondFlags), out _));
        }
    }

    [Fact]
    public void Of_two_sockets_that_share_a_port_by_reuse_address_only_one_may_listen()
    {
        PortTable table = new(_engine, _range, PortRules.Tcp);
        table.Bind(Request("0.0.0.0", 80, "r"), out PortBinding first);
        table.Bind(Request("10.0.0.1", 80, "r"), out PortBinding second);
        Assert.Equal(Errno.None, table.SetListening(first, true));
        Assert.Equal(Errno.EADDRINUSE, table.SetListening(second, true));
        Assert.Equal(Errno.None, table.SetListening(first, false));
        Assert.Equal(Errno.None, table.SetListening(second, true));
    }

    [Fact]
    public void A_released_port_is_free_again_and_its_record_is_reused()
    {
        PortTable table = new(_engine, _range, PortRules.Tcp);
        for (int i = 0; i < 1000; i++)
        {
            Assert.Equal(Errno.None, table.Bind(Request("0.0.0.0", 80, ""), out PortBinding binding));
            Assert.Equal(1, table.Count);
            table.Release(binding);
            Assert.False(table.IsUsed(80));
        }

        Assert.Equal(0, table.Count);
    }

    [Fact]
    public void A_connection_keeps_its_port_from_a_bind_without_reuse_address_until_the_last_one_is_gone()
    {
        PortTable table = new(_engine, _range, PortRules.Tcp);
        Endpoint local = Endpoint.Parse("10.0.0.1:80");
        PortBinding one = table.BindConnection(local, 0, true);
        PortBinding two = table.BindConnection(local, 0, true);
        Assert.Equal(1, table.Count);
        Assert.Equal(Errno.EADDRINUSE, table.Bind(Request("0.0.0.0", 80, ""), out _));
        Assert.Equal(Errno.None, table.Bind(Request("0.0.0.0", 80, "r"), out PortBinding listener));
        table.Release(listener);
        table.Release(one);
        Assert.Equal(Errno.EADDRINUSE, table.Bind(Request("0.0.0.0", 80, ""), out _));
        table.Release(two);
        Assert.Equal(Errno.None, table.Bind(Request("0.0.0.0", 80, ""), out _));
    }

    [Fact]
    public void Connections_from_many_addresses_have_records_of_their_own()
    {
        PortTable table = new(_engine, _range, PortRules.Tcp);
        PortBinding[] bindings = new PortBinding[5000];
        for (int i = 0; i < bindings.Length; i++)
        {
            bindings[i] = table.BindConnection(new Endpoint(IpAddress.FromIpv4(0x0A00_0000u + (uint)i), 443), 0, false);
        }

        Assert.Equal(5000, table.Count);
        foreach (PortBinding binding in bindings)
        {
            table.Release(binding);
        }

        Assert.Equal(0, table.Count);
        Assert.False(table.IsUsed(443));
    }

    [Fact]
    public void Port_zero_gets_every_port_of_the_range_once_and_then_EADDRINUSE()
    {
        _range.SetRange(40000, 40999);
        _range.SetReserved(40500, true);
        PortTable table = new(_engine, _range, PortRules.Udp);
        HashSet<ushort> seen = [];
        for (int i = 0; i < 999; i++)
        {
            Assert.Equal(Errno.None, table.Bind(Request("0.0.0.0", 0, "rp"), out PortBinding binding));
            Assert.InRange(binding.Port, 40000, 40999);
            Assert.True(seen.Add(binding.Port));
        }

        Assert.DoesNotContain((ushort)40500, seen);
        Assert.Equal(Errno.EADDRINUSE, table.Bind(Request("0.0.0.0", 0, "rp"), out _));
        Assert.Equal(Errno.None, table.Bind(Request("0.0.0.0", 40500, ""), out _));
    }

    [Fact]
    public void When_every_port_is_used_port_zero_shares_one_whose_addresses_do_not_overlap()
    {
        _range.SetRange(40000, 40009);
        PortTable table = new(_engine, _range, PortRules.Tcp);
        for (int i = 0; i < 10; i++)
        {
            Assert.Equal(Errno.None, table.Bind(Request("10.0.0.1", 0, ""), out _));
        }

        Assert.Equal(Errno.EADDRINUSE, table.Bind(Request("0.0.0.0", 0, ""), out _));
        for (int i = 0; i < 10; i++)
        {
            Assert.Equal(Errno.None, table.Bind(Request("10.0.0.2", 0, ""), out _));
        }

        Assert.Equal(Errno.EADDRINUSE, table.Bind(Request("10.0.0.2", 0, ""), out _));
    }

    [Fact]
    public void Ports_that_bind_picks_are_spread_over_the_range()
    {
        PortTable table = new(_engine, _range, PortRules.Udp);
        int[] buckets = new int[16];
        for (int i = 0; i < 100_000; i++)
        {
            table.Bind(Request("0.0.0.0", 0, ""), out PortBinding binding);
            buckets[(binding.Port - 32768) * 16 / 28232]++;
            table.Release(binding);
        }

        AssertUniform(buckets, 100_000);
    }

    [Fact]
    public void An_empty_range_is_refused()
    {
        Assert.Equal(Errno.EINVAL, _range.SetRange(0, 100));
        Assert.Equal(Errno.EINVAL, _range.SetRange(200, 100));
        Assert.Equal(Errno.None, _range.SetRange(100, 100));
    }

    [Fact]
    public void Binding_and_releasing_does_not_allocate()
    {
        PortTable table = new(_engine, _range, PortRules.Tcp);
        Churn(table, 50_000);
        long before = GC.GetAllocatedBytesForCurrentThread();
        Churn(table, 50_000);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    private static void Churn(PortTable table, int count)
    {
        Endpoint local = new(IpAddress.LoopbackIpv4, 5000);
        PortBindRequest request = new() { Address = IpAddress.AnyIpv4 };
        for (int i = 0; i < count; i++)
        {
            table.Bind(request, out PortBinding bound);
            PortBinding connection = table.BindConnection(local, 0, false);
            table.Release(bound);
            table.Release(connection);
        }
    }

    internal static void AssertUniform(int[] buckets, int total)
    {
        double expected = total / (double)buckets.Length;
        double chiSquare = buckets.Sum(count => (count - expected) * (count - expected) / expected);

        // 15 degrees of freedom: 44.26 is the 99.99 % point.
        Assert.True(chiSquare < 44.26, $"chi-square {chiSquare}");
    }

    private static PortBindRequest Request(string address, ushort port, string flags) => new()
    {
        Address = IpAddress.Parse(address),
        Port = port,
        ReuseAddress = flags.Contains('r'),
        ReusePort = flags.Contains('p'),
        Ipv6Only = flags.Contains('6'),
        IsListening = flags.Contains('L'),
        InterfaceIndex = flags.Contains('1') ? 1 : flags.Contains('2') ? 2 : 0,
    };
}

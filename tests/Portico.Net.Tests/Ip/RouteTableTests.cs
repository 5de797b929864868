using CsCheck;

namespace Portico.Net.Tests.Ip;

public sealed class RouteTableTests : IDisposable
{
    private readonly Engine _engine = new();
    private readonly NetworkStack _stack;
    private readonly NetworkInterface _a;
    private readonly NetworkInterface _b;

    public RouteTableTests()
    {
        _stack = new NetworkStack(_engine);
        _a = _stack.AddInterface("a", new RecordingLink(_engine));
        _b = _stack.AddInterface("b", new RecordingLink(_engine));
    }

    public void Dispose() => _engine.Dispose();

    private Route New(string prefix, NetworkInterface through, int metric = 0, string? gateway = null) => new()
    {
        Destination = IpPrefix.Parse(prefix),
        InterfaceIndex = through.Index,
        Metric = metric,
        Gateway = gateway == null ? default : IpAddress.Parse(gateway),
    };

    private void Add(string prefix, NetworkInterface through, int metric = 0) =>
        Assert.Equal(Errno.None, _stack.Ip.Routes.Add(New(prefix, through, metric)));

    private string? Lookup(string destination, int interfaceIndex = 0) =>
        _stack.Ip.Routes.Lookup(IpAddress.Parse(destination), interfaceIndex)?.ToString();

    [Fact]
    public void The_longest_prefix_wins()
    {
        Add("0.0.0.0/0", _a);
        Add("10.0.0.0/8", _b);
        Add("10.1.0.0/16", _a);
        Add("10.1.2.3/32", _b);
        Add("::/0", _a);
        Add("2001:db8::/32", _b);
        Add("2001:db8::7/128", _a);
        Assert.Equal($"0.0.0.0/0 dev {_a.Index} metric 0", Lookup("11.0.0.1"));
        Assert.Equal($"10.0.0.0/8 dev {_b.Index} metric 0", Lookup("10.9.0.1"));
        Assert.Equal($"10.1.0.0/16 dev {_a.Index} metric 0", Lookup("10.1.9.1"));
        Assert.Equal($"10.1.2.3/32 dev {_b.Index} metric 0", Lookup("10.1.2.3"));
        Assert.Equal($"::/0 dev {_a.Index} metric 0", Lookup("2001:db9::1"));
        Assert.Equal($"2001:db8::/32 dev {_b.Index} metric 0", Lookup("2001:db8::1"));
        Assert.Equal($"2001:db8::7/128 dev {_a.Index} metric 0", Lookup("2001:db8::7"));
    }

    [Fact]
    public void Then_the_smallest_metric_whose_interface_is_up()
    {
        Add("10.0.0.0/8", _a, 20);
        Add("10.0.0.0/8", _b, 10);
        Assert.Equal($"10.0.0.0/8 dev {_b.Index} metric 10", Lookup("10.1.1.1"));
        Assert.Equal($"10.0.0.0/8 dev {_a.Index} metric 20", Lookup("10.1.1.1", _a.Index));
        _b.IsUp = false;
        Assert.Equal($"10.0.0.0/8 dev {_a.Index} metric 20", Lookup("10.1.1.1"));
        _a.IsUp = false;
        Assert.Null(Lookup("10.1.1.1"));
    }

    [Fact]
    public void What_makes_no_sense_is_refused()
    {
        Assert.Equal(Errno.EINVAL, _stack.Ip.Routes.Add(New("10.0.0.1/8", _a)));
        Assert.Equal(Errno.EINVAL, _stack.Ip.Routes.Add(New("10.0.0.0/8", _a, 0, "2001:db8::1")));
        Assert.Equal(Errno.ENODEV, _stack.Ip.Routes.Add(New("10.0.0.0/8", _a) with { InterfaceIndex = 99 }));
        Add("10.0.0.0/8", _a);
        Assert.Equal(Errno.EEXIST, _stack.Ip.Routes.Add(New("10.0.0.0/8", _a)));
        Assert.Equal(Errno.ENOENT, _stack.Ip.Routes.Remove(New("10.0.0.0/9", _a)));
        Assert.Equal(Errno.None, _stack.Ip.Routes.Remove(New("10.0.0.0/8", _a)));
        Assert.Empty(_stack.Ip.Routes.Routes);
        _stack.Ip.Routes.CountMax = 0;
        Assert.Equal(Errno.ENOSPC, _stack.Ip.Routes.Add(New("10.0.0.0/8", _a)));
    }

    [Fact]
    public void An_interface_takes_its_routes_and_addresses_with_it()
    {
        Assert.Equal(Errno.None, _b.AddAddress(IpPrefix.Parse("10.0.0.1/8")));
        Assert.True(_stack.Ip.IsLocalAddress(IpAddress.Parse("10.0.0.1")));
        Assert.NotNull(Lookup("10.1.1.1"));
        _stack.RemoveInterface(_b);
        Assert.Null(Lookup("10.1.1.1"));
        Assert.False(_stack.Ip.IsLocalAddress(IpAddress.Parse("10.0.0.1")));
        Assert.Null(_stack.Ip.InterfaceAt(_b.Index));
    }

    [Fact]
    public void A_connected_route_goes_with_the_last_address_of_its_network()
    {
        _a.AddAddress(IpPrefix.Parse("10.0.0.1/8"));
        _a.AddAddress(IpPrefix.Parse("10.0.0.2/8"));
        _a.RemoveAddress(IpAddress.Parse("10.0.0.1"));
        Assert.NotNull(Lookup("10.1.1.1"));
        _a.RemoveAddress(IpAddress.Parse("10.0.0.2"));
        Assert.Null(Lookup("10.1.1.1"));
        Assert.Equal(Errno.EADDRNOTAVAIL, _a.RemoveAddress(IpAddress.Parse("10.0.0.2")));
        Assert.Equal(Errno.EINVAL, _a.AddAddress(IpPrefix.Parse("224.0.0.1/24")));
    }

    [Fact]
    public void It_agrees_with_a_linear_search()
    {
        Gen.Int[0, int.MaxValue].Sample(
            seed =>
            {
                using RouteTableTests table = new();
                Random random = new(seed);
                RouteTable routes = table._stack.Ip.Routes;
                for (int step = 0; step < 300; step++)
                {
                    bool isIpv4 = random.Next(2) == 0;
                    ulong bits = (ulong)random.NextInt64() & 0xF0F0_0000_00FF_000F;
                    IpAddress address = isIpv4 ? IpAddress.FromIpv4((uint)bits) : new IpAddress(bits, bits * 3);
                    if (random.Next(4) != 0)
                    {
                        int length = random.Next(isIpv4 ? 33 : 129);
                        routes.Add(new Route
                        {
                            Destination = new IpPrefix(address, length).Network,
                            InterfaceIndex = random.Next(2) == 0 ? table._a.Index : table._b.Index,
                            Metric = random.Next(3),
                        });
                    }
                    else if (routes.Routes.Count > 0)
                    {
                        routes.Remove(routes.Routes[random.Next(routes.Routes.Count)]);
                    }

                    Route? expected = routes.Routes
                        .Where(route => route.Destination.Contains(address))
                        .OrderByDescending(route => route.Destination.Length)
                        .ThenBy(route => route.Metric)
                        .FirstOrDefault();
                    Route? found = routes.Lookup(address, 0);
                    Assert.Equal(expected?.Destination, found?.Destination);
                    Assert.Equal(expected?.Metric, found?.Metric);
                }
            },
            iter: 50,
            threads: 1);
    }
}

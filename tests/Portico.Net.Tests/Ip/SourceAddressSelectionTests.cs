namespace Portico.Net.Tests.Ip;

/// <summary>RFC 6724 5 and its examples in 10.1.</summary>
public sealed class SourceAddressSelectionTests : IDisposable
{
    private readonly Engine _engine = new();
    private readonly NetworkStack _stack;
    private readonly NetworkInterface _out;
    private readonly NetworkInterface _other;

    public SourceAddressSelectionTests()
    {
        _stack = new NetworkStack(_engine);
        _out = _stack.AddInterface("out", new RecordingLink(_engine));
        _other = _stack.AddInterface("other", new RecordingLink(_engine));
        foreach (string prefix in (string[])["0.0.0.0/0", "::/0"])
        {
            _stack.Ip.Routes.Add(new Route { Destination = IpPrefix.Parse(prefix), InterfaceIndex = _out.Index });
        }
    }

    public void Dispose() => _engine.Dispose();

    private InterfaceAddress Add(string prefix, AddressState state = AddressState.Preferred, NetworkInterface? on = null)
    {
        Assert.Equal(Errno.None, (on ?? _out).AddAddress(IpPrefix.Parse(prefix), state, false, out InterfaceAddress? added));
        return added!;
    }

    private string Select(string destination)
    {
        IpAddress to = IpAddress.Parse(destination);
        Assert.Equal(Errno.None, _stack.Ip.FindRoute(IpAddress.AnyIpv6, to, 0, out RouteCache route));
        return _stack.Ip.SelectSource(route, to, out IpAddress source) == Errno.None ? source.ToString() : "none";
    }

    [Fact]
    public void Rule_1_prefers_the_destination_itself()
    {
        Add("2001:db8::1/64");
        Add("2001:db8::2/64");
        Assert.Equal("2001:db8::2", Select("2001:db8::2"));
        Assert.Equal("127.0.0.1", Select("127.0.0.1"));
        Assert.Equal("127.0.0.1", Select("127.3.2.1"));
    }

    [Fact]
    public void Rule_2_prefers_the_appropriate_scope()
    {
        Add("fe80::1/64");
        Add("2001:db8::1/64");
        Assert.Equal("2001:db8::1", Select("2001:db8:1::1"));
        Assert.Equal("fe80::1", Select("fe80::5"));
        Assert.Equal("fe80::1", Select("ff02::5"));
        Assert.Equal("2001:db8::1", Select("ff0e::5"));
    }

    [Fact]
    public void Rule_3_avoids_deprecated_addresses()
    {
        Add("2001:db8:1::1/64", AddressState.Deprecated);
        Add("2001:db8:2::1/64");
        Assert.Equal("2001:db8:2::1", Select("2001:db8:1::9"));
    }

    [Fact]
    public void Rule_5_prefers_the_outgoing_interface()
    {
        Add("2001:db8:1::1/64", on: _other);
        Add("2001:db8:2::1/64");
        Assert.Equal("2001:db8:2::1", Select("2001:db8:1::9"));
    }

    [Fact]
    public void Rule_6_prefers_the_destinations_label()
    {
        Add("2002:c633:6401::d5e3:7953:13eb:22e8/64").IsTemporary = true;
        Add("2001:db8:1::2/64");
        Assert.Equal("2002:c633:6401:0:d5e3:7953:13eb:22e8", Select("2002:c633:6401::1"));
        Assert.Equal("2001:db8:1::2", Select("2001:db8:2::1"));
    }

    [Fact]
    public void Rule_7_prefers_temporary_addresses()
    {
        Add("2001:db8:1::2/64");
        Add("2001:db8:3::2/64").IsTemporary = true;
        Assert.Equal("2001:db8:3::2", Select("2001:db8:1::d5e3"));
    }

    [Fact]
    public void Rule_8_prefers_the_longest_matching_prefix()
    {
        Add("2001:db8:1::2/64");
        Add("2001:db8:3::2/64");
        Assert.Equal("2001:db8:1::2", Select("2001:db8:1::1"));
        Assert.Equal("2001:db8:3::2", Select("2001:db8:3::1"));
    }

    [Fact]
    public void Tentative_and_duplicate_addresses_are_never_chosen()
    {
        Add("2001:db8:1::2/64", AddressState.Tentative);
        Add("2001:db8:1::3/64", AddressState.Duplicate);
        Assert.Equal("none", Select("2001:db8:1::1"));
        Assert.False(_stack.Ip.IsLocalAddress(IpAddress.Parse("2001:db8:1::2")));
    }

    [Fact]
    public void Ipv4_takes_the_address_on_the_next_hops_network_then_the_first()
    {
        Add("10.0.0.1/24");
        Add("10.1.0.1/24");
        Assert.Equal("10.1.0.1", Select("10.1.0.77"));
        Assert.Equal("10.0.0.1", Select("192.0.2.1"));
    }

    [Fact]
    public void Ipv4_borrows_from_another_interface_where_its_own_has_no_address()
    {
        Add("10.0.0.1/24", on: _other);
        Assert.Equal("10.0.0.1", Select("192.0.2.1"));
    }

    [Fact]
    public void A_routes_preferred_source_wins()
    {
        Add("10.0.0.1/24");
        Add("10.0.0.2/24");
        _stack.Ip.Routes.Add(new Route
        {
            Destination = IpPrefix.Parse("192.0.2.0/24"), InterfaceIndex = _out.Index, PreferredSource = IpAddress.Parse("10.0.0.2"),
        });
        Assert.Equal("10.0.0.2", Select("192.0.2.1"));
    }
}

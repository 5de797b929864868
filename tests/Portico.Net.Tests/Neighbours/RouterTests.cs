namespace Portico.Net.Tests.Neighbours;

/// <summary>Finding routers and what they say (RFC 4861 6, RFC 4862 5.5, RFC 7559, RFC 8106).</summary>
public sealed class RouterTests
{
    private static readonly IpPrefix s_prefix = IpPrefix.Parse("2001:db8:7::/64");

    private sealed class Advert
    {
        private readonly List<byte> _bytes = [.. new byte[16]];

        public Advert(ushort lifetime = 1800, byte hopLimit = 0, uint reachable = 0, uint retrans = 0, byte flags = 0)
        {
            byte[] head = new byte[16];
            RouterAdvertisement.Write(head, hopLimit, flags, lifetime, reachable, retrans);
            _bytes = [.. head];
        }

        public byte[] Bytes => [.. _bytes];

        public Advert Mac(MacAddress mac)
        {
            byte[] option = new byte[8];
            NdOption.WriteLinkAddress(option, NdOptionKind.SourceLinkLayerAddress, mac);
            _bytes.AddRange(option);
            return this;
        }

        public Advert Mtu(uint mtu)
        {
            byte[] option = new byte[8];
            NdOption.WriteMtu(option, mtu);
            _bytes.AddRange(option);
            return this;
        }

        public Advert Prefix(IpPrefix prefix, uint valid, uint preferred, bool onLink = true, bool autonomous = true)
        {
            byte[] option = new byte[32];
            PrefixInformation.Write(option, prefix, onLink, autonomous, valid, preferred);
            _bytes.AddRange(option);
            return this;
        }

        public Advert Dns(uint lifetime, params IpAddress[] servers)
        {
            byte[] option = new byte[8 + (servers.Length * 16)];
            RecursiveDnsServers.Write(option, lifetime, servers);
            _bytes.AddRange(option);
            return this;
        }
    }

    private static Station Started(ulong seed = 1)
    {
        Station station = new(withAddresses: false, seed: seed);
        station.Configuration.Start();
        station.Run(2.5);
        station.Link.Sent.Clear();
        return station;
    }

    private static void Inject(Station station, Advert advert, IpAddress? router = null) =>
        station.InjectIcmpv6(advert.Bytes, router ?? Station.RouterLinkLocal, Station.AllNodes);

    private static InterfaceAddress? Autoconfigured(Station station) =>
        station.Interface.Addresses.FirstOrDefault(own => s_prefix.Contains(own.Address));

    private static Errno FindRoute(Station station, string destination, out RouteCache route) =>
        station.Stack.Ip.FindRoute(IpAddress.AnyIpv6, IpAddress.Parse(destination), 0, out route);

    [Fact]
    public void Configuration_begins_with_a_link_local_address_that_does_not_show_the_hardware()
    {
        using Station station = Started();
        InterfaceAddress own = Assert.Single(station.Interface.Addresses);
        Assert.True(own.Address.IsLinkLocal);
        Assert.Equal(AddressState.Preferred, own.State);
        Assert.NotEqual(StableInterfaceId.MakeEui64(Station.Own), own.Address.Low);
    }

    [Fact]
    public void An_EUI_64_identifier_is_made_from_the_hardware_where_that_is_wanted()
    {
        using Station station = new(withAddresses: false);
        station.Configuration.Options.addr_gen_mode = AddressGenerationMode.Eui64;
        station.Configuration.Start();
        Assert.Equal(IpAddress.Parse("fe80::ff:fe00:1"), Assert.Single(station.Interface.Addresses).Address);
    }

    [Fact]
    public void Stable_identifiers_depend_on_secret_prefix_hardware_and_counter_only()
    {
        SipKey secret = new(1, 2);
        ulong first = StableInterfaceId.Make(secret, s_prefix.Address, Station.Own, 0);
        Assert.Equal(first, StableInterfaceId.Make(secret, s_prefix.Address, Station.Own, 0));
        ulong[] all =
        [
            first,
            StableInterfaceId.Make(secret, s_prefix.Address, Station.Own, 1),
            StableInterfaceId.Make(secret, s_prefix.Address, Station.Peer, 0),
            StableInterfaceId.Make(secret, IpAddress.Parse("fe80::"), Station.Own, 0),
            StableInterfaceId.Make(new SipKey(1, 3), s_prefix.Address, Station.Own, 0),
        ];
        Assert.Equal(5, all.Distinct().Count());
    }

    [Fact]
    public void A_duplicate_identifier_is_replaced_at_most_three_times()
    {
        using Station station = new(withAddresses: false);
        station.Configuration.Start();
        HashSet<IpAddress> tried = [];
        for (int i = 0; i < 10; i++)
        {
            IpAddress address = Assert.Single(station.Interface.Addresses).Address;
            tried.Add(address);
            station.InjectIcmpv6(Station.Advertisement(address, Station.Peer, solicited: false), address, Station.AllNodes);
            station.Run(1.01);
        }

        Assert.Equal(4, tried.Count);
        Assert.Equal(AddressState.Duplicate, Assert.Single(station.Interface.Addresses).State);
    }

    [Fact]
    public void Routers_are_solicited_with_growing_pauses_and_without_end()
    {
        using Station station = new(withAddresses: false);
        station.Configuration.Start();
        List<double> times = [];
        MonoTime end = station.Engine.Now + Duration.FromSeconds(40_000);
        while (station.Engine.NextDeadline < end)
        {
            station.RunTo(station.Engine.NextDeadline);
            foreach (Frame frame in station.Take().Where(frame => frame.Icmpv6 == Icmpv6Type.RouterSolicitation))
            {
                Assert.Equal(IpAddress.Parse("ff02::2"), frame.Destination6);
                Assert.True(frame.Source6.IsLinkLocal);
                times.Add(station.Engine.Now.Nanoseconds / 1e9);
            }
        }

        double[] pauses = [.. times.Zip(times.Skip(1), (a, b) => b - a)];
        Assert.InRange(pauses[0], 3.6, 4.4);
        Assert.InRange(pauses[1], 1.9 * pauses[0], 2.1 * pauses[0]);
        Assert.InRange(pauses[2], 1.9 * pauses[1], 2.1 * pauses[1]);
        Assert.All(pauses[^3..], pause => Assert.InRange(pause, 3240, 3960));
    }

    [Fact]
    public void A_router_that_answers_ends_the_soliciting()
    {
        using Station station = Started();
        Inject(station, new Advert());
        station.Link.Sent.Clear();
        station.Run(1700);
        Assert.DoesNotContain(station.Take(), frame => frame.Icmpv6 == Icmpv6Type.RouterSolicitation);
    }

    [Fact]
    public void A_prefix_becomes_an_address_and_a_route_for_their_lifetimes()
    {
        using Station station = Started();
        MonoTime start = station.Engine.Now;
        Inject(station, new Advert().Mac(Station.Peer).Prefix(s_prefix, valid: 10_000, preferred: 5_000));
        InterfaceAddress own = Autoconfigured(station)!;
        Assert.Equal(AddressState.Tentative, own.State);
        station.Run(2.1);
        Assert.Equal(AddressState.Preferred, own.State);
        Assert.Equal(64, own.Prefix.Length);
        Assert.Equal(Errno.None, FindRoute(station, "2001:db8:7::99", out RouteCache onLink));
        Assert.Equal(IpAddress.Parse("2001:db8:7::99"), onLink.NextHop);
        Assert.Equal(Errno.None, FindRoute(station, "2001:db8:ffff::1", out RouteCache away));
        Assert.Equal(Station.RouterLinkLocal, away.NextHop);
        Neighbour expected = new(Station.RouterLinkLocal, Station.Peer, NudState.Stale, true);
        Assert.Equal(expected, station.Table.Find(Station.RouterLinkLocal));

        station.RunTo(start + Duration.FromSeconds(1800));
        Assert.Equal(Errno.ENETUNREACH, FindRoute(station, "2001:db8:ffff::1", out _));
        station.RunTo(start + Duration.FromSeconds(5000));
        Assert.Equal(AddressState.Deprecated, own.State);
        station.RunTo(start + Duration.FromSeconds(9999));
        Assert.NotNull(Autoconfigured(station));
        station.RunTo(start + Duration.FromSeconds(10_000));
        Assert.Null(Autoconfigured(station));
        Assert.Equal(Errno.ENETUNREACH, FindRoute(station, "2001:db8:7::99", out _));
        Assert.Equal(0, station.Configuration.PrefixCount);
    }

    // Remaining lifetime, advertised lifetime, lifetime afterwards (RFC 4862 5.5.3 e).
    [Theory]
    [InlineData(100_000, 50_000, 50_000)]
    [InlineData(100_000, 100, 7200)]
    [InlineData(100_000, 0, 7200)]
    [InlineData(3000, 100, 3000)]
    [InlineData(3000, 0, 3000)]
    [InlineData(3000, 3500, 3500)]
    [InlineData(3000, 8000, 8000)]
    [InlineData(7200, 10, 7200)]
    public void A_lifetime_is_not_cut_below_two_hours_by_an_advertisement(uint remaining, uint advertised, int after)
    {
        using Station station = Started();
        Inject(station, new Advert().Prefix(s_prefix, remaining, 1000, onLink: false));
        MonoTime start = station.Engine.Now;
        Inject(station, new Advert().Prefix(s_prefix, advertised, 0, onLink: false));
        station.RunTo(start + Duration.FromSeconds(after - 1));
        Assert.NotNull(Autoconfigured(station));
        station.RunTo(start + Duration.FromSeconds(after));
        Assert.Null(Autoconfigured(station));
    }

    [Fact]
    public void A_preferred_lifetime_of_zero_deprecates_at_once_and_a_longer_one_revives()
    {
        using Station station = Started();
        Inject(station, new Advert().Prefix(s_prefix, 100_000, 1000));
        station.Run(3);
        Inject(station, new Advert().Prefix(s_prefix, 100_000, 0));
        Assert.Equal(AddressState.Deprecated, Autoconfigured(station)!.State);
        Inject(station, new Advert().Prefix(s_prefix, 100_000, 500));
        Assert.Equal(AddressState.Preferred, Autoconfigured(station)!.State);
    }

    [Fact]
    public void An_infinite_lifetime_does_not_end()
    {
        using Station station = Started();
        Inject(station, new Advert().Prefix(s_prefix, uint.MaxValue, uint.MaxValue));
        station.Run(1e8);
        Assert.Equal(AddressState.Preferred, Autoconfigured(station)!.State);
    }

    [Theory]
    [InlineData("2001:db8:7::/64", 100u, 200u)]
    [InlineData("2001:db8:7::/63", 200u, 100u)]
    [InlineData("2001:db8:7::/80", 200u, 100u)]
    [InlineData("2001:db8:7::/64", 0u, 0u)]
    [InlineData("fe80::/64", 200u, 100u)]
    [InlineData("ff02::/64", 200u, 100u)]
    [InlineData("::ffff:0:0/96", 200u, 100u)]
    public void A_prefix_that_makes_no_sense_makes_no_address(string prefix, uint valid, uint preferred)
    {
        using Station station = Started();
        string[] parts = prefix.Split('/');
        IpPrefix advertised = new(IpAddress.Parse(parts[0]), int.Parse(parts[1], null));
        Inject(station, new Advert().Prefix(advertised, valid, preferred));
        Assert.Single(station.Interface.Addresses);
    }

    public static TheoryData<string> BadAdvertisements =>
    [
        "global source", "unspecified source", "hop limit", "code", "short", "option length 0", "option past end", "group mac",
        "checksum",
    ];

    [Theory, MemberData(nameof(BadAdvertisements))]
    public void A_bad_advertisement_changes_nothing(string what)
    {
        using Station station = Started();
        byte[] message = new Advert(hopLimit: 7).Prefix(s_prefix, 1000, 1000).Mtu(1300).Mac(Station.Peer).Bytes;
        IpAddress source = Station.RouterLinkLocal;
        byte hopLimit = 255;
        switch (what)
        {
            case "global source":
                source = IpAddress.Parse("2001:db8::1");
                break;
            case "unspecified source":
                source = IpAddress.AnyIpv6;
                break;
            case "hop limit":
                hopLimit = 254;
                break;
            case "code":
                message[1] = 1;
                break;
            case "short":
                message = message[..15];
                break;
            case "option length 0":
                message[^7] = 0;
                break;
            case "option past end":
                message[^7] = 9;
                break;
            case "group mac":
                message[^6] |= 1;
                break;
            default:
                break;
        }

        station.InjectIcmpv6(message, source, Station.AllNodes, hopLimit, wrongChecksum: what == "checksum");
        Assert.Single(station.Interface.Addresses);
        Assert.Equal(0, station.Configuration.RouterCount + station.Configuration.PrefixCount + station.Table.Count);
        Assert.Equal((1500, 64), (station.Interface.Ipv6Mtu, station.Interface.Ipv6HopLimit));
    }

    [Fact]
    public void The_link_parameters_of_a_router_are_taken()
    {
        using Station station = Started();
        Inject(station, new Advert(hopLimit: 33, reachable: 10_000, retrans: 250).Mtu(1400));
        Assert.Equal((1400, 33), (station.Interface.Ipv6Mtu, station.Interface.Ipv6HopLimit));
        Assert.Equal(1500, station.Interface.Mtu);
        Assert.InRange(station.Table.ReachableTime(ipv4: false).Seconds, 5, 15);
        Assert.InRange(station.Table.ReachableTime(ipv4: true).Seconds, 15, 45);
        Assert.Equal(Duration.FromMilliseconds(250), station.Table.RetransTime(ipv4: false));
        Assert.Equal(Duration.FromSeconds(1), station.Table.RetransTime(ipv4: true));
    }

    [Theory]
    [InlineData(0u)]
    [InlineData(68u)]
    [InlineData(1279u)]
    [InlineData(1501u)]
    [InlineData(uint.MaxValue)]
    public void An_MTU_that_cannot_be_is_ignored(uint mtu)
    {
        using Station station = Started();
        Inject(station, new Advert().Mtu(mtu));
        Assert.Equal(1500, station.Interface.Ipv6Mtu);
        Assert.Equal(1, station[NeighbourCounter.RaMtuIgnored]);
    }

    [Fact]
    public void Dns_servers_are_kept_for_their_lifetime()
    {
        using Station station = Started();
        IpAddress first = IpAddress.Parse("2001:db8::53");
        IpAddress second = IpAddress.Parse("2001:db8::54");
        Inject(station, new Advert().Dns(100, first, second));
        Assert.Equal(2, station.Configuration.DnsServerCount);
        Assert.Equal((first, second), (station.Configuration.DnsServerAt(0), station.Configuration.DnsServerAt(1)));
        Inject(station, new Advert().Dns(0, first));
        Assert.Equal((1, second), (station.Configuration.DnsServerCount, station.Configuration.DnsServerAt(0)));
        station.Run(100);
        Assert.Equal(0, station.Configuration.DnsServerCount);
    }

    [Fact]
    public void A_flood_of_advertisements_is_remembered_only_up_to_the_caps()
    {
        using Station station = Started();
        Inject(station, new Advert().Mac(Station.Peer).Prefix(s_prefix, 100_000, 100_000));
        station.Run(3);
        for (int i = 0; i < 2000; i++)
        {
            IpPrefix prefix = new(new IpAddress(0x2001_0DB8_1000_0000UL + (uint)i, 0), 64);
            IpAddress router = new(0xFE80_0000_0000_0000, 0x1_0000UL + (uint)i);
            IpAddress dns = new(0x2001_0DB8_0000_0000, (uint)i + 1);
            Inject(station, new Advert().Mac(Station.Other).Prefix(prefix, 1000, 1000).Dns(1000, dns), router);
        }

        AddressConfigurationOptions options = station.Configuration.Options;
        Assert.Equal(1 + options.max_addresses, station.Interface.Addresses.Count);
        Assert.Equal(options.RoutersMax, station.Configuration.RouterCount);
        Assert.Equal(options.PrefixesMax, station.Configuration.PrefixCount);
        Assert.Equal(options.DnsServersMax, station.Configuration.DnsServerCount);
        Assert.True(station[NeighbourCounter.RaAddressLimit] > 0);
        Assert.True(station[NeighbourCounter.RaRouterLimit] > 0);
        Assert.True(station[NeighbourCounter.RaPrefixLimit] > 0);
        Assert.True(station[NeighbourCounter.RaDnsLimit] > 0);

        // What was there before the flood still is.
        Assert.Equal(Station.RouterLinkLocal, station.Configuration.CurrentRouter);
        Assert.Equal(AddressState.Preferred, Autoconfigured(station)!.State);
        station.Run(4000);
        Assert.Equal(2, station.Interface.Addresses.Count);
    }

    [Fact]
    public void Another_router_takes_over_when_one_does_not_answer()
    {
        using Station station = Started();
        IpAddress second = IpAddress.Parse("fe80::cc");
        Inject(station, new Advert().Mac(Station.Peer));
        Inject(station, new Advert().Mac(Station.Other), second);
        Assert.Equal(Station.RouterLinkLocal, station.Configuration.CurrentRouter);
        station.Send(Station.RouterLinkLocal);
        station.Run(9);
        Assert.Equal(NudState.Failed, station.State(Station.RouterLinkLocal));
        Assert.Equal(second, station.Configuration.CurrentRouter);
    }

    [Fact]
    public void A_router_with_high_preference_is_preferred_and_one_that_resigns_is_dropped()
    {
        using Station station = Started();
        IpAddress high = IpAddress.Parse("fe80::cc");
        Inject(station, new Advert());
        Inject(station, new Advert(flags: 0x08), high);
        Assert.Equal(high, station.Configuration.CurrentRouter);
        Inject(station, new Advert(lifetime: 0), high);
        Assert.Equal(Station.RouterLinkLocal, station.Configuration.CurrentRouter);
        station.Send(Station.RouterLinkLocal);
        IpAddress own = station.Interface.Addresses[0].Address;
        byte[] stillRouter = Station.Advertisement(Station.RouterLinkLocal, Station.Peer, router: true);
        station.InjectIcmpv6(stillRouter, Station.RouterLinkLocal, own);
        byte[] noRouter = Station.Advertisement(Station.RouterLinkLocal, Station.Peer, router: false);
        station.InjectIcmpv6(noRouter, Station.RouterLinkLocal, own);
        Assert.True(station.Configuration.CurrentRouter.IsUnspecified);
    }

    [Fact]
    public void Advertisements_are_ignored_before_the_start_and_by_routers()
    {
        using Station idle = new(withAddresses: false);
        Inject(idle, new Advert().Prefix(s_prefix, 1000, 1000));
        Assert.Empty(idle.Interface.Addresses);
        using Station router = Started();
        router.Stack.Ip.Options.ip6_forward = true;
        Inject(router, new Advert().Prefix(s_prefix, 1000, 1000));
        Assert.Single(router.Interface.Addresses);
        Assert.Equal(1, router[NeighbourCounter.NdInNotHost]);
    }

    [Fact]
    public void Stopping_forgets_what_was_configured_automatically()
    {
        using Station station = Started();
        station.Interface.AddAddress(new IpPrefix(Station.Own6, 64));
        Inject(station, new Advert().Prefix(s_prefix, 1000, 1000).Dns(1000, IpAddress.Parse("2001:db8::53")).Mtu(1400));
        station.Configuration.Stop();
        Assert.Equal(Station.Own6, Assert.Single(station.Interface.Addresses).Address);
        Assert.Equal(0, station.Configuration.RouterCount + station.Configuration.PrefixCount + station.Configuration.DnsServerCount);
        Assert.Equal(1500, station.Interface.Ipv6Mtu);
        Assert.Equal(Errno.ENETUNREACH, FindRoute(station, "2001:db8:ffff::1", out _));
    }
}

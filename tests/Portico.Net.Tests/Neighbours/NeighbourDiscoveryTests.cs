namespace Portico.Net.Tests.Neighbours;

/// <summary>What Neighbor Discovery accepts, answers and believes (RFC 4861 7.1, 7.2).</summary>
public sealed class NeighbourDiscoveryTests
{
    private static readonly IpAddress s_ownGroup = IpAddress.Parse("ff02::1:ff00:1");

    [Fact]
    public void A_solicitation_for_an_own_address_is_answered_and_its_sender_remembered()
    {
        using Station station = new();
        station.InjectIcmpv6(Station.Solicitation(Station.Own6, Station.Peer), Station.Peer6, s_ownGroup);
        Frame answer = Assert.Single(station.Take());
        Assert.Equal(Icmpv6Type.NeighbourAdvertisement, answer.Icmpv6);
        Assert.Equal((Station.Peer, Station.Peer6, Station.Own6), (answer.Destination, answer.Destination6, answer.Source6));
        Assert.Equal(255, answer.Bytes[21]);

        // Solicited, override, not a router; the target; the target's link-layer address.
        Assert.Equal("60000000" + "20010db8000000000000000000000001" + "0201020000000001", Convert.ToHexStringLower(answer.Message[4..]));
        Assert.Equal(NudState.Stale, station.State(Station.Peer6));
    }

    [Fact]
    public void A_solicitation_of_duplicate_address_detection_is_answered_to_all_nodes()
    {
        using Station station = new();
        station.InjectIcmpv6(Station.Solicitation(Station.Own6, null), IpAddress.AnyIpv6, s_ownGroup);
        Frame answer = Assert.Single(station.Take());
        Assert.Equal((Station.AllNodes, new MacAddress(0x3333_0000_0001)), (answer.Destination6, answer.Destination));
        Assert.Equal(0x20, answer.Message[4]);
        Assert.Equal(0, station.Table.Count);
    }

    [Fact]
    public void A_unicast_solicitation_without_link_layer_address_is_answered_through_the_cache()
    {
        using Station station = new();
        station.InjectIcmpv6(Station.Solicitation(Station.Own6, null), Station.Peer6, Station.Own6);
        Frame solicitation = Assert.Single(station.Take());
        Assert.True(solicitation.IsSolicitation);
        station.Answer(Station.Peer6);
        Assert.Equal(Icmpv6Type.NeighbourAdvertisement, Assert.Single(station.Take()).Icmpv6);
    }

    public static TheoryData<string> BadSolicitations =>
    [
        "hop limit", "code", "checksum", "short", "option length 0", "option past end", "multicast target", "unspecified target",
        "dad to unicast", "dad with option", "multicast without option", "group option", "option of wrong length", "not for us",
    ];

    [Theory, MemberData(nameof(BadSolicitations))]
    public void A_bad_solicitation_is_ignored(string what)
    {
        using Station station = new();
        byte[] message = Station.Solicitation(Station.Own6, Station.Peer);
        IpAddress source = Station.Peer6;
        IpAddress destination = s_ownGroup;
        byte hopLimit = 255;
        bool wrongChecksum = false;
        NeighbourCounter? counter = null;
        switch (what)
        {
            case "hop limit":
                (hopLimit, counter) = (254, NeighbourCounter.NdInHopLimit);
                break;
            case "code":
                message[1] = 1;
                counter = NeighbourCounter.NdInBadCode;
                break;
            case "checksum":
                wrongChecksum = true;
                break;
            case "short":
                (message, counter) = (message[..23], NeighbourCounter.NdInMalformed);
                break;
            case "option length 0":
                message[25] = 0;
                counter = NeighbourCounter.NdInMalformed;
                break;
            case "option past end":
                message[25] = 2;
                counter = NeighbourCounter.NdInMalformed;
                break;
            case "multicast target":
                (message, counter) = (Station.Solicitation(Station.AllNodes, Station.Peer), NeighbourCounter.NdInBadTarget);
                break;
            case "unspecified target":
                (message, counter) = (Station.Solicitation(IpAddress.AnyIpv6, Station.Peer), NeighbourCounter.NdInBadTarget);
                break;
            case "dad to unicast":
                (message, source, destination) = (Station.Solicitation(Station.Own6, null), IpAddress.AnyIpv6, Station.Own6);
                counter = NeighbourCounter.NdInBadDestination;
                break;
            case "dad with option":
                (source, counter) = (IpAddress.AnyIpv6, NeighbourCounter.NdInBadOption);
                break;
            case "multicast without option":
                (message, counter) = (Station.Solicitation(Station.Own6, null), NeighbourCounter.NdInBadOption);
                break;
            case "group option":
                message[26] |= 1;
                counter = NeighbourCounter.NdInBadOption;
                break;
            case "option of wrong length":
                Array.Resize(ref message, 40);
                message[25] = 2;
                counter = NeighbourCounter.NdInBadOption;
                break;
            default:
                message = Station.Solicitation(IpAddress.Parse("2001:db8:0:0:1::1"), Station.Peer);
                counter = NeighbourCounter.NdInNotForUs;
                break;
        }

        station.InjectIcmpv6(message, source, destination, hopLimit, wrongChecksum: wrongChecksum);
        Assert.Empty(station.Take());
        Assert.Equal(0, station.Table.Count);
        if (counter is { } expected)
        {
            Assert.Equal(1, station[expected]);
        }
    }

    [Fact]
    public void An_advertisement_that_nobody_asked_for_makes_no_entry()
    {
        using Station station = new();
        for (int i = 2; i < 100; i++)
        {
            IpAddress address = new(0x2001_0DB8_0000_0000, (ulong)i);
            station.InjectIcmpv6(Station.Advertisement(address, Station.Other, solicited: i % 2 == 0), address, Station.Own6);
        }

        Assert.Equal(0, station.Table.Count);
        Assert.Equal(98, station[NeighbourCounter.NdInUnsolicited]);
    }

    // State before; solicited, override, and whose address (P: the known one, O: another, -: none); state after, whose address is kept.
    [Theory]
    [InlineData("Incomplete", false, false, 'P', NudState.Stale, 'P')]
    [InlineData("Incomplete", true, false, 'P', NudState.Reachable, 'P')]
    [InlineData("Incomplete", true, true, '-', NudState.Incomplete, '-')]
    [InlineData("Reachable", false, false, 'O', NudState.Stale, 'P')]
    [InlineData("Reachable", true, false, 'O', NudState.Stale, 'P')]
    [InlineData("Reachable", false, true, 'O', NudState.Stale, 'O')]
    [InlineData("Reachable", true, true, 'O', NudState.Reachable, 'O')]
    [InlineData("Reachable", false, true, 'P', NudState.Reachable, 'P')]
    [InlineData("Reachable", false, false, 'P', NudState.Reachable, 'P')]
    [InlineData("Stale", false, false, 'O', NudState.Stale, 'P')]
    [InlineData("Stale", true, false, 'O', NudState.Stale, 'P')]
    [InlineData("Stale", true, true, 'O', NudState.Reachable, 'O')]
    [InlineData("Stale", true, false, 'P', NudState.Reachable, 'P')]
    [InlineData("Stale", true, true, '-', NudState.Reachable, 'P')]
    [InlineData("Stale", false, true, 'P', NudState.Stale, 'P')]
    [InlineData("Probe", true, false, 'O', NudState.Probe, 'P')]
    [InlineData("Probe", false, true, 'O', NudState.Stale, 'O')]
    [InlineData("Probe", true, false, 'P', NudState.Reachable, 'P')]
    public void An_advertisement_changes_an_entry_as_appendix_C_says(
        string before, bool solicited, bool isOverride, char whose, NudState after, char kept)
    {
        using Station station = new();
        if (before == "Incomplete")
        {
            station.Send(Station.Peer6);
        }
        else
        {
            station.Learn(Station.Peer6);
            if (before != "Reachable")
            {
                station.Run(60);
            }

            if (before == "Probe")
            {
                station.Send(Station.Peer6);
                station.Run(5);
            }
        }

        Assert.Equal(before, station.State(Station.Peer6).ToString());
        MacAddress? mac = whose == '-' ? null : whose == 'P' ? Station.Peer : Station.Other;
        station.InjectIcmpv6(Station.Advertisement(Station.Peer6, mac, solicited, isOverride), Station.Peer6, Station.Own6);
        Neighbour entry = station.Table.Find(Station.Peer6);

        // What waited was sent at once to an address that is not confirmed, which is DELAY.
        NudState expected = before == "Incomplete" && after == NudState.Stale ? NudState.Delay : after;
        Assert.Equal(expected, entry.State);
        Assert.Equal(kept == '-' ? default : kept == 'P' ? Station.Peer : Station.Other, entry.LinkAddress);
    }

    [Theory]
    [InlineData("hop limit")]
    [InlineData("solicited to a group")]
    [InlineData("multicast target")]
    [InlineData("code")]
    [InlineData("option length 0")]
    public void A_bad_advertisement_is_ignored(string what)
    {
        using Station station = new();
        station.Send(Station.Peer6);
        byte[] message = Station.Advertisement(what == "multicast target" ? Station.AllNodes : Station.Peer6, Station.Other);
        message[1] = what == "code" ? (byte)1 : (byte)0;
        message[25] = what == "option length 0" ? (byte)0 : message[25];
        IpAddress destination = what == "solicited to a group" ? Station.AllNodes : Station.Own6;
        station.InjectIcmpv6(message, Station.Peer6, destination, what == "hop limit" ? (byte)64 : (byte)255);
        Assert.Equal(NudState.Incomplete, station.State(Station.Peer6));
    }

    [Fact]
    public void Redirects_are_ignored()
    {
        using Station station = new();
        byte[] message = new byte[RedirectMessage.Length];
        RedirectMessage.Write(message, Station.RouterLinkLocal, IpAddress.Parse("2001:db8:1::1"));
        station.InjectIcmpv6(message, Station.RouterLinkLocal, Station.Own6);
        Assert.Equal(1, station[NeighbourCounter.NdInRedirectsIgnored]);
        Assert.Equal(0, station.Table.Count);
    }

    [Fact]
    public void Nothing_of_any_length_throws()
    {
        using Station station = new();
        byte[] full = new byte[120];
        for (byte type = 133; type <= 137; type++)
        {
            for (int length = 4; length < full.Length; length++)
            {
                for (byte option = 0; option < 4; option++)
                {
                    byte[] message = full[..length];
                    for (int i = 0; i < length; i++)
                    {
                        message[i] = option == 3 ? (byte)(i * 37) : option;
                    }

                    message[0] = type;
                    message[1] = 0;
                    station.InjectIcmpv6(message, Station.RouterLinkLocal, Station.Own6);
                }
            }
        }

        station.Link.Sent.Clear();
    }
}

using Portico.Net.Tests.HostileInput;

namespace Portico.Net.Tests.Attacks;

/// <summary>Rows A18 and A19: what a host on the same link can forge.</summary>
public class NeighbourAttackTests
{
    private static readonly IpAddress s_allNodes = IpAddress.Parse("ff02::1");

    private static byte[] Advertisement(byte hops, byte[] options, ushort lifetime = 1800)
    {
        byte[] message = [.. new byte[16], .. options];
        RouterAdvertisement.Write(message, 64, 0, lifetime, 0, 0);
        byte[] packet = AttackLab.Ip(HostileAddresses.AttackerLink6, s_allNodes, IpProtocol.Icmpv6, message, hops);
        byte[] frame = [.. new byte[14], .. packet];
        EthernetHeader.Write(frame, new MacAddress(0x3333_0000_0001), HostileAddresses.AttackerMac, EtherType.Ipv6);
        return frame;
    }

    private static byte[] Prefix(string prefix)
    {
        byte[] option = new byte[PrefixInformation.Length];
        PrefixInformation.Write(option, IpPrefix.Parse(prefix), true, true, 7200, 3600);
        return option;
    }

    private static int AddressCount(AttackLab lab) => lab.Stack.Interfaces[1].Addresses.Count;

    [Fact]
    public void A18_an_advertisement_from_beyond_the_link_or_with_an_option_of_length_0_changes_nothing()
    {
        using AttackLab lab = new();
        int addresses = AddressCount(lab);
        int routes = lab.Stack.Ip.Routes.Routes.Count;
        byte[] prefix = Prefix("2001:db8:77::/64");
        lab.Send(Advertisement(254, prefix), HostileEntry.Ethernet);
        lab.Send(Advertisement(255, [.. prefix, 5, 0, 0, 0, 0, 0, 5, 0]), HostileEntry.Ethernet);
        lab.Send(Advertisement(255, [.. prefix, 25, 200, 0, 0, 0, 0, 5, 0]), HostileEntry.Ethernet);
        lab.World.RunFor(Duration.FromSeconds(5));
        Assert.Equal(addresses, AddressCount(lab));
        Assert.Equal(routes, lab.Stack.Ip.Routes.Routes.Count);
        lab.AssertStillServes();
    }

    [Fact]
    public void A18_an_advertised_mtu_below_1280_is_ignored()
    {
        using AttackLab lab = new();
        foreach (uint mtu in new uint[] { 0, 1, 68, 1279, 100_000 })
        {
            byte[] option = new byte[8];
            NdOption.WriteMtu(option, mtu);
            lab.Send(Advertisement(255, option), HostileEntry.Ethernet);
            Assert.Equal(1500, lab.Stack.Interfaces[1].Mtu);
        }
    }

    [Fact]
    public void A18_a_flood_of_advertised_prefixes_and_routers_is_bounded()
    {
        using AttackLab lab = new();
        int addresses = AddressCount(lab);
        for (int i = 0; i < 2000; i++)
        {
            lab.Send(Advertisement(255, Prefix($"2001:db8:{i:x}::/64")), HostileEntry.Ethernet);
            lab.World.RunFor(Duration.FromMilliseconds(5));
        }

        Assert.InRange(AddressCount(lab) - addresses, 0, 16);
        Assert.InRange(lab.Stack.Ip.Routes.Routes.Count, 1, 200);
        lab.AssertStillServes();
    }

    [Fact]
    public void A19_unsolicited_replies_make_no_entries_and_never_give_the_host_an_address()
    {
        using AttackLab lab = new();
        int addresses = AddressCount(lab);
        NeighbourTable table = lab.Stack.Interfaces[1].Neighbours!;
        for (int i = 0; i < 5000; i++)
        {
            byte[] frame = new byte[42];
            MacAddress mac = new(0x0200_0000_0000UL | (uint)i);
            EthernetHeader.Write(frame, HostileAddresses.VictimMac, mac, EtherType.Arp);
            IpAddress claimed = IpAddress.FromIpv4(10, 0, 0, (byte)i);
            ArpPacket.Write(frame.AsSpan(14), ArpOperation.Reply, mac, claimed, HostileAddresses.VictimMac, HostileAddresses.Victim4);
            lab.Send(frame, HostileEntry.Ethernet);
        }

        Assert.Equal(0, table.Counters[NeighbourCounter.Allocs]);
        Assert.Equal(addresses, AddressCount(lab));
        Assert.True(lab.Stack.Ip.IsOwnUnicast(HostileAddresses.Victim4));
        lab.AssertStillServes();
    }
}

namespace Portico.Net.Tests.HostileInput;

/// <summary>The addresses of the world under attack, and choices among them and the ones that parsers trip over.</summary>
public static class HostileAddresses
{
    public static readonly MacAddress VictimMac = new(0x0200_0000_0001);
    public static readonly MacAddress AttackerMac = new(0x0200_0000_0066);

    public static readonly IpAddress Victim4 = IpAddress.Parse("10.0.0.1");
    public static readonly IpAddress Attacker4 = IpAddress.Parse("10.0.0.66");
    public static readonly IpAddress VictimTunnel4 = IpAddress.Parse("10.1.0.1");
    public static readonly IpAddress AttackerTunnel4 = IpAddress.Parse("10.1.0.66");
    public static readonly IpAddress VictimFriend4 = IpAddress.Parse("10.2.0.1");
    public static readonly IpAddress Friend4 = IpAddress.Parse("10.2.0.2");

    public static readonly IpAddress Victim6 = IpAddress.Parse("2001:db8::1");
    public static readonly IpAddress Attacker6 = IpAddress.Parse("2001:db8::66");
    public static readonly IpAddress AttackerLink6 = IpAddress.Parse("fe80::ff:fe00:66");
    public static readonly IpAddress VictimTunnel6 = IpAddress.Parse("2001:db8:1::1");
    public static readonly IpAddress AttackerTunnel6 = IpAddress.Parse("2001:db8:1::66");
    public static readonly IpAddress VictimFriend6 = IpAddress.Parse("2001:db8:2::1");
    public static readonly IpAddress Friend6 = IpAddress.Parse("2001:db8:2::2");

    /// <summary>Nobody's addresses, for connections that a forwarder takes.</summary>
    public static readonly IpAddress Elsewhere4 = IpAddress.Parse("198.51.100.7");
    public static readonly IpAddress Elsewhere6 = IpAddress.Parse("2001:db8:99::7");

    public static readonly IpAddress Group4 = IpAddress.Parse("239.1.1.1");
    public static readonly IpAddress Group6 = IpAddress.Parse("ff15::1234");

    private static readonly IpAddress[] s_odd4 =
    [
        .. new[]
        {
            "0.0.0.0", "0.0.0.1", "255.255.255.255", "127.0.0.1", "127.255.255.255", "224.0.0.1", "239.1.1.1", "239.255.255.255",
            "240.0.0.1", "10.0.0.255", "10.0.0.0", "10.1.0.255", "169.254.1.1", "10.0.0.1", "10.1.0.1", "10.2.0.1", "10.2.0.2", "10.1.0.77",
            "198.51.100.1",
        }.Select(text => IpAddress.Parse(text)),
    ];

    private static readonly IpAddress[] s_odd6 =
    [
        .. new[]
        {
            "::", "::1", "ff02::1", "ff02::2", "ff02::1:ff00:1", "ff02::1:ff00:66", "ff15::1234", "ff01::1", "ff0e::1", "fe80::1",
            "fe80::ff:fe00:66", "::10.0.0.1", "64:ff9b::1", "2001:db8::1", "2001:db8:1::1", "2001:db8:2::1", "2001:db8:2::2",
            "2001:db8:1::77", "2001:db8:ffff::1", "fec0::1", "fd00::1",
        }.Select(text => IpAddress.Parse(text)),
    ];

    public static IpAddress Victim(HostileEntry entry, bool ipv4) => entry == HostileEntry.Ethernet
        ? (ipv4 ? Victim4 : Victim6)
        : (ipv4 ? VictimTunnel4 : VictimTunnel6);

    /// <summary>Whether the address is one of the victim's on the attacker's links.</summary>
    public static bool IsVictim(in IpAddress address) =>
        address == Victim4 || address == Victim6 || address == VictimTunnel4 || address == VictimTunnel6;

    public static IpAddress Attacker(HostileEntry entry, bool ipv4) => entry == HostileEntry.Ethernet
        ? (ipv4 ? Attacker4 : Attacker6)
        : (ipv4 ? AttackerTunnel4 : AttackerTunnel6);

    /// <summary>Mostly the attacker, sometimes a neighbour, sometimes an address that must not be a source.</summary>
    public static IpAddress Source(RandomSource random, HostileEntry entry, bool ipv4)
    {
        uint choice = random.NextBelow(100);
        IpAddress attacker = Attacker(entry, ipv4);
        return choice < 75 ? attacker
            : choice < 88 ? new IpAddress(attacker.High, (attacker.Low & ~0xFFUL) | random.NextBelow(256))
            : Odd(random, ipv4);
    }

    /// <summary>Mostly the victim, sometimes a group or somebody behind it.</summary>
    public static IpAddress Destination(RandomSource random, HostileEntry entry, bool ipv4)
    {
        uint choice = random.NextBelow(100);
        return choice < 80 ? Victim(entry, ipv4)
            : choice < 88 ? (ipv4 ? Group4 : Group6)
            : Odd(random, ipv4);
    }

    public static IpAddress Odd(RandomSource random, bool ipv4)
    {
        if (random.NextBelow(8) == 0)
        {
            return ipv4 ? IpAddress.FromIpv4(random.NextUInt32()) : new IpAddress(random.NextUInt64(), random.NextUInt64());
        }

        IpAddress[] odd = ipv4 ? s_odd4 : s_odd6;
        return odd[random.NextBelow((uint)odd.Length)];
    }

    public static MacAddress DestinationMac(RandomSource random, IpAddress destination)
    {
        if (random.NextBelow(64) == 0)
        {
            return new MacAddress(random.NextUInt64() >> 16);
        }

        return destination.IsLimitedBroadcast ? MacAddress.Broadcast
            : !destination.IsMulticast ? VictimMac
            : destination.IsIpv4 ? new MacAddress(0x0100_5E00_0000 | (destination.Low & 0x7F_FFFF))
            : new MacAddress(0x3333_0000_0000 | (destination.Low & 0xFFFF_FFFF));
    }
}

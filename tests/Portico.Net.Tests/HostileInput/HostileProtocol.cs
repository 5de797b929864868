namespace Portico.Net.Tests.HostileInput;

/// <summary>What a run attacks; every packet of the run begins as a valid one of this kind.</summary>
public enum HostileProtocol
{
    Ethernet,
    Arp,
    Ipv4,
    Ipv6,
    Fragments,
    Icmp,
    Icmpv6,
    Multicast,
    Udp,
    Tcp,

    /// <summary>TCP and UDP to addresses that nobody has, taken by a forwarder.</summary>
    Forwarded,
}

/// <summary>A flow of the victim, for ICMP errors to quote.</summary>
public readonly record struct QuotedFlow(Endpoint Local, Endpoint Remote, uint Sequence, IpProtocol Protocol);

/// <summary>The link that a hostile packet comes in on.</summary>
public enum HostileEntry
{
    /// <summary>An Ethernet segment that the attacker is on.</summary>
    Ethernet,

    /// <summary>A point-to-point link of bare IP packets, as a TUN device.</summary>
    Tunnel,
}

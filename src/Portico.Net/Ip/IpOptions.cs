namespace Portico.Net;

/// <summary>Settings of IP and ICMP under Linux's sysctl names, with Linux's defaults unless the comment says otherwise.</summary>
public sealed partial class IpOptions
{
#pragma warning disable IDE1006, CA1707 // The names are the sysctls' own.

    /// <summary>net.ipv4.ip_default_ttl and net.ipv6.conf.*.hop_limit.</summary>
    public byte ip_default_ttl { get; set; } = 64;

    /// <summary>net.ipv4.ip_forward.</summary>
    public bool ip_forward { get; set; }

    /// <summary>net.ipv6.conf.all.forwarding.</summary>
    public bool ip6_forward { get; set; }

    /// <summary>
    /// net.ipv4.ipfrag_high_thresh and net.ipv6.ip6frag_high_thresh: bytes of memory for incomplete datagrams of one family.
    /// </summary>
    public long ipfrag_high_thresh { get; set; } = 4 << 20;

    /// <summary>net.ipv4.ipfrag_low_thresh: eviction goes down to here.</summary>
    public long ipfrag_low_thresh { get; set; } = 3 << 20;

    /// <summary>net.ipv4.ipfrag_time: how long an incomplete datagram is kept.</summary>
    public Duration ipfrag_time { get; set; } = Duration.FromSeconds(30);

    /// <summary>net.ipv6.ip6frag_high_thresh.</summary>
    public long ip6frag_high_thresh { get; set; } = 4 << 20;

    /// <summary>net.ipv6.ip6frag_low_thresh.</summary>
    public long ip6frag_low_thresh { get; set; } = 3 << 20;

    /// <summary>net.ipv6.ip6frag_time (RFC 8200 4.5: 60 s).</summary>
    public Duration ip6frag_time { get; set; } = Duration.FromSeconds(60);

    /// <summary>
    /// The most incomplete datagrams from one source (an IPv4 address, an IPv6 /64), so that a flood from one does not use up what
    /// the others need. Plays the part of net.ipv4.ipfrag_max_dist, which it is as large as.
    /// </summary>
    public int ipfrag_max_dist { get; set; } = 64;

    /// <summary>net.ipv4.route.min_pmtu: the smallest path MTU that an ICMP error can bring about.</summary>
    public int min_pmtu { get; set; } = 552;

    /// <summary>net.ipv4.route.mtu_expires and net.ipv6.route.mtu_expires.</summary>
    public Duration mtu_expires { get; set; } = Duration.FromSeconds(600);

    /// <summary>The most destinations with a path MTU of their own.</summary>
    public int path_mtu_max { get; set; } = 16_384;

    /// <summary>net.ipv4.ip_no_pmtu_disc: ignore "fragmentation needed".</summary>
    public bool ip_no_pmtu_disc { get; set; }

    /// <summary>net.ipv4.icmp_echo_ignore_all and net.ipv6.icmp.echo_ignore_all.</summary>
    public bool icmp_echo_ignore_all { get; set; }

    /// <summary>net.ipv4.icmp_echo_ignore_broadcasts.</summary>
    public bool icmp_echo_ignore_broadcasts { get; set; } = true;

    /// <summary>net.ipv6.icmp.echo_ignore_multicast.</summary>
    public bool icmp6_echo_ignore_multicast { get; set; }

    /// <summary>
    /// net.ipv4.icmp_ratelimit and net.ipv6.icmp.ratelimit: the time between errors to one destination; zero for no limit.
    /// </summary>
    public Duration icmp_ratelimit { get; set; } = Duration.FromMilliseconds(1000);

    /// <summary>net.ipv4.icmp_ratemask: ICMP types under the limit: unreachable, quench, time exceeded, parameter problem.</summary>
    public uint icmp_ratemask { get; set; } = 0x1818;

    /// <summary>net.ipv4.icmp_msgs_per_sec: all ICMP messages under the limit, to everybody.</summary>
    public int icmp_msgs_per_sec { get; set; } = 1000;

    /// <summary>net.ipv4.icmp_msgs_burst.</summary>
    public int icmp_msgs_burst { get; set; } = 50;

    /// <summary>net.ipv6.conf.*.max_dst_opts_number.</summary>
    public int max_dst_opts_number { get; set; } = 8;

    /// <summary>net.ipv6.conf.*.max_hbh_opts_number.</summary>
    public int max_hbh_opts_number { get; set; } = 8;

    /// <summary>
    /// net.ipv6.auto_flowlabels: 0 no flow labels but those that programs give, 1 for TCP unless IPV6_AUTOFLOWLABEL is off, 2 only where it
    /// has been set, 3 always.
    /// </summary>
    public int auto_flowlabels { get; set; } = 1;

    /// <summary>The most IPv6 extension headers of one packet (RFC 8504 5.3); Linux has no such limit for a host.</summary>
    public int max_extension_headers { get; set; } = 8;

    /// <summary>net.ipv4.conf.*.accept_local: takes packets whose source is one of the host's own addresses.</summary>
    public bool accept_local { get; set; }
#pragma warning restore IDE1006, CA1707
}

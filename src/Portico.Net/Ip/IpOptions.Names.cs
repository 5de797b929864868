namespace Portico.Net;

// The same settings by the paths under /proc/sys, as numbers in Linux's units.
public sealed partial class IpOptions
{
    private static readonly string[] s_names =
    [
        "net.ipv4.ip_default_ttl",
        "net.ipv4.ip_forward",
        "net.ipv6.conf.all.forwarding",
        "net.ipv4.ip_no_pmtu_disc",
        "net.ipv4.ipfrag_high_thresh",
        "net.ipv4.ipfrag_low_thresh",
        "net.ipv4.ipfrag_time",
        "net.ipv4.ipfrag_max_dist",
        "net.ipv6.ip6frag_high_thresh",
        "net.ipv6.ip6frag_low_thresh",
        "net.ipv6.ip6frag_time",
        "net.ipv4.route.min_pmtu",
        "net.ipv4.route.mtu_expires",
        "net.ipv4.icmp_echo_ignore_all",
        "net.ipv4.icmp_echo_ignore_broadcasts",
        "net.ipv6.icmp.echo_ignore_multicast",
        "net.ipv4.icmp_ratelimit",
        "net.ipv4.icmp_ratemask",
        "net.ipv4.icmp_msgs_per_sec",
        "net.ipv4.icmp_msgs_burst",
        "net.ipv6.conf.all.max_dst_opts_number",
        "net.ipv6.conf.all.max_hbh_opts_number",
        "net.ipv4.conf.all.accept_local",
        "net.ipv6.auto_flowlabels",
    ];

    /// <summary>The paths that <see cref="TryGet"/> and <see cref="Set"/> know, with dots.</summary>
    public static IReadOnlyList<string> Names => s_names;

    /// <summary>Reads a setting by its path.</summary>
    public bool TryGet(string name, out long value)
    {
        long? found = name switch
        {
            "net.ipv4.ip_default_ttl" => ip_default_ttl,
            "net.ipv4.ip_forward" => ip_forward ? 1 : 0,
            "net.ipv6.conf.all.forwarding" => ip6_forward ? 1 : 0,
            "net.ipv4.ip_no_pmtu_disc" => ip_no_pmtu_disc ? 1 : 0,
            "net.ipv4.ipfrag_high_thresh" => ipfrag_high_thresh,
            "net.ipv4.ipfrag_low_thresh" => ipfrag_low_thresh,
            "net.ipv4.ipfrag_time" => ipfrag_time.Milliseconds / 1000,
            "net.ipv4.ipfrag_max_dist" => ipfrag_max_dist,
            "net.ipv6.ip6frag_high_thresh" => ip6frag_high_thresh,
            "net.ipv6.ip6frag_low_thresh" => ip6frag_low_thresh,
            "net.ipv6.ip6frag_time" => ip6frag_time.Milliseconds / 1000,
            "net.ipv4.route.min_pmtu" => min_pmtu,
            "net.ipv4.route.mtu_expires" => mtu_expires.Milliseconds / 1000,
            "net.ipv4.icmp_echo_ignore_all" => icmp_echo_ignore_all ? 1 : 0,
            "net.ipv4.icmp_echo_ignore_broadcasts" => icmp_echo_ignore_broadcasts ? 1 : 0,
            "net.ipv6.icmp.echo_ignore_multicast" => icmp6_echo_ignore_multicast ? 1 : 0,
            "net.ipv4.icmp_ratelimit" => icmp_ratelimit.Milliseconds,
            "net.ipv4.icmp_ratemask" => icmp_ratemask,
            "net.ipv4.icmp_msgs_per_sec" => icmp_msgs_per_sec,
            "net.ipv4.icmp_msgs_burst" => icmp_msgs_burst,
            "net.ipv6.conf.all.max_dst_opts_number" => max_dst_opts_number,
            "net.ipv6.conf.all.max_hbh_opts_number" => max_hbh_opts_number,
            "net.ipv4.conf.all.accept_local" => accept_local ? 1 : 0,
            "net.ipv6.auto_flowlabels" => auto_flowlabels,
            _ => null,
        };
        value = found ?? 0;
        return found != null;
    }

    /// <summary>Writes a setting by its path. Errors: ENOENT, EINVAL for a value out of range.</summary>
    public Errno Set(string name, long value)
    {
        (long least, long most) = Range(name);
        if (!TryGet(name, out _))
        {
            return Errno.ENOENT;
        }

        if (value < least || value > most)
        {
            return Errno.EINVAL;
        }

        switch (name)
        {
            case "net.ipv4.ip_default_ttl":
                ip_default_ttl = (byte)value;
                break;
            case "net.ipv4.ip_forward":
                ip_forward = value != 0;
                break;
            case "net.ipv6.conf.all.forwarding":
                ip6_forward = value != 0;
                break;
            case "net.ipv4.ip_no_pmtu_disc":
                ip_no_pmtu_disc = value != 0;
                break;
            case "net.ipv4.ipfrag_high_thresh":
                ipfrag_high_thresh = value;
                break;
            case "net.ipv4.ipfrag_low_thresh":
                ipfrag_low_thresh = value;
                break;
            case "net.ipv4.ipfrag_time":
                ipfrag_time = Duration.FromSeconds(value);
                break;
            case "net.ipv4.ipfrag_max_dist":
                ipfrag_max_dist = (int)value;
                break;
            case "net.ipv6.ip6frag_high_thresh":
                ip6frag_high_thresh = value;
                break;
            case "net.ipv6.ip6frag_low_thresh":
                ip6frag_low_thresh = value;
                break;
            case "net.ipv6.ip6frag_time":
                ip6frag_time = Duration.FromSeconds(value);
                break;
            case "net.ipv4.route.min_pmtu":
                min_pmtu = (int)value;
                break;
            case "net.ipv4.route.mtu_expires":
                mtu_expires = Duration.FromSeconds(value);
                break;
            case "net.ipv4.icmp_echo_ignore_all":
                icmp_echo_ignore_all = value != 0;
                break;
            case "net.ipv4.icmp_echo_ignore_broadcasts":
                icmp_echo_ignore_broadcasts = value != 0;
                break;
            case "net.ipv6.icmp.echo_ignore_multicast":
                icmp6_echo_ignore_multicast = value != 0;
                break;
            case "net.ipv4.icmp_ratelimit":
                icmp_ratelimit = Duration.FromMilliseconds(value);
                break;
            case "net.ipv4.icmp_ratemask":
                icmp_ratemask = (uint)value;
                break;
            case "net.ipv4.icmp_msgs_per_sec":
                icmp_msgs_per_sec = (int)value;
                break;
            case "net.ipv4.icmp_msgs_burst":
                icmp_msgs_burst = (int)value;
                break;
            case "net.ipv6.conf.all.max_dst_opts_number":
                max_dst_opts_number = (int)value;
                break;
            case "net.ipv6.conf.all.max_hbh_opts_number":
                max_hbh_opts_number = (int)value;
                break;
            case "net.ipv4.conf.all.accept_local":
                accept_local = value != 0;
                break;
            case "net.ipv6.auto_flowlabels":
                auto_flowlabels = (int)value;
                break;
        }

        return Errno.None;
    }

    private static (long Least, long Most) Range(string name) => name switch
    {
        "net.ipv4.ip_default_ttl" => (1, 255),
        "net.ipv4.route.min_pmtu" => (IpLayer.Ipv4MtuMin, IpLayer.PacketBytesMax),
        "net.ipv4.ipfrag_max_dist" => (1, int.MaxValue),
        "net.ipv6.auto_flowlabels" => (0, 3),
        "net.ipv4.icmp_ratemask" => (0, uint.MaxValue),
        "net.ipv4.ip_forward"
            or "net.ipv6.conf.all.forwarding"
            or "net.ipv4.ip_no_pmtu_disc"
            or "net.ipv4.icmp_echo_ignore_all"
            or "net.ipv4.icmp_echo_ignore_broadcasts"
            or "net.ipv6.icmp.echo_ignore_multicast"
            or "net.ipv4.conf.all.accept_local" => (0, 1),
        _ => (0, int.MaxValue),
    };
}

using Portico.Net;

namespace Portico.Kernel;

/// <summary>/proc/sys/net: the settings of the network namespace of whoever asks.</summary>
internal static class NetworkSysctls
{
    private const int ByteMost = byte.MaxValue;

    /// <summary>Below are ports that only root may have (net.ipv4.ip_unprivileged_port_start).</summary>
    private const int PortsOfRoot = 1024;

    /// <summary>Seconds are kept in thousandths there.</summary>
    private const int SecondsMost = int.MaxValue / 1000;
    private const int PortMost = ushort.MaxValue;
    private const long PageBytes = PageTree.PageBytes;

    public static Sysctl[] Core =>
    [
        Sysctl.OfTcp("net.core.somaxconn", static tcp => tcp.somaxconn, static (tcp, value) => tcp.somaxconn = (int)value, least: 0),
        OfBoth("net.core.rmem_max", static stack => stack.Udp.Options.rmem_max, static (stack, value) =>
        {
            stack.Udp.Options.rmem_max = value;
            stack.Tcp.Settings.rmem_max = value;
        }),
        OfBoth("net.core.wmem_max", static stack => stack.Udp.Options.wmem_max, static (stack, value) =>
        {
            stack.Udp.Options.wmem_max = value;
            stack.Tcp.Settings.wmem_max = value;
        }),
        OfBoth("net.core.rmem_default", static stack => stack.Udp.Options.rmem_default, static (stack, value) => stack.Udp.Options.rmem_default = value),
        OfBoth("net.core.wmem_default", static stack => stack.Udp.Options.wmem_default, static (stack, value) => stack.Udp.Options.wmem_default = value),
    ];

    public static Sysctl[] Tcp =>
    [
        new("net.ipv4.ip_local_port_range", 2, 1, PortMost,
            static (caller, values) => (values[0], values[1]) = (caller.Network.LocalPorts.First, caller.Network.LocalPorts.Last),
            static (caller, values) => SetPorts(caller.Network.LocalPorts, values)) { IsAtomic = true },
        new("net.ipv4.tcp_rmem", 3, 1, int.MaxValue,
            static (caller, values) => Spread(caller.Network.Tcp.Settings.tcp_rmem, values),
            static (caller, values) => Done(caller.Network.Tcp.Settings.tcp_rmem = Three(values))),
        new("net.ipv4.tcp_wmem", 3, 1, int.MaxValue,
            static (caller, values) => Spread(caller.Network.Tcp.Settings.tcp_wmem, values),
            static (caller, values) => Done(caller.Network.Tcp.Settings.tcp_wmem = Three(values))),
        OfMemory("net.ipv4.tcp_mem", static stack => stack.Tcp.Settings.tcp_mem_high, static (stack, value) => stack.Tcp.Settings.tcp_mem_high = value),
        OfFlag("tcp_moderate_rcvbuf", static tcp => tcp.tcp_moderate_rcvbuf, static (tcp, on) => tcp.tcp_moderate_rcvbuf = on),
        Sysctl.OfByte("net.ipv4.tcp_app_win", 31, static tcp => tcp.tcp_app_win, static (tcp, value) => tcp.tcp_app_win = (int)value),
        Sysctl.OfTcp("net.ipv4.tcp_adv_win_scale", static tcp => tcp.tcp_adv_win_scale, static (tcp, value) => tcp.tcp_adv_win_scale = (int)value, -31, 31),
        OfFlag("tcp_shrink_window", static tcp => tcp.tcp_shrink_window, static (tcp, on) => tcp.tcp_shrink_window = on, most: 1),
        OfFlag("tcp_timestamps", static tcp => tcp.tcp_timestamps, static (tcp, on) => tcp.tcp_timestamps = on),
        OfFlag("tcp_sack", static tcp => tcp.tcp_sack, static (tcp, on) => tcp.tcp_sack = on),
        OfFlag("tcp_dsack", static tcp => tcp.tcp_dsack, static (tcp, on) => tcp.tcp_dsack = on),
        Sysctl.OfUnsignedLong("net.ipv4.tcp_comp_sack_delay_ns", static tcp => tcp.tcp_comp_sack_delay_ns, static (tcp, value) => tcp.tcp_comp_sack_delay_ns = value),
        Sysctl.OfUnsignedLong("net.ipv4.tcp_comp_sack_slack_ns", static tcp => tcp.tcp_comp_sack_slack_ns, static (tcp, value) => tcp.tcp_comp_sack_slack_ns = value),
        Sysctl.OfByte("net.ipv4.tcp_comp_sack_nr", ByteMost, static tcp => tcp.tcp_comp_sack_nr, static (tcp, value) => tcp.tcp_comp_sack_nr = (byte)value),
        Sysctl.OfByte("net.ipv4.tcp_ecn", 2, static tcp => tcp.tcp_ecn, static (tcp, value) => tcp.tcp_ecn = (int)value),
        OfFlag("tcp_ecn_fallback", static tcp => tcp.tcp_ecn_fallback, static (tcp, on) => tcp.tcp_ecn_fallback = on, most: 1),
        OfFlag("tcp_reflect_tos", static tcp => tcp.tcp_reflect_tos, static (tcp, on) => tcp.tcp_reflect_tos = on, most: 1),
        OfFlag("tcp_window_scaling", static tcp => tcp.tcp_window_scaling, static (tcp, on) => tcp.tcp_window_scaling = on),
        OfFlag("tcp_abort_on_overflow", static tcp => tcp.tcp_abort_on_overflow, static (tcp, on) => tcp.tcp_abort_on_overflow = on),
        OfFlag("tcp_rfc1337", static tcp => tcp.tcp_rfc1337, static (tcp, on) => tcp.tcp_rfc1337 = on),
        OfFlag("tcp_slow_start_after_idle", static tcp => tcp.tcp_slow_start_after_idle, static (tcp, on) => tcp.tcp_slow_start_after_idle = on),
        Sysctl.OfNetwork("net.ipv4.tcp_notsent_lowat", 0, uint.MaxValue, static stack => stack.Tcp.Settings.tcp_notsent_lowat, static (stack, value) => stack.Tcp.Settings.tcp_notsent_lowat = (uint)value)
            with { IsUnsigned = true },
        Sysctl.OfTcp("net.ipv4.tcp_fastopen", static tcp => tcp.tcp_fastopen, static (tcp, value) => tcp.tcp_fastopen = (int)value),
        Sysctl.OfTcp("net.ipv4.tcp_fastopen_blackhole_timeout_sec", static tcp => tcp.tcp_fastopen_blackhole_timeout_sec, static (tcp, value) => tcp.tcp_fastopen_blackhole_timeout_sec = (int)value, least: 0),
        Sysctl.OfByte("net.ipv4.tcp_syn_retries", 127, static tcp => tcp.tcp_syn_retries, static (tcp, value) => tcp.tcp_syn_retries = (int)value, least: 1),
        Sysctl.OfByte("net.ipv4.tcp_synack_retries", ByteMost, static tcp => tcp.tcp_synack_retries, static (tcp, value) => tcp.tcp_synack_retries = (int)value),
        Sysctl.OfByte("net.ipv4.tcp_retries1", ByteMost, static tcp => tcp.tcp_retries1, static (tcp, value) => tcp.tcp_retries1 = (int)value),
        Sysctl.OfByte("net.ipv4.tcp_retries2", ByteMost, static tcp => tcp.tcp_retries2, static (tcp, value) => tcp.tcp_retries2 = (int)value),
        Sysctl.OfByte("net.ipv4.tcp_orphan_retries", ByteMost, static tcp => tcp.tcp_orphan_retries, static (tcp, value) => tcp.tcp_orphan_retries = (int)value),
        Sysctl.OfByte("net.ipv4.tcp_syncookies", ByteMost, static tcp => tcp.tcp_syncookies, static (tcp, value) => tcp.tcp_syncookies = (int)value),
        Sysctl.OfByte("net.ipv4.tcp_tw_reuse", 2, static tcp => tcp.tcp_tw_reuse, static (tcp, value) => tcp.tcp_tw_reuse = (int)value),
        Sysctl.OfNetwork("net.ipv4.tcp_tw_reuse_delay", 1, uint.MaxValue, static stack => stack.Tcp.Settings.tcp_tw_reuse_delay, static (stack, value) => stack.Tcp.Settings.tcp_tw_reuse_delay = (uint)value)
            with { IsUnsigned = true },
        Sysctl.OfTcp("net.ipv4.tcp_challenge_ack_limit", static tcp => tcp.tcp_challenge_ack_limit, static (tcp, value) => tcp.tcp_challenge_ack_limit = (int)value),
        Sysctl.OfByte("net.ipv4.tcp_pingpong_thresh", ByteMost, static tcp => tcp.tcp_pingpong_thresh, static (tcp, value) => tcp.tcp_pingpong_thresh = (byte)value, least: 1),
        OfFlag("tcp_stdurg", static tcp => tcp.tcp_stdurg, static (tcp, on) => tcp.tcp_stdurg = on),
        OfFlag("tcp_workaround_signed_windows", static tcp => tcp.tcp_workaround_signed_windows, static (tcp, on) => tcp.tcp_workaround_signed_windows = on),
        Sysctl.OfByte("net.ipv4.tcp_keepalive_probes", ByteMost, static tcp => tcp.tcp_keepalive_probes, static (tcp, value) => tcp.tcp_keepalive_probes = (int)value),
        Sysctl.OfTcp("net.ipv4.tcp_keepalive_time", static tcp => tcp.tcp_keepalive_time, static (tcp, value) => tcp.tcp_keepalive_time = (int)value, -SecondsMost, SecondsMost),
        Sysctl.OfTcp("net.ipv4.tcp_keepalive_intvl", static tcp => tcp.tcp_keepalive_intvl, static (tcp, value) => tcp.tcp_keepalive_intvl = (int)value, -SecondsMost, SecondsMost),
        Sysctl.OfTcp("net.ipv4.tcp_fin_timeout", static tcp => tcp.tcp_fin_timeout, static (tcp, value) => tcp.tcp_fin_timeout = (int)value, -SecondsMost, SecondsMost),
        Sysctl.OfTcp("net.ipv4.tcp_max_orphans", static tcp => tcp.tcp_max_orphans, static (tcp, value) => tcp.tcp_max_orphans = (int)value),
        Sysctl.OfTcp("net.ipv4.tcp_max_syn_backlog", static tcp => tcp.tcp_max_syn_backlog, static (tcp, value) => tcp.tcp_max_syn_backlog = (int)value),
        Sysctl.OfTcp("net.ipv4.tcp_max_tw_buckets", static tcp => tcp.tcp_max_tw_buckets, static (tcp, value) => tcp.tcp_max_tw_buckets = (int)value),
        Sysctl.OfTcp("net.ipv4.tcp_reordering", static tcp => tcp.tcp_reordering, static (tcp, value) => tcp.tcp_reordering = (int)value),
        Sysctl.OfTcp("net.ipv4.tcp_max_reordering", static tcp => tcp.tcp_max_reordering, static (tcp, value) => tcp.tcp_max_reordering = (int)value),
        Sysctl.OfByte("net.ipv4.tcp_recovery", ByteMost, static tcp => tcp.tcp_recovery, static (tcp, value) => tcp.tcp_recovery = (int)value),
        Sysctl.OfByte("net.ipv4.tcp_early_retrans", 4, static tcp => tcp.tcp_early_retrans, static (tcp, value) => tcp.tcp_early_retrans = (int)value),
        Sysctl.OfByte("net.ipv4.tcp_frto", ByteMost, static tcp => tcp.tcp_frto, static (tcp, value) => tcp.tcp_frto = (int)value),
        Sysctl.OfByte("net.ipv4.tcp_syn_linear_timeouts", 127, static tcp => tcp.tcp_syn_linear_timeouts, static (tcp, value) => tcp.tcp_syn_linear_timeouts = (int)value),
        Sysctl.OfByte("net.ipv4.tcp_min_tso_segs", ByteMost, static tcp => tcp.tcp_min_tso_segs, static (tcp, value) => tcp.tcp_min_tso_segs = (int)value, least: 1),
        Sysctl.OfByte("net.ipv4.tcp_tso_win_divisor", ByteMost, static tcp => tcp.tcp_tso_win_divisor, static (tcp, value) => tcp.tcp_tso_win_divisor = (int)value),
        Sysctl.OfByte("net.ipv4.tcp_tso_rtt_log", ByteMost, static tcp => tcp.tcp_tso_rtt_log, static (tcp, value) => tcp.tcp_tso_rtt_log = (int)value),
        Sysctl.OfTcp("net.ipv4.tcp_pacing_ss_ratio", static tcp => tcp.tcp_pacing_ss_ratio, static (tcp, value) => tcp.tcp_pacing_ss_ratio = (int)value, 0, 1000),
        Sysctl.OfTcp("net.ipv4.tcp_pacing_ca_ratio", static tcp => tcp.tcp_pacing_ca_ratio, static (tcp, value) => tcp.tcp_pacing_ca_ratio = (int)value, 0, 1000),
        OfFlag("tcp_thin_linear_timeouts", static tcp => tcp.tcp_thin_linear_timeouts, static (tcp, on) => tcp.tcp_thin_linear_timeouts = on),
        Sysctl.OfTcp("net.ipv4.tcp_min_rtt_wlen", static tcp => tcp.tcp_min_rtt_wlen, static (tcp, value) => tcp.tcp_min_rtt_wlen = (int)value, 0, 86400),
        Sysctl.OfTcp("net.ipv4.tcp_rto_min_us", static tcp => tcp.tcp_rto_min_us, static (tcp, value) => tcp.tcp_rto_min_us = (int)value, 1),
        Sysctl.OfTcp("net.ipv4.tcp_rto_max_ms", static tcp => tcp.tcp_rto_max_ms, static (tcp, value) => tcp.tcp_rto_max_ms = (int)value, 1000, 120_000),
        Sysctl.OfTcp("net.ipv4.tcp_invalid_ratelimit", static tcp => tcp.tcp_invalid_ratelimit, static (tcp, value) => tcp.tcp_invalid_ratelimit = (int)value),
        OfFlag("tcp_no_metrics_save", static tcp => tcp.tcp_no_metrics_save, static (tcp, on) => tcp.tcp_no_metrics_save = on),
        OfFlag("tcp_no_ssthresh_metrics_save", static tcp => tcp.tcp_no_ssthresh_metrics_save, static (tcp, on) => tcp.tcp_no_ssthresh_metrics_save = on),
        OfFlag("tcp_retrans_collapse", static tcp => tcp.tcp_retrans_collapse, static (tcp, on) => tcp.tcp_retrans_collapse = on),
        Sysctl.OfByte("net.ipv4.tcp_mtu_probing", ByteMost, static tcp => tcp.tcp_mtu_probing, static (tcp, value) => tcp.tcp_mtu_probing = (int)value),
        Sysctl.OfTcp("net.ipv4.tcp_base_mss", static tcp => tcp.tcp_base_mss, static (tcp, value) => tcp.tcp_base_mss = (int)value),
        Sysctl.OfTcp("net.ipv4.tcp_mtu_probe_floor", static tcp => tcp.tcp_mtu_probe_floor, static (tcp, value) => tcp.tcp_mtu_probe_floor = (int)value, 48, PortMost),
        Sysctl.OfTcp("net.ipv4.tcp_probe_threshold", static tcp => tcp.tcp_probe_threshold, static (tcp, value) => tcp.tcp_probe_threshold = (int)value),
        Sysctl.OfTcp("net.ipv4.tcp_probe_interval", static tcp => tcp.tcp_probe_interval, static (tcp, value) => tcp.tcp_probe_interval = (int)value, 0),
        Sysctl.OfTcp("net.ipv4.tcp_min_snd_mss", static tcp => tcp.tcp_min_snd_mss, static (tcp, value) => tcp.tcp_min_snd_mss = (int)value, 48, PortMost),
    ];

    public static Sysctl[] Udp =>
    [
        OfMemory("net.ipv4.udp_mem", static stack => stack.Udp.Options.udp_mem, static (stack, value) => stack.Udp.Options.udp_mem = value),
        OfUdp("net.ipv4.igmp_max_memberships", static udp => udp.igmp_max_memberships, static (udp, value) => udp.igmp_max_memberships = value),
        OfUdp("net.ipv4.igmp_max_msf", static udp => udp.igmp_max_msf, static (udp, value) => udp.igmp_max_msf = value),
        OfUdp("net.ipv6.mld_max_msf", static udp => udp.mld_max_msf, static (udp, value) => udp.mld_max_msf = value),
    ];

    /// <summary>Those that the options of IP know by their paths themselves.</summary>
    public static IEnumerable<Sysctl> Ip => IpOptions.Names.Select(static name => new Sysctl(name, 1, long.MinValue, long.MaxValue,
        (caller, values) => caller.Network.Ip.Options.TryGet(name, out values[0]),
        (caller, values) => caller.Network.Ip.Options.Set(name, values[0])) { IsUnsigned = true });

    private static Sysctl OfFlag(string name, Func<TcpSettings, bool> get, Action<TcpSettings, bool> set, int most = ByteMost) =>
        Sysctl.OfByte($"net.ipv4.{name}", most, tcp => get(tcp) ? 1 : 0, (tcp, value) => set(tcp, value != 0));

    private static Sysctl OfBoth(string path, Func<NetworkStack, int> get, Action<NetworkStack, int> set)
    {
        const int LeastBuffer = 2304;
        return Sysctl.OfNetwork(path, LeastBuffer, int.MaxValue, stack => get(stack), (stack, value) => set(stack, (int)value));
    }

    private static Sysctl OfUdp(string path, Func<UdpOptions, int> get, Action<UdpOptions, int> set) =>
        Sysctl.OfNetwork(path, int.MinValue, int.MaxValue, stack => get(stack.Udp.Options), (stack, value) => set(stack.Udp.Options, (int)value));

    /// <summary>Pages in three marks, of which the stack has the highest only: it does not slow down before.</summary>
    private static Sysctl OfMemory(string path, Func<NetworkStack, long> get, Action<NetworkStack, long> set) => new(path, 3, 0, long.MaxValue / PageBytes,
        (caller, values) => values.Fill(get(caller.Network) / PageBytes),
        (caller, values) =>
        {
            set(caller.Network, values[2] * PageBytes);
            return Errno.None;
        }) { IsUnsignedLong = true };

    private static Errno SetPorts(LocalPortRange ports, ReadOnlySpan<long> values) => values[0] < PortsOfRoot ? Errno.EINVAL : ports.SetRange((ushort)values[0], (ushort)values[1]);

    private static void Spread((int Min, int Default, int Max) three, Span<long> values) => (values[0], values[1], values[2]) = three;

    private static (int Min, int Default, int Max) Three(ReadOnlySpan<long> values) => ((int)values[0], (int)values[1], (int)values[2]);

    private static Errno Done((int Min, int Default, int Max) _) => Errno.None;
}

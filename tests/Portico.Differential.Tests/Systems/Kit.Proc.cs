using System.Text;
using System.Text.RegularExpressions;
using Portico.Kernel;
using static Portico.Kernel.SyscallNumber;

namespace Portico.Differential.Tests.Systems;

// Files of /proc. What differs from one kernel to the other by nature, such as inode numbers, is written down as a mask.
internal sealed unsafe partial class Kit
{
    /// <summary>Settings of a network namespace, below /proc/sys, that cases may change, and have to change back.</summary>
    public static readonly string[] WritableSettings =
    [
        "net/core/somaxconn",
        "net/ipv4/ip_local_port_range",
        "net/ipv4/tcp_rmem",
        "net/ipv4/tcp_app_win",
        "net/ipv4/tcp_adv_win_scale",
        "net/ipv4/tcp_shrink_window",
        "net/ipv4/tcp_sack",
        "net/ipv4/tcp_comp_sack_delay_ns",
        "net/ipv4/tcp_comp_sack_slack_ns",
        "net/ipv4/tcp_comp_sack_nr",
        "net/ipv4/tcp_ecn",
        "net/ipv4/tcp_ecn_fallback",
        "net/ipv4/tcp_reflect_tos",
        "net/ipv4/tcp_syn_retries",
        "net/ipv4/tcp_fastopen",
        "net/ipv4/tcp_keepalive_time",
        "net/ipv4/tcp_congestion_control",
        "net/ipv4/ip_default_ttl",
        "net/ipv4/ping_group_range",
    ];

    /// <summary>All of a file, with nothing written down; empty where it cannot be read.</summary>
    public string ReadText(string path, int room = 1 << 16)
    {
        byte[] buffer = new byte[room];
        StringBuilder text = new();
        fixed (byte* p = Text(path), into = buffer)
        {
            long fd = Raw(openat, AtCwd, (long)p, (long)OpenFlags.O_RDONLY);
            long count;
            while (fd >= 0 && (count = Raw(read, fd, (long)into, room)) > 0)
            {
                text.Append(Encoding.UTF8.GetString(buffer, 0, (int)count));
            }

            Raw(close, fd);
        }

        return text.ToString();
    }

    /// <summary>All of a file, with what matches replaced.</summary>
    public void ShowText(string path, params (string Pattern, string Replacement)[] masks) => Note($"{path}:\n{Masked(ReadText(path), masks)}");

    public static string Masked(string text, params (string Pattern, string Replacement)[] masks) =>
        masks.Aggregate(text, (masked, mask) => Regex.Replace(masked, mask.Pattern, mask.Replacement, RegexOptions.Multiline));

    /// <summary>A read whose bytes are shown as text.</summary>
    public long ReadAsText(long fd, int count)
    {
        byte[] buffer = new byte[Math.Max(1, count)];
        fixed (byte* p = buffer)
        {
            long result = Raw(read, fd, (long)p, count);
            Note($"read {count} = {Show(result)} \"{Encoding.UTF8.GetString(buffer, 0, (int)Math.Max(0, result))}\"");
            return result;
        }
    }

    /// <summary>Runs a part of a case in which a setting may be changed.</summary>
    public void WithSetting(string setting, Action<string> body)
    {
        string path = $"/proc/sys/{setting}";
        string before = ReadText(path);
        try
        {
            body(path);
        }
        finally
        {
            WriteSetting(path, before);
        }
    }

    /// <summary>Writes without a line in the log.</summary>
    public long WriteSetting(string path, string text)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        fixed (byte* p = Text(path), data = bytes.Length == 0 ? [0] : bytes)
        {
            long fd = Raw(openat, AtCwd, (long)p, (long)OpenFlags.O_WRONLY);
            long result = fd < 0 ? fd : Raw(write, fd, (long)data, bytes.Length);
            Raw(close, fd);
            return result;
        }
    }
}

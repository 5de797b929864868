using Portico.Net;

namespace Portico.Kernel;

/// <summary>/proc/sys: every setting that the kernel and its stacks have under Linux's name, and none that they do not have.</summary>
internal static class SysctlDirectory
{
    private const long LongMost = long.MaxValue;

    public static void Make(ProcDirectory root)
    {
        Sysctl[] files =
        [
            Sysctl.OfKernel("fs.file-max", 0, LongMost, static settings => settings.file_max, static (settings, value) => settings.file_max = value),
            new("fs.file-nr", 3, 0, 0, ReadFileCount, Set: null),
            Sysctl.OfKernel("fs.nr_open", 64, int.MaxValue & ~63, static settings => settings.nr_open, static (settings, value) => settings.nr_open = (int)value)
                with { IsUnsigned = true },
            new("fs.pipe-max-size", 1, 0, uint.MaxValue,
                static (caller, values) => values[0] = caller.Kernel.Settings.pipe_max_size,
                static (caller, values) => SetPipeMaxSize(caller.Kernel.Settings, values[0])) { IsUnsigned = true },
            Sysctl.OfKernel("fs.pipe-user-pages-soft", 0, LongMost,
                static settings => settings.pipe_user_pages_soft, static (settings, value) => settings.pipe_user_pages_soft = value),
            Sysctl.OfKernel("fs.pipe-user-pages-hard", 0, LongMost,
                static settings => settings.pipe_user_pages_hard, static (settings, value) => settings.pipe_user_pages_hard = value),
            Sysctl.OfKernel("fs.epoll.max_user_watches", 0, LongMost,
                static settings => settings.max_user_watches, static (settings, value) => settings.max_user_watches = value),
            Sysctl.OfKernel("net.unix.max_dgram_qlen", int.MinValue, int.MaxValue,
                static settings => settings.max_dgram_qlen, static (settings, value) => settings.max_dgram_qlen = (int)value),
            Sysctl.OfKernel("net.core.optmem_max", 0, int.MaxValue,
                static settings => settings.optmem_max, static (settings, value) => settings.optmem_max = (int)value),
            new("net.ipv4.ping_group_range", 2, 0, uint.MaxValue - 1,
                static (caller, values) => (values[0], values[1]) = caller.Kernel.Settings.ping_group_range,
                static (caller, values) => SetPingGroups(caller.Kernel.Settings, values)) { IsAtomic = true, IsUnsignedLong = true },
            .. NetworkSysctls.Core,
            .. NetworkSysctls.Tcp,
            .. NetworkSysctls.Udp,
            .. NetworkSysctls.Ip,
        ];
        foreach (Sysctl setting in files)
        {
            Add(root, setting.Path, new SysctlNumbers(root.Proc, setting));
        }

        Add(root, "net.ipv4.tcp_congestion_control", new SysctlWord(root.Proc, CongestionSysctls.Show, CongestionSysctls.Set));
        Add(root, "net.ipv4.tcp_fastopen_key", new SysctlWord(
            root.Proc, static caller => caller.Network.Tcp.FastOpenKey, static (caller, text) => caller.Network.Tcp.SetFastOpenKey(text)));
        Add(root, "net.ipv4.tcp_available_congestion_control", new SysctlWord(root.Proc, CongestionSysctls.ShowAvailable, set: null));
        Add(root, "net.ipv4.tcp_allowed_congestion_control", new SysctlWord(root.Proc, CongestionSysctls.ShowAllowed, CongestionSysctls.SetAllowed));
    }

    private static void Add(ProcDirectory root, string path, Inode file)
    {
        string[] names = path.Split('.');
        ProcDirectory directory = root;
        foreach (string name in names[..^1])
        {
            directory = directory.Directory(name);
        }

        directory.Add(names[^1], file);
    }

    /// <summary>Those that are open, none that are free but kept, and the most.</summary>
    private static void ReadFileCount(Process caller, Span<long> values)
    {
        values[0] = caller.Kernel.Counters[KernelCounter.OpenFiles];
        values[1] = 0;
        values[2] = caller.Kernel.Settings.file_max;
    }

    /// <summary>A range whose end is before its beginning is that of no group.</summary>
    private static Errno SetPingGroups(KernelSettings settings, ReadOnlySpan<long> values)
    {
        settings.ping_group_range = values[1] < values[0] ? (1, 0) : ((uint)values[0], (uint)values[1]);
        return Errno.None;
    }

    /// <summary>Rounds up to a power of two of pages, as F_SETPIPE_SZ does.</summary>
    private static Errno SetPipeMaxSize(KernelSettings settings, long value)
    {
        if (value is 0 or > int.MaxValue)
        {
            return Errno.EINVAL;
        }

        long size = (long)System.Numerics.BitOperations.RoundUpToPowerOf2((ulong)Math.Max(value, Pipe.PageBytes));
        settings.pipe_max_size = (int)Math.Min(size, int.MaxValue);
        return Errno.None;
    }
}

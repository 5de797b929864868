using System.Text;

namespace Portico.Kernel;

/// <summary>What /proc/PID/status, stat, limits and comm say (proc_pid_status(5) and the like).</summary>
internal static class ProcessTexts
{
    private static readonly (Resource Resource, string Name, string Unit)[] s_limits =
    [
        (Resource.RLIMIT_CPU, "Max cpu time", "seconds"),
        (Resource.RLIMIT_FSIZE, "Max file size", "bytes"),
        (Resource.RLIMIT_DATA, "Max data size", "bytes"),
        (Resource.RLIMIT_STACK, "Max stack size", "bytes"),
        (Resource.RLIMIT_CORE, "Max core file size", "bytes"),
        (Resource.RLIMIT_RSS, "Max resident set", "bytes"),
        (Resource.RLIMIT_NPROC, "Max processes", "processes"),
        (Resource.RLIMIT_NOFILE, "Max open files", "files"),
        (Resource.RLIMIT_MEMLOCK, "Max locked memory", "bytes"),
        (Resource.RLIMIT_AS, "Max address space", "bytes"),
        (Resource.RLIMIT_LOCKS, "Max file locks", "locks"),
        (Resource.RLIMIT_SIGPENDING, "Max pending signals", "signals"),
        (Resource.RLIMIT_MSGQUEUE, "Max msgqueue size", "bytes"),
        (Resource.RLIMIT_NICE, "Max nice priority", ""),
        (Resource.RLIMIT_RTPRIO, "Max realtime priority", ""),
        (Resource.RLIMIT_RTTIME, "Max realtime timeout", "us"),
    ];

    /// <summary>The name as the kernel keeps it: 15 bytes.</summary>
    private static ReadOnlySpan<byte> NameOf(Process process)
    {
        const int NameBytesMax = 15;
        byte[] name = Encoding.UTF8.GetBytes(process.Name);
        return name.AsSpan(0, Math.Min(name.Length, NameBytesMax));
    }

    public static void WriteName(Process process, ProcText text) => text.Add($"{NameOf(process)}\n");

    public static void WriteLimits(Process process, ProcText text)
    {
        text.Add($"{"Limit",-26}{"Soft Limit",-21}{"Hard Limit",-21}{"Units",-10}\n");
        foreach ((Resource resource, string name, string unit) in s_limits)
        {
            process.Limits.Get(resource, out ResourceLimit limit);
            text.Add($"{name,-25} ");
            WriteLimit(limit.Soft, text);
            WriteLimit(limit.Hard, text);
            text.Append(unit.Length == 0 ? "\n" : unit.PadRight(10) + "\n");
        }
    }

    public static void WriteStatus(Process process, ProcText text)
    {
        (int id, int user, int group) = (process.Id, process.UserId, process.GroupId);
        text.Add($"Name:\t{NameOf(process)}\n");
        if (!process.HasExited)
        {
            text.Add($"Umask:\t{Convert.ToString(process.UmaskBits, 8).PadLeft(4, '0')}\n");
        }

        string state = process.HasExited ? "Z (zombie)" : process.IsSleeping ? "S (sleeping)" : "R (running)";
        text.Add($"State:\t{state}\nTgid:\t{id}\nNgid:\t0\nPid:\t{id}\nPPid:\t{process.ParentId}\n");
        text.Add($"TracerPid:\t0\nUid:\t{user}\t{user}\t{user}\t{user}\nGid:\t{group}\t{group}\t{group}\t{group}\n");
        text.Add($"FDSize:\t{(process.HasExited ? 0 : process.Descriptors.Size)}\nGroups:\t \nNStgid:\t{id}\nNSpid:\t{id}\n");
        text.Add($"NSpgid:\t{process.Group.Id}\nNSsid:\t{process.Group.Session.Id}\nKthread:\t0\nThreads:\t1\n");
        text.Add($"SigPnd:\t{process.PendingOfThread:x16}\nShdPnd:\t{process.PendingOfProcess:x16}\nSigBlk:\t{process.BlockedSet:x16}\n");
        text.Add($"SigIgn:\t{process.SetOfActions(SignalAction.SIG_IGN):x16}\nSigCgt:\t{process.CaughtSet:x16}\n");
    }

    /// <summary>52 fields, of which those about memory and time of a processor are 0 here: a process of this kernel has none.</summary>
    public static void WriteStat(Process process, ProcText text)
    {
        const int FieldsBehindForeground = 44;
        int device = process.ControllingTerminal?.Device ?? 0;
        int foreground = process.ControllingTerminal?.Foreground?.Id ?? -1;
        text.Add($"{process.Id} ({NameOf(process)}) {(process.HasExited ? "Z" : process.IsSleeping ? "S" : "R")} {process.ParentId} {process.Group.Id} {process.Group.Session.Id}");
        text.Add($" {device} {foreground}");
        for (int i = 0; i < FieldsBehindForeground; i++)
        {
            // The 20th field is the number of threads.
            const int Threads = 11;
            text.Append(i == Threads ? " 1"u8 : " 0"u8);
        }

        text.Append((byte)'\n');
    }

    private static void WriteLimit(ulong limit, ProcText text)
    {
        if (limit == ResourceLimit.Infinity)
        {
            text.Add($"{"unlimited",-20} ");
        }
        else
        {
            text.Add($"{limit,-20} ");
        }
    }
}

using Portico.Net;

namespace Portico.Kernel;

/// <summary>Resources of getrlimit(2), with Linux's numbers.</summary>
public enum Resource
{
#pragma warning disable CS1591, CA1707 // The names are those of getrlimit(2).
    RLIMIT_CPU = 0,
    RLIMIT_FSIZE = 1,
    RLIMIT_DATA = 2,
    RLIMIT_STACK = 3,
    RLIMIT_CORE = 4,
    RLIMIT_RSS = 5,
    RLIMIT_NPROC = 6,
    RLIMIT_NOFILE = 7,
    RLIMIT_MEMLOCK = 8,
    RLIMIT_AS = 9,
    RLIMIT_LOCKS = 10,
    RLIMIT_SIGPENDING = 11,
    RLIMIT_MSGQUEUE = 12,
    RLIMIT_NICE = 13,
    RLIMIT_RTPRIO = 14,
    RLIMIT_RTTIME = 15,
#pragma warning restore CS1591, CA1707
}

/// <summary>A soft limit, which holds, and the hard one that it may be raised to (struct rlimit).</summary>
/// <param name="Soft">What holds now.</param>
/// <param name="Hard">The most that <paramref name="Soft"/> may be set to without privileges.</param>
public readonly record struct ResourceLimit(ulong Soft, ulong Hard)
{
    /// <summary>RLIM_INFINITY.</summary>
    public const ulong Infinity = ulong.MaxValue;
}

/// <summary>The limits of one process. Kept for all resources; RLIMIT_NOFILE and RLIMIT_SIGPENDING are those that this kernel enforces.</summary>
public sealed class ResourceLimits
{
    private const int Count = 16;

    /// <summary>Real-time signals that may wait for a process to begin with.</summary>
    private const ulong SignalsMax = 4096;

    private readonly ResourceLimit[] _limits = new ResourceLimit[Count];

    internal ResourceLimits(ResourceLimit files)
    {
        Array.Fill(_limits, new ResourceLimit(ResourceLimit.Infinity, ResourceLimit.Infinity));
        _limits[(int)Resource.RLIMIT_NOFILE] = files;
        _limits[(int)Resource.RLIMIT_SIGPENDING] = new ResourceLimit(SignalsMax, SignalsMax);
    }

    private ResourceLimits(ResourceLimit[] limits) => _limits = [.. limits];

    internal long Files => (long)Math.Min(_limits[(int)Resource.RLIMIT_NOFILE].Soft, int.MaxValue);

    internal ResourceLimits Copy() => new(_limits);

    internal Errno Get(Resource resource, out ResourceLimit limit)
    {
        limit = (uint)resource < Count ? _limits[(int)resource] : default;
        return (uint)resource < Count ? Errno.None : Errno.EINVAL;
    }

    /// <summary>
    /// Errors: EINVAL for no such resource or a soft limit above the hard one, EPERM for a hard limit raised without privileges, or
    /// RLIMIT_NOFILE raised above fs.nr_open, in the order in which Linux checks.
    /// </summary>
    internal Errno Set(Resource resource, ResourceLimit limit, bool isPrivileged, int openFilesMax)
    {
        if ((uint)resource >= Count || limit.Soft > limit.Hard)
        {
            return Errno.EINVAL;
        }

        if (resource == Resource.RLIMIT_NOFILE && limit.Hard > (ulong)openFilesMax)
        {
            return Errno.EPERM;
        }

        if (limit.Hard > _limits[(int)resource].Hard && !isPrivileged)
        {
            return Errno.EPERM;
        }

        _limits[(int)resource] = limit;
        return Errno.None;
    }
}

using Portico.Kernel;
using Portico.Net;

namespace Portico.Simulation.Scripts;

/// <summary>The script's time: microseconds since its first event, over the kernel's virtual time.</summary>
internal sealed class ScriptClock(VirtualTime time, VirtualDevice device, ScriptConfiguration configuration)
{
    private readonly MonoTime _start = time.Now;

    public long Now => ToScript(time.Now);

    public VirtualTime Time => time;

    public long ToScript(MonoTime live) => (live - _start).Nanoseconds / 1000;

    public MonoTime ToLive(long usecs) => _start + Duration.FromMicroseconds(usecs);

    /// <summary>The time since 1970 of a time of the script, in microseconds.</summary>
    public long ToUnix(long usecs) => (time.Origin + (ToLive(usecs) - MonoTime.Zero)).Nanoseconds / 1000;

    /// <summary>Waits for a call that runs to block or to end: no time passes before.</summary>
    public void Settle(CallThread thread)
    {
        SpinWait spinner = default;
        while (!thread.IsIdle && time.Blocked == 0)
        {
            spinner.SpinOnce();
        }
    }

    public void RunUntil(long usecs, CallThread thread)
    {
        Settle(thread);
        while (!time.RunUntil(ToLive(usecs)))
        {
            Settle(thread);
        }
    }

    /// <summary>Lets time pass until a call that is blocked has returned, but no longer than until so many microseconds.</summary>
    public void RunUntilIdle(long usecs, CallThread thread)
    {
        Settle(thread);
        while (!thread.IsIdle && !time.RunUntil(ToLive(usecs)))
        {
            Settle(thread);
        }
    }

    /// <summary>Waits for a packet, no longer than until so many microseconds; false where none came.</summary>
    public bool WaitForPacket(long limit, CallThread thread)
    {
        while (true)
        {
            Settle(thread);
            switch (time.RunUntilPacket(device, limit == long.MaxValue ? MonoTime.Never : ToLive(limit)))
            {
                case VirtualStop.Packet:
                    return true;
                case VirtualStop.Woken:
                    break;
                default:
                    return false;
            }
        }
    }

    /// <summary>
    /// Says what is wrong where something happened at the wrong time: more than the tolerance away, which is a share of the time since
    /// <paramref name="last"/> where that is more; null where nothing is.
    /// </summary>
    public string? Check(EventTime expected, long start, long end, long actual, long? last, string what)
    {
        if (expected.Kind == TimeKind.Any)
        {
            return null;
        }

        long tolerance = configuration.ToleranceUsecs;
        if (last is { } before)
        {
            tolerance = Math.Max(tolerance, (long)(configuration.TolerancePercent / 100 * (start - before)));
        }

        return actual >= start - tolerance && actual <= end + tolerance ? null
            : expected.IsRange ? $"the {what} came at {Show(actual)}, not between {Show(start)} and {Show(end)}"
            : $"the {what} came at {Show(actual)}, not at {Show(start)} (tolerance {Show(tolerance)})";
    }

    public static string Show(long usecs) => (usecs / 1e6).ToString("0.000000", System.Globalization.CultureInfo.InvariantCulture) + " s";
}

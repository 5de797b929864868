using System.Runtime.InteropServices;
using Portico.Net;

namespace Portico.Kernel;

/// <summary>Clocks of timerfd_create(2).</summary>
public enum ClockId
{
#pragma warning disable CS1591, CA1707 // The names are those of clock_gettime(2).
    CLOCK_REALTIME = 0,
    CLOCK_MONOTONIC = 1,
    CLOCK_BOOTTIME = 7,
    CLOCK_REALTIME_ALARM = 8,
    CLOCK_BOOTTIME_ALARM = 9,
#pragma warning restore CS1591, CA1707
}

/// <summary>Flags of timerfd_create(2) and timerfd_settime(2).</summary>
[Flags]
public enum TimerfdFlags
{
#pragma warning disable CS1591, CA1707, CA1069 // The names are those of timerfd_create(2).
    None = 0,
    TFD_TIMER_ABSTIME = 1,
    TFD_TIMER_CANCEL_ON_SET = 2,
    TFD_NONBLOCK = 0x800,
    TFD_CLOEXEC = 0x8_0000,
#pragma warning restore CS1591, CA1707, CA1069
}

/// <summary>When a timer is due and how often after that (struct itimerspec); zero for not at all.</summary>
/// <param name="Value">Until it is due first; zero disarms it.</param>
/// <param name="Interval">From one time to the next; zero for once only.</param>
public readonly record struct TimerSpec(Duration Value, Duration Interval);

/// <summary>A timer to read from (timerfd_create(2)). Its clocks are the engine's, so that virtual time drives it too.</summary>
internal sealed class TimerFile(PorticoKernel kernel, ClockId clock) : AnonymousFile(kernel.Driver)
{
    private sealed class Timer(TimerFile file) : KernelTimer
    {
        public override void OnTime(MonoTime now) => file.Expire(now);
    }

    private readonly KernelTimers _timers = kernel.Timers;
    private Timer? _timer;
    private Duration _interval;
    private ulong _expirations;

    private bool _isAbsolute;

    internal override bool HasWrite => false;

    internal override string ShownName => "anon_inode:[timerfd]";

    private MonoTime Now => _timers.Engine.Now;

    public override SocketEvents Poll() => _expirations > 0 ? SocketEvents.Readable : SocketEvents.None;

    internal override Errno Read(OpenFileDescription description, ref IoCursor destination, out long count)
    {
        count = 0;
        if (destination.Remaining < sizeof(ulong))
        {
            return Errno.EINVAL;
        }

        if (_expirations == 0)
        {
            return Errno.EAGAIN;
        }

        count = destination.Write(MemoryMarshal.AsBytes(new ReadOnlySpan<ulong>(ref _expirations)));
        _expirations = 0;
        return destination.HasFaulted ? Errno.EFAULT : Errno.None;
    }

    /// <summary>Sets it, and tells how it was set before. What it has counted is forgotten.</summary>
    public void Set(TimerSpec spec, bool isAbsolute, out TimerSpec before)
    {
        before = Get();
        _expirations = 0;
        _interval = spec.Interval;
        _isAbsolute = isAbsolute;
        _timer ??= new Timer(this);
        if (spec.Value == Duration.Zero)
        {
            _timers.Cancel(_timer);
            return;
        }

        MonoTime deadline = isAbsolute ? OnEngineClock(spec.Value) : Now + spec.Value;
        _timers.Set(_timer, deadline);
        if (deadline <= Now)
        {
            _timers.Expire(Now);
        }
    }

    /// <summary>The time that is left, and the interval.</summary>
    public TimerSpec Get() =>
        _timer is { HeapIndex: >= 0 }
            ? new TimerSpec(Duration.Max(new Duration(1), _timer.Deadline - Now), _interval)
            : new TimerSpec(Duration.Zero, _interval);

    internal override void WriteDetails(ProcText text)
    {
        const long Second = 1_000_000_000;
        (long value, long interval) = (Get().Value.Nanoseconds, _interval.Nanoseconds);
        text.Add($"clockid: {(int)clock}\nticks: {_expirations}\nsettime flags: 0{(_isAbsolute ? 1 : 0)}\n");
        text.Add($"it_value: ({value / Second}, {value % Second})\nit_interval: ({interval / Second}, {interval % Second})\n");
    }

    internal override void OnReleased(OpenFileDescription description)
    {
        if (_timer != null)
        {
            _timers.Cancel(_timer);
        }
    }

    private void Expire(MonoTime now)
    {
        long due = 1;
        if (_interval > Duration.Zero)
        {
            due += (now - _timer!.Deadline).Nanoseconds / _interval.Nanoseconds;
            _timers.Set(_timer, _timer.Deadline + (_interval * due));
        }

        _expirations += (ulong)due;
        Waiters.Notify(SocketEvents.Readable, Driver);
    }

    private MonoTime OnEngineClock(Duration time) => clock is ClockId.CLOCK_REALTIME or ClockId.CLOCK_REALTIME_ALARM
        ? Now + (time - kernel.UnixTime())
        : new MonoTime(time.Nanoseconds);
}

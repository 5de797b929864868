using Portico.Net;

namespace Portico.Kernel;

/// <summary>Settings of a <see cref="VirtualTime"/>.</summary>
public sealed class VirtualTimeOptions
{
    /// <summary>Where the engine's random numbers start.</summary>
    public ulong Seed { get; init; } = 1;

    /// <summary>The time of day, since 1970, at which the clock stands at zero.</summary>
    public Duration Origin { get; init; } = Duration.FromSeconds(1_000_000);

    /// <summary>The most native memory for packets and buffers, in bytes.</summary>
    public long BufferBytesMax { get; init; } = 1L << 30;
}

/// <summary>Why <see cref="VirtualTime.RunUntilPacket"/> came back.</summary>
public enum VirtualStop
{
    /// <summary>A packet waits at the device.</summary>
    Packet,

    /// <summary>A call that was blocked has been woken; it runs first, and the time stands.</summary>
    Woken,

    /// <summary>The time is up.</summary>
    TimeIsUp,

    /// <summary>No timer is set any more: nothing will happen by itself.</summary>
    NothingLeft,
}

/// <summary>
/// Runs a kernel in virtual time: the clock moves only when the driving thread, the one that made this, says so, and jumps from one timer
/// to the next. The same calls at the same times give the same packets at the same nanoseconds.
/// <code>
/// using VirtualTime time = new();
/// using PorticoKernel kernel = new(time.Driver);
/// VirtualDevice device = new(time, mtu: 1500);
/// </code>
/// </summary>
/// <remarks>
/// Calls that block are made by other threads. Such a thread sleeps until the driving thread, or a packet or timer that this handles, has
/// woken it, and time does not go on before it sleeps again or its call is over. A call that would block on the driving thread runs the
/// timers itself until it need not wait any more, and fails with EDEADLK when there is none. Another thread may move the clock while the
/// driving thread does not. Asynchronous calls are completed by the thread pool and are not waited for.
/// </remarks>
public sealed class VirtualTime : IDisposable
{
    private readonly object _gate = new();
    private readonly List<(BlockingWaiter Waiter, MonoTime Deadline)> _parked = [];
    private readonly Thread _drivingThread = Thread.CurrentThread;
    private long _now;
    private int _inside;
    private long _wakes;

    /// <summary>Makes a clock that stands at zero, and the driver of a kernel.</summary>
    public VirtualTime(VirtualTimeOptions? options = null)
    {
        options ??= new VirtualTimeOptions();
        Origin = options.Origin;
        Driver = new StackDriver(this, new Engine(new EngineOptions { Seed = options.Seed, BufferBytesMax = options.BufferBytesMax }));
    }

    /// <summary>What a <see cref="PorticoKernel"/> is made over.</summary>
    public StackDriver Driver { get; }

    /// <summary>The time.</summary>
    public MonoTime Now => new(Volatile.Read(ref _now));

    /// <summary>The time of day, since 1970, at time zero.</summary>
    public Duration Origin { get; }

    /// <summary>Calls that have been woken, and whose threads have not yet gone to sleep again or come to their calls' ends.</summary>
    public int Runnable
    {
        get
        {
            lock (_gate)
            {
                return _inside - _parked.Count;
            }
        }
    }

    /// <summary>Calls that are blocked, when no call can run; 0 while one can.</summary>
    public int Blocked
    {
        get
        {
            lock (_gate)
            {
                return _inside == _parked.Count ? _inside : 0;
            }
        }
    }

    /// <summary>
    /// Lets time pass until <paramref name="end"/> and fires the timers that are due. False where a call was woken: the time then stands at
    /// that instant. To be called again when <see cref="Runnable"/> is 0.
    /// </summary>
    public bool RunUntil(MonoTime end)
    {
        while (Runnable == 0)
        {
            MonoTime next = NextDeadline();
            bool isLast = next > end;
            if (Advance(isLast ? end : next))
            {
                return false;
            }

            if (isLast)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Lets time pass until a packet waits at the device, but not beyond <paramref name="limit"/>, nor past a call that is woken.</summary>
    public VirtualStop RunUntilPacket(VirtualDevice device, MonoTime limit)
    {
        ArgumentNullException.ThrowIfNull(device);
        while (true)
        {
            if (device.HasPackets)
            {
                return VirtualStop.Packet;
            }

            if (Runnable > 0)
            {
                return VirtualStop.Woken;
            }

            MonoTime next = NextDeadline();
            if (next == MonoTime.Never && limit == MonoTime.Never)
            {
                return VirtualStop.NothingLeft;
            }

            bool isLast = next > limit;
            if (Advance(isLast ? limit : next))
            {
                return device.HasPackets ? VirtualStop.Packet : VirtualStop.Woken;
            }

            if (isLast && !device.HasPackets)
            {
                return next == MonoTime.Never ? VirtualStop.NothingLeft : VirtualStop.TimeIsUp;
            }
        }
    }

    /// <summary>Gives the engine's memory back.</summary>
    public void Dispose() => Driver.Dispose();

    /// <summary>Under the lock: a call begins to wait, or goes on waiting.</summary>
    internal void Begin(BlockingWaiter waiter)
    {
        lock (_gate)
        {
            _inside += waiter.IsCounted ? 0 : 1;
            waiter.IsCounted = true;
        }
    }

    /// <summary>Under the lock: a call waits no more.</summary>
    internal void End(BlockingWaiter waiter)
    {
        lock (_gate)
        {
            _inside -= waiter.IsCounted ? 1 : 0;
            waiter.IsCounted = false;
        }
    }

    internal bool Wait(BlockingWaiter waiter, MonoTime deadline)
    {
        if (Thread.CurrentThread == _drivingThread)
        {
            return RunUntilWoken(waiter, deadline);
        }

        lock (_gate)
        {
            if (!waiter.TryPark())
            {
                return true;
            }

            _parked.Add((waiter, deadline));
        }

        return waiter.Sleep();
    }

    internal void Wake(BlockingWaiter waiter)
    {
        lock (_gate)
        {
            if (waiter.Signal())
            {
                _parked.RemoveAll(entry => entry.Waiter == waiter);
                _wakes++;
            }
        }
    }

    /// <summary>On the driving thread, which nobody else can move on: everything that is to come comes from here.</summary>
    private bool RunUntilWoken(BlockingWaiter waiter, MonoTime deadline)
    {
        while (!waiter.IsSignaled)
        {
            // Its own call is always counted as one that can run.
            SpinWait spinner = default;
            while (Runnable > 1 && !waiter.IsSignaled)
            {
                spinner.SpinOnce();
            }

            MonoTime next = NextDeadline();
            if (next >= deadline && deadline != MonoTime.Never)
            {
                Advance(deadline);
                return waiter.IsSignaled;
            }

            if (next == MonoTime.Never)
            {
                waiter.SetDeadlocked();
                return waiter.IsSignaled;
            }

            Advance(next);
        }

        return true;
    }

    private MonoTime NextDeadline()
    {
        MonoTime next;
        using (Driver.Enter())
        {
            next = Driver.Engine.NextDeadline;
        }

        lock (_gate)
        {
            foreach ((_, MonoTime deadline) in _parked)
            {
                next = MonoTime.Min(next, deadline);
            }
        }

        return next;
    }

    /// <summary>True where a call was woken, which may have come to its end already.</summary>
    private bool Advance(MonoTime time)
    {
        Volatile.Write(ref _now, Math.Max(_now, time.Nanoseconds));
        long wakes = Volatile.Read(ref _wakes);
        using (Driver.Enter())
        {
            Driver.Engine.Advance(Now);
        }

        lock (_gate)
        {
            for (int i = _parked.Count - 1; i >= 0; i--)
            {
                if (_parked[i].Deadline <= Now && _parked[i].Waiter.TryUnpark())
                {
                    _parked.RemoveAt(i);
                    _wakes++;
                }
            }

            return _wakes != wakes;
        }
    }
}

/// <summary>There is nothing to wait for in virtual time; but there are packets that come from outside before timers are looked at.</summary>
internal sealed class VirtualEvents : IDriverEvents
{
    public bool Wait(Duration timeout) => false;

    public void Wake()
    {
    }

    public bool Dispatch() => false;

    public void Dispose()
    {
    }
}

using System.Diagnostics;
using System.Runtime.CompilerServices;
using Portico.Net;

namespace Portico.Kernel;

/// <summary>
/// Runs an <see cref="Portico.Net.Engine"/> in real time. Whoever calls the engine does it inside a scope:
/// <code>
/// using (driver.Enter())
/// {
///     stack.Tcp.Send(...);
/// }
/// </code>
/// Entering takes the lock and reads the clock once. Leaving delivers the packets that the call caused (with a work limit), flushes
/// the links, tells the owners of sockets that became ready, releases the lock, and runs what was queued by
/// <see cref="QueueAfter"/>. A thread of the driver's own waits for devices and for the next timer.
/// </summary>
public sealed class StackDriver : IDisposable
{
    /// <summary>Packets that one scope delivers before it leaves the rest to the driver's thread.</summary>
    private const int ScopeWorkMax = 4096;

    /// <summary>How often devices are read before timers that are due fire all the same.</summary>
    private const int ReceiveRoundsMax = 64;

    /// <summary>What <see cref="_sleepUntil"/> is while the thread is awake: no deadline is earlier, so nobody wakes it.</summary>
    private const long Awake = long.MinValue;

#if PORTICO_CHECK
    /// <summary>For tests of every order in which calls can meet: called by this thread before it takes the lock.</summary>
    [ThreadStatic]
    internal static Action? BeforeScope;
#endif

    private readonly DriverLock _lock = new();
    private readonly IDriverEvents _events;
    private readonly Func<MonoTime>? _clock;
    private readonly Thread? _thread;
    private readonly long _origin = Stopwatch.GetTimestamp();
    private BusyWait _patience;

    // All of these belong to whoever holds the lock.
    private int _depth;
    private long _sleepUntil = Awake;
    private IAfterScope[] _after = new IAfterScope[16];
    private int _afterCount;
    private IAfterScope[]? _spareAfter = new IAfterScope[16];
    private bool _stopping;
    private long _wakes;

    /// <summary>The scope has not told the engine the time.</summary>
    private bool _isTimeless;

    /// <summary>
    /// Makes a driver for an engine, which it disposes at its own end, and starts its thread. With a <paramref name="clock"/> of the caller's,
    /// which may only go forward, the time is what that says; timers that it passes fire in the next scope.
    /// </summary>
    public StackDriver(Engine? engine = null, IDriverEvents? events = null, Func<MonoTime>? clock = null)
    {
        _clock = clock;
        Engine = engine ?? new Engine(new EngineOptions { Seed = SeedFromEntropy() });
        Engine.Clock = TimeOfScope;
        _events = events ?? new ParkingEvents();
        _thread = new Thread(Run) { IsBackground = true, Name = "portico driver" };
        _thread.Start();
    }

    /// <summary>Makes a driver without a thread: time is what <paramref name="time"/> says, and timers fire when that says so.</summary>
    internal StackDriver(VirtualTime time, Engine engine)
    {
        Virtual = time;
        _clock = () => time.Now;
        Engine = engine;
        _events = new VirtualEvents();
    }

    /// <summary>What it drives; to be touched only inside a scope.</summary>
    public Engine Engine { get; }

    /// <summary>
    /// How long the thread keeps looking before it sleeps, as long as what it waits for mostly comes within that time: saves the time
    /// that waking a thread takes, and costs processor time. Zero, the default, never. To be set inside a scope. Compare
    /// <c>net.core.busy_poll</c>, whose unit is microseconds.
    /// </summary>
    public Duration BusyPoll { get; set; }

    /// <summary>How often a scope had to wake the driver's thread.</summary>
    public long Wakes => Volatile.Read(ref _wakes);

    /// <summary>Who drives it in virtual time; null in real time.</summary>
    internal VirtualTime? Virtual { get; }

    /// <summary>Whether the calling thread is inside a scope.</summary>
    public bool IsEntered => _lock.IsHeldByCurrentThread;

    /// <summary>Takes the lock and tells the engine the time. Scopes nest: only the outermost one does work at its end.</summary>
    public Scope Enter()
    {
        TakeLock();
        if (_depth++ == 0)
        {
            Engine.EnterAt(ReadClock());
        }

        return new Scope(this);
    }

    /// <summary>
    /// The same without reading the clock, which takes as long as all else here: for calls that come to the same whenever they are made, as
    /// taking what has arrived does. The engine keeps the time of the last entry, and asks where something depends on it
    /// (<see cref="Engine.Clock"/>); timers that have come due meanwhile are the thread's.
    /// </summary>
    internal Scope EnterTimeless()
    {
        TakeLock();
        if (_depth++ == 0)
        {
            _isTimeless = _clock == null && !Engine.HasPending;
            if (!_isTimeless)
            {
                Engine.EnterAt(ReadClock());
            }
        }

        return new Scope(this);
    }

    /// <summary>
    /// Inside a scope: has <paramref name="work"/> run once the lock is released, by the thread that leaves the outermost scope, in
    /// the order of queuing. Allocates nothing.
    /// </summary>
    public void QueueAfter(IAfterScope work)
    {
        if (_afterCount == _after.Length)
        {
            Array.Resize(ref _after, _afterCount * 2);
        }

        _after[_afterCount++] = work;
    }

    /// <summary>A seed that nobody can guess.</summary>
    public static ulong SeedFromEntropy()
    {
        Span<byte> bytes = stackalloc byte[8];
        System.Security.Cryptography.RandomNumberGenerator.Fill(bytes);
        return BitConverter.ToUInt64(bytes);
    }

    /// <summary>Stops the thread and gives the engine's memory back. No scope may be open or opened any more.</summary>
    public void Dispose()
    {
        _lock.Enter();
        bool stopped = _stopping;
        _stopping = true;
        _lock.Exit();
        if (stopped)
        {
            return;
        }

        _events.Wake();
        if (Thread.CurrentThread != _thread)
        {
            _thread?.Join();
        }

        _events.Dispose();
        Engine.Dispose();
    }

    /// <summary>
    /// When a wait that begins now is to end, for <see cref="BlockingWaiter.Wait"/>: a <see cref="Stopwatch"/> timestamp, or in virtual time
    /// nanoseconds; <see cref="long.MaxValue"/> for never.
    /// </summary>
    internal long DeadlineAfter(TimeSpan timeout) =>
        timeout == Timeout.InfiniteTimeSpan ? long.MaxValue
        : Virtual != null ? (Virtual.Now + Duration.FromTimeSpan(timeout)).Nanoseconds
        : Stopwatch.GetTimestamp() + (long)(timeout.TotalSeconds * Stopwatch.Frequency);

    /// <summary>The time of day, as the time since 1970.</summary>
    internal Duration UnixTime() => Virtual != null
        ? Virtual.Origin + (Virtual.Now - MonoTime.Zero)
        : Duration.FromTimeSpan(DateTime.UtcNow - DateTime.UnixEpoch);

    internal MonoTime ReadClock()
    {
        if (_clock != null)
        {
            return _clock();
        }

        // On Linux a tick of Stopwatch is a nanosecond of CLOCK_MONOTONIC; the branch is folded away by the JIT.
        long ticks = Stopwatch.GetTimestamp() - _origin;
        return new MonoTime(Stopwatch.Frequency == 1_000_000_000 ? ticks : (long)(ticks * (1e9 / Stopwatch.Frequency)));
    }

    /// <summary>For the engine, when something depends on the time that it may not have been told.</summary>
    private MonoTime TimeOfScope()
    {
        if (!_isTimeless)
        {
            return Engine.Now;
        }

        _isTimeless = false;
        return ReadClock();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void TakeLock()
    {
#if PORTICO_CHECK
        if (BeforeScope is { } before && !IsEntered)
        {
            before();
        }

#endif
        _lock.Enter();
    }

    private void Leave()
    {
        if (_depth > 1)
        {
            _depth--;
            _lock.Exit();
            return;
        }

        if (_isTimeless)
        {
            _isTimeless = false;
            if (!Engine.HasPending && _afterCount == 0)
            {
                // Nothing has been sent, and no timer set.
                _depth = 0;
                _lock.Exit();
                return;
            }
        }

        IAfterScope[]? after = null;
        int afterCount = 0;
        bool wake = false;
        try
        {
            // Flushes the links even where nothing is pending: the call itself may have transmitted.
            long next = Deliver();
            for (int done = 0; done < _afterCount;)
            {
                done = CompleteCalls(done);
                next = Deliver();
            }

            if (next < _sleepUntil)
            {
                _sleepUntil = Awake;
                _wakes++;
                wake = true;
            }
        }
        finally
        {
            if (_afterCount != 0)
            {
                after = TakeAfter(out afterCount);
            }

            _depth = 0;
            _lock.Exit();
        }

        if (wake)
        {
            _events.Wake();
        }

        if (after != null)
        {
            RunAfter(after, afterCount);
        }
    }

    /// <summary>Delivers what is pending, flushes the links, and says when there will be something to do.</summary>
    private long Deliver()
    {
        Engine.RunPending(ScopeWorkMax);
        MonoTime next = Engine.NextDeadline;
        return next > Engine.Now ? next.Nanoseconds : Settle();
    }

    /// <summary>
    /// Makes the calls of blocked threads that have been notified, from one place of the queue on, and drops those that have to wait on.
    /// Returns where the queue ended; what that has notified in turn is behind it.
    /// </summary>
    private int CompleteCalls(int from)
    {
        int kept = from;
        for (int i = from; i < _afterCount; i++)
        {
            IAfterScope work = _after[i];
            if (work is not BlockingWaiter waiter || waiter.TryComplete(this))
            {
                _after[kept++] = work;
            }
        }

        Array.Clear(_after, kept, _afterCount - kept);
        _afterCount = kept;
        return kept;
    }

    /// <summary>
    /// Tells owners, delivers what they cause in turn, and fires timers that are due, for a few rounds; returns the next deadline.
    /// With devices, timers are left to the thread, which first hears what the devices have received.
    /// </summary>
    private long Settle()
    {
        for (int round = 0; round < 4; round++)
        {
            Engine.DispatchReady();
            Engine.RunPending(ScopeWorkMax);
            MonoTime next = Engine.NextDeadline;
            if (next > Engine.Now || (_events.HasDevices && !Engine.HasPending))
            {
                return next.Nanoseconds;
            }

            if (!Engine.HasPending)
            {
                Engine.Advance(Engine.Now);
            }
        }

        return Engine.NextDeadline.Nanoseconds;
    }

    private IAfterScope[] TakeAfter(out int count)
    {
        IAfterScope[] taken = _after;
        count = _afterCount;
        _after = _spareAfter ?? new IAfterScope[16];
        _spareAfter = null;
        _afterCount = 0;
        return taken;
    }

    private void RunAfter(IAfterScope[] work, int count)
    {
        for (int i = 0; i < count; i++)
        {
            work[i].RunAfterScope();
        }

        Array.Clear(work, 0, count);
        // Whoever comes last leaves its array as the spare; a race loses one array to the collector and nothing else.
        Volatile.Write(ref _spareAfter, work);
    }

    /// <summary>
    /// Delivers what devices have received; where a timer is due, all that waits in them. On a busy machine this thread may come late:
    /// the acknowledgment that has arrived meanwhile must be heard before the timeout that it prevents. True as
    /// <see cref="IDriverEvents.Dispatch"/>.
    /// </summary>
    private bool ReceiveBeforeTimers()
    {
        bool polled = false;
        for (int round = 0; round < ReceiveRoundsMax; round++)
        {
            bool more = _events.Dispatch();
            Engine.RunPending(int.MaxValue);
            if (Engine.NextDeadline > Engine.Now || (polled && !more))
            {
                return more;
            }

            if (!more)
            {
                polled = true;
                _events.Wait(Duration.Zero);
            }
        }

        return true;
    }

    private void Run()
    {
        while (true)
        {
            IAfterScope[]? after = null;
            int afterCount = 0;
            Duration sleep;
            Duration busyPoll;
            _lock.Enter();
            try
            {
                if (_stopping)
                {
                    return;
                }

                _sleepUntil = Awake;
                _depth = 1;
                Engine.EnterAt(ReadClock());
                bool more = ReceiveBeforeTimers();
                Engine.Advance(Engine.Now);
                Engine.DispatchReady();
                Engine.RunPending(int.MaxValue);
                MonoTime next = Engine.NextDeadline;
                sleep = more ? Duration.Zero : next == MonoTime.Never ? Duration.Infinite : Duration.Max(Duration.Zero, next - ReadClock());
                _sleepUntil = sleep == Duration.Zero ? Awake : next.Nanoseconds;
                busyPoll = BusyPoll;
                if (_afterCount != 0)
                {
                    after = TakeAfter(out afterCount);
                }
            }
            finally
            {
                _depth = 0;
                _lock.Exit();
            }

            if (after != null)
            {
                RunAfter(after, afterCount);
            }

            _patience.Wait(_events, sleep, busyPoll);
        }
    }

    /// <summary>The time inside the engine; dispose it to leave.</summary>
    public readonly ref struct Scope
    {
        private readonly StackDriver _driver;

        internal Scope(StackDriver driver) => _driver = driver;

        /// <summary>Leaves the engine.</summary>
        public void Dispose() => _driver.Leave();
    }
}

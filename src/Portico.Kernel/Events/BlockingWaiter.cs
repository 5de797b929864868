using System.Diagnostics;
using System.Runtime.CompilerServices;
using Portico.Net;

namespace Portico.Kernel;

/// <summary>
/// A thread that waits. It spins for about as long as waking a parked thread takes, so that a quick peer costs no system call, then
/// parks. How long it spins follows success: a thread whose events come slowly soon stops burning its processor.
/// </summary>
/// <remarks>
/// The call that it waits with may be offered to those that make the file ready: they make it at the end of their own scope, and the thread
/// comes back with the answer, without having to take the lock; where it still has to wait, it is not woken at all.
/// </remarks>
internal sealed unsafe class BlockingWaiter : Waiter, IBlockedCall
{
    private const int Armed = 0;
    private const int Signaled = 1;
    private const int Parked = 2;
    private const int SpinMicrosMin = 1;
    private const int SpinMicrosMax = 50;

    [ThreadStatic]
    private static BlockingWaiter? t_cached;

    private static readonly bool s_canSpin = Environment.ProcessorCount > 1;

    private readonly ParkingWord _state = new();
    private int _spinMicros = SpinMicrosMax;
    private VirtualTime? _time;

    /// <summary>The calling thread's own waiter. A thread waits for one thing at a time.</summary>
    public static BlockingWaiter Current => t_cached ??= new BlockingWaiter { IsExclusive = true };

    /// <summary>
    /// Why the wait is to end although nothing happened: EINTR where its process has got a signal, or has exited; EDEADLK where in virtual
    /// time nothing can happen any more.
    /// </summary>
    public Errno Interruption { get; private set; }

    /// <inheritdoc/>
    public bool IsRestartable { get; set; }

    /// <inheritdoc/>
    public int BlockedIndex { get; set; }

    /// <summary>In virtual time: whether its call is among those that have begun to wait and are not over.</summary>
    internal bool IsCounted { get; set; }

    /// <summary>The process whose call waits; null for a call that no process makes.</summary>
    public Process? Caller { get; private set; }

    /// <summary>Whether somebody else has made the call, whose outcome is <see cref="Error"/> and <see cref="Result"/>.</summary>
    public bool IsDone { get; private set; }

    public Errno Error { get; private set; }

    public long Result { get; private set; }

    /// <summary>What the call holds while it waits.</summary>
    private OpenFileDescription? _held;

    /// <summary>The call, on the stack of the thread that waits, and how it is made; null where it has not been offered.</summary>
    private void* _call;
    private delegate*<void*, out long, Errno> _perform;

    /// <summary>Makes it ready to be notified again; under the lock.</summary>
    public void Arm(StackDriver? driver = null)
    {
        _time = driver?.Virtual;
        _time?.Begin(this);
        Volatile.Write(ref _state.Value, Armed);
        IsNotified = false;
        IsDone = false;
        Interruption = Errno.None;
    }

    /// <summary>Under the lock: a process's call waits, and holds what its descriptor stood for, if it has one, until <see cref="EndCall"/>.</summary>
    public void BeginCall(Process caller, OpenFileDescription? held)
    {
        held?.AddReference();
        Caller = caller;
        _held = held;
    }

    /// <summary>Under the lock: the wait is over.</summary>
    public void EndCall()
    {
        Caller?.EndWait(this);
        _held?.Release();
        Caller = null;
        _held = null;
        _perform = null;
        Disarm();
    }

    /// <summary>
    /// Under the lock: others may make the call from now on, until <see cref="EndCall"/>. It has to stay where it is, on the thread's stack.
    /// In virtual time each thread makes its own, so that who runs when is known.
    /// </summary>
    public void Offer<TCall>(ref TCall call)
        where TCall : struct, IDescriptorCall, allows ref struct
    {
        if (_time == null)
        {
            _call = Unsafe.AsPointer(ref call);
            _perform = &Perform<TCall>;
        }
    }

    /// <summary>
    /// Under the lock, at the end of a scope in which it was notified: makes the call where that was offered. False where the thread need not
    /// be woken, since it has to wait on.
    /// </summary>
    public bool TryComplete(StackDriver driver)
    {
        if (_perform == null)
        {
            return true;
        }

        Caller!.BeginCall();
        Errno error = _perform(_call, out long result);
        if (error == Errno.EAGAIN && Interruption == Errno.None)
        {
            IsNotified = false;
            return false;
        }

        Error = error == Errno.EAGAIN ? Interruption : error;
        Result = result;
        IsDone = true;
        _held!.File.Waiters.Remove(this, driver);
        EndCall();
        return true;
    }

    private static Errno Perform<TCall>(void* call, out long result)
        where TCall : struct, IDescriptorCall, allows ref struct =>
        Unsafe.AsRef<TCall>(call).TryPerform(out result);

    /// <summary>Under the lock: the wait of a call that holds nothing is over.</summary>
    public void Disarm() => _time?.End(this);

    /// <inheritdoc/>
    public void Interrupt(StackDriver driver)
    {
        Interruption = Errno.EINTR;
        Notify(SocketEvents.None, driver);
    }

    /// <summary>Waits until woken or until the time (of <see cref="StackDriver.DeadlineAfter"/>) has come; true if woken.</summary>
    public bool Wait(long deadlineTicks)
    {
        if (_time != null)
        {
            return _time.Wait(this, new MonoTime(deadlineTicks));
        }

        if (SpinUntil(new IsSignaledCondition(this)))
        {
            return true;
        }

        if (Interlocked.CompareExchange(ref _state.Value, Parked, Armed) == Signaled)
        {
            return true;
        }

        while (true)
        {
            long left = deadlineTicks == long.MaxValue ? 0 : deadlineTicks - Stopwatch.GetTimestamp();
            if (left < 0)
            {
                // Whoever signals at this moment has seen Parked or will see Armed; either way the answer is in the state.
                return Interlocked.CompareExchange(ref _state.Value, Armed, Parked) == Signaled;
            }

            _state.Sleep(Parked, deadlineTicks == long.MaxValue ? long.MaxValue : (long)(left * (1e9 / Stopwatch.Frequency)));

            // A wake-up may be a late one, of an earlier wait that has seen it in the state.
            if (Volatile.Read(ref _state.Value) == Signaled)
            {
                return true;
            }
        }
    }

    /// <summary>
    /// Waits in a queue that it has been added to until the call is done or the time (of <see cref="StackDriver.DeadlineAfter"/>) has come, and is
    /// then taken out. Errors: the call's; EAGAIN when the time is up, EINTR where the wait was interrupted.
    /// </summary>
    public Errno WaitFor<TCall, TResult>(ref WaitQueue queue, StackDriver driver, ref TCall call, long deadlineTicks, out TResult result)
        where TCall : struct, IFileCall<TResult>, allows ref struct
    {
        while (true)
        {
            bool woken = Wait(deadlineTicks);
            result = default!;
            if (woken && IsDone)
            {
                return Error;
            }

            bool wakeIsComing = true;
            Errno error = Errno.None;
            using (driver.Enter())
            {
                // Or else somebody has made the call just when the time was up.
                if (!IsDone)
                {
                    Caller?.BeginCall();
                    error = call.TryPerform(out result);
                    if (error == Errno.EAGAIN && woken && Interruption == Errno.None)
                    {
                        Arm(driver);
                        continue;
                    }

                    if (error == Errno.EAGAIN && Interruption != Errno.None)
                    {
                        error = Interruption;
                    }

                    wakeIsComing = IsNotified && !woken;
                    queue.Remove(this, driver);
                    EndCall();
                }
            }

            if (wakeIsComing)
            {
                WaitForPendingWake();
            }

            return IsDone ? Error : error;
        }
    }

    /// <summary>Waits for a wake-up that is certain to come, because the notification has been given.</summary>
    public void WaitForPendingWake()
    {
        SpinWait spinner = default;
        while (Volatile.Read(ref _state.Value) != Signaled)
        {
            spinner.SpinOnce();
        }
    }

    /// <summary>In virtual time: whether the call has been told to look, and is not to sleep.</summary>
    internal bool IsSignaled => Volatile.Read(ref _state.Value) == Signaled;

    /// <summary>In virtual time, under its gate: the thread is to sleep from now on, unless it has been woken already.</summary>
    internal bool TryPark() => Interlocked.CompareExchange(ref _state.Value, Parked, Armed) == Armed;

    /// <summary>In virtual time, under its gate: the time is up; false where the thread has been woken already.</summary>
    internal bool TryUnpark()
    {
        bool isUnparked = Interlocked.CompareExchange(ref _state.Value, Armed, Parked) == Parked;
        if (isUnparked)
        {
            _state.Wake();
        }

        return isUnparked;
    }

    /// <summary>In virtual time: sleeps until <see cref="TryUnpark"/> or a wake-up; true if woken.</summary>
    internal bool Sleep()
    {
        while (Volatile.Read(ref _state.Value) == Parked)
        {
            _state.Sleep(Parked);
        }

        return IsSignaled;
    }

    /// <summary>In virtual time: nobody is left who could wake it.</summary>
    internal void SetDeadlocked() => Interruption = Errno.EDEADLK;

    /// <inheritdoc/>
    protected override void Wake()
    {
        if (_time is { } time)
        {
            time.Wake(this);
            return;
        }

        Signal();
    }

    /// <summary>Ends the wait; true where the thread slept.</summary>
    internal bool Signal()
    {
        bool wasParked = Interlocked.Exchange(ref _state.Value, Signaled) == Parked;
        if (wasParked)
        {
            _state.Wake();
        }

        return wasParked;
    }

    /// <summary>Looks for a while whether a condition is met; how long follows success. True where it is.</summary>
    internal bool SpinUntil<TCondition>(TCondition condition)
        where TCondition : struct, ISpinCondition
    {
        if (!s_canSpin)
        {
            return condition.IsMet;
        }

        long end = Stopwatch.GetTimestamp() + (_spinMicros * Stopwatch.Frequency / 1_000_000);
        do
        {
            for (int i = 0; i < 16; i++)
            {
                if (condition.IsMet)
                {
                    _spinMicros = Math.Min(SpinMicrosMax, _spinMicros + 5);
                    return true;
                }

                Thread.SpinWait(1);
            }
        }
        while (Stopwatch.GetTimestamp() < end);
        _spinMicros = Math.Max(SpinMicrosMin, _spinMicros - (_spinMicros / 8) - 1);
        return false;
    }

    private readonly struct IsSignaledCondition(BlockingWaiter waiter) : ISpinCondition
    {
        public bool IsMet => waiter.IsSignaled;
    }
}

/// <summary>What a thread looks for before it sleeps.</summary>
internal interface ISpinCondition
{
    bool IsMet { get; }
}

using System.Threading.Tasks.Sources;
using Portico.Net;

namespace Portico.Kernel;

/// <summary>
/// An asynchronous system call that found its descriptor not ready: a waiter that, when woken, makes the call again and completes a
/// ValueTask. What it stands in for is a thread that is blocked in the call, and it behaves like one: it holds the description, minds
/// SO_RCVTIMEO and SO_SNDTIMEO, and ends with EINTR where its process exits. A process uses it again and again.
/// </summary>
internal abstract class DescriptorOperation : Waiter, IBlockedCall, IValueTaskSource<SyscallResult>, IThreadPoolWorkItem
{
    private sealed class Alarm(DescriptorOperation operation) : KernelTimer
    {
        public override void OnTime(MonoTime now)
        {
            operation._end |= Ending.TimedOut;
            operation.Notify(SocketEvents.None, operation.Process.Kernel.Driver);
        }
    }

    /// <summary>Why it is to end although the call could not be made.</summary>
    [Flags]
    private enum Ending
    {
        None = 0,
        TimedOut = 1,
        Interrupted = 2,
        Cancelled = 4,
    }

    private readonly Alarm _alarm;
    private ManualResetValueTaskSourceCore<SyscallResult> _core;
    private CancellationToken _cancellation;
    private CancellationTokenRegistration _registration;
    private Ending _end;

    protected DescriptorOperation() => _alarm = new Alarm(this);

    /// <summary>The process that makes the call; set when the operation is made.</summary>
    public Process Process { get; set; } = null!;

    /// <summary>What the descriptor stood for when the call was made: a close meanwhile changes nothing (close(2)).</summary>
    public OpenFileDescription Description { get; set; } = null!;

    /// <inheritdoc/>
    public int BlockedIndex { get; set; }

    /// <inheritdoc/>
    public virtual bool IsRestartable => Description.File is not EpollFile;

    private StackDriver Driver => Process.Kernel.Driver;

    /// <summary>Under the lock: makes the call. EAGAIN to wait on; the result then is what has been done so far.</summary>
    public abstract Errno TryPerform(out long result);

    /// <summary>What the call returns where the time is up and nothing has been done.</summary>
    protected virtual SyscallResult TimedOut => Errno.EAGAIN;

    /// <summary>Nobody looks at the operation any more: forgets what it held and goes back to its process.</summary>
    public abstract void Recycle();

    /// <summary>Under the lock: begins to wait, for no longer than the time-out.</summary>
    public short Begin(SocketEvents interest, bool isExclusive, TimeSpan timeout)
    {
        Description.AddReference();
        Interest = interest;
        IsExclusive = isExclusive;
        _end = Ending.None;
        Description.File.Waiters.Add(this);
        if (timeout != Timeout.InfiniteTimeSpan)
        {
            SetTimeout(timeout);
        }

        return _core.Version;
    }

    /// <summary>Under the lock: has the wait end so long from now.</summary>
    protected void SetTimeout(TimeSpan timeout)
    {
        KernelTimers timers = Process.Kernel.Timers;
        MonoTime now = timers.Engine.Now;
        timers.Set(_alarm, now + Duration.Min(Duration.FromTimeSpan(timeout), MonoTime.Never - now));
    }

    /// <summary>
    /// Outside of the lock, since a token that is cancelled already calls back at once. The operation may have completed before; it is
    /// not used again before the caller has had its ValueTask and asked it for the result.
    /// </summary>
    public void Register(CancellationToken cancellation)
    {
        if (cancellation.CanBeCanceled)
        {
            _cancellation = cancellation;
            _registration = cancellation.UnsafeRegister(static state => ((DescriptorOperation)state!).Cancel(), this);
        }
    }

    /// <inheritdoc/>
    public void Interrupt(StackDriver driver)
    {
        _end |= Ending.Interrupted;
        Notify(SocketEvents.None, driver);
    }

    /// <inheritdoc/>
    protected override void Wake() => ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);

    /// <summary>Makes the call again, and completes unless it still has to wait.</summary>
    public void Execute()
    {
        SyscallResult answer;
        bool isCancelled;
        using (Driver.Enter())
        {
            Process.BeginCall();
            Errno error = TryPerform(out long result);
            if (error == Errno.EAGAIN && _end == Ending.None)
            {
                IsNotified = false;
                return;
            }

            // A write that came to an end half-way has its count for an answer, cancelled or not: nothing is done unsaid.
            isCancelled = error == Errno.EAGAIN && result == 0 && (_end & Ending.Cancelled) != 0;
            answer = error == Errno.None || (error == Errno.EAGAIN && result > 0) ? result
                : error != Errno.EAGAIN ? error
                : (_end & Ending.Interrupted) != 0 ? Errno.EINTR
                : TimedOut;
            Process.Kernel.Timers.Cancel(_alarm);
            Process.EndWait(this);
            Description.File.Waiters.Remove(this, Driver);
            Description.Release();
        }

        if (isCancelled)
        {
            _core.SetException(new OperationCanceledException(_cancellation));
        }
        else
        {
            _core.SetResult(answer);
        }
    }

    public SyscallResult GetResult(short token)
    {
        // Waits for a cancellation that is just being delivered, so that it cannot hit the operation's next use.
        _registration.Dispose();
        _registration = default;
        _cancellation = default;
        try
        {
            return _core.GetResult(token);
        }
        finally
        {
            _core.Reset();
            Recycle();
        }
    }

    public ValueTaskSourceStatus GetStatus(short token) => _core.GetStatus(token);

    public void OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _core.OnCompleted(continuation, state, token, flags);

    private void Cancel()
    {
        using (Driver.Enter())
        {
            if (IsQueued)
            {
                _end |= Ending.Cancelled;
                Notify(SocketEvents.None, Driver);
            }
        }
    }
}

/// <summary>The operations of one kind that a process has at hand. Bounded: more that end at the same time are left to the collector.</summary>
internal sealed class OperationPool<TOperation>(Process process)
    where TOperation : DescriptorOperation, new()
{
    private const int KeptMax = 64;

    private readonly Stack<TOperation> _kept = new();

    public TOperation Rent()
    {
        lock (_kept)
        {
            return _kept.TryPop(out TOperation? operation) ? operation : new TOperation { Process = process };
        }
    }

    public void Return(TOperation operation)
    {
        lock (_kept)
        {
            operation.Description = null!;
            if (_kept.Count < KeptMax)
            {
                _kept.Push(operation);
            }
        }
    }
}

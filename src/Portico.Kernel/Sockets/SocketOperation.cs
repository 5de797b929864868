using System.Threading.Tasks.Sources;
using Portico.Net;

namespace Portico.Kernel;

/// <summary>
/// An asynchronous call that found its socket not ready: a waiter that, when woken, tries again and completes a ValueTask. The
/// socket keeps one for each kind of call and uses it over and over; only calls that overlap make another.
/// </summary>
internal abstract class SocketOperation<TResult>(KernelSocket socket) : Waiter, IValueTaskSource<TResult>, IValueTaskSource, IThreadPoolWorkItem
{
    private ManualResetValueTaskSourceCore<TResult> _core;
    private CancellationToken _cancellation;
    private CancellationTokenRegistration _registration;
    private bool _cancelRequested;

    /// <summary>Under the lock, before it is queued.</summary>
    public short Prepare(SocketEvents interest)
    {
        Interest = interest;
        IsExclusive = true;
        _cancelRequested = false;
        return _core.Version;
    }

    /// <summary>
    /// Outside of the lock, since a token that is cancelled already calls back at once. The operation may have completed before; it
    /// is not reused before the caller has had its ValueTask and asked it for the result.
    /// </summary>
    public void Register(CancellationToken cancellation)
    {
        if (cancellation.CanBeCanceled)
        {
            _cancellation = cancellation;
            _registration = cancellation.UnsafeRegister(static state => ((SocketOperation<TResult>)state!).Cancel(), this);
        }
    }

    /// <summary>Under the lock: makes the call; EAGAIN to wait on.</summary>
    protected abstract Errno TryPerform(out TResult result);

    /// <summary>Under the lock: the call is cancelled. True with what it has done already, false if it did nothing.</summary>
    protected virtual bool FinishCancelled(out TResult result)
    {
        result = default!;
        return false;
    }

    /// <summary>Nobody looks at the operation any more: forgets what it held and goes back to its socket.</summary>
    protected abstract void Recycle();

    /// <inheritdoc/>
    protected override void Wake()
    {
        if (socket.InlineContinuations)
        {
            Execute();
        }
        else
        {
            ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
        }
    }

    /// <summary>Tries again, and completes unless the socket is still not ready.</summary>
    public void Execute()
    {
        Errno error;
        bool cancelled = false;
        TResult result;
        using (socket.Driver.Enter())
        {
            if (_cancelRequested)
            {
                error = Errno.None;
                cancelled = !FinishCancelled(out result);
            }
            else
            {
                error = TryPerform(out result);
                if (error == Errno.EAGAIN)
                {
                    IsNotified = false;
                    return;
                }
            }

            socket.Waiters.Remove(this, socket.Driver);
        }

        if (cancelled)
        {
            _core.SetException(new OperationCanceledException(_cancellation));
        }
        else if (error != Errno.None)
        {
            _core.SetException(socket.ToException(error));
        }
        else
        {
            _core.SetResult(result);
        }
    }

    public TResult GetResult(short token)
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

    void IValueTaskSource.GetResult(short token) => GetResult(token);

    public ValueTaskSourceStatus GetStatus(short token) => _core.GetStatus(token);

    public void OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _core.OnCompleted(continuation, state, token, flags);

    private void Cancel()
    {
        using (socket.Driver.Enter())
        {
            if (!IsQueued || _cancelRequested)
            {
                return;
            }

            _cancelRequested = true;
            if (!IsNotified)
            {
                IsNotified = true;
                socket.Driver.QueueAfter(this);
            }
        }
    }
}

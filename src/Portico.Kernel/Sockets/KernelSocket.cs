using Portico.Net;

namespace Portico.Kernel;

/// <summary>
/// What all sockets share: the queue of those who wait for it, and the one way to make a call: try first, wait only where that says
/// EAGAIN. Calls may be made by any thread; they are served in order, separately for the two directions.
/// </summary>
public abstract class KernelSocket : KernelFile, ISocketOwner, IDisposable
{
    private protected KernelSocket(StackDriver driver, NetworkStack stack)
        : base(driver) => Stack = stack;

    /// <summary>The network namespace that the socket belongs to.</summary>
    public NetworkStack Stack { get; }

    /// <summary>
    /// Whether asynchronous calls continue on the thread that made the socket ready, which spares a hop; the continuation must be
    /// short and must not block. Off: on the ThreadPool.
    /// </summary>
    public bool InlineContinuations { get; set; }

    /// <summary>How long a blocking receive or accept waits (SO_RCVTIMEO); EAGAIN after that.</summary>
    public TimeSpan ReceiveTimeout { get; set; } = Timeout.InfiniteTimeSpan;

    /// <summary>How long a blocking send or connect waits (SO_SNDTIMEO); EAGAIN after that, EINPROGRESS from a connect.</summary>
    public TimeSpan SendTimeout { get; set; } = Timeout.InfiniteTimeSpan;

    /// <summary>Whether asynchronous calls fail with an <see cref="IOException"/> around the socket's exception, as a stream's must.</summary>
    public bool FailsAsStream { get; set; }

    /// <summary>Whether the socket has been closed.</summary>
    public bool IsClosed { get; private protected set; }

    /// <inheritdoc/>
    void ISocketOwner.OnReady(SocketEvents events) => Waiters.Notify(events, Driver);

    internal override FileType Type => FileType.Socket;

    internal override TimeSpan TimeoutOf(SocketEvents interest) => interest == SocketEvents.Readable ? ReceiveTimeout : SendTimeout;

    internal override void OnReleased(OpenFileDescription description) => Close();

    /// <summary>Closes the socket; calls that wait fail with EBADF.</summary>
    public abstract void Close();

    /// <summary>What an asynchronous call throws for an error.</summary>
    public Exception ToException(Errno error) => FailsAsStream ? error.ToIOException() : error.ToException();

    /// <summary>Closes the socket.</summary>
    public void Dispose()
    {
        Close();
        GC.SuppressFinalize(this);
    }

    /// <summary>Makes a call once.</summary>
    private protected Errno Try<TCall, TResult>(ref TCall call, SocketEvents interest, out TResult result)
        where TCall : struct, IFileCall<TResult>, allows ref struct
    {
        using (TCall.IsTimeless ? Driver.EnterTimeless() : Driver.Enter())
        {
            return TryInScope(ref call, interest, out result);
        }
    }

    /// <summary>Makes a call and blocks until it is done.</summary>
    private protected Errno Block<TCall, TResult>(ref TCall call, SocketEvents interest, TimeSpan timeout, out TResult result)
        where TCall : struct, IFileCall<TResult>, allows ref struct
    {
        BlockingWaiter waiter;
        using (TCall.IsTimeless ? Driver.EnterTimeless() : Driver.Enter())
        {
            Errno error = TryInScope(ref call, interest, out result);
            if (error != Errno.EAGAIN || timeout == TimeSpan.Zero)
            {
                return error;
            }

            waiter = BeginWait(interest);
        }

        return WaitFor<TCall, TResult>(ref call, waiter, Driver.DeadlineAfter(timeout), out result);
    }

    /// <summary>Under the lock: makes a call once, unless somebody who came first waits for the same.</summary>
    private protected Errno TryInScope<TCall, TResult>(ref TCall call, SocketEvents interest, out TResult result)
        where TCall : struct, IFileCall<TResult>, allows ref struct
    {
        if (!Waiters.IsEmpty && Waiters.HasExclusive(interest))
        {
            result = default!;
            return Errno.EAGAIN;
        }

        return call.TryPerform(out result);
    }
}

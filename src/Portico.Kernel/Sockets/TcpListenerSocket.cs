using Portico.Net;

namespace Portico.Kernel;

/// <summary>A stream socket that listens.</summary>
public sealed class TcpListenerSocket : KernelSocket
{
    private TcpListenerHandle _handle;
    private TcpSocket? _next;
    private TcpAcceptOperation? _cachedAccept;

    private TcpListenerSocket(StackDriver driver, NetworkStack stack)
        : base(driver, stack)
    {
    }

    /// <summary>Where it listens, with the port that was chosen for port 0.</summary>
    public Endpoint LocalEndpoint { get; private set; }

    /// <summary>Binds and listens. Errors: EADDRINUSE, EADDRNOTAVAIL, ENOBUFS.</summary>
    public static Errno Listen(StackDriver driver, NetworkStack stack, in TcpListenRequest request, out TcpListenerSocket? listener)
    {
        TcpListenerSocket made = new(driver, stack);
        using (driver.Enter())
        {
            Errno error = stack.Tcp.Listen(request, made, out made._handle);
            listener = error == Errno.None ? made : null;
            if (error == Errno.None)
            {
                made.LocalEndpoint = stack.Tcp.LocalEndpoint(made._handle);
            }

            return error;
        }
    }

    /// <summary>Takes the oldest completed connection, waiting for one.</summary>
    public Errno Accept(out TcpSocket? accepted)
    {
        AcceptCall call = new(this);
        return Block(ref call, SocketEvents.Readable, ReceiveTimeout, out accepted);
    }

    /// <summary>Takes the oldest completed connection; EAGAIN when there is none.</summary>
    public Errno TryAccept(out TcpSocket? accepted)
    {
        AcceptCall call = new(this);
        return Try(ref call, SocketEvents.Readable, out accepted);
    }

    /// <summary>Takes the oldest completed connection, waiting for one. Cancelling takes none.</summary>
    public ValueTask<TcpSocket?> AcceptAsync(CancellationToken cancellation = default)
    {
        if (cancellation.IsCancellationRequested)
        {
            return ValueTask.FromCanceled<TcpSocket?>(cancellation);
        }

        TcpAcceptOperation operation;
        short version;
        using (Driver.Enter())
        {
            AcceptCall call = new(this);
            Errno error = TryInScope(ref call, SocketEvents.Readable, out TcpSocket? accepted);
            if (error != Errno.EAGAIN)
            {
                return error == Errno.None
                    ? new ValueTask<TcpSocket?>(accepted)
                    : ValueTask.FromException<TcpSocket?>(ToException(error));
            }

            operation = Interlocked.Exchange(ref _cachedAccept, null) ?? new TcpAcceptOperation(this);
            version = operation.Prepare(SocketEvents.Readable);
            Waiters.Add(operation);
        }

        operation.Register(cancellation);
        return new ValueTask<TcpSocket?>(operation, version);
    }

    /// <summary>Waits until there is a completed connection, and leaves it to the next accept.</summary>
    public ValueTask WaitAsync(CancellationToken cancellation = default)
    {
        if (cancellation.IsCancellationRequested)
        {
            return ValueTask.FromCanceled(cancellation);
        }

        TcpListenerWaitOperation operation;
        short version;
        using (Driver.Enter())
        {
            Errno error = CheckConnection();
            if (error != Errno.EAGAIN)
            {
                return error == Errno.None ? default : ValueTask.FromException(ToException(error));
            }

            operation = new TcpListenerWaitOperation(this);
            version = operation.Prepare(SocketEvents.Readable);
            Waiters.Add(operation);
        }

        operation.Register(cancellation);
        return new ValueTask(operation, version);
    }

    /// <inheritdoc/>
    public override SocketEvents Poll()
    {
        using (Driver.EnterTimeless())
        {
            return IsClosed ? SocketEvents.HangUp : Stack.Tcp.Poll(_handle);
        }
    }

    /// <summary>Stops listening; connections that nobody accepted are reset, and waiting accepts fail.</summary>
    public override void Close()
    {
        using (Driver.Enter())
        {
            if (!IsClosed)
            {
                IsClosed = true;
                Stack.Tcp.Close(_handle);
                Waiters.NotifyAll(Driver);
            }
        }
    }

    /// <summary>Under the lock.</summary>
    internal Errno TakeConnection(out TcpSocket? accepted)
    {
        accepted = null;
        if (IsClosed)
        {
            return Errno.EBADF;
        }

        TcpSocket owner = _next ??= new TcpSocket(Driver, Stack);
        Errno error = Stack.Tcp.Accept(_handle, owner, out TcpHandle handle);
        if (error == Errno.None)
        {
            _next = null;
            owner.InlineContinuations = InlineContinuations;
            owner.Adopt(handle);
            accepted = owner;
        }

        return error;
    }

    /// <summary>Under the lock: EAGAIN while there is no connection to take.</summary>
    internal Errno CheckConnection() =>
        IsClosed ? Errno.EBADF : Stack.Tcp.Poll(_handle) == SocketEvents.None ? Errno.EAGAIN : Errno.None;

    internal void Recycle(TcpAcceptOperation operation) => Volatile.Write(ref _cachedAccept, operation);
}

/// <summary>Takes the oldest completed connection.</summary>
internal readonly struct AcceptCall(TcpListenerSocket socket) : IFileCall<TcpSocket?>
{
    public static bool IsTimeless => true;

    public Errno TryPerform(out TcpSocket? result) => socket.TakeConnection(out result);
}

internal sealed class TcpAcceptOperation(TcpListenerSocket socket) : SocketOperation<TcpSocket?>(socket)
{
    private readonly TcpListenerSocket _socket = socket;

    protected override Errno TryPerform(out TcpSocket? result) => _socket.TakeConnection(out result);

    protected override void Recycle() => _socket.Recycle(this);
}

internal sealed class TcpListenerWaitOperation(TcpListenerSocket socket) : SocketOperation<int>(socket)
{
    private readonly TcpListenerSocket _socket = socket;

    protected override Errno TryPerform(out int result)
    {
        result = 0;
        return _socket.CheckConnection();
    }

    protected override void Recycle()
    {
    }
}

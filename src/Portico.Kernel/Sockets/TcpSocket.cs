using Portico.Net;

namespace Portico.Kernel;

/// <summary>
/// A stream socket over a TCP connection. Calls that block return an <see cref="Errno"/>, as a system call does; asynchronous ones
/// throw the <see cref="System.Net.Sockets.SocketException"/> that stands for it. Sends take everything that they are given.
/// </summary>
public sealed partial class TcpSocket : KernelSocket
{
    /// <summary>Where copying begins to cost more than taking the lock a second time.</summary>
    private const int LoanBytesMin = 8192;

    private TcpHandle _handle;
    private bool _isOpen;
    private Endpoint _bound;
    private List<(TcpOption Option, int Value)>? _optionsBeforeOpen;
    private TcpReceiveOperation? _cachedReceive;
    private TcpSendOperation? _cachedSend;

    /// <summary>Makes a socket that is not connected.</summary>
    public TcpSocket(StackDriver driver, NetworkStack stack)
        : base(driver, stack)
    {
    }

    private TcpLayer Tcp => Stack.Tcp;

    /// <summary>The engine's name for the connection; meaningful while the socket is open.</summary>
    public TcpHandle Handle => _handle;

    /// <summary>Takes over a connection whose owner this socket already is: an accepted or a forwarded one.</summary>
    public void Adopt(TcpHandle handle)
    {
        _handle = handle;
        _isOpen = true;
    }

    /// <summary>Chooses the own end for the connect to come; the address may be unspecified, and the port 0.</summary>
    public Errno Bind(Endpoint local)
    {
        using (Driver.Enter())
        {
            if (_isOpen)
            {
                return Errno.EINVAL;
            }

            _bound = local;
            return Errno.None;
        }
    }

    /// <summary>Connects and waits for the outcome. Errors: those of <see cref="TcpLayer.Open"/>, ECONNREFUSED, ETIMEDOUT, EISCONN, ...</summary>
    public Errno Connect(Endpoint remote)
    {
        Errno error = BeginConnect(remote);
        if (error == Errno.None)
        {
            ConnectCall call = new(this);
            error = Block<ConnectCall, int>(ref call, SocketEvents.Writable, SendTimeout, out _);
        }

        return error == Errno.EAGAIN ? Errno.EINPROGRESS : error;
    }

    /// <summary>Sends the SYN and returns; Writable or Error follow. Errors: EISCONN where the socket is connected or connecting.</summary>
    public Errno BeginConnect(Endpoint remote)
    {
        using (Driver.Enter())
        {
            if (IsClosed || _isOpen)
            {
                return IsClosed ? Errno.EBADF : Errno.EISCONN;
            }

            TcpOpenRequest request = new() { Local = _bound, Remote = remote };
            foreach ((TcpOption option, int value) in _optionsBeforeOpen ?? [])
            {
                request.SendBufferBytes = option == TcpOption.SO_SNDBUF ? value : request.SendBufferBytes;
                request.ReceiveBufferBytes = option == TcpOption.SO_RCVBUF ? value : request.ReceiveBufferBytes;
            }

            Errno error = Tcp.Open(request, this, out _handle);
            if (error != Errno.None)
            {
                return error;
            }

            _isOpen = true;
            foreach ((TcpOption option, int value) in _optionsBeforeOpen ?? [])
            {
                if (option is not (TcpOption.SO_SNDBUF or TcpOption.SO_RCVBUF))
                {
                    Tcp.SetOption(_handle, option, value);
                }
            }

            _optionsBeforeOpen = null;
            return Errno.None;
        }
    }

    /// <summary>Connects. Cancelling gives the attempt up; the socket can then connect again.</summary>
    public ValueTask ConnectAsync(Endpoint remote, CancellationToken cancellation = default)
    {
        if (cancellation.IsCancellationRequested)
        {
            return ValueTask.FromCanceled(cancellation);
        }

        TcpConnectOperation operation;
        short version;
        using (Driver.Enter())
        {
            ConnectCall call = new(this);
            Errno error = BeginConnect(remote);
            if (error == Errno.None)
            {
                error = call.TryPerform(out _);
            }

            if (error != Errno.EAGAIN)
            {
                return error == Errno.None ? default : ValueTask.FromException(ToException(error));
            }

            operation = new TcpConnectOperation(this);
            version = operation.Prepare(SocketEvents.Writable);
            Waiters.Add(operation);
        }

        operation.Register(cancellation);
        return new ValueTask(operation, version);
    }

    /// <summary>Receives what there is, waiting for the first byte; 0 bytes is the end of the stream.</summary>
    public Errno Receive(Span<byte> buffer, out int received, TcpReceiveFlags flags = TcpReceiveFlags.None)
    {
        ReceiveCall call = new(this, buffer, flags, mayLend: true);
        Errno error = Block(ref call, SocketEvents.Readable, ReceiveTimeout, out received);
        call.Finish();
        return error;
    }

    /// <summary>Receives what there is; EAGAIN when there is nothing.</summary>
    public Errno TryReceive(Span<byte> buffer, out int received, TcpReceiveFlags flags = TcpReceiveFlags.None)
    {
        ReceiveCall call = new(this, buffer, flags, mayLend: true);
        Errno error = Try(ref call, SocketEvents.Readable, out received);
        call.Finish();
        return error;
    }

    /// <summary>
    /// Receives what there is, waiting for the first byte; 0 is the end of the stream. With an empty buffer it completes when there is
    /// something to receive. Cancelling receives nothing.
    /// </summary>
    public ValueTask<int> ReceiveAsync(Memory<byte> buffer, CancellationToken cancellation = default)
    {
        if (cancellation.IsCancellationRequested)
        {
            return ValueTask.FromCanceled<int>(cancellation);
        }

        ReceiveCall call = new(this, buffer.Span, TcpReceiveFlags.None);
        TcpReceiveOperation operation;
        short version;
        using (Driver.EnterTimeless())
        {
            Errno error = TryInScope(ref call, SocketEvents.Readable, out int received);
            if (error != Errno.EAGAIN)
            {
                return error == Errno.None ? new ValueTask<int>(received) : ValueTask.FromException<int>(ToException(error));
            }

            operation = Interlocked.Exchange(ref _cachedReceive, null) ?? new TcpReceiveOperation(this);
            operation.Buffer = buffer;
            version = operation.Prepare(SocketEvents.Readable);
            Waiters.Add(operation);
        }

        operation.Register(cancellation);
        return new ValueTask<int>(operation, version);
    }

    /// <summary>Sends everything, waiting for room. <paramref name="sent"/> is less where a time-out or an error came between.</summary>
    public Errno Send(ReadOnlySpan<byte> data, out int sent, TcpSendFlags flags = TcpSendFlags.None)
    {
        sent = 0;
        Errno error = Errno.None;
        while (error == Errno.None && data.Length - sent >= LoanBytesMin && flags == TcpSendFlags.None)
        {
            error = SendLoan(data[sent..], ref sent);
        }

        if (error == Errno.None && (sent < data.Length || data.IsEmpty))
        {
            SendCall call = new(this, data[sent..], flags, 0);
            error = Block<SendCall, int>(ref call, SocketEvents.Writable, SendTimeout, out _);
            sent += call.Sent;
        }

        return error == Errno.EAGAIN && sent != 0 ? Errno.None : error;
    }

    /// <summary>Sends a part of a large write, and copies it outside of the lock.</summary>
    private Errno SendLoan(ReadOnlySpan<byte> data, ref int sent)
    {
        ReserveCall call = new(this, data.Length);
        Errno error = Block(ref call, SocketEvents.Writable, SendTimeout, out int length);
        if (error != Errno.None)
        {
            return error;
        }

        data[..length].CopyTo(call.Loan.Span);
        using (Driver.Enter())
        {
            error = Tcp.Commit(_handle, ref call.Loan, length < data.Length ? TcpSendFlags.Partial : TcpSendFlags.None);
        }

        sent += error == Errno.None ? length : 0;
        return error;
    }

    /// <summary>Sends what there is room for; EAGAIN when there is none.</summary>
    public Errno TrySend(ReadOnlySpan<byte> data, out int sent, TcpSendFlags flags = TcpSendFlags.None)
    {
        SendCall call = new(this, data, flags, 0);
        Errno error = Try<SendCall, int>(ref call, SocketEvents.Writable, out _);
        sent = call.Sent;
        return error == Errno.EAGAIN && sent != 0 ? Errno.None : error;
    }

    /// <summary>Sends everything. When cancelled after a part was sent, the result is the length of that part.</summary>
    public ValueTask<int> SendAsync(ReadOnlyMemory<byte> data, CancellationToken cancellation = default)
    {
        if (cancellation.IsCancellationRequested)
        {
            return ValueTask.FromCanceled<int>(cancellation);
        }

        Errno error = StartSend(data, isStream: false, cancellation, out int sent, out TcpSendOperation? operation, out short version);
        return operation != null ? new ValueTask<int>(operation, version)
            : error == Errno.None ? new ValueTask<int>(sent)
            : ValueTask.FromException<int>(ToException(error));
    }

    /// <summary>Sends everything, or fails. How much of it went out before a failure or a cancellation is not known.</summary>
    public ValueTask SendAllAsync(ReadOnlyMemory<byte> data, CancellationToken cancellation = default)
    {
        if (cancellation.IsCancellationRequested)
        {
            return ValueTask.FromCanceled(cancellation);
        }

        Errno error = StartSend(data, isStream: true, cancellation, out _, out TcpSendOperation? operation, out short version);
        return operation != null ? new ValueTask(operation, version)
            : error == Errno.None ? default
            : ValueTask.FromException(ToException(error));
    }

    private Errno StartSend(
        ReadOnlyMemory<byte> data,
        bool isStream,
        CancellationToken cancellation,
        out int sent,
        out TcpSendOperation? operation,
        out short version)
    {
        SendCall call = new(this, data.Span, TcpSendFlags.None, 0);
        using (Driver.Enter())
        {
            Errno error = TryInScope(ref call, SocketEvents.Writable, out sent);
            if (error != Errno.EAGAIN)
            {
                operation = null;
                version = 0;
                return error;
            }

            operation = Interlocked.Exchange(ref _cachedSend, null) ?? new TcpSendOperation(this);
            operation.Data = data;
            operation.Sent = call.Sent;
            operation.IsStream = isStream;
            version = operation.Prepare(SocketEvents.Writable);
            Waiters.Add(operation);
        }

        operation.Register(cancellation);
        return Errno.None;
    }

    /// <summary>Ends one or both directions. Errors: ENOTCONN.</summary>
    public Errno Shutdown(TcpShutdown how)
    {
        using (Driver.Enter())
        {
            Errno error = CheckOpen();
            return error == Errno.None ? Tcp.Shutdown(_handle, how) : error;
        }
    }

    /// <summary>Closes the socket; what was sent is still delivered. Unread data resets the connection, as in Linux.</summary>
    public override void Close() => Close(abort: false);

    /// <summary>Closes the socket and resets the connection.</summary>
    public void Abort() => Close(abort: true);

    internal Errno CheckOpen() => _isOpen ? Errno.None : IsClosed ? Errno.EBADF : Errno.ENOTCONN;

    internal void Recycle(TcpReceiveOperation operation) => Volatile.Write(ref _cachedReceive, operation);

    internal void Recycle(TcpSendOperation operation) => Volatile.Write(ref _cachedSend, operation);

    /// <summary>Gives a connection up that has failed or is not wanted, and leaves the socket as it was before.</summary>
    internal void GiveUpConnect()
    {
        if (_isOpen)
        {
            _isOpen = false;
            Tcp.Abort(_handle);
        }
    }

    private void Close(bool abort)
    {
        using (Driver.Enter())
        {
            if (IsClosed)
            {
                return;
            }

            IsClosed = true;
            if (_isOpen)
            {
                _isOpen = false;
                if (abort)
                {
                    Tcp.Abort(_handle);
                }
                else
                {
                    Tcp.Close(_handle);
                }
            }

            Waiters.NotifyAll(Driver);
        }
    }
}

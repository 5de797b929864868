using Portico.Net;

namespace Portico.Kernel;

/// <summary>What a receive of a datagram socket brought.</summary>
/// <param name="Received">Bytes put into the buffer.</param>
/// <param name="Info">Who sent them and how; its total length tells whether the datagram was longer than the buffer.</param>
public readonly record struct UdpReceived(int Received, UdpReceiveInfo Info);

/// <summary>A datagram socket. Sending never waits: a datagram is on its way when the call returns, or has failed.</summary>
public sealed class UdpSocket : KernelSocket
{
    private UdpHandle _handle;
    private UdpReceiveOperation? _cachedReceive;

    private UdpSocket(StackDriver driver, NetworkStack stack)
        : base(driver, stack)
    {
    }

    private UdpLayer Udp => Stack.Udp;

    /// <summary>The engine's name for the socket, for calls that this class does not have (groups, the error queue).</summary>
    public UdpHandle Handle => _handle;

    /// <summary>Makes a socket that is not bound. Errors: those of <see cref="UdpLayer.Open"/>.</summary>
    public static Errno Open(StackDriver driver, NetworkStack stack, in UdpOpenRequest request, out UdpSocket? socket)
    {
        UdpSocket made = new(driver, stack);
        using (driver.Enter())
        {
            Errno error = stack.Udp.Open(request, made, out made._handle);
            socket = error == Errno.None ? made : null;
            return error;
        }
    }

    /// <summary>Binds to an address and a port; port 0 chooses one.</summary>
    public Errno Bind(in Endpoint local)
    {
        using (Driver.Enter())
        {
            return IsClosed ? Errno.EBADF : Udp.Bind(_handle, local);
        }
    }

    /// <summary>Names the only peer to send to and to receive from.</summary>
    public Errno Connect(in Endpoint remote)
    {
        using (Driver.Enter())
        {
            return IsClosed ? Errno.EBADF : Udp.Connect(_handle, remote);
        }
    }

    /// <summary>Sends a datagram to the connected peer.</summary>
    public Errno Send(ReadOnlySpan<byte> data)
    {
        using (Driver.Enter())
        {
            return IsClosed ? Errno.EBADF : Udp.Send(_handle, data);
        }
    }

    /// <summary>Sends a datagram.</summary>
    public Errno SendTo(ReadOnlySpan<byte> data, in Endpoint destination, in UdpSendOptions options = default)
    {
        using (Driver.Enter())
        {
            return IsClosed ? Errno.EBADF : Udp.SendTo(_handle, data, destination, options);
        }
    }

    /// <summary>Takes the oldest datagram, waiting for one; what does not fit is lost.</summary>
    public Errno Receive(Span<byte> buffer, out UdpReceived result, UdpReceiveFlags flags = UdpReceiveFlags.None)
    {
        UdpReceiveCall call = new(this, buffer, flags);
        return Block(ref call, SocketEvents.Readable, ReceiveTimeout, out result);
    }

    /// <summary>Takes the oldest datagram; EAGAIN when there is none.</summary>
    public Errno TryReceive(Span<byte> buffer, out UdpReceived result, UdpReceiveFlags flags = UdpReceiveFlags.None)
    {
        UdpReceiveCall call = new(this, buffer, flags);
        return Try(ref call, SocketEvents.Readable, out result);
    }

    /// <summary>Takes the oldest datagram, waiting for one; what does not fit is lost. Cancelling takes none.</summary>
    public ValueTask<UdpReceived> ReceiveAsync(Memory<byte> buffer, CancellationToken cancellation = default)
    {
        if (cancellation.IsCancellationRequested)
        {
            return ValueTask.FromCanceled<UdpReceived>(cancellation);
        }

        UdpReceiveCall call = new(this, buffer.Span, UdpReceiveFlags.None);
        UdpReceiveOperation operation;
        short version;
        using (Driver.Enter())
        {
            Errno error = TryInScope(ref call, SocketEvents.Readable, out UdpReceived result);
            if (error != Errno.EAGAIN)
            {
                return error == Errno.None
                    ? new ValueTask<UdpReceived>(result)
                    : ValueTask.FromException<UdpReceived>(ToException(error));
            }

            operation = Interlocked.Exchange(ref _cachedReceive, null) ?? new UdpReceiveOperation(this);
            operation.Buffer = buffer;
            version = operation.Prepare(SocketEvents.Readable);
            Waiters.Add(operation);
        }

        operation.Register(cancellation);
        return new ValueTask<UdpReceived>(operation, version);
    }

    /// <summary>Sets an option.</summary>
    public Errno SetOption(UdpOption option, int value)
    {
        using (Driver.Enter())
        {
            return IsClosed ? Errno.EBADF : Udp.SetOption(_handle, option, value);
        }
    }

    /// <summary>Reads an option.</summary>
    public Errno GetOption(UdpOption option, out int value)
    {
        using (Driver.Enter())
        {
            value = 0;
            return IsClosed ? Errno.EBADF : Udp.GetOption(_handle, option, out value);
        }
    }

    /// <summary>The own end, and the peer's where the socket is connected.</summary>
    public Errno GetEndpoints(out Endpoint local, out Endpoint remote)
    {
        using (Driver.Enter())
        {
            local = default;
            remote = default;
            return IsClosed ? Errno.EBADF : Udp.GetEndpoints(_handle, out local, out remote);
        }
    }

    /// <inheritdoc/>
    public override SocketEvents Poll()
    {
        using (Driver.Enter())
        {
            return IsClosed ? SocketEvents.HangUp : Udp.Poll(_handle);
        }
    }

    /// <inheritdoc/>
    public override void Close()
    {
        using (Driver.Enter())
        {
            if (!IsClosed)
            {
                IsClosed = true;
                Udp.Close(_handle);
                Waiters.NotifyAll(Driver);
            }
        }
    }

    internal void Recycle(UdpReceiveOperation operation) => Volatile.Write(ref _cachedReceive, operation);
}

/// <summary>Takes the oldest datagram.</summary>
internal readonly ref struct UdpReceiveCall(UdpSocket socket, Span<byte> buffer, UdpReceiveFlags flags) : IFileCall<UdpReceived>
{
    private readonly Span<byte> _buffer = buffer;

    public Errno TryPerform(out UdpReceived result)
    {
        if (socket.IsClosed)
        {
            result = default;
            return Errno.EBADF;
        }

        Errno error = socket.Stack.Udp.Receive(socket.Handle, _buffer, flags, out UdpReceiveInfo info, out int received);
        result = new UdpReceived(received, info);
        return error;
    }
}

internal sealed class UdpReceiveOperation(UdpSocket socket) : SocketOperation<UdpReceived>(socket)
{
    private readonly UdpSocket _socket = socket;

    public Memory<byte> Buffer;

    protected override Errno TryPerform(out UdpReceived result) =>
        new UdpReceiveCall(_socket, Buffer.Span, UdpReceiveFlags.None).TryPerform(out result);

    protected override void Recycle()
    {
        Buffer = default;
        _socket.Recycle(this);
    }
}

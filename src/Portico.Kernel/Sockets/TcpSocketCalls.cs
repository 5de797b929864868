using Portico.Net;

namespace Portico.Kernel;

/// <summary>Waits for the outcome of a connect that is under way.</summary>
internal readonly struct ConnectCall(TcpSocket socket) : IFileCall<int>
{
    public static bool IsTimeless => true;

    public Errno TryPerform(out int result)
    {
        result = 0;
        Errno error = socket.CheckOpen();
        if (error != Errno.None)
        {
            return error;
        }

        SocketEvents events = socket.Stack.Tcp.Poll(socket.Handle);
        if ((events & (SocketEvents.Error | SocketEvents.HangUp)) != 0)
        {
            error = socket.Stack.Tcp.TakeError(socket.Handle);
            socket.GiveUpConnect();
            return error == Errno.None ? Errno.ECONNABORTED : error;
        }

        return (events & SocketEvents.Writable) != 0 ? Errno.None : Errno.EAGAIN;
    }
}

/// <summary>
/// Receives what there is. A large read only takes the bytes out of the stream under the lock; <see cref="Finish"/> copies them.
/// </summary>
internal ref struct ReceiveCall(TcpSocket socket, Span<byte> buffer, TcpReceiveFlags flags, bool mayLend = false) : IFileCall<int>
{
    /// <summary>Where copying begins to cost more than taking the lock a second time.</summary>
    private const int LoanBytesMin = 8192;

    private readonly Span<byte> _buffer = buffer;
    private readonly bool _mayLend = mayLend && buffer.Length >= LoanBytesMin && flags == TcpReceiveFlags.None;
    private TcpReceiveLoan _loan;
    private bool _hasLoan;

    public static bool IsTimeless => true;

    public Errno TryPerform(out int result)
    {
        result = 0;
        Errno error = socket.CheckOpen();
        if (error != Errno.None)
        {
            return error;
        }

        TcpLayer tcp = socket.Stack.Tcp;
        if (_buffer.IsEmpty)
        {
            return (tcp.Poll(socket.Handle) & ~SocketEvents.Writable) == 0 ? Errno.EAGAIN : Errno.None;
        }

        if (_mayLend && tcp.TryTakeReceived(socket.Handle, _buffer.Length, LoanBytesMin, out _loan))
        {
            _hasLoan = true;
            result = _loan.Length;
            return Errno.None;
        }

        return tcp.Receive(socket.Handle, _buffer, flags, out result);
    }

    /// <summary>Outside of the lock, after the call: copies what was lent, and gives it back.</summary>
    public void Finish()
    {
        if (!_hasLoan)
        {
            return;
        }

        _loan.CopyTo(_buffer);
        using (socket.Driver.EnterTimeless())
        {
            socket.Stack.Tcp.ReturnReceived(socket.Handle, ref _loan);
        }
    }
}

/// <summary>Takes memory of the send buffer for a part of a large write.</summary>
internal struct ReserveCall(TcpSocket socket, int bytes) : IFileCall<int>
{
    /// <summary>The memory.</summary>
    public TcpSendLoan Loan;

    public Errno TryPerform(out int result)
    {
        Errno error = socket.CheckOpen();
        if (error == Errno.None)
        {
            error = socket.Stack.Tcp.Reserve(socket.Handle, bytes, out Loan);
        }

        result = Loan.Length;
        return error;
    }
}

/// <summary>Sends everything, however often it has to be called for that.</summary>
internal ref struct SendCall(TcpSocket socket, ReadOnlySpan<byte> data, TcpSendFlags flags, int sent) : IFileCall<int>
{
    private readonly ReadOnlySpan<byte> _data = data;

    /// <summary>Bytes sent so far.</summary>
    public int Sent = sent;

    public Errno TryPerform(out int result)
    {
        Errno error = socket.CheckOpen();
        while (error == Errno.None && Sent < _data.Length)
        {
            error = socket.Stack.Tcp.Send(socket.Handle, _data[Sent..], flags, out int taken);
            Sent += taken;
        }

        result = Sent;
        return error;
    }
}

internal sealed class TcpConnectOperation(TcpSocket socket) : SocketOperation<int>(socket)
{
    private readonly TcpSocket _socket = socket;

    protected override Errno TryPerform(out int result) => new ConnectCall(_socket).TryPerform(out result);

    protected override bool FinishCancelled(out int result)
    {
        _socket.GiveUpConnect();
        return base.FinishCancelled(out result);
    }

    protected override void Recycle()
    {
    }
}

internal sealed class TcpReceiveOperation(TcpSocket socket) : SocketOperation<int>(socket)
{
    private readonly TcpSocket _socket = socket;

    public Memory<byte> Buffer;

    protected override Errno TryPerform(out int result) => new ReceiveCall(_socket, Buffer.Span, TcpReceiveFlags.None).TryPerform(out result);

    protected override void Recycle()
    {
        Buffer = default;
        _socket.Recycle(this);
    }
}

internal sealed class TcpSendOperation(TcpSocket socket) : SocketOperation<int>(socket)
{
    private readonly TcpSocket _socket = socket;

    public ReadOnlyMemory<byte> Data;

    public int Sent;

    /// <summary>Whether the caller is a stream, to which a part of a write is nothing.</summary>
    public bool IsStream;

    protected override Errno TryPerform(out int result)
    {
        SendCall call = new(_socket, Data.Span, TcpSendFlags.None, Sent);
        Errno error = call.TryPerform(out result);
        Sent = call.Sent;
        return error;
    }

    protected override bool FinishCancelled(out int result)
    {
        result = Sent;
        return Sent != 0 && !IsStream;
    }

    protected override void Recycle()
    {
        Data = default;
        _socket.Recycle(this);
    }
}

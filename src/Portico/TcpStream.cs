using System.Net;
using System.Net.Sockets;
using Portico.Kernel;
using Portico.Net;

namespace Portico;

/// <summary>
/// A TCP connection as a <see cref="Stream"/>. It behaves as <see cref="NetworkStream"/> does: errors are an
/// <see cref="IOException"/> with a <see cref="SocketException"/> inside, reading and writing may go on at the same time, and what was
/// written is delivered after the stream is disposed.
/// </summary>
public sealed class TcpStream : Stream
{
    private readonly TcpSocket _socket;

    internal TcpStream(TcpSocket socket)
    {
        _socket = socket;
        socket.FailsAsStream = true;
        socket.GetEndpoints(out Endpoint local, out Endpoint remote);
        LocalEndPoint = local.ToIPEndPoint();
        RemoteEndPoint = remote.ToIPEndPoint();
    }

    /// <summary>The socket itself: options, TCP_INFO, calls that return an errno.</summary>
    public TcpSocket Socket => _socket;

    /// <summary>The own end.</summary>
    public IPEndPoint LocalEndPoint { get; }

    /// <summary>The peer's end.</summary>
    public IPEndPoint RemoteEndPoint { get; }

    /// <summary>Whether small writes go out at once instead of waiting for an acknowledgment (TCP_NODELAY).</summary>
    public bool NoDelay
    {
        get
        {
            Check(_socket.GetOption(TcpOption.TCP_NODELAY, out int value));
            return value != 0;
        }

        set => Check(_socket.SetOption(TcpOption.TCP_NODELAY, value ? 1 : 0));
    }

    /// <inheritdoc/>
    public override bool CanRead => !_socket.IsClosed;

    /// <inheritdoc/>
    public override bool CanWrite => !_socket.IsClosed;

    /// <inheritdoc/>
    public override bool CanSeek => false;

    /// <inheritdoc/>
    public override bool CanTimeout => true;

    /// <inheritdoc/>
    public override long Length => throw new NotSupportedException();

    /// <inheritdoc/>
    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    /// <summary>How long a synchronous read waits, in milliseconds; -1 for ever.</summary>
    public override int ReadTimeout
    {
        get => ToMilliseconds(_socket.ReceiveTimeout);
        set => _socket.ReceiveTimeout = FromMilliseconds(value);
    }

    /// <summary>How long a synchronous write waits, in milliseconds; -1 for ever.</summary>
    public override int WriteTimeout
    {
        get => ToMilliseconds(_socket.SendTimeout);
        set => _socket.SendTimeout = FromMilliseconds(value);
    }

    /// <summary>Says that nothing more will be written: the peer reads the end of the stream. Reading goes on.</summary>
    public void CompleteWrites() => Check(_socket.Shutdown(TcpShutdown.Send));

    /// <summary>Resets the connection and closes the stream.</summary>
    public void Abort() => _socket.Abort();

    /// <inheritdoc/>
    public override int Read(Span<byte> buffer)
    {
        Errno error = _socket.Receive(buffer, out int received);
        Check(error);
        return received;
    }

    /// <inheritdoc/>
    public override int Read(byte[] buffer, int offset, int count)
    {
        ValidateBufferArguments(buffer, offset, count);
        return Read(buffer.AsSpan(offset, count));
    }

    /// <inheritdoc/>
    public override int ReadByte()
    {
        byte value = 0;
        return Read(new Span<byte>(ref value)) == 0 ? -1 : value;
    }

    /// <inheritdoc/>
    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        ObjectDisposedException.ThrowIf(_socket.IsClosed, this);
        return _socket.ReceiveAsync(buffer, cancellationToken);
    }

    /// <inheritdoc/>
    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken)
    {
        ValidateBufferArguments(buffer, offset, count);
        return ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();
    }

    /// <inheritdoc/>
    public override IAsyncResult BeginRead(byte[] buffer, int offset, int count, AsyncCallback? callback, object? state) =>
        TaskToAsyncResult.Begin(ReadAsync(buffer, offset, count, CancellationToken.None), callback, state);

    /// <inheritdoc/>
    public override int EndRead(IAsyncResult asyncResult) => TaskToAsyncResult.End<int>(asyncResult);

    /// <inheritdoc/>
    public override void Write(ReadOnlySpan<byte> buffer)
    {
        Errno error = _socket.Send(buffer, out int sent);
        Check(error == Errno.None && sent < buffer.Length ? Errno.EAGAIN : error);
    }

    /// <inheritdoc/>
    public override void Write(byte[] buffer, int offset, int count)
    {
        ValidateBufferArguments(buffer, offset, count);
        Write(buffer.AsSpan(offset, count));
    }

    /// <inheritdoc/>
    public override void WriteByte(byte value) => Write(new ReadOnlySpan<byte>(in value));

    /// <inheritdoc/>
    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        ObjectDisposedException.ThrowIf(_socket.IsClosed, this);
        return _socket.SendAllAsync(buffer, cancellationToken);
    }

    /// <inheritdoc/>
    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken)
    {
        ValidateBufferArguments(buffer, offset, count);
        return WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();
    }

    /// <inheritdoc/>
    public override IAsyncResult BeginWrite(byte[] buffer, int offset, int count, AsyncCallback? callback, object? state) =>
        TaskToAsyncResult.Begin(WriteAsync(buffer, offset, count, CancellationToken.None), callback, state);

    /// <inheritdoc/>
    public override void EndWrite(IAsyncResult asyncResult) => TaskToAsyncResult.End(asyncResult);

    /// <summary>Does nothing: what was written is on its way.</summary>
    public override void Flush()
    {
    }

    /// <summary>Does nothing: what was written is on its way.</summary>
    public override Task FlushAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <inheritdoc/>
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void SetLength(long value) => throw new NotSupportedException();

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _socket.Close();
        }

        base.Dispose(disposing);
    }

    private static int ToMilliseconds(TimeSpan time) => time == Timeout.InfiniteTimeSpan ? Timeout.Infinite : (int)time.TotalMilliseconds;

    private static TimeSpan FromMilliseconds(int milliseconds)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(milliseconds, Timeout.Infinite);
        ArgumentOutOfRangeException.ThrowIfZero(milliseconds);
        return TimeSpan.FromMilliseconds(milliseconds);
    }

    private void Check(Errno error)
    {
        if (error != Errno.None)
        {
            ObjectDisposedException.ThrowIf(error == Errno.EBADF, this);

            // A blocking call that gives up after its time-out says so, as NetworkStream does, although the errno is EAGAIN.
            throw (error == Errno.EAGAIN ? Errno.ETIMEDOUT : error).ToIOException();
        }
    }
}

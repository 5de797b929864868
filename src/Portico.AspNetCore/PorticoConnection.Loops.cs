using System.Buffers;
using System.IO.Pipelines;
using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;
using Portico.Kernel;
using Portico.Net;

namespace Portico.AspNetCore;

// What carries the bytes. Each loop ends by itself when its direction does; whatever ends the connection as a whole closes the socket,
// and both loops see that.
internal sealed partial class PorticoConnection
{
    /// <summary>A block with less room left than this is not used for the next receive.</summary>
    private const int ReceiveBytesMin = 2048;

    private readonly PipeWriter _input;
    private readonly PipeReader _output;
    private readonly CancellationTokenSource _closedSource = new();
    private readonly TaskCompletionSource _closedIsKnown = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Lock _closeLock = new();
    private Task _receiving = Task.CompletedTask;
    private Task _sending = Task.CompletedTask;

    /// <summary>Why the connection was closed from this side; null while it was not.</summary>
    private volatile Exception? _closeReason;

    /// <summary>Begins to carry bytes.</summary>
    public void Start()
    {
        _receiving = ReceiveAsync();
        _sending = SendAsync();
    }

    private async Task ReceiveAsync()
    {
        Exception? failure = null;
        try
        {
            while (true)
            {
                if (_options.WaitForDataBeforeAllocatingBuffer)
                {
                    await Socket.ReceiveAsync(Memory<byte>.Empty).ConfigureAwait(false);
                }

                int received = await Socket.ReceiveAsync(_input.GetMemory(ReceiveBytesMin)).ConfigureAwait(false);
                if (received == 0)
                {
                    TransportLog.ReadFin(_logger, ConnectionId);
                    break;
                }

                _input.Advance(received);
                ValueTask<FlushResult> flush = _input.FlushAsync();
                bool mustWait = !flush.IsCompleted;
                if (mustWait)
                {
                    TransportLog.Pause(_logger, ConnectionId);
                }

                FlushResult result = await flush.ConfigureAwait(false);
                if (mustWait)
                {
                    TransportLog.Resume(_logger, ConnectionId);
                }

                if (result.IsCompleted || result.IsCanceled)
                {
                    break;
                }
            }
        }
        catch (SocketException e)
        {
            failure = ToConnectionException(e);
        }

        // Where the connection was closed from this side, that is why receiving ended, whatever it looked like.
        _input.Complete(_closeReason ?? failure);
        await TellClosedAsync().ConfigureAwait(false);
    }

    private async Task SendAsync()
    {
        Exception? closeReason = null;
        Exception? unexpected = null;
        try
        {
            while (true)
            {
                ReadResult result = await _output.ReadAsync().ConfigureAwait(false);
                if (result.IsCanceled)
                {
                    break;
                }

                ReadOnlySequence<byte> buffer = result.Buffer;
                await SendAsync(buffer).ConfigureAwait(false);
                _output.AdvanceTo(buffer.End);
                if (result.IsCompleted)
                {
                    break;
                }
            }
        }
        catch (SocketException e)
        {
            closeReason = ToConnectionException(e);
            unexpected = closeReason is SocketException ? closeReason : null;
        }

        Close(closeReason);
        _output.Complete(unexpected);

        // The application may not read any more; the receiving loop must not wait for it.
        _input.CancelPendingFlush();
    }

    /// <summary>Sends several blocks so that they fill segments together.</summary>
    private async ValueTask SendAsync(ReadOnlySequence<byte> buffer)
    {
        while (!buffer.IsEmpty)
        {
            ReadOnlyMemory<byte> block = buffer.First;
            buffer = buffer.Slice(block.Length);
            Errno error = Socket.TrySend(block.Span, out int sent, buffer.IsEmpty ? TcpSendFlags.None : TcpSendFlags.More);
            if (error is not (Errno.None or Errno.EAGAIN))
            {
                throw error.ToException();
            }

            if (sent < block.Length)
            {
                await Socket.SendAllAsync(block[sent..]).ConfigureAwait(false);
            }
        }
    }

    /// <summary>Closes the socket: by a FIN where there is no reason, which is the normal end, and by a reset where there is one.</summary>
    private void Close(Exception? reason)
    {
        lock (_closeLock)
        {
            if (_closeReason != null)
            {
                return;
            }

            if (reason != null)
            {
                _closeReason = reason;
                TransportLog.WriteRst(_logger, ConnectionId, reason.Message);
                Socket.Abort();
                return;
            }

            _closeReason = new ConnectionAbortedException("The transport's send loop completed gracefully.");
            TransportLog.WriteFin(_logger, ConnectionId, _closeReason.Message);
            Socket.Shutdown(TcpShutdown.Both);
            Socket.Close();
        }
    }

    /// <summary>Cancels <see cref="ConnectionClosed"/>, on a thread that holds nobody up, and waits for those who listened to it.</summary>
    private Task TellClosedAsync()
    {
        ThreadPool.UnsafeQueueUserWorkItem(
            static connection =>
            {
                try
                {
                    connection._closedSource.Cancel();
                }
                catch (AggregateException e)
                {
                    TransportLog.Error(connection._logger, connection.ConnectionId, e);
                }

                connection._closedIsKnown.TrySetResult();
            },
            this,
            preferLocal: false);
        return _closedIsKnown.Task;
    }

    /// <summary>What a server is told for an error of the socket; the socket's own exception where nobody expects it.</summary>
    private Exception ToConnectionException(SocketException e)
    {
        switch (e.SocketErrorCode)
        {
            case SocketError.ConnectionReset:
            case SocketError.Shutdown:
                TransportLog.Reset(_logger, ConnectionId);
                return new ConnectionResetException(e.Message, e);
            case SocketError.OperationAborted:
                return new ConnectionAbortedException(e.Message, e);
            default:
                TransportLog.Error(_logger, ConnectionId, e);
                return e;
        }
    }
}

using Portico.Net;

namespace Portico.Kernel;

/// <summary>
/// What carries bytes between a descriptor of a process and a stream of the embedder: a small process of its own (named "stream" in /proc) at the
/// other end of a pipe. So the descriptor is a pipe in every respect: readiness, end of file, EPIPE, F_SETPIPE_SZ, splice.
/// </summary>
/// <remarks>
/// An input ends, and the descriptor reads the end of the file, when the stream does or fails; an output ends when the last descriptor of the
/// pipe has been closed, or when the stream fails, after which writes are EPIPE. The kernel's lock is never held while a stream is used.
/// </remarks>
public sealed class StreamBinding : IAsyncDisposable
{
    private const int PieceBytes = 16 * 1024;

    private readonly Process _carrier;
    private readonly int _fd;
    private readonly Stream _stream;
    private readonly bool _leaveOpen;
    private readonly bool _endsCarrier;
    private readonly CancellationTokenSource _end = new();
    private Task _watch = Task.CompletedTask;

    private StreamBinding(Process carrier, int fd, Stream stream, bool leaveOpen, bool endsCarrier, Func<StreamBinding, Task> carry)
    {
        _carrier = carrier;
        _fd = fd;
        _stream = stream;
        _leaveOpen = leaveOpen;
        _endsCarrier = endsCarrier;
        carrier.Kernel.Carriers.TryAdd(this, 0);
        Carried = Task.Run(() => RunAsync(carry));
        Completion = FinishAsync();
    }

    /// <summary>
    /// Completes when nothing is carried any more: of an output everything that was written has then been given to the stream and flushed, and
    /// the stream is disposed. It never fails; see <see cref="Failure"/>.
    /// </summary>
    public Task Completion { get; }

    /// <summary>What the stream has thrown; null as long as it has thrown nothing.</summary>
    public Exception? Failure { get; private set; }

    /// <summary>Completes when the kernel is not asked for anything any more.</summary>
    internal Task Carried { get; }

    /// <summary>Carries what a stream gives into a descriptor of the carrier's; when it ends, so does the carrier, or else it gets a last byte.</summary>
    internal static StreamBinding FromStream(Process carrier, int fd, Stream stream, bool leaveOpen, byte? lastByte = null) =>
        new(carrier, fd, stream, leaveOpen, lastByte == null, binding => binding.FillAsync(lastByte));

    /// <summary>Carries what is read from a descriptor of the carrier's, which ends with it, into a stream.</summary>
    internal static StreamBinding ToStream(Process carrier, int fd, Stream stream, bool leaveOpen) =>
        new(carrier, fd, stream, leaveOpen, endsCarrier: true, static binding => binding.DrainAsync());

    /// <summary>
    /// Ends the binding now: the process reads the end of the file, or gets EPIPE, and what has not been carried is lost. A call of the stream that
    /// does not mind cancellation is left alone, and what it reads in the end is lost, too.
    /// </summary>
    public async ValueTask DisposeAsync()
    {
        await End().ConfigureAwait(false);
        await Completion.ConfigureAwait(false);
        _end.Dispose();
    }

    /// <summary>Has it end without waiting for that.</summary>
    internal Task End() => Completion.IsCompleted ? Task.CompletedTask : _end.CancelAsync();

    private async Task RunAsync(Func<StreamBinding, Task> carry)
    {
        try
        {
            await carry(this).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (_end.IsCancellationRequested)
        {
        }
#pragma warning disable CA1031 // Whatever the stream throws ends the binding, and is kept for its owner.
        catch (Exception e)
#pragma warning restore CA1031
        {
            Failure = e;
        }

        if (_endsCarrier)
        {
            _carrier.Exit();
        }

        await _watch.ConfigureAwait(false);
        _carrier.Kernel.Carriers.TryRemove(this, out _);
    }

    private async Task FinishAsync()
    {
        await Carried.ConfigureAwait(false);
        if (_leaveOpen)
        {
            return;
        }

        try
        {
            await _stream.DisposeAsync().ConfigureAwait(false);
        }
#pragma warning disable CA1031 // The same.
        catch (Exception e)
#pragma warning restore CA1031
        {
            Failure ??= e;
        }
    }

    private async Task FillAsync(byte? lastByte)
    {
        // Not from a pool: a read that does not mind cancellation may still write to it when the binding has ended.
        byte[] piece = new byte[PieceBytes];
        _watch = EndWithoutReadersAsync();
        while (true)
        {
            int count = await _stream.ReadAsync(piece, _end.Token).AsTask().WaitAsync(_end.Token).ConfigureAwait(false);
            if (count == 0 && lastByte != null)
            {
                piece[0] = lastByte.Value;
            }

            int carried = count == 0 && lastByte != null ? 1 : count;
            if (carried == 0 || (await _carrier.WriteAsync(_fd, piece.AsMemory(0, carried), _end.Token).ConfigureAwait(false)).IsError || count == 0)
            {
                return;
            }
        }
    }

    /// <summary>Nobody can read what the stream gives any more: it is not read any further.</summary>
    private async Task EndWithoutReadersAsync()
    {
        await _carrier.PollAsync(_fd, SocketEvents.None).ConfigureAwait(false);
        await _end.CancelAsync().ConfigureAwait(false);
    }

    private async Task DrainAsync()
    {
        byte[] piece = new byte[PieceBytes];
        while (true)
        {
            SyscallResult count = await _carrier.ReadAsync(_fd, piece, _end.Token).ConfigureAwait(false);
            if (count.Raw <= 0)
            {
                break;
            }

            await _stream.WriteAsync(piece.AsMemory(0, (int)count.Raw), _end.Token).AsTask().WaitAsync(_end.Token).ConfigureAwait(false);
            int left = 0;
            if (_carrier.Ioctl(_fd, IoctlRequest.FIONREAD, ref left).IsError || left == 0)
            {
                await _stream.FlushAsync(_end.Token).WaitAsync(_end.Token).ConfigureAwait(false);
            }
        }

        await _stream.FlushAsync(_end.Token).WaitAsync(_end.Token).ConfigureAwait(false);
    }
}

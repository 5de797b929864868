using Portico.Net;

namespace Portico.Kernel;

// The calls that may wait, as ValueTasks. Each is what the blocking call is, errors and time-outs included, but no thread waits.
// Cancelling has no effect or the whole: OperationCanceledException where nothing was done, else the answer. Nothing is allocated in
// steady state.
public sealed partial class Process
{
    private sealed class ReadOperation : DescriptorOperation
    {
        private long _done;
        private bool _hasWaited;

        public Memory<byte> Buffer { get; set; }

        /// <summary>A terminal's read that has waited for VTIME is at an end, not in vain.</summary>
        protected override SyscallResult TimedOut => Description.File is TerminalFile ? 0 : Errno.EAGAIN;

        public override Errno TryPerform(out long result)
        {
            result = 0;
            if (!Description.IsReadable)
            {
                return Errno.EBADF;
            }

            IoCursor destination = IoCursor.Into(Buffer.Span);
            destination.Skip((int)_done);
            Errno error = Description.File.Read(Description, ref destination, out long count);
            _done += count;
            result = _done;
            if (Description.File is TerminalFile terminal)
            {
                if (_hasWaited && terminal.IsHungUp)
                {
                    return _done == 0 ? Errno.EIO : Errno.None;
                }

                if (error == Errno.EAGAIN && terminal.IsTimed && !Description.IsNonBlocking && (_hasWaited ? count > 0 : _done > 0 || terminal.TimesFirstByte))
                {
                    SetTimeout(terminal.ReadTime);
                }
            }

            _hasWaited = error == Errno.EAGAIN;
            return error;
        }

        public override void Recycle()
        {
            Buffer = default;
            _done = 0;
            _hasWaited = false;
            Process._reads.Return(this);
        }
    }

    private sealed class WriteOperation : DescriptorOperation
    {
        private long _done;
        private (bool HasBegun, bool HasOpened, int SynBytes) _tries;

        public ReadOnlyMemory<byte> Data { get; set; }

        public override Errno TryPerform(out long result)
        {
            IoCursor source = IoCursor.From(Data.Span);
            source.Skip((int)_done);
            WriteCall call = new(source, _done - _tries.SynBytes) { Description = Description, Tries = _tries };
            Errno error = call.TryPerform(out result);
            _tries = call.Tries;
            _done = result;
            Process.SignalBrokenPipe(call.BreaksPipe);
            return error;
        }

        public override void Recycle()
        {
            Data = default;
            _done = 0;
            _tries = default;
            Process._writes.Return(this);
        }
    }

    private sealed class AcceptOperation : DescriptorOperation
    {
        public SocketType Flags { get; set; }

        public override Errno TryPerform(out long result)
        {
            AcceptCall call = new(Process, Flags, default) { Description = Description };
            return call.TryPerform(out result);
        }

        public override void Recycle() => Process._accepts.Return(this);
    }

    private sealed class ConnectOperation : DescriptorOperation
    {
        private bool _hasBegun;

        public ReadOnlyMemory<byte> Address { get; set; }

        protected override SyscallResult TimedOut => _hasBegun ? Errno.EINPROGRESS : Errno.EAGAIN;

        public override Errno TryPerform(out long result)
        {
            ConnectWait call = new(Address.Span, _hasBegun) { Description = Description };
            Errno error = call.TryPerform(out result);
            if (!_hasBegun && error is Errno.EINPROGRESS or Errno.EALREADY && !Description.IsNonBlocking)
            {
                _hasBegun = true;
                error = Errno.EAGAIN;
            }

            return error;
        }

        public override void Recycle()
        {
            Address = default;
            _hasBegun = false;
            Process._connects.Return(this);
        }
    }

    private sealed class PollOperation : DescriptorOperation
    {
        public override bool IsRestartable => false;

        public SocketEvents Wanted { get; set; }

        protected override SyscallResult TimedOut => 0;

        public override Errno TryPerform(out long result)
        {
            result = (long)Process.Wanted(Description, (short)Wanted);
            return result == 0 ? Errno.EAGAIN : Errno.None;
        }

        public override void Recycle() => Process._polls.Return(this);
    }

    private sealed class EpollWaitOperation : DescriptorOperation
    {
        public Memory<EpollEvent> Events { get; set; }

        protected override SyscallResult TimedOut => 0;

        public override Errno TryPerform(out long result) =>
            new EpollWaitCall(Events.Span) { Description = Description }.TryPerform(out result);

        public override void Recycle()
        {
            Events = default;
            Process._epollWaits.Return(this);
        }
    }

    private OperationPool<ReadOperation> _reads = null!;
    private OperationPool<WriteOperation> _writes = null!;
    private OperationPool<AcceptOperation> _accepts = null!;
    private OperationPool<ConnectOperation> _connects = null!;
    private OperationPool<PollOperation> _polls = null!;
    private OperationPool<EpollWaitOperation> _epollWaits = null!;

    /// <summary><see cref="Read"/> without a thread that waits; the memory belongs to the call until it completes.</summary>
    public ValueTask<SyscallResult> ReadAsync(int fd, Memory<byte> buffer, CancellationToken cancellation = default)
    {
        ReadOperation operation = Pool(ref _reads).Rent();
        operation.Buffer = buffer;
        return Start(fd, operation, SocketEvents.Readable, cancellation);
    }

    /// <summary><see cref="Write"/> without a thread that waits: on a stream all of it, in the end.</summary>
    public ValueTask<SyscallResult> WriteAsync(int fd, ReadOnlyMemory<byte> data, CancellationToken cancellation = default)
    {
        WriteOperation operation = Pool(ref _writes).Rent();
        operation.Data = data;
        return Start(fd, operation, SocketEvents.Writable, cancellation);
    }

    /// <summary>
    /// <see cref="Accept4"/> without a thread that waits and without the address, which <see cref="GetPeerName"/> tells.
    /// </summary>
    public ValueTask<SyscallResult> Accept4Async(int fd, SocketType flags, CancellationToken cancellation = default)
    {
        AcceptOperation operation = Pool(ref _accepts).Rent();
        operation.Flags = flags;
        return Start(fd, operation, SocketEvents.Readable, cancellation);
    }

    /// <summary>
    /// <see cref="Connect"/> without a thread that waits. Cancelling ends the wait, not the attempt, as a signal does to connect(2): close
    /// the descriptor for that.
    /// </summary>
    public ValueTask<SyscallResult> ConnectAsync(int fd, ReadOnlyMemory<byte> address, CancellationToken cancellation = default)
    {
        using (Driver.Enter())
        {
            if (!TryGetSocket(fd, out SocketFile? _, out _, out Errno error))
            {
                return new ValueTask<SyscallResult>(error);
            }
        }

        ConnectOperation operation = Pool(ref _connects).Rent();
        operation.Address = address;
        return Start(fd, operation, SocketEvents.Writable, cancellation);
    }

    /// <summary>
    /// poll(2) of one descriptor: what of <paramref name="wanted"/>, errors and hang-ups it is ready for, or 0 where the time is up; null
    /// for no time-out. Errors: EBADF.
    /// </summary>
    public ValueTask<SyscallResult> PollAsync(
        int fd, SocketEvents wanted, Duration? timeout = null, CancellationToken cancellation = default)
    {
        PollOperation operation = Pool(ref _polls).Rent();
        operation.Wanted = wanted;
        return Start(fd, operation, wanted, cancellation, isExclusive: false, timeout ?? Duration.Infinite);
    }

    /// <summary><see cref="EpollPwait2"/> without a thread that waits; the memory belongs to the call until it completes.</summary>
    public ValueTask<SyscallResult> EpollPwait2Async(
        int epollFd, Memory<EpollEvent> events, Duration? timeout = null, CancellationToken cancellation = default)
    {
        EpollWaitOperation operation = Pool(ref _epollWaits).Rent();
        operation.Events = events;
        return Start(epollFd, operation, SocketEvents.Readable, cancellation, isExclusive: true, timeout ?? Duration.Infinite);
    }

    private OperationPool<TOperation> Pool<TOperation>(ref OperationPool<TOperation> pool)
        where TOperation : DescriptorOperation, new() =>
        pool ?? (Interlocked.CompareExchange(ref pool!, new OperationPool<TOperation>(this), null) ?? pool);

    /// <summary>Makes the call, and has it wait where a blocking one would: for the given time, or else for the file's own.</summary>
    private ValueTask<SyscallResult> Start(
        int fd, DescriptorOperation operation, SocketEvents interest, CancellationToken cancellation, bool isExclusive = true,
        Duration? timeout = null)
    {
        SyscallResult answer;
        short version = 0;
        bool waits = false;
        if (cancellation.IsCancellationRequested)
        {
            operation.Recycle();
            return ValueTask.FromCanceled<SyscallResult>(cancellation);
        }

        using (Driver.Enter())
        {
            if (TryGet(fd, out OpenFileDescription? description, out Errno error))
            {
                operation.Description = description;
                error = operation.TryPerform(out long result);
                answer = error == Errno.None ? result : error;
                TimeSpan limit = timeout == null ? description.File.TimeoutOf(interest) : ToTimeSpan(timeout);
                waits = error == Errno.EAGAIN && limit > TimeSpan.Zero | limit == Timeout.InfiniteTimeSpan
                    && (timeout != null || !description.IsNonBlocking);
                if (waits)
                {
                    AddBlocked(operation);
                    version = operation.Begin(interest, isExclusive, limit);
                }
                else if (error == Errno.EAGAIN && timeout != null)
                {
                    answer = 0;
                }
            }
            else
            {
                answer = error;
            }
        }

        if (!waits)
        {
            operation.Recycle();
            return new ValueTask<SyscallResult>(answer);
        }

        operation.Register(cancellation);
        return new ValueTask<SyscallResult>(operation, version);
    }
}

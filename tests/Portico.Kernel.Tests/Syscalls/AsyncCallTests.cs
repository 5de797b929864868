using Portico.Net;

namespace Portico.Kernel.Tests.Syscalls;

/// <summary>The calls that may wait, as ValueTasks: what the blocking ones do, without the thread.</summary>
public sealed class AsyncCallTests : IDisposable
{
    private readonly PorticoKernel _kernel = new();
    private readonly Process _process;

    public AsyncCallTests() => _process = _kernel.CreateProcess();

    public void Dispose()
    {
        _process.Exit();
        _kernel.Dispose();
    }

    private (int Reader, int Writer) Pipe(OpenFlags flags = 0)
    {
        Assert.False(_process.Pipe2(flags, out int reader, out int writer).IsError);
        return (reader, writer);
    }

    /// <summary>A stream of the loopback: a listener, and its address.</summary>
    private (int Listener, byte[] Address) Listen()
    {
        int listener = _process.Socket(AddressFamily.AF_INET, SocketType.SOCK_STREAM, 0).OrThrow();
        _process.Bind(listener, SocketAddress.Of(new Endpoint(IpAddress.LoopbackIpv4, 0))).OrThrow();
        _process.Listen(listener, 8).OrThrow();
        byte[] address = new byte[SocketAddress.Ipv4Bytes];
        _process.GetSockName(listener, address).OrThrow();
        return (listener, address);
    }

    private void SetFileLimit(ulong files) =>
        Assert.False(_process.SetRlimit(Resource.RLIMIT_NOFILE, new ResourceLimit(files, 1024)).IsError);

    [Fact]
    public async Task A_read_completes_when_bytes_come()
    {
        (int reader, int writer) = Pipe();
        byte[] buffer = new byte[8];
        ValueTask<SyscallResult> read = _process.ReadAsync(reader, buffer);
        Assert.False(read.IsCompleted);
        Assert.Equal(3, _process.Write(writer, "abc"u8).Value);
        Assert.Equal(3, (await read).Value);
        Assert.Equal("abc"u8.ToArray(), buffer[..3]);
    }

    [Fact]
    public async Task Reads_that_wait_are_served_in_the_order_in_which_they_came()
    {
        (int reader, int writer) = Pipe();
        byte[] first = new byte[1], second = new byte[1];
        ValueTask<SyscallResult> one = _process.ReadAsync(reader, first);
        ValueTask<SyscallResult> two = _process.ReadAsync(reader, second);
        _process.Write(writer, "a"u8);
        Assert.Equal(1, (await one).Value);
        _process.Write(writer, "b"u8);
        Assert.Equal(1, (await two).Value);
        Assert.Equal("ab"u8.ToArray(), new[] { first[0], second[0] });
    }

    [Fact]
    public async Task A_write_of_more_than_fits_completes_when_all_of_it_is_written()
    {
        (int reader, int writer) = Pipe();
        byte[] data = new byte[200_000];
        new Random(7).NextBytes(data);
        ValueTask<SyscallResult> write = _process.WriteAsync(writer, data);
        byte[] back = new byte[data.Length];
        for (int at = 0; at < back.Length;)
        {
            at += (int)(await _process.ReadAsync(reader, back.AsMemory(at))).Value;
        }

        Assert.Equal(data.Length, (await write).Value);
        Assert.Equal(data, back);
    }

    [Theory]
    [InlineData("tcp", false)]
    [InlineData("tcp", true)]
    [InlineData("unix", false)]
    [InlineData("unix", true)]
    public async Task A_write_that_waits_when_the_connection_is_reset_ends_as_a_blocking_one(string kind, bool isFull)
    {
        List<long> blocking = await Results(new Func<int, byte[], Task<SyscallResult>>((fd, data) => Task.Run(() => _process.Write(fd, data))));
        List<long> asynchronous = await Results(new Func<int, byte[], Task<SyscallResult>>((fd, data) => _process.WriteAsync(fd, data).AsTask()));
        Assert.Equal(blocking, asynchronous);

        async Task<List<long>> Results(Func<int, byte[], Task<SyscallResult>> write)
        {
            (int reader, int writer) = Guarantees.Sockets.StreamsOf(_process, kind);
            byte[] data = new byte[40 << 20];
            if (isFull)
            {
                Guarantees.Sockets.SetNonBlocking(_process, writer, true);
                while (_process.Write(writer, data).Value > 0)
                {
                }

                Guarantees.Sockets.SetNonBlocking(_process, writer, false);
            }

            Task<SyscallResult> waiting = write(writer, data);
            await Task.Delay(50);
            Assert.False(waiting.IsCompleted);
            _process.SetSockOpt(reader, (int)SocketLevel.SOL_SOCKET, (int)SocketOption.SO_LINGER, [1, 0, 0, 0, 0, 0, 0, 0]).OrThrow();
            _process.Close(reader).OrThrow();
            long first = (await waiting).Raw;
            return [Math.Min(first, 1), _process.Write(writer, "next"u8).Raw, _process.Write(writer, "and one more"u8).Raw];
        }
    }

    [Fact]
    public async Task A_cancelled_read_has_taken_nothing()
    {
        (int reader, int writer) = Pipe();
        using CancellationTokenSource cancellation = new();
        ValueTask<SyscallResult> read = _process.ReadAsync(reader, new byte[4], cancellation.Token);
        cancellation.Cancel();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await read);
        _process.Write(writer, "data"u8);
        byte[] buffer = new byte[4];
        Assert.Equal(4, _process.Read(reader, buffer).Value);
        Assert.Equal("data"u8.ToArray(), buffer);
    }

    [Fact]
    public async Task A_cancelled_write_says_how_much_it_has_written()
    {
        (int reader, int writer) = Pipe();
        using CancellationTokenSource cancellation = new();
        ValueTask<SyscallResult> write = _process.WriteAsync(writer, new byte[100_000], cancellation.Token);
        cancellation.Cancel();
        Assert.Equal(65_536, (await write).Value);
        Assert.Equal(65_536, _process.Read(reader, new byte[100_000]).Value);
    }

    [Fact]
    public async Task A_token_that_is_cancelled_already_wins_and_has_no_effect()
    {
        (int reader, int writer) = Pipe();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            async () => await _process.WriteAsync(writer, new byte[1], new CancellationToken(true)));
        Assert.Equal(SocketEvents.None, (SocketEvents)(await _process.PollAsync(reader, SocketEvents.Readable, Duration.Zero)).Value);
    }

    [Fact]
    public async Task Where_a_call_would_not_block_neither_does_this_one()
    {
        (int reader, int writer) = Pipe(OpenFlags.O_NONBLOCK);
        Assert.Equal(Errno.EAGAIN, (await _process.ReadAsync(reader, new byte[1])).Error);
        Assert.Equal(65_536, (await _process.WriteAsync(writer, new byte[100_000])).Value);
        Assert.Equal(Errno.EAGAIN, (await _process.WriteAsync(writer, new byte[1])).Error);
        Assert.Equal(Errno.EBADF, (await _process.ReadAsync(writer, new byte[1])).Error);
        Assert.Equal(Errno.EBADF, (await _process.ReadAsync(99, new byte[1])).Error);
    }

    [Fact]
    public async Task A_closed_descriptor_does_not_end_a_call_that_waits()
    {
        (int reader, int writer) = Pipe();
        byte[] buffer = new byte[4];
        ValueTask<SyscallResult> read = _process.ReadAsync(reader, buffer);
        _process.Close(reader).OrThrow();
        Assert.False(read.IsCompleted);
        Assert.Equal(2, _process.Write(writer, "ok"u8).Value);
        Assert.Equal(2, (await read).Value);

        // With the call went the last reader.
        Assert.Equal(Errno.EPIPE, _process.Write(writer, "x"u8).Error);
    }

    [Fact]
    public async Task The_exit_of_the_process_ends_what_waits_with_EINTR()
    {
        Process other = _kernel.CreateProcess();
        other.Pipe2(0, out int reader, out _).OrThrow();
        // Another one keeps the pipe open: otherwise the read would find the end of the file.
        Process child = other.Fork();
        ValueTask<SyscallResult> read = other.ReadAsync(reader, new byte[1]);
        ValueTask<SyscallResult> poll = other.PollAsync(reader, SocketEvents.Readable);
        other.Exit();
        Assert.Equal(Errno.EINTR, (await read).Error);
        Assert.Equal(Errno.EINTR, (await poll).Error);
        Assert.Equal(Errno.ESRCH, (await other.ReadAsync(reader, new byte[1])).Error);
        child.Exit();
    }

    [Fact]
    public async Task Connections_are_made_and_accepted()
    {
        (int listener, byte[] address) = Listen();
        ValueTask<SyscallResult> accept = _process.Accept4Async(listener, SocketType.SOCK_CLOEXEC);
        Assert.False(accept.IsCompleted);
        int client = _process.Socket(AddressFamily.AF_INET, SocketType.SOCK_STREAM, 0).OrThrow();
        Assert.Equal(0, (await _process.ConnectAsync(client, address)).OrThrow());
        int server = (await accept).OrThrow();
        ValueTask<SyscallResult> read = _process.ReadAsync(server, new byte[10]);
        Assert.Equal(5, (await _process.WriteAsync(client, "hello"u8.ToArray())).Value);
        Assert.Equal(5, (await read).Value);
        Assert.Equal(1, _process.Fcntl(server, FcntlCommand.F_GETFD, 0).Value);
        Assert.Equal(Errno.ENOTSOCK, (await _process.Accept4Async(Pipe().Reader, 0)).Error);
        Assert.Equal(Errno.EINVAL, (await _process.Accept4Async(listener, (SocketType)0x1000)).Error);
        Assert.Equal(Errno.EINVAL, (await _process.Accept4Async(client, 0)).Error);
    }

    [Fact]
    public async Task A_refused_connection_says_so()
    {
        (int listener, byte[] address) = Listen();
        _process.Close(listener).OrThrow();
        int client = _process.Socket(AddressFamily.AF_INET, SocketType.SOCK_STREAM, 0).OrThrow();
        Assert.Equal(Errno.ECONNREFUSED, (await _process.ConnectAsync(client, address)).Error);
    }

    [Fact]
    public async Task At_the_limit_of_descriptors_a_connection_stays_in_the_queue()
    {
        (int listener, byte[] address) = Listen();
        int client = _process.Socket(AddressFamily.AF_INET, SocketType.SOCK_STREAM, 0).OrThrow();
        ValueTask<SyscallResult> accept = _process.Accept4Async(listener, 0);
        SetFileLimit((ulong)client + 1);
        await _process.ConnectAsync(client, address);
        Assert.Equal(Errno.EMFILE, (await accept).Error);
        Assert.Equal(Errno.EMFILE, (await _process.Accept4Async(listener, 0)).Error);
        SetFileLimit((ulong)client + 2);
        Assert.Equal(client + 1, (await _process.Accept4Async(listener, 0)).Value);
    }

    [Fact]
    public async Task SO_RCVTIMEO_ends_a_read()
    {
        (int listener, byte[] address) = Listen();
        int client = _process.Socket(AddressFamily.AF_INET, SocketType.SOCK_STREAM, 0).OrThrow();
        await _process.ConnectAsync(client, address);
        Span<byte> millisecond = stackalloc byte[16];
        BitConverter.TryWriteBytes(millisecond[8..], 1_000L);
        _process.SetSockOpt(client, (int)SocketLevel.SOL_SOCKET, (int)SocketOption.SO_RCVTIMEO, millisecond).OrThrow();
        await ReadsTimeOut(client);
        Assert.False(_process.Close(listener).IsError);

        async Task ReadsTimeOut(int fd) => Assert.Equal(Errno.EAGAIN, (await _process.ReadAsync(fd, new byte[1])).Error);
    }

    [Fact]
    public async Task A_terminals_VTIME_ends_a_read_between_two_bytes()
    {
        int master = _process.Open("/dev/ptmx", OpenFlags.O_RDWR, 0).OrThrow();
        _process.Ioctl(master, IoctlRequest.TIOCSPTLCK, new byte[4]).OrThrow();
        int slave = _process.Ioctl(master, IoctlRequest.TIOCGPTPEER, BitConverter.GetBytes((int)OpenFlags.O_RDWR)).OrThrow();
        byte[] termios = new byte[36];
        _process.Ioctl(slave, IoctlRequest.TCGETS, termios).OrThrow();

        // c_lflag without ICANON and ECHO; VTIME (c_cc[5]) of a tenth of a second, VMIN (c_cc[6]) of ten bytes.
        termios[12] &= unchecked((byte)~0x0A);
        (termios[17 + 5], termios[17 + 6]) = (1, 10);
        _process.Ioctl(slave, IoctlRequest.TCSETS, termios).OrThrow();
        byte[] buffer = new byte[10];
        ValueTask<SyscallResult> read = _process.ReadAsync(slave, buffer);
        Assert.False(read.IsCompleted);
        Assert.Equal(2, _process.Write(master, "ab"u8).Value);
        Assert.Equal(2, (await read).Value);
        Assert.Equal("ab"u8.ToArray(), buffer[..2]);
    }

    [Fact]
    public async Task Polls_and_epoll_waits_end_by_events_or_by_time()
    {
        (int reader, int writer) = Pipe();
        int epoll = _process.EpollCreate1(0).OrThrow();
        _process.EpollCtl(epoll, EpollOperation.EPOLL_CTL_ADD, reader, new EpollEvent(EpollFlags.EPOLLIN, 77)).OrThrow();
        Assert.Equal(0, (await _process.PollAsync(reader, SocketEvents.Readable, Duration.FromMilliseconds(1))).Value);
        EpollEvent[] events = new EpollEvent[4];
        Assert.Equal(0, (await _process.EpollPwait2Async(epoll, events, Duration.FromMilliseconds(1))).Value);
        ValueTask<SyscallResult> poll = _process.PollAsync(reader, SocketEvents.Readable);
        ValueTask<SyscallResult> wait = _process.EpollPwait2Async(epoll, events);
        _process.Write(writer, "x"u8);
        Assert.Equal((long)SocketEvents.Readable, (await poll).Value);
        Assert.Equal(1, (await wait).Value);
        Assert.Equal(new EpollEvent(EpollFlags.EPOLLIN, 77), events[0]);
        Assert.Equal(Errno.EINVAL, (await _process.EpollPwait2Async(reader, events)).Error);
    }

    [Fact]
    public async Task Cancellations_that_race_with_bytes_lose_none()
    {
        (int reader, int writer) = Pipe();
        byte[] buffer = new byte[1];
        byte expected = 0;
        for (int round = 0; round < 2_000; round++)
        {
            using CancellationTokenSource cancellation = new();
            ValueTask<SyscallResult> read = _process.ReadAsync(reader, buffer, cancellation.Token);
            Task cancel = Task.Run(cancellation.Cancel);
            _process.Write(writer, [(byte)round]);
            bool taken = true;
            try
            {
                Assert.Equal(1, (await read).Value);
            }
            catch (OperationCanceledException)
            {
                taken = false;
            }

            await cancel;
            if (!taken)
            {
                Assert.Equal(1, _process.Read(reader, buffer).Value);
            }

            Assert.Equal(expected++, buffer[0]);
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Nothing_is_allocated_whether_a_call_waits_or_not(bool waits)
    {
        (int reader, int writer) = Pipe();
        byte[] buffer = new byte[64];
        long allocated = long.MaxValue;
        for (int attempt = 0; attempt < 20 && allocated != 0; attempt++)
        {
            long moved = 0;
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < 100; i++)
            {
                ValueTask<SyscallResult> early = waits ? _process.ReadAsync(reader, buffer) : default;
                moved += _process.WriteAsync(writer, buffer).GetAwaiter().GetResult().Value;
                ValueTask<SyscallResult> read = waits ? early : _process.ReadAsync(reader, buffer);
                while (!read.IsCompleted)
                {
                    Thread.Yield();
                }

                moved += read.GetAwaiter().GetResult().Value;
            }

            allocated = GC.GetAllocatedBytesForCurrentThread() - before;
            Assert.Equal(12_800, moved);
        }

        Assert.Equal(0, allocated);
    }
}

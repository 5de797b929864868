using System.Text;
using Portico.Kernel.Tests.Guarantees;
using Portico.Net;
using BytePipe = System.IO.Pipelines.Pipe;

namespace Portico.Kernel.Tests.Streams;

/// <summary>Descriptors that lead to streams of the embedder: pipes to the process, and well-behaved users of the streams.</summary>
public sealed class StreamBindingTests
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(20);

    /// <summary>A stream of which nothing comes back until it is let go, and which does not mind being cancelled.</summary>
    private sealed class StuckStream : Stream
    {
        private readonly TaskCompletionSource _gate = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public MemoryStream Taken { get; } = new();

        public bool IsDisposed { get; private set; }

        public Exception? Failure { get; set; }

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => throw new NotSupportedException();

        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public void LetGo() => _gate.TrySetResult();

        public override void Flush()
        {
        }

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            await _gate.Task;
            return Failure == null ? 0 : throw Failure;
        }

        public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            await _gate.Task;
            if (Failure != null)
            {
                throw Failure;
            }

            Taken.Write(buffer.Span);
        }

        protected override void Dispose(bool disposing) => IsDisposed = true;
    }

    [Fact]
    public async Task An_input_gives_what_the_stream_gives_and_then_the_end()
    {
        using TestKernel test = new();
        Process process = test.Process;
        BytePipe pipe = new();
        StreamBinding binding = process.BindInput(0, pipe.Reader.AsStream());
        Guarantees.Sockets.SetNonBlocking(process, 0, true);
        byte[] buffer = new byte[100];
        Assert.Equal(Errno.EAGAIN, process.Read(0, buffer).Error);
        ValueTask<SyscallResult> ready = process.PollAsync(0, SocketEvents.Readable);
        await pipe.Writer.WriteAsync("some input"u8.ToArray());
        Assert.Equal((long)SocketEvents.Readable, (await ready).Raw);
        Assert.Equal(10, process.Read(0, buffer).Raw);
        Assert.Equal("some input", Encoding.ASCII.GetString(buffer, 0, 10));
        await pipe.Writer.CompleteAsync();
        await binding.Completion.WaitAsync(s_limit);
        Assert.Equal(0, process.Read(0, buffer).Raw);
        Assert.Null(binding.Failure);
        test.AssertNothingIsLeft();
    }

    [Fact]
    public async Task An_output_has_everything_when_its_last_descriptor_is_closed()
    {
        using TestKernel test = new();
        Process process = test.Process;
        MemoryStream shown = new();
        StreamBinding binding = process.BindOutput(1, shown);
        process.Dup2(1, 2).OrThrow();
        Process child = process.Fork();
        byte[] expected = [.. Enumerable.Range(0, 300_000).Select(static i => (byte)(i * 7))];
        process.Write(1, expected.AsSpan(0, 200_000)).OrThrow();
        process.Close(1).OrThrow();
        process.Exit();
        Assert.False(binding.Completion.IsCompleted);
        child.Write(2, expected.AsSpan(200_000)).OrThrow();
        child.Exit();
        await binding.Completion.WaitAsync(s_limit);
        Assert.Equal(expected, shown.ToArray());
        Assert.False(shown.CanWrite);
        test.AssertNothingIsLeft();
    }

    [Fact]
    public async Task A_stream_that_takes_nothing_makes_the_process_wait()
    {
        using TestKernel test = new();
        Process process = test.Process;
        StuckStream stream = new();
        StreamBinding binding = process.BindOutput(1, stream, new StreamBindingOptions { BufferBytes = 8192, LeaveOpen = true });
        Guarantees.Sockets.SetNonBlocking(process, 1, true);
        long written = 0;
        for (int quiet = 0; quiet < 20; quiet++)
        {
            while (process.Write(1, new byte[512]) is { IsError: false } result)
            {
                written += result.Value;
                quiet = 0;
            }

            await Task.Delay(2);
        }

        // Two pages, and the piece that the stream has been offered.
        Assert.InRange(written, 8192, 8192 + (16 * 1024));
        Guarantees.Sockets.SetNonBlocking(process, 1, false);
        Task<SyscallResult> waiting = Task.Factory.StartNew(() => process.Write(1, new byte[100_000]), TaskCreationOptions.LongRunning);
        stream.LetGo();
        Assert.Equal(100_000, (await waiting.WaitAsync(s_limit)).Raw);
        process.Exit();
        await binding.Completion.WaitAsync(s_limit);
        Assert.Equal(written + 100_000, stream.Taken.Length);
        Assert.False(stream.IsDisposed);
        test.AssertNothingIsLeft();
    }

    [Fact]
    public async Task A_stream_is_read_no_further_than_the_buffer()
    {
        using TestKernel test = new();
        MemoryStream source = new(new byte[1 << 20]);
        StreamBinding binding = test.Process.BindInput(0, source, new StreamBindingOptions { BufferBytes = 4096, LeaveOpen = true });
        await Task.Delay(50);
        Assert.InRange(source.Position, 4096, 4096 + (2 * 16 * 1024));
        test.Process.Close(0).OrThrow();
        await binding.Completion.WaitAsync(s_limit);
        Assert.True(source.CanRead);
        test.AssertNothingIsLeft();
    }

    [Fact]
    public async Task A_stream_that_fails_is_EPIPE_and_SIGPIPE_for_who_writes_and_the_end_for_who_reads()
    {
        using TestKernel test = new();
        List<Signal> signals = [];
        Process process = test.Process;
        process.SignalHandler = (_, info) => signals.Add(info.Signal);
        StuckStream broken = new() { Failure = new IOException("unplugged") };
        broken.LetGo();
        StreamBinding input = process.BindInput(0, broken);
        Assert.Equal(0, process.Read(0, new byte[10]).Raw);
        await input.Completion.WaitAsync(s_limit);
        Assert.Same(broken.Failure, input.Failure);

        StreamBinding output = process.BindOutput(1, broken);
        Assert.Equal(1, process.Write(1, "x"u8).Raw);
        await output.Completion.WaitAsync(s_limit);
        Assert.Equal(Errno.EPIPE, process.Write(1, "x"u8).Error);
        Assert.Equal([Signal.SIGPIPE], signals);
        Assert.Same(broken.Failure, output.Failure);
        Assert.True(broken.IsDisposed);
        test.AssertNothingIsLeft();
    }

    [Fact]
    public async Task Disposing_ends_a_binding_although_its_stream_does_not_come_back()
    {
        using TestKernel test = new();
        Process process = test.Process;
        StuckStream stuck = new();
        StreamBinding input = process.BindInput(0, stuck);
        StreamBinding output = process.BindOutput(1, stuck);
        process.Write(1, "lost"u8).OrThrow();
        await input.DisposeAsync().AsTask().WaitAsync(s_limit);
        await output.DisposeAsync().AsTask().WaitAsync(s_limit);
        await output.DisposeAsync();
        Assert.Equal(0, process.Read(0, new byte[10]).Raw);
        Assert.Equal(Errno.EPIPE, process.Write(1, "x"u8).Error);
        stuck.LetGo();
        test.AssertNothingIsLeft();
    }

    [Fact]
    public async Task A_kernel_ends_although_its_streams_do_not_come_back()
    {
        StuckStream stuck = new();
        StreamBinding input;
        StreamBinding output;
        using (PorticoKernel kernel = new())
        {
            Process process = kernel.CreateProcess();
            input = process.BindInput(0, stuck);
            output = process.BindOutput(1, stuck);
            process.Write(1, "lost"u8).OrThrow();
        }

        await Task.WhenAll(input.Completion, output.Completion).WaitAsync(s_limit);
        Assert.True(stuck.IsDisposed);
    }

    [Fact]
    public void What_cannot_be_bound_throws_and_leaves_nothing()
    {
        using TestKernel test = new(files: new ResourceLimit(4, 4));
        Process process = test.Process;
        Assert.Throws<System.Net.Sockets.SocketException>(() => process.BindInput(4, new MemoryStream()));
        Assert.Throws<System.Net.Sockets.SocketException>(() => process.BindOutput(-1, new MemoryStream()));
        Assert.Throws<System.Net.Sockets.SocketException>(() => process.BindOutput(1, new MemoryStream(), new StreamBindingOptions { BufferBytes = int.MaxValue }));
        process.Exit();
        Assert.Throws<System.Net.Sockets.SocketException>(() => process.BindInput(0, new MemoryStream()));
        test.AssertNothingIsLeft();
    }
}

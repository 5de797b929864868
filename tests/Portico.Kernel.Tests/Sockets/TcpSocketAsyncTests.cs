using System.Net.Sockets;
using Portico.Net;

namespace Portico.Kernel.Tests.Sockets;

public sealed class TcpSocketAsyncTests : IDisposable
{
    private readonly SocketPair _pair = new();

    public void Dispose() => _pair.Dispose();

    [Fact]
    public async Task A_receive_completes_when_the_bytes_come()
    {
        (TcpSocket client, TcpSocket server) = _pair.Connect();
        byte[] buffer = new byte[16];
        ValueTask<int> receive = server.ReceiveAsync(buffer);
        Assert.False(receive.IsCompleted);
        Assert.Equal(5, await client.SendAsync("hello"u8.ToArray()));
        Assert.Equal(5, await receive);
        Assert.Equal("hello"u8.ToArray(), buffer[..5]);
    }

    [Fact]
    public async Task Receives_that_overlap_are_served_in_order()
    {
        (TcpSocket client, TcpSocket server) = _pair.Connect();
        byte[] first = new byte[2];
        byte[] second = new byte[2];
        ValueTask<int> firstReceive = server.ReceiveAsync(first);
        ValueTask<int> secondReceive = server.ReceiveAsync(second);
        await client.SendAsync("abcd"u8.ToArray());
        Assert.Equal(2, await firstReceive);
        Assert.Equal(2, await secondReceive);
        Assert.Equal("ab"u8.ToArray(), first);
        Assert.Equal("cd"u8.ToArray(), second);
    }

    [Fact]
    public async Task A_cancelled_receive_has_taken_nothing()
    {
        (TcpSocket client, TcpSocket server) = _pair.Connect();
        using CancellationTokenSource cancellation = new();
        byte[] buffer = new byte[4];
        ValueTask<int> receive = server.ReceiveAsync(buffer, cancellation.Token);
        cancellation.Cancel();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await receive);
        await client.SendAsync("data"u8.ToArray());
        Assert.Equal(4, await server.ReceiveAsync(buffer));
        Assert.Equal("data"u8.ToArray(), buffer);
    }

    [Fact]
    public async Task A_token_that_is_cancelled_already_wins_over_bytes_that_are_there()
    {
        (TcpSocket client, TcpSocket server) = _pair.Connect();
        await client.SendAsync("x"u8.ToArray());
        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            async () => await server.ReceiveAsync(new byte[1], new CancellationToken(true)));
        Assert.Equal(1, await server.ReceiveAsync(new byte[1]));
    }

    [Fact]
    public async Task Cancellations_that_race_with_data_lose_no_byte()
    {
        (TcpSocket client, TcpSocket server) = _pair.Connect();
        byte[] buffer = new byte[1];
        byte expected = 0;
        for (int i = 0; i < 500; i++)
        {
            using CancellationTokenSource cancellation = new();
            ValueTask<int> receive = server.ReceiveAsync(buffer, cancellation.Token);
            Task cancel = Task.Run(cancellation.Cancel);
            Assert.Equal(1, await client.SendAsync(new[] { expected }));
            try
            {
                Assert.Equal(1, await receive);
            }
            catch (OperationCanceledException)
            {
                Assert.Equal(1, await server.ReceiveAsync(buffer));
            }

            await cancel;
            Assert.Equal(expected++, buffer[0]);
        }
    }

    [Fact]
    public async Task A_cancelled_accept_takes_no_connection()
    {
        using CancellationTokenSource cancellation = new();
        ValueTask<TcpSocket?> accept = _pair.Listener.AcceptAsync(cancellation.Token);
        cancellation.Cancel();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await accept);
        using TcpSocket client = _pair.NewSocket();
        await client.ConnectAsync(_pair.Service);
        using TcpSocket? server = await _pair.Listener.AcceptAsync();
        Assert.NotNull(server);
    }

    [Fact]
    public async Task A_send_that_is_larger_than_all_buffers_waits_and_then_has_sent_everything()
    {
        (TcpSocket client, TcpSocket server) = _pair.Connect();
        byte[] data = new byte[30_000_000];
        new Random(2).NextBytes(data);
        Task<int> send = client.SendAsync(data).AsTask();
        byte[] got = new byte[data.Length];
        int count = 0;
        while (count < got.Length)
        {
            count += await server.ReceiveAsync(got.AsMemory(count));
        }

        Assert.Equal(data.Length, await send);
        Assert.True(data.AsSpan().SequenceEqual(got));
    }

    [Fact]
    public async Task A_send_cancelled_halfway_says_how_much_went_out()
    {
        (TcpSocket client, TcpSocket server) = _pair.Connect();
        using CancellationTokenSource cancellation = new();
        ValueTask<int> send = client.SendAsync(new byte[100_000_000], cancellation.Token);
        Assert.False(send.IsCompleted);
        cancellation.Cancel();
        int sent = await send;
        Assert.InRange(sent, 1, 100_000_000 - 1);
        client.Close();
        byte[] buffer = new byte[1_000_000];
        int total = 0;
        int received;
        while ((received = await server.ReceiveAsync(buffer)) != 0)
        {
            total += received;
        }

        Assert.Equal(sent, total);
    }

    [Fact]
    public async Task Closing_a_socket_fails_its_waiting_calls_as_the_BCL_does()
    {
        (TcpSocket client, _) = _pair.Connect();
        ValueTask<int> receive = client.ReceiveAsync(new byte[1]);
        client.Close();
        SocketException aborted = await Assert.ThrowsAsync<SocketException>(async () => await receive);
        Assert.Equal(SocketError.OperationAborted, aborted.SocketErrorCode);
    }

    [Fact]
    public async Task A_reset_fails_the_receive_that_waits()
    {
        (TcpSocket client, TcpSocket server) = _pair.Connect();
        ValueTask<int> receive = server.ReceiveAsync(new byte[1]);
        client.Abort();
        SocketException reset = await Assert.ThrowsAsync<SocketException>(async () => await receive);
        Assert.Equal(SocketError.ConnectionReset, reset.SocketErrorCode);
    }

    [Fact]
    public async Task An_empty_receive_waits_until_there_is_something()
    {
        (TcpSocket client, TcpSocket server) = _pair.Connect();
        ValueTask<int> ready = server.ReceiveAsync(Memory<byte>.Empty);
        Assert.False(ready.IsCompleted);
        await client.SendAsync("x"u8.ToArray());
        Assert.Equal(0, await ready);
        Assert.Equal(Errno.None, server.TryReceive(new byte[1], out int received));
        Assert.Equal(1, received);
    }

    [Fact]
    public async Task An_inline_continuation_runs_on_the_thread_of_the_sender()
    {
        (TcpSocket client, TcpSocket server) = _pair.Connect();
        server.InlineContinuations = true;
        int continuedOn = 0;
        ValueTask<int> receive = server.ReceiveAsync(new byte[1]);
        async Task ReceiveAsync()
        {
            await receive.ConfigureAwait(false);
            continuedOn = Environment.CurrentManagedThreadId;
        }

        Task receiving = ReceiveAsync();
        int sender = 0;
        Thread thread = new(() =>
        {
            sender = Environment.CurrentManagedThreadId;
            client.Send("x"u8, out _);
        });
        thread.Start();
        await receiving;
        thread.Join();
        Assert.Equal(sender, continuedOn);
    }

    [Fact]
    public void Waiting_calls_allocate_nothing_once_they_have_been_made_before()
    {
        (TcpSocket client, TcpSocket server) = _pair.Connect();
        server.InlineContinuations = true;
        client.SetOption(TcpOption.TCP_NODELAY, 1);
        byte[] data = new byte[1];
        int completed = 0;
        ValueTask<int> receive = default;
        Action continuation = () => completed++;

        void Exchange()
        {
            receive = server.ReceiveAsync(data);
            receive.GetAwaiter().UnsafeOnCompleted(continuation);
            client.Send(data, out _);
            receive.GetAwaiter().GetResult();
        }

        long allocated = long.MaxValue;

        // A thread of its own: the test runner's has a synchronization context, and posting to that allocates.
        Thread thread = new(() =>
        {
            // The least of some rounds: pools grow and locks make their events once.
            for (int round = 0; round < 5; round++)
            {
                long before = GC.GetAllocatedBytesForCurrentThread();
                for (int i = 0; i < 300; i++)
                {
                    Exchange();
                }

                allocated = Math.Min(allocated, GC.GetAllocatedBytesForCurrentThread() - before);
            }
        });
        thread.Start();
        thread.Join();
        Assert.Equal(0, allocated);
        Assert.Equal(1500, completed);
    }
}

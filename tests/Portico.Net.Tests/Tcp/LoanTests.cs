namespace Portico.Net.Tests.Tcp;

/// <summary>Sending and receiving in two halves.</summary>
public sealed class LoanTests
{
    [Theory]
    [InlineData(1500, LinkFeatures.None)]
    [InlineData(65535, LinkFeatures.ChecksumOffload | LinkFeatures.Tso4 | LinkFeatures.ReceiveChecksumVerified)]
    public void Loans_and_plain_calls_make_one_stream(int mtu, LinkFeatures features)
    {
        using TcpPair pair = new(mtu, features);
        (TcpHandle client, TcpHandle server) = pair.Connect();
        Random random = new(1);
        byte[] data = new byte[1_000_000];
        random.NextBytes(data);
        byte[] got = new byte[data.Length];
        int sent = 0;
        int received = 0;
        long blocks = pair.Engine.Blocks.BytesInUse;
        for (int step = 0; step < 10_000 && received < data.Length; step++)
        {
            SendSome(pair.A.Tcp, client, data, ref sent, random);
            pair.RunFor(Duration.FromMilliseconds(1));
            ReceiveSome(pair.B.Tcp, server, got, ref received, random);
        }

        Assert.True(data.AsSpan().SequenceEqual(got));
        pair.RunFor(Duration.FromSeconds(1));
        Assert.Equal(blocks, pair.Engine.Blocks.BytesInUse);
    }

    [Fact]
    public void A_loan_outlives_its_connection()
    {
        using TcpPair pair = new();
        (TcpHandle client, TcpHandle server) = pair.Connect();
        long blocks = pair.Engine.Blocks.BytesInUse;
        byte[] data = [1, 2, 3, 4];
        pair.A.Tcp.Send(client, data, TcpSendFlags.None, out _);
        pair.RunUntil(() => (pair.B.Tcp.Poll(server) & SocketEvents.Readable) != 0, Duration.FromSeconds(1));
        Assert.True(pair.B.Tcp.TryTakeReceived(server, 100, 1, out TcpReceiveLoan received));
        Assert.Equal(Errno.None, pair.A.Tcp.Reserve(client, 100, out TcpSendLoan reserved));
        pair.B.Tcp.Abort(server);
        pair.A.Tcp.Abort(client);
        pair.RunFor(Duration.FromSeconds(1));

        byte[] got = new byte[4];
        received.CopyTo(got);
        Assert.Equal(data, got);
        pair.B.Tcp.ReturnReceived(server, ref received);
        reserved.Span.Clear();
        Assert.Equal(Errno.EBADF, pair.A.Tcp.Commit(client, ref reserved, TcpSendFlags.None));
        Assert.Equal(blocks, pair.Engine.Blocks.BytesInUse);
    }

    [Fact]
    public void Nothing_is_lent_below_the_least_that_is_asked_for()
    {
        using TcpPair pair = new();
        (TcpHandle client, TcpHandle server) = pair.Connect();
        Assert.False(pair.B.Tcp.TryTakeReceived(server, 100, 1, out _));
        pair.A.Tcp.Send(client, new byte[10], TcpSendFlags.None, out _);
        pair.RunUntil(() => (pair.B.Tcp.Poll(server) & SocketEvents.Readable) != 0, Duration.FromSeconds(1));
        Assert.False(pair.B.Tcp.TryTakeReceived(server, 100, 11, out _));
        Assert.True(pair.B.Tcp.TryTakeReceived(server, 3, 1, out TcpReceiveLoan loan));
        Assert.Equal(3, loan.Length);
        pair.B.Tcp.ReturnReceived(server, ref loan);
        Assert.Equal(Errno.None, pair.B.Tcp.Receive(server, new byte[100], TcpReceiveFlags.None, out int left));
        Assert.Equal(7, left);
    }

    [Fact]
    public void Reserving_says_what_sending_would()
    {
        using TcpPair pair = new();
        (TcpHandle client, _) = pair.Connect();
        int taken = 0;
        while (pair.A.Tcp.Reserve(client, 1 << 20, out TcpSendLoan loan) == Errno.None)
        {
            taken += loan.Length;
            loan.Span.Clear();
            Assert.Equal(Errno.None, pair.A.Tcp.Commit(client, ref loan, TcpSendFlags.None));
        }

        Assert.True(taken > 0);
        Assert.Equal(Errno.EAGAIN, pair.A.Tcp.Reserve(client, 1, out _));
        pair.A.Tcp.Shutdown(client, TcpShutdown.Send);
        Assert.Equal(Errno.EPIPE, pair.A.Tcp.Reserve(client, 1, out _));
    }

    private static void SendSome(TcpLayer tcp, TcpHandle handle, byte[] data, ref int sent, Random random)
    {
        if (sent == data.Length)
        {
            return;
        }

        int wanted = Math.Min(data.Length - sent, random.Next(1, 40_000));
        if (random.Next(2) == 0)
        {
            if (tcp.Send(handle, data.AsSpan(sent, wanted), TcpSendFlags.None, out int taken) == Errno.None)
            {
                sent += taken;
            }
        }
        else if (tcp.Reserve(handle, wanted, out TcpSendLoan loan) == Errno.None)
        {
            data.AsSpan(sent, loan.Length).CopyTo(loan.Span);
            sent += loan.Length;
            Assert.Equal(Errno.None, tcp.Commit(handle, ref loan, TcpSendFlags.None));
        }
    }

    private static void ReceiveSome(TcpLayer tcp, TcpHandle handle, byte[] got, ref int received, Random random)
    {
        int wanted = Math.Min(got.Length - received, random.Next(1, 30_000));
        if (random.Next(2) == 0)
        {
            if (tcp.Receive(handle, got.AsSpan(received, wanted), TcpReceiveFlags.None, out int taken) == Errno.None)
            {
                received += taken;
            }
        }
        else if (tcp.TryTakeReceived(handle, wanted, 1, out TcpReceiveLoan loan))
        {
            loan.CopyTo(got.AsSpan(received, wanted));
            received += loan.Length;
            tcp.ReturnReceived(handle, ref loan);
        }
    }
}

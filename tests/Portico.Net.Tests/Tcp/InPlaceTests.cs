namespace Portico.Net.Tests.Tcp;

/// <summary>Handing received bytes on from where they lie, and sending from memory that was filled in part only.</summary>
public sealed unsafe class InPlaceTests
{
    [Fact]
    public void Bytes_stay_in_the_stream_until_they_are_skipped()
    {
        using RawPeer peer = new();
        peer.EstablishPassive();
        peer.Say("hello, world"u8);

        Assert.Equal("hello, world", Peek(peer));
        Assert.Equal("hello, world", Peek(peer));
        peer.Tcp.SkipReceived(peer.Handle, 5);
        Assert.Equal(", world", Peek(peer));
        Assert.Equal(", world", Receive(peer));
        Assert.Equal("", Peek(peer));
        Assert.Equal(0, peer.Tcp.ReceiveMemory);
    }

    [Fact]
    public void A_skip_may_end_inside_of_any_segment()
    {
        byte[] data = TcpPair.Pattern(100_000);
        using TcpPair pair = new(mtu: 9000);
        (TcpHandle client, TcpHandle server) = pair.Connect();
        long blocks = pair.Engine.Blocks.BytesInUse;
        RandomSource random = new(5);
        List<byte> got = [];
        int sent = 0;
        for (int step = 0; step < 10_000 && got.Count < data.Length; step++)
        {
            if (sent < data.Length && pair.A.Tcp.Send(client, data.AsSpan(sent), TcpSendFlags.None, out int taken) == Errno.None)
            {
                sent += taken;
            }

            pair.RunFor(Duration.FromMilliseconds(1));
            byte[] listed = Peek(pair.B.Tcp, server);
            int count = Math.Min(listed.Length, 1 + (int)(random.NextUInt64() % 20_000));
            got.AddRange(listed.AsSpan(0, count));
            pair.B.Tcp.SkipReceived(server, count);
        }

        Assert.Equal(data, got);
        pair.RunFor(Duration.FromSeconds(1));
        Assert.Equal(blocks, pair.Engine.Blocks.BytesInUse);
        Assert.Equal(0, pair.B.Tcp.ReceiveMemory);
    }

    [Fact]
    public void No_more_slices_are_listed_than_there_is_place_for()
    {
        using RawPeer peer = new();
        peer.EstablishPassive();
        for (int i = 0; i < 3; i++)
        {
            peer.Say(new byte[1000]);
        }

        TcpReceivedSlice* slices = stackalloc TcpReceivedSlice[2];
        Assert.Equal(2, peer.Tcp.PeekReceived(peer.Handle, new Span<TcpReceivedSlice>(slices, 2)));
        Assert.Equal(1000, slices[0].Length);
        Assert.Equal(1000, slices[1].Length);
        peer.Tcp.SkipReceived(peer.Handle, 2000);
        Assert.Equal(1, peer.Tcp.PeekReceived(peer.Handle, new Span<TcpReceivedSlice>(slices, 2)));
    }

    [Fact]
    public void What_came_out_of_order_is_listed_when_the_gap_is_filled()
    {
        using RawPeer peer = new();
        peer.EstablishPassive();
        peer.Inject(TcpFlags.Ack | TcpFlags.Psh, peer.Seq + 3, peer.Ack, "def"u8);
        Assert.Equal("", Peek(peer));
        peer.Inject(TcpFlags.Ack | TcpFlags.Psh, peer.Seq, peer.Ack, "abc"u8);
        Assert.Equal("abcdef", Peek(peer));
        peer.Tcp.SkipReceived(peer.Handle, 4);
        Assert.Equal("ef", Peek(peer));
    }

    [Fact]
    public void An_overlap_is_listed_once()
    {
        using RawPeer peer = new();
        peer.EstablishPassive();
        peer.Inject(TcpFlags.Ack | TcpFlags.Psh, peer.Seq + 2, peer.Ack, "cdef"u8);
        peer.Inject(TcpFlags.Ack | TcpFlags.Psh, peer.Seq, peer.Ack, "abcd"u8);
        Assert.Equal("abcdef", Peek(peer));
    }

    [Fact]
    public void Bytes_before_and_at_the_urgent_mark_are_left_to_reading()
    {
        using RawPeer peer = new();
        peer.EstablishPassive();
        peer.Tcp.SetOption(peer.Handle, TcpOption.SO_OOBINLINE, 1);
        peer.Inject(TcpFlags.Ack | TcpFlags.Urg, peer.Seq, peer.Ack, "abc"u8, urgent: 2);
        Assert.Equal("", Peek(peer));
        Assert.Equal("a", Receive(peer));
        Assert.True(peer.Tcp.IsAtMark(peer.Handle));
        Assert.Equal("", Peek(peer));
        Assert.Equal("b", Receive(peer, 1));
        Assert.Equal("c", Peek(peer));
    }

    [Fact]
    public void A_skip_opens_the_window_as_reading_does()
    {
        using RawPeer peer = new();
        peer.EstablishPassive();
        int said = 0;
        ushort window = 65535;
        while (window >= 1460)
        {
            peer.Say(new byte[1460]);
            said += 1460;
            peer.RunFor(Duration.FromMilliseconds(300));
            while (peer.Received.TryDequeue(out Seg? ack))
            {
                window = ack.Window;
            }
        }

        // Half a segment is no news (RFC 9293 3.8.6.2.2, silly window avoidance); all of it is.
        peer.Tcp.SkipReceived(peer.Handle, 700);
        peer.Settle();
        peer.ExpectSilence();
        peer.Tcp.SkipReceived(peer.Handle, said - 700);
        peer.Settle();
        Seg update = peer.Expect(TcpFlags.Ack);
        Assert.Equal(peer.Seq, update.Ack);
        Assert.True(update.Window >= 2 * window && update.Window >= 1460, $"window {update.Window}");
        Assert.Equal(0, peer.Tcp.ReceiveMemory);
    }

    [Fact]
    public void The_end_is_not_listed_and_not_skipped()
    {
        using RawPeer peer = new();
        peer.EstablishPassive();
        peer.Say("bye"u8, TcpFlags.Ack | TcpFlags.Psh | TcpFlags.Fin);
        Assert.Equal("bye", Peek(peer));
        peer.Tcp.SkipReceived(peer.Handle, 1000);
        Assert.Equal("", Peek(peer));
        Assert.Equal(Errno.None, peer.Tcp.Receive(peer.Handle, new byte[10], TcpReceiveFlags.None, out int received));
        Assert.Equal(0, received);
        Assert.Equal(TcpState.CloseWait, peer.State);
    }

    [Fact]
    public void A_connection_that_is_gone_lists_nothing_and_leaves_nothing()
    {
        using RawPeer peer = new();
        peer.EstablishPassive();
        peer.Say(new byte[1000]);
        Assert.Equal(1000, Peek(peer).Length);
        peer.Tcp.Abort(peer.Handle);
        peer.Tcp.SkipReceived(peer.Handle, 1000);
        Assert.Equal("", Peek(peer));
        peer.RunFor(Duration.FromSeconds(1));
        Assert.Equal(0, peer.Engine.Blocks.BytesInUse);
        Assert.Equal(0, peer.Tcp.ReceiveMemory);
    }

    [Fact]
    public void A_loan_that_was_filled_in_part_sends_that_part()
    {
        using TcpPair pair = new();
        (TcpHandle client, TcpHandle server) = pair.Connect();
        long blocks = pair.Engine.Blocks.BytesInUse;
        Assert.Equal(Errno.None, pair.A.Tcp.Reserve(client, 1000, out TcpSendLoan loan));
        loan.Span.Fill((byte)'x');
        "one "u8.CopyTo(loan.Span);
        Assert.Equal(Errno.None, pair.A.Tcp.Commit(client, ref loan, 4, TcpSendFlags.None));
        Assert.Equal(Errno.None, pair.A.Tcp.Send(client, "two"u8, TcpSendFlags.None, out _));
        pair.RunFor(Duration.FromSeconds(1));
        Assert.Equal("one two"u8, Peek(pair.B.Tcp, server));
        pair.B.Tcp.SkipReceived(server, 7);
        pair.RunFor(Duration.FromSeconds(1));
        Assert.Equal(blocks, pair.Engine.Blocks.BytesInUse);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    [InlineData(101)]
    public void A_length_outside_of_the_loan_is_refused_and_the_loan_stays_the_callers(int length)
    {
        using TcpPair pair = new();
        (TcpHandle client, _) = pair.Connect();
        long blocks = pair.Engine.Blocks.BytesInUse;
        Assert.Equal(Errno.None, pair.A.Tcp.Reserve(client, 100, out TcpSendLoan loan));
        Assert.Throws<ArgumentOutOfRangeException>(() => pair.A.Tcp.Commit(client, ref loan, length, TcpSendFlags.None));
        pair.A.Tcp.Return(ref loan);
        Assert.Equal(blocks, pair.Engine.Blocks.BytesInUse);
    }

    [Fact]
    public void A_loan_that_is_given_back_was_never_sent()
    {
        using TcpPair pair = new();
        (TcpHandle client, TcpHandle server) = pair.Connect();
        long blocks = pair.Engine.Blocks.BytesInUse;
        Assert.Equal(Errno.None, pair.A.Tcp.Reserve(client, 100, out TcpSendLoan loan));
        pair.A.Tcp.Return(ref loan);
        pair.A.Tcp.Return(ref loan);
        Assert.Equal(blocks, pair.Engine.Blocks.BytesInUse);
        pair.RunFor(Duration.FromSeconds(1));
        Assert.Equal(Errno.EAGAIN, pair.B.Tcp.Receive(server, new byte[10], TcpReceiveFlags.None, out _));
    }

    [Theory]
    [InlineData(1500, 45 * 1448)]
    [InlineData(9000, 7 * 8948)]
    [InlineData(65520, 65468)]
    public void Who_writes_as_much_as_a_packet_carries_leaves_no_rest(int mtu, int expected)
    {
        const LinkFeatures Features = LinkFeatures.ChecksumOffload | LinkFeatures.Tso4 | LinkFeatures.ReceiveChecksumVerified;
        using TcpPair pair = new(
            mtu, Features, configureA: settings => settings.tcp_slow_start_after_idle = false,
            configureB: settings => settings.tcp_rmem = (4096, 1 << 20, 6 << 20));
        (TcpHandle client, TcpHandle server) = pair.Connect();
        pair.Transfer(pair.A, client, pair.B, server, 4_000_000, Duration.FromSeconds(60));
        pair.RunFor(Duration.FromSeconds(1));
        pair.A.Tcp.SetOption(client, TcpOption.TCP_NODELAY, 1);

        // The segment's size without SACK blocks and with timestamps.
        Assert.Equal(expected, pair.A.Tcp.PacketBytes(client));
        TcpReceivedSlice* slices = stackalloc TcpReceivedSlice[4];
        for (int i = 0; i < 3; i++)
        {
            Assert.Equal(Errno.None, pair.A.Tcp.Reserve(client, expected, out TcpSendLoan loan));
            Assert.Equal(Errno.None, pair.A.Tcp.Commit(client, ref loan, expected, TcpSendFlags.None));
            pair.RunFor(Duration.FromSeconds(1));
            Assert.Equal(1, pair.B.Tcp.PeekReceived(server, new Span<TcpReceivedSlice>(slices, 4)));
            Assert.Equal(expected, slices[0].Length);
            pair.B.Tcp.SkipReceived(server, expected);
        }

        Assert.Equal(0, pair.B.Tcp.PacketBytes(default));
    }

    private static string Peek(RawPeer peer) => System.Text.Encoding.ASCII.GetString(Peek(peer.Tcp, peer.Handle));

    private static byte[] Peek(TcpLayer tcp, TcpHandle handle)
    {
        TcpReceivedSlice* slices = stackalloc TcpReceivedSlice[64];
        int count = tcp.PeekReceived(handle, new Span<TcpReceivedSlice>(slices, 64));
        List<byte> bytes = [];
        for (int i = 0; i < count; i++)
        {
            bytes.AddRange(new ReadOnlySpan<byte>(slices[i].Start, slices[i].Length));
        }

        return [.. bytes];
    }

    private static string Receive(RawPeer peer, int most = 100)
    {
        byte[] buffer = new byte[most];
        Assert.Equal(Errno.None, peer.Tcp.Receive(peer.Handle, buffer, TcpReceiveFlags.None, out int received));
        return System.Text.Encoding.ASCII.GetString(buffer, 0, received);
    }
}

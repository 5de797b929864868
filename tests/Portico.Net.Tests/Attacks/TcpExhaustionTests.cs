using Portico.Net;
using Portico.Net.Tests.Tcp;

namespace Portico.Net.Tests.Attacks;

/// <summary>Attack classes C01 to C17, as far as TCP answers for them: memory stays bounded, honest peers are served.</summary>
public class TcpExhaustionTests
{
    private static readonly byte[] s_one = new byte[1];

    private static byte[] SynOptions(bool timestamps = false)
    {
        byte[] options = new byte[40];
        return options[..TcpOptions.WriteSyn(options, 1460, 7, true, timestamps, 1, 0)];
    }

    [Fact]
    public void C01_a_syn_flood_fills_the_queue_and_an_honest_client_still_gets_in_by_cookie()
    {
        using RawPeer peer = new();
        TcpListenerHandle listener = peer.Listen(backlog: 64);
        IpAddress honest = peer.PeerAddress;
        for (uint i = 0; i < 50_000; i++)
        {
            peer.PeerAddress = IpAddress.FromIpv4(0x0B00_0000 + i);
            peer.Inject(TcpFlags.Syn, i, 0, default, 65535, SynOptions());
        }

        Assert.InRange(peer.Tcp.HalfOpenCount, 1, 65);
        Assert.True(peer.Tcp.Mib[TcpCounter.SyncookiesSent] > 49_000);
        peer.PeerAddress = honest;
        peer.Received.Clear();
        peer.TsVal = 77;
        peer.Inject(TcpFlags.Syn, 1000, 0, default, 65535, SynOptions(true));
        Seg synAck = peer.Expect(TcpFlags.Syn | TcpFlags.Ack);
        peer.Timestamps = true;
        peer.TsEcr = synAck.Options.TsVal;
        peer.Inject(TcpFlags.Ack, 1001, synAck.Seq + 1);
        Assert.Equal(Errno.None, peer.Tcp.Accept(listener, null, out TcpHandle handle));
        peer.Inject(TcpFlags.Ack | TcpFlags.Psh, 1001, synAck.Seq + 1, "hello"u8);
        byte[] buffer = new byte[10];
        Assert.Equal(Errno.None, peer.Tcp.Receive(handle, buffer, TcpReceiveFlags.None, out int count));
        Assert.Equal("hello"u8.ToArray(), buffer[..count]);
        peer.Tcp.GetInfo(handle, out TcpInfo info);
        Assert.True(info.Sack && info.Timestamps);
        Assert.Equal(7, info.SndWindShift);
        peer.RunFor(Duration.FromSeconds(70));
        Assert.Equal(0, peer.Tcp.HalfOpenCount);
    }

    [Fact]
    public void C02_acks_that_nobody_asked_for_make_no_connection()
    {
        using RawPeer peer = new();
        peer.Listen(backlog: 1);
        for (uint i = 0; i < 10; i++)
        {
            peer.Inject(TcpFlags.Syn, i, 0, default, 65535, default, 0, (ushort)(6000 + i));
        }

        RandomSource random = new(3);
        for (int i = 0; i < 100_000; i++)
        {
            peer.Inject(TcpFlags.Ack, random.NextUInt32(), random.NextUInt32());
            peer.Received.Clear();
        }

        Assert.Equal(0, peer.Tcp.ConnectionCount);
        Assert.Equal(100_000, peer.Tcp.Mib[TcpCounter.SyncookiesFailed]);
    }

    [Fact]
    public void C03_connections_beyond_the_accept_queue_wait_and_lose_nothing()
    {
        using TcpPair pair = new(configureB: s => s.tcp_syncookies = 0);
        TcpListenerHandle listener = pair.Listen(backlog: 4);
        TcpHandle[] clients = new TcpHandle[12];
        for (int i = 0; i < clients.Length; i++)
        {
            clients[i] = pair.Open();
        }

        pair.RunFor(Duration.FromMilliseconds(100));
        for (int i = 0; i < clients.Length; i++)
        {
            pair.A.Tcp.Send(clients[i], new[] { (byte)i }, TcpSendFlags.None, out _);
        }

        pair.RunFor(Duration.FromSeconds(1));
        int got = 0;
        pair.RunUntil(
            () =>
            {
                while (pair.B.Tcp.Accept(listener, null, out TcpHandle server) == Errno.None)
                {
                    pair.B.Tcp.Close(server);
                    got++;
                }

                foreach (ref TcpHandle client in clients.AsSpan())
                {
                    // A client whose SYN was dropped while the queue was full sends its byte once it is in.
                    pair.A.Tcp.Send(client, s_one, TcpSendFlags.None, out _);
                }

                return got == clients.Length;
            },
            Duration.FromSeconds(120));
    }

    [Fact]
    public void C05_a_hundred_thousand_one_byte_segments_beyond_a_hole_stay_within_the_buffer_and_the_stream_completes()
    {
        using RawPeer peer = new();
        peer.EstablishPassive(sack: true, windowScale: 7);
        byte[] sent = TcpPair.Pattern(40_000);
        for (int i = 1; i < 40_000; i += 2)
        {
            peer.Inject(TcpFlags.Ack, peer.Seq + (uint)i, peer.Ack, sent.AsSpan(i, 1));
            peer.Received.Clear();
        }

        Assert.InRange(peer.Tcp.ReceiveMemory, 1, 300_000);
        Assert.True(peer.Tcp.Mib[TcpCounter.TCPOFODrop] > 0);
        byte[] got = new byte[sent.Length];
        int read = 0;
        for (int at = 0; at < sent.Length; at += 1000)
        {
            peer.Inject(TcpFlags.Ack, peer.Seq + (uint)at, peer.Ack, sent.AsSpan(at, 1000));
            peer.Tcp.Receive(peer.Handle, got.AsSpan(read), TcpReceiveFlags.None, out int count);
            read += count;
        }

        Assert.Equal(sent, got);
        Assert.Equal(0, peer.Tcp.ReceiveMemory);
    }

    [Fact]
    public void C06_sack_blocks_that_lie_or_shred_are_ignored_or_bounded()
    {
        using RawPeer peer = new();
        peer.EstablishPassive(sack: true, windowScale: 7, mss: 48);
        peer.Tcp.Send(peer.Handle, new byte[16_000], TcpSendFlags.None, out _);
        peer.Settle();
        int before = peer.Received.Count;
        byte[] options = new byte[40];
        for (uint i = 0; i < 2000; i++)
        {
            uint left = peer.Ack + (i * 7 % 16_000);
            SackBlock[] blocks =
            [
                new(left, left + 3), new(peer.Ack - 100, peer.Ack - 50), new(peer.Ack + 100_000, peer.Ack + 100_001), new(left + 9, left + 1),
            ];
            int length = TcpOptions.WriteSack(options, blocks);
            peer.Inject(TcpFlags.Ack, peer.Seq, peer.Ack, default, 65535, options.AsSpan(0, length));
        }

        peer.Tcp.GetInfo(peer.Handle, out TcpInfo info);
        Assert.Equal(0u, info.Sacked);
        Assert.True(peer.Tcp.Mib[TcpCounter.TCPSACKDiscard] >= 4000);
        Assert.InRange(peer.Received.Count - before, 0, 10);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(8)]
    [InlineData(47)]
    public void C07_a_tiny_mss_is_raised_to_tcp_min_snd_mss(int mss)
    {
        using RawPeer peer = new();
        TcpListenerHandle listener = peer.Listen();
        byte[] options = [2, 4, (byte)(mss >> 8), (byte)mss];
        peer.Inject(TcpFlags.Syn, peer.Seq, 0, default, 65535, options);
        Seg synAck = peer.Expect(TcpFlags.Syn | TcpFlags.Ack);
        peer.Inject(TcpFlags.Ack, peer.Seq + 1, synAck.Seq + 1);
        peer.Tcp.Accept(listener, null, out TcpHandle handle);
        peer.Tcp.Send(handle, new byte[1000], TcpSendFlags.None, out _);
        peer.Settle();
        Assert.All(peer.Received.SkipLast(1), seg => Assert.InRange(seg.Payload.Length, mss == 0 ? 536 : 48, 536));
    }

    [Fact]
    public void C11_when_time_wait_has_eaten_the_ports_opens_fail_and_later_work_again()
    {
        using TcpPair pair = new(configureA: s => s.tcp_tw_reuse = 0);
        Assert.Equal(Errno.None, pair.A.LocalPorts.SetRange(40_000, 40_099));
        TcpListenerHandle listener = pair.Listen();
        for (int i = 0; i < 100; i++)
        {
            TcpHandle client = pair.Open();
            TcpHandle server = default;
            pair.RunUntil(() => pair.B.Tcp.Accept(listener, null, out server) == Errno.None, Duration.FromSeconds(5));
            pair.A.Tcp.Close(client);
            pair.Settle();
            pair.B.Tcp.Close(server);
            pair.Settle();
        }

        Assert.Equal(100, pair.A.Tcp.TimeWaitCount);
        TcpOpenRequest request = new() { Remote = new Endpoint(pair.AddressB, 80) };
        Assert.Equal(Errno.EADDRNOTAVAIL, pair.A.Tcp.Open(request, null, out _));
        pair.RunFor(Duration.FromSeconds(61));
        Assert.Equal(0, pair.A.Tcp.TimeWaitCount);
        Assert.Equal(Errno.None, pair.A.Tcp.Open(request, null, out _));
    }

    [Fact]
    public void C11_a_port_in_time_wait_is_taken_over_after_tcp_tw_reuse_delay()
    {
        using TcpPair pair = new(configureA: s => (s.tcp_tw_reuse, s.tcp_tw_reuse_delay) = (1, 2_500));
        Assert.Equal(Errno.None, pair.A.LocalPorts.SetRange(40_000, 40_000));
        (TcpHandle client, TcpHandle server) = pair.Connect();
        pair.A.Tcp.Close(client);
        pair.Settle();
        pair.B.Tcp.Close(server);
        pair.Settle();
        TcpOpenRequest request = new() { Remote = new Endpoint(pair.AddressB, 80) };
        pair.RunFor(Duration.FromMilliseconds(2_400));
        Assert.Equal(Errno.EADDRNOTAVAIL, pair.A.Tcp.Open(request, null, out _));
        pair.RunFor(Duration.FromMilliseconds(200));
        Assert.Equal(Errno.None, pair.A.Tcp.Open(request, null, out _));
        Assert.Equal(0, pair.A.Tcp.TimeWaitCount);
    }

    [Fact]
    public void C11_time_wait_records_beyond_tcp_max_tw_buckets_are_not_made_and_counted()
    {
        using TcpPair pair = new(configureA: s => s.tcp_max_tw_buckets = 10);
        TcpListenerHandle listener = pair.Listen();
        for (int i = 0; i < 25; i++)
        {
            TcpHandle client = pair.Open();
            TcpHandle server = default;
            pair.RunUntil(() => pair.B.Tcp.Accept(listener, null, out server) == Errno.None, Duration.FromSeconds(5));
            pair.A.Tcp.Close(client);
            pair.Settle();
            pair.B.Tcp.Close(server);
            pair.Settle();
        }

        Assert.Equal(10, pair.A.Tcp.TimeWaitCount);
        Assert.Equal(15, pair.A.Tcp.Mib[TcpCounter.TCPTimeWaitOverflow]);
    }

    [Fact]
    public void C13_one_byte_segments_that_nobody_reads_do_not_pin_a_block_each()
    {
        using RawPeer peer = new();
        peer.EstablishPassive();
        for (int i = 0; i < 30_000; i++)
        {
            peer.Say(s_one);
            peer.Received.Clear();
        }

        Assert.InRange(peer.Engine.Blocks.BytesInUse, 30_000, 140_000);
    }

    [Fact]
    public void C17_a_window_that_shrinks_below_what_was_sent_is_survived()
    {
        RandomSource random = new(11);
        for (int round = 0; round < 50; round++)
        {
            using RawPeer peer = new(seed: (ulong)round + 1);
            peer.EstablishPassive();
            peer.Tcp.Send(peer.Handle, new byte[60_000], TcpSendFlags.None, out int sent);
            peer.Settle();
            uint acked = peer.Ack;
            for (int i = 0; i < 60 && acked != peer.Ack + (uint)sent; i++)
            {
                foreach (Seg seg in peer.Received)
                {
                    if (seg.Seq == acked && random.NextChance(0.7))
                    {
                        acked += (uint)seg.Payload.Length;
                    }
                }

                peer.Received.Clear();
                peer.Inject(TcpFlags.Ack, peer.Seq, acked, default, (ushort)random.NextBelow(4000));
                peer.RunFor(Duration.FromMilliseconds(300));
            }

            for (int i = 0; i < 400 && acked != peer.Ack + (uint)sent; i++)
            {
                foreach (Seg seg in peer.Received)
                {
                    if (seg.Seq == acked)
                    {
                        acked += (uint)seg.Payload.Length;
                    }
                }

                peer.Received.Clear();
                peer.Inject(TcpFlags.Ack, peer.Seq, acked, default, 65535);
                peer.RunFor(Duration.FromSeconds(1));
            }

            Assert.Equal(peer.Ack + (uint)sent, acked);

        }
    }
}

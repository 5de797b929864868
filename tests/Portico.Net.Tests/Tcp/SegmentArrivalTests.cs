using Portico.Net;

namespace Portico.Net.Tests.Tcp;

/// <summary>RFC 9293 3.10.7 with RFC 5961: what each state answers to segments that a well-behaved peer would not send.</summary>
public class SegmentArrivalTests
{
    private static readonly TcpState[] s_synchronized =
    [
        TcpState.Established, TcpState.FinWait1, TcpState.FinWait2, TcpState.CloseWait, TcpState.Closing, TcpState.LastAck,
    ];

    public static TheoryData<TcpState> Synchronized => [.. s_synchronized];

    [Fact]
    public void Closed_resets_whatever_is_not_a_reset()
    {
        using RawPeer peer = new();
        for (int flags = 0; flags < 64; flags++)
        {
            TcpFlags f = (TcpFlags)flags;
            peer.Inject(f, 1000, 2000, "abc"u8);
            if ((f & TcpFlags.Rst) != 0)
            {
                peer.ExpectSilence();
            }
            else if ((f & TcpFlags.Ack) != 0)
            {
                Seg reset = peer.Expect(TcpFlags.Rst);
                Assert.Equal(2000u, reset.Seq);
            }
            else
            {
                Seg reset = peer.Expect(TcpFlags.Rst | TcpFlags.Ack);
                Assert.Equal(0u, reset.Seq);
                uint length = 3u + ((f & TcpFlags.Syn) != 0 ? 1u : 0) + ((f & TcpFlags.Fin) != 0 ? 1u : 0);
                Assert.Equal(1000 + length, reset.Ack);
            }
        }
    }

    [Fact]
    public void Listen_answers_a_plain_syn_resets_an_ack_and_ignores_the_rest()
    {
        for (int flags = 0; flags < 64; flags++)
        {
            using RawPeer peer = new();
            peer.Listen();
            TcpFlags f = (TcpFlags)flags;
            peer.Inject(f, 1000, 2000);
            if ((f & TcpFlags.Rst) != 0)
            {
                peer.ExpectSilence();
            }
            else if ((f & TcpFlags.Ack) != 0)
            {
                Assert.Equal(2000u, peer.Expect(TcpFlags.Rst).Seq);
            }
            else if ((f & TcpFlags.Syn) != 0 && (f & TcpFlags.Fin) == 0)
            {
                Assert.Equal(1001u, peer.Expect(TcpFlags.Syn | TcpFlags.Ack).Ack);
            }
            else
            {
                peer.ExpectSilence();
            }
        }
    }

    [Theory]
    [MemberData(nameof(Synchronized))]
    public void Only_a_reset_at_exactly_rcv_nxt_resets(TcpState state)
    {
        using RawPeer peer = new();
        peer.GoTo(state);
        foreach (int offset in (int[])[1, 100, 5000])
        {
            peer.RunFor(Duration.FromMilliseconds(510));
            peer.Received.Clear();
            peer.Inject(TcpFlags.Rst, peer.Seq + (uint)offset, 0);
            peer.Expect(TcpFlags.Ack);
            Assert.Equal(state, peer.State);
        }

        peer.Received.Clear();
        peer.Inject(TcpFlags.Rst, peer.Seq - 100, 0);
        peer.Inject(TcpFlags.Rst, peer.Seq + 200_000, 0);
        peer.ExpectSilence();
        Assert.Equal(state, peer.State);

        peer.Inject(TcpFlags.Rst, peer.Seq, 0);
        Assert.Equal(TcpState.Closed, peer.State);
        peer.ExpectSilence();
    }

    [Theory]
    [MemberData(nameof(Synchronized))]
    public void A_syn_in_a_synchronized_state_is_challenged_and_changes_nothing(TcpState state)
    {
        foreach (uint offset in (uint[])[0, 100, 300_000, unchecked((uint)-100)])
        {
            using RawPeer peer = new();
            peer.GoTo(state);
            peer.Inject(TcpFlags.Syn, peer.Seq + offset, 0);
            Seg challenge = peer.Expect(TcpFlags.Ack);
            Assert.Equal(peer.Seq, challenge.Ack);
            Assert.Equal(state, peer.State);
        }
    }

    [Theory]
    [MemberData(nameof(Synchronized))]
    public void An_ack_of_what_was_never_sent_is_dropped_with_its_data_and_answered_outside_of_established(TcpState state)
    {
        using RawPeer peer = new();
        peer.GoTo(state);
        peer.Inject(TcpFlags.Ack, peer.Seq, peer.Ack + 1000, "xxx"u8);
        if (state == TcpState.Established)
        {
            // RFC 5961 5.2 asks for an answer, Linux gives none here.
            peer.ExpectSilence();
        }
        else
        {
            Assert.Equal(peer.Seq, peer.Expect(TcpFlags.Ack).Ack);
        }

        Assert.Equal(1, peer.Tcp.Mib[TcpCounter.InvalidAcks]);
        Assert.Equal(state, peer.State);
    }

    [Fact]
    public void Data_with_an_ack_older_than_the_largest_window_is_not_accepted()
    {
        using RawPeer peer = new();
        peer.EstablishPassive(window: 1000);
        peer.Inject(TcpFlags.Ack, peer.Seq, peer.Ack - 70_000, "inject"u8);
        peer.Expect(TcpFlags.Ack);
        Assert.Equal(Errno.EAGAIN, peer.Tcp.Receive(peer.Handle, new byte[10], TcpReceiveFlags.None, out _));
    }

    [Fact]
    public void Data_without_the_ack_bit_is_dropped()
    {
        using RawPeer peer = new();
        peer.EstablishPassive();
        peer.Inject(TcpFlags.None, peer.Seq, 0, "abc"u8);
        peer.ExpectSilence();
        Assert.Equal(1, peer.Tcp.Mib[TcpCounter.NoAckFlag]);
    }

    [Fact]
    public void Syn_sent_resets_an_ack_of_anything_but_its_syn_and_believes_only_an_acknowledged_reset()
    {
        using RawPeer peer = new();
        peer.GoTo(TcpState.SynSent);
        peer.Inject(TcpFlags.Syn | TcpFlags.Ack, 1000, peer.Ack + 5);
        Assert.Equal(peer.Ack + 5, peer.Expect(TcpFlags.Rst).Seq);
        peer.Inject(TcpFlags.Rst, 1000, 0);
        peer.Inject(TcpFlags.Rst | TcpFlags.Ack, 1000, peer.Ack + 5);
        peer.ExpectSilence();
        Assert.Equal(TcpState.SynSent, peer.State);
        peer.Inject(TcpFlags.Rst | TcpFlags.Ack, 0, peer.Ack);
        Assert.Equal(Errno.ECONNREFUSED, peer.Tcp.TakeError(peer.Handle));
        Assert.Equal(TcpState.Closed, peer.State);
    }

    [Fact]
    public void Fifty_resets_in_the_window_draw_one_challenge()
    {
        using RawPeer peer = new();
        peer.EstablishPassive();
        for (uint i = 1; i <= 50; i++)
        {
            peer.Inject(TcpFlags.Rst, peer.Seq + (i * 100), 0);
        }

        peer.Expect(TcpFlags.Ack);
        peer.ExpectSilence();
        Assert.Equal(49, peer.Tcp.Mib[TcpCounter.TCPACKSkippedChallenge]);
    }

    [Fact]
    public void Time_wait_ignores_a_reset_acknowledges_old_segments_and_yields_to_a_newer_syn()
    {
        using RawPeer peer = new();
        peer.GoTo(TcpState.TimeWait);
        peer.Inject(TcpFlags.Rst, peer.Seq, 0);
        Assert.Equal(1, peer.Tcp.TimeWaitCount);
        peer.Inject(TcpFlags.Fin | TcpFlags.Ack, peer.Seq - 1, peer.Ack);
        Assert.Equal(peer.Seq, peer.Expect(TcpFlags.Ack).Ack);
        peer.Inject(TcpFlags.Syn, peer.Seq - 500, 0);
        peer.RunFor(Duration.FromSeconds(1));
        peer.Received.Clear();
        peer.Inject(TcpFlags.Syn, peer.Seq + 100_000, 0);
        Seg synAck = peer.Expect(TcpFlags.Syn | TcpFlags.Ack);
        Assert.Equal(peer.Seq + 100_001, synAck.Ack);
        Assert.True((int)(synAck.Seq - peer.Ack) > 65535, "the new sequence numbers begin beyond the old ones");
        Assert.Equal(0, peer.Tcp.TimeWaitCount);
    }

    [Fact]
    public void Time_wait_lasts_a_minute_from_the_last_segment_that_needed_it()
    {
        using RawPeer peer = new();
        peer.GoTo(TcpState.TimeWait);
        peer.RunFor(Duration.FromSeconds(40));
        peer.Inject(TcpFlags.Fin | TcpFlags.Ack, peer.Seq - 1, peer.Ack);
        peer.RunFor(Duration.FromSeconds(59));
        Assert.Equal(1, peer.Tcp.TimeWaitCount);
        peer.RunFor(Duration.FromSeconds(2));
        Assert.Equal(0, peer.Tcp.TimeWaitCount);
    }

    [Fact]
    public void Data_for_a_connection_that_was_closed_is_reset()
    {
        using RawPeer peer = new();
        peer.EstablishPassive();
        peer.Tcp.Close(peer.Handle);
        peer.Settle();
        peer.Expect(TcpFlags.Fin | TcpFlags.Ack);
        peer.Inject(TcpFlags.Ack, peer.Seq, peer.Ack + 1);
        peer.Inject(TcpFlags.Ack | TcpFlags.Psh, peer.Seq, peer.Ack + 1, "late"u8);
        peer.Expect(TcpFlags.Rst);
        Assert.Equal(0, peer.Tcp.ConnectionCount);
    }

    [Fact]
    public void An_abandoned_connection_leaves_fin_wait_2_after_tcp_fin_timeout()
    {
        using RawPeer peer = new();
        peer.EstablishPassive();
        peer.Tcp.Close(peer.Handle);
        peer.Settle();
        peer.Inject(TcpFlags.Ack, peer.Seq, peer.Ack + 1);
        peer.RunFor(Duration.FromSeconds(59));
        Assert.Equal(1, peer.Tcp.ConnectionCount);
        peer.RunFor(Duration.FromSeconds(2));
        Assert.Equal(0, peer.Tcp.ConnectionCount);
    }

    [Fact]
    public void Timestamps_from_the_past_are_refused_and_the_future_outside_of_the_window_does_not_poison()
    {
        using RawPeer peer = new();
        peer.EstablishPassive(timestamps: true);
        peer.TsVal = 100;
        peer.Inject(TcpFlags.Ack, peer.Seq, peer.Ack, "old"u8);
        peer.Expect(TcpFlags.Ack);
        Assert.Equal(1, peer.Tcp.Mib[TcpCounter.PAWSEstab]);

        // B16: a future timestamp on a segment outside of the window must not be remembered.
        peer.TsVal = 1_000_000;
        peer.Inject(TcpFlags.Ack, peer.Seq + 500_000, peer.Ack, "far"u8);
        peer.TsVal = 600;
        peer.Say("now"u8);
        byte[] buffer = new byte[10];
        Assert.Equal(Errno.None, peer.Tcp.Receive(peer.Handle, buffer, TcpReceiveFlags.None, out int count));
        Assert.Equal("now"u8.ToArray(), buffer[..count]);
    }

    [Theory]
    [InlineData(0, "bc")]
    [InlineData(1, "bc")]
    [InlineData(2, "a")]
    [InlineData(65535, "abc")]
    public void The_urgent_byte_stays_out_of_the_stream(int pointer, string read)
    {
        using RawPeer peer = new();
        peer.EstablishPassive();
        peer.Inject(TcpFlags.Ack | TcpFlags.Urg, peer.Seq, peer.Ack, "abc"u8, urgent: (ushort)pointer);
        byte[] buffer = new byte[10];
        Assert.Equal(Errno.None, peer.Tcp.Receive(peer.Handle, buffer, TcpReceiveFlags.None, out int count));
        Assert.Equal(read, System.Text.Encoding.ASCII.GetString(buffer, 0, count));
        if (pointer == 2)
        {
            Assert.Equal(Errno.None, peer.Tcp.Receive(peer.Handle, buffer, TcpReceiveFlags.OutOfBand, out count));
            Assert.Equal((byte)'b', buffer[0]);
            Assert.Equal(Errno.None, peer.Tcp.Receive(peer.Handle, buffer, TcpReceiveFlags.None, out count));
            Assert.Equal((byte)'c', buffer[0]);
        }
    }

    [Fact]
    public void Every_flag_combination_in_every_state_is_survived_and_leaves_nothing()
    {
        foreach (TcpState state in (TcpState[])[TcpState.SynSent, TcpState.SynReceived, .. s_synchronized, TcpState.TimeWait])
        {
            for (int flags = 0; flags < 256; flags++)
            {
                using RawPeer peer = new();
                peer.GoTo(state);
                peer.Inject((TcpFlags)flags, peer.Seq, peer.Ack, "data"u8);
                peer.Inject((TcpFlags)flags, peer.Seq + 50, peer.Ack);
                peer.Inject((TcpFlags)flags, peer.Seq, peer.Ack - 1);
                Assert.True(peer.Received.Count <= 6, $"{state} {flags:x}: {peer.Received.Count} answers");
                peer.Tcp.Close(peer.Handle);
                peer.RunFor(Duration.FromSeconds(1000));
                Assert.Equal(0, peer.Tcp.ConnectionCount + peer.Tcp.TimeWaitCount);
                Assert.Equal(0, peer.Engine.Packets.Outstanding);
                Assert.Equal(0, peer.Engine.Blocks.BytesInUse);
            }
        }
    }
}

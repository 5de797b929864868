using Portico.Net;

namespace Portico.Net.Tests.Tcp;

/// <summary>Retransmission, persist, delayed-ACK, keepalive and user timers, with their times.</summary>
public class TimerTests
{
    /// <summary>The wheel rounds up to its tick of 65.5 us, a little of it at each step.</summary>
    private static void AssertMillis(double expected, Duration actual) => Assert.InRange(actual.Nanoseconds / 1e6, expected, expected + 1.2);

    [Fact]
    public void The_first_syns_are_repeated_after_a_second_each_then_the_time_doubles()
    {
        using RawPeer peer = new(s => s.tcp_syn_retries = 3);
        peer.GoTo(TcpState.SynSent);
        foreach (int seconds in (int[])[1, 1, 1, 1, 1, 2, 4])
        {
            AssertMillis(seconds * 1000, peer.TimeToNextSegment(Duration.FromSeconds(100)));
            peer.Expect(TcpFlags.Syn);
        }

        peer.RunFor(Duration.FromSeconds(9));
        Assert.Equal(Errno.ETIMEDOUT, peer.Tcp.TakeError(peer.Handle));
    }

    [Fact]
    public void A_syn_is_repeated_after_1_2_4_8_seconds_without_linear_timeouts_and_then_the_open_times_out()
    {
        using RawPeer peer = new(s => (s.tcp_syn_retries, s.tcp_syn_linear_timeouts) = (4, 0));
        peer.GoTo(TcpState.SynSent);
        foreach (int seconds in (int[])[1, 2, 4, 8])
        {
            AssertMillis(seconds * 1000, peer.TimeToNextSegment(Duration.FromSeconds(100)));
            peer.Expect(TcpFlags.Syn);
        }

        peer.RunFor(Duration.FromSeconds(15));
        Assert.Equal(TcpState.SynSent, peer.State);
        peer.RunFor(Duration.FromSeconds(2));
        Assert.Equal(Errno.ETIMEDOUT, peer.Tcp.TakeError(peer.Handle));
    }

    [Fact]
    public void A_syn_ack_is_repeated_five_times_and_then_forgotten()
    {
        using RawPeer peer = new();
        peer.Listen();
        peer.Inject(TcpFlags.Syn, 1, 0);
        peer.Expect(TcpFlags.Syn | TcpFlags.Ack);
        foreach (int seconds in (int[])[1, 2, 4, 8, 16])
        {
            AssertMillis(seconds * 1000, peer.TimeToNextSegment(Duration.FromSeconds(100)));
            peer.Expect(TcpFlags.Syn | TcpFlags.Ack);
        }

        peer.RunFor(Duration.FromSeconds(33));
        peer.ExpectSilence();
        Assert.Equal(0, peer.Tcp.HalfOpenCount);
    }

    [Fact]
    public void Lost_data_is_sent_again_with_the_timeout_doubling()
    {
        using RawPeer peer = new();
        peer.EstablishPassive();
        peer.RunFor(Duration.FromSeconds(1));
        peer.Tcp.Send(peer.Handle, "hello"u8, TcpSendFlags.None, out _);
        peer.Settle();
        peer.Expect(TcpFlags.Ack | TcpFlags.Psh);
        double expected = 200;
        for (int i = 0; i < 6; i++)
        {
            AssertMillis(expected, peer.TimeToNextSegment(Duration.FromSeconds(100)));
            Assert.Equal("hello"u8.ToArray(), peer.Expect(TcpFlags.Ack | TcpFlags.Psh).Payload);
            expected *= 2;
        }

        peer.Inject(TcpFlags.Ack, peer.Seq, peer.Ack + 5);
        peer.RunFor(Duration.FromSeconds(100));
        peer.ExpectSilence();
    }

    [Fact]
    public void A_dead_peer_is_given_up_after_tcp_retries2()
    {
        using RawPeer peer = new();
        peer.EstablishPassive();
        peer.Tcp.Send(peer.Handle, "hello"u8, TcpSendFlags.None, out _);
        peer.RunFor(Duration.FromSeconds(900));
        Assert.Equal(TcpState.Established, peer.State);
        peer.RunFor(Duration.FromSeconds(200));
        Assert.Equal(TcpState.Closed, peer.State);
        Assert.Equal(Errno.ETIMEDOUT, peer.Tcp.TakeError(peer.Handle));
    }

    [Fact]
    public void The_user_timeout_ends_it_sooner()
    {
        using RawPeer peer = new();
        peer.EstablishPassive();
        peer.Tcp.SetOption(peer.Handle, TcpOption.TCP_USER_TIMEOUT, 3000);
        peer.Tcp.Send(peer.Handle, "hello"u8, TcpSendFlags.None, out _);
        peer.RunFor(Duration.FromSeconds(2));
        Assert.Equal(TcpState.Established, peer.State);
        peer.RunFor(Duration.FromSeconds(2));
        Assert.Equal(Errno.ETIMEDOUT, peer.Tcp.TakeError(peer.Handle));
    }

    [Fact]
    public void A_closed_window_is_probed_for_as_long_as_the_peer_answers_and_the_data_follows_when_it_opens()
    {
        using RawPeer peer = new();
        peer.EstablishPassive(window: 0);
        peer.Tcp.Send(peer.Handle, "hello"u8, TcpSendFlags.None, out _);
        peer.Settle();
        peer.ExpectSilence();
        double expected = 200;
        for (int i = 0; i < 40; i++)
        {
            Duration waited = peer.TimeToNextSegment(Duration.FromSeconds(200));
            if (i < 8)
            {
                AssertMillis(expected, waited);
                expected *= 2;
            }

            Assert.InRange(waited.Seconds, 0.1, 121);
            Seg probe = peer.Expect(TcpFlags.Ack);
            Assert.Equal(peer.Ack - 1, probe.Seq);
            peer.Inject(TcpFlags.Ack, peer.Seq, peer.Ack, default, 0);
        }

        Assert.Equal(TcpState.Established, peer.State);
        peer.Inject(TcpFlags.Ack, peer.Seq, peer.Ack, default, 100);
        Assert.Equal("hello"u8.ToArray(), peer.Expect(TcpFlags.Ack | TcpFlags.Psh).Payload);
    }

    [Fact]
    public void An_abandoned_connection_is_not_held_by_a_peer_that_keeps_its_window_closed()
    {
        using RawPeer peer = new();
        peer.EstablishPassive(window: 0);
        peer.Tcp.Send(peer.Handle, "hello"u8, TcpSendFlags.None, out _);
        peer.Tcp.Close(peer.Handle);
        for (int i = 0; i < 60 && peer.Tcp.ConnectionCount > 0; i++)
        {
            peer.RunFor(Duration.FromSeconds(10));
            while (peer.Received.TryDequeue(out _))
            {
                peer.Inject(TcpFlags.Ack, peer.Seq, peer.Ack, default, 0);
            }
        }

        Assert.Equal(0, peer.Tcp.ConnectionCount);
        Assert.Equal(0, peer.Engine.Blocks.BytesInUse);
    }

    [Fact]
    public void Keepalive_probes_an_idle_peer_and_resets_a_dead_one()
    {
        using RawPeer peer = new();
        peer.EstablishPassive();
        peer.Tcp.SetOption(peer.Handle, TcpOption.TCP_KEEPIDLE, 10);
        peer.Tcp.SetOption(peer.Handle, TcpOption.TCP_KEEPINTVL, 5);
        peer.Tcp.SetOption(peer.Handle, TcpOption.TCP_KEEPCNT, 3);
        peer.Tcp.SetOption(peer.Handle, TcpOption.SO_KEEPALIVE, 1);
        AssertMillis(10_000, peer.TimeToNextSegment(Duration.FromSeconds(20)));
        Assert.Equal(peer.Ack - 1, peer.Expect(TcpFlags.Ack).Seq);
        peer.Inject(TcpFlags.Ack, peer.Seq, peer.Ack);
        AssertMillis(10_000, peer.TimeToNextSegment(Duration.FromSeconds(20)));
        for (int i = 0; i < 3; i++)
        {
            peer.Expect(TcpFlags.Ack);
            AssertMillis(5_000, peer.TimeToNextSegment(Duration.FromSeconds(20)));
        }

        peer.Expect(TcpFlags.Rst | TcpFlags.Ack);
        Assert.Equal(Errno.ETIMEDOUT, peer.Tcp.TakeError(peer.Handle));
    }

    [Fact]
    public void A_lone_segment_is_acknowledged_within_the_delayed_ack_time_and_a_second_at_once()
    {
        using RawPeer peer = new();
        peer.EstablishPassive();
        byte[] full = new byte[1460];

        // The first sixteen are quick: the peer is in slow start.
        for (int i = 0; i < 40; i++)
        {
            peer.Say(full);
            peer.RunFor(Duration.FromMilliseconds(1));
            peer.Tcp.Receive(peer.Handle, new byte[3000], TcpReceiveFlags.None, out _);
        }

        peer.RunFor(Duration.FromMilliseconds(150));
        peer.Received.Clear();
        peer.Say(full, TcpFlags.Ack);
        Duration waited = peer.TimeToNextSegment(Duration.FromMilliseconds(500));
        Assert.InRange(waited.Milliseconds, 20, 45);
        peer.Tcp.Receive(peer.Handle, new byte[3000], TcpReceiveFlags.None, out _);
        peer.Received.Clear();
        peer.Say(full, TcpFlags.Ack);
        peer.ExpectSilence();
        peer.Tcp.Receive(peer.Handle, new byte[3000], TcpReceiveFlags.None, out _);
        peer.Say(full, TcpFlags.Ack);
        Assert.Equal(peer.Seq, peer.Expect(TcpFlags.Ack).Ack);
    }

    [Fact]
    public void Nagle_holds_a_second_short_segment_until_the_first_is_acknowledged_and_nodelay_does_not()
    {
        using RawPeer peer = new();
        peer.EstablishPassive();
        peer.Tcp.Send(peer.Handle, "a"u8, TcpSendFlags.None, out _);
        peer.Tcp.Send(peer.Handle, "b"u8, TcpSendFlags.None, out _);
        peer.Tcp.Send(peer.Handle, "c"u8, TcpSendFlags.None, out _);
        peer.Settle();
        Assert.Equal("a"u8.ToArray(), peer.Expect(TcpFlags.Ack | TcpFlags.Psh).Payload);
        peer.ExpectSilence();
        peer.Inject(TcpFlags.Ack, peer.Seq, peer.Ack + 1);
        Assert.Equal("bc"u8.ToArray(), peer.Expect(TcpFlags.Ack | TcpFlags.Psh).Payload);
        peer.Tcp.SetOption(peer.Handle, TcpOption.TCP_NODELAY, 1);
        peer.Tcp.Send(peer.Handle, "d"u8, TcpSendFlags.None, out _);
        peer.Settle();
        Assert.Equal("d"u8.ToArray(), peer.Expect(TcpFlags.Ack | TcpFlags.Psh).Payload);
    }

    [Fact]
    public void Cork_holds_a_short_segment_until_it_is_pulled()
    {
        using RawPeer peer = new();
        peer.EstablishPassive();
        peer.Tcp.SetOption(peer.Handle, TcpOption.TCP_CORK, 1);
        peer.Tcp.Send(peer.Handle, "head"u8, TcpSendFlags.None, out _);
        peer.Tcp.Send(peer.Handle, "body"u8, TcpSendFlags.None, out _);
        peer.Settle();
        peer.ExpectSilence();
        peer.Tcp.SetOption(peer.Handle, TcpOption.TCP_CORK, 0);
        peer.Settle();
        Assert.Equal("headbody"u8.ToArray(), peer.Expect(TcpFlags.Ack | TcpFlags.Psh).Payload);
    }
}

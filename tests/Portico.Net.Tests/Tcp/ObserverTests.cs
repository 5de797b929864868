using Portico.Net;

namespace Portico.Net.Tests.Tcp;

/// <summary>What an observer hears of a stack's connections, to the letter and the millisecond.</summary>
public sealed class ObserverTests
{
    private sealed class Recorder(Engine engine) : ITcpObserver
    {
        private readonly MonoTime _start = engine.Now;

        public List<string> Lines { get; } = [];

        public void OnStateChange(in TcpStateChange change) =>
            Add($"{change.From} -> {change.To}: {change.Cause}{(change.Error == Errno.None ? "" : $" {change.Error}")}");

        public void OnRetransmission(in TcpRetransmission retransmission) => Add(
            $"{retransmission.Cause} at {retransmission.Offset}, {retransmission.Length} bytes, {retransmission.Flags}, attempt {retransmission.Attempt}");

        public void OnWindowChange(in TcpWindowChange change) =>
            Add($"{(change.IsPeers ? "peer's" : "own")} window {(change.Bytes == 0 ? "closed" : "open")}");

        public void OnDrop(string reason) => Add($"dropped: {reason}");

        private void Add(string line) => Lines.Add($"{(engine.Now - _start).Milliseconds} {line}");
    }

    private static Recorder Observe(NetworkStack stack)
    {
        Recorder recorder = new(stack.Engine);
        stack.Tcp.Observer = recorder;
        stack.PacketDropped += recorder.OnDrop;
        return recorder;
    }

    [Fact]
    public void A_connection_that_the_client_closes_first_goes_through_the_states_of_RFC_9293_figure_12()
    {
        using TcpPair pair = new();
        Recorder a = Observe(pair.A);
        Recorder b = Observe(pair.B);
        (TcpHandle client, TcpHandle server) = pair.Connect();
        pair.A.Tcp.Close(client);
        pair.Settle();
        pair.B.Tcp.Close(server);
        pair.RunFor(Duration.FromSeconds(61));
        Assert.Equal(
            [
                "0 Closed -> SynSent: Open",
                "0 SynSent -> Established: SynAckReceived",
                "0 Established -> FinWait1: Close",
                "0 FinWait1 -> FinWait2: AckReceived",
                "0 FinWait2 -> TimeWait: FinReceived",
                "60000 TimeWait -> Closed: TimeWaitExpired",
            ], a.Lines);
        Assert.Equal(
            [
                "0 Listen -> SynReceived: SynReceived",
                "0 SynReceived -> Established: AckReceived",
                "0 Established -> CloseWait: FinReceived",
                "0 CloseWait -> LastAck: Close",
                "0 LastAck -> Closed: AckReceived",
            ], b.Lines);
    }

    [Fact]
    public void A_SYN_without_an_answer_is_repeated_with_the_timer_doubling_until_the_connection_times_out()
    {
        using RawPeer peer = new(settings => (settings.tcp_syn_retries, settings.tcp_syn_linear_timeouts) = (3, 0));
        Recorder recorder = Observe(peer.Stack);
        peer.Tcp.Open(new TcpOpenRequest { Remote = new Endpoint(peer.PeerAddress, 9) }, null, out _);
        peer.RunFor(Duration.FromSeconds(30));
        Assert.Equal(
            [
                "0 Closed -> SynSent: Open",
                "1000 RetransmissionTimeout at 0, 0 bytes, Syn, attempt 1",
                "3000 RetransmissionTimeout at 0, 0 bytes, Syn, attempt 2",
                "7000 RetransmissionTimeout at 0, 0 bytes, Syn, attempt 3",
                "15000 SynSent -> Closed: Timeout ETIMEDOUT",
            ], recorder.Lines);
    }

    [Fact]
    public void A_SYN_ACK_without_an_answer_is_repeated_too()
    {
        using RawPeer peer = new(settings => settings.tcp_synack_retries = 2);
        Recorder recorder = Observe(peer.Stack);
        peer.Listen();
        peer.Inject(TcpFlags.Syn, peer.Seq, 0);
        peer.RunFor(Duration.FromSeconds(30));
        Assert.Equal(
            [
                "0 Listen -> SynReceived: SynReceived",
                "1000 RetransmissionTimeout at 0, 0 bytes, Syn, Ack, attempt 1",
                "3000 RetransmissionTimeout at 0, 0 bytes, Syn, Ack, attempt 2",
                "7000 SynReceived -> Closed: Timeout",
            ], recorder.Lines);
    }

    [Fact]
    public void A_timeout_and_its_retransmissions_are_told_with_what_they_send_again()
    {
        using RawPeer peer = new();
        peer.EstablishPassive();
        Recorder recorder = Observe(peer.Stack);
        peer.Tcp.Send(peer.Handle, new byte[100], TcpSendFlags.None, out _);
        peer.RunFor(Duration.FromMilliseconds(700));
        Assert.Equal(
            [
                "200 RetransmissionTimeout at 1, 100 bytes, Psh, attempt 1",
                "600 RetransmissionTimeout at 1, 100 bytes, Psh, attempt 2",
            ], recorder.Lines);
    }

    [Fact]
    public void Three_duplicate_ACKs_are_told_from_the_partial_ACK_that_shows_the_next_hole()
    {
        using RawPeer peer = new();
        peer.EstablishPassive();
        Recorder recorder = Observe(peer.Stack);
        peer.Tcp.Send(peer.Handle, new byte[14_600], TcpSendFlags.None, out _);
        peer.Settle();
        for (int i = 0; i < 3; i++)
        {
            peer.Inject(TcpFlags.Ack, peer.Seq, peer.Ack);
        }

        peer.Inject(TcpFlags.Ack, peer.Seq, peer.Ack + 2920);
        Assert.Equal(
            [
                "0 FastRetransmission at 1, 1460 bytes, None, attempt 0",
                "0 PartialAcknowledgment at 2921, 1460 bytes, None, attempt 0",
            ], recorder.Lines);
    }

    [Fact]
    public void A_closed_window_is_probed_until_it_opens()
    {
        using RawPeer peer = new();
        peer.EstablishPassive();
        Recorder recorder = Observe(peer.Stack);
        peer.Inject(TcpFlags.Ack, peer.Seq, peer.Ack, window: 0);
        peer.Tcp.Send(peer.Handle, new byte[100], TcpSendFlags.None, out _);
        peer.RunFor(Duration.FromMilliseconds(700));
        peer.Inject(TcpFlags.Ack, peer.Seq, peer.Ack, window: 1000);
        Assert.Equal(
            [
                "0 peer's window closed",
                "200 WindowProbe at 0, 0 bytes, Ack, attempt 1",
                "600 WindowProbe at 0, 0 bytes, Ack, attempt 2",
                "700 peer's window open",
            ], recorder.Lines);
    }

    [Fact]
    public void Keep_alive_probes_and_what_becomes_of_a_dead_peer_are_told()
    {
        using RawPeer peer = new();
        peer.EstablishPassive();
        peer.Tcp.SetOption(peer.Handle, TcpOption.TCP_KEEPIDLE, 5);
        peer.Tcp.SetOption(peer.Handle, TcpOption.TCP_KEEPINTVL, 1);
        peer.Tcp.SetOption(peer.Handle, TcpOption.TCP_KEEPCNT, 2);
        peer.Tcp.SetOption(peer.Handle, TcpOption.SO_KEEPALIVE, 1);
        Recorder recorder = Observe(peer.Stack);
        peer.RunFor(Duration.FromSeconds(10));
        Assert.Equal(
            [
                "5000 KeepAlive at 0, 0 bytes, Ack, attempt 1",
                "6000 KeepAlive at 0, 0 bytes, Ack, attempt 2",
                "7000 Established -> Closed: KeepAliveTimeout ETIMEDOUT",
            ], recorder.Lines);
    }

    [Fact]
    public void A_reset_tells_who_sent_it()
    {
        using RawPeer peer = new();
        peer.EstablishPassive();
        Recorder recorder = Observe(peer.Stack);
        peer.Inject(TcpFlags.Rst, peer.Seq + 5, 0);
        peer.Inject(TcpFlags.Rst, peer.Seq, 0);
        Assert.Equal(["0 dropped: InvalidResets", "0 Established -> Closed: ResetReceived ECONNRESET"], recorder.Lines);

        using RawPeer other = new();
        other.EstablishPassive();
        recorder = Observe(other.Stack);
        other.Tcp.Abort(other.Handle);
        Assert.Equal(["0 Established -> Closed: Abort"], recorder.Lines);

        using RawPeer third = new();
        third.EstablishPassive();
        third.Say("unread"u8);
        recorder = Observe(third.Stack);
        third.Tcp.Close(third.Handle);
        Assert.Equal(["0 Established -> Closed: UnreadData"], recorder.Lines);
    }

    [Fact]
    public void Segments_that_are_dropped_have_the_name_of_their_counter_as_the_reason()
    {
        using RawPeer peer = new();
        peer.EstablishPassive(timestamps: true);
        Recorder recorder = Observe(peer.Stack);
        peer.Inject(TcpFlags.Ack, peer.Seq + 1_000_000, peer.Ack, "beyond"u8);
        peer.Inject(TcpFlags.Ack, peer.Seq, peer.Ack + 1000);
        peer.Inject(TcpFlags.Syn, peer.Seq, 0);
        peer.Inject(TcpFlags.Ack, peer.Seq, peer.Ack, stackPort: 81);
        peer.TsVal -= 100;
        peer.Inject(TcpFlags.Ack, peer.Seq, peer.Ack, "old"u8);
        Assert.Equal(
            [
                "0 dropped: BeyondWindow",
                "0 dropped: InvalidAcks",
                "0 dropped: TCPSYNChallenge",
                "0 dropped: NoSocket",
                "0 dropped: PAWSEstab",
            ], recorder.Lines);
    }

    [Fact]
    public void An_observed_stack_allocates_nothing_more()
    {
        using TcpPair pair = new();
        pair.A.Tcp.Observer = new Counter();
        (TcpHandle client, TcpHandle server) = pair.Connect();
        byte[] data = new byte[1000];
        void Exchange()
        {
            for (int i = 0; i < 100; i++)
            {
                pair.A.Tcp.Send(client, data, TcpSendFlags.None, out _);
                pair.Settle();
                pair.B.Tcp.Receive(server, data, TcpReceiveFlags.None, out _);
                pair.Settle();
            }
        }

        Exchange();
        long before = GC.GetAllocatedBytesForCurrentThread();
        Exchange();
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    private sealed class Counter : ITcpObserver
    {
        private int _count;

        public void OnStateChange(in TcpStateChange change) => _count++;

        public void OnRetransmission(in TcpRetransmission retransmission) => _count++;

        public void OnWindowChange(in TcpWindowChange change) => _count++;
    }
}

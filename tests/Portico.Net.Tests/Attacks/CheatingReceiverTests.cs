using Portico.Net;
using Portico.Net.Tests.Tcp;

namespace Portico.Net.Tests.Attacks;

/// <summary>Attack classes D01 to D04: a receiver that lies about what it has got gains nothing.</summary>
public class CheatingReceiverTests
{
    private static RawPeer SendingPeer()
    {
        RawPeer peer = new(s => s.tcp_wmem = (4096, 4_000_000, 4_000_000));
        peer.EstablishPassive(sack: true, windowScale: 7);
        peer.Tcp.Send(peer.Handle, new byte[1_000_000], TcpSendFlags.None, out _);
        peer.Settle();
        return peer;
    }

    [Fact]
    public void D01_splitting_an_ack_into_many_does_not_open_the_window_faster()
    {
        using RawPeer honest = SendingPeer();
        using RawPeer cheat = SendingPeer();
        Assert.Equal(10, honest.Received.Count);
        honest.Received.Clear();
        cheat.Received.Clear();
        honest.Inject(TcpFlags.Ack, honest.Seq, honest.Ack + 1460);
        for (uint i = 10; i <= 1460; i += 10)
        {
            cheat.Inject(TcpFlags.Ack, cheat.Seq, cheat.Ack + i);
        }

        Assert.InRange(cheat.Received.Count, 0, honest.Received.Count + 1);
    }

    [Fact]
    public void D02_plain_duplicate_acks_release_no_burst()
    {
        using RawPeer peer = SendingPeer();
        peer.Received.Clear();
        for (int i = 0; i < 100; i++)
        {
            peer.Inject(TcpFlags.Ack, peer.Seq, peer.Ack);
        }

        Assert.InRange(peer.Received.Count, 0, 1);
    }

    [Fact]
    public void D03_acknowledging_ahead_of_what_was_sent_is_ignored()
    {
        using RawPeer peer = SendingPeer();
        peer.Received.Clear();
        peer.Inject(TcpFlags.Ack, peer.Seq, peer.Ack + 500_000);
        peer.ExpectSilence();
        peer.Tcp.GetInfo(peer.Handle, out TcpInfo info);
        Assert.Equal(0ul, info.BytesAcked);
    }

    [Fact]
    public void D04_a_peer_that_takes_its_sacks_back_gets_the_bytes_again()
    {
        using RawPeer peer = new();
        peer.EstablishPassive(sack: true);
        byte[] data = TcpPair.Pattern(8 * 1460);
        peer.Tcp.Send(peer.Handle, data, TcpSendFlags.None, out _);
        peer.Settle();
        peer.Received.Clear();
        byte[] options = new byte[40];
        int length = TcpOptions.WriteSack(options, [new SackBlock(peer.Ack + 1460, peer.Ack + (8 * 1460))]);
        peer.Inject(TcpFlags.Ack, peer.Seq, peer.Ack, default, 65535, options.AsSpan(0, length));
        byte[] got = new byte[data.Length];
        uint acked = peer.Ack;
        for (int i = 0; i < 100 && acked != peer.Ack + data.Length; i++)
        {
            peer.RunFor(Duration.FromMilliseconds(500));
            while (peer.Received.TryDequeue(out Seg? seg))
            {
                if (seg.Seq == acked)
                {
                    seg.Payload.CopyTo(got, (int)(acked - peer.Ack));
                    acked += (uint)seg.Payload.Length;
                }
            }

            // Never a SACK again, as if all of it had been dropped.
            peer.Inject(TcpFlags.Ack, peer.Seq, acked);
        }

        Assert.Equal(data, got);
    }

    [Fact]
    public void Three_sacked_segments_bring_back_the_hole_in_one_round_trip_without_a_timeout()
    {
        using RawPeer peer = new();
        peer.EstablishPassive(sack: true);
        peer.Tcp.Send(peer.Handle, TcpPair.Pattern(8 * 1460), TcpSendFlags.None, out _);
        peer.Settle();
        Seg first = peer.Received.Dequeue();
        peer.Received.Clear();
        byte[] options = new byte[40];
        for (uint i = 2; i <= 4; i++)
        {
            int length = TcpOptions.WriteSack(options, [new SackBlock(peer.Ack + 1460, peer.Ack + (i * 1460))]);
            peer.Inject(TcpFlags.Ack, peer.Seq, peer.Ack, default, 65535, options.AsSpan(0, length));
        }

        Seg again = peer.Expect(TcpFlags.Ack);
        Assert.Equal(first.Seq, again.Seq);
        Assert.Equal(first.Payload, again.Payload);
        Assert.Equal(0, peer.Tcp.Mib[TcpCounter.TCPTimeouts]);
        Assert.Equal(1, peer.Tcp.Mib[TcpCounter.TCPSackRecovery]);
    }
}

using Portico.Net;

namespace Portico.Net.Tests.Tcp;

/// <summary>Peers that acknowledge less than a segment.</summary>
public class PartialAcknowledgmentTests
{
    [Fact]
    public void What_is_left_of_a_segment_is_sent_again_though_the_block_that_it_began_in_is_gone()
    {
        // With the window closed, 1,500 and 1,000 bytes come to lie in two blocks; the second segment spans both.
        using RawPeer peer = new();
        peer.EstablishPassive(window: 0);
        byte[] data = TcpPair.Pattern(2500);
        peer.Tcp.Send(peer.Handle, data.AsSpan(0, 1500), TcpSendFlags.None, out _);
        peer.Tcp.Send(peer.Handle, data.AsSpan(1500), TcpSendFlags.None, out _);
        peer.Inject(TcpFlags.Ack, peer.Seq, peer.Ack, default, 65535);
        Assert.Equal(1460, peer.Received.Dequeue().Payload.Length);
        Assert.Equal(1040, peer.Received.Dequeue().Payload.Length);

        peer.Inject(TcpFlags.Ack, peer.Seq, peer.Ack + 2100);
        peer.TimeToNextSegment(Duration.FromSeconds(5));
        Seg again = peer.Expect(TcpFlags.Ack | TcpFlags.Psh);
        Assert.Equal(peer.Ack + 2100, again.Seq);
        Assert.Equal(data[2100..], again.Payload);

        peer.Inject(TcpFlags.Ack, peer.Seq, peer.Ack + 2500);
        Assert.Equal(0, peer.Engine.Blocks.BytesInUse);
    }
}

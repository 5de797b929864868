namespace Portico.Net.Tests.Tcp;

/// <summary>What a receiver keeps of bytes that come out of order, and for how long.</summary>
public sealed class SackReportTests
{
    [Fact]
    public void In_order_nothing_is_kept_and_beyond_a_hole_the_blocks_until_it_is_filled()
    {
        using RawPeer peer = Established();
        peer.Say(new byte[100]);
        Assert.Equal(0, peer.Tcp.SackReportCount);

        peer.Inject(TcpFlags.Ack, peer.Seq + 100, peer.Ack, new byte[100]);
        Assert.Equal(1, peer.Tcp.SackReportCount);
        Seg told = peer.Received.Last();
        Assert.Equal(1, told.Options.SackCount);
        Assert.Equal(new SackBlock(peer.Seq + 100, peer.Seq + 200), told.Options.Sacks[0]);

        peer.Say(new byte[100]);
        Assert.Equal(0, peer.Tcp.SackReportCount);
    }

    [Fact]
    public void A_duplicate_is_kept_until_it_has_been_reported()
    {
        using RawPeer peer = Established();
        peer.Say(new byte[100]);
        peer.Received.Clear();
        peer.Inject(TcpFlags.Ack, peer.Seq - 100, peer.Ack, new byte[100]);
        Seg told = peer.Expect(TcpFlags.Ack);
        Assert.Equal(new SackBlock(peer.Seq - 100, peer.Seq), told.Options.Sacks[0]);
        Assert.Equal(0, peer.Tcp.SackReportCount);
    }

    [Theory]
    [InlineData(TcpFlags.Rst)]
    [InlineData(TcpFlags.Fin | TcpFlags.Ack)]
    public void The_end_of_the_connection_ends_it(TcpFlags flags)
    {
        using RawPeer peer = Established();
        peer.Inject(TcpFlags.Ack, peer.Seq + 100, peer.Ack, new byte[100]);
        Assert.Equal(1, peer.Tcp.SackReportCount);
        peer.Inject(flags, peer.Seq, peer.Ack);
        Assert.Equal(0, peer.Tcp.SackReportCount);
    }

    [Fact]
    public void So_does_giving_it_up()
    {
        using RawPeer peer = Established();
        peer.Inject(TcpFlags.Ack, peer.Seq + 100, peer.Ack, new byte[100]);
        peer.Tcp.Abort(peer.Handle);
        peer.Settle();
        Assert.Equal(0, peer.Tcp.SackReportCount);
    }

    private static RawPeer Established()
    {
        RawPeer peer = new();
        peer.EstablishPassive(sack: true);
        return peer;
    }
}

namespace Portico.Net.Tests.Attacks;

/// <summary>A connection that its application gives up in SYN-RECEIVED, and whose peer then answers, or does not.</summary>
public class CloseBeforeHandshakeTests
{
    private sealed class Taker : ITcpForwarder
    {
        public TcpForwardRequest Request { get; private set; }

        public bool OnConnectionRequest(in TcpForwardRequest request)
        {
            Request = request;
            return true;
        }
    }

    [Theory]
    [InlineData(true, 0)]
    [InlineData(true, 1)]
    [InlineData(true, 2)]
    [InlineData(true, 3)]
    [InlineData(false, 0)]
    [InlineData(false, 1)]
    [InlineData(false, 2)]
    [InlineData(false, 3)]
    public void A_connection_closed_in_syn_received_ends_whatever_the_peer_acknowledges(bool ipv4, int acknowledges)
    {
        using AttackLab lab = new();
        Taker taker = new();
        lab.Stack.Tcp.Forwarder = taker;
        lab.Stack.Interfaces[2].AcceptsAnyAddress = true;
        int before = lab.Stack.Tcp.ConnectionCount;
        ushort port = lab.NextPort();
        Assert.Empty(lab.Send(AttackLab.Tcp(ipv4, TcpFlags.Syn, port, destinationPort: 9)));
        Assert.Equal(Errno.None, lab.Stack.Tcp.CompleteForward(taker.Request.Id, TcpForwardVerdict.Accept, null, out TcpHandle handle));
        lab.World.Settle();
        uint next = AttackLab.TcpOf(Assert.Single(lab.Replies)).Sequence + 1;
        Assert.Equal(Errno.None, lab.Stack.Tcp.GetInfo(handle, out TcpInfo info));
        Assert.Equal(TcpState.SynReceived, info.State);
        lab.Stack.Tcp.Close(handle);
        lab.World.Settle();

        // Bit 0: the SYN is acknowledged; bit 1: the FIN is, with it or after it. Then the peer is silent.
        if ((acknowledges & 1) != 0)
        {
            lab.Send(AttackLab.Tcp(ipv4, TcpFlags.Ack, port, 1001, next, destinationPort: 9));
        }

        if ((acknowledges & 2) != 0)
        {
            lab.Send(AttackLab.Tcp(ipv4, TcpFlags.Ack, port, 1001, next + 1, destinationPort: 9));
        }

        lab.World.RunFor(Duration.FromSeconds(3600));
        Assert.Equal(before, lab.Stack.Tcp.ConnectionCount);
        Assert.Equal(0, lab.Stack.Tcp.Mib[TcpCounter.CurrEstab]);
    }
}

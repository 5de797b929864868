using System.Runtime.CompilerServices;
using Portico.Net;

namespace Portico.Net.Tests.Tcp;

/// <summary>RFC 9293 from SYN to TIME-WAIT, between two stacks.</summary>
public class ConnectionTests
{
    [Fact]
    public void The_control_block_of_an_idle_connection_fits_its_budget() => Assert.InRange(Unsafe.SizeOf<Tcb>(), 1, Tcb.SizeMax);

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_connection_opens_carries_bytes_both_ways_and_closes_without_a_trace(bool ipv6)
    {
        using TcpPair pair = new(ipv6: ipv6);
        (TcpHandle client, TcpHandle server) = pair.Connect();
        pair.Transfer(pair.A, client, pair.B, server, 300_000, Duration.FromSeconds(10));
        pair.Transfer(pair.B, server, pair.A, client, 300_000, Duration.FromSeconds(10));

        pair.A.Tcp.Close(client);
        pair.Settle();
        Assert.Equal(TcpState.CloseWait, TcpPair.State(pair.B, server));
        Assert.Equal(Errno.None, pair.B.Tcp.Receive(server, new byte[10], TcpReceiveFlags.None, out int received));
        Assert.Equal(0, received);
        pair.B.Tcp.Close(server);
        pair.Settle();
        Assert.Equal(1, pair.A.Tcp.TimeWaitCount);
        Assert.Equal(0, pair.B.Tcp.TimeWaitCount);
        pair.RunFor(Duration.FromSeconds(61));
        Assert.Equal(0, pair.A.Tcp.TimeWaitCount);
        pair.AssertNothingLeft();
    }

    [Theory]
    [InlineData(1500, LinkFeatures.None)]
    [InlineData(9000, LinkFeatures.ChecksumOffload)]
    [InlineData(1500, LinkFeatures.ChecksumOffload | LinkFeatures.Tso4 | LinkFeatures.ReceiveChecksumVerified)]
    [InlineData(65535, LinkFeatures.ChecksumOffload | LinkFeatures.Tso4 | LinkFeatures.ReceiveChecksumVerified)]
    public void Ten_megabytes_arrive_whole_over_any_kind_of_link(int mtu, LinkFeatures features)
    {
        using TcpPair pair = new(mtu, features);
        (TcpHandle client, TcpHandle server) = pair.Connect();
        pair.Transfer(pair.A, client, pair.B, server, 10_000_000, Duration.FromSeconds(100));
        Assert.Equal(0, pair.A.Tcp.Mib[TcpCounter.RetransSegs]);
    }

    [Fact]
    public void A_connection_to_a_port_that_nobody_listens_on_is_refused()
    {
        using TcpPair pair = new();
        TcpHandle client = pair.Open(81);
        pair.Settle();
        Assert.Equal(Errno.ECONNREFUSED, pair.A.Tcp.TakeError(client));
        pair.A.Tcp.Close(client);
        pair.AssertNothingLeft();
    }

    [Fact]
    public void Both_ends_closing_at_once_go_through_closing_to_time_wait()
    {
        using TcpPair pair = new();
        (TcpHandle client, TcpHandle server) = pair.Connect();
        pair.A.Tcp.Shutdown(client, TcpShutdown.Send);
        pair.B.Tcp.Shutdown(server, TcpShutdown.Send);
        Assert.Equal(TcpState.FinWait1, TcpPair.State(pair.A, client));
        Assert.Equal(TcpState.FinWait1, TcpPair.State(pair.B, server));
        pair.Settle();
        Assert.Equal(1, pair.A.Tcp.TimeWaitCount);
        Assert.Equal(1, pair.B.Tcp.TimeWaitCount);
    }

    [Fact]
    public void Two_opens_that_cross_become_one_connection()
    {
        using TcpPair pair = new();
        Endpoint a = new(pair.AddressA, 1000);
        Endpoint b = new(pair.AddressB, 2000);
        pair.A.Tcp.Open(new TcpOpenRequest { Local = a, Remote = b }, null, out TcpHandle first);
        pair.B.Tcp.Open(new TcpOpenRequest { Local = b, Remote = a }, null, out TcpHandle second);
        pair.Settle();
        Assert.Equal(TcpState.Established, TcpPair.State(pair.A, first));
        Assert.Equal(TcpState.Established, TcpPair.State(pair.B, second));
        pair.Transfer(pair.A, first, pair.B, second, 10_000, Duration.FromSeconds(5));
    }

    [Fact]
    public void Half_close_lets_the_other_direction_go_on()
    {
        using TcpPair pair = new();
        (TcpHandle client, TcpHandle server) = pair.Connect();
        pair.A.Tcp.Shutdown(client, TcpShutdown.Send);
        pair.Settle();
        Assert.Equal(TcpState.FinWait2, TcpPair.State(pair.A, client));
        pair.Transfer(pair.B, server, pair.A, client, 100_000, Duration.FromSeconds(5));
        Assert.Equal(Errno.EPIPE, pair.A.Tcp.Send(client, new byte[1], TcpSendFlags.None, out _));
    }

    [Fact]
    public void Closing_with_unread_data_resets_the_peer()
    {
        using TcpPair pair = new();
        (TcpHandle client, TcpHandle server) = pair.Connect();
        pair.A.Tcp.Send(client, new byte[10], TcpSendFlags.None, out _);
        pair.Settle();
        pair.B.Tcp.Close(server);
        pair.Settle();
        Assert.Equal(Errno.ECONNRESET, pair.A.Tcp.Receive(client, new byte[10], TcpReceiveFlags.None, out _));
        pair.A.Tcp.Close(client);
        pair.AssertNothingLeft();
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public void Loss_delay_and_reordering_cost_time_and_no_bytes(ulong seed)
    {
        Impairment impairment = new()
        {
            Loss = 0.02,
            Delay = Duration.FromMilliseconds(20),
            Jitter = Duration.FromMilliseconds(5),
        };
        using TcpPair pair = new(seed: seed, impairment: impairment);
        (TcpHandle client, TcpHandle server) = pair.Connect();
        pair.Transfer(pair.A, client, pair.B, server, 2_000_000, Duration.FromSeconds(600));
        Assert.NotEqual(0, pair.A.Tcp.Mib[TcpCounter.RetransSegs]);
    }
}

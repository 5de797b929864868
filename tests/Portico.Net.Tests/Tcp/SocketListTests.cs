using Portico.Net;

namespace Portico.Net.Tests.Tcp;

/// <summary>The socket table from outside: every socket once, with what is true of it.</summary>
public class SocketListTests
{
    [Fact]
    public void Listeners_connections_and_time_wait_records_are_listed_with_their_ends_and_states()
    {
        using TcpPair pair = new();
        (TcpHandle client, TcpHandle server) = pair.Connect(80);
        (TcpHandle second, TcpHandle secondServer) = pair.Connect(81);
        pair.A.Tcp.Close(second);
        pair.Settle();
        pair.B.Tcp.Close(secondServer);
        pair.Settle();
        pair.A.Tcp.GetEndpoints(client, out Endpoint local, out Endpoint remote);

        TcpSocketRecord[] ofA = List(pair.A);
        Assert.Equal([TcpState.Established, TcpState.TimeWait], ofA.Select(s => s.State));
        Assert.Equal((local, remote), (ofA[0].Local, ofA[0].Remote));
        Assert.True(ofA[0].HasInfo);
        Assert.Equal(81, ofA[1].Remote.Port);
        Assert.Equal(TcpTimerKind.TimeWait, ofA[1].Timer);
        Assert.InRange(ofA[1].TimerMillis, 59_000u, 60_000u);
        Assert.False(ofA[1].HasInfo);

        TcpSocketRecord[] ofB = List(pair.B);
        Assert.Equal([TcpState.Listen, TcpState.Listen, TcpState.Established], ofB.Select(s => s.State));
        Assert.Equal((new Endpoint(pair.AddressB, 80), 128u), (ofB[0].Local, ofB[0].SendQueue));
        Assert.Equal((remote, local), (ofB[2].Local, ofB[2].Remote));
        Assert.Equal(ofB.Length, ofB.Select(s => s.Cookie).Distinct().Count());
        Assert.NotEqual(default, server);
    }

    [Fact]
    public void Queues_timers_and_measurements_are_those_of_the_moment()
    {
        using TcpPair pair = new();
        (TcpHandle client, TcpHandle server) = pair.Connect();
        pair.RunFor(Duration.FromMilliseconds(300));
        pair.A.Tcp.Send(client, new byte[1000], TcpSendFlags.None, out _);
        TcpSocketRecord sending = Assert.Single(List(pair.A));
        Assert.Equal(1000u, sending.SendQueue);
        Assert.Equal(TcpTimerKind.On, sending.Timer);
        Assert.Equal(sending.Info.RtoMicros / 1000, sending.TimerMillis);
        Assert.Equal(0u, sending.Info.LastDataSentMillis);

        pair.Settle();
        pair.RunFor(Duration.FromMilliseconds(100));
        TcpSocketRecord sent = Assert.Single(List(pair.A));
        Assert.Equal((0u, TcpTimerKind.Off), (sent.SendQueue, sent.Timer));
        // The SYN counts, as in Linux.
        Assert.Equal(1001ul, sent.Info.BytesAcked);
        Assert.Equal(2u, sent.Info.Delivered);
        Assert.Equal(100u, sent.Info.LastDataSentMillis);
        TcpSocketRecord received = List(pair.B).Single(s => s.State == TcpState.Established);
        Assert.Equal(1000u, received.ReceiveQueue);
        Assert.Equal(100u, received.Info.LastDataReceivedMillis);

        pair.A.Tcp.Shutdown(client, TcpShutdown.Send);
        pair.Settle();
        TcpSocketRecord ended = Assert.Single(List(pair.A));
        Assert.Equal((TcpState.FinWait2, true, false), (ended.State, ended.IsSendShut, ended.IsReceiveShut));
        Assert.True(List(pair.B).Single(s => s.State == TcpState.CloseWait).IsReceiveShut);
        Assert.NotEqual(default, server);
    }

    [Fact]
    public void A_handshake_under_way_is_listed_at_both_ends()
    {
        using TcpPair pair = new();
        pair.Listen();
        pair.Open();
        TcpSocketRecord opening = Assert.Single(List(pair.A));
        Assert.Equal((TcpState.SynSent, 1u, TcpTimerKind.On, 1000u), (opening.State, opening.SendQueue, opening.Timer, opening.TimerMillis));
    }

    [Fact]
    public void What_stays_is_listed_exactly_once_however_small_the_batches_are()
    {
        using TcpPair pair = new();
        TcpListenerHandle listener = pair.Listen();
        List<TcpHandle> clients = [];
        for (int i = 0; i < 100; i++)
        {
            clients.Add(pair.Open());
        }

        pair.Settle();
        TcpSocketRecord[] batch = new TcpSocketRecord[3];
        TcpSocketCursor cursor = default;
        List<ushort> ports = [];
        while (!cursor.IsAtEnd)
        {
            int count = pair.A.Tcp.ListSockets(ref cursor, batch);
            ports.AddRange(batch.Take(count).Select(s => s.Local.Port));

            // Others come and go meanwhile.
            pair.A.Tcp.Abort(pair.Open());
        }

        HashSet<ushort> staying = [.. clients.Select(c => LocalPort(pair, c))];
        Assert.Equal(100, ports.Count(staying.Contains));
        Assert.True(staying.IsSubsetOf(ports));
        Assert.NotEqual(default, listener);
    }

    private static ushort LocalPort(TcpPair pair, TcpHandle handle)
    {
        pair.A.Tcp.GetEndpoints(handle, out Endpoint local, out _);
        return local.Port;
    }

    private static TcpSocketRecord[] List(NetworkStack stack)
    {
        List<TcpSocketRecord> all = [];
        TcpSocketRecord[] batch = new TcpSocketRecord[16];
        TcpSocketCursor cursor = default;
        while (!cursor.IsAtEnd)
        {
            int count = stack.Tcp.ListSockets(ref cursor, batch);
            all.AddRange(batch.AsSpan(0, count));
        }

        return [.. all];
    }
}

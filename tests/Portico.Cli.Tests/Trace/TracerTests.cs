using System.Text;
using Portico.Net;

namespace Portico.Cli.Tests.Trace;

/// <summary>The trace of connections under virtual time, to the letter: a stack plays the command, another one Portico.</summary>
public sealed class TracerTests : IDisposable
{
    private static readonly IpAddress s_commandAddress = IpAddress.Parse("10.0.2.100");
    private static readonly IpAddress s_gatewayAddress = IpAddress.Parse("10.0.2.2");

    private readonly Engine _engine = new(new EngineOptions { Seed = 1 });
    private readonly TraceQueue _queue = new(1024);
    private readonly NetworkStack _command;
    private readonly NetworkStack _portico;

    public TracerTests()
    {
        Cable cable = new(_engine, new CableOptions { Mtu = 1500 });
        Impairment slow = new() { Delay = Duration.FromMilliseconds(5) };
        ImpairmentLink command = new(_engine, cable.A, 1, slow, slow);
        Tracer tracer = new(_engine, _queue, everyPacket: false, [("portico.internal", s_gatewayAddress)]);
        _command = new NetworkStack(_engine);
        _portico = new NetworkStack(_engine);
        _command.AddInterface("portico0", command).AddAddress(new IpPrefix(s_commandAddress, 24));
        _portico.AddInterface("tun0", new TraceLink(cable.B, tracer)).AddAddress(new IpPrefix(s_gatewayAddress, 24));
        _portico.Tcp.Observer = tracer;
        _portico.PacketDropped += tracer.OnDrop;
    }

    public void Dispose() => _engine.Dispose();

    private void RunFor(int milliseconds)
    {
        MonoTime end = _engine.Now + Duration.FromMilliseconds(milliseconds);
        while (_engine.NextDeadline <= end)
        {
            _engine.Advance(_engine.NextDeadline);
        }

        _engine.Advance(end);
    }

    private string[] Lines()
    {
        StringBuilder text = new();
        while (_queue.TryTake(out TraceEvent e))
        {
            TraceText.Append(text, e);
        }

        return [.. text.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l => l.TrimStart())];
    }

    private (TcpHandle Command, TcpHandle Portico) Connect()
    {
        Endpoint server = new(s_gatewayAddress, 80);
        _portico.Tcp.Listen(new TcpListenRequest { Local = server, Backlog = 8 }, null, out TcpListenerHandle listener);
        TcpOpenRequest request = new() { Local = new Endpoint(s_commandAddress, 40000), Remote = server };
        _command.Tcp.Open(request, null, out TcpHandle command);
        RunFor(20);
        Assert.Equal(Errno.None, _portico.Tcp.Accept(listener, null, out TcpHandle portico));
        return (command, portico);
    }

    [Fact]
    public void A_connection_is_told_from_the_SYN_to_TIME_WAIT()
    {
        (TcpHandle command, TcpHandle portico) = Connect();
        _command.Tcp.Send(command, "question"u8, TcpSendFlags.None, out _);
        RunFor(10);
        _portico.Tcp.Receive(portico, new byte[100], TcpReceiveFlags.None, out _);
        _portico.Tcp.Send(portico, "answer"u8, TcpSendFlags.None, out _);
        RunFor(50);
        _command.Tcp.Receive(command, new byte[100], TcpReceiveFlags.None, out _);
        _command.Tcp.Close(command);
        RunFor(20);
        _portico.Tcp.Close(portico);
        RunFor(100);
        Assert.Equal(
            """
            5.000 ms  #1   TCP 10.0.2.100:40000 -> 10.0.2.2:80 (portico.internal)
            5.000 ms  #1   --> SYN seq 0 win 64240 options [mss 1460, sackOK, timestamps, wscale 7]
            5.000 ms  #1       command  CLOSED -> SYN-SENT: it asks for a connection
            5.000 ms  #1       portico  LISTEN -> SYN-RECEIVED: SYN received
            5.000 ms  #1   <-- SYN,ACK seq 0 ack 1 win 64240 options [mss 1460, sackOK, timestamps, wscale 7]
            15.000 ms  #1   --> ACK seq 1 ack 1 win 502
            15.000 ms  #1       command  SYN-SENT -> ESTABLISHED: connected
            15.000 ms  #1       portico  SYN-RECEIVED -> ESTABLISHED: ACK received
            25.000 ms  #1   --> first data, 8 bytes
            30.000 ms  #1   <-- first data, 6 bytes
            85.000 ms  #1   --> FIN,ACK seq 9 ack 7 win 502
            85.000 ms  #1       closed first by the command
            85.000 ms  #1       command  ESTABLISHED -> FIN-WAIT-1: it has closed and will send no more
            85.000 ms  #1       portico  ESTABLISHED -> CLOSE-WAIT: FIN received
            85.000 ms  #1   <-- ACK seq 7 ack 10 win 502
            85.000 ms  #1       command  FIN-WAIT-1 -> FIN-WAIT-2: its FIN is acknowledged
            100.000 ms  #1       portico  CLOSE-WAIT -> LAST-ACK: close by Portico
            100.000 ms  #1   <-- FIN,ACK seq 7 ack 10 win 502
            110.000 ms  #1   --> ACK seq 10 ack 8 win 502
            110.000 ms  #1       command  FIN-WAIT-2 -> TIME-WAIT: both have closed; it waits for late packets
            110.000 ms  #1       portico  LAST-ACK -> CLOSED: ACK received
            110.000 ms  #1       over after 105.000 ms: 8 bytes sent, 6 bytes received, 0 retransmissions
            """.Split('\n'), Lines());
    }

    [Fact]
    public void FINs_that_cross_bring_both_ends_through_CLOSING()
    {
        (TcpHandle command, TcpHandle portico) = Connect();
        Lines();
        _command.Tcp.Close(command);
        _portico.Tcp.Close(portico);
        RunFor(30);
        Assert.Equal(
            [
                "20.000 ms  #1       closed first by Portico",
                "20.000 ms  #1       portico  ESTABLISHED -> FIN-WAIT-1: close by Portico",
                "20.000 ms  #1   <-- FIN,ACK seq 1 ack 1 win 502",
                "25.000 ms  #1   --> FIN,ACK seq 1 ack 1 win 502",
                "25.000 ms  #1       command  ESTABLISHED -> FIN-WAIT-1: it has closed and will send no more",
                "25.000 ms  #1       portico  FIN-WAIT-1 -> CLOSING: FIN received",
                "25.000 ms  #1   <-- ACK seq 2 ack 2 win 502",
                "25.000 ms  #1       command  FIN-WAIT-1 -> CLOSING: both closed at the same time",
                "25.000 ms  #1       command  CLOSING -> TIME-WAIT: both have closed; it waits for late packets",
                "30.000 ms  #1       portico  CLOSING -> TIME-WAIT: ACK received",
                "30.000 ms  #1       over after 25.000 ms: 0 bytes sent, 0 bytes received, 0 retransmissions",
            ], Lines());
    }

    [Fact]
    public void A_port_that_nobody_has_and_a_reset_are_told()
    {
        _command.Tcp.Open(
            new TcpOpenRequest { Local = new Endpoint(s_commandAddress, 40001), Remote = new Endpoint(s_gatewayAddress, 81) }, null, out _);
        RunFor(20);
        Assert.Equal(
            [
                "5.000 ms  #1   TCP 10.0.2.100:40001 -> 10.0.2.2:81 (portico.internal)",
                "5.000 ms  #1   --> SYN seq 0 win 64240 options [mss 1460, sackOK, timestamps, wscale 7]",
                "5.000 ms  #1       command  CLOSED -> SYN-SENT: it asks for a connection",
                "5.000 ms  #1       dropped: nobody has that port (NoSocket)",
                "5.000 ms  #1   <-- RST,ACK seq 0 ack 1",
                "5.000 ms  #1       command  SYN-SENT -> CLOSED: over",
            ], Lines());
        (_, TcpHandle portico) = Connect();
        Lines();
        _portico.Tcp.Abort(portico);
        Assert.Equal(
            [
                "40.000 ms  #2   <-- RST,ACK seq 1 ack 1",
                "40.000 ms  #2       command  ESTABLISHED -> CLOSED: over",
                "40.000 ms  #2       portico  ESTABLISHED -> CLOSED: abort by Portico",
                "40.000 ms  #2       over after 15.000 ms: 0 bytes sent, 0 bytes received, 0 retransmissions",
            ], Lines());
    }

    [Fact]
    public void A_queue_that_nobody_empties_loses_events_and_counts_them()
    {
        TraceQueue queue = new(4);
        for (int i = 1; i <= 6; i++)
        {
            queue.Add(new TraceEvent { Connection = i });
        }

        Assert.Equal(2, queue.Lost);
        for (int i = 1; i <= 4; i++)
        {
            Assert.True(queue.TryTake(out TraceEvent e));
            Assert.Equal(i, e.Connection);
        }

        Assert.False(queue.TryTake(out _));
    }

    [Fact]
    public void A_reader_that_takes_nothing_holds_nobody_up_and_is_told_what_it_missed()
    {
        TraceQueue queue = new(2);
        MemoryStream stream = new();
        for (int i = 0; i < 5; i++)
        {
            queue.Add(new TraceEvent { Kind = TraceEventKind.DnsQuery, Connection = 1, Text = "A example.com", FromCommand = true });
        }

        new TraceWriter(queue, stream, json: false).Dispose();
        Assert.Equal(
            "       0.000 ms  #1   --> DNS query A example.com\n       0.000 ms  #1   --> DNS query A example.com\n"
            + "3 events lost: the trace is not read as fast as it is written\n",
            Encoding.UTF8.GetString(stream.ToArray()));
    }
}

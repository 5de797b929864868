using System.Text;
using System.Text.Json;
using Portico.Linux;
using Portico.Net;

namespace Portico.Cli.Tests.Control;

/// <summary>The output of <c>portico ss</c>, letter by letter as ss(8) of iproute2 prints the same facts into a pipe.</summary>
public sealed class SsTableTests
{
    private static readonly SocketOwner s_curl = new(4711, 1000, [new SocketHolder("curl", 17, 5), new SocketHolder("cu\u001brl", 18, 5)]);

    private static readonly TcpSocketRecord s_listener = new()
    {
        Local = Endpoint.Parse("10.0.2.2:80"),
        Remote = new Endpoint(IpAddress.AnyIpv4, 0),
        State = TcpState.Listen,
        SendQueue = 128,
        Cookie = 0x1001,
    };

    private static readonly TcpSocketRecord s_timeWait = new()
    {
        Local = Endpoint.Parse("192.0.2.1:443"),
        Remote = Endpoint.Parse("10.0.2.100:40001"),
        State = TcpState.TimeWait,
        Timer = TcpTimerKind.TimeWait,
        TimerMillis = 59_500,
        Cookie = 7,
    };

    private static TcpSocketRecord Established => new()
    {
        Local = Endpoint.Parse("[2001:db8::1]:443"),
        Remote = Endpoint.Parse("[fd70:6f72:7469:636f::100]:40000"),
        State = TcpState.Established,
        Timer = TcpTimerKind.On,
        TimerMillis = 204,
        TimerRetransmits = 2,
        ReceiveQueue = 3,
        SendQueue = 1234567,
        Cookie = 0x2c,
        HasInfo = true,
        Info = new TcpInfo
        {
            State = TcpState.Established,
            Timestamps = true,
            Sack = true,
            WindowScale = true,
            SndWindShift = 7,
            RcvWindShift = 10,
            RtoMicros = 204_000,
            Backoff = 1,
            RttMicros = 16_125,
            RttVarMicros = 9,
            AtoMicros = 40_000,
            SndMss = 1448,
            PathMtu = 1500,
            RcvMss = 536,
            AdvMss = 1448,
            SndCwnd = 10,
            SndSsThresh = 7,
            BytesSent = 2000,
            BytesRetrans = 1000,
            BytesAcked = 1000,
            BytesReceived = 5,
            SegsOut = 4,
            SegsIn = 3,
            LastDataSentMillis = 12,
            LastDataReceivedMillis = 34,
            LastAckReceivedMillis = 0,
            Delivered = 2,
            Unacked = 1,
            Retrans = 1,
            TotalRetrans = 2,
            Lost = 1,
            Reordering = 3,
            RcvSpace = 14480,
            RcvSsThresh = 64088,
            MinRttMicros = 8,
            SndWnd = 65536,
            RcvWnd = 65535,
        },
    };

    [Fact]
    public void Everything_about_sockets_of_each_kind()
    {
        string expected =
            """
            Netid State     Recv-Q Send-Q  Local Address:Port               Peer Address:Port Process
            udp   ESTAB     0      0           192.0.2.1:53                   10.0.2.100:50000 users:(("curl",pid=17,fd=5),("cu?rl",pid=18,fd=5)) uid:1000 ino:4711
            icmp  ESTAB     0      0           192.0.2.1:*                    10.0.2.100:77    ino:0
            tcp   LISTEN    0      128          10.0.2.2:80                      0.0.0.0:*     ino:0 sk:1001 <->
            tcp   TIME-WAIT 0      0           192.0.2.1:443                  10.0.2.100:40001 timer:(timewait,59sec,0) ino:0 sk:7
            tcp   ESTAB     3      1234567 [2001:db8::1]:443  [fd70:6f72:7469:636f::100]:40000 users:(("curl",pid=17,fd=5),("cu?rl",pid=18,fd=5)) timer:(on,204ms,2) uid:1000 ino:4711 sk:2c <->
            	 ts sack cubic wscale:7,10 rto:204 backoff:1 rtt:16.125/0.009 ato:40 mss:1448 pmtu:1500 rcvmss:536 advmss:1448 cwnd:10 ssthresh:7 bytes_sent:2000 bytes_retrans:1000 bytes_acked:1000 bytes_received:5 segs_out:4 segs_in:3 send 7183876bps lastsnd:12 lastrcv:34 delivered:2 unacked:1 retrans:1/2 lost:1 rcv_space:14480 rcv_ssthresh:64088 minrtt:0.008 snd_wnd:65536 rcv_wnd:65535

            """;
        SsTable table = new(SsDetails.All, withNetid: true, withState: true);
        Fill(table);
        Assert.Equal(expected, table.Render());
    }

    [Fact]
    public void Plain_columns_as_by_ss_tn()
    {
        string expected =
            """
            Recv-Q Send-Q Local Address:Port Peer Address:Port Process
            0      0          192.0.2.1:443    10.0.2.100:40001

            """;
        SsTable table = new(new SsDetails { Numeric = true }, withNetid: false, withState: false);
        Add(table, json => json.Write(s_timeWait, default));
        Assert.Equal(expected, table.Render());
    }

    [Fact]
    public void One_line_without_a_header_and_rates_in_short()
    {
        SsTable table = new(new SsDetails(false, true, false, false, false, true), withNetid: false, withState: true) { HasHeader = false };
        Add(table, json => json.Write(Established, default));
        string line = table.Render();
        Assert.StartsWith("ESTAB 3      1234567 [2001:db8::1]:https [fd70:6f72:7469:636f::100]:40000 cubic wscale:7,10 rto:204", line, StringComparison.Ordinal);
        Assert.Contains(" send 7.18Mbps ", line, StringComparison.Ordinal);
        Assert.Equal(1, line.Count(c => c == '\n'));
    }

    [Theory]
    [InlineData(false, "*:https v6only:0")]
    [InlineData(true, "[::]:https v6only:1")]
    public void A_dual_stack_listener_is_a_star_and_one_for_ipv6_only_is_not(bool only, string expected)
    {
        SsTable table = new(new SsDetails { Extended = true }, withNetid: false, withState: false) { HasHeader = false };
        TcpSocketRecord listener = s_listener with
        {
            Local = Endpoint.Parse("[::]:443"), Remote = new Endpoint(IpAddress.AnyIpv6, 0), Ipv6Only = only,
        };
        Add(table, json => json.Write(listener, default));
        string[] words = table.Render().Split(' ', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(expected, $"{words[2]} {words[6]}");
    }

    [Theory]
    [InlineData(0u, "")]
    [InlineData(7u, "007ms")]
    [InlineData(204u, "204ms")]
    [InlineData(1_050u, "1.050sec")]
    [InlineData(10_500u, "10sec")]
    [InlineData(59_999u, "59sec")]
    [InlineData(119_000u, "1min59sec")]
    [InlineData(7_199_000u, "119min")]
    public void Timers_have_two_units_at_most(uint millis, string expected) => Assert.Equal(expected, SsTable.Timer(millis));

    [Theory]
    [InlineData(999, "999")]
    [InlineData(35_328_000_000, "35.3G")]
    [InlineData(1e12, "1T")]
    [InlineData(15_800, "15.8k")]
    public void Bandwidths_have_three_digits(double value, string expected) => Assert.Equal(expected, SsInfo.Bandwidth(value, numeric: false));

    [Fact]
    public void The_same_facts_are_there_as_json()
    {
        using SocketJson json = new();
        using JsonDocument document = JsonDocument.Parse(Encoding.UTF8.GetString(json.Write(Established, s_curl)));
        JsonElement root = document.RootElement;
        Assert.Equal("tcp", root.GetProperty("netid").GetString());
        Assert.Equal("ESTAB", root.GetProperty("state").GetString());
        Assert.Equal("2001:db8::1", root.GetProperty("local").GetProperty("address").GetString());
        Assert.Equal(40000, root.GetProperty("peer").GetProperty("port").GetInt32());
        Assert.Equal(17, root.GetProperty("processes")[0].GetProperty("pid").GetInt32());
        Assert.Equal(204, root.GetProperty("timer").GetProperty("millis").GetInt32());
        Assert.Equal("<->", root.GetProperty("shutdown").GetString());
        Assert.Equal(16_125, root.GetProperty("info").GetProperty("rttMicros").GetInt32());
    }

    private static void Fill(SsTable table)
    {
        ProxyFlow udp = new(Endpoint.Parse("192.0.2.1:53"), Endpoint.Parse("10.0.2.100:50000"));
        ProxyFlow ping = new(Endpoint.Parse("192.0.2.1:0"), Endpoint.Parse("10.0.2.100:77"));
        Add(table, json => json.Write("udp", udp, s_curl));
        Add(table, json => json.Write("icmp", ping, default));
        Add(table, json => json.Write(s_listener, default));
        Add(table, json => json.Write(s_timeWait, default));
        Add(table, json => json.Write(Established, s_curl));
    }

    private delegate ReadOnlySpan<byte> Writer(SocketJson json);

    private static void Add(SsTable table, Writer write)
    {
        using SocketJson json = new();
        using JsonDocument document = JsonDocument.Parse(Encoding.UTF8.GetString(write(json)));
        table.Add(document.RootElement);
    }
}

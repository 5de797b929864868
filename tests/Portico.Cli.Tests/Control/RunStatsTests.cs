using System.Text.Json;

namespace Portico.Cli.Tests.Control;

/// <summary>What <c>--stats</c> prints, from given counters.</summary>
public sealed class RunStatsTests
{
    private static readonly (string, long)[] s_counters =
    [
        ("IpInReceives", 12), ("IpInHdrErrors", 1), ("IpDropTtlExpired", 1), ("TcpRetransSegs", 3), ("TcpExtTCPTimeouts", 1), ("TcpExtTCPFastRetrans", 2),
        ("ProxyTcpRequests", 1234), ("ProxyTcpAccepted", 1000), ("ProxyTcpRefused", 234), ("ProxyTcpClosed", 999), ("ProxyTcpReset", 1),
        ("ProxyUdpFlows", 1), ("ProxyUdpOut", 2), ("ProxyUdpIn", 1), ("ProxyPingOut", 3), ("ProxyPingIn", 3), ("ProxyDnsQueries", 1),
        ("ProxyDnsLocalAnswers", 1), ("TunInPackets", 5000), ("TunInBytes", 2_000_000), ("TunOutPackets", 1), ("TunOutBytes", 60),
        ("ImpairOutLossDrops", 7),
    ];

    [Fact]
    public void A_summary_for_people()
    {
        RunStats stats = new(s_counters, TimeSpan.FromMilliseconds(1234), 3);
        Assert.Equal(
            """
            1.234 s, exit status 3
            packets        5,000 packets (1.9M) from the command, 1 packet (60) to it
            connections    1,234 attempts: 1,000 accepted, 234 refused, 999 closed, 1 reset
            retransmitted  3 segments: 1 after a timeout, 2 fast
            UDP            1 flow: 2 datagrams out, 1 in
            ping           3 requests, 3 replies
            DNS            1 query: 1 answered here
            dropped        1 IpDropTtlExpired, 7 ImpairOutLossDrops
            """,
            string.Join('\n', stats.Lines()));
    }

    [Fact]
    public void Of_a_run_without_traffic_two_lines() => Assert.Equal(
        ["0.010 s, exit status 0", "packets        0 packets (0) from the command, 0 packets (0) to it"],
        new RunStats([], TimeSpan.FromMilliseconds(10), 0).Lines());

    [Fact]
    public void One_object_for_programs()
    {
        using JsonDocument document = JsonDocument.Parse(new RunStats(s_counters, TimeSpan.FromMilliseconds(1234), 3).Json());
        JsonElement root = document.RootElement;
        Assert.Equal("stats", root.GetProperty("event").GetString());
        Assert.Equal(1_234_000, root.GetProperty("durationMicros").GetInt64());
        Assert.Equal(234, root.GetProperty("connections").GetProperty("refused").GetInt32());
        Assert.Equal(7, root.GetProperty("drops").GetProperty("ImpairOutLossDrops").GetInt32());
        Assert.Equal(12, root.GetProperty("counters").GetProperty("IpInReceives").GetInt32());
    }
}

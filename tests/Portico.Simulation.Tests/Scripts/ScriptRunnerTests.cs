using Portico.Simulation.Scripts;

namespace Portico.Simulation.Tests.Scripts;

/// <summary>Scripts of calls and packets: what passes, and what is said of what does not.</summary>
public sealed class ScriptRunnerTests
{
    /// <summary>A server that has accepted a connection of a peer with an MSS of 1000.</summary>
    public const string Accepted = """
            0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
           +0 setsockopt(3, SOL_SOCKET, SO_REUSEADDR, [1], 4) = 0
           +0 bind(3, ..., ...) = 0
           +0 listen(3, 1) = 0
           +0 < S 0:0(0) win 32792 <mss 1000,sackOK,nop,nop,nop,wscale 7>
           +0 > S. 0:0(0) ack 1 <mss 1460,nop,nop,sackOK,nop,wscale 7>
          +.1 < . 1:1(0) ack 1 win 257
           +0 accept(3, ..., ...) = 4

        """;

    public static TheoryData<ScriptIpVersion> Versions => [.. Enum.GetValues<ScriptIpVersion>()];

    private static ScriptResult Run(string script, ScriptIpVersion version = ScriptIpVersion.Ipv4) =>
        ScriptRunner.Run("test.pkt", script, new ScriptOptions { IpVersion = version });

    private static void Passes(string script, ScriptIpVersion version = ScriptIpVersion.Ipv4)
    {
        ScriptResult result = Run(script, version);
        Assert.True(result.Passed, result.Failure == null ? "" : $"{result.Failure}\n{string.Join('\n', result.Failure.Trace)}");
    }

    private static ScriptReport Fails(string script) => Run(script).Failure ?? throw new InvalidOperationException("the script has passed");

    [Theory]
    [MemberData(nameof(Versions))]
    public void A_server_accepts_reads_and_writes(ScriptIpVersion version) => Passes(Accepted + """
           +0 < P. 1:1001(1000) ack 1 win 257
           * > . 1:1(0) ack 1001
           +0 read(4, ..., 2000) = 1000
           +0 write(4, ..., 2500) = 2500
           +0 > P. 1:2501(2500) ack 1001
          +.1 < . 1001:1001(0) ack 2501 win 257
           +0 close(4) = 0
           +0 > F. 2501:2501(0) ack 1001
        """, version);

    [Theory]
    [MemberData(nameof(Versions))]
    public void A_client_connects_in_a_call_that_blocks(ScriptIpVersion version) => Passes("""
            0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
           +0...0.200 connect(3, ..., ...) = 0
           +0 > S 0:0(0) <...>
          +.2 < S. 0:0(0) ack 1 win 5792 <mss 1460>
           +0 > . 1:1(0) ack 1
        """, version);

    [Fact]
    public void A_read_that_blocks_returns_when_the_data_has_come() => Passes(Accepted + """
           +0...0.050 read(4, ..., 2000) = 500
         +.05 < P. 1:501(500) ack 1 win 257
           * > . 1:1(0) ack 501
        """);

    [Fact]
    public void A_lost_SYN_is_sent_again_after_a_second() => Passes("""
            0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
           +0 fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0
           +0 connect(3, ..., ...) = -1 EINPROGRESS (Operation now in progress)
           +0 > S 0:0(0) <mss 1460,sackOK,TS val 100 ecr 0,nop,wscale 7>
           +1 > S 0:0(0) <mss 1460,sackOK,TS val 1100 ecr 0,nop,wscale 7>
          +.1 < S. 0:0(0) ack 1 win 5792 <mss 1460,sackOK,TS val 700 ecr 1100>
           +0 > . 1:1(0) ack 1 <nop,nop,TS val 1200 ecr 700>
           +0 getsockopt(3, SOL_SOCKET, SO_ERROR, [0], [4]) = 0
        """);

    [Fact]
    public void Code_sees_the_socket_and_keeps_its_variables() => Passes(Accepted + """
           +0 %{
        assert tcpi_state == TCP_ESTABLISHED and not tcpi_lost, 'state %d' % tcpi_state
        cwnd = 8; cwnd += 2
        if tcpi_snd_cwnd != cwnd:
          assert False, (tcpi_snd_cwnd, cwnd)
           }%
           +0 %{ assert 5 <= cwnd <= 10, cwnd; assert (tcpi_options & TCPI_OPT_SACK) != 0 }%
        """);

    [Fact]
    public void Settings_are_made_on_the_scripts_own_kernel() => Passes("""
        `sysctl -q net.ipv4.tcp_timestamps=0 net.ipv4.tcp_syn_retries=3; echo 7 > /proc/sys/net/ipv4/tcp_retries2`
            0 `grep 7 /proc/sys/net/ipv4/tcp_retries2 > /dev/null`
           +0 `cat /proc/sys/net/ipv4/tcp_syn_retries | grep 3`
        """);

    [Fact]
    public void Poll_and_epoll_are_compared_with_what_is_ready() => Passes(Accepted + """
           +0 epoll_create(1) = 5
           +0 epoll_ctl(5, EPOLL_CTL_ADD, 4, {events=EPOLLIN|EPOLLET, fd=4}) = 0
           +0 epoll_wait(5, {events=0, ptr=0}, 1, 0) = 0
           +0 < P. 1:501(500) ack 1 win 257
           +0 epoll_wait(5, {events=EPOLLIN, fd=4}, 1, 0) = 1
           +0 poll([{fd=4, events=POLLIN|POLLOUT, revents=POLLIN|POLLOUT}], 1, 0) = 1
           +0 ioctl(4, SIOCINQ, [500]) = 0
        """);

    [Fact]
    public void An_ICMP_error_ends_a_connection_that_is_being_opened() => Passes("""
            0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
           +0...0.100 connect(3, ..., ...) = -1 ECONNREFUSED (Connection refused)
           +0 > S 0:0(0) <...>
          +.1 < icmp unreachable port_unreachable [0:0(0)]
        """);

    [Fact]
    public void Datagrams_are_sent_and_expected() => Passes("""
            0 socket(..., SOCK_DGRAM, IPPROTO_UDP) = 3
           +0 sendto(3, ..., 100, 0, ..., ...) = 100
           +0 > udp (100)
          +.1 < udp (60)
           +0 recvfrom(3, ..., 1000, 0, ..., ...) = 60
        """);

    [Fact]
    public void What_was_expected_and_what_came_stand_side_by_side()
    {
        ScriptReport report = Fails(Accepted + "   +0 write(4, ..., 1000) = 1000\n   +0 > P. 1:1001(1000) ack 2 win 99\n");
        Assert.Equal(10, report.Position.Line);
        Assert.Equal("acknowledgment number: expected 2, got 1", report.Reason);
        Assert.Equal("+0 > P. 1:1001(1000) ack 2 win 99", report.Line.Trim());
        Assert.Equal("0.100000  > P. 1:1001(1000) ack 2 win 99", report.Expected);
        Assert.StartsWith("0.100000  > P. 1:1001(1000) ack 1 win ", report.Actual, StringComparison.Ordinal);
        Assert.Contains(report.Trace, line => line.Contains("call   write(...) = 1000", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("+0 read(4, ..., 10) = 7\n", "read: the result is another")]
    [InlineData("+0 close(9) = 0\n", "close: the script has opened no descriptor 9")]
    [InlineData("+0 reboot(1) = 0\n", "reboot: there is no such system call for scripts")]
    [InlineData("+0 > . 1:1(0) ack 1\n", "no packet came")]
    [InlineData("+0 %{ assert tcpi_snd_cwnd == 3, 'cwnd' }%\n", "assert tcpi_snd_cwnd == 3: cwnd (tcpi_snd_cwnd = 10)")]
    [InlineData("+0 %{ assert tcpi_nothing == 3 }%\n", "tcpi_nothing is not defined")]
    [InlineData("+0 `format c:`\n", "the command format is not one")]
    [InlineData("+0 `sysctl -q net.ipv4.no_such_thing=1`\n", "the command failed: sysctl")]
    [InlineData("+0 write(4, ..., 1000) = 1000\n+.3 > P. 1:1001(1000) ack 1\n", "the outbound packet came at 0.100000 s, not at 0.400000 s")]
    [InlineData("+0 write(4, ..., 1000) = 1000\n+0 > P. 1:1001(1000) ack 1 <nop,nop,sackOK>\n", "options: expected 4 bytes, got 0")]
    [InlineData("+0...0.5 read(4, ..., 10) = 7\n", "the script ends while a call is blocked")]
    public void A_failure_is_named(string line, string reason) => Assert.StartsWith(reason, Fails(Accepted + line).Reason, StringComparison.Ordinal);

    [Fact]
    public void A_call_that_nothing_can_end_fails_with_EDEADLK() =>
        Assert.Equal("-1 EDEADLK", Fails("0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n+0 bind(3, ..., ...) = 0\n+0 listen(3, 1) = 0\n+0 accept(3, ..., ...) = 4\n").Actual);

    [Fact]
    public void The_same_script_gives_the_same_packets_at_the_same_times()
    {
        const string Script = Accepted + "   +0 write(4, ..., 30000) = 30000\n  +10 `true`\n";
        ScriptResult first = Run(Script);
        Assert.True(first.PacketCount > 15);
        for (int i = 0; i < 5; i++)
        {
            Assert.Equal(first.PacketDigest, Run(Script).PacketDigest);
        }
    }

    [Theory]
    [InlineData("a/b.pkt", 3)]
    [InlineData("a/b-v4.pkt", 2)]
    [InlineData("a/b_v6.pkt", 1)]
    public void The_end_of_the_name_says_which_versions_a_script_is_for(string path, int count) => Assert.Equal(count, ScriptRunner.VersionsOf(path).Count);
}

using Portico.Simulation.Scripts;

namespace Portico.Simulation.Tests.Scripts;

/// <summary>What scripts look like; and that whatever is wrong with one is said with line and column, and never ends in anything else.</summary>
public sealed class ScriptSyntaxTests
{
    private const string Sample = """
        --tolerance_usecs=5000 // a comment
        --define=SIZE=1000
        `sysctl -q net.ipv4.tcp_timestamps=0`
        /* a comment
           of two lines */
            0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3 # another one
           +0 setsockopt(3, SOL_SOCKET, SO_LINGER, {onoff=1, linger=0}, 8) = 0
           +0 fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0
           +0 connect(3, ..., ...) = -1 EINPROGRESS (Operation now in progress)
           +0 > S 0:0(0) win 65535 <mss 1460,nop,nop,sackOK,nop,wscale 7>
          +.1 < [ect0] S. 0:0(0) ack 1 win 5792 <mss 1000,nop,wscale 2,sackOK,nop,nop>
           +0 > . 1:1(0) ack 1
           +0 write(3, ..., SIZE) = SIZE
          +0~+.01 > (ttl 64) P. 1:1001(1000) ack 1
           +0 < . 1:1(0) ack 1 win 257 <nop,nop,sack 501:1001>
           +0 %{ assert tcpi_unacked >= 0, 'unacked %d' % tcpi_unacked }%
           +0 < icmp unreachable frag_needed mtu 700 [1:1001(1000)]
           +0 < R. 1:1(0) ack 1001 win 0
           +0 recvmsg(3, {msg_name(...)=..., msg_iov(1)=[{..., 10}], msg_flags=0, msg_control=[]}, 0) = -1 ECONNRESET (Connection reset by peer)
           +0 poll([{fd=3, events=POLLIN, revents=POLLIN|POLLHUP}], 1, 0) = 1
        `true`
        """;

    private static ScriptSyntaxException Refuse(string script) => Assert.Throws<ScriptSyntaxException>(() => ScriptRunner.Run("test.pkt", script));

    [Fact]
    public void The_sample_is_a_script() => Assert.NotNull(ScriptRunner.Run("test.pkt", Sample));

    [Theory]
    [InlineData("", "1:1: expected an event: a time and what happens then, found the end of the file")]
    [InlineData("0 socket(1, 2", "1:14: expected ',' or ')', found the end of the file")]
    [InlineData("0 socket(1, 2) 3", "1:16: expected '=', found '3'")]
    [InlineData("0 socket(1, 2) = 3\n   bind(3) = 0", "2:12: expected a time in seconds, found '='")]
    [InlineData("0 < X 0:0(0) win 5", "1:5: expected flags of F, S, R, P, ., U, E, W, A and one digit of 0 to 7, found 'X'")]
    [InlineData("0 < S 0:5(4) win 5", "1:7: expected 0:4(4): the numbers have to differ by the length")]
    [InlineData("0 < S 0:0(0)", "1:13: expected win and the window, which an inbound packet has to have")]
    [InlineData("0 > S 0:0(0) <mss 70000>", "1:19: expected a segment size of 0 to 65535, found '70000'")]
    [InlineData("0 > S 0:0(0) <nop>", "1:14: expected options of a multiple of four bytes, at most 40, found 1")]
    [InlineData("0 > S 0:0(0) <fop>", "1:15: expected nop, eol, mss, wscale, sackOK, sack, TS, md5, FO, FOEXP or ECN, found 'fop'")]
    [InlineData("* < S 0:0(0) win 5", "1:1: expected one time")]
    [InlineData("5~4 > S 0:0(0)", "1:1: expected a range of times that goes forward")]
    [InlineData("-1 > S 0:0(0)", "1:1: expected a time of 0 to 1000000 seconds")]
    [InlineData("0 `true", "1:3: expected ` before the end of the file")]
    [InlineData("0 %{ assert (1 }%", "1:16: expected ')', found the end of the code")]
    [InlineData("0 %{\nassert 1,\n}%", "2:10: expected a number, a string, a name or '(', found the end of the line")]
    [InlineData("0 > gre: S 0:0(0)", "1:5: expected a TCP, UDP or ICMP packet")]
    [InlineData("0 < icmp nonsense", "1:3: expected an ICMP type's name, found 'nonsense'")]
    [InlineData("--no_such_option=1\n0 `true`", "1:1: expected an option that there is, found --no_such_option=1")]
    [InlineData("--tolerance_usecs=soon\n0 `true`", "1:1: expected a number of 0 to")]
    public void What_is_wrong_is_said_with_line_and_column(string script, string message) =>
        Assert.Contains($"test.pkt:{message}", Refuse(script).Message, StringComparison.Ordinal);

    [Fact]
    public void Brackets_without_end_in_one_another_are_refused()
    {
        Refuse("0 socket(" + new string('[', 10_000));
        Refuse("0 socket(" + string.Concat(Enumerable.Repeat("{a=", 10_000)));
        Refuse("0 %{ assert " + new string('(', 10_000) + " }%");
        Refuse("0 %{ assert " + string.Concat(Enumerable.Repeat("not ", 10_000)) + "1 }%");
    }

    [Fact]
    public void Whatever_is_written_is_run_or_refused_and_nothing_else_happens()
    {
        Random random = new(20_261_128);
        const string Pieces = "+*~.<>(){}[],:;=|%`\"'#0123456789aSFRPUEWA \n\t\\-";
        for (int i = 0; i < 1500; i++)
        {
            System.Text.StringBuilder text = new(Sample);
            for (int change = random.Next(1, 8); change > 0; change--)
            {
                int at = random.Next(text.Length);
                switch (random.Next(4))
                {
                    case 0:
                        text.Remove(at, Math.Min(random.Next(1, 12), text.Length - at));
                        break;
                    case 1:
                        text[at] = Pieces[random.Next(Pieces.Length)];
                        break;
                    case 2:
                        text.Insert(at, Pieces[random.Next(Pieces.Length)]);
                        break;
                    default:
                        int from = random.Next(text.Length);
                        text.Insert(at, text.ToString(from, Math.Min(random.Next(1, 40), text.Length - from)));
                        break;
                }
            }

            try
            {
                ScriptResult result = ScriptRunner.Run("fuzz.pkt", text.ToString());
                Assert.DoesNotContain("the kernel has thrown", result.Failure?.Reason ?? "", StringComparison.Ordinal);
            }
            catch (ScriptSyntaxException)
            {
            }
        }
    }
}

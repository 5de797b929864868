using System.Text;

namespace Portico.Cli.Tests.Control;

/// <summary>The table of <c>portico ps</c>, and the states that <c>portico ss</c> filters by.</summary>
public sealed class PsAndStateTests
{
    [Fact]
    public void A_line_for_each_run()
    {
        byte[][] runs =
        [
            Encoding.UTF8.GetBytes(
                """{"id":"17","pid":17,"uptimeSeconds":3,"command":["sh","-c","echo 'a' \u001b"],"connections":0,"bytesIn":0,"bytesOut":1023}"""),
            Encoding.UTF8.GetBytes(
                """{"id":"web","pid":4711,"uptimeSeconds":93784,"command":["nginx"],"connections":12,"bytesIn":10485760,"bytesOut":1536}"""),
        ];
        Assert.Equal(
            """
            ID   PID   UPTIME      CONNS  IN   OUT   COMMAND
            17   17    00:03       0      0    1023  sh -c 'echo '\''a'\'' ?'
            web  4711  1-02:03:04  12     10M  1.5K  nginx

            """,
            PsCommand.Table(runs));
    }

    [Theory]
    [InlineData("state established", "ESTAB")]
    [InlineData("state syn-sent state ESTABLISHED", "ESTAB SYN-SENT")]
    [InlineData("state bucket", "SYN-RECV TIME-WAIT")]
    [InlineData("state connected exclude established exclude bucket", "CLOSE-WAIT CLOSING FIN-WAIT-1 FIN-WAIT-2 LAST-ACK SYN-SENT")]
    [InlineData("state listening", "LISTEN")]
    public void States_are_chosen_by_the_names_of_ss(string filter, string expected) =>
        Assert.Equal(expected, string.Join(' ', SsStates.Parse(filter.Split(' '))!.Order(StringComparer.Ordinal)));

    [Theory]
    [InlineData("state")]
    [InlineData("state nonsense")]
    [InlineData("dport 80")]
    public void What_is_no_filter_is_refused(string filter) => Assert.Throws<ArgumentException>(() => SsStates.Parse(filter.Split(' ')));

    [Fact]
    public void No_filter_means_none() => Assert.Null(SsStates.Parse([]));
}

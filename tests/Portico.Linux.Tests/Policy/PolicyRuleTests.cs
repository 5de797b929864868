using Portico.Net;

namespace Portico.Linux.Tests.Policy;

/// <summary>How rules are written.</summary>
public class PolicyRuleTests
{
    [Theory]
    [InlineData("all", "10.1.2.3", 1, true)]
    [InlineData("ALL/TCP", "10.1.2.3", 1, true)]
    [InlineData("all/udp", "10.1.2.3", 1, false)]
    [InlineData(":25", "10.1.2.3", 25, true)]
    [InlineData(":25", "10.1.2.3", 26, false)]
    [InlineData("10.1.2.3", "10.1.2.3", 65535, true)]
    [InlineData("10.1.2.3", "10.1.2.4", 1, false)]
    [InlineData("10.0.0.0/8", "10.255.0.1", 80, true)]
    [InlineData("10.0.0.0/8:80", "10.255.0.1", 80, true)]
    [InlineData("10.0.0.0/8:80-90/tcp", "10.255.0.1", 90, true)]
    [InlineData("10.0.0.0/8:80-90/tcp", "10.255.0.1", 91, false)]
    [InlineData("10.0.0.0/8:80/udp", "10.255.0.1", 80, false)]
    [InlineData("0.0.0.0/0", "192.0.2.1", 80, true)]
    [InlineData("0.0.0.0/0", "2001:db8::1", 80, false)]
    [InlineData("2001:db8::/32", "2001:db8:1::1", 80, true)]
    [InlineData("2001:db8::1", "2001:db8::1", 80, true)]
    [InlineData("[2001:db8::1]:443", "2001:db8::1", 443, true)]
    [InlineData("[2001:db8::1]:443", "2001:db8::1", 444, false)]
    [InlineData("[2001:db8::]/32:443/tcp", "2001:db8:1::1", 443, true)]
    [InlineData("[2001:db8::/32]:443/tcp", "2001:db8:1::1", 443, true)]
    [InlineData("::ffff:10.1.2.3", "10.1.2.3", 1, true)]
    [InlineData("host", "192.0.2.9", 80, true)]
    [InlineData("host:81", "192.0.2.9", 80, false)]
    [InlineData("localhost", "192.0.2.9", 80, false)]
    [InlineData("10.0.0.0/8:https", "10.0.0.1", 443, true)]
    [InlineData("10.0.0.0/8:https", "10.0.0.1", 444, false)]
    [InlineData("host:www/tcp", "192.0.2.9", 80, true)]
    [InlineData(":ftp-data", "192.0.2.9", 20, true)]
    public void A_rule_is_about_these_destinations(string rule, string address, int port, bool isAbout)
    {
        HostPolicy policy = new() { Rules = [Parse(false, rule)], IsHostsOwn = a => a == IpAddress.Parse("192.0.2.9") };
        HostPolicyVerdict verdict = policy.Decide(
            IpProtocol.Tcp, new Endpoint(IpAddress.Parse(address), (ushort)port), MonoTime.Zero, out Endpoint target);
        Assert.Equal(isAbout ? HostPolicyVerdict.Prohibit : HostPolicyVerdict.Allow, verdict);
        Assert.Equal(new Endpoint(IpAddress.Parse(address), (ushort)port), target);
    }

    [Theory]
    [InlineData("example.com", "example.com", true)]
    [InlineData("Example.COM.", "example.com", true)]
    [InlineData("example.com", "www.example.com", false)]
    [InlineData("*.example.com", "example.com", false)]
    [InlineData("*.example.com", "www.example.com", true)]
    [InlineData("*.example.com", "a.b.example.com", true)]
    [InlineData("*.example.com", "notexample.com", false)]
    [InlineData("*.example.com", "example.com.evil.test", false)]
    [InlineData("a_b.example.com", "a_b.example.com", true)]
    public void A_rule_is_about_these_names(string rule, string name, bool isAbout)
    {
        Assert.True(DnsName.TryEncode(name, out byte[] encoded));
        Assert.Equal(isAbout, Parse(true, rule).HoldsName(encoded));
    }

    [Theory]
    [InlineData("10.0.0.1/8", "10.0.0.1/8 has bits behind its prefix: 10.0.0.0/8 or 10.0.0.1?")]
    [InlineData("10.0.0.0/33", "'33' is no prefix length from 0 to 32")]
    [InlineData("2001:db8::/129", "'129' is no prefix length from 0 to 128")]
    [InlineData("10.0.0/8", "'10.0.0/8' is no address and no CIDR")]
    [InlineData("256.1.1.1", "'256.1.1.1' is no address and no CIDR")]
    [InlineData("[2001:db8::1", "'[2001:db8::1' is no address and no CIDR")]
    [InlineData("example.com:0", "'0' is no port, no name of a port and no range of ports from 1 to 65535")]
    [InlineData("example.com:65536", "'65536' is no port, no name of a port and no range of ports from 1 to 65535")]
    [InlineData("example.com:htpp", "'htpp' is no port, no name of a port and no range of ports from 1 to 65535")]
    [InlineData("example.com:90-80", "the range of ports 90-80 ends before it begins: 80-90?")]
    [InlineData("example.com:80/sctp", "'sctp' is none of the protocols tcp, udp and icmp")]
    [InlineData("example.com:80/icmp", "ICMP has no ports")]
    [InlineData("exa mple.com", "'exa mple.com' is no address, no CIDR and no name (names in ASCII: xn--... for others)")]
    [InlineData("bücher.example", "'bücher.example' is no address, no CIDR and no name (names in ASCII: xn--... for others)")]
    [InlineData("www.*.com", "'www.*.com' is no address, no CIDR and no name (names in ASCII: xn--... for others)")]
    [InlineData("*", "say 'all' for everything")]
    public void What_is_no_rule_is_explained(string text, string explanation)
    {
        Assert.False(PolicyRule.TryParse(true, text, out _, out string? error));
        Assert.Equal(explanation, error);
    }

    [Theory]
    [InlineData("10.0.0.0/8", "10.1.2.3", true)]
    [InlineData("10.1.2.3", "10.0.0.0/8", false)]
    [InlineData("10.0.0.0/8:80", "10.1.2.3", false)]
    [InlineData("10.0.0.0/8", "10.1.2.3:80/tcp", true)]
    [InlineData("10.0.0.0/8/udp", "10.1.2.3:80/tcp", false)]
    [InlineData("*.example.com", "www.example.com", true)]
    [InlineData("*.example.com", "example.com", false)]
    [InlineData("*.b.example.com", "*.example.com", false)]
    [InlineData("all:1-100", "example.com:80", true)]
    [InlineData("all", "10.1.2.3", false)]
    [InlineData("all", "all", true)]
    [InlineData("host", "host:80", true)]
    public void A_rule_behind_one_that_decides_all_of_it_could_never_matter(string first, string second, bool isShadowed) =>
        Assert.Equal(isShadowed, Parse(true, second).IsShadowedBy(Parse(false, first)));

    internal static PolicyRule Parse(bool isAllow, string text)
    {
        Assert.True(PolicyRule.TryParse(isAllow, text, out PolicyRule? rule, out string? error), error);
        return rule!;
    }
}

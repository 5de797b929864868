using Portico.Net;

namespace Portico.Linux.Tests.Policy;

/// <summary>What rules mean together, and what is closed without any.</summary>
public class HostPolicyTests
{
    private const HostPolicyVerdict Allow = HostPolicyVerdict.Allow;
    private const HostPolicyVerdict Prohibit = HostPolicyVerdict.Prohibit;
    private const HostPolicyVerdict Refuse = HostPolicyVerdict.Refuse;

    private static readonly IpAddress s_outer = IpAddress.Parse("192.0.2.9");

    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("127.255.255.254")]
    [InlineData("0.0.0.0")]
    [InlineData("0.1.2.3")]
    [InlineData("169.254.0.1")]
    [InlineData("169.254.169.254")]
    [InlineData("168.63.129.16")]
    [InlineData("100.100.100.200")]
    [InlineData("192.0.0.192")]
    [InlineData("224.0.0.251")]
    [InlineData("239.255.255.250")]
    [InlineData("255.255.255.255")]
    [InlineData("::")]
    [InlineData("::1")]
    [InlineData("fe80::1")]
    [InlineData("febf::1")]
    [InlineData("ff02::fb")]
    [InlineData("fd00:ec2::254")]
    [InlineData("fd00:ec2::23")]
    [InlineData("fd20:ce::254")]
    [InlineData("::ffff:127.0.0.1")]
    [InlineData("::127.0.0.1")]
    [InlineData("::ffff:0:127.0.0.1")]
    [InlineData("64:ff9b::127.0.0.1")]
    [InlineData("64:ff9b:1::169.254.169.254")]
    [InlineData("64:ff9b:1:a9fe:a9:fe00::")]
    [InlineData("64:ff9b:1:a9:fe:a9fe::")]
    [InlineData("64:ff9b:1:0:a9:fea9:fe00:0")]
    [InlineData("2002:7f00:1::1")]
    [InlineData("2002:a9fe:a9fe:1:2:3:4:5")]
    [InlineData("2001:0:c000:201::80ff:fffe")]
    [InlineData("2001:db8::5efe:127.0.0.1")]
    [InlineData("2001:db8::200:5efe:169.254.169.254")]
    public void Closed_addresses_are_prohibited_unless_a_rule_is_about_just_them(string address)
    {
        Assert.Equal(Prohibit, Decide([], address, 80));
        Assert.Equal(Prohibit, Decide(["+all", "+0.0.0.0/0", "+::/0", "+all/tcp", "+host"], address, 80));
        Assert.Equal(Allow, Decide([$"+{address}"], address, 80));
        Assert.Equal(Prohibit, Decide([$"+{address}"], "127.0.0.2", 80));
    }

    [Theory]
    [InlineData("192.0.2.1")]
    [InlineData("10.1.2.3")]
    [InlineData("100.100.100.201")]
    [InlineData("240.0.0.1")]
    [InlineData("2001:db8::1")]
    [InlineData("fd12:3456::1")]
    [InlineData("64:ff9b::192.0.2.1")]
    [InlineData("64:ff9b:1::192.0.2.1")]
    [InlineData("2002:c000:201::1")]
    [InlineData("2001:db8::5efe:192.0.2.1")]
    public void Everything_else_is_open(string address) => Assert.Equal(Allow, Decide([], address, 80));

    [Theory]
    [InlineData("-10.0.0.0/8", "10.1.2.3", 80, Prohibit)]
    [InlineData("+10.1.2.3 -10.0.0.0/8", "10.1.2.3", 80, Allow)]
    [InlineData("+10.1.2.3 -10.0.0.0/8", "10.1.2.4", 80, Prohibit)]
    [InlineData("-all +10.0.0.0/8", "10.1.2.3", 80, Allow)]
    [InlineData("+10.0.0.0/8 -all", "10.1.2.3", 80, Allow)]
    [InlineData("-all +10.0.0.0/8", "11.1.2.3", 80, Prohibit)]
    [InlineData("-all +:443", "11.1.2.3", 443, Allow)]
    [InlineData("-all +:443", "11.1.2.3", 80, Prohibit)]
    [InlineData("-:25 +10.0.0.0/8 -all", "10.1.2.3", 25, Prohibit)]
    [InlineData("-10.0.0.0/8", "64:ff9b::10.1.2.3", 80, Prohibit)]
    [InlineData("-10.0.0.0/8", "2002:a01:203::1", 80, Prohibit)]
    [InlineData("-all +10.0.0.0/8", "64:ff9b::10.1.2.3", 80, Prohibit)]
    [InlineData("-all +64:ff9b::/96", "64:ff9b::10.1.2.3", 80, Allow)]
    [InlineData("-all +64:ff9b::/96", "64:ff9b::127.0.0.1", 80, Prohibit)]
    [InlineData("-host", "192.0.2.9", 80, Prohibit)]
    [InlineData("-host", "64:ff9b::192.0.2.9", 80, Prohibit)]
    [InlineData("+host:80 -host", "192.0.2.9", 80, Allow)]
    [InlineData("-all +host", "192.0.2.9", 80, Allow)]
    [InlineData("+127.0.0.0/8", "127.0.0.1", 80, Allow)]
    [InlineData("+localhost:80", "127.0.0.1", 81, Prohibit)]
    [InlineData("-127.0.0.1 +127.0.0.0/8", "127.0.0.1", 80, Prohibit)]
    public void The_first_rule_that_is_about_a_destination_decides_and_all_comes_last(
        string rules, string address, int port, HostPolicyVerdict verdict) =>
        Assert.Equal(verdict, Decide(rules.Split(' '), address, port));

    [Theory]
    [InlineData("-all/udp", IpProtocol.Udp, Prohibit)]
    [InlineData("-all/udp", IpProtocol.Icmp, Allow)]
    [InlineData("-all/icmp", IpProtocol.Icmp, Prohibit)]
    [InlineData("-all/icmp", IpProtocol.Tcp, Allow)]
    [InlineData("-:1-65535", IpProtocol.Icmp, Allow)]
    [InlineData("-all +10.1.2.3:80", IpProtocol.Icmp, Prohibit)]
    [InlineData("-all +10.1.2.3", IpProtocol.Icmp, Allow)]
    public void Pings_have_no_port(string rules, IpProtocol protocol, HostPolicyVerdict verdict) =>
        Assert.Equal(verdict, Decide(rules.Split(' '), "10.1.2.3", protocol == IpProtocol.Icmp ? 0 : 80, protocol));

    [Theory]
    [InlineData("", false, "10.0.2.3", "192.0.2.9", Allow)]
    [InlineData("", true, "10.0.2.3", "127.0.0.1", Allow)]
    [InlineData("", true, "fd70::3", "::1", Allow)]
    [InlineData("+localhost:80", false, "10.0.2.3", "127.0.0.1", Allow)]
    [InlineData("+127.0.0.1:80", false, "10.0.2.3", "127.0.0.1", Allow)]
    [InlineData("+127.0.0.1:81", false, "10.0.2.3", "192.0.2.9", Allow)]
    [InlineData("-all +localhost:80", false, "fd70::3", "::1", Allow)]
    [InlineData("-all", true, "10.0.2.3", "127.0.0.1", Prohibit)]
    [InlineData("-all +host", true, "10.0.2.3", "127.0.0.1", Allow)]
    [InlineData("-host", false, "10.0.2.3", "192.0.2.9", Prohibit)]
    [InlineData("-10.0.2.3", false, "10.0.2.3", "192.0.2.9", Prohibit)]
    [InlineData("-192.0.2.0/24", false, "10.0.2.3", "192.0.2.9", Prohibit)]
    [InlineData("-host.portico", false, "10.0.2.3", "192.0.2.9", Prohibit)]
    [InlineData("-localhost", true, "10.0.2.3", "127.0.0.1", Prohibit)]
    [InlineData("-0.0.0.0/0", true, "10.0.2.3", "127.0.0.1", Prohibit)]
    [InlineData("", false, "fd70::3", "::", Refuse)]
    public void The_hosts_name_leads_to_the_host_or_its_loopback(
        string rules, bool loopback, string address, string target, HostPolicyVerdict verdict)
    {
        HostPolicy policy = Create(rules.Split(' ', StringSplitOptions.RemoveEmptyEntries), loopback);
        Assert.Equal(verdict, policy.Decide(IpProtocol.Tcp, At(address, 80), MonoTime.Zero, out Endpoint got));
        if (verdict == Allow)
        {
            Assert.Equal(At(target, 80), got);
        }
    }

    [Fact]
    public void The_gateway_refuses_what_it_does_not_serve_whatever_the_rules_say() =>
        Assert.Equal(Refuse, Decide(["-all"], "10.0.2.2", 80));

    [Fact]
    public void A_name_is_allowed_at_the_addresses_of_its_answers_until_they_expire()
    {
        HostPolicy policy = Create(["-all", "+example.com:443", "+*.example.org"]);
        Learn(policy, "example.com", "203.0.113.1", 10);
        Learn(policy, "www.example.org", "203.0.113.2", 20);
        Learn(policy, "other.test", "203.0.113.3", 20);
        Assert.Equal(Allow, DecideAt(policy, "203.0.113.1", 443, 0));
        Assert.Equal(Prohibit, DecideAt(policy, "203.0.113.1", 80, 0));
        Assert.Equal(Allow, DecideAt(policy, "203.0.113.2", 80, 0));
        Assert.Equal(Prohibit, DecideAt(policy, "203.0.113.3", 443, 0));
        Assert.Equal(Prohibit, DecideAt(policy, "203.0.113.1", 443, 10));

        // A later answer prolongs it, an earlier end does not shorten it.
        Learn(policy, "example.com", "203.0.113.1", 30);
        Learn(policy, "example.com", "203.0.113.1", 15);
        Assert.Equal(Allow, DecideAt(policy, "203.0.113.1", 443, 29));
    }

    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("169.254.169.254")]
    [InlineData("::1")]
    [InlineData("64:ff9b::169.254.169.254")]
    [InlineData("192.0.2.9")]
    public void A_name_that_is_allowed_opens_neither_closed_addresses_nor_the_host(string address)
    {
        HostPolicy policy = Create(["-all", "+evil.test"]);
        Learn(policy, "evil.test", address, 100);
        Assert.Equal(Prohibit, DecideAt(policy, address, 80, 0));
    }

    [Fact]
    public void A_name_that_is_denied_is_denied_at_its_addresses_too_and_the_order_of_the_rules_counts()
    {
        HostPolicy policy = Create(["-bad.test:25", "+good.test", "-10.0.0.0/8"]);
        Learn(policy, "bad.test", "203.0.113.1", 100);
        Learn(policy, "good.test", "10.0.0.1", 100);
        Assert.Equal(Prohibit, DecideAt(policy, "203.0.113.1", 25, 0));
        Assert.Equal(Allow, DecideAt(policy, "203.0.113.1", 80, 0));
        Assert.Equal(Allow, DecideAt(policy, "10.0.0.1", 80, 0));
        Assert.Equal(Prohibit, DecideAt(policy, "10.0.0.2", 80, 0));
    }

    [Theory]
    [InlineData("", "example.com", true)]
    [InlineData("-example.com", "example.com", false)]
    [InlineData("-example.com:25", "example.com", true)]
    [InlineData("-all", "example.com", false)]
    [InlineData("-all +10.0.0.0/8", "example.com", false)]
    [InlineData("-all +example.com:443/tcp", "example.com", true)]
    [InlineData("-all +example.com", "www.example.com", false)]
    [InlineData("-all -example.com:25", "example.com", false)]
    [InlineData("+www.example.com -*.example.com", "www.example.com", true)]
    [InlineData("+www.example.com -*.example.com", "ftp.example.com", false)]
    public void Names_are_resolved_where_a_rule_lets_somebody_go_there(string rules, string name, bool mayResolve)
    {
        DnsName.TryEncode(name, out byte[] encoded);
        Assert.Equal(mayResolve, Create(rules.Split(' ', StringSplitOptions.RemoveEmptyEntries)).MayResolve(encoded));
    }

    [Fact]
    public void A_rule_remembers_a_bounded_number_of_addresses_and_forgets_expired_ones()
    {
        HostPolicy policy = Create(["-all", "+evil.test", "+good.test"]);
        DnsName.TryEncode("evil.test", out byte[] evil);
        DnsName.TryEncode("good.test", out byte[] good);
        MonoTime end = MonoTime.Zero + Duration.FromSeconds(10);
        for (uint i = 0; i < HostPolicy.LearnedMax; i++)
        {
            Assert.True(policy.Learn(evil, IpAddress.FromIpv4(0x1400_0000 + i), end, MonoTime.Zero));
        }

        Assert.False(policy.Learn(evil, IpAddress.FromIpv4(0x1500_0000), end, MonoTime.Zero));
        Assert.True(policy.Learn(good, IpAddress.FromIpv4(0x1500_0000), end, MonoTime.Zero));
        Assert.True(policy.Learn(evil, IpAddress.FromIpv4(0x1600_0000), end + Duration.FromSeconds(1), end));
    }

    private static HostPolicyVerdict Decide(string[] rules, string address, int port, IpProtocol protocol = IpProtocol.Tcp) =>
        Create(rules).Decide(protocol, At(address, port), MonoTime.Zero, out _);

    private static HostPolicyVerdict DecideAt(HostPolicy policy, string address, int port, long seconds) =>
        policy.Decide(IpProtocol.Tcp, At(address, port), MonoTime.Zero + Duration.FromSeconds(seconds), out _);

    private static void Learn(HostPolicy policy, string name, string address, long seconds)
    {
        DnsName.TryEncode(name, out byte[] encoded);
        policy.Learn(encoded, IpAddress.Parse(address), MonoTime.Zero + Duration.FromSeconds(seconds), MonoTime.Zero);
    }

    private static HostPolicy Create(string[] rules, bool loopback = false) => new()
    {
        Gateways = [IpAddress.Parse("10.0.2.2")],
        Hosts = [IpAddress.Parse("10.0.2.3"), IpAddress.Parse("fd70::3")],
        HostLoopback = loopback,
        OuterAddress = isIpv4 => isIpv4 ? s_outer : null,
        IsHostsOwn = a => a == s_outer,
        Rules = [.. rules.Select(r => PolicyRuleTests.Parse(r[0] == '+', r[1..]))],
    };

    private static Endpoint At(string address, int port) => new(IpAddress.Parse(address), (ushort)port);
}

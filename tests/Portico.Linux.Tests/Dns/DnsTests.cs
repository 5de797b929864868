using System.Buffers.Binary;
using System.Text;
using Portico.Net;

namespace Portico.Linux.Tests.Dns;

/// <summary>The gateway's name server, query by query.</summary>
public class DnsTests
{
    private readonly MibTable<ProxyCounter> _counters = new();
    private readonly byte[] _reply = new byte[65_536];

    [Theory]
    [InlineData("portico.internal", 1, "10.0.2.2")]
    [InlineData("PORTICO.Internal", 28, "fd70::2")]
    [InlineData("2.2.0.10.in-addr.arpa", 12, "portico.internal")]
    [InlineData("2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.7.d.f.ip6.arpa", 12, "portico.internal")]
    [InlineData("portico.internal", 15, "")]
    public void Own_names_are_answered_in_both_directions(string name, ushort type, string expected)
    {
        byte[] query = Query(name, type);
        DnsForwarder dns = Create([]);
        int length = dns.Examine(query, isTcp: false, _reply, out bool isForOthers);
        Assert.False(isForOthers);
        Assert.Equal(0x8580, BinaryPrimitives.ReadUInt16BigEndian(_reply.AsSpan(2)));
        Assert.Equal(query[..2], _reply[..2]);
        Assert.Equal(expected.Length == 0 ? 0 : 1, DnsMessage.Count(_reply, 1));
        Span<byte> owner = new byte[DnsName.BytesMax];
        int offset = query.Length;
        if (expected.Length > 0)
        {
            Assert.True(DnsMessage.TryReadRecord(_reply.AsSpan(0, length), ref offset, owner, out DnsRecord record));
            ReadOnlySpan<byte> data = _reply.AsSpan(record.DataOffset, record.DataLength);
            Assert.Equal(
                expected,
                type switch
                {
                    1 => IpAddress.ReadIpv4(data).ToString(),
                    28 => IpAddress.ReadIpv6(data).ToString(),
                    _ => Text(data),
                });
        }

        Assert.Equal(length, offset);
    }

    [Fact]
    public void An_answer_that_does_not_fit_says_so_and_fits_by_tcp()
    {
        DnsNames names = new();
        for (int i = 0; i < 100; i++)
        {
            names.Add("many.test", IpAddress.FromIpv4(10, 0, 0, (byte)i));
        }

        DnsForwarder dns = Create([], names);
        int length = dns.Examine(Query("many.test", 1), isTcp: false, _reply, out _);
        Assert.InRange(length, 400, 512);
        Assert.Equal(2, _reply[2] & 2);
        length = dns.Examine(Query("many.test", 1, udpLength: 1400), isTcp: false, _reply, out _);
        Assert.InRange(length, 1300, 1400);
        Assert.Equal(1, DnsMessage.Count(_reply, 3));
        length = dns.Examine(Query("many.test", 1), isTcp: true, _reply, out _);
        Assert.Equal(100, DnsMessage.Count(_reply, 1));
        Assert.Equal(0, _reply[2] & 2);
    }

    [Theory]
    [InlineData("-bad.test", "bad.test", 3, 15)]
    [InlineData("-all", "example.com", 3, 15)]
    [InlineData("", "example.com", 5, 20)]
    public void A_refusal_says_why_to_who_understands_it(string rules, string name, int responseCode, int extended)
    {
        DnsForwarder dns = Create(rules.Split(' ', StringSplitOptions.RemoveEmptyEntries));
        byte[] query = Query(name, 1, udpLength: 1232);
        int length = dns.Examine(query, isTcp: false, _reply, out bool isForOthers);
        Assert.False(isForOthers);
        Assert.Equal(responseCode, DnsMessage.ResponseCode(_reply));
        Assert.Equal(extended, BinaryPrimitives.ReadUInt16BigEndian(_reply.AsSpan(length - 2)));

        // Without EDNS there is nothing behind the question.
        Assert.Equal(Query(name, 1).Length, dns.Examine(Query(name, 1), isTcp: false, _reply, out _));
    }

    [Fact]
    public void What_is_no_query_is_dropped_and_counted()
    {
        DnsForwarder dns = Create([], resolvers: [new DnsResolver(new Endpoint(IpAddress.LoopbackIpv4, 53), 0)]);
        byte[] good = Query("example.com", 1);
        byte[] response = [.. good];
        response[2] |= 0x80;
        byte[] twoQuestions = [.. good];
        twoQuestions[5] = 2;
        byte[] circle = [.. good[..12], 0xC0, 12, 0, 1, 0, 1];
        byte[] forward = [.. good[..12], 0xC0, 200, 0, 1, 0, 1];
        byte[] longLabel = [.. good[..12], 64, .. new byte[80]];
        byte[][] bad = [[], good[..11], good[..20], good[..^1], response, twoQuestions, circle, forward, longLabel];
        foreach (byte[] message in bad)
        {
            Assert.Equal(0, dns.Examine(message, isTcp: false, _reply, out bool isForOthers));
            Assert.False(isForOthers);
        }

        Assert.Equal(bad.Length, _counters[ProxyCounter.DnsMalformed]);
        Assert.Equal(0, dns.Examine(good, isTcp: false, _reply, out bool passed));
        Assert.True(passed);

        // An update is not passed on: rules about names would not see it.
        byte[] update = [.. good];
        update[2] = 0x28;
        Assert.NotEqual(0, dns.Examine(update, isTcp: false, _reply, out passed));
        Assert.False(passed);
        Assert.Equal(4, DnsMessage.ResponseCode(_reply));
    }

    [Fact]
    public void Random_bytes_are_never_more_than_a_query_to_drop()
    {
        DnsForwarder dns = Create(["-all", "+example.com"]);
        Random random = new(7);
        byte[] query = Query("example.com", 1, udpLength: 4096);
        byte[] answer = Answer(query, ("example.com", 5, Encode("www.example.com")), ("www.example.com", 1, [203, 0, 113, 1]));
        for (int i = 0; i < 200_000; i++)
        {
            byte[] message = [.. random.Next(2) == 0 ? query : answer];
            for (int j = random.Next(1, 8); j > 0; j--)
            {
                message[random.Next(message.Length)] = (byte)random.Next(256);
            }

            ReadOnlySpan<byte> cut = message.AsSpan(0, random.Next(message.Length + 1));
            Assert.InRange(dns.Examine(cut, isTcp: false, _reply, out _), 0, 65_535);
            if (dns.IsAnswer(cut, query, DnsMessage.Id(query)))
            {
                Assert.InRange(dns.Inspect(query, cut, _reply), -1, 65_535);
            }
        }
    }

    [Fact]
    public void Only_an_answer_to_the_question_counts()
    {
        DnsForwarder dns = Create([]);
        byte[] query = Query("example.com", 1);
        byte[] answer = Answer(query, ("example.com", 1, [203, 0, 113, 1]));
        Assert.True(dns.IsAnswer(answer, query, 0x1234));
        Assert.False(dns.IsAnswer(answer, query, 0x1235));
        Assert.False(dns.IsAnswer(query, query, 0x1234));
        Assert.False(dns.IsAnswer(answer, Query("example.org", 1), 0x1234));
        Assert.False(dns.IsAnswer(answer, Query("example.com", 28), 0x1234));
    }

    [Fact]
    public void Addresses_are_learned_for_the_name_that_was_asked_by_way_of_its_aliases_only()
    {
        HostPolicy policy = Policy(["-all", "+example.com"]);
        DnsForwarder dns = Create(policy);
        byte[] query = Query("example.com", 1);
        byte[] answer = Answer(
            query, ("cdn.test", 1, [203, 0, 113, 1]), ("example.com", 5, Encode("alias.test")), ("alias.test", 5, Encode("cdn.test")),
            ("stranger.test", 1, [203, 0, 113, 2]));
        Assert.Equal(0, dns.Inspect(query, answer, _reply));
        Assert.Equal(HostPolicyVerdict.Allow, Decide(policy, "203.0.113.1"));
        Assert.Equal(HostPolicyVerdict.Prohibit, Decide(policy, "203.0.113.2"));
    }

    [Theory]
    [InlineData("10.0.2.2")]
    [InlineData("10.0.2.3")]
    [InlineData("::ffff:10.0.2.3")]
    [InlineData("fd70::3")]
    public void An_answer_from_outside_with_an_address_of_this_network_is_withheld(string address)
    {
        IpAddress parsed = IpAddress.Parse(address);
        byte[] data = new byte[16];
        parsed.WriteIpv6(data);
        byte[] query = Query("evil.test", 28);
        byte[] answer = Answer(query, ("evil.test", 28, data));
        int length = Create(["+evil.test"]).Inspect(query, answer, _reply);
        Assert.Equal(query.Length, length);
        Assert.Equal(3, DnsMessage.ResponseCode(_reply));
        Assert.Equal(1, _counters[ProxyCounter.DnsRebinds]);
    }

    [Theory]
    [InlineData("10.0.0.53", "10.0.0.53", 53)]
    [InlineData("10.0.0.53:5353", "10.0.0.53", 5353)]
    [InlineData("2001:db8::53", "2001:db8::53", 53)]
    [InlineData("[2001:db8::53]:5353", "2001:db8::53", 5353)]
    [InlineData("fe80::1%3", "fe80::1", 53)]
    [InlineData("", null, 0)]
    [InlineData("dns.test", null, 0)]
    [InlineData("10.0.0.53:0", null, 0)]
    [InlineData("10.0.0.53:x", null, 0)]
    [InlineData("[2001:db8::53]x", null, 0)]
    [InlineData("fe80::1%no-such-card", null, 0)]
    public void Resolvers_are_written_as_in_resolv_conf_or_with_a_port(string text, string? address, int port)
    {
        Assert.Equal(address != null, DnsResolver.TryParse(text, out DnsResolver resolver));
        if (address != null)
        {
            Assert.Equal(new Endpoint(IpAddress.Parse(address), (ushort)port), resolver.Endpoint);
            Assert.Equal(text.Contains('%', StringComparison.Ordinal) ? 3u : 0u, resolver.Scope);
        }
    }

    private static HostPolicyVerdict Decide(HostPolicy policy, string address) =>
        policy.Decide(IpProtocol.Tcp, new Endpoint(IpAddress.Parse(address), 80), MonoTime.Zero, out _);

    private static HostPolicy Policy(string[] rules) => new()
    {
        Gateways = [IpAddress.Parse("10.0.2.2"), IpAddress.Parse("fd70::2")],
        Hosts = [IpAddress.Parse("10.0.2.3"), IpAddress.Parse("fd70::3")],
        IsHostsOwn = _ => false,
        Rules = [.. rules.Select(r => Linux.Tests.Policy.PolicyRuleTests.Parse(r[0] == '+', r[1..]))],
    };

    private DnsForwarder Create(string[] rules, DnsNames? names = null, DnsResolver[]? resolvers = null) =>
        Create(Policy(rules), names, resolvers);

    private DnsForwarder Create(HostPolicy policy, DnsNames? names = null, DnsResolver[]? resolvers = null)
    {
        if (names == null)
        {
            names = new DnsNames();
            names.Add("portico.internal", IpAddress.Parse("10.0.2.2"));
            names.Add("portico.internal", IpAddress.Parse("fd70::2"));
        }

        NetworkStack stack = new(new Engine(new EngineOptions { Seed = 1 }));
        return new DnsForwarder(stack, new EpollEvents(), policy, _counters, names, resolvers ?? []);
    }

    private static byte[] Query(string name, ushort type, int udpLength = 0)
    {
        byte[] head = [0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, (byte)(udpLength > 0 ? 1 : 0)];
        byte[] opt = udpLength > 0 ? [0, 0, 41, (byte)(udpLength >> 8), (byte)udpLength, 0, 0, 0, 0, 0, 0] : [];
        return [.. head, .. Encode(name), (byte)(type >> 8), (byte)type, 0, 1, .. opt];
    }

    private static byte[] Answer(byte[] query, params (string Name, ushort Type, byte[] Data)[] records)
    {
        List<byte> answer = [.. query];
        answer[2] |= 0x80;
        answer[7] = (byte)records.Length;
        answer[11] = 0;
        foreach ((string name, ushort type, byte[] data) in records)
        {
            answer.AddRange([.. Encode(name), 0, (byte)type, 0, 1, 0, 0, 0, 60, 0, (byte)data.Length, .. data]);
        }

        return [.. answer];
    }

    private static byte[] Encode(string name) =>
        [.. name.Split('.').SelectMany(l => (byte[])[(byte)l.Length, .. Encoding.ASCII.GetBytes(l)]), 0];

    private static string Text(ReadOnlySpan<byte> name)
    {
        List<string> labels = [];
        for (int at = 0; name[at] != 0; at += name[at] + 1)
        {
            labels.Add(Encoding.ASCII.GetString(name.Slice(at + 1, name[at])));
        }

        return string.Join('.', labels);
    }
}

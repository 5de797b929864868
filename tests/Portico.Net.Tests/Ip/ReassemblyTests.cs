using CsCheck;

namespace Portico.Net.Tests.Ip;

public sealed class ReassemblyTests : IpHost
{
    private const int More = 0x2000;

    private static byte[] Fragment4(byte[] datagram, int offset, int length, int id = 7, string source = Peer4)
    {
        bool more = offset + length < datagram.Length;
        return IpBytes.V4(source, Me4, 1, datagram.AsSpan(offset, length), id, (more ? More : 0) | (offset / 8));
    }

    private static byte[] Fragment6(byte[] datagram, int offset, int length, uint id = 7, string source = Peer6)
    {
        byte[] header = IpBytes.FragmentHeader(58, offset, offset + length < datagram.Length, id);
        return IpBytes.V6(source, Me6, 44, [.. header, .. datagram.AsSpan(offset, length)]);
    }

    [Fact]
    public void Fragments_in_any_order_make_the_datagram()
    {
        Gen.Int[0, int.MaxValue].Sample(
            seed =>
            {
                using ReassemblyTests host = new();
                Random random = new(seed);
                byte[] datagram = Echo4(random.Next(1, 1400), seed);
                List<byte[]> fragments = [];
                for (int offset = 0; offset < datagram.Length;)
                {
                    int length = Math.Min(8 * random.Next(1, 40), datagram.Length - offset);
                    fragments.Add(Fragment4(datagram, offset, length));
                    offset += length;
                }

                random.Shuffle(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(fragments));
                fragments.ForEach(host.Inject);
                Assert.Equal(EchoReply4(datagram.Length - 8, seed), host.TakeIpv4Payload(Peer4));
                Assert.Equal(0, host.Stack.Ip.IncompleteDatagrams);
            },
            iter: 200,
            threads: 1);
    }

    [Fact]
    public void Ipv6_fragments_in_reverse_order_make_the_datagram()
    {
        byte[] datagram = Echo6(3000);
        Inject(Fragment6(datagram, 2400, 608));
        Inject(Fragment6(datagram, 1200, 1200));
        Assert.Empty(Link.Sent);
        Inject(Fragment6(datagram, 0, 1200));
        byte[][] reply = Link.TakeAll();
        Assert.Equal(3, reply.Length);
        Assert.Equal(1, Mib6[IpCounter.ReasmOKs]);
        Assert.Equal(EchoReply6(3000), reply.SelectMany(packet => packet[48..]));
    }

    [Fact]
    public void A_datagram_of_65507_bytes_is_reassembled_and_its_reply_fragmented()
    {
        byte[] datagram = Echo4(65_507);
        for (int offset = 0; offset < datagram.Length; offset += 1480)
        {
            Inject(Fragment4(datagram, offset, Math.Min(1480, datagram.Length - offset)));
        }

        byte[][] reply = Link.TakeAll();
        Assert.Equal(45, reply.Length);
        Assert.Equal(EchoReply4(65_507), reply.SelectMany(packet => packet[20..]));
        Assert.All(reply, packet => Assert.Equal(0, IpBytes.Checksum(packet.AsSpan(0, 20))));
        Assert.Single(reply.Select(packet => (packet[4] << 8) | packet[5]).Distinct());
        Assert.Equal(45, Mib4[IpCounter.FragCreates]);
    }

    [Fact]
    public void A_fragment_that_overlaps_discards_the_datagram_and_what_is_still_to_come()
    {
        byte[] datagram = Echo4(92);
        for (int start = 8; start < 64; start += 8)
        {
            for (int length = 8; start + length <= 96; length += 8)
            {
                int id = (start << 8) | length;
                Inject(Fragment4(datagram, 0, 32, id));
                Inject(Fragment4(datagram, 64, 36, id));
                bool overlaps = start < 32 || start + length > 64;
                Inject(Fragment4(datagram, start, length, id));
                Inject(Fragment4(datagram, 32, 32, id));
                Assert.Equal(overlaps ? 0 : start == 32 && length == 32 ? 1 : 0, Link.TakeAll().Length);
            }
        }

        Assert.True(Mib4[IpCounter.ReasmOverlaps] > 30);
    }

    [Fact]
    public void An_ipv6_fragment_that_overlaps_discards_the_datagram_silently()
    {
        byte[] datagram = Echo6(120);
        Inject(Fragment6(datagram, 0, 64));
        Inject(Fragment6(datagram, 56, 72));
        Inject(Fragment6(datagram, 64, 64));
        Pass(Duration.FromSeconds(61));
        Assert.Empty(Link.Sent);
        Assert.Equal(1, Mib6[IpCounter.ReasmOverlaps]);
    }

    [Fact]
    public void An_exact_repetition_is_ignored_and_the_first_bytes_win()
    {
        byte[] datagram = Echo4(92);
        byte[] other = [.. datagram];
        other[40] ^= 0xFF;
        Inject(Fragment4(datagram, 0, 64));
        Inject(Fragment4(other, 0, 64));
        Inject(Fragment4(datagram, 64, 36));
        Assert.Equal(EchoReply4(92), TakeIpv4Payload(Peer4));
    }

    [Fact]
    public void A_timeout_is_reported_only_where_the_first_fragment_arrived()
    {
        byte[] datagram = Echo4(92);
        byte[] first = Fragment4(datagram, 0, 64, 1);
        Inject(first);
        Inject(Fragment4(datagram, 64, 36, 2));
        Pass(Duration.FromMilliseconds(29_999));
        Assert.Empty(Link.Sent);
        Pass(Duration.FromMilliseconds(1));
        Assert.Equal(IpBytes.Icmp4(11, 1, 0, first), TakeIpv4Payload(Peer4));
        Assert.Equal(2, Mib4[IpCounter.ReasmTimeout]);
        Assert.Equal(0, Stack.Ip.IncompleteDatagramBytes);
        Assert.Equal(0, Engine.Packets.Outstanding);
    }

    [Fact]
    public void An_ipv6_timeout_comes_after_60_s_with_code_1()
    {
        byte[] first = Fragment6(Echo6(120), 0, 64);
        Inject(first);
        Pass(Duration.FromMilliseconds(59_999));
        Assert.Empty(Link.Sent);
        Pass(Duration.FromMilliseconds(1));
        Assert.Equal(IpBytes.Icmp6(Me6, Peer6, 3, 1, 0, first), TakeIpv6Payload(Peer6));
    }

    [Theory]
    [InlineData(8189)]
    [InlineData(8191)]
    public void A_ping_of_death_is_dropped(int units)
    {
        Inject(IpBytes.V4(Peer4, Me4, 1, new byte[64], 9, units));
        Assert.Empty(Link.Sent);
        Assert.Equal(1, Mib4[IpCounter.DropFragmentTooBig]);
        byte[] packet = IpBytes.V6(Peer6, Me6, 44, [.. IpBytes.FragmentHeader(58, units * 8, false, 9), .. new byte[64]]);
        Inject(packet);
        Assert.Equal(IpBytes.Icmp6(Me6, Peer6, 4, 0, 42, packet), TakeIpv6Payload(Peer6));
    }

    [Fact]
    public void An_ipv6_fragment_of_odd_length_that_is_not_last_is_a_parameter_problem()
    {
        byte[] packet = IpBytes.V6(Peer6, Me6, 44, [.. IpBytes.FragmentHeader(58, 0, true, 9), .. Echo6(12)]);
        Inject(packet);
        Assert.Equal(IpBytes.Icmp6(Me6, Peer6, 4, 0, 4, packet), TakeIpv6Payload(Peer6));
    }

    [Fact]
    public void An_ipv6_first_fragment_must_have_the_whole_header_chain()
    {
        byte[] packet = IpBytes.V6(Peer6, Me6, 44, [.. IpBytes.FragmentHeader(6, 0, true, 9), .. new byte[8]]);
        Inject(packet);
        Assert.Equal(IpBytes.Icmp6(Me6, Peer6, 4, 3, 0, packet), TakeIpv6Payload(Peer6));
        Assert.Equal(1, Mib6[IpCounter.DropFragmentTiny]);
    }

    [Fact]
    public void An_atomic_fragment_is_processed_alone()
    {
        byte[] datagram = Echo6(120);
        Inject(Fragment6(datagram, 0, 64, 5));
        byte[] atomic = IpBytes.V6(Peer6, Me6, 44, [.. IpBytes.FragmentHeader(58, 0, false, 5), .. Echo6(16)]);
        Inject(atomic);
        Assert.Equal(EchoReply6(16), TakeIpv6Payload(Peer6));
        Inject(Fragment6(datagram, 64, 64, 5));
        Assert.Equal(EchoReply6(120), TakeIpv6Payload(Peer6));
    }

    [Fact]
    public void Tiny_fragments_of_a_segment_are_reassembled()
    {
        byte[] syn = IpBytes.Tcp4(Peer4, Me4, 4000, 81, 100, 0, 2, []);
        for (int offset = 0; offset < 20; offset += 8)
        {
            Inject(IpBytes.V4(Peer4, Me4, 6, syn.AsSpan(offset, Math.Min(8, 20 - offset)), 3, (offset < 16 ? More : 0) | (offset / 8)));
        }

        Assert.Equal(1, Mib4[IpCounter.ReasmOKs]);
        Link.TakeAll();
    }

    [Fact]
    public void A_last_fragment_that_contradicts_another_discards_the_datagram()
    {
        byte[] datagram = Echo4(92);
        Inject(Fragment4(datagram, 64, 36));
        Inject(IpBytes.V4(Peer4, Me4, 1, new byte[16], 7, More | 12));
        Inject(Fragment4(datagram, 0, 64));
        Assert.Empty(Link.Sent);
        Assert.Equal(2, Mib4[IpCounter.DropFragmentBad]);
    }

    [Theory]
    [InlineData(0, 3, false)]
    [InlineData(2, 3, true)]
    [InlineData(2, 0, true)]
    public void Congestion_marks_of_fragments_are_joined(int first, int second, bool isDelivered)
    {
        byte[] datagram = Echo4(92);
        Inject(IpBytes.V4(Peer4, Me4, 1, datagram.AsSpan(0, 64), 7, More, tos: first));
        Inject(IpBytes.V4(Peer4, Me4, 1, datagram.AsSpan(64), 7, 8, tos: second));
        byte[][] sent = Link.TakeAll();
        Assert.Equal(isDelivered ? 1 : 0, sent.Length);
        if (isDelivered && second == 3)
        {
            Assert.Equal(3, sent[0][1] & 3);
        }
    }

    [Fact]
    public void A_flood_of_halves_from_one_source_leaves_room_for_another()
    {
        byte[] datagram = Echo4(2392);
        byte[] half = new byte[1200];
        for (int id = 0; id < 4000; id++)
        {
            Inject(IpBytes.V4("10.0.0.66", Me4, 1, half, id, More));
        }

        Assert.True(Stack.Ip.IncompleteDatagrams <= 64);
        Inject(Fragment4(datagram, 0, 1200));
        for (int id = 4000; id < 8000; id++)
        {
            Inject(IpBytes.V4("10.0.0.66", Me4, 1, half, id, More));
        }

        Inject(Fragment4(datagram, 1200, 1200));
        Assert.Equal(EchoReply4(2392), Link.TakeAll().SelectMany(packet => packet[20..]));
        Assert.True(Mib4[IpCounter.DropFragmentSourceShare] > 7000);
    }

    [Fact]
    public void A_flood_of_halves_from_many_sources_stays_within_the_memory_limit_and_a_legitimate_datagram_gets_through()
    {
        byte[] half = new byte[1200];
        for (int i = 0; i < 20_000; i++)
        {
            Inject(IpBytes.V4($"198.51.{100 + (i >> 8 & 63)}.{1 + (i % 250)}", Me4, 1, half, i >> 3, More));
            Assert.True(Stack.Ip.IncompleteDatagramBytes <= 4 << 20);
        }

        byte[] datagram = Echo4(2392);
        Inject(Fragment4(datagram, 0, 1200));
        Inject(Fragment4(datagram, 1200, 1200));
        Assert.Equal(EchoReply4(2392), Link.TakeAll().SelectMany(packet => packet[20..]));
        Stack.Ip.Options.icmp_ratemask = 0;
        Pass(Duration.FromSeconds(31));
        Link.TakeAll();
        Assert.Equal(0, Stack.Ip.IncompleteDatagrams);
        Assert.Equal(0, Stack.Ip.IncompleteDatagramBytes);
    }

    [Fact]
    public void Discarded_datagrams_that_wait_for_their_time_are_bounded()
    {
        for (int i = 0; i < 40_000; i++)
        {
            string source = $"198.51.{100 + (i >> 10 & 127)}.{1 + (i % 250)}";
            Inject(IpBytes.V4(source, Me4, 1, new byte[16], i, More));
            Inject(IpBytes.V4(source, Me4, 1, new byte[16], i, More | 1));
        }

        Assert.True(Mib4[IpCounter.ReasmOverlaps] > 39_000);
        Assert.True(Stack.Ip.IncompleteDatagrams <= (4 << 20) / 512);
        Pass(Duration.FromSeconds(30));
        Assert.Equal(0, Stack.Ip.IncompleteDatagrams);
        Assert.Equal(0, Stack.Ip.IncompleteDatagramBytes);
    }

    [Fact]
    public void Any_fragments_are_survived_and_leave_nothing_behind()
    {
        Gen.Int[0, int.MaxValue].Sample(
            seed =>
            {
                using ReassemblyTests host = new();
                Random random = new(seed);
                for (int i = 0; i < 400; i++)
                {
                    byte[] payload = new byte[random.Next(0, 12) * 8 + (random.Next(4) == 0 ? random.Next(8) : 0)];
                    random.NextBytes(payload);
                    int units = random.Next(20) == 0 ? random.Next(8192) : random.Next(12);
                    bool more = random.Next(3) != 0;
                    int tos = random.Next(10) == 0 ? 3 : 2;
                    string source = random.Next(3) == 0 ? "10.0.0.3" : Peer4;
                    int protocol = random.Next(2) == 0 ? 17 : 1;
                    host.Inject(IpBytes.V4(source, Me4, protocol, payload, random.Next(4), (more ? More : 0) | units, tos: tos));
                    int next = random.Next(4) switch { 0 => 44, 1 => 60, 2 => 17, _ => 58 };
                    byte[] header = IpBytes.FragmentHeader(next, units * 8, more, (uint)random.Next(4));
                    host.Inject(IpBytes.V6(Peer6, Me6, 44, [.. header, .. payload]));
                    if (random.Next(50) == 0)
                    {
                        host.Pass(Duration.FromSeconds(random.Next(40)));
                    }
                }

                host.AssertStillServes();
                host.Pass(Duration.FromSeconds(61));
                Assert.Equal(0, host.Stack.Ip.IncompleteDatagramBytes);
                host.Link.TakeAll();
            },
            iter: 100,
            threads: 1);
    }

    [Fact]
    public void Fragment_identifications_of_two_destinations_tell_nothing_of_each_other()
    {
        HashSet<int> steps = [];
        int? last = null;
        for (int i = 0; i < 64; i++)
        {
            Inject(IpBytes.V4(Peer4, Me4, 1, Echo4(8)));
            byte[] sent = Link.TakeOne();
            int id = (sent[4] << 8) | sent[5];
            if (last != null)
            {
                steps.Add((id - last.Value) & 0xFFFF);
            }

            last = id;
            Inject(IpBytes.V4("10.0.0.3", Me4, 1, Echo4(8)));
            Link.TakeAll();
        }

        Assert.True(steps.Count > 1);
        Assert.All(steps, step => Assert.InRange(step, 1, 4));
    }
}

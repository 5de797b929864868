using Portico.Net.Tests.Ip;

namespace Portico.Net.Tests.Links;

/// <summary>Which packets a rule is about, and what rules share.</summary>
public class ImpairmentRuleTests
{
    private static Impairment Delayed(int milliseconds) => new() { Delay = Duration.FromMilliseconds(milliseconds) };

    /// <summary>The delay in milliseconds that a packet meets.</summary>
    private static long DelayOf(ImpairedLink path, byte[] packet)
    {
        path.FarEnd.Received.Clear();
        MonoTime start = path.Engine.Now;
        path.Send(packet);
        path.Run(Duration.FromSeconds(1));
        return Assert.Single(path.FarEnd.Received).Time.Nanoseconds / 1_000_000 - (start.Nanoseconds / 1_000_000);
    }

    [Fact]
    public void The_longest_prefix_decides_then_the_port_then_the_order()
    {
        using ImpairedLink path = new(Delayed(1));
        path.SetRules(
            path.Rule(Delayed(2), null, ImpairedLink.To("192.0.2.0/24")),
            path.Rule(Delayed(3), null, ImpairedLink.To("192.0.2.0/24", 53)),
            path.Rule(Delayed(4), null, ImpairedLink.To("192.0.2.1")),
            path.Rule(Delayed(5), null, ImpairedLink.To("192.0.2.1")),
            path.Rule(Delayed(6), null, ImpairedLink.To("0.0.0.0/0", 80), ImpairedLink.To("::/0", 80)),
            path.Rule(Delayed(7), null, ImpairedLink.To("2001:db8::/32")));
        Assert.Equal(1, DelayOf(path, ImpairedLink.Udp(1, to: "203.0.113.9")));
        Assert.Equal(2, DelayOf(path, ImpairedLink.Udp(1, to: "192.0.2.9", toPort: 54)));
        Assert.Equal(3, DelayOf(path, ImpairedLink.Udp(1, to: "192.0.2.9")));
        Assert.Equal(4, DelayOf(path, ImpairedLink.Udp(1, to: "192.0.2.1")));
        Assert.Equal(6, DelayOf(path, ImpairedLink.Tcp(1, 100, to: "203.0.113.9")));
        Assert.Equal(6, DelayOf(path, ImpairedLink.Udp(1, "fd00::1", "2001:db9::1", toPort: 80)));
        Assert.Equal(7, DelayOf(path, ImpairedLink.Udp(1, "fd00::1", "2001:db8::1", toPort: 80)));
    }

    [Fact]
    public void The_end_that_rules_name_is_the_far_one_or_the_near_one()
    {
        using ImpairedLink far = new();
        far.SetRules(far.Rule(Delayed(2), null, ImpairedLink.To(ImpairedLink.Here)));
        Assert.Equal(0, DelayOf(far, ImpairedLink.Udp(1)));
        using ImpairedLink near = new(namesNearEnd: true);
        near.SetRules(near.Rule(Delayed(2), null, ImpairedLink.To(ImpairedLink.Here, 40000)));
        Assert.Equal(2, DelayOf(near, ImpairedLink.Udp(1)));
        Assert.Equal(0, DelayOf(near, ImpairedLink.Udp(1, fromPort: 40001)));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Later_fragments_go_where_the_first_one_went(bool isIpv6)
    {
        using ImpairedLink path = new();
        path.SetRules(path.Rule(Delayed(2), null, ImpairedLink.To(isIpv6 ? "2001:db8::1" : "192.0.2.1", 53)));
        byte[] datagram = IpBytes.Udp(40000, 53, new byte[1992]);
        byte[] other = IpBytes.Udp(40000, 54, new byte[1992]);
        byte[] Piece(byte[] whole, int offset, int length, bool more, int id) => isIpv6
            ? IpBytes.V6("fd00::1", "2001:db8::1", 44, [.. IpBytes.FragmentHeader(17, offset, more, (uint)id), .. whole.AsSpan(offset, length)])
            : IpBytes.V4(ImpairedLink.Here, ImpairedLink.There, 17, whole.AsSpan(offset, length), id, (offset / 8) | (more ? 0x2000 : 0));

        Assert.Equal(2, DelayOf(path, Piece(datagram, 0, 1000, true, 7)));
        Assert.Equal(0, DelayOf(path, Piece(other, 0, 1000, true, 8)));
        Assert.Equal(2, DelayOf(path, Piece(datagram, 1000, 1000, false, 7)));
        Assert.Equal(0, DelayOf(path, Piece(other, 1000, 1000, false, 8)));

        // Of a datagram whose first fragment was never seen only the addresses are known.
        Assert.Equal(0, DelayOf(path, Piece(datagram, 1000, 1000, false, 9)));
    }

    [Fact]
    public void A_partition_drops_everything_to_and_from_its_target_and_counts_it()
    {
        using ImpairedLink path = new(Delayed(1));
        path.Link.SetRules(
            [path.Rule(Delayed(2), null, ImpairedLink.To("192.0.2.1"))],
            [ImpairedLink.To("192.0.2.0/24"), ImpairedLink.To(ImpairedLink.Elsewhere, 443)]);
        path.Send(ImpairedLink.Udp(1));
        path.Receive(ImpairedLink.Udp(2, ImpairedLink.There, ImpairedLink.Here, 53, 40000));
        path.Send(ImpairedLink.Udp(3, to: ImpairedLink.Elsewhere));
        path.Send(ImpairedLink.Udp(4, to: ImpairedLink.Elsewhere, toPort: 443));
        path.Run(Duration.FromSeconds(1));
        Assert.Equal([3], path.FarEnd.Numbers());
        Assert.Empty(path.NearEnd.Received);
        Assert.Equal(2, path.Link.Outbound.Counters[ImpairmentCounter.PartitionDrops]);
        Assert.Equal(1, path.Link.Inbound.Counters[ImpairmentCounter.PartitionDrops]);
        path.SetRules();
        path.Send(ImpairedLink.Udp(5));
        path.Run(Duration.FromSeconds(1));
        Assert.Equal([3, 5], path.FarEnd.Numbers());
    }

    [Fact]
    public void Rules_may_share_a_rate_and_keep_their_delays()
    {
        // 125 bytes at 1 Mbit/s take 1 ms.
        Impairment line = new() { RateBitsPerSecond = 1_000_000 };
        using ImpairedLink path = new(line);
        ImpairmentRule shares = path.Rule(Delayed(10), null, ImpairedLink.To(ImpairedLink.Elsewhere));
        ImpairmentLink.ShareRate(shares.Outbound, path.Link.Outbound);
        path.SetRules(shares);
        path.Send(ImpairedLink.Udp(1, payload: 97));
        path.Send(ImpairedLink.Udp(2, to: ImpairedLink.Elsewhere, payload: 97));
        path.Send(ImpairedLink.Udp(3, payload: 97));
        Assert.Equal(3, path.Link.PacketsHeld);
        path.Run(Duration.FromSeconds(1));
        Assert.Equal(
            [(1, 1_000_000L), (3, 3_000_000), (2, 12_000_000)],
            path.FarEnd.Received.Zip(path.FarEnd.Numbers()).Select(p => (p.Second, p.First.Time.Nanoseconds)));
        Assert.Equal(0, path.Link.PacketsHeld);
    }

    [Fact]
    public void A_rate_that_is_lifted_does_not_hold_up_what_comes_after()
    {
        Impairment slow = new() { RateBitsPerSecond = 1 };
        using ImpairedLink path = new(slow);
        path.Send(ImpairedLink.Udp(1));
        path.Send(ImpairedLink.Udp(2));
        path.Run(Duration.FromMilliseconds(5));
        slow.RateBitsPerSecond = 0;
        path.SetRules();
        path.Send(ImpairedLink.Udp(3));
        path.Run(Duration.FromMilliseconds(1));
        Assert.Equal([1, 2, 3], path.FarEnd.Numbers());
        Assert.All(path.FarEnd.Received, r => Assert.Equal(5_000_000, r.Time.Nanoseconds));
    }

    [Fact]
    public void What_is_under_way_by_a_rule_arrives_although_the_rule_is_gone()
    {
        using ImpairedLink path = new();
        path.SetRules(path.Rule(Delayed(50), null, ImpairedLink.To(ImpairedLink.There)));
        path.Send(ImpairedLink.Udp(1));
        path.SetRules();
        path.Run(Duration.FromMilliseconds(49));
        Assert.Empty(path.FarEnd.Received);
        path.Run(Duration.FromMilliseconds(1));
        Assert.Single(path.FarEnd.Received);
    }

    [Fact]
    public void Targets_are_bounded()
    {
        using ImpairedLink path = new();
        ImpairmentTarget[] many = [.. Enumerable.Range(0, 1025).Select(i => ImpairedLink.To($"10.1.{i >> 8}.{i & 0xFF}"))];
        Assert.Equal(Errno.ENOBUFS, path.Link.SetRules([path.Rule(Delayed(9), null, many)], []));
        Assert.Equal(Errno.ENOBUFS, path.Link.SetRules([], many));
        Assert.Equal(0, DelayOf(path, ImpairedLink.Udp(1, to: "10.1.0.0")));
    }

    [Fact]
    public void What_cannot_be_read_meets_what_all_others_meet()
    {
        using ImpairedLink path = new(Delayed(3));
        path.SetRules(path.Rule(Delayed(9), null, ImpairedLink.To("192.0.2.1", 80)));
        byte[] whole = ImpairedLink.Tcp(1, 100);
        for (int length = 1; length < 40; length++)
        {
            Assert.Equal(length < 40 ? 3 : 9, DelayOf(path, whole[..length]));
        }

        Assert.Equal(9, DelayOf(path, whole[..40]));
        Assert.Equal(3, DelayOf(path, IpBytes.V6("fd00::1", "2001:db8::1", 0, [0, 200, 0, 0])));
    }

    [Fact]
    public void Sorting_packets_allocates_nothing()
    {
        using ImpairedLink path = new(new Impairment { Loss = 1 });
        path.SetRules(path.Rule(new Impairment { Loss = 1 }, null, ImpairedLink.To("192.0.2.0/24", 53)));
        byte[][] packets =
        [
            ImpairedLink.Udp(1), ImpairedLink.Tcp(1, 100), ImpairedLink.Udp(1, "fd00::1", "2001:db8::1"),
            IpBytes.V4(ImpairedLink.Here, ImpairedLink.There, 17, IpBytes.Udp(1, 53, new byte[16]), 7, 0x2000),
        ];
        long least = long.MaxValue;
        for (int round = 0; round < 5; round++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < 1000; i++)
            {
                path.Send(packets[i % packets.Length]);
            }

            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        Assert.Equal(0, least);
    }
}

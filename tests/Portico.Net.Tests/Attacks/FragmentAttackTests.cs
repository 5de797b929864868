using System.Buffers.Binary;

namespace Portico.Net.Tests.Attacks;

/// <summary>Rows A08 to A13: fragments.</summary>
public class FragmentAttackTests
{
    /// <summary>A piece of an IP packet's payload as a fragment.</summary>
    private static byte[] Fragment(byte[] packet, int offset, int length, bool more, uint id, int? claimedOffset = null)
    {
        int claimed = claimedOffset ?? offset;
        if (packet[0] >> 4 == 4)
        {
            byte[] fragment = [.. packet[..20], .. packet[(20 + offset)..(20 + offset + length)]];
            BinaryPrimitives.WriteUInt16BigEndian(fragment.AsSpan(2), (ushort)fragment.Length);
            BinaryPrimitives.WriteUInt16BigEndian(fragment.AsSpan(4), (ushort)id);
            BinaryPrimitives.WriteUInt16BigEndian(fragment.AsSpan(6), (ushort)((claimed / 8) | (more ? 0x2000 : 0)));
            return AttackLab.Fix(fragment, isFragment: true);
        }

        byte[] fragment6 = [.. packet[..40], .. new byte[8], .. packet[(40 + offset)..(40 + offset + length)]];
        fragment6[6] = (byte)IpProtocol.Ipv6Fragment;
        BinaryPrimitives.WriteUInt16BigEndian(fragment6.AsSpan(4), (ushort)(fragment6.Length - 40));
        Ipv6ExtensionHeaders.WriteFragment(fragment6.AsSpan(40), (IpProtocol)packet[6], claimed & 0xFFF8, more, id);
        return fragment6;
    }

    private static byte[] Payload(int length) => [.. Enumerable.Range(0, length).Select(i => (byte)(i * 7))];

    [Fact]
    public void A08_fragments_past_65535_bytes_are_discarded_and_ipv6_says_where()
    {
        using AttackLab lab = new();
        byte[] packet = AttackLab.Udp(true, Payload(400));
        Assert.Empty(lab.Send(Fragment(packet, 0, 400, true, 1, 8189 * 8)));
        Assert.Empty(lab.Send(Fragment(packet, 0, 400, false, 1, 8191 * 8)));
        byte[] packet6 = AttackLab.Udp(false, Payload(400));
        byte[] reply = Assert.Single(lab.Send(Fragment(packet6, 0, 400, true, 2, 8189 * 8)));
        Assert.Equal((4, 0, 42u), AttackLab.IcmpOf(reply));
        lab.AssertStillServes();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A09_A10_an_overlap_at_any_offset_discards_the_datagram_in_silence(bool ipv4)
    {
        using AttackLab lab = new();
        byte[] data = Payload(120);
        byte[] packet = AttackLab.Udp(ipv4, data);
        uint id = 100;
        for (int overlap = 8; overlap < 128; overlap += 8)
        {
            id++;
            Assert.Empty(lab.Send(Fragment(packet, 0, 64, true, id)));
            int length = Math.Min(48, 128 - overlap);
            Assert.Empty(lab.Send(Fragment(packet, overlap, length, true, id)));
            Assert.Empty(lab.Send(Fragment(packet, 64, 64, false, id)));

            // From 64 to 112 the second fragment overlaps the third and not the first.
            byte[]? received = lab.ReceiveDatagram();
            Assert.True(received == null, $"overlap at {overlap}");
        }

        lab.AssertStillServes();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A09_an_exact_duplicate_may_come_and_the_datagram_is_delivered(bool ipv4)
    {
        using AttackLab lab = new();
        byte[] data = Payload(120);
        byte[] packet = AttackLab.Udp(ipv4, data);
        lab.Send(Fragment(packet, 0, 64, true, 5));
        lab.Send(Fragment(packet, 0, 64, true, 5));
        lab.Send(Fragment(packet, 64, 64, false, 5));
        Assert.Equal(data, lab.ReceiveDatagram());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A11_a_datagram_in_the_smallest_fragments_of_any_order_arrives_over_ipv4_and_not_without_its_headers_over_ipv6(bool ipv4)
    {
        using AttackLab lab = new();
        byte[] data = Payload(56);
        byte[] packet = AttackLab.Udp(ipv4, data);
        int[] order = [5, 0, 7, 2, 1, 6, 3, 4];
        foreach (int piece in order)
        {
            lab.Send(Fragment(packet, piece * 8, 8, piece != 7, 9));
        }

        Assert.Equal(data, lab.ReceiveDatagram());
        byte[] syn = AttackLab.Tcp(ipv4, TcpFlags.Syn, lab.NextPort(), options: new byte[4]);
        byte[][] replies = lab.Send(Fragment(syn, 0, 8, true, 10));
        if (ipv4)
        {
            Assert.Empty(replies);
            lab.Send(Fragment(syn, 8, 8, true, 10));
            Assert.Equal(TcpFlags.Syn | TcpFlags.Ack, AttackLab.TcpOf(Assert.Single(lab.Send(Fragment(syn, 16, 8, false, 10)))).Flags);
        }
        else
        {
            Assert.Equal((4, 3), (AttackLab.IcmpOf(Assert.Single(replies)).Type, AttackLab.IcmpOf(replies[0]).Code));
        }
    }

    [Fact]
    public void A12_an_atomic_fragment_is_a_whole_datagram_and_leaves_the_queue_of_its_identification_alone()
    {
        using AttackLab lab = new();
        byte[] data = Payload(120);
        byte[] packet = AttackLab.Udp(false, data);
        byte[] small = AttackLab.Udp(false, [1, 2, 3]);
        lab.Send(Fragment(packet, 0, 64, true, 77));
        lab.Send(Fragment(small, 0, 11, false, 77));
        Assert.Equal([1, 2, 3], lab.ReceiveDatagram());
        lab.Send(Fragment(packet, 64, 64, false, 77));
        Assert.Equal(data, lab.ReceiveDatagram());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A13_a_flood_of_halves_from_one_source_does_not_keep_another_from_reassembly(bool ipv4)
    {
        using AttackLab lab = new();
        byte[] half = AttackLab.Udp(ipv4, Payload(1192));
        long before = lab.World.Engine.Blocks.BytesInUse;
        for (uint id = 0; id < 8000; id++)
        {
            lab.Send(Fragment(half, 0, 1200, true, 1000 + id));
        }

        Assert.InRange(lab.World.Engine.Blocks.BytesInUse - before, 0, 5 << 20);
        byte[] data = Payload(1192);
        byte[] datagram = [.. new byte[8], .. data];
        UdpHeader.Write(datagram, 7777, 5353, datagram.Length);
        IpAddress other = IpAddress.Parse(ipv4 ? "10.1.0.99" : "2001:db8:99::99");
        byte[] packet = AttackLab.Ip(other, AttackLab.Victim(ipv4), IpProtocol.Udp, datagram);
        lab.Send(Fragment(packet, 0, 600, true, 1));
        lab.Send(Fragment(packet, 600, 600, false, 1));
        Assert.Equal(data, lab.ReceiveDatagram());
        lab.World.RunFor(Duration.FromSeconds(120));
        Assert.Equal(before, lab.World.Engine.Blocks.BytesInUse);
    }
}

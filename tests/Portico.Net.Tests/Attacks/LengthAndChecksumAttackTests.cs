using System.Buffers.Binary;

namespace Portico.Net.Tests.Attacks;

/// <summary>Rows A01 and A04: lengths that lie and checksums that are wrong.</summary>
public class LengthAndChecksumAttackTests
{
    private static byte[] With(byte[] packet, Action<byte[]> change)
    {
        byte[] changed = [.. packet];
        change(changed);
        return AttackLab.Fix(changed);
    }

    [Fact]
    public void A01_an_ip_header_with_a_lying_length_is_dropped_in_silence()
    {
        using AttackLab lab = new();
        byte[] good = AttackLab.Udp(true, new byte[40]);
        byte[] good6 = AttackLab.Udp(false, new byte[40]);
        long before = Drops(lab);
        byte[][] bad =
        [
            With(good, p => p[0] = 0x44), With(good, p => p[0] = 0x55), With(good, p => p[0] = 0x4F), With(good, p => p[3] = 19),
            With(good, p => p[3] = 0), With(good, p => p[2] = 0xFF), With(good, p => p[3]++), With(good6, p => p[0] = 0x50),
            With(good6, p => p[4] = 0xFF), With(good6, p => p[5]++), good[..19], good[..1], good6[..39],
        ];
        foreach (byte[] packet in bad)
        {
            Assert.Empty(lab.Send(packet));
            Assert.Null(lab.ReceiveDatagram());
        }

        Assert.True(Drops(lab) - before >= bad.Length);
        lab.AssertStillServes();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A01_a_udp_length_below_8_or_past_the_end_is_dropped_and_a_shorter_one_trims(bool ipv4)
    {
        using AttackLab lab = new();
        int udp = ipv4 ? 20 : 40;
        byte[] good = AttackLab.Udp(ipv4, [1, 2, 3, 4, 5, 6, 7, 8]);
        foreach (int length in new[] { 0, 1, 4, 7, 17, 900, 65535 })
        {
            Assert.Empty(lab.Send(With(good, p => BinaryPrimitives.WriteUInt16BigEndian(p.AsSpan(udp + 4), (ushort)length))));
            Assert.Null(lab.ReceiveDatagram());
        }

        Assert.Empty(lab.Send(With(good, p => p[udp + 5] = 12)));
        Assert.Equal([1, 2, 3, 4], lab.ReceiveDatagram());
        lab.AssertStillServes();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A01_a_data_offset_below_5_or_past_the_end_is_dropped(bool ipv4)
    {
        using AttackLab lab = new();
        int tcp = ipv4 ? 20 : 40;
        for (int words = 0; words < 16; words++)
        {
            byte[] good = AttackLab.Tcp(ipv4, TcpFlags.Syn, lab.NextPort(), payload: new byte[4]);
            byte[] syn = With(good, p => p[tcp + 12] = (byte)(words << 4));
            Assert.Equal(words is 5 or 6 ? 1 : 0, lab.Send(syn).Length);
        }

        foreach (int length in new[] { 0, 1, 7, 8, 19 })
        {
            Assert.Empty(lab.Send(AttackLab.Ip(AttackLab.Attacker(ipv4), AttackLab.Victim(ipv4), IpProtocol.Tcp, new byte[length])));
            Assert.Empty(lab.Send(AttackLab.Ip(AttackLab.Attacker(ipv4), AttackLab.Victim(ipv4), IpProtocol.Udp, new byte[length & 7])));
        }

        lab.AssertStillServes();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A04_no_segment_with_one_wrong_bit_reaches_the_application(bool ipv4)
    {
        using AttackLab lab = new();
        RawConnection connection = lab.Connect(ipv4);
        byte[] segment = AttackLab.Tcp(
            ipv4, TcpFlags.Ack | TcpFlags.Psh, connection.Port, connection.Sequence, connection.Acknowledgment, [1, 2, 3, 4]);
        for (int bit = 0; bit < segment.Length * 8; bit++)
        {
            byte[] damaged = [.. segment];
            damaged[bit / 8] ^= (byte)(0x80 >> (bit % 8));
            if (!ipv4 && bit < 64)
            {
                // IPv6 has no header checksum, and version, class, label, length, next header and hop limit are not in the pseudo header
                // as they stand: some of these changes leave a valid segment.
                continue;
            }

            lab.Send(damaged);
            Assert.Empty(lab.Read(connection));
        }

        lab.Send(segment);
        Assert.Equal([1, 2, 3, 4], lab.Read(connection));
        lab.AssertStillServes();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A04_no_datagram_with_one_wrong_bit_is_delivered_and_no_checksum_is_right_over_ipv4_only(bool ipv4)
    {
        using AttackLab lab = new();
        int udp = ipv4 ? 20 : 40;
        byte[] datagram = AttackLab.Udp(ipv4, [9, 8, 7]);
        for (int bit = udp * 8; bit < datagram.Length * 8; bit++)
        {
            byte[] damaged = [.. datagram];
            damaged[bit / 8] ^= (byte)(0x80 >> (bit % 8));
            Assert.Empty(lab.Send(damaged));
            Assert.Null(lab.ReceiveDatagram());
        }

        datagram[udp + 6] = 0;
        datagram[udp + 7] = 0;
        lab.Send(datagram);
        Assert.Equal(ipv4 ? [9, 8, 7] : null, lab.ReceiveDatagram());
        lab.AssertStillServes();
    }

    [Fact]
    public void A04_a_ping_with_a_wrong_checksum_is_dropped()
    {
        using AttackLab lab = new();
        byte[] ping = AttackLab.Ip(AttackLab.Attacker(true), AttackLab.Victim(true), IpProtocol.Icmp, [8, 0, 0, 0, 0, 1, 0, 1]);
        Assert.Single(lab.Send(ping));
        ping[^1] ^= 1;
        Assert.Empty(lab.Send(ping));
    }

    private static long Drops(AttackLab lab) =>
        lab.Stack.Ip.Ipv4Counters[IpCounter.InHdrErrors] + lab.Stack.Ip.Ipv6Counters[IpCounter.InHdrErrors];
}

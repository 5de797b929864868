namespace Portico.Net.Tests.Attacks;

/// <summary>Rows A02, A03, A05, A06 and A07: options, urgent pointers, addresses, flags and ports that do not belong.</summary>
public class TcpHeaderAttackTests
{
    private const TcpFlags SynAck = TcpFlags.Syn | TcpFlags.Ack;

    [Fact]
    public void A02_every_option_kind_and_length_in_a_syn_is_answered_by_a_syn_ack()
    {
        using AttackLab lab = new();
        byte[] options = new byte[40];
        for (int pair = 0; pair < 65_536; pair++)
        {
            options[0] = (byte)(pair >> 8);
            options[1] = (byte)pair;
            ushort port = (ushort)(1 + (pair % 60_000));
            byte[] syn = AttackLab.Tcp(true, TcpFlags.Syn, port, (uint)pair, options: options);
            byte[][] replies = lab.Send(syn);
            if (IsSignature(options))
            {
                Assert.Empty(replies);
                continue;
            }

            Assert.True(replies.Length == 1 && AttackLab.TcpOf(replies[0]).Flags == SynAck, $"{pair:x4}: {replies.Length} replies");
            lab.Send(AttackLab.Tcp(true, TcpFlags.Rst, port, (uint)pair + 1));
        }

        lab.AssertStillServes();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A02_every_option_kind_and_length_on_a_connection_leaves_it_alive(bool ipv4)
    {
        using AttackLab lab = new();
        RawConnection connection = lab.Connect(ipv4);
        byte[] options = new byte[12];
        for (int pair = 0; pair < 65_536; pair += ipv4 ? 1 : 7)
        {
            options[0] = (byte)(pair >> 8);
            options[1] = (byte)pair;
            lab.Send(AttackLab.Tcp(
                ipv4, TcpFlags.Ack, connection.Port, connection.Sequence, connection.Acknowledgment, [(byte)pair], options));
            if (IsSignature(options))
            {
                Assert.Empty(lab.Read(connection));
                continue;
            }

            connection.Sequence++;
            Assert.Equal([(byte)pair], lab.Read(connection));
        }

        Assert.Equal(TcpState.Established, lab.StateOf(connection));
    }

    /// <summary>A signature (RFC 2385) where no key is known, or one that can be none: what has it is dropped, as by Linux.</summary>
    private static bool IsSignature(byte[] options) => options[0] == TcpOptionKind.Md5Signature && options[1] >= 2 && options[1] <= options.Length;

    [Theory]
    [InlineData(0, "bc")]
    [InlineData(1, "bc")]
    [InlineData(65535, "abc")]
    public void A03_the_urgent_byte_is_taken_out_of_the_stream_only_where_it_is(ushort urgent, string expected)
    {
        using AttackLab lab = new();
        RawConnection connection = lab.Connect(true);
        lab.Send(AttackLab.Tcp(
            true,
            TcpFlags.Ack | TcpFlags.Psh | TcpFlags.Urg,
            connection.Port,
            connection.Sequence,
            connection.Acknowledgment,
            "abc"u8.ToArray(),
            urgent: urgent));
        List<byte> read = [];
        for (byte[] piece = lab.Read(connection); piece.Length > 0; piece = lab.Read(connection))
        {
            read.AddRange(piece);
        }

        Assert.Equal(expected, System.Text.Encoding.ASCII.GetString([.. read]));
    }

    [Fact]
    public void A03_urgent_pointers_of_any_value_in_any_segment_leave_the_connection_alive()
    {
        using AttackLab lab = new();
        RawConnection connection = lab.Connect(true);
        foreach (ushort urgent in new ushort[] { 0, 1, 2, 3, 4, 1000, 32767, 32768, 65534, 65535 })
        {
            foreach (int length in new[] { 0, 1, 3 })
            {
                lab.Send(AttackLab.Tcp(
                    true,
                    TcpFlags.Ack | TcpFlags.Urg,
                    connection.Port,
                    connection.Sequence,
                    connection.Acknowledgment,
                    new byte[length],
                    urgent: urgent));
                connection.Sequence += (uint)length;
                while (lab.Read(connection).Length > 0)
                {
                }
            }
        }

        Assert.Equal(TcpState.Established, lab.StateOf(connection));
        lab.AssertStillServes();
    }

    [Fact]
    public void A05_a_packet_from_the_victim_to_itself_or_from_an_impossible_source_is_met_with_silence()
    {
        using AttackLab lab = new();
        string[] sources4 = ["10.1.0.1", "10.0.0.1", "127.0.0.1", "0.0.0.0", "224.0.0.1", "255.255.255.255", "240.0.0.1", "10.1.0.255"];
        string[] sources6 = ["2001:db8:1::1", "::1", "ff02::1", "::"];
        foreach (string source in sources4.Concat(sources6))
        {
            IpAddress from = IpAddress.Parse(source);
            byte[] segment = new byte[20];
            TcpHeader.Write(segment, 8080, 8080, 1, 0, 20, TcpFlags.Syn, 60_000);
            Assert.True(lab.Send(AttackLab.Ip(from, AttackLab.Victim(from.IsIpv4), IpProtocol.Tcp, segment)).Length == 0, source);
        }

        foreach (string destination in new[] { "224.0.0.1", "255.255.255.255", "10.1.0.255", "ff02::1" })
        {
            IpAddress to = IpAddress.Parse(destination);
            byte[] segment = new byte[20];
            TcpHeader.Write(segment, 4444, 8080, 1, 0, 20, TcpFlags.Syn, 60_000);
            Assert.True(lab.Send(AttackLab.Ip(AttackLab.Attacker(to.IsIpv4), to, IpProtocol.Tcp, segment)).Length == 0, destination);
        }

        lab.AssertStillServes();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A06_a_closed_port_answers_all_flags_as_rfc_9293_says(bool ipv4)
    {
        using AttackLab lab = new();
        for (int value = 0; value < 256; value++)
        {
            TcpFlags flags = (TcpFlags)value;
            byte[][] replies = lab.Send(AttackLab.Tcp(ipv4, flags, lab.NextPort(), 1000, 777, [5], destinationPort: 9));
            if ((flags & TcpFlags.Rst) != 0)
            {
                Assert.Empty(replies);
                continue;
            }

            TcpHeader reset = AttackLab.TcpOf(Assert.Single(replies));
            if ((flags & TcpFlags.Ack) != 0)
            {
                Assert.Equal((TcpFlags.Rst, 777u), (reset.Flags, reset.Sequence));
            }
            else
            {
                uint length = 1u + (uint)(value & 1) + (uint)((value >> 1) & 1);
                Assert.Equal((TcpFlags.Rst | TcpFlags.Ack, 0u, 1000 + length), (reset.Flags, reset.Sequence, reset.Acknowledgment));
            }
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A06_a_listener_answers_a_syn_and_resets_acknowledgments_only(bool ipv4)
    {
        using AttackLab lab = new();
        for (int value = 0; value < 64; value++)
        {
            TcpFlags flags = (TcpFlags)value;
            ushort port = lab.NextPort();
            byte[][] replies = lab.Send(AttackLab.Tcp(ipv4, flags, port, 1000, 777));
            if ((flags & TcpFlags.Rst) == 0 && (flags & TcpFlags.Ack) != 0)
            {
                TcpHeader reset = AttackLab.TcpOf(Assert.Single(replies));
                Assert.Equal((TcpFlags.Rst, 777u), (reset.Flags, reset.Sequence));
            }
            else if ((flags & (TcpFlags.Rst | TcpFlags.Ack | TcpFlags.Syn | TcpFlags.Fin)) == TcpFlags.Syn)
            {
                Assert.Equal(SynAck, AttackLab.TcpOf(Assert.Single(replies)).Flags & ~TcpFlags.Ece);
                lab.Send(AttackLab.Tcp(ipv4, TcpFlags.Rst, port, 1001));
            }
            else
            {
                Assert.True(replies.Length == 0, flags.ToString());
            }
        }

        lab.AssertStillServes();
    }

    [Fact]
    public void A07_port_zero_reserved_bits_and_a_ttl_of_zero_never_fail()
    {
        using AttackLab lab = new();
        lab.Send(AttackLab.Tcp(true, TcpFlags.Syn, 0));
        lab.Send(AttackLab.Tcp(true, TcpFlags.Syn, 4000, destinationPort: 0));
        lab.Send(AttackLab.Udp(true, [1], 0));
        lab.Send(AttackLab.Udp(true, [1], 7777, 0));
        byte[] syn = AttackLab.Tcp(true, TcpFlags.Syn, 4001);
        syn[32] |= 0x0E;
        Assert.Single(lab.Send(AttackLab.Fix(syn)));
        syn = AttackLab.Tcp(true, TcpFlags.Syn, 4002);
        syn[6] |= 0x80;
        Assert.Single(lab.Send(AttackLab.Fix(syn)));
        syn = AttackLab.Tcp(true, TcpFlags.Syn, 4003);
        syn[8] = 0;
        Assert.Single(lab.Send(AttackLab.Fix(syn)));
        for (int protocol = 0; protocol < 256; protocol++)
        {
            lab.Send(AttackLab.Ip(AttackLab.Attacker(true), AttackLab.Victim(true), (IpProtocol)protocol, new byte[40]));
            lab.Send(AttackLab.Ip(AttackLab.Attacker(false), AttackLab.Victim(false), (IpProtocol)protocol, new byte[40]));
        }

        lab.AssertStillServes();
    }
}

namespace Portico.Net.Tests.Attacks;

/// <summary>Rows A14 to A16: extension headers, IPv4 options, and packets in packets.</summary>
public class IpHeaderAttackTests
{
    private const byte Destination = 60;

    private static byte[] WithHeaders(byte first, byte[] headers, byte hops = 64)
    {
        byte[] udp = AttackLab.Udp(false, [1, 2, 3]);
        byte[] packet = [.. udp[..40], .. headers, .. udp[40..]];
        packet[5] = (byte)(packet.Length - 40);
        packet[4] = (byte)((packet.Length - 40) >> 8);
        packet[6] = first;
        packet[7] = hops;
        return AttackLab.Fix(packet);
    }

    private static byte[] Options(byte next, params byte[] options) => [next, (byte)((options.Length - 6) / 8), .. options];

    private static byte[] WithOptions(byte[] options)
    {
        byte[] datagram = [0x1E, 0x61, 0x14, 0xE9, 0, 9, 0, 0, 42];
        return AttackLab.Ip(AttackLab.Attacker(true), AttackLab.Victim(true), IpProtocol.Udp, datagram, options: options);
    }

    [Fact]
    public void A14_extension_headers_get_the_answers_of_rfc_8200()
    {
        using AttackLab lab = new();
        byte[] routing0 = [17, 0, 0, 1, 0, 0, 0, 0];
        (byte First, byte[] Headers, (int Type, int Code, uint Pointer)? Answer, bool Delivered)[] cases =
        [
            (Destination, Options(17, 0x1E, 4, 0, 0, 0, 0), null, true),
            (Destination, Options(17, 0x5E, 4, 0, 0, 0, 0), null, false),
            (Destination, Options(17, 0x9E, 4, 0, 0, 0, 0), (4, 2, 42), false),
            (Destination, Options(17, 0xDE, 4, 0, 0, 0, 0), (4, 2, 42), false),
            (0, Options(17, 1, 4, 0, 0, 0, 0), null, true),
            (Destination, [.. Options(0, 1, 4, 0, 0, 0, 0), .. Options(17, 1, 4, 0, 0, 0, 0)], (4, 1, 40), false),
            (43, routing0, (4, 0, 42), false),
            (43, [17, 0, 0, 0, 0, 0, 0, 0], null, true),
            (253, [], (4, 1, 6), false),
            (59, [], null, false),
        ];
        foreach ((byte first, byte[] headers, (int Type, int Code, uint Pointer)? answer, bool delivered) in cases)
        {
            byte[][] replies = lab.Send(WithHeaders(first, headers));
            if (answer is { } expected)
            {
                Assert.Equal(expected, AttackLab.IcmpOf(Assert.Single(replies)));
            }
            else
            {
                Assert.Empty(replies);
            }

            Assert.Equal(delivered ? [1, 2, 3] : null, lab.ReceiveDatagram());
        }

        lab.AssertStillServes();
    }

    [Fact]
    public void A14_more_headers_or_options_than_the_limit_are_dropped_in_silence()
    {
        using AttackLab lab = new();
        long before = lab.Stack.Ip.Ipv6Counters[IpCounter.DropExtensionHeaderLimit];
        byte[] eight = [.. Enumerable.Range(0, 8).SelectMany(i => Options(i == 7 ? (byte)17 : Destination, 1, 4, 0, 0, 0, 0))];
        Assert.Empty(lab.Send(WithHeaders(Destination, eight)));
        Assert.Equal([1, 2, 3], lab.ReceiveDatagram());
        byte[] many = [.. Enumerable.Range(0, 150).SelectMany(i => Options(i == 149 ? (byte)17 : Destination, 1, 4, 0, 0, 0, 0))];
        Assert.Empty(lab.Send(WithHeaders(Destination, many)));
        Assert.Null(lab.ReceiveDatagram());
        byte[] options = [.. Enumerable.Range(0, 40).SelectMany(_ => new byte[] { 0x1E, 0 }), 1, 4, 0, 0, 0, 0];
        Assert.Empty(lab.Send(WithHeaders(Destination, Options(17, options))));
        Assert.Null(lab.ReceiveDatagram());
        Assert.True(lab.Stack.Ip.Ipv6Counters[IpCounter.DropExtensionHeaderLimit] - before >= 2);
        lab.AssertStillServes();
    }

    [Fact]
    public void A15_source_routes_are_dropped_and_record_route_is_accepted()
    {
        using AttackLab lab = new();
        byte[][] refused = 
        [
            [131, 7, 4, 10, 0, 0, 1, 0], [137, 7, 4, 10, 0, 0, 1, 0], [7, 0, 4, 0], [7, 30, 4, 0], [7, 7, 3, 0, 0, 0, 0, 0],
        ];
        foreach (byte[] options in refused)
        {
            lab.Send(WithOptions(options));
            Assert.Null(lab.ReceiveDatagram());
        }

        byte[][] accepted = [[7, 7, 4, 0, 0, 0, 0, 0], [1, 1, 1, 0], [148, 4, 0, 0], [68, 8, 5, 0, 0, 0, 0, 0], [99, 4, 1, 2]];
        foreach (byte[] options in accepted)
        {
            Assert.Empty(lab.Send(WithOptions(options)));
            Assert.Equal([42], lab.ReceiveDatagram());
        }

        lab.AssertStillServes();
    }

    [Fact]
    public void A15_all_option_kinds_with_all_lengths_never_fail()
    {
        using AttackLab lab = new();
        byte[] options = new byte[40];
        for (int kind = 0; kind < 256; kind++)
        {
            for (int length = 0; length <= 41; length++)
            {
                for (byte pointer = 0; pointer < 12; pointer += 3)
                {
                    options[0] = (byte)kind;
                    options[1] = (byte)length;
                    options[2] = pointer;
                    lab.Send(WithOptions(options));
                    while (lab.ReceiveDatagram() != null)
                    {
                    }
                }
            }
        }

        lab.AssertStillServes();
    }

    [Fact]
    public void A16_a_packet_in_a_packet_is_not_opened()
    {
        using AttackLab lab = new();
        byte[] inner = AttackLab.Udp(true, [1]);
        byte[] inner6 = AttackLab.Udp(false, [1]);
        foreach (byte protocol in new byte[] { 4, 41, 47, 50, 51, 94, 99 })
        {
            foreach (byte[] payload in new[] { inner, inner6 })
            {
                byte[][] replies = lab.Send(AttackLab.Ip(AttackLab.Attacker(true), AttackLab.Victim(true), (IpProtocol)protocol, payload));
                Assert.Equal((3, 2), (AttackLab.IcmpOf(Assert.Single(replies)).Type, AttackLab.IcmpOf(replies[0]).Code));
                replies = lab.Send(AttackLab.Ip(AttackLab.Attacker(false), AttackLab.Victim(false), (IpProtocol)protocol, payload));
                Assert.Equal((4, 1, 6u), AttackLab.IcmpOf(Assert.Single(replies)));
                Assert.Null(lab.ReceiveDatagram());
            }
        }

        lab.AssertStillServes();
    }
}

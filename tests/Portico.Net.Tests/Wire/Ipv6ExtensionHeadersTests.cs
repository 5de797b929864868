using CsCheck;

namespace Portico.Net.Tests.Wire;

public class Ipv6ExtensionHeadersTests
{
    private const byte HopByHop = 0;
    private const byte Routing = 43;
    private const byte Fragment = 44;
    private const byte Destination = 60;
    private const byte Tcp = 6;

    /// <summary>A packet from (kind, bytes without next header) pairs, then the transport's kind.</summary>
    private static byte[] Build(byte last, params (byte Kind, byte[] Bytes)[] headers)
    {
        List<byte> bytes = [0x60, 0, 0, 0, 0, 0, headers.Length == 0 ? last : headers[0].Kind, 64, .. new byte[32]];
        for (int i = 0; i < headers.Length; i++)
        {
            bytes.Add(i + 1 < headers.Length ? headers[i + 1].Kind : last);
            bytes.AddRange(headers[i].Bytes);
        }

        bytes.AddRange(new byte[20]);
        return [.. bytes];
    }

    private static Ipv6Walk Walk(byte[] packet, bool multicast = false)
    {
        bool found = Ipv6ExtensionHeaders.TryWalk(packet, multicast, Ipv6WalkLimits.Default, out Ipv6Walk walk);
        Assert.Equal(found, walk.Outcome == Ipv6WalkOutcome.Transport);
        return walk;
    }

    private static (byte Kind, byte[] Bytes) Options(byte kind, params byte[] options)
    {
        Assert.Equal(6, options.Length % 8);
        return (kind, [(byte)((options.Length - 6) / 8), .. options]);
    }

    private static void AssertProblem(Ipv6Walk walk, int code, int pointer)
    {
        Assert.Equal(Ipv6WalkOutcome.ParameterProblem, walk.Outcome);
        Assert.Equal(code, walk.Code);
        Assert.Equal(pointer, walk.Pointer);
    }

    [Fact]
    public void Without_extension_headers_the_transport_follows_at_once()
    {
        Ipv6Walk walk = Walk(Build(Tcp));
        Assert.Equal((IpProtocol.Tcp, 40, 6), (walk.Protocol, walk.Offset, walk.NextHeaderOffset));
    }

    [Fact]
    public void Headers_are_passed_in_any_order_and_the_last_one_names_the_transport()
    {
        (byte, byte[]) padding = Options(Destination, 1, 4, 0, 0, 0, 0);
        (byte, byte[]) alert = Options(HopByHop, 5, 2, 0, 0, 1, 0), routing = (Routing, new byte[7]);
        (byte, byte[]) atomic = (Fragment, [0, 0, 0, 0, 0, 0, 9]);
        Ipv6Walk walk = Walk(Build(Tcp, alert, padding, routing, atomic, padding));
        Assert.Equal(Ipv6WalkOutcome.Transport, walk.Outcome);
        Assert.Equal((IpProtocol.Tcp, 80, 72), (walk.Protocol, walk.Offset, walk.NextHeaderOffset));
        Assert.True(walk.HasRouterAlert);
        Assert.True(walk.HasRoutingHeader);
        Assert.True(walk.IsAtomicFragment);
    }

    [Fact]
    public void A_router_alert_as_mld_writes_it_is_found()
    {
        byte[] header = new byte[8];
        Ipv6ExtensionHeaders.WriteMldRouterAlert(header);
        Ipv6Walk walk = Walk(Build(58, (HopByHop, header[1..])));
        Assert.True(walk.HasRouterAlert);
        Assert.Equal(IpProtocol.Icmpv6, walk.Protocol);
    }

    [Fact]
    public void Hop_by_hop_options_that_do_not_come_first_are_an_unrecognised_next_header()
    {
        (byte, byte[]) padding = Options(Destination, 1, 4, 0, 0, 0, 0);
        AssertProblem(Walk(Build(Tcp, padding, Options(HopByHop, 1, 4, 0, 0, 0, 0))), 1, 40);
        AssertProblem(Walk(Build(Tcp, Options(HopByHop, 1, 4, 0, 0, 0, 0), padding, Options(HopByHop, 1, 4, 0, 0, 0, 0))), 1, 48);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(2)]
    [InlineData(99)]
    public void A_routing_header_with_segments_left_is_a_problem_at_its_type(byte type)
    {
        AssertProblem(Walk(Build(Tcp, (Routing, [0, type, 1, 0, 0, 0, 0]))), 0, 42);
        Assert.Equal(Ipv6WalkOutcome.Transport, Walk(Build(Tcp, (Routing, [0, type, 0, 0, 0, 0, 0]))).Outcome);
    }

    [Fact]
    public void The_highest_bits_say_what_an_unknown_option_does()
    {
        Assert.Equal(Ipv6WalkOutcome.Transport, Walk(Build(Tcp, Options(Destination, 0x1E, 4, 0, 0, 0, 0))).Outcome);
        Assert.Equal(Ipv6WalkOutcome.Discard, Walk(Build(Tcp, Options(Destination, 0x5E, 4, 0, 0, 0, 0))).Outcome);
        AssertProblem(Walk(Build(Tcp, Options(Destination, 0x9E, 4, 0, 0, 0, 0))), 2, 42);
        AssertProblem(Walk(Build(Tcp, Options(Destination, 0xDE, 4, 0, 0, 0, 0))), 2, 42);
        AssertProblem(Walk(Build(Tcp, Options(Destination, 0x9E, 4, 0, 0, 0, 0)), multicast: true), 2, 42);
        Assert.Equal(Ipv6WalkOutcome.Discard, Walk(Build(Tcp, Options(Destination, 0xDE, 4, 0, 0, 0, 0)), multicast: true).Outcome);
        Assert.True(Walk(Build(Tcp, Options(Destination, 0x9E, 4, 0, 0, 0, 0))).ReportIfMulticast);
    }

    [Fact]
    public void Eight_options_are_accepted_and_nine_are_not()
    {
        byte[] eight = [.. Enumerable.Repeat<byte[]>([0x1E, 0], 8).SelectMany(o => o), 1, 4, 0, 0, 0, 0];
        Assert.Equal(Ipv6WalkOutcome.Transport, Walk(Build(Tcp, Options(Destination, eight))).Outcome);
        byte[] nine = [.. Enumerable.Repeat<byte[]>([0x1E, 0], 9).SelectMany(o => o), 1, 2, 0, 0];
        Assert.Equal(Ipv6WalkOutcome.Discard, Walk(Build(Tcp, Options(Destination, nine))).Outcome);
    }

    [Fact]
    public void Padding_that_is_not_zero_or_longer_than_7_bytes_is_discarded()
    {
        Assert.Equal(Ipv6WalkOutcome.Transport, Walk(Build(Tcp, Options(Destination, 0, 0, 0, 0, 0, 0))).Outcome);
        Assert.Equal(Ipv6WalkOutcome.Discard, Walk(Build(Tcp, Options(Destination, 1, 4, 0, 0, 1, 0))).Outcome);
        Assert.Equal(Ipv6WalkOutcome.Discard, Walk(Build(Tcp, Options(Destination, new byte[14]))).Outcome);
        Assert.Equal(Ipv6WalkOutcome.Discard, Walk(Build(Tcp, Options(Destination, [1, 12, .. new byte[12]]))).Outcome);
    }

    [Fact]
    public void An_option_that_goes_past_its_header_is_discarded()
    {
        Assert.Equal(Ipv6WalkOutcome.Discard, Walk(Build(Tcp, Options(Destination, 0x1E, 5, 0, 0, 0, 0))).Outcome);
        Assert.Equal(Ipv6WalkOutcome.Discard, Walk(Build(Tcp, Options(Destination, 1, 3, 0, 0, 0, 0x1E))).Outcome);
    }

    [Fact]
    public void Eight_headers_are_accepted_and_nine_are_not()
    {
        (byte, byte[]) padding = Options(Destination, 1, 4, 0, 0, 0, 0);
        Assert.Equal(Ipv6WalkOutcome.Transport, Walk(Build(Tcp, [.. Enumerable.Repeat(padding, 8)])).Outcome);
        Assert.Equal(Ipv6WalkOutcome.Discard, Walk(Build(Tcp, [.. Enumerable.Repeat(padding, 9)])).Outcome);
        Assert.Equal(Ipv6WalkOutcome.Discard, Walk(Build(Tcp, [.. Enumerable.Repeat(padding, 2000)])).Outcome);
    }

    [Fact]
    public void A_fragment_ends_the_walk_with_its_place()
    {
        Ipv6Walk walk = Walk(Build(Tcp, Options(HopByHop, 1, 4, 0, 0, 0, 0), (Fragment, [0, 0, 1, 1, 2, 3, 4])));
        Assert.Equal(Ipv6WalkOutcome.Fragment, walk.Outcome);
        Assert.Equal((48, 40), (walk.Offset, walk.NextHeaderOffset));
    }

    [Fact]
    public void No_next_header_ends_the_packet() => Assert.Equal(Ipv6WalkOutcome.NoNextHeader, Walk(Build(59)).Outcome);

    [Fact]
    public void Headers_that_are_cut_off_say_how_much_is_needed()
    {
        byte[] packet = Build(Tcp, Options(Destination, new byte[] { 0x1E, 20 }.Concat(new byte[20]).ToArray()));
        Ipv6Walk walk = Walk(packet[..44]);
        Assert.Equal((Ipv6WalkOutcome.NeedMore, 48), (walk.Outcome, walk.BytesNeeded));
        walk = Walk(packet[..48]);
        Assert.Equal((Ipv6WalkOutcome.NeedMore, 64), (walk.Outcome, walk.BytesNeeded));
        Assert.Equal(Ipv6WalkOutcome.NeedMore, Walk(packet[..3]).Outcome);
    }

    [Fact]
    public void A_first_fragment_must_hold_the_whole_chain()
    {
        Ipv6WalkLimits limits = Ipv6WalkLimits.Default;
        byte[] chain = [Tcp, 0, 1, 4, 0, 0, 0, 0, .. new byte[20]];
        Assert.True(Ipv6ExtensionHeaders.HasCompleteChain(chain, IpProtocol.Ipv6DestinationOptions, limits));
        Assert.False(Ipv6ExtensionHeaders.HasCompleteChain(chain.AsSpan(0, 27), IpProtocol.Ipv6DestinationOptions, limits));
        Assert.False(Ipv6ExtensionHeaders.HasCompleteChain(chain.AsSpan(0, 7), IpProtocol.Ipv6DestinationOptions, limits));
        Assert.True(Ipv6ExtensionHeaders.HasCompleteChain(chain.AsSpan(0, 8), IpProtocol.Udp, limits));
        Assert.False(Ipv6ExtensionHeaders.HasCompleteChain(chain.AsSpan(0, 7), IpProtocol.Udp, limits));
    }

    [Fact]
    public void A_fragment_header_reads_as_it_was_written() => Gen.Select(Gen.Int[0, 8191], Gen.Bool, Gen.UInt).Sample((units, more, id) =>
    {
        byte[] bytes = new byte[8];
        Ipv6ExtensionHeaders.WriteFragment(bytes, IpProtocol.Udp, units * 8, more, id);
        Ipv6ExtensionHeaders.ReadFragment(bytes, out int offset, out bool moreRead, out uint idRead);
        Assert.Equal((units * 8, more, id, (byte)17), (offset, moreRead, idRead, bytes[0]));
    });

    [Fact]
    public void Any_bytes_behind_any_kind_terminate_within_the_packet() =>
        Gen.Select(Gen.Byte.Array[0, 400], Gen.Int[0, 3].Select(i => new byte[] { 0, 43, 44, 60 }[i]), Gen.Int[0, 60]).Sample(
            (bytes, kind, chain) =>
            {
                byte[] packet = [0x60, 0, 0, 0, 0, 0, kind, 64, .. new byte[32], .. bytes];
                for (int i = 40; i + 1 < packet.Length && i < 40 + (chain * 8); i += 8)
                {
                    packet[i] = kind == 0 ? Destination : kind;
                    packet[i + 1] = 0;
                }

                Ipv6Walk walk = Walk(packet);
                Assert.True(walk.Outcome == Ipv6WalkOutcome.NeedMore ? walk.BytesNeeded > packet.Length : walk.Offset <= packet.Length);
                Assert.InRange(walk.Pointer, 0, packet.Length);
            },
            iter: 50_000);
}

using CsCheck;

namespace Portico.Net.Tests.Wire;

public class ControlMessageTests
{
    private static readonly IpAddress s_a = IpAddress.Parse("fe80::1");
    private static readonly IpAddress s_b = IpAddress.Parse("ff02::1");
    private static readonly MacAddress s_mac = new(0x0200_1234_5678);

    [Fact]
    public void An_icmp_header_reads_as_it_was_written()
    {
        byte[] bytes = [.. new byte[8], 1, 2, 3];
        IcmpHeader.Write(bytes, IcmpType.EchoRequest, 7, 0x1234_5678);
        IcmpHeader.WriteChecksum(bytes);
        Assert.True(IcmpHeader.TryParse(bytes, out IcmpHeader header));
        Assert.Equal((8, 7), (header.Type, header.Code));
        Assert.Equal((0x1234, 0x5678), (header.Identifier, header.SequenceNumber));
        Assert.Equal(0x5678, header.NextHopMtu);
        Assert.Equal(0x12, header.Pointer);
        Assert.Equal(IpAddress.Parse("18.52.86.120"), header.Gateway);
        Assert.Equal(0, InternetChecksum.Compute(bytes));
        Assert.False(header.IsError);
        Assert.False(IcmpHeader.TryParse(bytes.AsSpan(0, 7), out _));
        Assert.Equal([3, 4, 5, 11, 12], Enumerable.Range(0, 256).Where(t => IcmpHeader.IsErrorType((byte)t)));
    }

    [Fact]
    public void An_icmpv6_header_reads_as_it_was_written_and_sums_with_the_pseudo_header()
    {
        byte[] bytes = [.. new byte[8], 1, 2, 3];
        Icmpv6Header.Write(bytes, Icmpv6Type.PacketTooBig, 0, 1280);
        Icmpv6Header.WriteChecksum(bytes, s_a, s_b);
        Assert.True(Icmpv6Header.TryParse(bytes, out Icmpv6Header header));
        Assert.Equal(1280u, header.Mtu);
        Assert.Equal(1280u, header.Pointer);
        Assert.True(header.IsError);
        ulong sum = InternetChecksum.PseudoHeader(s_a, s_b, IpProtocol.Icmpv6, bytes.Length);
        Assert.Equal(0xFFFF, InternetChecksum.Fold(InternetChecksum.Accumulate(sum, bytes)));
        Assert.False(Icmpv6Header.TryParse(bytes.AsSpan(0, 7), out _));
    }

    [Fact]
    public void A_router_advertisement_reads_as_it_was_written()
    {
        byte[] bytes = new byte[16 + 8 + 8 + 32 + 40];
        RouterAdvertisement.Write(bytes, 64, 0xC0, 1800, 30_000, 1_000);
        NdOption.WriteLinkAddress(bytes.AsSpan(16), NdOptionKind.SourceLinkLayerAddress, s_mac);
        NdOption.WriteMtu(bytes.AsSpan(24), 1400);
        PrefixInformation.Write(bytes.AsSpan(32), IpPrefix.Parse("2001:db8::/64"), true, false, 7200, PrefixInformation.Infinity);
        Assert.Equal(40, RecursiveDnsServers.Write(bytes.AsSpan(64), 600, [s_a, s_b]));
        Assert.True(RouterAdvertisement.TryParse(bytes, out RouterAdvertisement ra));
        Assert.Equal((64, 1800), (ra.CurHopLimit, ra.RouterLifetimeSeconds));
        Assert.Equal((30_000u, 1_000u), (ra.ReachableTimeMillis, ra.RetransTimerMillis));
        Assert.True(ra.IsManaged && ra.HasOtherConfiguration);

        NdOptionReader options = ra.Options;
        Assert.True(options.TryRead(out NdOption option));
        Assert.Equal(NdOptionKind.SourceLinkLayerAddress, option.Kind);
        Assert.True(option.TryReadLinkAddress(out MacAddress mac));
        Assert.Equal(s_mac, mac);
        Assert.True(options.TryRead(out option));
        Assert.True(option.TryReadMtu(out uint mtu));
        Assert.Equal(1400u, mtu);
        Assert.True(options.TryRead(out option));
        Assert.False(RecursiveDnsServers.TryParse(new NdOption(option.Bytes[..16]), out _));
        Assert.True(PrefixInformation.TryParse(option, out PrefixInformation prefix));
        Assert.Equal((64, 7200u, uint.MaxValue), (prefix.PrefixLength, prefix.ValidLifetimeSeconds, prefix.PreferredLifetimeSeconds));
        Assert.Equal(IpAddress.Parse("2001:db8::"), prefix.Prefix);
        Assert.True(prefix.IsOnLink && !prefix.IsAutonomous);
        Assert.True(options.TryRead(out option));
        Assert.True(RecursiveDnsServers.TryParse(option, out RecursiveDnsServers servers));
        Assert.Equal((2, 600u, s_b), (servers.Count, servers.LifetimeSeconds, servers[1]));
        Assert.False(options.TryRead(out _));
    }

    [Fact]
    public void Neighbour_messages_read_as_they_were_written()
    {
        byte[] bytes = new byte[48];
        NeighbourSolicitation.Write(bytes, s_a);
        NdOption.WriteLinkAddress(bytes.AsSpan(24), NdOptionKind.SourceLinkLayerAddress, s_mac);
        Assert.True(NeighbourSolicitation.TryParse(bytes.AsSpan(0, 32), out NeighbourSolicitation solicitation));
        Assert.Equal(s_a, solicitation.Target);
        Assert.True(solicitation.Options.TryRead(out _));
        NeighbourAdvertisement.Write(bytes, s_a, isRouter: false, isSolicited: true, isOverride: true);
        Assert.True(NeighbourAdvertisement.TryParse(bytes.AsSpan(0, 32), out NeighbourAdvertisement advertisement));
        Assert.Equal((false, true, true), (advertisement.IsRouter, advertisement.IsSolicited, advertisement.IsOverride));
        Assert.Equal(s_a, advertisement.Target);
        RedirectMessage.Write(bytes, s_a, s_b);
        Assert.True(RedirectMessage.TryParse(bytes.AsSpan(0, 40), out RedirectMessage redirect));
        Assert.Equal((s_a, s_b), (redirect.Target, redirect.Destination));
        RouterSolicitation.Write(bytes);
        Assert.True(RouterSolicitation.TryParse(bytes.AsSpan(0, 8), out _));
    }

    [Fact]
    public void A_message_that_is_short_or_has_an_option_of_illegal_length_is_refused()
    {
        byte[] bytes = new byte[80];
        for (int length = 0; length <= 80; length++)
        {
            foreach (byte units in new byte[] { 0, 1, 2, 4, 255 })
            {
                foreach (int fixedLength in new[] { 8, 16, 24, 40 })
                {
                    Array.Clear(bytes);
                    if (fixedLength + 1 < length)
                    {
                        bytes[fixedLength + 1] = units;
                    }

                    bool legal = length == fixedLength || (length > fixedLength && units != 0 && units * 8 == length - fixedLength);
                    Span<byte> message = bytes.AsSpan(0, length);
                    bool accepted = fixedLength switch
                    {
                        8 => RouterSolicitation.TryParse(message, out _),
                        16 => RouterAdvertisement.TryParse(message, out _),
                        24 => NeighbourSolicitation.TryParse(message, out _) & NeighbourAdvertisement.TryParse(message, out _),
                        _ => RedirectMessage.TryParse(message, out _),
                    };
                    Assert.Equal(legal, accepted);
                }
            }
        }
    }

    [Fact]
    public void Any_options_terminate() => Gen.Byte.Array[0, 100].Sample(
        bytes =>
        {
            NdOptionReader reader = new(bytes);
            int total = 0;
            while (reader.TryRead(out NdOption option))
            {
                total += option.Bytes.Length;
                option.TryReadLinkAddress(out _);
                option.TryReadMtu(out _);
                PrefixInformation.TryParse(option, out _);
                RecursiveDnsServers.TryParse(option, out _);
            }

            Assert.InRange(total, 0, bytes.Length);
        },
        iter: 20_000);

    [Theory]
    [InlineData("224.0.0.251")]
    [InlineData("ff02::fb")]
    public void A_multicast_report_reads_as_it_was_written(string text)
    {
        IpAddress group = IpAddress.Parse(text);
        bool ipv4 = group.IsIpv4;
        IpAddress source = ipv4 ? IpAddress.Parse("10.0.0.1") : s_a;
        byte[] bytes = new byte[200];
        MulticastReport.WriteHeader(bytes, ipv4, 2);
        Assert.Equal(ipv4 ? 0x22 : 143, bytes[0]);
        Assert.Equal(2, bytes[7]);
        int first = MulticastReport.WriteRecord(bytes.AsSpan(8), MulticastRecordType.ChangeToExclude, group);
        Assert.Equal(MulticastReport.RecordLength(ipv4), first);
        int second = MulticastReport.WriteRecord(bytes.AsSpan(8 + first), MulticastRecordType.AllowNewSources, group, [source, source]);
        Span<byte> records = bytes.AsSpan(8, first + second);
        Assert.True(MulticastReport.TryReadRecord(
            records, ipv4, out MulticastRecordType type, out IpAddress read, out int sources, out int length));
        Assert.Equal((MulticastRecordType.ChangeToExclude, group, 0, first), (type, read, sources, length));
        Assert.True(MulticastReport.TryReadRecord(records[first..], ipv4, out type, out read, out sources, out length));
        Assert.Equal((MulticastRecordType.AllowNewSources, group, 2, second), (type, read, sources, length));
        Assert.False(MulticastReport.TryReadRecord(records[first..^1], ipv4, out _, out _, out _, out _));
    }

    [Fact]
    public void Igmp_queries_of_all_versions_are_told_apart_by_length_and_code()
    {
        byte[] bytes = new byte[20];
        IpAddress group = IpAddress.Parse("239.1.2.3");
        MulticastReport.WriteIgmpV2(bytes, IgmpType.MembershipQuery, group);
        Assert.True(MulticastQuery.TryParseIgmp(bytes.AsSpan(0, 8), out MulticastQuery query));
        Assert.Equal((1, 10_000, group), (query.Version, query.MaxResponseMillis, query.Group));
        bytes[1] = 30;
        Assert.True(MulticastQuery.TryParseIgmp(bytes.AsSpan(0, 8), out query));
        Assert.Equal((2, 3_000), (query.Version, query.MaxResponseMillis));
        int length = MulticastQuery.WriteIgmp(bytes, 0x8F, group, [IpAddress.Parse("10.0.0.1")]);
        Assert.True(MulticastQuery.TryParseIgmp(bytes.AsSpan(0, length), out query));
        Assert.Equal((3, (0x1F << 3) * 100, 1), (query.Version, query.MaxResponseMillis, query.SourceCount));
        Assert.Equal(IpAddress.Parse("10.0.0.1"), query.Source(0));
        Assert.Equal(0, InternetChecksum.Compute(bytes.AsSpan(0, length)));
        foreach (int illegal in new[] { 0, 7, 9, 11, 15 })
        {
            Assert.False(MulticastQuery.TryParseIgmp(bytes.AsSpan(0, illegal), out _));
        }
    }

    [Fact]
    public void Mld_queries_of_both_versions_are_told_apart_by_length()
    {
        byte[] bytes = new byte[60];
        int length = MulticastQuery.WriteMld(bytes, 0x8001, s_b, [s_a]);
        Assert.Equal(44, length);
        Assert.True(MulticastQuery.TryParseMld(bytes.AsSpan(0, 24), out MulticastQuery query));
        Assert.Equal((1, 0x8001, s_b, 0), (query.Version, query.MaxResponseMillis, query.Group, query.SourceCount));
        Assert.True(MulticastQuery.TryParseMld(bytes.AsSpan(0, length), out query));
        Assert.Equal((2, 0x1001 << 3, s_b, 1), (query.Version, query.MaxResponseMillis, query.Group, query.SourceCount));
        Assert.Equal(s_a, query.Source(0));
        foreach (int illegal in new[] { 0, 23, 25, 27, 43 })
        {
            Assert.False(MulticastQuery.TryParseMld(bytes.AsSpan(0, illegal), out _));
        }
    }
}

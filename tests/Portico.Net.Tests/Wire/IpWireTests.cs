using CsCheck;

namespace Portico.Net.Tests.Wire;

public class IpWireTests
{
    private static readonly Gen<IpAddress> s_ipv4 = Gen.UInt.Select(IpAddress.FromIpv4);
    private static readonly Gen<IpAddress> s_ipv6 = Gen.Select(Gen.ULong, Gen.ULong).Select((high, low) => new IpAddress(high | 1, low));

    [Fact]
    public void An_ipv4_header_reads_as_it_was_written_and_its_checksum_is_right() =>
        Gen.Select(Gen.Int[20, 65535], Gen.UShort, Gen.UShort, Gen.Byte, Gen.Byte, Gen.Byte, s_ipv4, s_ipv4).Sample(
            (length, id, fragment, ttl, protocol, tos, source, destination) =>
            {
                byte[] bytes = new byte[20];
                Ipv4Header.Write(bytes, length, id, fragment, ttl, (IpProtocol)protocol, source, destination, tos);
                Assert.True(Ipv4Header.TryParse(bytes, out Ipv4Header header));
                Assert.Equal(20, header.HeaderLength);
                Assert.Equal(length, header.TotalLength);
                Assert.Equal(id, header.Identification);
                Assert.Equal(fragment, header.FlagsAndOffset);
                Assert.Equal((fragment & 0x1FFF) * 8, header.FragmentOffset);
                Assert.Equal((fragment & 0x3FFF) != 0, header.IsFragment);
                Assert.Equal(ttl, header.Ttl);
                Assert.Equal((IpProtocol)protocol, header.Protocol);
                Assert.Equal(tos, header.Tos);
                Assert.Equal(source, header.Source);
                Assert.Equal(destination, header.Destination);
                Assert.True(header.HasValidChecksum);
                if (ttl > 0)
                {
                    Ipv4Header.DecrementTtl(bytes);
                    Assert.Equal(ttl - 1, bytes[8]);
                    Assert.True(header.HasValidChecksum);
                }

                bytes[7] ^= 4;
                Assert.False(header.HasValidChecksum);
            },
            iter: 20_000);

    [Fact]
    public void An_ipv4_header_is_refused_unless_version_and_lengths_are_legal()
    {
        byte[] bytes = new byte[64];
        for (int length = 0; length <= 64; length++)
        {
            for (int first = 0; first < 256; first++)
            {
                foreach (int total in new[] { 0, 19, 20, 24, 59, 60, 65535 })
                {
                    bytes[0] = (byte)first;
                    bytes[2] = (byte)(total >> 8);
                    bytes[3] = (byte)total;
                    int header = (first & 15) * 4;
                    bool legal = length >= 20 && first >> 4 == 4 && header >= 20 && header <= length && total >= header;
                    Assert.Equal(legal, Ipv4Header.TryParse(bytes.AsSpan(0, length), out _));
                }
            }
        }
    }

    [Fact]
    public void A_checksum_over_options_is_right() => Gen.Select(Gen.Byte.Array[60], Gen.Int[5, 15]).Sample((bytes, words) =>
    {
        bytes[0] = (byte)(0x40 | words);
        bytes[2] = 1;
        Ipv4Header.WriteChecksum(bytes, words * 4);
        Assert.True(Ipv4Header.TryParse(bytes, out Ipv4Header header));
        Assert.True(header.HasValidChecksum);
        Assert.Equal(words > 5, header.HasOptions);
    });

    [Fact]
    public void An_ipv6_header_reads_as_it_was_written() =>
        Gen.Select(Gen.UShort, Gen.Byte, Gen.Byte, Gen.Byte, Gen.UInt, s_ipv6, s_ipv6).Sample(
            (length, next, hops, trafficClass, flow, source, destination) =>
            {
                byte[] bytes = new byte[40];
                Ipv6Header.Write(bytes, length, (IpProtocol)next, hops, source, destination, trafficClass, flow);
                Assert.True(Ipv6Header.TryParse(bytes, out Ipv6Header header));
                Assert.Equal(length, header.PayloadLength);
                Assert.Equal((IpProtocol)next, header.NextHeader);
                Assert.Equal(hops, header.HopLimit);
                Assert.Equal(trafficClass, header.TrafficClass);
                Assert.Equal(flow & 0xFFFFF, header.FlowLabel);
                Assert.Equal(source, header.Source);
                Assert.Equal(destination, header.Destination);
            });

    [Fact]
    public void An_ipv6_header_is_refused_when_short_or_of_another_version()
    {
        byte[] bytes = new byte[40];
        for (int version = 0; version < 16; version++)
        {
            bytes[0] = (byte)(version << 4);
            Assert.Equal(version == 6, Ipv6Header.TryParse(bytes, out _));
            Assert.False(Ipv6Header.TryParse(bytes.AsSpan(0, 39), out _));
        }
    }

    [Fact]
    public void A_udp_header_reads_as_it_was_written()
    {
        byte[] bytes = new byte[8];
        UdpHeader.Write(bytes, 53, 40000, 1000);
        Assert.True(UdpHeader.TryParse(bytes, out UdpHeader header));
        Assert.Equal((53, 40000, 1000, 0), (header.SourcePort, header.DestinationPort, header.DatagramLength, header.Checksum));
        Assert.False(UdpHeader.TryParse(bytes.AsSpan(0, 7), out _));
        UdpHeader.Write(bytes, 53, 40000, 7);
        Assert.False(UdpHeader.TryParse(bytes, out _));
    }

    [Fact]
    public void An_ethernet_header_reads_as_it_was_written() =>
        Gen.Select(Gen.ULong[0, 0xFFFF_FFFF_FFFF], Gen.ULong[0, 0xFFFF_FFFF_FFFF], Gen.UShort).Sample((destination, source, type) =>
        {
            byte[] bytes = new byte[14];
            EthernetHeader.Write(bytes, new MacAddress(destination), new MacAddress(source), type);
            Assert.True(EthernetHeader.TryParse(bytes, out EthernetHeader header));
            Assert.Equal(new MacAddress(destination), header.Destination);
            Assert.Equal(new MacAddress(source), header.Source);
            Assert.Equal(type, header.EtherType);
            Assert.Equal(new MacAddress(source), MacAddress.Read(bytes.AsSpan(6)));
            Assert.False(EthernetHeader.TryParse(bytes.AsSpan(0, 13), out _));
        });

    [Fact]
    public void An_arp_packet_reads_as_it_was_written_and_is_refused_for_other_address_kinds()
    {
        byte[] bytes = new byte[28];
        MacAddress sender = new(0x0200_0000_0001), target = new(0x0200_0000_FFFE);
        ArpPacket.Write(bytes, ArpOperation.Reply, sender, IpAddress.Parse("10.0.0.1"), target, IpAddress.Parse("10.0.0.2"));
        Assert.Equal("0001080006040002020000000001" + "0A000001" + "02000000FFFE" + "0A000002", Convert.ToHexString(bytes));
        Assert.True(ArpPacket.TryParse(bytes, out ArpPacket packet));
        Assert.Equal(ArpOperation.Reply, packet.Operation);
        Assert.Equal(sender, packet.SenderHardware);
        Assert.Equal(target, packet.TargetHardware);
        Assert.Equal(IpAddress.Parse("10.0.0.1"), packet.SenderProtocol);
        Assert.Equal(IpAddress.Parse("10.0.0.2"), packet.TargetProtocol);
        Assert.False(ArpPacket.TryParse(bytes.AsSpan(0, 27), out _));
        for (int i = 0; i < 6; i++)
        {
            bytes[i] ^= 1;
            Assert.False(ArpPacket.TryParse(bytes, out _));
            bytes[i] ^= 1;
        }
    }
}

using System.Buffers.Binary;
using CsCheck;

namespace Portico.Net.Tests.Ip;

public abstract class SegmentationHost : IpHost
{
    private protected SegmentationHost(LinkFeatures features)
        : base(1500, features)
    {
    }

    /// <summary>Sends a TCP super-segment whose payload is spread over several blocks.</summary>
    private protected unsafe void SendSuperSegment(
        bool isIpv4, byte[] payload, int gsoSize, int flags, int optionBytes = 12, int blockBytes = 5000)
    {
        IpAddress from = IpAddress.Parse(isIpv4 ? Me4 : Me6);
        IpAddress to = IpAddress.Parse(isIpv4 ? Peer4 : Peer6);
        Packet packet = Engine.Packets.Rent();
        Span<byte> header = packet.Append(20 + optionBytes);
        header.Clear();
        packet.TransportOffset = packet.Start;
        BinaryPrimitives.WriteUInt16BigEndian(header, 80);
        BinaryPrimitives.WriteUInt16BigEndian(header[2..], 4000);
        BinaryPrimitives.WriteUInt32BigEndian(header[4..], 0xFFFF_F000);
        BinaryPrimitives.WriteUInt32BigEndian(header[8..], 77);
        header[12] = (byte)((20 + optionBytes) / 4 << 4);
        header[13] = (byte)flags;
        header[20..].Fill(1);
        for (int offset = 0; offset < payload.Length; offset += blockBytes)
        {
            int length = Math.Min(blockBytes, payload.Length - offset);
            Block* block = Engine.Blocks.Rent(length + 3);
            payload.AsSpan(offset, length).CopyTo(new Span<byte>(Block.Data(block) + 3, length));
            Assert.True(packet.TryAddFragment(block, 3, length));
            Engine.Blocks.Release(block);
        }

        packet.GsoSize = gsoSize;
        packet.Checksum = ChecksumState.Partial;
        Assert.Equal(Errno.None, Stack.Ip.FindRoute(from, to, 0, out RouteCache route));
        IpSend send = new() { Source = from, Destination = to, Protocol = IpProtocol.Tcp, DontFragment = true };
        Assert.Equal(Errno.None, Stack.Ip.Send(packet, route, send));
    }
}

public sealed class SegmentationTests : SegmentationHost
{
    public SegmentationTests()
        : base(LinkFeatures.None)
    {
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_super_segment_becomes_segments_with_right_headers_and_checksums(bool isIpv4)
    {
        byte[] payload = IpBytes.Pattern(60_001);
        SendSuperSegment(isIpv4, payload, 1400, 0x80 | 0x10 | 0x08 | 0x01);
        byte[][] segments = Link.TakeAll();
        Assert.Equal(43, segments.Length);
        int ip = isIpv4 ? 20 : 40;
        List<byte> joined = [];
        for (int i = 0; i < segments.Length; i++)
        {
            byte[] segment = segments[i];
            ReadOnlySpan<byte> tcp = segment.AsSpan(ip);
            int flags = 0x10 | (i == 0 ? 0x80 : 0) | (i == 42 ? 0x09 : 0);
            Assert.Equal(flags, tcp[13]);
            Assert.Equal(0xFFFF_F000 + (uint)joined.Count, BinaryPrimitives.ReadUInt32BigEndian(tcp[4..]));
            byte[] pseudo = isIpv4 ? IpBytes.Pseudo4(Me4, Peer4, 6, tcp.Length) : IpBytes.Pseudo6(Me6, Peer6, 6, tcp.Length);
            Assert.Equal(0, IpBytes.Checksum([.. pseudo, .. tcp]));
            if (isIpv4)
            {
                Assert.Equal(0, IpBytes.Checksum(segment.AsSpan(0, 20)));
                Assert.Equal(segment.Length, (segment[2] << 8) | segment[3]);
                Assert.Equal(0x4000, (segment[6] << 8) | segment[7]);
            }
            else
            {
                Assert.Equal(segment.Length - 40, (segment[4] << 8) | segment[5]);
            }

            joined.AddRange(tcp[32..]);
        }

        Assert.Equal(payload, joined);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_udp_super_segment_becomes_datagrams(bool isIpv4)
    {
        (string from, string to) = isIpv4 ? (Me4, Peer4) : (Me6, Peer6);
        byte[] payload = IpBytes.Pattern(2501);
        Packet packet = Engine.Packets.RentLinear(8 + payload.Length)!;
        IpBytes.Udp(53, 54, payload).CopyTo(packet.Append(8 + payload.Length));
        packet.TransportOffset = packet.Start;
        packet.GsoSize = 1000;
        packet.Checksum = ChecksumState.Partial;
        Assert.Equal(Errno.None, Stack.Ip.FindRoute(IpAddress.Parse(from), IpAddress.Parse(to), 0, out RouteCache route));
        IpSend send = new() { Source = IpAddress.Parse(from), Destination = IpAddress.Parse(to), Protocol = IpProtocol.Udp };
        Assert.Equal(Errno.None, Stack.Ip.Send(packet, route, send));
        int ip = isIpv4 ? 20 : 40;
        byte[][] datagrams = Link.TakeAll();
        Assert.Equal([1008, 1008, 509], datagrams.Select(datagram => (datagram[ip + 4] << 8) | datagram[ip + 5]));
        Assert.All(datagrams, datagram =>
        {
            int length = datagram.Length - ip;
            byte[] pseudo = isIpv4 ? IpBytes.Pseudo4(from, to, 17, length) : IpBytes.Pseudo6(from, to, 17, length);
            Assert.Equal(0, IpBytes.Checksum([.. pseudo, .. datagram.AsSpan(ip)]));
        });
        Assert.Equal(payload, datagrams.SelectMany(datagram => datagram[(ip + 8)..]));
        if (isIpv4)
        {
            Assert.Equal(3, datagrams.Select(datagram => (datagram[4] << 8) | datagram[5]).Distinct().Count());
        }
    }

    [Fact]
    public void Any_size_and_spread_keeps_the_bytes()
    {
        Gen.Select(Gen.Int[1, 60_000], Gen.Int[1, 3000], Gen.Int[64, 9000]).Sample(
            (length, gsoSize, blockBytes) =>
            {
                blockBytes = Math.Max(blockBytes, (length + 17) / 18);
                gsoSize = Math.Max(gsoSize, length / 500);
                using SegmentationTests host = new();
                byte[] payload = IpBytes.Pattern(length);
                host.SendSuperSegment(true, payload, gsoSize, 0x10, 0, blockBytes);
                byte[][] segments = host.Link.TakeAll();
                Assert.Equal((length + gsoSize - 1) / gsoSize, segments.Length);
                Assert.Equal(payload, segments.SelectMany(segment => segment[40..]));
            },
            iter: 100,
            threads: 1);
    }
}

public sealed class SegmentationOverOffloadTests : SegmentationHost
{
    public SegmentationOverOffloadTests()
        : base(LinkFeatures.ChecksumOffload | LinkFeatures.Tso4)
    {
    }

    [Fact]
    public void A_link_that_cuts_gets_the_whole_and_one_that_sums_gets_it_unsummed()
    {
        Link.SentAs.Clear();
        SendSuperSegment(true, IpBytes.Pattern(10_000), 1400, 0x10);
        Assert.Equal((10_052, 1400, ChecksumState.Partial), Assert.Single(Link.SentAs));
        Link.SentAs.Clear();
        SendSuperSegment(false, IpBytes.Pattern(10_000), 1400, 0x10);
        Assert.Equal(8, Link.SentAs.Count);
        Assert.All(Link.SentAs, sent => Assert.Equal(ChecksumState.Partial, sent.Checksum));
        Link.TakeAll();
    }
}

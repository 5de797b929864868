using System.Buffers.Binary;
using CsCheck;

namespace Portico.Net.Tests.Wire;

public unsafe class ChecksumOffloadTests
{
    private static readonly IpAddress s_source4 = IpAddress.Parse("192.0.2.1");
    private static readonly IpAddress s_destination4 = IpAddress.Parse("198.51.100.9");
    private static readonly IpAddress s_source6 = IpAddress.Parse("2001:db8::1");
    private static readonly IpAddress s_destination6 = IpAddress.Parse("2001:db8::abcd");

    /// <summary>A packet whose payload is in fragments of the given lengths, with the transport checksum left out.</summary>
    private static Packet Build(Engine engine, bool ipv4, IpProtocol protocol, int[] fragments, bool extensionHeader = false)
    {
        int transportLength = protocol == IpProtocol.Tcp ? 20 : 8;
        int payload = fragments.Sum();
        Packet packet = engine.Packets.Rent();
        Span<byte> transport = packet.Append(transportLength);
        transport.Clear();
        if (protocol == IpProtocol.Tcp)
        {
            TcpHeader.Write(transport, 1, 2, 3, 4, 20, TcpFlags.Ack, 5);
        }
        else
        {
            UdpHeader.Write(transport, 1, 2, 8 + payload);
        }

        packet.TransportOffset = packet.Start;
        uint value = 0;
        foreach (int length in fragments)
        {
            Block* block = engine.Blocks.Rent(length);
            Span<byte> bytes = new(Block.Data(block), length);
            for (int i = 0; i < length; i++)
            {
                bytes[i] = (byte)((value += 2654435761) >> 24);
            }

            Assert.True(packet.TryAddFragment(block, 0, length));
            engine.Blocks.Release(block);
        }

        if (ipv4)
        {
            Ipv4Header.Write(packet.Push(20), 20 + transportLength + payload, 1, 0, 64, protocol, s_source4, s_destination4);
        }
        else
        {
            if (extensionHeader)
            {
                packet.Push(8).Clear();
                packet.Linear[0] = (byte)protocol;
                packet.Linear[2] = 1;
                packet.Linear[3] = 4;
            }

            Ipv6Header.Write(
                packet.Push(40),
                packet.Length - 40,
                extensionHeader ? IpProtocol.Ipv6DestinationOptions : protocol,
                64,
                s_source6,
                s_destination6);
        }

        packet.NetworkOffset = packet.Start;
        packet.Checksum = ChecksumState.Partial;
        return packet;
    }

    private static bool IsRight(Packet packet, bool ipv4, IpProtocol protocol)
    {
        byte[] all = new byte[packet.Length];
        packet.CopyTo(all);
        ReadOnlySpan<byte> transport = all.AsSpan(packet.TransportOffset - packet.Start);
        IpAddress source = ipv4 ? s_source4 : s_source6, destination = ipv4 ? s_destination4 : s_destination6;
        ulong sum = InternetChecksum.PseudoHeader(source, destination, protocol, transport.Length);
        return InternetChecksum.Fold(InternetChecksum.Accumulate(sum, transport)) == 0xFFFF;
    }

    [Fact]
    public void Completing_and_verifying_agree_for_fragments_of_any_length() =>
        Gen.Select(Gen.Int[1, 700].Array[0, 5], Gen.Bool, Gen.Bool, Gen.Bool).Sample(
            (fragments, ipv4, tcp, extension) =>
            {
                using Engine engine = new();
                IpProtocol protocol = tcp ? IpProtocol.Tcp : IpProtocol.Udp;
                Packet packet = Build(engine, ipv4, protocol, fragments, extension && !ipv4);
                ChecksumOffload.Complete(packet);
                Assert.Equal(ChecksumState.Verified, packet.Checksum);
                Assert.True(IsRight(packet, ipv4, protocol));
                IpAddress source = ipv4 ? s_source4 : s_source6, destination = ipv4 ? s_destination4 : s_destination6;
                Assert.True(ChecksumOffload.Verify(packet, source, destination, protocol));
                packet.TransportHeader[0] ^= 0x10;
                Assert.False(ChecksumOffload.Verify(packet, source, destination, protocol));
                packet.Release();
                Assert.Equal(0, engine.Blocks.BytesInUse);
            },
            iter: 2_000);

    [Fact]
    public void A_partial_or_verified_packet_is_trusted_and_an_unverified_one_is_not()
    {
        using Engine engine = new();
        Packet packet = Build(engine, ipv4: true, IpProtocol.Tcp, [100]);
        IpInfo info = new() { Source = s_source4, Destination = s_destination4, Protocol = IpProtocol.Tcp };
        Assert.True(ChecksumOffload.Verify(packet, info));
        packet.Checksum = ChecksumState.Verified;
        Assert.True(ChecksumOffload.Verify(packet, info));
        packet.Checksum = ChecksumState.Unverified;
        Assert.False(ChecksumOffload.Verify(packet, info));
        packet.Release();
    }

    [Fact]
    public void A_udp_checksum_of_zero_is_sent_as_all_ones()
    {
        using Engine engine = new();
        Packet packet = Build(engine, ipv4: true, IpProtocol.Udp, [2]);

        // Choose the payload so that the sum comes out as 0xFFFF, whose complement is 0.
        ChecksumOffload.Complete(packet);
        ushort checksum = BinaryPrimitives.ReadUInt16BigEndian(packet.TransportHeader[6..]);
        Span<byte> payload = packet.Fragment(0).Span;
        ushort word = BinaryPrimitives.ReadUInt16BigEndian(payload);
        int sum = word + checksum;
        BinaryPrimitives.WriteUInt16BigEndian(payload, (ushort)((sum & 0xFFFF) + (sum >> 16)));
        packet.Checksum = ChecksumState.Partial;
        ChecksumOffload.Complete(packet);
        Assert.Equal(0xFFFF, BinaryPrimitives.ReadUInt16BigEndian(packet.TransportHeader[6..]));
        packet.Release();
    }

    [Fact]
    public void A_datagram_without_checksum_is_right_over_ipv4_only()
    {
        using Engine engine = new();
        Packet packet = Build(engine, ipv4: true, IpProtocol.Udp, [33]);
        Assert.True(ChecksumOffload.Verify(packet, s_source4, s_destination4, IpProtocol.Udp));
        Assert.False(ChecksumOffload.Verify(packet, s_source6, s_destination6, IpProtocol.Udp));
        packet.Release();
    }

    [Fact]
    public void A_device_gets_the_pseudo_header_sum_and_the_place_of_the_field()
    {
        using Engine engine = new();
        Packet packet = Build(engine, ipv4: false, IpProtocol.Tcp, [51, 7]);
        Assert.True(ChecksumOffload.TryPrepareForDevice(packet, out int start, out int field));
        Assert.Equal(40, start);
        Assert.Equal(16, field);
        byte[] all = new byte[packet.Length];
        packet.CopyTo(all);
        ushort checksum = InternetChecksum.Compute(all.AsSpan(start));
        BinaryPrimitives.WriteUInt16BigEndian(packet.TransportHeader[field..], checksum);
        Assert.True(IsRight(packet, ipv4: false, IpProtocol.Tcp));
        packet.Release();
    }
}

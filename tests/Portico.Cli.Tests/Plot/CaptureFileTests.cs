using System.Buffers.Binary;
using Portico.Net;

namespace Portico.Cli.Tests.Plot;

/// <summary>Capture files of other tools, and broken ones.</summary>
public sealed class CaptureFileTests
{
    private static byte[] Pcap(bool isBigEndian, bool isNanoseconds, params byte[][] packets)
    {
        using MemoryStream file = new();
        Put32(isNanoseconds ? 0xA1B23C4D : 0xA1B2C3D4);
        Put32(0x0004_0002);
        Put32(0);
        Put32(0);
        Put32(65535);
        Put32(101);
        for (int i = 0; i < packets.Length; i++)
        {
            Put32(1_700_000_000);
            Put32((uint)i + 7);
            Put32((uint)packets[i].Length);
            Put32((uint)packets[i].Length);
            file.Write(packets[i]);
        }

        return file.ToArray();

        void Put32(uint value)
        {
            Span<byte> bytes = stackalloc byte[4];
            if (isBigEndian)
            {
                BinaryPrimitives.WriteUInt32BigEndian(bytes, value);
            }
            else
            {
                BinaryPrimitives.WriteUInt32LittleEndian(bytes, value);
            }

            file.Write(bytes);
        }
    }

    /// <summary>A TCP segment over IPv4 from 10.0.0.1:1000 to 10.0.0.2:80, or back.</summary>
    private static byte[] Segment(bool isBack, uint seq, uint ack, TcpFlags flags, int payload)
    {
        byte[] bytes = new byte[40 + payload];
        bytes[0] = 0x45;
        BinaryPrimitives.WriteUInt16BigEndian(bytes.AsSpan(2), (ushort)bytes.Length);
        bytes[8] = 64;
        bytes[9] = 6;
        (byte from, byte to) = isBack ? ((byte)2, (byte)1) : ((byte)1, (byte)2);
        (bytes[12], bytes[15], bytes[16], bytes[19]) = (10, from, 10, to);
        BinaryPrimitives.WriteUInt16BigEndian(bytes.AsSpan(20), (ushort)(isBack ? 80 : 1000));
        BinaryPrimitives.WriteUInt16BigEndian(bytes.AsSpan(22), (ushort)(isBack ? 1000 : 80));
        BinaryPrimitives.WriteUInt32BigEndian(bytes.AsSpan(24), seq);
        BinaryPrimitives.WriteUInt32BigEndian(bytes.AsSpan(28), ack);
        bytes[32] = 5 << 4;
        bytes[33] = (byte)flags;
        BinaryPrimitives.WriteUInt16BigEndian(bytes.AsSpan(34), 1000);
        return bytes;
    }

    [Theory]
    [InlineData(false, false, 1_000)]
    [InlineData(false, true, 1)]
    [InlineData(true, false, 1_000)]
    [InlineData(true, true, 1)]
    public void A_pcap_of_either_byte_order_and_either_unit(bool isBigEndian, bool isNanoseconds, long unit)
    {
        CaptureFile capture = CaptureFile.Read(Pcap(isBigEndian, isNanoseconds, [1, 2, 3], [4]));
        Assert.Equal(
            [1_700_000_000_000_000_000 + (7 * unit), 1_700_000_000_000_000_000 + (8 * unit)], capture.Packets.Select(p => p.Time));
        Assert.Equal([1, 2, 3], capture.Packets[0].Bytes);
        Assert.Equal(101, capture.Packets[0].LinkType);
    }

    [Fact]
    public void Sequence_numbers_that_wrap_are_one_stream()
    {
        const uint Iss = uint.MaxValue - 10;
        CaptureFile capture = CaptureFile.Read(Pcap(
            false,
            false,
            Segment(false, Iss, 0, TcpFlags.Syn, 0),
            Segment(true, 500, unchecked(Iss + 1), TcpFlags.Syn | TcpFlags.Ack, 0),
            Segment(false, unchecked(Iss + 1), 501, TcpFlags.Ack, 100),
            Segment(true, 501, unchecked(Iss + 101), TcpFlags.Ack, 0)));
        CapturedConnection connection = Assert.Single(CapturedConnections.Find(capture));
        Assert.Equal("10.0.0.1:1000", connection.First.ToString());
        Assert.Equal((0, 100), (connection.Segments[2].Start, connection.Segments[2].End));
        Assert.Equal(100, connection.Segments[3].Acknowledged);
        Assert.Equal(1100, connection.Segments[3].WindowEnd);
    }

    [Fact]
    public void The_same_ports_after_another_SYN_are_another_connection()
    {
        CaptureFile capture = CaptureFile.Read(Pcap(
            false, false, Segment(false, 1, 0, TcpFlags.Syn, 0), Segment(false, 1, 0, TcpFlags.Syn, 0), Segment(false, 9000, 0, TcpFlags.Syn, 0)));
        Assert.Equal([2, 1], CapturedConnections.Find(capture).Select(c => c.Segments.Count));
    }

    [Fact]
    public void What_is_cut_off_at_the_end_is_left_out()
    {
        byte[] file = Pcap(false, false, Segment(false, 1, 0, TcpFlags.Syn, 0), Segment(true, 1, 2, TcpFlags.Syn | TcpFlags.Ack, 0));
        Assert.Single(CaptureFile.Read(file.AsMemory(0, file.Length - 1)).Packets);
    }

    [Fact]
    public void What_is_no_capture_says_so() =>
        Assert.Equal("is neither pcapng nor pcap", Assert.Throws<InvalidDataException>(() => CaptureFile.Read(new byte[100])).Message);

    [Fact]
    public void No_bytes_whatever_do_more_than_fail_with_a_message()
    {
        using MemoryStream stream = new();
        PcapngWriter writer = new(stream);
        writer.AddInterface("x", LinkKind.Ip);
        writer.Flush();
        byte[] seed = [.. stream.ToArray(), .. new byte[64]];
        RandomSource random = new(5);
        for (int round = 0; round < 20_000; round++)
        {
            byte[] file = [.. seed];
            for (int i = 0; i < 4; i++)
            {
                file[(int)(random.NextUInt64() % (ulong)file.Length)] = (byte)random.NextUInt64();
            }

            try
            {
                CapturedConnections.Find(CaptureFile.Read(file));
            }
            catch (InvalidDataException)
            {
            }
        }
    }
}

using System.Diagnostics;

namespace Portico.Net.Tests.Links;

public class CaptureTests
{
    private static readonly IpAddress s_a = IpAddress.Parse("10.0.0.1");
    private static readonly IpAddress s_b = IpAddress.Parse("10.0.0.2");
    private static readonly IpAddress s_a6 = IpAddress.Parse("fd00::1");
    private static readonly IpAddress s_b6 = IpAddress.Parse("fd00::2");

    /// <summary>An IP packet with a TCP segment whose payload is in fragments and whose checksum is not filled in.</summary>
    private static unsafe Packet Segment(Engine engine, bool isIpv6, int payload, int gsoSize = 0)
    {
        Packet packet = engine.Packets.Rent();
        packet.TransportOffset = packet.Start;
        TcpHeader.Write(packet.Append(20), 40000, 80, 1000, 2000, 20, TcpFlags.Ack | TcpFlags.Psh, 1000);
        if (isIpv6)
        {
            Ipv6Header.Write(packet.Push(40), 20 + payload, IpProtocol.Tcp, 64, s_a6, s_b6);
        }
        else
        {
            Ipv4Header.Write(packet.Push(20), 40 + payload, 1, 0x4000, 64, IpProtocol.Tcp, s_a, s_b);
        }

        packet.NetworkOffset = packet.Start;
        for (int left = payload; left > 0;)
        {
            int length = Math.Min(left, 16001);
            Block* block = engine.Blocks.Rent(length);
            new Span<byte>(Block.Data(block), length).Fill(0x5A);
            Assert.True(packet.TryAddFragment(block, 0, length));
            engine.Blocks.Release(block);
            left -= length;
        }

        packet.Checksum = ChecksumState.Partial;
        packet.GsoSize = gsoSize;
        return packet;
    }

    private static (byte[] File, Engine Engine, CaptureLink Link, Cable Cable) Capture(Action<Engine, CaptureLink, Cable> traffic)
    {
        Engine engine = new();
        MemoryStream stream = new();
        PcapngWriter writer = new(stream, new PcapngOptions { UnixNanosecondsAtZero = 1_700_000_000_000_000_000 });
        Cable cable = new(engine);
        CaptureLink link = new(engine, cable.A, writer, "left");
        link.Attach(new Recorder(engine));
        CaptureLink far = new(engine, cable.B, writer, "right");
        far.Attach(new Recorder(engine));
        traffic(engine, link, cable);
        LinkFixture.RunUntil(engine, engine.Now + Duration.FromSeconds(1));
        writer.Flush();
        Assert.Equal(writer.BytesWritten, stream.Length);
        Assert.Equal(0, engine.Packets.Outstanding);
        Assert.Equal(0, engine.Blocks.BytesInUse);
        return (stream.ToArray(), engine, link, cable);
    }

    [Fact]
    public void A_capture_names_interfaces_directions_and_nanoseconds()
    {
        (byte[] file, _, _, _) = Capture((engine, link, cable) =>
        {
            engine.EnterAt(new MonoTime(123_456_789));
            link.Transmit(LinkFixture.Numbered(engine, 1, 101));
            engine.Advance(new MonoTime(123_456_790));
            cable.B.Transmit(LinkFixture.Numbered(engine, 2, 102));
        });
        PcapngReader reader = PcapngReader.Read(file);
        Assert.Equal([new("left", 101, 9), new("right", 101, 9)], reader.Interfaces);
        Assert.Equal("portico", reader.Application);
        Assert.Equal([(0, 2u, 101), (1, 1u, 101), (0, 1u, 102)], reader.Packets.Select(p => (p.InterfaceId, p.Flags, p.Data.Length)));
        Assert.Equal(1_700_000_000_123_456_789UL, reader.Packets[0].Time);
        Assert.Equal(1_700_000_000_123_456_790UL, reader.Packets[1].Time);
    }

    [Fact]
    public void A_checksum_to_be_filled_in_is_filled_in_the_capture_but_not_in_the_packet()
    {
        ChecksumState after = default;
        byte[] headerAfter = [];
        (byte[] file, _, _, _) = Capture((engine, link, _) =>
        {
            Packet packet = Segment(engine, isIpv6: false, 3001);
            link.Tap.Record(packet, isInbound: false);
            after = packet.Checksum;
            headerAfter = packet.Linear.ToArray();
            packet.Release();
        });
        byte[] data = Assert.Single(PcapngReader.Read(file).Packets).Data;
        Assert.Equal(ChecksumState.Partial, after);
        Assert.Equal(0, headerAfter[36] | headerAfter[37]);
        ulong sum = InternetChecksum.PseudoHeader(s_a, s_b, IpProtocol.Tcp, 3021);
        Assert.Equal(0xFFFF, InternetChecksum.Fold(InternetChecksum.Accumulate(sum, data.AsSpan(20))));
        Assert.All(data.Skip(40), b => Assert.Equal(0x5A, b));
    }

    [Fact]
    public void Notes_and_the_fate_of_a_packet_become_comments()
    {
        using Engine engine = new();
        MemoryStream stream = new();
        PcapngWriter writer = new(stream);
        Cable cable = new(engine);
        Impairment impairment = new() { Loss = 1 };
        ImpairmentLink link = new(engine, cable.A, 1, impairment) { Dropped = new CaptureTap(engine, writer, "lossy", LinkKind.Ip) };
        CaptureLink far = new(engine, cable.B, writer, "far");
        link.Attach(new Recorder(engine));
        far.Attach(new Recorder(engine));
        Packet first = Segment(engine, isIpv6: false, 10);
        first.Notes = PacketNotes.FastRetransmission;
        link.Transmit(first);
        impairment.Loss = 0;
        impairment.Duplicate = 1;
        link.Transmit(Segment(engine, isIpv6: false, 10));
        impairment.Duplicate = 0;
        impairment.Corrupt = 1;
        link.Transmit(Segment(engine, isIpv6: false, 10));
        engine.Advance(MonoTime.Zero);
        Packet last = LinkFixture.Numbered(engine, 1);
        writer.Write(1, engine.Now, last, PcapngDirection.Unknown, comment: "by hand"u8);
        last.Release();
        writer.Flush();
        Assert.Equal(
            [
                "fast retransmission|dropped by impairment: loss", "", "duplicated by impairment", "corrupted by impairment", "by hand",
            ],
            PcapngReader.Read(stream.ToArray()).Packets.Select(p => string.Join('|', p.Comments)));
    }

    [Fact]
    public void A_packet_that_the_stack_drops_has_the_reason_as_its_comment_and_the_answer_has_none()
    {
        using Engine engine = new();
        MemoryStream stream = new();
        PcapngWriter writer = new(stream);
        Cable cable = new(engine);
        CaptureLink capture = new(engine, cable.B, writer, "b");
        NetworkStack a = new(engine);
        NetworkStack b = new(engine);
        a.AddInterface("eth0", cable.A).AddAddress(new IpPrefix(s_a, 24));
        b.AddInterface("eth0", capture).AddAddress(new IpPrefix(s_b, 24));
        b.PacketDropped += capture.NoteDrop;
        a.Tcp.Open(new TcpOpenRequest { Remote = new Endpoint(s_b, 9) }, null, out _);
        engine.Advance(MonoTime.Zero);
        writer.Flush();
        Assert.False(writer.AddComment("too late"u8));
        Assert.Equal(
            ["dropped by the stack: NoSocket", ""],
            PcapngReader.Read(stream.ToArray()).Packets.Select(p => string.Join('|', p.Comments)));
        Assert.Equal(stream.Length, writer.BytesWritten);
    }

    [Fact]
    public void A_file_limit_and_a_failing_stream_stop_the_recording_and_are_counted()
    {
        using Engine engine = new();
        PcapngWriter limited = new(new MemoryStream(), new PcapngOptions { FileBytesMax = 1000 });
        PcapngWriter failing = new(new MemoryStream([], writable: false));
        CaptureTap limitedTap = new(engine, limited, "a", LinkKind.Ip);
        CaptureTap failingTap = new(engine, failing, "b", LinkKind.Ip);
        for (int i = 0; i < 5000; i++)
        {
            Packet packet = LinkFixture.Numbered(engine, i);
            limitedTap.Record(packet, isInbound: true);
            failingTap.Record(packet, isInbound: true);
            packet.Release();
        }

        Assert.InRange(limited.BytesWritten, 800, 1000);
        Assert.Equal(5000, limited.Packets + limited.Drops);
        Assert.NotNull(failing.Failure);
        Assert.Equal(5000, failing.Packets + failing.Drops);
        Assert.True(failing.Drops > 0);
    }

    [Fact]
    public void Recording_allocates_nothing()
    {
        using Engine engine = new();
        CaptureTap tap = new(engine, new PcapngWriter(Stream.Null), "a", LinkKind.Ip);
        Packet packet = Segment(engine, isIpv6: true, 5000);
        packet.Notes = PacketNotes.TailLossProbe;
        long least = long.MaxValue;
        for (int round = 0; round < 5; round++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < 1000; i++)
            {
                tap.Record(packet, isInbound: true);
            }

            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        Assert.Equal(0, least);
        packet.Release();
    }

    [Fact]
    public void Tshark_reads_it_without_a_complaint()
    {
        if (!File.Exists("/usr/bin/tshark"))
        {
            return;
        }

        (byte[] file, _, _, _) = Capture((engine, link, cable) =>
        {
            link.Transmit(Segment(engine, isIpv6: false, 1));
            link.Transmit(Segment(engine, isIpv6: true, 1440));
            link.Transmit(Segment(engine, isIpv6: false, 65495, 1460));
            Packet noted = Segment(engine, isIpv6: true, 65495, 1440);
            noted.Notes = PacketNotes.RetransmissionTimeout;
            cable.B.Transmit(noted);
        });
        string path = Path.Combine(Path.GetTempPath(), $"portico-{Guid.NewGuid():N}.pcapng");
        File.WriteAllBytes(path, file);
        try
        {
            string output = Tshark(
                $"-r {path} -o tcp.check_checksum:TRUE -o ip.check_checksum:TRUE -T fields -e frame.interface_name -e frame.len "
                + "-e tcp.checksum.status -e ip.checksum.status -e frame.comment -e _ws.malformed");
            string[] rows = output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
            Assert.Equal(7, rows.Length);
            Assert.Equal(["left", "41", "1", "1"], rows[0].Split('\t').Take(4));
            Assert.All(rows, row => Assert.Equal("1", row.Split('\t')[2]));
            Assert.All(rows, row => Assert.DoesNotContain("alformed", row));
            Assert.Contains(rows, row => row.Contains("65535", StringComparison.Ordinal));
            Assert.Contains("retransmission (timeout)", rows[^1]);
        }
        finally
        {
            File.Delete(path);
        }
    }

    private static string Tshark(string arguments)
    {
        using Process process = Process.Start(
            new ProcessStartInfo("/usr/bin/tshark", arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        Assert.True(process.WaitForExit(30_000));
        Assert.True(process.ExitCode == 0, errors.Result);
        return output;
    }
}

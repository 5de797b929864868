using System.Xml.Linq;
using Portico.Net;
using Portico.Simulation;

namespace Portico.Cli.Tests.Plot;

/// <summary>What <c>portico plot</c> draws of a connection that a simulated world has recorded.</summary>
public sealed class PlotTests
{
    private const long Bytes = 400_000;

    private static byte[] Record(double loss, out long retransmitted, out double duration)
    {
        MemoryStream file = new();
        using World world = new(11, new WorldOptions { Capture = file, CaptureCongestionWindow = true });
        WorldHost a = world.AddHost("a"), b = world.AddHost("b");
        world.Connect(a, b, new LinkOptions
        {
            Forward = new Impairment { Delay = Duration.FromMilliseconds(20), Loss = loss, RateBitsPerSecond = 20_000_000 },
            Backward = new Impairment { Delay = Duration.FromMilliseconds(20) },
        });
        BulkTransfer transfer = new(world, a, b, new BulkTransferOptions { Bytes = Bytes });
        Assert.True(world.RunUntil(() => transfer.IsDone, Duration.FromSeconds(60)));
        duration = (transfer.FinishedAt - transfer.StartedAt).Seconds;
        world.RunFor(Duration.FromSeconds(1));
        world.CaptureWriter!.Flush();
        retransmitted = a.Stack.Tcp.Mib[TcpCounter.RetransSegs];
        return file.ToArray();
    }

    [Fact]
    public void A_connection_is_found_at_each_interface_with_all_its_bytes()
    {
        List<CapturedConnection> connections = CapturedConnections.Find(CaptureFile.Read(Record(0, out _, out _)));
        Assert.Equal(2, connections.Count);
        Assert.All(connections, c =>
        {
            Assert.Equal(Bytes, c.BytesFromFirst);
            Assert.Equal(0, c.BytesFromSecond);
            Assert.Equal("10.0.1.2:5001", c.Second.ToString());
        });
        Assert.True(connections[0].IsBeside(first: true));
        Assert.False(connections[1].IsBeside(first: true));
    }

    [Fact]
    public void The_series_of_a_flow_without_loss()
    {
        FlowSeries flow = new(CapturedConnections.Find(CaptureFile.Read(Record(0, out _, out double duration)))[0], fromFirst: true);
        Assert.Equal(Bytes, flow.BytesMax);
        Assert.Equal(0, flow.Retransmissions);
        Assert.Equal(Bytes, flow.Acks[^1].Y);
        Assert.Empty(flow.Sacks);
        Assert.All(flow.RoundTrips, r => Assert.InRange(r.Y, 40, 400));
        Assert.InRange(flow.RoundTrips[0].Y, 40, 45);

        // cwnd begins with ten segments (RFC 6928), and what is in flight never exceeds it.
        Assert.Equal(10 * 1448, flow.CongestionWindow[0].Y);
        Assert.All(flow.InFlight.Zip(flow.InFlight.Skip(1)), pair => Assert.True(pair.First.X <= pair.Second.X));
        double interval = (flow.End - flow.Begin) / flow.SendRate.Count;
        Assert.Equal(Bytes * 8 / 1e6, flow.SendRate.Sum(r => r.Y) * interval, 6);
        Assert.Equal(Bytes * 8 / 1e6, flow.AckRate.Sum(r => r.Y) * interval, 6);
        Assert.InRange(flow.End - flow.Begin, duration, duration + 0.1);
    }

    [Fact]
    public void What_is_sent_again_is_told_from_what_is_sent_first()
    {
        FlowSeries flow = new(CapturedConnections.Find(CaptureFile.Read(Record(0.02, out long retransmitted, out _)))[0], fromFirst: true);
        Assert.True(retransmitted > 0);
        Assert.Equal(retransmitted, flow.Retransmissions);
        Assert.True(flow.Sent.Count(s => s.IsLost) >= 1);
        Assert.NotEmpty(flow.Sacks);
        Assert.Equal(Bytes, flow.Acks[^1].Y);
    }

    [Fact]
    public void The_picture_is_well_formed_and_has_a_diagram_for_each_question()
    {
        List<CapturedConnection> connections = CapturedConnections.Find(CaptureFile.Read(Record(0.02, out _, out _)));
        XDocument svg = XDocument.Parse(PlotPage.Draw(connections[0], fromFirst: true, "a/eth0 <&>"));
        XNamespace ns = "http://www.w3.org/2000/svg";
        Assert.Equal(ns + "svg", svg.Root!.Name);
        Assert.Equal(
            ["Bytes of the stream", "Throughput", "Round-trip time", "In flight"],
            svg.Descendants(ns + "text").Where(t => (string?)t.Attribute("class") == "title").Select(t => t.Value));
        foreach (string line in (string[])["window", "ack", "sack", "sent", "again", "lost", "flight", "cwnd"])
        {
            Assert.Contains(svg.Descendants(ns + "path"), p => ((string?)p.Attribute("class"))?.StartsWith(line + " ", StringComparison.Ordinal) == true
                && ((string)p.Attribute("d")!).Length > 20);
        }

        Assert.DoesNotContain("NaN", svg.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_long_transfer_makes_no_longer_picture_than_a_screen_needs()
    {
        MemoryStream file = new();
        using World world = new(12, new WorldOptions { Capture = file });
        WorldHost a = world.AddHost("a"), b = world.AddHost("b");
        world.Connect(a, b, new LinkOptions { Forward = new Impairment { Delay = Duration.FromMilliseconds(5) } });
        BulkTransfer transfer = new(world, a, b, new BulkTransferOptions { Bytes = 30_000_000 });
        Assert.True(world.RunUntil(() => transfer.IsDone, Duration.FromSeconds(60)));
        world.CaptureWriter!.Flush();
        List<CapturedConnection> connections = CapturedConnections.Find(CaptureFile.Read(file.ToArray()));
        Assert.True(PlotPage.Draw(connections[0], fromFirst: true, "a").Length < 1_000_000);
    }
}

using System.Globalization;
using System.Text;

namespace Portico.Cli;

/// <summary>
/// The picture of one direction of a connection, as SVG: bytes over time with acknowledgments, window, SACK and retransmissions, then
/// throughput, round-trip time, and bytes in flight with the congestion window. All diagrams have the same axis of time.
/// </summary>
internal static class PlotPage
{
    private const double Width = 1200;
    private const double Left = 80;
    private const double Right = 20;
    private const double Gap = 62;

    private const string Style =
        """
        svg{background:#fff;font-family:system-ui,sans-serif;font-size:12px;fill:#222}
        .head{font-size:17px;font-weight:600}.title{font-size:13px;font-weight:600}.tick{font-size:11px;fill:#555}
        .grid{stroke:#e4e4e4;fill:none}.line{fill:none;stroke-width:1.4}.dot{stroke:none}
        .sent{stroke:#1f6fb4}.again{stroke:#d62728;stroke-width:2.4}.lost{stroke:#111}
        .ack{stroke:#2ca02c}.window{stroke:#b8a200}.sack{stroke:#8e44ad;stroke-width:2}
        .rtt{stroke:#1f6fb4;fill:#1f6fb4}.flight{stroke:#1f6fb4}.cwnd{stroke:#e07b00}
        """;

    /// <summary>Draws it. <paramref name="place"/> says where it was recorded.</summary>
    public static string Draw(CapturedConnection connection, bool fromFirst, string place)
    {
        FlowSeries flow = new(connection, fromFirst);
        (string sender, string receiver) = fromFirst
            ? (connection.First.ToString(), connection.Second.ToString())
            : (connection.Second.ToString(), connection.First.ToString());
        StringBuilder body = new();
        double top = 92;
        SvgPanel sequence = Panel("Bytes of the stream", "B", 400, Math.Max(flow.BytesMax, WindowTop(flow)));
        sequence.Line("window", "window offered", flow.Window, isStair: true);
        sequence.Line("ack", "acknowledged", flow.Acks, isStair: true);
        sequence.Bars("sack", "SACK", flow.Sacks);
        sequence.Bars("sent", "sent", flow.Sent.Where(s => !s.IsAgain));
        sequence.Bars("again", "sent again", flow.Sent.Where(s => s.IsAgain));
        sequence.Crosses("lost", "dropped", flow.Sent.Where(s => s.IsLost).Select(s => (s.Seconds, (double)s.End)));
        SvgPanel rate = Panel("Throughput", "Mbit/s", 150, Max(flow.SendRate));
        rate.Line("sent", "sent", flow.SendRate, isStair: false);
        rate.Line("ack", "acknowledged", flow.AckRate, isStair: false);
        SvgPanel time = Panel("Round-trip time", "ms", 150, Max(flow.RoundTrips));
        time.Dots("rtt", "of an ACK", flow.RoundTrips);
        SvgPanel flight = Panel("In flight", "B", 150, Math.Max(Max(flow.InFlight), Max(flow.CongestionWindow)));
        flight.Line("flight", "in flight", flow.InFlight, isStair: true);
        if (flow.CongestionWindow.Count > 0)
        {
            flight.Line("cwnd", "cwnd", flow.CongestionWindow, isStair: true);
        }

        double seconds = flow.End - flow.Begin;
        string summary = string.Create(
            CultureInfo.InvariantCulture,
            $"{flow.BytesMax:N0} bytes in {flow.Sent.Count:N0} segments, {flow.Retransmissions:N0} of them again; {flow.Acknowledged:N0} acknowledged in {seconds:0.######} s: {flow.Acknowledged * 8 / seconds / 1e6:0.###} Mbit/s");
        string head = $"{sender} → {receiver}";
        return string.Create(
            CultureInfo.InvariantCulture,
            $"""
            <svg xmlns="http://www.w3.org/2000/svg" width="{Width:0}" height="{top - Gap + 34:0}" viewBox="0 0 {Width:0} {top - Gap + 34:0}" role="img">
            <title>{Escape(head)}</title>
            <desc>{Escape(summary)}</desc>
            <style>{Style}</style>
            <text class="head" x="{Left:0}" y="28">{Escape(head)}</text>
            <text x="{Left:0}" y="48">{Escape(summary)}, at {Escape(place)}</text>
            {body}</svg>

            """);

        SvgPanel Panel(string title, string unit, double height, double yMax)
        {
            SvgPanel panel = new(body, title, unit, (Left, top, Width - Left - Right, height), (flow.Begin, flow.End), yMax);
            top += height + Gap;
            return panel;
        }
    }

    /// <summary>A window of many times the stream would press the stream to the floor: it leaves the picture instead.</summary>
    private static double WindowTop(FlowSeries flow) => Math.Min(Max(flow.Window), flow.BytesMax * 1.3);

    private static double Max(List<(double X, double Y)> points) => points.Count == 0 ? 0 : points.Max(p => p.Y);

    private static string Escape(string text) =>
        text.Replace("&", "&amp;", StringComparison.Ordinal).Replace("<", "&lt;", StringComparison.Ordinal);
}

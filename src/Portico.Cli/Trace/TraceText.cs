using System.Globalization;
using System.Text;
using Portico.Linux;
using Portico.Net;

namespace Portico.Cli;

/// <summary>A trace for people: one line for each event. Arrows point away from the command, or to it.</summary>
internal static class TraceText
{
    public static void Append(StringBuilder line, in TraceEvent e)
    {
        if (e.Kind == TraceEventKind.Lost)
        {
            line.Append($"{e.Count} events lost: the trace is not read as fast as it is written\n");
            return;
        }

        line.Append($"{e.Time.Nanoseconds / 1e6,12:0.000} ms  #{e.Connection,-3} ");
        switch (e.Kind)
        {
            case TraceEventKind.Connection:
                AppendConnection(line, e);
                break;
            case TraceEventKind.Packet:
                line.Append(Arrow(e));
                AppendPacket(line, e);
                break;
            case TraceEventKind.Data:
                line.Append($"{Arrow(e)}{(e.Protocol == IpProtocol.Tcp ? "first data" : "first datagram")}, {Bytes(e.Length)}");
                break;
            case TraceEventKind.State:
                line.Append($"    portico  {TraceNames.State(e.From)} -> {TraceNames.State(e.To)}: {TraceNames.Cause(e.Cause)}");
                break;
            case TraceEventKind.CommandState:
                line.Append($"    command  {TraceNames.State(e.From)} -> {TraceNames.State(e.To)}: {TraceNames.Meaning(e.To)}");
                break;
            case TraceEventKind.Close:
                line.Append($"    closed first by {(e.By == TraceCloser.Portico ? "Portico" : "the " + TraceNames.Closer(e.By))}");
                break;
            case TraceEventKind.Retransmission:
                AppendRetransmission(line, e);
                break;
            case TraceEventKind.Window:
                line.Append($"    {(e.FromCommand ? "command" : "portico")}  ");
                line.Append(e.Window == 0 ? "window closed: its reader does not keep up" : $"window open: {Bytes(e.Window)}");
                break;
            case TraceEventKind.Drop:
                line.Append($"    dropped: {TraceNames.DropMeaning(e.Text!) ?? "counted as"} ({e.Text})");
                break;
            case TraceEventKind.Host:
                AppendHost(line, e);
                break;
            case TraceEventKind.End:
                line.Append($"    over after {Milliseconds(e.Took)}: {Bytes(e.BytesOut)} sent, {Bytes(e.BytesIn)} received, ");
                line.Append(Plural(e.Count, "retransmission"));
                break;
            case TraceEventKind.DnsQuery:
                line.Append($"{Arrow(e)}DNS query {e.Text}");
                break;
            case TraceEventKind.DnsAnswer:
                line.Append($"{Arrow(e)}DNS answer {e.Text}: {e.Answer} ({Milliseconds(e.Took)})");
                break;
            case TraceEventKind.Ping:
                line.Append($"{Arrow(e)}echo request {e.Sequence}, {Bytes(e.Length)}");
                break;
            case TraceEventKind.PingReply:
                line.Append($"{Arrow(e)}echo reply {e.Sequence}, {Bytes(e.Length)} ({Milliseconds(e.Took)})");
                break;
            case TraceEventKind.IcmpError:
                line.Append($"{Arrow(e)}ICMP error: {TraceNames.IcmpError(e)}");
                break;
        }

        line.Append('\n');
    }

    private static void AppendConnection(StringBuilder line, in TraceEvent e)
    {
        bool isPing = e.Protocol is IpProtocol.Icmp or IpProtocol.Icmpv6;
        string name = e.Text == null ? "" : $" ({e.Text})";
        if (isPing)
        {
            line.Append($"ping {e.Source.Address} -> {e.Destination.Address}{name}");
        }
        else if (e.FromCommand)
        {
            line.Append($"{TraceNames.Protocol(e.Protocol)} {e.Source} -> {e.Destination}{name}");
        }
        else
        {
            line.Append($"{TraceNames.Protocol(e.Protocol)} {e.Source}{name} -> {e.Destination}");
        }
    }

    private static void AppendPacket(StringBuilder line, in TraceEvent e)
    {
        if (e.Protocol != IpProtocol.Tcp)
        {
            line.Append($"{Bytes(e.Length)}");
            return;
        }

        line.Append($"{TraceNames.Flags(e.Flags)} seq {e.Sequence}");
        if ((e.Flags & TcpFlags.Ack) != 0)
        {
            line.Append($" ack {e.Acknowledgment}");
        }

        if ((e.Flags & TcpFlags.Rst) == 0)
        {
            line.Append($" win {e.Window}");
        }

        if (e.Length > 0)
        {
            line.Append($" len {e.Length}");
        }

        if ((e.Flags & TcpFlags.Syn) != 0)
        {
            line.Append($" options [mss {e.Mss}{(e.SackPermitted ? ", sackOK" : "")}{(e.HasTimestamp ? ", timestamps" : "")}");
            line.Append(e.WindowScale < 0 ? "]" : string.Create(CultureInfo.InvariantCulture, $", wscale {e.WindowScale}]"));
        }

        if (e.Notes != PacketNotes.None)
        {
            line.Append($"  {TraceNames.Notes(e.Notes)}");
        }
    }

    private static void AppendRetransmission(StringBuilder line, in TraceEvent e)
    {
        line.Append($"<-- {TraceNames.Notes(e.Notes)}: ");
        if (e.Length > 0)
        {
            line.Append($"bytes {e.Sequence} to {e.Sequence + (uint)e.Length - 1}");
        }
        else
        {
            line.Append(TraceNames.Flags(e.Flags));
        }

        if (e.Attempt > 0)
        {
            line.Append($", attempt {e.Attempt}");
        }
    }

    private static void AppendHost(StringBuilder line, in TraceEvent e)
    {
        line.Append("    outside  ");
        switch (e.Host)
        {
            case TcpProxyEventKind.Connecting:
                line.Append($"the host connects to {e.Destination}");
                break;
            case TcpProxyEventKind.Connected:
                line.Append($"connected after {Milliseconds(e.Took)}");
                break;
            case TcpProxyEventKind.ConnectFailed:
                line.Append($"{TraceNames.Outcome(e.Error)} after {Milliseconds(e.Took)}");
                break;
            case TcpProxyEventKind.Denied:
                line.Append(
                    e.Error == Errno.EACCES ? "not allowed: the address may not be reached from here" : "nothing is there to connect to");
                break;
            case TcpProxyEventKind.Ended:
                line.Append("the server has closed: it sends no more");
                break;
            default:
                line.Append($"the connection broke: {TraceNames.Outcome(e.Error)}");
                break;
        }
    }

    private static string Arrow(in TraceEvent e) => e.FromCommand ? "--> " : "<-- ";

    private static string Bytes(long count) => Plural(count, "byte");

    private static string Plural(long count, string what) =>
        string.Create(CultureInfo.InvariantCulture, $"{count} {what}{(count == 1 ? "" : "s")}");

    private static string Milliseconds(Duration time) => string.Create(CultureInfo.InvariantCulture, $"{time.Nanoseconds / 1e6:0.000} ms");
}

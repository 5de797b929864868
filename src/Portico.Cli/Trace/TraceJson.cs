using System.Text.Json;
using Portico.Linux;
using Portico.Net;

namespace Portico.Cli;

/// <summary>
/// A trace for programs: one JSON object for each event. Each has <c>timeMicros</c> (from the command's start), <c>event</c>, and
/// <c>connection</c> where it is about one; docs/portico-run.md lists the rest.
/// </summary>
internal static class TraceJson
{
    public static void Write(Utf8JsonWriter json, in TraceEvent e)
    {
        json.WriteStartObject();
        if (e.Kind == TraceEventKind.Lost)
        {
            json.WriteString("event", "lost");
            json.WriteNumber("count", e.Count);
            json.WriteEndObject();
            return;
        }

        json.WriteNumber("timeMicros", e.Time.Nanoseconds / 1000);
        json.WriteString("event", EventName(e.Kind));
        json.WriteNumber("connection", e.Connection);
        WriteDetails(json, e);
        json.WriteEndObject();
    }

    private static string EventName(TraceEventKind kind) => kind switch
    {
        TraceEventKind.Connection => "connection",
        TraceEventKind.Packet => "packet",
        TraceEventKind.Data => "firstData",
        TraceEventKind.State or TraceEventKind.CommandState => "state",
        TraceEventKind.Close => "close",
        TraceEventKind.Retransmission => "retransmission",
        TraceEventKind.Window => "window",
        TraceEventKind.Drop => "drop",
        TraceEventKind.Host => "outside",
        TraceEventKind.End => "end",
        TraceEventKind.DnsQuery => "dnsQuery",
        TraceEventKind.DnsAnswer => "dnsAnswer",
        TraceEventKind.Ping => "echoRequest",
        TraceEventKind.PingReply => "echoReply",
        _ => "icmpError",
    };

    private static void WriteDetails(Utf8JsonWriter json, in TraceEvent e)
    {
        switch (e.Kind)
        {
            case TraceEventKind.Connection:
                json.WriteString("protocol", TraceNames.Protocol(e.Protocol));
                json.WriteBoolean("fromCommand", e.FromCommand);
                WriteEndpoint(json, "source", e.Source);
                WriteEndpoint(json, "destination", e.Destination);
                if (e.Text != null)
                {
                    json.WriteString("name", e.Text);
                }

                break;
            case TraceEventKind.Packet:
                WritePacket(json, e);
                break;
            case TraceEventKind.Data:
                json.WriteBoolean("fromCommand", e.FromCommand);
                json.WriteNumber("length", e.Length);
                break;
            case TraceEventKind.State or TraceEventKind.CommandState:
                WriteState(json, e);
                break;
            case TraceEventKind.Close:
                json.WriteString("by", TraceNames.Closer(e.By));
                break;
            case TraceEventKind.Retransmission:
                json.WriteString("cause", TraceNames.Notes(e.Notes));
                json.WriteNumber("seq", e.Sequence);
                json.WriteNumber("length", e.Length);
                json.WriteString("flags", TraceNames.Flags(e.Flags));
                json.WriteNumber("attempt", e.Attempt);
                break;
            case TraceEventKind.Window:
                json.WriteString("end", e.FromCommand ? "command" : "portico");
                json.WriteNumber("bytes", e.Window);
                break;
            case TraceEventKind.Drop:
                json.WriteString("reason", e.Text);
                break;
            case TraceEventKind.Host:
                WriteOutside(json, e);
                break;
            case TraceEventKind.End:
                json.WriteNumber("tookMicros", e.Took.Microseconds);
                json.WriteNumber("bytesOut", e.BytesOut);
                json.WriteNumber("bytesIn", e.BytesIn);
                json.WriteNumber("retransmissions", e.Count);
                break;
            case TraceEventKind.DnsQuery:
                json.WriteString("question", e.Text);
                break;
            case TraceEventKind.DnsAnswer:
                json.WriteString("question", e.Text);
                json.WriteString("answer", e.Answer);
                json.WriteNumber("tookMicros", e.Took.Microseconds);
                break;
            case TraceEventKind.Ping or TraceEventKind.PingReply:
                json.WriteBoolean("fromCommand", e.FromCommand);
                json.WriteNumber("seq", e.Sequence);
                json.WriteNumber("length", e.Length);
                if (e.Kind == TraceEventKind.PingReply)
                {
                    json.WriteNumber("tookMicros", e.Took.Microseconds);
                }

                break;
            default:
                json.WriteString("error", TraceNames.IcmpError(e));
                json.WriteNumber("type", e.IcmpType);
                json.WriteNumber("code", e.IcmpCode);
                break;
        }
    }

    private static void WritePacket(Utf8JsonWriter json, in TraceEvent e)
    {
        json.WriteBoolean("fromCommand", e.FromCommand);
        if (e.Protocol == IpProtocol.Tcp)
        {
            json.WriteString("flags", TraceNames.Flags(e.Flags));
            json.WriteNumber("seq", e.Sequence);
            json.WriteNumber("ack", e.Acknowledgment);
            json.WriteNumber("window", e.Window);
        }

        json.WriteNumber("length", e.Length);
        if ((e.Flags & TcpFlags.Syn) != 0)
        {
            json.WriteStartObject("options");
            json.WriteNumber("mss", e.Mss);
            json.WriteBoolean("sack", e.SackPermitted);
            json.WriteBoolean("timestamps", e.HasTimestamp);
            json.WriteNumber("windowScale", e.WindowScale);
            json.WriteEndObject();
        }

        if (e.Notes != PacketNotes.None)
        {
            json.WriteString("notes", TraceNames.Notes(e.Notes));
        }
    }

    private static void WriteState(Utf8JsonWriter json, in TraceEvent e)
    {
        bool isInferred = e.Kind == TraceEventKind.CommandState;
        json.WriteString("end", isInferred ? "command" : "portico");
        json.WriteString("from", TraceNames.State(e.From));
        json.WriteString("to", TraceNames.State(e.To));
        if (isInferred)
        {
            json.WriteBoolean("inferred", true);
            return;
        }

        json.WriteString("cause", JsonNamingPolicy.CamelCase.ConvertName(e.Cause.ToString()));
        if (e.Error != Errno.None)
        {
            json.WriteString("error", e.Error.ToString());
        }
    }

    private static void WriteOutside(Utf8JsonWriter json, in TraceEvent e)
    {
        json.WriteString("what", e.Host switch
        {
            TcpProxyEventKind.Connecting => "connecting",
            TcpProxyEventKind.Connected => "connected",
            TcpProxyEventKind.ConnectFailed => "connectFailed",
            TcpProxyEventKind.Denied => "denied",
            TcpProxyEventKind.Ended => "ended",
            _ => "failed",
        });
        WriteEndpoint(json, "target", e.Destination);
        if (e.Error != Errno.None)
        {
            json.WriteString("error", e.Error.ToString());
        }

        if (e.Host is TcpProxyEventKind.Connected or TcpProxyEventKind.ConnectFailed)
        {
            json.WriteNumber("tookMicros", e.Took.Microseconds);
        }
    }

    private static void WriteEndpoint(Utf8JsonWriter json, string name, in Endpoint endpoint)
    {
        json.WriteStartObject(name);
        json.WriteString("address", endpoint.Address.ToString());
        json.WriteNumber("port", endpoint.Port);
        json.WriteEndObject();
    }
}

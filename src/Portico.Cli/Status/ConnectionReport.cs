using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Portico.Kernel;
using Portico.Net;

namespace Portico.Cli;

/// <summary>A caller's own connection as the stack sees it: its 5-tuple, and what TCP_INFO says.</summary>
internal sealed class ConnectionReport
{
    /// <summary>What ssthresh is before the first loss (TCP_INFINITE_SSTHRESH).</summary>
    private const uint InfiniteSsThresh = 0x7FFF_FFFF;

    private readonly TcpInfo _info;

    public ConnectionReport(TcpSocket socket)
    {
        socket.GetEndpoints(out Endpoint gateway, out Endpoint caller);
        socket.GetInfo(out _info);
        Gateway = gateway;
        Caller = caller;
    }

    public Endpoint Gateway { get; }

    public Endpoint Caller { get; }

    /// <summary>Names and values for a person; "out" is what the stack sends to the caller.</summary>
    public IEnumerable<(string Name, string Value)> Rows()
    {
        TcpInfo i = _info;
        yield return ("your connection", $"tcp {Caller} -> {Gateway}");
        yield return ("state", TraceNames.State(i.State));
        yield return ("options agreed", Options());
        yield return ("segment size", Format($"{i.SndMss} bytes out, {i.RcvMss} bytes in; path MTU {i.PathMtu}"));
        yield return ("round trip",
            Format($"{i.RttMicros / 1e3:0.000} ms (variation {i.RttVarMicros / 1e3:0.000} ms, least {i.MinRttMicros / 1e3:0.000} ms)"));
        yield return ("timeout", Format($"{i.RtoMicros / 1e3:0.0} ms until a retransmission; {i.TotalRetrans} so far"));
        string slowStart = i.SndSsThresh >= InfiniteSsThresh ? "no threshold yet" : Format($"slow start up to {i.SndSsThresh}");
        yield return ("congestion", Format($"{i.Congestion}: window {i.SndCwnd} segments, {slowStart}, {i.Unacked} unacknowledged"));
        yield return ("windows", Format($"{i.SndWnd} bytes out, {i.RcvWnd} bytes in"));
        yield return ("received", Format($"{i.BytesReceived} bytes in {i.SegsIn} segments"));
        yield return ("sent", Format($"{i.BytesSent} bytes in {i.SegsOut} segments; {i.BytesRetrans} bytes sent again"));
    }

    public string Text()
    {
        StringBuilder text = new("This is Portico: you are talking to a TCP/IP stack in user space.\n\n");
        foreach ((string name, string value) in Rows())
        {
            text.Append(CultureInfo.InvariantCulture, $"{name,-17}{value}\n");
        }

        text.Append("\nMore: /sockets, /counters; as JSON: /connection.json, /sockets.json, /counters.json\n");
        return text.ToString();
    }

    public byte[] Json()
    {
        TcpInfo i = _info;
        ArrayBufferWriter<byte> buffer = new();
        using (Utf8JsonWriter json = new(buffer, new JsonWriterOptions { Indented = true }))
        {
            json.WriteStartObject();
            json.WriteString("protocol", "tcp");
            WriteEndpoint(json, "source", Caller);
            WriteEndpoint(json, "destination", Gateway);
            json.WriteString("state", TraceNames.State(i.State));
            json.WriteStartObject("options");
            json.WriteBoolean("sack", i.Sack);
            json.WriteBoolean("timestamps", i.Timestamps);
            json.WriteNumber("sndWscale", i.SndWindShift);
            json.WriteNumber("rcvWscale", i.RcvWindShift);
            json.WriteNumber("sndMss", i.SndMss);
            json.WriteNumber("rcvMss", i.RcvMss);
            json.WriteEndObject();
            json.WriteString("congestion", i.Congestion.ToString());
            json.WriteNumber("pathMtu", i.PathMtu);
            json.WriteNumber("rttMicros", i.RttMicros);
            json.WriteNumber("rttVarMicros", i.RttVarMicros);
            json.WriteNumber("minRttMicros", i.MinRttMicros);
            json.WriteNumber("rtoMicros", i.RtoMicros);
            json.WriteNumber("sndCwnd", i.SndCwnd);
            if (i.SndSsThresh < InfiniteSsThresh)
            {
                json.WriteNumber("sndSsthresh", i.SndSsThresh);
            }
            else
            {
                json.WriteNull("sndSsthresh");
            }

            json.WriteNumber("sndWnd", i.SndWnd);
            json.WriteNumber("rcvWnd", i.RcvWnd);
            json.WriteNumber("unacked", i.Unacked);
            json.WriteNumber("totalRetrans", i.TotalRetrans);
            json.WriteNumber("bytesReceived", i.BytesReceived);
            json.WriteNumber("bytesSent", i.BytesSent);
            json.WriteNumber("bytesAcked", i.BytesAcked);
            json.WriteNumber("bytesRetrans", i.BytesRetrans);
            json.WriteNumber("segsIn", i.SegsIn);
            json.WriteNumber("segsOut", i.SegsOut);
            json.WriteEndObject();
        }

        buffer.Write("\n"u8);
        return buffer.WrittenSpan.ToArray();
    }

    private string Options()
    {
        List<string> agreed = [];
        if (_info.SndWindShift != 0 || _info.RcvWindShift != 0)
        {
            agreed.Add(Format($"window scale {_info.SndWindShift} out, {_info.RcvWindShift} in"));
        }

        if (_info.Sack)
        {
            agreed.Add("selective acknowledgements");
        }

        if (_info.Timestamps)
        {
            agreed.Add("timestamps");
        }

        return agreed.Count == 0 ? "none" : string.Join(", ", agreed);
    }

    private static void WriteEndpoint(Utf8JsonWriter json, string name, Endpoint endpoint)
    {
        json.WriteStartObject(name);
        json.WriteString("address", endpoint.Address.ToString());
        json.WriteNumber("port", endpoint.Port);
        json.WriteEndObject();
    }

    private static string Format(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}

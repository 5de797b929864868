using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using Portico.Linux;
using Portico.Net;

namespace Portico.Cli;

/// <summary>Sockets as JSON objects, one for each: what a run tells <c>portico ss</c>, and what <c>--json</c> prints.</summary>
internal sealed class SocketJson : IDisposable
{
    private readonly ArrayBufferWriter<byte> _buffer = new(4096);
    private readonly Utf8JsonWriter _json;

    // The output is for terminals and programs, not for a page: "<->" may stay as it is.
    public SocketJson() =>
        _json = new Utf8JsonWriter(_buffer, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });

    /// <summary>A TCP socket; good until the next call.</summary>
    public ReadOnlySpan<byte> Write(scoped in TcpSocketRecord socket, scoped in SocketOwner owner)
    {
        Begin("tcp", StateName(socket.State), socket.ReceiveQueue, socket.SendQueue, socket.Local, socket.Remote);
        if (socket.Timer != TcpTimerKind.Off)
        {
            _json.WriteStartObject("timer");
            _json.WriteString("name", TimerName(socket.Timer));
            _json.WriteNumber("millis", socket.TimerMillis);
            _json.WriteNumber("retransmits", socket.TimerRetransmits);
            _json.WriteEndObject();
        }

        Write(owner, socket.Cookie, socket.Ipv6Only);
        if (socket.State is not (TcpState.TimeWait or TcpState.SynReceived))
        {
            _json.WriteString("shutdown", (socket.IsReceiveShut, socket.IsSendShut) switch
            {
                (false, false) => "<->",
                (true, false) => "-->",
                (false, true) => "<--",
                _ => "---",
            });
        }

        if (socket.HasInfo)
        {
            Write(socket.Info);
        }

        return End();
    }

    /// <summary>A UDP socket of the stack's own.</summary>
    public ReadOnlySpan<byte> Write(scoped in UdpSocketRecord socket)
    {
        Begin("udp", socket.IsConnected ? "ESTAB" : "UNCONN", socket.ReceiveQueue, 0, socket.Local, socket.Remote);
        Write(default(SocketOwner), socket.Cookie, socket.Ipv6Only);
        return End();
    }

    /// <summary>A flow of datagrams or echo requests.</summary>
    public ReadOnlySpan<byte> Write(string netid, scoped in ProxyFlow flow, scoped in SocketOwner owner)
    {
        Begin(netid, "ESTAB", 0, 0, flow.Local, flow.Peer);
        Write(owner, 0, false);
        return End();
    }

    private void Begin(string netid, string state, uint receiveQueue, uint sendQueue, in Endpoint local, in Endpoint peer)
    {
        _buffer.ResetWrittenCount();
        _json.Reset();
        _json.WriteStartObject();
        _json.WriteString("netid", netid);
        _json.WriteString("state", state);
        _json.WriteNumber("recvQ", receiveQueue);
        _json.WriteNumber("sendQ", sendQueue);
        Write("local", local);
        Write("peer", peer);
    }

    private void Write(string name, in Endpoint endpoint)
    {
        _json.WriteStartObject(name);
        _json.WriteString("address", endpoint.Address.ToString());
        _json.WriteNumber("port", endpoint.Port);
        _json.WriteEndObject();
    }

    private void Write(in SocketOwner owner, ulong cookie, bool ipv6Only)
    {
        _json.WriteStartArray("processes");
        foreach (SocketHolder holder in owner.Holders ?? [])
        {
            _json.WriteStartObject();
            _json.WriteString("name", holder.Name);
            _json.WriteNumber("pid", holder.ProcessId);
            _json.WriteNumber("fd", holder.Descriptor);
            _json.WriteEndObject();
        }

        _json.WriteEndArray();
        _json.WriteNumber("uid", owner.UserId);
        _json.WriteNumber("ino", owner.Inode);
        _json.WriteString("sk", cookie.ToString("x", System.Globalization.CultureInfo.InvariantCulture));
        if (ipv6Only)
        {
            _json.WriteBoolean("v6only", true);
        }
    }

    private void Write(in TcpInfo info)
    {
        _json.WriteStartObject("info");
        _json.WriteBoolean("timestamps", info.Timestamps);
        _json.WriteBoolean("sack", info.Sack);
        _json.WriteString("congestion", info.Congestion switch { TcpCongestion.Cubic => "cubic", TcpCongestion.Reno => "reno", _ => "bbr" });
        if (info.WindowScale)
        {
            _json.WriteNumber("sndWscale", info.SndWindShift);
            _json.WriteNumber("rcvWscale", info.RcvWindShift);
        }

        _json.WriteNumber("rtoMicros", info.RtoMicros);
        _json.WriteNumber("backoff", info.Backoff);
        _json.WriteNumber("rttMicros", info.RttMicros);
        _json.WriteNumber("rttVarMicros", info.RttVarMicros);
        _json.WriteNumber("atoMicros", info.AtoMicros);
        _json.WriteNumber("sndMss", info.SndMss);
        _json.WriteNumber("pathMtu", info.PathMtu);
        _json.WriteNumber("rcvMss", info.RcvMss);
        _json.WriteNumber("advMss", info.AdvMss);
        _json.WriteNumber("sndCwnd", info.SndCwnd);
        _json.WriteNumber("sndSsthresh", info.SndSsThresh);
        _json.WriteNumber("bytesSent", info.BytesSent);
        _json.WriteNumber("bytesRetrans", info.BytesRetrans);
        _json.WriteNumber("bytesAcked", info.BytesAcked);
        _json.WriteNumber("bytesReceived", info.BytesReceived);
        _json.WriteNumber("segsOut", info.SegsOut);
        _json.WriteNumber("segsIn", info.SegsIn);
        _json.WriteNumber("lastDataSentMillis", info.LastDataSentMillis);
        _json.WriteNumber("lastDataReceivedMillis", info.LastDataReceivedMillis);
        _json.WriteNumber("lastAckReceivedMillis", info.LastAckReceivedMillis);
        _json.WriteNumber("delivered", info.Delivered);
        _json.WriteNumber("unacked", info.Unacked);
        _json.WriteNumber("retrans", info.Retrans);
        _json.WriteNumber("totalRetrans", info.TotalRetrans);
        _json.WriteNumber("lost", info.Lost);
        _json.WriteNumber("sacked", info.Sacked);
        _json.WriteNumber("reordering", info.Reordering);
        _json.WriteNumber("rcvRttMicros", info.RcvRttMicros);
        _json.WriteNumber("rcvSpace", info.RcvSpace);
        _json.WriteNumber("rcvSsthresh", info.RcvSsThresh);
        _json.WriteNumber("notSentBytes", info.NotSentBytes);
        _json.WriteNumber("minRttMicros", info.MinRttMicros);
        _json.WriteNumber("sndWnd", info.SndWnd);
        _json.WriteNumber("rcvWnd", info.RcvWnd);
        _json.WriteEndObject();
    }

    private ReadOnlySpan<byte> End()
    {
        _json.WriteEndObject();
        _json.Flush();
        return _buffer.WrittenSpan;
    }

    /// <summary>The states as ss(8) prints them.</summary>
    public static string StateName(TcpState state) => state switch
    {
        TcpState.Listen => "LISTEN",
        TcpState.SynSent => "SYN-SENT",
        TcpState.SynReceived => "SYN-RECV",
        TcpState.Established => "ESTAB",
        TcpState.FinWait1 => "FIN-WAIT-1",
        TcpState.FinWait2 => "FIN-WAIT-2",
        TcpState.CloseWait => "CLOSE-WAIT",
        TcpState.Closing => "CLOSING",
        TcpState.LastAck => "LAST-ACK",
        TcpState.TimeWait => "TIME-WAIT",
        _ => "UNCONN",
    };

    private static string TimerName(TcpTimerKind timer) => timer switch
    {
        TcpTimerKind.On => "on",
        TcpTimerKind.KeepAlive => "keepalive",
        TcpTimerKind.TimeWait => "timewait",
        TcpTimerKind.Persist => "persist",
        _ => "off",
    };

    public void Dispose() => _json.Dispose();
}

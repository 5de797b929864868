using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Portico.Kernel;
using Portico.Net;

namespace Portico.Cli;

/// <summary>
/// Answers <c>http://portico.internal/</c> inside, over the same stack that it reports on: the caller's own connection as the stack
/// sees it. HTTP/1.1, GET and HEAD, with keep-alive.
/// </summary>
internal sealed class StatusServer(StackDriver driver, NetworkStack stack) : IDisposable
{
    private const int RequestBytesMax = 16 * 1024;
    private static readonly TimeSpan s_idleLimit = TimeSpan.FromSeconds(60);

    private readonly List<TcpListenerSocket> _listeners = [];

    /// <summary>Begins to listen on the gateway's addresses.</summary>
    public void Start()
    {
        foreach (IpPrefix address in (IpPrefix[])[RunAddresses.GatewayIpv4, RunAddresses.GatewayIpv6])
        {
            TcpListenRequest request = new() { Local = new Endpoint(address.Address, 80), Backlog = 128 };
            if (TcpListenerSocket.Listen(driver, stack, request, out TcpListenerSocket? listener) == Errno.None)
            {
                _listeners.Add(listener!);
                _ = AcceptAsync(listener!);
            }
        }
    }

    private static async Task AcceptAsync(TcpListenerSocket listener)
    {
        try
        {
            while (await listener.AcceptAsync().ConfigureAwait(false) is TcpSocket accepted)
            {
                _ = ServeAsync(accepted);
            }
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException or SocketException or OperationCanceledException)
        {
            // The run is over.
        }
    }

    private static async Task ServeAsync(TcpSocket socket)
    {
        using (socket)
        {
            try
            {
                byte[] buffer = new byte[RequestBytesMax];
                int used = 0;
                while (true)
                {
                    int end = buffer.AsSpan(0, used).IndexOf("\r\n\r\n"u8);
                    if (end < 0)
                    {
                        using CancellationTokenSource idle = new(s_idleLimit);
                        int received = await socket.ReceiveAsync(buffer.AsMemory(used), idle.Token).ConfigureAwait(false);
                        if (received == 0 || used + received == buffer.Length)
                        {
                            return;
                        }

                        used += received;
                        continue;
                    }

                    bool keepAlive = Answer(socket, Encoding.Latin1.GetString(buffer, 0, end), out byte[] answer);
                    await socket.SendAllAsync(answer).ConfigureAwait(false);
                    buffer.AsSpan((end + 4)..used).CopyTo(buffer);
                    used -= end + 4;
                    if (!keepAlive)
                    {
                        return;
                    }
                }
            }
            catch (Exception e) when (e is IOException or OperationCanceledException or SocketException)
            {
                // The caller is gone, or said nothing for too long.
            }
        }
    }

    private static bool Answer(TcpSocket socket, string request, out byte[] answer)
    {
        string[] lines = request.Split("\r\n");
        string[] first = lines[0].Split(' ');
        bool isGet = first.Length == 3 && first[0] is "GET" or "HEAD";
        bool isOld = first.Length == 3 && first[2] == "HTTP/1.0";
        bool keepAlive = isGet && !isOld && !HasHeader(lines, "connection", "close");
        if (!isGet)
        {
            answer = Encoding.ASCII.GetBytes(
                "HTTP/1.1 405 Method Not Allowed\r\nAllow: GET, HEAD\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            return false;
        }

        string path = first[1].Split('?')[0];
        bool known = path is "/" or "/index.html" or "/connection.json";
        bool json = path == "/connection.json" || HasHeader(lines, "accept", "application/json");
        string body = !known ? "not found\n" : json ? Json(socket) : Text(socket);
        string head =
            $"HTTP/1.1 {(known ? "200 OK" : "404 Not Found")}\r\n" +
            $"Content-Type: {(known && json ? "application/json" : "text/plain; charset=utf-8")}\r\n" +
            $"Content-Length: {Encoding.UTF8.GetByteCount(body)}\r\n" +
            $"Cache-Control: no-store\r\nConnection: {(keepAlive ? "keep-alive" : "close")}\r\n\r\n";
        answer = Encoding.UTF8.GetBytes(first[0] == "HEAD" ? head : head + body);
        return keepAlive;
    }

    private static bool HasHeader(string[] lines, string name, string value)
    {
        foreach (string line in lines)
        {
            int colon = line.IndexOf(':', StringComparison.Ordinal);
            if (colon > 0 && line.AsSpan(0, colon).Equals(name, StringComparison.OrdinalIgnoreCase)
                && line.AsSpan(colon + 1).Contains(value, StringComparison.OrdinalIgnoreCase))
            {
                return true;
            }
        }

        return false;
    }

    private static string Text(TcpSocket socket)
    {
        socket.GetEndpoints(out Endpoint local, out Endpoint remote);
        socket.GetInfo(out TcpInfo info);
        return
            $"""
            This is Portico: you are talking to a TCP/IP stack in user space.

            your connection  tcp {remote} -> {local}
            state            {info.State}
            options agreed   {Options(info)}
            segment size     {info.SndMss} bytes out, {info.RcvMss} bytes in; path MTU {info.PathMtu}
            round trip       {info.RttMicros / 1000.0:0.000} ms (variation {info.RttVarMicros / 1000.0:0.000} ms)
            timeout          {info.RtoMicros / 1000.0:0.0} ms until a retransmission; {info.TotalRetrans} so far
            congestion       {info.Congestion}: window {info.SndCwnd} segments, {info.Unacked} unacknowledged
            windows          {info.SndWnd} bytes out, {info.RcvWnd} bytes in
            received         {info.BytesReceived} bytes in {info.SegsIn} segments
            sent             {info.BytesSent} bytes in {info.SegsOut} segments

            """;
    }

    private static string Options(in TcpInfo info)
    {
        List<string> agreed = [];
        if (info.SndWindShift != 0 || info.RcvWindShift != 0)
        {
            agreed.Add($"window scale {info.SndWindShift} out, {info.RcvWindShift} in");
        }

        if (info.Sack)
        {
            agreed.Add("selective acknowledgements");
        }

        if (info.Timestamps)
        {
            agreed.Add("timestamps");
        }

        return agreed.Count == 0 ? "none" : string.Join(", ", agreed);
    }

    private static string Json(TcpSocket socket)
    {
        socket.GetEndpoints(out Endpoint local, out Endpoint remote);
        socket.GetInfo(out TcpInfo info);
        using MemoryStream stream = new();
        using (Utf8JsonWriter json = new(stream, new JsonWriterOptions { Indented = true }))
        {
            json.WriteStartObject();
            json.WriteString("protocol", "tcp");
            WriteEndpoint(json, "source", remote);
            WriteEndpoint(json, "destination", local);
            json.WriteString("state", info.State.ToString());
            json.WriteStartObject("options");
            json.WriteBoolean("sack", info.Sack);
            json.WriteBoolean("timestamps", info.Timestamps);
            json.WriteNumber("sndWscale", info.SndWindShift);
            json.WriteNumber("rcvWscale", info.RcvWindShift);
            json.WriteNumber("sndMss", info.SndMss);
            json.WriteNumber("rcvMss", info.RcvMss);
            json.WriteEndObject();
            json.WriteString("congestion", info.Congestion.ToString());
            json.WriteNumber("pathMtu", info.PathMtu);
            json.WriteNumber("rttMicros", info.RttMicros);
            json.WriteNumber("rttVarMicros", info.RttVarMicros);
            json.WriteNumber("rtoMicros", info.RtoMicros);
            json.WriteNumber("sndCwnd", info.SndCwnd);
            json.WriteNumber("sndWnd", info.SndWnd);
            json.WriteNumber("rcvWnd", info.RcvWnd);
            json.WriteNumber("unacked", info.Unacked);
            json.WriteNumber("totalRetrans", info.TotalRetrans);
            json.WriteNumber("bytesReceived", info.BytesReceived);
            json.WriteNumber("bytesSent", info.BytesSent);
            json.WriteNumber("segsIn", info.SegsIn);
            json.WriteNumber("segsOut", info.SegsOut);
            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(stream.GetBuffer(), 0, (int)stream.Length) + "\n";
    }

    private static void WriteEndpoint(Utf8JsonWriter json, string name, Endpoint endpoint)
    {
        json.WriteStartObject(name);
        json.WriteString("address", endpoint.Address.ToString());
        json.WriteNumber("port", endpoint.Port);
        json.WriteEndObject();
    }

    public void Dispose()
    {
        foreach (TcpListenerSocket listener in _listeners)
        {
            listener.Dispose();
        }
    }
}

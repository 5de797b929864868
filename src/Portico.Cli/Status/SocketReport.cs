using System.Buffers;
using System.Globalization;
using System.Text.Json;

namespace Portico.Cli;

/// <summary>All sockets of the run, as <c>portico ss</c> lists them; programs are named, too.</summary>
internal sealed class SocketReport
{
    private readonly ArrayBufferWriter<byte> _json = new();

    public SocketReport(StatusSources sources)
    {
        _json.Write("["u8);
        bool isFirst = true;
        sources.Sockets.List(["tcp", "udp", "icmp", "processes"], json =>
        {
            _json.Write(isFirst ? "\n"u8 : ",\n"u8);
            _json.Write(json);
            isFirst = false;
        });
        _json.Write("\n]\n"u8);
    }

    public byte[] Json() => _json.WrittenSpan.ToArray();

    /// <summary>The table of ss -tuwnap.</summary>
    public string Text()
    {
        SsDetails details = new(Processes: true, Info: false, Extended: false, Timers: false, Numeric: true, OneLine: true);
        SsTable table = new(details, withNetid: true, withState: true);
        using JsonDocument sockets = JsonDocument.Parse(_json.WrittenMemory);
        foreach (JsonElement socket in sockets.RootElement.EnumerateArray())
        {
            table.Add(socket);
        }

        return table.Render();
    }

    /// <summary>The cells of the page's table, of the first sockets, and how many there are in all.</summary>
    public int Rows(int max, List<string[]> rows)
    {
        using JsonDocument sockets = JsonDocument.Parse(_json.WrittenMemory);
        foreach (JsonElement socket in sockets.RootElement.EnumerateArray().Take(max))
        {
            rows.Add(
            [
                socket.GetProperty("netid").GetString()!,
                socket.GetProperty("state").GetString()!,
                Number(socket.GetProperty("recvQ")),
                Number(socket.GetProperty("sendQ")),
                Endpoint(socket.GetProperty("local")),
                Endpoint(socket.GetProperty("peer")),
                string.Join(
                    ", ", socket.GetProperty("processes").EnumerateArray().Select(p => p.GetProperty("name").GetString()).Distinct()),
            ]);
        }

        return sockets.RootElement.GetArrayLength();
    }

    private static string Number(JsonElement value) => value.GetUInt64().ToString(CultureInfo.InvariantCulture);

    private static string Endpoint(JsonElement endpoint)
    {
        string address = endpoint.GetProperty("address").GetString()!;
        int port = endpoint.GetProperty("port").GetInt32();
        string shown = address.Contains(':', StringComparison.Ordinal) ? $"[{address}]" : address;
        return port == 0 ? $"{shown}:*" : string.Create(CultureInfo.InvariantCulture, $"{shown}:{port}");
    }
}

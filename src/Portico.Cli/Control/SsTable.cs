using System.Globalization;
using System.Text;
using System.Text.Json;
using Portico.Kernel;

namespace Portico.Cli;

/// <summary>Which facts <c>portico ss</c> prints of a socket, as ss(8)'s options of these letters.</summary>
internal readonly record struct SsDetails(bool Processes, bool Info, bool Extended, bool Timers, bool Numeric, bool OneLine)
{
    /// <summary>ss -npie.</summary>
    public static SsDetails All => new(true, true, true, true, true, false);
}

/// <summary>Sockets in ss(8)'s own columns: what its render function does where standard output is no terminal.</summary>
internal sealed class SsTable(SsDetails details, bool withNetid, bool withState)
{
    private const int LocalAddress = 4;
    private const int PeerAddress = 6;

    private readonly List<string[]> _rows = [["Netid", "State", "Recv-Q", "Send-Q", "Local Address:", "Port", "Peer Address:", "Port", "Process"]];

    /// <summary>Leaves the header out (ss -H).</summary>
    public bool HasHeader { get; init; } = true;

    /// <summary>A socket as <see cref="SocketJson"/> writes it.</summary>
    public void Add(JsonElement socket)
    {
        JsonElement local = socket.GetProperty("local");
        JsonElement peer = socket.GetProperty("peer");
        string protocol = socket.GetProperty("netid").GetString()!;
        string state = socket.GetProperty("state").GetString()!;
        bool ipv6Only = socket.TryGetProperty("v6only", out JsonElement only) && only.GetBoolean();
        StringBuilder last = new();
        if (details.Processes)
        {
            AddProcesses(last, socket.GetProperty("processes"));
        }

        if (details.Timers && socket.TryGetProperty("timer", out JsonElement timer))
        {
            last.Append(
                CultureInfo.InvariantCulture,
                $" timer:({timer.GetProperty("name").GetString()},{Timer(timer.GetProperty("millis").GetUInt32())},{timer.GetProperty("retransmits").GetInt32()})");
        }

        if (details.Extended)
        {
            AddExtended(last, socket, state is "LISTEN" or "UNCONN" && Address(local).Contains(':', StringComparison.Ordinal), ipv6Only);
        }

        if (details.Info && socket.TryGetProperty("info", out JsonElement info))
        {
            last.Append(details.OneLine ? "" : "\n\t");
            SsInfo.Append(last, info, details);
        }

        _rows.Add(
        [
            protocol,
            state,
            socket.GetProperty("recvQ").GetUInt32().ToString(CultureInfo.InvariantCulture).PadRight(6),
            socket.GetProperty("sendQ").GetUInt32().ToString(CultureInfo.InvariantCulture).PadRight(6),
            Shown(Address(local), ipv6Only) + ":",
            Port(local, protocol),
            Shown(Address(peer), ipv6Only) + ":",
            Port(peer, protocol),
            last.ToString(),
        ]);
    }

    /// <summary>The table, each line with its line feed and without spaces before that.</summary>
    public string Render()
    {
        int[] widths = new int[_rows[0].Length];
        IEnumerable<string[]> rows = HasHeader ? _rows : _rows.Skip(1);
        foreach (string[] row in rows)
        {
            for (int i = 0; i < row.Length; i++)
            {
                widths[i] = Math.Max(widths[i], row[i].Length);
            }
        }

        StringBuilder text = new();
        StringBuilder line = new();
        foreach (string[] row in rows)
        {
            line.Clear();
            bool isFirst = true;
            for (int i = 0; i < row.Length; i++)
            {
                if ((i == 0 && !withNetid) || (i == 1 && !withState))
                {
                    continue;
                }

                line.Append(isFirst || i is LocalAddress + 1 or > PeerAddress ? "" : " ");
                isFirst = false;
                line.Append(
                    i is LocalAddress or PeerAddress ? row[i].PadLeft(widths[i]) : i < row.Length - 1 ? row[i].PadRight(widths[i]) : row[i]);
            }

            text.Append(line.ToString().TrimEnd(' ')).Append('\n');
        }

        return text.ToString();
    }

    private static void AddProcesses(StringBuilder text, JsonElement processes)
    {
        if (processes.GetArrayLength() == 0)
        {
            return;
        }

        text.Append(" users:(");
        string separator = "";
        foreach (JsonElement process in processes.EnumerateArray())
        {
            // A process names itself; what it says is not to reach the terminal as it is.
            string name = string.Concat(process.GetProperty("name").GetString()!.Select(c => char.IsControl(c) ? '?' : c));
            text.Append(
                CultureInfo.InvariantCulture,
                $"{separator}(\"{name}\",pid={process.GetProperty("pid").GetInt32()},fd={process.GetProperty("fd").GetInt32()})");
            separator = ",";
        }

        text.Append(')');
    }

    private static void AddExtended(StringBuilder text, JsonElement socket, bool showsIpv6Only, bool ipv6Only)
    {
        uint user = socket.GetProperty("uid").GetUInt32();
        text.Append(CultureInfo.InvariantCulture, $"{(user != 0 ? $" uid:{user}" : "")} ino:{socket.GetProperty("ino").GetUInt64()}");

        // A proxy's flow is no socket of the stack, and has no cookie.
        if (socket.GetProperty("sk").GetString() is string cookie and not "0")
        {
            text.Append(" sk:").Append(cookie);
        }

        if (showsIpv6Only)
        {
            text.Append(ipv6Only ? " v6only:1" : " v6only:0");
        }

        if (socket.TryGetProperty("shutdown", out JsonElement shutdown))
        {
            text.Append(' ').Append(shutdown.GetString());
        }
    }

    private static string Address(JsonElement endpoint) => endpoint.GetProperty("address").GetString()!;

    /// <summary>:: that takes IPv4 too is *; other IPv6 addresses stand in brackets.</summary>
    private static string Shown(string address, bool ipv6Only) =>
        !address.Contains(':', StringComparison.Ordinal) ? address : address == "::" && !ipv6Only ? "*" : $"[{address}]";

    /// <summary>A name where names are wanted; never for a port of the range that connections come from, as in ss.</summary>
    private string Port(JsonElement endpoint, string protocol)
    {
        const int EphemeralFirst = 32_768;
        const int EphemeralLast = 60_999;
        int port = endpoint.GetProperty("port").GetInt32();
        string? name = details.Numeric || port is >= EphemeralFirst and <= EphemeralLast ? null : ServiceDatabase.FindByPort(port, protocol)?.Name;
        return port == 0 ? "*" : name ?? port.ToString(CultureInfo.InvariantCulture);
    }

    /// <summary>ss's print_ms_timer: two units at most.</summary>
    internal static string Timer(uint millis)
    {
        uint seconds = millis / 1000;
        uint minutes = seconds / 60;
        seconds %= 60;
        uint rest = millis % 1000;
        StringBuilder text = new();
        if (minutes != 0)
        {
            rest = 0;
            text.Append(CultureInfo.InvariantCulture, $"{minutes}min");
            seconds = minutes > 9 ? 0 : seconds;
        }

        if (seconds != 0)
        {
            rest = seconds > 9 ? 0 : rest;
            text.Append(CultureInfo.InvariantCulture, $"{seconds}{(rest != 0 ? "." : "sec")}");
        }

        if (rest != 0)
        {
            text.Append(CultureInfo.InvariantCulture, $"{rest:000}{(seconds != 0 ? "sec" : "ms")}");
        }

        return text.ToString();
    }
}

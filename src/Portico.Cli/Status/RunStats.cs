using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Portico.Cli;

/// <summary>
/// What <c>--stats</c> prints at the end: from the counters of a <see cref="CounterReport"/> those that tell how it went, in words or as
/// one JSON object, which also has all the others by their names.
/// </summary>
internal sealed class RunStats(IReadOnlyList<(string Name, long Value)> counters, TimeSpan duration, int exitStatus)
{
    /// <summary>
    /// Counters of what was thrown away that do not say "Drop" in their names. InHdrErrors, InAddrErrors, InNoRoutes and InDiscards are not
    /// here: each packet in them is in a counter of the reason, too.
    /// </summary>
    private static readonly string[] s_losses =
    [
        "OutDiscards", "OutNoRoutes", "InCsumErrors", "ReasmFails", "FragFails",
        "InHeaderErrors", "OutHeaderErrors", "OutWriteErrors", "RcvbufErrors", "TCPAbortOnMemory", "RcvPruned", "OfoPruned", "InvalidResets",
        "InvalidAcks", "SynInvalid", "BeyondWindow", "DnsMalformed", "UdpEvicted",
    ];

    private readonly Dictionary<string, long> _byName = counters.ToDictionary(c => c.Name, c => c.Value);

    /// <summary>Why packets, connections and queries were dropped, and how many.</summary>
    public IEnumerable<(string Name, long Value)> Drops =>
        counters.Where(c => c.Name.Contains("Drop", StringComparison.Ordinal)
            || s_losses.Any(l => c.Name.EndsWith(l, StringComparison.Ordinal)));

    private long this[string name] => _byName.GetValueOrDefault(name);

    /// <summary>The lines of the summary; what did not happen is left out.</summary>
    public IEnumerable<string> Lines()
    {
        yield return string.Create(CultureInfo.InvariantCulture, $"{duration.TotalSeconds:0.000} s, exit status {exitStatus}");
        yield return $"packets        {Packets("TunIn")} from the command, {Packets("TunOut")} to it";
        if (this["ProxyTcpRequests"] != 0)
        {
            yield return $"connections    {Counted(this["ProxyTcpRequests"], "attempt")}: " + Listed(
                ("accepted", "ProxyTcpAccepted"), ("refused", "ProxyTcpRefused"), ("unreachable", "ProxyTcpUnreachable"),
                ("timed out", "ProxyTcpTimedOut"), ("prohibited", "ProxyTcpProhibited"), ("given up", "ProxyTcpExpired"),
                ("refused at a limit", "ProxyTcpLimitRefusals"), ("closed", "ProxyTcpClosed"), ("reset", "ProxyTcpReset"));
        }

        if (this["TcpRetransSegs"] != 0)
        {
            string why = Listed(
                ("after a timeout", "TcpExtTCPTimeouts"), ("fast", "TcpExtTCPFastRetrans"), ("in slow start", "TcpExtTCPSlowStartRetrans"),
                ("of a SYN", "TcpExtTCPSynRetrans"), ("that had arrived", "TcpExtTCPDSACKRecv"));
            yield return $"retransmitted  {Counted(this["TcpRetransSegs"], "segment")}{(why.Length > 0 ? ": " : "")}{why}";
        }

        if (this["ProxyUdpFlows"] != 0 || this["ProxyUdpProhibited"] != 0)
        {
            yield return $"UDP            {Counted(this["ProxyUdpFlows"], "flow")}: " + Listed(
                ("datagrams out", "ProxyUdpOut"), ("in", "ProxyUdpIn"), ("errors", "ProxyUdpErrors"), ("prohibited", "ProxyUdpProhibited"));
        }

        if (this["ProxyPingOut"] != 0 || this["ProxyPingProhibited"] != 0 || this["ProxyPingErrors"] != 0)
        {
            yield return "ping           " + Listed(
                ("requests", "ProxyPingOut"), ("replies", "ProxyPingIn"), ("errors", "ProxyPingErrors"), ("prohibited", "ProxyPingProhibited"));
        }

        if (this["ProxyDnsQueries"] != 0)
        {
            yield return $"DNS            {Counted(this["ProxyDnsQueries"], "query", "queries")}: " + Listed(
                ("answered here", "ProxyDnsLocalAnswers"), ("by the host's resolvers", "ProxyDnsAnswers"), ("denied", "ProxyDnsBlocked"),
                ("passed to the next resolver", "ProxyDnsFailovers"), ("without an answer", "ProxyDnsFailures"));
        }

        if (Drops.Any())
        {
            yield return "dropped        " + string.Join(", ", Drops.Select(d => $"{Number(d.Value)} {d.Name}"));
        }
    }

    /// <summary>One line of JSON, without a line feed.</summary>
    public byte[] Json()
    {
        ArrayBufferWriter<byte> buffer = new();
        using (Utf8JsonWriter json = new(buffer))
        {
            json.WriteStartObject();
            json.WriteString("event", "stats");
            json.WriteNumber("durationMicros", (long)duration.TotalMicroseconds);
            json.WriteNumber("exitStatus", exitStatus);
            json.WriteNumber("packetsOut", this["TunInPackets"]);
            json.WriteNumber("bytesOut", this["TunInBytes"]);
            json.WriteNumber("packetsIn", this["TunOutPackets"]);
            json.WriteNumber("bytesIn", this["TunOutBytes"]);
            json.WriteStartObject("connections");
            json.WriteNumber("attempts", this["ProxyTcpRequests"]);
            json.WriteNumber("accepted", this["ProxyTcpAccepted"]);
            json.WriteNumber("refused", this["ProxyTcpRefused"]);
            json.WriteNumber("unreachable", this["ProxyTcpUnreachable"]);
            json.WriteNumber("timedOut", this["ProxyTcpTimedOut"]);
            json.WriteNumber("prohibited", this["ProxyTcpProhibited"]);
            json.WriteNumber("closed", this["ProxyTcpClosed"]);
            json.WriteNumber("reset", this["ProxyTcpReset"]);
            json.WriteEndObject();
            json.WriteNumber("retransmittedSegments", this["TcpRetransSegs"]);
            json.WriteNumber("udpFlows", this["ProxyUdpFlows"]);
            json.WriteNumber("dnsQueries", this["ProxyDnsQueries"]);
            WriteCounters(json, "drops", Drops);
            WriteCounters(json, "counters", counters);
            json.WriteEndObject();
        }

        return buffer.WrittenSpan.ToArray();
    }

    private static void WriteCounters(Utf8JsonWriter json, string name, IEnumerable<(string Name, long Value)> values)
    {
        json.WriteStartObject(name);
        foreach ((string counter, long value) in values)
        {
            json.WriteNumber(counter, value);
        }

        json.WriteEndObject();
    }

    private string Packets(string prefix) =>
        $"{Counted(this[$"{prefix}Packets"], "packet")} ({PsCommand.Bytes(this[$"{prefix}Bytes"])})";

    private string Listed(params ReadOnlySpan<(string Word, string Name)> items)
    {
        StringBuilder text = new();
        foreach ((string word, string name) in items)
        {
            if (this[name] != 0)
            {
                text.Append(text.Length > 0 ? ", " : "").Append(Number(this[name])).Append(' ').Append(word);
            }
        }

        return text.ToString();
    }

    private static string Counted(long count, string one, string? many = null) => $"{Number(count)} {(count == 1 ? one : many ?? one + "s")}";

    private static string Number(long value) => value.ToString("#,##0", CultureInfo.InvariantCulture);
}

using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Portico.Cli;

/// <summary>The block of <c>ss -i</c>, fact by fact in ss's order (tcp_stats_print); what is 0 is left out, as there.</summary>
internal static class SsInfo
{
    public static void Append(StringBuilder text, JsonElement info, SsDetails details)
    {
        if (details.Timers || details.Extended)
        {
            text.Append(info.GetProperty("timestamps").GetBoolean() ? " ts" : "");
            text.Append(info.GetProperty("sack").GetBoolean() ? " sack" : "");
        }

        text.Append(' ').Append(info.GetProperty("congestion").GetString());
        if (info.TryGetProperty("sndWscale", out JsonElement scale))
        {
            text.Append(CultureInfo.InvariantCulture, $" wscale:{scale.GetInt32()},{info.GetProperty("rcvWscale").GetInt32()}");
        }

        ulong rtt = Number(info, "rttMicros");
        Millis("rto", "rtoMicros");
        Count("backoff", "backoff");
        if (rtt != 0)
        {
            text.Append(" rtt:").Append(General(rtt / 1000.0)).Append('/').Append(General(Number(info, "rttVarMicros") / 1000.0));
        }

        Millis("ato", "atoMicros");
        Count("mss", "sndMss");
        Count("pmtu", "pathMtu");
        Count("rcvmss", "rcvMss");
        Count("advmss", "advMss");
        Count("cwnd", "sndCwnd");
        if (Number(info, "sndSsthresh") < 0xFFFF)
        {
            Count("ssthresh", "sndSsthresh");
        }

        Count("bytes_sent", "bytesSent");
        Count("bytes_retrans", "bytesRetrans");
        Count("bytes_acked", "bytesAcked");
        Count("bytes_received", "bytesReceived");
        Count("segs_out", "segsOut");
        Count("segs_in", "segsIn");
        ulong window = Number(info, "sndCwnd") * Number(info, "sndMss");
        if (rtt != 0 && window != 0)
        {
            text.Append(" send ").Append(Bandwidth(window * 8_000_000.0 / rtt, details.Numeric)).Append("bps");
        }

        Count("lastsnd", "lastDataSentMillis");
        Count("lastrcv", "lastDataReceivedMillis");
        Count("lastack", "lastAckReceivedMillis");
        Count("delivered", "delivered");
        Count("unacked", "unacked");
        if (Number(info, "retrans") != 0 || Number(info, "totalRetrans") != 0)
        {
            text.Append(CultureInfo.InvariantCulture, $" retrans:{Number(info, "retrans")}/{Number(info, "totalRetrans")}");
        }

        Count("lost", "lost");
        Count("sacked", "sacked");
        if (Number(info, "reordering") != 3)
        {
            Count("reordering", "reordering");
        }

        Millis("rcv_rtt", "rcvRttMicros");
        Count("rcv_space", "rcvSpace");
        Count("rcv_ssthresh", "rcvSsthresh");
        Count("notsent", "notSentBytes");
        Millis("minrtt", "minRttMicros");
        Count("snd_wnd", "sndWnd");
        Count("rcv_wnd", "rcvWnd");

        void Count(string name, string property)
        {
            if (Number(info, property) is ulong value and not 0)
            {
                text.Append(CultureInfo.InvariantCulture, $" {name}:{value}");
            }
        }

        void Millis(string name, string property)
        {
            if (Number(info, property) is ulong micros and not 0)
            {
                text.Append(' ').Append(name).Append(':').Append(General(micros / 1000.0));
            }
        }
    }

    private static ulong Number(JsonElement info, string property) => info.GetProperty(property).GetUInt64();

    /// <summary>printf's %g.</summary>
    private static string General(double value, int digits = 6) =>
        value.ToString($"G{digits}", CultureInfo.InvariantCulture).Replace('E', 'e');

    /// <summary>ss's sprint_bw.</summary>
    internal static string Bandwidth(double bitsPerSecond, bool numeric) =>
        numeric ? bitsPerSecond.ToString("F0", CultureInfo.InvariantCulture)
        : bitsPerSecond >= 1e12 ? General(bitsPerSecond / 1e12, 3) + "T"
        : bitsPerSecond >= 1e9 ? General(bitsPerSecond / 1e9, 3) + "G"
        : bitsPerSecond >= 1e6 ? General(bitsPerSecond / 1e6, 3) + "M"
        : bitsPerSecond >= 1e3 ? General(bitsPerSecond / 1e3, 3) + "k"
        : General(bitsPerSecond);
}

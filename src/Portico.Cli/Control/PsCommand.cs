using System.CommandLine;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Portico.Linux;

namespace Portico.Cli;

/// <summary><c>portico ps</c>: the caller's runs, a line for each.</summary>
internal static class PsCommand
{
    private static readonly string[] s_header = ["ID", "PID", "UPTIME", "CONNS", "IN", "OUT", "COMMAND"];

    public static Command Create()
    {
        Option<bool> json = new("--json") { Description = "Print a JSON array, an object for each run." };
        Command ps = new("ps", "Lists the runs that are going on: name, process, age, open connections, and bytes received and sent.");
        ps.Options.Add(json);
        ps.SetAction(result =>
        {
            try
            {
                Print(Collect(), result.GetValue(json));
                return 0;
            }
            catch (IOException e)
            {
                Terminal.Error(e.Message);
                return CommandLine.OwnFailure;
            }
        });
        return ps;
    }

    /// <summary>Each run's own words. One that does not answer (it may be stopped) has a line on standard error, and no other.</summary>
    private static List<byte[]> Collect()
    {
        List<byte[]> runs = [];
        foreach ((string name, ControlSocket socket) in ControlClient.OpenAll(ControlDirectory.FromEnvironment()))
        {
            using (socket)
            {
                try
                {
                    ControlClient.Ask(socket, "ps", [], line => runs.Add(line.ToArray()), seconds: 3);
                }
                catch (IOException e)
                {
                    Terminal.Error($"{name}: {e.Message}");
                }
            }
        }

        return runs;
    }

    private static void Print(List<byte[]> runs, bool asJson)
    {
        if (!asJson)
        {
            Terminal.Output.Write(Encoding.UTF8.GetBytes(Table(runs)));
        }
        else
        {
            JsonLines lines = new(Terminal.Output);
            runs.ForEach(r => lines.Add(r));
            lines.End();
        }

        Terminal.Flush();
    }

    /// <summary>The runs' JSON objects as a table.</summary>
    internal static string Table(IEnumerable<byte[]> runs)
    {
        List<string[]> rows = [s_header];
        foreach (byte[] run in runs)
        {
            using JsonDocument document = JsonDocument.Parse(run);
            JsonElement root = document.RootElement;
            rows.Add(
            [
                root.GetProperty("id").GetString()!,
                Number(root.GetProperty("pid").GetInt64()),
                Uptime(root.GetProperty("uptimeSeconds").GetInt64()),
                Number(root.GetProperty("connections").GetInt64()),
                Bytes(root.GetProperty("bytesIn").GetInt64()),
                Bytes(root.GetProperty("bytesOut").GetInt64()),
                string.Join(' ', root.GetProperty("command").EnumerateArray().Select(w => Quoted(w.GetString()!))),
            ]);
        }

        StringBuilder text = new();
        foreach (string[] row in rows)
        {
            for (int i = 0; i < row.Length - 1; i++)
            {
                text.Append(row[i].PadRight(rows.Max(r => r[i].Length) + 2));
            }

            text.Append(row[^1]).Append('\n');
        }

        return text.ToString();
    }

    /// <summary>As ps(1) prints ELAPSED: [[days-]hours:]minutes:seconds.</summary>
    internal static string Uptime(long seconds)
    {
        TimeSpan time = TimeSpan.FromSeconds(seconds);
        return time.Days > 0 ? string.Create(CultureInfo.InvariantCulture, $"{time.Days}-{time:hh\\:mm\\:ss}")
            : time.ToString(time.Hours > 0 ? @"hh\:mm\:ss" : @"mm\:ss", CultureInfo.InvariantCulture);
    }

    /// <summary>In powers of 1024, as ls -h.</summary>
    internal static string Bytes(long count)
    {
        const string Units = "KMGTPE";
        double value = count;
        int unit = -1;
        while (value >= 1023.5)
        {
            value /= 1024;
            unit++;
        }

        return unit < 0 ? Number(count)
            : string.Create(CultureInfo.InvariantCulture, $"{value.ToString(value < 9.95 ? "0.0" : "0", CultureInfo.InvariantCulture)}{Units[unit]}");
    }

    private static string Number(long value) => value.ToString(CultureInfo.InvariantCulture);

    /// <summary>A word as a shell would take it; what could play tricks with a terminal is not let through.</summary>
    private static string Quoted(string word)
    {
        string clean = string.Concat(word.Select(c => char.IsControl(c) ? '?' : c));
        bool isPlain = clean.Length > 0 && clean.All(c => char.IsAsciiLetterOrDigit(c) || "-_./:=@%+,".Contains(c, StringComparison.Ordinal));
        return isPlain ? clean : $"'{clean.Replace("'", @"'\''", StringComparison.Ordinal)}'";
    }
}

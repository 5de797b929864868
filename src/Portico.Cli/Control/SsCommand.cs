using System.CommandLine;
using System.Text;
using System.Text.Json;

namespace Portico.Cli;

/// <summary><c>portico ss</c>: the sockets of a run's network, as its stack sees them, in the format of ss(8).</summary>
internal static class SsCommand
{
    public static Command Create()
    {
        Option<bool> tcp = Flag("--tcp", "-t", "TCP sockets.");
        Option<bool> udp = Flag("--udp", "-u", "UDP sockets and flows.");
        Option<bool> raw = Flag("--raw", "-w", "Pings under way.");
        Option<bool> all = Flag("--all", "-a", "Sockets of every state.");
        Option<bool> listening = Flag("--listening", "-l", "Listening sockets only.");
        Option<bool> numeric = Flag("--numeric", "-n", "Ports and rates as numbers, without names and units.");
        Option<bool> processes = Flag("--processes", "-p", "The programs behind the sockets.");
        Option<bool> info = Flag("--info", "-i", "TCP's own measurements.");
        Option<bool> extended = Flag("--extended", "-e", "User, inode and cookie.");
        Option<bool> timers = Flag("--options", "-o", "Timers.");
        Option<bool> ipv4 = Flag("--ipv4", "-4", "IPv4 only.");
        Option<bool> ipv6 = Flag("--ipv6", "-6", "IPv6 only.");
        Option<bool> noHeader = Flag("--no-header", "-H", "Without the header.");
        Option<bool> oneLine = Flag("--oneline", "-O", "One line for each socket.");
        Option<bool> json = new("--json") { Description = "An array of JSON objects with all facts." };
        Option<string?> run = ControlClient.RunOption();
        Argument<string[]> words = new("ID, FILTER")
        {
            Description = "The run, by its name or process id, and a filter: state established, exclude time-wait, ...",
            Arity = ArgumentArity.ZeroOrMore,
        };
        Command ss = new(
            "ss",
            "Shows the sockets of a run's network as its stack sees them, in the format of ss(8). Without -n, -p, -i, -e, -o, -a and -l all "
            + "is shown, as by ss -tunapie; with any of them it is as with ss.");
        Option[] options =
            [tcp, udp, raw, all, listening, numeric, processes, info, extended, timers, ipv4, ipv6, noHeader, oneLine, json, run];
        foreach (Option option in options)
        {
            ss.Options.Add(option);
        }

        ss.Arguments.Add(words);
        ss.SetAction(result =>
        {
            ReadOnlySpan<string> filter = result.GetValue(words) ?? [];
            string? id = result.GetValue(run);
            if (filter.Length > 0 && filter[0] is not ("state" or "exclude"))
            {
                id ??= filter[0];
                filter = filter[1..];
            }

            try
            {
                bool chooses = Any(numeric, processes, info, extended, timers, all, listening);
                bool anyProtocol = Any(tcp, udp, raw);
                HashSet<string> states = SsStates.Parse(filter)
                    ?? (!chooses || Any(all) ? SsStates.All : Any(listening) ? SsStates.Listening : SsStates.Connected);
                SsQuery query = new()
                {
                    Protocols = [.. Wanted(tcp, "tcp"), .. Wanted(udp, "udp"), .. Wanted(raw, "icmp")],
                    States = states,
                    Ipv4 = Any(ipv4) || !Any(ipv6),
                    Ipv6 = Any(ipv6) || !Any(ipv4),
                    HasHeader = !Any(noHeader),
                    Details = !chooses
                        ? SsDetails.All with { OneLine = Any(oneLine) }
                        : new SsDetails(Any(processes), Any(info), Any(extended), Any(timers, extended), Any(numeric), Any(oneLine)),
                };
                return Any(json) ? query.PrintJson(id) : query.PrintTable(id);

                IEnumerable<string> Wanted(Option<bool> option, string protocol) => Any(option) || !anyProtocol ? [protocol] : [];
            }
            catch (Exception e) when (e is ArgumentException or IOException)
            {
                Terminal.Error(e.Message);
                return CommandLine.OwnFailure;
            }

            bool Any(params ReadOnlySpan<Option<bool>> flags)
            {
                foreach (Option<bool> flag in flags)
                {
                    if (result.GetValue(flag))
                    {
                        return true;
                    }
                }

                return false;
            }
        });
        return ss;
    }

    private static Option<bool> Flag(string name, string letter, string description) => new(name, letter) { Description = description };
}

/// <summary>What <c>portico ss</c> was asked for.</summary>
internal sealed class SsQuery
{
    public required IReadOnlyList<string> Protocols { get; init; }

    public required HashSet<string> States { get; init; }

    public bool Ipv4 { get; init; }

    public bool Ipv6 { get; init; }

    public bool HasHeader { get; init; }

    public SsDetails Details { get; init; }

    public int PrintJson(string? run)
    {
        JsonLines lines = new(Terminal.Output);
        int status = Ask(run, withProcesses: true, (line, _) => lines.Add(line));
        if (status == 0)
        {
            lines.End();
            Terminal.Flush();
        }

        return status;
    }

    public int PrintTable(string? run)
    {
        SsTable table = new(Details, withNetid: Protocols.Count > 1, withState: States.Count > 1) { HasHeader = HasHeader };
        int status = Ask(run, Details.Processes || Details.Extended, (_, socket) => table.Add(socket));
        if (status == 0)
        {
            Terminal.Output.Write(Encoding.UTF8.GetBytes(table.Render()));
            Terminal.Flush();
        }

        return status;
    }

    private delegate void Handler(ReadOnlySpan<byte> line, JsonElement socket);

    private int Ask(string? run, bool withProcesses, Handler handler)
    {
        string[] arguments = [.. Protocols, .. withProcesses ? (string[])["processes"] : []];
        return ControlClient.Call(run, "ss", arguments, line =>
        {
            Utf8JsonReader reader = new(line);
            using JsonDocument document = JsonDocument.ParseValue(ref reader);
            JsonElement root = document.RootElement;
            bool isIpv6 = root.GetProperty("local").GetProperty("address").GetString()!.Contains(':', StringComparison.Ordinal);
            if (States.Contains(root.GetProperty("state").GetString()!) && (isIpv6 ? Ipv6 : Ipv4))
            {
                handler(line, root);
            }
        });
    }
}

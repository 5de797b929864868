using System.Globalization;
using System.Text;
using Portico.Net;

namespace Portico.Kernel;

/// <summary>
/// What an administrator asks of a network by name, done on a process's network: sysctl(8), ip(8), tc(8), ethtool(8) and nstat(8), in the
/// words that tests of TCP use. No program is ever run.
/// </summary>
/// <remarks>
/// <list type="bullet">
/// <item><c>sysctl [-q] [-e] [-n] [-w] NAME[=VALUE] ...</c></item>
/// <item><c>ip addr add PREFIX dev NAME</c>, <c>ip link set [dev] NAME up|down|mtu N</c></item>
/// <item><c>ip route add|change|replace|append|del DESTINATION [via ADDRESS] [dev NAME] [mtu [lock] N] [metric N] [src ADDRESS]</c></item>
/// <item><c>ip tcp_metrics flush ...</c></item>
/// <item><c>tc qdisc add|replace|change|del dev NAME root KIND [limit 0]</c>: a queue without room drops all that is sent, with fq connections pace themselves, any other one sends at once</item>
/// <item><c>ethtool -K NAME ...</c>: a <see cref="VirtualDevice"/> has no offloads to turn off</item>
/// <item><c>nstat</c>: the counters that have changed since the last time</item>
/// </list>
/// </remarks>
public sealed partial class NetworkCommands
{
    private const string HystartDetectFile = "/sys/module/tcp_cubic/parameters/hystart_detect";

    private delegate bool Command(ReadOnlySpan<string> words, StringBuilder output);

    private const string Settings = "/proc/sys/";

    private readonly Process _process;
    private readonly Dictionary<string, Command> _commands;
    private readonly Dictionary<string, long> _countersBefore = [];

    /// <summary>Makes them for the network of a process, which has to be privileged to change settings.</summary>
    public NetworkCommands(Process process)
    {
        ArgumentNullException.ThrowIfNull(process);
        _process = process;
        _commands = new Dictionary<string, Command>
        {
            ["sysctl"] = Sysctl,
            ["ip"] = Ip,
            ["tc"] = QueueingDiscipline,
            ["ethtool"] = static (words, _) => words is [_, "-K", _, ..],
            ["nstat"] = ShowCounters,
        };
    }

    /// <summary>The names of the commands.</summary>
    public IReadOnlyCollection<string> Names => _commands.Keys;

    private NetworkStack Stack => _process.Network;

    /// <summary>
    /// Runs a command, whose name is the first of its words, and adds what it says to <paramref name="output"/>. False where it fails, or
    /// where there is no such command.
    /// </summary>
    public bool Run(ReadOnlySpan<string> words, StringBuilder output)
    {
        ArgumentNullException.ThrowIfNull(output);
        return words.Length > 0 && _commands.TryGetValue(words[0], out Command? command) && command(words, output);
    }

    /// <summary>Runs a command that is one line; quotation marks keep words together.</summary>
    public bool Run(string line, StringBuilder output)
    {
        ArgumentNullException.ThrowIfNull(line);
        return Run(Split(line), output);
    }

    /// <summary>Adds what a file of the process's kernel holds; false where it cannot be read.</summary>
    public bool Read(string path, StringBuilder output)
    {
        ArgumentNullException.ThrowIfNull(output);
        SyscallResult fd = _process.Open(path, OpenFlags.O_RDONLY);
        if (fd.IsError)
        {
            return false;
        }

        byte[] buffer = new byte[4096];
        SyscallResult count;
        while ((count = _process.Read((int)fd.Value, buffer)).Value > 0)
        {
            output.Append(Encoding.Latin1.GetString(buffer, 0, (int)count.Value));
        }

        _process.Close((int)fd.Value);
        return !count.IsError;
    }

    /// <summary>Writes a file of the process's kernel anew; false where it cannot be.</summary>
    public bool Write(string path, string text)
    {
        ArgumentNullException.ThrowIfNull(path);
        ArgumentNullException.ThrowIfNull(text);
        if (path == HystartDetectFile)
        {
            return SetHystartDetect(text);
        }

        bool isSetting = path.StartsWith("/proc/", StringComparison.Ordinal) || path.StartsWith("/sys/", StringComparison.Ordinal);
        SyscallResult fd = _process.Open(path, isSetting ? OpenFlags.O_WRONLY : OpenFlags.O_WRONLY | OpenFlags.O_CREAT | OpenFlags.O_TRUNC, 0x1B6);
        if (fd.IsError)
        {
            return false;
        }

        SyscallResult written = _process.Write((int)fd.Value, Encoding.Latin1.GetBytes(text));
        _process.Close((int)fd.Value);
        return !written.IsError;
    }

    /// <summary>A parameter of CUBIC's module on Linux, which is a setting here.</summary>
    private bool SetHystartDetect(string text)
    {
        if (!int.TryParse(text, CultureInfo.InvariantCulture, out int detections))
        {
            return false;
        }

        using (_process.Kernel.Driver.Enter())
        {
            Stack.Tcp.Settings.hystart_detect = detections;
        }

        return true;
    }

    /// <summary>The counters of /proc/net/snmp, snmp6 and netstat under the names that nstat(8) gives them: TcpExtSyncookiesSent.</summary>
    public IEnumerable<(string Name, long Value)> Counters()
    {
        StringBuilder text = new();
        Read("/proc/net/snmp", text);
        Read("/proc/net/netstat", text);
        string[] lines = text.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries);
        for (int i = 0; i + 1 < lines.Length; i += 2)
        {
            // A line of names, then one of values; both begin with the group's name.
            string[] names = lines[i].Split(' ', StringSplitOptions.RemoveEmptyEntries);
            string[] values = lines[i + 1].Split(' ', StringSplitOptions.RemoveEmptyEntries);
            string group = names[0].TrimEnd(':');
            for (int j = 1; j < names.Length && j < values.Length; j++)
            {
                yield return (group + names[j], long.Parse(values[j], CultureInfo.InvariantCulture));
            }
        }

        text.Clear();
        Read("/proc/net/snmp6", text);
        foreach (string line in text.ToString().Split('\n'))
        {
            if (line.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries) is [string name, string value])
            {
                yield return (name, long.Parse(value, CultureInfo.InvariantCulture));
            }
        }
    }

    private static string[] Split(string line)
    {
        List<string> words = [];
        StringBuilder word = new();
        char quote = '\0';
        bool isWord = false;
        foreach (char c in line)
        {
            if (quote == '\0' && char.IsWhiteSpace(c))
            {
                if (isWord)
                {
                    words.Add(word.ToString());
                }

                word.Clear();
                isWord = false;
            }
            else if (quote == '\0' && c is '"' or '\'')
            {
                quote = c;
                isWord = true;
            }
            else if (c == quote)
            {
                quote = '\0';
            }
            else
            {
                word.Append(c);
                isWord = true;
            }
        }

        if (isWord)
        {
            words.Add(word.ToString());
        }

        return [.. words];
    }

    /// <summary>Sets and shows settings. A word without a sign of equality belongs to the value before it: a journal has no quotation marks.</summary>
    private bool Sysctl(ReadOnlySpan<string> words, StringBuilder output)
    {
        bool ignoresUnknown = words.Contains("-e");
        bool isQuiet = words.Contains("-q");
        bool hasNames = !words.Contains("-n");
        List<string> assignments = [];
        foreach (string word in words[1..])
        {
            if (word.StartsWith('-') && !word.Contains('=', StringComparison.Ordinal) && !long.TryParse(word, CultureInfo.InvariantCulture, out _))
            {
                continue;
            }

            if (assignments.Count > 0 && assignments[^1].Contains('=', StringComparison.Ordinal) && !word.Contains('=', StringComparison.Ordinal))
            {
                assignments[^1] += $" {word}";
            }
            else
            {
                assignments.Add(word);
            }
        }

        foreach (string assignment in assignments)
        {
            int separator = assignment.IndexOf('=', StringComparison.Ordinal);
            string name = separator < 0 ? assignment : assignment[..separator];
            StringBuilder value = new();
            string path = name.StartsWith(Settings, StringComparison.Ordinal) ? name : Settings + name.Replace('.', '/');
            bool succeeded = separator < 0 ? Read(path, value) : Write(path, assignment[(separator + 1)..]);
            if (!succeeded && !ignoresUnknown)
            {
                return false;
            }

            if (succeeded && !isQuiet)
            {
                string shown = separator < 0 ? value.ToString().TrimEnd('\n') : assignment[(separator + 1)..];
                output.Append(hasNames ? $"{name} = {shown}\n" : $"{shown}\n");
            }
        }

        return assignments.Count > 0;
    }

    private bool ShowCounters(ReadOnlySpan<string> words, StringBuilder output)
    {
        foreach ((string name, long value) in Counters())
        {
            long difference = value - _countersBefore.GetValueOrDefault(name);
            if (difference != 0)
            {
                output.Append(CultureInfo.InvariantCulture, $"{name,-32}{difference,-16} 0.0\n");
                _countersBefore[name] = value;
            }
        }

        return true;
    }
}

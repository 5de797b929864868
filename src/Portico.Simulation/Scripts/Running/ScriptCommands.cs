using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Portico.Kernel;
using Portico.Net;

namespace Portico.Simulation.Scripts;

/// <summary>
/// What scripts ask of a shell, done on the script's own kernel: settings by sysctl and /proc/sys, routes, files, counters. No shell and no
/// program is ever run. A command that there is not, or that fails, fails the script.
/// </summary>
internal sealed partial class ScriptCommands
{
    private delegate bool Command(string[] words, StringBuilder output, string input);

    private static readonly string[] s_defaults =
    [
        "net.ipv4.tcp_rmem=4096 540000 15728640", "net.ipv4.tcp_wmem=4096 262144 4194304", "net.ipv4.tcp_timestamps=1",
        "net.ipv4.tcp_syn_retries=5", "net.ipv4.tcp_synack_retries=5", "net.ipv4.tcp_frto=2", "net.ipv4.tcp_sack=1", "net.ipv4.tcp_dsack=1",
        "net.ipv4.tcp_fack=0", "net.ipv4.tcp_reordering=3", "net.ipv4.tcp_congestion_control=cubic", "net.ipv4.tcp_slow_start_after_idle=0",
        "net.ipv4.tcp_early_retrans=4", "net.ipv4.tcp_recovery=1", "net.ipv4.tcp_tso_win_divisor=3", "net.ipv4.tcp_ecn=0",
        "net.ipv4.tcp_ecn_option=2", "net.ipv4.tcp_pacing_ss_ratio=200", "net.ipv4.tcp_pacing_ca_ratio=120",
        "net.ipv4.tcp_notsent_lowat=4294967295", "net.ipv4.tcp_fastopen=0x70403",
        "net.ipv4.tcp_fastopen_key=a1a1a1a1-b2b2b2b2-c3c3c3c3-d4d4d4d4", "net.ipv4.tcp_syncookies=1",
    ];

    private readonly ScriptRun _run;
    private readonly NetworkCommands _network;
    private readonly Dictionary<string, Command> _commands;
    private readonly List<(string Path, string Value)> _restored = [];

    public ScriptCommands(ScriptRun run)
    {
        _run = run;
        _network = new NetworkCommands(run.Process);
        _commands = new Dictionary<string, Command>
        {
            ["set_sysctls.py"] = SetSysctls,
            ["defaults.sh"] = SetDefaults,
            ["echo"] = static (words, output, _) => Print(output, string.Join(' ', words[1..])),
            ["cat"] = (words, output, _) => words[1..].All(path => _network.Read(path, output)),
            ["grep"] = Grep,
            ["rm"] = Remove,
            ["dd"] = CopyZeros,
            ["true"] = static (_, _, _) => true,
            ["sleep"] = static (_, _, _) => true,
        };
        foreach (string name in _network.Names)
        {
            _commands.Add(name, (words, output, _) => _network.Run([name, .. words[1..]], output));
        }
    }

    [GeneratedRegex("""(?<word>(?:[^\s"'|;&>]|"[^"]*"|'[^']*')+)|(?<operator>\|\||&&|&?>+(?:&\d)?|[|;&])""")]
    private static partial Regex Lexeme { get; }

    [GeneratedRegex(@"\$\(\((?<numbers>[0-9* ]+)\)\)")]
    private static partial Regex Arithmetic { get; }

    /// <summary>Runs the lines of a command; throws where the last of them fails.</summary>
    public void Run(ScriptPosition position, string text)
    {
        foreach (string whole in text.Replace("\\\n", " ", StringComparison.Ordinal).Split('\n'))
        {
            int comment = whole.IndexOf('#', StringComparison.Ordinal);
            string line = (comment < 0 ? whole : whole[..comment]).Trim();
            if (line.Length > 0 && !RunLine(position, line))
            {
                throw new ScriptFailure(position, $"the command failed: {line}");
            }
        }
    }

    /// <summary>Commands with ; or &amp;&amp; or || or | between them. A redirection goes to a file; that of errors is passed over.</summary>
    private bool RunLine(ScriptPosition position, string line)
    {
        bool succeeded = true;
        bool isSkipped = false;
        List<string> words = [];
        string input = "";
        string? target = null;
        string pending = ";";
        List<string> lexemes = [.. Lexeme.Matches(line).Select(static match => match.Value), ";"];
        for (int i = 0; i < lexemes.Count; i++)
        {
            string lexeme = lexemes[i];
            if (lexeme.Contains('>', StringComparison.Ordinal) && lexeme[0] is '>' or '&')
            {
                bool isOfErrors = words.Count > 1 && words[^1] == "2";
                if (isOfErrors)
                {
                    words.RemoveAt(words.Count - 1);
                }

                bool hasTarget = !lexeme.EndsWith("&1", StringComparison.Ordinal) && i + 1 < lexemes.Count;
                target = hasTarget && !isOfErrors ? lexemes[i + 1] : target;
                i += hasTarget ? 1 : 0;
                continue;
            }

            if (lexeme is not (";" or "&&" or "||" or "|" or "&"))
            {
                words.Add(Unquote(lexeme));
                continue;
            }

            if (words.Count > 0 && !isSkipped)
            {
                StringBuilder output = new();
                succeeded = RunCommand(position, [.. words], output, pending == "|" ? input : "");
                input = target == null ? output.ToString() : "";
                succeeded &= target is null or "/dev/null" || _network.Write(target, output.ToString());
            }

            words.Clear();
            target = null;
            pending = lexeme;
            isSkipped = (lexeme == "&&" && !succeeded) || (lexeme == "||" && succeeded);
        }

        return succeeded;
    }

    private bool RunCommand(ScriptPosition position, string[] words, StringBuilder output, string input)
    {
        string name = words[0][(words[0].LastIndexOf('/') + 1)..];
        if (name.StartsWith("sysctl_restore_", StringComparison.Ordinal))
        {
            bool isRestored = _restored.All(setting => _network.Write(setting.Path, setting.Value));
            _restored.Clear();
            return isRestored;
        }

        return _commands.TryGetValue(name, out Command? command)
            ? command(words, output, input)
            : throw new ScriptFailure(position, $"the command {name} is not one that scripts can run here: {string.Join(", ", _commands.Keys)}");
    }

    private static bool Print(StringBuilder output, string text)
    {
        output.Append(text).Append('\n');
        return true;
    }

    private static string Unquote(string word)
    {
        string text = word.Replace("\"", "", StringComparison.Ordinal).Replace("'", "", StringComparison.Ordinal);
        return Arithmetic.Replace(text, static match =>
            match.Groups["numbers"].Value.Split('*').Aggregate(1L, static (product, factor) => product * long.Parse(factor.Trim(), CultureInfo.InvariantCulture))
                .ToString(CultureInfo.InvariantCulture));
    }

    /// <summary>The settings that google/packetdrill's scripts begin with; those that this kernel does not have are left out.</summary>
    private bool SetDefaults(string[] words, StringBuilder output, string input)
    {
        foreach (string setting in s_defaults)
        {
            _network.Run(["sysctl", "-q", "-e", setting], output);
        }

        return true;
    }

    /// <summary>set_sysctls.py path=value ...: sets them, and notes what they were.</summary>
    private bool SetSysctls(string[] words, StringBuilder output, string input)
    {
        foreach (string word in words[1..])
        {
            int separator = word.IndexOf('=', StringComparison.Ordinal);
            StringBuilder before = new();
            if (separator < 0 || !_network.Read(word[..separator], before) || !_network.Write(word[..separator], word[(separator + 1)..]))
            {
                return false;
            }

            _restored.Add((word[..separator], before.ToString()));
        }

        return true;
    }

    private bool Grep(string[] words, StringBuilder output, string input)
    {
        string[] paths = words[2..];
        StringBuilder text = new(input);
        if (words.Length < 2 || !paths.All(path => _network.Read(path, text)))
        {
            return false;
        }

        string[] found = [.. text.ToString().Split('\n').Where(line => line.Contains(words[1], StringComparison.Ordinal))];
        foreach (string line in found)
        {
            Print(output, line);
        }

        return found.Length > 0;
    }

    /// <summary>dd of=file count=n bs=n: so many bytes of 0.</summary>
    private bool CopyZeros(string[] words, StringBuilder output, string input)
    {
        Dictionary<string, string> operands = words[1..].Select(static word => word.Split('=', 2)).Where(static pair => pair.Length == 2)
            .ToDictionary(static pair => pair[0], static pair => pair[1]);
        bool isRight = operands.GetValueOrDefault("if") == "/dev/zero"
            & int.TryParse(operands.GetValueOrDefault("bs", "512"), CultureInfo.InvariantCulture, out int size)
            & int.TryParse(operands.GetValueOrDefault("count", "1"), CultureInfo.InvariantCulture, out int count);
        return isRight && operands.TryGetValue("of", out string? path) && _network.Write(path, new string('\0', checked(size * count)));
    }

    private bool Remove(string[] words, StringBuilder output, string input)
    {
        const int AtCurrentDirectory = -100;
        foreach (string path in words[1..].Where(static word => word[0] != '-'))
        {
            _run.Process.Unlinkat(AtCurrentDirectory, Encoding.UTF8.GetBytes(path), 0);
        }

        return true;
    }
}

using System.CommandLine;
using System.CommandLine.Invocation;
using System.Text;

namespace Portico.Cli;

/// <summary>
/// The answer to <c>--help</c>: usage as people write it, the options in the order of what they are for, and examples.
/// </summary>
internal sealed class HelpText : SynchronousCommandLineAction
{
    private const int Width = 80;
    private const int Indent = 24;
    private const string OtherOptions = "Other options";

    /// <summary>Usage and examples of the commands, by name.</summary>
    private static readonly Dictionary<string, (string Usage, string[] Examples)> s_commands = new()
    {
        ["portico"] = ("portico COMMAND [options]", ["portico run -- curl -s http://portico.internal/", "portico run --help"]),
        ["run"] =
        (
            "portico run [options] -- COMMAND [ARGS...]",
            [
                "portico run --trace -- curl -s http://portico.internal/",
                "portico run --pcap out.pcapng --loss 2% --delay 50ms -- ssh host.example",
                "portico run -p 8080:80 -- python3 -m http.server 80",
                "portico run --deny all --allow example.com:443 -- curl https://example.com/",
            ]
        ),
        ["ps"] = ("portico ps [options]", []),
        ["ss"] = ("portico ss [options] [RUN] [FILTER]", ["portico ss", "portico ss -tn web state established"]),
        ["publish"] =
        (
            "portico publish [--run RUN] [--remove] SPEC...\n       portico publish [--run RUN] --list",
            ["portico publish 8080:80", "portico publish --run web --remove 8080:80"]
        ),
        ["plot"] = ("portico plot [options] FILE", ["portico plot out.pcapng", "portico plot -c 2 -o - out.pcapng"]),
        ["tour"] = ("portico tour [options] [CHAPTER...]", ["portico tour", "portico tour handshake limits"]),
        ["script"] =
        (
            "portico script [options] PATH...",
            ["portico script --ip-version ipv4 handshake.pkt", "portico script --twice scripts/"]
        ),
        ["native"] = ("portico native [DIRECTORY]", ["./portico native", "./portico native /usr/local/lib"]),
        ["impair"] = ("portico impair [options] [RUN]", ["portico impair --loss 5%", "portico impair web --clear"]),
    };

    /// <summary>What the many options of <c>portico run</c> are for; those that are not named here come last.</summary>
    private static readonly (string Title, string[] Options)[] s_groups =
    [
        ("See it", ["--trace", "--trace-packets", "--pcap", "--stats", "--json"]),
        (
            "Shape it, break it",
            [
                "--delay", "--jitter", "--loss", "--loss-burst", "--reorder", "--duplicate", "--corrupt", "--rate", "--queue", "--partition",
                "--seed",
            ]
        ),
        ("What the command may reach, and by which names", ["--allow", "--deny", "--host-loopback", "--dns", "--add-host"]),
        ("Who may reach the command", ["--publish"]),
    ];

    public override int Invoke(ParseResult parseResult)
    {
        Command command = parseResult.CommandResult.Command;
        (string usage, string[] examples) = s_commands[command.Name];
        StringBuilder text = new();
        AppendWrapped(text, "", 0, command.Description!);
        text.Append($"\nUsage: {usage}\n");
        AppendSection(text, "Commands", command.Subcommands.Where(c => !c.Hidden).Select(c => (c.Name, c.Description!)));
        AppendSection(
            text, "Arguments", command.Arguments.Where(a => a.Description != null).Select(a => (a.Name.ToUpperInvariant(), a.Description!)));
        ILookup<string, Option> groups = command.Options.Where(o => !o.Hidden).ToLookup(o => command.Name == "run" ? Group(o) : "Options");
        foreach (string title in (string[])[.. s_groups.Select(g => g.Title), OtherOptions, "Options"])
        {
            // In the order of the group, and those that are not in it in their own.
            string[] order = s_groups.FirstOrDefault(g => g.Title == title).Options ?? [];
            AppendSection(text, title, groups[title].OrderBy(o => Array.IndexOf(order, o.Name)).Select(o => (Names(o), o.Description!)));
        }

        if (examples.Length > 0)
        {
            text.Append("\nExamples:\n");
            foreach (string example in examples)
            {
                text.Append($"  {example}\n");
            }
        }

        parseResult.InvocationConfiguration.Output.Write(text);
        return 0;
    }

    private static string Group(Option option) =>
        s_groups.FirstOrDefault(g => g.Options.Contains(option.Name)).Title ?? OtherOptions;

    /// <summary>"-p, --publish SPEC"; "--trace[=FILE]" where the value may be left out.</summary>
    private static string Names(Option option)
    {
        IEnumerable<string> names = option.Aliases.Append(option.Name).Where(n => n[0] == '-').Distinct().OrderBy(n => n.Length);
        string value = option.HelpName == null ? "" : option.Arity.MinimumNumberOfValues == 0 ? $"[={option.HelpName}]" : $" {option.HelpName}";
        return string.Join(", ", names) + value;
    }

    private static void AppendSection(StringBuilder text, string title, IEnumerable<(string Name, string Description)> rows)
    {
        if (rows.Any())
        {
            text.Append($"\n{title}:\n");
            foreach ((string name, string description) in rows)
            {
                AppendWrapped(text, $"  {name}", Indent, description);
            }
        }
    }

    /// <summary>A name and its description beside it, or below it where the name is long.</summary>
    private static void AppendWrapped(StringBuilder text, string name, int indent, string description)
    {
        text.Append(name);
        int column = name.Length;
        if (column > indent - 2 && indent > 0)
        {
            text.Append('\n');
            column = 0;
        }

        text.Append(' ', indent - column);
        column = indent;
        foreach (string word in description.Split(' '))
        {
            if (column > indent)
            {
                if (column + 1 + word.Length > Width)
                {
                    text.Append('\n').Append(' ', indent);
                    column = indent;
                }
                else
                {
                    text.Append(' ');
                    ++column;
                }
            }

            text.Append(word);
            column += word.Length;
        }

        text.Append('\n');
    }
}

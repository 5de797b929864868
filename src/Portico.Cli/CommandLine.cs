using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Parsing;

namespace Portico.Cli;

/// <summary>The tool's commands and their options.</summary>
internal static class CommandLine
{
    /// <summary>Exit status for the tool's own failures, as <c>docker run</c> has it.</summary>
    public const int OwnFailure = 125;

    public static int Run(string[] arguments)
    {
        // What stands behind the first "--" is the command's, whatever it looks like.
        int separator = Array.IndexOf(arguments, "--");
        string[] own = TraceFlags.Attach(separator < 0 ? arguments : arguments[..separator]);
        string[] command = separator < 0 ? [] : arguments[(separator + 1)..];

        Command root = Create(command, own);
        ParseResult result = root.Parse(own);
        if ((UnknownCommand(root, result) ?? UnknownOption(result)) is string unknown)
        {
            Terminal.Error(unknown);
            return OwnFailure;
        }

        if (result.Errors.Count == 0)
        {
            return result.Invoke();
        }

        Terminal.Error(result.Errors[0].Message);
        return OwnFailure;
    }

    /// <summary>All commands. <paramref name="command"/> is what stands behind "--", <paramref name="own"/> what stands before it.</summary>
    internal static Command Create(string[] command, string[] own)
    {
        Command root = new("portico", "Gives a program a network of its own, made by a TCP/IP stack in user space.");
        root.Options.Add(new HelpOption { Action = new HelpText(), Description = "Show this help." });
        root.Options.Add(new VersionOption { Description = "Show the version." });
        root.Subcommands.Add(RunCommand.Create(command, own));
        root.Subcommands.Add(PsCommand.Create());
        root.Subcommands.Add(SsCommand.Create());
        root.Subcommands.Add(PublishCommand.Create());
        root.Subcommands.Add(ImpairCommand.Create());
        root.Subcommands.Add(PlotCommand.Create());
        root.Subcommands.Add(TourCommand.Create());
        root.Subcommands.Add(ScriptCommand.Create());
        root.Subcommands.Add(NativeCommand.Create());
        return root;
    }

    /// <summary>What is wrong where the first word is no command; null where it is one, or asks for help.</summary>
    private static string? UnknownCommand(Command root, ParseResult result)
    {
        if (result.CommandResult.Command != root || result.Errors.Count == 0)
        {
            return null;
        }

        string[] commands = [.. root.Subcommands.Select(c => c.Name)];
        if (result.Tokens.Count == 0)
        {
            return $"no command; there are {string.Join(", ", commands)}: see portico --help";
        }

        string word = result.Tokens[0].Value;
        string nearest = commands.MinBy(c => Distance(c, word))!;
        return Distance(nearest, word) <= 2 && word.Length > 2
            ? $"unknown command '{word}'; did you mean '{nearest}'?"
            : $"unknown command '{word}'; there are {string.Join(", ", commands)}";
    }

    /// <summary>
    /// An option that does not exist would be taken for the command to run. Says so, with the spelling that comes nearest; null where
    /// there is none, or a command stands before it.
    /// </summary>
    private static string? UnknownOption(ParseResult result)
    {
        Command command = result.CommandResult.Command;
        foreach (Token token in result.Tokens)
        {
            if (token.Type != TokenType.Argument)
            {
                continue;
            }

            if (!token.Value.StartsWith('-') || result.CommandResult.Children.Any(c => c is OptionResult o && o.Tokens.Contains(token)))
            {
                if (result.CommandResult.Children.Any(c => c is ArgumentResult a && a.Tokens.Contains(token)))
                {
                    return null;
                }

                continue;
            }

            string name = token.Value.Split('=')[0];
            string? nearest = command.Options.Where(o => !o.Hidden).Select(o => o.Name).MinBy(o => Distance(o, name));
            return nearest != null && Distance(nearest, name) <= 2
                ? $"{command.Name}: unknown option '{name}'; did you mean '{nearest}'?"
                : $"{command.Name}: unknown option '{name}'{(command.Name == "run" ? "; the command's own options go behind --" : "")}";
        }

        return null;
    }

    /// <summary>The least number of letters to insert, delete or replace.</summary>
    private static int Distance(string a, string b)
    {
        int[] row = [.. Enumerable.Range(0, b.Length + 1)];
        for (int i = 1; i <= a.Length; i++)
        {
            int diagonal = row[0];
            row[0] = i;
            for (int j = 1; j <= b.Length; j++)
            {
                int above = row[j];
                row[j] = Math.Min(Math.Min(row[j - 1], above) + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1));
                diagonal = above;
            }
        }

        return row[^1];
    }
}

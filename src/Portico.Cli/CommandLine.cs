using System.CommandLine;
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
        string[] own = separator < 0 ? arguments : arguments[..separator];
        string[] command = separator < 0 ? [] : arguments[(separator + 1)..];

        RootCommand root = new("A TCP/IP stack in user space.");
        root.Subcommands.Add(RunCommand.Create(command, own));
        ParseResult result = root.Parse(own);
        if (result.Errors.Count == 0)
        {
            return result.Invoke();
        }

        Terminal.Error(result.Errors[0].Message);
        return OwnFailure;
    }
}

using System.CommandLine;

namespace Portico.Cli.Tests;

public sealed class HelpTests
{
    private static string Help(params string[] arguments)
    {
        StringWriter output = new();
        Assert.Equal(0, CommandLine.Create([], arguments).Parse([.. arguments, "--help"]).Invoke(new() { Output = output }));
        return output.ToString();
    }

    [Fact]
    public void Every_command_has_help_that_fits_a_terminal_of_80_columns()
    {
        foreach (string[] command in (string[][])[[], .. CommandLine.Create([], []).Subcommands.Select(c => (string[])[c.Name])])
        {
            string help = Help(command);
            Assert.Contains($"\nUsage: {string.Join(' ', (string[])["portico", .. command])}", help, StringComparison.Ordinal);
            Assert.All(help.Split('\n'), line => Assert.True(line.Length <= 80, line));
        }
    }

    [Fact]
    public void The_options_of_run_stand_under_what_they_are_for()
    {
        string[] titles = [.. Help("run").Split('\n').Where(l => l.EndsWith(':') && !l.StartsWith(' '))];
        Assert.Equal(
            [
                "Arguments:", "See it:", "Shape it, break it:", "What the command may reach, and by which names:",
                "Who may reach the command:", "Other options:", "Examples:",
            ], titles);
    }

    [Fact]
    public void A_value_that_may_be_left_out_stands_in_brackets_and_short_names_come_first()
    {
        string help = Help("run");
        Assert.Contains("\n  --trace[=FILE]        Tell what", help, StringComparison.Ordinal);
        Assert.Contains("\n  -p, --publish SPEC    Let a port", help, StringComparison.Ordinal);
        Assert.DoesNotContain("--in-user-namespace", help, StringComparison.Ordinal);
    }
}

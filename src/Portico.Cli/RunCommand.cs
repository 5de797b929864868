using System.CommandLine;
using System.CommandLine.Parsing;
using Portico.Linux;
using Portico.Net;

namespace Portico.Cli;

/// <summary><c>portico run</c>: its options, and what becomes of failures.</summary>
internal static class RunCommand
{
    private const string InsideFlag = "--in-user-namespace";

    public static Command Create(string[] commandLine, string[] ownArguments)
    {
        TraceFlags trace = new();
        ShapingFlags shaping = new();
        Option<ulong> seed = new("--seed") { Description = "Lose, delay and so on the same packets of the same traffic again.", HelpName = "N" };
        Option<int> mtu = new("--mtu") { Description = "The MTU of the command's device.", HelpName = "BYTES" };
        Option<int> busyPoll = new("--busy-poll")
        {
            Description = "How many microseconds to look for the next packet before sleeping, while packets go back and forth (50; 0: never).",
            HelpName = "USECS",
            DefaultValueFactory = _ => RunOptions.BusyPollDefault,
        };
        PolicyFlags policy = new();
        Option<bool> stats = new("--stats") { Description = "Print counters at the end." };
        Option<string?> name = new("--name") { Description = "What portico ps, ss and the like call this run.", HelpName = "NAME" };
        Option<bool> inside = new(InsideFlag) { Hidden = true };
        Argument<string[]> command = new("command") { Description = "The program to run. Whatever follows -- is its own.", Arity = ArgumentArity.ZeroOrMore };

        Command run = new("run", "Runs a command with a network of its own, made by Portico.");
        Option[] options = [seed, mtu, busyPoll, stats, name, inside];
        foreach (Option option in options)
        {
            run.Options.Add(option);
        }

        shaping.AddTo(run);
        policy.AddTo(run);
        trace.AddTo(run);
        PublishFlags publish = new();
        publish.AddTo(run);
        run.Arguments.Add(command);
        run.SetAction(result =>
        {
            string[] line = [.. result.GetValue(command) ?? [], .. commandLine];
            if (line.Length == 0)
            {
                Terminal.Error("run: no command; usage: portico run [options] -- COMMAND [ARGS...]");
                return CommandLine.OwnFailure;
            }

            RunOptions Asked() => new()
            {
                CommandLine = line,
                Trace = trace.Read(result),
                Shaping = shaping.Read(result),
                Seed = result.GetResult(seed) is null ? null : result.GetValue(seed),
                Mtu = result.GetValue(mtu),
                BusyPoll = Duration.FromMicroseconds(result.GetValue(busyPoll)),
                Policy = policy.Read(result),
                Publish = publish.Read(result),
                Stats = result.GetValue(stats),
                Name = result.GetValue(name),
            };
            return Execute(Asked, result.GetValue(inside), ownArguments);
        });
        return run;
    }

    private static int Execute(Func<RunOptions> ask, bool isInside, string[] ownArguments)
    {
        try
        {
            RunOptions options = ask();
            options.Validate();
            string? path = CommandPath.Find(options.CommandLine[0], out Errno error);
            if (path == null)
            {
                Terminal.Error($"{options.CommandLine[0]}: {(error == Errno.EACCES ? "cannot be executed" : "command not found")}");
                return error == Errno.EACCES ? 126 : 127;
            }

            if (!isInside && !UserNamespace.HasSystemAdministration)
            {
                int first = Array.IndexOf(ownArguments, "run") + 1;
                UserNamespace.Reenter(["run", InsideFlag, .. ownArguments[first..], "--", .. options.CommandLine]);
            }

            using ControlServer control = new(ControlDirectory.FromEnvironment(), options.Name);
            using RunSession session = new(options, control);
            return session.Run(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            Terminal.Error(e.Message);
            return CommandLine.OwnFailure;
        }
    }
}

using System.CommandLine;
using System.CommandLine.Parsing;
using Portico.Linux;
using Portico.Net;

namespace Portico.Cli;

/// <summary><c>portico run</c>: its options, and what becomes of failures.</summary>
internal static class RunCommand
{
    private const string InsideFlag = "--in-user-namespace";

    private delegate bool Parser<T>(ReadOnlySpan<char> text, out T value);

    public static Command Create(string[] commandLine, string[] ownArguments)
    {
        TraceFlags trace = new();
        Option<double> loss = Quantity<double>(
            "--loss", "P", "Lose this share of the packets, each way: 2% or 0.02.", Quantities.TryParseProbability);
        Option<double> duplicate = Quantity<double>(
            "--duplicate", "P", "Deliver this share of the packets twice.", Quantities.TryParseProbability);
        Option<double> corrupt = Quantity<double>(
            "--corrupt", "P", "Flip a bit in this share of the packets.", Quantities.TryParseProbability);
        Option<double> reorder = Quantity<double>(
            "--reorder", "P", "Let later packets overtake this share.", Quantities.TryParseProbability);
        Option<Duration> delay = Quantity<Duration>("--delay", "T", "Delay each packet, each way: 50ms.", Quantities.TryParseDuration);
        Option<Duration> jitter = Quantity<Duration>("--jitter", "T", "Vary the delay by up to this much.", Quantities.TryParseDuration);
        Option<long> rate = Quantity<long>("--rate", "R", "Limit the rate, each way: 10mbit.", Quantities.TryParseRate);
        Option<int> queue = new("--queue")
        {
            Description = "The packets that may wait for the rate.",
            HelpName = "N",
            DefaultValueFactory = _ => 1000,
        };
        Option<ulong> seed = new("--seed") { Description = "Makes the same choices again.", HelpName = "N" };
        Option<int> mtu = new("--mtu") { Description = "The MTU of the command's device.", HelpName = "BYTES" };
        PolicyFlags policy = new();
        Option<bool> stats = new("--stats") { Description = "Print counters at the end." };
        Option<string?> name = new("--name") { Description = "What portico ps, ss and the like call this run.", HelpName = "NAME" };
        Option<bool> inside = new(InsideFlag) { Hidden = true };
        Argument<string[]> command = new("command") { Description = "-- COMMAND [ARGS...]", Arity = ArgumentArity.ZeroOrMore };

        Command run = new("run", "Runs a command with a network of its own, made by Portico.");
        Option[] options = [loss, duplicate, corrupt, reorder, delay, jitter, rate, queue, seed, mtu, stats, name, inside];
        foreach (Option option in options)
        {
            run.Options.Add(option);
        }

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
                Loss = result.GetValue(loss),
                Duplicate = result.GetValue(duplicate),
                Corrupt = result.GetValue(corrupt),
                Reorder = result.GetValue(reorder),
                Delay = result.GetValue(delay),
                Jitter = result.GetValue(jitter),
                RateBitsPerSecond = result.GetValue(rate),
                QueuePackets = result.GetValue(queue),
                Seed = result.GetResult(seed) is null ? null : result.GetValue(seed),
                Mtu = result.GetValue(mtu),
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
                UserNamespace.Reenter(["run", InsideFlag, .. ownArguments.Where(a => a != "run"), "--", .. options.CommandLine]);
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

    private static Option<T> Quantity<T>(string name, string helpName, string description, Parser<T> parser) => new(name)
    {
        Description = description,
        HelpName = helpName,
        CustomParser = result =>
        {
            string text = result.Tokens.Count == 1 ? result.Tokens[0].Value : "";
            if (text.Length == 0 || !parser(text, out T value))
            {
                result.AddError($"{name}: '{text}' is not valid; {description}");
                return default!;
            }

            return value;
        },
    };
}

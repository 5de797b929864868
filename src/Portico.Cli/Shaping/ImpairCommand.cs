using System.CommandLine;

namespace Portico.Cli;

/// <summary><c>portico impair</c>: shows and changes what is done to the traffic of a run.</summary>
internal static class ImpairCommand
{
    public static Command Create()
    {
        ShapingFlags shaping = new();
        Option<string[]> heal = RepeatableOption.Create("--heal", "DEST", "End a partition; all for all of them.");
        Option<string[]> remove = RepeatableOption.Create("--remove", "DEST", "Take away what was set for a destination; all for @all.");
        Option<bool> clear = new("--clear") { Description = "Take everything away, partitions too; what else is asked for comes after." };
        Option<bool> show = new("--show") { Description = "Show what is in force and what it has done; also without any option." };
        Option<bool> json = new("--json") { Description = "Show it as a JSON object." };
        Option<string?> run = ControlClient.RunOption();
        Argument<string?> id = new("ID") { Description = "The run, by its name or process id.", Arity = ArgumentArity.ZeroOrOne };
        Command impair = new("impair", "Shows and changes what is done to the traffic of a run, while it runs.");
        shaping.AddTo(impair);
        foreach (Option option in (Option[])[heal, remove, clear, show, json, run])
        {
            impair.Options.Add(option);
        }

        impair.Arguments.Add(id);
        impair.SetAction(result =>
        {
            List<string> words = [];
            words.AddRange(result.GetValue(clear) ? ["clear"] : []);
            words.AddRange((result.GetValue(remove) ?? []).Select(d => $"remove={d}"));
            words.AddRange((result.GetValue(heal) ?? []).Select(d => $"heal={d}"));
            string[] added = [.. shaping.Words(result)];
            words.AddRange(added);
            try
            {
                // The run would say so, too; but it need not be there for a typing error.
                ShapingFlags.Apply(ShapingPlan.Empty, added);
            }
            catch (ArgumentException e)
            {
                Terminal.Error(e.Message);
                return CommandLine.OwnFailure;
            }

            if (words.Count == 0 || result.GetValue(show) || result.GetValue(json))
            {
                words.Add(result.GetValue(json) ? "json" : "show");
            }

            return ControlClient.Call(result.GetValue(run) ?? result.GetValue(id), "impair", words);
        });
        return impair;
    }
}

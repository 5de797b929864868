using System.CommandLine;

namespace Portico.Cli;

/// <summary>The options that shape traffic, the same for <c>portico run</c> and <c>portico impair</c>.</summary>
internal sealed class ShapingFlags
{
    private readonly List<(ShapingSetting Setting, Option<string[]> Option)> _settings = [];

    private readonly Option<string[]> _partition = RepeatableOption.Create(
        "--partition", "DEST", "Drop everything to and from DEST: a name, an address or a CIDR, with :PORT or without; or all.");

    public ShapingFlags()
    {
        foreach (ShapingSetting setting in ShapingSetting.All)
        {
            string[] values = [setting.HelpName, $"up={setting.HelpName},down={setting.HelpName}"];
            Option<string[]> option = RepeatableOption.Create($"--{setting.Name}", $"{string.Join('|', values)}[@DEST]", setting.Description);
            if (setting.WithoutValue != null)
            {
                option.Arity = ArgumentArity.ZeroOrMore;
            }

            _settings.Add((setting, option));
        }
    }

    public void AddTo(Command command)
    {
        foreach ((_, Option<string[]> option) in _settings)
        {
            command.Options.Add(option);
        }

        command.Options.Add(_partition);
    }

    /// <summary>What was asked for, as "NAME=VALUE".</summary>
    public IEnumerable<string> Words(ParseResult result)
    {
        foreach ((ShapingSetting setting, Option<string[]> option) in _settings)
        {
            if (setting.WithoutValue != null && result.GetResult(option) is { } given && given.IdentifierTokenCount > given.Tokens.Count)
            {
                yield return $"{setting.Name}={setting.WithoutValue}";
            }

            foreach (string value in result.GetValue(option) ?? [])
            {
                yield return $"{setting.Name}={value}";
            }
        }

        foreach (string target in result.GetValue(_partition) ?? [])
        {
            yield return $"partition={target}";
        }
    }

    /// <summary>What was asked for as a plan; throws <see cref="ArgumentException"/> with one line where something is wrong.</summary>
    public ShapingPlan Read(ParseResult result) => Apply(ShapingPlan.Empty, Words(result)).Checked();

    /// <summary>Makes changes to a plan: the words of <see cref="Words"/>, and "remove=DEST", "heal=DEST" and "clear".</summary>
    public static ShapingPlan Apply(ShapingPlan plan, IEnumerable<string> words)
    {
        foreach (string word in words)
        {
            int split = word.IndexOf('=', StringComparison.Ordinal);
            string name = split < 0 ? word : word[..split];
            string value = split < 0 ? "" : word[(split + 1)..];
            ShapingSetting? setting = ShapingSetting.All.FirstOrDefault(s => s.Name == name);
            plan = name switch
            {
                "clear" => ShapingPlan.Empty,
                "remove" => plan.Without(value),
                "heal" => plan.WithoutPartition(value),
                "partition" => plan.WithPartition(value),
                _ => setting != null ? plan.With(setting, value)
                    : throw new ArgumentException($"impair: '{word}' is not known to this run"),
            };
        }

        return plan;
    }
}

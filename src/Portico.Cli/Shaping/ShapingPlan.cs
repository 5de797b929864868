using Portico.Net;

namespace Portico.Cli;

/// <summary>What was said about one target; up is from the command, down to it.</summary>
internal sealed record ShapingRule(ShapingTarget Target, ShapingSettings Up, ShapingSettings Down);

/// <summary>
/// All shaping of a run, as it was asked for. Never changes: each change makes another plan, so that one that is refused leaves the old
/// one in force. Errors are <see cref="ArgumentException"/>s of one line.
/// </summary>
internal sealed record ShapingPlan(IReadOnlyList<ShapingRule> Rules, IReadOnlyList<ShapingTarget> Partitions)
{
    public static ShapingPlan Empty { get; } = new([], []);

    /// <summary>Whether single packets are hit somewhere, so that the device must carry packets as a wire would.</summary>
    public bool HitsPackets => Rules.Any(r => r.Up.HitsPackets || r.Down.HitsPackets);

    /// <summary>
    /// With a setting as it is written: "2%", "up=2%", "up=2%,down=0.5%", and "@TARGET" behind it for one destination.
    /// </summary>
    public ShapingPlan With(ShapingSetting setting, string text)
    {
        int at = text.IndexOf('@', StringComparison.Ordinal);
        ShapingTarget target = at < 0 ? ShapingTarget.All : Target($"--{setting.Name}", text[(at + 1)..]);
        ShapingRule rule = Rules.FirstOrDefault(r => r.Target == target)
            ?? new ShapingRule(target, ShapingSettings.None, ShapingSettings.None);
        foreach (string part in (at < 0 ? text : text[..at]).Split(','))
        {
            bool onlyUp = part.StartsWith("up=", StringComparison.Ordinal);
            bool onlyDown = part.StartsWith("down=", StringComparison.Ordinal);
            string value = onlyUp || onlyDown ? part[(part.IndexOf('=', StringComparison.Ordinal) + 1)..] : part;
            ShapingSettings? up = setting.With(rule.Up, value);
            ShapingSettings? down = setting.With(rule.Down, value);
            if (up == null || down == null)
            {
                throw new ArgumentException(
                    $"--{setting.Name}: '{value}' is not {setting.Expected} (also up=...,down=... and ...@DESTINATION)");
            }

            rule = rule with { Up = onlyDown ? rule.Up : up, Down = onlyUp ? rule.Down : down };
        }

        return this with { Rules = [.. Rules.Where(r => r.Target != target), rule] };
    }

    /// <summary>Without what was said about a target.</summary>
    public ShapingPlan Without(string text)
    {
        ShapingTarget target = Target("--remove", text);
        ShapingRule[] left = [.. Rules.Where(r => r.Target != target)];
        return left.Length < Rules.Count
            ? this with { Rules = left }
            : throw new ArgumentException($"--remove: nothing is set for {target.Text}; see portico impair --show");
    }

    /// <summary>With a target cut off.</summary>
    public ShapingPlan WithPartition(string text)
    {
        ShapingTarget target = Target("--partition", text);
        return this with { Partitions = [.. Partitions.Where(p => p != target), target] };
    }

    /// <summary>Without a partition; "all" ends all of them.</summary>
    public ShapingPlan WithoutPartition(string text)
    {
        ShapingTarget target = Target("--heal", text);
        ShapingTarget[] left = target == ShapingTarget.All ? [] : [.. Partitions.Where(p => p != target)];
        return left.Length < Partitions.Count || target == ShapingTarget.All
            ? this with { Partitions = left }
            : throw new ArgumentException($"--heal: {target.Text} is not cut off; see portico impair --show");
    }

    /// <summary>Throws where something that was asked for contradicts something else.</summary>
    public ShapingPlan Checked()
    {
        foreach (ShapingRule rule in Rules)
        {
            ShapingRule? all = Rules.FirstOrDefault(r => r.Target == ShapingTarget.All);
            rule.Up.Over(all?.Up ?? ShapingSettings.None).ToImpairment();
            rule.Down.Over(all?.Down ?? ShapingSettings.None).ToImpairment();
        }

        return this;
    }

    private static ShapingTarget Target(string option, string text)
    {
        try
        {
            return ShapingTarget.Parse(text);
        }
        catch (ArgumentException e)
        {
            throw new ArgumentException($"{option}: {e.Message}");
        }
    }
}

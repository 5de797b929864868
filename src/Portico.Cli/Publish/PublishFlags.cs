using System.CommandLine;

namespace Portico.Cli;

/// <summary>The option of <c>portico run</c> by which ports of the host lead to the command.</summary>
internal sealed class PublishFlags
{
    public const string Help =
        "Let a port of the host lead to a port of the command: [ADDR:][HOSTPORT:]PORT[/udp], also ranges. Without ADDR on all addresses "
        + "of both families; without HOSTPORT (or 0) on a free port, which is printed. 'auto' publishes what the command listens on, "
        + "on the host's loopback addresses or ADDR.";

    private readonly Option<string[]> _publish = RepeatableOption.Create("--publish", "SPEC", Help, "-p");

    public void AddTo(Command run) => run.Options.Add(_publish);

    /// <summary>What was asked for; throws for what cannot be understood.</summary>
    public IReadOnlyList<PublishSpec> Read(ParseResult result) => [.. (result.GetValue(_publish) ?? []).Select(PublishSpec.Parse)];
}

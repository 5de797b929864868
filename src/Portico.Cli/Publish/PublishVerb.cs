using Portico.Linux;

namespace Portico.Cli;

/// <summary>The run's answer to <c>portico publish</c>.</summary>
internal sealed class PublishVerb(Publishing publishing)
{
    public const string ListFlag = "--list";
    public const string RemoveFlag = "--remove";

    // Clients have threads of their own, and the list of what is published is to change as a whole.
    private readonly object _gate = new();

    public int Answer(IReadOnlyList<string> arguments, ControlResponse response)
    {
        lock (_gate)
        {
            if (arguments is [ListFlag])
            {
                foreach (string line in publishing.List())
                {
                    response.WriteLine(line);
                }

                return 0;
            }

            bool isRemoval = arguments is [RemoveFlag, ..];
            PublishSpec[] specs = [.. arguments.Skip(isRemoval ? 1 : 0).Select(PublishSpec.Parse)];
            foreach (PublishSpec spec in specs)
            {
                if (!isRemoval)
                {
                    publishing.Add(spec, response.WriteLine);
                }
                else if (publishing.Remove(spec) == 0)
                {
                    throw new ArgumentException($"--remove {spec.Text}: nothing like that is published; see portico publish --list");
                }
            }

            return 0;
        }
    }
}

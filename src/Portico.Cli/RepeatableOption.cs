using System.CommandLine;

namespace Portico.Cli;

/// <summary>Options that may be given more than once, each time with one value.</summary>
internal static class RepeatableOption
{
    public static Option<string[]> Create(string name, string helpName, string description, params string[] aliases) => new(name, aliases)
    {
        Description = description,
        HelpName = helpName,
        Arity = ArgumentArity.OneOrMore,
        AllowMultipleArgumentsPerToken = false,
    };
}

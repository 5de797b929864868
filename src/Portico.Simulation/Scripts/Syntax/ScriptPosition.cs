using System.Globalization;

namespace Portico.Simulation.Scripts;

/// <summary>A place in a script: line and column, both counted from 1.</summary>
public readonly record struct ScriptPosition(int Line, int Column)
{
    /// <inheritdoc/>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Line}:{Column}");
}

/// <summary>A script is not written as it should be; the message says where and what was expected.</summary>
public sealed class ScriptSyntaxException : Exception
{
    /// <summary>Says what is wrong at a place of a file.</summary>
    public ScriptSyntaxException(string path, ScriptPosition position, string problem)
        : base($"{path}:{position}: {problem}")
    {
        Path = path;
        Position = position;
        Problem = problem;
    }

    /// <summary>The file.</summary>
    public string Path { get; }

    /// <summary>Where in the file.</summary>
    public ScriptPosition Position { get; }

    /// <summary>What is wrong there.</summary>
    public string Problem { get; }
}

namespace Portico.Simulation.Scripts;

/// <summary>Something did not come as the script says: ends the run.</summary>
internal sealed class ScriptFailure : Exception
{
    public ScriptFailure(ScriptPosition position, string reason, string? expected = null, string? actual = null)
        : base(reason)
    {
        Position = position;
        Expected = expected;
        Actual = actual;
    }

    public ScriptPosition Position { get; }

    /// <summary>What the script says, to be shown beside what came.</summary>
    public string? Expected { get; }

    public string? Actual { get; }
}

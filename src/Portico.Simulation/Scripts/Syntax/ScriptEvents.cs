namespace Portico.Simulation.Scripts;

internal enum TimeKind
{
    /// <summary>Seconds after the first event.</summary>
    Absolute,

    /// <summary>+seconds after the event before.</summary>
    Relative,

    /// <summary>*: any time.</summary>
    Any,

    /// <summary>a~b</summary>
    AbsoluteRange,

    /// <summary>+a~+b</summary>
    RelativeRange,
}

/// <summary>When something happens, in microseconds.</summary>
internal readonly record struct EventTime(TimeKind Kind, long Start, long End)
{
    public bool IsRange => Kind is TimeKind.AbsoluteRange or TimeKind.RelativeRange;

    public bool IsRelative => Kind is TimeKind.Relative or TimeKind.RelativeRange;
}

/// <summary>One line of a script: what happens, or is to happen, and when.</summary>
internal abstract record ScriptEvent(ScriptPosition Position, EventTime Time)
{
    /// <summary>As errors name it.</summary>
    public abstract string Description { get; }
}

internal sealed record PacketEvent(ScriptPosition Position, EventTime Time, PacketTemplate Packet) : ScriptEvent(Position, Time)
{
    public override string Description => Packet.IsInbound ? "inbound packet" : "outbound packet";
}

/// <param name="Position">Where it begins.</param>
/// <param name="Time">When the call is made.</param>
/// <param name="Name">The call's name.</param>
/// <param name="Arguments">What it is given.</param>
/// <param name="Result">What it returns.</param>
/// <param name="ErrorName">The errno's name where it is to fail.</param>
/// <param name="EndTime">When it returns, in microseconds as the time says: for a call that blocks. -1 for one that does not.</param>
internal sealed record CallEvent(
    ScriptPosition Position, EventTime Time, string Name, List<Expression> Arguments, Expression Result, string? ErrorName, long EndTime)
    : ScriptEvent(Position, Time)
{
    public bool IsBlocking => EndTime >= 0;

    public override string Description => "system call";
}

internal sealed record CommandEvent(ScriptPosition Position, EventTime Time, string Command) : ScriptEvent(Position, Time)
{
    public override string Description => "command";
}

internal sealed record CodeEvent(ScriptPosition Position, EventTime Time, CodeBlock Code) : ScriptEvent(Position, Time)
{
    public override string Description => "code";
}

/// <summary>An option that stands at the beginning of a script, or of the command line.</summary>
internal sealed record ScriptOption(ScriptPosition Position, string Name, string? Value);

namespace Portico.Simulation.Scripts;

/// <summary>An argument or a result of a system call, as it is written.</summary>
internal abstract record Expression(ScriptPosition Position);

/// <summary>...: whatever the runner takes, or whatever comes.</summary>
internal sealed record EllipsisExpression(ScriptPosition Position) : Expression(Position);

internal sealed record IntegerExpression(ScriptPosition Position, long Value) : Expression(Position);

/// <summary>A name of a constant.</summary>
internal sealed record WordExpression(ScriptPosition Position, string Name) : Expression(Position);

internal sealed record StringExpression(ScriptPosition Position, byte[] Bytes) : Expression(Position);

/// <summary>Several bits, joined by |.</summary>
internal sealed record OrExpression(ScriptPosition Position, Expression Left, Expression Right) : Expression(Position);

/// <summary>name = value, inside a list.</summary>
internal sealed record AssignmentExpression(ScriptPosition Position, string Name, Expression Value) : Expression(Position);

/// <summary>htons(8080), inet_addr("192.0.2.1")</summary>
internal sealed record FunctionExpression(ScriptPosition Position, string Name, List<Expression> Arguments) : Expression(Position);

/// <summary>[a, b] or {a, b}</summary>
internal sealed record ListExpression(ScriptPosition Position, List<Expression> Items) : Expression(Position);

/// <summary>{name = value, name(count) = value}: a structure of Linux.</summary>
internal sealed record StructureExpression(ScriptPosition Position, List<StructureField> Fields) : Expression(Position)
{
    public Expression? this[string name] => Fields.Find(field => field.Name == name)?.Value;

    public bool Has(string name) => this[name] != null;
}

/// <param name="Position">Where it begins.</param>
/// <param name="Name">The field's name in Linux's header.</param>
/// <param name="Length">What stands in parentheses behind the name: the length field that goes with it.</param>
/// <param name="Value">Its value.</param>
internal sealed record StructureField(ScriptPosition Position, string Name, Expression? Length, Expression Value);

namespace Portico.Simulation.Scripts;

/// <summary>What stands between %{ and }%: a small part of Python.</summary>
internal sealed record CodeBlock(List<CodeStatement> Statements);

internal abstract record CodeStatement(ScriptPosition Position);

/// <param name="Position">Where it begins.</param>
/// <param name="Condition">What has to hold.</param>
/// <param name="Message">What to say where it does not.</param>
/// <param name="Text">The condition as it is written.</param>
internal sealed record AssertStatement(ScriptPosition Position, CodeExpression Condition, CodeExpression? Message, string Text) : CodeStatement(Position);

internal sealed record PrintStatement(ScriptPosition Position, List<CodeExpression> Arguments) : CodeStatement(Position);

/// <param name="Position">Where it begins.</param>
/// <param name="Name">The variable.</param>
/// <param name="Operator">What is done with its value before, for +=; empty for =.</param>
/// <param name="Value">The value.</param>
internal sealed record AssignStatement(ScriptPosition Position, string Name, string Operator, CodeExpression Value) : CodeStatement(Position);

internal sealed record IfStatement(ScriptPosition Position, CodeExpression Condition, List<CodeStatement> Then, List<CodeStatement> Else) : CodeStatement(Position);

internal sealed record ExpressionStatement(ScriptPosition Position, CodeExpression Value) : CodeStatement(Position);

internal abstract record CodeExpression(ScriptPosition Position);

/// <param name="Position">Where it begins.</param>
/// <param name="Value">A long, a double, a bool, a string, or null for None.</param>
internal sealed record LiteralExpression(ScriptPosition Position, object? Value) : CodeExpression(Position);

internal sealed record NameExpression(ScriptPosition Position, string Name) : CodeExpression(Position);

internal sealed record UnaryExpression(ScriptPosition Position, string Operator, CodeExpression Operand) : CodeExpression(Position);

internal sealed record BinaryExpression(ScriptPosition Position, string Operator, CodeExpression Left, CodeExpression Right) : CodeExpression(Position);

/// <summary>a &lt;= b &lt; c</summary>
internal sealed record ComparisonExpression(ScriptPosition Position, CodeExpression First, List<(string Operator, CodeExpression Operand)> Others) : CodeExpression(Position);

internal sealed record TupleExpression(ScriptPosition Position, List<CodeExpression> Items) : CodeExpression(Position);

internal sealed record CallExpression(ScriptPosition Position, string Function, List<CodeExpression> Arguments) : CodeExpression(Position);

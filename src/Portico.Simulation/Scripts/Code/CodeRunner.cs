using System.Globalization;
using System.Text;

namespace Portico.Simulation.Scripts;

/// <summary>Code of a script did not hold, or could not be run.</summary>
internal sealed class CodeFailure(ScriptPosition position, string message) : Exception(message)
{
    public ScriptPosition Position { get; } = position;
}

/// <summary>Runs the code of a script. Variables stay from block to block.</summary>
internal sealed partial class CodeRunner(Action<string> print)
{
    private readonly Dictionary<string, object?> _variables = [];
    private Func<string, long?> _facts = static _ => null;

    /// <summary>Runs a block, with names for what is known at the moment.</summary>
    public void Run(CodeBlock block, Func<string, long?> facts)
    {
        _facts = facts;
        Run(block.Statements);
    }

    private void Run(List<CodeStatement> statements)
    {
        foreach (CodeStatement statement in statements)
        {
            Run(statement);
        }
    }

    private void Run(CodeStatement statement)
    {
        switch (statement)
        {
            case AssertStatement assertion when !IsTrue(Evaluate(assertion.Condition)):
                string message = assertion.Message == null ? "" : $": {Show(Evaluate(assertion.Message))}";
                throw new CodeFailure(assertion.Position, $"assert {assertion.Text}{message}{ShowNames(assertion.Condition)}");
            case PrintStatement output:
                print(string.Join(' ', output.Arguments.Select(argument => Show(Evaluate(argument)))));
                break;
            case AssignStatement assignment:
                object? value = Evaluate(assignment.Value);
                _variables[assignment.Name] = assignment.Operator.Length == 0
                    ? value
                    : Apply(assignment.Position, assignment.Operator, Find(assignment.Position, assignment.Name), value);
                break;
            case IfStatement choice:
                Run(IsTrue(Evaluate(choice.Condition)) ? choice.Then : choice.Else);
                break;
            case ExpressionStatement expression:
                Evaluate(expression.Value);
                break;
        }
    }

    private object? Evaluate(CodeExpression expression)
    {
        switch (expression)
        {
            case LiteralExpression literal:
                return literal.Value;
            case NameExpression name:
                return Find(name.Position, name.Name);
            case TupleExpression tuple:
                return tuple.Items.Select(Evaluate).ToArray();
            case UnaryExpression { Operator: "not" } negation:
                return !IsTrue(Evaluate(negation.Operand));
            case UnaryExpression unary:
                return ApplyUnary(unary);
            case BinaryExpression { Operator: "and" } both:
                object? left = Evaluate(both.Left);
                return IsTrue(left) ? Evaluate(both.Right) : left;
            case BinaryExpression { Operator: "or" } either:
                left = Evaluate(either.Left);
                return IsTrue(left) ? left : Evaluate(either.Right);
            case BinaryExpression binary:
                return Apply(binary.Position, binary.Operator, Evaluate(binary.Left), Evaluate(binary.Right));
            case ComparisonExpression comparison:
                return Compare(comparison);
            case CallExpression call:
                return Call(call);
            default:
                throw new CodeFailure(expression.Position, "not supported");
        }
    }

    private object? Find(ScriptPosition position, string name) =>
        _variables.TryGetValue(name, out object? value) ? value
        : _facts(name) is { } fact ? fact
        : throw new CodeFailure(position, $"{name} is not defined");

    private bool Compare(ComparisonExpression comparison)
    {
        object? left = Evaluate(comparison.First);
        foreach ((string operation, CodeExpression operand) in comparison.Others)
        {
            object? right = Evaluate(operand);
            int order = left is string a && right is string b ? string.CompareOrdinal(a, b)
                : operation is "==" or "!=" && !(IsNumber(left) && IsNumber(right)) ? Equals(left, right) ? 0 : 1
                : left is double || right is double ? Real(comparison.Position, left).CompareTo(Real(comparison.Position, right))
                : Whole(comparison.Position, left).CompareTo(Whole(comparison.Position, right));
            bool holds = operation switch { "==" => order == 0, "!=" => order != 0, "<" => order < 0, "<=" => order <= 0, ">" => order > 0, _ => order >= 0 };
            if (!holds)
            {
                return false;
            }

            left = right;
        }

        return true;
    }

    private object? Call(CallExpression call)
    {
        object?[] arguments = [.. call.Arguments.Select(Evaluate)];
        return (call.Function, arguments.Length) switch
        {
            ("abs", 1) => arguments[0] is double real ? Math.Abs(real) : Math.Abs(Whole(call.Position, arguments[0])),
            ("min", > 0) => arguments.Min(argument => Whole(call.Position, argument)),
            ("max", > 0) => arguments.Max(argument => Whole(call.Position, argument)),
            ("int", 1) => (long)Real(call.Position, arguments[0]),
            ("float", 1) => Real(call.Position, arguments[0]),
            ("str", 1) => Show(arguments[0]),
            _ => throw new CodeFailure(call.Position, $"{call.Function}() with {arguments.Length} arguments is not supported"),
        };
    }

    private static bool IsNumber(object? value) => value is long or double or bool;

    private static bool IsTrue(object? value) => value switch
    {
        null => false,
        bool truth => truth,
        long number => number != 0,
        double number => number != 0,
        string text => text.Length > 0,
        object?[] tuple => tuple.Length > 0,
        _ => true,
    };

    private static long Whole(ScriptPosition position, object? value) => value switch
    {
        long number => number,
        bool truth => truth ? 1 : 0,
        double number when number == Math.Floor(number) && Math.Abs(number) < long.MaxValue => (long)number,
        _ => throw new CodeFailure(position, $"{Show(value)} is no whole number"),
    };

    private static double Real(ScriptPosition position, object? value) => value is double number ? number : Whole(position, value);

    private static string Show(object? value) => value switch
    {
        null => "None",
        bool truth => truth ? "True" : "False",
        double number => number.ToString("R", CultureInfo.InvariantCulture),
        object?[] tuple => $"({string.Join(", ", tuple.Select(Show))})",
        _ => Convert.ToString(value, CultureInfo.InvariantCulture)!,
    };

    /// <summary>The values of the names in a condition that does not hold.</summary>
    private string ShowNames(CodeExpression condition)
    {
        SortedSet<string> names = new(StringComparer.Ordinal);
        Collect(condition, names);
        StringBuilder text = new();
        foreach (string name in names)
        {
            text.Append(text.Length == 0 ? " (" : ", ").Append(name).Append(" = ").Append(Show(Find(condition.Position, name)));
        }

        return text.Length == 0 ? "" : text.Append(')').ToString();
    }

    private static void Collect(CodeExpression expression, SortedSet<string> names)
    {
        IEnumerable<CodeExpression> parts = expression switch
        {
            NameExpression name when names.Add(name.Name) => [],
            UnaryExpression unary => [unary.Operand],
            BinaryExpression binary => [binary.Left, binary.Right],
            ComparisonExpression comparison => [comparison.First, .. comparison.Others.Select(static other => other.Operand)],
            TupleExpression tuple => tuple.Items,
            CallExpression call => call.Arguments,
            _ => [],
        };
        foreach (CodeExpression part in parts)
        {
            Collect(part, names);
        }
    }
}

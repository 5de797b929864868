using System.Globalization;
using System.Text;

namespace Portico.Simulation.Scripts;

// Operators on numbers and strings, as Python has them.
internal sealed partial class CodeRunner
{
    private object ApplyUnary(UnaryExpression unary)
    {
        object? operand = Evaluate(unary.Operand);
        return (unary.Operator, operand) switch
        {
            ("-", double real) => -real,
            ("-", _) => -Whole(unary.Position, operand),
            ("~", _) => ~Whole(unary.Position, operand),
            (_, double real) => real,
            _ => Whole(unary.Position, operand),
        };
    }

    private static object Apply(ScriptPosition position, string operation, object? left, object? right)
    {
        if (left is string text)
        {
            return operation switch
            {
                "%" => Format(position, text, right as object?[] ?? [right]),
                "+" when right is string other => text + other,
                _ => throw new CodeFailure(position, $"'{operation}' of a string and {Show(right)}"),
            };
        }

        if (operation == "/" || left is double || right is double)
        {
            return ApplyReal(position, operation, Real(position, left), Real(position, right));
        }

        long a = Whole(position, left);
        long b = Whole(position, right);
        try
        {
            return checked(operation switch
            {
                "+" => a + b,
                "-" => a - b,
                "*" => a * b,
                "//" => FloorDivide(a, b),
                "%" => a - (b * FloorDivide(a, b)),
                "&" => a & b,
                "|" => a | b,
                "^" => a ^ b,
                "<<" when b is >= 0 and < 63 => a << (int)b,
                ">>" when b is >= 0 and < 64 => a >> (int)b,
                _ => throw new CodeFailure(position, $"'{operation}' of {a} and {b} is not supported"),
            });
        }
        catch (ArithmeticException error)
        {
            throw new CodeFailure(position, $"{a} {operation} {b}: {error.Message}");
        }
    }

    private static double ApplyReal(ScriptPosition position, string operation, double a, double b) => operation switch
    {
        "+" => a + b,
        "-" => a - b,
        "*" => a * b,
        "/" when b != 0 => a / b,
        "//" when b != 0 => Math.Floor(a / b),
        "%" when b != 0 => a - (b * Math.Floor(a / b)),
        _ => throw new CodeFailure(position, $"{Show(a)} {operation} {Show(b)} is not supported"),
    };

    private static long FloorDivide(long a, long b)
    {
        long quotient = checked(a / b);
        return a % b != 0 && (a < 0) != (b < 0) ? quotient - 1 : quotient;
    }

    /// <summary>%d, %i, %u, %s, %x and %f, with what may stand between, which is passed over; %% for a percent sign.</summary>
    private static string Format(ScriptPosition position, string format, object?[] arguments)
    {
        StringBuilder text = new();
        int next = 0;
        for (int i = 0; i < format.Length; i++)
        {
            if (format[i] != '%')
            {
                text.Append(format[i]);
                continue;
            }

            i++;
            while (i < format.Length && (char.IsAsciiDigit(format[i]) || format[i] is '.' or '-' or '+' or '#' or 'l'))
            {
                i++;
            }

            if (i < format.Length && format[i] == '%')
            {
                text.Append('%');
                continue;
            }

            if (i == format.Length || next == arguments.Length)
            {
                throw new CodeFailure(position, $"'{format}' does not fit {arguments.Length} values");
            }

            object? argument = arguments[next++];
            text.Append(format[i] switch
            {
                'x' => Whole(position, argument).ToString("x", CultureInfo.InvariantCulture),
                'd' or 'i' or 'u' => ((long)Real(position, argument)).ToString(CultureInfo.InvariantCulture),
                'f' => Real(position, argument).ToString("F6", CultureInfo.InvariantCulture),
                's' or 'r' => Show(argument),
                _ => throw new CodeFailure(position, $"%{format[i]} is not supported"),
            });
        }

        return text.ToString();
    }
}

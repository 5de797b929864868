namespace Portico.Simulation.Scripts;

// Expressions, by Python's precedence.
internal sealed partial class CodeParser
{
    /// <summary>Operators of the same rank, from the one that binds least.</summary>
    private static readonly string[][] s_ranks = [["|"], ["^"], ["&"], ["<<", ">>"], ["+", "-"], ["*", "/", "//", "%"]];

    private static readonly string[] s_comparisons = ["==", "!=", "<=", ">=", "<", ">"];

    /// <summary>Expressions with commas between them are one tuple.</summary>
    private CodeExpression ParseTuple()
    {
        CodeExpression first = ParseExpression();
        if (!IsOperator(","))
        {
            return first;
        }

        List<CodeExpression> items = [first];
        while (TryTake(","))
        {
            items.Add(ParseExpression());
        }

        return new TupleExpression(first.Position, items);
    }

    private CodeExpression ParseExpression()
    {
        if (++_depth > DepthMax)
        {
            throw Expected("fewer brackets in one another");
        }

        CodeExpression expression = ParseAnd();
        while (IsName("or"))
        {
            ScriptPosition position = Take().Position;
            expression = new BinaryExpression(position, "or", expression, ParseAnd());
        }

        _depth--;
        return expression;
    }

    private CodeExpression ParseAnd()
    {
        CodeExpression expression = ParseNot();
        while (IsName("and"))
        {
            ScriptPosition position = Take().Position;
            expression = new BinaryExpression(position, "and", expression, ParseNot());
        }

        return expression;
    }

    private CodeExpression ParseNot()
    {
        int count = 0;
        ScriptPosition position = _token.Position;
        while (TryTake("not"))
        {
            count++;
        }

        CodeExpression expression = ParseComparison();
        for (; count > 0; count--)
        {
            if (count > DepthMax)
            {
                throw _lexer.Error(position, "expected fewer negations");
            }

            expression = new UnaryExpression(position, "not", expression);
        }

        return expression;
    }

    private CodeExpression ParseComparison()
    {
        CodeExpression first = ParseBinary(0);
        List<(string, CodeExpression)> others = [];
        while (_token.Kind == CodeTokenKind.Operator && s_comparisons.Contains(_token.Text))
        {
            others.Add((Take().Text, ParseBinary(0)));
        }

        return others.Count == 0 ? first : new ComparisonExpression(first.Position, first, others);
    }

    private CodeExpression ParseBinary(int rank)
    {
        if (rank == s_ranks.Length)
        {
            return ParseUnary();
        }

        CodeExpression expression = ParseBinary(rank + 1);
        while (_token.Kind == CodeTokenKind.Operator && s_ranks[rank].Contains(_token.Text))
        {
            CodeToken operation = Take();
            expression = new BinaryExpression(operation.Position, operation.Text, expression, ParseBinary(rank + 1));
        }

        return expression;
    }

    private CodeExpression ParseUnary()
    {
        if (!IsOperator("-") && !IsOperator("+") && !IsOperator("~"))
        {
            return ParseAtom();
        }

        if (++_depth > DepthMax)
        {
            throw Expected("fewer signs");
        }

        CodeToken operation = Take();
        CodeExpression operand = ParseUnary();
        _depth--;
        return new UnaryExpression(operation.Position, operation.Text, operand);
    }

    private CodeExpression ParseAtom()
    {
        CodeToken token = _token;
        switch (token.Kind)
        {
            case CodeTokenKind.Number:
                Take();
                return new LiteralExpression(token.Position, ParseNumber(token.Text) ?? throw _lexer.Error(token.Position, $"expected a number, found '{token.Text}'"));
            case CodeTokenKind.String:
                Take();
                return new LiteralExpression(token.Position, token.Text.Replace("\\n", "\n", StringComparison.Ordinal));
            case CodeTokenKind.Name:
                Take();
                return token.Text switch
                {
                    "True" => new LiteralExpression(token.Position, true),
                    "False" => new LiteralExpression(token.Position, false),
                    "None" => new LiteralExpression(token.Position, null),
                    _ => TryTake("(") ? new CallExpression(token.Position, token.Text, ParseArguments()) : new NameExpression(token.Position, token.Text),
                };
            case CodeTokenKind.Operator when token.Text == "(":
                Take();
                CodeExpression inside = ParseTuple();
                TakeOperator(")");
                return inside;
            default:
                throw Expected("a number, a string, a name or '('");
        }
    }
}

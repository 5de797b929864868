using System.Text;

namespace Portico.Simulation.Scripts;

// Arguments and results of system calls.
internal sealed partial class ScriptParser
{
    private List<Expression> ParseArguments()
    {
        TakeSymbol('(');
        return ParseList(')', 0);
    }

    /// <summary>Expressions with commas between them, and what closes them.</summary>
    private List<Expression> ParseList(char end, int depth)
    {
        List<Expression> items = [];
        if (TryTakeSymbol(end))
        {
            return items;
        }

        do
        {
            items.Add(ParseExpression(depth));
        }
        while (TryTakeSymbol(','));
        if (!TryTakeSymbol(end))
        {
            throw Expected($"',' or '{end}'");
        }

        return items;
    }

    private Expression ParseExpression(int depth)
    {
        if (depth > DepthMax)
        {
            throw Expected("fewer brackets in one another");
        }

        Expression expression = ParseOperand(depth);
        while (_token.IsSymbol('|'))
        {
            ScriptPosition position = Take().Position;
            expression = new OrExpression(position, expression, ParseOperand(depth));
        }

        return expression;
    }

    private Expression ParseOperand(int depth)
    {
        Token token = _token;
        switch (token.Kind)
        {
            case TokenKind.Ellipsis:
                Take();
                return new EllipsisExpression(token.Position);
            case TokenKind.Integer or TokenKind.Hexadecimal:
                Take();
                return new IntegerExpression(token.Position, token.Number);
            case TokenKind.String:
                return ParseStrings();
            case TokenKind.Word:
                Take();
                return ParseWord(token, depth);
            case TokenKind.Symbol when token.Text == "[":
                Take();
                return new ListExpression(token.Position, ParseList(']', depth + 1));
            case TokenKind.Symbol when token.Text == "{":
                Take();
                return ParseBraces(token.Position, depth + 1);
            default:
                throw Expected("a value: a number, a name, a string, '...', '[' or '{'");
        }
    }

    private Expression ParseWord(Token word, int depth)
    {
        if (_token.IsSymbol('('))
        {
            Take();
            return new FunctionExpression(word.Position, word.Text, ParseList(')', depth + 1));
        }

        if (depth > 0 && TryTakeSymbol('='))
        {
            return new AssignmentExpression(word.Position, word.Text, ParseExpression(depth + 1));
        }

        return new WordExpression(word.Position, word.Text);
    }

    /// <summary>Strings behind one another are one.</summary>
    private StringExpression ParseStrings()
    {
        ScriptPosition position = _token.Position;
        MemoryStream bytes = new();
        while (_token.Kind == TokenKind.String)
        {
            bytes.Write(Unescape(_token));
            Take();
        }

        return new StringExpression(position, bytes.ToArray());
    }

    /// <summary>{name = value, ...} is a structure; anything else in braces is a list.</summary>
    private Expression ParseBraces(ScriptPosition position, int depth)
    {
        if (depth > DepthMax)
        {
            throw Expected("fewer brackets in one another");
        }

        if (_token.Kind != TokenKind.Word)
        {
            return new ListExpression(position, ParseList('}', depth));
        }

        List<StructureField> fields = [];
        do
        {
            ScriptPosition start = _token.Position;
            string name = TakeWord("a field's name");
            Expression? length = null;
            if (TryTakeSymbol('('))
            {
                length = ParseExpression(depth);
                TakeSymbol(')');
            }

            if (!_token.IsSymbol('='))
            {
                return fields.Count == 0 && length == null
                    ? ParseListBehind(position, new WordExpression(start, name), depth)
                    : throw Expected("'=' and the field's value");
            }

            Take();
            fields.Add(new StructureField(start, name, length, ParseExpression(depth)));
        }
        while (TryTakeSymbol(','));
        if (!TryTakeSymbol('}'))
        {
            throw Expected("',' or '}'");
        }

        return new StructureExpression(position, fields);
    }

    private ListExpression ParseListBehind(ScriptPosition position, Expression first, int depth)
    {
        List<Expression> items = [first];
        if (TryTakeSymbol(','))
        {
            items.AddRange(ParseList('}', depth));
        }
        else if (!TryTakeSymbol('}'))
        {
            throw Expected("',' or '}'");
        }

        return new ListExpression(position, items);
    }

    /// <summary>What C's escapes stand for.</summary>
    private byte[] Unescape(Token token)
    {
        byte[] text = Encoding.UTF8.GetBytes(token.Text);
        List<byte> bytes = new(text.Length);
        for (int i = 0; i < text.Length; i++)
        {
            if (text[i] != '\\' || i + 1 == text.Length)
            {
                bytes.Add(text[i]);
                continue;
            }

            char escape = (char)text[++i];
            if (escape == 'x')
            {
                if (i + 2 >= text.Length || !char.IsAsciiHexDigit((char)text[i + 1]) || !char.IsAsciiHexDigit((char)text[i + 2]))
                {
                    throw _lexer.Error(token.Position, "expected two hexadecimal digits behind \\x");
                }

                bytes.Add(Convert.ToByte(Encoding.ASCII.GetString(text, i + 1, 2), 16));
                i += 2;
                continue;
            }

            bytes.Add(escape switch
            {
                '0' => 0,
                'n' => (byte)'\n',
                'r' => (byte)'\r',
                't' => (byte)'\t',
                'a' => (byte)'\a',
                'b' => (byte)'\b',
                'f' => (byte)'\f',
                'v' => (byte)'\v',
                _ => (byte)escape,
            });
        }

        return [.. bytes];
    }
}

using System.Globalization;

namespace Portico.Simulation.Scripts;

/// <summary>Reads the code of a script: assert, print, assignments and if, over numbers and strings.</summary>
internal sealed partial class CodeParser
{
    private const int DepthMax = 64;

    private readonly CodeLexer _lexer;
    private CodeToken _token;
    private int _depth;

    private CodeParser(Lexer script, Token code)
    {
        _lexer = new CodeLexer(script, code);
        _token = _lexer.Next();
    }

    public static CodeBlock Parse(Lexer script, Token code)
    {
        CodeParser parser = new(script, code);
        List<CodeStatement> statements = [];
        while (parser.SkipEmptyLines())
        {
            parser.ParseLine(statements);
        }

        return new CodeBlock(statements);
    }

    private bool IsOperator(string text) => _token.Kind == CodeTokenKind.Operator && _token.Text == text;

    private bool IsName(string text) => _token.Kind == CodeTokenKind.Name && _token.Text == text;

    private CodeToken Take()
    {
        CodeToken taken = _token;
        _token = _lexer.Next();
        return taken;
    }

    private bool TryTake(string text)
    {
        if (!IsOperator(text) && !IsName(text))
        {
            return false;
        }

        Take();
        return true;
    }

    private void TakeOperator(string text)
    {
        if (!TryTake(text))
        {
            throw Expected($"'{text}'");
        }
    }

    private ScriptSyntaxException Expected(string what) => _lexer.Error(_token.Position, _token.Kind switch
    {
        CodeTokenKind.End => $"expected {what}, found the end of the code",
        CodeTokenKind.NewLine => $"expected {what}, found the end of the line",
        _ => $"expected {what}, found '{_token.Text}'",
    });

    /// <summary>False at the end of the code.</summary>
    private bool SkipEmptyLines()
    {
        while (_token.Kind is CodeTokenKind.NewLine or CodeTokenKind.Semicolon)
        {
            Take();
        }

        return _token.Kind != CodeTokenKind.End;
    }

    /// <summary>Statements with semicolons between them, to the end of the line; or an if with its blocks.</summary>
    private void ParseLine(List<CodeStatement> statements)
    {
        if (IsName("if"))
        {
            statements.Add(ParseIf());
            return;
        }

        while (true)
        {
            statements.Add(ParseStatement());
            if (_token.Kind == CodeTokenKind.Semicolon)
            {
                Take();
            }
            else if (_token.Kind is not (CodeTokenKind.NewLine or CodeTokenKind.End))
            {
                throw Expected("the end of the statement");
            }

            if (_token.Kind is CodeTokenKind.NewLine or CodeTokenKind.End)
            {
                return;
            }
        }
    }

    private IfStatement ParseIf()
    {
        if (++_depth > DepthMax)
        {
            throw Expected("fewer statements in one another");
        }

        CodeToken start = Take();
        CodeExpression condition = ParseExpression();
        List<CodeStatement> then = ParseBlock(start.Indentation);
        List<CodeStatement> otherwise = [];
        SkipEmptyLines();
        if (_token.Indentation == start.Indentation && IsName("elif"))
        {
            otherwise.Add(ParseIf());
        }
        else if (_token.Indentation == start.Indentation && TryTake("else"))
        {
            otherwise = ParseBlock(start.Indentation);
        }

        _depth--;
        return new IfStatement(start.Position, condition, then, otherwise);
    }

    /// <summary>What stands behind the colon: on the same line, or on lines that are indented further.</summary>
    private List<CodeStatement> ParseBlock(int indentation)
    {
        TakeOperator(":");
        List<CodeStatement> block = [];
        if (_token.Kind != CodeTokenKind.NewLine)
        {
            ParseLine(block);
            return block;
        }

        while (SkipEmptyLines() && _token.Indentation > indentation)
        {
            ParseLine(block);
        }

        return block.Count > 0 ? block : throw Expected("a statement that is indented further");
    }

    private CodeStatement ParseStatement()
    {
        CodeToken start = _token;
        if (TryTake("assert"))
        {
            int from = _token.Start;
            CodeExpression condition = ParseExpression();
            string text = _lexer.Text[from.._token.Start].Trim();
            return new AssertStatement(start.Position, condition, TryTake(",") ? ParseTuple() : null, text);
        }

        if (TryTake("print"))
        {
            TakeOperator("(");
            return new PrintStatement(start.Position, ParseArguments());
        }

        if (TryTake("pass"))
        {
            return new ExpressionStatement(start.Position, new LiteralExpression(start.Position, null));
        }

        CodeExpression expression = ParseExpression();
        if (expression is NameExpression name && _token.Kind == CodeTokenKind.Operator && _token.Text.EndsWith('=') && _token.Text is not ("==" or "<=" or ">=" or "!="))
        {
            string assignment = Take().Text;
            return new AssignStatement(start.Position, name.Name, assignment[..^1], ParseTuple());
        }

        return new ExpressionStatement(start.Position, expression);
    }

    private List<CodeExpression> ParseArguments()
    {
        List<CodeExpression> arguments = [];
        while (!TryTake(")"))
        {
            arguments.Add(ParseExpression());
            if (!IsOperator(")"))
            {
                TakeOperator(",");
            }
        }

        return arguments;
    }

    private static object? ParseNumber(string text)
    {
        string digits = text.Replace("_", "", StringComparison.Ordinal);
        if (digits.StartsWith("0x", StringComparison.OrdinalIgnoreCase))
        {
            return long.TryParse(digits.AsSpan(2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out long hexadecimal) ? hexadecimal : null;
        }

        if (long.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out long integer))
        {
            return integer;
        }

        return double.TryParse(digits, NumberStyles.Float, CultureInfo.InvariantCulture, out double real) ? real : null;
    }
}

namespace Portico.Simulation.Scripts;

internal enum CodeTokenKind
{
    End,

    /// <summary>The end of a statement: the end of a line, or a semicolon.</summary>
    NewLine,
    Semicolon,
    Number,
    String,
    Name,
    Operator,
}

/// <param name="Kind">What it is.</param>
/// <param name="Text">What it says.</param>
/// <param name="Position">Where it begins in the script.</param>
/// <param name="Start">Where it begins in the code.</param>
/// <param name="Indentation">How far its line is indented.</param>
internal readonly record struct CodeToken(CodeTokenKind Kind, string Text, ScriptPosition Position, int Start, int Indentation);

/// <summary>Cuts code into tokens, lines included. Inside of brackets, and behind a backslash, a line does not end.</summary>
internal sealed class CodeLexer
{
    private static readonly string[] s_operators =
    [
        "**=", "//=", "<<=", ">>=", "==", "!=", "<=", ">=", "<<", ">>", "//", "**", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=",
        "+", "-", "*", "/", "%", "<", ">", "=", "(", ")", ",", ":", "&", "|", "^", "~",
    ];

    private readonly Lexer _script;
    private readonly string _text;
    private readonly ScriptPosition _start;
    private int _index;
    private int _line;
    private int _lineStart;
    private int _brackets;
    private int _indentation;

    public CodeLexer(Lexer script, Token code)
    {
        _script = script;
        _text = code.Text;
        _start = code.Position;
        MeasureIndentation();
    }

    public string Text => _text;

    private ScriptPosition Position => new(_start.Line + _line, _line == 0 ? _start.Column + 2 + _index : _index - _lineStart + 1);

    public ScriptSyntaxException Error(ScriptPosition position, string problem) => _script.Error(position, problem);

    public CodeToken Next()
    {
        SkipBlanks();
        ScriptPosition position = Position;
        if (_index >= _text.Length)
        {
            return new CodeToken(CodeTokenKind.End, "", position, _index, 0);
        }

        int start = _index;
        char c = _text[_index];
        if (c == '\n')
        {
            CodeToken line = new(CodeTokenKind.NewLine, "\n", position, start, _indentation);
            EndLine();
            MeasureIndentation();
            return line;
        }

        if (c == ';')
        {
            return Take(CodeTokenKind.Semicolon, 1, position);
        }

        if (c is '"' or '\'')
        {
            return TakeString(c, position);
        }

        if (char.IsAsciiDigit(c) || (c == '.' && _index + 1 < _text.Length && char.IsAsciiDigit(_text[_index + 1])))
        {
            return Take(CodeTokenKind.Number, Length(static n => char.IsAsciiLetterOrDigit(n) || n is '.' or '_'), position);
        }

        if (char.IsAsciiLetter(c) || c == '_')
        {
            return Take(CodeTokenKind.Name, Length(static n => char.IsAsciiLetterOrDigit(n) || n == '_'), position);
        }

        foreach (string known in s_operators)
        {
            if (string.CompareOrdinal(_text, _index, known, 0, known.Length) == 0)
            {
                _brackets += known == "(" ? 1 : known == ")" && _brackets > 0 ? -1 : 0;
                return Take(CodeTokenKind.Operator, known.Length, position);
            }
        }

        throw Error(position, $"expected Python, found '{c}'");
    }

    private void EndLine()
    {
        _index++;
        _line++;
        _lineStart = _index;
    }

    private void MeasureIndentation()
    {
        int end = _index;
        while (end < _text.Length && _text[end] is ' ' or '\t')
        {
            end++;
        }

        // The first line begins behind %{, at no column of its own.
        _indentation = _line == 0 ? 0 : end - _index;
    }

    private void SkipBlanks()
    {
        while (_index < _text.Length)
        {
            char c = _text[_index];
            if (c == '#')
            {
                int end = _text.IndexOf('\n', _index);
                _index = end < 0 ? _text.Length : end;
            }
            else if (c == '\n' && _brackets > 0)
            {
                EndLine();
            }
            else if (c == '\\' && LineEnd(_index + 1) is int end)
            {
                _index = end;
                EndLine();
            }
            else if (c != '\n' && char.IsWhiteSpace(c))
            {
                _index++;
            }
            else
            {
                return;
            }
        }
    }

    private int? LineEnd(int index)
    {
        while (index < _text.Length && _text[index] is '\r' or ' ' or '\t')
        {
            index++;
        }

        return index < _text.Length && _text[index] == '\n' ? index : null;
    }

    private int Length(Func<char, bool> belongs)
    {
        int end = _index;
        while (end < _text.Length && belongs(_text[end]))
        {
            end++;
        }

        return end - _index;
    }

    private CodeToken Take(CodeTokenKind kind, int length, ScriptPosition position)
    {
        CodeToken token = new(kind, _text.Substring(_index, length), position, _index, _indentation);
        _index += length;
        return token;
    }

    private CodeToken TakeString(char quote, ScriptPosition position)
    {
        int end = _index + 1;
        while (end < _text.Length && _text[end] != quote && _text[end] != '\n')
        {
            end += _text[end] == '\\' ? 2 : 1;
        }

        if (end >= _text.Length || _text[end] != quote)
        {
            throw Error(position, $"expected {quote} before the end of the line");
        }

        CodeToken token = new(CodeTokenKind.String, _text[(_index + 1)..end], position, _index, _indentation);
        _index = end + 1;
        return token;
    }
}

using System.Globalization;

namespace Portico.Simulation.Scripts;

/// <summary>Cuts a script into tokens: the longest that fits, as packetdrill does.</summary>
internal sealed class Lexer(string path, string text)
{
    private int _index;
    private int _line = 1;
    private int _lineStart;

    private char Current => _index < text.Length ? text[_index] : '\0';

    private bool IsAtEnd => _index >= text.Length;

    public ScriptPosition Position => new(_line, _index - _lineStart + 1);

    public Token Next()
    {
        SkipBlanksAndComments();
        ScriptPosition position = Position;
        if (IsAtEnd)
        {
            return new Token(TokenKind.End, "", position);
        }

        char first = Current;
        if (first is '"' or '`')
        {
            return new Token(first == '"' ? TokenKind.String : TokenKind.Command, ReadQuoted(first, position), position);
        }

        if (StartsWith("%{"))
        {
            return new Token(TokenKind.Code, ReadUntil("%{".Length, "}%", position), position);
        }

        if (StartsWith("..."))
        {
            return Take(TokenKind.Ellipsis, 3, position);
        }

        if (StartsWith("--") && _index + 2 < text.Length && IsWordCharacter(text[_index + 2]))
        {
            return ReadOption(position);
        }

        int number = LengthOfNumber(out bool isFraction);
        int word = LengthOfWord();
        if (number > 0 && number >= word)
        {
            return TakeNumber(number, isFraction, position);
        }

        if (word > 0)
        {
            return IsHexadecimal(word) ? TakeHexadecimal(word, position) : Take(TokenKind.Word, word, position);
        }

        return Take(TokenKind.Symbol, 1, position);
    }

    public ScriptSyntaxException Error(ScriptPosition position, string problem) => new(path, position, problem);

    private bool StartsWith(string token) => string.CompareOrdinal(text, _index, token, 0, token.Length) == 0;

    private static bool IsWordCharacter(char c) => char.IsAsciiLetterOrDigit(c) || c == '_';

    private void Advance(int count)
    {
        for (; count > 0; count--)
        {
            if (text[_index++] == '\n')
            {
                _line++;
                _lineStart = _index;
            }
        }
    }

    private void SkipBlanksAndComments()
    {
        while (!IsAtEnd)
        {
            if (char.IsWhiteSpace(Current))
            {
                Advance(1);
            }
            else if (StartsWith("//") || Current == '#')
            {
                int end = text.IndexOf('\n', _index);
                Advance((end < 0 ? text.Length : end) - _index);
            }
            else if (StartsWith("/*"))
            {
                ReadUntil(2, "*/", Position);
            }
            else
            {
                return;
            }
        }
    }

    private string ReadUntil(int skipped, string end, ScriptPosition position)
    {
        int start = _index + skipped;
        int found = start > text.Length ? -1 : text.IndexOf(end, start, StringComparison.Ordinal);
        if (found < 0)
        {
            throw Error(position, $"expected {end} before the end of the file");
        }

        Advance(found + end.Length - _index);
        return text[start..found];
    }

    private string ReadQuoted(char quote, ScriptPosition position)
    {
        int end = _index + 1;
        while (end < text.Length && text[end] != quote)
        {
            end += text[end] == '\\' ? 2 : 1;
        }

        if (end >= text.Length)
        {
            throw Error(position, $"expected {quote} before the end of the file");
        }

        string inside = text[(_index + 1)..end];
        Advance(end + 1 - _index);
        return inside;
    }

    /// <summary>The value goes to the next blank, but may have blanks in quotes.</summary>
    private Token ReadOption(ScriptPosition position)
    {
        int end = _index + 2;
        char quote = '\0';
        for (; end < text.Length; end++)
        {
            char c = text[end];
            if (quote == '\0' ? char.IsWhiteSpace(c) : c == '\n')
            {
                break;
            }

            quote = c == quote ? '\0' : quote == '\0' && c is '"' or '`' ? c : quote;
        }

        string option = text[(_index + 2)..end];
        Advance(end - _index);
        return new Token(TokenKind.Option, option, position);
    }

    /// <summary>[-]digits or [-][digits].digits</summary>
    private int LengthOfNumber(out bool isFraction)
    {
        int start = _index + (Current == '-' ? 1 : 0);
        int end = start;
        while (end < text.Length && char.IsAsciiDigit(text[end]))
        {
            end++;
        }

        isFraction = end + 1 < text.Length && text[end] == '.' && char.IsAsciiDigit(text[end + 1]);
        if (isFraction)
        {
            end++;
            while (end < text.Length && char.IsAsciiDigit(text[end]))
            {
                end++;
            }
        }

        return end > start ? end - _index : 0;
    }

    private int LengthOfWord()
    {
        int end = _index;
        while (end < text.Length && IsWordCharacter(text[end]))
        {
            end++;
        }

        return end - _index;
    }

    private bool IsHexadecimal(int length)
    {
        ReadOnlySpan<char> word = text.AsSpan(_index, length);
        return length > 2 && word[0] == '0' && word[1] == 'x' && !word[2..].ContainsAnyExcept(System.Buffers.SearchValues.Create("0123456789abcdefABCDEF"));
    }

    private Token TakeHexadecimal(int length, ScriptPosition position)
    {
        if (!ulong.TryParse(text.AsSpan(_index + 2, length - 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ulong number))
        {
            throw Error(position, "expected a number of at most 64 bits");
        }

        return Take(TokenKind.Hexadecimal, length, position) with { Number = (long)number };
    }

    private Token TakeNumber(int length, bool isFraction, ScriptPosition position)
    {
        ReadOnlySpan<char> number = text.AsSpan(_index, length);
        if (isFraction)
        {
            if (!decimal.TryParse(number, NumberStyles.Float, CultureInfo.InvariantCulture, out decimal value) || Math.Abs(value) > 1_000_000_000)
            {
                throw Error(position, "expected a number below 1000000000");
            }

            return Take(TokenKind.Fraction, length, position) with { Microseconds = (long)(value * 1_000_000) };
        }

        if (!long.TryParse(number, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long integer))
        {
            throw Error(position, "expected a number of at most 64 bits");
        }

        return Take(TokenKind.Integer, length, position) with { Number = integer };
    }

    private Token Take(TokenKind kind, int length, ScriptPosition position)
    {
        string taken = text.Substring(_index, length);
        Advance(length);
        return new Token(kind, taken, position);
    }
}

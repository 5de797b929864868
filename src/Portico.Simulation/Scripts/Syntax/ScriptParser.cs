using System.Globalization;

namespace Portico.Simulation.Scripts;

/// <summary>
/// Reads a script: options, an optional command to begin with, events, an optional command to end with. Names that are defined by options
/// are replaced as they are read.
/// </summary>
internal sealed partial class ScriptParser
{
    /// <summary>The longest time that a script can speak of: eleven days, in which timers fire often enough.</summary>
    private const long SecondsMax = 1_000_000;

    /// <summary>How deep expressions may lie in one another.</summary>
    private const int DepthMax = 64;

    private readonly Lexer _lexer;
    private readonly Dictionary<string, string> _definitions;
    private Token _token;

    private ScriptParser(string path, string text, IReadOnlyDictionary<string, string>? definitions)
    {
        _lexer = new Lexer(path, text);
        _definitions = definitions == null ? [] : new Dictionary<string, string>(definitions);
        _token = _lexer.Next();
    }

    /// <summary>Reads a script. Throws <see cref="ScriptSyntaxException"/> where it is not one.</summary>
    public static ScriptSyntax Parse(string path, string text, IReadOnlyDictionary<string, string>? definitions = null) =>
        new ScriptParser(path, text, definitions).ParseScript(path);

    private ScriptSyntax ParseScript(string path)
    {
        List<ScriptOption> options = [];
        while (_token.Kind == TokenKind.Option)
        {
            options.Add(ParseOption());
        }

        Substitute();
        string? first = _token.Kind == TokenKind.Command ? Take().Text : null;
        List<ScriptEvent> events = [];
        while (_token.Kind is not (TokenKind.End or TokenKind.Command))
        {
            events.Add(ParseEvent());
        }

        if (events.Count == 0)
        {
            throw Expected("an event: a time and what happens then");
        }

        string? last = _token.Kind == TokenKind.Command ? Take().Text : null;
        if (_token.Kind != TokenKind.End)
        {
            throw Expected("the end of the file behind the last command");
        }

        return new ScriptSyntax(path, options, first, events, last);
    }

    private ScriptOption ParseOption()
    {
        Token token = Take(substitutes: false);
        int equals = token.Text.IndexOf('=', StringComparison.Ordinal);
        ScriptOption option = new(token.Position, equals < 0 ? token.Text : token.Text[..equals], equals < 0 ? null : token.Text[(equals + 1)..]);
        if (option is { Name: "define", Value: { } definition })
        {
            int separator = definition.IndexOf('=', StringComparison.Ordinal);
            if (separator <= 0)
            {
                throw _lexer.Error(token.Position, "expected --define=NAME=VALUE");
            }

            _definitions[definition[..separator]] = definition[(separator + 1)..];
        }

        return option;
    }

    private ScriptEvent ParseEvent()
    {
        ScriptPosition position = _token.Position;
        EventTime time = ParseTime();
        if (_token.IsSymbol('<') || _token.IsSymbol('>'))
        {
            PacketTemplate packet = ParsePacket();
            return packet.IsInbound && (time.Kind == TimeKind.Any || time.IsRange)
                ? throw _lexer.Error(position, "expected one time: only outbound packets may come at any time, or in a range of times")
                : new PacketEvent(position, time, packet);
        }

        if (time.Kind == TimeKind.Any || time.IsRange)
        {
            throw _lexer.Error(position, "expected one time: only outbound packets may come at any time, or in a range of times");
        }

        return _token.Kind switch
        {
            TokenKind.Command => new CommandEvent(position, time, Take().Text),
            TokenKind.Code => new CodeEvent(position, time, ParseCode()),
            TokenKind.Word or TokenKind.Ellipsis => ParseCall(position, time),
            _ => throw Expected("< or > and a packet, a system call, a `command` or %{ code }%"),
        };
    }

    private CodeBlock ParseCode()
    {
        CodeBlock block = CodeParser.Parse(_lexer, _token);
        Take();
        return block;
    }

    private EventTime ParseTime()
    {
        ScriptPosition position = _token.Position;
        if (TryTakeSymbol('*'))
        {
            return new EventTime(TimeKind.Any, 0, 0);
        }

        bool isRelative = TryTakeSymbol('+');
        long start = ParseSeconds();
        if (!TryTakeSymbol('~'))
        {
            return new EventTime(isRelative ? TimeKind.Relative : TimeKind.Absolute, start, start);
        }

        if (isRelative)
        {
            TakeSymbol('+');
        }

        long end = ParseSeconds();
        return end < start
            ? throw _lexer.Error(position, "expected a range of times that goes forward")
            : new EventTime(isRelative ? TimeKind.RelativeRange : TimeKind.AbsoluteRange, start, end);
    }

    /// <summary>A time in seconds, as microseconds.</summary>
    private long ParseSeconds()
    {
        if (_token.Kind is not (TokenKind.Integer or TokenKind.Fraction))
        {
            throw Expected("a time in seconds");
        }

        bool isInteger = _token.Kind == TokenKind.Integer;
        bool isInRange = isInteger ? _token.Number is >= 0 and <= SecondsMax : _token.Microseconds is >= 0 and <= SecondsMax * 1_000_000;
        if (!isInRange)
        {
            throw Expected($"a time of 0 to {SecondsMax} seconds");
        }

        Token time = Take();
        return isInteger ? time.Number * 1_000_000 : time.Microseconds;
    }

    private CallEvent ParseCall(ScriptPosition position, EventTime time)
    {
        long end = -1;
        if (_token.Kind == TokenKind.Ellipsis)
        {
            Take();
            end = ParseSeconds();
        }

        string name = TakeWord("a system call's name");
        List<Expression> arguments = ParseArguments();
        TakeSymbol('=');
        Expression result = ParseExpression(0);
        string? error = null;
        if (_token.Kind == TokenKind.Word)
        {
            error = Take().Text;
            if (!_token.IsSymbol('('))
            {
                throw Expected($"what {error} means, in parentheses");
            }
        }

        SkipNote();
        return new CallEvent(position, time, name, arguments, result, error, end);
    }

    /// <summary>A remark in parentheses.</summary>
    private void SkipNote()
    {
        if (!TryTakeSymbol('('))
        {
            return;
        }

        while (!TryTakeSymbol(')'))
        {
            if (_token.Kind == TokenKind.End)
            {
                throw Expected("')'");
            }

            Take();
        }
    }

    private Token Take(bool substitutes = true)
    {
        Token taken = _token;
        _token = _lexer.Next();
        if (substitutes)
        {
            Substitute();
        }

        return taken;
    }

    /// <summary>A word that is defined is what it is defined as: a string, a command, a number or another word.</summary>
    private void Substitute()
    {
        if (_token.Kind != TokenKind.Word || !_definitions.TryGetValue(_token.Text, out string? value))
        {
            return;
        }

        bool isHexadecimal = value.StartsWith("0x", StringComparison.Ordinal);
        if (value.Length >= 2 && value[0] is '"' or '`' && value[^1] == value[0])
        {
            _token = _token with { Kind = value[0] == '"' ? TokenKind.String : TokenKind.Command, Text = value[1..^1] };
        }
        else if (isHexadecimal && long.TryParse(value.AsSpan(2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out long number))
        {
            _token = _token with { Kind = TokenKind.Hexadecimal, Text = value, Number = number };
        }
        else if (long.TryParse(value, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out number))
        {
            _token = _token with { Kind = TokenKind.Integer, Text = value, Number = number };
        }
        else
        {
            _token = _token with { Text = value };
        }
    }

    private ScriptSyntaxException Expected(string what) => _lexer.Error(_token.Position, $"expected {what}, found {_token.Describe()}");

    private bool TryTakeSymbol(char symbol)
    {
        if (!_token.IsSymbol(symbol))
        {
            return false;
        }

        Take();
        return true;
    }

    private void TakeSymbol(char symbol)
    {
        if (!TryTakeSymbol(symbol))
        {
            throw Expected($"'{symbol}'");
        }
    }

    private bool TryTakeWord(string word)
    {
        if (!_token.IsWord(word))
        {
            return false;
        }

        Take();
        return true;
    }

    private string TakeWord(string what) => _token.Kind == TokenKind.Word ? Take().Text : throw Expected(what);

    private string TakeString(string what) => _token.Kind == TokenKind.String ? Take().Text : throw Expected(what);

    /// <summary>A decimal number, or where <paramref name="takesHexadecimal"/> one with 0x.</summary>
    private long TakeInteger(string what, long least, long most, bool takesHexadecimal = false)
    {
        bool isInteger = _token.Kind == TokenKind.Integer || (takesHexadecimal && _token.Kind == TokenKind.Hexadecimal);
        return !isInteger || _token.Number < least || _token.Number > most
            ? throw Expected($"{what} of {least} to {most}")
            : Take().Number;
    }
}

/// <summary>A script that has been read.</summary>
/// <param name="Path">The file.</param>
/// <param name="Options">The options at its beginning.</param>
/// <param name="FirstCommand">The command that sets things up.</param>
/// <param name="Events">What happens.</param>
/// <param name="LastCommand">The command that cleans up.</param>
internal sealed record ScriptSyntax(
    string Path, List<ScriptOption> Options, string? FirstCommand, List<ScriptEvent> Events, string? LastCommand);

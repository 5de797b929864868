namespace Portico.Simulation.Scripts;

internal enum TokenKind
{
    End,
    Integer,
    Hexadecimal,
    Fraction,
    Word,
    String,

    /// <summary>A shell command between backticks.</summary>
    Command,

    /// <summary>Code between %{ and }%.</summary>
    Code,

    /// <summary>--name, its value behind = included.</summary>
    Option,
    Ellipsis,

    /// <summary>Any other character.</summary>
    Symbol,
}

/// <param name="Kind">What it is.</param>
/// <param name="Text">What it says, without delimiters.</param>
/// <param name="Position">Where it begins.</param>
/// <param name="Number">The value of an integer.</param>
/// <param name="Microseconds">The value of a fraction in millionths, which is what fractions are for: times.</param>
internal readonly record struct Token(TokenKind Kind, string Text, ScriptPosition Position, long Number = 0, long Microseconds = 0)
{
    public bool IsSymbol(char symbol) => Kind == TokenKind.Symbol && Text[0] == symbol;

    public bool IsWord(string word) => Kind == TokenKind.Word && Text == word;

    /// <summary>As it is named in an error.</summary>
    public string Describe() => Kind switch
    {
        TokenKind.End => "the end of the file",
        TokenKind.String => $"\"{Shorten()}\"",
        TokenKind.Command => $"`{Shorten()}`",
        TokenKind.Code => "%{ code }%",
        TokenKind.Option => $"--{Shorten()}",
        _ => $"'{Shorten()}'",
    };

    private string Shorten() => Text.Length > 40 ? string.Concat(Text.AsSpan(0, 40), "...") : Text;
}

using System.Text;

namespace Portico.Cli;

/// <summary>
/// The tool's messages. Straight to the descriptor: the runtime's Console would set up the terminal for its own line editing, and
/// the terminal is the command's.
/// </summary>
internal static class Terminal
{
    private static readonly Stream s_error = Console.OpenStandardError();
    private static Stream? s_output;

    /// <summary>Standard output, for the commands that print something; buffered until <see cref="Flush"/>.</summary>
    public static Stream Output => s_output ??= new BufferedStream(Console.OpenStandardOutput(), 32 * 1024);

    /// <summary>Writes out what <see cref="Output"/> still holds.</summary>
    public static void Flush() => s_output?.Flush();

    /// <summary>One line on standard error, as it is.</summary>
    public static void ErrorLine(byte[] line)
    {
        s_error.Write([.. line, (byte)'\n']);
        s_error.Flush();
    }

    /// <summary>One line, with the tool's name.</summary>
    public static void Error(string message)
    {
        s_error.Write(Encoding.UTF8.GetBytes($"portico: {message.ReplaceLineEndings(" ")}\n"));
        s_error.Flush();
    }
}

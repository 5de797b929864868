using System.Text;

namespace Portico.Cli;

/// <summary>
/// The tool's messages. Straight to the descriptor: the runtime's Console would set up the terminal for its own line editing, and
/// the terminal is the command's.
/// </summary>
internal static class Terminal
{
    private static readonly Stream s_error = Console.OpenStandardError();

    /// <summary>One line, with the tool's name.</summary>
    public static void Error(string message)
    {
        s_error.Write(Encoding.UTF8.GetBytes($"portico: {message.ReplaceLineEndings(" ")}\n"));
        s_error.Flush();
    }
}

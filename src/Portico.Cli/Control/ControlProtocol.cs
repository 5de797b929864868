using System.Buffers;
using System.Text;
using System.Text.Json;

namespace Portico.Cli;

/// <summary>
/// What is said on a control socket, in lines of UTF-8:
/// <code>
/// server: portico 1                 the protocol's version
/// client: ["ss","-t"]               a verb and its arguments, a JSON array of strings
/// server: 1 LINE                    any number of lines for the client's standard output,
/// server: 2 LINE                    and for its standard error
/// server: = 0                       the exit status; the connection ends
/// </code>
/// Another version is another greeting: a client that does not know it says so and asks nothing.
/// </summary>
internal static class ControlProtocol
{
    public const string Greeting = "portico 1";

    /// <summary>A request's bytes, its line feed included.</summary>
    public const int RequestBytesMax = 64 * 1024;

    /// <summary>A request's strings, its verb included.</summary>
    public const int ArgumentsMax = 1024;

    public const byte Output = (byte)'1';
    public const byte Error = (byte)'2';
    public const byte Status = (byte)'=';

    /// <summary>A request with its line feed.</summary>
    public static byte[] WriteRequest(string verb, IEnumerable<string> arguments)
    {
        ArrayBufferWriter<byte> buffer = new();
        using (Utf8JsonWriter json = new(buffer))
        {
            json.WriteStartArray();
            json.WriteStringValue(verb);
            foreach (string argument in arguments)
            {
                json.WriteStringValue(argument);
            }

            json.WriteEndArray();
        }

        buffer.Write("\n"u8);
        return buffer.WrittenSpan.ToArray();
    }

    /// <summary>A request without its line feed, as its strings; null where it is none.</summary>
    public static string[]? ReadRequest(ReadOnlySpan<byte> line)
    {
        List<string> words = [];
        try
        {
            Utf8JsonReader json = new(line, new JsonReaderOptions { MaxDepth = 1 });
            if (!json.Read() || json.TokenType != JsonTokenType.StartArray)
            {
                return null;
            }

            while (json.Read() && json.TokenType == JsonTokenType.String && words.Count < ArgumentsMax)
            {
                words.Add(json.GetString()!);
            }

            return json.TokenType == JsonTokenType.EndArray && !json.Read() && words.Count > 0 ? [.. words] : null;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // No JSON, or a string that is no UTF-8.
            return null;
        }
    }

    /// <summary>The exit status of a "= N" line without its mark; false where there is none.</summary>
    public static bool TryReadStatus(ReadOnlySpan<byte> text, out int status) =>
        int.TryParse(text, System.Globalization.CultureInfo.InvariantCulture, out status) && status is >= 0 and <= 255;

    /// <summary>Whether a text can be a run's name: what a file name and a command line bear, and no process id.</summary>
    public static bool IsName(string text) =>
        text.Length is > 0 and <= 40 && char.IsAsciiLetterOrDigit(text[0])
        && text.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.') && !text.All(char.IsAsciiDigit);
}

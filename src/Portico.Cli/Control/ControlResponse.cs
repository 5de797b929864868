using System.Text;
using Portico.Linux;
using Portico.Net;

namespace Portico.Cli;

/// <summary>
/// Where a verb's handler writes: lines for the client's standard output and standard error. They are buffered; a client that is
/// gone, or reads nothing for too long, ends the handler by an <see cref="IOException"/>.
/// </summary>
internal sealed class ControlResponse(ControlSocket client)
{
    private readonly byte[] _buffer = new byte[32 * 1024];
    private int _used;

    /// <summary>A line of the client's standard output; one with line feeds becomes several.</summary>
    public void WriteLine(string line) => Write(ControlProtocol.Output, Encoding.UTF8.GetBytes(line));

    /// <summary>A line of UTF-8, such as a JSON object.</summary>
    public void WriteLine(ReadOnlySpan<byte> line) => Write(ControlProtocol.Output, line);

    /// <summary>A line of the client's standard error, which puts the tool's name before it.</summary>
    public void WriteError(string message) => Write(ControlProtocol.Error, Encoding.UTF8.GetBytes(message));

    internal void End(int status)
    {
        Write(ControlProtocol.Status, Encoding.ASCII.GetBytes(status.ToString(System.Globalization.CultureInfo.InvariantCulture)));
        Flush();
    }

    internal void Greet()
    {
        Append(Encoding.ASCII.GetBytes(ControlProtocol.Greeting));
        Append("\n"u8);
        Flush();
    }

    private void Write(byte mark, ReadOnlySpan<byte> text)
    {
        foreach (Range range in text.Split((byte)'\n'))
        {
            Append([mark, (byte)' ']);
            Append(text[range]);
            Append("\n"u8);
        }
    }

    private void Append(ReadOnlySpan<byte> bytes)
    {
        while (bytes.Length > 0)
        {
            if (_used == _buffer.Length)
            {
                Flush();
            }

            int count = Math.Min(bytes.Length, _buffer.Length - _used);
            bytes[..count].CopyTo(_buffer.AsSpan(_used));
            _used += count;
            bytes = bytes[count..];
        }
    }

    private void Flush()
    {
        Errno error = client.Send(_buffer.AsSpan(0, _used));
        _used = 0;
        if (error != Errno.None)
        {
            throw new IOException($"the client is gone: {error}");
        }
    }
}

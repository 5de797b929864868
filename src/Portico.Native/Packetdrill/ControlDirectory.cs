using System.Text;
using Microsoft.Win32.SafeHandles;
using Portico.Kernel;

namespace Portico.Native.Packetdrill;

/// <summary>
/// The directory that $PORTICO_CTL names. Scripts run commands in a shell, where they stand in for those of the machine: each appends a line
/// to <c>journal</c>, which is done here on the stack. What these commands show is written back: <c>counters</c> and <c>sockets</c>; and
/// <c>errors</c>, the lines of the journal that failed.
/// </summary>
internal sealed class ControlDirectory(string path, Process shell) : IDisposable
{
    /// <summary>
    /// How many cookies Google's kernels keep. A script forgets all of them by 0, and by <c>ip tcp_metrics flush all</c> where sysctl(8) says
    /// that there is no such setting, which its stand-in cannot say.
    /// </summary>
    private const string NoCookies = "net.ipv4.tcp_fastopen_cookies=0";

    private readonly object _gate = new();
    private readonly NetworkCommands _commands = new(shell);
    private readonly SocketList _sockets = new(shell.Network);
    private readonly string _journal = Path.Combine(path, "journal");
    private SafeFileHandle? _file;
    private long _position;
    private string _counters = "";
    private string _socketText = "";

    /// <summary>Does the lines that are new.</summary>
    public void Apply()
    {
        lock (_gate)
        {
            foreach (string line in ReadLines())
            {
                string command = line.Contains(NoCookies, StringComparison.Ordinal) ? "ip tcp_metrics flush all" : line;
                if (!string.IsNullOrWhiteSpace(line) && !_commands.Run(command, new StringBuilder()))
                {
                    File.AppendAllText(Path.Combine(path, "errors"), line + "\n");
                }
            }
        }
    }

    /// <summary>Writes what has changed.</summary>
    public void Report()
    {
        lock (_gate)
        {
            Write("counters", ref _counters, Counters());
            Write("sockets", ref _socketText, _sockets.Describe(shell.Kernel.Driver));
        }
    }

    public void Dispose() => _file?.Dispose();

    private string Counters()
    {
        StringBuilder text = new();
        foreach ((string name, long value) in _commands.Counters())
        {
            if (value != 0)
            {
                text.Append(name).Append(' ').Append(value).Append('\n');
            }
        }

        return text.ToString();
    }

    private void Write(string name, ref string before, string text)
    {
        if (text != before)
        {
            File.WriteAllText(Path.Combine(path, name), text);
            before = text;
        }
    }

    /// <summary>A line that has no end yet is left for the next time.</summary>
    private string[] ReadLines()
    {
        if (_file == null)
        {
            if (!File.Exists(_journal))
            {
                return [];
            }

            _file = File.OpenHandle(_journal, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        }

        long length = RandomAccess.GetLength(_file);
        _position = Math.Min(_position, length);
        if (length == _position)
        {
            return [];
        }

        byte[] bytes = new byte[length - _position];
        int count = RandomAccess.Read(_file, bytes, _position);
        int whole = bytes.AsSpan(0, count).LastIndexOf((byte)'\n') + 1;
        _position += whole;
        return Encoding.UTF8.GetString(bytes, 0, whole).Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }
}

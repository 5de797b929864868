using System.Buffers;
using System.CommandLine;
using System.Text;
using Portico.Linux;
using Portico.Net;

namespace Portico.Cli;

/// <summary>Finds the caller's runs and asks them; what is left of runs that were killed is cleared away on the way.</summary>
internal static class ControlClient
{
    private const int LineBytesMax = 16 << 20;

    /// <summary>For commands that speak to a run: which one. Not needed where there is only one.</summary>
    public static Option<string?> RunOption() => new("--run")
    {
        Description = "The run to speak to, by its name or process id (see portico ps). Not needed while there is only one.",
        HelpName = "RUN",
    };

    /// <summary>
    /// Sends a verb to a run (null: the only one there is), passes its lines on to standard output and standard error, and returns its
    /// exit status. Failures have their line on standard error and <see cref="CommandLine.OwnFailure"/>.
    /// </summary>
    public static int Call(string? run, string verb, IReadOnlyList<string> arguments) => Call(run, verb, arguments, WriteOut);

    /// <summary>As above; the lines of standard output go to <paramref name="output"/>.</summary>
    public static int Call(string? run, string verb, IReadOnlyList<string> arguments, Action<ReadOnlySpan<byte>> output)
    {
        try
        {
            using ControlSocket socket = Open(ControlDirectory.FromEnvironment(), run);
            int status = Ask(socket, verb, arguments, output);
            Terminal.Flush();
            return status;
        }
        catch (IOException e)
        {
            Terminal.Error(e.Message);
            return CommandLine.OwnFailure;
        }
    }

    /// <summary>The caller's runs by name, in the order of their names, each with a connection that the caller disposes.</summary>
    public static List<(string Name, ControlSocket Socket)> OpenAll(ControlDirectory place)
    {
        List<(string, ControlSocket)> found = [];
        foreach (string directory in place.Existing())
        {
            using IDisposable? locked = ControlDirectory.Lock(directory);
            if (!Directory.Exists(directory))
            {
                // The last run has just taken it away.
                continue;
            }

            foreach (string path in Directory.EnumerateFileSystemEntries(directory).Order(StringComparer.Ordinal))
            {
                switch (ControlSocket.Connect(path, out ControlSocket? socket))
                {
                    case Errno.None:
                        found.Add((Path.GetFileName(path), socket!));
                        break;
                    case Errno.ECONNREFUSED:
                        // Nobody listens: whoever made it was killed. Under the lock nobody is just about to.
                        File.Delete(path);
                        break;
                }
            }
        }

        return found;
    }

    /// <summary>
    /// Sends a request on a fresh connection; returns the exit status. Fails where the run says nothing for <paramref name="seconds"/>.
    /// </summary>
    public static int Ask(
        ControlSocket socket, string verb, IReadOnlyList<string> arguments, Action<ReadOnlySpan<byte>> output, int seconds = 30)
    {
        byte[] request = ControlProtocol.WriteRequest(verb, arguments);
        if (request.Length > ControlProtocol.RequestBytesMax)
        {
            throw new IOException("the arguments are too long");
        }

        socket.SetTimeouts(Duration.FromSeconds(seconds), Duration.FromSeconds(seconds));
        LineReader lines = new(socket);
        string greeting = Encoding.UTF8.GetString(lines.Next());
        if (greeting != ControlProtocol.Greeting)
        {
            throw new IOException($"the run speaks '{greeting}', and this is for '{ControlProtocol.Greeting}': use its own version");
        }

        if (socket.Send(request) != Errno.None)
        {
            throw new IOException("the run has ended");
        }

        while (true)
        {
            ReadOnlySpan<byte> line = lines.Next();
            byte mark = line.Length >= 2 && line[1] == (byte)' ' ? line[0] : (byte)0;
            switch (mark)
            {
                case ControlProtocol.Output:
                    output(line[2..]);
                    break;
                case ControlProtocol.Error:
                    Terminal.Error(Encoding.UTF8.GetString(line[2..]));
                    break;
                case ControlProtocol.Status when ControlProtocol.TryReadStatus(line[2..], out int status):
                    return status;
                default:
                    throw new IOException("the run's answer is not understood");
            }
        }
    }

    /// <summary>The run asked for, or the only one; an error that lists them where that is not clear.</summary>
    internal static ControlSocket Open(ControlDirectory place, string? run)
    {
        List<(string Name, ControlSocket Socket)> all = OpenAll(place);
        List<(string Name, ControlSocket Socket)> matching = run == null ? all : [.. all.Where(r => r.Name == run)];
        if (run != null && matching.Count == 0)
        {
            // A run with a name has a process id, too.
            matching = [.. all.Where(r => run == r.Socket.PeerProcessId.ToString(System.Globalization.CultureInfo.InvariantCulture))];
        }

        ControlSocket? chosen = matching.Count == 1 ? matching[0].Socket : null;
        foreach ((_, ControlSocket socket) in all)
        {
            if (socket != chosen)
            {
                socket.Dispose();
            }
        }

        string names = string.Join(", ", all.Select(r => r.Name));
        return chosen ?? throw new IOException(
            all.Count == 0 ? "nothing runs: portico run -- COMMAND starts something"
            : run == null ? $"several are running; say which: {names}"
            : $"no run is called '{run}'; there are: {names}");
    }

    private static void WriteOut(ReadOnlySpan<byte> line)
    {
        Terminal.Output.Write(line);
        Terminal.Output.Write("\n"u8);
    }

    private sealed class LineReader(ControlSocket socket)
    {
        private byte[] _buffer = new byte[32 * 1024];
        private int _start;
        private int _end;

        /// <summary>The next line, without its line feed; it is good until the next call.</summary>
        public ReadOnlySpan<byte> Next()
        {
            int searched = 0;
            while (true)
            {
                int length = _buffer.AsSpan(_start + searched, _end - _start - searched).IndexOf((byte)'\n');
                if (length >= 0)
                {
                    ReadOnlySpan<byte> line = _buffer.AsSpan(_start, searched + length);
                    _start += searched + length + 1;
                    return line;
                }

                searched = _end - _start;
                MakeRoom();
                Errno error = socket.Receive(_buffer.AsSpan(_end), out int received);
                if (error != Errno.None || received == 0)
                {
                    throw new IOException(error == Errno.EAGAIN ? "the run does not answer" : "the run has ended");
                }

                _end += received;
            }
        }

        private void MakeRoom()
        {
            if (_start > 0)
            {
                _buffer.AsSpan(_start, _end - _start).CopyTo(_buffer);
                _end -= _start;
                _start = 0;
            }

            if (_end == _buffer.Length)
            {
                if (_end >= LineBytesMax)
                {
                    throw new IOException("the run's answer is not understood");
                }

                Array.Resize(ref _buffer, _end * 2);
            }
        }
    }
}

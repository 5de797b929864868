using System.Net.Sockets;
using System.Text;
using Portico.Linux;

namespace Portico.Cli.Tests.Control;

/// <summary>A runtime directory of a test's own.</summary>
internal sealed class ControlFixture : IDisposable
{
    public string Runtime { get; } = Directory.CreateTempSubdirectory("portico-control").FullName;

    public ControlDirectory Place => new(Runtime, $"{Runtime}/none", Runtime);

    public string SocketPath(string name) => $"{Runtime}/portico/{name}";

    /// <summary>A run's server that has begun to listen.</summary>
    public ControlServer Start(string name, params (string Verb, ControlHandler Handler)[] verbs)
    {
        ControlServer server = new(Place, name);
        foreach ((string verb, ControlHandler handler) in verbs)
        {
            server.Add(verb, handler);
        }

        server.Start();
        return server;
    }

    /// <summary>Sends bytes as they are and returns all that comes back.</summary>
    public string Raw(string name, ReadOnlySpan<byte> request)
    {
        using Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified) { ReceiveTimeout = 20_000 };
        socket.Connect(new UnixDomainSocketEndPoint(SocketPath(name)));
        List<byte> all = [];
        byte[] buffer = new byte[4096];
        try
        {
            socket.Send(request);
            for (int count; (count = socket.Receive(buffer)) > 0;)
            {
                all.AddRange(buffer.AsSpan(0, count));
            }
        }
        catch (SocketException e) when (e.SocketErrorCode is SocketError.ConnectionReset or SocketError.Shutdown)
        {
            // Closed with bytes unread.
        }

        return Encoding.UTF8.GetString([.. all]);
    }

    /// <summary>Asks as a command does; the lines of standard output and the exit status.</summary>
    public (List<string> Lines, int Status) Ask(string? run, string verb, params string[] arguments)
    {
        List<string> lines = [];
        using ControlSocket socket = ControlClient.Open(Place, run);
        int status = ControlClient.Ask(socket, verb, arguments, line => lines.Add(Encoding.UTF8.GetString(line)));
        return (lines, status);
    }

    public void Dispose() => Directory.Delete(Runtime, recursive: true);
}

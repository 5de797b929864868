using System.Globalization;
using Portico.Linux;
using Portico.Net;

namespace Portico.Cli;

/// <summary>
/// Answers one verb. On a thread of the client's own, several at a time, without the driver's lock: a handler enters the driver for as
/// long as it needs it. Returns the exit status of the client's command. An <see cref="ArgumentException"/> or
/// <see cref="LinuxException"/> becomes its message on the client's standard error and <see cref="CommandLine.OwnFailure"/>.
/// </summary>
internal delegate int ControlHandler(IReadOnlyList<string> arguments, ControlResponse response);

/// <summary>
/// The control socket of one run, by which commands in other terminals reach it:
/// <code>
/// control.Add("ss", (arguments, response) => { response.WriteLine("..."); return 0; });   // before Start
/// return ControlClient.Call(run, "ss", arguments);                                        // in the command
/// </code>
/// <see cref="ControlProtocol"/> has the protocol. Clients are the run's own user's, a bounded number of them at a time.
/// </summary>
internal sealed class ControlServer : IDisposable
{
    /// <summary>Clients at a time; one more is told so.</summary>
    private const int ClientsMax = 16;

    private static readonly Duration s_requestTimeout = Duration.FromSeconds(5);
    private static readonly Duration s_sendTimeout = Duration.FromSeconds(60);

    private readonly Dictionary<string, ControlHandler> _verbs = [];
    private readonly HashSet<ControlSocket> _clients = [];
    private readonly ControlDirectory _place;
    private readonly object _gate = new();
    private ControlSocket? _listener;
    private Thread? _thread;
    private bool _stopping;

    /// <summary>
    /// A run with a name asked for listens at once, so that a name that is taken is an error; one without is called by its process
    /// id, and begins to listen with <see cref="Start"/>.
    /// </summary>
    public ControlServer(ControlDirectory place, string? name)
    {
        _place = place;
        Name = name ?? Environment.ProcessId.ToString(CultureInfo.InvariantCulture);
        if (name == null)
        {
            return;
        }

        if (!ControlProtocol.IsName(name))
        {
            throw new ArgumentException($"--name: '{name}': letters, digits, '.', '_' and '-', at most 40, and not only digits");
        }

        Errno error = ControlSocket.Listen(place, name, out _listener);
        if (error != Errno.None)
        {
            throw new LinuxException(
                error == Errno.EADDRINUSE
                    ? $"--name: '{name}' is the name of a run that is going on; see portico ps"
                    : $"--name: cannot make the control socket: {error}",
                error);
        }
    }

    /// <summary>What the run is called.</summary>
    public string Name { get; }

    /// <summary>Adds a verb; before <see cref="Start"/>.</summary>
    public void Add(string verb, ControlHandler handler) => _verbs.Add(verb, handler);

    /// <summary>
    /// Begins to answer, on a thread of its own, which also makes the socket: the caller has something better to do. A run that has no
    /// place for one goes on without it.
    /// </summary>
    public void Start()
    {
        _thread = new Thread(Run) { IsBackground = true, Name = "portico control" };
        _thread.Start();
    }

    private void Run()
    {
        ControlSocket? listener = Listen();
        while (listener?.Accept() is ControlSocket client)
        {
            bool isRoom;
            lock (_gate)
            {
                isRoom = _clients.Count < ClientsMax && !_stopping;
                if (isRoom)
                {
                    _clients.Add(client);
                }
            }

            client.SetTimeouts(s_requestTimeout, s_sendTimeout);
            if (isRoom)
            {
                new Thread(() => Serve(client)) { IsBackground = true, Name = "portico control client" }.Start();
            }
            else
            {
                TurnAway(client);
            }
        }
    }

    private ControlSocket? Listen()
    {
        lock (_gate)
        {
            if (_listener == null && !_stopping)
            {
                try
                {
                    ControlSocket.Listen(_place, Name, out _listener);
                }
                catch (LinuxException)
                {
                    // Nobody asked for the socket by name; the command is what matters.
                }
            }

            return _stopping ? null : _listener;
        }
    }

    private static void TurnAway(ControlSocket client)
    {
        using (client)
        {
            try
            {
                ControlResponse response = new(client);
                response.Greet();
                response.WriteError($"the run has {ClientsMax} clients already");
                response.End(CommandLine.OwnFailure);
            }
            catch (IOException)
            {
                // It has gone by itself.
            }
        }
    }

    private void Serve(ControlSocket client)
    {
        try
        {
            ControlResponse response = new(client);
            response.Greet();
            if (ReceiveRequest(client) is string[] request)
            {
                response.End(Answer(request, response));
            }
        }
        catch (IOException)
        {
            // The client has gone. What else is wrong with a request is answered.
        }
        finally
        {
            lock (_gate)
            {
                _clients.Remove(client);
                client.Dispose();
                Monitor.PulseAll(_gate);
            }
        }
    }

    private int Answer(string[] request, ControlResponse response)
    {
        if (!_verbs.TryGetValue(request[0], out ControlHandler? handler))
        {
            response.WriteError($"the run does not know '{request[0]}'");
            return CommandLine.OwnFailure;
        }

        try
        {
            return handler(request[1..], response);
        }
        catch (ArgumentException e)
        {
            response.WriteError(e.Message);
            return CommandLine.OwnFailure;
        }
        catch (LinuxException e)
        {
            response.WriteError(e.Message);
            return CommandLine.OwnFailure;
        }
    }

    /// <summary>The one request of a connection; null where there is none that can be understood, in time.</summary>
    private static string[]? ReceiveRequest(ControlSocket client)
    {
        byte[] buffer = new byte[4096];
        int used = 0;
        while (true)
        {
            int end = buffer.AsSpan(0, used).IndexOf((byte)'\n');
            if (end >= 0)
            {
                return ControlProtocol.ReadRequest(buffer.AsSpan(0, end));
            }

            if (used == buffer.Length)
            {
                if (used == ControlProtocol.RequestBytesMax)
                {
                    return null;
                }

                Array.Resize(ref buffer, used * 2);
            }

            if (client.Receive(buffer.AsSpan(used), out int received) != Errno.None || received == 0)
            {
                return null;
            }

            used += received;
        }
    }

    /// <summary>Takes the socket away and waits until no handler runs any more; clients are cut off.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            _stopping = true;
            _listener?.Shutdown();
            foreach (ControlSocket client in _clients)
            {
                client.Shutdown();
            }
        }

        _thread?.Join();
        lock (_gate)
        {
            while (_clients.Count > 0)
            {
                Monitor.Wait(_gate);
            }
        }

        _listener?.Dispose();
    }
}

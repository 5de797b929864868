using Portico.Linux;
using Portico.Net;

namespace Portico.Cli;

/// <summary>
/// Makes a story of what passes between the command and Portico: it sees the packets, hears of what the stack does with them and of
/// the host's side, and hands the writer an event for each thing worth a line. Runs under the driver's lock and waits for nobody.
/// The files beside this one tell its parts: <c>Tracer.Tcp</c>, <c>Tracer.Datagrams</c>.
/// </summary>
internal sealed partial class Tracer : ITcpObserver, ITcpProxyObserver
{
    /// <summary>The most connections that are followed at a time, those included that were over last.</summary>
    public const int ConnectionsMax = 65_536;

    private readonly Engine _engine;
    private readonly TraceQueue _queue;
    private readonly bool _everyPacket;
    private readonly Dictionary<IpAddress, string> _names;
    private readonly Dictionary<TraceKey, TracedConnection> _connections = [];
    private readonly Queue<TraceKey> _byAge = [];
    private int _lastNumber;
    private MonoTime _origin;

    /// <summary>The connection of the packet that the stack is handling; null for none.</summary>
    private TracedConnection? _handled;

    public Tracer(Engine engine, TraceQueue queue, bool everyPacket, IEnumerable<(string Name, IpAddress Address)> names)
    {
        _engine = engine;
        _queue = queue;
        _everyPacket = everyPacket;
        _origin = engine.Now;
        _names = names.DistinctBy(n => n.Address).ToDictionary(n => n.Address, n => n.Name);
    }

    /// <summary>TCP connections that have not ended on Portico's side.</summary>
    public int OpenCount { get; private set; }

    /// <summary>Counts the time from now.</summary>
    public void Start() => _origin = _engine.Now;

    /// <summary>A packet from the command, before the stack sees it, or to the command, before the device does.</summary>
    public void OnPacket(Packet packet, bool fromCommand)
    {
        if (!TracedPacket.TryRead(packet, out TracedPacket read))
        {
            return;
        }

        Endpoint command = fromCommand ? read.Source : read.Destination;
        Endpoint other = fromCommand ? read.Destination : read.Source;
        if (other.Address.IsMulticast || (command.Address.IsLinkLocal && !command.Address.IsIpv4))
        {
            // The kernel's own business with its neighbours.
            return;
        }

        TraceKey key = new(read.Protocol, command, other);
        _handled = read.Protocol switch
        {
            IpProtocol.Tcp => OnSegment(key, read, fromCommand),
            IpProtocol.Udp => OnDatagram(key, read, fromCommand),
            _ => OnIcmp(key, read, fromCommand),
        };
    }

    /// <summary>The stack is done with the command's packet.</summary>
    public void OnPacketHandled() => _handled = null;

    /// <summary>The stack drops the packet that it is handling. For <see cref="NetworkStack.PacketDropped"/>.</summary>
    public void OnDrop(string reason)
    {
        if (_handled != null)
        {
            TraceEvent dropped = New(TraceEventKind.Drop, _handled, fromCommand: true);
            dropped.Text = reason;
            _queue.Add(dropped);
        }
    }

    /// <summary>The connection of a key, made and announced where it is new. At the bound the oldest is forgotten.</summary>
    private TracedConnection FindOrAdd(in TraceKey key, bool fromCommand)
    {
        if (_connections.TryGetValue(key, out TracedConnection? connection))
        {
            return connection;
        }

        while (_byAge.Count >= ConnectionsMax)
        {
            Forget(_byAge.Dequeue());
        }

        connection = new TracedConnection(++_lastNumber, key, _engine.Now);
        _connections.Add(key, connection);
        _byAge.Enqueue(key);
        OpenCount += key.Protocol == IpProtocol.Tcp ? 1 : 0;
        TraceEvent first = New(TraceEventKind.Connection, connection, fromCommand);
        first.Source = fromCommand ? key.Command : key.Other;
        first.Destination = fromCommand ? key.Other : key.Command;
        first.Text = _names.GetValueOrDefault(key.Other.Address);
        _queue.Add(first);
        return connection;
    }

    private TracedConnection? Find(in TraceKey key) => _connections.GetValueOrDefault(key);

    private void Forget(in TraceKey key)
    {
        if (_connections.Remove(key, out TracedConnection? forgotten))
        {
            EndTcp(forgotten);
        }
    }

    /// <summary>A connection is over, if it was not before.</summary>
    private bool EndTcp(TracedConnection connection)
    {
        if (connection.IsOver || connection.Key.Protocol != IpProtocol.Tcp)
        {
            return false;
        }

        connection.IsOver = true;
        OpenCount--;
        return true;
    }

    private TraceEvent New(TraceEventKind kind, TracedConnection connection, bool fromCommand = false) => new()
    {
        Time = new MonoTime((_engine.Now - _origin).Nanoseconds),
        Kind = kind,
        Connection = connection.Number,
        Protocol = connection.Key.Protocol,
        FromCommand = fromCommand,
    };
}

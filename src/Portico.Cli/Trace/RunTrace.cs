using Portico.Linux;
using Portico.Net;

namespace Portico.Cli;

/// <summary>
/// What <c>--trace</c> asks for: a tracer between the device and the stack, and the thread that writes down what it tells.
/// </summary>
internal sealed class RunTrace : IDisposable
{
    /// <summary>The most events that wait for the writer; a power of two. More are lost, and counted.</summary>
    private const int EventsMax = 16_384;

    private readonly Tracer _tracer;
    private readonly TraceWriter _writer;

    private RunTrace(Tracer tracer, TraceWriter writer)
    {
        _tracer = tracer;
        _writer = writer;
    }

    /// <summary>Opens the trace; null where none is asked for.</summary>
    public static RunTrace? Open(TraceOptions options, Engine engine, IEnumerable<(string Name, IpAddress Address)> names)
    {
        if (options.TraceFile == null)
        {
            return null;
        }

        Stream stream = options.TraceFile == TraceFlags.Standard
            ? Console.OpenStandardError()
            : RunCapture.OpenFile("--trace", options.TraceFile);
        TraceQueue queue = new(EventsMax);
        Tracer tracer = new(engine, queue, options.EveryPacket, names);
        return new RunTrace(tracer, new TraceWriter(queue, stream, options.Json));
    }

    /// <summary>Connections that have not ended on Portico's side.</summary>
    public int OpenCount => _tracer.OpenCount;

    public ILink Decorate(ILink link) => new TraceLink(link, _tracer);

    /// <summary>Listens to the stack and to the host's side.</summary>
    public void Attach(NetworkStack stack, TcpProxy proxy)
    {
        stack.Tcp.Observer = _tracer;
        stack.PacketDropped += _tracer.OnDrop;
        proxy.Observer = _tracer;
    }

    /// <summary>The command starts now.</summary>
    public void Start() => _tracer.Start();

    public void Dispose()
    {
        _writer.Dispose();
        if (_writer.Failure != null)
        {
            Terminal.Error($"--trace: {_writer.Failure.Message}");
        }
    }
}

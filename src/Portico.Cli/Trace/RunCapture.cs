using Portico.Linux;
using Portico.Net;

namespace Portico.Cli;

/// <summary>What <c>--pcap</c> asks for: the command's packets in a file, or on standard output for a program that reads along.</summary>
internal sealed class RunCapture : IDisposable
{
    private readonly Engine _engine;
    private readonly Stream _stream;
    private readonly PcapngWriter _writer;

    private RunCapture(Engine engine, Stream stream, bool isPipe)
    {
        _engine = engine;
        _stream = stream;
        long unixNow = (DateTime.UtcNow - DateTime.UnixEpoch).Ticks * 100;
        _writer = new PcapngWriter(
            stream,
            new PcapngOptions
            {
                UnixNanosecondsAtZero = unixNow - engine.Now.Nanoseconds,
                Application = "portico run",
                PacketBuffered = isPipe,
            });
    }

    /// <summary>Opens the capture; null where none is asked for.</summary>
    public static RunCapture? Open(TraceOptions options, Engine engine)
    {
        switch (options.CaptureFile)
        {
            case null:
                return null;
            case TraceFlags.Standard:
                // The command's own output would be read as packets.
                return new RunCapture(engine, new BackgroundStream(StandardOutput.Take()), isPipe: true);
            default:
                return new RunCapture(engine, OpenFile("--pcap", options.CaptureFile), isPipe: false);
        }
    }

    /// <summary>Makes a file; failures name the option.</summary>
    public static FileStream OpenFile(string option, string path)
    {
        try
        {
            return new FileStream(path, FileMode.Create, FileAccess.Write, FileShare.Read, 1);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            throw new IOException($"{option}: {e.Message}");
        }
    }

    /// <summary>Records what passes over a link.</summary>
    public CaptureLink Decorate(ILink link) => new(_engine, link, _writer, "portico0");

    /// <summary>Writes out what is left; where something could not be written, that is said.</summary>
    public void Dispose()
    {
        _writer.Flush();
        _stream.Dispose();
        if (_writer.Failure != null)
        {
            Terminal.Error($"--pcap: the recording has ended early: {_writer.Failure.Message}");
        }
    }
}

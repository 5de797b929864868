using System.CommandLine;
using System.CommandLine.Parsing;

namespace Portico.Cli;

/// <summary>The options of <c>portico run</c> that make its traffic visible.</summary>
internal sealed class TraceFlags
{
    private const string TraceName = "--trace";

    /// <summary>What stands for the terminal, or for a pipe, instead of a file.</summary>
    public const string Standard = "-";

    private readonly Option<string?> _pcap = new("--pcap")
    {
        Description = "Record the packets in FILE (pcapng), for Wireshark; - is standard output.",
        HelpName = "FILE",
    };

    private readonly Option<string?> _trace = new(TraceName)
    {
        Description = "Tell what each connection does, a line for each event, on standard error or in FILE.",
        HelpName = "FILE",
        Arity = ArgumentArity.ZeroOrOne,
    };

    private readonly Option<bool> _packets = new("--trace-packets") { Description = "Tell every packet as well." };

    private readonly Option<bool> _json = new("--json") { Description = "Print the trace and the statistics as JSON, an object in each line." };

    /// <summary>
    /// The file of --trace stands behind a "=", as with all optional arguments of GNU's tools, so that "--trace curl" does not write to a
    /// file "curl". The parser cannot be told so; it gets an argument where there is none.
    /// </summary>
    public static string[] Attach(string[] arguments) => [.. arguments.Select(a => a == TraceName ? $"{TraceName}={Standard}" : a)];

    public void AddTo(Command command)
    {
        command.Options.Add(_pcap);
        command.Options.Add(_trace);
        command.Options.Add(_packets);
        command.Options.Add(_json);
    }

    public TraceOptions Read(ParseResult result)
    {
        bool packets = result.GetValue(_packets);
        return new TraceOptions
        {
            CaptureFile = result.GetValue(_pcap),
            TraceFile = result.GetValue(_trace) ?? (packets ? Standard : null),
            EveryPacket = packets,
            Json = result.GetValue(_json),
        };
    }
}

/// <summary>What is to be seen of a run.</summary>
internal sealed class TraceOptions
{
    /// <summary>Where the packets are recorded; null for nowhere, "-" for standard output.</summary>
    public string? CaptureFile { get; init; }

    /// <summary>Where the trace goes; null for nowhere, "-" for standard error.</summary>
    public string? TraceFile { get; init; }

    public bool EveryPacket { get; init; }

    /// <summary>Whether the trace, and what else is printed of the run, is JSON.</summary>
    public bool Json { get; init; }
}

using Portico.Kernel;
using Portico.Linux;
using Portico.Net;

namespace Portico.Cli;

/// <summary>What the page at <c>portico.internal</c> tells about.</summary>
internal sealed class StatusSources
{
    public required StackDriver Driver { get; init; }

    public required NetworkStack Stack { get; init; }

    public required IReadOnlyList<string> CommandLine { get; init; }

    /// <summary>Lists the run's sockets.</summary>
    public required SsVerb Sockets { get; init; }

    public required MibTable<ProxyCounter> Proxy { get; init; }

    public required TunLink Link { get; init; }

    /// <summary>Null where nothing is impaired.</summary>
    public ImpairmentLink? Impairment { get; init; }
}

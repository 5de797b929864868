using Portico.Net;

namespace Portico.Simulation.Scripts;

/// <summary>How a run of a script ended.</summary>
public sealed class ScriptResult
{
    internal ScriptResult(string path, ScriptIpVersion ipVersion, ScriptReport? failure, Duration time, string digest, int packets)
    {
        Path = path;
        IpVersion = ipVersion;
        Failure = failure;
        VirtualTime = time;
        PacketDigest = digest;
        PacketCount = packets;
    }

    /// <summary>The script.</summary>
    public string Path { get; }

    /// <summary>The addresses it was run with.</summary>
    public ScriptIpVersion IpVersion { get; }

    /// <summary>Whether all came as the script says.</summary>
    public bool Passed => Failure == null;

    /// <summary>What did not; null where all did.</summary>
    public ScriptReport? Failure { get; }

    /// <summary>How long the script took on its own clock.</summary>
    public Duration VirtualTime { get; }

    /// <summary>SHA-256 over all packets, in and out, and their times: the same for two runs that did the same.</summary>
    public string PacketDigest { get; }

    /// <summary>How many packets passed, in and out.</summary>
    public int PacketCount { get; }
}

/// <summary>Why a script failed.</summary>
/// <param name="Position">The line and column of the event.</param>
/// <param name="Line">The line as it is in the script.</param>
/// <param name="Reason">What is wrong, in one line.</param>
/// <param name="Expected">What was expected; null where the reason says it all.</param>
/// <param name="Actual">What came instead.</param>
/// <param name="Trace">The packets and calls until then, oldest first.</param>
public sealed record ScriptReport(
    ScriptPosition Position, string Line, string Reason, string? Expected, string? Actual, IReadOnlyList<string> Trace);

using Portico.Net;

namespace Portico.Simulation.Scripts;

/// <summary>
/// Runs scripts in packetdrill's language: system calls and packets with times, against a kernel of its own in virtual time. Nothing
/// outside of this process is touched, and the same script gives the same packets each time.
/// </summary>
public static class ScriptRunner
{
    /// <summary>Runs a script. Throws <see cref="ScriptSyntaxException"/> where it is not one, and what reading a file can throw.</summary>
    public static ScriptResult RunFile(string path, ScriptOptions? options = null) => Run(path, File.ReadAllText(path), options);

    /// <summary>Runs a script whose text is known; the path is for messages.</summary>
    public static ScriptResult Run(string path, string text, ScriptOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(text);
        options ??= new ScriptOptions();
        ScriptSyntax script = ScriptParser.Parse(path, text, ScriptConfiguration.Definitions(options));
        using ScriptRun run = new(script, options);
        ScriptReport? report = null;
        try
        {
            RunAll(run);
        }
        catch (ScriptFailure failure)
        {
            string[] lines = text.Split('\n');
            string line = failure.Position.Line <= lines.Length ? lines[failure.Position.Line - 1].TrimEnd('\r') : "";
            report = new ScriptReport(failure.Position, line, failure.Message, failure.Expected, failure.Actual, []);
        }

        run.DrainPackets();
        report = report == null ? null : report with { Trace = [.. run.TraceLines] };
        return new ScriptResult(path, options.IpVersion, report, Duration.FromMicroseconds(run.Clock.Now), run.Digest(), run.PacketCount);
    }

    private static void RunAll(ScriptRun run)
    {
        try
        {
            run.Run();
        }
        catch (Exception error) when (ScriptRun.IsOfKernel(error))
        {
            throw ScriptRun.OfKernel(run.Position, error);
        }
    }

    /// <summary>
    /// The IP versions that a script is run with, by the end of its name as google/packetdrill's own runner has it: v4.pkt not with IPv6,
    /// v6.pkt only with that.
    /// </summary>
    public static IReadOnlyList<ScriptIpVersion> VersionsOf(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        List<ScriptIpVersion> versions = [];
        if (!path.EndsWith("v6.pkt", StringComparison.Ordinal))
        {
            versions.AddRange([ScriptIpVersion.Ipv4, ScriptIpVersion.Ipv4MappedIpv6]);
        }

        if (!path.EndsWith("v4.pkt", StringComparison.Ordinal))
        {
            versions.Add(ScriptIpVersion.Ipv6);
        }

        return versions;
    }
}

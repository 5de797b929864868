using System.Text.RegularExpressions;
using Portico.Simulation.Scripts;

namespace Portico.Conformance.Tests;

/// <summary>The scripts under scripts/, one folder for each RFC and section: all of them pass, twice with the same packets.</summary>
public sealed partial class ConformanceTests
{
    private static readonly string s_root = Path.Combine(AppContext.BaseDirectory, "scripts");

    public static TheoryData<string> Scripts => [.. Directory.GetFiles(s_root, "*.pkt", SearchOption.AllDirectories)
        .Select(path => Path.GetRelativePath(s_root, path)).Order(StringComparer.Ordinal)];

    public static TheoryData<string, ScriptIpVersion> Runs
    {
        get
        {
            TheoryData<string, ScriptIpVersion> runs = [];
            foreach (string script in (IEnumerable<string>)Scripts)
            {
                foreach (ScriptIpVersion version in ScriptRunner.VersionsOf(script))
                {
                    runs.Add(script, version);
                }
            }

            return runs;
        }
    }

    [GeneratedRegex(@"^// RFC (?<rfc>\d+), (?<section>\d[\d.]*\d)(: | and )")]
    private static partial Regex Heading { get; }

    [Theory]
    [MemberData(nameof(Runs))]
    public void A_script_passes_each_time_with_the_same_packets(string script, ScriptIpVersion version)
    {
        ScriptOptions options = new() { IpVersion = version };
        ScriptResult result = ScriptRunner.RunFile(Path.Combine(s_root, script), options);
        ScriptReport? failure = result.Failure;
        Assert.True(failure == null, failure == null ? "" : $"""
            {script}:{failure.Position}: {failure.Reason}
            {failure.Line}
            expected: {failure.Expected}
            actual:   {failure.Actual}
            {string.Join('\n', failure.Trace)}
            """);
        Assert.Equal(result.PacketDigest, ScriptRunner.RunFile(Path.Combine(s_root, script), options).PacketDigest);
    }

    [Theory]
    [MemberData(nameof(Scripts))]
    public void A_script_begins_with_the_section_that_it_proves_and_lies_in_its_folder(string script)
    {
        Match heading = Heading.Match(File.ReadLines(Path.Combine(s_root, script)).First());
        Assert.True(heading.Success, "the first line has to be // RFC n, section: what is proved");
        string[] folders = script.Split(Path.DirectorySeparatorChar);
        Assert.Equal($"rfc{heading.Groups["rfc"].Value}", folders[0]);
        Assert.StartsWith(folders[1], heading.Groups["section"].Value, StringComparison.Ordinal);
    }
}

using Portico.Simulation.Scripts;

namespace Portico.Conformance.Tests;

/// <summary>The scripts under scripts/, one folder for each RFC and section, and for each option that only Linux has: all of them pass, twice with the same packets.</summary>
public sealed class ConformanceTests
{
    public static TheoryData<string> Scripts => [.. OwnScript.Paths];

    public static TheoryData<string, ScriptIpVersion> Runs
    {
        get
        {
            TheoryData<string, ScriptIpVersion> runs = [];
            foreach (string script in OwnScript.Paths)
            {
                foreach (ScriptIpVersion version in ScriptRunner.VersionsOf(script))
                {
                    runs.Add(script, version);
                }
            }

            return runs;
        }
    }

    [Theory]
    [MemberData(nameof(Runs))]
    public void A_script_passes_each_time_with_the_same_packets(string script, ScriptIpVersion version)
    {
        string path = Path.Combine(OwnScript.Root, script);
        ScriptOptions options = new() { IpVersion = version };
        ScriptResult result = ScriptRunner.RunFile(path, options);
        ScriptReport? failure = result.Failure;
        Assert.True(failure == null, failure == null ? "" : $"""
            {script}:{failure.Position}: {failure.Reason}
            {failure.Line}
            expected: {failure.Expected}
            actual:   {failure.Actual}
            {string.Join('\n', failure.Trace)}
            """);
        Assert.Equal(result.PacketDigest, ScriptRunner.RunFile(path, options).PacketDigest);
    }

    [Theory]
    [MemberData(nameof(Scripts))]
    public void A_script_begins_with_what_it_proves_and_lies_in_the_folder_of_the_section(string path)
    {
        OwnScript script = new(path);
        string[] folders = path.Split('/');
        Assert.Equal(script.Rfc == OwnScript.OfLinux ? "linux" : $"rfc{script.Rfc}", folders[0]);
        Assert.True(folders.Length == 3, "rfcN/section/name.pkt or linux/option/name.pkt");
        Assert.StartsWith(folders[1], script.Section, StringComparison.Ordinal);
        Assert.NotEmpty(script.Statement);
    }
}

using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;
using Portico.Simulation.Scripts;

namespace Portico.Conformance.Tests;

/// <summary>A script under scripts/: what its first lines say of it, and how it runs.</summary>
internal sealed partial class OwnScript
{
    /// <summary>The folder of the scripts in the repository.</summary>
    public static readonly string Root = System.IO.Path.Combine(System.IO.Path.GetDirectoryName(SourcePath())!, "scripts");

    /// <summary>Stands for an RFC's number where an option of Linux is what is proved.</summary>
    public const int OfLinux = 0;

    /// <summary>All of them, in the order of their paths.</summary>
    public static readonly Lazy<OwnScript[]> All = new(static () => [.. Paths.Select(static path => new OwnScript(path))]);

    public OwnScript(string path)
    {
        Path = path;
        string[] lines = File.ReadAllLines(FullPath);
        Match heading = Heading.Match(lines[0]);
        Assert.True(heading.Success, $"{path}: the first line has to be // RFC n, section: requirement, or // Linux, option: what it does");
        Rfc = heading.Groups["rfc"] is { Success: true } rfc ? int.Parse(rfc.Value, System.Globalization.CultureInfo.InvariantCulture) : OfLinux;
        Section = heading.Groups["section"].Value;
        What = heading.Groups["what"].Value;
        Statement = string.Join(' ', lines.Skip(1).TakeWhile(static line => line.StartsWith("//", StringComparison.Ordinal)).Select(static line => line[2..].Trim()));
    }

    /// <summary>Below scripts/, with '/'.</summary>
    public string Path { get; }

    /// <summary>The RFC's number; <see cref="OfLinux"/> for what no RFC says.</summary>
    public int Rfc { get; }

    public string Section { get; }

    /// <summary>The requirement, or the name of the step or algorithm.</summary>
    public string What { get; }

    /// <summary>What is proved, in a sentence.</summary>
    public string Statement { get; }

    /// <summary>Requirements of RFC 9293 by their numbers: MUST-1.</summary>
    public IEnumerable<string> Requirements => Rfc == 9293 ? Requirement.Matches(What).Select(static match => match.Value) : [];

    public string FullPath => System.IO.Path.Combine(Root, Path);

    [GeneratedRegex(@"^// (RFC (?<rfc>\d+), (?<section>\d[\d.]*)( and [^:]*)?|Linux, (?<section>\w+)): (?<what>.+)$")]
    private static partial Regex Heading { get; }

    [GeneratedRegex(@"\b(MUST|SHLD|MAY)-\d+\b")]
    private static partial Regex Requirement { get; }

    public static IEnumerable<string> Paths => Directory.GetFiles(Root, "*.pkt", SearchOption.AllDirectories)
        .Select(static path => System.IO.Path.GetRelativePath(Root, path).Replace('\\', '/')).Order(StringComparer.Ordinal);

    private static string SourcePath([CallerFilePath] string path = "") => path;

    /// <summary>Runs it with each IP version that it is for.</summary>
    public bool Passes() =>
        ScriptRunner.VersionsOf(Path).All(version => ScriptRunner.RunFile(FullPath, new ScriptOptions { IpVersion = version }).Passed);
}

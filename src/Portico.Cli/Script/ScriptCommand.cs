using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using Portico.Simulation.Scripts;

namespace Portico.Cli;

/// <summary><c>portico script</c>: runs scripts of system calls and packets against a kernel in virtual time.</summary>
internal static class ScriptCommand
{
    private const int Failed = 1;
    private const int BadInput = 2;

    /// <summary>A script with one of the IP versions, and what came of it.</summary>
    private sealed class Job(string path, ScriptIpVersion version)
    {
        public string Path => path;

        public ScriptIpVersion Version => version;

        public ScriptResult? Result { get; set; }

        /// <summary>The packets of a second run, where there was one.</summary>
        public string? SecondDigest { get; set; }

        /// <summary>Why it could not be run.</summary>
        public string? Problem { get; set; }

        public List<string> Trace { get; } = [];

        public bool HasPassed => Problem == null && Result!.Passed && (SecondDigest == null || SecondDigest == Result.PacketDigest);
    }

    public static Command Create()
    {
        Argument<string[]> paths = new("path")
        {
            Arity = ArgumentArity.OneOrMore,
            Description = "Scripts, and directories whose *.pkt are run.",
        };
        Option<string> version = new("--ip-version")
        {
            Description = "ipv4, ipv6, ipv4-mapped-v6 or all: by default all, without IPv6 for *v4.pkt and with nothing but IPv6 for *v6.pkt.",
            HelpName = "VERSION",
            DefaultValueFactory = static _ => "all",
        };
        version.AcceptOnlyFromAmong("all", "ipv4", "ipv6", "ipv4-mapped-v6");
        Option<string[]> define = RepeatableOption.Create("--define", "NAME=VALUE", "Replace a name in the scripts.", "-D");
        Option<bool> verbose = new("--verbose", "-v") { Description = "Show the trace of every run: calls, packets, commands." };
        Option<bool> twice = new("--twice") { Description = "Run each script twice; other packets the second time are a failure." };
        Option<bool> json = new("--json") { Description = "Write a JSON object for each run, one a line." };
        Option<long?> tolerance = new("--tolerance-usecs") { Description = "How far times may be off, in microseconds.", HelpName = "N" };
        Option<double?> percent = new("--tolerance-percent") { Description = "The same, as percent of the time since the line before.", HelpName = "N" };
        Command script = new("script", "Runs packetdrill scripts against a kernel of its own, in virtual time. The exit status is 0 where all pass, 1 where one fails, 2 where one cannot be read.");
        script.Arguments.Add(paths);
        foreach (Option option in (Option[])[version, define, verbose, twice, json, tolerance, percent])
        {
            script.Options.Add(option);
        }

        script.SetAction(result =>
        {
            if (!TryFind(result.GetValue(paths)!, result.GetValue(version)!, out List<Job> jobs) || !TryRead(result.GetValue(define), out Dictionary<string, string> definitions))
            {
                return BadInput;
            }

            long begun = Stopwatch.GetTimestamp();
            bool isVerbose = result.GetValue(verbose);
            Parallel.ForEach(jobs, job => Run(job, result.GetValue(twice), options => new ScriptOptions
            {
                IpVersion = job.Version,
                Definitions = definitions,
                ToleranceUsecs = result.GetValue(tolerance),
                TolerancePercent = result.GetValue(percent),
                Trace = isVerbose && options ? job.Trace.Add : null,
            }));
            using StreamWriter output = new(Terminal.Output);
            Report(output, jobs, result.GetValue(json), isVerbose, Stopwatch.GetElapsedTime(begun));
            output.Flush();
            return jobs.Exists(static job => job.Problem != null) ? BadInput : jobs.TrueForAll(static job => job.HasPassed) ? 0 : Failed;
        });
        return script;
    }

    private static bool TryRead(string[]? definitions, out Dictionary<string, string> read)
    {
        read = [];
        foreach (string definition in definitions ?? [])
        {
            string[] parts = definition.Split('=', 2);
            if (parts.Length != 2 || parts[0].Length == 0)
            {
                Terminal.Error($"script: expected NAME=VALUE, found '{definition}'");
                return false;
            }

            read[parts[0]] = parts[1];
        }

        return true;
    }

    /// <summary>The runs, in the order of the paths.</summary>
    private static bool TryFind(string[] paths, string version, out List<Job> jobs)
    {
        jobs = [];
        foreach (string path in paths)
        {
            bool isDirectory = Directory.Exists(path);
            if (!isDirectory && !File.Exists(path))
            {
                Terminal.Error($"script: there is no {path}");
                return false;
            }

            string[] files = isDirectory ? Directory.GetFiles(path, "*.pkt", SearchOption.AllDirectories) : [path];
            Array.Sort(files, StringComparer.Ordinal);
            foreach (string file in files)
            {
                IEnumerable<ScriptIpVersion> versions = version switch
                {
                    "ipv4" => [ScriptIpVersion.Ipv4],
                    "ipv6" => [ScriptIpVersion.Ipv6],
                    "ipv4-mapped-v6" => [ScriptIpVersion.Ipv4MappedIpv6],
                    _ => ScriptRunner.VersionsOf(file),
                };
                jobs.AddRange(versions.Select(one => new Job(file, one)));
            }
        }

        if (jobs.Count == 0)
        {
            Terminal.Error($"script: no *.pkt in {string.Join(", ", paths)}");
        }

        return jobs.Count > 0;
    }

    private static void Run(Job job, bool runsTwice, Func<bool, ScriptOptions> options)
    {
        try
        {
            job.Result = ScriptRunner.RunFile(job.Path, options(true));
            job.SecondDigest = runsTwice ? ScriptRunner.RunFile(job.Path, options(false)).PacketDigest : null;
        }
        catch (Exception error) when (error is ScriptSyntaxException or IOException or UnauthorizedAccessException)
        {
            job.Problem = error.Message;
        }
    }

    public static string Name(ScriptIpVersion version) => version switch
    {
        ScriptIpVersion.Ipv4 => "ipv4",
        ScriptIpVersion.Ipv6 => "ipv6",
        _ => "ipv4-mapped-v6",
    };

    private static void Report(StreamWriter output, List<Job> jobs, bool asJson, bool isVerbose, TimeSpan time)
    {
        foreach (Job job in jobs)
        {
            if (asJson)
            {
                ScriptReports.WriteJson(output, job.Path, Name(job.Version), job.Result, job.Problem, job.SecondDigest);
                continue;
            }

            ScriptReports.Write(output, job.Path, Name(job.Version), job.Result, job.Problem, job.SecondDigest, isVerbose ? job.Trace : null);
        }

        if (!asJson)
        {
            int passed = jobs.Count(static job => job.HasPassed);
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{passed} passed, {jobs.Count - passed} failed, of {jobs.Count} runs in {time.TotalSeconds:0.0} s"));
        }
    }
}

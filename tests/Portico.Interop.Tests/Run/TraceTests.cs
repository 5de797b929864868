using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.RegularExpressions;
using Portico.Interop.Tests.Capture;
using Portico.Interop.Tests.Kernel;

namespace Portico.Interop.Tests.Run;

/// <summary><c>--trace</c>, <c>--json</c> and <c>--pcap</c> of real programs' connections.</summary>
public sealed class TraceTests : IDisposable
{
    private readonly HostNamespace _host = new();
    private readonly string _directory = Directory.CreateTempSubdirectory("portico-trace").FullName;

    public void Dispose()
    {
        _host.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    /// <summary>What happens, without times and numbers, that the kernel or chance choose.</summary>
    private static string[] Story(string trace) =>
    [
        .. trace.Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(l => l[(l.IndexOf('#', StringComparison.Ordinal) + 5)..].Trim()),
    ];

    private static void AssertOccursInOrder(string[] story, params string[] expected)
    {
        int at = 0;
        foreach (string line in story)
        {
            if (at < expected.Length && line.StartsWith(expected[at], StringComparison.Ordinal))
            {
                at++;
            }
        }

        Assert.True(at == expected.Length, $"not told: {(at < expected.Length ? expected[at] : "")}\n{string.Join('\n', story)}");
    }

    /// <summary>A trace without what differs from run to run: times, ports, windows, lengths.</summary>
    private static string[] Shape(IEnumerable<string> trace) =>
        [.. trace.Select(l => Regex.Replace(l.TrimStart(), @"(?<=^|[ :])(\d+\.\d+|\d{2,}|(?<=wscale )\d)(?=$|[ ,\]])", "N"))];

    [Fact]
    public void The_sessions_that_the_documentation_shows_are_what_happens()
    {
        const string Prompt = "$ ./portico ";
        string root = Path.Combine(Path.GetDirectoryName(SourcePath())!, "..", "..", "..");
        int sessions = 0;
        foreach (string file in (string[])["README.md", "docs/portico-run.md"])
        {
            string[] lines = File.ReadAllLines(Path.Combine(root, file));
            for (int i = 0; i < lines.Length; i++)
            {
                if (!lines[i].StartsWith(Prompt + "run --trace ", StringComparison.Ordinal))
                {
                    continue;
                }

                CommandResult result = _host.Portico(lines[i][Prompt.Length..].Split(' '));
                Assert.Equal(0, result.ExitCode);
                Assert.Equal(
                    Shape(lines.Skip(i + 1).TakeWhile(l => l != "```")),
                    Shape(result.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries)));
                sessions++;
            }
        }

        Assert.NotEqual(0, sessions);
    }

    private static string SourcePath([CallerFilePath] string path = "") => path;

    [Fact]
    public async Task A_server_outside_that_closes_first_is_told_with_the_hosts_side()
    {
        using Socket listener = _host.Listen(HostNamespace.Ipv4, out int port);
        using Process process = _host.StartPortico("run", "--trace", "--", "nc", "-d", "192.0.2.1", $"{port}");
        using (Socket accepted = await listener.AcceptAsync().WaitAsync(TimeSpan.FromSeconds(60)))
        {
            accepted.Send("goodbye"u8);
        }

        CommandResult result = CommandResult.WaitFor(process);
        Assert.Equal("goodbye", result.Output);
        AssertOccursInOrder(
            Story(result.Error),
            "TCP 10.0.2.100:",
            "--> SYN seq 0",
            $"outside  the host connects to 192.0.2.1:{port}",
            "outside  connected after",
            "portico  LISTEN -> SYN-RECEIVED",
            "portico  SYN-RECEIVED -> ESTABLISHED",
            "<-- first data, 7 bytes",
            "outside  the server has closed",
            "closed first by the server",
            "portico  ESTABLISHED -> FIN-WAIT-1: close by Portico",
            "<-- FIN,ACK");
    }

    [Fact]
    public void What_is_refused_or_not_allowed_is_told()
    {
        CommandResult result = _host.RunShell(
            "nc -z 192.0.2.1 1; nc -z -w 2 169.254.169.254 80; getent hosts nowhere.portico.internal; true", "--trace");
        string[] story = Story(result.Error);
        AssertOccursInOrder(story, "outside  the host connects to 192.0.2.1:1", "outside  refused after", "<-- RST,ACK");
        AssertOccursInOrder(story, "TCP 10.0.2.100:", "outside  not allowed", "<-- ICMP error: administratively prohibited");
        AssertOccursInOrder(story, "UDP 10.0.2.100:", "--> DNS query ", "<-- DNS answer ");
    }

    [Fact]
    public async Task Retransmissions_have_the_same_causes_in_the_trace_and_in_the_capture()
    {
        using Socket listener = _host.Listen(HostNamespace.Ipv4, out int port);
        string trace = Path.Combine(_directory, "trace.json");
        string capture = Path.Combine(_directory, "capture.pcapng");
        using Process process = _host.StartPortico(
            "run", $"--trace={trace}", "--stats", "--json", "--pcap", capture, "--loss", "3%", "--seed", "7", "--",
            "sh", "-c", $"nc -d 192.0.2.1 {port} | wc -c");
        using (Socket accepted = await listener.AcceptAsync().WaitAsync(TimeSpan.FromSeconds(60)))
        {
            await accepted.SendAsync(new byte[2_000_000]);
        }

        CommandResult result = CommandResult.WaitFor(process);
        Assert.Equal("2000000", result.Succeeded().Trim());
        JsonElement[] events = [.. File.ReadLines(trace).Select(l => JsonDocument.Parse(l).RootElement)];
        Assert.All(events, e => Assert.True(Name(e) is { Length: > 0 } && e.GetProperty("timeMicros").GetInt64() > 0));
        JsonElement[] again = [.. events.Where(e => Name(e) == "retransmission")];
        Assert.NotEmpty(again);

        // What is sent again together, two segments side by side, is one event and as many packets as it takes.
        int segmentBytes = Tshark.Read(capture, "tcp.len > 0", "tcp.len").Max(l => int.Parse(l, CultureInfo.InvariantCulture));
        IEnumerable<string> causes = again.SelectMany(e => Enumerable.Repeat(
            e.GetProperty("cause").GetString()!, Math.Max(1, (e.GetProperty("length").GetInt32() + segmentBytes - 1) / segmentBytes)));
        string[] comments = [.. Tshark.Read(capture, "tcp && frame.comment", "frame.comment")];
        IEnumerable<string> noted = comments.SelectMany(c => c.Split(','));
        Assert.Equal(causes.Order(), noted.Where(c => c.Contains("retransmission", StringComparison.Ordinal)).Order());
        Assert.Contains(comments, c => c.EndsWith("dropped by impairment: loss", StringComparison.Ordinal));
        Assert.Empty(Tshark.Read(capture, "_ws.malformed"));
        JsonElement end = events.First(e => Name(e) == "end");
        Assert.Equal(2_000_000, end.GetProperty("bytesIn").GetInt64());
        JsonElement stats = JsonDocument.Parse(result.Error).RootElement;
        Assert.Equal("stats", Name(stats));
        Assert.Equal(again.Length, stats.GetProperty("retransmittedSegments").GetInt32());

        static string? Name(JsonElement traced) => traced.GetProperty("event").GetString();
    }

    [Fact]
    public void A_capture_on_standard_output_is_read_along_and_the_commands_output_is_not_in_it()
    {
        string read = Path.Combine(_directory, "read");
        using Process process = _host.StartProgram(
            "sh",
            "-c",
            $"dotnet '{HostNamespace.ToolPath}' run --pcap - -- sh -c 'echo words; curl -sS4 -m 20 -o /dev/null http://portico.internal/'"
            + $" | tshark -r - -Y 'tcp.flags.syn==1 && !tcp.analysis.retransmission' >'{read}'");
        CommandResult result = CommandResult.WaitFor(process);
        Assert.Contains("words\n", result.Error, StringComparison.Ordinal);
        Assert.Equal(2, File.ReadAllLines(read).Length);
    }

    [Fact]
    public void Files_that_cannot_be_written_have_one_line()
    {
        foreach (string[] options in (string[][])[["--pcap", "/nowhere/x"], ["--trace=/nowhere/x"]])
        {
            CommandResult result = _host.Portico(["run", .. options, "--", "true"]);
            Assert.Equal(125, result.ExitCode);
            Assert.StartsWith($"portico: {options[0].Split('=')[0]}: ", result.Error, StringComparison.Ordinal);
            Assert.Equal(1, result.Error.Count(c => c == '\n'));
        }
    }
}

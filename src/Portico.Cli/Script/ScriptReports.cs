using System.Globalization;
using System.Text;
using System.Text.Json;
using Portico.Simulation.Scripts;

namespace Portico.Cli;

/// <summary>What <c>portico script</c> says of a run: a line where it passed; where it failed the line, what was expected and what came.</summary>
internal static class ScriptReports
{
    /// <summary>How much of the trace stands in front of a failure.</summary>
    private const int TraceLinesMax = 40;

    public static void Write(TextWriter output, string path, string version, ScriptResult? result, string? problem, string? secondDigest, List<string>? trace)
    {
        if (problem != null)
        {
            output.WriteLine($"ERROR {path} ({version})\n  {problem}");
            return;
        }

        bool isSame = secondDigest == null || secondDigest == result!.PacketDigest;
        string state = result!.Passed && isSame ? "ok   " : "FAIL ";
        output.WriteLine(string.Create(
            CultureInfo.InvariantCulture, $"{state} {path} ({version}): {result.PacketCount} packets, {result.VirtualTime.Seconds:0.###} s"));
        if (trace != null)
        {
            WriteLines(output, trace);
        }

        if (result.Failure is { } failure)
        {
            WriteFailure(output, path, failure, trace == null);
        }

        if (!isSame)
        {
            output.WriteLine("  the second run had other packets, or other times");
        }
    }

    private static void WriteFailure(TextWriter output, string path, ScriptReport failure, bool showsTrace)
    {
        if (showsTrace)
        {
            WriteLines(output, failure.Trace.Skip(Math.Max(0, failure.Trace.Count - TraceLinesMax)));
        }

        output.WriteLine($"  {path}:{failure.Position}: {failure.Reason}");
        output.WriteLine($"    {failure.Line.Trim()}");
        if (failure.Expected != null || failure.Actual != null)
        {
            output.WriteLine($"    expected: {failure.Expected}");
            output.WriteLine($"    actual:   {failure.Actual}");
        }
    }

    private static void WriteLines(TextWriter output, IEnumerable<string> lines)
    {
        foreach (string line in lines)
        {
            output.WriteLine($"  | {line}");
        }
    }

    public static void WriteJson(TextWriter output, string path, string version, ScriptResult? result, string? problem, string? secondDigest)
    {
        using MemoryStream bytes = new();
        using (Utf8JsonWriter json = new(bytes))
        {
            json.WriteStartObject();
            json.WriteString("script", path);
            json.WriteString("ip_version", version);
            json.WriteBoolean("passed", problem == null && result!.Passed && (secondDigest == null || secondDigest == result.PacketDigest));
            if (problem != null)
            {
                json.WriteString("problem", problem);
            }

            if (result != null)
            {
                json.WriteNumber("packets", result.PacketCount);
                json.WriteNumber("virtual_seconds", result.VirtualTime.Seconds);
                json.WriteString("digest", result.PacketDigest);
                WriteFailure(json, result.Failure);
            }

            json.WriteEndObject();
        }

        output.WriteLine(Encoding.UTF8.GetString(bytes.GetBuffer(), 0, (int)bytes.Length));
    }

    private static void WriteFailure(Utf8JsonWriter json, ScriptReport? failure)
    {
        if (failure == null)
        {
            return;
        }

        json.WriteNumber("line", failure.Position.Line);
        json.WriteNumber("column", failure.Position.Column);
        json.WriteString("text", failure.Line.Trim());
        json.WriteString("reason", failure.Reason);
        json.WriteString("expected", failure.Expected);
        json.WriteString("actual", failure.Actual);
    }
}

using System.Globalization;
using System.Runtime.InteropServices;

namespace Portico.Bench;

/// <summary>Where and when a figure comes from.</summary>
internal static class Machine
{
    /// <summary>Two lines, each with its name in front.</summary>
    public static string Describe() => string.Create(
        CultureInfo.InvariantCulture,
        $"Machine: {ProcessorName()}, {Environment.ProcessorCount} processors, {RuntimeInformation.OSDescription}, {RuntimeInformation.FrameworkDescription}\nDate: {DateTime.UtcNow:yyyy-MM-dd HH:mm} UTC, load {LoadAverage()}");

    private static string ProcessorName()
    {
        string? line = File.Exists("/proc/cpuinfo") ? File.ReadLines("/proc/cpuinfo").FirstOrDefault(l => l.StartsWith("model name", StringComparison.Ordinal)) : null;
        return line?[(line.IndexOf(':', StringComparison.Ordinal) + 2)..] ?? RuntimeInformation.ProcessArchitecture.ToString();
    }

    private static string LoadAverage() => File.Exists("/proc/loadavg") ? File.ReadAllText("/proc/loadavg").Split(' ')[0] : "unknown";
}

using System.Buffers;
using System.Diagnostics;
using System.Text.Json;
using Portico.Kernel;
using Portico.Linux;
using Portico.Net;

namespace Portico.Cli;

/// <summary>What a run says of itself to <c>portico ps</c>: one JSON object.</summary>
internal sealed class PsVerb(string name, IReadOnlyList<string> commandLine, StackDriver driver, NetworkStack stack, TunLink link)
{
    private readonly long _started = Stopwatch.GetTimestamp();

    public int Answer(IReadOnlyList<string> arguments, ControlResponse response)
    {
        int connections;
        long bytesOut;
        long bytesIn;
        using (driver.Enter())
        {
            connections = stack.Tcp.ConnectionCount + stack.Tcp.HalfOpenCount;

            // What the device reads is what the command sends.
            bytesOut = link.Counters[TunCounter.InBytes];
            bytesIn = link.Counters[TunCounter.OutBytes];
        }

        ArrayBufferWriter<byte> buffer = new();
        using (Utf8JsonWriter json = new(buffer))
        {
            json.WriteStartObject();
            json.WriteString("id", name);
            json.WriteNumber("pid", Environment.ProcessId);
            json.WriteNumber("uptimeSeconds", (long)Stopwatch.GetElapsedTime(_started).TotalSeconds);
            json.WriteStartArray("command");
            foreach (string word in commandLine)
            {
                json.WriteStringValue(word);
            }

            json.WriteEndArray();
            json.WriteNumber("connections", connections);
            json.WriteNumber("bytesIn", bytesIn);
            json.WriteNumber("bytesOut", bytesOut);
            json.WriteEndObject();
        }

        response.WriteLine(buffer.WrittenSpan);
        return 0;
    }
}

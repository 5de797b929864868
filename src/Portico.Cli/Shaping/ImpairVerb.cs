using System.Buffers;
using System.Globalization;
using System.Text.Json;
using Portico.Kernel;
using Portico.Net;

namespace Portico.Cli;

/// <summary>What a run answers to <c>portico impair</c>: changes its plan, and shows it with what it has done.</summary>
internal sealed class ImpairVerb(StackDriver driver, RunShaping shaping)
{
    private const string Show = "show";
    private const string Json = "json";

    public int Answer(IReadOnlyList<string> arguments, ControlResponse response)
    {
        string[] changes = [.. arguments.Where(a => a is not (Show or Json))];
        if (changes.Length > 0)
        {
            shaping.Change(plan => ShapingFlags.Apply(plan, changes));
        }

        if (arguments.Contains(Json))
        {
            response.WriteLine(ToJson());
        }
        else if (arguments.Contains(Show))
        {
            foreach (string line in ToText())
            {
                response.WriteLine(line);
            }
        }

        return 0;
    }

    private List<string> ToText()
    {
        List<string> lines = [];
        using (driver.Enter())
        {
            foreach ((ShapingTarget target, ImpairmentRule rule) in shaping.Rules)
            {
                ShapingRule? asked = shaping.Plan.Rules.FirstOrDefault(r => r.Target == target);
                lines.Add(Line($"{target.Text} up", asked?.Up, rule.Inbound));
                lines.Add(Line($"{target.Text} down", asked?.Down, rule.Outbound));
            }

            lines.AddRange(shaping.Plan.Partitions.Select(p => $"{p.Text} partitioned"));
        }

        return lines;
    }

    private static string Line(string head, ShapingSettings? settings, ImpairmentChannel channel)
    {
        string[] said = settings == null ? []
            : [.. ShapingSetting.All.Where(s => s.Text(settings) != null).Select(s => $"{s.Name} {s.Text(settings)}")];
        List<string> done = [];
        for (int i = 0; i < channel.Counters.Count; i++)
        {
            (string name, long value) = channel.Counters.At(i);
            if (value != 0)
            {
                done.Add(string.Create(CultureInfo.InvariantCulture, $"{name}={value}"));
            }
        }

        return $"{head}: {(said.Length == 0 ? "nothing" : string.Join(' ', said))}{(done.Count == 0 ? "" : "; ")}{string.Join(' ', done)}";
    }

    private byte[] ToJson()
    {
        ArrayBufferWriter<byte> buffer = new();
        using (Utf8JsonWriter json = new(buffer))
        using (driver.Enter())
        {
            json.WriteStartObject();
            json.WriteStartArray("rules");
            foreach ((ShapingTarget target, ImpairmentRule rule) in shaping.Rules)
            {
                ShapingRule? asked = shaping.Plan.Rules.FirstOrDefault(r => r.Target == target);
                json.WriteStartObject();
                json.WriteString("destination", target.Text);
                Write(json, "up", asked?.Up, rule.Inbound);
                Write(json, "down", asked?.Down, rule.Outbound);
                json.WriteEndObject();
            }

            json.WriteEndArray();
            json.WriteStartArray("partitions");
            foreach (ShapingTarget partition in shaping.Plan.Partitions)
            {
                json.WriteStringValue(partition.Text);
            }

            json.WriteEndArray();
            json.WriteEndObject();
        }

        return buffer.WrittenSpan.ToArray();
    }

    private static void Write(Utf8JsonWriter json, string name, ShapingSettings? settings, ImpairmentChannel channel)
    {
        json.WriteStartObject(name);
        json.WriteStartObject("settings");
        foreach (ShapingSetting setting in ShapingSetting.All)
        {
            if (settings != null && setting.Text(settings) is string text)
            {
                json.WriteString(setting.Name, text);
            }
        }

        json.WriteEndObject();
        json.WriteStartObject("counters");
        for (int i = 0; i < channel.Counters.Count; i++)
        {
            (string counter, long value) = channel.Counters.At(i);
            json.WriteNumber(counter, value);
        }

        json.WriteEndObject();
        json.WriteNumber("queued", channel.QueuedPackets);
        json.WriteNumber("underWay", channel.InFlightPackets);
        json.WriteEndObject();
    }
}

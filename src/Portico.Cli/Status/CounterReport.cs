using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Portico.Net;

namespace Portico.Cli;

/// <summary>The counters that are not zero, by the names that <c>nstat</c> has for them on Linux.</summary>
internal sealed class CounterReport
{
    private readonly List<(string Name, long Value)> _counters = [];

    public CounterReport(StatusSources sources)
    {
        using (sources.Driver.Enter())
        {
            NetworkStack stack = sources.Stack;
            Add(stack.Ip.Ipv4Counters, name => name is IpCounter.InNoRoutes or IpCounter.InTruncatedPkts or IpCounter.ReasmOverlaps
                or >= IpCounter.InMcastPkts ? "IpExt" : "Ip");
            Add(stack.Ip.Ipv6Counters, _ => "Ip6");
            Add(stack.Icmp.Ipv4Counters, _ => "Icmp");
            Add(stack.Icmp.Ipv6Counters, _ => "Icmp6");
            Add(stack.Udp.Ipv4Counters, _ => "Udp");
            Add(stack.Udp.Ipv6Counters, _ => "Udp6");
            Add(stack.Tcp.Mib, name => name <= TcpCounter.InCsumErrors ? "Tcp" : "TcpExt");
            Add(sources.Proxy, _ => "Proxy");
            Add(sources.Link.Counters, _ => "Tun");
            if (sources.Impairment is { } impairment)
            {
                // Named by what the command does, as --loss and the others are.
                Add(impairment.Inbound.Counters, _ => "ImpairOut");
                Add(impairment.Outbound.Counters, _ => "ImpairIn");
            }
        }
    }

    public IReadOnlyList<(string Name, long Value)> Counters => _counters;

    public string Text()
    {
        StringBuilder text = new();
        foreach ((string name, long value) in _counters)
        {
            text.Append(CultureInfo.InvariantCulture, $"{name,-32}{value,20}\n");
        }

        return text.ToString();
    }

    public byte[] Json()
    {
        ArrayBufferWriter<byte> buffer = new();
        using (Utf8JsonWriter json = new(buffer, new JsonWriterOptions { Indented = true }))
        {
            json.WriteStartObject();
            foreach ((string name, long value) in _counters)
            {
                json.WriteNumber(name, value);
            }

            json.WriteEndObject();
        }

        buffer.Write("\n"u8);
        return buffer.WrittenSpan.ToArray();
    }

    private void Add<TCounter>(MibTable<TCounter> table, Func<TCounter, string> groupOf)
        where TCounter : struct, Enum
    {
        TCounter[] counters = Enum.GetValues<TCounter>();
        for (int i = 0; i < table.Count; i++)
        {
            (string name, long value) = table.At(i);
            if (value != 0)
            {
                _counters.Add((groupOf(counters[i]) + name, value));
            }
        }
    }
}

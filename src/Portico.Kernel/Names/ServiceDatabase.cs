using System.Globalization;

namespace Portico.Kernel;

/// <summary>
/// Names of ports (services(5)): what /etc/services is on other systems, as a list of this library's own, made from the registry of IANA.
/// Lookups are those of getservbyname(3) and getservbyport(3): case matters, the first entry that fits is taken, and no protocol means
/// any.
/// </summary>
public static class ServiceDatabase
{
    private const string Resource = "Portico.Kernel.services.txt";

    private static readonly Lazy<Tables> s_tables = new(() => new Tables(Read()));

    private sealed class Tables
    {
        public Tables(IReadOnlyList<ServiceEntry> entries)
        {
            Entries = entries;
            foreach (ServiceEntry entry in entries)
            {
                ByPort.TryAdd((entry.Port, entry.Protocol), entry);
                ByPort.TryAdd((entry.Port, ""), entry);
                foreach (string name in (IEnumerable<string>)[entry.Name, .. entry.Aliases])
                {
                    ByName.TryAdd((name, entry.Protocol), entry);
                    ByName.TryAdd((name, ""), entry);
                }
            }
        }

        public IReadOnlyList<ServiceEntry> Entries { get; }

        public Dictionary<(string Name, string Protocol), ServiceEntry> ByName { get; } = [];

        public Dictionary<(int Port, string Protocol), ServiceEntry> ByPort { get; } = [];
    }

    /// <summary>All entries in order (getservent(3)): by port, a name for each protocol.</summary>
    public static IReadOnlyList<ServiceEntry> Entries => s_tables.Value.Entries;

    /// <summary>getservbyname(3): the entry with this name or alias, for this protocol, or any where it is null. Null for none.</summary>
    public static ServiceEntry? FindByName(string name, string? protocol = null) =>
        s_tables.Value.ByName.GetValueOrDefault((name, protocol ?? ""));

    /// <summary>getservbyport(3): the entry of this port, for this protocol, or any where it is null. Null for none.</summary>
    public static ServiceEntry? FindByPort(int port, string? protocol = null) =>
        s_tables.Value.ByPort.GetValueOrDefault((port, protocol ?? ""));

    /// <summary>A port that is written as a number from 0 to 65535 or as a name, as in getaddrinfo(3).</summary>
    public static bool TryParsePort(ReadOnlySpan<char> text, string? protocol, out int port)
    {
        if (text.Length > 0 && char.IsAsciiDigit(text[0])
            && int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out port))
        {
            return port <= ushort.MaxValue;
        }

        ServiceEntry? entry = FindByName(text.ToString(), protocol);
        port = entry?.Port ?? 0;
        return entry != null;
    }

    /// <summary>Lines of the list: the name, the port, the protocols with commas between them, then aliases.</summary>
    private static List<ServiceEntry> Read()
    {
        using Stream stream = typeof(ServiceDatabase).Assembly.GetManifestResourceStream(Resource)!;
        using StreamReader reader = new(stream);
        List<ServiceEntry> entries = [];
        while (reader.ReadLine() is { } line)
        {
            string[] fields = line.Split(' ');
            string[] aliases = fields[3..];
            foreach (string protocol in fields[2].Split(','))
            {
                entries.Add(new ServiceEntry(fields[0], int.Parse(fields[1], CultureInfo.InvariantCulture), protocol, aliases));
            }
        }

        return entries;
    }
}

using System.Globalization;
using Portico.Linux;
using Portico.Net;

namespace Portico.Cli;

/// <summary>What a command finds as names: the host's resolvers and files, and what was asked for beside them.</summary>
internal sealed class NameOptions
{
    private readonly string[] _resolvConf = ReadLines("/etc/resolv.conf");
    private readonly string[] _hosts = ReadLines("/etc/hosts");
    private readonly List<(string Name, IpAddress Address)> _added = [];
    private readonly List<DnsResolver> _resolvers = [];

    /// <summary>Reads --add-host and --dns; throws <see cref="ArgumentException"/> with one line where one is wrong.</summary>
    public NameOptions(IReadOnlyList<string> addHosts, IReadOnlyList<string> dns)
    {
        foreach (string text in addHosts)
        {
            AddHost(text);
        }

        foreach (string text in dns)
        {
            if (text == "none" && dns.Count == 1)
            {
                return;
            }

            _resolvers.Add(DnsResolver.TryParse(text, out DnsResolver resolver) ? resolver : throw new ArgumentException(
                text == "none"
                    ? "--dns: 'none' goes with no other name server"
                    : $"--dns: '{text}' is not an address, ADDRESS:PORT or [ADDRESS]:PORT; or 'none'"));
        }

        if (dns.Count == 0)
        {
            ReadResolvers();
        }
    }

    /// <summary>The resolvers that the gateway passes queries on to, in their order.</summary>
    public IReadOnlyList<DnsResolver> Resolvers => _resolvers;

    /// <summary>"options timeout:N" of the host, or the default of resolv.conf(5).</summary>
    public Duration ResolverTimeout => Duration.FromSeconds(HostOption("timeout", 5, 30));

    /// <summary>"options attempts:N" of the host, or the default of resolv.conf(5).</summary>
    public int ResolverAttempts => HostOption("attempts", 2, 5);

    /// <summary>The addresses that have names of Portico's own, or given by --add-host.</summary>
    public IEnumerable<(string Name, IpAddress Address)> Named => OwnNames().Concat(_added);

    /// <summary>What the gateway's own name server knows.</summary>
    public DnsNames Names()
    {
        DnsNames names = new();
        foreach ((string name, IpAddress address) in Named)
        {
            names.Add(name, address);
        }

        try
        {
            names.Add(Environment.MachineName, RunAddresses.CommandIpv4.Address);
            names.Add(Environment.MachineName, RunAddresses.CommandIpv6.Address);
        }
        catch (ArgumentException)
        {
            // The host's name is none that DNS could have: then the command's address has no name.
        }

        return names;
    }

    /// <summary>The addresses that a name has for the command: those given here, else the host's; none where it has none.</summary>
    public IReadOnlyList<IpAddress> AddressesOf(string name)
    {
        IpAddress[] own = name == "host"
            ? [.. RunAddresses.Hosts]
            : [.. OwnNames().Concat(_added).Where(n => string.Equals(n.Name, name, StringComparison.OrdinalIgnoreCase)).Select(n => n.Address)];
        return own.Length > 0 ? own : RunShaping.HostAddresses(name);
    }

    /// <summary>The host's /etc/hosts, line by line: the names that a command finds without asking a name server.</summary>
    public IEnumerable<(string Name, IpAddress Address)> HostsFileNames()
    {
        foreach (string line in _hosts)
        {
            string[] words = Words(line);
            if (words.Length > 1 && IpAddress.TryParse(words[0], out IpAddress address))
            {
                foreach (string name in words[1..])
                {
                    yield return (name, address);
                }
            }
        }
    }

    /// <summary>The files of the command that differ from the host's.</summary>
    public IReadOnlyList<(string Path, string Content)> Files()
    {
        List<(string, string)> files = [("/etc/resolv.conf", ResolvConf()), ("/etc/hosts", HostsFile())];
        const string Switch = "/etc/nsswitch.conf";
        string[] lines = ReadLines(Switch);
        string[] changed = [.. lines.Select(SwitchLine)];
        if (!changed.SequenceEqual(lines))
        {
            files.Add((Switch, Text(changed)));
        }

        return files;
    }

    private static IEnumerable<(string Name, IpAddress Address)> OwnNames()
    {
        foreach (IpAddress address in RunAddresses.Gateways)
        {
            yield return (RunAddresses.GatewayName, address);
        }

        foreach (IpAddress address in RunAddresses.Hosts)
        {
            yield return (RunAddresses.HostName, address);
        }
    }

    private void AddHost(string text)
    {
        int split = text.IndexOfAny([':', '=']);
        string name = split < 0 ? "" : text[..split];
        string address = split < 0 ? "" : text[(split + 1)..];
        if (address.StartsWith('[') && address.EndsWith(']'))
        {
            address = address[1..^1];
        }

        IEnumerable<IpAddress> addresses = address == "host-gateway"
            ? RunAddresses.Hosts
            : IpAddress.TryParse(address, out IpAddress parsed) ? [parsed] : [];
        int before = _added.Count;
        _added.AddRange(addresses.Select(a => (name, a)));
        if (_added.Count == before || !DnsNames.IsName(name))
        {
            throw new ArgumentException($"--add-host: '{text}' is not NAME:ADDRESS (or NAME:host-gateway for the host)");
        }
    }

    private void ReadResolvers()
    {
        foreach (string line in _resolvConf)
        {
            string[] words = Words(line);
            if (words.Length >= 2 && words[0] == "nameserver" && DnsResolver.TryParse(words[1], out DnsResolver resolver))
            {
                _resolvers.Add(resolver);
            }
        }
    }

    private int HostOption(string name, int fallback, int most)
    {
        foreach (string line in _resolvConf)
        {
            string[] words = Words(line);
            foreach (string word in words.Length > 0 && words[0] == "options" ? words[1..] : [])
            {
                if (word.StartsWith(name + ":", StringComparison.Ordinal)
                    && int.TryParse(word[(name.Length + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out int value))
                {
                    return Math.Clamp(value, 1, most);
                }
            }
        }

        return fallback;
    }

    /// <summary>The gateway, and the host's search list and options.</summary>
    private string ResolvConf()
    {
        List<string> lines = [$"nameserver {RunAddresses.GatewayIpv4.Address}"];
        lines.AddRange(_resolvConf.Where(l => Words(l) is ["search" or "domain" or "options" or "sortlist", ..]));
        return Text(lines);
    }

    /// <summary>The host's without the names that are to be something else here, and those.</summary>
    private string HostsFile()
    {
        (string Name, IpAddress Address)[] own = [.. _added, .. OwnNames()];
        HashSet<string> replaced = new(own.Select(o => o.Name), StringComparer.OrdinalIgnoreCase);
        List<string> lines = [];
        foreach (string line in _hosts)
        {
            string[] words = Words(line);
            if (words.Length < 2 || !words[1..].Any(replaced.Contains))
            {
                lines.Add(line);
            }
            else if (words[1..].Where(w => !replaced.Contains(w)).ToArray() is { Length: > 0 } left)
            {
                lines.Add($"{words[0]}\t{string.Join(' ', left)}");
            }
        }

        lines.AddRange(own.Select(o => $"{o.Address}\t{o.Name}"));
        return Text(lines);
    }

    /// <summary>
    /// The line of nsswitch.conf(5) about hosts, with the sources that ask in this network or nobody. The others (resolve, mdns4_minimal,
    /// sss, libvirt and the like) ask a daemon of the host by a Unix socket: it would not know the names of this network, and would
    /// resolve names that a rule denies.
    /// </summary>
    private static string SwitchLine(string line)
    {
        string[] words = Words(line);
        if (words.Length == 0 || words[0] != "hosts:")
        {
            return line;
        }

        string[] sources = [.. words[1..].Where(w => w.AsSpan().IndexOfAny('[', ']') < 0)];
        if (sources.All(s => s is "files" or "dns" or "myhostname"))
        {
            return line;
        }

        string[] kept = [.. sources.Where(s => s is "files" or "myhostname")];
        return $"hosts: {string.Join(' ', kept.Where(k => k == "files"))} dns {string.Join(' ', kept.Where(k => k != "files"))}".TrimEnd();
    }

    private static string[] Words(string line) =>
        line.Split('#')[0].Split((char[])[' ', '\t'], StringSplitOptions.RemoveEmptyEntries);

    private static string Text(IEnumerable<string> lines) => string.Concat(lines.Select(l => l + "\n"));

    private static string[] ReadLines(string path)
    {
        try
        {
            return File.ReadAllLines(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }
}

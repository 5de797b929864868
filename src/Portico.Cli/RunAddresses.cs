using System.Text;
using Portico.Linux;
using Portico.Net;

namespace Portico.Cli;

/// <summary>The addresses and names of the command's network.</summary>
internal static class RunAddresses
{
    public static readonly IpPrefix GatewayIpv4 = IpPrefix.Parse("10.0.2.2/24");
    public static readonly IpPrefix HostIpv4 = IpPrefix.Parse("10.0.2.3/24");
    public static readonly IpPrefix CommandIpv4 = IpPrefix.Parse("10.0.2.100/24");

    // A unique local network (RFC 4193) whose identifier spells "portico".
    public static readonly IpPrefix GatewayIpv6 = IpPrefix.Parse("fd70:6f72:7469:636f::2/64");
    public static readonly IpPrefix HostIpv6 = IpPrefix.Parse("fd70:6f72:7469:636f::3/64");
    public static readonly IpPrefix CommandIpv6 = IpPrefix.Parse("fd70:6f72:7469:636f::100/64");

    public const string GatewayName = "portico.internal";
    public const string HostName = "host.portico";

    /// <summary>The host's first resolver that can be reached from here, by /etc/resolv.conf.</summary>
    public static Endpoint? HostResolver(string[] resolvConf)
    {
        foreach (string line in resolvConf)
        {
            string[] words = line.Split((char[])[' ', '\t'], StringSplitOptions.RemoveEmptyEntries);
            if (words.Length >= 2 && words[0] == "nameserver" && IpAddress.TryParse(words[1], out IpAddress address))
            {
                return new Endpoint(address, 53);
            }
        }

        return null;
    }

    /// <summary>What the gateway's own name server knows.</summary>
    public static DnsNames Names()
    {
        DnsNames names = new();
        names.Add(GatewayName, GatewayIpv4.Address);
        names.Add(GatewayName, GatewayIpv6.Address);
        names.Add(HostName, HostIpv4.Address);
        names.Add(HostName, HostIpv6.Address);
        return names;
    }

    /// <summary>The command's /etc/resolv.conf: the gateway, and the host's search list and options.</summary>
    public static string ResolvConf(string[] host)
    {
        StringBuilder text = new();
        text.Append("nameserver ").Append(GatewayIpv4.Address).Append('\n');
        foreach (string line in host)
        {
            if (line.StartsWith("search", StringComparison.Ordinal) || line.StartsWith("domain", StringComparison.Ordinal)
                || line.StartsWith("options", StringComparison.Ordinal))
            {
                text.Append(line).Append('\n');
            }
        }

        return text.ToString();
    }

    /// <summary>The command's /etc/hosts: the host's, and the two names.</summary>
    public static string Hosts(string host)
    {
        StringBuilder text = new(host.Length + 256);
        text.Append(host);
        if (host.Length > 0 && !host.EndsWith('\n'))
        {
            text.Append('\n');
        }

        text.Append(GatewayIpv4.Address).Append('\t').Append(GatewayName).Append('\n');
        text.Append(GatewayIpv6.Address).Append('\t').Append(GatewayName).Append('\n');
        text.Append(HostIpv4.Address).Append('\t').Append(HostName).Append('\n');
        text.Append(HostIpv6.Address).Append('\t').Append(HostName).Append('\n');
        return text.ToString();
    }
}

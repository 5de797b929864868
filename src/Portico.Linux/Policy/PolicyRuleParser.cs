using System.Globalization;
using Portico.Kernel;
using Portico.Net;

namespace Portico.Linux;

/// <summary>Reads rules as people write them.</summary>
internal static class PolicyRuleParser
{
    public static bool TryParse(bool isAllow, string text, out PolicyRule? rule, out string? error)
    {
        rule = null;
        string rest = text.Trim().ToLowerInvariant();
        if (!TakeProtocol(ref rest, out IpProtocol? protocol, out error) || !TakePorts(ref rest, protocol, out int first, out int last, out error))
        {
            return false;
        }

        if (protocol == IpProtocol.Icmp && (first != 0 || last != ushort.MaxValue))
        {
            error = "ICMP has no ports";
            return false;
        }

        if (!TryReadTarget(rest, out PolicyTarget target, out IpPrefix prefix, out byte[] name, out error))
        {
            return false;
        }

        rule = new PolicyRule(text, isAllow, target, prefix, name, protocol, first, last);
        return true;
    }

    private static bool TakeProtocol(ref string rest, out IpProtocol? protocol, out string? error)
    {
        protocol = null;
        error = null;
        int slash = rest.LastIndexOf('/');
        string word = slash < 0 ? "" : rest[(slash + 1)..];
        if (word.Length == 0 || !char.IsAsciiLetter(word[0]))
        {
            return true;
        }

        protocol = word switch
        {
            "tcp" => IpProtocol.Tcp,
            "udp" => IpProtocol.Udp,
            "icmp" => IpProtocol.Icmp,
            _ => null,
        };
        rest = rest[..slash];
        error = protocol == null ? $"'{word}' is none of the protocols tcp, udp and icmp" : null;
        return protocol != null;
    }

    private static bool TakePorts(ref string rest, IpProtocol? protocol, out int first, out int last, out string? error)
    {
        first = 0;
        last = ushort.MaxValue;
        error = null;

        // An IPv6 address has its port only behind brackets.
        int bracket = rest.StartsWith('[') ? rest.IndexOf(']') : 0;
        int colon = bracket < 0 ? -1 : rest.IndexOf(':', bracket);
        if (colon < 0 || (bracket == 0 && colon != rest.LastIndexOf(':')))
        {
            return true;
        }

        // A name may have a dash of its own: a range is of numbers, or else the whole is one name.
        string ports = rest[(colon + 1)..];
        rest = rest[..colon];
        if (TryReadName(ports, protocol, out first))
        {
            last = first;
            return true;
        }

        int dash = ports.IndexOf('-');
        if (!TryReadPort(dash < 0 ? ports : ports[..dash], out first) || !TryReadPort(dash < 0 ? ports : ports[(dash + 1)..], out last))
        {
            error = $"'{ports}' is no port, no name of a port and no range of ports from 1 to 65535";
            return false;
        }

        error = first > last ? $"the range of ports {ports} ends before it begins: {last}-{first}?" : null;
        return error == null;
    }

    private static bool TryReadName(string text, IpProtocol? protocol, out int port)
    {
        ServiceEntry? entry = ServiceDatabase.FindByName(text, protocol == IpProtocol.Udp ? "udp" : protocol == IpProtocol.Tcp ? "tcp" : null);
        port = entry?.Port ?? 0;
        return entry != null;
    }

    private static bool TryReadPort(string text, out int port) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out port) && port is >= 1 and <= ushort.MaxValue;

    private static bool TryReadTarget(string text, out PolicyTarget target, out IpPrefix prefix, out byte[] name, out string? error)
    {
        prefix = default;
        name = [];
        error = null;
        switch (text)
        {
            case "" or "all":
                target = PolicyTarget.All;
                return true;
            case "host" or "host.portico":
                target = PolicyTarget.Host;
                return true;
            case "localhost":
                target = PolicyTarget.Loopback;
                return true;
        }

        // 10.0.0 and 10.0.0.256 would be names; nobody means that.
        string lastLabel = text.TrimEnd('.')[(text.TrimEnd('.').LastIndexOf('.') + 1)..];
        if (text.Contains(':', StringComparison.Ordinal) || text.Contains('/', StringComparison.Ordinal) || text.StartsWith('[')
            || lastLabel.All(char.IsAsciiDigit))
        {
            target = PolicyTarget.Prefix;
            return TryReadPrefix(text, out prefix, out error);
        }

        bool below = text.StartsWith("*.", StringComparison.Ordinal);
        target = below ? PolicyTarget.Subdomains : PolicyTarget.Name;
        if (text == "*")
        {
            error = "say 'all' for everything";
            return false;
        }

        if (!DnsName.TryEncode(below ? text[2..] : text, out name))
        {
            error = $"'{text}' is no address, no CIDR and no name (names in ASCII: xn--... for others)";
        }

        return error == null;
    }

    private static bool TryReadPrefix(string text, out IpPrefix prefix, out string? error)
    {
        // [addr]/len, [addr/len], addr/len and addr.
        string plain = text;
        if (text.StartsWith('['))
        {
            int end = text.IndexOf(']');
            plain = end < 0 ? "" : text[1..end] + text[(end + 1)..];
        }

        int slash = plain.IndexOf('/');
        if (!IpAddress.TryParse(slash < 0 ? plain : plain[..slash], out IpAddress address))
        {
            prefix = default;
            error = $"'{text}' is no address and no CIDR";
            return false;
        }

        if (!IpPrefix.TryParse(plain, out prefix))
        {
            error = $"'{plain[(slash + 1)..]}' is no prefix length from 0 to {(address.IsIpv4 ? 32 : 128)}";
            return false;
        }

        error = prefix.Network.Address != address ? $"{plain} has bits behind its prefix: {prefix.Network} or {address}?" : null;
        return error == null;
    }
}

using System.Globalization;
using Portico.Net;

namespace Portico.Cli;

/// <summary>
/// What <c>-p</c> says: [ADDR:][HOSTPORT:]PORT[/tcp|/udp], where the ports may be ranges of the same length and an IPv6 address
/// stands in brackets; or [ADDR:]auto.
/// </summary>
internal sealed class PublishSpec
{
    private PublishSpec(string text) => Text = text;

    /// <summary>As it was written.</summary>
    public string Text { get; }

    /// <summary>Where the host listens; null for all addresses (auto: its loopback addresses), of both families.</summary>
    public IpAddress? Address { get; private init; }

    /// <summary>Whether to publish what the command listens on.</summary>
    public bool IsAuto { get; private init; }

    public IpProtocol Protocol { get; private init; } = IpProtocol.Tcp;

    /// <summary>The host's first port; 0 for free ones.</summary>
    public int HostFirst { get; private init; }

    /// <summary>The command's first port.</summary>
    public int PortFirst { get; private init; }

    public int Count { get; private init; } = 1;

    /// <summary>Reads one; the exception's message is one line that says what is wrong.</summary>
    public static PublishSpec Parse(string text)
    {
        string rest = text;
        IpProtocol protocol = IpProtocol.Tcp;
        int slash = rest.IndexOf('/', StringComparison.Ordinal);
        if (slash >= 0)
        {
            protocol = rest[(slash + 1)..].ToLowerInvariant() switch
            {
                "tcp" => IpProtocol.Tcp,
                "udp" => IpProtocol.Udp,
                string other => throw Error(text, $"'{other}' is no protocol: tcp or udp"),
            };
            rest = rest[..slash];
        }

        IpAddress? address = null;
        if (rest.StartsWith('['))
        {
            int end = rest.IndexOf("]:", StringComparison.Ordinal);
            if (end < 0 || !IpAddress.TryParse(rest.AsSpan(1, end - 1), out IpAddress ipv6) || ipv6.IsIpv4)
            {
                throw Error(text, "an IPv6 address stands in brackets: [::1]:8080:80");
            }

            address = ipv6;
            rest = rest[(end + 2)..];
        }

        string[] parts = rest.Split(':');
        if (address == null && parts.Length > 1 && parts[0].Contains('.', StringComparison.Ordinal))
        {
            address = IpAddress.TryParse(parts[0], out IpAddress ipv4) && ipv4.IsIpv4
                ? ipv4 : throw Error(text, $"'{parts[0]}' is no IPv4 address");
            parts = parts[1..];
        }

        if (parts is ["auto"])
        {
            return slash < 0 ? new PublishSpec(text) { Address = address, IsAuto = true } : throw Error(text, "auto is for both protocols");
        }

        if (parts.Length > 2)
        {
            throw Error(text, "[ADDR:][HOSTPORT:]PORT[/udp], an IPv6 address in brackets");
        }

        (int portFirst, int count) = ParseRange(text, parts[^1], 1);
        (int hostFirst, int hostCount) = parts.Length == 1 || parts[0].Length == 0 ? (0, 1) : ParseRange(text, parts[0], 0);
        if (hostFirst != 0 && hostCount != count)
        {
            throw Error(text, $"{hostCount} ports of the host for {count} of the command");
        }

        return new PublishSpec(text)
        {
            Address = address, Protocol = protocol, HostFirst = hostFirst, PortFirst = portFirst, Count = count,
        };
    }

    private static (int First, int Count) ParseRange(string text, string range, int least)
    {
        string[] ends = range.Split('-');
        int first = ParsePort(text, ends[0], least);
        int last = ends.Length == 2 ? ParsePort(text, ends[1], 1) : first;
        if (ends.Length > 2 || last < first || (first == 0 && ends.Length == 2))
        {
            throw Error(text, $"'{range}' is no range of ports: FIRST-LAST");
        }

        return (first, last - first + 1);
    }

    private static int ParsePort(string text, string port, int least) =>
        int.TryParse(port, NumberStyles.None, CultureInfo.InvariantCulture, out int number) && number >= least && number <= 65535
            ? number : throw Error(text, $"'{port}' is no port: {least} to 65535");

    private static ArgumentException Error(string text, string reason) => new($"--publish {text}: {reason}");
}

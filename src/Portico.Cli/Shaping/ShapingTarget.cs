using System.Globalization;
using Portico.Net;

namespace Portico.Cli;

/// <summary>
/// Whom shaping is about: "all", an address, a CIDR or a name, each with ":PORT" or without. An IPv6 address has brackets where a port
/// follows. Two are equal where their texts are.
/// </summary>
internal sealed record ShapingTarget
{
    private readonly IpPrefix? _prefix;
    private readonly string? _name;

    private ShapingTarget(string text, IpPrefix? prefix, string? name, ushort port)
    {
        Text = text;
        _prefix = prefix;
        _name = name;
        Port = port;
    }

    /// <summary>Everybody, on all ports.</summary>
    public static ShapingTarget All { get; } = new("all", null, null, 0);

    /// <summary>As it is written, in one way.</summary>
    public string Text { get; }

    /// <summary>0 for all ports.</summary>
    public ushort Port { get; }

    public bool Equals(ShapingTarget? other) => Text == other?.Text;

    public override int GetHashCode() => Text.GetHashCode(StringComparison.Ordinal);

    /// <summary>Reads a target; throws <see cref="ArgumentException"/> with what is wrong.</summary>
    public static ShapingTarget Parse(string text)
    {
        string host = text.Trim().ToLowerInvariant();
        int bracket = host.StartsWith('[') ? host.IndexOf(']') : 0;
        int colon = bracket < 0 ? -1 : host.IndexOf(':', bracket);
        ushort port = 0;
        if (colon >= 0 && (bracket > 0 || colon == host.LastIndexOf(':')))
        {
            string portText = host[(colon + 1)..];
            if (!ushort.TryParse(portText, NumberStyles.None, CultureInfo.InvariantCulture, out port) || port == 0)
            {
                throw new ArgumentException($"'{portText}' is no port from 1 to 65535");
            }

            host = host[..colon];
        }

        if (host == "all")
        {
            return port == 0 ? All : new ShapingTarget($"all:{port}", null, null, port);
        }

        if (bracket > 0)
        {
            host = host[1..bracket] + host[(bracket + 1)..];
        }

        string lastLabel = host[(host.LastIndexOf('.') + 1)..];
        bool isAddress = host.Contains(':', StringComparison.Ordinal) || host.Contains('/', StringComparison.Ordinal) || bracket > 0
            || lastLabel.All(char.IsAsciiDigit);
        return isAddress ? OfPrefix(host, port) : OfName(host, port);
    }

    private static ShapingTarget OfPrefix(string host, ushort port)
    {
        if (!IpPrefix.TryParse(host, out IpPrefix prefix))
        {
            throw new ArgumentException($"'{host}' is no address and no CIDR");
        }

        if (prefix.Network.Address != prefix.Address)
        {
            throw new ArgumentException($"{host} has bits behind its prefix: {prefix.Network} or {prefix.Address}?");
        }

        bool isHost = prefix.Length == (prefix.Address.IsIpv4 ? 32 : 128);
        string text = isHost ? prefix.Address.ToString() : prefix.ToString();
        string withPort = prefix.Address.IsIpv4 ? $"{text}:{port}" : $"[{text}]:{port}";
        return new ShapingTarget(port == 0 ? text : withPort, prefix, null, port);
    }

    private static ShapingTarget OfName(string host, ushort port)
    {
        if (host.Length == 0 || host.Any(c => !char.IsAsciiLetterOrDigit(c) && c is not ('-' or '_' or '.')))
        {
            throw new ArgumentException($"'{host}' is no address, no CIDR and no name");
        }

        return new ShapingTarget(port == 0 ? host : $"{host}:{port}", null, host, port);
    }

    /// <summary>The addresses meant; throws <see cref="ArgumentException"/> where a name has none.</summary>
    public ImpairmentTarget[] Resolve(Func<string, IReadOnlyList<IpAddress>> addressesOf)
    {
        if (_prefix is IpPrefix prefix)
        {
            return [new ImpairmentTarget(prefix, Port)];
        }

        if (_name == null)
        {
            return [new ImpairmentTarget(IpPrefix.Parse("0.0.0.0/0"), Port), new ImpairmentTarget(IpPrefix.Parse("::/0"), Port)];
        }

        IReadOnlyList<IpAddress> addresses = addressesOf(_name);
        return addresses.Count > 0
            ? [.. addresses.Select(a => new ImpairmentTarget(new IpPrefix(a, a.IsIpv4 ? 32 : 128), Port))]
            : throw new ArgumentException($"'{_name}' has no address");
    }
}

using Portico.Net;

namespace Portico.Linux;

/// <summary>What a <see cref="PolicyRule"/> is about.</summary>
internal enum PolicyTarget
{
    All,

    /// <summary>The host: host.portico, and all addresses that its interfaces have.</summary>
    Host,

    /// <summary>The host's loopback, which is reached as host.portico.</summary>
    Loopback,
    Prefix,
    Name,

    /// <summary>All names below a name, at any depth.</summary>
    Subdomains,
}

/// <summary>
/// One rule about where traffic may go: <c>TARGET[:PORT[-PORT]][/tcp|/udp|/icmp]</c>. See <see cref="HostPolicy"/> for what several
/// mean together.
/// </summary>
public sealed class PolicyRule
{
    private readonly IpProtocol? _protocol;
    private readonly int _firstPort;
    private readonly int _lastPort;

    internal PolicyRule(
        string text, bool isAllow, PolicyTarget target, IpPrefix prefix, byte[] name, IpProtocol? protocol, int first, int last)
    {
        Text = text;
        IsAllow = isAllow;
        Target = target;
        Prefix = prefix;
        Name = name;
        _protocol = protocol;
        _firstPort = first;
        _lastPort = last;
        OpensClosed = isAllow && (target == PolicyTarget.Loopback || (target == PolicyTarget.Prefix && ClosedAddresses.Contains(prefix)));
    }

    /// <summary>The rule as it was written.</summary>
    public string Text { get; }

    /// <summary>Whether it allows what it is about, instead of denying it.</summary>
    public bool IsAllow { get; }

    internal PolicyTarget Target { get; }

    internal IpPrefix Prefix { get; }

    /// <summary>The name in lower case as DNS has it on the wire, or that below which all names are.</summary>
    internal byte[] Name { get; }

    internal bool IsAboutNames => Target is PolicyTarget.Name or PolicyTarget.Subdomains;

    /// <summary>Whether it is about every port and protocol of its target.</summary>
    internal bool IsAboutEverything => _protocol == null && _firstPort == 0 && _lastPort == ushort.MaxValue;

    /// <summary>Whether it stands for what no other rule decides.</summary>
    internal bool IsDefault => Target == PolicyTarget.All && IsAboutEverything;

    /// <summary>Whether it allows addresses that are closed otherwise; a rule about more than those does not mean them.</summary>
    internal bool OpensClosed { get; }

    /// <summary>Reads a rule; <paramref name="error"/> says in a few words what is wrong with it.</summary>
    public static bool TryParse(bool isAllow, string text, out PolicyRule? rule, out string? error) =>
        PolicyRuleParser.TryParse(isAllow, text, out rule, out error);

    /// <summary>Whether an earlier rule decides everything that this one is about, so that it could never matter.</summary>
    public bool IsShadowedBy(PolicyRule earlier)
    {
        ArgumentNullException.ThrowIfNull(earlier);
        if (earlier.IsDefault)
        {
            return IsDefault;
        }

        bool covers = (earlier._protocol == null || earlier._protocol == _protocol)
            && earlier._firstPort <= _firstPort && earlier._lastPort >= _lastPort;
        return covers && earlier.Target switch
        {
            PolicyTarget.All => !earlier.IsAllow || !OpensClosed,
            PolicyTarget.Prefix => Target == PolicyTarget.Prefix && earlier.Prefix.Length <= Prefix.Length
                && earlier.Prefix.Contains(Prefix.Address) && (earlier.OpensClosed || !OpensClosed || !earlier.IsAllow),
            PolicyTarget.Subdomains => IsAboutNames && earlier.HoldsName(Name),
            PolicyTarget.Name => Target == PolicyTarget.Name && earlier.HoldsName(Name),
            _ => earlier.Target == Target,
        };
    }

    internal bool AppliesTo(IpProtocol protocol, ushort port)
    {
        bool isIcmp = protocol is IpProtocol.Icmp or IpProtocol.Icmpv6;
        return _protocol == null
            ? isIcmp ? IsAboutEverything : port >= _firstPort && port <= _lastPort
            : isIcmp ? _protocol == IpProtocol.Icmp : _protocol == protocol && port >= _firstPort && port <= _lastPort;
    }

    /// <summary>Whether a rule about names is about this one.</summary>
    internal bool HoldsName(ReadOnlySpan<byte> name)
    {
        if (Target == PolicyTarget.Name)
        {
            return name.SequenceEqual(Name);
        }

        if (Target != PolicyTarget.Subdomains)
        {
            return false;
        }

        // The remainder has to begin where a label begins.
        for (int at = 0; at < name.Length && name[at] != 0;)
        {
            at += name[at] + 1;
            if (at < name.Length && name[at..].SequenceEqual(Name))
            {
                return true;
            }
        }

        return false;
    }

    /// <inheritdoc/>
    public override string ToString() => $"{(IsAllow ? "--allow" : "--deny")} {Text}";
}

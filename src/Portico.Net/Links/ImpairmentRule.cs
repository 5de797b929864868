namespace Portico.Net;

/// <summary>
/// Whom a rule is about: the addresses of a prefix, and there one port or all (0). A port is TCP's or UDP's; packets without ports
/// match only where none is asked for. The fragments of a datagram match as their first does.
/// </summary>
public readonly record struct ImpairmentTarget(IpPrefix Prefix, ushort Port = 0)
{
    internal bool Matches(in IpAddress address, ushort port) => (Port == 0 || Port == port) && Prefix.Contains(address);
}

/// <summary>Faults for the packets to and from some destinations, in place of the link's own.</summary>
public sealed class ImpairmentRule
{
    internal ImpairmentRule(ImpairmentLink link, Engine engine, ImpairmentTarget[] targets, Impairment outbound, Impairment inbound)
    {
        Targets = targets;
        Outbound = new ImpairmentChannel(engine, link, isInbound: false, outbound);
        Inbound = new ImpairmentChannel(engine, link, isInbound: true, inbound);
    }

    /// <summary>Whom it is about.</summary>
    public IReadOnlyList<ImpairmentTarget> Targets { get; }

    /// <summary>What happens to what is sent.</summary>
    public ImpairmentChannel Outbound { get; }

    /// <summary>What happens to what comes in.</summary>
    public ImpairmentChannel Inbound { get; }
}

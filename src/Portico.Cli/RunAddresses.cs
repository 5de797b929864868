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

    /// <summary>The gateway's addresses.</summary>
    public static IReadOnlyList<IpAddress> Gateways { get; } = [GatewayIpv4.Address, GatewayIpv6.Address];

    /// <summary>The addresses that stand for the host.</summary>
    public static IReadOnlyList<IpAddress> Hosts { get; } = [HostIpv4.Address, HostIpv6.Address];

    /// <summary>Where connections from outside go, and as whom those come whose own address means somebody else inside.</summary>
    public static InboundNetwork Inbound(bool hasIpv6) => new()
    {
        Commands = hasIpv6 ? [CommandIpv4, CommandIpv6] : [CommandIpv4],
        Hosts = Hosts,
    };
}

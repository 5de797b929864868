using Portico.Linux;
using Portico.Net;

namespace Portico.Cli;

/// <summary>What the command may reach, and how names are resolved.</summary>
internal sealed class PolicyOptions
{
    public required IReadOnlyList<PolicyRule> Rules { get; init; }

    public required NameOptions Names { get; init; }

    public bool HostLoopback { get; init; }

    /// <summary>The policy of a run, which knows the names of the command's /etc/hosts.</summary>
    public HostPolicy CreatePolicy()
    {
        HostPolicy policy = new()
        {
            Gateways = RunAddresses.Gateways,
            Hosts = RunAddresses.Hosts,
            HostLoopback = HostLoopback,
            Rules = Rules,
        };
        foreach ((string name, IpAddress address) in Names.HostsFileNames())
        {
            policy.AddName(name, address);
        }

        return policy;
    }

    /// <summary>The gateway's name server.</summary>
    public DnsForwarder CreateForwarder(NetworkStack stack, EpollEvents events, HostPolicy policy, MibTable<ProxyCounter> counters) =>
        new(stack, events, policy, counters, Names.Names(), Names.Resolvers)
        {
            Timeout = Names.ResolverTimeout,
            Attempts = Names.ResolverAttempts,
        };
}

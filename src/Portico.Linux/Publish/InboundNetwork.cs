using Portico.Net;

namespace Portico.Linux;

/// <summary>Where connections from outside go, and as whom they come.</summary>
public sealed class InboundNetwork
{
    /// <summary>The command's addresses with the prefixes of its network, one per family at most.</summary>
    public required IReadOnlyList<IpPrefix> Commands { get; init; }

    /// <summary>The addresses that stand for the host (host.portico), one per family.</summary>
    public required IReadOnlyList<IpAddress> Hosts { get; init; }

    /// <summary>The command's address of a family; null where it has none.</summary>
    internal IpAddress? CommandOf(bool isIpv4)
    {
        foreach (IpPrefix command in Commands)
        {
            if (command.Address.IsIpv4 == isIpv4)
            {
                return command.Address;
            }
        }

        return null;
    }

    /// <summary>
    /// Who the command sees: the client itself, as long as an answer to its address can come here again. The host's loopback,
    /// link-local addresses and those of the command's own network mean somebody else inside, and an address of the other family
    /// cannot be written: for them host.portico's stands.
    /// </summary>
    internal Endpoint SourceFor(in Endpoint client, bool isIpv4)
    {
        IpAddress address = client.Address;
        bool isKept = address.IsIpv4 == isIpv4 && !address.IsLoopback && !address.IsLinkLocal && !address.IsMulticast
            && !address.IsUnspecified && !Commands.Any(c => c.Contains(address));
        return isKept ? client : new Endpoint(Hosts.First(h => h.IsIpv4 == isIpv4), client.Port);
    }
}

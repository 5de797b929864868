using Portico.Net;

namespace Portico.Simulation;

/// <summary>A machine in a <see cref="World"/>: a network stack with a name and interfaces eth0, eth1, and so on.</summary>
public sealed class WorldHost
{
    private int _linkCount;

    internal WorldHost(World world, string name)
    {
        World = world;
        Name = name;
        Stack = new NetworkStack(world.Engine, new NetworkStackOptions { Name = name });
    }

    /// <summary>Where it lives.</summary>
    public World World { get; }

    /// <summary>Its name.</summary>
    public string Name { get; }

    /// <summary>Its stack.</summary>
    public NetworkStack Stack { get; }

    /// <summary>The first IPv4 address that is not a loopback address.</summary>
    public IpAddress Ipv4 => FirstAddress(isIpv4: true);

    /// <summary>The first IPv6 address that is neither loopback nor link-local.</summary>
    public IpAddress Ipv6 => FirstAddress(isIpv4: false);

    /// <inheritdoc/>
    public override string ToString() => Name;

    internal string NextInterfaceName() => $"eth{_linkCount++}";

    private IpAddress FirstAddress(bool isIpv4)
    {
        foreach (NetworkInterface networkInterface in Stack.Interfaces)
        {
            foreach (InterfaceAddress own in networkInterface.Addresses)
            {
                if (own.Address.IsIpv4 == isIpv4 && !own.Address.IsLoopback && !own.Address.IsLinkLocal)
                {
                    return own.Address;
                }
            }
        }

        throw new SimulationException($"{Name} has no {(isIpv4 ? "IPv4" : "IPv6")} address");
    }
}

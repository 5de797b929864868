using System.Net.NetworkInformation;
using Portico.Net;
using Card = System.Net.NetworkInformation.NetworkInterface;

namespace Portico.Linux;

/// <summary>What a destination seen inside means outside.</summary>
public enum HostPolicyVerdict
{
    /// <summary>Connect the host's socket to the destination that the policy gave.</summary>
    Allow,

    /// <summary>Nobody may go there.</summary>
    Prohibit,

    /// <summary>Nothing listens there.</summary>
    Refuse,
}

/// <summary>
/// Decides where traffic from inside may go, and translates the gateway's own addresses. By default everything is reachable but
/// the host's loopback, link-local addresses (where clouds keep their metadata), multicast and broadcast.
/// </summary>
public sealed class HostPolicy
{
    /// <summary>The gateway's addresses: portico.internal.</summary>
    public IReadOnlyList<IpAddress> Gateways { get; init; } = [];

    /// <summary>The addresses that stand for the host: host.portico.</summary>
    public IReadOnlyList<IpAddress> Hosts { get; init; } = [];

    /// <summary>Whether host.portico is the host's loopback instead of its outer address.</summary>
    public bool HostLoopback { get; init; }

    /// <summary>Where the gateway's port 53 leads; null where the host has no resolver.</summary>
    public Endpoint? Resolver { get; init; }

    /// <summary>The host's own address of a family, as seen from its network; asked for only when somebody uses host.portico.</summary>
    public Func<bool, IpAddress?> OuterAddress { get; init; } = FindOuterAddress;

    /// <summary>Decides about one destination; <paramref name="target"/> is where the host's socket is to go.</summary>
    public HostPolicyVerdict Decide(in Endpoint destination, out Endpoint target)
    {
        IpAddress address = Unmapped(destination.Address);
        target = new Endpoint(address, destination.Port);
        if (Contains(Gateways, address))
        {
            if (destination.Port == 53 && Resolver is Endpoint resolver)
            {
                target = resolver;
                return HostPolicyVerdict.Allow;
            }

            return HostPolicyVerdict.Refuse;
        }

        if (Contains(Hosts, address))
        {
            IpAddress loopback = address.IsIpv4 ? IpAddress.LoopbackIpv4 : IpAddress.LoopbackIpv6;
            IpAddress? own = HostLoopback ? loopback : OuterAddress(address.IsIpv4);
            target = new Endpoint(own ?? default, destination.Port);
            return own == null ? HostPolicyVerdict.Refuse : HostPolicyVerdict.Allow;
        }

        return IsReachable(address) ? HostPolicyVerdict.Allow : HostPolicyVerdict.Prohibit;
    }

    /// <summary>Whether an address is the gateway's own.</summary>
    internal bool IsGateway(in IpAddress address) => Contains(Gateways, address);

    /// <summary>Whether an address is neither the host's loopback nor link-local, multicast, broadcast or unspecified.</summary>
    private static bool IsReachable(in IpAddress address) =>
        !address.IsLoopback && !address.IsLinkLocal && !address.IsMulticast && !address.IsLimitedBroadcast && !address.IsUnspecified
        && !(address.IsIpv4 && (address.Ipv4Value >> 24) == 0);

    /// <summary>
    /// The IPv4 address inside ::a.b.c.d (deprecated), ::ffff:0:a.b.c.d (RFC 2765) and 64:ff9b::a.b.c.d (RFC 6052), which a host may
    /// translate: it is judged as what it would become. (::ffff:a.b.c.d is IPv4 already.)
    /// </summary>
    private static IpAddress Unmapped(in IpAddress address)
    {
        bool compatible = address.High == 0 && (address.Low >> 32) == 0 && address.Low > 1;
        bool translated = address.High == 0 && (address.Low >> 32) == 0xFFFF_0000;
        bool nat64 = address.High == 0x0064_FF9B_0000_0000 && (address.Low >> 32) == 0;
        if (!compatible && !translated && !nat64)
        {
            return address;
        }

        IpAddress inner = IpAddress.FromIpv4((uint)address.Low);
        return IsReachable(inner) ? address : inner;
    }

    private static bool Contains(IReadOnlyList<IpAddress> list, in IpAddress address)
    {
        for (int i = 0; i < list.Count; i++)
        {
            if (list[i] == address)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>The address that the host would send from; connecting a datagram socket asks the kernel and sends nothing.</summary>
    private static IpAddress? FindOuterAddress(bool isIpv4)
    {
        IpAddress far = isIpv4 ? IpAddress.FromIpv4(198, 51, 100, 1) : IpAddress.Parse("2001:db8::1");
        if (HostSocket.Connect(new Endpoint(far, 9), LibC.SOCK_DGRAM, LibC.IPPROTO_UDP, out HostSocket socket) == Errno.None)
        {
            bool known = socket.TryGetLocal(out Endpoint local);
            socket.Close();
            if (known && IsReachable(local.Address))
            {
                return local.Address;
            }
        }

        foreach (Card card in Card.GetAllNetworkInterfaces())
        {
            foreach (UnicastIPAddressInformation unicast in card.GetIPProperties().UnicastAddresses)
            {
                IpAddress address = IpAddress.From(unicast.Address);
                if (address.IsIpv4 == isIpv4 && IsReachable(address))
                {
                    return address;
                }
            }
        }

        return null;
    }
}

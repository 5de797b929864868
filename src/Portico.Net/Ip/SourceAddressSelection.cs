using System.Numerics;

namespace Portico.Net;

// Source-address selection (RFC 6724 5): the pair-wise rules, and the policy table of section 2.1. For IPv4 the same rules apply with
// the scopes of section 3.2; Linux instead takes the first address on the interface, which these rules come to as well.
public sealed partial class IpLayer
{
    private readonly record struct PolicyEntry(ulong High, ulong Low, byte Length, byte Label);

    // RFC 6724 2.1, the longest prefix first.
    private static readonly PolicyEntry[] s_policies =
    [
        new(0, 1, 128, 0), // ::1
        new(0, 0x0000_FFFF_0000_0000, 96, 4), // ::ffff:0:0/96
        new(0, 0, 96, 3), // ::/96
        new(0x2001_0000_0000_0000, 0, 32, 5), // Teredo
        new(0x2002_0000_0000_0000, 0, 16, 2), // 6to4
        new(0x3FFE_0000_0000_0000, 0, 16, 12), // 6bone
        new(0xFEC0_0000_0000_0000, 0, 10, 11), // site-local
        new(0xFC00_0000_0000_0000, 0, 7, 13), // unique local
    ];

    /// <summary>
    /// The address that an answer to a peer would come from (ipi_spec_dst of IP_PKTINFO); unspecified where there is no way to it.
    /// </summary>
    public IpAddress SourceFor(in IpAddress peer, int interfaceIndex)
    {
        IpAddress any = peer.IsIpv4 ? IpAddress.AnyIpv4 : IpAddress.AnyIpv6;
        Errno error = FindRoute(any, peer, interfaceIndex, out RouteCache route);
        return error == Errno.None && SelectSource(route, peer, out IpAddress source) == Errno.None ? source : any;
    }

    /// <summary>
    /// Chooses a source address for a destination (RFC 6724 section 5), once the route is known. Errors: EADDRNOTAVAIL where the host has
    /// no address of the family (IPv4: 0.0.0.0 may still be used, for DHCP).
    /// </summary>
    internal Errno SelectSource(in RouteCache route, in IpAddress destination, out IpAddress source)
    {
        if (route.IsLocal)
        {
            // The destination itself is the best match: rule 1. For 127/8 Linux's local table says 127.0.0.1.
            source = destination is { IsIpv4: true, IsLoopback: true } ? IpAddress.LoopbackIpv4 : destination;
            return Errno.None;
        }

        NetworkInterface? output = InterfaceAt(route.InterfaceIndex);
        Route? found = output == null || destination.IsMulticast ? null : Routes.Lookup(destination, route.InterfaceIndex);
        if (found is { PreferredSource.IsUnspecified: false } && IsOwnUnicast(found.PreferredSource))
        {
            source = found.PreferredSource;
            return Errno.None;
        }

        InterfaceAddress? best = null;
        if (output != null)
        {
            foreach (InterfaceAddress candidate in output.AddressList)
            {
                Consider(candidate, destination, route.NextHop, output, ref best);
            }
        }

        // Rule 5 prefers the outgoing interface's addresses; for link-local destinations and groups no other will do.
        bool mustBeOnInterface = destination.IsLinkLocal || destination.IsMulticast;
        if (best == null || (!destination.IsIpv4 && !mustBeOnInterface))
        {
            foreach (NetworkInterface other in _stack.InterfaceList)
            {
                if (other == output || !other.IsUp || (mustBeOnInterface && best != null))
                {
                    continue;
                }

                foreach (InterfaceAddress candidate in other.AddressList)
                {
                    if (!candidate.Address.IsLoopback && !(mustBeOnInterface && !destination.IsIpv4))
                    {
                        Consider(candidate, destination, route.NextHop, output, ref best);
                    }
                }
            }
        }

        source = best?.Address ?? (destination.IsIpv4 ? IpAddress.AnyIpv4 : IpAddress.AnyIpv6);
        return best == null ? Errno.EADDRNOTAVAIL : Errno.None;
    }

    private static void Consider(
        InterfaceAddress candidate, in IpAddress destination, in IpAddress nextHop, NetworkInterface? output, ref InterfaceAddress? best)
    {
        if (!candidate.IsUsable || candidate.Address.IsIpv4 != destination.IsIpv4)
        {
            return;
        }

        if (best == null || IsBetterSource(candidate, best, destination, nextHop, output))
        {
            best = candidate;
        }
    }

    /// <summary>
    /// Whether <paramref name="a"/> is preferred to <paramref name="b"/>; where no rule decides, the one met first stays.
    /// </summary>
    private static bool IsBetterSource(
        InterfaceAddress a, InterfaceAddress b, in IpAddress destination, in IpAddress nextHop, NetworkInterface? output)
    {
        // Rule 1: the destination's own address.
        if (a.Address == destination || b.Address == destination)
        {
            return a.Address == destination && b.Address != destination;
        }

        // Rule 2: the appropriate scope.
        int scopeA = ScopeOf(a.Address);
        int scopeB = ScopeOf(b.Address);
        if (scopeA != scopeB)
        {
            int scope = ScopeOf(destination);
            return scopeA < scopeB ? scopeA >= scope : scopeB < scope;
        }

        // Rule 3: avoid deprecated addresses. (Rule 4, home addresses, has no meaning here.)
        if (a.State != b.State)
        {
            return a.State == AddressState.Preferred;
        }

        // Rule 5: the outgoing interface.
        bool onOutputA = a.Interface == output;
        bool onOutputB = b.Interface == output;
        if (onOutputA != onOutputB)
        {
            return onOutputA;
        }

        if (destination.IsIpv4)
        {
            // The address whose network the next hop is on, then the first one (Linux: inet_select_addr).
            return a.Prefix.Contains(nextHop) && !b.Prefix.Contains(nextHop);
        }

        // Rule 6: the destination's label.
        byte label = LabelOf(destination);
        bool matchesA = LabelOf(a.Address) == label;
        bool matchesB = LabelOf(b.Address) == label;
        if (matchesA != matchesB)
        {
            return matchesA;
        }

        // Rule 7: temporary addresses.
        if (a.IsTemporary != b.IsTemporary)
        {
            return a.IsTemporary;
        }

        // Rule 8: the longest matching prefix, no longer than the address's own.
        return CommonPrefixLength(a, destination) > CommonPrefixLength(b, destination);
    }

    /// <summary>The scope of an address in the numbers of multicast scopes (RFC 6724 3.1, 3.2).</summary>
    internal static int ScopeOf(in IpAddress address)
    {
        const int LinkLocal = 2;
        const int SiteLocal = 5;
        const int Global = 14;
        if (address.IsIpv4)
        {
            return address.IsLinkLocal || address.IsLoopback || (address.Ipv4Value >> 8) == 0xE00000 ? LinkLocal : Global;
        }

        if (address.IsMulticast)
        {
            return (int)(address.High >> 48) & 0xF;
        }

        return address.IsLinkLocal || address.IsLoopback ? LinkLocal : (address.High >> 54) == 0x3FB ? SiteLocal : Global;
    }

    internal static byte LabelOf(in IpAddress address)
    {
        foreach (ref readonly PolicyEntry entry in s_policies.AsSpan())
        {
            ulong highMask = entry.Length >= 64 ? ulong.MaxValue : ulong.MaxValue << (64 - entry.Length);
            ulong lowMask = entry.Length <= 64 ? 0 : entry.Length == 128 ? ulong.MaxValue : ulong.MaxValue << (128 - entry.Length);
            if (((address.High ^ entry.High) & highMask) == 0 && ((address.Low ^ entry.Low) & lowMask) == 0)
            {
                return entry.Label;
            }
        }

        return 1;
    }

    private static int CommonPrefixLength(InterfaceAddress candidate, in IpAddress destination)
    {
        ulong high = candidate.Address.High ^ destination.High;
        int common = high != 0
            ? BitOperations.LeadingZeroCount(high)
            : 64 + BitOperations.LeadingZeroCount(candidate.Address.Low ^ destination.Low);
        return Math.Min(common, candidate.Prefix.Length);
    }
}

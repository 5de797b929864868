namespace Portico.Net;

// What ARP and Neighbor Discovery tell the table about a neighbour.
public sealed partial class NeighbourTable
{
    private ArpProtocol? _arp;
    private NeighbourDiscovery? _discovery;

    internal ArpProtocol Arp => _arp ??= new ArpProtocol(_interface, this);

    internal NeighbourDiscovery Discovery => _discovery ??= new NeighbourDiscovery(_interface, this);

    /// <summary>An ARP packet without its Ethernet header. Takes ownership.</summary>
    internal void HandleArp(Packet packet) => Arp.Handle(packet);

    /// <summary>
    /// A Neighbor Discovery message (ICMPv6 types 133 to 137) with a right checksum, from its ICMPv6 header on. Takes ownership.
    /// </summary>
    internal void HandleNeighbourDiscovery(Packet packet, in IpInfo info) => Discovery.Handle(packet, info);

    /// <summary>
    /// A sender said its address. A reply that was asked for confirms; anything else only tells the link-layer address, which
    /// is then verified before it is relied on, and not taken twice within locktime (Linux: arp_process, neigh_update).
    /// </summary>
    internal void LearnFromArp(int index, MacAddress mac, bool isAnswer)
    {
        ref NeighbourEntry entry = ref _entries[index];
        bool isPending = entry.State is NudState.Incomplete or NudState.Probe or NudState.Delay;
        bool isNew = entry.State is NudState.Incomplete or NudState.Failed;
        if (entry.State == NudState.Permanent)
        {
            return;
        }

        if (!isNew && mac != entry.Mac && _engine.Now - entry.Updated < Options.locktime)
        {
            Counters[NeighbourCounter.ArpInLocked]++;
            return;
        }

        bool isSame = !isNew && mac == entry.Mac;
        entry.Mac = mac;
        if (isAnswer && isPending)
        {
            BecomeReachable(index);
        }
        else if (!isSame)
        {
            BecomeStale(index);
        }
    }

    /// <summary>
    /// A neighbour solicitation, router solicitation, router advertisement or redirect carried the source's link-layer address
    /// (RFC 4861 7.2.3, 6.2.6, 6.3.4): made STALE where that is news.
    /// </summary>
    internal int LearnFromSource(in IpAddress source, MacAddress mac)
    {
        int index = IndexOf(source);
        if (index < 0)
        {
            index = Allocate(source);
            if (index < 0)
            {
                return index;
            }
        }
        else if (_entries[index].Mac == mac || _entries[index].State == NudState.Permanent)
        {
            return index;
        }

        _entries[index].Mac = mac;
        BecomeStale(index);
        return index;
    }

    /// <summary>A neighbour advertisement for an entry (RFC 4861 7.2.5 and appendix C).</summary>
    internal void LearnFromAdvertisement(int index, MacAddress mac, bool isSolicited, bool isOverride, bool isRouter)
    {
        ref NeighbourEntry entry = ref _entries[index];
        bool hasMac = mac.Value != 0;
        if (entry.State == NudState.Permanent)
        {
            return;
        }

        if (entry.State is NudState.Incomplete or NudState.Failed)
        {
            if (!hasMac || entry.State == NudState.Failed)
            {
                Counters[NeighbourCounter.NdInUnsolicited]++;
                return;
            }

            entry.Mac = mac;
            entry.IsRouter = isRouter;
            if (isSolicited)
            {
                BecomeReachable(index);
            }
            else
            {
                BecomeStale(index);
            }

            return;
        }

        bool differs = hasMac && mac != entry.Mac;
        if (differs && !isOverride)
        {
            // The claim is not believed, but it casts doubt on what was known.
            if (StateOf(entry) == NudState.Reachable)
            {
                BecomeStale(index);
            }

            return;
        }

        if (differs)
        {
            entry.Mac = mac;
        }

        bool wasRouter = entry.IsRouter;
        entry.IsRouter = isRouter;
        if (isSolicited)
        {
            BecomeReachable(index);
        }
        else if (differs)
        {
            BecomeStale(index);
        }

        if (wasRouter && !isRouter)
        {
            _interface.Configuration!.HandleRouterGone(entry.Address);
        }
    }
}

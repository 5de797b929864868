namespace Portico.Net;

// The state machine (RFC 4861 7.3.3 and appendix C). Sending and hearing about a neighbour are its events; REACHABLE ends by the clock.
public sealed partial class NeighbourTable
{
    /// <summary>More confirmations than this add nothing to an entry that is REACHABLE for half a minute.</summary>
    private static readonly Duration s_confirmationInterval = Duration.FromSeconds(1);

    /// <summary>The transport has seen its peer make progress: the neighbour forwards (RFC 4861 7.3.1).</summary>
    internal void ConfirmReachability(in IpAddress nextHop)
    {
        int index = IndexOf(nextHop);
        if (index < 0)
        {
            return;
        }

        ref NeighbourEntry entry = ref _entries[index];
        bool isFresh = entry.State == NudState.Reachable && _engine.Now - entry.Updated < s_confirmationInterval;
        if (!isFresh && entry.State is NudState.Reachable or NudState.Stale or NudState.Delay or NudState.Probe)
        {
            Counters[NeighbourCounter.Confirmations]++;
            BecomeReachable(index);
        }
    }

    /// <summary>
    /// Sends a packet that begins with its IP header to a next hop, or keeps it until the neighbour has answered. Takes ownership.
    /// </summary>
    internal void ResolveAndSend(Packet packet, in IpAddress nextHop)
    {
        if (TryResolve(nextHop, out MacAddress destination))
        {
            _interface.TransmitResolved(packet, destination);
            return;
        }

        if (_interface.IsBroadcast(nextHop))
        {
            _interface.TransmitResolved(packet, MacAddress.Broadcast);
            return;
        }

        int index = IndexOf(nextHop);
        if (index < 0)
        {
            EvictIncompleteOverLimit();
            index = Allocate(nextHop);
            if (index < 0)
            {
                Counters[NeighbourCounter.UnresDiscards]++;
                packet.Release();
                return;
            }

            _entries[index].State = NudState.Failed;
        }

        Enqueue(index, packet);
        if (_entries[index].State == NudState.Failed)
        {
            BecomeIncomplete(index);
        }
    }

    /// <summary>Not REACHABLE by the clock: whatever state it is in, a packet is about to be sent.</summary>
    private bool TryUse(int index, out MacAddress destination)
    {
        ref NeighbourEntry entry = ref _entries[index];
        entry.Used = _engine.Now;
        destination = entry.Mac;
        switch (entry.State)
        {
            case NudState.Reachable:
            case NudState.Stale:
                entry.State = NudState.Delay;
                entry.ReachableUntil = default;
                StartTimer(index, DelayTimers, Options.delay_first_probe_time);
                break;
            case NudState.Delay:
            case NudState.Probe:
                break;
            default:
                return false;
        }

        Counters[NeighbourCounter.Hits]++;
        return true;
    }

    internal void BecomeReachable(int index)
    {
        ref NeighbourEntry entry = ref _entries[index];
        if (entry.State == NudState.Permanent)
        {
            return;
        }

        StopTimer(index);
        LeaveStateList(index);
        entry.State = NudState.Reachable;
        entry.Probes = 0;
        entry.Updated = _engine.Now;
        entry.ReachableUntil = _engine.Now + ReachableTime(entry.Address.IsIpv4);
        FlushQueue(index);
    }

    internal void BecomeStale(int index)
    {
        ref NeighbourEntry entry = ref _entries[index];
        if (entry.State == NudState.Permanent)
        {
            return;
        }

        StopTimer(index);
        LeaveStateList(index);
        entry.State = NudState.Stale;
        entry.Probes = 0;
        entry.Updated = _engine.Now;
        entry.ReachableUntil = default;
        if (entry.QueueHead != null)
        {
            // What waits is sent now, and sending to a STALE neighbour makes it DELAY (RFC 4861 7.3.3).
            TryUse(index, out _);
            FlushQueue(index);
        }
    }

    private void BecomeIncomplete(int index)
    {
        ref NeighbourEntry entry = ref _entries[index];
        LeaveStateList(index);
        entry.State = NudState.Incomplete;
        entry.Mac = default;
        entry.Probes = 0;
        entry.ReachableUntil = default;
        EnterStateList(index, IncompleteList);
        Solicit(index);
    }

    private void BecomeFailed(int index)
    {
        ref NeighbourEntry entry = ref _entries[index];
        StopTimer(index);
        LeaveStateList(index);
        entry.State = NudState.Failed;
        entry.ReachableUntil = default;
        EnterStateList(index, FailedList);
        Counters[NeighbourCounter.ResFailed]++;
        IpAddress address = entry.Address;

        // The senders may send again at once: the entry is in its new state, and its queue detached, before they hear.
        Packet? packet = DetachQueue(index);
        while (packet != null)
        {
            Packet? next = packet.Next;
            packet.Next = null;
            Counters[NeighbourCounter.UnreachablePackets]++;
            _interface.Stack.Icmp.HandleLinkFailure(packet, _interface);
            packet = next;
        }

        _interface.Configuration?.HandleUnreachableNeighbour(address);
    }

    private void HandleTimer(int index)
    {
        ref NeighbourEntry entry = ref _entries[index];
        switch (entry.State)
        {
            case NudState.Incomplete when entry.Probes < Options.mcast_solicit:
            case NudState.Probe when entry.Probes < Options.ucast_solicit:
                Solicit(index);
                break;
            case NudState.Incomplete:
            case NudState.Probe:
                BecomeFailed(index);
                break;
            case NudState.Delay:
                entry.State = NudState.Probe;
                entry.Probes = 0;
                Solicit(index);
                break;
            default:
                break;
        }
    }

    /// <summary>Sends the next solicitation: multicast while the address is unknown, a unicast probe after that.</summary>
    private void Solicit(int index)
    {
        ref NeighbourEntry entry = ref _entries[index];
        entry.Probes++;
        StartTimer(index, RetransTimers, RetransTime(entry.Address.IsIpv4));
        bool multicast = entry.State == NudState.Incomplete;
        if (multicast && !TryTakeSolicitToken())
        {
            Counters[NeighbourCounter.SolicitsLimited]++;
            return;
        }

        if (!TrySelectSource(in entry, out IpAddress source))
        {
            Counters[NeighbourCounter.SolicitsNoSource]++;
            return;
        }

        MacAddress destination = multicast ? default : entry.Mac;
        if (entry.Address.IsIpv4)
        {
            Arp.SendRequest(source, entry.Address, destination);
        }
        else
        {
            Discovery.SendSolicitation(source, entry.Address, destination);
        }
    }

    /// <summary>
    /// The source of the packet that prompted the solicitation where it is an own address (RFC 4861 7.2.2; arp_announce 0), else any
    /// own address that fits.
    /// </summary>
    private bool TrySelectSource(in NeighbourEntry entry, out IpAddress source)
    {
        Packet? first = entry.QueueHead;
        if (first != null && first.LinearLength >= (entry.Address.IsIpv4 ? 20 : 40))
        {
            source = entry.Address.IsIpv4 ? IpAddress.ReadIpv4(first.Linear[12..]) : IpAddress.ReadIpv6(first.Linear[8..]);
            if (_interface.IsOwnUsable(source))
            {
                return true;
            }
        }

        return _interface.TrySelectNeighbourSource(entry.Address, out source);
    }
}

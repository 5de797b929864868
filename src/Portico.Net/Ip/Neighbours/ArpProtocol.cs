// RFC 826 (ARP), RFC 5227 (address conflict detection).
namespace Portico.Net;

/// <summary>
/// ARP on one interface: answers for own addresses and feeds the neighbour table. It never creates an entry from a reply that nobody
/// asked for, and never takes an address from what it hears.
/// </summary>
internal sealed class ArpProtocol(NetworkInterface owner, NeighbourTable table)
{
    private readonly MibTable<NeighbourCounter> _counters = table.Counters;

    /// <summary>A frame's payload; takes ownership.</summary>
    public void Handle(Packet packet)
    {
        if (packet.EnsureLinear(ArpPacket.Length) && ArpPacket.TryParse(packet.Linear, out ArpPacket arp))
        {
            Handle(arp, packet.IsLinkBroadcast);
        }
        else
        {
            _counters[NeighbourCounter.ArpInMalformed]++;
        }

        packet.Release();
    }

    private void Handle(ArpPacket arp, bool isBroadcast)
    {
        bool isReply = arp.Operation == ArpOperation.Reply;
        if (!isReply && arp.Operation != ArpOperation.Request)
        {
            _counters[NeighbourCounter.ArpInMalformed]++;
            return;
        }

        _counters[isReply ? NeighbourCounter.ArpInReplies : NeighbourCounter.ArpInRequests]++;
        MacAddress senderHardware = arp.SenderHardware;
        IpAddress sender = arp.SenderProtocol;
        IpAddress target = arp.TargetProtocol;
        if (senderHardware == owner.Link.Address)
        {
            _counters[NeighbourCounter.ArpInOwnFrames]++;
            return;
        }

        if (senderHardware.IsGroup || senderHardware.Value == 0 || sender.IsMulticast || sender.IsLoopback || sender.IsLimitedBroadcast)
        {
            _counters[NeighbourCounter.ArpInBadSender]++;
            return;
        }

        // RFC 5227 2.1.1 and 2.4: somebody else uses, or probes for, an address of this interface.
        InterfaceAddress? claimed = owner.FindAddress(sender.IsUnspecified ? target : sender);
        if (claimed != null && (!sender.IsUnspecified || (claimed.State == AddressState.Tentative && !isReply)))
        {
            _counters[NeighbourCounter.ArpInConflicts]++;
            owner.Configuration!.HandleArpConflict(claimed);
            return;
        }

        bool isForUs = owner.IsOwnUsable(target);
        int index = sender.IsUnspecified ? NeighbourEntry.None : table.IndexOf(sender);
        if (index >= 0)
        {
            if (isReply)
            {
                _counters[isBroadcast ? NeighbourCounter.RcvProbesMcast : NeighbourCounter.RcvProbesUcast]++;
            }

            table.LearnFromArp(index, senderHardware, isReply && isForUs && !isBroadcast);
        }
        else if (isReply)
        {
            _counters[NeighbourCounter.ArpInUnsolicited]++;
        }

        if (isReply)
        {
            return;
        }

        if (!isForUs)
        {
            _counters[NeighbourCounter.ArpInNotForUs]++;
            return;
        }

        if (index < 0 && owner.IsOnLink(sender) && (index = table.Allocate(sender)) >= 0)
        {
            // RFC 826: who asks for this host is about to be answered, so its address is worth keeping.
            table.EntryAt(index).Mac = senderHardware;
            table.BecomeStale(index);
        }

        Send(ArpOperation.Reply, senderHardware, target, senderHardware, sender);
        _counters[NeighbourCounter.ArpOutReplies]++;
    }

    /// <summary>Asks who has an address; a probe of a known neighbour goes to it alone.</summary>
    public void SendRequest(in IpAddress source, in IpAddress target, MacAddress destination)
    {
        _counters[NeighbourCounter.ArpOutRequests]++;
        Send(ArpOperation.Request, destination.Value == 0 ? MacAddress.Broadcast : destination, source, default, target);
    }

    /// <summary>Asks whether anybody has the address, without saying that this host wants it (RFC 5227 2.1.1).</summary>
    public void SendProbe(in IpAddress target)
    {
        _counters[NeighbourCounter.ArpOutProbes]++;
        Send(ArpOperation.Request, MacAddress.Broadcast, IpAddress.AnyIpv4, default, target);
    }

    /// <summary>Tells everybody that the address is this interface's (RFC 5227 2.3).</summary>
    public void SendAnnouncement(in IpAddress address)
    {
        _counters[NeighbourCounter.ArpOutAnnouncements]++;
        Send(ArpOperation.Request, MacAddress.Broadcast, address, default, address);
    }

    private void Send(
        ArpOperation operation, MacAddress destination, in IpAddress sender, MacAddress targetHardware, in IpAddress target)
    {
        if (!owner.IsUp)
        {
            return;
        }

        Packet packet = owner.Stack.Engine.Packets.Rent();
        ArpPacket.Write(packet.Append(ArpPacket.Length), operation, owner.Link.Address, sender, targetHardware, target);
        EthernetHeader.Write(packet.Push(EthernetHeader.Length), destination, owner.Link.Address, EtherType.Arp);
        owner.Transmit(packet);
    }
}

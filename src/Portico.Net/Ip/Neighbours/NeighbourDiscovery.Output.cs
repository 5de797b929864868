using System.Buffers.Binary;

namespace Portico.Net;

// What Neighbor Discovery sends. All of it with hop limit 255, so that the receiver knows that it comes from a neighbour.
internal sealed partial class NeighbourDiscovery
{
    /// <summary>Asks for a target's link-layer address; a probe of a known neighbour goes to it alone.</summary>
    public void SendSolicitation(in IpAddress source, in IpAddress target, MacAddress destination)
    {
        bool multicast = destination.Value == 0;
        Packet packet = Rent(NeighbourSolicitation.Length + NdOption.LinkAddressLength, out Span<byte> message);
        NeighbourSolicitation.Write(message, target);
        NdOption.WriteLinkAddress(message[NeighbourSolicitation.Length..], NdOptionKind.SourceLinkLayerAddress, owner.Link.Address);
        _counters[NeighbourCounter.NdOutNeighborSolicits]++;
        Send(packet, source, multicast ? SolicitedNode(target) : target, destination);
    }

    /// <summary>Asks whether anybody has the address already (RFC 4862 5.4.2), with a nonce that tells an echo from a rival.</summary>
    public void SendDadSolicitation(in IpAddress target, ulong nonce)
    {
        Packet packet = Rent(NeighbourSolicitation.Length + 8, out Span<byte> message);
        NeighbourSolicitation.Write(message, target);
        BinaryPrimitives.WriteUInt64BigEndian(
            message[NeighbourSolicitation.Length..], ((ulong)NonceOption << 56) | (1UL << 48) | (nonce & 0xFFFF_FFFF_FFFF));
        _counters[NeighbourCounter.NdOutNeighborSolicits]++;
        _counters[NeighbourCounter.DadProbes]++;
        Send(packet, IpAddress.AnyIpv6, SolicitedNode(target), default);
    }

    /// <summary>Says that the target is here: to one node (whose address may have to be resolved first) or to all.</summary>
    public void SendAdvertisement(in IpAddress target, in IpAddress destination, MacAddress mac, bool isSolicited)
    {
        Packet packet = Rent(NeighbourAdvertisement.Length + NdOption.LinkAddressLength, out Span<byte> message);
        NeighbourAdvertisement.Write(message, target, owner.Configuration!.IsRouter, isSolicited, isOverride: true);
        NdOption.WriteLinkAddress(message[NeighbourAdvertisement.Length..], NdOptionKind.TargetLinkLayerAddress, owner.Link.Address);
        _counters[NeighbourCounter.NdOutNeighborAdvertisements]++;
        Send(packet, target, destination, mac);
    }

    /// <summary>Asks routers to advertise; an unspecified source carries no link-layer address (RFC 4861 4.1).</summary>
    public void SendRouterSolicitation(in IpAddress source)
    {
        int options = source.IsUnspecified ? 0 : NdOption.LinkAddressLength;
        Packet packet = Rent(RouterSolicitation.Length + options, out Span<byte> message);
        RouterSolicitation.Write(message);
        if (options != 0)
        {
            NdOption.WriteLinkAddress(message[RouterSolicitation.Length..], NdOptionKind.SourceLinkLayerAddress, owner.Link.Address);
        }

        _counters[NeighbourCounter.NdOutRouterSolicits]++;
        Send(packet, source, AllRouters, default);
    }

    /// <summary>Sends a router advertisement that the caller has written behind a rented packet's start; see <see cref="Rent"/>.</summary>
    public void SendRouterAdvertisement(Packet packet, in IpAddress source)
    {
        _counters[NeighbourCounter.NdOutRouterAdvertisements]++;
        Send(packet, source, s_allNodes, default);
    }

    /// <summary>A packet whose linear part is a message of so many bytes, at most 256.</summary>
    public Packet Rent(int bytes, out Span<byte> message)
    {
        Packet packet = owner.Stack.Engine.Packets.Rent();
        packet.SetHeadroom(Ipv6Header.Length + EthernetHeader.Length);
        message = packet.Append(bytes);
        return packet;
    }

    private void Send(Packet packet, in IpAddress source, in IpAddress destination, MacAddress mac)
    {
        if (!owner.IsUp)
        {
            packet.Release();
            return;
        }

        int length = packet.LinearLength;
        Icmpv6Header.WriteChecksum(packet.Linear, source, destination);
        packet.TransportOffset = packet.Start;
        Ipv6Header.Write(packet.Push(Ipv6Header.Length), length, IpProtocol.Icmpv6, 255, source, destination);
        packet.NetworkOffset = packet.Start;
        packet.Checksum = ChecksumState.Verified;
        if (mac.Value == 0)
        {
            table.ResolveAndSend(packet, destination);
        }
        else
        {
            owner.TransmitResolved(packet, mac);
        }
    }
}

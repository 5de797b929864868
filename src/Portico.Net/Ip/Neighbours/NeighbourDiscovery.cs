// RFC 4861 (Neighbor Discovery), RFC 4862 5.4 (duplicate address detection), RFC 7527 (nonce).
using System.Buffers.Binary;

namespace Portico.Net;

/// <summary>
/// Neighbor Discovery on one interface: every message is validated in full (RFC 4861 6.1, 7.1, 8.1) before it may change anything.
/// </summary>
internal sealed partial class NeighbourDiscovery(NetworkInterface owner, NeighbourTable table)
{
    /// <summary>RFC 3971 5.3.2; used for duplicate address detection by RFC 7527.</summary>
    internal const byte NonceOption = 14;

    private static readonly IpAddress s_allNodes = new(0xFF02_0000_0000_0000, 1);

    private readonly MibTable<NeighbourCounter> _counters = table.Counters;

    /// <summary>ff02::2.</summary>
    public static IpAddress AllRouters => new(0xFF02_0000_0000_0000, 2);

    /// <summary>ff02::1:ffXX:XXXX (RFC 4291 2.7.1).</summary>
    public static IpAddress SolicitedNode(in IpAddress address) =>
        new(0xFF02_0000_0000_0000, 0x0000_0001_FF00_0000 | (address.Low & 0xFF_FFFF));

    /// <summary>A message from its ICMPv6 header on, with a right checksum. Takes ownership.</summary>
    public void Handle(Packet packet, in IpInfo info)
    {
        // Options are read in one span; no sane message is longer than this, and no ND message may come in fragments (RFC 6980).
        if (packet.EnsureLinear(packet.Length))
        {
            Dispatch(packet.Linear, info);
        }
        else
        {
            _counters[NeighbourCounter.NoMemory]++;
        }

        packet.Release();
    }

    private void Dispatch(ReadOnlySpan<byte> message, in IpInfo info)
    {
        if (message.Length < Icmpv6Header.Length)
        {
            _counters[NeighbourCounter.NdInMalformed]++;
            return;
        }

        if (info.HopLimit != 255)
        {
            // Came through a router, so not from a neighbour.
            _counters[NeighbourCounter.NdInHopLimit]++;
            return;
        }

        if (message[1] != 0)
        {
            _counters[NeighbourCounter.NdInBadCode]++;
            return;
        }

        switch (message[0])
        {
            case Icmpv6Type.NeighbourSolicitation:
                _counters[NeighbourCounter.NdInNeighborSolicits]++;
                HandleSolicitation(message, info);
                break;
            case Icmpv6Type.NeighbourAdvertisement:
                _counters[NeighbourCounter.NdInNeighborAdvertisements]++;
                HandleAdvertisement(message, info);
                break;
            case Icmpv6Type.RouterSolicitation:
                _counters[NeighbourCounter.NdInRouterSolicits]++;
                HandleRouterSolicitation(message, info);
                break;
            case Icmpv6Type.RouterAdvertisement:
                _counters[NeighbourCounter.NdInRouterAdvertisements]++;
                HandleRouterAdvertisement(message, info);
                break;
            case Icmpv6Type.Redirect:
                // Taking redirects lets any neighbour take over routes, so it is off, as accept_redirects of a router is in Linux.
                _counters[NeighbourCounter.NdInRedirects]++;
                _counters[NeighbourCounter.NdInRedirectsIgnored]++;
                break;
            default:
                _counters[NeighbourCounter.NdInMalformed]++;
                break;
        }
    }

    private void HandleSolicitation(ReadOnlySpan<byte> message, in IpInfo info)
    {
        if (!NeighbourSolicitation.TryParse(message, out NeighbourSolicitation solicitation))
        {
            _counters[NeighbourCounter.NdInMalformed]++;
            return;
        }

        if (!TryReadLinkAddress(solicitation.Options, NdOptionKind.SourceLinkLayerAddress, out MacAddress mac))
        {
            return;
        }

        IpAddress target = solicitation.Target;
        if (target.IsMulticast || target.IsIpv4 || target.IsUnspecified)
        {
            _counters[NeighbourCounter.NdInBadTarget]++;
            return;
        }

        bool isDad = info.Source.IsUnspecified;
        if (isDad && (info.Destination != SolicitedNode(target) || mac.Value != 0))
        {
            _counters[info.Destination != SolicitedNode(target) ? NeighbourCounter.NdInBadDestination : NeighbourCounter.NdInBadOption]++;
            return;
        }

        if (!isDad && info.Destination.IsMulticast && mac.Value == 0)
        {
            // RFC 4861 4.3: the option must be there when the solicitation is multicast.
            _counters[NeighbourCounter.NdInBadOption]++;
            return;
        }

        InterfaceAddress? own = owner.FindAddress(target);
        if (own == null || own.State == AddressState.Duplicate)
        {
            _counters[NeighbourCounter.NdInNotForUs]++;
            return;
        }

        if (own.State == AddressState.Tentative)
        {
            // RFC 4862 5.4.3: from :: another host is about to take the address; otherwise it is being resolved, which is silent here.
            if (isDad)
            {
                owner.Configuration!.HandleDadSolicitation(own, ReadNonce(solicitation.Options));
            }

            return;
        }

        if (isDad)
        {
            SendAdvertisement(target, s_allNodes, default, isSolicited: false);
            return;
        }

        if (mac == owner.Link.Address)
        {
            _counters[NeighbourCounter.NdInOwnFrames]++;
            return;
        }

        if (mac.Value != 0)
        {
            table.LearnFromSource(info.Source, mac);
        }

        SendAdvertisement(target, info.Source, mac, isSolicited: true);
    }

    private void HandleAdvertisement(ReadOnlySpan<byte> message, in IpInfo info)
    {
        if (!NeighbourAdvertisement.TryParse(message, out NeighbourAdvertisement advertisement))
        {
            _counters[NeighbourCounter.NdInMalformed]++;
            return;
        }

        if (!TryReadLinkAddress(advertisement.Options, NdOptionKind.TargetLinkLayerAddress, out MacAddress mac))
        {
            return;
        }

        IpAddress target = advertisement.Target;
        if (target.IsMulticast || target.IsIpv4 || target.IsUnspecified)
        {
            _counters[NeighbourCounter.NdInBadTarget]++;
            return;
        }

        if (info.Destination.IsMulticast && advertisement.IsSolicited)
        {
            _counters[NeighbourCounter.NdInBadDestination]++;
            return;
        }

        if (info.Source.IsUnspecified)
        {
            _counters[NeighbourCounter.NdInBadSource]++;
            return;
        }

        InterfaceAddress? own = owner.FindAddress(target);
        if (own != null)
        {
            // RFC 4862 5.4.4: whoever advertises the address already has it.
            if (mac == owner.Link.Address)
            {
                _counters[NeighbourCounter.NdInOwnFrames]++;
            }
            else
            {
                owner.Configuration!.HandleDadAdvertisement(own);
            }

            return;
        }

        int index = table.IndexOf(target);
        if (index < 0)
        {
            // RFC 4861 7.2.5: no entry is made for an advertisement that nobody asked for.
            _counters[NeighbourCounter.NdInUnsolicited]++;
            return;
        }

        _counters[info.Destination.IsMulticast ? NeighbourCounter.RcvProbesMcast : NeighbourCounter.RcvProbesUcast]++;
        table.LearnFromAdvertisement(index, mac, advertisement.IsSolicited, advertisement.IsOverride, advertisement.IsRouter);
    }

    private void HandleRouterSolicitation(ReadOnlySpan<byte> message, in IpInfo info)
    {
        if (!RouterSolicitation.TryParse(message, out RouterSolicitation solicitation))
        {
            _counters[NeighbourCounter.NdInMalformed]++;
            return;
        }

        if (!TryReadLinkAddress(solicitation.Options, NdOptionKind.SourceLinkLayerAddress, out MacAddress mac))
        {
            return;
        }

        RouterAdvertiser? advertiser = owner.Configuration!.Advertiser;
        if (advertiser == null)
        {
            _counters[NeighbourCounter.NdInNotRouter]++;
            return;
        }

        if (info.Source.IsUnspecified)
        {
            if (mac.Value != 0)
            {
                _counters[NeighbourCounter.NdInBadOption]++;
                return;
            }
        }
        else if (mac.Value != 0 && mac != owner.Link.Address)
        {
            int index = table.LearnFromSource(info.Source, mac);
            if (index >= 0)
            {
                table.EntryAt(index).IsRouter = false;
            }
        }

        advertiser.HandleSolicitation();
    }

    private void HandleRouterAdvertisement(ReadOnlySpan<byte> message, in IpInfo info)
    {
        if (!info.Source.IsLinkLocal || info.Source.IsIpv4)
        {
            _counters[NeighbourCounter.NdInBadSource]++;
            return;
        }

        if (!RouterAdvertisement.TryParse(message, out RouterAdvertisement advertisement))
        {
            _counters[NeighbourCounter.NdInMalformed]++;
            return;
        }

        if (!TryReadLinkAddress(advertisement.Options, NdOptionKind.SourceLinkLayerAddress, out MacAddress mac))
        {
            return;
        }

        if (!owner.Configuration!.AcceptsRouterAdvertisements)
        {
            _counters[NeighbourCounter.NdInNotHost]++;
            return;
        }

        if (mac.Value != 0 && mac != owner.Link.Address)
        {
            int index = table.LearnFromSource(info.Source, mac);
            if (index >= 0)
            {
                table.EntryAt(index).IsRouter = true;
            }
        }

        // Router preference (RFC 4191 2.2) is in two bits that were reserved before.
        owner.Configuration.HandleRouterAdvertisement(info.Source, advertisement, (message[5] >> 3) & 3);
    }

    /// <summary>
    /// The link-layer address option of a message; zero where there is none. False (and counted) for an address of the wrong length,
    /// or one that no station can have.
    /// </summary>
    private bool TryReadLinkAddress(NdOptionReader options, byte kind, out MacAddress address)
    {
        address = default;
        while (options.TryRead(out NdOption option))
        {
            if (option.Kind == kind && (!option.TryReadLinkAddress(out address) || address.IsGroup || address.Value == 0))
            {
                _counters[NeighbourCounter.NdInBadOption]++;
                return false;
            }
        }

        return true;
    }

    private static ulong ReadNonce(NdOptionReader options)
    {
        while (options.TryRead(out NdOption option))
        {
            if (option.Kind == NonceOption && option.Bytes.Length == 8)
            {
                return BinaryPrimitives.ReadUInt64BigEndian(option.Bytes) & 0xFFFF_FFFF_FFFF;
            }
        }

        return 0;
    }
}

namespace Portico.Net;

// IPv4 options and IPv6 extension headers of packets for this host (RFC 1122 3.2.1.8, RFC 7126, RFC 8200 4).
public sealed unsafe partial class IpLayer
{
    private Ipv6WalkLimits WalkLimits => new()
    {
        HeadersMax = Options.max_extension_headers,
        OptionsMax = Math.Min(Options.max_dst_opts_number, Options.max_hbh_opts_number),
    };

    private bool CheckIpv4Options(Packet packet, int headerLength, MibTable<IpCounter> mib)
    {
        if (!Ipv4Options.Parse(packet.Linear[Ipv4HeaderBytes..headerLength], out Ipv4Options options))
        {
            Drop(packet, mib, IpCounter.InHdrErrors, IpCounter.DropBadOption);
            return false;
        }

        if (options.HasSourceRoute)
        {
            // RFC 7126 4.3, 4.4: dropped by default, as Linux does where accept_source_route is off.
            Drop(packet, mib, IpCounter.InDiscards, IpCounter.DropSourceRoute);
            return false;
        }

        return true;
    }

    private void HandleExtensionHeaders(Packet packet, ref IpInfo info, bool isReassembled = false)
    {
        MibTable<IpCounter> mib = Ipv6Counters;
        Ipv6Walk walk;
        while (!Ipv6ExtensionHeaders.TryWalk(packet.Linear, info.Destination.IsMulticast, WalkLimits, out walk))
        {
            switch (walk.Outcome)
            {
                case Ipv6WalkOutcome.NeedMore:
                    if (packet.LinearLength >= walk.BytesNeeded || !packet.EnsureLinear(walk.BytesNeeded))
                    {
                        DropBadHeader(packet, mib);
                        return;
                    }

                    continue;
                case Ipv6WalkOutcome.Fragment:
                    if (isReassembled)
                    {
                        // A fragment within a fragment: no sender makes those.
                        Drop(packet, mib, IpCounter.InHdrErrors, IpCounter.DropFragmentBad);
                        return;
                    }

                    ReassembleIpv6(packet, info, walk);
                    return;
                case Ipv6WalkOutcome.ParameterProblem:
                    ReportParameterProblem(packet, info, walk);
                    return;
                case Ipv6WalkOutcome.NoNextHeader:
                    mib[IpCounter.NoNextHeader]++;
                    packet.Release();
                    return;
                default:
                    IpCounter reason = walk.IsOverLimit ? IpCounter.DropExtensionHeaderLimit : IpCounter.DropUnrecognisedOption;
                    Drop(packet, mib, IpCounter.InHdrErrors, reason);
                    return;
            }
        }

        info.Protocol = walk.Protocol;
        packet.Pull(walk.Offset);
        packet.TransportOffset = packet.Start;
        if ((isReassembled || walk.IsAtomicFragment) && info.Protocol == IpProtocol.Icmpv6 && packet.EnsureLinear(1)
            && packet.Linear[0] is >= Icmpv6Type.RouterSolicitation and <= Icmpv6Type.Redirect)
        {
            // RFC 6980 5: Neighbor Discovery in fragments is only good for slipping past filters.
            Drop(packet, mib, IpCounter.InDiscards, IpCounter.DropFragmentBad);
            return;
        }

        Deliver(packet, info, mib, walk.NextHeaderOffset);
    }

    private void ReportParameterProblem(Packet packet, in IpInfo info, in Ipv6Walk walk)
    {
        IcmpErrorKind kind = walk.Code switch
        {
            1 => IcmpErrorKind.ProtocolUnreachable,
            2 => IcmpErrorKind.UnrecognisedOption,
            _ => IcmpErrorKind.ParameterProblem,
        };
        _stack.Icmp.SendError(packet, info, kind, walk.Pointer);
        Drop(packet, Ipv6Counters, IpCounter.InHdrErrors, kind == IcmpErrorKind.UnrecognisedOption
            ? IpCounter.DropUnrecognisedOption
            : kind == IcmpErrorKind.ParameterProblem ? IpCounter.DropSourceRoute : IpCounter.DropBadHeader);
    }
}

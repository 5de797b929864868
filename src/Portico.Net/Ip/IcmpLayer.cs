namespace Portico.Net;

/// <summary>
/// ICMP and ICMPv6 of one stack (read first: RFC 792, 1122 3.2.2, 4443, 5927). This file takes messages in; errors out, errors in
/// and echo are in the other parts.
/// </summary>
public sealed partial class IcmpLayer
{
    private readonly NetworkStack _stack;
    private readonly IpOptions _options;
    private readonly IcmpRateLimiter _limiter;

    internal IcmpLayer(NetworkStack stack)
    {
        _stack = stack;
        _options = stack.Ip.Options;
        _limiter = new IcmpRateLimiter(_options, stack.Engine);
    }

    /// <summary>Counters of ICMP for IPv4.</summary>
    public MibTable<IcmpCounter> Ipv4Counters { get; } = new();

    /// <summary>Counters of ICMPv6.</summary>
    public MibTable<IcmpCounter> Ipv6Counters { get; } = new();

    private MibTable<IcmpCounter> CountersOf(in IpAddress address) => address.IsIpv4 ? Ipv4Counters : Ipv6Counters;

    /// <summary>A message for this host; its linear part begins with the ICMP header. Takes ownership.</summary>
    internal void HandleMessage(Packet packet, in IpInfo info)
    {
        MibTable<IcmpCounter> mib = CountersOf(info.Destination);
        mib[IcmpCounter.InMsgs]++;
        if (!packet.EnsureLinear(Math.Min(IcmpHeader.Length, packet.Length)) || packet.Length < 4)
        {
            Drop(packet, mib, IcmpCounter.InErrors);
            return;
        }

        if (!ChecksumOffload.Verify(packet, info))
        {
            mib[IcmpCounter.InCsumErrors]++;
            Drop(packet, mib, IcmpCounter.InErrors);
            return;
        }

        if (info.Destination.IsIpv4)
        {
            HandleIpv4Message(packet, info, mib);
        }
        else
        {
            HandleIpv6Message(packet, info, mib);
        }
    }

    private void HandleIpv4Message(Packet packet, in IpInfo info, MibTable<IcmpCounter> mib)
    {
        if (!IcmpHeader.TryParse(packet.Linear, out IcmpHeader header))
        {
            Drop(packet, mib, IcmpCounter.InErrors);
            return;
        }

        switch (header.Type)
        {
            case IcmpType.EchoRequest:
                mib[IcmpCounter.InEchos]++;
                HandleEchoRequest(packet, info, mib);
                return;
            case IcmpType.EchoReply:
                mib[IcmpCounter.InEchoReps]++;
                HandleEchoReply(packet, info, mib);
                return;
            case IcmpType.DestinationUnreachable:
                mib[IcmpCounter.InDestUnreachs]++;
                HandleError(packet, info, mib);
                return;
            case IcmpType.TimeExceeded:
                mib[IcmpCounter.InTimeExcds]++;
                HandleError(packet, info, mib);
                return;
            case IcmpType.ParameterProblem:
                mib[IcmpCounter.InParmProbs]++;
                HandleError(packet, info, mib);
                return;
            case IcmpType.SourceQuench:
                // RFC 6633 4: a host must ignore these.
                mib[IcmpCounter.InSrcQuenchs]++;
                Drop(packet, mib, IcmpCounter.DropTypeIgnored);
                return;
            case IcmpType.Redirect:
                // Believing these would let anybody on the link move the host's traffic; RFC 1122 3.2.2.2 only asks to be able to.
                mib[IcmpCounter.InRedirects]++;
                Drop(packet, mib, IcmpCounter.DropTypeIgnored);
                return;
            case IcmpType.TimestampRequest:
                mib[IcmpCounter.InTimestamps]++;
                Drop(packet, mib, IcmpCounter.DropTypeIgnored);
                return;
            case IcmpType.TimestampReply:
                mib[IcmpCounter.InTimestampReps]++;
                Drop(packet, mib, IcmpCounter.DropTypeIgnored);
                return;
            default:
                Drop(packet, mib, IcmpCounter.DropTypeIgnored);
                return;
        }
    }

    private void HandleIpv6Message(Packet packet, in IpInfo info, MibTable<IcmpCounter> mib)
    {
        byte type = packet.Linear[0];
        switch (type)
        {
            case Icmpv6Type.EchoRequest:
                mib[IcmpCounter.InEchos]++;
                HandleEchoRequest(packet, info, mib);
                return;
            case Icmpv6Type.EchoReply:
                mib[IcmpCounter.InEchoReps]++;
                HandleEchoReply(packet, info, mib);
                return;
            case Icmpv6Type.DestinationUnreachable:
                mib[IcmpCounter.InDestUnreachs]++;
                HandleError(packet, info, mib);
                return;
            case Icmpv6Type.PacketTooBig:
                mib[IcmpCounter.InPktTooBigs]++;
                HandleError(packet, info, mib);
                return;
            case Icmpv6Type.TimeExceeded:
                mib[IcmpCounter.InTimeExcds]++;
                HandleError(packet, info, mib);
                return;
            case Icmpv6Type.ParameterProblem:
                mib[IcmpCounter.InParmProbs]++;
                HandleError(packet, info, mib);
                return;
            case >= Icmpv6Type.RouterSolicitation and <= Icmpv6Type.Redirect:
                mib[IcmpCounter.InNeighbourDiscovery]++;
                info.Interface.HandleNeighbourDiscovery(packet, info);
                return;
            case >= Icmpv6Type.MulticastListenerQuery and <= Icmpv6Type.MulticastListenerDone or Icmpv6Type.MulticastListenerReportV2:
                mib[IcmpCounter.InGroupMembership]++;
                NetworkInterface.HandleGroupMembership(packet, info);
                return;
            default:
                // RFC 4443 2.4(a): an unknown error is passed up, an unknown informational message discarded.
                if (type < 128)
                {
                    HandleError(packet, info, mib);
                }
                else
                {
                    Drop(packet, mib, IcmpCounter.DropTypeIgnored);
                }

                return;
        }
    }

    private void Drop(Packet packet, MibTable<IcmpCounter> mib, IcmpCounter reason)
    {
        _stack.NoteDrop(mib.NameOf(reason));
        mib[reason]++;
        packet.Release();
    }
}

using System.Buffers.Binary;

namespace Portico.Net;

// Errors that this host sends (RFC 1122 3.2.2, RFC 1812 4.3.2, RFC 4443 2.4 and 3).
public sealed partial class IcmpLayer
{
    /// <summary>RFC 1812 4.3.2.3: as much of the datagram as fits in 576 bytes.</summary>
    private const int Ipv4ErrorBytesMax = 576;

    /// <summary>RFC 4443 2.4(c): as much as fits in the smallest MTU.</summary>
    private const int Ipv6ErrorBytesMax = IpLayer.Ipv6MtuMin;

    /// <summary>RFC 1812 4.3.2.5: precedence 6, internetwork control.</summary>
    private const byte InternetControl = 0xC0;

    /// <summary>
    /// Reports an error about a packet that came in (its IP header is still at <see cref="Packet.NetworkOffset"/>) to whoever sent it,
    /// where the rules and the rate limits allow that. The packet stays the caller's.
    /// </summary>
    internal void SendError(Packet offending, in IpInfo info, IcmpErrorKind kind, int parameter = 0)
    {
        if (!MayReport(offending, info, kind))
        {
            CountersOf(info.Destination)[IcmpCounter.OutNotAllowed]++;
            return;
        }

        (byte type, byte code, uint rest) = info.Destination.IsIpv4 ? Ipv4Form(kind, parameter) : Ipv6Form(kind, parameter);
        SendError(offending, info, new IcmpErrorReport(info.Destination, type, code, rest));
    }

    /// <summary>Passes on what somebody else has reported about a packet that came in, under the same rules and limits.</summary>
    internal void PassError(Packet offending, in IpInfo info, in IcmpErrorReport report)
    {
        if (!MayReport(offending, info, IcmpErrorKind.HostUnreachable))
        {
            CountersOf(info.Destination)[IcmpCounter.OutNotAllowed]++;
            return;
        }

        SendError(offending, info, report);
    }

    private void SendError(Packet offending, in IpInfo info, in IcmpErrorReport report)
    {
        bool isIpv4 = info.Destination.IsIpv4;
        (byte type, byte code) = (report.Type, report.Code);
        MibTable<IcmpCounter> mib = CountersOf(info.Destination);
        if (_stack.Ip.FindRoute(IpAddress.AnyIpv6, info.Source, ScopeInterface(info), out RouteCache route) != Errno.None)
        {
            mib[IcmpCounter.OutErrors]++;
            return;
        }

        if (!route.IsLocal && !PassesLimits(info.Source, type, code, mib))
        {
            return;
        }

        IpAddress source = report.Reporter;
        if (info.IsMulticastOrBroadcast || source.IsIpv4 != isIpv4 || source.IsUnspecified || !_stack.Ip.IsLocalAddress(source))
        {
            if (_stack.Ip.SelectSource(route, info.Source, out source) != Errno.None)
            {
                mib[IcmpCounter.OutErrors]++;
                return;
            }
        }

        IpSend send = new()
        {
            Source = source,
            Destination = info.Source,
            Protocol = isIpv4 ? IpProtocol.Icmp : IpProtocol.Icmpv6,
            TrafficClass = isIpv4 ? (byte)((info.TrafficClass & 0x1C) | InternetControl) : (byte)0,
        };
        Packet? error = QuoteIn(offending, isIpv4, type, code, report.Rest, send, Math.Min(route.PathMtu, int.MaxValue));
        if (error == null)
        {
            mib[IcmpCounter.OutErrors]++;
            return;
        }

        mib[IcmpCounter.OutMsgs]++;
        mib[CounterFor(isIpv4, type)]++;
        _stack.Ip.Send(error, route, send);
    }

    private Packet? QuoteIn(Packet offending, bool isIpv4, byte type, byte code, uint rest, in IpSend send, int pathMtu)
    {
        int headers = (isIpv4 ? IpLayer.Ipv4HeaderBytes : IpLayer.Ipv6HeaderBytes) + IcmpHeader.Length;
        int room = Math.Min(isIpv4 ? Ipv4ErrorBytesMax : Ipv6ErrorBytesMax, pathMtu) - headers;
        int pulled = offending.Start - offending.NetworkOffset;
        int quoted = Math.Min(room, pulled + offending.Length);
        Packet? error = _stack.Engine.Packets.RentLinear(IcmpHeader.Length + quoted);
        if (error == null)
        {
            return null;
        }

        Span<byte> message = error.Append(IcmpHeader.Length + quoted);
        error.TransportOffset = error.Start;
        IcmpHeader.Write(message, type, code, rest);
        CopyFromNetworkHeader(offending, message[IcmpHeader.Length..]);
        if (isIpv4)
        {
            IcmpHeader.WriteChecksum(message);
        }
        else
        {
            Icmpv6Header.WriteChecksum(message, send.Source, send.Destination);
        }

        error.Checksum = ChecksumState.Verified;
        return error;
    }

    private static void CopyFromNetworkHeader(Packet packet, Span<byte> destination)
    {
        Span<byte> linear = packet.NetworkHeader;
        int count = Math.Min(linear.Length, destination.Length);
        linear[..count].CopyTo(destination);
        for (int i = 0; i < packet.FragmentCount && count < destination.Length; i++)
        {
            ReadOnlySpan<byte> fragment = packet.FragmentSpan(i);
            int take = Math.Min(fragment.Length, destination.Length - count);
            fragment[..take].CopyTo(destination[count..]);
            count += take;
        }
    }

    private static int ScopeInterface(in IpInfo info) => info.Source.IsLinkLocal ? info.Interface.Index : 0;

    /// <summary>Whether a packet may cause an error at all: RFC 1122 3.2.2, RFC 4443 2.4(e).</summary>
    private bool MayReport(Packet offending, in IpInfo info, IcmpErrorKind kind)
    {
        IpAddress source = info.Source;
        if (source.IsUnspecified || source.IsMulticast || source.IsLimitedBroadcast || _stack.Ip.IsSubnetBroadcast(source)
            || (source.IsLoopback && !info.Interface.IsLoopback))
        {
            return false;
        }

        if (info.IsMulticastOrBroadcast)
        {
            bool isException = !info.Destination.IsIpv4 && kind is IcmpErrorKind.PacketTooBig or IcmpErrorKind.UnrecognisedOption;
            if (!isException)
            {
                return false;
            }
        }

        Span<byte> header = offending.NetworkHeader;
        return info.Destination.IsIpv4 ? MayReportIpv4(header) : MayReportIpv6(header, kind);
    }

    private static bool MayReportIpv4(Span<byte> header)
    {
        int length = (header[0] & 0xF) * 4;
        if ((BinaryPrimitives.ReadUInt16BigEndian(header[6..]) & Ipv4Header.OffsetMask) != 0)
        {
            return false;
        }

        // RFC 792 knows queries and replies; whatever is not one of them may be an error.
        return header[9] != (byte)IpProtocol.Icmp
            || (header.Length > length && header[length] is IcmpType.EchoReply or IcmpType.EchoRequest or >= 13 and <= 18);
    }

    private static bool MayReportIpv6(Span<byte> header, IcmpErrorKind kind)
    {
        // The chain is walked as far as it is there, without looking into options: only its last header matters here.
        IpProtocol next = (IpProtocol)header[6];
        int offset = IpLayer.Ipv6HeaderBytes;
        for (int i = 0; i < 64 && Ipv6ExtensionHeaders.IsExtensionHeader(next); i++)
        {
            if (header.Length < offset + 8)
            {
                return true;
            }

            bool isFragment = next == IpProtocol.Ipv6Fragment;
            if (isFragment && (BinaryPrimitives.ReadUInt16BigEndian(header[(offset + 2)..]) & 0xFFF8) != 0)
            {
                // Only RFC 8200 4.5 asks for one: a fragment whose end is past the longest packet.
                return kind == IcmpErrorKind.ParameterProblem;
            }

            next = (IpProtocol)header[offset];
            offset += isFragment ? 8 : (header[offset + 1] + 1) * 8;
        }

        return next != IpProtocol.Icmpv6 || (header.Length > offset && header[offset] >= 128 && header[offset] != Icmpv6Type.Redirect);
    }

    private bool PassesLimits(in IpAddress destination, byte type, byte code, MibTable<IcmpCounter> mib)
    {
        bool isLimited = destination.IsIpv4
            ? type < 32 && (_options.icmp_ratemask >> type & 1) != 0
                && !(type == IcmpType.DestinationUnreachable && code == IcmpUnreachableCode.FragmentationNeeded)
            : type != Icmpv6Type.PacketTooBig;
        if (!isLimited)
        {
            return true;
        }

        if (!_limiter.TryTakeGlobal())
        {
            mib[IcmpCounter.OutRateLimitGlobal]++;
            return false;
        }

        if (!_limiter.TryTake(destination))
        {
            mib[IcmpCounter.OutRateLimitHost]++;
            return false;
        }

        return true;
    }

    private static IcmpCounter CounterFor(bool isIpv4, byte type) => isIpv4
        ? type switch
        {
            IcmpType.TimeExceeded => IcmpCounter.OutTimeExcds,
            IcmpType.ParameterProblem => IcmpCounter.OutParmProbs,
            _ => IcmpCounter.OutDestUnreachs,
        }
        : type switch
        {
            Icmpv6Type.PacketTooBig => IcmpCounter.OutPktTooBigs,
            Icmpv6Type.TimeExceeded => IcmpCounter.OutTimeExcds,
            Icmpv6Type.ParameterProblem => IcmpCounter.OutParmProbs,
            _ => IcmpCounter.OutDestUnreachs,
        };

    private static (byte Type, byte Code, uint Parameter) Ipv4Form(IcmpErrorKind kind, int parameter) => kind switch
    {
        IcmpErrorKind.NetworkUnreachable => (IcmpType.DestinationUnreachable, IcmpUnreachableCode.Network, 0),
        IcmpErrorKind.ProtocolUnreachable => (IcmpType.DestinationUnreachable, IcmpUnreachableCode.Protocol, 0),
        IcmpErrorKind.PortUnreachable => (IcmpType.DestinationUnreachable, IcmpUnreachableCode.Port, 0),
        IcmpErrorKind.Prohibited => (IcmpType.DestinationUnreachable, IcmpUnreachableCode.CommunicationProhibited, 0),
        IcmpErrorKind.PacketTooBig => (IcmpType.DestinationUnreachable, IcmpUnreachableCode.FragmentationNeeded, (ushort)parameter),
        IcmpErrorKind.HopLimitExceeded => (IcmpType.TimeExceeded, 0, 0),
        IcmpErrorKind.ReassemblyTimeExceeded => (IcmpType.TimeExceeded, 1, 0),
        IcmpErrorKind.ParameterProblem => (IcmpType.ParameterProblem, 0, (uint)parameter << 24),
        _ => (IcmpType.DestinationUnreachable, IcmpUnreachableCode.Host, 0),
    };

    private static (byte Type, byte Code, uint Parameter) Ipv6Form(IcmpErrorKind kind, int parameter) => kind switch
    {
        IcmpErrorKind.NetworkUnreachable => (Icmpv6Type.DestinationUnreachable, Icmpv6UnreachableCode.NoRoute, 0),
        IcmpErrorKind.Prohibited => (Icmpv6Type.DestinationUnreachable, Icmpv6UnreachableCode.Prohibited, 0),
        IcmpErrorKind.BeyondScope => (Icmpv6Type.DestinationUnreachable, Icmpv6UnreachableCode.BeyondScope, 0),
        IcmpErrorKind.PortUnreachable => (Icmpv6Type.DestinationUnreachable, Icmpv6UnreachableCode.Port, 0),
        IcmpErrorKind.PacketTooBig => (Icmpv6Type.PacketTooBig, 0, (uint)parameter),
        IcmpErrorKind.HopLimitExceeded => (Icmpv6Type.TimeExceeded, 0, 0),
        IcmpErrorKind.ReassemblyTimeExceeded => (Icmpv6Type.TimeExceeded, 1, 0),
        IcmpErrorKind.ParameterProblem => (Icmpv6Type.ParameterProblem, 0, (uint)parameter),
        IcmpErrorKind.ProtocolUnreachable => (Icmpv6Type.ParameterProblem, 1, (uint)parameter),
        IcmpErrorKind.UnrecognisedOption => (Icmpv6Type.ParameterProblem, 2, (uint)parameter),
        IcmpErrorKind.IncompleteHeaderChain => (Icmpv6Type.ParameterProblem, 3, (uint)parameter),
        _ => (Icmpv6Type.DestinationUnreachable, Icmpv6UnreachableCode.Address, 0),
    };
}

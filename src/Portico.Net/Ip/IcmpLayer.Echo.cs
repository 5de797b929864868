using System.Buffers.Binary;

namespace Portico.Net;

// Echo (RFC 1122 3.2.2.6, RFC 4443 4.1, 4.2): answering it.
public sealed partial class IcmpLayer
{
    /// <summary>Takes echo requests to addresses that are not the host's own; null to answer them here.</summary>
    public IIcmpEchoHandler? EchoHandler { get; set; }

    /// <summary>
    /// Answers a request that <see cref="IIcmpEchoHandler.OnEchoRequest"/> took, as the address that was asked. Errors: those of a route,
    /// EMSGSIZE, ENOBUFS.
    /// </summary>
    public Errno SendEchoReply(in IcmpEchoRequest request, ReadOnlySpan<byte> payload)
    {
        Errno error = _stack.Ip.FindRoute(request.Destination, request.Source, 0, out RouteCache route);
        if (error != Errno.None)
        {
            return error;
        }

        bool isIpv4 = request.Source.IsIpv4;
        IpSend send = new()
        {
            Source = request.Destination,
            Destination = request.Source,
            Protocol = isIpv4 ? IpProtocol.Icmp : IpProtocol.Icmpv6,
            TrafficClass = request.TrafficClass,
        };
        byte type = isIpv4 ? IcmpType.EchoReply : Icmpv6Type.EchoReply;
        return SendEchoMessage(type, request.Identifier, request.SequenceNumber, payload, route, send);
    }

    private Errno SendEchoMessage(
        byte type, ushort identifier, ushort sequenceNumber, ReadOnlySpan<byte> payload, in RouteCache route, in IpSend send)
    {
        if (payload.Length > IpLayer.PacketBytesMax - IcmpHeader.Length - (send.Source.IsIpv4 ? IpLayer.Ipv4HeaderBytes : 0))
        {
            return Errno.EMSGSIZE;
        }

        Packet? packet = _stack.Engine.Packets.RentLinear(IcmpHeader.Length + payload.Length);
        if (packet == null)
        {
            return Errno.ENOBUFS;
        }

        Span<byte> message = packet.Append(IcmpHeader.Length + payload.Length);
        packet.TransportOffset = packet.Start;
        packet.Checksum = ChecksumState.Partial;
        IcmpHeader.Write(message, type, 0, ((uint)identifier << 16) | sequenceNumber);
        payload.CopyTo(message[IcmpHeader.Length..]);
        MibTable<IcmpCounter> mib = CountersOf(send.Destination);
        mib[IcmpCounter.OutMsgs]++;
        mib[type is IcmpType.EchoReply or Icmpv6Type.EchoReply ? IcmpCounter.OutEchoReps : IcmpCounter.OutEchos]++;
        return _stack.Ip.Send(packet, route, send);
    }

    private void HandleEchoRequest(Packet packet, in IpInfo info, MibTable<IcmpCounter> mib)
    {
        bool isIpv4 = info.Destination.IsIpv4;
        bool isIgnored = _options.icmp_echo_ignore_all
            || (info.IsMulticastOrBroadcast && (isIpv4 ? _options.icmp_echo_ignore_broadcasts : _options.icmp6_echo_ignore_multicast));
        if (packet.LinearLength < IcmpHeader.Length || packet.Linear[1] != 0)
        {
            Drop(packet, mib, IcmpCounter.InErrors);
            return;
        }

        if (isIgnored || info.Source.IsUnspecified)
        {
            Drop(packet, mib, IcmpCounter.DropEchoIgnored);
            return;
        }

        if (EchoHandler != null && !info.IsMulticastOrBroadcast && !_stack.Ip.IsOwnUnicast(info.Destination))
        {
            if (!packet.EnsureLinear(packet.Length))
            {
                Drop(packet, mib, IcmpCounter.InErrors);
                return;
            }

            Span<byte> message = packet.Linear;
            IcmpEchoRequest request = new(
                info.Source,
                info.Destination,
                BinaryPrimitives.ReadUInt16BigEndian(message[4..]),
                BinaryPrimitives.ReadUInt16BigEndian(message[6..]),
                info.HopLimit,
                info.TrafficClass);
            if (EchoHandler.OnEchoRequest(request, message[IcmpHeader.Length..]))
            {
                packet.Release();
                return;
            }
        }

        ReplyInPlace(packet, info, mib);
    }

    /// <summary>Turns the request into its reply: the payload stays where it is, however long it is.</summary>
    private void ReplyInPlace(Packet packet, in IpInfo info, MibTable<IcmpCounter> mib)
    {
        bool isIpv4 = info.Destination.IsIpv4;
        if (_stack.Ip.FindRoute(IpAddress.AnyIpv6, info.Source, ScopeInterface(info), out RouteCache route) != Errno.None)
        {
            Drop(packet, mib, IcmpCounter.OutErrors);
            return;
        }

        IpAddress source = info.Destination;
        if (info.IsMulticastOrBroadcast)
        {
            if (!_limiter.TryTakeGlobal())
            {
                Drop(packet, mib, IcmpCounter.OutRateLimitGlobal);
                return;
            }

            if (_stack.Ip.SelectSource(route, info.Source, out source) != Errno.None)
            {
                Drop(packet, mib, IcmpCounter.OutErrors);
                return;
            }
        }

        Span<byte> message = packet.Linear;
        ushort before = BinaryPrimitives.ReadUInt16BigEndian(message);
        message[0] = isIpv4 ? IcmpType.EchoReply : Icmpv6Type.EchoReply;
        if (packet.Checksum != ChecksumState.Partial)
        {
            if (source == info.Destination)
            {
                ushort checksum = BinaryPrimitives.ReadUInt16BigEndian(message[2..]);
                ushort after = BinaryPrimitives.ReadUInt16BigEndian(message);
                BinaryPrimitives.WriteUInt16BigEndian(message[2..], InternetChecksum.UpdateIncremental(checksum, before, after));
                packet.Checksum = ChecksumState.Verified;
            }
            else
            {
                // The pseudo header has another address: the sum is made anew.
                packet.Checksum = ChecksumState.Partial;
            }
        }

        packet.TransportOffset = packet.Start;
        packet.GsoSize = 0;
        packet.IsLinkBroadcast = false;
        IpSend send = new()
        {
            Source = source,
            Destination = info.Source,
            Protocol = info.Protocol,
            TrafficClass = info.TrafficClass,
        };
        mib[IcmpCounter.OutMsgs]++;
        mib[IcmpCounter.OutEchoReps]++;
        _stack.Ip.Send(packet, route, send);
    }
}

using System.Buffers.Binary;

namespace Portico.Net;

// Errors that others report about packets of this host (RFC 1122 3.2.2, RFC 5927). What is done about one is for the transport to
// decide, which knows whether the quoted packet is one that it has just sent.
public sealed partial class IcmpLayer
{
    // RFC 1191 7: what links have for MTUs, for routers that do not say.
    private static readonly int[] s_plateaus = [32_000, 17_914, 8_166, 4_352, 2_002, 1_492, 1_006, 508, 296, 68];

    /// <summary>RFC 4443 2.4: an error is no longer than the smallest MTU of IPv6.</summary>
    private const int QuoteBytesMax = IpLayer.Ipv6MtuMin;

    private void HandleError(Packet packet, in IpInfo info, MibTable<IcmpCounter> mib)
    {
        const int QuotedTransportMin = 8;
        int headerMin = info.Destination.IsIpv4 ? IpLayer.Ipv4HeaderBytes : IpLayer.Ipv6HeaderBytes;

        // The whole quote, as far as routers go: those who ask for errors see what they have sent.
        packet.EnsureLinear(Math.Min(packet.Length, QuoteBytesMax));
        Span<byte> message = packet.Linear;
        if (info.IsMulticastOrBroadcast || message.Length < IcmpHeader.Length + headerMin + QuotedTransportMin)
        {
            mib[IcmpCounter.DropQuoteInvalid]++;
            Drop(packet, mib, IcmpCounter.InErrors);
            return;
        }

        IcmpErrorInfo error = new()
        {
            Type = message[0],
            Code = message[1],
            Reporter = info.Source,
            HopLimit = info.HopLimit,
            TrafficClass = info.TrafficClass,
            Interface = info.Interface,
            Mtu = -1,
        };
        Span<byte> quote = message[IcmpHeader.Length..];
        int transport = info.Destination.IsIpv4 ? ReadIpv4Quote(quote, ref error) : ReadIpv6Quote(quote, ref error);
        if (transport < 0 || quote.Length < transport + QuotedTransportMin || !_stack.Ip.IsLocalAddress(error.LocalAddress)
            || !Classify(message, quote, ref error))
        {
            mib[IcmpCounter.DropQuoteInvalid]++;
            Drop(packet, mib, IcmpCounter.InErrors);
            return;
        }

        Report(error, quote[transport..]);
        packet.Release();
    }

    /// <summary>Tells the transport that sent the packet.</summary>
    private void Report(in IcmpErrorInfo error, ReadOnlySpan<byte> quotedTransport)
    {
        _stack.Raw.HandleIcmpError(error, quotedTransport);
        switch (error.Protocol)
        {
            case IpProtocol.Tcp:
                _stack.Tcp.HandleIcmpError(error, quotedTransport);
                break;
            case IpProtocol.Udp:
                _stack.Udp.HandleIcmpError(error, quotedTransport);
                break;
            case IpProtocol.Icmp or IpProtocol.Icmpv6:
                HandleEchoError(error, quotedTransport);
                break;
        }
    }

    /// <summary>The offset of the quoted transport header; -1 where the quote is of no use.</summary>
    private static int ReadIpv4Quote(Span<byte> quote, ref IcmpErrorInfo error)
    {
        // Ipv4Header.TryParse would ask for all of a packet that the quote holds only the start of; the header must be whole.
        if (!Ipv4Header.TryParse(quote, out Ipv4Header header) || header.FragmentOffset != 0)
        {
            return -1;
        }

        error.LocalAddress = header.Source;
        error.RemoteAddress = header.Destination;
        error.Protocol = header.Protocol;
        return header.HeaderLength;
    }

    private static int ReadIpv6Quote(Span<byte> quote, ref IcmpErrorInfo error)
    {
        if (!Ipv6Header.TryParse(quote, out Ipv6Header header) || header.Source.IsIpv4 || header.Destination.IsIpv4)
        {
            return -1;
        }

        error.LocalAddress = header.Source;
        error.RemoteAddress = header.Destination;
        IpProtocol next = header.NextHeader;
        int offset = IpLayer.Ipv6HeaderBytes;
        for (int i = 0; i < 8 && Ipv6ExtensionHeaders.IsExtensionHeader(next); i++)
        {
            if (quote.Length < offset + 8)
            {
                return -1;
            }

            bool isFragment = next == IpProtocol.Ipv6Fragment;
            if (isFragment && (BinaryPrimitives.ReadUInt16BigEndian(quote[(offset + 2)..]) & 0xFFF8) != 0)
            {
                return -1;
            }

            next = (IpProtocol)quote[offset];
            offset += isFragment ? 8 : (quote[offset + 1] + 1) * 8;
        }

        error.Protocol = next;
        return Ipv6ExtensionHeaders.IsExtensionHeader(next) ? -1 : offset;
    }

    /// <summary>Puts errno, hardness and MTU in; false for messages that mean nothing to a transport.</summary>
    private bool Classify(ReadOnlySpan<byte> message, ReadOnlySpan<byte> quote, ref IcmpErrorInfo error) =>
        error.LocalAddress.IsIpv4 ? ClassifyIpv4(message, quote, ref error) : ClassifyIpv6(message, ref error);

    private bool ClassifyIpv4(ReadOnlySpan<byte> message, ReadOnlySpan<byte> quote, ref IcmpErrorInfo error)
    {
        switch (error.Type)
        {
            case IcmpType.DestinationUnreachable:
                if (error.Code > 15 || (error.Code == IcmpUnreachableCode.FragmentationNeeded && _options.ip_no_pmtu_disc))
                {
                    return false;
                }

                (error.Error, error.IsHard) = UnreachableError(error.Code);
                if (error.Code == IcmpUnreachableCode.FragmentationNeeded)
                {
                    error.Mtu = BinaryPrimitives.ReadUInt16BigEndian(message[6..]);
                    if (error.Mtu == 0)
                    {
                        error.Mtu = PlateauBelow(BinaryPrimitives.ReadUInt16BigEndian(quote[2..]));
                    }
                }

                return true;
            case IcmpType.TimeExceeded:
                (error.Error, error.IsHard) = (Errno.EHOSTUNREACH, false);
                return true;
            case IcmpType.ParameterProblem:
                (error.Error, error.IsHard) = (Errno.EPROTO, true);
                return true;
            default:
                return false;
        }
    }

    private static bool ClassifyIpv6(ReadOnlySpan<byte> message, ref IcmpErrorInfo error)
    {
        switch (error.Type)
        {
            case Icmpv6Type.DestinationUnreachable:
                (error.Error, error.IsHard) = error.Code switch
                {
                    Icmpv6UnreachableCode.NoRoute => (Errno.ENETUNREACH, false),
                    Icmpv6UnreachableCode.Prohibited => (Errno.EACCES, true),
                    Icmpv6UnreachableCode.Port => (Errno.ECONNREFUSED, true),
                    Icmpv6UnreachableCode.SourcePolicy or Icmpv6UnreachableCode.RejectRoute => (Errno.EACCES, true),
                    Icmpv6UnreachableCode.BeyondScope or Icmpv6UnreachableCode.Address => (Errno.EHOSTUNREACH, false),
                    _ => (Errno.EPROTO, false),
                };
                return true;
            case Icmpv6Type.PacketTooBig:
                uint mtu = BinaryPrimitives.ReadUInt32BigEndian(message[4..]);
                error.Error = Errno.EMSGSIZE;
                error.Mtu = (int)Math.Min(mtu, IpLayer.PacketBytesMax);

                // RFC 8201 4: a report below the smallest MTU is discarded.
                return mtu >= IpLayer.Ipv6MtuMin;
            case Icmpv6Type.TimeExceeded:
                (error.Error, error.IsHard) = (Errno.EHOSTUNREACH, false);
                return true;
            case Icmpv6Type.ParameterProblem:
                (error.Error, error.IsHard) = (Errno.EPROTO, true);
                return true;
            default:
                (error.Error, error.IsHard) = (Errno.EPROTO, false);
                return true;
        }
    }

    /// <summary>Linux: icmp_err_convert.</summary>
    private static (Errno Error, bool IsHard) UnreachableError(byte code) => code switch
    {
        0 or 11 => (Errno.ENETUNREACH, false),
        1 or 12 => (Errno.EHOSTUNREACH, false),
        2 => (Errno.ENOPROTOOPT, true),
        3 => (Errno.ECONNREFUSED, true),
        4 => (Errno.EMSGSIZE, false),
        5 => (Errno.EOPNOTSUPP, false),
        6 or 9 => (Errno.ENETUNREACH, true),
        7 => (Errno.EHOSTDOWN, true),
        8 => (Errno.ENONET, true),
        _ => (Errno.EHOSTUNREACH, true),
    };

    private static int PlateauBelow(int length)
    {
        foreach (int plateau in s_plateaus)
        {
            if (plateau < length)
            {
                return plateau;
            }
        }

        return IpLayer.Ipv4MtuMin;
    }

    /// <summary>
    /// A packet of this host, or one that it was forwarding, could not be given to the next hop: its sender hears what a router would
    /// tell it. Takes ownership; the packet begins with its IP header.
    /// </summary>
    internal void HandleLinkFailure(Packet packet, NetworkInterface output)
    {
        packet.NetworkOffset = packet.Start;
        packet.EnsureLinear(Math.Min(packet.Length, 128));
        Span<byte> bytes = packet.Linear;
        IcmpErrorInfo error = new() { Error = Errno.EHOSTUNREACH, Mtu = -1, Interface = output };
        bool isIpv4 = bytes.Length > 0 && bytes[0] >> 4 == 4;
        int transport = isIpv4 ? ReadIpv4Quote(bytes, ref error) : ReadIpv6Quote(bytes, ref error);
        if (transport >= 0 && bytes.Length >= transport + 8)
        {
            error.Type = isIpv4 ? IcmpType.DestinationUnreachable : Icmpv6Type.DestinationUnreachable;
            error.Code = isIpv4 ? IcmpUnreachableCode.Host : Icmpv6UnreachableCode.Address;
            if (_stack.Ip.IsLocalAddress(error.LocalAddress))
            {
                error.Reporter = error.LocalAddress;
                Report(error, bytes[transport..]);
            }
            else
            {
                IpInfo info = new()
                {
                    Source = error.LocalAddress,
                    Destination = error.RemoteAddress,
                    Protocol = error.Protocol,
                    Interface = output,
                    IsMulticastOrBroadcast = packet.IsLinkBroadcast,
                };
                SendError(packet, info, IcmpErrorKind.HostUnreachable);
            }
        }

        packet.Release();
    }
}

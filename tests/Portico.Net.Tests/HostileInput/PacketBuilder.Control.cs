using System.Buffers.Binary;

namespace Portico.Net.Tests.HostileInput;

// ICMP, neighbour discovery, group membership and fragments.
public sealed partial class PacketBuilder
{
    private static readonly byte[] s_icmpTypes = [0, 3, 4, 5, 8, 9, 10, 11, 12, 13, 14, 15, 17, 30, 40];
    private static readonly IpAddress s_allNodes = IpAddress.Parse("ff02::1");
    private static readonly IpAddress s_allHosts = IpAddress.Parse("224.0.0.1");

    /// <summary>A flow of the victim for ICMP errors to quote; set by whoever knows one.</summary>
    public QuotedFlow QuotedFlow { get; set; }

    private void BuildIcmp(HostileFrame frame, HostileEntry entry, bool ipv4)
    {
        IpAddress source = HostileAddresses.Source(random, entry, ipv4);
        BeginIp(frame, entry, source, HostileAddresses.Destination(random, entry, ipv4), IpProtocol.Icmp);
        byte type = random.NextBelow(3) == 0 ? IcmpType.EchoRequest : s_icmpTypes[random.NextBelow((uint)s_icmpTypes.Length)];
        uint rest = type == IcmpType.DestinationUnreachable ? random.NextBelow(1600) : random.NextUInt32();
        IcmpHeader.Write(frame.Add(8), type, (byte)random.NextBelow(16), rest);
        frame.PayloadOffset = frame.Length;
        if (IcmpHeader.IsErrorType(type))
        {
            AddQuote(frame);
        }
        else
        {
            Fill(frame.Add(PayloadBytes(entry)));
        }

        FinishIp(frame);
    }

    private void AddQuote(HostileFrame frame)
    {
        (Endpoint local, Endpoint remote, uint sequence, IpProtocol protocol) = QuotedFlow;
        frame.PayloadOffset = frame.Length + 28;
        if (local.Address.IsIpv4)
        {
            Ipv4Header.Write(frame.Add(20), 40, 1, 0, 64, protocol, local.Address, remote.Address);
        }
        else
        {
            Ipv6Header.Write(frame.Add(40), 20, protocol, 64, local.Address, remote.Address);
        }

        TcpHeader.Write(frame.Add(20), local.Port, remote.Port, sequence, 0, 20, TcpFlags.Ack, 0);
        if (protocol == IpProtocol.Udp)
        {
            BinaryPrimitives.WriteUInt32BigEndian(frame.Buffer.AsSpan(frame.Length - 16), 20 << 16);
        }

        frame.Length -= (int)random.NextBelow(13);
    }

    private void BuildIcmpv6(HostileFrame frame, HostileEntry entry)
    {
        uint choice = random.NextBelow(10);
        if (choice < 4)
        {
            IpAddress source = HostileAddresses.Source(random, entry, false);
            BeginIp(frame, entry, source, HostileAddresses.Destination(random, entry, false), IpProtocol.Icmpv6);
            byte type = random.NextBelow(2) == 0 ? Icmpv6Type.EchoRequest : (byte)random.NextBelow(6);
            uint rest = type == Icmpv6Type.PacketTooBig ? 1200 + random.NextBelow(400) : random.NextBelow(100);
            Icmpv6Header.Write(frame.Add(8), type, (byte)random.NextBelow(8), rest);
            frame.PayloadOffset = frame.Length;
            if (type < 128)
            {
                AddQuote(frame);
            }
            else
            {
                Fill(frame.Add(PayloadBytes(entry)));
            }
        }
        else
        {
            BuildNeighbourDiscovery(frame, entry, choice);
        }

        FinishIp(frame);
    }

    private void BuildNeighbourDiscovery(HostileFrame frame, HostileEntry entry, uint choice)
    {
        IpAddress source = choice >= 8 || random.NextBelow(4) == 0
            ? HostileAddresses.AttackerLink6
            : HostileAddresses.Source(random, entry, false);
        IpAddress destination = random.NextBelow(2) == 0 ? s_allNodes : HostileAddresses.Destination(random, entry, false);
        IpAddress target = random.NextBelow(2) == 0 ? source : HostileAddresses.Destination(random, entry, false);
        BeginIp(frame, entry, source, destination, IpProtocol.Icmpv6, 255);
        switch (choice)
        {
            case 4 or 5:
                NeighbourSolicitation.Write(frame.Add(24), HostileAddresses.Destination(random, entry, false));
                break;
            case 6:
                uint flags = random.NextBelow(8);
                NeighbourAdvertisement.Write(frame.Add(24), target, (flags & 1) != 0, (flags & 2) != 0, (flags & 4) != 0);
                break;
            case 7:
                RedirectMessage.Write(frame.Add(40), target, HostileAddresses.Odd(random, false));
                break;
            case 8:
                RouterAdvertisement.Write(
                    frame.Add(16),
                    (byte)random.NextUInt32(),
                    (byte)random.NextUInt32(),
                    (ushort)random.NextBelow(3000),
                    random.NextBelow(100_000),
                    random.NextBelow(10_000));
                break;
            default:
                RouterSolicitation.Write(frame.Add(8));
                break;
        }

        frame.PayloadOffset = frame.Length;
        for (uint i = random.NextBelow(5); i > 0; i--)
        {
            AddNdOption(frame);
        }

        frame.PayloadOffset = frame.Length;
    }

    private void AddNdOption(HostileFrame frame)
    {
        switch (random.NextBelow(6))
        {
            case 0:
                NdOption.WriteLinkAddress(frame.Add(8), NdOptionKind.SourceLinkLayerAddress, HostileAddresses.AttackerMac);
                break;
            case 1:
                NdOption.WriteLinkAddress(frame.Add(8), NdOptionKind.TargetLinkLayerAddress, HostileAddresses.AttackerMac);
                break;
            case 2:
                IpPrefix prefix = new(new IpAddress(0x2001_0DB8_0000_0000UL | random.NextUInt32(), 0), random.NextBelow(4) == 0 ? 48 : 64);
                uint valid = random.NextBelow(9000), preferred = random.NextBelow(9000);
                PrefixInformation.Write(frame.Add(32), prefix, random.NextBelow(2) == 0, random.NextBelow(2) == 0, valid, preferred);
                break;
            case 3:
                NdOption.WriteMtu(frame.Add(8), random.NextBelow(2000));
                break;
            case 4:
                RecursiveDnsServers.Write(frame.Add(24), random.NextBelow(1000), [HostileAddresses.Odd(random, false)]);
                break;
            default:
                Span<byte> option = frame.Add(16);
                Fill(option);
                option[1] = 2;
                break;
        }
    }

    private void BuildMulticast(HostileFrame frame, HostileEntry entry, bool ipv4)
    {
        IpAddress group = random.NextBelow(3) == 0 ? (ipv4 ? IpAddress.AnyIpv4 : IpAddress.AnyIpv6)
            : ipv4 ? HostileAddresses.Group4 : HostileAddresses.Group6;
        bool query = random.NextBelow(3) != 0;
        IpAddress own = HostileAddresses.Victim(entry, ipv4);
        ReadOnlySpan<IpAddress> sources = random.NextBelow(2) == 0 ? default : [own, HostileAddresses.Odd(random, ipv4)];
        IpAddress destination = random.NextBelow(2) == 0 || group.IsUnspecified ? (ipv4 ? s_allHosts : s_allNodes) : group;
        if (ipv4)
        {
            BeginIp(frame, entry, HostileAddresses.Source(random, entry, true), destination, IpProtocol.Igmp, 1);
            Span<byte> message = frame.Add(40);
            int length = query ? MulticastQuery.WriteIgmp(message, (byte)random.NextUInt32(), group, sources) : 16;
            if (!query)
            {
                MulticastReport.WriteHeader(message, true, 1);
                MulticastReport.WriteRecord(message[8..], (MulticastRecordType)random.NextBelow(8), group);
            }

            frame.Length += (query && random.NextBelow(4) == 0 ? 8 : length) - 40;
        }
        else
        {
            BeginIp(frame, entry, HostileAddresses.AttackerLink6, destination, IpProtocol.Icmpv6, 1);
            Span<byte> message = frame.Add(80);
            int length = query ? MulticastQuery.WriteMld(message, (ushort)random.NextUInt32(), group, sources) : 28;
            if (!query)
            {
                MulticastReport.WriteHeader(message, false, 1);
                MulticastReport.WriteRecord(message[8..], (MulticastRecordType)random.NextBelow(8), group);
            }

            frame.Length += (query && random.NextBelow(4) == 0 ? 24 : length) - 80;
        }

        frame.PayloadOffset = frame.Length;
        FinishIp(frame);
    }

    /// <summary>
    /// The next piece of a datagram, or a new datagram's first: pieces of random length, some twice, some over the one before, some
    /// left out, and now and then one far behind the rest.
    /// </summary>
    private void BuildFragment(HostileFrame frame)
    {
        int whole = _datagram.Length - _datagram.TransportOffset;
        if (_fragmentCursor >= whole || random.NextBelow(32) == 0)
        {
            HostileEntry entry = random.NextBelow(2) == 0 ? HostileEntry.Ethernet : HostileEntry.Tunnel;
            do
            {
                if (random.NextBelow(2) == 0)
                {
                    BuildUdp(_datagram, entry, random.NextBelow(2) == 0);
                }
                else
                {
                    BuildIcmp(_datagram, entry, true);
                }
            }
            while (_datagram.Length - _datagram.TransportOffset < 16);

            whole = _datagram.Length - _datagram.TransportOffset;
            _fragmentCursor = 0;
            _fragmentId = random.NextBelow(4) == 0 ? random.NextBelow(16) : random.NextUInt32();
        }

        int offset = _fragmentCursor & ~7;
        int length = Math.Min(whole - offset, 8 * (1 + (int)random.NextBelow(whole > 1000 ? 180u : 4u)));
        uint trick = random.NextBelow(16);
        _fragmentCursor = trick == 0 ? offset
            : trick == 1 ? Math.Max(0, offset + length - 8)
            : trick == 2 ? offset + length + 8
            : offset + length;
        WriteFragment(frame, offset, length, offset + length < whole, trick == 3 ? 8 * (int)random.NextBelow(8192) : offset);
    }

    private void WriteFragment(HostileFrame frame, int offset, int length, bool more, int claimedOffset)
    {
        bool ipv4 = _datagram.Buffer[_datagram.NetworkOffset] >> 4 == 4;
        frame.Begin(_datagram.Entry);
        frame.NetworkOffset = _datagram.NetworkOffset;
        int headers = _datagram.TransportOffset;
        _datagram.Bytes[..headers].CopyTo(frame.Add(headers));
        if (ipv4)
        {
            Span<byte> header = frame.Network;
            BinaryPrimitives.WriteUInt16BigEndian(header[4..], (ushort)_fragmentId);
            BinaryPrimitives.WriteUInt16BigEndian(header[6..], (ushort)((claimedOffset / 8) | (more ? 0x2000 : 0)));
        }
        else
        {
            IpProtocol next = (IpProtocol)frame.Network[6];
            frame.Network[6] = (byte)IpProtocol.Ipv6Fragment;
            if (headers > frame.NetworkOffset + 40)
            {
                // Extension headers travel in the first fragment; only the plain case is built here, the rest is left to mutation.
                next = (IpProtocol)_datagram.Buffer[_datagram.NetworkOffset + 6];
            }

            Ipv6ExtensionHeaders.WriteFragment(frame.Add(8), next, claimedOffset & 0xFFF8, more, _fragmentId);
        }

        frame.TransportOffset = ipv4 ? frame.NetworkOffset : frame.Length - 8;
        _datagram.Bytes.Slice(_datagram.TransportOffset + offset, length).CopyTo(frame.Add(length));
        frame.PayloadOffset = Math.Min(frame.Length, frame.TransportOffset + 24);
        frame.IsFragment = true;
        FinishIp(frame);
    }
}

namespace Portico.Net;

// Reports that go out: from the interface's own address, to the link only (hop limit 1), with the router-alert option (RFC 2113, RFC 2711)
// so that routers look at groups that they are not members of.
internal sealed partial class MulticastReporter
{
    /// <summary>A report is no longer than this even where the link would take more.</summary>
    private const int PacketBytesMax = 1500;
    private const int Ipv4HeaderBytes = 24;
    private const int Ipv6HeaderBytes = 48;
    private const int MldV1Bytes = 24;
    private const int IgmpV2Bytes = 8;

    /// <summary>Internetwork control, as Linux marks IGMP.</summary>
    private const byte TypeOfService = 0xC0;

    private static readonly IpAddress s_allRoutersIpv4 = IpAddress.FromIpv4(224, 0, 0, 2);
    private static readonly IpAddress s_allIgmpV3Routers = IpAddress.FromIpv4(224, 0, 0, 22);
    private static readonly IpAddress s_allRoutersIpv6 = new(0xFF02_0000_0000_0000, 2);
    private static readonly IpAddress s_allMldV2Routers = new(0xFF02_0000_0000_0000, 0x16);

    private IpAddress[] _scratch = new IpAddress[16];
    private Packet? _report;
    private int _recordCount;

    private int HeaderBytes => isIpv4 ? Ipv4HeaderBytes : Ipv6HeaderBytes;

    /// <summary>
    /// RFC 3376 5.1: a change of mode is told with the whole list, otherwise only what was added to and taken from the list.
    /// </summary>
    private void AddChangeRecords(MulticastGroup group)
    {
        if (group.ModeRetransmissions > 0)
        {
            group.ModeRetransmissions--;
            int listed = Collect(group, static (group, source) => group.IsListed(source));
            bool isInclude = group.Mode == MulticastFilterMode.Include;
            AddRecord(isInclude ? MulticastRecordType.ChangeToInclude : MulticastRecordType.ChangeToExclude, group.Address, listed);
        }
        else
        {
            int allowed = Collect(group, static (group, source) =>
                source.Retransmissions > 0 && group.IsListed(source) == (group.Mode == MulticastFilterMode.Include));
            if (allowed > 0)
            {
                AddRecord(MulticastRecordType.AllowNewSources, group.Address, allowed);
            }

            int blocked = Collect(group, static (group, source) =>
                source.Retransmissions > 0 && group.IsListed(source) != (group.Mode == MulticastFilterMode.Include));
            if (blocked > 0)
            {
                AddRecord(MulticastRecordType.BlockOldSources, group.Address, blocked);
            }
        }

        for (int i = 0; i < group.SourceCount; i++)
        {
            ref byte left = ref group.SourceAt(i).Retransmissions;
            left = (byte)Math.Max(left - 1, 0);
        }
    }

    private void AddStateRecord(MulticastGroup group)
    {
        int listed = Collect(group, static (group, source) => group.IsListed(source));
        bool isInclude = group.Mode == MulticastFilterMode.Include;
        AddRecord(isInclude ? MulticastRecordType.ModeIsInclude : MulticastRecordType.ModeIsExclude, group.Address, listed);
    }

    /// <summary>RFC 3376 5.2: of the sources that were asked for, those that are wanted.</summary>
    private void AddAskedRecord(MulticastGroup group)
    {
        EnsureScratch(group.AskedCount);
        int count = 0;
        for (int i = 0; i < group.AskedCount; i++)
        {
            if (group.Accepts(group.AskedAt(i)))
            {
                _scratch[count++] = group.AskedAt(i);
            }
        }

        if (count > 0)
        {
            AddRecord(MulticastRecordType.ModeIsInclude, group.Address, count);
        }
    }

    private int Collect(MulticastGroup group, Func<MulticastGroup, MulticastGroup.Source, bool> isWanted)
    {
        EnsureScratch(group.SourceCount);
        int count = 0;
        for (int i = 0; i < group.SourceCount; i++)
        {
            if (isWanted(group, group.SourceAt(i)))
            {
                _scratch[count++] = group.SourceAt(i).Address;
            }
        }

        return count;
    }

    private void EnsureScratch(int count)
    {
        if (_scratch.Length < count)
        {
            Array.Resize(ref _scratch, count * 2);
        }
    }

    /// <summary>Adds a record with the first sources of the scratch list; a new report is begun when the one at hand is full.</summary>
    private void AddRecord(MulticastRecordType type, in IpAddress group, int sourceCount)
    {
        int addressBytes = isIpv4 ? 4 : 16;
        int most = Math.Min(output.Mtu, PacketBytesMax) - HeaderBytes;
        int recordBytes = MulticastReport.RecordLength(isIpv4);
        ReadOnlySpan<IpAddress> sources = _scratch.AsSpan(0, sourceCount);
        do
        {
            if (_report != null && _report.Length + recordBytes + (sources.Length * addressBytes) > most)
            {
                Flush();
            }

            if (_report == null && !TryBegin(most))
            {
                return;
            }

            // RFC 3376 4.2.16: a list that is too long is told in several reports; an exclude list is cut.
            int taken = Math.Min(sources.Length, Math.Max(0, (most - _report!.Length - recordBytes) / addressBytes));
            MulticastReport.WriteRecord(_report.Append(recordBytes + (taken * addressBytes)), type, group, sources[..taken]);
            _recordCount++;
            bool isExclude = type is MulticastRecordType.ModeIsExclude or MulticastRecordType.ChangeToExclude;
            sources = isExclude || taken == 0 ? default : sources[taken..];
        }
        while (!sources.IsEmpty);
    }

    private bool TryBegin(int most)
    {
        _report = _engine.Packets.RentLinear(most);
        if (_report == null)
        {
            Counters[MulticastCounter.OutNoMemory]++;
            return false;
        }

        _report.Append(MulticastReport.HeaderLength);
        _recordCount = 0;
        return true;
    }

    private void Flush()
    {
        if (_report == null)
        {
            return;
        }

        Packet packet = _report;
        _report = null;
        MulticastReport.WriteHeader(packet.Linear, isIpv4, _recordCount);
        Counters[MulticastCounter.OutReports]++;
        Transmit(packet, isIpv4 ? s_allIgmpV3Routers : s_allMldV2Routers);
    }

    /// <summary>A report or leave of IGMPv1, IGMPv2 or MLDv1.</summary>
    private void SendOlder(in IpAddress group, bool isLeave)
    {
        Packet? packet = _engine.Packets.RentLinear(MldV1Bytes);
        if (packet == null)
        {
            Counters[MulticastCounter.OutNoMemory]++;
            return;
        }

        Counters[isLeave ? MulticastCounter.OutReductions : MulticastCounter.OutReports]++;
        if (isIpv4)
        {
            byte report = Version == 1 ? IgmpType.MembershipReportV1 : IgmpType.MembershipReportV2;
            MulticastReport.WriteIgmpV2(packet.Append(IgmpV2Bytes), isLeave ? IgmpType.LeaveGroup : report, group);
            Transmit(packet, isLeave ? s_allRoutersIpv4 : group);
        }
        else
        {
            byte type = isLeave ? Icmpv6Type.MulticastListenerDone : Icmpv6Type.MulticastListenerReport;
            MulticastReport.WriteMldV1(packet.Append(MldV1Bytes), type, group);
            Transmit(packet, isLeave ? s_allRoutersIpv6 : group);
        }
    }

    private void Transmit(Packet packet, in IpAddress destination)
    {
        if (!output.IsUp || output.IsLoopback)
        {
            packet.Release();
            return;
        }

        IpAddress source = SourceAddress();
        packet.TransportOffset = packet.Start;
        int length = packet.Length;
        if (isIpv4)
        {
            IcmpHeader.WriteChecksum(packet.Linear);
            Span<byte> header = packet.Push(Ipv4HeaderBytes);
            Ipv4Header.Write(
                header, Ipv4HeaderBytes + length, 0, 0x4000, 1, IpProtocol.Igmp, source, destination, TypeOfService);
            header[0] = 0x46;
            ReadOnlySpan<byte> routerAlert = [Ipv4OptionKind.RouterAlert, 4, 0, 0];
            routerAlert.CopyTo(header[20..]);
            Ipv4Header.WriteChecksum(header, Ipv4HeaderBytes);
        }
        else
        {
            Icmpv6Header.WriteChecksum(packet.Linear, source, destination);
            Span<byte> header = packet.Push(Ipv6HeaderBytes);
            Ipv6Header.Write(header, 8 + length, IpProtocol.HopByHop, 1, source, destination);

            // RFC 2711 2.1: router alert, value 0 (MLD); then two bytes of padding.
            ReadOnlySpan<byte> hopByHop = [(byte)IpProtocol.Icmpv6, 0, 5, 2, 0, 0, 1, 0];
            hopByHop.CopyTo(header[40..]);
        }

        packet.NetworkOffset = packet.Start;
        packet.Checksum = ChecksumState.Verified;
        MibTable<IpCounter> mib = isIpv4 ? output.Stack.Ip.Ipv4Counters : output.Stack.Ip.Ipv6Counters;
        mib[IpCounter.OutRequests]++;
        mib[IpCounter.OutMcastPkts]++;
        output.TransmitTo(packet, destination);
    }

    /// <summary>
    /// The first IPv4 address; for MLD a link-local address, or :: where there is none yet (RFC 3810 5.2.13, RFC 3590).
    /// </summary>
    private IpAddress SourceAddress()
    {
        foreach (InterfaceAddress own in output.AddressList)
        {
            if (own.IsUsable && own.Address.IsIpv4 == isIpv4 && (isIpv4 || own.Address.IsLinkLocal))
            {
                return own.Address;
            }
        }

        return isIpv4 ? IpAddress.AnyIpv4 : IpAddress.AnyIpv6;
    }
}

using System.Runtime.InteropServices;
using Portico.Net;

namespace Portico.Kernel;

// The options that join and leave groups, and those that choose the interface for what is sent to groups.
internal abstract partial class InetSocketFile
{
    private const int Ipv4Bytes = 4;
    private const int RequestBytes = 8;
    private const int IndexedRequestBytes = 12;
    private const int SourceRequestBytes = 12;
    private const int FilterHeaderBytes = 16;
    private const int Ipv6RequestBytes = 20;

    private Errno SetIpMulticast(IpOption option, ReadOnlySpan<byte> value)
    {
        switch (option)
        {
            case IpOption.IP_MULTICAST_IF:
                return SetMulticastInterface(value);
            case IpOption.IP_ADD_MEMBERSHIP or IpOption.IP_DROP_MEMBERSHIP:
                if (IsStream)
                {
                    return Errno.EPROTO;
                }

                if (value.Length < RequestBytes)
                {
                    return Errno.EINVAL;
                }

                int index = value.Length >= IndexedRequestBytes ? MemoryMarshal.Read<int>(value[RequestBytes..]) : 0;
                return ChangeMembership(
                    option == IpOption.IP_ADD_MEMBERSHIP ? MembershipChange.Join : MembershipChange.Leave, value, default, value[Ipv4Bytes..], index);
            case IpOption.IP_MSFILTER:
                return SetSourceFilter(value);
            default:
                if (value.Length != SourceRequestBytes)
                {
                    return Errno.EINVAL;
                }

                MembershipChange change = option switch
                {
                    IpOption.IP_BLOCK_SOURCE => MembershipChange.BlockSource,
                    IpOption.IP_UNBLOCK_SOURCE => MembershipChange.UnblockSource,
                    IpOption.IP_ADD_SOURCE_MEMBERSHIP => MembershipChange.JoinSource,
                    _ => MembershipChange.LeaveSource,
                };
                return ChangeMembership(change, value, IpAddress.ReadIpv4(value[RequestBytes..]), value[Ipv4Bytes..], interfaceIndex: 0);
        }
    }

    /// <summary>A change of a group of IPv4, on the interface of an index or an address, or the one that the routes choose.</summary>
    private Errno ChangeMembership(
        MembershipChange change, ReadOnlySpan<byte> group, in IpAddress source, ReadOnlySpan<byte> interfaceAddress, int interfaceIndex)
    {
        IpAddress address = IpAddress.ReadIpv4(group);
        IpAddress on = IpAddress.ReadIpv4(interfaceAddress);
        if (interfaceIndex == 0 && !on.IsUnspecified)
        {
            interfaceIndex = InterfaceOf(on)?.Index ?? -1;
        }

        if (change == MembershipChange.Leave && (!address.IsMulticast || (interfaceIndex != 0 && FindInterface(interfaceIndex) == null)))
        {
            // There is no such membership; only who leaves an interface that the routes choose is told that there is none.
            return Errno.EADDRNOTAVAIL;
        }

        return address.IsMulticast ? ChangeMembership(change, address, source, interfaceIndex) : Errno.EINVAL;
    }

    /// <summary>struct ip_msfilter.</summary>
    private Errno SetSourceFilter(ReadOnlySpan<byte> value)
    {
        if (value.Length < FilterHeaderBytes)
        {
            return Errno.EINVAL;
        }

        int mode = MemoryMarshal.Read<int>(value[8..]);
        uint count = MemoryMarshal.Read<uint>(value[12..]);
        if (count > (uint)Stack.Udp.Options.igmp_max_msf)
        {
            return Errno.ENOBUFS;
        }

        ReadOnlySpan<byte> listed = value[FilterHeaderBytes..];
        if (count * Ipv4Bytes > listed.Length)
        {
            return Errno.EINVAL;
        }

        IpAddress group = IpAddress.ReadIpv4(value);
        IpAddress on = IpAddress.ReadIpv4(value[Ipv4Bytes..]);
        if (!group.IsMulticast || mode is not (0 or 1))
        {
            return Errno.EINVAL;
        }

        Span<IpAddress> sources = stackalloc IpAddress[(int)count];
        for (int i = 0; i < sources.Length; i++)
        {
            sources[i] = IpAddress.ReadIpv4(listed[(i * Ipv4Bytes)..]);
        }

        int index = on.IsUnspecified ? 0 : InterfaceOf(on)?.Index ?? -1;
        return SetSourceFilter(group, index, mode == 0 ? MulticastFilterMode.Exclude : MulticastFilterMode.Include, sources);
    }

    /// <summary>struct ip_msfilter: the group and the interface are read out of the room for the answer.</summary>
    private Errno GetSourceFilter(Span<byte> value, out int length)
    {
        length = 0;
        if (value.Length < FilterHeaderBytes)
        {
            return Errno.EINVAL;
        }

        IpAddress group = IpAddress.ReadIpv4(value);
        IpAddress on = IpAddress.ReadIpv4(value[Ipv4Bytes..]);
        uint room = Math.Min(MemoryMarshal.Read<uint>(value[12..]), (uint)((value.Length - FilterHeaderBytes) / Ipv4Bytes));
        if (!group.IsMulticast)
        {
            return Errno.EINVAL;
        }

        Span<IpAddress> sources = stackalloc IpAddress[(int)Math.Min(room, (uint)Stack.Udp.Options.igmp_max_msf)];
        int index = on.IsUnspecified ? 0 : InterfaceOf(on)?.Index ?? -1;
        Errno error = GetSourceFilter(group, index, out MulticastFilterMode mode, sources, out int count);
        if (error != Errno.None)
        {
            return error;
        }

        MemoryMarshal.Write(value[8..], mode == MulticastFilterMode.Exclude ? 0 : 1);
        MemoryMarshal.Write(value[12..], count);
        sources = sources[..Math.Min(count, sources.Length)];
        for (int i = 0; i < sources.Length; i++)
        {
            sources[i].WriteIpv4(value[(FilterHeaderBytes + (i * Ipv4Bytes))..]);
        }

        length = FilterHeaderBytes + (sources.Length * Ipv4Bytes);
        return Errno.None;
    }

    /// <summary>An address, struct ip_mreq or struct ip_mreqn.</summary>
    private Errno SetMulticastInterface(ReadOnlySpan<byte> value)
    {
        if (IsStream || value.Length < Ipv4Bytes)
        {
            return Errno.EINVAL;
        }

        int index = value.Length >= IndexedRequestBytes ? MemoryMarshal.Read<int>(value[RequestBytes..]) : 0;
        ReadOnlySpan<byte> address = value.Length >= RequestBytes ? value[Ipv4Bytes..RequestBytes] : value[..Ipv4Bytes];
        IpAddress on = IpAddress.ReadIpv4(address);
        if (index == 0 && on.IsUnspecified)
        {
            OwnInet.MulticastInterface = default;
            return Errno.None;
        }

        Net.NetworkInterface? device = index == 0 ? InterfaceOf(on) : FindInterface(index);
        if (device == null)
        {
            return Errno.EADDRNOTAVAIL;
        }

        if (Generic.InterfaceIndex != 0 && Generic.InterfaceIndex != device.Index)
        {
            return Errno.EINVAL;
        }

        OwnInet.MulticastInterface = (device.Index, MemoryMarshal.Read<uint>(address));
        return Errno.None;
    }

    /// <summary>struct ipv6_mreq.</summary>
    private Errno ChangeIpv6Membership(MembershipChange change, ReadOnlySpan<byte> value)
    {
        if (value.Length < Ipv6RequestBytes)
        {
            return Errno.EINVAL;
        }

        if (IsStream)
        {
            return Errno.EPROTO;
        }

        IpAddress group = IpAddress.ReadIpv6(value);
        if (!group.IsMulticast || group.IsIpv4)
        {
            return Errno.EINVAL;
        }

        int index = MemoryMarshal.Read<int>(value[16..]);
        return change == MembershipChange.Leave && index != 0 && FindInterface(index) == null
            ? Errno.EADDRNOTAVAIL
            : ChangeMembership(change, group, default, index);
    }
}

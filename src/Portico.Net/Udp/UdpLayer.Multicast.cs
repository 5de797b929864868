namespace Portico.Net;

// Group membership of sockets, with source filters (RFC 3678 4; Linux: ip_mc_join_group, ip_mc_source, ip_mc_msfilter).
public sealed partial class UdpLayer
{
    /// <summary>
    /// Receives what any source sends to a group on an interface (0: the one that the routes choose). Errors: EBADF, EINVAL for what is
    /// no group, ENODEV, EADDRINUSE where the socket is a member already, ENOBUFS above net.ipv4.igmp_max_memberships.
    /// </summary>
    public Errno JoinGroup(UdpHandle handle, in IpAddress group, int interfaceIndex)
    {
        Errno error = FindMembership(handle, group, interfaceIndex, out UdpSocket? socket, out NetworkInterface? on, out int place);
        if (error != Errno.None)
        {
            return error;
        }

        return place >= 0 ? Errno.EADDRINUSE : Join(socket!, group, on!, MulticastFilterMode.Exclude, []);
    }

    /// <summary>
    /// Takes a join back, with its source filter. Errors: EBADF, EINVAL, ENODEV, EADDRNOTAVAIL where the socket is no member.
    /// </summary>
    public Errno LeaveGroup(UdpHandle handle, in IpAddress group, int interfaceIndex)
    {
        Errno error = FindMembership(handle, group, interfaceIndex, out UdpSocket? socket, out _, out int place);
        if (error != Errno.None)
        {
            return error;
        }

        return place < 0 ? Errno.EADDRNOTAVAIL : Leave(socket!, place);
    }

    /// <summary>
    /// Receives what one source sends to a group, and joins where needed (IP_ADD_SOURCE_MEMBERSHIP). Errors: those of
    /// <see cref="JoinGroup"/>; EINVAL where the socket has joined for all sources, EADDRNOTAVAIL where it has the source already.
    /// </summary>
    public Errno JoinSource(UdpHandle handle, in IpAddress group, in IpAddress source, int interfaceIndex)
    {
        Errno error = FindMembership(handle, group, interfaceIndex, out UdpSocket? socket, out NetworkInterface? on, out int place);
        if (error != Errno.None)
        {
            return error;
        }

        return place < 0
            ? Join(socket!, group, on!, MulticastFilterMode.Include, [source])
            : AddSource(socket!.Memberships[place], MulticastFilterMode.Include, source);
    }

    /// <summary>Takes a <see cref="JoinSource"/> back; with the last source the group is left. Errors: EINVAL, EADDRNOTAVAIL.</summary>
    public Errno LeaveSource(UdpHandle handle, in IpAddress group, in IpAddress source, int interfaceIndex)
    {
        Errno error = FindMembership(handle, group, interfaceIndex, out UdpSocket? socket, out _, out int place);
        if (error != Errno.None)
        {
            return error;
        }

        if (place < 0)
        {
            return Errno.EINVAL;
        }

        UdpMembership membership = socket!.Memberships[place];
        bool isLast = membership.Mode == MulticastFilterMode.Include && membership.Sources.Length == 1 && membership.Sources[0] == source;
        return isLast ? Leave(socket, place) : RemoveSource(membership, MulticastFilterMode.Include, source);
    }

    /// <summary>
    /// Does not receive what one source sends to a joined group (IP_BLOCK_SOURCE). Errors: EINVAL, EADDRNOTAVAIL, ENOBUFS.
    /// </summary>
    public Errno BlockSource(UdpHandle handle, in IpAddress group, in IpAddress source, int interfaceIndex)
    {
        Errno error = FindMembership(handle, group, interfaceIndex, out UdpSocket? socket, out _, out int place);
        return error != Errno.None ? error
            : place < 0 ? Errno.EINVAL
            : AddSource(socket!.Memberships[place], MulticastFilterMode.Exclude, source);
    }

    /// <summary>Takes a <see cref="BlockSource"/> back. Errors: EINVAL, EADDRNOTAVAIL.</summary>
    public Errno UnblockSource(UdpHandle handle, in IpAddress group, in IpAddress source, int interfaceIndex)
    {
        Errno error = FindMembership(handle, group, interfaceIndex, out UdpSocket? socket, out _, out int place);
        return error != Errno.None ? error
            : place < 0 ? Errno.EINVAL
            : RemoveSource(socket!.Memberships[place], MulticastFilterMode.Exclude, source);
    }

    /// <summary>
    /// Replaces the whole filter of a joined group (IP_MSFILTER); INCLUDE without sources leaves it. Errors: EBADF, EINVAL where the
    /// socket is no member, ENODEV, ENOBUFS above net.ipv4.igmp_max_msf or net.ipv6.mld_max_msf.
    /// </summary>
    public Errno SetSourceFilter(
        UdpHandle handle, in IpAddress group, int interfaceIndex, MulticastFilterMode mode, ReadOnlySpan<IpAddress> sources)
    {
        Errno error = FindMembership(handle, group, interfaceIndex, out UdpSocket? socket, out _, out int place);
        if (error != Errno.None)
        {
            return error;
        }

        if (sources.Length > SourceCountMax(group))
        {
            return Errno.ENOBUFS;
        }

        if (mode == MulticastFilterMode.Include && sources.IsEmpty)
        {
            return place < 0 ? Errno.EADDRNOTAVAIL : Leave(socket!, place);
        }

        if (place < 0)
        {
            return Errno.EINVAL;
        }

        IpAddress[] distinct = new IpAddress[sources.Length];
        int count = 0;
        foreach (IpAddress source in sources)
        {
            if (source.IsIpv4 != group.IsIpv4)
            {
                return Errno.EINVAL;
            }

            if (!distinct.AsSpan(0, count).Contains(source))
            {
                distinct[count++] = source;
            }
        }

        Array.Resize(ref distinct, count);
        Change(socket!.Memberships[place], mode, distinct);
        return Errno.None;
    }

    /// <summary>
    /// Reads the filter of a joined group (IP_MSFILTER): how many sources it has, of which <paramref name="sources"/> gets what fits.
    /// Errors: EBADF, EINVAL for what is no group, ENODEV, EADDRNOTAVAIL where the socket is no member.
    /// </summary>
    public Errno GetSourceFilter(
        UdpHandle handle, in IpAddress group, int interfaceIndex, out MulticastFilterMode mode, Span<IpAddress> sources, out int count)
    {
        mode = default;
        count = 0;
        Errno error = FindMembership(handle, group, interfaceIndex, out UdpSocket? socket, out _, out int place);
        if (error != Errno.None || place < 0)
        {
            return error == Errno.None ? Errno.EADDRNOTAVAIL : error;
        }

        UdpMembership membership = socket!.Memberships[place];
        mode = membership.Mode;
        count = membership.Sources.Length;
        membership.Sources.AsSpan(0, Math.Min(count, sources.Length)).CopyTo(sources);
        return Errno.None;
    }

    private int SourceCountMax(in IpAddress group) => group.IsIpv4 ? Options.igmp_max_msf : Options.mld_max_msf;

    private Errno FindMembership(
        UdpHandle handle, in IpAddress group, int interfaceIndex, out UdpSocket? socket, out NetworkInterface? on, out int place)
    {
        on = null;
        place = -1;
        if (!TryGet(handle, out socket))
        {
            return Errno.EBADF;
        }

        if (!group.IsMulticast || (!group.IsIpv4 && !socket.IsIpv6))
        {
            return Errno.EINVAL;
        }

        if (interfaceIndex == 0)
        {
            IpAddress any = group.IsIpv4 ? IpAddress.AnyIpv4 : IpAddress.AnyIpv6;
            interfaceIndex = socket.InterfaceIndex != 0 ? socket.InterfaceIndex
                : _stack.Ip.FindRoute(any, group, 0, out RouteCache route) == Errno.None ? route.InterfaceIndex
                : _stack.Interfaces.Count > 1 ? _stack.Interfaces[1].Index
                : 0;
        }

        on = _stack.Ip.InterfaceAt(interfaceIndex);
        if (on == null)
        {
            return Errno.ENODEV;
        }

        for (int i = 0; i < socket.Memberships.Count; i++)
        {
            if (socket.Memberships[i].Group == group && socket.Memberships[i].Interface == on)
            {
                place = i;
            }
        }

        return Errno.None;
    }

    private Errno Join(UdpSocket socket, in IpAddress group, NetworkInterface on, MulticastFilterMode mode, IpAddress[] sources)
    {
        int ofFamily = 0;
        foreach (UdpMembership membership in socket.Memberships)
        {
            ofFamily += membership.Group.IsIpv4 == group.IsIpv4 ? 1 : 0;
        }

        if (ofFamily >= (group.IsIpv4 ? Options.igmp_max_memberships : Options.mld_max_memberships))
        {
            return Errno.ENOBUFS;
        }

        foreach (IpAddress source in sources)
        {
            if (source.IsIpv4 != group.IsIpv4)
            {
                return Errno.EINVAL;
            }
        }

        Errno error = on.Multicast.Add(group, mode, sources);
        if (error == Errno.None)
        {
            socket.Memberships.Add(new UdpMembership { Group = group, Interface = on, Mode = mode, Sources = sources });
        }

        return error;
    }

    private static Errno Leave(UdpSocket socket, int place)
    {
        UdpMembership membership = socket.Memberships[place];
        socket.Memberships.RemoveAt(place);
        membership.Interface.Multicast.Remove(membership.Group, membership.Mode, membership.Sources);
        return Errno.None;
    }

    private static void LeaveAll(UdpSocket socket)
    {
        while (socket.Memberships.Count > 0)
        {
            Leave(socket, socket.Memberships.Count - 1);
        }
    }

    private Errno AddSource(UdpMembership membership, MulticastFilterMode mode, in IpAddress source)
    {
        if (source.IsIpv4 != membership.Group.IsIpv4)
        {
            return Errno.EINVAL;
        }

        if (membership.Mode != mode)
        {
            return Errno.EINVAL;
        }

        if (Array.IndexOf(membership.Sources, source) >= 0)
        {
            return Errno.EADDRNOTAVAIL;
        }

        if (membership.Sources.Length >= SourceCountMax(membership.Group))
        {
            return Errno.ENOBUFS;
        }

        Change(membership, mode, [.. membership.Sources, source]);
        return Errno.None;
    }

    private static Errno RemoveSource(UdpMembership membership, MulticastFilterMode mode, in IpAddress source)
    {
        if (membership.Mode != mode)
        {
            return Errno.EINVAL;
        }

        int index = Array.IndexOf(membership.Sources, source);
        if (index < 0)
        {
            return Errno.EADDRNOTAVAIL;
        }

        Change(membership, mode, [.. membership.Sources.AsSpan(0, index), .. membership.Sources.AsSpan(index + 1)]);
        return Errno.None;
    }

    private static void Change(UdpMembership membership, MulticastFilterMode mode, IpAddress[] sources)
    {
        membership.Interface.Multicast.Replace(membership.Group, membership.Mode, membership.Sources, mode, sources);
        membership.Mode = mode;
        membership.Sources = sources;
    }
}

namespace Portico.Net;

/// <summary>
/// The groups that an interface is a member of. Each filter of a socket counts (RFC 3376 3, RFC 3810 4); the sum of them decides what
/// comes in, and is what the routers are told: by IGMP on IPv4 and MLD on IPv6.
/// </summary>
public sealed class MulticastMembership
{
    private readonly MulticastReporter _igmp;
    private readonly MulticastReporter _mld;
    private readonly Dictionary<IpAddress, MulticastGroup> _byAddress = [];

    // In the order of joining, which is the order of reports.
    private readonly List<MulticastGroup> _groups = [];

    internal MulticastMembership(NetworkInterface owner)
    {
        _igmp = new MulticastReporter(this, owner, isIpv4: true);
        _mld = new MulticastReporter(this, owner, isIpv4: false);
    }

    /// <summary>The most groups on the interface; joining one more fails with ENOBUFS.</summary>
    public int GroupCountMax { get; set; } = 4096;

    /// <summary>The groups that somebody has joined, all-hosts groups not among them.</summary>
    public int GroupCount => _groups.Count;

    /// <summary>Counters of IGMP.</summary>
    public MibTable<MulticastCounter> IgmpCounters => _igmp.Counters;

    /// <summary>Counters of MLD.</summary>
    public MibTable<MulticastCounter> MldCounters => _mld.Counters;

    /// <summary>The version of IGMP that is spoken now: 3, or what the oldest querier on the link speaks.</summary>
    public int IgmpVersion => _igmp.Version;

    /// <summary>The version of MLD that is spoken now: 2 or 1.</summary>
    public int MldVersion => _mld.Version;

    internal List<MulticastGroup> Groups => _groups;

    internal MulticastGroup? Find(in IpAddress group) => _byAddress.GetValueOrDefault(group);

    /// <summary>Whether packets to the group come in: somebody has joined it, or every host is in it.</summary>
    public bool IsMember(in IpAddress group) =>
        IsAllHosts(group) || (_byAddress.TryGetValue(group, out MulticastGroup? found) && found.IsMember);

    /// <summary>Whether anybody wants what this source sends to the group.</summary>
    public bool Accepts(in IpAddress group, in IpAddress source) =>
        IsAllHosts(group) || (_byAddress.TryGetValue(group, out MulticastGroup? found) && found.Accepts(source));

    /// <summary>
    /// Joins a group for all sources; counted, so that each join needs a <see cref="Leave"/>. Errors: EINVAL for what is no group, ENOBUFS.
    /// </summary>
    public Errno Join(in IpAddress group) => Add(group, MulticastFilterMode.Exclude, default);

    /// <summary>Takes one <see cref="Join"/> back. Errors: EADDRNOTAVAIL where there was none.</summary>
    public Errno Leave(in IpAddress group)
    {
        if (!_byAddress.TryGetValue(group, out MulticastGroup? found) || found.ExcludeFilterCount == 0)
        {
            return Errno.EADDRNOTAVAIL;
        }

        Remove(group, MulticastFilterMode.Exclude, default);
        return Errno.None;
    }

    /// <summary>Adds a socket's filter for a group.</summary>
    internal Errno Add(in IpAddress group, MulticastFilterMode mode, ReadOnlySpan<IpAddress> sources)
    {
        if (!group.IsMulticast)
        {
            return Errno.EINVAL;
        }

        if (!_byAddress.TryGetValue(group, out MulticastGroup? found))
        {
            if (_groups.Count >= GroupCountMax)
            {
                return Errno.ENOBUFS;
            }

            found = new MulticastGroup(group);
            _byAddress.Add(group, found);
            _groups.Add(found);
        }

        bool wasMember = found.IsMember;
        MulticastFilterMode before = found.Mode;
        found.BeginChange();
        found.Count(mode, sources, 1);
        EndChange(found, wasMember, before);
        return Errno.None;
    }

    /// <summary>Takes a socket's filter away; <paramref name="mode"/> and <paramref name="sources"/> as it was added.</summary>
    internal void Remove(in IpAddress group, MulticastFilterMode mode, ReadOnlySpan<IpAddress> sources)
    {
        MulticastGroup found = _byAddress[group];
        bool wasMember = found.IsMember;
        MulticastFilterMode before = found.Mode;
        found.BeginChange();
        found.Count(mode, sources, -1);
        EndChange(found, wasMember, before);
    }

    /// <summary>Changes a socket's filter in one step, so that no report tells of what was only in between.</summary>
    internal void Replace(
        in IpAddress group,
        MulticastFilterMode oldMode,
        ReadOnlySpan<IpAddress> oldSources,
        MulticastFilterMode newMode,
        ReadOnlySpan<IpAddress> newSources)
    {
        MulticastGroup found = _byAddress[group];
        bool wasMember = found.IsMember;
        MulticastFilterMode before = found.Mode;
        found.BeginChange();
        found.Count(newMode, newSources, 1);
        found.Count(oldMode, oldSources, -1);
        EndChange(found, wasMember, before);
    }

    /// <summary>An IGMP message; begins with its header. Takes ownership.</summary>
    internal static void HandleIgmp(Packet packet, in IpInfo info) => Handle(info.Interface.Multicast._igmp, packet, info);

    /// <summary>
    /// An MLD message (ICMPv6 types 130 to 132 and 143) whose checksum was right; begins with its header. Takes ownership.
    /// </summary>
    internal static void HandleMld(Packet packet, in IpInfo info) => Handle(info.Interface.Multicast._mld, packet, info);

    /// <summary>The interface has come up: the routers are told of every group as if it had just been joined.</summary>
    internal void ReportAgain()
    {
        foreach (MulticastGroup group in _groups)
        {
            (group.Address.IsIpv4 ? _igmp : _mld).ReportAgain(group);
        }
    }

    /// <summary>Forgets sources that nobody lists and nobody has to be told about, and the group itself where nothing is left.</summary>
    internal void Tidy(MulticastGroup group)
    {
        group.Sweep();
        if (group.FilterCount == 0 && group.ModeRetransmissions == 0 && group.SourceCount == 0)
        {
            _byAddress.Remove(group.Address);
            _groups.Remove(group);
        }
    }

    private static void Handle(MulticastReporter reporter, Packet packet, in IpInfo info)
    {
        packet.TransportOffset = packet.Start;
        if (packet.Length == 0 || !packet.EnsureLinear(packet.Length)
            || (info.Protocol == IpProtocol.Igmp && !ChecksumOffload.Verify(packet, info)))
        {
            reporter.Counters[MulticastCounter.InErrors]++;
        }
        else
        {
            reporter.HandleMessage(packet.Linear, info);
        }

        packet.Release();
    }

    private void EndChange(MulticastGroup group, bool wasMember, MulticastFilterMode before)
    {
        (group.Address.IsIpv4 ? _igmp : _mld).OnChange(group, wasMember, before);
        Tidy(group);
    }

    /// <summary>224.0.0.1, ff02::1 and ff01::1: never joined, never left, never reported (RFC 3376 5, RFC 3810 6).</summary>
    internal static bool IsAllHosts(in IpAddress group) => group.IsIpv4
        ? group.Ipv4Value == 0xE000_0001
        : group.Low == 1 && group.High is 0xFF02_0000_0000_0000 or 0xFF01_0000_0000_0000;
}

namespace Portico.Net;

/// <summary>
/// The groups that an interface is a member of. Each filter of a socket counts (RFC 3376 3, RFC 3810 4); the sum of them decides what
/// comes in, and is what the routers are told: by IGMP on IPv4 and MLD on IPv6.
/// </summary>
public sealed partial class MulticastMembership
{
    private readonly NetworkInterface _interface;
    private readonly Engine _engine;
    private readonly Dictionary<IpAddress, MulticastGroup> _byAddress = [];

    // In the order of joining, which is the order of reports.
    private readonly List<MulticastGroup> _groups = [];

    internal MulticastMembership(NetworkInterface owner)
    {
        _interface = owner;
        _engine = owner.Stack.Engine;
    }

    /// <summary>The most groups on the interface; joining one more fails with ENOBUFS.</summary>
    public int GroupCountMax { get; set; } = 65_536;

    /// <summary>The groups that somebody has joined, all-hosts groups not among them.</summary>
    public int GroupCount => _groups.Count;

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

    private void EndChange(MulticastGroup group, bool wasMember, MulticastFilterMode before)
    {
        Report(group, wasMember, before);
        group.Sweep();
        DropIfIdle(group);
    }

    private void DropIfIdle(MulticastGroup group)
    {
        if (group.FilterCount == 0 && group.ModeRetransmissions == 0 && group.SourceCount == 0)
        {
            _byAddress.Remove(group.Address);
            _groups.Remove(group);
        }
    }

    /// <summary>224.0.0.1, ff02::1 and ff01::1: never joined, never left, never reported (RFC 3376 5, RFC 3810 6).</summary>
    internal static bool IsAllHosts(in IpAddress group) => group.IsIpv4
        ? group.Ipv4Value == 0xE000_0001
        : group.Low == 1 && group.High is 0xFF02_0000_0000_0000 or 0xFF01_0000_0000_0000;
}

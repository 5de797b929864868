namespace Portico.Net;

/// <summary>
/// Path MTUs that ICMP errors told of (RFC 1191, 8201): per destination, bounded, each forgotten after
/// <see cref="IpOptions.mtu_expires"/>, so that a forged report costs ten minutes at the most.
/// </summary>
internal sealed class PathMtuTable : IScheduled
{
    private readonly record struct Entry(int Mtu, bool IsLocked, long ExpiresAt);

    private readonly IpLayer _ip;
    private readonly Engine _engine;
    private readonly Dictionary<IpAddress, Entry> _entries = [];

    // Destinations in the order of their expiry; an entry that was refreshed stands here again, and its old place is skipped.
    private readonly Queue<(IpAddress Destination, long ExpiresAt)> _order = [];
    private bool _isScheduled;

    public PathMtuTable(IpLayer ip, Engine engine)
    {
        _ip = ip;
        _engine = engine;
    }

    public int Count => _entries.Count;

    /// <summary>Puts what is known of the path into a route whose MTU is the interface's.</summary>
    public void Limit(in IpAddress destination, ref RouteCache route)
    {
        if (_entries.Count != 0 && _entries.TryGetValue(destination, out Entry entry) && entry.ExpiresAt > _engine.Now.Nanoseconds)
        {
            route.PathMtu = Math.Min(route.PathMtu, entry.Mtu);
            route.IsMtuLocked = entry.IsLocked;
        }
    }

    /// <summary>
    /// A report that packets to the destination must not be larger. True if that is news. Where a router asks for less than the least
    /// that is believed (RFC 5927 7.2; Linux: min_pmtu), the least is used and packets may be fragmented on their way (IsMtuLocked).
    /// </summary>
    public bool Learn(in IpAddress destination, int mtu)
    {
        int least = destination.IsIpv4 ? _ip.Options.min_pmtu : IpLayer.Ipv6MtuMin;
        bool isLocked = mtu < least;
        mtu = Math.Max(mtu, least);
        long expiresAt = (_engine.Now + _ip.Options.mtu_expires).Nanoseconds;
        bool isKnown = _entries.TryGetValue(destination, out Entry entry) && entry.ExpiresAt > _engine.Now.Nanoseconds;
        if (isKnown && (entry.Mtu < mtu || (entry.Mtu == mtu && entry.IsLocked && !isLocked)))
        {
            return false;
        }

        while (_order.Count > 0 && (_entries.Count >= _ip.Options.path_mtu_max || _order.Count >= 4 * _ip.Options.path_mtu_max))
        {
            RemoveOldest();
        }

        if (!isKnown || entry.ExpiresAt != expiresAt)
        {
            _order.Enqueue((destination, expiresAt));
        }

        _entries[destination] = new Entry(mtu, isLocked, expiresAt);
        if (!_isScheduled)
        {
            _isScheduled = true;
            _engine.Schedule(new MonoTime(_order.Peek().ExpiresAt), this, 0);
        }

        if (isKnown && entry.Mtu == mtu && entry.IsLocked == isLocked)
        {
            return false;
        }

        _ip.BumpRouteGeneration();
        return true;
    }

    public void OnTime(long cookie)
    {
        _isScheduled = false;
        while (_order.Count > 0 && _order.Peek().ExpiresAt <= _engine.Now.Nanoseconds)
        {
            RemoveOldest();
        }

        if (_order.Count > 0)
        {
            _isScheduled = true;
            _engine.Schedule(new MonoTime(_order.Peek().ExpiresAt), this, 0);
        }
    }

    private void RemoveOldest()
    {
        (IpAddress destination, long expiresAt) = _order.Dequeue();
        if (_entries.TryGetValue(destination, out Entry entry) && entry.ExpiresAt == expiresAt)
        {
            _entries.Remove(destination);
            _ip.BumpRouteGeneration();
        }
    }
}

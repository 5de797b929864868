namespace Portico.Net;

/// <summary>
/// Path MTUs that ICMP errors told of (RFC 1191, 8201): per destination, bounded, each forgotten after
/// <see cref="IpOptions.mtu_expires"/>, so that a forged report costs ten minutes at the most.
/// </summary>
internal sealed class PathMtuTable : IScheduled
{
    private readonly record struct Entry(int Mtu, long ExpiresAt);

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

    /// <summary>The path's MTU where it is known to be below <paramref name="mtu"/>.</summary>
    public int Limit(in IpAddress destination, int mtu)
    {
        if (_entries.Count == 0 || !_entries.TryGetValue(destination, out Entry entry))
        {
            return mtu;
        }

        return entry.ExpiresAt <= _engine.Now.Nanoseconds ? mtu : Math.Min(mtu, entry.Mtu);
    }

    /// <summary>A report that packets to the destination must not be larger. True if that is news.</summary>
    public bool Learn(in IpAddress destination, int mtu)
    {
        long expiresAt = (_engine.Now + _ip.Options.mtu_expires).Nanoseconds;
        bool isKnown = _entries.TryGetValue(destination, out Entry entry) && entry.ExpiresAt > _engine.Now.Nanoseconds;
        if (isKnown && entry.Mtu < mtu)
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

        _entries[destination] = new Entry(mtu, expiresAt);
        if (!_isScheduled)
        {
            _isScheduled = true;
            _engine.Schedule(new MonoTime(_order.Peek().ExpiresAt), this, 0);
        }

        if (isKnown && entry.Mtu == mtu)
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

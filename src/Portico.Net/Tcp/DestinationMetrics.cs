using System.Runtime.CompilerServices;

namespace Portico.Net;

/// <summary>What has been learned of a destination and outlives connections (Linux: tcp_metrics).</summary>
internal struct DestinationMetrics
{
    /// <summary>The MSS that the destination announced last; 0 when it is not known. For the size of a SYN's data (RFC 7413 4.1.3).</summary>
    public ushort FastOpenMss;

    /// <summary>SYNs with data that got lost, one after the other.</summary>
    public ushort SynLosses;

    /// <summary>Eight times the round trip of data, in microseconds; 0 when it is not known.</summary>
    public int SrttTimes8;

    /// <summary>ssthresh and the reordering that was seen, in segments; 0 for neither.</summary>
    public uint SsThresh;
    public uint Reordering;

    /// <summary>Which option a request uses: 0 and 2 the one of RFC 7413, 1 the experimental one.</summary>
    public byte TryExperimental;

    /// <summary>Length 0 when there is none.</summary>
    public FastOpenCookie Cookie;
}

/// <summary>
/// The metrics of all destinations, by own and remote address; bounded: the oldest makes room. Peers choose their addresses: the hash is
/// keyed.
/// </summary>
internal sealed class DestinationCache(int countMax, SipKey secret)
{
    /// <summary>Both addresses of a path, with their hash: a comparer that had the key would be called for each look.</summary>
    private readonly struct Key(in SipKey secret, in IpAddress local, in IpAddress remote) : IEquatable<Key>
    {
        private readonly IpAddress _local = local;
        private readonly IpAddress _remote = remote;
        private readonly int _hash = (int)SipHash.HashFlow(secret, local, remote, 0, 0);

        public bool Is(in IpAddress local, in IpAddress remote) => _remote == remote && _local == local;

        public bool Equals(Key other) => other.Is(_local, _remote);

        public override bool Equals(object? obj) => obj is Key other && Equals(other);

        public override int GetHashCode() => _hash;
    }

    private struct Entry
    {
        public Key Key;
        public DestinationMetrics Metrics;
    }

    private readonly SipKey _secret = secret;
    private readonly Dictionary<Key, int> _places = [];

    /// <summary>In the order of their making, from which the next one takes the place of the oldest.</summary>
    private Entry[] _entries = new Entry[Math.Clamp(countMax, 1, 8)];
    private int _next;

    /// <summary>A connection asks when it begins and when it ends.</summary>
    private int _foundLast;

    public int Count => _places.Count;

    /// <summary>Entries that made room for others.</summary>
    public long Evicted { get; private set; }

    /// <summary>The entry; a null reference where there is none.</summary>
    public ref DestinationMetrics Find(in IpAddress local, in IpAddress remote)
    {
        if (IsFoundLast(local, remote))
        {
            return ref _entries[_foundLast].Metrics;
        }

        if (!_places.TryGetValue(new Key(_secret, local, remote), out int place))
        {
            return ref Unsafe.NullRef<DestinationMetrics>();
        }

        _foundLast = place;
        return ref _entries[place].Metrics;
    }

    /// <summary>The entry, made where there is none. The reference is good until the next is made.</summary>
    public ref DestinationMetrics Need(in IpAddress local, in IpAddress remote)
    {
        ref DestinationMetrics found = ref Find(local, remote);
        if (!Unsafe.IsNullRef(ref found))
        {
            return ref found;
        }

        if (_next == _entries.Length && _next < countMax)
        {
            Array.Resize(ref _entries, Math.Min(2 * _next, countMax));
        }

        int place = _next == _entries.Length ? 0 : _next;
        _next = place + 1;
        if (_places.Count >= countMax)
        {
            _places.Remove(_entries[place].Key);
            Evicted++;
        }

        Key key = new(_secret, local, remote);
        _places.Add(key, place);
        _entries[place] = new Entry { Key = key };
        _foundLast = place;
        return ref _entries[place].Metrics;
    }

    /// <summary>Forgets all (ip tcp_metrics flush all).</summary>
    public void Clear()
    {
        _places.Clear();
        Array.Clear(_entries);
        _next = 0;
    }

    /// <summary>An empty entry is nobody's: it has no addresses.</summary>
    private bool IsFoundLast(in IpAddress local, in IpAddress remote) => _entries[_foundLast].Key.Is(local, remote);
}

using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

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

/// <summary>The metrics of all destinations, by own and remote address; bounded: the oldest makes room. Peers choose their addresses: the hash is keyed.</summary>
internal sealed class DestinationCache(int countMax, SipKey secret)
{
    /// <summary>Both addresses of a path, with their hash: a comparer that had the key would be called for each look.</summary>
    private readonly struct Key(in SipKey secret, in IpAddress local, in IpAddress remote) : IEquatable<Key>
    {
        private readonly IpAddress _local = local;
        private readonly IpAddress _remote = remote;
        private readonly int _hash = (int)SipHash.HashFlow(secret, local, remote, 0, 0);

        public bool Equals(Key other) => _remote == other._remote && _local == other._local;

        public override bool Equals(object? obj) => obj is Key other && Equals(other);

        public override int GetHashCode() => _hash;
    }

    private readonly SipKey _secret = secret;
    private readonly Dictionary<Key, DestinationMetrics> _entries = [];
    private readonly Queue<Key> _order = new();

    public int Count => _entries.Count;

    /// <summary>Entries that made room for others.</summary>
    public long Evicted { get; private set; }

    /// <summary>The entry; a null reference where there is none.</summary>
    public ref DestinationMetrics Find(in IpAddress local, in IpAddress remote) =>
        ref CollectionsMarshal.GetValueRefOrNullRef(_entries, new Key(_secret, local, remote));

    /// <summary>The entry, made where there is none. The reference is good until the next is made.</summary>
    public ref DestinationMetrics Need(in IpAddress local, in IpAddress remote)
    {
        Key key = new(_secret, local, remote);
        ref DestinationMetrics found = ref CollectionsMarshal.GetValueRefOrNullRef(_entries, key);
        if (!Unsafe.IsNullRef(ref found))
        {
            return ref found;
        }

        if (_entries.Count >= countMax)
        {
            _entries.Remove(_order.Dequeue());
            Evicted++;
        }

        _order.Enqueue(key);
        return ref CollectionsMarshal.GetValueRefOrAddDefault(_entries, key, out _);
    }

    /// <summary>Forgets all (ip tcp_metrics flush all).</summary>
    public void Clear()
    {
        _entries.Clear();
        _order.Clear();
    }
}
